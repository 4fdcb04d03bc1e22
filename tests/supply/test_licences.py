"""Every licence of what we stand on is permissive; the check works offline, and can fail."""

from __future__ import annotations

from importlib.metadata import distribution
from pathlib import Path

import pytest
from supply.closure import EXTRAS, Missing, Package, closure, requirements
from supply.licences import ALLOWED, EXCEPTIONS, READ_BY_HAND, licence_of, main, problem


def install(folder: Path, name: str, *lines: str, version: str = "1.0") -> None:
    """Puts the metadata of a distribution into a folder, as an installer does."""
    place = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    place.mkdir()
    head = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *lines]
    place.joinpath("METADATA").write_text("\n".join(head) + "\n", encoding="utf-8")


def package(**stated: object) -> Package:
    """One that states what is given."""
    plain = {"version": "1", "summary": "", "expression": "", "classifiers": (), "text": "", "needs": ()}
    return Package(**{"name": "p", **plain, **stated})  # type: ignore[arg-type] # as a test gives it


def test_all_that_an_installation_brings_with_it_is_permitted(capsys: pytest.CaptureFixture[str]) -> None:
    """Direct and indirect, with the extras that users can ask for."""
    assert main([]) == 0
    assert capsys.readouterr().out.endswith(" packages, 0 with a licence that is not permitted\n")
    names = {package.name for package in closure(requirements(EXTRAS))}
    assert names > {"requests", "certifi", "markupsafe", "keyring", "rfc3161-client", "tzdata"}


@pytest.mark.parametrize(
    "stated",
    [
        "License-Expression: GPL-3.0-only",
        "License-Expression: MIT AND AGPL-3.0-or-later",
        "License-Expression: MPL-2.0",
        "License-Expression: GPL-2.0-only WITH Classpath-exception-2.0",
        "License-Expression: no such licence",
        "Classifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)",
        "Classifier: License :: OSI Approved :: BSD License",
        "License: GPL-3.0-only",
        "License: see the file",
        "Summary: says nothing of a licence",
    ],
)
def test_one_that_is_not_permitted_fails_wherever_it_comes_in(
    stated: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a dependency of a dependency states in any of the ways there are; or that it states nothing."""
    install(tmp_path, "our-program", "License-Expression: MIT", "Requires-Dist: Some.Library>=1")
    install(tmp_path, "some-library", "License-Expression: Apache-2.0", "Requires-Dist: deep; python_version > '3'")
    install(tmp_path, "deep", stated)
    assert main(["--path", str(tmp_path), "--root", "our-program"]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("deep 1.0: ")
    assert "3 packages, 1 with" in said.out


@pytest.mark.parametrize(
    "stated",
    [
        "License-Expression: MIT OR GPL-3.0-only",
        "License-Expression: (Apache-2.0 OR GPL-2.0-only) AND BSD-3-Clause",
        "Classifier: License :: OSI Approved :: MIT License",
        "License: Apache-2.0",
    ],
)
def test_one_that_lets_us_choose_a_permissive_licence_is_permitted(stated: str, tmp_path: Path) -> None:
    install(tmp_path, "deep", stated)
    assert main(["--path", str(tmp_path), "--root", "deep"]) == 0


def test_what_is_not_here_is_not_passed_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not installed, or in another version: nothing is known of it."""
    install(
        tmp_path, "our-program", "License-Expression: MIT", "Requires-Dist: gone", "Requires-Dist: old>=2; extra == 'x'"
    )
    install(tmp_path, "old", "License-Expression: MIT")
    assert main(["--path", str(tmp_path), "--root", "our-program"]) == 1
    assert "gone, needed by our-program, cannot be looked at: it is not installed" in capsys.readouterr().err
    install(tmp_path, "gone", "License-Expression: MIT")
    assert main(["--path", str(tmp_path), "--root", "our-program"]) == 0
    with pytest.raises(Missing, match=r"old>=2.* 1\.0 is installed"):
        closure(["our-program[x]"], [str(tmp_path)])


def test_an_exception_is_for_one_package_and_one_licence() -> None:
    assert problem(package(name="certifi", expression="MPL-2.0")) == ""
    assert problem(package(name="another", expression="MPL-2.0"))
    assert problem(package(name="certifi", expression="GPL-3.0-only"))
    assert set(EXCEPTIONS) <= {found.name for found in closure(requirements(EXTRAS))}
    assert not set(EXCEPTIONS.values()) & ALLOWED


LICENCE_TEXTS = {"BSD-3-Clause": "Neither the name of the", "Apache-2.0": "Apache License"}


@pytest.mark.parametrize("name", READ_BY_HAND)
def test_what_was_read_by_hand_stands_in_the_text_that_is_installed(name: str) -> None:
    """And the metadata still does not say it: then the entry would hide what a later version states."""
    files = [file for file in distribution(name).files or () if "LICENSE" in file.name.upper()]
    text = " ".join(" ".join(file.read_text(encoding="utf-8").split()) for file in files)
    assert LICENCE_TEXTS[READ_BY_HAND[name]].lower() in text.lower()
    (found,) = [each for each in closure(requirements(EXTRAS)) if each.name == name]
    assert not found.expression
    assert licence_of(found) == READ_BY_HAND[name]

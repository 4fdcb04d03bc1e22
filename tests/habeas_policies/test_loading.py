"""A policy is found by its name or its path, and is never mistaken for another."""

from __future__ import annotations

from pathlib import Path

import pytest

from habeas_policies import Policy, PolicyProblem, bundled, load

OWN = """\
name = "{name}"
version = 1
type = "erasure"
regime = "gdpr"
description = "A policy."
default.action = "erase"
"""
KNOWN = "ccpa-delete, gdpr-access, gdpr-erasure, gdpr-erasure-hold-payments"


def write(folder: Path, name: str, *, file: str | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{file or name}.toml"
    path.write_text(OWN.format(name=name), encoding="utf-8")
    return path


def line_of(name_or_path: str, *search: Path) -> str:
    with pytest.raises(PolicyProblem) as raised:
        load(name_or_path, search=search)
    assert raised.value.line().isprintable()
    return raised.value.line()


def test_a_policy_is_found_in_a_search_folder_and_by_its_path(tmp_path: Path) -> None:
    path = write(tmp_path, "shop")
    assert isinstance(load("shop", search=[tmp_path / "not-there", tmp_path]), Policy)
    assert load(str(path)) == load("shop", search=[tmp_path])


def test_a_path_may_have_another_name_than_the_policy(tmp_path: Path) -> None:
    assert load(str(write(tmp_path, "shop", file="draft"))).name == "shop"


def test_one_folder_given_twice_is_one_folder(tmp_path: Path) -> None:
    write(tmp_path, "shop")
    assert load("shop", search=[tmp_path, tmp_path]).name == "shop"


def test_an_unknown_name_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    write(tmp_path, "shop")
    assert line_of("gdpr", tmp_path) == f"there is no policy 'gdpr'; known: {KNOWN}, shop"


def test_an_address_typed_for_a_name_is_not_repeated() -> None:
    assert line_of("ada@example.org") == f"there is no policy (not shown: not a plain word); known: {KNOWN}"


def test_a_name_in_two_folders_is_refused(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        write(folder, "shop")
    assert line_of("shop", *folders) == "policy 'shop' is in 2 search folders; keep one, or give its path"


@pytest.mark.parametrize("name", bundled())
def test_a_bundled_name_cannot_be_taken_by_a_search_folder(tmp_path: Path, name: str) -> None:
    write(tmp_path, name)
    assert line_of(name, tmp_path) == (
        f"a search folder has a policy '{name}', which is the name of a bundled one; "
        "rename that file and the `name` in it"
    )


def test_a_bundled_name_cannot_be_taken_by_a_path(tmp_path: Path) -> None:
    path = write(tmp_path, "gdpr-erasure", file="mine")
    assert line_of(str(path)) == "mine.toml: $.name: is the name of a bundled policy; give yours a name of its own"


def test_a_policy_found_by_name_has_that_name(tmp_path: Path) -> None:
    write(tmp_path, "shop", file="store")
    assert line_of("store", tmp_path) == "store.toml: $.name: is not the file's name; make the two the same"


def test_a_name_cannot_leave_the_search_folder(tmp_path: Path) -> None:
    write(tmp_path, "shop")
    (tmp_path / "inner").mkdir()
    assert line_of("../shop", tmp_path / "inner") == "shop: there is no such policy file; check the path"


def test_a_missing_file_a_folder_and_a_dangling_link_are_no_policy(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "link.toml").symlink_to(tmp_path / "gone.toml")
    assert line_of(str(tmp_path / "gone.toml")) == "gone.toml: there is no such policy file; check the path"
    assert line_of(str(tmp_path / "folder.toml")) == "folder.toml: there is no such policy file; check the path"
    assert line_of("link", tmp_path) == "link.toml: there is no such policy file; check the path"


def test_a_path_that_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    line = line_of(str(tmp_path / ("x" * 300 + ".toml")))
    assert line.startswith("x" * 200 + ": cannot be read (")
    assert line.endswith("); check the path and its permissions")


def test_bytes_that_are_not_utf_8_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "shop.toml"
    path.write_bytes('# "größer"\n'.encode("latin-1"))
    assert line_of(str(path)) == "shop.toml: $: is not UTF-8 text (byte 5); save the file as UTF-8"


def test_a_file_of_more_than_one_mebibyte_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "shop")
    size = path.stat().st_size
    with path.open("a", encoding="utf-8") as stream:
        stream.write("#" + "x" * (1024 * 1024 - size - 1))
    assert load(str(path)).name == "shop"
    with path.open("a", encoding="utf-8") as stream:
        stream.write("x")
    assert line_of(str(path)) == "shop.toml: $: the file is larger than 1 MiB; split it into smaller policies"


def test_an_invalid_file_is_one_line_and_has_all_problems(tmp_path: Path) -> None:
    path = tmp_path / "shop.toml"
    path.write_text('name = "shop"\n', encoding="utf-8")
    with pytest.raises(PolicyProblem) as raised:
        load(str(path))
    assert raised.value.line() == (
        "shop.toml: $.default: is missing (and 4 more); "
        "add it: a `[default]` table with what to do with every record that no rule fits"
    )
    assert [problem.path for problem in raised.value.problems] == [
        "$.default",
        "$.description",
        "$.regime",
        "$.type",
        "$.version",
    ]

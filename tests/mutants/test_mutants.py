"""Each seeded mistake is caught, by a test that is named for it: by what it asserts, not by falling over.

`make faults` makes each mistake in a copy of the sources and runs its tests there, and runs them all without any. Here
in `make test` it is looked at only whether each can still be made, and one is made.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.figures import record
from tests.mutants.catalogue import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("core", "plugins", "policies", "audit")
QUICK = "a 5xx is taken for not done"
"""The one that is made in `make test`."""
_TIMES = count(1)


class Copy:
    """The sources and the tests in a folder of their own, which Python finds before the real ones."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        left_out = shutil.ignore_patterns("__pycache__", ".*")
        for name in (*SOURCES, "tests"):
            shutil.copytree(ROOT / name, folder / name, ignore=left_out)
        shutil.copy(ROOT / "pyproject.toml", folder)

    def write(self, file: str, text: str) -> None:
        """With a time of its own: Python takes compiled code for new where size and second are the same."""
        path = self.folder / file
        path.write_text(text)
        moment = 1_000_000_000 + 10 * next(_TIMES)
        os.utime(path, (moment, moment))

    def run(self, tests: Iterable[str]) -> dict[str, str]:
        """Test → how it failed, its first line; empty where it passed. Those of one function are told as one."""
        report = self.folder / "report.xml"
        report.unlink(missing_ok=True)
        paths = os.pathsep.join(str(self.folder / name) for name in SOURCES)
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", f"--junitxml={report}", *tests],
            cwd=self.folder, env={**os.environ, "PYTHONPATH": paths, "PYTEST_ADDOPTS": ""}, capture_output=True,
            text=True, timeout=600, check=False,
        )  # fmt: skip
        assert report.exists(), ended.stdout[-2000:] + ended.stderr[-2000:]
        found: dict[str, str] = {}
        for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - pytest has written it
            broken = [error.get("message") for error in case.findall("error")]
            assert broken == [], f"{case.get('name')}: {broken}"
            failed = case.find("failure")
            name = str(case.get("name"))
            for test in (name, name.partition("[")[0]):
                found[test] = found.get(test) or ("" if failed is None else str(failed.get("message")))
        return found


def mutated(mutant: Mutant, root: Path) -> dict[str, str]:
    """File → what stands in it with the mistake."""
    texts: dict[str, str] = {}
    for edit in mutant.edits:
        text = texts.get(edit.file) or (root / edit.file).read_text()
        assert text.count(edit.old) == 1, f"{mutant.name}: {edit.file} has it {text.count(edit.old)} times: {edit.old}"
        texts[edit.file] = text.replace(edit.old, edit.new)
    return texts


def check_caught(mutant: Mutant, copy: Copy) -> str:
    """The tests that caught it."""
    texts = mutated(mutant, copy.folder)
    sound = {file: (copy.folder / file).read_text() for file in texts}
    for file, text in texts.items():
        copy.write(file, text)
    try:
        found = copy.run(mutant.tests)
    finally:
        for file, text in sound.items():
            copy.write(file, text)
    for test in mutant.tests:
        how = found[test.rpartition("::")[2]]
        assert how.startswith(("AssertionError", "assert ", "Failed: ")), f"{mutant.name}: {test}: {how[:300]!r}"
    return ", ".join(test.rpartition("::")[2] for test in mutant.tests)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    made = Copy(tmp_path_factory.mktemp("mutants") / "copy")
    yield made
    shutil.rmtree(made.folder)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_mistake_can_be_made_and_has_its_tests(mutant: Mutant) -> None:
    for file, text in mutated(mutant, ROOT).items():
        assert text != (ROOT / file).read_text()
        ast.parse(text)
    assert mutant.tests
    for test in mutant.tests:
        file, *names = test.partition("[")[0].split("::")
        tree: ast.AST = ast.parse((ROOT / file).read_text())
        for name in names:
            found = [n for n in ast.iter_child_nodes(tree) if getattr(n, "name", None) == name]
            assert len(found) == 1, f"{file} has no {name}"
            tree = found[0]


def test_names_are_given_once() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


def test_one_mistake_is_caught(copy: Copy) -> None:
    (mutant,) = [mutant for mutant in MUTANTS if mutant.name == QUICK]
    assert check_caught(mutant, copy)


@pytest.mark.faults
def test_without_a_mistake_the_same_tests_pass(copy: Copy) -> None:
    tests = list(dict.fromkeys(test for mutant in MUTANTS for test in mutant.tests))
    found = copy.run(tests)
    assert {test: found[test.rpartition("::")[2]] for test in tests} == dict.fromkeys(tests, "")


@pytest.mark.faults
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_mistake_is_caught(mutant: Mutant, copy: Copy) -> None:
    record("mutants", {mutant.name: check_caught(mutant, copy)})

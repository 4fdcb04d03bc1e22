"""What SECURITY.md and docs/asvs.md name as their witness is there, and is run."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = {name: ROOT.joinpath(name).read_text(encoding="utf-8") for name in ("SECURITY.md", "docs/asvs.md")}
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGES["docs/asvs.md"].splitlines()
    if re.match(r"\| \d+\.\d+\.\d+ \|", line)
]
ASKED = """
1.1.1 1.2.1 1.2.2 1.2.10 1.3.6 1.5.2 1.5.3 2.3.3 4.1.5 4.2.5 5.2.3 5.3.2 5.3.3 11.5.1 12.3.2 13.1.3 13.2.2 13.2.4
13.3.1 14.2.1 14.2.7 15.1.2 15.3.2 15.4.2 16.2.2 16.2.5 16.4.1 16.4.2 16.4.3 16.5.1 16.5.3
"""
"""What has to be answered for, whatever else is."""


@cache
def collected_from(path: str) -> frozenset[str]:
    """Names of the tests in a file that pytest collects: of functions and of methods of `Test…`, not skipped."""
    tree = ast.parse(ROOT.joinpath(path).read_text(encoding="utf-8"))
    bodies = [tree.body, *(n.body for n in tree.body if isinstance(n, ast.ClassDef) and n.name.startswith("Test"))]
    return frozenset(
        node.name
        for body in bodies
        for node in body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not _kept_out(node)
    )


def _kept_out(node: ast.FunctionDef) -> bool:
    """Whether a mark keeps a test out of `make test`."""
    marks = " ".join(ast.unparse(decorator) for decorator in node.decorator_list)
    return any(mark in marks for mark in ("mark.skip", "mark.xfail", "mark.faults"))


def missing(text: str) -> list[str]:
    """What a text names in code that is a file or a test of ours, and is not there."""
    wrong = []
    for named in re.findall(r"`((?:core|plugins|policies|audit|supply|tests|docs)/[^`\s]+)`", text):
        path, _, test = named.partition("::")
        if not ROOT.joinpath(path).exists() or (test and test not in collected_from(path)):
            wrong.append(named)
    return wrong


@pytest.mark.parametrize("page", PAGES)
def test_every_file_and_every_test_that_is_named_is_there(page: str) -> None:
    assert missing(PAGES[page]) == []
    assert len(re.findall(r"`tests/[^`]+::test_", PAGES[page])) > 15


def test_one_that_is_not_there_or_not_run_is_found() -> None:
    """A search that finds nothing proves nothing."""
    assert missing("`core/habeas/gone.py` and `tests/docs/test_asvs.py::test_gone`") == [
        "core/habeas/gone.py", "tests/docs/test_asvs.py::test_gone",
    ]  # fmt: skip
    assert missing("`tests/docs/test_asvs.py::test_one_that_is_not_there_or_not_run_is_found`") == []
    (kept_out,) = ast.parse("@pytest.mark.faults\ndef test_x() -> None: ...").body
    assert isinstance(kept_out, ast.FunctionDef)
    assert _kept_out(kept_out)


def test_pytest_collects_what_is_named(request: pytest.FixtureRequest) -> None:
    """Of every file that this run has collected as a whole; in a run of all tests, of all of them."""
    collected = {item.nodeid.partition("[")[0] for item in request.session.items}
    short = {f"{node.partition('::')[0]}::{node.rpartition('::')[2]}" for node in collected}
    chosen = {argument.partition("::")[0] for argument in request.config.args if "::" in argument}
    files = {node.partition("::")[0] for node in collected} - chosen
    if request.config.getoption("keyword"):
        files = set()
    for text in PAGES.values():
        for path, test in re.findall(r"`(tests/[^`\s:]+)::(test_\w+)`", text):
            assert path not in files or f"{path}::{test}" in short, f"{path}::{test}"


def test_every_requirement_has_its_answer_and_every_yes_its_witness() -> None:
    """Once each, in order; "part" and "no" say why; what the project has set itself is there."""
    ids = [row[0] for row in ROWS]
    assert ids == sorted(set(ids), key=lambda text: [int(part) for part in text.split(".")])
    assert set(ids) >= set(ASKED.split())
    for number, asks, met, how, *shown in ROWS:
        assert asks, number
        assert how, number
        assert met in ("yes", "part", "no"), number
        assert met != "yes" or "`tests/" in "".join(shown), number

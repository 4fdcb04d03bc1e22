"""``habeas plugin``: what is installed, a new project, and the checks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from habeas.registry import Registry
from habeas.scaffold import write_project
from habeas.testing.kit import CHECKS

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Ran

Bare = Callable[..., "Ran"]


@pytest.fixture
def brittle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The package of an installed plugin, to be broken before its first use."""
    folder = tmp_path / "habeas-brittle"
    write_project(folder, "brittle", "Brittle")
    (folder / "habeas_brittle-0.1.0.dist-info").mkdir()
    (folder / "habeas_brittle-0.1.0.dist-info" / "entry_points.txt").write_text("[habeas]\nbrittle = habeas_brittle\n")
    monkeypatch.syspath_prepend(folder)
    yield folder / "habeas_brittle"
    for name in [name for name in sys.modules if name.partition(".")[0] == "habeas_brittle"]:
        del sys.modules[name]


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


# -- list -------------------------------------------------------------------------------------------------------------


def test_the_list_says_what_each_plugin_can_do(brittle: Path, bare: Bare) -> None:
    """Optional hooks, fields it corrects, what names a purpose; a foreign plugin stands beside ours."""
    listed = {plugin["name"]: plugin for plugin in bare("plugin", "list", "--json").json["plugins"]}
    registry = Registry.load()
    assert set(listed) == set(registry.infos) > {"brittle", "talonone"}
    for name, info in registry.infos.items():
        assert listed[name]["rectifies"] == [str(field) for field in info.rectifies]
        assert listed[name]["purpose"] == dict(info.purpose_schema)
        assert all(registry.implements(name, hook) for hook in listed[name]["hooks"])
    optional = ["update_consent", "read_consent", "rectify", "create_canary", "sandbox"]
    assert listed["brittle"]["hooks"] == optional
    shown = [line.strip() for line in bare("plugin", "list").stdout.splitlines()]
    start = shown.index("brittle: Brittle")
    assert f"optional hooks: {', '.join(optional)}" in shown[start:]
    assert "corrects: email, phone, first_name, last_name" in shown[start:]
    assert "a purpose is named by: flag" in shown[start:]


def test_a_plugin_that_can_do_no_more_than_it_must_is_listed_so(brittle: Path, bare: Bare) -> None:
    init = brittle / "__init__.py"
    text = init.read_text(encoding="utf-8")
    init.write_text(text.partition("@habeas.hookimpl\ndef update_consent")[0], encoding="utf-8")
    edit(brittle / "kinds.py", "rectifies=(Field.EMAIL, Field.PHONE, Field.FIRST_NAME, Field.LAST_NAME),", "")
    shown = [line.strip() for line in bare("plugin", "list").stdout.splitlines()]
    assert shown[shown.index("brittle: Brittle") :].index("optional hooks: none") > 0
    assert "corrects: nothing" in shown
    ran = bare("plugin", "check", "brittle")
    assert (ran.code, ran.stdout) == (2, "")
    assert "plugin brittle has no sandbox hook" in ran.error


# -- new --------------------------------------------------------------------------------------------------------------


def test_a_new_project_is_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bare: Bare) -> None:
    """Into the current folder or the one that is named; the second time is refused."""
    monkeypatch.chdir(tmp_path)
    ran = bare("plugin", "new", "acme")
    assert (ran.code, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[-1] == "next: pip install -e 'habeas-acme[dev]', then: habeas plugin check acme"
    files = {path.relative_to(tmp_path / "habeas-acme").as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert {line.strip() for line in ran.stdout.splitlines()[1:-1]} == files
    assert 'title="Acme"' in Path("habeas-acme/habeas_acme/kinds.py").read_text(encoding="utf-8")
    ran = bare("plugin", "new", "acme", "--title", "Acme Loyalty", "--into", "elsewhere", "--json")
    assert (ran.code, ran.json["plugin"], set(ran.json["files"])) == (0, "acme", files)
    assert 'title="Acme Loyalty"' in Path(ran.json["folder"], "habeas_acme", "kinds.py").read_text(encoding="utf-8")
    ran = bare("plugin", "new", "acme")
    assert (ran.code, ran.error) == (2, "habeas: habeas-acme exists already; name another folder with --into")


@pytest.mark.parametrize("words", [["talonone"], ["Acme"], ["../x"], ["acme", "--title", ""], ["acme", "--title", '"']])
def test_what_cannot_be_a_plugin_is_refused_in_one_line(words: list[str], tmp_path: Path, bare: Bare) -> None:
    ran = bare("plugin", "new", *words, "--into", str(tmp_path / "new"))
    assert (ran.code, ran.stdout) == (2, "")
    assert ran.error
    assert list(tmp_path.iterdir()) == []


# -- check ------------------------------------------------------------------------------------------------------------


def test_a_broken_rule_is_exit_code_1_and_says_what_to_mend(brittle: Path, bare: Bare) -> None:
    """As a table and as one document; the other check holds all the same."""
    edit(brittle / "kinds.py", 'categories=(_PD + "Purchase",),', "categories=(),")
    only = ("--only", "kinds-complete", "--only", "settings-schema")
    ran = bare("plugin", "check", "brittle", *only, "--json")
    assert (ran.code, ran.json["plugin"], ran.json["ok"]) == (1, "brittle", False)
    broken, held = ran.json["checks"]
    assert (broken["check"], broken["ok"], held["check"], held["ok"]) == (
        "kinds-complete", False, "settings-schema", True,
    )  # fmt: skip
    assert "The record kind order needs at least one DPV category" in broken["problem"]
    assert (held["problem"], held["title"]) == (None, {c.name: c.title for c in CHECKS}["settings-schema"])
    assert ran.stderr.splitlines() == [
        "kinds-complete is broken (0 calls)", "settings-schema holds (0 calls)", "2 checks, 1 broken, 0 calls",
    ]  # fmt: skip
    ran = bare("plugin", "check", "brittle", *only)
    assert ran.code == 1
    words = " ".join(ran.stdout.split())
    assert "check what it holds verdict problem" in words
    assert "broken" in words


def test_a_check_counts_the_calls_it_made(brittle: Path, bare: Bare) -> None:
    ran = bare("plugin", "check", "brittle", "--only", "inventory-true", "--json")
    assert ran.code == 0
    (verdict,) = ran.json["checks"]
    assert verdict["calls"] > 10
    assert ran.stderr.splitlines()[-1] == f"1 check, 0 broken, {verdict['calls']} calls"


def test_on_a_terminal_progress_is_one_line_that_goes_away(
    brittle: Path, bare: Bare, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left on stderr is the sum."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    ran = bare("plugin", "check", "brittle", "--only", "kinds-complete")
    assert ran.code == 0
    assert "1 made; kinds-complete holds (0 calls)" not in ran.stdout
    assert "\x1b[2K" in ran.stderr
    assert ran.stderr.splitlines()[-1].endswith("1 check, 0 broken, 0 calls")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nobody"], "there is no plugin 'nobody'; installed: "),
        (["voucherify", "--only", "no-such"], "there is no check 'no-such'; there are: kinds-complete, "),
        ([], "Missing argument 'NAME'"),
    ],
)
def test_what_does_not_exist_cannot_be_checked(words: list[str], said: str, bare: Bare) -> None:
    """Exit code 2, and what there is instead."""
    ran = bare("plugin", "check", *words)
    assert (ran.code, ran.stdout) == (2, "")
    assert said in ran.error

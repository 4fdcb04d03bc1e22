"""The demo holds, and says so when it does not: a story that cannot fail proves nothing."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

import habeas_audit
from habeas.cli import cli
from habeas.cli.border import run_guarded
from habeas.demo.world import World
from habeas.testing.sandbox import Call, Fault, Reply
from habeas_audit import Evidence, verify, verify_evidence

PEOPLE = "20"
"""The fewest that the demo takes."""


def demo(*arguments: str) -> tuple[int, Any]:
    """Exit code and JSON."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(io.StringIO()):
        code = run_guarded(cli, ["--json", "demo", "--people", PEOPLE, *arguments])
    return code, json.loads(output.getvalue())


def broken(result: Any) -> list[str]:
    """The claims that did not hold."""
    return [check["what"] for step in result["steps"] for check in step["checks"] if not check["ok"]]


def sabotage(monkeypatch: pytest.MonkeyPatch, change: Callable[[World], None]) -> None:
    """Has every world changed as soon as it stands."""
    start = World.start.__func__  # type: ignore[attr-defined] # a classmethod has one

    def started(cls: type[World], *args: Any, **kwargs: Any) -> World:
        world: World = start(cls, *args, **kwargs)
        change(world)
        return world

    monkeypatch.setattr(World, "start", classmethod(started))


def test_every_step_holds_and_its_files_stay(tmp_path: Path) -> None:
    """Exit code 0, every step with at least one claim, a whole ledger, a package; and nothing outside of the folder."""
    place = tmp_path / "demo"
    code, result = demo("--in", str(place))
    assert (code, result["ok"], broken(result)) == (0, True, [])
    assert result["folder"] == str(place)
    assert all(step["checks"] and step["command"].startswith("habeas ") for step in result["steps"])
    assert set(result) == {"ok", "folder", "steps"}
    assert all(set(step) == {"title", "command", "checks"} and step["title"] for step in result["steps"])
    assert all(set(check) >= {"what", "ok"} for step in result["steps"] for check in step["checks"])
    used = {step["command"].split()[1] for step in result["steps"]}
    assert used >= {"init", "inventory", "access", "erase", "resume", "audit"}
    assert verify(place / "home" / "audit.db").ok
    assert not verify(place / "changed-copy.db").ok
    assert len(list((place / "home" / "packages").iterdir())) == 1
    assert {path.name for path in place.iterdir()} == {
        "certificate.html", "certificate.json", "changed-copy.db", "customers.csv", "forged.json", "habeas.toml",
        "home", "opening.json", "secrets", "shorter-copy.db",
    }  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in place.rglob("*"))


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    code, result = demo("--in", str(tmp_path))
    assert (code, result["error"]["exit_code"]) == (2, 2)
    assert "is not empty" in result["error"]["message"]
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_vendor_that_only_says_it_deleted_makes_the_demo_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The read-back finds it: the cases are not completed."""
    lie = Fault("lie", "DELETE", "^/tms/v2/customers/", times=-1, reply=Reply(204))
    sabotage(monkeypatch, lambda world: world.servers["cybersource"].faults.append(lie))
    code, result = demo("--in", str(tmp_path / "demo"))
    assert (code, result["ok"]) == (1, False)
    assert "the case is completed" in broken(result)
    assert "the vendors' own data agrees: nothing is left" in broken(result)


@dataclass
class Hidden(Fault):
    """Deletes nothing, and then denies that the profile was ever there."""

    denied: list[str] = field(default_factory=list)

    def matches(self, call: Call) -> bool:
        name = call.path.split("/")[3] if call.path.count("/") > 2 else ""
        if call.method == "DELETE" and call.path.startswith("/v1/customer_data/"):
            self.denied.append(name)
            self.reply = Reply(204)
            return True
        self.reply = Reply(404, {"message": "not found", "errors": [], "StatusCode": 404})
        return call.path.startswith("/v1/customer_profiles/") and name in self.denied


def finds_nothing(path: Path, **options: Any) -> Evidence:
    """A verification that calls every ledger whole."""
    return replace(verify_evidence(path, **options), ok=True, findings=())


def test_what_no_command_can_see_makes_the_demo_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A vendor that hides what it kept, and a verification that finds nothing: each fails its own claims."""
    sabotage(monkeypatch, lambda world: world.servers["talonone"].faults.append(Hidden("lie")))
    monkeypatch.setattr(habeas_audit, "verify_evidence", finds_nothing)
    code, result = demo("--in", str(tmp_path / "demo"))
    assert (code, result["ok"]) == (1, False)
    assert "the case is completed" not in broken(result)
    assert "the vendors' own data agrees: nothing is left" in broken(result)
    assert [what for what in broken(result) if re.fullmatch(r"the change in entry \d+ is found", what)]
    assert "a checkpoint kept elsewhere shows that they are missing" in broken(result)

"""``habeas report``: made from a real ledger, verified, and computed again from its export."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.habeas.cli.conftest import open_shop
from tests.searching import leaks, needles_for

from habeas.testing.people import Person


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Person]]:
    """A shop in which something has happened."""
    shop = open_shop(tmp_path_factory.mktemp("reported"), 20)
    person = shop.fresh()
    assert shop.run("erase", f"customer_id={person.customer_id}", "--yes").code == 0
    assert shop.run("access", f"customer_id={shop.fresh().customer_id}").code == 0
    yield shop, person
    shop.world.stop()


def today() -> list[str]:
    """A period that is not over, with everything in it."""
    now = datetime.now(UTC)
    return ["--from", f"{now - timedelta(days=2):%Y-%m-%d}", "--to", f"{now + timedelta(days=2):%Y-%m-%d}"]


def test_a_report_is_made_in_three_forms_and_computed_again(worked: Any, tmp_path: Path) -> None:
    """Each is its owner's only; the JSON's figures follow from the export; nobody is in any of them."""
    shop, person = worked
    told = shop.run("report", *today(), "-o", str(tmp_path / "r.json"), "--json").json
    assert (told["ok"], told["format"], told["verified"]) == (True, "json", True)
    for ending in ("html", "csv"):
        made = shop.run("report", *today(), "-o", str(tmp_path / f"r.{ending}"))
        assert made.code == 0
        assert f"{told['figures']} figures over" in made.stdout
    assert shop.run("audit", "export", "-o", str(tmp_path / "ledger.jsonl")).code == 0
    key = str(next(iter(shop.home.signing.glob("*.pub"))))
    checking = ["report", "--check", str(tmp_path / "r.json"), "--export", str(tmp_path / "ledger.jsonl")]
    checked = shop.run(*checking, "--key", key)
    assert checked.code == 0
    assert f"ok  {told['figures']} figures and 3 tables" in checked.stdout
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["evidence"]["size"] == told["ledger"]["size"]
    figures = {f["name"]: f["value"] for section in report["sections"] for f in section["figures"]}
    assert (figures["received"], figures["closed"], figures["erasures"], figures["packages"]) == (2, 2, 1, 1)
    needles = needles_for({"email": person.email, "id": person.customer_id, "phone": person.phone})
    for path in tmp_path.iterdir():
        assert leaks(path.read_bytes(), needles) == []
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 or path.suffix == ".jsonl"


def test_a_figure_that_was_changed_is_named(worked: Any, tmp_path: Path) -> None:
    """Exit code 1, also for a machine; so is an export that does not hold."""
    shop, _ = worked
    report, export = tmp_path / "r.json", tmp_path / "ledger.jsonl"
    assert shop.run("report", *today(), "-o", str(report)).code == 0
    assert shop.run("audit", "export", "-o", str(export)).code == 0
    value = json.loads(report.read_text())
    closed = next(f for s in value["sections"] for f in s["figures"] if f["name"] == "closed")
    closed["value"] += 1
    report.write_text(json.dumps(value))
    checking = ["report", "--check", str(report), "--export", str(export)]
    found = shop.run(*checking)
    assert (found.code, found.stdout) == (1, "NOT closed, value: the report says 3, the entries give 2\n")
    assert shop.run(*checking, "--json").json["differences"] == [found.stdout[4:-1]]
    lines = export.read_text().splitlines()
    export.write_text("\n".join([*lines[:-3], *lines[-2:]]) + "\n")
    broken = shop.run(*checking)
    assert broken.code == 1
    assert "nothing was computed" in broken.stderr


def test_the_last_whole_month_goes_to_the_home_and_is_never_overwritten(worked: Any) -> None:
    """Without options at all."""
    shop, _ = worked
    made = shop.run("report", "--json")
    path = Path(made.json["file"])
    assert path.parent == shop.home.reports
    assert path.suffix == ".html"
    assert made.json["to"] < f"{datetime.now(UTC):%Y-%m-%d}"
    before = path.read_bytes()
    again = shop.run("report")
    assert (again.code, path.read_bytes()) == (2, before)
    assert "exists already" in again.error


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--from", "2026-13-01", "--to", "2026-12-01"], "--from is not a day of the calendar"),
        (["--from", "2026-10-02", "--to", "2026-10-01"], "--from is after --to"),
        (["--from", "2026-10-02"], "go together"),
        (["--check", "r.json"], "go together"),
        (["--check", "r.json", "--export", "e", "--no-verify"], "takes --export and --key only"),
        (["--check", "nowhere.json", "--export", "e"], "cannot be read"),
        (["--since-report", "nowhere.json"], "cannot be read"),
        (["-o", "nowhere/r.html"], "not a folder"),
        (["--format", "pdf"], "--format"),
    ],
)
def test_wrong_usage_is_one_line(worked: Any, arguments: list[str], says: str) -> None:
    """Exit code 2, and nothing is written."""
    shop, _ = worked
    ran = shop.run("report", *arguments)
    assert ran.code == 2
    assert says in ran.error


def test_a_ledger_that_was_changed_is_reported_as_such(make_shop: Callable[[int], Any], tmp_path: Path) -> None:
    """The report is made, says NO on its cover, and the exit code is 1; unverified it says so."""
    shop = make_shop(8)
    assert shop.run("inventory", f"customer_id={shop.world.people[0].customer_id}").code == 0
    quiet = shop.run("report", *today(), "--no-verify", "-o", str(tmp_path / "unverified.html"))
    assert quiet.code == 0
    assert "not when this was made" in (tmp_path / "unverified.html").read_text()
    with contextlib.closing(sqlite3.connect(shop.home.ledger, isolation_level=None)) as db:
        sql = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'entries'"
        guards = db.execute(sql).fetchall()
        for name, _ in guards:
            db.execute(f"DROP TRIGGER {name}")
        db.execute(
            "UPDATE entries SET body = CAST(replace(CAST(body AS TEXT), 'done', 'gone') AS BLOB) "
            "WHERE type = 'run.ended'"
        )
        for _, guard in guards:
            db.execute(guard)
    made = shop.run("report", *today(), "-o", str(tmp_path / "r.html"))
    assert made.code == 1
    assert "NO: the ledger is not as it was written and signed." in (tmp_path / "r.html").read_text()

"""A batch that runs out of time, of a quota or of a vendor, and goes on later; and what is left to a person."""

from __future__ import annotations

import csv
import itertools
import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from habeas.app import App
from habeas.testing.clock import SkippingClock

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Ran, Shop

START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SkippingClock:
    """One clock for all commands of a test: it is moved, and nobody waits."""
    clock = SkippingClock(START)
    monkeypatch.setattr("habeas.app.SystemClock", lambda: clock)
    return clock


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A single worker, so that it is certain which case comes when."""
    monkeypatch.setattr(App, "workers", 1)


@pytest.fixture
def small(make_shop: Callable[[int], Shop]) -> Shop:
    return make_shop(16)


def write(shop: Shop, *rows: str, name: str = "requests") -> str:
    """A batch of these rows."""
    path = shop.folder / f"{name}.csv"
    path.write_text("".join(f"{row}\n" for row in ("type,customer_id,received_at,reference", *rows)), encoding="utf-8")
    return str(path)


def inventories(shop: Shop, count: int) -> str:
    return write(shop, *(f"inventory,none-{n},,{n}" for n in range(count)))


def statuses(shop: Shop) -> list[str]:
    return [case["status"] for case in shop.run("case", "list", "--json").json["cases"]]


def limit(shop: Shop, **limits: int) -> str:
    """Gives a vendor these limits; returns its name."""
    name = list(shop.world.servers)[1]
    table = f"[connections.{name}.limits]\n"
    lines = "".join(f"{setting} = {value}\n" for setting, value in limits.items())
    shop.config.write_text(shop.config.read_text().replace(table, table + lines))
    return name


# -- time -------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("one_by_one")
def test_out_of_time_it_finishes_what_is_in_hand_and_resume_does_the_rest(
    small: Shop, clock: SkippingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each case takes a quarter of an hour: the third begins before the time is over, and is finished."""
    work = App.work_on

    def slowly(app: App, run: Any, case_id: str) -> Any:
        clock.skip(900)
        return work(app, run, case_id)

    monkeypatch.setattr(App, "work_on", slowly)
    ran = small.run("batch", inventories(small, 5), "--yes", "--json", "--max-runtime", "40m")
    assert ran.code == 1
    summary = ran.json["summary"]
    assert (summary["cases"], summary["not_started"], summary["ended_by"]) == (3, 2, "max-runtime")
    assert summary["goes_on_at"] is None
    assert "2 cases were not begun: the time given with --max-runtime is over.\n" in ran.stderr
    assert "2 cases are not finished: `habeas resume` goes on.\n" in ran.stderr
    ran = small.run("resume", "--json", "--max-runtime", "10m")
    assert (ran.json["summary"]["cases"], ran.json["summary"]["not_started"], ran.code) == (1, 1, 1)
    ran = small.run("resume", "--json", "--max-runtime", "1d")
    assert (ran.json["summary"]["cases"], ran.json["summary"]["ended_by"]) == (1, None)
    assert statuses(small) == ["completed"] * 5


@pytest.mark.parametrize("text", ["", "0m", "soon", "2", "1m1h", "-5m", "1.5h", "9999999s"])
def test_what_is_no_time_is_wrong_usage(text: str, shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "any.csv"
    path.write_text("type,customer_id\ninventory,x\n")
    for command in (["batch", str(path), "--yes"], ["resume"]):
        ran = shop.run(*command, "--max-runtime", text)
        assert ran.code == 2
        assert "write 45m, 6h or 1h30m" in ran.error


def test_what_is_due_first_is_done_first(small: Shop, clock: SkippingClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the order in the file; and of one day in the file's order."""
    del clock
    monkeypatch.setattr(App, "workers", 1)
    days = ["2026-11-20", "2026-11-03", "2026-11-20", "2026-10-31", "2026-11-03"]
    path = write(small, *(f"inventory,none-{n},{day},{n}" for n, day in enumerate(days)))
    ran = small.run("batch", path, "--yes", "--json")
    assert [case["reference"] for case in ran.json["cases"]] == ["3", "1", "4", "0", "2"]


# -- quotas -----------------------------------------------------------------------------------------------------------


def calls_of(shop: Shop, name: str) -> int:
    return len(shop.world.servers[name].calls)


def test_what_does_not_fit_into_today_s_quota_goes_on_tomorrow(small: Shop, clock: SkippingClock) -> None:
    """Each day no more calls than the contract allows, no case that could not be ended, and all are done in the end."""
    name = limit(small, calls_per_day=60)
    people = [p for p in small.world.people if name in p.held_at][:5]
    path = write(small, *(f'erasure,"{p.customer_id}",,{n}' for n, p in enumerate(people)))
    ran = small.run("batch", path, "--yes", "--json")
    days = 1
    first = ran.json["summary"]
    assert (ran.code, first["ended_by"], first["goes_on_at"]) == (1, "quota", "2026-11-22T00:00:00Z")
    assert first["not_started"] + first["cases"] == len(people)
    assert set(first["statuses"]) == {"completed"}, "none that could not be ended was begun"
    assert f"The quota of {name} has room again from 2026-11-22 00:00 UTC.\n" in ran.stderr
    assert "cases were not begun: their calls do not fit into a quota.\n" in ran.stderr
    while ran.code == 1 and days < 20:
        assert calls_of(small, name) <= 60 * days
        assert small.run("resume").code == 1
        assert calls_of(small, name) <= 60 * days, "the same day there are no more"
        clock.skip(86_400)
        ran, days = small.run("resume", "--json"), days + 1
    assert ran.code in (0, 3), ran.stderr
    assert 2 <= days < 6
    assert statuses(small) == ["completed"] * len(people)
    for person in people:
        results = small.world.held(person).get(name, {})
        assert small.registry.infos[name].main_kind not in results, "erased in the end"


@pytest.mark.usefixtures("one_by_one")
def test_a_case_that_is_larger_than_a_day_is_done_in_several(small: Shop, clock: SkippingClock) -> None:
    """It fails where the quota ends, says so, and the next day goes on from there."""
    name = limit(small, calls_per_day=14)
    person = next(p for p in small.world.people[7:] if len(p.held_at) == len(small.world.servers))
    ran = small.run("batch", write(small, f"erasure,{person.customer_id},,"), "--yes", "--json")
    (case,) = ran.json["cases"]
    failed = [row for row in case["outcomes"] if row["result"] == "failed"]
    assert (ran.code, {row["connection"] for row in failed}) == (1, {name})
    assert all("its calls are used up (14 a day); there are more from 2026-11-22 00:00" in r["reason"] for r in failed)
    assert ran.json["summary"]["goes_on_at"] == "2026-11-22T00:00:00Z"
    for day in itertools.count(1):
        assert calls_of(small, name) <= 14 * day
        assert day < 20
        clock.skip(86_400)
        ran = small.run("resume", "--json")
        if ran.code != 1:
            break
    assert statuses(small) == ["completed"]


def test_a_vendor_without_a_quota_is_not_held_up_by_one_whose_quota_is_spent(small: Shop, clock: SkippingClock) -> None:
    """A case that lacks only the other vendor is resumed at once, the same day."""
    other = list(small.world.servers)[-1]
    name = limit(small, calls_per_day=60)
    small.world.servers[other].down = True
    path = inventories(small, 3)
    assert small.run("batch", path, "--yes", "--json").code == 1
    small.world.servers[other].down = False
    with App.open(small.home, small.config, clock) as app:
        meter = app.tools.links[name].meter
        assert meter is not None
        while meter.left()[0][1]:
            meter.take()
    before = calls_of(small, name)
    ran = small.run("resume", "--json")
    assert ran.json["summary"]["statuses"] == {"completed": 3}
    assert calls_of(small, name) == before


# -- vendors that are away for a while --------------------------------------------------------------------------------


def away(shop: Shop, monkeypatch: pytest.MonkeyPatch, clock: SkippingClock, until: float) -> str:
    """The last vendor does not answer before so many seconds have passed; after two failures it is left alone."""
    name = list(shop.world.servers)[-1]
    server = shop.world.servers[name]
    table = f"[connections.{name}.limits]\n"
    limits = "failures_before_pause = 2\npause_seconds = 30\n"
    shop.config.write_text(shop.config.read_text().replace(table, table + limits))
    respond = server.respond
    monkeypatch.setattr(server, "respond", lambda call: respond(call) if clock.monotonic() >= until else None)
    return name


@pytest.mark.usefixtures("one_by_one")
def test_cases_that_lack_only_a_vendor_that_was_away_are_passed_over_once_more(
    small: Shop, clock: SkippingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is back when its pause is over: every case is told once, as it ended."""
    people = [p for p in small.world.people[7:] if len(p.held_at) == len(small.world.servers)][:4]
    path = write(small, *(f"erasure,{p.customer_id},," for p in people), "inventory,none-1,,", "inventory,none-2,,")
    name = away(small, monkeypatch, clock, clock.monotonic() + 20)
    ran = small.run("batch", path, "--yes", "--json")
    assert ran.code in (0, 3), ran.stderr
    assert [case["status"] for case in ran.json["cases"]] == ["completed"] * 6
    assert all(name not in small.world.held(person) for person in people)
    assert len({case["case"] for case in ran.json["cases"]}) == 6
    assert ran.json["summary"]["cases"] == 6
    assert re.search(rf"6 cases lack only {name}, left alone for another \d+ s: then they are tried again", ran.stderr)


@pytest.mark.usefixtures("one_by_one")
def test_a_vendor_that_stays_away_is_tried_by_one_case_twice_and_then_left(
    small: Shop, clock: SkippingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cases are told as they are, and `resume` has them all."""
    name = away(small, monkeypatch, clock, float("inf"))
    started = clock.slept
    ran = small.run("batch", inventories(small, 6), "--yes", "--json")
    summary = ran.json["summary"]
    assert (ran.code, summary["statuses"], summary["not_started"]) == (1, {"incomplete": 6}, 0)
    assert calls_of(small, name) <= 6, "two to find out, and one for each further pass, with what is tried again"
    assert ran.stderr.count("then they are tried again") == 2
    assert clock.slept - started < 120
    assert "6 cases are not finished: `habeas resume` goes on.\n" in ran.stderr


@pytest.mark.usefixtures("one_by_one")
def test_nobody_waits_for_a_vendor_longer_than_the_run_has(
    small: Shop, clock: SkippingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    away(small, monkeypatch, clock, float("inf"))
    started = clock.slept
    ran = small.run("batch", inventories(small, 4), "--yes", "--json", "--max-runtime", "20s")
    assert ran.json["summary"]["statuses"] == {"incomplete": 4}
    assert "tried again" not in ran.stderr
    assert clock.slept - started < 20


# -- what is left to a person -----------------------------------------------------------------------------------------


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def check_against(ran: Ran, rows: list[dict[str, str]]) -> None:
    """The file has exactly the outcomes of the document that are work, each once."""
    work = ("manual", "accepted", "unsupported", "failed", "unknown")
    expected = [
        (case["case"], row["connection"], row["record"], row["result"], row["until"] or "")
        for case in ran.json["cases"]
        for row in case["outcomes"]
        if row["result"] in work
    ]
    assert sorted((r["case"], r["connection"], r["record"], r["result"], r["until"]) for r in rows) == sorted(expected)


def test_what_needs_a_person_is_a_csv_that_no_spreadsheet_computes(small: Shop, clock: SkippingClock) -> None:
    """With the reference and nothing else about the person; private; never over a file that is there."""
    del clock
    people = small.world.people[6:14]
    last = list(small.world.servers)[-1]
    small.world.servers[last].down = True
    path = write(small, *(f'erasure,"{p.customer_id}",,"=cmd|{n}"' for n, p in enumerate(people)))
    todo = small.folder / "todo.csv"
    ran = small.run("batch", path, "--yes", "--json", "--needs-person", str(todo))
    rows = rows_of(todo)
    check_against(ran, rows)
    assert {row["result"] for row in rows} >= {"failed", "manual"}
    assert {row["reference"] for row in rows} == {f"'=cmd|{n}" for n in range(len(people))}
    assert all(row["reason"] for row in rows)
    text = todo.read_text(encoding="utf-8")
    for person in people:
        for value in (person.email, person.phone, person.customer_id):
            assert len(value) < 6 or value not in text
    assert todo.stat().st_mode & 0o777 == 0o600
    assert f"What needs a person: {todo}\n" in ran.stderr

    calls = small.calls
    for command in (["batch", path, "--yes"], ["resume"]):
        ran = small.run(*command, "--needs-person", str(todo))
        assert (ran.code, "exists already; name another file" in ran.error) == (2, True)
    assert small.calls == calls

    small.world.servers[last].down = False
    rest = small.folder / "rest.csv"
    ran = small.run("resume", "--json", "--needs-person", str(rest))
    check_against(ran, rows_of(rest))
    assert "failed" not in {row["result"] for row in rows_of(rest)}


def test_a_run_that_breaks_off_leaves_what_was_known_by_then(
    small: Shop, clock: SkippingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    del clock
    from habeas.errors import StorageError

    work, done = App.work_on, itertools.count()

    def break_off(app: App, run: Any, case_id: str) -> Any:
        if next(done) == 3:
            raise StorageError("the disk is full", advice="free some space")
        return work(app, run, case_id)

    monkeypatch.setattr(App, "workers", 1)
    monkeypatch.setattr(App, "work_on", break_off)
    people = small.world.people[7:12]
    path = write(small, *(f"erasure,{p.customer_id},,{n}" for n, p in enumerate(people)))
    todo = small.folder / "todo.csv"
    ran = small.run("batch", path, "--yes", "--json", "--needs-person", str(todo))
    assert (ran.code, len(ran.json["cases"])) == (1, 3)
    check_against(ran, rows_of(todo))


# -- progress ---------------------------------------------------------------------------------------------------------


def test_lines_of_progress_say_outcomes_and_the_time_that_the_limits_leave(
    small: Shop, clock: SkippingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a call a minute the slow vendor decides; nothing is said of a time once nothing is left."""
    del clock
    monkeypatch.setattr("habeas.cli.progress._LINE_EVERY_SECONDS", 0.0)
    monkeypatch.setattr("habeas.cli.progress._RECKON_EVERY_SECONDS", 0.0)
    monkeypatch.setattr(App, "workers", 1)
    name = limit(small)
    text = small.config.read_text()
    slow = text.index(f"[connections.{name}.limits]")
    slower = text[slow:].replace("requests_per_second = 2000", "requests_per_second = 0.02", 1)
    small.config.write_text(text[:slow] + slower)
    lines = small.run("batch", inventories(small, 4), "--yes").stderr.splitlines()
    assert re.fullmatch(
        rf"1 of 4 cases, [0-9.]+/s: 1 completed; \d+ absent.*; about \d+ (s|min) left \(limits of {name}\)", lines[0]
    )
    assert re.fullmatch(r"4 of 4 cases, [0-9.]+/s: 4 completed; \d+ absent[^;]*", lines[3])


# -- limits over the whole run ----------------------------------------------------------------------------------------


def test_all_cases_together_never_ask_a_vendor_for_more_than_its_limits(
    small: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the vendor sees it, with many more workers than it takes calls: at once, and in a second."""
    name = limit(small)
    text = small.config.read_text()
    start = text.index(f"[connections.{name}.limits]")
    narrow = text[start:].replace("= 2000", "= 100", 1).replace("concurrency = 8", "concurrency = 2", 1)
    small.config.write_text(text[:start] + narrow)
    server = small.world.servers[name]
    respond, lock = server.respond, threading.Lock()
    inside, most, starts = 0, 0, list[float]()

    def counting(call: Any) -> Any:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
            starts.append(time.monotonic())
        try:
            return respond(call)
        finally:
            with lock:
                inside -= 1

    monkeypatch.setattr(server, "respond", counting)
    assert small.run("batch", inventories(small, 40), "--yes").code in (0, 3)
    assert most <= 2
    assert len(starts) >= 40
    assert starts[-1] - starts[0] >= (len(starts) - 1) / 100 * 0.9, "a start each 10 ms, but for how it arrives"

"""A clock that is set wrong, or set right: nothing ends early, nothing comes back, and the ledger tells of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.habeas.cli.ending import HOLD, add_policy, id_of, said, small_shop

from habeas.engine.timekeeping import FAR

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Shop

NOW = datetime(2026, 10, 24, 12, 0, tzinfo=UTC)
"""The day before Europe/Berlin leaves summer time."""


class JumpingClock:
    """Wall time that is set as one likes, beside a monotonic one that goes on; sleeping takes no time."""

    def __init__(self) -> None:
        self._offset = NOW - datetime.now(UTC)
        self._slept = 0.0
        self.each = timedelta()
        """Added to the wall time whenever somebody asks for it."""

    def now(self) -> datetime:
        self._offset += self.each
        return datetime.now(UTC) + self._offset

    def monotonic(self) -> float:
        return time.monotonic() + self._slept

    def sleep(self, seconds: float, wake: threading.Event | None = None) -> None:
        self._slept += max(0.0, seconds)

    def set(self, at: datetime) -> None:
        self._offset = at - datetime.now(UTC)

    def jump(self, **by: float) -> None:
        self._offset += timedelta(**by)


@pytest.fixture
def _shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    yield from small_shop(tmp_path_factory)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> JumpingClock:
    made = JumpingClock()
    monkeypatch.setattr("habeas.app.SystemClock", lambda: made)
    return made


@pytest.fixture
def shop(_shop: Shop, clock: JumpingClock) -> Iterator[Shop]:
    """The clock is right in the beginning, and the ledger knows it."""
    assert _shop.run("inventory", id_of(_shop.world.people[0])).code in (0, 3)
    yield _shop
    for server in _shop.servers:
        server.down = False
    clock.each = timedelta()
    clock.set(NOW + timedelta(days=2))
    assert _shop.run("audit", "verify").code == 0


def erased(shop: Shop, policy: str = "at-once") -> str:
    ran = shop.run("--json", "erase", id_of(shop.fresh()), "--policy", policy, "--yes")
    assert ran.code == 0, ran
    return str(ran.json["case"])


def jumps(shop: Shop, since: int) -> list[int]:
    """Days of each jump that the ledger tells of after an entry."""
    return [round(e["data"]["seconds"] / 86_400) for e in said(shop, "clock.jump") if e["seq"] > since]


def size(shop: Shop) -> int:
    return max(int(e["seq"]) for e in said(shop, "run.started"))


def readable(shop: Shop, case: str) -> bool:
    return "details" not in shop.run("case", "show", case, "--json").json


def test_a_clock_that_is_years_ahead_ends_nothing(shop: Shop, clock: JumpingClock) -> None:
    """Neither keys nor holds nor rechecks; also not after some other command has let the ledger see that time."""
    add_policy(shop, "held", HOLD + 'period = "P1M"\nperiod_starts = "received"\n')
    case, held, before = erased(shop), erased(shop, "held"), size(shop)
    clock.set(NOW.replace(year=2062))
    for command in (("purge", "--yes"), ("recheck",), ("recheck", case)):
        ran = shop.run(*command)
        assert ran.code == 4
        assert ran.error == (
            "habeas: the clock says 2062-10-24, and the ledger has seen nothing since 2026-10-24: nothing is ended by "
            "it; set it right; if it is right, add --trust-clock"
        )
    ran = shop.run("resume")
    assert (ran.code, "no hold is ended by it" in ran.stderr) == (1, True)
    assert shop.run("inventory", id_of(shop.world.people[0])).code in (0, 3)
    assert shop.run("purge", "--yes").code == 4
    assert shop.run("resume").code == 1
    assert readable(shop, case)
    assert said(shop, "hold.released", case=held) == []
    assert shop.run("purge", "--dry-run").code == 0, "which only looks"

    clock.set(NOW + timedelta(hours=1))
    assert shop.run("resume").code == 0
    assert jumps(shop, before) == [13_149, -13_149]
    assert shop.run("purge", "--yes").code == 0
    assert (readable(shop, case), readable(shop, held)) == (False, True)


def test_who_says_that_the_clock_is_right_is_believed_and_named(shop: Shop, clock: JumpingClock) -> None:
    """An installation that nobody has used for half a year."""
    case, before = erased(shop), size(shop)
    clock.set(NOW + 2 * FAR)
    assert shop.run("purge", "--yes").code == 4
    assert shop.run("purge", "--yes", "--trust-clock").code == 0
    assert not readable(shop, case)
    assert jumps(shop, before) == [200]
    (trusted,) = [e for e in said(shop, "clock.trusted") if e["seq"] > before]
    assert trusted["data"]["at"].startswith((NOW + 2 * FAR).date().isoformat())
    assert shop.run("purge", "--yes").code == 0, "from then on without a word"
    assert shop.run("recheck").code == 0


def test_an_approval_that_has_expired_does_not_come_back_with_the_clock(
    shop: Shop, clock: JumpingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = shop.fresh()
    monkeypatch.setattr("getpass.getuser", lambda: "ada")
    case = shop.run("--json", "plan", id_of(person)).json["case"]
    monkeypatch.setattr("getpass.getuser", lambda: "bob")
    assert shop.run("approve", case, "--yes").code == 0
    monkeypatch.setattr("getpass.getuser", lambda: "carol")
    clock.jump(days=8)
    assert "expired" in shop.run("apply", case, "--yes").error
    clock.jump(days=-8)
    ran = shop.run("apply", case, "--yes")
    assert (ran.code, "expired" in ran.stderr) == (4, True)
    assert set(shop.world.held(person)) == set(person.held_at)


@pytest.mark.parametrize("step", [timedelta(hours=-1), timedelta(days=-30), timedelta(days=30)], ids=str)
def test_a_clock_that_jumps_within_a_run_changes_nothing_but_times(
    step: timedelta, shop: Shop, clock: JumpingClock
) -> None:
    """At each look it says something else: the order is the numbers', waits and --max-wait are by the other clock."""
    before = size(shop)
    clock.each = step
    ran = shop.run("--json", "erase", id_of(shop.fresh()), "--policy", "at-once", "--yes")
    clock.each = timedelta()
    assert (ran.code, ran.json["status"]) == (0, "completed"), ran
    found = [e["data"]["seconds"] for e in said(shop, "clock.jump") if e["seq"] > before]
    assert any((seconds < 0) == (step < timedelta()) for seconds in found), found
    due, case = ran.json["due_at"], ran.json["case"]
    clock.set(NOW.replace(year=2025))
    assert shop.run("case", "show", case, "--json").json["due_at"] == due


def test_a_case_that_is_finished_after_the_clock_was_set_back_keeps_its_due_date(
    shop: Shop, clock: JumpingClock
) -> None:
    """Through the end of summer time as well."""
    person = shop.fresh()
    shop.servers[0].down = True
    first = shop.run("--json", "erase", id_of(person), "--policy", "at-once", "--yes").json
    assert first["status"] == "incomplete"
    shop.servers[0].down = False
    clock.set(datetime(2026, 10, 25, 0, 59, 59, tzinfo=UTC))
    assert shop.run("resume", "--json").json["cases"][0]["due_at"] == first["due_at"]
    clock.jump(days=-300)
    done = shop.run("case", "show", first["case"], "--json").json
    assert (done["status"], done["due_at"]) == ("completed", first["due_at"])
    assert shop.world.held(person) == {}


@pytest.mark.parametrize("at", [datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, tzinfo=UTC)], ids=str)
def test_at_either_end_of_time_a_command_works_or_says_why_not(at: datetime, shop: Shop, clock: JumpingClock) -> None:
    person = shop.fresh()
    clock.set(at)
    commands: list[Any] = [
        ("erase", id_of(person), "--yes"), ("resume",), ("case", "list"), ("recheck",), ("purge", "--yes"),
        ("audit", "verify"), ("doctor",),
    ]  # fmt: skip
    for command in commands:
        ran = shop.run(*command)
        assert ran.code in (0, 1, 2, 4), (command, ran)
        assert "Traceback" not in ran.stderr
        assert "internal fault" not in ran.stderr, (command, ran)
    clock.set(NOW + timedelta(days=1))
    assert shop.run("erase", id_of(person), "--yes", "--again").code == 0
    assert shop.world.held(person) == {}

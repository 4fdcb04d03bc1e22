"""What a clock that was set wrong, or set right again, may do to a run: nothing that cannot be undone.

Entries are ordered by their numbers, waits are measured by a clock that only goes forward, a due date is stored once.
What is left are things that *end* at a time: keys, holds, the time after which somebody is looked up again. A clock
that is years ahead by mistake would end them all. So a clock that stands far after everything the ledger has seen is
not believed there until somebody says that it is right; and the ledger tells of each time that went back.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from habeas.clock import Clock
from habeas.errors import RefusedError
from habeas_audit import Draft, Entry, Ledger

__all__ = ["FAR", "RunTime", "clock_doubt", "require_clock", "seen_since", "trust_clock"]

FAR = timedelta(days=100)
"""How long nothing may have happened before the clock is doubted: a quarter and some days, and less than the year by
which people mistype one."""
_BACK = timedelta(seconds=2)
"""What a clock may be set back without a word: time servers do that."""
_NEAR = timedelta(days=1)
"""So near before a jump's end a clock still counts as having jumped."""


class RunTime:
    """The time of one run: notes a clock that went back, or far ahead, before it began or while it lasted."""

    def __init__(self, ledger: Ledger, clock: Clock, run_id: str) -> None:
        last = ledger.last()
        self._clock, self._run_id = clock, run_id
        self._began, self._monotonic = clock.now(), clock.monotonic()
        self.before = self._jump(datetime.fromisoformat(last.at), self._began) if last is not None else []

    def end(self) -> list[Draft]:
        """What is to be written at the run's end."""
        passed = timedelta(seconds=self._clock.monotonic() - self._monotonic)
        try:
            expected = self._began + passed
        except OverflowError:
            return []  # the calendar ends meanwhile
        return self._jump(expected, self._clock.now())

    def _jump(self, expected: datetime, now: datetime) -> list[Draft]:
        if -_BACK <= now - expected <= FAR:
            return []
        seconds = int((now - expected).total_seconds())
        data = {"from": _text(expected), "to": _text(now), "seconds": seconds}
        return [Draft("clock.jump", "", self._run_id, "", "", data)]


def clock_doubt(ledger: Ledger, clock: Clock) -> str:
    """Why the clock may be far ahead; empty where nothing speaks for that."""
    now = clock.now()
    last = ledger.last()
    if last is not None and now - datetime.fromisoformat(last.at) > FAR:
        return _doubt(last.at, now)
    jump: Entry | None = None
    for entry in ledger.entries(types=["clock.jump", "clock.trusted"]):
        if entry.type == "clock.trusted":
            jump = None
        elif entry.data["seconds"] > FAR.total_seconds():
            jump = entry
    if jump is None or now < datetime.fromisoformat(jump.data["to"]) - _NEAR:
        return ""  # never ahead, or set right since
    return _doubt(jump.data["from"], now)


def require_clock(ledger: Ledger, clock: Clock) -> None:
    """Before something ends because its time has come. Raises :class:`RefusedError` where the clock is doubted."""
    doubt = clock_doubt(ledger, clock)
    if doubt:
        raise RefusedError(f"{doubt}: nothing is ended by it", advice="set it right; if it is right, add --trust-clock")


def trust_clock(ledger: Ledger, clock: Clock, run_id: str) -> None:
    """Writes that somebody says the clock is right, where it was doubted."""
    if clock_doubt(ledger, clock):
        ledger.append(Draft("clock.trusted", "", run_id, "", "", {"at": _text(clock.now())}))


def seen_since(ledger: Ledger, seq: int, now: datetime) -> datetime:
    """The latest time that any run since an entry has begun at, or now: what has expired does not come back with a
    clock that is set back.
    """
    times = [datetime.fromisoformat(entry.at) for entry in ledger.entries(types=["run.started"], after=seq)]
    return max([now, *times])


def _doubt(seen: str, now: datetime) -> str:
    return f"the clock says {now.date().isoformat()}, and the ledger has seen nothing since {seen[:10]}"


def _text(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")

"""Over many cases once, and once more over those that lack nothing but a vendor that was left alone for a while."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress

from habeas.cases.locks import CaseLocks
from habeas.engine.events import CaseFinished, CaseNotBegun, Event, VendorsAwaited
from habeas.engine.runner import Work, run_cases
from habeas.engine.schedule import Schedule
from habeas.engine.tools import Tools
from habeas.errors import RunEnded

__all__ = ["run_passes"]

_FURTHER = 2
"""Passes after the first."""
_LONGEST = 600.0
"""Seconds that are waited for a vendor: who wants more is asked by the next run."""


class _Later:
    """Cases to be passed over again: only a number of each is kept."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._opened: deque[int] = deque()

    def __len__(self) -> int:
        return len(self._opened)

    def add(self, opened: int) -> None:
        """``opened``: number of the case's first entry."""
        self._opened.append(opened)

    def take(self, count: int | None = None) -> Iterator[str]:
        """Hands out so many, or all that are there now, and no longer holds those that it has handed out."""
        for _ in range(len(self) if count is None else count):
            seq = self._opened.popleft()
            for entry in self._tools.ledger.entries(after=seq - 1, limit=1):
                yield entry.case_id


def run_passes(
    tools: Tools, case_ids: Iterable[str], work: Work, schedule: Schedule, *, locks: CaseLocks, workers: int
) -> Iterator[Event]:
    """Passes over cases as :func:`habeas.engine.runner.run_cases` does, as far as ``schedule`` begins them.

    A case that lacks nothing but vendors that were left alone is told only after the last pass over it: when their
    pauses are over one case tries, and where it comes through the others follow. At most twice, and not for longer than
    the run has.
    """
    later = _Later(tools)
    begin = schedule.trouble()

    def over(names: Iterable[str], at_once: int) -> Iterator[Event]:
        for event in run_cases(names, work, locks=locks, control=schedule.control, workers=at_once, gate=schedule):
            if isinstance(event, CaseFinished) and schedule.worth_another_look(event.view, begin):
                later.add(event.view.opened)
            elif isinstance(event, CaseNotBegun) and schedule.again:
                yield CaseFinished(tools.register.view(event.case_id))
            else:
                yield event

    try:
        yield from over(case_ids, workers)
        for _ in range(_FURTHER):
            names, seconds = schedule.pause(begin)
            if not later or schedule.over or seconds > min(_LONGEST, schedule.seconds_left()):
                break
            yield VendorsAwaited(tuple(names), len(later), seconds)
            with suppress(RunEnded):
                schedule.control.sleep(seconds)
            schedule.again = True
            before = schedule.trouble()
            yield from over(later.take(1), 1)
            if schedule.trouble() == before:
                yield from over(later.take(), workers)
    except Exception:
        with suppress(Exception):
            yield from _told(tools, later)
        raise
    yield from _told(tools, later)


def _told(tools: Tools, later: _Later) -> Iterator[Event]:
    for name in later.take():
        yield CaseFinished(tools.register.view(name))

"""Many cases at once: workers that take the next case, a bounded queue of events, memory that does not grow."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from habeas.cases.locks import CaseLocks
from habeas.cases.view import CaseView
from habeas.control import RunControl
from habeas.engine.events import CaseBusy, CaseFinished, CaseNotBegun, Event

__all__ = ["Gate", "Work", "run_cases"]

Work = Callable[[str, Callable[[Event], None]], CaseView | None]
"""Does one case and returns its view, or None where it has told itself (by an event) what became of it."""


class Gate(Protocol):
    """Decides which cases are begun."""

    @property
    def over(self) -> bool:
        """Whether none is any more."""

    def enter(self, case_id: str) -> bool:
        """Whether this one is begun now; may wait."""

    def leave(self) -> None:
        """One that was begun is done with."""


class _Workers:
    """The threads of one run and what they share."""

    def __init__(
        self, case_ids: Iterable[str], work: Work, locks: CaseLocks, control: RunControl, gate: Gate | None
    ) -> None:
        self._source = iter(case_ids)
        self._work, self._locks, self._control, self._gate = work, locks, control, gate
        self._taking = threading.Lock()
        self.events: queue.Queue[Event | None] = queue.Queue(maxsize=1000)
        """None: one worker is through."""
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            while (case_id := self._next()) is not None:
                self._one(case_id)
        except BaseException as error:  # noqa: BLE001 - carried to the caller's thread and raised there
            self._control.stop()
            self.error = self.error or error
        finally:
            self.events.put(None)

    def _next(self) -> str | None:
        with self._taking:
            while not self._control.stopped.is_set() and (self._gate is None or not self._gate.over):
                case_id = next(self._source, None)
                if case_id is None or self._gate is None or self._gate.enter(case_id):
                    return case_id
                self.events.put(CaseNotBegun(case_id))
            return None

    def _one(self, case_id: str) -> None:
        try:
            self._held(case_id)
        finally:
            if self._gate is not None:
                self._gate.leave()

    def _held(self, case_id: str) -> None:
        if not self._locks.take(case_id):
            self.events.put(CaseBusy(case_id))
            return
        try:
            view = self._work(case_id, self.events.put)
        finally:
            self._locks.release(case_id)
        if view is not None:
            self.events.put(CaseFinished(view))


def run_cases(
    case_ids: Iterable[str], work: Work, *, locks: CaseLocks, control: RunControl, workers: int,
    gate: Gate | None = None,
) -> Iterator[Event]:  # fmt: skip
    """Does ``work`` on each case that ``gate`` lets in, ``workers`` at a time, and yields what happens as it happens.

    A case that another process holds is passed over with :class:`CaseBusy`. What ``work`` raises ends the run: it is
    not about one vendor but about the ledger, the vault or us, and is raised here once the cases in hand are done.
    """
    pool = _Workers(case_ids, work, locks, control, gate)
    for number in range(workers):
        threading.Thread(target=pool.run, name=f"habeas-case-{number}", daemon=True).start()
    running = workers
    try:
        while running:
            event = pool.events.get()
            if event is None:
                running -= 1
            else:
                yield event
    finally:
        if running:
            control.stop()
    if pool.error is not None:
        raise pool.error

"""Many cases at once: workers that take the next case, a bounded queue of events, memory that does not grow."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator

from habeas.cases.locks import CaseLocks
from habeas.cases.view import CaseView
from habeas.control import RunControl
from habeas.engine.events import CaseBusy, CaseFinished, Event

__all__ = ["Work", "run_cases"]

Work = Callable[[str, Callable[[Event], None]], CaseView | None]
"""Does one case and returns its view, or None where it has told itself (by an event) what became of it."""


class _Workers:
    """The threads of one run and what they share."""

    def __init__(self, case_ids: Iterable[str], work: Work, locks: CaseLocks, control: RunControl) -> None:
        self._source = iter(case_ids)
        self._work, self._locks, self._control = work, locks, control
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
            return None if self._control.stopped.is_set() else next(self._source, None)

    def _one(self, case_id: str) -> None:
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
    case_ids: Iterable[str], work: Work, *, locks: CaseLocks, control: RunControl, workers: int
) -> Iterator[Event]:
    """Does ``work`` on each case, ``workers`` at a time, and yields what happens as it happens.

    A case that another process holds is passed over with :class:`CaseBusy`. What ``work`` raises ends the run: it is
    not about one vendor but about the ledger, the vault or us, and is raised here once the cases in hand are done.
    """
    pool = _Workers(case_ids, work, locks, control)
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

"""The reins of one run: how long it may take, and the order to stop; and those of one task within it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakSet

from habeas.clock import Clock
from habeas.errors import RunEnded

__all__ = ["RunControl", "TaskControl"]

_own = threading.local()
"""The task that this thread is doing, if any."""


class RunControl:
    """Shared by all threads of a run. Once ended, no further call is started; a call in hand is finished."""

    def __init__(self, clock: Clock, max_seconds: float | None = None) -> None:
        self.clock = clock
        self.stopped = threading.Event()
        self.max_seconds = max_seconds
        self._deadline = None if max_seconds is None else clock.monotonic() + max_seconds
        self._tasks: WeakSet[TaskControl] = WeakSet()
        self._noting = threading.Lock()

    def stop(self) -> None:
        """Ends the run after the calls in hand."""
        self.stopped.set()
        with self._noting:
            tasks = list(self._tasks)
        for task in tasks:
            task.stop()

    def task(self) -> TaskControl:
        """Reins of one task of this run, which can be ended alone."""
        task = TaskControl(self)
        with self._noting:
            self._tasks.add(task)
        return task

    @property
    def here(self) -> RunControl:
        """The reins of the task that this thread is doing for this run, or the run's own."""
        task = getattr(_own, "task", None)
        return task if isinstance(task, TaskControl) and task.run is self else self

    def extend(self, seconds: float) -> None:
        """Gives back time that passed while a person was asked."""
        if self._deadline is not None:
            self._deadline += seconds

    def remaining(self) -> float:
        """Seconds left; infinite where the run has no limit."""
        return float("inf") if self._deadline is None else self._deadline - self.clock.monotonic()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """While habeas itself sends or waits for this task: it ends by itself, and the task is not to blame."""
        yield

    def check(self) -> None:
        """Raises :class:`~habeas.errors.RunEnded` where nothing more may be sent."""
        if self.stopped.is_set():
            raise RunEnded("the run was stopped before it was finished", advice="go on with `habeas resume`")
        if self.remaining() <= 0:
            raise RunEnded("the time for this run is over", advice="go on with `habeas resume`")

    def sleep(self, seconds: float) -> None:
        """Waits. Raises :class:`~habeas.errors.RunEnded` when the run is stopped, at once where it would end first."""
        self.check()
        if seconds >= self.remaining():
            raise RunEnded(
                f"the time for this run is over before the next call may be made (in {seconds:.0f} s)",
                advice="go on with `habeas resume`",
            )
        with self.waiting():
            self.clock.sleep(seconds, self.stopped)
        self.check()


class TaskControl(RunControl):
    """The reins of one task: what it was given to speak with works until it ends, or is given up, and no longer.

    A plugin's code may never come back, and what it has started may go on after it did.
    """

    def __init__(self, run: RunControl) -> None:
        super().__init__(run.clock)
        self.run = run
        self._waits = 0
        self._active = time.monotonic()

    def extend(self, seconds: float) -> None:
        self.run.extend(seconds)

    def remaining(self) -> float:
        return self.run.remaining()

    def check(self) -> None:
        self.run.check()
        super().check()

    @contextmanager
    def doing(self) -> Iterator[None]:
        """While this thread does the task. Nothing is sent for it afterwards, by whatever thread."""
        before, _own.task = getattr(_own, "task", None), self
        self._active = time.monotonic()
        try:
            yield
        finally:
            _own.task = before
            self.stop()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        with self._noting:
            self._waits += 1
        try:
            yield
        finally:
            with self._noting:
                self._waits -= 1
                self._active = time.monotonic()

    def idle(self) -> float:
        """Seconds, by the machine's own clock, since the task last sent anything or waited for its turn."""
        with self._noting:
            return 0.0 if self._waits else time.monotonic() - self._active

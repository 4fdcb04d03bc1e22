"""The reins of one run: how long it may take, and the order to stop."""

from __future__ import annotations

import threading

from habeas.clock import Clock
from habeas.errors import RunEnded

__all__ = ["RunControl"]


class RunControl:
    """Shared by all threads of a run. Once ended, no further call is started; a call in hand is finished."""

    def __init__(self, clock: Clock, max_seconds: float | None = None) -> None:
        self.clock = clock
        self.stopped = threading.Event()
        self._deadline = None if max_seconds is None else clock.monotonic() + max_seconds

    def stop(self) -> None:
        """Ends the run after the calls in hand."""
        self.stopped.set()

    def extend(self, seconds: float) -> None:
        """Gives back time that passed while a person was asked."""
        if self._deadline is not None:
            self._deadline += seconds

    def remaining(self) -> float:
        """Seconds left; infinite where the run has no limit."""
        return float("inf") if self._deadline is None else self._deadline - self.clock.monotonic()

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
        self.clock.sleep(seconds, self.stopped)
        self.check()

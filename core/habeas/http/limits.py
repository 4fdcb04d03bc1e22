"""Rate and concurrency of one connection, shared by all threads that speak to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from habeas.clock import Clock
from habeas.control import RunControl
from habeas.errors import RateLimited
from habeas.http.retry import LONGEST_WAIT
from habeas.models import Limits

__all__ = ["Limiter"]

_LOOK_UP_SECONDS = 0.2
"""How often a thread that waits for a place looks whether its run has ended."""


class Meter(Protocol):
    """Counts calls against what a vendor's contract allows in a day or a month."""

    def take(self) -> None:
        """Counts one, durably, before it is sent. Raises :class:`~habeas.errors.QuotaSpent`."""


class Limiter:
    """Evenly spaced start times, at most so many calls at once, and a pause that all share.

    Even spacing, unlike a bucket, never exceeds the rate in any window, whatever the vendor's window is.
    """

    def __init__(self, limits: Limits, clock: Clock, meter: Meter | None = None) -> None:
        self._clock, self._meter = clock, meter
        self.started = self.long_pauses = 0
        """How many calls were let through, and how often the vendor asked for more time than anybody here waits."""
        self._interval = 1.0 / limits.requests_per_second
        self._places = threading.BoundedSemaphore(limits.concurrency)
        self._lock = threading.Lock()
        self._next = self._resumes = clock.monotonic()

    def pause(self, seconds: float) -> None:
        """Nobody starts before this many seconds have passed, not even who is waiting for its turn already."""
        with self._lock:
            self.long_pauses += seconds > LONGEST_WAIT
            self._resumes = max(self._resumes, self._clock.monotonic() + seconds)

    def pause_left(self) -> float:
        """Seconds for which nobody starts: 0, unless the vendor has asked for a pause."""
        with self._lock:
            return max(0.0, self._resumes - self._clock.monotonic())

    @contextmanager
    def slot(self, control: RunControl) -> Iterator[None]:
        """Waits for a place and for the turn to start, and holds the place.

        Raises :class:`~habeas.errors.RunEnded` as soon as the run is stopped, or would end before the turn comes, and
        :class:`~habeas.errors.RateLimited` at once in a pause that is longer than anybody here waits, and
        :class:`~habeas.errors.QuotaSpent` where the calls of the day are used up.
        """
        control.check()
        with control.waiting():
            while not self._places.acquire(timeout=min(_LOOK_UP_SECONDS, control.remaining())):
                control.check()
        try:
            while (wait := self._take_turn()) > 0:
                control.sleep(wait)
            control.check()
            if self._meter is not None:
                self._meter.take()
            yield
        finally:
            self._places.release()

    def _take_turn(self) -> float:
        """Takes the turn and returns 0, or returns the seconds until there may be one."""
        with self._lock:
            now = self._clock.monotonic()
            pause = round(self._resumes - now, 3)
            if pause > LONGEST_WAIT:
                raise RateLimited(
                    f"not sent: the vendor asked for a pause of another {pause:.0f} s",
                    status=429,
                    advice="run `habeas resume` later",
                )
            wait = max(self._next, self._resumes) - now
            if wait > 0:
                return wait
            self._next = now + self._interval
            self.started += 1
            return 0.0

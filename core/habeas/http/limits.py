"""Rate and concurrency of one connection, shared by all threads that speak to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from habeas.clock import Clock
from habeas.models import Limits

__all__ = ["Limiter"]


class Limiter:
    """Evenly spaced start times, at most so many calls at once, and a pause that all share.

    Even spacing, unlike a bucket, never exceeds the rate in any window, whatever the vendor's window is.
    """

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._clock = clock
        self._interval = 1.0 / limits.requests_per_second
        self._places = threading.BoundedSemaphore(limits.concurrency)
        self._lock = threading.Lock()
        self._next = clock.monotonic()

    def wait_needed(self) -> float:
        """Seconds until a call could start now."""
        with self._lock:
            return max(0.0, self._next - self._clock.monotonic())

    def pause(self, seconds: float) -> None:
        """Nobody starts before this many seconds have passed."""
        with self._lock:
            self._next = max(self._next, self._clock.monotonic() + seconds)

    @contextmanager
    def slot(self, wake: threading.Event | None = None) -> Iterator[None]:
        """Waits for a place and a start time, and holds the place."""
        with self._places:
            with self._lock:
                now = self._clock.monotonic()
                start = max(self._next, now)
                self._next = start + self._interval
            if start > now:
                self._clock.sleep(start - now, wake)
            yield

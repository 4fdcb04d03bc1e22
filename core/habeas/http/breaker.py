"""A circuit breaker for each connection: a vendor that is down is left alone for a while, and costs a run no more.

States and words as in Nygard, "Release It!": closed (asked as usual), open (not asked), half-open (one call tries).
"""

from __future__ import annotations

import threading

from habeas.clock import Clock
from habeas.errors import NotSent
from habeas.http.decisions import Event
from habeas.models import Limits

__all__ = ["Breaker"]

_LONGEST_PAUSE = 600.0
"""Seconds. Each pause is twice as long as the one before it, up to this."""
_DOWN = {Event.NOT_SENT, Event.NO_ANSWER, Event.SERVER, Event.UNAUTHENTICATED, Event.REDIRECT}


class Breaker:
    """Opens after ``failures_before_pause`` attempts in a row that failed, whoever made them; shared by all threads.

    A refused key (401, 403) counts like silence: asking on would only lock the account. Any other answer, also a 404,
    shows that the vendor is there, and closes it. A 429 says neither: the limiter sees to it.
    """

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._clock = clock
        self._enough = limits.failures_before_pause
        self._first_pause = self._pause = limits.pause_seconds
        self._lock = threading.Lock()
        self._failed = 0
        self._asked_again = 0.0
        """When one call may try, by the monotonic clock; of no meaning while it is closed."""
        self._trying = False
        self.openings = 0
        """How often the vendor was left alone."""

    def pause_left(self) -> float:
        """Seconds until one call may try; 0 where the vendor is asked as usual."""
        with self._lock:
            return max(0.0, self._asked_again - self._clock.monotonic()) if self._failed >= self._enough else 0.0

    def check(self, what: str) -> None:
        """Raises :class:`~habeas.errors.NotSent` where the vendor is left alone; ``what`` names the call by template.

        After the pause the first that asks is let through. Should it never report, the next is, after another pause.
        """
        with self._lock:
            if self._failed < self._enough:
                return
            now = self._clock.monotonic()
            if now < self._asked_again:
                raise NotSent(
                    f"{what}: not asked, {self._failed} calls in a row have failed;"
                    f" asked again in {self._asked_again - now:.0f} s",
                    advice="run `habeas resume` later",
                )
            self._trying = True
            self._asked_again = now + self._pause

    def note(self, event: Event, status: int) -> None:
        """Takes in how an attempt ended."""
        if event is Event.LIMITED:
            return
        with self._lock:
            if event not in _DOWN and status != 403:
                self._failed, self._pause, self._trying = 0, self._first_pause, False
                return
            self._failed += 1
            if self._trying:
                self._trying = False
                self._pause = min(2 * self._pause, _LONGEST_PAUSE)
            elif self._failed != self._enough:
                return  # one that was under way when it opened
            self.openings += 1
            self._asked_again = self._clock.monotonic() + self._pause

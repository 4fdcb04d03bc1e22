"""A clock that never makes a test wait."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

__all__ = ["SkippingClock"]


class SkippingClock:
    """Real time, except that sleeping takes none: the clock jumps ahead instead. ``slept`` is the sum."""

    def __init__(self, start: datetime = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)) -> None:
        self._start = start
        self._zero = time.monotonic()
        self._lock = threading.Lock()
        self.slept = 0.0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return time.monotonic() - self._zero + self.slept

    def sleep(self, seconds: float, wake: threading.Event | None = None) -> None:
        if wake is None or not wake.is_set():
            with self._lock:
                self.slept += max(0.0, seconds)

    def skip(self, seconds: float) -> None:
        """Jumps ahead."""
        self.sleep(seconds)

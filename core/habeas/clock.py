"""Time as something that is passed in, so that tests decide what time it is and never wait."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "SystemClock", "rfc3339"]


class Clock(Protocol):
    """What the program may know of time."""

    def now(self) -> datetime:
        """Wall time, UTC, aware. For records, never for waiting."""

    def monotonic(self) -> float:
        """Seconds that only go forward. For waiting, never for records."""

    def sleep(self, seconds: float, wake: threading.Event | None = None) -> None:
        """Waits; returns early when ``wake`` is set."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float, wake: threading.Event | None = None) -> None:
        if wake is not None:
            wake.wait(seconds)
        elif seconds > 0:
            time.sleep(seconds)


def rfc3339(at: datetime) -> str:
    """``2026-11-21T09:30:00Z``: UTC, whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

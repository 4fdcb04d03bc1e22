"""How long to wait before trying again: pure."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["LONGEST_WAIT", "backoff", "retry_after"]

LONGEST_WAIT = 60.0
"""Seconds. A vendor that asks for more gets its way on the next run, not in this one."""


def backoff(attempt: int, draw: float) -> float:
    """Seconds before attempt number ``attempt + 1``: exponential from 0.5 s, capped, full jitter.

    ``draw`` is a random number in [0, 1).
    """
    return min(LONGEST_WAIT, 0.5 * 2.0 ** min(attempt - 1, 10)) * draw


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds a ``Retry-After`` header asks for (RFC 9110, 10.2.3: seconds or a date); None where there is none."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    seconds = (at - now).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None

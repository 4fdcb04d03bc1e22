"""How long to wait before trying again: pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["LONGEST_WAIT", "asked_to_wait", "backoff", "retry_after"]

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
    at = _date(text)
    if at is None:
        return None
    seconds = (at - now).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None


def asked_to_wait(headers: Mapping[str, str], now: datetime, reset_header: str = "") -> float | None:
    """Seconds the headers of a refusal ask for (names in lower case); None where they ask for nothing.

    Instants are counted from the answer's own ``Date``: a vendor whose clock is wrong asks for the same time all the
    same. ``reset_header`` names the vendor's own, with an instant in Unix seconds; ``Retry-After`` goes before it.
    """
    now = _date(headers.get("date", "")) or now
    seconds = retry_after(headers.get("retry-after"), now)
    if seconds is None and reset_header:
        text = headers.get(reset_header.lower(), "").strip()
        if text.isascii() and text.isdigit():
            seconds = max(0.0, float(text[:12]) - now.timestamp())
    return seconds


def _date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)

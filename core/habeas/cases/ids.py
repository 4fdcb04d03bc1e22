"""Names for cases and runs: sortable by time, unguessable, and about nobody."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime

__all__ = ["case_id", "run_id"]

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def case_id(at: datetime, randbits: Callable[[int], int] = secrets.randbits) -> str:
    """``c-`` and a ULID: 48 bits of milliseconds, 80 random bits, Crockford's base 32."""
    return "c-" + _ulid(at, randbits)


def run_id(at: datetime, randbits: Callable[[int], int] = secrets.randbits) -> str:
    """``r-`` and a ULID."""
    return "r-" + _ulid(at, randbits)


def _ulid(at: datetime, randbits: Callable[[int], int]) -> str:
    number = (int(at.timestamp() * 1000) & ((1 << 48) - 1)) << 80 | randbits(80)
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))

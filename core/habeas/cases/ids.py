"""Names for cases and runs: sortable by time, unguessable, and about nobody."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime

__all__ = ["case_id", "earliest_case_id", "run_id"]

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def case_id(at: datetime, randbits: Callable[[int], int] = secrets.randbits) -> str:
    """``c-``, the milliseconds as in a ULID, and 40 random bits, in Crockford's base 32.

    Shorter than a ULID, since it stands in every entry about the case.
    """
    return "c-" + _time(at) + _base32(randbits(40), 8)


def run_id(at: datetime, randbits: Callable[[int], int] = secrets.randbits) -> str:
    """``r-``, the milliseconds, and 25 random bits: there are fewer runs than cases."""
    return "r-" + _time(at) + _base32(randbits(25), 5)


def earliest_case_id(at: datetime) -> str:
    """What every case opened before that moment has a smaller id than, and every later one a larger."""
    return "c-" + _time(at)


def _time(at: datetime) -> str:
    return _base32(int(at.timestamp() * 1000) & ((1 << 48) - 1), 10)


def _base32(number: int, length: int) -> str:
    return "".join(_ALPHABET[(number >> 5 * place) & 31] for place in reversed(range(length)))

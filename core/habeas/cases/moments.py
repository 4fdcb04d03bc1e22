"""Times as people give them: a day, or an instant with its offset."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from habeas.errors import InputError

__all__ = ["parse_day", "parse_moment"]

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def parse_moment(text: str, what: str, timezone: str, now: datetime) -> datetime:
    """A day (its first instant in that zone) or a time with its offset, in UTC; not in the future, not before 2000.

    Raises :class:`InputError`, which names ``what`` and never repeats the text.
    """
    try:
        at = datetime.fromisoformat(text) if _DATE.match(text) else None
    except ValueError:
        at = None
    if at is None:
        raise InputError(f"{what} is not a date (2026-11-02) or time (2026-11-02T09:30:00+01:00)")
    if at.tzinfo is None:
        if not _DATE.fullmatch(text):
            raise InputError(f"{what} is a time without its offset", advice="add Z or +01:00")
        at = at.replace(tzinfo=ZoneInfo(timezone))
    try:
        at = at.astimezone(UTC)
    except OverflowError:
        raise InputError(f"{what} is out of range") from None
    if at > now + timedelta(days=1) or at.year < 2000:
        raise InputError(f"{what} is in the future or before the year 2000")
    return at


def parse_day(text: str, what: str) -> date:
    """A day of the calendar. Raises :class:`InputError`."""
    try:
        return date.fromisoformat(text) if _DATE.fullmatch(text) else _not_a_day(what)
    except ValueError:
        return _not_a_day(what)


def _not_a_day(what: str) -> date:
    raise InputError(f"{what} is not a day", advice="write it as 2026-11-02")

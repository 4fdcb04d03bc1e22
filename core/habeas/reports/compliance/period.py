"""The days that a report is about, in the controller's time zone, and the instants between which they lie."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from habeas.errors import InputError
from habeas_audit.entry import timestamp as utc_text

__all__ = ["Period", "instant", "last_month", "parse_date", "utc_text"]

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FIRST_YEAR, _LAST_YEAR = 1970, 9998


@dataclass(frozen=True)
class Period:
    """Whole days, the first and the last one included."""

    first: date
    last: date
    zone: str
    """IANA name."""
    as_of: str
    """RFC 3339: entries written from then on do not count. The period's end, or when the report was made if that was
    earlier."""

    @classmethod
    def of(cls, first: date, last: date, zone: str, now: datetime) -> Period:
        """Raises :class:`InputError` where the days are not in order."""
        if last < first:
            raise InputError("--from is after --to", advice="give the first day, then the last one")
        end = _midnight(last + timedelta(days=1), zone)
        return cls(first, last, zone, utc_text(min(end, now)))

    @cached_property
    def start(self) -> str:
        """The first day's first instant, RFC 3339."""
        return utc_text(_midnight(self.first, self.zone))

    @cached_property
    def end(self) -> str:
        """The first instant after the last day, RFC 3339."""
        return utc_text(_midnight(self.last + timedelta(days=1), self.zone))

    @property
    def over(self) -> bool:
        """Whether the report was made after its last day."""
        return self.as_of == self.end

    @property
    def calendar_year(self) -> bool:
        """Whether it is one whole year of the calendar."""
        return self.first == date(self.first.year, 1, 1) and self.last == date(self.first.year, 12, 31)

    @cached_property
    def _zone_info(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    def day(self, at: datetime) -> date:
        """The day of an instant."""
        return at.astimezone(self._zone_info).date()


def _midnight(day: date, zone: str) -> datetime:
    # Where the clock skips midnight, the offset before the change names the instant of the change: the day's first.
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def instant(text: str) -> datetime:
    """An RFC 3339 time. Raises ``ValueError`` where it is none, or has no offset."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time without its offset")
    return at.astimezone(UTC)


def parse_date(text: str, what: str) -> date:
    """A day as ``2026-10-01``. Raises :class:`InputError`."""
    try:
        day = date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None or not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise InputError(f"{what} is not a day of the calendar", advice="write it as 2026-10-01")
    return day


def last_month(today: date) -> tuple[date, date]:
    """First and last day of the calendar month before the one of ``today``."""
    last = today.replace(day=1) - timedelta(days=1)
    return last.replace(day=1), last

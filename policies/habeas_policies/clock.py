"""Instants and days in the controller's time zone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from habeas_policies.errors import PolicyProblem, shown

__all__ = ["aware", "end_of", "local_day", "within_the_calendar", "zone_named"]


def zone_named(name: str) -> ZoneInfo:
    """The time zone of an IANA name. Raises :class:`PolicyProblem` for anything else."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, not a relative path, a folder of the time zone database
        raise PolicyProblem(
            f"time zone {shown(name)} is not known", advice="use an IANA name such as Europe/Berlin"
        ) from None


def aware(instant: datetime, what: str) -> datetime:
    """The instant, if it says which one it is. ``what`` names it in the problem."""
    if instant.utcoffset() is None:
        raise PolicyProblem(f"{what} has no UTC offset", advice="write it like 2026-03-05T09:14:00+01:00")
    return instant


def local_day(instant: datetime, zone: ZoneInfo, what: str) -> date:
    """The day it was there, at that instant."""
    with within_the_calendar(what):
        return aware(instant, what).astimezone(zone).date()


def end_of(day: date, zone: ZoneInfo) -> datetime:
    """The last second of that day there.

    Where clocks change at midnight 23:59:59 comes twice, or not at all: ``fold=1`` is the last instant of that day, or
    the last one before the gap. Raises ``OverflowError`` where that instant cannot be written in UTC.
    """
    end = datetime.combine(day, time(23, 59, 59, fold=1), tzinfo=zone)
    end.astimezone(UTC)  # what is stored is UTC, and the year 9999 ends later west of Greenwich
    return end


@contextmanager
def within_the_calendar(what: str) -> Iterator[None]:
    """Days before the year 1 or after 9999 become a :class:`PolicyProblem` that names what led there."""
    try:
        yield
    except OverflowError:
        raise PolicyProblem(f"{what} is beyond the calendar", advice="check its year") from None

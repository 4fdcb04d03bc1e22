"""By when a request must be answered: response periods as data, and their arithmetic.

A period in months ends with the last hour of the day with the same date, or of the last day of the month where that
date does not exist; the day of receipt is not counted; all in the controller's time zone (Reg. (EEC, Euratom) 1182/71
Art. 3(1) and 3(2)(c)). Periods in days run through weekends and holidays. A last day on a Saturday, Sunday or public
holiday is NOT moved to the next working day (Art. 3(4)): that needs a calendar per country and region, and the
unrolled date is the stricter one, never later than the law's.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import datetime, time
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from habeas_policies.errors import PolicyProblem, shown
from habeas_policies.period import Period

__all__ = ["Deadline", "due", "regimes"]


@dataclass(frozen=True)
class Deadline:
    """Until when, by which rule."""

    due: datetime
    """23:59:59 of the last day, aware, in the controller's time zone."""
    rule: str
    """Period and source, as people cite it."""
    version: int
    """Version of the table of rules that was asked."""


@dataclass(frozen=True)
class _Table:
    version: int
    periods: dict[str, Period]
    sources: dict[str, str]


@cache
def _table() -> _Table:
    data = tomllib.loads(files("habeas_policies").joinpath("deadlines.toml").read_text(encoding="utf-8"))
    rules = data["regimes"]
    return _Table(
        version=data["version"],
        periods={regime: Period.parse(rule["period"]) for regime, rule in rules.items()},
        sources={regime: f"{rule['period']} from receipt, {rule['source']}" for regime, rule in rules.items()},
    )


def regimes() -> tuple[str, ...]:
    """Laws whose response period is known, sorted."""
    return tuple(sorted(_table().periods))


def due(regime: str, received: datetime, timezone: str) -> Deadline:
    """By when a request received at that instant must be answered.

    ``regime`` is one of :func:`regimes`, ``received`` is aware, ``timezone`` is an IANA name, the controller's.
    No weekend or holiday is taken into account and no extension. Raises :class:`PolicyProblem` for a regime or time
    zone that is not known, a naive instant, and a day beyond the calendar.
    """
    table = _table()
    if regime not in table.periods:
        raise PolicyProblem(f"there is no deadline for regime {shown(regime)}", advice=f"known: {', '.join(regimes())}")
    if received.utcoffset() is None:
        raise PolicyProblem("the time of receipt has no UTC offset", advice="write it like 2026-03-05T09:14:00+01:00")
    zone = _zone(timezone)
    try:
        day = received.astimezone(zone).date()
        last = table.periods[regime].after(day)
    except OverflowError:
        raise PolicyProblem("the time of receipt is beyond the calendar", advice="check its year") from None
    # Where clocks change at midnight 23:59:59 comes twice, or not at all: fold=1 is the last instant of that day, or
    # the last one before the gap.
    end = datetime.combine(last, time(23, 59, 59, fold=1), tzinfo=zone)
    return Deadline(due=end, rule=table.sources[regime], version=table.version)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, not a relative path, a folder of the time zone database
        raise PolicyProblem(
            f"time zone {shown(name)} is not known", advice="use an IANA name such as Europe/Berlin"
        ) from None

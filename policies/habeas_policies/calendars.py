"""Working days: weekends, and the public holidays of a country or region.

Holidays come from the library `holidays <https://pypi.org/project/holidays/>`_ (MIT), which is large and is loaded only
when a calendar is asked for. What it calls public holidays counts, and the days observed in their place by law.

Not modelled: half days, bank holidays that are not public ones, customs that are not law (Christmas Eve in Sweden),
holidays of single towns or denominations (Assumption Day in Bavaria, the local days of Spain), days on which only
courts or authorities are closed, and holidays that were announced after the library's release. A country without a
region has its nationwide holidays only. Each of these can leave an end on an earlier day than the law would, never on a
later one. A day that the library wrongly calls a holiday would give a day too many: explanations name its release.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from types import ModuleType

from habeas_policies.errors import PolicyProblem, shown

__all__ = ["WEEKENDS_ONLY", "Calendar", "holiday_calendar"]

_CODE = re.compile(r"([A-Z]{2})(?:-([A-Z0-9]{1,3}))?")
_COUNTRIES = "holidays.countries"
_SATURDAY = 5
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Calendar:
    """Which days are working days. Saturdays and Sundays never are: Reg. (EEC, Euratom) 1182/71 Art. 2(2) and 3(4)."""

    code: str
    """ISO 3166-1 country, or ISO 3166-2 region; empty where only weekends are known."""

    def __str__(self) -> str:
        """As an explanation names it: whose holidays, as known to which release of the library."""
        if not self.code:
            return "Monday to Friday"
        return f"{self.code}, holidays {_release()}"

    def is_working_day(self, day: date) -> bool:
        """Whether it is neither a weekend nor a public holiday there."""
        return day.weekday() < _SATURDAY and not (self.code and day in _holidays(self.code, day.year))

    def working_day_from(self, day: date) -> date:
        """The first working day that is not before ``day``."""
        while not self.is_working_day(day):
            day += _DAY
        return day

    def after(self, day: date, count: int) -> date:
        """The ``count``-th working day after ``day``, which is not counted itself."""
        for _ in range(count):
            day = self.working_day_from(day + _DAY)
        return day


WEEKENDS_ONLY = Calendar("")


@cache
def holiday_calendar(code: str) -> Calendar:
    """The calendar of ``DE`` or ``DE-BE``.

    Raises :class:`PolicyProblem` for a country or region whose holidays are not known.
    """
    found = _CODE.fullmatch(code)
    if found is None:
        raise PolicyProblem(
            f"holidays of {shown(code)} are not known", advice="write a country or region such as DE or DE-BE"
        )
    country, region = found.groups()
    import holidays

    try:
        with _one_country():
            known = holidays.country_holidays(country)
    except NotImplementedError:
        raise PolicyProblem(
            f"holidays of country {shown(country)} are not known", advice="use its ISO 3166 code, such as DE or GB"
        ) from None
    if known.country != country:  # the library knows other names for it, and one calendar would have two codes
        raise PolicyProblem(
            f"{shown(country)} is not the ISO 3166 code of a country", advice=f"write {known.country} instead"
        )
    if region is not None and region not in known.subdivisions:
        regions = ", ".join(name for name in known.subdivisions if _CODE.fullmatch(f"{country}-{name}"))
        advice = f"known regions of {country}: {regions}" if regions else f"write {country} alone"
        raise PolicyProblem(f"holidays of region {shown(code)} are not known", advice=advice)
    return Calendar(code)


@cache
def _release() -> str:
    from importlib.metadata import version

    return version("holidays")


@contextmanager
def _one_country() -> Iterator[None]:
    """The library's package of countries as a mere folder: loaded itself, it loads all of them, which takes 0.1 s."""
    import holidays

    package = ModuleType(_COUNTRIES)
    package.__path__ = [str(Path(path, "countries")) for path in holidays.__path__]
    if sys.modules.setdefault(_COUNTRIES, package) is not package:
        yield
        return
    try:
        yield
    finally:
        sys.modules.pop(_COUNTRIES, None)  # for others, who want the whole of it


@cache
def _holidays(code: str, year: int) -> frozenset[date]:
    import holidays

    country, _, region = code.partition("-")
    with _one_country():
        known = holidays.country_holidays(country, subdiv=region or None)
    # Outside these years the library has no holidays, and says nothing.
    if not known.start_year <= year <= known.end_year:
        raise PolicyProblem(
            f"holidays of {code} are not known for the year {year}", advice="check the year, or count without holidays"
        )
    return frozenset(holidays.country_holidays(country, subdiv=region or None, years=year))

"""Lengths of time the law counts in: calendar months and days, never hours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from dateutil.relativedelta import relativedelta

__all__ = ["Period"]

_ISO_8601 = re.compile(r"P(?=[0-9])(?:([0-9]{1,4})Y)?(?:([0-9]{1,4})M)?(?:([0-9]{1,4})W)?(?:([0-9]{1,5})D)?")


@dataclass(frozen=True)
class Period:
    """Calendar months, then days. ``P1Y`` and ``P12M`` are one period; ``P1M`` and ``P30D`` are two."""

    months: int
    days: int

    @classmethod
    def parse(cls, text: str) -> Period:
        """From an ISO 8601 duration of years, months, weeks and days (``P8Y``, ``P1M``, ``P120D``).

        Raises ``ValueError`` for anything else, a time of day included.
        """
        found = _ISO_8601.fullmatch(text)
        if found is None:
            raise ValueError("not an ISO 8601 duration of years, months, weeks or days")
        years, months, weeks, days = (int(number or 0) for number in found.groups())
        return cls(months=years * 12 + months, days=weeks * 7 + days)

    def __str__(self) -> str:
        """One spelling for each meaning: ``P96M``, ``P120D``, ``P1M10D``, ``P0D``."""
        months = f"{self.months}M" if self.months else ""
        days = f"{self.days}D" if self.days or not self.months else ""
        return f"P{months}{days}"

    def after(self, day: date) -> date:
        """The last day of a period that ``day`` starts without being counted itself.

        The same date of the month, or its last day where that date does not exist: Reg. (EEC, Euratom) 1182/71
        Art. 3(1) and 3(2)(c). Raises ``OverflowError`` for a last day after the year 9999.
        """
        try:
            return day + relativedelta(months=self.months, days=self.days)
        except ValueError:  # what relativedelta raises for months, while days raise OverflowError
            raise OverflowError("the period ends beyond the calendar") from None

"""When the reason ends to know who a case was about, and when erased people are looked up again. Pure.

GDPR Art. 5(1)(e): kept no longer than is necessary. The key to a closed case's vault has four uses, and goes when the
last of them is over: to answer questions about the case for a while, to look the person up again, to erase what a hold
still keeps, and to look up what a person has to finish. How long the first two last, the policy says.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from habeas.cases.view import CaseView
from habeas.models import CaseStatus, CaseType, Result
from habeas_policies import After, Period

__all__ = ["RECHECK", "DetailsEnd", "details_end", "due_rechecks", "epoch_end", "last_day", "recheck_periods"]

RECHECK = (Period(0, 7), Period(0, 30))
"""Where a policy does not say otherwise: a week and a month after."""


@dataclass(frozen=True)
class DetailsEnd:
    """When a case's key may go. ``on`` is the first day, empty where that is not known yet; ``why`` is for people."""

    on: str
    """ISO date."""
    why: str

    def reached(self, today: date) -> bool:
        """Whether the day has come."""
        return bool(self.on) and self.on <= today.isoformat()


def recheck_periods(view: CaseView, after: After) -> tuple[Period, ...]:
    """When an erased person is looked up again; none for cases that erased nobody."""
    if view.type is not CaseType.ERASURE or view.status is not CaseStatus.COMPLETED:
        return ()
    return RECHECK if after.recheck is None else after.recheck


def due_rechecks(view: CaseView, after: After, zone: str, today: date) -> tuple[Period, ...]:
    """Those of the policy's rechecks whose day has come and that no recheck was for yet."""
    made = {period for recheck in view.rechecks for period in recheck.periods if not recheck.unread}
    return tuple(
        period
        for period in recheck_periods(view, after)
        if str(period) not in made and _after(view, period, zone) <= today
    )


def details_end(view: CaseView, after: After, keep: Period, zone: str) -> DetailsEnd:
    """When the key of a case may be destroyed. ``keep`` counts where the policy says nothing."""
    if not view.closed:
        return DetailsEnd("", "the case is not finished")
    holds = [row for row in view.outcomes if row.result is Result.RETAINED and row.legal_basis]
    if any(not row.until for row in holds):
        return DetailsEnd("", "a hold without an end keeps records of the person")
    if view.holds:
        until = max(day for _, day in view.holds)
        return DetailsEnd("", f"records of the person are held until {until}; `habeas resume` erases them after that")
    made = {period for recheck in view.rechecks for period in recheck.periods if not recheck.unread}
    missing = [period for period in recheck_periods(view, after) if str(period) not in made]
    if missing:
        return DetailsEnd("", f"the recheck {missing[0]} after its end is still to be made: `habeas recheck`")
    kept = _after(view, after.keep_details or keep, zone)
    held = max((date.fromisoformat(row.until[:10]) for row in holds), default=date.min)
    if held >= kept:
        # On the day after: what was held is to be erased first.
        return DetailsEnd(_next(held).isoformat(), f"records of the person are held until {held.isoformat()}")
    return DetailsEnd(kept.isoformat(), f"kept for {after.keep_details or keep} after the case was closed")


def epoch_end(epoch: str, keep: Period) -> date:
    """The first day on which a quarter's pseudonyms (``2026Q4``) may be cut off from the people they stand for."""
    year, quarter = int(epoch[:4]), int(epoch[5:])
    last = date(year, 12, 31) if quarter == 4 else date.fromordinal(date(year, 3 * quarter + 1, 1).toordinal() - 1)
    return _next(last_day(keep, last))


def _after(view: CaseView, period: Period, zone: str) -> date:
    closed = datetime.fromisoformat(view.closed_at).astimezone(ZoneInfo(zone)).date()
    return last_day(period, closed)


def last_day(period: Period, day: date) -> date:
    """Of a period that begins with a day; the calendar's last where it is longer than that."""
    try:
        return period.after(day)
    except OverflowError:
        return date.max  # kept, however long somebody wanted


def _next(day: date) -> date:
    return day if day == date.max else date.fromordinal(day.toordinal() + 1)

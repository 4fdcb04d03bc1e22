"""By when a request must be answered, and how that day was found.

The rules are data (:mod:`habeas_policies.rules`), each in versions that are never edited. A period in months ends with
the last hour of the day with the same date, or of the last day of the month where that date does not exist; the day of
receipt is not counted; all in the controller's time zone (Reg. (EEC, Euratom) 1182/71 Art. 3(1) and 3(2)(c)). Periods
in days run through weekends and holidays.

A last day on a Saturday, Sunday or public holiday moves to the next working day only where the rule says so (Art. 3(4))
and the holidays of a place under that law were named. Otherwise it stays, which is the stricter date. Moving happens
once, at the very end, never on the way to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from zoneinfo import ZoneInfo

from habeas_policies import telling
from habeas_policies.calendars import WEEKENDS_ONLY, Calendar, holiday_calendar
from habeas_policies.clock import aware, end_of, local_day, within_the_calendar, zone_named
from habeas_policies.errors import PolicyProblem, shown
from habeas_policies.pauses import Pause, Stop, Stretch, run_clock, stops
from habeas_policies.period import Period
from habeas_policies.rules import Rule, pick
from habeas_policies.telling import Step, StepName

__all__ = ["Deadline", "Extension", "due", "due_under", "extend"]

_RECEIPT = "the time of receipt"
_BESIDE: tuple[StepName, ...] = ("acknowledge", "refusal", "extension")
"""Steps that lead to other days than ``due``."""
_RULE_ID = re.compile(r"([a-z0-9-]+)/([0-9]{1,6})(?:\+([A-Z0-9-]+))?")


@dataclass(frozen=True)
class Extension:
    """By how much the period may be extended, and until when the person must have been told, with reasons."""

    latest: datetime | None
    """23:59:59 of the last day of the longest extension; ``None`` where the law fixes no length."""
    last_day: date | None
    target: date | None
    """The earliest reading of that day: not moved, and counted on from the first period's end if that is earlier
    (31 January: 28 April, not 30 April)."""
    notice_by: datetime
    """The last instant for telling the person."""


@dataclass(frozen=True)
class Deadline:
    """Until when, by which rule, and why. A case stores ``due`` and ``rule_id`` and never counts them anew."""

    due: datetime
    """23:59:59 of the last day, aware, in the controller's time zone."""
    rule: str
    """Period and source, as people cite it."""
    version: int
    """Version of the regime's rule."""
    regime: str
    received: datetime
    """In UTC."""
    timezone: str
    calendar: str
    """Whose holidays were used; empty if none were."""
    pauses: tuple[Pause, ...]
    as_of: datetime | None
    """Up to when an open pause was counted."""
    last_day: date
    target: date
    """The earliest reading of that day, for planning and alarms: before it was moved; see :class:`Extension`."""
    acknowledge_by: datetime | None
    """Until when receipt must be confirmed; ``None`` where the law, as far as it was read, does not ask for it."""
    refuse_by: datetime | None
    """Until when a refusal must be told, whatever was extended or paused; ``None`` where no such time was read."""
    extension: Extension | None
    """What may still be extended; ``None`` where the law has no extension, or it is used up."""
    extended: bool
    stopped: bool
    """A pause is open: ``due`` is the earliest it can be, and moves until the answer comes."""
    steps: tuple[Step, ...]
    """How it was counted, in order."""

    @property
    def rule_id(self) -> str:
        """Regime, version, and holidays if they were used: ``gdpr/1``, ``gdpr/2+DE-BE``. See :func:`due_under`."""
        return f"{self.regime}/{self.version}" + (f"+{self.calendar}" if self.calendar else "")

    @property
    def confirmed(self) -> bool:
        """Whether every rule that ``due`` rests on was read in a source."""
        return all(step.confirmed for step in self.steps if step.name not in _BESIDE)

    @property
    def explanation(self) -> tuple[str, ...]:
        """The steps, a line each, with their sources; what is not confirmed says so."""
        return tuple(step.line() for step in self.steps)


def due(
    regime: str, received: datetime, timezone: str, *,
    holidays: str = "", version: int | None = None, pauses: Sequence[Pause] = (), as_of: datetime | None = None,
) -> Deadline:  # fmt: skip
    """By when a request received at that instant must be answered, as long as nothing is extended.

    ``regime`` is one of :func:`regimes`, ``received`` is aware, ``timezone`` is an IANA name, the controller's.
    ``holidays`` is the country or region whose public holidays count (``DE-BE``); empty moves nothing. A place that is
    not under the regime's law moves nothing either, and the explanation says so. ``version`` is the rule's; without it,
    the newest that can be used. ``as_of`` is until when a pause without an end is counted. Raises
    :class:`PolicyProblem` for a regime, version, place or time zone that is not known, a naive instant, a pause that
    the law does not have, and a day beyond the calendar.
    """
    with within_the_calendar(_RECEIPT):
        return _Clock.of(regime, received, timezone, holidays, version, pauses, as_of).deadline()


def due_under(
    rule_id: str, received: datetime, timezone: str, *, pauses: Sequence[Pause] = (), as_of: datetime | None = None
) -> Deadline:
    """The same, under the rule that a case was opened under (:attr:`Deadline.rule_id`).

    Holidays may differ from those of that day: the library of holidays learns of new ones.
    """
    found = _RULE_ID.fullmatch(rule_id)
    if found is None:
        raise PolicyProblem(f"{shown(rule_id)} does not name a rule", advice="write it like gdpr/1 or gdpr/2+DE-BE")
    regime, version, holidays = found[1], int(found[2]), found[3] or ""
    return due(regime, received, timezone, holidays=holidays, version=version, pauses=pauses, as_of=as_of)


def extend(deadline: Deadline, notice: datetime, *, until: date | None = None) -> Deadline:
    """The deadline after the person was told at ``notice`` (aware) that it is extended, and why.

    It ends as late as the law allows, counted from receipt, or on the day ``until`` that the person was told. Raises
    :class:`PolicyProblem` where the law has no extension, it is used up, the notice is too late, or the day is one that
    cannot be chosen.
    """
    with within_the_calendar(_RECEIPT):
        clock = _Clock.of(
            deadline.regime, deadline.received, deadline.timezone, deadline.calendar, deadline.version,
            deadline.pauses, deadline.as_of,
        )  # fmt: skip
        return clock.extended(deadline, aware(notice, "the time of the notice"), until)


@dataclass(frozen=True)
class _Clock:
    """One rule, set to one request."""

    rule: Rule
    received: datetime
    day: date
    zone: ZoneInfo
    named: str
    """The holidays asked for."""
    calendar: Calendar
    """Those of the regime's places, or none."""
    pauses: tuple[Pause, ...]
    as_of: datetime | None
    stops: tuple[Stop, ...]

    @classmethod
    def of(
        cls, regime: str, received: datetime, timezone: str, holidays: str, version: int | None,
        pauses: Sequence[Pause], as_of: datetime | None,
    ) -> _Clock:  # fmt: skip
        rule = pick(regime, version, holidays)
        aware(received, _RECEIPT)
        zone = zone_named(timezone)
        named = holiday_calendar(holidays) if holidays else WEEKENDS_ONLY
        used = rule.counts(holidays) and bool(rule.moves or rule.business or rule.acknowledge)
        return cls(
            rule=rule,
            received=received.astimezone(UTC),
            day=local_day(received, zone, _RECEIPT),
            zone=zone,
            named=holidays,
            calendar=named if used else WEEKENDS_ONLY,
            pauses=tuple(pauses),
            as_of=as_of,
            stops=stops(rule, pauses, received, zone, as_of),
        )

    def run(self, period: Period) -> Stretch:
        after: Callable[[date], date] = period.after
        if self.rule.business:
            after = partial(self.calendar.after, count=period.days)
        with within_the_calendar("the end of a pause" if self.stops else _RECEIPT):
            return run_clock(self.day, after, self.stops)

    def moved(self, day: date) -> date:
        return self.calendar.working_day_from(day) if self.rule.moves else day

    def end(self, day: date) -> datetime:
        return end_of(day, self.zone)

    def deadline(self) -> Deadline:
        rule, stretch = self.rule, self.run(self.rule.period)
        last = self.moved(stretch.last)
        acknowledge = self.calendar.after(self.day, rule.acknowledge.days) if rule.acknowledge else None
        refusal = self.moved(rule.refusal.period.after(self.day)) if rule.refusal else None
        extension = self.extension(stretch, last)
        return Deadline(
            due=self.end(last),
            rule=telling.cited(rule),
            version=rule.version,
            regime=rule.regime,
            received=self.received,
            timezone=self.zone.key,
            calendar=self.calendar.code,
            pauses=self.pauses,
            as_of=self.as_of,
            last_day=last,
            target=stretch.last,
            acknowledge_by=self.end(acknowledge) if acknowledge else None,
            refuse_by=self.end(refusal) if refusal else None,
            extension=extension,
            extended=False,
            stopped=any(stop.open for stop in self.stops),
            steps=(
                *telling.period(rule, self.day, stretch, self.stops, self.calendar, self.zone.key),
                *telling.move(rule, stretch.last, last, self.named, self.calendar),
                *telling.acknowledgement(rule, acknowledge, self.calendar),
                *telling.refusal(rule, refusal),
                *telling.extension(rule, extension.last_day if extension else None, last),
            ),
        )

    def extension(self, first: Stretch, last: date) -> Extension | None:
        """``first`` is the period that may be extended, ``last`` its last day after it was moved."""
        rule = self.rule.extension
        if rule is None:
            return None
        if rule.total is None or rule.further is None:
            return Extension(latest=None, last_day=None, target=None, notice_by=self.end(last))
        longest = self.run(rule.total)
        day = self.moved(longest.last)
        # Without the waiting that came after the first period had ended, and counted on from its end.
        target = min(longest.last, rule.further.after(first.last))
        return Extension(self.end(day), day, target, self.end(last))

    def extended(self, first: Deadline, notice: datetime, until: date | None) -> Deadline:
        offered = first.extension
        if first.extended:
            raise PolicyProblem("the period was extended already", advice="answer by the day that the person was told")
        if offered is None or self.rule.extension is None:
            raise PolicyProblem(f"{first.regime} has no extension", advice=f"answer by {first.last_day}")
        if notice < first.received:
            raise PolicyProblem("the notice was given before the request came", advice="check its time")
        if local_day(notice, self.zone, "the time of the notice") > offered.notice_by.date():
            raise PolicyProblem(
                "the person was told too late that the period is extended",
                advice=f"that had to be done by {offered.notice_by.date()}; answer at once",
            )
        last = _chosen(first, offered, until)
        target = last if offered.target is None or until is not None else offered.target
        return replace(
            first,
            due=self.end(last),
            last_day=last,
            target=target,
            extension=None,
            extended=True,
            steps=(*first.steps, telling.extended(self.rule.extension, last, until is not None)),
        )


def _chosen(first: Deadline, offered: Extension, until: date | None) -> date:
    """The new last day. Raises :class:`PolicyProblem` for a day that the extension does not reach."""
    if until is None:
        if offered.last_day is None:
            raise PolicyProblem(f"{first.regime} fixes no length of an extension", advice="name the day you announced")
        return offered.last_day
    if until <= first.last_day:
        raise PolicyProblem("an extension ends after the first period", advice=f"name a day after {first.last_day}")
    if offered.last_day is not None and until > offered.last_day:
        raise PolicyProblem("the law does not allow to extend that far", advice=f"the last day is {offered.last_day}")
    return until

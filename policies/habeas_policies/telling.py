"""How a deadline was counted, step by step, in words. Dates and rules only: nothing in it names a person."""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from habeas_policies.calendars import Calendar
from habeas_policies.pauses import Stop, Stretch
from habeas_policies.period import Period
from habeas_policies.rules import Effect, ExtensionRule, Rule

__all__ = ["Step", "StepName"]

StepName = Literal[
    "receipt", "restart", "period", "skip", "too-late", "move", "acknowledge", "refusal", "extension", "extended"
]

_WAITED_FOR = {
    "identity": "information about the person",
    "fee": "a fee",
    "clarification": "a clarification of the request",
}
_WHAT_BUSINESS_DAYS_ARE = "the text that was read does not say what a business day is"


@dataclass(frozen=True)
class Step:
    """One step of the counting."""

    name: StepName
    day: date
    """The day it led to."""
    text: str
    source: str
    """The law or guidance, as people cite it."""
    confirmed: bool
    """Whether that was read in a source; otherwise it must be checked before anybody relies on it."""

    def line(self) -> str:
        """As ``case show`` prints it."""
        return f"{self.text} [{self.source}]" + ("" if self.confirmed else " NOT CONFIRMED: check the law's text")


def cited(rule: Rule) -> str:
    """Period and source in one clause."""
    return f"{rule.period}{' business days' if rule.business else ''} from receipt, {rule.source}"


def period(
    rule: Rule, received: date, stretch: Stretch, stopped: Sequence[Stop], working: Calendar, timezone: str
) -> Iterator[Step]:
    """From receipt to the last day, before it is moved."""

    def step(name: StepName, day: date, text: str) -> Step:
        cause = rule.pause if name in ("restart", "skip", "too-late") and rule.pause else rule
        return Step(name, day, text, cause.source, cause.confirmed)

    yield step("receipt", received, f"received on {_on(received)} in {timezone}; that day is not counted")
    if stretch.start > received:
        text = f"counted from {_on(stretch.start)}: {_waited(stopped, 'restart')}"
        yield step("restart", stretch.start, text)
    end = f"{_length(rule.period, rule.business)} from {stretch.start}: until {_on(stretch.last)}"
    if stretch.skipped:
        days = _counted(stretch.skipped, "day")
        end += f", {days} of waiting not counted"
        yield step("skip", stretch.last, f"{days} not counted: {_waited(stopped, 'skip')}")
    if rule.business:
        end += f" (business days are {working}; {_WHAT_BUSINESS_DAYS_ARE})"
    elif _clamped(rule.period, stretch):
        end += f", because that month has no day {stretch.start.day}"
    yield step("period", stretch.last, end)
    for stop in stretch.too_late:
        yield step("too-late", stretch.last, f"waiting from {stop.asked} on changes nothing: the period was over")


def move(rule: Rule, last: date, moved: date, named: str, working: Calendar) -> Iterator[Step]:
    """What became of a last day that may be no working day."""
    if rule.moves is None:
        if named and not rule.business:
            text = f"not moved: this rule leaves the end where it is, whatever the holidays of {named}"
            yield Step("move", last, text, rule.source, rule.confirmed)
        return
    text = f"{_on(last)} is a working day ({working})"
    if moved > last:
        text = f"{_on(last)} is not a working day ({working}): the end moves to {_on(moved)}"
    yield Step("move", moved, text, rule.moves.source, rule.moves.confirmed)


def acknowledgement(rule: Rule, day: date | None, working: Calendar) -> Iterator[Step]:
    """By when receipt must be confirmed."""
    if rule.acknowledge and day:
        what = f"receipt must be confirmed within {_counted(rule.acknowledge.days, 'business day')}, by {_on(day)}"
        text = f"{what} (business days are {working}; {_WHAT_BUSINESS_DAYS_ARE})"
        yield Step("acknowledge", day, text, rule.acknowledge.source, rule.acknowledge.confirmed)


def refusal(rule: Rule, day: date | None) -> Iterator[Step]:
    """By when a refusal must be told."""
    if rule.refusal and day:
        text = f"a refusal must be told by {_on(day)}, whatever is extended or paused"
        yield Step("refusal", day, text, rule.refusal.source, rule.refusal.confirmed)


def extension(rule: Rule, latest: date | None, notice: date) -> Iterator[Step]:
    """What an extension would give."""
    if rule.extension:
        until = f"to {_on(latest)} at most" if latest else "to a day that is announced"
        text = f"may be extended {until} if the person is told why by {_on(notice)}"
        yield Step("extension", latest or notice, text, rule.extension.source, rule.extension.confirmed)


def extended(rule: ExtensionRule, last: date, announced: bool) -> Step:
    """That it was extended."""
    how = "to the day that was announced" if announced else f"to {_length(rule.total or Period(0, 0))} in all"
    return Step("extended", last, f"extended {how}: {_on(last)}", rule.source, rule.confirmed)


def _waited(stopped: Sequence[Stop], effect: Effect) -> str:
    those = [stop for stop in stopped if stop.effect == effect]
    what = " and ".join(sorted({_WAITED_FOR[stop.reason] for stop in those}))
    return f"{what} {'is still' if any(stop.open for stop in those) else 'was'} waited for"


def _clamped(length: Period, stretch: Stretch) -> bool:
    return length.months > 0 and calendar.monthrange(stretch.last.year, stretch.last.month)[1] < stretch.start.day


def _on(day: date) -> str:
    return f"{calendar.day_name[day.weekday()]} {day}"


def _length(length: Period, business: bool = False) -> str:
    kind = "business day" if business else "day"
    parts = [_counted(length.months, "month")] if length.months else []
    return " ".join([*parts, *([_counted(length.days, kind)] if length.days else [])])


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")

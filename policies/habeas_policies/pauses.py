"""The stopped clock: which days of waiting for the person are not counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from habeas_policies.clock import local_day, within_the_calendar
from habeas_policies.errors import PolicyProblem, shown
from habeas_policies.rules import Effect, PauseReason, Rule

__all__ = ["Pause", "Stop", "Stretch", "run_clock", "stops"]

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Pause:
    """The controller has asked, and waits."""

    start: datetime
    """When the question went out; aware."""
    end: datetime | None
    """When the answer came; ``None`` while there is none."""
    reason: PauseReason


@dataclass(frozen=True)
class Stop:
    """A pause in days of the controller's time zone, with what it does to the clock."""

    asked: date
    answered: date
    """Of an open pause: the day until which it is counted for now."""
    effect: Effect
    reason: PauseReason
    open: bool


@dataclass(frozen=True)
class Stretch:
    """From when to when a period runs."""

    start: date
    """The day it is counted from, which is not counted itself."""
    last: date
    skipped: int
    """Days of it that are not counted."""
    too_late: tuple[Stop, ...]
    """Pauses that changed nothing, because the period was over when they began."""


def stops(
    rule: Rule, pauses: Sequence[Pause], received: datetime, zone: ZoneInfo, as_of: datetime | None
) -> tuple[Stop, ...]:
    """The pauses as the rule counts them, in order.

    An open one counts up to ``as_of``, or up to the day it began: the date can then only become later. Raises
    :class:`PolicyProblem` where the law does not stop the clock, or for a pause that cannot be.
    """
    return tuple(
        sorted((_stop(rule, pause, received, zone, as_of) for pause in pauses), key=lambda s: (s.asked, s.answered))
    )


def _stop(rule: Rule, pause: Pause, received: datetime, zone: ZoneInfo, as_of: datetime | None) -> Stop:
    asked = local_day(pause.start, zone, "the start of a pause")
    until = pause.end or as_of or pause.start
    answered = local_day(until, zone, "the end of a pause")
    effect = _effect(rule, pause.reason, local_day(received, zone, "the time of receipt"))
    if pause.start < received:
        raise PolicyProblem("a pause begins before receipt", advice="check when the question went out")
    if until < pause.start:
        raise PolicyProblem("a pause ends before it begins", advice="check when the answer came")
    if rule.pause and rule.pause.at_most is not None:
        with within_the_calendar("the end of a pause"):
            answered = min(answered, asked + timedelta(days=rule.pause.at_most))
    return Stop(asked, answered, effect, pause.reason, pause.end is None)


def _effect(rule: Rule, reason: str, received: date) -> Effect:
    if rule.pause is None:
        raise PolicyProblem(
            f"the clock of {rule.regime} is not stopped for a pause", advice="answer in time, or extend the period"
        )
    if received < rule.pause.since:
        raise PolicyProblem(
            f"the clock of {rule.regime} is stopped only for requests received from {rule.pause.since} on",
            advice="answer in time, or extend the period",
        )
    if reason not in rule.pause.effects:
        known = ", ".join(sorted(rule.pause.effects))
        raise PolicyProblem(f"the clock of {rule.regime} is not stopped for {shown(reason)}", advice=f"known: {known}")
    return rule.pause.effects[reason]


def run_clock(received: date, after: Callable[[date], date], stopped: Sequence[Stop]) -> Stretch:
    """A period from the day of receipt, with these stops.

    ``restart``: the period is counted from the day the answer came. ``skip``: the days from the question to the answer,
    both included, are not counted, each once, and the end is that many days later; the day of receipt is not counted
    anyway. A stop that begins when the period is over does not revive it.
    """
    start, last, skipped = received, after(received), 0
    waits: list[Stop] = []
    too_late: list[Stop] = []
    for stop in stopped:
        if stop.asked > last:
            too_late.append(stop)
            continue
        if stop.effect == "restart":
            start = max(start, stop.answered)
        else:
            waits.append(stop)
        skipped = _days(start, waits)
        last = after(start) + timedelta(days=skipped)
    return Stretch(start, last, skipped, tuple(too_late))


def _days(start: date, waits: Sequence[Stop]) -> int:
    """Days after ``start`` on which at least one of the waits was on; they are sorted by their first day."""
    count, reached = 0, start
    for wait in waits:
        if wait.answered > reached:
            count += (wait.answered - max(reached, wait.asked - _DAY)).days
            reached = wait.answered
    return count

"""Which open cases the vendors' own limits will make late. Pure.

A rough estimate, and meant as one: cases are carried out in the order in which they are due, one connection's calls one
after the other at the rate that its limits allow, the connections side by side. How many calls a case takes is taken
from the changing calls of earlier cases, with :data:`READS` reads to each. What no longer fits into the quota of a day
or a month waits for the next.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from habeas.cases.quotas import Quota

__all__ = ["READS", "USUAL_CALLS", "Capacity", "Forecast", "calls_of", "forecast"]

READS = 3
"""Reads to each changing call: one before, one or two after. Counted on the sandboxes, for erasures."""
USUAL_CALLS = 20.0
"""Calls of a case at a connection that nothing is known of yet."""
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Capacity:
    """What a connection takes."""

    rate: float
    """Calls a second."""
    quotas: Sequence[tuple[Quota, int]] = ()
    """Each with the calls that are left of its present period."""

    def done_at(self, calls: float, now: datetime) -> datetime:
        """When so many calls are made, if they begin now and never stop but for a quota."""
        ends = [_later(now, calls / self.rate)]
        for quota, left in self.quotas:
            over = calls - left
            if over > 0:
                periods = math.ceil(over / quota.calls)
                last = over - (periods - 1) * quota.calls
                ends.append(_later(quota.begins(now, periods), last / self.rate))
        return max(ends)


def _later(at: datetime, seconds: float) -> datetime:
    try:
        return at + timedelta(seconds=seconds)
    except OverflowError:
        return _NEVER


@dataclass(frozen=True)
class Forecast:
    """When a case would be done, if work began now and never stopped."""

    case_id: str
    done_at: datetime
    late: bool


def calls_of(changes: Mapping[str, float], connection: str) -> float:
    """Calls that a case takes at a connection; ``changes``: connection → changing calls a case, as far as known."""
    return changes[connection] * (1 + READS) if connection in changes else USUAL_CALLS


def forecast(
    cases: Iterable[tuple[str, datetime]],
    changes: Mapping[str, float],
    capacities: Mapping[str, Capacity],
    now: datetime,
) -> Sequence[Forecast]:
    """``cases``: (id, due), in any order; ``changes``: connection → changing calls a case."""
    calls = {name: calls_of(changes, name) for name in capacities}

    def end(place: int) -> datetime:
        return max((one.done_at(calls[name] * place, now) for name, one in capacities.items()), default=now)

    ordered = sorted(cases, key=lambda one: (one[1], one[0]))
    ends = map(end, range(1, len(ordered) + 1))
    return [Forecast(case_id, at, at > due) for (case_id, due), at in zip(ordered, ends, strict=True)]

"""Which open cases the vendors' own limits will make late. Pure.

A rough estimate, and meant as one: cases are carried out in the order in which they are due, one connection's calls one
after the other at the rate that its limits allow, the connections side by side. How many calls a case takes is taken
from the changing calls of earlier cases, with :data:`READS` reads to each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

__all__ = ["READS", "USUAL_CALLS", "Forecast", "forecast"]

READS = 3
"""Reads to each changing call: one before, one or two after. Counted on the sandboxes, for erasures."""
USUAL_CALLS = 20.0
"""Calls of a case at a connection that nothing is known of yet."""


@dataclass(frozen=True)
class Forecast:
    """When a case would be done, if work began now and never stopped."""

    case_id: str
    done_at: datetime
    late: bool


def forecast(
    cases: Iterable[tuple[str, datetime]], changes: Mapping[str, float], rates: Mapping[str, float], now: datetime
) -> Sequence[Forecast]:
    """``cases``: (id, due), in any order; ``changes``: connection → changing calls a case; ``rates``: a second."""
    seconds = max(
        ((changes[name] * (1 + READS) if name in changes else USUAL_CALLS) / rate for name, rate in rates.items()),
        default=0.0,
    )
    ordered = sorted(cases, key=lambda one: (one[1], one[0]))
    ends = (now + timedelta(seconds=seconds * place) for place in range(1, len(ordered) + 1))
    return [Forecast(case_id, end, end > due) for (case_id, due), end in zip(ordered, ends, strict=True)]

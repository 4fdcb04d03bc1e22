"""How many calls a case takes at each vendor, and what that means for those that are left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from habeas.cases.forecast import Capacity, calls_of
from habeas.engine.links import Link
from habeas_audit import Ledger

__all__ = ["Ahead", "Pace", "capacities", "usual_changes"]

_LOOKED_BACK = 5000
"""Entries from which the usual number of calls is taken."""
_FEW = 10


def usual_changes(ledger: Ledger) -> dict[str, float]:
    """Connection → changing calls a case, as the last cases took them; a connection without any is not in it."""
    calls: Counter[str] = Counter()
    cases: set[str] = set()
    head = ledger.head().size
    for entry in ledger.entries(types=["call.intent"], after=max(0, head - _LOOKED_BACK)):
        calls[entry.connection] += 1
        cases.add(entry.case_id)
    return {name: n / len(cases) for name, n in calls.items()}


def capacities(links: Mapping[str, Link]) -> dict[str, Capacity]:
    """What each connection takes from now on."""
    return {
        name: Capacity(link.limits.requests_per_second, link.meter.left() if link.meter is not None else ())
        for name, link in links.items()
    }


@dataclass(frozen=True)
class Ahead:
    """What is left of a run, as far as the vendors' limits decide it."""

    connection: str
    """The one that takes longest."""
    done_at: datetime


class Pace:
    """Counts while a run goes on. Not safe for many threads: whoever counts holds a lock."""

    def __init__(self, links: Mapping[str, Link], ledger: Ledger) -> None:
        self._links, self._ledger = links, ledger
        self._before = {name: link.calls for name, link in links.items()}
        self._usual: dict[str, float] | None = None
        self.finished = self.in_hand = 0

    def calls(self, connection: str) -> float:
        """Calls that a case takes there: of this run's so far, and of earlier ones as long as it has done few.

        The first that are finished are the smallest: of those that were begun together, the others take more.
        """
        seen = self._seen(connection)
        return seen if self.finished >= max(_FEW, self.in_hand) else max(seen, self._expected(connection))

    def _seen(self, connection: str) -> float:
        # A case in hand has made about half of its calls.
        calls = self._links[connection].calls - self._before[connection]
        return calls / (self.finished + self.in_hand / 2) if self.finished else 0.0

    def _expected(self, connection: str) -> float:
        if self._usual is None:
            self._usual = usual_changes(self._ledger)
        return calls_of(self._usual, connection)

    def ahead(self, cases: int, now: datetime) -> Ahead | None:
        """When so many more cases could be done at the vendors' limits; None as long as nothing is known."""
        if not self.finished:
            return None
        ends = [
            Ahead(name, capacity.done_at(self._seen(name) * cases, now))
            for name, capacity in capacities(self._links).items()
        ]
        return max(ends, key=lambda one: one.done_at, default=None)

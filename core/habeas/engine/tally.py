"""What a propagation counts: results by connection and purpose, and how long statements took to reach a vendor."""

from __future__ import annotations

import threading
from array import array
from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from habeas.cases.consents import Confirmed
from habeas.models import Json, Result

__all__ = ["Tally"]

_CHANGED = (Result.UPDATED, Result.ACCEPTED)
_REFUSED = (Result.MANUAL, Result.UNSUPPORTED)


class Tally:
    """Safe to use from many threads. Eight bytes for each statement that reached a vendor."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._results: Counter[tuple[str, str, Result]] = Counter()
        self._lags = array("d")
        self.erased = 0
        """People on the suppression list, for whom nothing was sent."""

    def add(self, seen: Confirmed, said_at: datetime) -> None:
        """One purpose of one person at one connection is settled."""
        with self._lock:
            self._results[seen.key.connection, seen.key.purpose, seen.result] += 1
            if seen.result in _CHANGED:
                self._lags.append(max(0.0, (seen.at - said_at).total_seconds()))

    def connections(self, left: Mapping[tuple[str, str], int]) -> dict[str, dict[str, dict[str, int]]]:
        """Connection → purpose → result → how many. ``left``: (connection, purpose) → what is still due."""
        found: dict[str, dict[str, dict[str, int]]] = {}
        with self._lock:
            counts: list[tuple[tuple[str, str, str], int]] = [
                ((c, p, str(r)), n) for (c, p, r), n in self._results.items()
            ]
        counts += [((connection, purpose, "unreachable"), n) for (connection, purpose), n in left.items()]
        for (connection, purpose, result), count in sorted(counts):
            found.setdefault(connection, {}).setdefault(purpose, {})[result] = count
        return found

    def to_json(self, left: Mapping[tuple[str, str], int]) -> dict[str, Json]:
        """All of it, whole numbers only: it goes into the ledger too."""
        with self._lock:
            by_result: Counter[Result] = Counter()
            for (_, _, result), count in self._results.items():
                by_result[result] += count
        return {
            "changed": sum(by_result[r] for r in _CHANGED),
            "unchanged": by_result[Result.UNCHANGED],
            "absent": by_result[Result.ABSENT],
            "refused": sum(by_result[r] for r in _REFUSED),
            "unreachable": sum(left.values()),
            "erased": self.erased,
            "lag_seconds": self.lags(),
            "connections": self.connections(left),
        }

    def lags(self) -> Json:
        """Median, 95th percentile (nearest rank) and maximum, seconds rounded up; None where nothing was changed."""
        with self._lock:
            lags = sorted(self._lags)
        if not lags:
            return None

        def at(percent: int) -> int:
            return int(-(-lags[max(0, -(-len(lags) * percent // 100) - 1)] // 1))

        return {"median": at(50), "p95": at(95), "max": at(100)}

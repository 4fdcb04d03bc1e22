"""Cases to be worked on, the most urgent first, in little memory: the name of each is looked up as its turn comes."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from datetime import datetime

from habeas_audit import Ledger

__all__ = ["Agenda"]

_SEQ_BITS = 36
_MOST = (1 << 63 - _SEQ_BITS) - 1


class Agenda:
    """Eight bytes for each case: the hour in which it is due, and the number of its first entry."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._cases = array("q")

    def __len__(self) -> int:
        return len(self._cases)

    def add(self, due_at: str, opened: int) -> None:
        """``due_at``: RFC 3339; ``opened``: number of the case's first entry."""
        hour = int(datetime.fromisoformat(due_at).timestamp()) // 3600
        self._cases.append(min(max(hour, 0), _MOST) << _SEQ_BITS | opened)

    def __iter__(self) -> Iterator[str]:
        """Names, by the hour in which they are due; of one hour, the earlier opened first."""
        self._cases = array("q", sorted(self._cases))
        for packed in self._cases:
            for entry in self._ledger.entries(after=(packed & (1 << _SEQ_BITS) - 1) - 1, limit=1):
                yield entry.case_id

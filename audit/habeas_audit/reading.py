"""Which entries are wanted, and the shortest way to them in the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from habeas_audit.entry import Entry
from habeas_audit.schema import MANY

RUN_STARTED: Final = "run.started"
"""The first entry of a run: none of its others lies before it."""

_MOST: Final = 2000
"""Rows per read transaction: a longer one would keep writers waiting."""
_FIRST: Final = 32


@dataclass(frozen=True, slots=True)
class Way:
    """One table that leads to entries in the order of their numbers."""

    tables: str
    """`e` is the entry."""
    condition: str
    values: tuple[str, ...] = ()
    number: str = "k.seq"

    def sql(self, *, back: bool) -> str:
        """Takes `values`, the number behind which (or, going back, before which) they begin, and how many at most."""
        sign, order = ("<", " DESC") if back else (">", "")
        return (
            f"SELECT e.seq, e.body, e.leaf_hash FROM {self.tables} "  # noqa: S608 - nothing here is a value
            f"WHERE {self.condition} AND {self.number} {sign} ? ORDER BY {self.number}{order} LIMIT ?"
        )


def _case(case_id: str) -> Way:
    tables = "cases c JOIN case_entries k ON k.first = c.first JOIN entries e ON e.seq = k.seq"
    return Way(tables, "c.case_id = ?", (case_id,))


def kind(type_: str) -> Way:
    """To all entries of a type that is not one of `MANY`."""
    return Way("kinds k JOIN entries e ON e.seq = k.seq", "k.type = ?", (type_,))


_ALL: Final = Way("entries e", "TRUE", number="e.seq")


@dataclass(frozen=True, slots=True)
class Query:
    """Conditions on entries; None sets none."""

    case_id: str | None = None
    run_id: str | None = None
    types: frozenset[str] | None = None

    def wants(self, entry: Entry) -> bool:
        """Whether it meets all of them."""
        return (
            (self.case_id is None or entry.case_id == self.case_id)
            and (self.run_id is None or entry.run_id == self.run_id)
            and (self.types is None or entry.type in self.types)
        )

    def ways(self) -> list[Way]:
        """Ways that together lead to all that are wanted, and to none twice."""
        if self.case_id:
            return [_case(self.case_id)]
        if self.types is not None and not self.types & MANY:
            return [kind(type_) for type_ in sorted(self.types)]
        return [_ALL]

    @property
    def by_run(self) -> bool:
        """Whether it helps to know where the run begins."""
        return bool(self.run_id) and not self.case_id and self.types != frozenset((RUN_STARTED,))


def chunk_sizes(limit: int | None) -> list[int]:
    """How many rows to read at a time; the last number stands for all that follow. Few at first if few are wanted."""
    return [_MOST] if limit is None or limit >= _MOST else [max(_FIRST, limit), 8 * max(_FIRST, limit), _MOST]

"""A CSV of requests: checked whole before anything is sent, then read again row by row, with memory that stays flat."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from habeas.cases.csvfile import SHOWN, BadRow, CsvFile
from habeas.cases.identifiers import BASE_KINDS, check_identifier, fold
from habeas.cases.moments import parse_moment
from habeas.errors import InputError, PolicyError
from habeas.models import CaseType, Identifier, Subject

__all__ = ["BadRow", "BatchFile", "BatchRow", "Checked"]

_COLUMNS = ("type", *BASE_KINDS, "received_at", "regime", "reference")
_TYPES = {str(t): t for t in (CaseType.ERASURE, CaseType.ACCESS, CaseType.PORTABILITY, CaseType.INVENTORY)}


@dataclass(frozen=True, repr=False)
class BatchRow:
    """One good row."""

    line: int
    type: CaseType
    subject: Subject
    received_at: datetime | None
    """None where the row does not say: now."""
    regime: str
    reference: str

    def __repr__(self) -> str:
        return f"BatchRow(line {self.line})"


@dataclass(frozen=True)
class Checked:
    """What the first reading found."""

    rows: int
    """Good rows that are cases: duplicates are not counted."""
    duplicates: int
    bad: int
    first_bad: tuple[BadRow, ...]
    unknown_columns: tuple[str, ...]
    digest: bytes
    """SHA-256 of the file's bytes."""


@dataclass
class BatchFile:
    """One file, read several times. ``resolve`` finds the person, ``check_regime`` raises for a regime without a
    deadline rule.

    Every method raises :class:`InputError` where the file as a whole cannot be used (not CSV, not UTF-8, without the
    columns needed, changed between two readings), and what ``resolve`` raises where the identity table cannot be.
    """

    path: Path
    connections: Collection[str]
    resolve: Callable[[Sequence[Identifier]], Subject]
    check_regime: Callable[[str], object]
    timezone: str
    now: datetime
    _seen_regimes: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._file = CsvFile(self.path)
        self._checked_header = False

    def check(self) -> Checked:
        """Reads everything."""
        rows = duplicates = bad = 0
        first: list[BadRow] = []
        for row in self._unique():
            match row:
                case BadRow():
                    bad += 1
                    if len(first) < SHOWN:
                        first.append(row)
                case None:
                    duplicates += 1
                case _:
                    rows += 1
        unknown = self._file.unknown_columns((*_COLUMNS, *self.connections))
        return Checked(rows, duplicates, bad, tuple(first), unknown, self._file.digest())

    def rows(self) -> Iterator[BatchRow]:
        """The good rows, each request once."""
        return (row for row in self._unique() if isinstance(row, BatchRow))

    def bad_rows(self) -> Iterator[tuple[BadRow, list[str]]]:
        """The bad rows with their cells, for a file of their own."""
        for line, cells in self._cells():
            row = self._row(line, cells)
            if isinstance(row, BadRow):
                yield row, cells

    def header(self) -> list[str]:
        """The column names."""
        if not self._checked_header:
            _check_header(self._file, self.connections)
            self._checked_header = True
        return self._file.header

    # -- rows -------------------------------------------------------------------------------------------------------

    def _unique(self) -> Iterator[BatchRow | BadRow | None]:
        """Rows in order; None for a request that stands further up already."""
        seen: set[int] = set()
        for line, cells in self._cells():
            row = self._row(line, cells)
            if isinstance(row, BatchRow):
                key = _request_key(row)
                if key in seen:
                    yield None
                    continue
                seen.add(key)
            yield row

    def _row(self, line: int, cells: list[str]) -> BatchRow | BadRow:
        if (wrong := self._file.wrong_width(line, cells)) is not None:
            return wrong
        values = {name: cell for name, cell in zip(self.header(), cells, strict=True) if cell.strip()}
        try:
            return self._parse(line, values)
        except (InputError, PolicyError) as error:
            # Not ConfigError: a broken identity table is no fault of this row.
            return BadRow(line, error.line())

    def _parse(self, line: int, values: Mapping[str, str]) -> BatchRow:
        try:
            case_type = _TYPES[values.get("type", "").strip().lower()]
        except KeyError:
            raise InputError(f"type is not one of {', '.join(_TYPES)}") from None
        kinds = (*BASE_KINDS, *self.connections)
        given = [check_identifier(kind, values[kind].strip()) for kind in kinds if kind in values]
        if not given:
            raise InputError(f"no identifier is given ({', '.join(kinds)})")
        regime = values.get("regime", "").strip().lower()
        if regime and regime not in self._seen_regimes:
            self.check_regime(regime)
            self._seen_regimes.add(regime)
        received = self._received(values["received_at"].strip()) if "received_at" in values else None
        reference = values.get("reference", "")
        if len(reference) > 500:
            raise InputError("reference is longer than 500 characters")
        return BatchRow(line, case_type, self.resolve(given), received, regime, reference)

    def _received(self, text: str) -> datetime:
        return parse_moment(text, "received_at", self.timezone, self.now)

    def _cells(self) -> Iterator[tuple[int, list[str]]]:
        self.header()
        return self._file.rows()


def _check_header(file: CsvFile, connections: Collection[str]) -> None:
    file.check_header((*_COLUMNS, *connections), ())
    if "type" not in file.header:
        raise InputError(f"{file.path} has no column 'type'", advice=f"columns: {', '.join(_COLUMNS)}")
    kinds = (*BASE_KINDS, *connections)
    if not set(file.header) & set(kinds):
        raise InputError(f"{file.path} has no identifier column", advice=f"one of {', '.join(kinds)}")


def _request_key(row: BatchRow) -> int:
    """Two rows about one person and one thing are one request. 64 bits keep a million rows in little memory."""
    strong = [("customer_id", value) for value in row.subject.values("customer_id")]
    who = sorted(strong or {(i.kind, fold(i.kind, i.value)) for i in row.subject.identifiers})
    return int.from_bytes(hashlib.blake2b(repr((str(row.type), who)).encode(), digest_size=8).digest(), "big")


def regime_checker(timezone: str, now: datetime) -> Callable[[str], object]:
    """Raises :class:`PolicyError`, which does not repeat it, for a regime habeas has no deadline for."""
    from habeas_policies import PolicyProblem, due

    def check(regime: str) -> object:
        try:
            return due(regime, now, timezone)
        except PolicyProblem as problem:
            raise PolicyError("there is no deadline for this regime", advice=problem.advice) from None

    return check

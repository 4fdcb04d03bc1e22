"""A CSV of requests: checked whole before anything is sent, then read again row by row, with memory that stays flat."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from habeas.cases.identifiers import BASE_KINDS, check_identifier
from habeas.errors import InputError, PolicyError, UsageError
from habeas.models import CaseType, Identifier, Subject

__all__ = ["BadRow", "BatchFile", "BatchRow", "Checked"]

_COLUMNS = ("type", *BASE_KINDS, "received_at", "regime", "reference")
_SHOWN = 20
"""How many bad rows are told one by one."""


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
class BadRow:
    """A row that cannot be used, and why, without its values."""

    line: int
    reason: str


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
    """One file. ``resolve`` finds the person, ``check_regime`` raises for a regime without a deadline rule."""

    path: Path
    connections: Collection[str]
    resolve: Callable[[Sequence[Identifier]], Subject]
    check_regime: Callable[[str], object]
    timezone: str
    now: datetime
    _seen_regimes: set[str] = field(default_factory=set)

    def check(self) -> Checked:
        """Reads everything. Raises :class:`InputError` where the file as a whole cannot be used."""
        rows = duplicates = bad = 0
        first: list[BadRow] = []
        for row in self._unique():
            match row:
                case BadRow():
                    bad += 1
                    if len(first) < _SHOWN:
                        first.append(row)
                case None:
                    duplicates += 1
                case _:
                    rows += 1
        header = self._header()
        unknown = tuple(name for name in header if name not in self._known())
        return Checked(rows, duplicates, bad, tuple(first), unknown, self._digest())

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
        return self._header()

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
        header = self._header()
        if len(cells) != len(header):
            return BadRow(line, f"it has {len(cells)} cells, the header has {len(header)}")
        values = {name: cell for name, cell in zip(header, cells, strict=True) if cell.strip()}
        try:
            return self._parse(line, values)
        except UsageError as error:
            return BadRow(line, error.line())

    def _parse(self, line: int, values: Mapping[str, str]) -> BatchRow:
        try:
            case_type = CaseType(values.get("type", "").strip().lower())
        except ValueError:
            raise InputError(f"type is not one of {', '.join(CaseType)}") from None
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
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            raise InputError("received_at is not a date (2026-11-02) or time (2026-11-02T09:30:00+01:00)") from None
        if at.tzinfo is None:
            if len(text) > 10:
                raise InputError("received_at is a time without its offset", advice="add Z or +01:00")
            at = at.replace(tzinfo=ZoneInfo(self.timezone))
        try:
            at = at.astimezone(UTC)
        except OverflowError:
            raise InputError("received_at is out of range") from None
        if at > self.now + timedelta(days=1) or at.year < 2000:
            raise InputError("received_at is in the future or before the year 2000")
        return at

    # -- file -------------------------------------------------------------------------------------------------------

    def _known(self) -> tuple[str, ...]:
        return (*_COLUMNS, *self.connections)

    def _header(self) -> list[str]:
        if not hasattr(self, "_columns"):
            _, header = next(self._lines(), (0, []))
            self._columns = _check_header(self.path, [name.strip() for name in header], self.connections)
        return self._columns

    def _cells(self) -> Iterator[tuple[int, list[str]]]:
        self._header()
        lines = self._lines()
        next(lines)
        return lines

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        """Line number on which each row ends, and its cells; blank lines are passed over."""
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.reader(file, strict=True)
                for cells in reader:
                    if cells:
                        yield reader.line_num, cells
        except OSError as error:
            raise InputError(f"{self.path} cannot be read ({error.strerror})") from None
        except UnicodeDecodeError:
            raise InputError(f"{self.path} is not UTF-8 text", advice="save it as CSV UTF-8") from None
        except csv.Error as error:
            raise InputError(f"{self.path} is not CSV near line {reader.line_num}: {error}") from None

    def _digest(self) -> bytes:
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()


def _check_header(path: Path, header: list[str], connections: Collection[str]) -> list[str]:
    if len(set(header)) != len(header):
        raise InputError(f"{path} has a column twice")
    if "type" not in header:
        raise InputError(f"{path} has no column 'type'", advice=f"columns: {', '.join(_COLUMNS)}")
    if not set(header) & {*BASE_KINDS, *connections}:
        raise InputError(f"{path} has no identifier column", advice=f"one of {', '.join((*BASE_KINDS, *connections))}")
    return header


def _request_key(row: BatchRow) -> int:
    """Two rows about one person and one thing are one request. 64 bits keep a million rows in little memory."""
    strong = row.subject.values("customer_id")
    who = (
        "|".join(sorted(strong)) if strong else "|".join(sorted(f"{i.kind}={i.value}" for i in row.subject.identifiers))
    )
    return int.from_bytes(hashlib.blake2b(f"{row.type}|{who}".encode(), digest_size=8).digest(), "big")


def regime_checker(timezone: str, now: datetime) -> Callable[[str], object]:
    """Raises :class:`PolicyError` for a regime habeas has no deadline for."""
    from habeas_policies import PolicyProblem, due

    def check(regime: str) -> object:
        try:
            return due(regime, now, timezone)
        except PolicyProblem as problem:
            raise PolicyError(str(problem), advice=problem.advice) from None

    return check

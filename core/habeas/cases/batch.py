"""A CSV of requests: checked whole before anything is sent, then read again row by row, with memory that stays flat."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import os
import stat
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from habeas.cases.files import file_version
from habeas.cases.identifiers import BASE_KINDS, check_identifier, fold
from habeas.cases.moments import parse_moment
from habeas.errors import InputError, PolicyError
from habeas.models import CaseType, Identifier, Subject

__all__ = ["BadRow", "BatchFile", "BatchRow", "Checked"]

_COLUMNS = ("type", *BASE_KINDS, "received_at", "regime", "reference")
_TYPES = {str(t): t for t in (CaseType.ERASURE, CaseType.ACCESS, CaseType.PORTABILITY, CaseType.INVENTORY)}
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
    _columns: list[str] = field(default_factory=list)
    _version: tuple[int, ...] = ()
    """The file as it was when it was opened first."""

    def check(self) -> Checked:
        """Reads everything."""
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
        known = ("", *_COLUMNS, *self.connections)
        unknown = tuple(dict.fromkeys(name for name in self.header() if name not in known))
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
        if not self._columns:
            _, header = next(self._lines(), (0, []))
            self._columns = _check_header(self.path, [name.strip() for name in header], self.connections)
        return self._columns

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
        header = self.header()
        if len(cells) != len(header):
            return BadRow(line, f"it has {len(cells)} cells, the header has {len(header)}")
        values = {name: cell for name, cell in zip(header, cells, strict=True) if cell.strip()}
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

    # -- file -------------------------------------------------------------------------------------------------------

    def _cells(self) -> Iterator[tuple[int, list[str]]]:
        self.header()
        return itertools.islice(self._lines(), 1, None)

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        """Line number on which each row begins, and its cells; rows without anything in them are passed over."""
        line = 0
        try:
            with self._open() as file:
                reader = csv.reader(io.TextIOWrapper(file, encoding="utf-8-sig", newline=""), strict=True)
                for cells in reader:
                    if any(map(str.strip, cells)):
                        yield line + 1, cells
                    line = reader.line_num
                self._refuse_changed(file.fileno())
        except UnicodeDecodeError:
            raise InputError(f"{self.path} is not UTF-8 text", advice="save it as CSV UTF-8") from None
        except csv.Error as error:
            raise InputError(f"{self.path} is not CSV near line {line + 1}: {error}") from None

    def _digest(self) -> bytes:
        with self._open() as file:
            return hashlib.file_digest(file, "sha256").digest()

    def _open(self) -> io.BufferedReader:
        try:
            # Without blocking: opening a pipe would wait for somebody to write into it.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            raise InputError(f"{self.path} cannot be read ({error.strerror})") from None
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise InputError(f"{self.path} is not a plain file", advice="it is read more than once: save it first")
            self._refuse_changed(descriptor)
        except InputError:
            os.close(descriptor)
            raise
        return os.fdopen(descriptor, "rb")

    def _refuse_changed(self, descriptor: int) -> None:
        # What was checked must be what is carried out.
        version = file_version(descriptor)
        self._version = self._version or version
        if version != self._version:
            raise InputError(f"{self.path} was changed while it was being read", advice="run the command again")


def _check_header(path: Path, header: list[str], connections: Collection[str]) -> list[str]:
    for name in (*_COLUMNS, *connections):
        if header.count(name) > 1:
            raise InputError(f"{path} has the column '{name}' twice")
    if "type" not in header:
        raise InputError(f"{path} has no column 'type'", advice=f"columns: {', '.join(_COLUMNS)}")
    if not set(header) & {*BASE_KINDS, *connections}:
        raise InputError(f"{path} has no identifier column", advice=f"one of {', '.join((*BASE_KINDS, *connections))}")
    return header


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

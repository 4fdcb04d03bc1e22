"""Who is who: from the identifiers a request gives to all the identifiers of that one person.

The identity table has one row per person and one column per identifier kind or connection. It is never loaded whole.
"""

from __future__ import annotations

import csv
import sqlite3
from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from habeas.cases.identifiers import BASE_KINDS, fold
from habeas.config import IdentityConfig
from habeas.errors import ConfigError, InputError
from habeas.models import Identifier, Subject

__all__ = ["CsvIdentity", "IdentityTable", "SqliteIdentity", "open_identity", "resolve"]


Row = Mapping[str, str]
"""Filled cells of one person: kind → value. An empty cell is the same as a missing column: not known."""


class IdentityTable(Protocol):
    """Where people are looked up."""

    def find(self, kind: str, value: str) -> Iterator[Row]:
        """The rows of the people with this identifier."""


def resolve(given: Sequence[Identifier], table: IdentityTable | None) -> Subject:
    """All identifiers of the one person meant: those given first, then those the table adds.

    Raises :class:`InputError` where the identifiers fit several people, or belong to different ones: then nothing may
    be sent, and a ``customer_id`` is asked for.
    """
    if not given:
        raise InputError("no identifier was given", advice="name the person, for example email=… or customer_id=…")
    if table is None:
        return Subject(tuple(dict.fromkeys(given)))
    found = {i: [dict(row) for row in table.find(i.kind, i.value)] for i in dict.fromkeys(given)}
    people = _people(found)
    strong = [i for i in found if i.kind not in ("email", "phone")]
    if strong:
        own = [row for i in strong for row in found[i]]
        _refuse_contradiction(found, own)
    elif len(people) > 1:
        raise InputError(
            f"{len(people)} people in the identity table fit the identifiers given",
            advice="name one of them with customer_id=…",
        )
    else:
        own = [row for rows in found.values() for row in rows]
    known = [Identifier(kind, value) for row in own for kind, value in row.items()]
    return Subject(tuple(dict.fromkeys((*given, *known))))


def _people(found: Mapping[Identifier, list[dict[str, str]]]) -> set[str]:
    return {row.get("customer_id") or repr(sorted(row.items())) for rows in found.values() for row in rows}


def _refuse_contradiction(found: Mapping[Identifier, list[dict[str, str]]], own: list[dict[str, str]]) -> None:
    """An e-mail address or phone that the table knows for other people only is not this person's."""
    for identifier, rows in found.items():
        if identifier.kind in ("email", "phone") and rows and not any(row in own for row in rows):
            raise InputError(
                f"the {identifier.kind} given belongs to somebody else in the identity table",
                advice="leave it out, or correct the customer_id",
            )


# -- tables ---------------------------------------------------------------------------------------------------


def open_identity(config: IdentityConfig | None, connections: Collection[str]) -> IdentityTable | None:
    """The configured table, or None where there is none. Raises :class:`ConfigError`."""
    if config is None:
        return None
    kinds = frozenset((*BASE_KINDS, *connections))
    if config.csv is not None:
        return CsvIdentity(config.csv, kinds)
    if config.sqlite is not None:
        return SqliteIdentity(config.sqlite, config.query, kinds)
    return None


@dataclass(frozen=True)
class _Index:
    hashes: array[int]
    offsets: array[int]


class CsvIdentity:
    """A CSV with a header, UTF-8 (a BOM is fine). One lookup reads it through; :meth:`build_index` makes many cheap."""

    def __init__(self, path: Path, kinds: frozenset[str]) -> None:
        self._path = path
        self._index: _Index | None = None
        with self._open() as file:
            header = next(csv.reader(_Counter(_lines(file, self._path), 0)), [])
        header = [name.strip().removeprefix("\ufeff") for name in header]
        if len(set(header)) != len(header):
            raise ConfigError(f"the identity table {path} has a column twice")
        self._columns = [(n, name) for n, name in enumerate(header) if name in kinds]
        if not self._columns:
            raise ConfigError(
                f"the identity table {path} has none of the columns habeas knows",
                advice=f"name them {', '.join(sorted(kinds))}",
            )

    def build_index(self) -> None:
        """16 bytes per filled cell in memory; identifiers themselves stay in the file."""
        pairs = [
            (hash((kind, fold(kind, value))), offset) for offset, row in self._rows() for kind, value in row.items()
        ]
        pairs.sort()
        self._index = _Index(array("q", (h for h, _ in pairs)), array("q", (o for _, o in pairs)))

    def find(self, kind: str, value: str) -> Iterator[Row]:
        wanted = fold(kind, value)
        rows = (row for _, row in self._rows()) if self._index is None else self._at(self._index, hash((kind, wanted)))
        for row in rows:
            if kind in row and fold(kind, row[kind]) == wanted:
                yield row

    def _at(self, index: _Index, key: int) -> Iterator[Row]:
        position = bisect_left(index.hashes, key)
        while position < len(index.hashes) and index.hashes[position] == key:
            for _, row in self._rows(index.offsets[position]):
                yield row
                break
            position += 1

    def _rows(self, start: int = 0) -> Iterator[tuple[int, Row]]:
        """Byte offset and filled cells of each row from ``start`` (0: from the top, header left out)."""
        with self._open() as file:
            file.seek(start)
            counter = _Counter(_lines(file, self._path), start)
            reader = csv.reader(counter, strict=True)
            if start == 0:
                next(reader, None)
            while True:
                offset = counter.offset
                try:
                    cells = next(reader, None)
                except csv.Error as error:
                    raise ConfigError(f"the identity table {self._path} is not CSV: {error}") from None
                if cells is None:
                    return
                row = {name: cells[n] for n, name in self._columns if n < len(cells) and cells[n].strip()}
                if row:
                    yield offset, row

    def _open(self) -> BinaryIO:
        try:
            return self._path.open("rb")
        except OSError as error:
            raise ConfigError(f"the identity table {self._path} cannot be read ({error.strerror})") from None


class SqliteIdentity:
    """A query with ``{kind}`` for the column and ``:value`` for the value, on a database opened read-only."""

    def __init__(self, path: Path, query: str, kinds: frozenset[str]) -> None:
        if not path.exists():
            raise ConfigError(f"the identity database {path} is missing")
        if "{kind}" not in query or ":value" not in query:
            raise ConfigError(
                "identity.query needs {kind} and :value", advice="select … from people where {kind} = :value"
            )
        self._path, self._query, self._kinds = path, query, kinds

    def find(self, kind: str, value: str) -> Iterator[Row]:
        # Brackets: a column that does not exist is an error there, where quotes would make it a string.
        query = self._query.replace("{kind}", f"[{kind}]")
        try:
            connection = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)
            try:
                cursor = connection.execute(query, {"value": value})
                names = [column[0] for column in cursor.description]
                rows = cursor.fetchmany(1000)
            finally:
                connection.close()
        except sqlite3.OperationalError as error:
            if f"no such column: {kind}" in str(error) or f"no such column: [{kind}]" in str(error):
                return
            raise ConfigError(f"identity.query cannot be run: {error}") from None
        except sqlite3.Error as error:
            raise ConfigError(f"the identity database {self._path} cannot be read: {error}") from None
        for row in rows:
            filled = {n: str(v) for n, v in zip(names, row, strict=True) if n in self._kinds and v not in (None, "")}
            if filled:
                yield filled


class _Counter:
    """Lines, and how many bytes have been handed out: where the next CSV row starts."""

    def __init__(self, lines: Iterator[tuple[int, str]], start: int) -> None:
        self._lines = lines
        self.offset = start

    def __iter__(self) -> _Counter:
        return self

    def __next__(self) -> str:
        size, line = next(self._lines)
        self.offset += size
        return line


def _lines(file: BinaryIO, path: Path) -> Iterator[tuple[int, str]]:
    for line in file:
        try:
            yield len(line), line.decode("utf-8")
        except UnicodeDecodeError:
            raise ConfigError(f"the identity table {path} is not UTF-8 text") from None

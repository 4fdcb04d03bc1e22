"""Who is who: from the identifiers a request gives to all the identifiers of that one person.

The identity table has one row per person and one column per identifier kind or connection. It is never loaded whole.
"""

from __future__ import annotations

import csv
import sqlite3
from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Protocol

from habeas.cases.files import file_version
from habeas.cases.identifiers import BASE_KINDS, fold
from habeas.config import IdentityConfig
from habeas.errors import ConfigError, InputError
from habeas.http.paths import unsafe_reason
from habeas.models import Identifier, Subject

__all__ = ["WEAK_KINDS", "CsvIdentity", "IdentityTable", "SqliteIdentity", "open_identity", "resolve"]

WEAK_KINDS = ("email", "phone")
"""Kinds that people share: they find a person, but do not say who it is."""
_LONGEST_LINE = 1024 * 1024
_MOST_ROWS = 1000
"""Of one lookup: far more than one person has, enough to see that they are several."""

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
    strong = {i: rows for i, rows in found.items() if i.kind not in WEAK_KINDS}
    own = [row for rows in (strong or found).values() for row in rows]
    people = {_person(row) for row in own}
    if len(people) > 1:
        raise InputError(
            f"{len(people)} people in the identity table fit the identifiers given",
            advice="name one of them with customer_id=…",
        )
    if strong:
        _refuse_contradiction(found, own, people)
    known = [_usable(kind, value) for row in own for kind, value in row.items()]
    return Subject(tuple(dict.fromkeys((*given, *known))))


def _usable(kind: str, value: str) -> Identifier:
    """Raises :class:`InputError` for an id that no vendor could be asked about: before one is asked, not half-way."""
    reason = "" if kind in WEAK_KINDS else unsafe_reason(value)
    if reason:
        raise InputError(
            f"the {kind} of this person in the identity table cannot be used: {reason}", advice="correct it there"
        )
    return Identifier(kind, value)


def _person(row: Row) -> object:
    """Who a row is about: its customer_id, or, where it has none, the row itself."""
    return row.get("customer_id") or tuple(sorted(row.items()))


def _refuse_contradiction(
    found: Mapping[Identifier, list[dict[str, str]]], own: list[dict[str, str]], people: set[object]
) -> None:
    """An identifier that the table knows for other people only is not this person's; nor is another customer_id."""
    for identifier, rows in found.items():
        if identifier.kind in WEAK_KINDS and rows and people.isdisjoint(map(_person, rows)):
            raise InputError(
                f"the {identifier.kind} given belongs to somebody else in the identity table",
                advice="leave it out, or correct the customer_id",
            )
    customers = {row["customer_id"] for row in own if "customer_id" in row}
    if customers and any(i.kind == "customer_id" and i.value not in customers for i in found):
        raise InputError(
            "the customer_id given is not that of the person the other identifiers belong to in the identity table",
            advice="leave one of them out",
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


class _Index:
    """Where each filled cell is: its hash and its row's offset, 16 bytes a cell.

    In 256 parts, so that sorting one needs little more memory than the index itself.
    """

    def __init__(self, cells: Iterable[tuple[int, int]], version: tuple[int, ...]) -> None:
        self.version = version
        """The file as it was read."""
        self._parts = [(array("q"), array("q")) for _ in range(256)]
        for key, offset in cells:
            keys, offsets = self._parts[key & 255]
            keys.append(key)
            offsets.append(offset)
        for n, part in enumerate(self._parts):
            pairs = sorted(zip(*part, strict=True))
            self._parts[n] = (array("q", (key for key, _ in pairs)), array("q", (offset for _, offset in pairs)))

    def offsets(self, key: int) -> Iterator[int]:
        """Of the rows with a cell of that hash."""
        keys, offsets = self._parts[key & 255]
        position = bisect_left(keys, key)
        while position < len(keys) and keys[position] == key:
            yield offsets[position]
            position += 1


class CsvIdentity:
    """A CSV with a header, UTF-8 (a BOM is fine). One lookup reads it through; :meth:`build_index` makes many cheap.

    Blanks around a cell are not part of it. Every method raises :class:`ConfigError` for a file that cannot be trusted:
    not CSV, not UTF-8, a row with more cells than the header has (a comma that should have been quoted moves one
    column's value into another), or changed since it was indexed.
    """

    def __init__(self, path: Path, kinds: frozenset[str]) -> None:
        self._path = path
        self._index: _Index | None = None
        with self._open() as file:
            _, header = next(self._read(file), (0, []))
        self._width = len(header)
        self._columns = [(n, name.strip()) for n, name in enumerate(header) if name.strip() in kinds]
        names = [name for _, name in self._columns]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"the identity table {path} has the column {name} twice")
        if not names:
            raise ConfigError(
                f"the identity table {path} has none of the columns habeas knows",
                advice=f"name them {', '.join(sorted(kinds))}",
            )

    def build_index(self) -> None:
        """16 bytes per filled cell in memory; identifiers themselves stay in the file."""
        with self._open() as file:
            version = file_version(file.fileno())
            index = _Index(
                (
                    (hash((kind, fold(kind, value))), offset)
                    for offset, row in self._rows(file)
                    for kind, value in row.items()
                ),
                version,
            )
            self._refuse_changed(file, index)
        self._index = index

    def find(self, kind: str, value: str) -> Iterator[Row]:
        """The rows with this identifier; the same with an index as without."""
        wanted = fold(kind, value)
        with self._open() as file:
            rows = self._at(file, hash((kind, wanted))) if self._index else (row for _, row in self._rows(file))
            for row in rows:
                if kind in row and fold(kind, row[kind]) == wanted:
                    yield row

    def _at(self, file: BinaryIO, key: int) -> Iterator[Row]:
        assert self._index is not None  # noqa: S101 - for the type checker
        self._refuse_changed(file, self._index)
        for offset in self._index.offsets(key):
            file.seek(offset)
            yield from (row for _, row in islice(self._rows(file), 1))

    def _refuse_changed(self, file: BinaryIO, index: _Index) -> None:
        # In another file an offset may be the middle of somebody else's row.
        if file_version(file.fileno()) != index.version:
            raise ConfigError(
                f"the identity table {self._path} was changed while it was in use", advice="run the command again"
            )

    def _rows(self, file: BinaryIO) -> Iterator[tuple[int, Row]]:
        """Byte offset and filled cells of each row from where the file stands (at its start: without the header)."""
        cells_of_rows = self._read(file)
        if file.tell() == 0:
            next(cells_of_rows, None)
        for offset, cells in cells_of_rows:
            row = {name: cells[n].strip() for n, name in self._columns if n < len(cells) and cells[n].strip()}
            if row:
                yield offset, row

    def _read(self, file: BinaryIO) -> Iterator[tuple[int, list[str]]]:
        lines = _Lines(file, self._path)
        reader = csv.reader(lines, strict=True)
        while True:
            offset = lines.offset
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise ConfigError(
                    f"the identity table {self._path} is not CSV near line {reader.line_num}: {error}"
                ) from None
            if cells is None:
                return
            if offset and any(map(str.strip, cells[self._width :])):
                raise ConfigError(
                    f"line {reader.line_num} of the identity table {self._path} has more cells than the header",
                    advice="quote cells that hold a comma",
                )
            yield offset, cells

    def _open(self) -> BinaryIO:
        try:
            return self._path.open("rb")
        except OSError as error:
            raise ConfigError(f"the identity table {self._path} cannot be read ({error.strerror})") from None


class _Lines:
    """Lines of text, and the offset of the next one: where the next CSV row starts."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self._path = file, path
        self.offset = file.tell()

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._file.readline(_LONGEST_LINE)
        if not line:
            raise StopIteration
        first = self.offset == 0
        self.offset += len(line)
        if len(line) == _LONGEST_LINE:
            raise ConfigError(f"the identity table {self._path} has a line of over {_LONGEST_LINE} bytes")
        try:
            return line.decode("utf-8-sig" if first else "utf-8")
        except UnicodeDecodeError:
            raise ConfigError(f"the identity table {self._path} is not UTF-8 text") from None


class SqliteIdentity:
    """A query with ``{kind}`` for the column and ``:value`` for the value, on a database opened read-only.

    E-mail addresses are compared without the case of ASCII letters (``COLLATE NOCASE``), as everywhere in habeas; an
    index on them is used where it was made with ``COLLATE NOCASE``.
    """

    def __init__(self, path: Path, query: str, kinds: frozenset[str]) -> None:
        if not path.exists():
            raise ConfigError(f"the identity database {path} is missing")
        if "{kind}" not in query or ":value" not in query:
            raise ConfigError(
                "identity.query needs {kind} and :value", advice="select … from people where {kind} = :value"
            )
        self._path, self._query, self._kinds = path, query, kinds

    def find(self, kind: str, value: str) -> Iterator[Row]:
        """The rows of the people with this identifier; none where the table has no such column."""
        # Brackets: a column that does not exist is an error there, where quotes would make it a string.
        column = f"[{kind}] COLLATE NOCASE" if kind == "email" else f"[{kind}]"
        try:
            names, rows = self._run(self._query.replace("{kind}", column), value)
        except sqlite3.OperationalError as error:
            _, missing, name = str(error).partition("no such column: ")
            if missing and name.rpartition(".")[2] == kind:
                return
            raise ConfigError(f"identity.query cannot be run: {error}") from None
        except sqlite3.Error as error:
            raise ConfigError(f"the identity database {self._path} cannot be read: {error}") from None
        except UnicodeDecodeError:
            raise ConfigError(f"the identity database {self._path} holds text that is not UTF-8") from None
        if not self._kinds.intersection(names):
            raise ConfigError(
                "identity.query selects none of the columns habeas knows",
                advice=f"name them {', '.join(sorted(self._kinds))}",
            )
        for row in rows:
            filled = {n: _text(n, v) for n, v in zip(names, row, strict=True) if n in self._kinds and v is not None}
            yield {name: text for name, text in filled.items() if text}

    def _run(self, query: str, value: str) -> tuple[list[str], list[tuple[object, ...]]]:
        with closing(sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            # Our own decoding: SQLite's message about text that is not UTF-8 repeats the text.
            connection.text_factory = lambda raw: raw.decode("utf-8")
            cursor = connection.execute(query, {"value": value})
            if cursor.description is None:
                raise ConfigError("identity.query is not a SELECT")
            return [column[0] for column in cursor.description], cursor.fetchmany(_MOST_ROWS)


def _text(column: str, value: object) -> str:
    if not isinstance(value, str | int):
        raise ConfigError(
            f"identity.query gives {type(value).__name__} for the column {column}", advice="cast it to text"
        )
    return str(value).strip()

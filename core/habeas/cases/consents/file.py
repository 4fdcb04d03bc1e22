"""A CSV of consents: checked whole before anything is sent. Rows that are recorded already cost one keyed hash each.

Of a million rows perhaps one in a hundred says something new. A row is known again by its mark, without its cells being
looked at: it was checked and its person found when it was recorded, and it asks for nothing that is not on the list of
what is due. Only the others are checked and resolved, and read once more when the file was found good.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import accumulate
from operator import itemgetter
from pathlib import Path

from habeas.cases.consents.statements import Statement
from habeas.cases.csvfile import SHOWN, BadRow, CsvFile, is_empty, lines_of
from habeas.cases.identifiers import BASE_KINDS, check_identifier
from habeas.changes import ConsentState
from habeas.errors import InputError
from habeas.models import Identifier, Subject

__all__ = ["Checked", "ConsentFile", "Known"]

_COLUMNS = ("purpose", "state", "at")
_MARK = 16
_BUCKETS = 1 << 16
_TOGETHER = 250
"""Rows looked at in one step; of more, Python would look for garbage among them."""
_MOST_KEPT = 20_000
"""Statements of one file that are kept in memory, so that it need not be read again."""
_AHEAD = timedelta(minutes=5)
"""How far other clocks may be ahead of ours."""
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_PLAIN = {
    "customer_id": re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}"),
    "email": re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,60}@[A-Za-z0-9][A-Za-z0-9-]{0,60}(?:\.[A-Za-z0-9-]{1,60}){1,4}"),
}  # fmt: skip
_STATES = {str(state): state for state in ConsentState}


class Known:
    """The marks of rows that are recorded: 16 bytes each, packed by their first two bytes."""

    def __init__(self, marks: Iterable[Sequence[bytes]]) -> None:
        """``marks``: many at a time, in any order."""
        self.buckets: list[bytes] = [b""] * _BUCKETS
        """By the first two bytes. A mark is in its bucket or is not recorded: what is found there by chance, across
        the border of two, would be one of 2**128.
        """
        buckets = self.buckets
        for part in marks:
            for mark in part:
                buckets[mark[0] << 8 | mark[1]] += mark

    def __contains__(self, mark: bytes) -> bool:
        return mark in self.buckets[mark[0] << 8 | mark[1]]


@dataclass(frozen=True)
class Checked:
    """What the first reading found."""

    rows: int
    """All but empty ones."""
    known: int
    """Rows that are recorded already."""
    good: int
    """Others that can be used."""
    bad: int
    first_bad: tuple[BadRow, ...]
    unknown_columns: tuple[str, ...]
    digest: bytes
    """Keyed, over the marks of all rows: the same for the same rows in the same order."""


class ConsentFile:
    """One file, read twice. ``resolve`` finds the person. Raises as :class:`~habeas.cases.csvfile.CsvFile` does."""

    def __init__(
        self, path: Path, *, connections: Collection[str], purposes: Collection[str],
        resolve: Callable[[Sequence[Identifier]], Subject], now: datetime, key: bytes, said: Iterable[Sequence[bytes]],
    ) -> None:  # fmt: skip
        """``key`` makes the rows' marks; ``said`` are those that are known, many at a time."""
        self._file = CsvFile(path)
        self._kinds = (*BASE_KINDS, *connections)
        self._purposes, self._resolve, self._latest = frozenset(purposes), resolve, now + _AHEAD
        self._known, self._key = Known(said), key
        self._new = array("L")
        """Numbers of the rows that are neither known nor bad."""
        self._kept: list[Statement] | None = []
        """What they say; None where they are too many to keep."""

    def check(self) -> Checked:
        """Reads everything, and sends nothing."""
        self._file.check_header((*self._kinds, *_COLUMNS), _COLUMNS)
        if not set(self._file.header) & set(self._kinds):
            raise InputError(f"{self._file.path} has no identifier column", advice=f"one of {', '.join(self._kinds)}")
        rows = known = bad = 0
        first: list[BadRow] = []
        self._new, self._kept = array("L"), []
        buckets, marks_of = self._known.buckets, self._marker()
        digest = blake2b(key=self._key)
        for line, part in self._file.parts(_TOGETHER):
            marks = marks_of(part)
            rows += len(part)
            digest.update(b"".join(marks))
            fresh = [n for n, mark in enumerate(marks) if mark not in buckets[mark[0] << 8 | mark[1]]]
            known += len(part) - len(fresh)
            lines: list[int] = []
            for n in fresh:
                if is_empty(part[n]):
                    rows -= 1
                    continue
                statement = self._statement(line, part[n])
                if isinstance(statement, BadRow):
                    bad += 1
                    if len(first) < SHOWN:
                        lines = lines or _lines(line, part)
                        first.append(BadRow(lines[n], statement.reason))
                else:
                    self._remember(rows - len(part) + n, replace(statement, said=marks[n]))
        unknown = self._file.unknown_columns((*self._kinds, *_COLUMNS))
        return Checked(rows, known, len(self._new), bad, tuple(first), unknown, digest.digest())

    def statements(self) -> Iterator[Statement]:
        """What the file says that is not recorded yet; after :meth:`check`. Where that is much it is read once more."""
        if self._kept is not None:
            self._file.refuse_changed()
            yield from self._kept
            return
        marks_of = self._marker()
        wanted = iter(self._new)
        following = next(wanted, -1)
        for number, (line, cells) in enumerate(self._file.rows()):
            if number == following:
                following = next(wanted, -1)
                statement = self._statement(line, cells)
                if isinstance(statement, Statement):
                    yield replace(statement, said=marks_of([cells])[0])

    def bad_rows(self) -> Iterator[tuple[BadRow, list[str]]]:
        """The bad rows with their cells, for a file of their own."""
        marks_of = self._marker()
        for line, cells in self._file.rows():
            if marks_of([cells])[0] not in self._known and isinstance(bad := self._statement(line, cells), BadRow):
                yield bad, cells

    @property
    def header(self) -> list[str]:
        """The column names."""
        return self._file.header

    def _marker(self) -> Callable[[Sequence[list[str]]], list[bytes]]:
        """Makes the marks of rows: of the cells that mean something, and of which columns they are."""
        header = self._file.header
        known = {*self._kinds, *_COLUMNS}
        places = [n for n, name in enumerate(header) if name in known]
        pick = None if len(places) == len(header) else itemgetter(*places)
        base = blake2b(",".join(header[n] for n in places).encode() + b"\0", key=self._key, digest_size=_MARK)
        # No cell that was ever recorded holds this character: the same text is the same cells, and as many of them.
        join, copy, width = "\x1f".join, base.copy, len(header)

        def marks(rows: Sequence[list[str]]) -> list[bytes]:
            if pick is not None:
                rows = [list(pick(cells)) if len(cells) == width else [*cells, "\x1f"] for cells in rows]
            made = []
            for text in map(join, rows):
                one = copy()
                one.update(text.encode("utf-8", "surrogatepass"))
                made.append(one.digest())
            return made

        return marks

    def _remember(self, number: int, statement: Statement) -> None:
        self._new.append(number)
        if self._kept is not None:
            self._kept.append(statement)
            if len(self._kept) > _MOST_KEPT:
                self._kept = None

    # -- one row ----------------------------------------------------------------------------------------------------

    def _statement(self, line: int, cells: list[str]) -> Statement | BadRow:
        if (wrong := self._file.wrong_width(line, cells)) is not None:
            return wrong
        values = {name: text for name, cell in zip(self.header, cells, strict=True) if (text := cell.strip())}
        try:
            return self._parse(values)
        except InputError as error:
            return BadRow(line, error.line())

    def _parse(self, values: Mapping[str, str]) -> Statement:
        given = [_identifier(kind, values[kind]) for kind in self._kinds if kind in values]
        if not given:
            raise InputError(f"no identifier is given ({', '.join(self._kinds)})")
        if values.get("purpose") not in self._purposes:
            raise InputError(f"purpose is not one that is configured: {', '.join(sorted(self._purposes)) or 'none'}")
        state = _STATES.get(values.get("state", "").lower())
        if state is None:
            raise InputError(f"state is not one of {', '.join(_STATES)}")
        at = self._at(values.get("at", ""))
        return Statement(self._resolve(given), values["purpose"], state, at)

    def _at(self, text: str) -> datetime:
        try:
            if not _RFC3339.fullmatch(text):
                raise ValueError
            at = datetime.fromisoformat(text.upper().replace(" ", "T")).astimezone(UTC)
        except (ValueError, OverflowError):
            raise InputError("at is not a time with its offset (2026-11-02T09:30:00+01:00)") from None
        if at > self._latest or at.year < 2000:
            raise InputError("at is in the future or before the year 2000")
        return at


def _identifier(kind: str, value: str) -> Identifier:
    """What :func:`check_identifier` says; of the usual ones without looking at each character."""
    plain = _PLAIN.get(kind)
    if plain is not None and plain.fullmatch(value):
        return Identifier(kind, value)
    return check_identifier(kind, value)


def _lines(line: int, rows: Sequence[Sequence[str]]) -> list[int]:
    """The line on which each row begins."""
    return list(accumulate((lines_of(cells) for cells in rows), initial=line))

"""From a JSON document to tables that a person can read: labels and values, capped so that the page stays small."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain

from habeas.reports.package.jsontext import Members, Number, Value
from habeas.reports.package.labels import moment_of, name_label

__all__ = [
    "MAX_CHARS",
    "MAX_COLUMNS",
    "MAX_DOCUMENT_CHARS",
    "MAX_ITEMS",
    "MAX_ROWS",
    "MAX_TABLE_ROWS",
    "Cell",
    "Field",
    "FieldTable",
    "Grid",
    "Label",
    "Reading",
    "entries",
    "read",
]

MAX_ROWS = 400
"""Rows shown of one document, all its tables together."""
MAX_TABLE_ROWS = 25
"""Rows shown of one list of similar objects."""
MAX_ITEMS = 10
"""Items shown of a list whose objects are too large for a table."""
MAX_COLUMNS = 7
MAX_CHARS = 1000
"""Characters shown of one value."""
MAX_DOCUMENT_CHARS = 200_000
"""Characters shown of one document, after which no further row is begun."""
_MAX_NAME_CHARS = 80
_MAX_INDENT = 6


@dataclass(frozen=True, repr=False)
class Label:
    """A field's name in words; ``name`` is the name in the file where it reads differently, otherwise empty."""

    text: str
    name: str = ""


@dataclass(frozen=True, repr=False)
class Cell:
    """One value as shown. ``when``: the original of a date. ``more``: characters cut off. ``note``: our words."""

    text: str
    when: str = ""
    more: int = 0
    note: bool = False


@dataclass(frozen=True, repr=False)
class Field:
    """A row: a label with its values, or (neither values nor more) the heading of the rows indented below it."""

    label: Label
    depth: int
    values: tuple[Cell, ...] = ()
    more: int = 0
    """Values of a list that are not shown."""


@dataclass(frozen=True, repr=False)
class FieldTable:
    """Label and value, one pair per row."""

    caption: str
    rows: tuple[Field, ...]


@dataclass(frozen=True, repr=False)
class Grid:
    """A list of similar objects: one object per row."""

    caption: str
    columns: tuple[Label, ...]
    rows: tuple[tuple[tuple[Cell, ...], ...], ...]
    more: int
    """Objects that are not shown."""


@dataclass(frozen=True, repr=False)
class Reading:
    """A document as the page shows it. ``hidden``: values left out where no row or table says so itself."""

    tables: tuple[FieldTable | Grid, ...]
    hidden: int


def read(value: Value, caption: str) -> Reading:
    """Lays a document out: plain values first, then what is nested, indented; similar objects as a table."""
    reader = _Reader()
    reader.document(value, caption)
    return Reading(tuple(reader.tables), reader.hidden)


def entries(value: Value) -> int:
    """How many things a document tells of: the length of a list, otherwise one."""
    return len(value) if isinstance(value, list) else 1


class _Reader:
    """Collects the tables of one document and counts what its caps leave out without a trace."""

    def __init__(self) -> None:
        self.tables: list[FieldTable | Grid] = []
        self.hidden = 0
        self._rows: list[Field] = []
        self._rows_left = MAX_ROWS
        self._chars_left = MAX_DOCUMENT_CHARS

    def document(self, value: Value, caption: str) -> None:
        columns = _columns(value)
        if isinstance(value, list) and columns is not None:
            self._grid(value, columns, caption)
        elif isinstance(value, list) and not _plain(value):
            for number, item in enumerate(value[:MAX_ITEMS], 1):
                self._table(item, f"{caption}, {number} of {len(value)}")
            self.hidden += _leaves(value[MAX_ITEMS:])
        else:
            self._table(value, caption)

    def _table(self, value: Value, caption: str) -> None:
        """One table of fields, followed by the grids that belong to it."""
        place = len(self.tables)
        if _plain(value):
            self._field(Label("Value"), value, 0)
        elif isinstance(value, Members):
            self._members(value, 0, caption)
        elif isinstance(value, list):
            self._items(Label("Entry"), value, 0, caption)
        if self._rows:
            self.tables.insert(place, FieldTable(caption, tuple(self._rows)))
            self._rows = []

    def _members(self, value: Members, depth: int, path: str) -> None:
        # Plain values first: a row after a nested group would look as if it belonged to the group.
        for name, item in sorted(value.pairs, key=lambda pair: _weight(pair[1])):
            self._member(_label(name), item, depth, path)

    def _member(self, label: Label, value: Value, depth: int, path: str) -> None:
        below = f"{path} / {label.text}"
        columns = _columns(value)
        if _plain(value):
            self._field(label, value, depth)
        elif isinstance(value, Members):
            if self._row(Field(label, depth), [value]):
                self._members(value, depth + 1, below)
        elif isinstance(value, list) and columns is not None:
            note = Cell(f"{len(value)} entries, in the table “{below}”", note=True)
            if self._row(Field(label, depth, (note,)), value):
                self._grid(value, columns, below)
        elif isinstance(value, list):
            self._items(label, value, depth, path)

    def _items(self, label: Label, value: list[Value], depth: int, path: str) -> None:
        for number, item in enumerate(value[:MAX_ITEMS], 1):
            self._member(Label(f"{label.text}, {number} of {len(value)}", label.name), item, depth, path)
        if len(value) > MAX_ITEMS:
            self._row(Field(label, depth, (), len(value) - MAX_ITEMS), value[MAX_ITEMS:])

    def _field(self, label: Label, value: Value, depth: int) -> None:
        if isinstance(value, list) and value:
            more = max(0, len(value) - MAX_TABLE_ROWS)
            self._row(Field(label, depth, tuple(_cell(item) for item in value[:MAX_TABLE_ROWS]), more), value)
        else:
            self._row(Field(label, depth, (_cell(value),)), [value])

    def _row(self, row: Field, stands_for: list[Value]) -> bool:
        """Takes the row if there is room; otherwise counts the values it stands for as hidden."""
        if not self._room():
            self.hidden += _leaves(stands_for)
            return False
        self._spend(row.values)
        self._rows.append(replace(row, depth=min(row.depth, _MAX_INDENT)))
        return True

    def _grid(self, value: list[Value], columns: tuple[tuple[str, ...], ...], caption: str) -> None:
        rows: list[tuple[tuple[Cell, ...], ...]] = []
        for item in value[:MAX_TABLE_ROWS]:
            if not self._room():
                break
            rows.append(tuple(_cells(_at(item, column)) for column in columns))
            self._spend(chain.from_iterable(rows[-1]))
        labels = tuple(_path_label(column) for column in columns)
        self.tables.append(Grid(caption, labels, tuple(rows), len(value) - len(rows)))

    def _room(self) -> bool:
        return self._rows_left > 0 and self._chars_left > 0

    def _spend(self, cells: Iterable[Cell]) -> None:
        self._rows_left -= 1
        self._chars_left -= sum(len(cell.text) for cell in cells)


def _columns(value: Value) -> tuple[tuple[str, ...], ...] | None:
    """The columns of a list of similar objects, each a path of names; None where a table would not fit."""
    if not isinstance(value, list) or len(value) < 2:
        return None
    columns: dict[tuple[str, ...], None] = {}
    for item in value:
        paths = _paths(item)
        if not paths or len(set(paths)) < len(paths):
            return None
        columns.update(dict.fromkeys(paths))
        if len(columns) > MAX_COLUMNS:
            return None
    clash = any(one == other[: len(one)] for one in columns for other in columns if len(one) < len(other))
    return None if clash else tuple(columns)


def _paths(value: Value) -> list[tuple[str, ...]]:
    """Paths to the plain values of an object that nests at most one level deep; empty where it is not one."""
    if not isinstance(value, Members):
        return []
    paths: list[tuple[str, ...]] = []
    for name, item in value.pairs:
        if _short(item):
            paths.append((name,))
        elif isinstance(item, Members) and all(_short(below) for _, below in item.pairs):
            paths.extend((name, below) for below, _ in item.pairs)
        else:
            return []
    return paths


def _at(value: Value, path: tuple[str, ...]) -> tuple[Value, ...]:
    """The value at a path, as a tuple of one; empty where the object has no such member."""
    found: tuple[Value, ...] = (value,)
    for name in path:
        found = tuple(item for holder in found if isinstance(holder, Members) for n, item in holder.pairs if n == name)
    return found


def _plain(value: Value) -> bool:
    """True for what fits one row: a scalar, an empty object or list, or a list of these."""
    if isinstance(value, Members):
        return not value.pairs
    return not isinstance(value, list) or _all_plain(value)


def _short(value: Value) -> bool:
    return _plain(value) and not (isinstance(value, list) and len(value) > MAX_ITEMS)


def _all_plain(value: list[Value]) -> bool:
    return not any(isinstance(item, list) or (isinstance(item, Members) and item.pairs) for item in value)


def _weight(value: Value) -> int:
    if _plain(value):
        return 0
    return 1 if isinstance(value, Members) else 2


def _leaves(values: Iterable[Value]) -> int:
    """How many plain values there are in all of these."""
    count = 0
    todo = list(values)
    while todo:
        item = todo.pop()
        if isinstance(item, Members):
            todo.extend(below for _, below in item.pairs)
        elif isinstance(item, list):
            todo.extend(item)
        else:
            count += 1
    return count


def _cells(found: tuple[Value, ...]) -> tuple[Cell, ...]:
    flat = chain.from_iterable(item if isinstance(item, list) and item else (item,) for item in found)
    return tuple(_cell(item) for item in flat)


def _cell(value: Value) -> Cell:
    if value is None:
        return Cell("not filled in", note=True)
    if isinstance(value, bool):
        return Cell("Yes" if value else "No")
    if not isinstance(value, str):
        return Cell("none", note=True)
    if not value:
        return Cell("empty text", note=True)
    if not isinstance(value, Number) and (spoken := moment_of(value)):
        return Cell(spoken, when=value)
    return Cell(value[:MAX_CHARS], more=max(0, len(value) - MAX_CHARS))


def _label(name: str) -> Label:
    if len(name) > _MAX_NAME_CHARS:
        return Label(name[:_MAX_NAME_CHARS] + "…")
    text = name_label(name)
    return Label(text, "" if text == name else name)


def _path_label(path: tuple[str, ...]) -> Label:
    labels = [_label(name) for name in path]
    text, name = ": ".join(label.text for label in labels), ".".join(path)
    return Label(text, name if any(label.name for label in labels) or len(path) > 1 else "")

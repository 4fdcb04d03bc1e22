"""A CSV that somebody hands in: read more than once, row by row, with memory that stays flat."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import os
import re
import stat
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from habeas.cases.files import file_version
from habeas.errors import InputError

__all__ = ["SHOWN", "BadRow", "CsvFile", "is_empty", "lines_of"]

_BREAK = re.compile(r"\r\n|\r|\n")

SHOWN = 20
"""How many bad rows are told one by one."""


class _Reader(Iterator[list[str]], Protocol):
    """What ``csv.reader`` makes; its own type has a name only for type checkers."""

    @property
    def line_num(self) -> int: ...


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be used, and why, without its values."""

    line: int
    reason: str


class CsvFile:
    """One file, the same at every reading.

    Every method raises :class:`InputError` where the file as a whole cannot be used: not CSV, not UTF-8, no plain file,
    changed between two readings.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._version: tuple[int, ...] = ()
        """The file as it was when it was opened first."""
        self._header: list[str] = []

    @property
    def header(self) -> list[str]:
        """The cells of the first row, without blanks around them."""
        if not self._header:
            _, header = next(self._lines(), (0, []))
            self._header = [name.strip() for name in header]
        return self._header

    def check_header(self, known: Sequence[str], needed: Collection[str]) -> None:
        """Raises where a known column is there twice, or a needed one is not."""
        for name in known:
            if self.header.count(name) > 1:
                raise InputError(f"{self.path} has the column '{name}' twice")
        for name in needed:
            if name not in self.header:
                raise InputError(f"{self.path} has no column '{name}'", advice=f"columns: {', '.join(known)}")

    def unknown_columns(self, known: Collection[str]) -> tuple[str, ...]:
        """Names of columns that mean nothing here, each once."""
        return tuple(dict.fromkeys(name for name in self.header if name and name not in known))

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Line number on which each row begins, and its cells; rows without anything in them are passed over."""
        return itertools.islice(self._lines(), 1, None)

    def parts(self, most: int) -> Iterator[tuple[int, list[list[str]]]]:
        """All rows but the header, so many at a time, empty ones among them; and the line on which the first begins.

        For those who look at a million rows: :meth:`rows` costs as much again as reading them.
        """
        with self._reading() as reader:
            next(reader, None)
            while True:
                line = reader.line_num + 1
                rows = list(itertools.islice(reader, most))
                if not rows:
                    return
                yield line, rows

    def wrong_width(self, line: int, cells: Sequence[str]) -> BadRow | None:
        """What is wrong with a row that has more or fewer cells than the header."""
        if len(cells) == len(self.header):
            return None
        return BadRow(line, f"it has {len(cells)} cells, the header has {len(self.header)}")

    def refuse_changed(self) -> None:
        """Raises where it is no longer the file that was read."""
        self._open().close()

    def digest(self) -> bytes:
        """SHA-256 of its bytes."""
        with self._open() as file:
            return hashlib.file_digest(file, "sha256").digest()

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        line = 0
        with self._reading() as reader:
            for cells in reader:
                if not is_empty(cells):
                    yield line + 1, cells
                line = reader.line_num

    @contextmanager
    def _reading(self) -> Iterator[_Reader]:
        reader: _Reader | None = None
        try:
            with self._open() as file:
                reader = csv.reader(io.TextIOWrapper(file, encoding="utf-8-sig", newline=""), strict=True)
                yield reader
                self._refuse_changed(file.fileno())
        except UnicodeDecodeError:
            raise InputError(f"{self.path} is not UTF-8 text", advice="save it as CSV UTF-8") from None
        except csv.Error as error:
            line = reader.line_num if reader is not None else 1
            raise InputError(f"{self.path} is not CSV near line {line}: {error}") from None

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


def is_empty(cells: Sequence[str]) -> bool:
    """Whether a row has nothing in it. The first cell alone tells that of nearly all."""
    return not ((cells and cells[0] and not cells[0].isspace()) or any(map(str.strip, cells)))


def lines_of(cells: Sequence[str]) -> int:
    """How many lines of the file a row takes."""
    return 1 + sum(len(_BREAK.findall(cell)) for cell in cells)

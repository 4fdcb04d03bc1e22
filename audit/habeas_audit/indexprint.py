"""A fingerprint of what leads to the entries (`cases`, `case_entries`, `kinds`): of the tables, and of the bodies.

Both sides come in an order of their own, and neither fits into memory. So each pair of a name and an entry is a number,
and a set of them is the product of (z - number) modulo a prime, for a z drawn anew each time: two sets of n numbers
that differ have the same product by a chance of n in 2^61 (Schwartz-Zippel). Names become numbers by a hash under a
key that nobody knows beforehand either.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Final

from habeas_audit.schema import MANY

_PRIME: Final = 2**61 - 1
_PAGE: Final = 1000
"""Cases, or entries of rare types, that are read in one short transaction, so that writers never wait long."""
_KNOWN: Final = 50_000
"""Names whose number is remembered."""

_CASES: Final = "SELECT case_id, first FROM cases WHERE case_id > ? AND first <= ? ORDER BY case_id LIMIT ?"
_ENTRIES: Final = "SELECT seq FROM case_entries WHERE first = ? AND seq <= ?"
_KINDS: Final = "SELECT type, seq FROM kinds WHERE (type, seq) > (?, ?) AND seq <= ? ORDER BY type, seq LIMIT ?"


class IndexPrint:
    """The product so far. Parts that were taken up elsewhere are multiplied in."""

    def __init__(self, z: int) -> None:
        self._z, self._key = z % _PRIME, z.to_bytes(16)
        self._numbers: dict[str, int] = {}
        self.value = 1

    def take(self, entries: Iterable[tuple[int, str, str]]) -> None:
        """Entries as (number, case, type): what must lead to each."""
        value, known = self.value, self._numbers.get
        for seq, case_id, type_ in entries:
            if case_id:
                value = value * ((known(case_id) or self._number(case_id)) - seq) % _PRIME
            if type_ not in MANY:
                name = f"type {type_}"  # which is no name of a case
                value = value * ((known(name) or self._number(name)) - seq) % _PRIME
        self.value = value

    def multiply(self, other: int) -> None:
        """Takes up what another one has."""
        self.value = self.value * other % _PRIME

    def take_tables(self, db: sqlite3.Connection, last: int) -> None:
        """The same of what the tables say of entries up to `last`; text comes from `db` as bytes."""
        value, found = self.value, 0
        for case_id, first in _cases(db, last):
            number = self._number(case_id.decode(errors="replace"))
            entries = db.execute(_ENTRIES, (first, last)).fetchall()
            for (seq,) in entries:
                value = value * (number - seq) % _PRIME
            found += len(entries) or -last  # no case is without entries
        for type_, seq in _kinds(db, last):
            value = value * (self._number(f"type {type_.decode(errors='replace')}") - seq) % _PRIME
        (rows,) = db.execute("SELECT count(*) FROM case_entries WHERE seq <= ?", (last,)).fetchone()
        self.value = value if rows == found else 0  # which no product is, but for one chance in 2^61

    def _number(self, name: str) -> int:
        """z less the name's number."""
        number = self._numbers.get(name)
        if number is None:
            if len(self._numbers) >= _KNOWN:
                self._numbers.clear()
            digest = blake2b(name.encode(), digest_size=16, key=self._key).digest()
            number = self._numbers[name] = (self._z - int.from_bytes(digest)) % _PRIME
        return number


def _cases(db: sqlite3.Connection, last: int) -> Iterator[tuple[bytes, int]]:
    after = ""
    while rows := db.execute(_CASES, (after, last, _PAGE)).fetchall():
        yield from rows
        after = rows[-1][0].decode(errors="replace")


def _kinds(db: sqlite3.Connection, last: int) -> Iterator[tuple[bytes, int]]:
    key = ("", 0)
    while rows := db.execute(_KINDS, (*key, last, _PAGE)).fetchall():
        yield from rows
        key = (rows[-1][0].decode(errors="replace"), rows[-1][1])

"""Who is who in the store of consents: sealed identifiers, and keyed marks by which they are found."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from hashlib import blake2b

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from habeas.cases.consents.database import Database
from habeas.cases.identifiers import fold
from habeas.cases.identity import WEAK_KINDS
from habeas.errors import StorageError
from habeas.models import Identifier, Subject

__all__ = ["People", "naming"]

_Told = tuple[str, str, int]
"""Kind and value of an identifier, and when somebody was last called so."""


class People:
    """Every method takes the transaction it is part of."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._made: AESGCM | None = None

    def _cipher(self) -> AESGCM:
        if self._made is None:
            self._made = AESGCM(self._database.key("people"))
        return self._made

    def find(self, db: sqlite3.Connection, subject: Subject) -> int | None:
        """The person who has one of the ids that say who somebody is; without an id, who has the address alone."""
        for mark in self._naming(subject):
            row = db.execute("SELECT person FROM marks WHERE mark = ? AND names = 1", (mark,)).fetchone()
            if row is not None:
                return int(row[0])
        return None

    def take(self, db: sqlite3.Connection, subject: Subject, at: int) -> tuple[int, bool]:
        """The person, taken in where they are new, with what a statement made at ``at`` tells of them.

        Of each kind of identifier the newest is kept, whatever the order in which they come; who once had an address
        is still found by it. True: a mark was new.
        """
        person = self.find(db, subject)
        old: list[_Told] = []
        if person is None:
            cursor = db.execute("INSERT INTO people(nonce, sealed) VALUES (x'', x'')")
            person = int(cursor.lastrowid or 0)
        else:
            old = self._unseal(db, person)
        told = _newest([*old, *((i.kind, i.value, at) for i in subject.identifiers)])
        if told != old:
            self._seal(db, person, told)
        known = {(kind, value) for kind, value, _ in old}
        new = [i for i in subject.identifiers if (i.kind, i.value) not in known]
        if not new:
            return person, False
        before = db.total_changes
        says = set(naming(subject))
        db.executemany(
            "INSERT INTO marks VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            [(self.mark(i), person, int(i in says), int(i.kind in WEAK_KINDS)) for i in new],
        )
        return person, db.total_changes != before

    def subject(self, db: sqlite3.Connection, person: int) -> Subject:
        """All identifiers of a person. Raises :class:`StorageError` where they were changed."""
        return Subject(tuple(Identifier(kind, value) for kind, value, _ in self._unseal(db, person)))

    def sharing(self, db: sqlite3.Connection, person: int, *, naming: int) -> list[int]:
        """Others with the same address or number: those it is all that is known of (``naming`` 1), or the rest (0)."""
        rows = db.execute(
            "SELECT DISTINCT other.person FROM marks AS own JOIN marks AS other USING (mark) "
            "WHERE own.person = ? AND own.weak = 1 AND own.names = ? AND other.names = ? AND other.person <> ?",
            (person, 1 - naming, naming, person),
        ).fetchall()
        return [other for (other,) in rows]

    def matching(self, db: sqlite3.Connection, subject: Subject) -> list[int]:
        """Whoever the subject is: by an id; and whoever is known by nothing else than one of its addresses."""
        found: dict[int, None] = {}
        for identifier in subject.identifiers:
            rows = db.execute("SELECT person FROM marks WHERE mark = ? AND names = 1", (self.mark(identifier),))
            found.update((person, None) for (person,) in rows)
        return list(found)

    def remove(self, db: sqlite3.Connection, persons: Sequence[int]) -> None:
        """Takes people out with all that is known of them."""
        for person in persons:
            for table in ("due", "confirmed", "wanted", "marks", "people"):
                db.execute(f"DELETE FROM {table} WHERE person = ?", (person,))  # noqa: S608 - our own names
        if persons:
            db.execute("UPDATE scrub SET needed = 1")

    def after(self, db: sqlite3.Connection, person: int, most: int) -> list[int]:
        """The next people by number."""
        rows = db.execute("SELECT person FROM people WHERE person > ? ORDER BY person LIMIT ?", (person, most))
        return [number for (number,) in rows]

    def mark(self, identifier: Identifier) -> bytes:
        """What stands for an identifier: a keyed hash of 16 bytes."""
        text = f"{identifier.kind}\0{fold(identifier.kind, identifier.value)}"
        return blake2b(text.encode(), key=self._database.key("marks"), digest_size=16).digest()

    def _naming(self, subject: Subject) -> Iterator[bytes]:
        """Marks of what says who somebody is: the shop's id first; an address only where there is no id."""
        yield from (self.mark(i) for i in naming(subject))

    def _seal(self, db: sqlite3.Connection, person: int, told: Sequence[_Told]) -> None:
        nonce = secrets.token_bytes(12)
        plain = json.dumps(told, separators=(",", ":")).encode("ascii")
        sealed = self._cipher().encrypt(nonce, plain, _bound_to(person))
        db.execute("UPDATE people SET nonce = ?, sealed = ? WHERE person = ?", (nonce, sealed, person))

    def _unseal(self, db: sqlite3.Connection, person: int) -> list[_Told]:
        row = db.execute("SELECT nonce, sealed FROM people WHERE person = ?", (person,)).fetchone()
        if row is None:
            raise StorageError("the store of consents names a person it does not hold", advice="restore it")
        try:
            plain = self._cipher().decrypt(row[0], row[1], _bound_to(person))
        except (InvalidTag, ValueError):
            raise StorageError("a person in the store of consents was changed or is damaged") from None
        return [(kind, value, at) for kind, value, at in json.loads(plain)]


def naming(subject: Subject) -> list[Identifier]:
    """The identifiers that say who somebody is: ids, the shop's first; addresses only where there is no id."""
    strong = [i for i in subject.identifiers if i.kind not in WEAK_KINDS]
    return sorted(strong, key=lambda i: i.kind != "customer_id") or list(subject.identifiers)


def _newest(told: Sequence[_Told]) -> list[_Told]:
    """Of each kind, what was said last; several where they were said at one time."""
    last: dict[str, int] = {}
    for kind, _, at in told:
        last[kind] = max(at, last.get(kind, at))
    return sorted({one for one in told if one[2] == last[one[0]]})


def _bound_to(person: int) -> bytes:
    return f"consents v1|{person}".encode()

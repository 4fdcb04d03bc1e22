"""What is still to be made true: one row per person, purpose and connection, until the vendor was seen to agree.

Written in the same transaction as the statement it follows from, so that nothing that was recorded is ever forgotten.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from habeas.cases.consents.database import Database
from habeas.cases.consents.people import People
from habeas.cases.consents.statements import instant, said_at
from habeas.changes import ConsentState
from habeas.models import Result, Subject

__all__ = ["Confirmed", "Due", "DueList", "Key"]

_RESULTS = tuple(Result)
"""Stored by place: the order of :class:`~habeas.models.Result` is never changed."""


@dataclass(frozen=True)
class Key:
    """One purpose of one person at one connection."""

    person: int
    purpose: str
    connection: str


@dataclass(frozen=True)
class Due:
    """Something that is to be made true."""

    key: Key
    state: ConsentState
    said_at: datetime
    """When the person said so."""
    sent: bool
    """Whether a call for several people may have done it."""
    otherwise: bool
    """Whether the connection was last seen to hold the other state: it need not be read to know that it differs."""


@dataclass(frozen=True)
class Confirmed:
    """What a connection was last seen to hold, or why it does not."""

    key: Key
    state: ConsentState
    result: Result
    at: datetime


class DueList:
    """The work that is left. ``targets``: purpose → connections that have a mapping for it."""

    def __init__(self, database: Database, people: People, targets: Mapping[str, Collection[str]]) -> None:
        self._database, self._people, self._targets = database, people, targets
        self.seen: Callable[[Confirmed, datetime], object] = lambda *_: None
        """Told of everything that is confirmed, and when it was said."""

    def changed(self, db: sqlite3.Connection, person: int, purpose: int, state: int) -> None:
        """Somebody wants something else now: due wherever the connection was not last seen to hold it."""
        for name in self._targets.get(self._database.text(purpose), ()):
            connection = self._database.word(db, name)
            where = (person, purpose, connection)
            held = db.execute(
                "SELECT state FROM confirmed WHERE person = ? AND purpose = ? AND connection = ?", where
            ).fetchone()
            # A case that is open for it goes on with what is wanted now.
            old = db.execute(
                "DELETE FROM due WHERE person = ? AND purpose = ? AND connection = ? RETURNING case_id", where
            ).fetchall()
            if old and old[0][0]:
                self._insert(db, state, *where, old[0][0])
            elif held is None or held[0] != state:
                self._insert(db, state, *where, "")

    def _insert(
        self, db: sqlite3.Connection, state: int, person: int, purpose: int, connection: int, case_id: str
    ) -> None:
        row = (state, person, purpose, connection, case_id)
        db.execute("INSERT OR REPLACE INTO due VALUES (?, ?, ?, ?, ?, 0)", row)

    def remap(self, mappings: Mapping[tuple[str, str], bytes]) -> int:
        """Takes in what (purpose, connection) is called now: where that changed, nothing is known any more.

        Returns how many are due for that reason.
        """
        added = 0
        with self._database.writing() as db:
            wanted = {
                (self._database.word(db, purpose), self._database.word(db, connection)): digest
                for (purpose, connection), digest in mappings.items()
            }
            known = {(p, c): d for p, c, d in db.execute("SELECT purpose, connection, digest FROM mappings")}
            for pair in known.keys() | wanted.keys():
                if known.get(pair) == wanted.get(pair):
                    continue
                if pair in known:
                    for table in ("confirmed", "due", "mappings"):
                        where = "WHERE purpose = ? AND connection = ?"
                        db.execute(f"DELETE FROM {table} {where}", pair)  # noqa: S608 - our own names
                if pair in wanted:
                    cursor = db.execute(
                        "INSERT INTO due SELECT granted > withdrawn, person, purpose, ?2, '', 0 FROM wanted "
                        "WHERE purpose = ?1 AND NOT EXISTS (SELECT 1 FROM confirmed AS seen WHERE "
                        "seen.person = wanted.person AND seen.purpose = ?1 AND seen.connection = ?2 "
                        "AND seen.state = (granted > withdrawn)) ON CONFLICT DO NOTHING",
                        pair,
                    )
                    added += cursor.rowcount
                    db.execute("INSERT INTO mappings VALUES (?, ?, ?)", (*pair, wanted[pair]))
        return added

    # -- the work list ----------------------------------------------------------------------------------------------

    def count(self) -> int:
        """How many people something is due for."""
        with self._database.reading() as db:
            if db is None:
                return 0
            return int(db.execute("SELECT count(DISTINCT person) FROM due").fetchone()[0])

    def left(self) -> dict[tuple[str, str], int]:
        """(connection, purpose) → for how many people something is still due there."""
        with self._database.reading() as db:
            if db is None:
                return {}
            texts = self._database.texts(db)
            rows = db.execute("SELECT connection, purpose, count(*) FROM due GROUP BY connection, purpose").fetchall()
        return {(texts[connection], texts[purpose]): count for connection, purpose, count in rows}

    def cases(self) -> list[str]:
        """Cases that were opened for what is due."""
        with self._database.reading() as db:
            if db is None:
                return []
            rows = db.execute("SELECT DISTINCT case_id FROM due WHERE case_id <> '' ORDER BY case_id").fetchall()
        return [case_id for (case_id,) in rows]

    def people(self, state: ConsentState, after: int, most: int, without: Collection[str] = ()) -> list[int]:
        """The next people, by number, of whom something is due in that state and has no case."""
        with self._database.reading() as db:
            if db is None:
                return []
            down = [self._database.known_word(db, name) for name in without]
            places = ",".join("?" * len(down))
            rows = db.execute(
                "SELECT DISTINCT person FROM due WHERE state = ? AND person > ? AND case_id = '' "  # noqa: S608
                f"AND connection NOT IN ({places}) ORDER BY person LIMIT ?",
                (int(state is ConsentState.GRANTED), after, *down, most),
            )
            return [person for (person,) in rows]

    def of(self, persons: Iterable[int]) -> dict[int, list[Due]]:
        """All that is due for these people and has no case."""
        found: dict[int, list[Due]] = {}
        with self._database.reading() as db:
            if db is None:
                return {}
            texts = self._database.texts(db)
            for person in persons:
                rows = db.execute(
                    "SELECT due.purpose, due.connection, due.state, granted, withdrawn, due.sent, seen.state, "
                    "seen.result FROM due JOIN wanted USING (person, purpose) LEFT JOIN confirmed AS seen "
                    "USING (person, purpose, connection) WHERE due.person = ? AND due.case_id = '' "
                    "ORDER BY due.connection, due.purpose",
                    (person,),
                )
                found[person] = [
                    Due(
                        Key(person, texts[purpose], texts[connection]), _state(state),
                        said_at(granted, withdrawn), bool(sent),
                        held is not None and held != state and _RESULTS[result] in (Result.UPDATED, Result.UNCHANGED),
                    )
                    for purpose, connection, state, granted, withdrawn, sent, held, result in rows
                ]  # fmt: skip
        return found

    def subjects(self, persons: Iterable[int]) -> dict[int, Subject]:
        """Who they are."""
        with self._database.reading() as db:
            return {} if db is None else {person: self._people.subject(db, person) for person in persons}

    def assign(self, cases: Mapping[int, str], keys: Iterable[Key]) -> None:
        """Remembers which case (by person) takes care of what, before the case is opened."""
        self._set("case_id = ?", [(cases[key.person], key) for key in keys])

    def release(self, case_ids: Iterable[str]) -> None:
        """These cases are closed, or were never opened: what is still due is anybody's again."""
        with self._database.writing() as db:
            db.executemany("UPDATE due SET case_id = '' WHERE case_id = ?", [(case_id,) for case_id in case_ids])

    def mark_sent(self, keys: Iterable[Key]) -> None:
        """A call for several people is about to be made."""
        self._set("sent = ?", [(1, key) for key in keys])

    def sent(self, case_id: str, connection: str) -> bool:
        """Whether such a call may have done what a case asks."""
        with self._database.reading() as db:
            if db is None:
                return False
            word = self._database.known_word(db, connection)
            return any(
                db.execute(
                    f"SELECT 1 FROM {table} WHERE case_id = ? AND connection = ? AND sent = 1",  # noqa: S608 - ours
                    (case_id, word),
                ).fetchone()
                for table in ("due", "confirmed")
            )

    def confirm(self, seen: Sequence[Confirmed]) -> None:
        """Takes in what became of things; those that are as they were wanted are due no more."""
        if not seen:
            return
        said: list[tuple[Confirmed, datetime]] = []
        with self._database.writing() as db:
            for one in seen:
                where = (one.key.person, *self._numbers(db, one.key))
                row = db.execute(
                    "SELECT granted, withdrawn FROM wanted WHERE person = ? AND purpose = ?", where[:2]
                ).fetchone()
                if row is None:
                    continue  # erased meanwhile
                state, wanted = int(one.state is ConsentState.GRANTED), int(row[0] > row[1])
                by = db.execute(
                    "SELECT case_id, sent FROM due WHERE person = ? AND purpose = ? AND connection = ?", where
                ).fetchone()
                values = (*where, state, instant(one.at), _RESULTS.index(one.result), *(by or ("", 0)))
                db.execute("INSERT OR REPLACE INTO confirmed VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
                if wanted == state:
                    db.execute("DELETE FROM due WHERE person = ? AND purpose = ? AND connection = ?", where)
                    said.append((one, said_at(*row)))
                else:
                    # Said otherwise meanwhile: whichever of two passes wrote last, this one may have undone it.
                    db.execute("INSERT INTO due VALUES (?, ?, ?, ?, '', 0) ON CONFLICT DO NOTHING", (wanted, *where))
        for one, at in said:
            self.seen(one, at)

    def require(self, wrong: Iterable[tuple[Key, ConsentState]]) -> None:
        """Connections were seen to hold something else: it is due there again."""
        with self._database.writing() as db:
            for key, state in wrong:
                where = (key.person, *self._numbers(db, key))
                db.execute("DELETE FROM confirmed WHERE person = ? AND purpose = ? AND connection = ?", where)
                row = (int(state is ConsentState.GRANTED), *where)
                db.execute("INSERT INTO due VALUES (?, ?, ?, ?, '', 0) ON CONFLICT DO NOTHING", row)

    def _set(self, what: str, rows: Sequence[tuple[str | int, Key]]) -> None:
        with self._database.writing() as db:
            db.executemany(
                f"UPDATE due SET {what} WHERE person = ? AND purpose = ? AND connection = ?",  # noqa: S608 - our own
                [(value, key.person, *self._numbers(db, key)) for value, key in rows],
            )

    def _numbers(self, db: sqlite3.Connection, key: Key) -> tuple[int, int]:
        return self._database.word(db, key.purpose), self._database.word(db, key.connection)


def _state(state: int) -> ConsentState:
    return ConsentState.GRANTED if state else ConsentState.WITHDRAWN

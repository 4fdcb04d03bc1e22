"""What was said: for each person and purpose the newest grant and the newest withdrawal that was ever heard of.

Two times, each of which only grows: so files may come in any order, twice or late, and the end is the same. Consent is
given where the grant is newer; of two at one instant the withdrawal counts.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import blake2b, sha256

from habeas.cases.consents.database import Database
from habeas.cases.consents.people import People, naming
from habeas.cases.identity import WEAK_KINDS
from habeas.changes import ConsentState
from habeas.models import Json, Subject

__all__ = ["Batch", "Statement", "Statements", "Verdict", "Wanted", "instant", "moment", "said_at"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_SAID = 4_000_000
"""Marks that are read into memory, 16 bytes each; more of them are not worth it."""


class Verdict(StrEnum):
    """What became of a statement."""

    RECORDED = "recorded"
    """It is the newest, and counts."""
    KNOWN = "known"
    """It was recorded before."""
    STALE = "stale"
    """A newer one counts; it changed nothing."""


@dataclass(frozen=True, repr=False)
class Statement:
    """What somebody has said about one purpose, and when."""

    subject: Subject
    purpose: str
    state: ConsentState
    at: datetime
    said: bytes | None = None
    """Mark of the row of a file that said so, by which it is known again unread."""


@dataclass(frozen=True)
class Wanted:
    """What a person wants about one purpose."""

    purpose: str
    granted_at: datetime | None
    """The newest grant."""
    withdrawn_at: datetime | None
    """The newest withdrawal."""
    recorded_at: datetime
    source: str = ""
    """Who said so to us, as :meth:`Statements.accept` was told; empty where that was not kept."""

    @property
    def state(self) -> ConsentState:
        granted = self.granted_at is not None and (self.withdrawn_at is None or self.granted_at > self.withdrawn_at)
        return ConsentState.GRANTED if granted else ConsentState.WITHDRAWN

    def heard(self, state: ConsentState, at: datetime) -> bool:
        """Whether a statement, or a newer one of its kind, is recorded."""
        newest = self.granted_at if state is ConsentState.GRANTED else self.withdrawn_at
        return newest is not None and newest >= at

    @property
    def at(self) -> datetime:
        """When it was said."""
        at = self.granted_at if self.state is ConsentState.GRANTED else self.withdrawn_at
        assert at is not None  # noqa: S101 - one of the two is always there
        return at


@dataclass(frozen=True)
class Batch:
    """Statements that were recorded together, and of which the ledger is to be told."""

    number: int
    run_id: str
    source: str
    statements: int
    digest: str
    """Over one salted hash for each statement."""

    def to_json(self) -> Json:
        return {"batch": self.number, "source": self.source, "statements": self.statements, "digest": self.digest}


class Statements:
    """What everybody wants. ``changed`` is told, within the transaction, where somebody wants something else now."""

    def __init__(
        self, database: Database, people: People, now: Callable[[], datetime],
        changed: Callable[[sqlite3.Connection, int, int, int], None],
    ) -> None:  # fmt: skip
        self._database, self._people, self._now, self._changed = database, people, now, changed

    def accept(self, run_id: str, source: str, statements: Sequence[Statement]) -> tuple[list[Verdict], Batch | None]:
        """Records statements together: all of them, or none. Durable on return; safe to repeat.

        Returns what became of each, and the batch that the ledger is to be told of, where there was anything new.
        """
        with self._database.writing() as db:
            cursor = db.execute(
                "INSERT INTO batches(run, source, statements, leaves) VALUES (?, ?, 0, x'')", (run_id, source)
            )
            batch, before = int(cursor.lastrowid or 0), db.total_changes
            leaves = bytearray()
            verdicts = [self._one(db, batch, statement, leaves) for statement in statements]
            if leaves:
                row = (len(leaves) // 32, bytes(leaves), batch)
                db.execute("UPDATE batches SET statements = ?, leaves = ? WHERE batch = ?", row)
            elif db.total_changes == before:
                db.execute("DELETE FROM batches WHERE batch = ?", (batch,))
            else:
                # Nothing to tell, but what others share with somebody may name it: its number must not be another's.
                db.execute("UPDATE batches SET told = 1 WHERE batch = ?", (batch,))
        count = len(leaves) // 32
        return verdicts, Batch(batch, run_id, source, count, _digest(leaves)) if leaves else None

    def untold(self) -> list[Batch]:
        """Batches of which the ledger does not know yet."""
        with self._database.reading() as db:
            if db is None:
                return []
            rows = db.execute(
                "SELECT batch, run, source, statements, leaves FROM batches WHERE told = 0 ORDER BY batch"
            ).fetchall()
        return [Batch(n, run, source, count, _digest(leaves)) for n, run, source, count, leaves in rows]

    def tell(self, batches: Collection[Batch]) -> None:
        """Remembers that the ledger knows."""
        with self._database.writing() as db:
            db.executemany("UPDATE batches SET told = 1 WHERE batch = ?", [(batch.number,) for batch in batches])

    def wanted(self, subject: Subject) -> dict[str, Wanted]:
        """Purpose → what the person wants; empty where nothing was ever heard."""
        with self._database.reading() as db:
            if db is None:
                return {}
            person = self._people.find(db, subject)
            return {} if person is None else self.of(db, person)

    def of(self, db: sqlite3.Connection, person: int) -> dict[str, Wanted]:
        """The same of a person by number."""
        rows = db.execute(
            "SELECT text, granted, withdrawn, recorded, source FROM wanted JOIN words ON word = purpose "
            "LEFT JOIN batches USING (batch) WHERE person = ? ORDER BY text",
            (person,),
        ).fetchall()
        return {
            text: Wanted(text, moment(granted), moment(withdrawn), moment(recorded) or _EPOCH, source or "")
            for text, granted, withdrawn, recorded, source in rows
        }

    def said(self, most: int = _MOST_SAID) -> Iterator[list[bytes]]:
        """The marks of all rows that count now, 16 bytes each, many at a time; none where they are too many to hold."""
        with self._database.reading() as db:
            if db is None or db.execute("SELECT count(*) FROM people").fetchone()[0] > most:
                return
            cursor = db.execute("SELECT said FROM wanted WHERE said IS NOT NULL")
            while rows := cursor.fetchmany(5000):
                yield [said for (said,) in rows]

    def opening(self, statement: Statement) -> tuple[str, bytes]:
        """What opens a statement's leaf in its batch: its text and the salt. Leaf = SHA-256(salt || text)."""
        who = [[i.kind, i.value] for i in naming(statement.subject)]
        text = json.dumps([who, statement.purpose, str(statement.state), instant(statement.at)])
        return text, blake2b(text.encode(), key=self._database.key("leaves"), digest_size=32).digest()

    def _one(self, db: sqlite3.Connection, batch: int, statement: Statement, leaves: bytearray) -> Verdict:
        at, granted = instant(statement.at), statement.state is ConsentState.GRANTED
        person, new = self._people.take(db, statement.subject, at)
        purpose = self._database.word(db, statement.purpose)
        verdict = self._merge(db, batch, person, purpose, at if granted else 0, 0 if granted else at, statement.said)
        if verdict is Verdict.RECORDED:
            text, salt = self.opening(statement)
            leaves += sha256(salt + text.encode()).digest()
        if new or naming(statement.subject)[0].kind in WEAK_KINDS:
            self._share(db, batch, person, purpose, new=new)
        return verdict

    def _merge(
        self, db: sqlite3.Connection, batch: int, person: int, purpose: int, granted: int, withdrawn: int,
        said: bytes | None,
    ) -> Verdict:  # fmt: skip
        row = db.execute(
            "SELECT granted, withdrawn, said FROM wanted WHERE person = ? AND purpose = ?", (person, purpose)
        ).fetchone()
        old = row or (0, 0, None)
        now = (max(old[0], granted), max(old[1], withdrawn))
        counts = _counting(*now) == (max(granted, withdrawn), bool(granted))
        if row is not None and _counting(*now) == _counting(*old[:2]):
            # What counts is what counted before: this said the same, or came late.
            if now != old[:2] or (counts and said is not None and said != old[2]):
                values = (*now, said if counts and said is not None else old[2], person, purpose)
                db.execute(
                    "UPDATE wanted SET granted = ?, withdrawn = ?, said = ? WHERE person = ? AND purpose = ?", values
                )
            return Verdict.KNOWN if counts else Verdict.STALE
        db.execute(
            "INSERT OR REPLACE INTO wanted VALUES (?, ?, ?, ?, ?, ?, ?)",
            (person, purpose, *now, instant(self._now()), batch, said),
        )
        if row is None or _counting(*now)[1] != _counting(*old[:2])[1]:
            self._changed(db, person, purpose, int(_counting(*now)[1]))
        return Verdict.RECORDED

    def _share(self, db: sqlite3.Connection, batch: int, person: int, purpose: int, *, new: bool) -> None:
        """A withdrawal under an address alone counts for everybody who has it; a grant for nobody else."""
        sources = {person: [purpose]}
        targets = self._people.sharing(db, person, naming=0)
        if new:
            for other in self._people.sharing(db, person, naming=1):
                rows = db.execute("SELECT purpose FROM wanted WHERE person = ?", (other,)).fetchall()
                sources[other] = [word for (word,) in rows]
        for source, purposes in sources.items():
            for word in purposes:
                row = db.execute(
                    "SELECT withdrawn FROM wanted WHERE person = ? AND purpose = ?", (source, word)
                ).fetchone()
                for target in targets if source == person else (person,):
                    if row[0]:
                        self._merge(db, batch, target, word, 0, row[0], None)


def _counting(granted: int, withdrawn: int) -> tuple[int, bool]:
    """When what counts was said, and whether it is a grant."""
    return (granted, True) if granted > withdrawn else (withdrawn, False)


def _digest(leaves: bytes | bytearray) -> str:
    return "sha256:" + sha256(leaves).hexdigest()


def instant(at: datetime) -> int:
    """Microseconds since 1970."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def said_at(granted: int, withdrawn: int) -> datetime:
    """When what counts was said."""
    return _EPOCH + timedelta(microseconds=_counting(granted, withdrawn)[0])


def moment(at: int) -> datetime | None:
    """The other way round; None for 0, which stands for never."""
    return _EPOCH + timedelta(microseconds=at) if at else None

"""The suppression list: who has been erased, so that nothing writes about them again.

All three vendors create a missing person on write, so a late consent or correction would bring back somebody who was
erased. The list holds no identifiers: HMACs of them under a key of its own, in a file of its own, with its own
retention. Keyed marks are still personal data for whoever holds the key (GDPR recital 26).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from habeas.cases.files import create_database, open_database, storage_errors
from habeas.cases.identity import WEAK_KINDS
from habeas.cases.keys import KeyStore
from habeas.clock import rfc3339
from habeas.models import Identifier, Subject

__all__ = ["APPLICATION_ID", "VERSIONS", "Suppressed", "SuppressionList"]

VERSIONS = (
    """
CREATE TABLE suppressed (
  case_id TEXT NOT NULL,
  mark BLOB NOT NULL CHECK (length(mark) = 32),
  kind TEXT NOT NULL,
  since TEXT NOT NULL,
  PRIMARY KEY (case_id, mark)
) STRICT, WITHOUT ROWID;
CREATE INDEX suppressed_mark ON suppressed(mark);
""",
    """
CREATE TABLE open_requests (
  case_id TEXT NOT NULL,
  mark BLOB NOT NULL CHECK (length(mark) = 32),
  kind TEXT NOT NULL,
  PRIMARY KEY (case_id, mark)
) STRICT, WITHOUT ROWID;
CREATE INDEX open_requests_mark ON open_requests(mark);
""",
)
APPLICATION_ID = 0x68627331  # "hbs1"


@dataclass(frozen=True)
class Suppressed:
    """One erased person on the list: never who."""

    case_id: str
    """The erasure that put them there."""
    since: str
    """RFC 3339."""
    kinds: tuple[str, ...]
    """Kinds of the identifiers that are marked."""


class SuppressionList:
    """Safe to use from many threads; every method raises :class:`~habeas.errors.StorageError`."""

    def __init__(self, connection: sqlite3.Connection, keys: KeyStore) -> None:
        self._db, self._keys = connection, keys
        self._lock = threading.Lock()

    @classmethod
    def create(cls, path: Path, keys: KeyStore) -> SuppressionList:
        """Makes the file (0600)."""
        return cls(create_database(path, VERSIONS, APPLICATION_ID), keys)

    @classmethod
    def open(cls, path: Path, keys: KeyStore) -> SuppressionList:
        """Raises for a file that is missing, damaged or not a suppression list."""
        return cls(open_database(path, VERSIONS, APPLICATION_ID, "suppression list"), keys)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def add(self, case_id: str, subject: Subject, at: datetime) -> bool:
        """Puts an erased person on the list, durably; False where that case has done so before."""
        # Only for an empty list: one whose key was lost must not go on with another, under which nobody is on it.
        make = self.empty()
        rows = [
            (case_id, self._keys.suppression_mark(i.kind, i.value, make=make), i.kind, rfc3339(at))
            for i in subject.identifiers
        ]
        with self._lock, storage_errors("suppression list"), self._db:
            before = self._db.total_changes
            self._db.executemany("INSERT INTO suppressed VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", rows)
            return self._db.total_changes > before

    def find(self, subject: Subject) -> Suppressed | None:
        """The erased person that this is, if it is one; see :meth:`same`."""
        return next(iter(self.same(subject)), None)

    def same(self, subject: Subject) -> list[Suppressed]:
        """All entries about the person that this is.

        An id says who somebody is; an address or a number may be shared. So a shared one does not count where both have
        an id of the same kind, and another one: a new customer with an erased person's address is somebody else.
        """
        ids = {i.kind for i in subject.identifiers if i.kind not in WEAK_KINDS}
        same: dict[str, Suppressed] = {}
        for identifier in sorted(subject.identifiers, key=lambda i: i.kind in WEAK_KINDS):
            for found in self._with(identifier):
                if identifier.kind not in WEAK_KINDS or ids.isdisjoint(found.kinds):
                    same.setdefault(found.case_id, found)
        return list(same.values())

    def matching(self, subject: Subject) -> list[Suppressed]:
        """All entries that share any identifier with somebody."""
        return list({found.case_id: found for i in subject.identifiers for found in self._with(i)}.values())

    def has(self, case_id: str) -> bool:
        """Whether that erasure has put somebody on the list."""
        return bool(self._of([case_id]))

    def entries(self) -> Iterator[Suppressed]:
        """All, the earliest first."""
        with self._lock, storage_errors("suppression list"):
            ids = self._db.execute(
                "SELECT case_id FROM suppressed GROUP BY case_id ORDER BY min(since), case_id"
            ).fetchall()
        for (case_id,) in ids:
            yield from self._of([case_id])

    def remove(self, case_ids: Iterable[str]) -> None:
        """Takes entries off the list; what was marked is overwritten."""
        with self._lock, storage_errors("suppression list"):
            with self._db:
                self._db.executemany("DELETE FROM suppressed WHERE case_id = ?", [(case_id,) for case_id in case_ids])
            # As in the key store: what SQLite had copied while a tree grew is not overwritten by deleting.
            self._db.execute("VACUUM")

    def empty(self) -> bool:
        """Whether nobody is on it."""
        with self._lock, storage_errors("suppression list"):
            return self._db.execute("SELECT 1 FROM suppressed LIMIT 1").fetchone() is None

    def _with(self, identifier: Identifier) -> list[Suppressed]:
        if self.empty():
            return []  # perhaps no mark was ever made, and there is no key
        mark = self._keys.suppression_mark(identifier.kind, identifier.value)
        with self._lock, storage_errors("suppression list"):
            rows = self._db.execute("SELECT DISTINCT case_id FROM suppressed WHERE mark = ?", (mark,)).fetchall()
        return self._of([case_id for (case_id,) in rows])

    def _of(self, case_ids: Sequence[str]) -> list[Suppressed]:
        found = []
        for case_id in case_ids:
            with self._lock, storage_errors("suppression list"):
                rows = self._db.execute(
                    "SELECT kind, since FROM suppressed WHERE case_id = ? ORDER BY kind", (case_id,)
                ).fetchall()
            if rows:
                found.append(Suppressed(case_id, min(since for _, since in rows), tuple(kind for kind, _ in rows)))
        return found

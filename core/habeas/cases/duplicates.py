"""Requests that are open: so that the same person asking for the same thing twice is one case, not two.

Keyed marks as on the suppression list, in the same file. A row of a closed case does no harm, since the case is looked
at before it counts; it goes when the person asks again, or with the case's key.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from habeas.cases.files import open_database, storage_errors
from habeas.cases.identity import WEAK_KINDS
from habeas.cases.keys import KeyStore
from habeas.cases.suppression import APPLICATION_ID, VERSIONS
from habeas.models import Subject

__all__ = ["OpenRequests"]


class OpenRequests:
    """Safe to use from many threads; every method raises :class:`~habeas.errors.StorageError`."""

    def __init__(self, connection: sqlite3.Connection, keys: KeyStore) -> None:
        self._db, self._keys = connection, keys
        self._lock = threading.Lock()

    @classmethod
    def open(cls, path: Path, keys: KeyStore) -> OpenRequests:
        """In the file of the suppression list."""
        return cls(open_database(path, VERSIONS, APPLICATION_ID, "suppression list"), keys)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def add(self, requests: Iterable[tuple[str, str, Subject]]) -> None:
        """(case, type, person) of requests that are about to be opened."""
        rows = [
            (case_id, self._mark(kind, i.kind, i.value), i.kind)
            for case_id, kind, subject in requests
            for i in subject.identifiers
        ]
        with self._lock, storage_errors("suppression list"), self._db:
            self._db.executemany("INSERT INTO open_requests VALUES (?, ?, ?) ON CONFLICT DO NOTHING", rows)

    def find(self, kind: str, subject: Subject) -> list[str]:
        """Cases that may be about the same thing and person; an address that is shared counts only without an id."""
        ids = {i.kind for i in subject.identifiers if i.kind not in WEAK_KINDS}
        found: dict[str, None] = {}
        for identifier in subject.identifiers:
            for case_id in self._marked(self._mark(kind, identifier.kind, identifier.value)):
                if identifier.kind not in WEAK_KINDS or ids.isdisjoint(self._kinds(case_id)):
                    found[case_id] = None
        return list(found)

    def remove(self, case_ids: Sequence[str]) -> None:
        """Takes out cases that are closed."""
        with self._lock, storage_errors("suppression list"), self._db:
            self._db.executemany("DELETE FROM open_requests WHERE case_id = ?", [(case_id,) for case_id in case_ids])

    def _mark(self, request: str, kind: str, value: str) -> bytes:
        return self._keys.request_mark(request, kind, value)

    def _marked(self, mark: bytes) -> list[str]:
        with self._lock, storage_errors("suppression list"):
            rows = self._db.execute("SELECT DISTINCT case_id FROM open_requests WHERE mark = ?", (mark,)).fetchall()
        return [case_id for (case_id,) in rows]

    def _kinds(self, case_id: str) -> set[str]:
        with self._lock, storage_errors("suppression list"):
            rows = self._db.execute("SELECT kind FROM open_requests WHERE case_id = ?", (case_id,)).fetchall()
        return {kind for (kind,) in rows}

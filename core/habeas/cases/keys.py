"""The key store: one key per case, one per quarter for pseudonyms, one for this installation.

A file of its own (``journal_mode=TRUNCATE``, ``secure_delete=ON``) so that a destroyed key is gone from every file:
measured, a WAL or a persistent journal would keep its bytes.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from habeas.cases.files import create_database, open_database, storage_errors
from habeas.cases.identifiers import fold
from habeas.errors import StorageError

__all__ = ["KeyStore"]

_SCHEMA = """
CREATE TABLE case_keys (case_id TEXT PRIMARY KEY, key BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE named_keys (name TEXT PRIMARY KEY, key BLOB NOT NULL) STRICT, WITHOUT ROWID;
"""
_APPLICATION_ID = 0x68626B31  # "hbk1"
_KEY_BYTES = 32


class KeyStore:
    """Keys of 32 random bytes. Safe to use from many threads; every method raises :class:`StorageError`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._lock = threading.Lock()
        self._named: dict[str, bytes] = {}

    @classmethod
    def create(cls, path: Path, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> KeyStore:
        """Makes the file (0600) with the installation key in it: whole, or not at all."""

        def fill(db: sqlite3.Connection) -> None:
            db.execute("INSERT INTO named_keys VALUES ('installation', ?)", (random_bytes(_KEY_BYTES),))

        return cls(create_database(path, _SCHEMA, _APPLICATION_ID, fill))

    @classmethod
    def open(cls, path: Path) -> KeyStore:
        """Raises :class:`StorageError` for a file that is missing, damaged or not a key store."""
        return cls(open_database(path, _APPLICATION_ID, "key store"))

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def new_case_keys(self, case_ids: list[str]) -> dict[str, bytes]:
        """Fresh keys, on disk when this returns."""
        keys = {case_id: secrets.token_bytes(_KEY_BYTES) for case_id in case_ids}
        with self._lock, storage_errors("key store"), self._db:
            self._db.executemany("INSERT INTO case_keys VALUES (?, ?)", keys.items())
        return keys

    def case_key(self, case_id: str) -> bytes:
        """Raises :class:`StorageError` where the key is not there (any more)."""
        with self._lock, storage_errors("key store"):
            row = self._db.execute("SELECT key FROM case_keys WHERE case_id = ?", (case_id,)).fetchone()
        return _checked(row, f"key of case {case_id}")

    def pseudonym(self, kind: str, value: str, at: datetime) -> str:
        """``2026Q4:…``: HMAC-SHA-256 of one identifier under the quarter's key, hex, cut to 128 bits.

        Two entries of one quarter about one person can be linked by whoever holds the key, and by nobody else.
        Quarters are counted in UTC. Identifiers that compare as equal have one pseudonym.
        """
        at = at.astimezone(UTC)
        epoch = f"{at.year}Q{(at.month - 1) // 3 + 1}"
        key = self._key(f"pseudonym/{epoch}", make=True)
        digest = hmac.new(key, f"v1|{kind}|{fold(kind, value)}".encode(), hashlib.sha256)
        return f"{epoch}:{digest.hexdigest()[:32]}"

    def fingerprint(self, *parts: bytes) -> bytes:
        """HMAC-SHA-256 under the installation's key: says "the same again" without saying what.

        That key is never destroyed: for what is about one person use :meth:`case_fingerprint`.
        """
        return _mac(self._key("installation"), parts)

    def case_fingerprint(self, case_id: str, *parts: bytes) -> bytes:
        """HMAC-SHA-256 under a key derived from the case's: it means nothing to anybody once that key is destroyed."""
        return _mac(_mac(self.case_key(case_id), (b"case fingerprint v1",)), parts)

    def _key(self, name: str, *, make: bool = False) -> bytes:
        with self._lock, storage_errors("key store"):
            if name not in self._named:
                row = self._select(name)
                if row is None and make:
                    with self._db:
                        # Another process may have been quicker: then its key counts.
                        self._db.execute(
                            "INSERT INTO named_keys VALUES (?, ?) ON CONFLICT DO NOTHING",
                            (name, secrets.token_bytes(_KEY_BYTES)),
                        )
                    row = self._select(name)
                self._named[name] = _checked(row, f"key '{name}'")
            return self._named[name]

    def _select(self, name: str) -> tuple[bytes] | None:
        row: tuple[bytes] | None = self._db.execute("SELECT key FROM named_keys WHERE name = ?", (name,)).fetchone()
        return row


def _checked(row: tuple[bytes] | None, what: str) -> bytes:
    if row is None:
        raise StorageError(f"the {what} is not in the key store")
    if len(row[0]) != _KEY_BYTES:
        raise StorageError(f"the {what} is damaged", advice="restore the key store from a backup")
    return bytes(row[0])


def _mac(key: bytes, parts: tuple[bytes, ...]) -> bytes:
    """Each part with its length, so that no two lists of parts are the same bytes."""
    digest = hmac.new(key, digestmod=hashlib.sha256)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()

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
from datetime import datetime
from pathlib import Path

from habeas.cases.files import create_database, open_database
from habeas.errors import StorageError

__all__ = ["KeyStore"]

_SCHEMA = """
CREATE TABLE case_keys (case_id TEXT PRIMARY KEY, key BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE named_keys (name TEXT PRIMARY KEY, key BLOB NOT NULL) STRICT, WITHOUT ROWID;
"""
_APPLICATION_ID = 0x68626B31  # "hbk1"


class KeyStore:
    """Keys of 32 random bytes. Safe to use from many threads."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._lock = threading.Lock()
        self._named: dict[str, bytes] = {}

    @classmethod
    def create(cls, path: Path, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> KeyStore:
        """Makes the file (0600) with the installation key in it."""
        store = cls(create_database(path, _SCHEMA, _APPLICATION_ID))
        with store._db:
            store._db.execute("INSERT INTO named_keys VALUES ('installation', ?)", (random_bytes(32),))
        return store

    @classmethod
    def open(cls, path: Path) -> KeyStore:
        """Raises :class:`StorageError` for a file that is missing, damaged or not a key store."""
        return cls(open_database(path, _APPLICATION_ID, "key store"))

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def new_case_keys(self, case_ids: list[str]) -> dict[str, bytes]:
        """Fresh keys, on disk when this returns."""
        keys = {case_id: secrets.token_bytes(32) for case_id in case_ids}
        with self._lock, self._db:
            self._db.executemany("INSERT INTO case_keys VALUES (?, ?)", keys.items())
        return keys

    def case_key(self, case_id: str) -> bytes:
        """Raises :class:`StorageError` where the key is not there (any more)."""
        with self._lock:
            row = self._db.execute("SELECT key FROM case_keys WHERE case_id = ?", (case_id,)).fetchone()
        if row is None:
            raise StorageError(f"the key of case {case_id} is not in the key store")
        return bytes(row[0])

    def pseudonym(self, kind: str, value: str, at: datetime) -> str:
        """``2026Q4:…``: HMAC-SHA-256 of one identifier under the quarter's key, hex, cut to 128 bits.

        Two entries of one quarter about one person can be linked by whoever holds the key, and by nobody else.
        """
        epoch = f"{at.year}Q{(at.month - 1) // 3 + 1}"
        digest = hmac.new(self._epoch_key(epoch), f"v1|{kind}|{value}".encode(), hashlib.sha256)
        return f"{epoch}:{digest.hexdigest()[:32]}"

    def fingerprint(self, *parts: bytes) -> bytes:
        """HMAC-SHA-256 under the installation's key: says "the same again" without saying what."""
        digest = hmac.new(self._key("installation"), digestmod=hashlib.sha256)
        for part in parts:
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        return digest.digest()

    def _epoch_key(self, epoch: str) -> bytes:
        name = f"pseudonym/{epoch}"
        with self._lock:
            if name in self._named:
                return self._named[name]
            with self._db:
                self._db.execute(
                    "INSERT INTO named_keys VALUES (?, ?) ON CONFLICT DO NOTHING", (name, secrets.token_bytes(32))
                )
        return self._key(name)

    def _key(self, name: str) -> bytes:
        with self._lock:
            if name not in self._named:
                row = self._db.execute("SELECT key FROM named_keys WHERE name = ?", (name,)).fetchone()
                if row is None:
                    raise StorageError(f"the key '{name}' is not in the key store")
                self._named[name] = bytes(row[0])
            return self._named[name]

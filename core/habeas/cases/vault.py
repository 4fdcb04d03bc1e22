"""The vault: the only place where personal data rests. AES-256-GCM, one key per case, the keys in another file."""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from habeas.cases.files import create_database, open_database, storage_errors
from habeas.cases.keys import KeyStore
from habeas.errors import KeyDestroyed, StorageError
from habeas.models import Json

__all__ = ["Vault"]

_VERSIONS = (
    """
CREATE TABLE items (
  case_id TEXT NOT NULL,
  name TEXT NOT NULL,
  nonce BLOB NOT NULL,
  sealed BLOB NOT NULL,
  PRIMARY KEY (case_id, name)
) STRICT, WITHOUT ROWID;
""",
)
_APPLICATION_ID = 0x68627631  # "hbv1"


class Vault:
    """Named JSON values per case, sealed. Safe to use from many threads."""

    def __init__(self, connection: sqlite3.Connection, keys: KeyStore) -> None:
        self._db = connection
        self._keys = keys
        self._lock = threading.Lock()

    @classmethod
    def create(cls, path: Path, keys: KeyStore) -> Vault:
        """Makes the file (0600)."""
        return cls(create_database(path, _VERSIONS, _APPLICATION_ID), keys)

    @classmethod
    def open(cls, path: Path, keys: KeyStore) -> Vault:
        """Raises :class:`StorageError` for a file that is missing, damaged or not a vault."""
        return cls(open_database(path, _VERSIONS, _APPLICATION_ID, "vault"), keys)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def open_cases(self, requests: dict[str, Json]) -> dict[str, str]:
        """Makes a key for each new case and seals its request. Returns each one's commitment. Durable on return."""
        keys = self._keys.new_case_keys(list(requests))
        rows = [self._seal(case_id, "request", value, keys[case_id]) for case_id, value in requests.items()]
        self._write(rows)
        return {case_id: _commitment(nonce, sealed) for case_id, _, nonce, sealed in rows}

    def put(self, case_id: str, name: str, value: Json) -> str:
        """Seals a value, in place of an earlier one of that name. Returns its commitment. Durable on return.

        The commitment, ``sha256:`` over nonce and ciphertext, says nothing of the content; it goes into the ledger.
        """
        row = self._seal(case_id, name, value, self._keys.case_key(case_id))
        self._write([row])
        return _commitment(row[2], row[3])

    def get(self, case_id: str, name: str) -> Json:
        """The value. Raises :class:`~habeas.errors.KeyDestroyed`, :class:`~habeas.errors.KeyUnavailable`, and
        :class:`StorageError` where it is missing or damaged.
        """
        key = self._keys.case_key(case_id)
        with self._lock, storage_errors("vault"):
            row = self._db.execute(
                "SELECT nonce, sealed FROM items WHERE case_id = ? AND name = ?", (case_id, name)
            ).fetchone()
        if row is None:
            raise StorageError(f"the vault holds no {name} of case {case_id}")
        try:
            plain = AESGCM(key).decrypt(row[0], row[1], _bound_to(case_id, name))
        except (InvalidTag, ValueError):  # ValueError: a nonce of the wrong length
            raise StorageError(f"the vault's {name} of case {case_id} was changed or is damaged") from None
        return json.loads(plain)

    def remove(self, case_ids: Sequence[str]) -> None:
        """Takes out all that is kept of these cases. Their keys are destroyed first: then it is unreadable anyway."""
        with self._lock, storage_errors("vault"), self._db:
            self._db.executemany("DELETE FROM items WHERE case_id = ?", [(case_id,) for case_id in case_ids])

    def case_ids(self) -> list[str]:
        """Cases of which anything is kept, readable or not."""
        with self._lock, storage_errors("vault"):
            rows = self._db.execute("SELECT DISTINCT case_id FROM items ORDER BY case_id").fetchall()
        return [case_id for (case_id,) in rows]

    def damaged(self) -> Iterator[tuple[str, str]]:
        """(case, name) of each value that cannot be opened, although nobody destroyed its key."""
        with self._lock, storage_errors("vault"):
            kept = self._db.execute("SELECT case_id, name FROM items ORDER BY case_id, name").fetchall()
        for case_id, name in kept:
            try:
                self.get(case_id, name)
            except KeyDestroyed:
                continue
            except StorageError:
                yield case_id, name

    def has(self, case_id: str, name: str) -> bool:
        """Whether there is a value of that name, readable or not."""
        with self._lock, storage_errors("vault"):
            found = self._db.execute("SELECT 1 FROM items WHERE case_id = ? AND name = ?", (case_id, name)).fetchone()
        return found is not None

    def _seal(self, case_id: str, name: str, value: Json, key: bytes) -> tuple[str, str, bytes, bytes]:
        nonce = secrets.token_bytes(12)
        # Escaped: vendors and file names can hold lone surrogates, which are not UTF-8.
        plain = json.dumps(value, separators=(",", ":")).encode("ascii")
        return case_id, name, nonce, AESGCM(key).encrypt(nonce, plain, _bound_to(case_id, name))

    def _write(self, rows: list[tuple[str, str, bytes, bytes]]) -> None:
        with self._lock, storage_errors("vault"), self._db:
            self._db.executemany("INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?)", rows)


def _bound_to(case_id: str, name: str) -> bytes:
    """A sealed value cannot be moved to another case or name."""
    return f"v1|{case_id}|{name}".encode()


def _commitment(nonce: bytes, sealed: bytes) -> str:
    return "sha256:" + hashlib.sha256(nonce + sealed).hexdigest()

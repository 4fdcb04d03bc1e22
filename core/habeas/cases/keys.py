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
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from habeas.cases.files import create_database, open_database, storage_errors
from habeas.cases.identifiers import fold
from habeas.clock import rfc3339
from habeas.errors import KeyDestroyed, KeyUnavailable, StorageError

__all__ = ["KeyStore"]

_VERSIONS = (
    """
CREATE TABLE case_keys (case_id TEXT PRIMARY KEY, key BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE named_keys (name TEXT PRIMARY KEY, key BLOB NOT NULL) STRICT, WITHOUT ROWID;
""",
    """
CREATE TABLE destroyed (
  name TEXT PRIMARY KEY, at TEXT NOT NULL, told INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
""",
)
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

        return cls(create_database(path, _VERSIONS, _APPLICATION_ID, fill))

    @classmethod
    def open(cls, path: Path) -> KeyStore:
        """Raises :class:`StorageError` for a file that is missing, damaged or not a key store."""
        return cls(open_database(path, _VERSIONS, _APPLICATION_ID, "key store"))

    def close(self) -> None:
        with self._lock:
            self._named.clear()
            self._db.close()

    def new_case_keys(self, case_ids: list[str]) -> dict[str, bytes]:
        """Fresh keys, on disk when this returns."""
        keys = {case_id: secrets.token_bytes(_KEY_BYTES) for case_id in case_ids}
        with self._lock, storage_errors("key store"), self._db:
            self._db.executemany("INSERT INTO case_keys VALUES (?, ?)", keys.items())
        return keys

    def case_key(self, case_id: str) -> bytes:
        """Raises :class:`KeyDestroyed` or :class:`KeyUnavailable` where the key is not there (any more)."""
        with self._lock, storage_errors("key store"):
            row = self._db.execute("SELECT key FROM case_keys WHERE case_id = ?", (case_id,)).fetchone()
            return self._checked(row, _case(case_id), f"key of case {case_id}")

    # -- ends -------------------------------------------------------------------------------------------------------

    def destroy_case_keys(self, case_ids: Sequence[str], at: datetime) -> None:
        """Destroys keys for good: their bytes are in no file of ours when this returns. Those that are gone stay gone.

        That they are gone, and since when, is remembered in the same transaction.
        """
        with self._lock, storage_errors("key store"):
            with self._db:
                self._db.executemany("DELETE FROM case_keys WHERE case_id = ?", [(case_id,) for case_id in case_ids])
                self._remember([_case(case_id) for case_id in case_ids], at)
            self._scrub()

    def destroy_pseudonyms(self, epoch: str, at: datetime) -> None:
        """Destroys a quarter's key: its pseudonyms can no longer be traced to anybody, nor to one another's people."""
        name = f"pseudonym/{epoch}"
        with self._lock, storage_errors("key store"):
            with self._db:
                self._db.execute("DELETE FROM named_keys WHERE name = ?", (name,))
                self._remember([name], at)
            self._named.pop(name, None)
            self._scrub()

    def untold(self) -> list[str]:
        """Names of destroyed keys, ``case/…`` or ``pseudonym/…``, of which :meth:`tell` does not know yet."""
        with self._lock, storage_errors("key store"):
            rows = self._db.execute("SELECT name FROM destroyed WHERE told = 0 ORDER BY name").fetchall()
        return [name for (name,) in rows]

    def case_ids(self) -> list[str]:
        """Cases that have a key."""
        with self._lock, storage_errors("key store"):
            rows = self._db.execute("SELECT case_id FROM case_keys ORDER BY case_id").fetchall()
        return [case_id for (case_id,) in rows]

    def discard(self, case_ids: Sequence[str]) -> None:
        """Takes out keys of cases that never came to be: their bytes are gone, and nothing was destroyed."""
        if not case_ids:
            return
        with self._lock, storage_errors("key store"):
            with self._db:
                self._db.executemany("DELETE FROM case_keys WHERE case_id = ?", [(case_id,) for case_id in case_ids])
            self._scrub()

    def retell(self, names: Sequence[str]) -> None:
        """The ledger was put back, and says of these destroyed keys only that they are: the others are to be told."""
        with self._lock, storage_errors("key store"), self._db:
            self._db.execute("UPDATE destroyed SET told = 0")
            self._db.executemany("UPDATE destroyed SET told = 1 WHERE name = ?", [(name,) for name in names])

    def tell(self, names: Sequence[str]) -> None:
        """Remembers that the ledger says so."""
        with self._lock, storage_errors("key store"), self._db:
            self._db.executemany("UPDATE destroyed SET told = 1 WHERE name = ?", [(name,) for name in names])

    def epochs(self) -> list[str]:
        """Quarters that have a key: ``2026Q4``."""
        with self._lock, storage_errors("key store"):
            rows = self._db.execute(
                "SELECT name FROM named_keys WHERE name LIKE 'pseudonym/%' ORDER BY name"
            ).fetchall()
        return [name.removeprefix("pseudonym/") for (name,) in rows]

    def destroyed_at(self, case_id: str) -> str:
        """When a case's key was destroyed (RFC 3339); empty where it was not."""
        with self._lock, storage_errors("key store"):
            row = self._db.execute("SELECT at FROM destroyed WHERE name = ?", (_case(case_id),)).fetchone()
        return str(row[0]) if row else ""

    def _remember(self, names: Sequence[str], at: datetime) -> None:
        rows = [(name, rfc3339(at)) for name in names]
        self._db.executemany("INSERT INTO destroyed(name, at) VALUES (?, ?) ON CONFLICT DO NOTHING", rows)

    def scrub(self) -> None:
        """Frees the file of what was left of destroyed keys: for a purge that was killed before it came to that."""
        with self._lock, storage_errors("key store"):
            self._scrub()

    def _scrub(self) -> None:
        # secure_delete overwrites what is deleted, not what SQLite had copied to another page while a tree grew.
        self._db.execute("VACUUM")

    # -- what they are for ------------------------------------------------------------------------------------------

    def pseudonym(self, kind: str, value: str, at: datetime) -> str:
        """``2026Q4:…``: HMAC-SHA-256 of one identifier under the quarter's key, hex, cut to 128 bits.

        Two entries of one quarter about one person can be linked by whoever holds the key, and by nobody else.
        Quarters are counted in UTC. Identifiers that compare as equal have one pseudonym.
        """
        epoch = epoch_of(at)
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

    def suppression_mark(self, kind: str, value: str, *, make: bool = False) -> bytes:
        """HMAC-SHA-256 of one identifier under the suppression list's own key: 32 bytes.

        ``make``: makes that key where there is none. Marks made under another one would be found by nobody.
        """
        return _mac(self._key("suppression", make=make), (kind.encode(), fold(kind, value).encode()))

    def request_mark(self, request: str, kind: str, value: str) -> bytes:
        """HMAC-SHA-256 of one identifier and what is asked, for finding out who asks twice: 32 bytes."""
        parts = (request.encode(), kind.encode(), fold(kind, value).encode())
        return _mac(self._key("installation"), (b"open request v1", *parts))

    def person_salt(self, case_id: str, kind: str, value: str) -> bytes:
        """What hides an identifier in its case's commitment: 32 bytes that nobody can guess without the case's key."""
        return self.case_fingerprint(case_id, b"person v1", kind.encode(), value.encode())

    def consent_key(self, use: str, *, make: bool = False) -> bytes:
        """A key for one use in the store of wanted consents, derived from that store's own.

        ``make``: makes that one where there is none. Under another one the store would know nobody it holds.
        """
        return _mac(self._key("consents", make=make), (use.encode(),))

    def _key(self, name: str, *, make: bool = False) -> bytes:
        with self._lock, storage_errors("key store"):
            if name not in self._named:
                row = self._select(name)
                if row is None and make and not self._was_destroyed(name):
                    with self._db:
                        # Another process may have been quicker: then its key counts.
                        self._db.execute(
                            "INSERT INTO named_keys VALUES (?, ?) ON CONFLICT DO NOTHING",
                            (name, secrets.token_bytes(_KEY_BYTES)),
                        )
                    row = self._select(name)
                self._named[name] = self._checked(row, name, f"key '{name}'")
            return self._named[name]

    def _was_destroyed(self, name: str) -> bool:
        return self._db.execute("SELECT 1 FROM destroyed WHERE name = ?", (name,)).fetchone() is not None

    def _checked(self, row: tuple[bytes] | None, name: str, what: str) -> bytes:
        if row is None and self._was_destroyed(name):
            raise KeyDestroyed(f"the {what} was destroyed, as its purpose had ended")
        if row is None:
            raise KeyUnavailable(f"the {what} is not in the key store", advice="restore the key store from a backup")
        if len(row[0]) != _KEY_BYTES:
            raise StorageError(f"the {what} is damaged", advice="restore the key store from a backup")
        return bytes(row[0])

    def _select(self, name: str) -> tuple[bytes] | None:
        row: tuple[bytes] | None = self._db.execute("SELECT key FROM named_keys WHERE name = ?", (name,)).fetchone()
        return row


def epoch_of(at: datetime) -> str:
    """The quarter whose key makes pseudonyms then, counted in UTC: ``2026Q4``."""
    at = at.astimezone(UTC)
    return f"{at.year}Q{(at.month - 1) // 3 + 1}"


def _case(case_id: str) -> str:
    """The name of a case's key among those that were destroyed."""
    return f"case/{case_id}"


def _mac(key: bytes, parts: tuple[bytes, ...]) -> bytes:
    """Each part with its length, so that no two lists of parts are the same bytes."""
    digest = hmac.new(key, digestmod=hashlib.sha256)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()

"""The file itself: made when the first consent is recorded, opened when it is first asked."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from habeas.cases.files import create_database, open_database, storage_errors
from habeas.cases.keys import KeyStore
from habeas.errors import StorageError

__all__ = ["Database"]

_VERSIONS = (
    """
CREATE TABLE people (person INTEGER PRIMARY KEY, nonce BLOB NOT NULL, sealed BLOB NOT NULL) STRICT;
CREATE TABLE marks (
  mark BLOB NOT NULL CHECK (length(mark) = 16), person INTEGER NOT NULL, names INTEGER NOT NULL, weak INTEGER NOT NULL,
  PRIMARY KEY (mark, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX marks_person ON marks(person);
CREATE TABLE words (word INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE wanted (
  person INTEGER NOT NULL, purpose INTEGER NOT NULL,
  granted INTEGER NOT NULL, withdrawn INTEGER NOT NULL, recorded INTEGER NOT NULL, batch INTEGER NOT NULL, said BLOB,
  PRIMARY KEY (person, purpose)
) STRICT, WITHOUT ROWID;
CREATE TABLE batches (
  batch INTEGER PRIMARY KEY, run TEXT NOT NULL, source TEXT NOT NULL, statements INTEGER NOT NULL,
  leaves BLOB NOT NULL, told INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX batches_untold ON batches(batch) WHERE told = 0;
CREATE TABLE due (
  state INTEGER NOT NULL, person INTEGER NOT NULL, purpose INTEGER NOT NULL, connection INTEGER NOT NULL,
  case_id TEXT NOT NULL DEFAULT '', sent INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (state, person, purpose, connection)
) STRICT, WITHOUT ROWID;
CREATE INDEX due_person ON due(person, purpose, connection);
CREATE INDEX due_case ON due(case_id) WHERE case_id <> '';
CREATE TABLE confirmed (
  person INTEGER NOT NULL, purpose INTEGER NOT NULL, connection INTEGER NOT NULL,
  state INTEGER NOT NULL, at INTEGER NOT NULL, result INTEGER NOT NULL,
  case_id TEXT NOT NULL, sent INTEGER NOT NULL,
  PRIMARY KEY (person, purpose, connection)
) STRICT, WITHOUT ROWID;
CREATE INDEX confirmed_sent ON confirmed(case_id) WHERE sent = 1;
CREATE TABLE mappings (
  purpose INTEGER NOT NULL, connection INTEGER NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (purpose, connection)
) STRICT, WITHOUT ROWID;
CREATE TABLE scrub (needed INTEGER NOT NULL) STRICT;
INSERT INTO scrub VALUES (0);
""",
)
_APPLICATION_ID = 0x68626331  # "hbc1"
_WHAT = "store of consents"
_CACHE_KB = 16_000
"""A million people are looked up all over the file."""


class Database:
    """One connection to the file for all threads. Every method raises :class:`StorageError`."""

    def __init__(self, path: Path, keys: KeyStore, used: Callable[[], bool]) -> None:
        """``used``: whether a consent was ever recorded, asked where the file is not there."""
        self.path = path
        self._keys, self._used = keys, used
        self._db: sqlite3.Connection | None = None
        self._lock = threading.RLock()
        self._words: dict[str, int] = {}
        self._lost: bool | None = None
        self._made: dict[str, bytes] = {}

    def key(self, use: str) -> bytes:
        """A key for one use in this file."""
        if use not in self._made:
            self._made[use] = self._keys.consent_key(use)
        return self._made[use]

    def close(self) -> None:
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None
            self._made.clear()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection | None]:
        """The file for statements that only read; None where there is none yet."""
        with self._lock, storage_errors(_WHAT):
            yield self._open()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, on disk when the block ends; nothing of it where it raises. Makes the file."""
        with self._lock, storage_errors(_WHAT):
            db = self._open() or self._make()
            if db.in_transaction:  # of the same thread: part of what surrounds it
                yield db
                return
            # At once: a read that turns into a write could find another process in between.
            db.execute("BEGIN IMMEDIATE")
            try:
                with db:
                    yield db
            except BaseException:
                self._words.clear()  # some may have been part of what is undone
                raise

    def word(self, db: sqlite3.Connection, text: str) -> int:
        """The number that stands for a purpose or a connection; within :meth:`writing`."""
        if text not in self._words:
            db.execute("INSERT INTO words(text) VALUES (?) ON CONFLICT DO NOTHING", (text,))
            self._words = {text: word for word, text in db.execute("SELECT word, text FROM words")}
        return self._words[text]

    def text(self, word: int) -> str:
        """The word that a number stands for, which :meth:`word` has just given."""
        return next(text for text, number in self._words.items() if number == word)

    def texts(self, db: sqlite3.Connection) -> dict[int, str]:
        """Number → word, all of them."""
        return dict(db.execute("SELECT word, text FROM words").fetchall())

    def known_word(self, db: sqlite3.Connection, text: str) -> int:
        """The number of a word; 0, which no word has, where it was never used."""
        row = db.execute("SELECT word FROM words WHERE text = ?", (text,)).fetchone()
        return row[0] if row else 0

    def scrub(self) -> None:
        """Frees the file of what is left of people that were taken out."""
        with self.reading() as db:
            if db is None or not db.execute("SELECT needed FROM scrub").fetchone()[0]:
                return
            # secure_delete overwrites what is deleted, not what SQLite had copied to another page while a tree grew.
            db.execute("VACUUM")
        with self.writing() as db:
            db.execute("UPDATE scrub SET needed = 0")

    def _open(self) -> sqlite3.Connection | None:
        if self._db is None:
            if not self.path.exists():
                self._refuse_loss()
                return None
            self._db = open_database(self.path, _VERSIONS, _APPLICATION_ID, _WHAT)
            self._db.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
        return self._db

    def _make(self) -> sqlite3.Connection:
        try:
            self._keys.consent_key("people", make=True)
            self._db = create_database(self.path, _VERSIONS, _APPLICATION_ID)
        except StorageError:
            if not self.path.exists():
                raise
            self._db = open_database(self.path, _VERSIONS, _APPLICATION_ID, _WHAT)  # another process was quicker
        return self._db

    def _refuse_loss(self) -> None:
        """One that was lost must not be made anew: it would be empty, and let every old grant through."""
        if self._lost is None:
            self._lost = self._used()
        if self._lost:
            raise StorageError(f"{self.path} is missing, but consents were recorded", advice="restore it from a backup")

"""The ledger: append durably from any thread or process, read in streams."""

from __future__ import annotations

import heapq
import os
import secrets
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import islice, takewhile
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from habeas_audit import schema
from habeas_audit.checkpoint import SignedCheckpoint, origin_of
from habeas_audit.commit import GroupCommit
from habeas_audit.connection import connect, guard, new_file, use_rollback_journal
from habeas_audit.entry import Draft, Entry, entry_of, framed, timestamp
from habeas_audit.errors import LedgerClosed, LedgerDamaged, LedgerRefused, from_sqlite
from habeas_audit.reading import RUN_STARTED, Query, Way, chunk_sizes, kind
from habeas_audit.stored_proofs import StoredProofs
from habeas_audit.stored_tree import Head, StoredTree, stored_head
from habeas_audit.tree import EMPTY_ROOT

Clock = Callable[[], datetime]

BUSY_SECONDS: Final = 10.0
CHUNK: Final = 2000
"""Names of cases per read transaction: a longer one would keep writers waiting."""


class Ledger:
    """One open ledger file. Every method may be called from any thread; `append` returns when the entries are durable.

    All methods raise a LedgerError: LedgerBusy, LedgerUnwritable, LedgerDamaged, LedgerClosed.
    """

    def __init__(self, path: Path, clock: Clock, db: sqlite3.Connection, busy_seconds: float) -> None:
        """For `create` and `open`, which check the file first."""
        self._path = path
        self._clock = clock
        self._busy_seconds = busy_seconds
        self._pid = os.getpid()
        self._closed = False
        self._idle: list[sqlite3.Connection] = []
        self._idle_lock = threading.Lock()
        self._tree = StoredTree()
        db.execute("BEGIN")
        self._tree.opened(db)
        self._tree.closing(db)
        self._log_id = _log_id(db)
        db.execute("COMMIT")
        self._group = GroupCommit(db, opened=self._tree.opened, closing=self._tree.closing)

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        clock: Clock,
        *,
        busy_seconds: float = BUSY_SECONDS,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> Ledger:
        """Make an empty ledger, mode 0600, and open it. It is there whole or not at all, and durable.

        Raises LedgerRefused if the name is taken, LedgerUnwritable.
        """
        from habeas_audit import migrations  # takes 0.2 s to import, and few commands make or migrate a ledger

        path = Path(path)
        with new_file(path) as draft, _translated():
            db = connect(draft, "write", busy_seconds)
            try:
                db.execute(f"PRAGMA page_size = {schema.PAGE_SIZE}")
                use_rollback_journal(db)
                db.execute("BEGIN IMMEDIATE")
                migrations.apply(db)
                db.execute("INSERT INTO log VALUES (?, ?)", (random_bytes(8).hex(), timestamp(clock())))
                db.execute("INSERT INTO head VALUES (0, ?)", (EMPTY_ROOT,))
                db.execute("COMMIT")
            finally:
                db.close()
        return cls.open(path, clock, busy_seconds=busy_seconds)

    @classmethod
    def open(cls, path: str | os.PathLike[str], clock: Clock, *, busy_seconds: float = BUSY_SECONDS) -> Ledger:
        """Open a ledger; finishes what a killed process left in its journal and brings an older file up to date.

        Raises LedgerRefused (no such file, not a ledger, made by a newer program, writable by others, another user's),
        LedgerDamaged (tables, triggers or head are not as this package writes them; only `verify` reads every entry),
        LedgerUnwritable, LedgerBusy.
        """
        path = Path(path)
        guard(path)
        with _translated():
            db = connect(path, "write", busy_seconds)
            try:
                _refuse_foreign(db, path.name)
                use_rollback_journal(db)
                _migrate(db)
                for problem in schema.problems(db):
                    raise LedgerDamaged(f"{path.name}: {problem}; verify it")
                return cls(path, clock, db, busy_seconds)
            except BaseException:
                db.close()
                raise

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self._path

    @property
    def log_id(self) -> str:
        """The log's random name, 16 hex digits, which is inside every body."""
        return self._log_id

    @property
    def origin(self) -> str:
        """The name under which this log's checkpoints are signed."""
        return origin_of(self._log_id)

    def append(self, *drafts: Draft) -> tuple[Entry, ...]:
        """Record the drafts one after the other, all or none; they are on disk when this returns.

        Calls that come together share one commit. Raises InvalidDraft before anything is written, and LedgerUncertain
        if this call's commit was torn away.
        """
        self._check_usable()
        frames = tuple((draft, framed(draft, self._log_id)) for draft in drafts)
        if not frames:
            return ()
        try:
            return self._group.run(lambda db: self._tree.add(db, frames, timestamp(self._clock())))
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise from_sqlite(error) from None

    def head(self) -> Head:
        """The present size and root, as stored."""
        with self._reader() as db:
            return stored_head(db)

    @contextmanager
    def proofs(self) -> Iterator[StoredProofs]:
        """Heads, proofs and checkpoints of one moment. Keep it short: an open reader keeps writers waiting."""
        with self._reader() as db:
            db.execute("BEGIN")
            try:
                yield StoredProofs(db)
            finally:
                if db.in_transaction:  # after an I/O error SQLite has ended it
                    db.execute("ROLLBACK")

    def add_checkpoint(self, signed: SignedCheckpoint) -> bool:
        """Keep a checkpoint, durably; False if one over as many or more entries is there already.

        Raises LedgerBehind if it is not this log's, or over other entries than these: it is not kept then.
        """
        self._check_usable()

        def insert(db: sqlite3.Connection) -> bool:
            stored = StoredProofs(db)
            stored.require(signed, self.origin)
            newest = stored.newest_checkpoint()
            if newest is not None and newest.head.size >= signed.head.size:
                return False
            db.execute("INSERT INTO checkpoints VALUES (?, ?)", (signed.head.size, signed.raw))
            return True

        return self._write(insert)

    def add_timestamp(self, size: int, token: bytes) -> bool:
        """Keep an RFC 3161 token over the checkpoint of that size; False if it has one already."""
        self._check_usable()

        def insert(db: sqlite3.Connection) -> bool:
            if db.execute("SELECT 1 FROM timestamps WHERE size = ?", (size,)).fetchone():
                return False
            db.execute("INSERT INTO timestamps VALUES (?, ?)", (size, token))
            return True

        return self._write(insert)

    def _write(self, work: Callable[[sqlite3.Connection], bool]) -> bool:
        try:
            return self._group.run(work)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise from_sqlite(error) from None

    def entries(
        self,
        *,
        case_id: str | None = None,
        run_id: str | None = None,
        types: Collection[str] | None = None,
        after: int = 0,
        limit: int | None = None,
    ) -> Iterator[Entry]:
        """Entries with `seq > after` that meet every condition given, in order, up to what is there at the first step.

        Streams in chunks, each its own short read transaction, so it never keeps a writer waiting.
        """
        query = Query(case_id, run_id, None if types is None else frozenset(types))
        until = self.head().size
        after = max(after, self._begin(query) - 1)
        streams = [takewhile(lambda e: e.seq <= until, self._stream(query, way, after, limit)) for way in query.ways()]
        yield from islice(heapq.merge(*streams, key=lambda entry: entry.seq), limit)

    def last(self, case_id: str | None = None, types: Collection[str] | None = None) -> Entry | None:
        """The newest entry of the case, or of all, whose type is one of `types`; None if there is none."""
        query = Query(case_id, None, None if types is None else frozenset(types))
        streams = [self._stream(query, way, 2**62, 1, back=True) for way in query.ways()]
        return max((entry for stream in streams for entry in stream), key=lambda entry: entry.seq, default=None)

    def case_ids(self, *, after: str = "") -> Iterator[str]:
        """Every case id once, in the order of its text, those that follow `after`; cost per case, not per entry."""
        while True:
            with self._reader() as db:
                sql = "SELECT case_id FROM cases WHERE case_id > ? ORDER BY case_id LIMIT ?"
                chunk = [row[0] for row in db.execute(sql, (after, CHUNK))]
            yield from chunk
            if len(chunk) < CHUNK:
                return
            after = chunk[-1]

    def close(self) -> None:
        """Close once the commit under way has ended. A second call does nothing."""
        self._closed = True
        if os.getpid() != self._pid:
            return
        self._group.close()
        with self._idle_lock:
            while self._idle:
                self._idle.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_usable(self) -> None:
        # https://sqlite.org/howtocorrupt.html#_carrying_an_open_database_connection_across_a_fork_
        if os.getpid() != self._pid:
            raise LedgerClosed("a ledger cannot be used in a forked child; open it there")
        if self._closed:
            raise LedgerClosed("the ledger is closed")

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        self._check_usable()
        with _translated():
            with self._idle_lock:
                db = self._idle.pop() if self._idle else None
            if db is None:
                db = connect(self._path, "read", self._busy_seconds)
            try:
                yield db
            except BaseException:
                db.close()
                raise
            with self._idle_lock:
                if not self._closed:
                    self._idle.append(db)
                    return
            db.close()

    def _stream(self, query: Query, way: Way, start: int, limit: int | None, *, back: bool = False) -> Iterator[Entry]:
        """At most `limit` of the entries wanted, behind number `start` or, going back, before it."""
        sizes, sql, found = chunk_sizes(limit), way.sql(back=back), 0
        while limit is None or found < limit:
            size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
            with self._reader() as db:
                rows = db.execute(sql, (*way.values, start, size)).fetchall()
            for row in rows:
                entry = entry_of(*row)
                if query.wants(entry):
                    found += 1
                    yield entry
                    if found == limit:
                        return
            if len(rows) < size:
                return
            start = rows[-1][0]

    def _begin(self, query: Query) -> int:
        """The number before which no entry that is wanted can lie."""
        if not query.by_run:
            return 0
        first = Query(None, query.run_id, frozenset((RUN_STARTED,)))
        return next((e.seq for e in self._stream(first, kind(RUN_STARTED), 0, None)), 0)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise from_sqlite(error) from None  # SQLite quotes text that it cannot decode


def _log_id(db: sqlite3.Connection) -> str:
    row = db.execute("SELECT log_id FROM log").fetchone()
    if row is None:
        raise LedgerDamaged("the ledger has no log id; verify it")
    return str(row[0])


def _refuse_foreign(db: sqlite3.Connection, name: str) -> None:
    if db.execute("PRAGMA application_id").fetchone()[0] != schema.APPLICATION_ID:
        raise LedgerRefused(f"{name} is not a ledger; restore it from a backup")
    if db.execute("PRAGMA user_version").fetchone()[0] > schema.USER_VERSION:
        raise LedgerRefused(f"{name} was made by a newer habeas; update this one")
    if db.execute("PRAGMA user_version").fetchone()[0] < schema.OLDEST_VERSION:
        raise LedgerRefused(f"{name} was made before the first release of habeas; begin a new home")


def _migrate(db: sqlite3.Connection) -> None:
    if db.execute("PRAGMA user_version").fetchone()[0] == schema.USER_VERSION:
        return
    from habeas_audit import migrations

    db.execute("BEGIN IMMEDIATE")
    migrations.apply(db)
    db.execute("COMMIT")

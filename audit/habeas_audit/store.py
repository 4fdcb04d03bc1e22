"""The ledger: append durably from any thread or process, read in streams."""

from __future__ import annotations

import heapq
import os
import secrets
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from habeas_audit import schema
from habeas_audit.checkpoint import SignedCheckpoint, origin_of
from habeas_audit.commit import GroupCommit
from habeas_audit.connection import connect, guard, new_file, use_rollback_journal
from habeas_audit.entry import Draft, Entry, framed, timestamp
from habeas_audit.errors import LedgerClosed, LedgerDamaged, LedgerRefused, from_sqlite
from habeas_audit.stored_proofs import StoredProofs
from habeas_audit.stored_tree import COLUMNS, Head, StoredTree, stored_head
from habeas_audit.tree import EMPTY_ROOT

Clock = Callable[[], datetime]

BUSY_SECONDS: Final = 10.0
CHUNK: Final = 2000
"""Rows per read transaction: a longer one would keep writers waiting."""


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
                use_rollback_journal(db)
                db.execute("BEGIN IMMEDIATE")
                migrations.apply(db)
                db.execute("INSERT INTO log VALUES (?, ?)", (random_bytes(16).hex(), timestamp(clock())))
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
        """The log's random name, 32 hex digits, which is inside every body."""
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
            return self._group.run(lambda _: self._tree.add(frames, timestamp(self._clock())))
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
        wanted = _Query(case_id, run_id, types)
        until = self.head().size
        streams = [self._stream(query, after, until, limit) for query in wanted.by_index()]
        yield from islice(heapq.merge(*streams, key=lambda entry: entry.seq), limit)

    def last(self, case_id: str | None = None, types: Collection[str] | None = None) -> Entry | None:
        """The newest entry of the case, or of all, whose type is one of `types`; None if there is none."""
        found = []
        for query in _Query(case_id, None, types).by_index():
            where, values = query.where()
            with self._reader() as db:
                sql = f"SELECT {COLUMNS} FROM entries WHERE {where} ORDER BY seq DESC LIMIT 1"  # noqa: S608
                found += [Entry(*row) for row in db.execute(sql, values)]
        return max(found, key=lambda entry: entry.seq, default=None)

    def case_ids(self, *, after: str = "") -> Iterator[str]:
        """Every case id once, in the order of its text, those that follow `after`; cost per case, not per entry."""
        sql = (
            "WITH RECURSIVE cases(id) AS ("
            "SELECT min(case_id) FROM entries WHERE case_id > ? AND case_id <> '' UNION ALL "
            "SELECT (SELECT min(case_id) FROM entries WHERE case_id > cases.id AND case_id <> '') FROM cases "
            "WHERE cases.id IS NOT NULL) SELECT id FROM cases WHERE id IS NOT NULL LIMIT ?"
        )
        while True:
            with self._reader() as db:
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

    def _stream(self, query: _Query, after: int, until: int, limit: int | None) -> Iterator[Entry]:
        where, values = query.where()
        sql = f"SELECT {COLUMNS} FROM entries WHERE {where} AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?"  # noqa: S608
        size = CHUNK if limit is None else max(0, min(CHUNK, limit))
        while True:
            with self._reader() as db:
                chunk = [Entry(*row) for row in db.execute(sql, (*values, after, until, size))]
            yield from chunk
            if not chunk or len(chunk) < size:
                return
            after = chunk[-1].seq


@dataclass(frozen=True, slots=True)
class _Query:
    """Conditions on entries, and which index serves them."""

    case_id: str | None
    run_id: str | None
    types: Collection[str] | None

    def by_index(self) -> list[_Query]:
        """The same as one or more queries, each of which one index answers in the order of `seq`."""
        if self.types is None or self.case_id is not None or self.run_id is not None:
            return [self]
        return [_Query(None, None, (type_,)) for type_ in sorted(set(self.types))]

    def where(self) -> tuple[str, list[str]]:
        terms: list[str] = []
        values: list[str] = []
        # `+` keeps a column away from the planner, so that the index of the first term, the rarer one, is taken;
        # `<> ''` lets it see that the partial index covers the question.
        for column, wanted in (("case_id", self.case_id), ("run_id", self.run_id)):
            if wanted is not None:
                terms.append(f"{'+' if terms else ''}{column} = ?" + (f" AND {column} <> ''" if wanted else ""))
                values.append(wanted)
        if self.types is not None:
            marks = ", ".join("?" * len(self.types))
            terms.append(f"{'+' if terms else ''}type IN ({marks})")
            values.extend(self.types)
        return " AND ".join(terms) or "TRUE", values


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
        raise LedgerRefused(f"{name} is not a ledger")
    if db.execute("PRAGMA user_version").fetchone()[0] > schema.USER_VERSION:
        raise LedgerRefused(f"{name} was made by a newer habeas; update this one")


def _migrate(db: sqlite3.Connection) -> None:
    if db.execute("PRAGMA user_version").fetchone()[0] == schema.USER_VERSION:
        return
    from habeas_audit import migrations

    db.execute("BEGIN IMMEDIATE")
    migrations.apply(db)
    db.execute("COMMIT")

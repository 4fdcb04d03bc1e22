"""Group commit: many threads write one SQLite file, and those that come together share one transaction.

A commit's price is its fsyncs, whatever it holds. Each call to `GroupCommit.run` queues its work; the first one that
finds no leader waiting leads: it opens a transaction, does the work of all that queued meanwhile, and commits for them.
No thread is kept for this. What makes it hold when Ctrl-C tears a leader away at any instruction:

- work stays in the queue until the word on its group is spoken, which is one assignment (`_Group.phase`);
- whoever leads holds one lock and first puts right what a torn leader left: it rolls back, and does that work again;
- a follower that hears nothing for `_BACKSTOP` seconds tries to lead, so nobody depends on being woken;
- only plain locks are used, and held only by `with`: CPython lets no signal in between taking one and the block. Events
  and conditions are written in Python, and an interrupt inside leaves their lock taken for ever.
"""

from __future__ import annotations

import copy
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import Any, Final, TypeVar, cast

from habeas_audit.errors import LedgerUncertain

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

_BACKSTOP: Final = 0.1
"""Seconds after which a follower looks whether it must lead; only an interrupted leader lets it come to this."""
_PATIENCE: Final = 0.004
"""Most seconds that a leader waits for the threads of the last round; never longer than the last commit took."""


class _Phase(Enum):
    OPEN = "being worked on"
    COMMITTING = "COMMIT was sent"
    COMMITTED = "durable"
    FAILED = "not written, or nobody knows"


class _Member:
    """One call of `run`."""

    __slots__ = ("error", "group", "result", "wake", "work")

    def __init__(self, work: Work[Any]) -> None:
        self.work = work
        self.result: object = None
        self.error: Exception | None = None
        self.group: _Group | None = None
        self.wake = threading.Lock()
        self.wake.acquire()

    @property
    def settled(self) -> bool:
        return self.group is not None and self.group.phase in (_Phase.COMMITTED, _Phase.FAILED)

    def answer(self) -> object:
        group = cast(_Group, self.group)
        if group.error is not None:
            # Each thread raises its own copy: a traceback belongs to one.
            raise copy.copy(group.error) from group.error
        if self.error is not None:
            raise self.error
        return self.result


class _Group:
    """Calls that share one transaction."""

    __slots__ = ("asleep", "error", "members", "phase")

    def __init__(self) -> None:
        self.members: tuple[_Member, ...] = ()
        self.asleep: list[_Member] = []
        self.phase = _Phase.OPEN
        self.error: Exception | None = None

    def wake_next(self) -> None:
        # One wakes the next: all at once would only queue up for the interpreter's lock.
        with suppress(IndexError, RuntimeError):  # none left; one that came to itself
            self.asleep.pop().wake.release()

    def fail(self, error: Exception) -> None:
        self.error = error
        self.phase = _Phase.FAILED


class GroupCommit:
    """Short pieces of work from many threads, in shared `BEGIN IMMEDIATE` transactions on one connection.

    `connection`: in autocommit mode (`isolation_level=None`), usable from any thread, used by nobody else.
    `opened`, `closing`: called once per transaction, before the first and after the last work; what they raise fails
    the whole group.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        opened: Callable[[sqlite3.Connection], None] | None = None,
        closing: Callable[[sqlite3.Connection], None] | None = None,
    ) -> None:
        self._connection = connection
        self._opened = opened
        self._closing = closing
        self._leader = threading.Lock()
        self._mutex = threading.Lock()  # guards the queue; held for a few instructions only
        self._queue: list[_Member] = []
        self._current = _Group()
        self._expected = 1
        self._patience = 0.0
        self._arrived = threading.Lock()  # free: as many as expected have come

    def run(self, work: Work[T]) -> T:
        """Do the work inside a transaction and return its result once that is durable.

        The work runs in whichever thread leads, so it is short, touches nothing of its thread, and may be run again
        after a rollback. An Exception it raises is rolled back and raised here, and harms no other call. A group that
        cannot begin or commit raises the same error in each of its calls: sqlite3.Error, or what `opened` and
        `closing` raise. LedgerUncertain: the leader was torn away in the middle of its COMMIT.
        """
        member = _Member(work)
        try:
            if self._enqueue(member):
                self._lead(member)
            while not member.settled:
                # True if woken, False after the backstop; either way the next step is right.
                member.wake.acquire(timeout=_BACKSTOP)
                if not member.settled:
                    self._lead(member)
        except BaseException:
            self._withdraw(member)
            raise
        finally:
            if member.group is not None:
                member.group.wake_next()
        return cast(T, member.answer())

    def commit(self) -> None:
        """Make the group durable. The one place where this happens, so that a test can kill the process around it."""
        self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the connection once the transaction under way has ended; later calls raise sqlite3.ProgrammingError."""
        with self._leader:
            self._connection.close()

    def _enqueue(self, member: _Member) -> bool:
        with self._mutex:
            # Whoever waits behind nobody but calls already taken is the first of the next group, and leads it.
            first = not self._queue or self._queue[-1].group is not None
            self._queue.append(member)
            if len(self._queue) >= self._expected and self._arrived.locked():
                self._arrived.release()
        return first

    def _withdraw(self, member: _Member) -> None:
        with self._mutex:
            if member.group is None or member.group is not self._current:
                self._queue = [other for other in self._queue if other is not member]

    def _lead(self, member: _Member) -> None:
        with self._leader:
            if member.settled:
                return
            self._put_right()
            self._linger()
            group = self._take(member)
            try:
                self._transact(group)
            finally:
                group.wake_next()

    def _put_right(self) -> None:
        """After a leader that was torn away: nothing is left half done, and no call is done twice."""
        torn = self._current
        if torn.phase is _Phase.COMMITTING and not self._connection.in_transaction:
            torn.fail(LedgerUncertain("the commit was interrupted; read what is there before going on"))
        self._rollback()
        self._drop_settled()

    def _linger(self) -> None:
        """Wait a moment for the threads of the last round, which were woken just now and may well be back at once."""
        with self._mutex:
            if len(self._queue) >= self._expected:
                return
            self._arrived.acquire(blocking=False)
        self._arrived.acquire(timeout=self._patience)

    def _take(self, leader: _Member) -> _Group:
        group = _Group()
        with self._mutex:
            group.members = tuple(self._queue)
            self._current = group
            for member in group.members:
                member.result, member.error, member.group = None, None, group
            # The leader is awake; the others are woken in the order they came.
            group.asleep = [member for member in reversed(group.members) if member is not leader]
        return group

    def _transact(self, group: _Group) -> None:
        try:
            self._fill(group)
            if self._closing is not None:
                self._closing(self._connection)
            started = time.monotonic()
            group.phase = _Phase.COMMITTING
            self.commit()
            group.phase = _Phase.COMMITTED
            self._patience = min(_PATIENCE, time.monotonic() - started)
        except Exception as error:  # noqa: BLE001 - not swallowed: each member of the group raises it
            with suppress(sqlite3.Error):
                self._rollback()
            group.fail(error)
        except BaseException:
            # Python delivers Ctrl-C when the C call returns: after COMMIT without an error, that is a COMMIT done.
            if group.phase is _Phase.COMMITTING and not self._connection.in_transaction:
                group.phase = _Phase.COMMITTED
            self._rollback()
            self._current = _Group()
            raise
        finally:
            self._expected = len(self._queue)
            self._drop_settled()

    def _fill(self, group: _Group) -> None:
        """Begin, and do the work; what one call raises takes it out of the group, and the others are done again."""
        pending = group.members
        while True:
            self._connection.execute("BEGIN IMMEDIATE")
            if self._opened is not None:
                self._opened(self._connection)
            culprit = self._first_to_fail(pending)
            if culprit is None:
                return
            self._rollback()
            pending = tuple(member for member in pending if member is not culprit)

    def _first_to_fail(self, members: tuple[_Member, ...]) -> _Member | None:
        for member in members:
            try:
                member.result = member.work(self._connection)
            except Exception as error:
                # Some errors (disk full, I/O) make SQLite roll the transaction back by itself: they are everyone's.
                if not self._connection.in_transaction:
                    raise
                member.error = error
                return member
        return None

    def _rollback(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _drop_settled(self) -> None:
        with self._mutex:
            self._queue = [member for member in self._queue if not member.settled]

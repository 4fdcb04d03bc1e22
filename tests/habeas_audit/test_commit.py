"""Group commit: shared transactions, separate failures, and leaders that are torn away at every step."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from habeas_audit import GroupCommit, LedgerUncertain

Add = Callable[[sqlite3.Connection], int]


class Counting(GroupCommit):
    """Counts commits, and can hold the first one until others have queued behind it."""

    def __init__(self, connection: sqlite3.Connection, **hooks: Callable[[sqlite3.Connection], None]) -> None:
        super().__init__(connection, **hooks)
        self.commits = 0
        self.under_way = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()
        self.queued = threading.Semaphore(0)

    def commit(self) -> None:
        self.commits += 1
        self.under_way.set()
        assert self.go_on.wait(10)
        super().commit()

    def _enqueue(self, member: Any) -> bool:
        first = super()._enqueue(member)
        self.queued.release()
        return first


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None, check_same_thread=False, timeout=0)) as made:
        made.execute("CREATE TABLE t(n INTEGER PRIMARY KEY)")
        yield made


def add(n: int) -> Add:
    def work(db: sqlite3.Connection) -> int:
        db.execute("INSERT INTO t VALUES (?)", (n,))
        return n

    return work


def stored(db: sqlite3.Connection) -> list[int]:
    return [n for (n,) in db.execute("SELECT n FROM t ORDER BY n")]


def together(group: Counting, pool: ThreadPoolExecutor, works: list[Add]) -> list[Future[int]]:
    """Let the first work lead a commit of its own, and all others queue up while it lasts."""
    group.go_on.clear()
    futures = [pool.submit(group.run, works[0])]
    assert group.under_way.wait(10)
    assert group.queued.acquire(timeout=10)
    for work in works[1:]:
        futures.append(pool.submit(group.run, work))
        assert group.queued.acquire(timeout=10)
    group.go_on.set()
    return futures


def test_calls_that_wait_together_share_one_commit_and_keep_their_order(db: sqlite3.Connection) -> None:
    group, order = Counting(db), list[int]()

    def noting(n: int) -> Add:
        def work(db: sqlite3.Connection) -> int:
            order.append(n)
            return add(n)(db)

        return work

    with ThreadPoolExecutor(16) as pool:
        results = [future.result(10) for future in together(group, pool, [noting(n) for n in range(16)])]
    assert results == order == stored(db) == list(range(16))
    assert group.commits == 2


def test_a_call_that_fails_is_undone_and_harms_no_other(db: sqlite3.Connection) -> None:
    def half(db: sqlite3.Connection) -> int:
        add(50)(db)
        raise ValueError("mine")

    group = Counting(db)
    with ThreadPoolExecutor(8) as pool:
        futures = together(group, pool, [add(1), add(2), half, add(3), add(2), add(4)])
        assert [futures[i].result(10) for i in (0, 1, 3, 5)] == [1, 2, 3, 4]
        with pytest.raises(ValueError, match="mine"):
            futures[2].result(10)
        with pytest.raises(sqlite3.IntegrityError):
            futures[4].result(10)
    assert stored(db) == [1, 2, 3, 4]
    assert group.commits == 2


def test_a_commit_that_fails_fails_for_each_of_its_calls_and_for_no_later_one(db: sqlite3.Connection) -> None:
    class Refusing(Counting):
        def commit(self) -> None:
            super().commit() if self.commits != 1 else self.refuse()

        def refuse(self) -> None:
            self.commits += 1
            raise sqlite3.OperationalError("disk I/O error")

    group = Refusing(db)
    with ThreadPoolExecutor(8) as pool:
        first, *others = together(group, pool, [add(n) for n in range(6)])
        assert first.result(10) == 0
        errors = [future.exception(10) for future in others]
    assert [type(error) for error in errors] == [sqlite3.OperationalError] * 5
    assert len({id(error) for error in errors}) == 5
    assert group.run(add(9)) == 9
    assert stored(db) == [0, 9]


def test_a_file_that_another_holds_raises_busy_and_works_again_when_it_is_free(
    db: sqlite3.Connection, tmp_path: Path
) -> None:
    group = GroupCommit(db)
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError) as busy:
            group.run(add(1))
        assert busy.value.sqlite_errorcode == sqlite3.SQLITE_BUSY
        other.execute("ROLLBACK")
    assert group.run(add(1)) == 1


def test_the_hooks_stand_around_the_work_of_each_transaction_and_what_they_raise_undoes_it(
    db: sqlite3.Connection,
) -> None:
    seen: list[str] = []

    def closing_hook(_: sqlite3.Connection) -> None:
        seen.append("closing")
        if len(seen) > 3:
            raise ValueError("no")

    group = GroupCommit(db, opened=lambda _: seen.append("opened"), closing=closing_hook)

    def work(db: sqlite3.Connection) -> int:
        seen.append("work")
        return add(1)(db)

    assert group.run(work) == 1
    with pytest.raises(ValueError, match="no"):
        group.run(add(2))
    assert seen == ["opened", "work", "closing", "opened", "closing"]
    assert stored(db) == [1]


def test_after_close_calls_are_refused(db: sqlite3.Connection) -> None:
    group = GroupCommit(db)
    group.close()
    with pytest.raises(sqlite3.ProgrammingError):
        group.run(add(1))


@pytest.mark.parametrize("step", ["work", "before", "after", "twice"])
def test_a_leader_torn_away_by_ctrl_c_leaves_nobody_waiting_and_nothing_half_done(
    db: sqlite3.Connection, step: str
) -> None:
    class Torn(Counting):
        def commit(self) -> None:
            last = self.commits == 1
            if last and step == "before":
                self.commits += 1
                raise KeyboardInterrupt
            super().commit()
            if last and step in ("after", "twice"):
                raise KeyboardInterrupt

        def _rollback(self) -> None:
            if step == "twice" and self.commits == 2:
                self.commits += 1
                raise KeyboardInterrupt
            super()._rollback()

    interrupted = threading.Event()

    def interrupting(db: sqlite3.Connection) -> int:
        add(1)(db)
        if step == "work" and not interrupted.is_set():
            interrupted.set()
            raise KeyboardInterrupt
        return 1

    group = Torn(db)
    with ThreadPoolExecutor(8) as pool:
        first, leader, *others = together(group, pool, [add(0), interrupting, *(add(n) for n in range(2, 7))])
        assert first.result(10) == 0
        assert isinstance(leader.exception(10), KeyboardInterrupt)
        assert [future.result(10) for future in others] == list(range(2, 7))
    # Before COMMIT the interrupted call is not done; after it, it is.
    assert stored(db) == [0, *([1] if step in ("after", "twice") else []), *range(2, 7)]
    assert group.run(add(9)) == 9


def test_calls_whose_commit_nobody_can_vouch_for_say_so(db: sqlite3.Connection) -> None:
    class TornTwice(Counting):
        def _transact(self, group: object) -> None:
            if self.commits != 1:
                super()._transact(group)  # type: ignore[arg-type]  # the private type is not the test's to name
                return
            # What is left when a second Ctrl-C comes before the first one's handler.
            self.commits += 1
            group.phase = type(group.phase)("COMMIT was sent")  # type: ignore[attr-defined]  # as above
            raise KeyboardInterrupt

    group = TornTwice(db)
    with ThreadPoolExecutor(4) as pool:
        first, leader, follower = together(group, pool, [add(0), add(1), add(2)])
        assert first.result(10) == 0
        assert isinstance(leader.exception(10), KeyboardInterrupt)
        assert isinstance(follower.exception(10), LedgerUncertain)
    assert group.run(add(9)) == 9


def test_an_interrupted_follower_takes_its_call_with_it(db: sqlite3.Connection) -> None:
    group = Counting(db)
    with ThreadPoolExecutor(2) as pool:
        group.go_on.clear()
        leader = pool.submit(group.run, add(0))
        assert group.under_way.wait(10)

        class Interrupted(Exception):
            pass

        def enqueue_then_die() -> None:
            real = group._lead

            def die(member: object) -> None:
                group._lead = real  # type: ignore[method-assign]  # undone at once
                raise Interrupted

            group._lead = die  # type: ignore[method-assign]  # stands for Ctrl-C before the lock is taken
            group.run(add(1))

        with pytest.raises(Interrupted):
            enqueue_then_die()
        group.go_on.set()
        assert leader.result(10) == 0
    assert group.run(add(2)) == 2
    assert stored(db) == [0, 2]

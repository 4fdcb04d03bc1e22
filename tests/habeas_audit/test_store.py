"""The ledger as its callers see it."""

# ruff: noqa: S608 - the SQL put together here is the attack under test
from __future__ import annotations

import dataclasses
import json
import os
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from habeas_audit import (
    Draft,
    Entry,
    GroupCommit,
    Head,
    InvalidDraft,
    Ledger,
    LedgerBusy,
    LedgerClosed,
    LedgerDamaged,
    LedgerRefused,
    LedgerUnwritable,
    migrations,
    schema,
    tree,
    verify,
)

Clock = Callable[[], datetime]
Tamper = Callable[..., None]
# Data that look like what stands around them in a body.
LOOK_ALIKES = [
    {"at": "x", "case": "c-9", "connection": "x", "log": "x", "run": "r-9", "seq": 5, "type": "x", "v": 1},
    {"connection": "x"},
    {"n": '","v":1}'},
    {"n": '","at":"'},
    {"run": "r-9"},
    {"z": {"type": "x", "v": 1}},
]
NAMES = st.text("abcXYZ019._:@-", max_size=12)
ACTORS = st.text(st.sampled_from('ab"\\,:{}') | st.characters(exclude_categories=["C", "Z"]), max_size=12)
DRAFTS = st.builds(
    Draft, st.sampled_from(["a", "call.intent", "x-1.y_2"]), NAMES, NAMES, NAMES, ACTORS, st.just({"n": 1})
)


def test_an_entry_comes_back_as_it_was_appended(ledger: Ledger) -> None:
    data = {"attempt": 1, "path": "/v1/customers/{customerId}", "ü": [None, True, {"x": "\n"}]}
    (made,) = ledger.append(Draft("call.intent", "c-1", "r-1", "voucherify-eu", "ops", data))
    (read,) = ledger.entries()
    assert read == made
    assert (read.seq, read.at, read.data) == (1, "2025-01-31T12:00:00.001000Z", data)
    assert json.loads(read.body) == {
        "v": 1, "log": ledger.log_id, "seq": 1, "at": read.at, "type": "call.intent", "case": "c-1", "run": "r-1",
        "connection": "voucherify-eu", "actor": "ops", "data": data,
    }  # fmt: skip
    assert read.leaf_hash == tree.leaf_hash(read.body)


def test_the_head_is_the_rfc_6962_root_of_the_bodies(ledger: Ledger) -> None:
    assert ledger.head() == Head(0, tree.EMPTY_ROOT)
    assert ledger.head().root_text == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    leaves: list[bytes] = []
    for size in range(1, 20):
        leaves += [entry.leaf_hash for entry in ledger.append(*[Draft("a", data={"n": size})] * (size % 3 + 1))]
        assert ledger.head() == Head(len(leaves), tree.root(leaves))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("aé\U0001f600\ufb33"), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.dictionaries(st.text("ab€"), JSON, max_size=3), max_size=3), max_size=4))
def test_any_json_goes_round_and_verifies(ledger: Ledger, calls: list[list[dict[str, Any]]]) -> None:
    before = ledger.head().size
    for call in calls:
        entries = ledger.append(*(Draft("a", data=data) for data in call))
        assert [entry.data for entry in entries] == call
    assert [entry.data for entry in ledger.entries(after=before)] == [data for call in calls for data in call]
    assert verify(ledger.path).ok


def test_drafts_of_one_call_land_together_or_not_at_all(ledger: Ledger) -> None:
    assert ledger.append() == ()
    with pytest.raises(InvalidDraft):
        ledger.append(Draft("a"), Draft("b", data={"x": 1.5}))
    assert ledger.head().size == 0
    made = ledger.append(Draft("a"), Draft("b"), Draft("c"))
    assert [(entry.seq, entry.type) for entry in made] == [(1, "a"), (2, "b"), (3, "c")]
    assert len({entry.at for entry in made}) == 1


def test_a_clock_that_fails_fails_its_own_call_only(path: Path, clock: Clock) -> None:
    Ledger.create(path, clock).close()
    times: list[datetime] = [clock(), clock().replace(tzinfo=None), clock()]
    with Ledger.open(path, lambda: times.pop(0)) as ledger:
        ledger.append(Draft("a"))
        with pytest.raises(ValueError, match="time zone"):
            ledger.append(Draft("b"))
        ledger.append(Draft("c"))
        assert [(entry.seq, entry.type) for entry in ledger.entries()] == [(1, "a"), (2, "c")]
    assert verify(path).ok


def test_sixteen_threads_share_commits_and_lose_nothing(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    commits: list[int] = []
    real = GroupCommit.commit

    def commit(self: GroupCommit) -> None:
        commits.append(1)
        real(self)

    monkeypatch.setattr(GroupCommit, "commit", commit)
    barrier = threading.Barrier(16)

    def work(thread: int) -> list[Entry]:
        barrier.wait()
        made: list[Entry] = []
        for n in range(20):
            made += ledger.append(Draft("a", f"c-{thread}", data={"n": n}), Draft("b", f"c-{thread}"))
            with pytest.raises(InvalidDraft):
                ledger.append(Draft("bad", data={"x": 0.5}))
        return made

    with ThreadPoolExecutor(16) as pool:
        made = [entry for entries in pool.map(work, range(16)) for entry in entries]
    assert list(ledger.entries()) == sorted(made, key=lambda entry: entry.seq)
    assert [entry.seq for entry in ledger.entries()] == list(range(1, 641))
    assert all(made[i].seq + 1 == made[i + 1].seq for i in range(0, 640, 2))
    assert len(commits) < 160
    assert verify(ledger.path).ok


def test_two_ledgers_on_one_file_take_turns(ledger: Ledger, path: Path, clock: Clock) -> None:
    with Ledger.open(path, clock) as other:
        for n in range(10):
            (ledger if n % 3 else other).append(*[Draft("a")] * (n % 4))
        assert ledger.head() == other.head() == Head(13, verify(path).root)
    assert verify(path).ok


class TestEntries:
    @pytest.fixture(autouse=True)
    def _fill(self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("habeas_audit.store.CHUNK", 3)
        self.all = ledger.append(
            *(Draft("abc"[n % 3] * 2, f"c-{n % 4}" if n % 5 else "", f"r-{n % 2}") for n in range(40))
        )

    @pytest.mark.parametrize("case_id", [None, "", "c-1", "c-9"])
    @pytest.mark.parametrize("run_id", [None, "", "r-1"])
    @pytest.mark.parametrize("types", [None, (), ("aa",), ["aa", "cc", "aa"], {"zz", "bb"}])
    def test_are_those_that_meet_every_condition(self, ledger: Ledger, case_id: Any, run_id: Any, types: Any) -> None:
        expected = [
            entry
            for entry in self.all
            if case_id in (None, entry.case_id)
            and run_id in (None, entry.run_id)
            and (types is None or entry.type in types)
        ]
        assert list(ledger.entries(case_id=case_id, run_id=run_id, types=types)) == expected
        for limit in (0, 1, 3, 4, 100):
            some = ledger.entries(case_id=case_id, run_id=run_id, types=types, after=7, limit=limit)
            assert list(some) == [entry for entry in expected if entry.seq > 7][:limit]
        if run_id is None:
            assert ledger.last(case_id, types) == (expected[-1] if expected else None)

    def test_end_where_the_ledger_ended_at_the_first_step(self, ledger: Ledger) -> None:
        stream = ledger.entries()
        next(stream)
        ledger.append(Draft("late"))
        assert [entry.seq for entry in stream] == list(range(2, 41))

    def test_may_be_left_half_read_while_others_write(self, ledger: Ledger) -> None:
        stream = ledger.entries()
        next(stream)
        assert ledger.append(Draft("late"))[0].seq == 41

    def test_may_be_read_from_any_thread(self, ledger: Ledger) -> None:
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(lambda _: list(ledger.entries()), range(8))) == [list(self.all)] * 8

    def test_name_each_case_once(self, ledger: Ledger) -> None:
        assert list(ledger.case_ids()) == ["c-0", "c-1", "c-2", "c-3"]
        assert list(ledger.case_ids(after="c-1")) == ["c-2", "c-3"]

    @pytest.mark.parametrize(
        ("conditions", "steps"),
        [
            ({"case_id": "c-1", "types": ["aa"]}, ["c USING PRIMARY KEY", "k USING PRIMARY KEY", "e USING INTEGER"]),
            ({"types": ["aa"]}, ["k USING PRIMARY KEY", "e USING INTEGER"]),
            ({"types": ["call.intent"]}, ["e USING INTEGER"]),
        ],
    )
    def test_are_found_by_keys_and_already_in_order(
        self, ledger: Ledger, path: Path, conditions: dict[str, Any], steps: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[str] = []
        with closing(sqlite3.connect(path)) as db:
            db.set_trace_callback(asked.append)
            monkeypatch.setattr("habeas_audit.store.connect", lambda *_: db)
            list(ledger.entries(**conditions))
            db.set_trace_callback(None)
            (query,) = {sql for sql in asked if "leaf_hash" in sql and "seq > " in sql}
            plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {query}")]
        assert len(plan) == len(steps)
        assert all(line.startswith(f"SEARCH {step}") for line, step in zip(plan, steps, strict=True))

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(draft=DRAFTS, data=st.sampled_from(LOOK_ALIKES))
    def test_columns_say_what_the_body_says(self, path: Path, ledger: Ledger, draft: Draft, data: Any) -> None:
        """They are cut out of its text, so what looks like its parts inside its data must not lead astray."""
        told = ledger.append(draft, dataclasses.replace(draft, data=data))
        with closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA trusted_schema = OFF")
            rows = db.execute("SELECT * FROM entries WHERE seq >= ? ORDER BY seq", (told[0].seq,)).fetchall()
        assert rows == [
            (e.seq, e.at, e.type, e.case_id, e.run_id, e.connection, e.actor, e.body, e.leaf_hash) for e in told
        ]

    def test_columns_of_a_body_that_was_changed_raise_nothing(self, path: Path, ledger: Ledger, tamper: Tamper) -> None:
        ledger.append(*[Draft("a", "c-1", "r-1")] * 4)
        changes = ("zeroblob(3)", "x'ff22617422'", "x''", 'CAST(\'{"at":"\' AS BLOB)')
        tamper(*(f"UPDATE entries SET body = {new} WHERE seq = {seq}" for seq, new in enumerate(changes, 1)))
        with closing(sqlite3.connect(path)) as db:
            db.text_factory = bytes
            assert len(db.execute("SELECT * FROM entries WHERE seq <= 4").fetchall()) == 4


def again(seq: str) -> str:
    """The first entry's row with another sequence number."""
    return f"(seq, body, leaf_hash) SELECT {seq}, body, leaf_hash FROM entries WHERE seq = 1"


class TestAppendOnly:
    @pytest.mark.parametrize(
        "sql",
        [
            "UPDATE entries SET body = x'00' WHERE seq = 1",
            "UPDATE OR IGNORE entries SET body = x'00' WHERE seq = 1",
            "DELETE FROM entries WHERE seq = 2",
            "DELETE FROM entries",
            f"INSERT OR REPLACE INTO entries{again('1')}",
            f"REPLACE INTO entries{again('2')}",
            f"INSERT INTO entries{again('19')}",
            f"INSERT INTO entries{again('0')}",
            "INSERT INTO entries(seq, body, leaf_hash) VALUES (18, 'text', zeroblob(32))",
            "UPDATE nodes SET hash = zeroblob(32)",
            "DELETE FROM nodes",
            "INSERT OR REPLACE INTO nodes VALUES (4, 0, zeroblob(32))",
            "INSERT INTO nodes VALUES (4, 2, zeroblob(32))",
            "INSERT INTO nodes VALUES (1, 0, zeroblob(32))",
            "UPDATE cases SET first = 2",
            "DELETE FROM cases",
            "INSERT OR REPLACE INTO cases VALUES ('c-1', 2)",
            "UPDATE case_entries SET first = 2",
            "DELETE FROM case_entries",
            "UPDATE kinds SET seq = 2",
            "DELETE FROM kinds",
            "UPDATE head SET root = zeroblob(32)",
            "UPDATE head SET size = 1",
            "UPDATE head SET size = 18",
            "DELETE FROM head",
            "INSERT INTO head VALUES (3, zeroblob(32))",
            "INSERT OR REPLACE INTO head(rowid, size, root) VALUES (1, 3, zeroblob(32))",
            "UPDATE log SET log_id = 'x'",
            "DELETE FROM log",
            "INSERT OR REPLACE INTO log(rowid, log_id, created_at) VALUES (1, 'x', 'y')",
        ],
    )  # fmt: skip
    def test_the_file_itself_refuses(self, ledger: Ledger, path: Path, sql: str) -> None:
        ledger.append(*[Draft("a", "c-1")] * 16, Draft("b"))
        with closing(sqlite3.connect(path)) as db, pytest.raises(sqlite3.IntegrityError):
            db.execute(sql)
        assert verify(path).ok

    def test_the_next_entry_is_accepted(self, ledger: Ledger, path: Path) -> None:
        ledger.append(Draft("a"))
        with closing(sqlite3.connect(path)) as db:
            db.execute(f"INSERT INTO entries{again('2')}")
            db.rollback()


class TestFile:
    def test_is_private_durable_and_named_as_ours(self, ledger: Ledger, path: Path) -> None:
        assert path.stat().st_mode & 0o777 == 0o600
        assert [each.name for each in path.parent.iterdir()] == ["audit.db"]
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA application_id").fetchone()[0] == schema.APPLICATION_ID
            assert db.execute("PRAGMA user_version").fetchone()[0] == schema.USER_VERSION == 3
            columns = [row[0] for row in db.execute("SELECT * FROM entries").description]
            assert columns == ["seq", "at", "type", "case_id", "run_id", "connection", "actor", "body", "leaf_hash"]
            assert db.execute("SELECT log_id, created_at FROM log").fetchall() == [
                (ledger.log_id, "2025-01-31T12:00:00.000000Z")
            ]

    def test_is_written_with_the_pragmas_that_survive_a_power_cut(self, ledger: Ledger) -> None:
        found: dict[str, Any] = {}

        def look(db: sqlite3.Connection) -> None:
            for name in ("journal_mode", "synchronous", "trusted_schema", "cell_size_check"):
                found[name] = db.execute(f"PRAGMA {name}").fetchone()[0]

        ledger._group.run(look)
        assert found == {"journal_mode": "delete", "synchronous": 3, "trusted_schema": 0, "cell_size_check": 1}

    def test_is_never_overwritten(self, ledger: Ledger, path: Path, clock: Clock) -> None:
        before = path.read_bytes()
        with pytest.raises(LedgerRefused, match="already there"):
            Ledger.create(path, clock)
        assert path.read_bytes() == before

    def test_is_not_made_beside_a_left_over_journal(self, path: Path, clock: Clock) -> None:
        path.with_name("audit.db-journal").write_bytes(b"x")
        with pytest.raises(LedgerRefused, match="journal"):
            Ledger.create(path, clock)

    def test_is_not_there_at_all_when_making_it_fails(self, path: Path) -> None:
        def broken() -> datetime:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            Ledger.create(path, broken)
        assert list(path.parent.iterdir()) == []

    def test_cannot_be_made_where_there_is_no_folder(self, path: Path, clock: Clock) -> None:
        with pytest.raises(LedgerUnwritable):
            Ledger.create(path / "nowhere", clock)

    def test_random_names_come_from_the_caller_if_it_wants(self, path: Path, clock: Clock) -> None:
        with Ledger.create(path, clock, random_bytes=bytes) as ledger:
            assert ledger.log_id == "0" * 16

    @pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
    def test_that_others_may_write_is_refused(self, path: Path, clock: Clock, mode: int) -> None:
        Ledger.create(path, clock).close()
        path.chmod(mode)
        with pytest.raises(LedgerRefused, match="others may write"):
            Ledger.open(path, clock)

    def test_that_is_a_link_or_a_folder_or_missing_is_refused(self, path: Path, clock: Clock) -> None:
        with pytest.raises(LedgerRefused, match="no ledger"):
            Ledger.open(path, clock)
        Ledger.create(path, clock).close()
        link = path.with_name("link.db")
        link.symlink_to(path)
        for wrong in (link, path.parent):
            with pytest.raises(LedgerRefused, match="plain file"):
                Ledger.open(wrong, clock)

    def test_that_is_not_a_ledger_is_refused_and_left_alone(self, path: Path, clock: Clock) -> None:
        with closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE t(n)")
        path.chmod(0o600)
        before = path.read_bytes()
        with pytest.raises(LedgerRefused, match="not a ledger"):
            Ledger.open(path, clock)
        assert path.read_bytes() == before
        path.write_bytes(b"")
        with pytest.raises(LedgerRefused, match="not a ledger"):
            Ledger.open(path, clock)
        path.write_text("this is text, and more of it than an SQLite header is long " * 20)
        with pytest.raises(LedgerDamaged, match="not an SQLite database"):
            Ledger.open(path, clock)

    def test_of_a_newer_program_is_refused(self, path: Path, clock: Clock, tamper: Tamper) -> None:
        Ledger.create(path, clock).close()
        tamper("PRAGMA user_version = 4")
        with pytest.raises(LedgerRefused, match="newer"):
            Ledger.open(path, clock)

    def test_of_before_the_first_release_is_refused(self, path: Path, clock: Clock, tamper: Tamper) -> None:
        Ledger.create(path, clock).close()
        tamper("PRAGMA user_version = 2")
        with pytest.raises(LedgerRefused, match="before the first release"):
            Ledger.open(path, clock)

    def test_without_a_guard_is_refused(self, path: Path, clock: Clock, tamper: Tamper) -> None:
        Ledger.create(path, clock).close()
        tamper("DROP TRIGGER entries_no_update", keep_guards=True)
        with pytest.raises(LedgerDamaged, match="trigger entries_no_update is missing"):
            Ledger.open(path, clock)

    @pytest.mark.parametrize(
        "sql",
        ["DELETE FROM head", "UPDATE head SET size = 2", "DELETE FROM nodes", "DELETE FROM entries WHERE seq = 31"],
    )
    def test_whose_tree_contradicts_itself_is_refused_at_once(
        self, path: Path, clock: Clock, tamper: Tamper, sql: str
    ) -> None:
        with Ledger.create(path, clock) as ledger:
            ledger.append(*[Draft("a")] * 31)
            tamper(sql)
            before = path.read_bytes()
            with pytest.raises(LedgerDamaged):
                ledger.append(Draft("a"), Draft("b"))
        with pytest.raises(LedgerDamaged):
            Ledger.open(path, clock)
        assert path.read_bytes() == before

    def test_that_another_program_put_into_wal_mode_is_taken_out_of_it(self, path: Path, clock: Clock) -> None:
        Ledger.create(path, clock).close()
        with closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA journal_mode = WAL")
        with Ledger.open(path, clock) as ledger:
            ledger.append(Draft("a"))
        assert [each.name for each in path.parent.iterdir()] == ["audit.db"]

    def test_that_another_process_holds_is_busy_and_nothing_is_written(self, path: Path, clock: Clock) -> None:
        Ledger.create(path, clock).close()
        with Ledger.open(path, clock, busy_seconds=0) as ledger, closing(sqlite3.connect(path)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LedgerBusy):
                ledger.append(Draft("a"))
            other.execute("ROLLBACK")
            assert ledger.append(Draft("a"))[0].seq == 1

    def test_may_be_closed_twice_and_is_closed_then(self, path: Path, clock: Clock) -> None:
        ledger = Ledger.create(path, clock)
        ledger.head()
        ledger.close()
        ledger.close()
        for use in (lambda: ledger.append(Draft("a")), ledger.head, lambda: next(ledger.entries())):
            with pytest.raises(LedgerClosed):
                use()

    def test_is_not_used_across_a_fork(self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
        child = os.getpid() + 1
        with monkeypatch.context() as patch:
            patch.setattr("os.getpid", lambda: child)
            with pytest.raises(LedgerClosed, match="fork"):
                ledger.append(Draft("a"))
        ledger.append(Draft("a"))

    def test_migrations_run_again_change_nothing(self, ledger: Ledger, path: Path) -> None:
        before = path.read_bytes()
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            migrations.apply(db)
            db.execute("COMMIT")
            names = db.execute("SELECT name FROM _sqlite_migrations ORDER BY name DESC").fetchall()
            assert names == [("create_ledger",)]
        assert path.read_bytes() == before

    def test_migrations_are_undone_whole(self) -> None:
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
            with pytest.raises(ValueError, match="transaction"):
                migrations.apply(db)
            db.execute("BEGIN IMMEDIATE")
            migrations.apply(db)
            assert list(schema.problems(db)) == []
            db.execute("ROLLBACK")
            assert db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
            assert db.execute("PRAGMA user_version").fetchone()[0] == 0

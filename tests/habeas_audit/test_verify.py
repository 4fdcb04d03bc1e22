"""Verification finds what was done to a file, and says where."""

# ruff: noqa: S608 - the SQL put together here is the attack under test
from __future__ import annotations

import importlib
import json
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from habeas_audit import Draft, Ledger, Verification, tree, verify
from habeas_audit.canonical import MAX_DEPTH
from habeas_audit.rowcheck import read_rows
from habeas_audit.verify import MAX_FINDINGS

Clock = Callable[[], datetime]
Tamper = Callable[..., None]


STORED = "seq, body, leaf_hash"


def fill(ledger: Ledger, size: int = 11) -> None:
    ledger.append(
        *(
            Draft("call.intent" if n else "a", f"c-{n % 3}", "r-1", "voucherify-eu", "ops", {"n": n} if n % 4 else {})
            for n in range(size)
        )
    )


@contextmanager
def small_chunks(**changes: object) -> Iterator[None]:
    """Chunks of four entries."""
    module = importlib.import_module("habeas_audit.verify")  # the package's `verify` is the function
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"_LEVELS": 2, "_CHUNK": 4, **changes}.items():
            patch.setattr(module, name, value)
        yield


def kinds(path: Path) -> set[tuple[str, int | None]]:
    result = verify(path)
    assert result.ok == (not result.findings)
    return {(finding.kind, finding.seq) for finding in result.findings}


def rewrite(path: Path, tamper: Tamper, seq: int, body: bytes) -> None:
    """Change an entry, and mend all that follows from it: leaf hash, nodes, head."""
    with closing(sqlite3.connect(path)) as db:
        leaves = [row[0] for row in db.execute("SELECT leaf_hash FROM entries ORDER BY seq")]
    leaves[seq - 1] = tree.leaf_hash(body)
    frontier = tree.Frontier()
    nodes = [node for leaf in leaves for node in frontier.append(leaf)]
    tamper(
        f"UPDATE entries SET body = x'{body.hex()}', leaf_hash = x'{leaves[seq - 1].hex()}' WHERE seq = {seq}",
        *(f"UPDATE nodes SET hash = x'{n.hash.hex()}' WHERE level = {n.level} AND idx = {n.idx}" for n in nodes),
        f"UPDATE head SET root = x'{frontier.root().hex()}'",
    )


@pytest.mark.parametrize("size", [0, 1, 2, 7, 8, 11])
def test_a_ledger_as_it_was_written_is_well(ledger: Ledger, size: int) -> None:
    fill(ledger, size)
    result = verify(ledger.path)
    assert (result.ok, result.findings) == (True, ())
    assert (result.size, result.root, result.root_text) == (size, ledger.head().root, ledger.head().root_text)


def test_many_chunks_are_read_in_turn(ledger: Ledger, tamper: Tamper) -> None:
    with small_chunks():
        for size in range(1, 40):
            fill(ledger, 1)
            seen: list[tuple[int, int]] = []
            result = verify(ledger.path, progress=lambda *step, seen=seen: seen.append(step))
            assert (result.ok, result.root) == (True, ledger.head().root)
            assert seen == [(done, size) for done in [*range(4, size, 4), size]]
        tamper("UPDATE nodes SET hash = zeroblob(32) WHERE level = 4 AND idx = 1")
        assert kinds(ledger.path) == {("node", None)}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_one_byte_changed_in_any_row_is_found(
    ledger: Ledger, path: Path, tamper: Tamper, data: st.DataObject
) -> None:
    if ledger.head().size == 0:
        fill(ledger)
    assert verify(path).ok
    seq = data.draw(st.integers(1, 11))
    column = data.draw(st.sampled_from(["body", "leaf_hash"]))
    with closing(sqlite3.connect(path)) as db:
        stored = bytearray(
            db.execute(f"SELECT CAST({column} AS BLOB) FROM entries WHERE seq = ?", (seq,)).fetchone()[0]
        )
    before = bytes(stored)
    place = data.draw(st.integers(0, len(stored) - 1))
    stored[place] ^= data.draw(st.integers(1, 255))
    change = f"UPDATE entries SET {column} = x'%s' WHERE seq = {seq}"
    tamper(change % stored.hex())
    found = kinds(path)
    tamper(change % before.hex())
    assert ("leaf", seq) in found


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("DELETE FROM entries WHERE seq = 5", ("gap", 5)),
        ("DELETE FROM entries WHERE seq IN (1, 2)", ("gap", 1)),
        ("DELETE FROM entries WHERE seq = 19", ("head", None)),
        ("DELETE FROM entries", ("head", None)),
        ("UPDATE entries SET seq = 20 WHERE seq = 5", ("seq", 20)),
        ("UPDATE entries SET seq = 99 WHERE seq = 19", ("gap", 19)),
        (f"INSERT INTO entries({STORED}) SELECT 20, body, leaf_hash FROM entries WHERE seq = 3", ("seq", 20)),
        ("UPDATE nodes SET hash = zeroblob(32) WHERE level = 4 AND idx = 0", ("node", None)),
        ("DELETE FROM nodes WHERE level = 4 AND idx = 0", ("node", None)),
        ("INSERT INTO nodes VALUES (4, 5, zeroblob(32))", ("node", None)),
        ("INSERT INTO nodes VALUES (12, 0, zeroblob(32))", ("node", None)),
        ("UPDATE head SET root = zeroblob(32)", ("head", None)),
        ("UPDATE head SET size = 18", ("head", None)),
        ("DELETE FROM head", ("head", None)),
        ("INSERT INTO head SELECT * FROM head", ("head", None)),
        ("DELETE FROM log", ("log", None)),
        ("UPDATE log SET log_id = 'another'", ("log", 1)),
        ("UPDATE entries SET body = zeroblob(20000) WHERE seq = 2", ("leaf", 2)),
        ("PRAGMA user_version = 9", ("newer", None)),
        ("PRAGMA application_id = 9", ("foreign", None)),
        ("CREATE TRIGGER mine AFTER INSERT ON entries BEGIN SELECT 1; END", ("schema", None)),
        ("DROP TABLE kinds", ("schema", None)),
        ("DELETE FROM kinds WHERE seq = 1", ("index", None)),
        ("DELETE FROM case_entries WHERE seq = 7", ("index", None)),
        ("DROP TABLE nodes", ("schema", None)),
    ],
)  # fmt: skip
def test_what_was_done_by_sql_is_named(ledger: Ledger, path: Path, sql: str, expected: tuple[str, int | None]) -> None:
    fill(ledger, 19)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        guards = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in guards:
            db.execute(f"DROP TRIGGER {name}")
        db.execute(sql)
        for _, guard in guards if not sql.startswith("DROP TABLE") else []:
            db.execute(guard)
    assert expected in kinds(path)


def test_each_guard_that_is_gone_is_named(ledger: Ledger, path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'")]
        for name in names:
            db.execute(f"DROP TRIGGER {name}")
    assert len(names) == 25
    assert [finding.text for finding in verify(path).findings] == [f"the trigger {name} is missing" for name in names]


def test_entries_that_changed_places_are_found_whatever_was_mended(ledger: Ledger, path: Path, tamper: Tamper) -> None:
    fill(ledger)
    tamper(*(f"UPDATE entries SET seq = {new} WHERE seq = {old}" for old, new in ((4, 99), (5, 4), (99, 5))))
    assert kinds(path) >= {("seq", 4), ("seq", 5), ("head", None)}
    four, five = (entry.body for entry in ledger.entries(after=3, limit=2))
    rewrite(path, tamper, 4, four)
    rewrite(path, tamper, 5, five)
    assert kinds(path) == {("seq", 4), ("seq", 5)}


def body_with(**changes: Any) -> Callable[[dict[str, Any]], bytes]:
    return lambda fields: rfc8785.dumps({key: value for key, value in (fields | changes).items() if value is not ...})


@pytest.mark.parametrize(
    ("spell", "kind"),
    [
        (lambda fields: json.dumps(fields).encode(), "canonical"),
        (lambda fields: rfc8785.dumps(fields) + b" ", "canonical"),
        (lambda fields: rfc8785.dumps(fields).replace(b'"data":{"n":5}', b'"data":{"n":5,"n":5}'), "canonical"),
        (lambda fields: rfc8785.dumps(fields).replace(b'"data":{"n":5}', b'"data":{"n":5.0}'), "canonical"),
        (
            lambda fields: rfc8785.dumps(fields).replace(b'"data":{"n":5}', b'"data":{"n":1},"data":{"n":5}'),
            "canonical",
        ),
        (lambda fields: rfc8785.dumps(fields).replace(b'"data":{"n":5}', b'"data":{"n":5'), "canonical"),
        (lambda fields: rfc8785.dumps(fields).replace(b'"actor"', b'"\xff"'), "canonical"),
        (lambda _: b"[]", "canonical"),
        (lambda _: b"", "canonical"),
        (lambda _: b"[" * 9000, "canonical"),
        (body_with(data={"x": "y" * 17000}), "canonical"),
        (body_with(data={}), "shape"),
        (body_with(data=[1]), "shape"),
        (body_with(extra=1), "shape"),
        (body_with(v=2), "shape"),
        (body_with(v=...), "shape"),
        (body_with(run=""), "shape"),
        (body_with(actor=7), "shape"),
        (body_with(at=...), "shape"),
        (body_with(seq=7), "seq"),
        (body_with(log="another"), "log"),
    ],
)
def test_an_entry_that_was_rewritten_with_the_whole_tree_mended_must_still_be_one_of_ours(
    ledger: Ledger, path: Path, tamper: Tamper, spell: Callable[[dict[str, Any]], bytes], kind: str
) -> None:
    fill(ledger)
    (entry,) = ledger.entries(after=5, limit=1)
    body = spell(json.loads(entry.body))
    assert body != entry.body
    rewrite(path, tamper, 6, body)
    assert (kind, 6) in kinds(path)
    assert {finding.kind for finding in verify(path).findings} <= {"canonical", "shape", "seq", "log"}


def test_two_entries_that_are_well_formed_only_together_are_not(ledger: Ledger, path: Path, tamper: Tamper) -> None:
    fill(ledger)
    six, seven = (entry.body for entry in ledger.entries(after=5, limit=2))
    rewrite(path, tamper, 6, six.replace(b'{"n":5}', b'{"n":[5}'))
    rewrite(path, tamper, 7, seven.replace(b'{"n":6}', b'{"n":5]}'))
    assert kinds(path) == {("canonical", 6), ("canonical", 7)}


def test_two_entries_in_the_place_of_one_are_not(ledger: Ledger, path: Path, tamper: Tamper) -> None:
    fill(ledger)
    six, seven = (entry.body for entry in ledger.entries(after=5, limit=2))
    rewrite(path, tamper, 6, six + b"\n" + seven)
    rewrite(path, tamper, 7, b"")
    assert kinds(path) >= {("canonical", 6), ("canonical", 7)}


def test_entries_that_only_the_exact_way_can_judge_are_well(ledger: Ledger) -> None:
    deep: Any = []
    for _ in range(MAX_DEPTH - 3):
        deep = [deep]
    for data in ({"\ufb33": 1, "\U0001f600": 2}, {"a": deep}, {"a": -(2**53) + 1}, {"a": "\x00\x1f\x7f\u2028\ufffd"}):
        ledger.append(*[Draft("a", data=data), Draft("b", actor="Ünal 😀")] * 40)
    assert verify(ledger.path).findings == ()


def test_a_time_that_is_not_one_is_found(ledger: Ledger, path: Path, tamper: Tamper) -> None:
    fill(ledger)
    (entry,) = ledger.entries(after=5, limit=1)
    rewrite(path, tamper, 6, entry.body.replace(entry.at.encode(), b"yesterday"))
    assert kinds(path) == {("shape", 6)}


def test_a_whole_rewrite_is_well_in_itself_and_only_its_root_tells(ledger: Ledger, path: Path, tamper: Tamper) -> None:
    fill(ledger)
    kept = ledger.head()
    (entry,) = ledger.entries(after=5, limit=1)
    rewrite(path, tamper, 6, entry.body.replace(b'"n":5', b'"n":6'))
    result = verify(path)
    assert result.ok
    assert result.root != kept.root


def test_findings_are_counted_once_there_are_too_many(ledger: Ledger, path: Path, tamper: Tamper) -> None:
    fill(ledger, MAX_FINDINGS + 50)
    tamper("UPDATE entries SET leaf_hash = zeroblob(32)")
    findings = verify(path).findings
    assert len(findings) == MAX_FINDINGS + 1
    assert (findings[-1].kind, findings[-1].text) == ("more", "50 more findings")


def test_no_finding_repeats_what_the_file_holds(ledger: Ledger, path: Path, tamper: Tamper) -> None:
    ledger.append(Draft("a", "canary", "canary", "canary", "canary", {"canary": "canary"}))
    tamper("UPDATE entries SET body = CAST(body || 'canary' AS BLOB)", "UPDATE cases SET case_id = 'canary2'")
    assert not any("canary" in finding.text for finding in verify(path).findings)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_bytes_changed_or_cut_off_anywhere_in_the_file_never_raise(
    ledger: Ledger, path: Path, data: st.DataObject
) -> None:
    if ledger.head().size == 0:
        fill(ledger, 40)
    whole = path.read_bytes()
    broken = bytearray(whole)
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=4)):
        broken[place] ^= data.draw(st.integers(1, 255))
    if data.draw(st.booleans()):
        del broken[data.draw(st.integers(0, len(whole))) :]
    target = path.with_name("broken.db")
    target.write_bytes(broken)
    for finding in verify(target).findings:
        assert finding.text


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE entries SET body = NULL WHERE seq = 2",
        "UPDATE entries SET body = 7 WHERE seq = 2",
        "UPDATE cases SET first = 'x'",
        "INSERT INTO kinds VALUES (7, 'x')",
        "UPDATE head SET size = 'x', root = 7",
        "UPDATE log SET log_id = 7",
        "INSERT INTO nodes VALUES ('x', 'y', 'z')",
    ],
)
def test_values_that_no_column_may_hold_are_findings(ledger: Ledger, path: Path, tamper: Tamper, sql: str) -> None:
    fill(ledger)
    with closing(sqlite3.connect(path)) as db:
        # Without STRICT and the checks, a column takes anything.
        db.execute("PRAGMA writable_schema = ON")
        for word in (" STRICT, WITHOUT", " STRICT", " NOT NULL", " CHECK (length(leaf_hash) = 32)"):
            db.execute(
                "UPDATE sqlite_schema SET sql = replace(sql, ?, ?)", (word, " WITHOUT" if "WITHOUT" in word else "")
            )
        for check in ("level > 0 AND level % 4 = 0", "idx >= 0", "length(hash) = 32", "size >= 0", "length(root) = 32"):
            db.execute("UPDATE sqlite_schema SET sql = replace(sql, ?, '')", (f" CHECK ({check})",))
        db.commit()
    tamper(sql)
    assert ("schema", None) in kinds(path)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_root_at_each_mark_is_that_of_so_many_first_rows(path: Path, clock: Clock, data: st.DataObject) -> None:
    path.unlink(missing_ok=True)
    size = data.draw(st.integers(0, 70))
    with Ledger.create(path, clock) as ledger, small_chunks():
        fill(ledger, size)
        leaves = [entry.leaf_hash for entry in ledger.entries()]
        gap = data.draw(st.integers(0, size))
        if gap and data.draw(st.booleans()):
            with closing(sqlite3.connect(path)) as db, db:
                db.execute("DROP TRIGGER entries_no_delete")
                # The stored hashes do not count, only the bytes.
                db.execute("DROP TRIGGER entries_no_update")
                db.execute("UPDATE entries SET leaf_hash = zeroblob(32)")
                db.execute("DELETE FROM entries WHERE seq = ?", (gap,))
            del leaves[gap - 1]
        marks = data.draw(st.lists(st.integers(-1, 80)))
        assert verify(path, marks=marks).roots == {
            mark: tree.root(leaves[:mark]) for mark in marks if 0 <= mark <= len(leaves)
        }


def test_what_leads_to_entries_is_read_in_many_pages(
    ledger: Ledger, path: Path, tamper: Tamper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a writer that remembers no case finds its first entry again, also within one transaction."""
    monkeypatch.setattr("habeas_audit.indexprint._PAGE", 2)
    monkeypatch.setattr("habeas_audit.stored_tree._MOST_CASES", 3)
    for n in range(6):
        ledger.append(*(Draft(f"t{i % 5}", f"c-{(i * 7 + n) % 17}") for i in range(30)))
    assert verify(path).findings == ()
    assert [e.seq for e in ledger.entries(case_id="c-3")] == [e.seq for e in ledger.entries() if e.case_id == "c-3"]
    for lost in ("case_entries WHERE seq = 170", "kinds WHERE seq = 170", "cases WHERE case_id = 'c-16'"):
        table = lost.partition(" ")[0]
        with closing(sqlite3.connect(path)) as db:
            row = db.execute(f"SELECT * FROM {lost}").fetchone()
        tamper(f"DELETE FROM {lost}")
        assert kinds(path) == {("index", None)}
        tamper(f"INSERT INTO {table} VALUES ({', '.join(repr(value) for value in row)})")
        assert verify(path).ok


def test_thousands_of_marks_are_allowed(ledger: Ledger) -> None:
    fill(ledger, 3000)
    leaves = [entry.leaf_hash for entry in ledger.entries()]
    roots = verify(ledger.path, marks=range(4000, -1, -1)).roots
    frontier = tree.Frontier()
    assert len(roots) == 3001
    for size, leaf in enumerate(leaves, 1):
        frontier.append(leaf)
        assert roots[size] == frontier.root()


def test_a_file_that_cannot_be_read_has_the_empty_root(path: Path) -> None:
    assert verify(path, marks=[5, 0]).roots == {0: tree.EMPTY_ROOT}


@pytest.mark.parametrize("content", [b"", b"text", b"SQLite format 3\x00", b"SQLite format 3\x00" + bytes(5000)])
def test_what_is_no_ledger_is_a_finding(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert not verify(path).ok


def test_what_is_no_file_is_a_finding_and_none_is_made(path: Path) -> None:
    assert kinds(path) == kinds(path.parent) == {("unreadable", None)}
    assert list(path.parent.iterdir()) == []


def test_a_file_that_another_holds_is_busy_not_damaged(ledger: Ledger, path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert [finding.kind for finding in verify(path, busy_seconds=0).findings] == ["busy"]


def test_the_file_is_not_touched(ledger: Ledger, path: Path) -> None:
    fill(ledger)
    ledger.close()
    path.chmod(0o400)
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    assert verify(path).ok
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert [each.name for each in path.parent.iterdir()] == ["audit.db"]


def test_a_ledger_that_is_being_written_is_verified_as_it_was_at_the_start(ledger: Ledger) -> None:
    fill(ledger)
    before = ledger.head()
    steps: list[int] = []

    def write_on(done: int, total: int) -> None:
        steps.append(total)
        fill(ledger, 3)

    result = verify(ledger.path, progress=write_on)
    assert (result.ok, result.size, result.root, steps) == (True, before.size, before.root, [11])


def with_help(path: Path, **changes: object) -> Verification:
    """Verify with a helper that is always done before it is asked."""
    helper = importlib.import_module("habeas_audit.verify")._Helper
    at_once = helper.vouched

    def vouched(self: Any, index: int, log_id: str) -> Any:
        if self._process is not None:
            self._listener.join()
        return at_once(self, index, log_id)

    with small_chunks(_WORTH_HELP=0, cores=lambda: 2, **changes), pytest.MonkeyPatch.context() as patch:
        patch.setattr(helper, "vouched", vouched)
        return verify(path, marks=range(50))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "UPDATE entries SET body = x'00' WHERE seq = 9",
        "UPDATE entries SET leaf_hash = zeroblob(32) WHERE seq % 7 = 0",
        "DELETE FROM case_entries WHERE seq = 20",
        "UPDATE entries SET body = (SELECT body FROM entries WHERE seq = 30) WHERE seq = 20",
        "DELETE FROM entries WHERE seq = 22",
        "DELETE FROM entries WHERE seq > 30",
        "UPDATE entries SET seq = 60 WHERE seq = 25",
        "UPDATE nodes SET hash = zeroblob(32) WHERE idx = 0",
        "DELETE FROM nodes WHERE level = 4 AND idx = 1",
        "UPDATE log SET log_id = 'another'",
        "DROP TABLE log",
        "DROP TABLE nodes",
    ],
)
def test_two_processes_find_what_one_finds(ledger: Ledger, path: Path, sql: str) -> None:
    fill(ledger, 42)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        db.execute(sql)
    with small_chunks():
        alone = verify(path, marks=range(50))
    assert with_help(path) == alone


def test_what_the_helper_vouches_for_is_not_read_twice(ledger: Ledger, path: Path) -> None:
    fill(ledger, 42)
    read: list[int] = []

    def counted(db: sqlite3.Connection, after: int, *rest: int) -> Any:
        read.append(after)
        return read_rows(db, after, *rest)

    assert with_help(path, read_rows=counted).ok
    assert read == [-(2**63), 40, 42]  # the first chunk, the unfinished one, and that nothing follows


@pytest.mark.parametrize("program", ["/bin/false", "/no/such/program"])
def test_without_its_helper_it_goes_on_alone(
    ledger: Ledger, path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    fill(ledger, 42)
    monkeypatch.setattr(sys, "executable", program)
    assert (with_help(path).ok, with_help(path).root) == (True, ledger.head().root)

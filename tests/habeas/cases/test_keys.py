"""The key store: who can link what, under concurrent use too."""

from __future__ import annotations

import sqlite3
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from habeas.cases.files import open_database
from habeas.cases.keys import _APPLICATION_ID, _VERSIONS, KeyStore
from habeas.errors import StorageError

Start = Callable[..., "subprocess.Popen[str]"]

OCTOBER = datetime(2026, 10, 1, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)
JANUARY = datetime(2027, 1, 1, tzinfo=UTC)


def test_a_person_has_one_pseudonym_in_a_quarter_and_another_in_the_next(keys: KeyStore) -> None:
    names = [keys.pseudonym("email", "ada@x.org", at) for at in (OCTOBER, DECEMBER, JANUARY)]
    assert names[0] == names[1] != names[2]
    assert names[0].startswith("2026Q4:")
    assert names[2].startswith("2027Q1:")
    assert names[0].split(":")[1] != names[2].split(":")[1]
    assert len(names[0]) == len("2026Q4:") + 32


def test_a_quarter_ends_for_the_whole_world_at_once(keys: KeyStore) -> None:
    tokyo = JANUARY.astimezone(timezone(timedelta(hours=9))) - timedelta(seconds=1)
    assert tokyo.year == 2027
    assert keys.pseudonym("email", "ada@x.org", tokyo) == keys.pseudonym("email", "ada@x.org", DECEMBER)


def test_identifiers_that_compare_as_equal_have_one_pseudonym_and_others_their_own(keys: KeyStore) -> None:
    def name(kind: str, value: str) -> str:
        return keys.pseudonym(kind, value, OCTOBER)

    assert name("email", "Ada@X.org") == name("email", "ada@x.org")
    different = [
        ("email", "ada@x.org"), ("customer_id", "ada@x.org"), ("customer_id", "Ada@x.org"),
        ("email", "\u0430da@x.org"), ("email", "adá@x.org"), ("email", "ada\u0301@x.org"),
    ]  # fmt: skip
    assert len({name(kind, value) for kind, value in different}) == len(different)


def test_another_installation_has_other_pseudonyms_and_fingerprints(keys: KeyStore, tmp_path: Path) -> None:
    with closing(KeyStore.create(tmp_path / "other.db")) as other:
        assert keys.pseudonym("email", "a@x.org", OCTOBER) != other.pseudonym("email", "a@x.org", OCTOBER)
        assert keys.fingerprint(b"a") != other.fingerprint(b"a")


def test_pseudonyms_and_fingerprints_outlive_the_process(keys: KeyStore, tmp_path: Path) -> None:
    before = (keys.pseudonym("phone", "+1", OCTOBER), keys.fingerprint(b"a", b"b"))
    with closing(KeyStore.open(tmp_path / "keys.db")) as again:
        assert (again.pseudonym("phone", "+1", OCTOBER), again.fingerprint(b"a", b"b")) == before


def test_fingerprints_tell_apart_where_parts_begin_and_end(keys: KeyStore) -> None:
    parts = [(b"ab", b"c"), (b"a", b"bc"), (b"abc",), (b"", b"abc"), (b"abc", b""), ()]
    assert len({keys.fingerprint(*p) for p in parts}) == len(parts)
    keys.new_case_keys(["c-1"])
    assert len({keys.case_fingerprint("c-1", *p) for p in parts}) == len(parts)


def test_a_case_fingerprint_is_of_its_case_and_ends_with_its_key(keys: KeyStore, tmp_path: Path) -> None:
    keys.new_case_keys(["c-1", "c-2"])
    prints = {keys.case_fingerprint(case, b"a") for case in ("c-1", "c-2")} | {keys.fingerprint(b"a")}
    assert len(prints) == 3
    assert keys.case_fingerprint("c-1", b"a") in prints
    with closing(sqlite3.connect(tmp_path / "keys.db")) as db, db:
        db.execute("DELETE FROM case_keys WHERE case_id = 'c-1'")
    with pytest.raises(StorageError, match="key of case c-1 is not in the key store"):
        keys.case_fingerprint("c-1", b"a")


def test_case_keys_are_fresh_and_32_bytes(keys: KeyStore) -> None:
    made = keys.new_case_keys([f"c-{n}" for n in range(100)])
    assert {len(key) for key in made.values()} == {32}
    assert len(set(made.values())) == 100
    assert all(keys.case_key(case) == key for case, key in made.items())
    assert keys.new_case_keys([]) == {}


def test_a_key_is_never_replaced(keys: KeyStore) -> None:
    key = keys.new_case_keys(["c-1"])["c-1"]
    with pytest.raises(StorageError, match="key store cannot be used"):
        keys.new_case_keys(["c-2", "c-1"])
    assert keys.case_key("c-1") == key
    with pytest.raises(StorageError, match="not in the key store"):
        keys.case_key("c-2")


def test_a_key_that_is_missing_or_cut_is_told(keys: KeyStore, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="key of case c-9"):
        keys.case_key("c-9")
    keys.new_case_keys(["c-1"])
    with closing(sqlite3.connect(tmp_path / "keys.db")) as db, db:
        db.execute("UPDATE case_keys SET key = x'00'")
        db.execute("DELETE FROM named_keys")
    with pytest.raises(StorageError, match="key of case c-1 is damaged"):
        keys.case_key("c-1")
    with pytest.raises(StorageError, match="key 'installation' is not"):
        keys.fingerprint(b"a")


def test_damage_inside_the_file_is_told_as_storage_trouble(keys: KeyStore, tmp_path: Path) -> None:
    keys.new_case_keys([f"c-{n}" for n in range(500)])
    keys.close()
    path = tmp_path / "keys.db"
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))
    with closing(KeyStore.open(path)) as store:
        for action in (
            lambda: store.case_key("c-7"),
            lambda: store.fingerprint(b"a"),
            lambda: store.new_case_keys(["c-x"]),
            lambda: store.pseudonym("email", "a@x.org", OCTOBER),
        ):
            with pytest.raises(StorageError, match="key store cannot be used"):
                action()


def test_a_closed_store_is_told_as_storage_trouble(keys: KeyStore) -> None:
    keys.close()
    keys.close()
    with pytest.raises(StorageError):
        keys.case_key("c-1")


def test_threads_agree_about_pseudonyms_and_lose_no_key(keys: KeyStore) -> None:
    quarters = [datetime(2020 + n, 1, 1, tzinfo=UTC) for n in range(5)]

    def work(thread: int) -> tuple[list[str], dict[str, bytes]]:
        names = [keys.pseudonym("email", "ada@x.org", at) for at in quarters]
        return names, keys.new_case_keys([f"c-{thread}-{n}" for n in range(5)])

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(work, range(8)))
    assert len({tuple(names) for names, _ in results}) == 1
    assert all(keys.case_key(case) == key for _, made in results for case, key in made.items())


def test_whoever_is_second_to_make_a_quarters_key_takes_the_firsts(keys: KeyStore, tmp_path: Path) -> None:
    """Both have looked, neither has found one, and both are about to write."""
    about_to_write = threading.Semaphore(0)

    def open_watched() -> KeyStore:
        connection = open_database(tmp_path / "keys.db", _VERSIONS, _APPLICATION_ID, "key store")
        connection.set_trace_callback(lambda sql: about_to_write.release() if sql.startswith("INSERT") else None)
        return KeyStore(connection)

    with closing(open_watched()) as one, closing(open_watched()) as other, ThreadPoolExecutor(2) as pool:
        with closing(sqlite3.connect(tmp_path / "keys.db")) as blocker:
            blocker.execute("BEGIN IMMEDIATE")
            futures = [pool.submit(store.pseudonym, "email", "ada@x.org", OCTOBER) for store in (one, other)]
            assert all(about_to_write.acquire(timeout=5) for _ in futures)
        names = {future.result() for future in futures}
    assert names == {keys.pseudonym("email", "ada@x.org", OCTOBER)}


TWO_PROCESSES = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from habeas.cases.keys import KeyStore

keys = KeyStore.open(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for n in range(15):
    print(keys.pseudonym("email", "ada@x.org", datetime(2000 + n, 1, 1, tzinfo=UTC)))
    keys.new_case_keys([f"c-{sys.argv[2]}-{n}"])
"""


def test_two_processes_agree_about_pseudonyms_and_lose_no_key(keys: KeyStore, tmp_path: Path, start: Start) -> None:
    children = [start(TWO_PROCESSES, tmp_path / "keys.db", name) for name in "ab"]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    outputs = []
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        outputs.append(child.communicate()[0])
        assert child.returncode == 0
    assert outputs[0] == outputs[1]
    assert len(set(outputs[0].splitlines())) == 15
    assert len({keys.case_key(f"c-{name}-{n}") for name in "ab" for n in range(15)}) == 30

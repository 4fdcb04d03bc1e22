"""The end of a key: its bytes are in no file, that it was meant is known, and nothing is ever made under another."""

from __future__ import annotations

import random
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from habeas.cases.commitment import commitment, openings
from habeas.cases.keys import _APPLICATION_ID, KeyStore
from habeas.cases.vault import Vault
from habeas.errors import KeyDestroyed, KeyUnavailable, StorageError
from habeas.models import Identifier, Subject

Start = Callable[..., "subprocess.Popen[str]"]

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
OCTOBER = datetime(2026, 10, 1, tzinfo=UTC)
JANUARY = datetime(2027, 1, 1, tzinfo=UTC)


def found_in(folder: Path, keys: Mapping[str, bytes]) -> list[str]:
    """Whose 32 bytes are in any file."""
    content = b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    return [name for name, key in keys.items() if key in content]


def grow(keys: KeyStore, *, total: int = 200, together: int = 20) -> dict[str, bytes]:
    """Many keys, made and deleted in such an order that SQLite (measured: 3.40) leaves copies of some behind."""
    rng = random.Random(1)
    keys._db.execute("PRAGMA synchronous = OFF")
    order = [f"c-{n:05d}{'x' * rng.randrange(40)}" for n in range(total)]
    rng.shuffle(order)
    alive: dict[str, bytes] = {}
    for start in range(0, total, together):
        alive |= keys.new_case_keys(order[start : start + together])
        if start:
            gone = rng.sample(list(alive), together // 2)
            keys._db.executemany("DELETE FROM case_keys WHERE case_id = ?", [(name,) for name in gone])
            keys._db.commit()
            alive = {name: key for name, key in alive.items() if name not in gone}
    return alive


# -- gone from every file ---------------------------------------------------------------------------------------------


def test_destroyed_keys_are_in_no_file_and_the_others_still_open(keys: KeyStore, tmp_path: Path) -> None:
    """Also where pages were split while there were many: deleting alone leaves copies behind."""
    made = grow(keys)
    assert sorted(found_in(tmp_path, made)) == sorted(made)
    content = (tmp_path / "keys.db").read_bytes()
    copied = [name for name, key in made.items() if content.count(key) > 1]
    victims = {*copied, *list(made)[::3]}
    keys.destroy_case_keys(sorted(victims), NOW)
    assert found_in(tmp_path, {name: made[name] for name in victims}) == []
    assert all(keys.case_key(name) == key for name, key in made.items() if name not in victims)
    assert keys.untold() == [f"case/{name}" for name in sorted(victims)]
    assert {path.name: path.stat().st_size for path in tmp_path.glob("*-journal")} in ({}, {"keys.db-journal": 0})


def test_all_keys_at_once_and_none_at_all(keys: KeyStore, tmp_path: Path) -> None:
    made = keys.new_case_keys([f"c-{n}" for n in range(300)])
    keys.destroy_case_keys([], NOW)
    assert keys.untold() == []
    keys.destroy_case_keys(list(made), NOW)
    assert found_in(tmp_path, made) == []
    assert len(keys.untold()) == 300
    assert keys.fingerprint(b"a") == keys.fingerprint(b"a"), "the installation's own key stays"


def test_a_quarters_key_is_in_no_file_either(keys: KeyStore, tmp_path: Path) -> None:
    keys.pseudonym("email", "ada@x.example", OCTOBER)
    with closing(sqlite3.connect(tmp_path / "keys.db")) as db:
        (raw,) = db.execute("SELECT key FROM named_keys WHERE name = 'pseudonym/2026Q4'").fetchone()
    assert found_in(tmp_path, {"2026Q4": raw}) == ["2026Q4"]
    keys.destroy_pseudonyms("2026Q4", NOW)
    assert found_in(tmp_path, {"2026Q4": raw}) == []


def snapshots(keys: KeyStore, folder: Path, to: Path, action: Callable[[], None]) -> list[Path]:
    """The files as a kill would leave them, before each statement that an action makes and after the last."""
    taken: list[Path] = []

    def take(_: object = None) -> None:
        taken.append(Path(shutil.copytree(folder, to / str(len(taken)))))

    keys._db.set_trace_callback(take)
    action()
    keys._db.set_trace_callback(None)
    take()
    return taken


def test_whatever_a_kill_leaves_a_key_is_there_or_known_to_be_destroyed(
    keys: KeyStore, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    """And once it is scrubbed, as the next purge does, it is in no file: there is no state in between."""
    made = grow(keys)
    content = (tmp_path / "keys.db").read_bytes()
    victims = {*(name for name, key in made.items() if content.count(key) > 1), *list(made)[:2]}
    left = snapshots(keys, tmp_path, tmp_path_factory.mktemp("kills"),
                     lambda: keys.destroy_case_keys(sorted(victims), NOW))  # fmt: skip
    states = []
    for folder in left:
        with closing(KeyStore.open(folder / "keys.db")) as again:
            destroyed = set(again.untold())
            states.append(len(destroyed))
            if destroyed:
                again.scrub()
                assert found_in(folder, {name: made[name] for name in victims}) == []
                for name in victims:
                    with pytest.raises(KeyDestroyed):
                        again.case_key(name)
            else:
                assert {name: again.case_key(name) for name in victims} == {name: made[name] for name in victims}
    assert set(states) == {0, len(victims)}
    assert states == sorted(states)


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from habeas.cases.keys import KeyStore

keys = KeyStore.open(Path(sys.argv[1]))
KeyStore._scrub = lambda self: os.kill(os.getpid(), signal.SIGKILL)
keys.destroy_case_keys(["c-1"], datetime.now(UTC))
"""


def test_a_process_that_was_killed_has_destroyed_the_key_or_left_it(
    keys: KeyStore, tmp_path: Path, start: Start
) -> None:
    """A real one, killed after it has deleted the key and before it could scrub the file."""
    made = keys.new_case_keys(["c-1", "c-2"])
    child = start(KILLED, tmp_path / "keys.db")
    child.communicate()
    assert child.returncode == -signal.SIGKILL
    assert keys.untold() == ["case/c-1"]
    keys.scrub()
    assert found_in(tmp_path, made) == ["c-2"]


# -- meant, or lost ---------------------------------------------------------------------------------------------------


def test_a_destroyed_key_and_a_lost_one_are_told_apart(keys: KeyStore, tmp_path: Path) -> None:
    """Destroyed: its purpose had ended, and nothing is wrong. Lost: somebody has to look for a backup."""
    keys.new_case_keys(["c-1", "c-2", "c-3"])
    keys.destroy_case_keys(["c-1"], NOW)
    with closing(sqlite3.connect(tmp_path / "keys.db")) as db, db:
        db.execute("DELETE FROM case_keys WHERE case_id = 'c-2'")
    with pytest.raises(KeyDestroyed, match="key of case c-1 was destroyed, as its purpose had ended"):
        keys.case_key("c-1")
    for name in ("c-2", "c-never"):
        with pytest.raises(KeyUnavailable, match=f"key of case {name} is not in the key store") as caught:
            keys.case_key(name)
        assert "backup" in caught.value.line()
    assert len(keys.case_key("c-3")) == 32
    assert (keys.destroyed_at("c-1"), keys.destroyed_at("c-2")) == ("2026-11-21T09:00:00Z", "")


def test_a_key_store_put_back_from_a_backup_knows_nothing_of_later_keys(keys: KeyStore, tmp_path: Path) -> None:
    """Its cases are unavailable, not destroyed; and what was destroyed since is there again until the next purge."""
    old = keys.new_case_keys(["c-old"])["c-old"]
    backup = shutil.copy(tmp_path / "keys.db", tmp_path / "backup")
    keys.new_case_keys(["c-new"])
    keys.destroy_case_keys(["c-old"], NOW)
    keys.close()
    shutil.copy(backup, tmp_path / "keys.db")
    with closing(KeyStore.open(tmp_path / "keys.db")) as again:
        with pytest.raises(KeyUnavailable):
            again.case_key("c-new")
        assert again.case_key("c-old") == old
        assert again.destroyed_at("c-old") == ""


def test_the_vault_says_which_of_the_two_it_is(vault: Vault, keys: KeyStore, tmp_path: Path) -> None:
    """Reading and writing alike; what is removed is gone, and its neighbours stay."""
    vault.open_cases({"c-1": {"a": 1}, "c-2": {"a": 2}, "c-3": {"a": 3}})
    keys.destroy_case_keys(["c-1"], NOW)
    with closing(sqlite3.connect(tmp_path / "keys.db")) as db, db:
        db.execute("DELETE FROM case_keys WHERE case_id = 'c-2'")
    for name, kind in (("c-1", KeyDestroyed), ("c-2", KeyUnavailable)):
        for action in (lambda name=name: vault.get(name, "request"), lambda name=name: vault.put(name, "plan", {})):
            with pytest.raises(kind):
                action()
    assert vault.has("c-1", "request")
    with closing(sqlite3.connect(tmp_path / "vault.db")) as db:
        sealed = [row[0] for row in db.execute("SELECT sealed FROM items WHERE case_id = 'c-1'")]
    vault.remove(["c-1", "c-unknown"])
    vault.remove([])
    assert not vault.has("c-1", "request")
    assert all(one not in (tmp_path / "vault.db").read_bytes() for one in sealed)
    with pytest.raises(KeyDestroyed):
        vault.get("c-1", "request")
    assert vault.get("c-3", "request") == {"a": 3}


def test_destroying_twice_keeps_the_first_day_and_what_was_told(keys: KeyStore) -> None:
    keys.new_case_keys(["c-1"])
    keys.destroy_case_keys(["c-1"], NOW)
    keys.tell(["case/c-1", "case/c-unknown"])
    keys.destroy_case_keys(["c-1", "c-1"], JANUARY)
    assert keys.destroyed_at("c-1") == "2026-11-21T09:00:00Z"
    assert keys.untold() == []


def test_what_needs_a_destroyed_key_says_so(keys: KeyStore) -> None:
    """The names of a case's calls, and the openings of its commitments."""
    keys.new_case_keys(["c-1"])
    keys.destroy_case_keys(["c-1"], NOW)
    with pytest.raises(KeyDestroyed):
        keys.case_fingerprint("c-1", b"a")
    with pytest.raises(KeyDestroyed):
        openings(keys, "c-1", Subject((Identifier("customer_id", "C-1"),)))


# -- pseudonyms -------------------------------------------------------------------------------------------------------


def test_pseudonyms_of_a_destroyed_quarter_are_never_made_again(keys: KeyStore, tmp_path: Path) -> None:
    """Not under a new key, not by another process, not after a restart; other quarters go on."""
    before = [keys.pseudonym("email", "ada@x.example", at) for at in (OCTOBER, JANUARY)]
    assert keys.epochs() == ["2026Q4", "2027Q1"]
    keys.destroy_pseudonyms("2026Q4", NOW)
    assert keys.epochs() == ["2027Q1"]
    assert keys.untold() == ["pseudonym/2026Q4"]
    with closing(KeyStore.open(tmp_path / "keys.db")) as other:
        for store in (keys, other):
            with pytest.raises(KeyDestroyed, match="pseudonym/2026Q4"):
                store.pseudonym("email", "ada@x.example", OCTOBER)
            assert store.pseudonym("email", "ada@x.example", JANUARY) == before[1]
    assert keys.epochs() == ["2027Q1"]


def test_a_quarter_that_never_had_a_key_can_be_closed_as_well(keys: KeyStore) -> None:
    keys.destroy_pseudonyms("2026Q4", NOW)
    with pytest.raises(KeyDestroyed):
        keys.pseudonym("email", "ada@x.example", OCTOBER)


# -- commitments ------------------------------------------------------------------------------------------------------


def test_a_commitment_can_be_opened_by_whoever_has_its_opening_and_guessed_by_nobody(keys: KeyStore) -> None:
    """Salts are of their case and identifier, the same each time while the key is there; an opening outlives it."""
    keys.new_case_keys(["c-1", "c-2"])
    person = Subject((Identifier("customer_id", "C-1"), Identifier("email", "ada@x.example")))
    made = openings(keys, "c-1", person)
    assert made == openings(keys, "c-1", person)
    others = [*openings(keys, "c-2", person), *openings(keys, "c-1", Subject((Identifier("email", "C-1"),)))]
    assert len({opening.salt for opening in (*made, *others)}) == 5
    assert "ada@x.example" not in repr(made)
    before = [opening.commitment for opening in made]
    keys.destroy_case_keys(["c-1"], NOW)
    assert [commitment(o.salt, o.kind, o.value) for o in made] == before


# -- from an older version --------------------------------------------------------------------------------------------

VERSION_1 = """
CREATE TABLE case_keys (case_id TEXT PRIMARY KEY, key BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE named_keys (name TEXT PRIMARY KEY, key BLOB NOT NULL) STRICT, WITHOUT ROWID;
"""
"""As it was released: never edited."""


def version_1(path: Path, case_keys: Iterable[tuple[str, bytes]]) -> None:
    path.touch(0o600)
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(f"PRAGMA application_id = {_APPLICATION_ID}; PRAGMA user_version = 1; {VERSION_1}")
        db.execute("INSERT INTO named_keys VALUES ('installation', ?)", (b"i" * 32,))
        db.execute("INSERT INTO named_keys VALUES ('pseudonym/2026Q3', ?)", (b"q" * 32,))
        db.executemany("INSERT INTO case_keys VALUES (?, ?)", case_keys)


def test_a_key_store_of_version_1_is_brought_up_to_date_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keys.db"
    version_1(path, [("c-1", b"1" * 32), ("c-2", b"2" * 32)])
    for _ in range(2):
        with closing(KeyStore.open(path)) as keys:
            assert [keys.case_key(name) for name in ("c-1", "c-2")] == [b"1" * 32, b"2" * 32]
            assert (keys.epochs(), keys.untold(), keys.destroyed_at("c-1")) == (["2026Q3"], [], "")
    with closing(KeyStore.open(path)) as keys:
        keys.destroy_case_keys(["c-1"], NOW)
        with pytest.raises(KeyDestroyed):
            keys.case_key("c-1")
    assert found_in(tmp_path, {"c-1": b"1" * 32, "c-2": b"2" * 32}) == ["c-2"]
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (2,)


def test_a_key_store_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys.db"
    version_1(path, [])
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA user_version = 3")
    before = path.read_bytes()
    with pytest.raises(StorageError, match="version 3, this habeas knows 2"):
        KeyStore.open(path)
    assert path.read_bytes() == before

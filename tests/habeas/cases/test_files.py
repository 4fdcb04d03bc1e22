"""How the SQLite files of vault and keys come into being, are opened, and lose what is deleted."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from habeas.cases.files import create_database, file_version, open_database
from habeas.cases.keys import KeyStore
from habeas.errors import StorageError

Start = Callable[..., "subprocess.Popen[str]"]

SCHEMA = "CREATE TABLE secrets (n INTEGER PRIMARY KEY, value BLOB) STRICT;"
ID = 0x12345678


def create(path: Path) -> None:
    create_database(path, [SCHEMA], ID, lambda db: db.execute("INSERT INTO secrets VALUES (1, x'00')")).close()


def reopen(path: Path) -> sqlite3.Connection:
    return open_database(path, [SCHEMA], ID, "strong box")


def test_a_new_file_is_whole_private_and_alone_in_its_folder(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        create(tmp_path / "a.db")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a.db").stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["a.db"]
    with closing(reopen(tmp_path / "a.db")) as db:
        assert db.execute("SELECT * FROM secrets").fetchall() == [(1, b"\0")]


@pytest.mark.parametrize("side", ["", "-journal", "-wal", "-shm"])
def test_a_name_that_is_taken_is_never_overwritten(tmp_path: Path, side: str) -> None:
    taken = tmp_path / f"a.db{side}"
    taken.write_text("precious")
    with pytest.raises(StorageError, match="exists already"):
        create(tmp_path / "a.db")
    assert taken.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [taken]


def test_a_name_taken_while_the_file_was_filled_is_not_overwritten_either(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with pytest.raises(StorageError, match="exists already"):
        create_database(path, [SCHEMA], ID, lambda _: path.write_text("precious"))
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


def test_a_dangling_link_is_a_name_that_is_taken(tmp_path: Path) -> None:
    (tmp_path / "a.db").symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(StorageError, match="exists already"):
        create(tmp_path / "a.db")
    assert not (tmp_path / "elsewhere.db").exists()


def test_a_folder_that_is_not_there_and_a_failing_schema_are_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be made"):
        create(tmp_path / "none" / "a.db")
    with pytest.raises(StorageError, match="cannot be made"):
        create_database(tmp_path / "a.db", ["CREATE NONSENSE;"], ID)
    assert not list(tmp_path.iterdir())


KILLED_EVERYWHERE = """
import itertools, os, signal, sys
from pathlib import Path
from habeas.cases.keys import KeyStore
from habeas.errors import StorageError

path = Path(sys.argv[1])
for point in itertools.count(1):
    pid = os.fork()
    if pid == 0:
        left = point
        def kill(event, arguments):
            global left
            if event in ("open", "sqlite3.connect/handle", "sqlite3.connect", "os.link", "os.remove", "os.fsync"):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(kill)
        def fill(n):
            kill("os.fsync", ())
            return os.urandom(n)
        KeyStore.create(path, fill).close()
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    there = path.exists()
    if there:
        store = KeyStore.open(path)
        store.fingerprint(b"whole")
        store.close()
        path.unlink()
    print("killed" if status else "done", "whole" if there else "none", flush=True)
    if status == 0:
        break
"""


def test_a_crash_at_any_point_of_creation_leaves_a_whole_file_or_none(tmp_path: Path, start: Start) -> None:
    out, _ = start(KILLED_EVERYWHERE, tmp_path / "keys.db").communicate()
    lines = out.splitlines()
    assert lines[-1] == "done whole"
    assert lines.count("killed none") >= 4
    assert "killed whole" in lines
    assert "done none" not in lines
    # What a crash leaves beside it is in nobody's way.
    KeyStore.create(tmp_path / "keys.db").close()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666, 0o644])
def test_a_file_that_others_may_read_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    create(tmp_path / "a.db")
    (tmp_path / "a.db").chmod(mode)
    with pytest.raises(StorageError, match=r"read by others.*") as caught:
        reopen(tmp_path / "a.db")
    assert "chmod 600" in caught.value.line()


def damaged(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", b"not a database " * 100, b"\0" * 8192])
def test_a_file_that_is_not_ours_is_refused(tmp_path: Path, content: bytes) -> None:
    damaged(tmp_path / "a.db", content)
    with pytest.raises(StorageError, match=r"not a habeas strong box|cannot be read|cannot be used|is empty"):
        reopen(tmp_path / "a.db")
    assert (tmp_path / "a.db").read_bytes() == content


def test_another_program_and_a_newer_version_are_refused(tmp_path: Path) -> None:
    create(tmp_path / "a.db")
    with pytest.raises(StorageError, match="not a habeas vault"):
        open_database(tmp_path / "a.db", [SCHEMA], ID + 1, "vault")
    with closing(sqlite3.connect(tmp_path / "a.db")) as db:
        db.execute("PRAGMA user_version = 2")
    with pytest.raises(StorageError, match="version 2") as caught:
        reopen(tmp_path / "a.db")
    assert "upgrade" in caught.value.advice


def test_a_missing_file_is_told_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="missing"):
        reopen(tmp_path / "a.db")
    assert not list(tmp_path.iterdir())


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.db").mkdir(mode=0o700)
    with pytest.raises(StorageError, match="is not a plain file"):
        reopen(tmp_path / "a.db")


def test_what_is_deleted_or_replaced_is_gone_from_every_file(tmp_path: Path) -> None:
    create(tmp_path / "a.db")
    small, large = os.urandom(32), os.urandom(20_000)

    def anywhere(secret: bytes) -> bool:
        return any(secret in file.read_bytes() for file in tmp_path.iterdir())

    with closing(reopen(tmp_path / "a.db")) as db:
        with db:
            db.executemany("INSERT INTO secrets VALUES (?, ?)", [(2, small), (3, large), (4, small[::-1])])
        assert anywhere(small)
        assert anywhere(large[:1000])
        with db:
            db.execute("DELETE FROM secrets WHERE n IN (2, 3)")
            db.execute("INSERT OR REPLACE INTO secrets VALUES (4, x'00')")
        assert not any(map(anywhere, (small, small[::-1], large[:1000], large[-1000:])))
        assert sorted(p.name for p in tmp_path.iterdir()) == ["a.db", "a.db-journal"]
        assert (tmp_path / "a.db-journal").stat().st_size == 0
        assert db.execute("PRAGMA synchronous").fetchone() == (3,)


def test_a_version_changes_with_every_write_and_replacement(tmp_path: Path) -> None:
    path, seen = tmp_path / "f", set()
    for n, content in enumerate(("aa", "ab", "abc")):
        path.write_text(content)
        os.utime(path, ns=(n, n))
        with path.open() as file:
            seen.add(file_version(file.fileno()))
            assert file_version(file.fileno()) in seen
    path.unlink()
    path.write_text("abc")
    os.utime(path, ns=(2, 2))
    with path.open() as file:
        seen.add(file_version(file.fileno()))
    assert len(seen) == 4


def test_an_older_file_is_brought_up_to_date_and_keeps_what_it_holds(tmp_path: Path) -> None:
    """Each version adds to the one before, and a file that is up to date is left alone."""
    create(tmp_path / "a.db")
    newer = [SCHEMA, "CREATE TABLE more (n INTEGER) STRICT; CREATE INDEX more_n ON more(n);"]
    for _ in range(2):
        with closing(open_database(tmp_path / "a.db", newer, ID, "strong box")) as db:
            assert db.execute("SELECT * FROM secrets").fetchall() == [(1, b"\0")]
            assert db.execute("SELECT count(*) FROM more").fetchone() == (0,)
            assert db.execute("PRAGMA user_version").fetchone() == (2,)
    with pytest.raises(StorageError, match="version 2, this habeas knows 1"):
        reopen(tmp_path / "a.db")


def test_a_new_file_has_the_schema_of_one_that_was_brought_up_to_date(tmp_path: Path) -> None:
    newer = [SCHEMA, "CREATE TABLE more (n INTEGER) STRICT;"]
    create(tmp_path / "a.db")
    create_database(tmp_path / "b.db", newer, ID).close()
    found = []
    for name in ("a.db", "b.db"):
        with closing(open_database(tmp_path / name, newer, ID, "strong box")) as db:
            found.append(db.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall())
    assert found[0] == found[1]

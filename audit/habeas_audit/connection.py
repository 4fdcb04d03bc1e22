"""Opening the ledger's file: who may touch it, how durable it is, how it comes into being."""

from __future__ import annotations

import os
import secrets
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Literal

from habeas_audit.errors import LedgerRefused, LedgerUnwritable

Mode = Literal["write", "read", "verify"]
"""`write` and `read` may finish what a killed process left; `verify` touches nothing."""

_SIDES: Final = ("-journal", "-wal", "-shm")
_OTHERS_MAY_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


def connect(path: Path, mode: Mode, busy_seconds: float) -> sqlite3.Connection:
    """An autocommit connection that may be used from any thread, one at a time; never makes the file.

    `synchronous=EXTRA` also syncs the folder once the rollback journal is gone, without which a power cut can undo an
    acknowledged commit (https://sqlite.org/pragma.html#pragma_synchronous). Raises sqlite3.Error.
    """
    # Reading a file whose writer was killed means rolling its journal back, which a read-only connection may not do.
    access = "ro" if mode == "verify" else "rw"
    db = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={access}",
        uri=True,
        timeout=busy_seconds,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        # https://sqlite.org/security.html, "Untrusted SQLite Database Files"
        for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0", "temp_store = MEMORY"):
            db.execute(f"PRAGMA {pragma}")
        if mode == "write":
            db.execute("PRAGMA synchronous = EXTRA")
            db.execute("PRAGMA recursive_triggers = ON")
        else:
            db.execute("PRAGMA query_only = ON")
    except BaseException:
        db.close()
        raise
    return db


def use_rollback_journal(db: sqlite3.Connection) -> None:
    """Leave WAL mode if someone turned it on; LedgerRefused if SQLite cannot. Raises sqlite3.Error.

    In WAL mode SQLite before 3.51.3 can lose committed pages (https://sqlite.org/wal.html#walresetbug).
    """
    if db.execute("PRAGMA journal_mode = DELETE").fetchone()[0] != "delete":
        raise LedgerRefused("the ledger cannot leave its journal mode; close other programs that use it")


def guard(path: Path) -> None:
    """LedgerRefused or LedgerUnwritable unless this is a plain file that we, and nobody else, may write."""
    try:
        status = path.lstat()
    except OSError:
        raise LedgerRefused(f"there is no ledger {path.name}; run `habeas init`") from None
    if not stat.S_ISREG(status.st_mode):
        raise LedgerRefused(f"{path.name} is not a plain file; restore it from a backup")
    if status.st_mode & _OTHERS_MAY_WRITE:
        raise LedgerRefused(f"others may write {path.name}; `chmod 600` it, and verify it")
    if os.geteuid() not in (0, status.st_uid):
        raise LedgerRefused(f"{path.name} belongs to another user")
    if not os.access(path, os.R_OK | os.W_OK) or not os.access(path.parent, os.W_OK | os.X_OK):
        raise LedgerUnwritable(f"{path.name} or its folder is read-only; check owner and mode")


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Make a file that is either whole under its name or not there: yields the path to fill, mode 0600.

    The name is given by a hard link, which, unlike a rename, never replaces a file that came in between. Raises
    LedgerRefused if there is one, or a left-over journal that SQLite would play into the new file; LedgerUnwritable.
    """
    taken = [side for side in ("", *_SIDES) if os.path.lexists(f"{path}{side}")]
    if taken:
        raise LedgerRefused(f"{path.name}{taken[0]} is already there; it is never overwritten")
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        yield draft
        path.hardlink_to(draft)
        draft.unlink()
        sync_folder(path.parent)
    except FileExistsError:
        raise LedgerRefused(f"{path.name} is already there; it is never overwritten") from None
    except OSError as error:
        raise LedgerUnwritable(f"{path.name} cannot be made ({type(error).__name__}, errno {error.errno})") from None
    finally:
        for side in ("", *_SIDES):
            with suppress(OSError):
                Path(f"{draft}{side}").unlink()


def sync_folder(folder: Path) -> None:
    """Make names in a folder survive a power cut. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def has_journal(path: Path) -> bool:
    """Whether a rollback journal lies beside the file: a commit is under way, or was cut off."""
    return os.path.lexists(f"{path}-journal")

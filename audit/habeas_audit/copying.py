"""A copy of a database that others may be writing, as it stands at one moment: SQLite's own backup."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from habeas_audit.connection import connect, sync_folder
from habeas_audit.errors import LedgerUnwritable, from_sqlite

Copied = Callable[[int, int], None]
"""Called now and then with how many pages are copied, and of how many."""

_PAGES: Final = 1000
"""Copied while writers wait; between two such steps they may go on."""
_RESTARTS: Final = 3
"""After so many the rest is copied in one go: SQLite begins anew whenever somebody writes, perhaps for ever."""
_BUSY_SECONDS: Final = 10.0


def copy_ledger(path: Path, target: Path, copied: Copied = lambda _done, _of: None) -> None:
    """Copy a ledger into a new file, mode 0600, whole and durable. Raises LedgerBusy, LedgerDamaged, LedgerUnwritable.

    What a killed writer left in the ledger's journal is put right first. The copy is not verified.
    """
    try:
        with closing(connect(path, "read", _BUSY_SECONDS)) as source:
            copy_database(source, target, copied)
    except sqlite3.Error as error:
        raise from_sqlite(error) from None
    except OSError as error:
        raise LedgerUnwritable(f"the copy {target.name} cannot be written ({error.strerror})") from None


def copy_database(source: sqlite3.Connection, target: Path, copied: Copied = lambda _done, _of: None) -> None:
    """Copy any database into a new file, mode 0600, durably. Raises sqlite3.Error, and OSError."""
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    try:
        with closing(sqlite3.connect(f"{target.absolute().as_uri()}?mode=rw", uri=True)) as copy:
            # Whoever finds half a copy throws it away: no journal is needed, and one sync at the end.
            copy.execute("PRAGMA journal_mode = OFF").fetchone()
            copy.execute("PRAGMA synchronous = OFF")
            try:
                source.backup(copy, pages=_PAGES, progress=_Watch(copied, _RESTARTS), sleep=0.01)
            except _TooManyRestartsError:
                source.backup(copy, pages=-1, progress=_Watch(copied, None), sleep=0.05)
        descriptor = os.open(target, os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_folder(target.parent)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


class _TooManyRestartsError(Exception):
    pass


class _Watch:
    """Counts how often SQLite begins anew, and how long the source is locked."""

    def __init__(self, copied: Copied, restarts: int | None) -> None:
        self._copied, self._restarts = copied, restarts
        self._left: int | None = None
        self._since = time.monotonic()

    def __call__(self, status: int, remaining: int, total: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            if time.monotonic() - self._since > _BUSY_SECONDS:
                error = sqlite3.OperationalError("database is locked")
                error.sqlite_errorcode, error.sqlite_errorname = status, "SQLITE_BUSY"
                raise error
            return
        self._since = time.monotonic()
        if self._restarts is not None and self._left is not None and remaining > self._left:
            self._restarts -= 1
            if self._restarts < 0:
                raise _TooManyRestartsError
        self._left = remaining
        self._copied(total - remaining, total)

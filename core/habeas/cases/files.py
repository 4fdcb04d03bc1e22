"""How the vault's and the key store's SQLite files are made and opened."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from habeas.errors import StorageError
from habeas.home import readable_by_others, sync_folder

__all__ = ["create_database", "open_database"]

_BUSY_SECONDS = 10.0


def create_database(path: Path, schema: str, application_id: int) -> sqlite3.Connection:
    """A new file, 0600. Raises :class:`StorageError` where there is one already.

    Built under another name and renamed when whole, so that a crash leaves no half-made file behind.
    """
    if path.exists():
        raise StorageError(f"{path} exists already")
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    connection = _connect(draft)
    connection.executescript(f"PRAGMA application_id = {application_id}; PRAGMA user_version = 1; {schema}")
    connection.close()
    draft.rename(path)
    sync_folder(path.parent)
    return _connect(path)


def open_database(path: Path, application_id: int, what: str) -> sqlite3.Connection:
    """An existing file. Raises :class:`StorageError` with what is wrong and what to do."""
    if not path.exists():
        raise StorageError(f"the {what} {path} is missing", advice="restore it from a backup")
    if readable_by_others(path):
        raise StorageError(f"the {what} {path} can be read by others", advice=f"run `chmod 600 {path}`")
    try:
        connection = _connect(path)
        found = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise StorageError(f"the {what} {path} cannot be read: {error}", advice="restore it from a backup") from None
    if found != application_id:
        connection.close()
        raise StorageError(f"{path} is not a habeas {what}")
    if version != 1:
        connection.close()
        raise StorageError(f"the {what} {path} has version {version}, this habeas knows 1", advice="upgrade habeas")
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, check_same_thread=False)
    # TRUNCATE and secure_delete: what is deleted here must be gone from the file and from its journal.
    connection.executescript(
        "PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = EXTRA; PRAGMA secure_delete = ON;"
        "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
    )
    return connection

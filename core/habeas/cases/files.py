"""How the vault's and the key store's SQLite files are made and opened, and how a file is known to be unchanged."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from habeas.errors import StorageError
from habeas.home import readable_by_others, sync_folder
from habeas_audit import copy_database

__all__ = ["SIDES", "copy_store", "create_database", "file_version", "open_database", "require_whole", "storage_errors"]

_BUSY_SECONDS = 10.0
SIDES = ("-journal", "-wal", "-shm")


def create_database(
    path: Path, versions: Sequence[str], application_id: int,
    fill: Callable[[sqlite3.Connection], object] = lambda _: None,
) -> sqlite3.Connection:  # fmt: skip
    """A new file, 0600, with what ``fill`` puts in it. Raises :class:`StorageError` where its name is taken.

    ``versions``: what each version of the schema adds to the one before. A version that was released is never changed.

    It is there whole or not at all. The name is given by a hard link, which, unlike a rename, never replaces a file
    that came in between; a journal left over from another file would be played into this one, so it is refused too.
    """
    for side in ("", *SIDES):
        if os.path.lexists(f"{path}{side}"):
            raise StorageError(f"{path}{side} exists already", advice="nothing is ever overwritten: move it away")
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    try:
        os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        with closing(_connect(draft)) as connection:
            connection.executescript(f"PRAGMA application_id = {application_id}; {' '.join(versions)}")
            connection.execute(f"PRAGMA user_version = {len(versions)}")
            with connection:
                fill(connection)
        path.hardlink_to(draft)
        draft.unlink()
        sync_folder(path.parent)
        return _connect(path)
    except FileExistsError:
        raise StorageError(f"{path} exists already", advice="nothing is ever overwritten: move it away") from None
    except OSError as error:
        raise StorageError(
            f"{path} cannot be made: {error.strerror}", advice="check disk space, and the folder's owner"
        ) from None
    except sqlite3.Error as error:
        raise StorageError(f"{path} cannot be made: {error}", advice="check disk space and owner") from None
    finally:
        for side in ("", *SIDES):
            with suppress(OSError):
                Path(f"{draft}{side}").unlink()


def open_database(path: Path, versions: Sequence[str], application_id: int, what: str) -> sqlite3.Connection:
    """An existing file, brought up to date. Raises :class:`StorageError` with what is wrong and what to do."""
    if not path.exists():
        raise StorageError(f"the {what} {path} is missing", advice="restore it from a backup")
    if path.is_symlink() or not path.is_file():
        raise StorageError(f"the {what} {path} is not a plain file", advice="restore it from a backup")
    if path.stat().st_size == 0:
        raise StorageError(f"the {what} {path} is empty", advice="restore it from a backup")
    if readable_by_others(path):
        raise StorageError(f"the {what} {path} can be read by others", advice=f"run `chmod 600 {path}`")
    try:
        connection = _connect(path)
    except sqlite3.Error as error:
        raise StorageError(f"the {what} {path} cannot be read: {error}", advice="restore it from a backup") from None
    try:
        with storage_errors(f"{what} {path}"):
            found = connection.execute("PRAGMA application_id").fetchone()[0]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
        if found != application_id:
            raise StorageError(f"{path} is not a habeas {what}", advice="restore it from a backup")
        if not 1 <= version <= len(versions):
            known = f"this habeas knows {len(versions)}"
            raise StorageError(f"the {what} {path} has version {version}, {known}", advice="upgrade habeas")
        with storage_errors(f"{what} {path}"):
            _migrate(connection, versions)
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection, versions: Sequence[str]) -> None:
    if connection.execute("PRAGMA user_version").fetchone()[0] == len(versions):
        return
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        # Another process may have been quicker while this one waited for the lock.
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        for statement in "".join(versions[version:]).split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(versions)}")


@contextmanager
def storage_errors(what: str) -> Iterator[None]:
    """SQLite's trouble as :class:`StorageError`. For statements whose values SQLite does not repeat in messages."""
    try:
        yield
    except sqlite3.Error as error:
        raise StorageError(
            f"the {what} cannot be used: {error}", advice="check disk space and owner, or restore it from a backup"
        ) from None


def copy_store(path: Path, target: Path, copied: Callable[[int, int], None]) -> None:
    """Copies a database that may be in use into a new file, 0600, durably. Raises :class:`StorageError`."""
    with storage_errors(path.name):
        try:
            with closing(_connect(path)) as source:
                copy_database(source, target, copied)
        except OSError as error:
            raise StorageError(
                f"the copy of {path.name} cannot be written ({error.strerror})", advice="check disk space and owner"
            ) from None


def require_whole(path: Path) -> None:
    """Raises :class:`StorageError` where SQLite finds a database damaged."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            found = database.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.DatabaseError:
        found = "malformed"
    if found != "ok":
        raise StorageError(f"{path} is damaged", advice="restore it from a backup")


def file_version(descriptor: int) -> tuple[int, ...]:
    """What changes whenever a file is written to or replaced: device, inode, size, times of content and status."""
    status = os.fstat(descriptor)
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=_BUSY_SECONDS, check_same_thread=False
    )
    try:
        # TRUNCATE and secure_delete: what is deleted here must be gone from the file and from its journal.
        connection.executescript(
            "PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = EXTRA; PRAGMA secure_delete = ON;"
            "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY;"
        )
    except BaseException:
        connection.close()
        raise
    return connection

"""The program's own code over a recorded SQLite: its ``sqlite3`` is played by apsw, whose VFS can be written in Python.

Nothing of the program is changed or copied: :func:`driven` puts :class:`Driver` where the two modules that open
databases look for ``sqlite3``. It answers as the standard library's module does, as far as they use it.
"""

from __future__ import annotations

import errno
import itertools
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import apsw
import apsw.ext
from tests.power.machine import Machine

__all__ = ["SHIPPED", "Driver", "driven"]

SHIPPED: Mapping[str, str] = {}
"""Pragmas as the program states them."""

_JOURNALS = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL | apsw.SQLITE_OPEN_WAL
_numbers = itertools.count()


def _as_sqlite(error: OSError) -> Exception:
    full = error.errno == errno.ENOSPC
    raised: Any = apsw.FullError("the disk is full") if full else apsw.IOError("the disk fails")
    raised.result = raised.extendedresult = apsw.SQLITE_FULL if full else apsw.SQLITE_IOERR
    return raised  # type: ignore[no-any-return]


def _tell(machine: Machine, *change: Any, **more: Any) -> None:
    try:
        machine.tell(*change, **more)
    except OSError as error:
        raise _as_sqlite(error) from None


class _Recorded(apsw.VFSFile):
    """One open file of SQLite's."""

    def __init__(self, machine: Machine, vfs: str, path: Any, flags: list[int]) -> None:
        name = path.filename() if isinstance(path, apsw.URIFilename) else path
        self._machine, self._path = machine, machine.name(name)
        new = bool(flags[0] & apsw.SQLITE_OPEN_CREATE) and not Path(name).exists()
        if new:
            self._tell("create")
        # https://sqlite.org/src/file?name=src/os_unix.c, UNIXFILE_DIRSYNC: the first sync of a new journal syncs its
        # folder as well. That happens below the VFS, out of our sight.
        self._syncs_folder = new and bool(flags[0] & _JOURNALS)
        self._number = machine.file_of(self._path)
        super().__init__(vfs, path, flags)

    def _tell(self, kind: str, offset: int = 0, data: bytes = b"") -> None:
        number = None if kind == "create" else self._number
        _tell(self._machine, kind, self._path, offset, data, file=number)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802 - apsw's name
        self._tell("write", offset, bytes(data))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self._tell("truncate", newsize)
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._tell("sync")
        super().xSync(flags)
        if self._syncs_folder:
            self._syncs_folder = False
            _tell(self._machine, "syncdir", str(Path(self._path).parent))

    def xDeviceCharacteristics(self) -> int:  # noqa: N802
        """What SQLite's own VFS promises of an ordinary disk, whatever the tests' files happen to lie on."""
        return apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE


class _Vfs(apsw.VFS):
    def __init__(self, name: str, machine: Machine) -> None:
        self._machine, self._base = machine, "unix"
        super().__init__(name, self._base)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if path is None or not self._machine.holds(path):
            return apsw.VFSFile(self._base, name, flags)
        return _Recorded(self._machine, self._base, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        if self._machine.holds(filename) and Path(filename).exists():
            name = self._machine.name(filename)
            _tell(self._machine, "unlink", name)
            super().xDelete(filename, syncdir)
            if syncdir:
                _tell(self._machine, "syncdir", str(Path(name).parent))
            return
        super().xDelete(filename, syncdir)


@contextmanager
def _errors() -> Iterator[None]:
    """apsw's errors as sqlite3's, with the codes that the program looks at."""
    try:
        yield
    except apsw.Error as error:
        code = getattr(error, "extendedresult", 0) or getattr(error, "result", apsw.SQLITE_ERROR)
        kinds: dict[int, type[sqlite3.Error]] = {
            apsw.SQLITE_CONSTRAINT: sqlite3.IntegrityError,
            apsw.SQLITE_CORRUPT: sqlite3.DatabaseError,
            apsw.SQLITE_NOTADB: sqlite3.DatabaseError,
        }
        raised = kinds.get(code & 0xFF, sqlite3.OperationalError)(str(error))
        raised.sqlite_errorcode = code
        raised.sqlite_errorname = f"SQLITE_{code}"
        raise raised from None


class _Cursor:
    def __init__(self, cursor: apsw.Cursor, sql: str) -> None:
        self._cursor, self._sql = cursor, sql

    @property
    def description(self) -> tuple[tuple[str, ...], ...]:
        """apsw tells the columns only while there are rows."""
        found = apsw.ext.query_info(self._cursor.connection, self._sql).description
        return tuple((name, *[""] * 6) for name, _ in found)

    @property
    def lastrowid(self) -> int:
        return int(self._cursor.connection.last_insert_rowid())

    @property
    def rowcount(self) -> int:
        return int(self._cursor.connection.changes())

    def __iter__(self) -> Iterator[Any]:
        with _errors():
            yield from self._cursor

    def fetchone(self) -> Any:
        with _errors():
            return next(iter(self._cursor), None)

    def fetchmany(self, size: int) -> list[Any]:
        with _errors():
            return list(itertools.islice(self._cursor, size))

    def fetchall(self) -> list[Any]:
        with _errors():
            return list(self._cursor)


class _Told(_Cursor):
    """An answer that is not SQLite's."""

    def __init__(self, row: tuple[object, ...]) -> None:
        self._rows = iter([row])

    def __iter__(self) -> Iterator[Any]:
        return self._rows

    def fetchone(self) -> Any:
        return next(self._rows, None)

    def fetchall(self) -> list[Any]:
        return list(self._rows)


class _Connection:
    """As much of sqlite3.Connection as the program uses, with its implicit transactions."""

    def __init__(
        self, uri: str, vfs: str, timeout: float, isolation_level: str | None, words: Mapping[str, str]
    ) -> None:
        self._words, self._isolation_level = words, isolation_level
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI
        with _errors():
            self._db = apsw.Connection(uri, flags=flags, vfs=vfs)
            self._db.set_busy_timeout(int(timeout * 1000))

    @property
    def in_transaction(self) -> bool:
        return bool(self._db.in_transaction)

    @property
    def total_changes(self) -> int:
        return int(self._db.total_changes())

    def execute(self, sql: str, values: Sequence[Any] = ()) -> _Cursor:
        spoken = self._spoken(sql)
        if spoken != sql:
            self._execute_all(spoken)
            # The program leaves where it does not get the journal it asks for; a control is to go on.
            return _Told(("delete",))
        if sql.strip() == "PRAGMA journal_mode" and self._words:
            return _Told(("delete",))
        self._begin(sql)
        with _errors():
            return _Cursor(self._db.execute(sql, values), sql)

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        self._begin(sql)
        with _errors():
            self._db.executemany(sql, rows)

    def executescript(self, script: str) -> None:
        self.commit()
        self._execute_all(self._spoken(script))

    def _execute_all(self, script: str) -> None:
        with _errors():
            list(self._db.execute(script))  # apsw goes to the next statement when the rows of one have been read

    def backup(self, target: Any, *, pages: int, progress: Any, sleep: float) -> None:
        del sleep  # nobody else writes
        with _errors(), target._db.backup("main", self._db, "main") as backup:
            while not backup.done:
                backup.step(pages)
                progress(apsw.SQLITE_OK, backup.remaining, backup.page_count)

    def commit(self) -> None:
        if self.in_transaction:
            with _errors():
                self._db.execute("COMMIT")

    def rollback(self) -> None:
        if self.in_transaction:
            with _errors():
                self._db.execute("ROLLBACK")

    def close(self) -> None:
        with _errors():
            self._db.close()

    def __enter__(self) -> _Connection:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            try:
                self.commit()
            except BaseException:
                self.rollback()
                raise
        else:
            self.rollback()

    def _begin(self, sql: str) -> None:
        changes = sql.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE", "REPLACE"))
        if changes and self._isolation_level is not None and not self.in_transaction:
            with _errors():
                self._db.execute("BEGIN")

    def _spoken(self, sql: str) -> str:
        for word, other in self._words.items():
            sql = sql.replace(word, other)
        return sql


class Driver:
    """Stands where the program looks for the module sqlite3. ``words``: what it says → what is said to SQLite."""

    def __init__(self, machine: Machine, words: Mapping[str, str] = SHIPPED) -> None:
        self._name = f"recorded-{next(_numbers)}"
        self._vfs, self._words = _Vfs(self._name, machine), words
        self._open: list[_Connection] = []

    def connect(
        self, where: str, /, *, timeout: float = 5.0, isolation_level: str | None = "", **_: object
    ) -> _Connection:
        connection = _Connection(where, self._name, timeout, isolation_level, self._words)
        self._open.append(connection)
        return connection

    def close(self) -> None:
        """What the program left open, when it was made to stop."""
        for connection in self._open:
            connection.close()
        self._vfs.unregister()

    def __getattr__(self, name: str) -> Any:
        return getattr(sqlite3, name)


@contextmanager
def driven(machine: Machine, words: Mapping[str, str] = SHIPPED) -> Iterator[None]:
    """The program's databases are recorded while this lasts."""
    driver = Driver(machine, words)
    with ExitStack() as stack:
        for module in ("habeas_audit.connection", "habeas_audit.copying", "habeas.cases.files"):
            stack.enter_context(mock.patch(f"{module}.sqlite3", driver))
        stack.callback(driver.close)
        yield

"""What can go wrong with a ledger, sorted by what the caller does next.

    LedgerError
    ├── InvalidDraft      this entry cannot be recorded as it is; nothing was written (also a ValueError)
    ├── LedgerRefused     this is not a ledger we may open or make: missing, foreign, newer, too open, already there
    ├── LedgerBusy        another process held the file too long; nothing was written, the same call may be tried again
    ├── LedgerUnwritable  the system refuses the bytes (disk full, read-only, I/O error): nothing can be proven now
    ├── LedgerUncertain   the commit was torn away; the entries are there whole or not at all: read before going on
    ├── LedgerDamaged     the file is not what this package wrote: stop, and let `verify` name what is wrong
    │   └── LedgerBehind  it is not the log that a checkpoint was signed over: older, cut off, or rewritten
    ├── ProofInvalid      a note, checkpoint, proof or key does not show what it is offered for, or is none
    └── LedgerClosed      used after close, or in a child process that inherited it by fork

Messages name a file without its folder, never a value that was to be recorded.
"""

from __future__ import annotations

import sqlite3
from typing import Final


class LedgerError(Exception):
    """Root of everything this package raises on purpose."""


class InvalidDraft(LedgerError, ValueError):
    """The draft breaks the format of an entry; only its own call fails."""


class LedgerRefused(LedgerError):
    """The file is not one this program may open, or may make."""


class LedgerBusy(LedgerError):
    """The busy timeout passed while another process held the file; nothing was written."""


class LedgerUnwritable(LedgerError):
    """The operating system refused to read or write the file; nothing was written."""


class LedgerUncertain(LedgerError):
    """The thread that committed for this call was torn away while it did so."""


class LedgerDamaged(LedgerError):
    """The file's content contradicts itself."""


class LedgerBehind(LedgerDamaged):
    """A checkpoint was signed over entries that the file does not hold, or holds otherwise."""


class ProofInvalid(LedgerError, ValueError):
    """A note, checkpoint, proof or key is malformed, or does not prove what it is offered for."""


class LedgerClosed(LedgerError):
    """The ledger is closed, or belongs to another process."""


_BY_CODE: Final[dict[int, tuple[type[LedgerError], str]]] = {
    sqlite3.SQLITE_BUSY: (LedgerBusy, "another process holds the ledger; try again"),
    sqlite3.SQLITE_LOCKED: (LedgerBusy, "another process holds the ledger; try again"),
    sqlite3.SQLITE_FULL: (LedgerUnwritable, "the disk is full; free some space"),
    sqlite3.SQLITE_IOERR: (LedgerUnwritable, "the disk refuses to read or write the ledger; check the disk"),
    sqlite3.SQLITE_READONLY: (LedgerUnwritable, "the ledger or its folder is read-only; check owner and mode"),
    sqlite3.SQLITE_CANTOPEN: (LedgerUnwritable, "the ledger or its journal cannot be opened; check folder and mode"),
    sqlite3.SQLITE_PERM: (LedgerUnwritable, "access to the ledger is denied; check owner and mode"),
    sqlite3.SQLITE_AUTH: (LedgerUnwritable, "access to the ledger is denied; check owner and mode"),
    sqlite3.SQLITE_NOTADB: (LedgerDamaged, "the ledger is not an SQLite database; restore it from a copy"),
    sqlite3.SQLITE_CORRUPT: (LedgerDamaged, "the ledger's pages are malformed; verify it, restore it from a copy"),
}


def from_sqlite(error: sqlite3.Error | UnicodeDecodeError) -> LedgerError:
    """Sort an SQLite error into the tree above; its own text is left out, its code's name is kept.

    An error that SQLite gives no disk or lock for (a trigger that refuses, a missing table, text or a message that is
    not UTF-8) means that the file is not as this package made it, hence `LedgerDamaged`.
    """
    code = getattr(error, "sqlite_errorcode", None)
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    if code is None and isinstance(error, sqlite3.ProgrammingError):
        return LedgerClosed("the ledger is closed")
    # The low byte is the primary code; the rest refines it (https://sqlite.org/rescode.html).
    kind, text = _BY_CODE.get(
        code & 0xFF if code is not None else -1,
        (LedgerDamaged, "the ledger's tables are not as they were made; verify it"),
    )
    return kind(f"{text} ({name})")

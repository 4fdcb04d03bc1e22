"""Verify a ledger file: every stored byte is hashed anew, and nothing stored is trusted, nodes and head least of all.

What it shows: the file is whole and agrees with itself. That nobody rewrote all of it, or cut its end off and mended
the head, only a head kept elsewhere can show.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from habeas_audit import schema
from habeas_audit.connection import connect, has_journal
from habeas_audit.errors import LedgerBusy, LedgerDamaged, from_sqlite
from habeas_audit.rowcheck import Row, RowCheck
from habeas_audit.tree import EMPTY_ROOT, Frontier, fold, rows

Progress = Callable[[int, int], None]
"""Called after each chunk with how many entries are done, and how many there are."""

MAX_FINDINGS: Final = 1000
"""Findings that are kept; a last one of kind `more` counts the others."""

_LEVELS: Final = 12
_CHUNK: Final = 2**_LEVELS
"""Entries per read transaction, so that writers never wait long; a power of two, so that a chunk is a subtree."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with the file."""

    kind: str
    """File: `unreadable` `foreign` `newer` `journal` `busy` `malformed` `integrity` `schema` `head` `node` `more`;
    entry: `leaf` (bytes changed) `column` `seq` `log` `canonical` `shape` `gap` (missing) `order`."""
    seq: int | None
    """The entry it is about, or None for the file."""
    text: str
    """One line that repeats nothing of what the file holds."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What verifying found."""

    ok: bool
    """Whether there is no finding."""
    size: int
    """Entries read."""
    root: bytes
    """RFC 6962 root computed over them, 32 bytes: the one to compare with a head kept elsewhere."""
    findings: tuple[Finding, ...]

    @property
    def root_text(self) -> str:
        """The root with its algorithm: `sha256:` and 64 hex digits."""
        return f"sha256:{self.root.hex()}"


def verify(
    path: str | os.PathLike[str], *, progress: Progress | None = None, busy_seconds: float = 10.0
) -> Verification:
    """Read the whole file and say what is wrong with it; memory stays flat, the file is opened read-only.

    A file that cannot be read is a finding, not an exception. Entries appended while this runs are not looked at.
    """
    path = Path(path)
    check = _Verifier(progress)
    try:
        if not path.is_file():
            raise OSError
        with closing(connect(path, "verify", busy_seconds)) as db:
            db.text_factory = bytes  # a damaged file may hold text that is not UTF-8
            check.run(db)
    except OSError:
        check.add("unreadable", f"{path.name} is not a file that can be read")
    except sqlite3.Error as error:
        check.add(*_sorted_error(error, path))
    except (TypeError, ValueError):
        # Where the schema itself was damaged, columns hold any type, and SQLite's own messages may not be UTF-8.
        check.add("malformed", "the ledger holds values that its columns cannot have")
    return check.result()


def _sorted_error(error: sqlite3.Error, path: Path) -> tuple[str, str]:
    known = from_sqlite(error)
    if isinstance(known, LedgerDamaged):
        return "malformed", str(known)
    if isinstance(known, LedgerBusy):
        return "busy", str(known)
    if has_journal(path):
        return (
            "journal",
            "a write was cut off, and its journal waits; open the ledger once to finish it, then verify again",
        )
    return "unreadable", str(known)


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What the file says of itself, read in one transaction."""

    log_id: str
    size: int
    root: bytes
    last: int
    """Highest sequence number."""
    tops: dict[int, int]
    """Level → highest stored index."""


class _Verifier:
    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._findings: list[Finding] = []
        self._more = 0
        self._size = 0
        self._next = 1
        self._in_place = True
        self._changed: list[int] = []  # leaves whose bytes changed, from 0, ascending
        self._upper = Frontier()  # of whole chunks
        self._rest: list[bytes] = []  # peaks of the last chunk, which may be a part of one

    def add(self, kind: str, text: str, seq: int | None = None) -> None:
        if len(self._findings) < MAX_FINDINGS:
            self._findings.append(Finding(kind, seq, text))
        else:
            self._more += 1

    def result(self) -> Verification:
        findings = tuple(self._findings)
        if self._more:
            findings += (Finding("more", None, f"{self._more} more findings"),)
        return Verification(not findings, self._size, self._root(), findings)

    def run(self, db: sqlite3.Connection) -> None:
        if db.execute("PRAGMA application_id").fetchone()[0] != schema.APPLICATION_ID:
            self.add("foreign", "the file is not a ledger")
            return
        if db.execute("PRAGMA user_version").fetchone()[0] > schema.USER_VERSION:
            self.add("newer", "the ledger was made by a newer program; verify it with that")
            return
        for (line,) in db.execute(f"PRAGMA integrity_check({MAX_FINDINGS})"):
            if line != b"ok":
                self.add("integrity", line.decode(errors="replace"))
        for problem in schema.problems(db):
            self.add("schema", problem)
        said = self._snapshot(db)
        check = RowCheck(said.log_id, secrets.token_hex(16))
        for chunk in _chunks(db, said.last):
            hashes = [sha256(b"\x00" + row[7]).digest() for row in chunk]
            self._places(chunk)
            self._rows(check, chunk, hashes)
            self._nodes(db, hashes)
            self._size += len(chunk)
            if self._progress is not None:
                self._progress(self._size, said.last)
        self._end(said)

    def _snapshot(self, db: sqlite3.Connection) -> _Snapshot:
        db.execute("BEGIN")
        try:
            log = db.execute("SELECT log_id FROM log").fetchall()
            head = db.execute("SELECT size, root FROM head").fetchall()
            if len(log) != 1:
                self.add("log", f"the file names {len(log)} logs where it must name one")
            if len(head) != 1:
                self.add("head", f"the file has {len(head)} heads where it must have one")
            last = db.execute("SELECT coalesce(max(seq), 0) FROM entries").fetchone()[0]
            levels = db.execute("SELECT coalesce(max(level), 0) FROM nodes").fetchone()[0]
            tops = {
                level: db.execute("SELECT coalesce(max(idx), -1) FROM nodes WHERE level = ?", (level,)).fetchone()[0]
                for level in range(1, min(levels, 63) + 1)
            }
        finally:
            db.execute("ROLLBACK")
        size, root = head[0] if head else (0, EMPTY_ROOT)
        return _Snapshot(log[0][0].decode(errors="replace") if log else "", size, root, last, tops)

    def _places(self, chunk: Sequence[Row]) -> None:
        """Sequence numbers run from 1 without a hole."""
        for row in chunk:
            seq = row[0]
            if seq > self._next:
                self._in_place = False
                self.add("gap", f"entries {self._next} to {seq - 1} are missing", self._next)
            elif seq < self._next:
                self._in_place = False
                self.add("order", f"entry {seq} has a number that no entry can have", seq)
            self._next = max(self._next, seq + 1)

    def _rows(self, check: RowCheck, chunk: Sequence[Row], hashes: Sequence[bytes]) -> None:
        """Each row's bytes are those that were hashed, and say what the other columns say."""
        for index in check.suspects(chunk, hashes):
            for kind, text in check.problems(chunk[index]):
                self.add(kind, text, chunk[index][0])
                if kind == "leaf" and len(self._changed) < MAX_FINDINGS:
                    self._changed.append(self._size + index)

    def _nodes(self, db: sqlite3.Connection, hashes: Sequence[bytes]) -> None:
        """Compute the subtrees that these leaves complete, and compare them with the stored ones."""
        levels = rows(hashes)
        for level, computed in enumerate(levels[1:], 1):
            first = self._size >> level
            self._compare(db, level, first, computed)
        if len(hashes) < _CHUNK:
            self._rest = [computed[-1] for computed in reversed(levels) if len(computed) % 2]
            return
        for node in self._upper.append(levels[-1][0]):
            self._compare(db, node.level + _LEVELS, node.idx, [node.hash])

    def _compare(self, db: sqlite3.Connection, level: int, first: int, computed: Sequence[bytes]) -> None:
        # Where entries are missing, every later leaf has moved, and no stored node can be right.
        if not self._in_place:
            return
        stored = dict(
            db.execute(
                "SELECT idx, hash FROM nodes WHERE level = ? AND idx >= ? AND idx < ?",
                (level, first, first + len(computed)),
            )
        )
        expected = dict(enumerate(computed, first))
        if stored == expected:
            return
        for idx, value in expected.items():
            if stored.get(idx) != value and not self._explained(level, idx):
                word = "is missing" if idx not in stored else "is not the one computed"
                self.add("node", f"the stored hash at level {level}, index {idx} {word}")

    def _explained(self, level: int, idx: int) -> bool:
        """Whether an entry below the node was already found changed."""
        place = bisect_left(self._changed, idx << level)
        return place < len(self._changed) and self._changed[place] < idx + 1 << level

    def _end(self, said: _Snapshot) -> None:
        for level, top in said.tops.items():
            if top >= said.last >> level:
                self.add("node", f"there are stored hashes at level {level} beyond the last entry")
        if said.size != self._size:
            self.add("head", f"the head counts {said.size} entries, the file holds {self._size}")
        if said.root != self._root():
            self.add("head", "the head's root is not the one computed from the entries")

    def _root(self) -> bytes:
        return fold([*self._upper.peaks, *self._rest])


def _chunks(db: sqlite3.Connection, last: int) -> Iterator[list[Row]]:
    after = -(2**63)
    while chunk := db.execute(
        "SELECT seq, at, type, case_id, run_id, connection, actor, body, leaf_hash FROM entries "
        "WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
        (after, last, _CHUNK),
    ).fetchall():
        yield chunk
        after = chunk[-1][0]

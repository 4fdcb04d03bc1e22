"""Verify a ledger file: every stored byte is hashed anew, and nothing stored is trusted, nodes and head least of all.

What it shows: the file is whole and agrees with itself. That nobody rewrote all of it, or cut its end off and mended
the head, only a head kept elsewhere can show.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import subprocess
import sys
import threading
from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from habeas_audit import schema
from habeas_audit.child import cores, plain_environment
from habeas_audit.connection import connect, has_journal
from habeas_audit.errors import LedgerBusy, LedgerDamaged, from_sqlite
from habeas_audit.indexprint import IndexPrint
from habeas_audit.rowcheck import Row, RowCheck, agree, hashes_of, read_rows
from habeas_audit.tree import EMPTY_ROOT, STORED_LEVELS, Frontier, fold, root_at, roots_at, rows

Progress = Callable[[int, int], None]
"""Called after each chunk with how many entries are done, and how many there are."""

MAX_FINDINGS: Final = 1000
"""Findings that are kept; a last one of kind `more` counts the others."""

_LEVELS: Final = 10
_CHUNK: Final = 2**_LEVELS
"""Entries per read transaction, so that writers never wait long; a power of two, so that a chunk is a subtree."""
_WORTH_HELP: Final = 64 * 2**20
"""Size of a file from which starting another process pays, bytes."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with the file."""

    kind: str
    """File: `unreadable` `foreign` `newer` `journal` `busy` `malformed` `integrity` `schema` `head` `node` `index`
    `more`; entry: `leaf` (bytes changed) `seq` `log` `canonical` `shape` `gap` (missing) `order`."""
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
    roots: Mapping[int, bytes] = field(default_factory=dict)
    """For each mark that is not beyond `size`: the root over so many first rows, as they follow one another."""

    @property
    def root_text(self) -> str:
        """The root with its algorithm: `sha256:` and 64 hex digits."""
        return f"sha256:{self.root.hex()}"


def verify(
    path: str | os.PathLike[str],
    *,
    progress: Progress | None = None,
    busy_seconds: float = 10.0,
    marks: Collection[int] = (),
) -> Verification:
    """Read the whole file and say what is wrong with it; memory stays flat, the file is opened read-only.

    A file that cannot be read is a finding, not an exception. Entries appended while this runs are not looked at.
    `marks`: sizes, in any order, of which the answer tells the roots. A large file is read by two processes.
    """
    path = Path(path)
    check = _Verifier(progress, marks)
    try:
        if not path.is_file():
            raise OSError
        help_ = _Helper(path, check.marks, busy_seconds, check.z)
        with closing(connect(path, "verify", busy_seconds)) as db, help_ as helper:
            db.text_factory = bytes  # a damaged file may hold text that is not UTF-8
            check.run(db, helper)
    except OSError:
        check.add("unreadable", f"{path.name} is not a file that can be read")
    except sqlite3.Error as error:
        check.add(*_sorted_error(error, path))
    except (AttributeError, TypeError, ValueError):
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


class _Chunk(NamedTuple):
    """What the tree needs to know of the entries that were read together."""

    size: int
    root: bytes
    """Over this chunk's entries alone."""
    marks: dict[int, bytes]
    """Mark → the same, over those up to there."""
    print: int = 1
    """What must lead to its entries; see `indexprint`."""


class _Verifier:
    def __init__(self, progress: Progress | None, marks: Collection[int]) -> None:
        self.marks = sorted({mark for mark in marks if mark >= 0})
        self._progress = progress
        self._findings: list[Finding] = []
        self._more = 0
        self._size = 0
        self._done = 0
        self._next = 1
        self._in_place = True
        self._changed: list[int] = []  # leaves whose bytes changed, from 0, ascending
        self._upper = Frontier()  # of whole chunks
        self._rest: list[bytes] = []  # the root of the last chunk, if it is a part of one
        self._roots = {mark: EMPTY_ROOT for mark in self.marks[:1] if mark == 0}
        self.z = secrets.randbits(127)
        self._index = IndexPrint(self.z)

    def add(self, kind: str, text: str, seq: int | None = None) -> None:
        if len(self._findings) < MAX_FINDINGS:
            self._findings.append(Finding(kind, seq, text))
        else:
            self._more += 1

    def result(self) -> Verification:
        findings = tuple(self._findings)
        if self._more:
            findings += (Finding("more", None, f"{self._more} more findings"),)
        return Verification(not findings, self._size, self._root(), findings, self._roots)

    def run(self, db: sqlite3.Connection, helper: _Helper) -> None:
        if db.execute("PRAGMA application_id").fetchone()[0] != schema.APPLICATION_ID:
            self.add("foreign", "the file is not a ledger")
            return
        if db.execute("PRAGMA user_version").fetchone()[0] > schema.USER_VERSION:
            self.add("newer", "the ledger was made by a newer program; verify it with that")
            return
        for (line,) in db.execute(f"PRAGMA integrity_check({MAX_FINDINGS})"):
            if line != b"ok":
                text = line.decode(errors="replace").removeprefix("*** in database main ***")
                self.add("integrity", " ".join(text.split()))
        for problem in schema.problems(db):
            self.add("schema", problem)
        said = self._snapshot(db)
        self._entries(db, helper, said)
        self._end(said)
        if not self._findings:
            self._leads(db, helper, said)

    def _entries(self, db: sqlite3.Connection, helper: _Helper, said: _Snapshot) -> None:
        check = RowCheck(said.log_id, self._index)
        after = -(2**63)
        while True:
            chunk = self._vouched(helper, said)
            if chunk is None:
                read = read_rows(db, after, said.last, _CHUNK)
                if not read:
                    return
                if read[-1][0] <= after:
                    # Where the order of the rows is damaged, the same ones would come again and again.
                    self.add("malformed", "the entries are not in the order of their numbers")
                    return
                after = read[-1][0]
                chunk = self._checked(db, check, read)
            else:
                after = self._size + chunk.size
            self._put(db, chunk)
            self._done = max(self._done, min(self._size + helper.ahead(self._size >> _LEVELS) * _CHUNK, said.last))
            if self._progress is not None:
                self._progress(self._done, said.last)

    def _vouched(self, helper: _Helper, said: _Snapshot) -> _Chunk | None:
        """The next chunk, if nothing was missing so far and the helper has found it whole and well."""
        if not self._in_place or self._size + _CHUNK > said.last:
            return None
        chunk = helper.vouched(self._size >> _LEVELS, said.log_id)
        if chunk is not None:
            self._next += chunk.size
            self._index.multiply(chunk.print)
        return chunk

    def _checked(self, db: sqlite3.Connection, check: RowCheck, read: Sequence[Row]) -> _Chunk:
        hashes = hashes_of(read)
        self._places(read)
        self._rows(check, read, hashes)
        levels = rows(hashes)
        for level in range(STORED_LEVELS, len(levels), STORED_LEVELS):
            self._compare(db, level, self._size >> level, levels[level])
        return _Chunk(len(read), root_at(levels, len(read)), roots_at(levels, self._size, self.marks))

    def _put(self, db: sqlite3.Connection, chunk: _Chunk) -> None:
        """Put the chunk into the tree, and compare the subtrees above it that it completes with the stored ones."""
        for mark, inside in chunk.marks.items():
            self._roots[mark] = fold([*self._upper.peaks, inside])
        self._size += chunk.size
        if chunk.size < _CHUNK:
            self._rest = [chunk.root]
            return
        for node in self._upper.append(chunk.root):
            if (node.level + _LEVELS) % STORED_LEVELS == 0:
                self._compare(db, node.level + _LEVELS, node.idx, [node.hash])

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
        after = self._next + len(chunk)
        if [row[0] for row in chunk] == list(range(self._next, after)):
            self._next = after
            return
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

    def _compare(self, db: sqlite3.Connection, level: int, first: int, computed: Sequence[bytes]) -> None:
        # Where entries are missing, every later leaf has moved, and no stored node can be right.
        if not self._in_place:
            return
        if agree(db, level, first, computed):
            return
        where = (level, first, first + len(computed))
        stored = dict(db.execute("SELECT idx, hash FROM nodes WHERE level = ? AND idx >= ? AND idx < ?", where))
        for idx, value in enumerate(computed, first):
            if stored.get(idx) != value and not self._explained(level, idx):
                word = "is missing" if idx not in stored else "is not the one computed"
                self.add("node", f"the stored hash at level {level}, index {idx} {word}")

    def _explained(self, level: int, idx: int) -> bool:
        """Whether an entry below the node was already found changed."""
        place = bisect_left(self._changed, idx << level)
        return place < len(self._changed) and self._changed[place] < idx + 1 << level

    def _end(self, said: _Snapshot) -> None:
        for level, top in said.tops.items():
            if top >= (0 if level % STORED_LEVELS else said.last >> level):
                self.add("node", f"there are stored hashes at level {level} that no entries have")
        if said.size != self._size:
            self.add("head", f"the head counts {said.size} entries, the file holds {self._size}")
        if said.root != self._root():
            self.add("head", "the head's root is not the one computed from the entries")

    def _leads(self, db: sqlite3.Connection, helper: _Helper, said: _Snapshot) -> None:
        """Whether cases and types lead to their entries, and to no others: only so is nothing of a case overlooked."""
        if helper.led(said.last) == self._index.value:
            return
        tables = IndexPrint(self.z)
        tables.take_tables(db, said.last)
        if tables.value != self._index.value:
            self.add("index", "the tables that lead to entries by case and type do not fit the entries")

    def _root(self) -> bytes:
        return fold([*self._upper.peaks, *self._rest])


class _Helper:
    """Another process that checks whole chunks of a large file, from the last one down, while this one comes up.

    It only ever vouches for chunks in which nothing is wrong. All others, and all of them where it cannot be started,
    fails or is late, are checked here: so there is one place that makes findings, and they never depend on it.
    """

    def __init__(self, path: Path, marks: Sequence[int], busy_seconds: float, z: int) -> None:
        self._path = path
        self._order = {"path": str(path.absolute()), "marks": marks, "busy": busy_seconds, "levels": _LEVELS, "z": z}
        self._process: subprocess.Popen[bytes] | None = None
        self._listener = threading.Thread(target=self._listen, name="habeas-verify", daemon=True)
        self._vouched: dict[int, tuple[str, _Chunk]] = {}
        self._led: dict[int, int] = {}

    def __enter__(self) -> Self:
        if sys.executable and cores() > 1 and self._path.stat().st_size >= _WORTH_HELP:
            # Whatever goes wrong, we do without. It is not forked, since SQLite's connections do not survive that.
            code = "import sys; sys.path[:] = sys.argv[1:]; from habeas_audit.vouching import vouch; vouch()"
            with suppress(OSError):
                self._process = subprocess.Popen(  # noqa: S603 - this interpreter, and this package
                    [sys.executable, "-I", "-c", code, *sys.path],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=plain_environment(),
                )
                self._listener.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._listener.join()
            with self._process:  # closes the pipes, and waits
                pass

    def vouched(self, index: int, log_id: str) -> _Chunk | None:
        """The chunk of that index, if the helper has found it whole and well."""
        log, chunk = self._vouched.pop(index, ("", None))
        return chunk if log == log_id else None

    def led(self, last: int) -> int | None:
        """The fingerprint of the tables that lead to entries up to that one, if the helper has made it."""
        return self._led.get(last)

    def ahead(self, index: int) -> int:
        """How many chunks it vouches for, from this index on."""
        return sum(place >= index for place in list(self._vouched))

    def _listen(self) -> None:
        """Take down what it writes, so that it never waits for us: checking the file's pages takes a while."""
        if self._process is None or self._process.stdin is None or self._process.stdout is None:
            return
        with suppress(OSError), self._process.stdin as stream:
            stream.write(json.dumps(self._order).encode())
        for line in self._process.stdout:
            with suppress(ValueError, KeyError):  # cut off when it ended
                said = json.loads(line)
                if isinstance(said, dict):
                    self._led[said["last"]] = said["led"]
                    continue
                index, log_id, root, marks, led = said
                inside = {int(mark): bytes.fromhex(found) for mark, found in marks.items()}
                self._vouched[index] = log_id, _Chunk(_CHUNK, bytes.fromhex(root), inside, led)

"""The tree as the file stores it, and the one way rows come into it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Final

from habeas_audit.entry import Draft, Entry, Frame
from habeas_audit.errors import LedgerDamaged
from habeas_audit.tree import EMPTY_ROOT, Frontier, Node, leaf_hash, peak_positions

COLUMNS: Final = "seq, at, type, case_id, run_id, connection, actor, body, leaf_hash"
"""Of `entries`, in the order of the fields of `Entry`."""

_INSERT_ENTRY: Final = f"INSERT INTO entries({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Head:
    """The tree head: what a checkpoint signs."""

    size: int
    """How many entries there are."""
    root: bytes
    """RFC 6962 Merkle tree hash over them, 32 bytes."""

    @property
    def root_text(self) -> str:
        """The root with its algorithm: `sha256:` and 64 hex digits."""
        return f"sha256:{self.root.hex()}"


class StoredTree:
    """The frontier in memory beside the one in the file; used by one thread at a time, inside a write transaction."""

    def __init__(self) -> None:
        self._known: Head | None = None
        self._stored = Head(0, EMPTY_ROOT)
        self._frontier = Frontier()
        self._rows: list[tuple[object, ...]] = []
        self._nodes: list[Node] = []

    def opened(self, db: sqlite3.Connection) -> None:
        """Take up the file's tree, unless memory ends where the file does; LedgerDamaged if it contradicts itself."""
        # What memory holds counts only after `closing`: a transaction that was torn may have left it anywhere.
        known, self._known = self._known, None
        self._rows, self._nodes = [], []
        self._stored = stored_head(db)
        if self._stored == known:
            return
        self._frontier = Frontier(
            self._stored.size, [stored_hash(db, level, idx) for level, idx in peak_positions(self._stored.size)]
        )
        last = db.execute("SELECT coalesce(max(seq), 0) FROM entries").fetchone()[0]
        if last != self._stored.size or self._frontier.root() != self._stored.root:
            raise LedgerDamaged("the ledger's head is not that of its entries; verify it")

    def add(self, frames: tuple[tuple[Draft, Frame], ...], at: str) -> tuple[Entry, ...]:
        """Put entries after the last one; `closing` writes them."""
        written = []
        for draft, frame in frames:
            seq = self._frontier.size + 1
            body = frame.body(at, seq)
            leaf = leaf_hash(body)
            row = (seq, at, draft.type, draft.case_id, draft.run_id, draft.connection, draft.actor, body, leaf)
            self._rows.append(row)
            self._nodes += self._frontier.append(leaf)
            written.append(Entry(*row))
        return tuple(written)

    def closing(self, db: sqlite3.Connection) -> None:
        """Write all that was added: the entries, the subtrees they complete, the head."""
        head = Head(self._frontier.size, self._frontier.root())
        if self._rows:
            # Two statements for the whole group: each step lets go of the interpreter, which others then hold.
            db.executemany(_INSERT_ENTRY, self._rows)
            db.executemany("INSERT INTO nodes(level, idx, hash) VALUES (?, ?, ?)", self._nodes)
            db.execute("UPDATE head SET size = ?, root = ?", (head.size, head.root))
        # Should the commit fail, the file's head is another one, and the next transaction takes that up.
        self._known = head


def stored_head(db: sqlite3.Connection) -> Head:
    """The head the file states; LedgerDamaged if it states none."""
    row = db.execute("SELECT size, root FROM head").fetchone()
    if row is None:
        raise LedgerDamaged("the ledger has no head; verify it")
    return Head(*row)


def stored_hash(db: sqlite3.Connection, level: int, idx: int) -> bytes:
    """The hash of one completed subtree as the file states it; LedgerDamaged if it does not."""
    if level:
        row = db.execute("SELECT hash FROM nodes WHERE level = ? AND idx = ?", (level, idx)).fetchone()
    else:
        row = db.execute("SELECT leaf_hash FROM entries WHERE seq = ?", (idx + 1,)).fetchone()
    if row is None:
        raise LedgerDamaged("the ledger's tree has a hole; verify it")
    return bytes(row[0])

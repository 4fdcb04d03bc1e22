"""The tree as the file stores it, and the one way rows come into it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Final

from habeas_audit.entry import Draft, Entry, Frame
from habeas_audit.errors import LedgerDamaged
from habeas_audit.schema import MANY
from habeas_audit.tree import EMPTY_ROOT, STORED_LEVELS, Frontier, Node, leaf_hash, peak_positions, rows

COLUMNS: Final = "seq, body, leaf_hash"
"""What is stored of an entry; its other columns only repeat the body."""

_MOST_CASES: Final = 4096
"""Cases whose first entry is remembered."""


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
        self._first: dict[str, int] = {}  # case → its first entry
        self._entries: list[tuple[int, bytes, bytes]] = []
        self._nodes: list[Node] = []
        self._cases: list[tuple[str, int]] = []
        self._of_cases: list[tuple[int, int]] = []
        self._kinds: list[tuple[str, int]] = []

    def opened(self, db: sqlite3.Connection) -> None:
        """Take up the file's tree, unless memory ends where the file does; LedgerDamaged if it contradicts itself."""
        # What memory holds counts only after `closing`: a transaction that was torn may have left it anywhere.
        known, self._known = self._known, None
        self._entries, self._nodes, self._cases, self._of_cases, self._kinds = [], [], [], [], []
        self._stored = stored_head(db)
        if self._stored == known:
            return
        self._first.clear()
        self._frontier = Frontier(
            self._stored.size, [stored_hash(db, level, idx) for level, idx in peak_positions(self._stored.size)]
        )
        last = db.execute("SELECT coalesce(max(seq), 0) FROM entries").fetchone()[0]
        if last != self._stored.size or self._frontier.root() != self._stored.root:
            raise LedgerDamaged("the ledger's head is not that of its entries; verify it")

    def add(self, db: sqlite3.Connection, frames: tuple[tuple[Draft, Frame], ...], at: str) -> tuple[Entry, ...]:
        """Put entries after the last one; `closing` writes them."""
        written = []
        at_bytes = at.encode()
        for draft, frame in frames:
            seq = self._frontier.size + 1
            body = frame.body(at_bytes, seq)
            leaf = leaf_hash(body)
            self._entries.append((seq, body, leaf))
            if done := self._frontier.append(leaf):
                self._nodes += done[STORED_LEVELS - 1 :: STORED_LEVELS]  # the first has level 1
            if draft.case_id:
                self._of_cases.append((self._first_of(db, draft.case_id, seq), seq))
            if draft.type not in MANY:
                self._kinds.append((draft.type, seq))
            written.append(
                Entry(seq, at, draft.type, draft.case_id, draft.run_id, draft.connection, draft.actor, body, leaf)
            )
        return tuple(written)

    def _first_of(self, db: sqlite3.Connection, case_id: str, seq: int) -> int:
        first = self._first.get(case_id)
        if first is None:
            row = db.execute("SELECT first FROM cases WHERE case_id = ?", (case_id,)).fetchone()
            if row is None:
                self._cases.append((case_id, seq))
            first = self._first[case_id] = row[0] if row else seq
        return first

    def closing(self, db: sqlite3.Connection) -> None:
        """Write all that was added: the entries, what leads to them, the subtrees they complete, the head."""
        head = Head(self._frontier.size, self._frontier.root())
        if self._entries:
            # A few statements for the whole group: each step lets go of the interpreter, which others then hold.
            db.executemany("INSERT INTO entries(seq, body, leaf_hash) VALUES (?, ?, ?)", self._entries)
            for sql, rows_ in (
                ("INSERT INTO cases(case_id, first) VALUES (?, ?)", self._cases),
                ("INSERT INTO case_entries(first, seq) VALUES (?, ?)", self._of_cases),
                ("INSERT INTO kinds(type, seq) VALUES (?, ?)", self._kinds),
                ("INSERT INTO nodes(level, idx, hash) VALUES (?, ?, ?)", self._nodes),
            ):
                if rows_:
                    db.executemany(sql, rows_)
            db.execute("UPDATE head SET size = ?, root = ?", (head.size, head.root))
        if len(self._first) > _MOST_CASES:
            self._first.clear()  # not before: of a case that begins in this transaction the file did not know yet
        # Should the commit fail, the file's head is another one, and the next transaction takes that up.
        self._known = head


def stored_head(db: sqlite3.Connection) -> Head:
    """The head the file states; LedgerDamaged if it states none."""
    row = db.execute("SELECT size, root FROM head").fetchone()
    if row is None:
        raise LedgerDamaged("the ledger has no head; verify it")
    size, root = row
    # What a table's definition forbids can still stand in a damaged page.
    if not isinstance(size, int) or size < 0 or not _is_hash(root):
        raise LedgerDamaged("the ledger's head is none; verify it")
    return Head(size, root)


def stored_hash(db: sqlite3.Connection, level: int, idx: int) -> bytes:
    """The hash of one completed subtree as the file states it; LedgerDamaged if it does not."""
    above = level % STORED_LEVELS
    base, first, count = level - above, idx << above, 1 << above
    where = (first, first + count)
    if base:
        sql = "SELECT hash FROM nodes WHERE level = ? AND idx >= ? AND idx < ? ORDER BY idx"
        found = db.execute(sql, (base, *where)).fetchall()
    else:
        found = db.execute("SELECT leaf_hash FROM entries WHERE seq > ? AND seq <= ? ORDER BY seq", where).fetchall()
    if len(found) != count or not all(_is_hash(hash_) for (hash_,) in found):
        raise LedgerDamaged("the ledger's tree has a hole; verify it")
    return rows([hash_ for (hash_,) in found])[-1][0]


def _is_hash(value: object) -> bool:
    return isinstance(value, bytes) and len(value) == 32

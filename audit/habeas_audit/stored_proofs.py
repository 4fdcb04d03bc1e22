"""Proofs and checkpoints as the file has them, read within one transaction of the caller's.

They rest on stored hashes, so a damaged file gives proofs that do not verify: whoever is handed one verifies it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from habeas_audit.checkpoint import SignedCheckpoint, parse_checkpoint
from habeas_audit.entry import Entry, entry_of
from habeas_audit.errors import LedgerBehind, LedgerDamaged, ProofInvalid
from habeas_audit.proof import Path, consistency_path, inclusion_path, root_at
from habeas_audit.stored_tree import COLUMNS, Head, stored_hash, stored_head
from habeas_audit.tree import leaf_hash


class StoredProofs:
    """What one moment of the file can show."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._known: dict[tuple[int, int], bytes] = {}

    def head(self) -> Head:
        """The present size and root, as stored."""
        return stored_head(self._db)

    def created_at(self) -> str:
        """When the log was begun, as the file says."""
        row = self._db.execute("SELECT created_at FROM log").fetchone()
        if row is None:
            raise LedgerDamaged("the ledger has no log id; verify it")
        return str(row[0])

    def root_at(self, size: int) -> bytes:
        """The root of the first `size` entries; O(log n)."""
        return root_at(size, self._node)

    def inclusion(self, seq: int, size: int) -> Path:
        """The path from entry `seq` to the root of the first `size` entries. ValueError if it is not among them."""
        return inclusion_path(seq - 1, size, self._node)

    def consistency(self, old: int, new: int) -> Path:
        """The proof that the first `new` entries begin with the first `old`."""
        return consistency_path(old, new, self._node)

    def entry(self, seq: int) -> Entry | None:
        """The entry of that number; None if there is none."""
        row = self._db.execute(f"SELECT {COLUMNS} FROM entries WHERE seq = ?", (seq,)).fetchone()  # noqa: S608
        return entry_of(*row) if row else None

    def checkpoints(self) -> Iterator[SignedCheckpoint]:
        """All that are kept, oldest first. Raises LedgerDamaged for one that cannot be read."""
        for size, note in self._db.execute("SELECT size, note FROM checkpoints ORDER BY size"):
            yield _parsed(size, note)

    def checkpoint(self, size: int) -> SignedCheckpoint | None:
        """The one over so many entries."""
        row = self._db.execute("SELECT size, note FROM checkpoints WHERE size = ?", (size,)).fetchone()
        return _parsed(*row) if row else None

    def newest_checkpoint(self) -> SignedCheckpoint | None:
        """The one over the most entries."""
        row = self._db.execute("SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT 1").fetchone()
        return _parsed(*row) if row else None

    def covering_checkpoint(self, seq: int) -> SignedCheckpoint | None:
        """The oldest one that covers entry `seq`."""
        sql = "SELECT size, note FROM checkpoints WHERE size >= ? ORDER BY size LIMIT 1"
        row = self._db.execute(sql, (seq,)).fetchone()
        return _parsed(*row) if row else None

    def timestamp(self, size: int) -> bytes | None:
        """The RFC 3161 token over that checkpoint."""
        row = self._db.execute("SELECT token FROM timestamps WHERE size = ?", (size,)).fetchone()
        return bytes(row[0]) if row else None

    def require(self, signed: SignedCheckpoint, origin: str) -> None:
        """Raises LedgerBehind unless the file still begins with the entries that the checkpoint was signed over."""
        size, have = signed.head.size, self.head().size
        if signed.checkpoint.origin != origin:
            raise LedgerBehind("a checkpoint of another log lies where this one's should; verify the ledger")
        if size > have:
            raise LedgerBehind(
                f"a checkpoint over {size} entries was signed, and the ledger holds {have}: its newest entries were "
                "cut off, or an older copy was put in its place; verify it"
            )
        if self.root_at(size) != signed.head.root:
            raise LedgerBehind(f"the first {size} entries are not those that a checkpoint was signed over; verify it")

    def require_newest(self, most: int) -> None:
        """Raises LedgerDamaged unless the newest entries, so many at most, are all there, as they were hashed.

        For the start of every command, where there is no time to read them all: of the others `verify` tells.
        """
        head = self.head()
        sql = "SELECT seq, body, leaf_hash FROM entries WHERE seq > ? ORDER BY seq"
        expected = max(0, head.size - most)
        for seq, body, hash_ in self._db.execute(sql, (expected,)):
            expected += 1
            if seq != expected or not isinstance(body, bytes) or leaf_hash(body) != hash_:
                raise LedgerDamaged(f"entry {expected} of the ledger is not as it was written; verify it")
        if expected != head.size:
            raise LedgerDamaged("the ledger's head is not that of its entries; verify it")

    def _node(self, level: int, idx: int) -> bytes:
        key = level, idx
        if key not in self._known:
            self._known[key] = stored_hash(self._db, level, idx)
        return self._known[key]


def _parsed(size: int, note: str) -> SignedCheckpoint:
    try:
        signed = parse_checkpoint(note)
    except (ProofInvalid, TypeError, AttributeError):  # the others: not even text, in a damaged page
        raise LedgerDamaged(f"the checkpoint over {size} entries cannot be read; verify the ledger") from None
    if signed.head.size != size:
        raise LedgerDamaged(f"the checkpoint over {size} entries is one over {signed.head.size}; verify the ledger")
    return signed

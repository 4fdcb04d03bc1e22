"""Signing the log's head, and refusing to go on with a log that is not the one that was signed.

A log never signs a checkpoint that contradicts one it signed before (https://c2sp.org/tlog-checkpoint): so the newest
one, wherever it is kept, is held against the file first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from habeas_audit import mirror
from habeas_audit.checkpoint import Checkpoint, SignedCheckpoint, sign_checkpoint
from habeas_audit.errors import LedgerBehind, LedgerError, LedgerUnwritable, ProofInvalid
from habeas_audit.note import SigningKey
from habeas_audit.store import Ledger

ACKNOWLEDGED: Final = "ledger.acknowledged"
"""An entry that says: this log is behind checkpoints that were signed over it, and somebody has taken note of that."""


def acknowledged(ledger: Ledger) -> set[str]:
    """Digests of the checkpoints that the ledger itself says it contradicts."""
    return {note for entry in ledger.entries(types=[ACKNOWLEDGED]) for note in entry.data.get("checkpoints", ())}


class Notary:
    """Signs one log. `mirrors`: folders outside the database; the first is the home's own."""

    def __init__(self, ledger: Ledger, mirrors: Sequence[Path]) -> None:
        self._ledger = ledger
        self._mirrors = tuple(mirrors)

    def newest(self) -> SignedCheckpoint | None:
        """The checkpoint over the most entries, in the file or outside it; None if nothing was signed yet.

        Raises LedgerDamaged or ProofInvalid if one cannot be read.
        """
        return max(self._kept(), key=lambda signed: signed.head.size, default=None)

    def require_continuity(self) -> None:
        """Raises LedgerBehind if the file does not begin with what was signed: to be asked before anything is added."""
        for signed in self._kept():
            with self._ledger.proofs() as proofs:
                proofs.require(signed, self._ledger.origin)

    def contradicting(self) -> list[SignedCheckpoint]:
        """Checkpoints outside the file that it is behind, the newest first; one that it agrees with ends the search.

        LedgerBehind or LedgerDamaged if the file contradicts what is kept in itself: there is no way on from that.
        """
        with self._ledger.proofs() as proofs:
            stored = proofs.newest_checkpoint()
            if stored is not None:
                proofs.require(stored, self._ledger.origin)
        found: dict[str, SignedCheckpoint] = {}
        for folder in self._mirrors:
            for signed in self._unacknowledged(folder):
                try:
                    with self._ledger.proofs() as proofs:
                        proofs.require(signed, self._ledger.origin)
                except LedgerBehind:
                    found[signed.raw] = signed
                else:
                    break
        return sorted(found.values(), key=lambda signed: signed.head.size, reverse=True)

    def sign(self, keys: Sequence[SigningKey]) -> SignedCheckpoint | None:
        """Sign the present head, keep the checkpoint in the file and in every mirror. None for an empty log.

        A head that is signed already is only mirrored again. Raises LedgerBehind, LedgerUnwritable, ProofInvalid; what
        was signed and could not be kept everywhere is kept where it could.
        """
        self.require_continuity()
        with self._ledger.proofs() as proofs:
            head = proofs.head()
            newest = proofs.newest_checkpoint()
        if head.size == 0:
            return None
        if newest is None or newest.head.size < head.size:
            # After the commit, from what is on disk: a head that was signed is never lost.
            newest = sign_checkpoint(Checkpoint(self._ledger.origin, head), keys)
            if not self._ledger.add_checkpoint(newest):
                # Another process was quicker, and signed more. What is not in the file is published nowhere.
                with self._ledger.proofs() as proofs:
                    newest = proofs.newest_checkpoint() or newest
        problems: list[LedgerError] = []
        for folder in self._mirrors:
            try:
                mirror.write(folder, newest)
            except (LedgerUnwritable, ProofInvalid) as problem:
                problems.append(problem)
        for first in problems:
            raise first
        return newest

    def _kept(self) -> Iterator[SignedCheckpoint]:
        with self._ledger.proofs() as proofs:
            stored = proofs.newest_checkpoint()
        found = [stored, *(next(self._unacknowledged(folder), None) for folder in self._mirrors)]
        return (signed for signed in found if signed is not None)

    def _unacknowledged(self, folder: Path) -> Iterator[SignedCheckpoint]:
        known = acknowledged(self._ledger)
        return (signed for signed in mirror.newest_first(folder) if not known or signed.digest not in known)

"""Sealing: after each run the ledger's head is signed, and kept where the database is not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from habeas.clock import Clock
from habeas.errors import HabeasError, RefusedError, StorageError
from habeas.evidence.signing import KeyPlace, known_keys, publish, revoke
from habeas_audit import (
    ACKNOWLEDGED,
    CREATED,
    KEY_TYPES,
    ROTATED,
    Draft,
    Evidence,
    Ledger,
    LedgerError,
    Notary,
    SignedCheckpoint,
    SigningKey,
    VerifierKey,
    Witness,
    acknowledged,
    checkpoints_in,
    digest,
    keys_named_in,
    read_checkpoint,
    verify_evidence,
)

if TYPE_CHECKING:
    from habeas.evidence.stamp import Stamper

__all__ = ["Seal", "witnesses_in"]

_REHASHED = 2000
"""Of the newest entries so many are hashed anew when a command starts: some milliseconds."""
_MOST_NAMED = 150
"""Checkpoints named in one entry: as many as fit."""


class Seal:
    """Signs one home's ledger."""

    def __init__(
        self, ledger: Ledger, place: KeyPlace, public: Path, mirrors: Sequence[Path], clock: Clock,
        stamper: Stamper | None = None,
    ) -> None:  # fmt: skip
        self._ledger, self._place, self._public, self._clock = ledger, place, public, clock
        self._notary = Notary(ledger, mirrors)
        self.mirrors = tuple(mirrors)
        self._stamper = stamper
        self.problem = ""
        """Why the last sealing did not come through whole; one line for people. Empty: it did."""
        self.warning = ""
        """What an authority outside did not do; the seal holds without it."""

    def require_continuity(self) -> None:
        """Raises :class:`~habeas_audit.LedgerBehind` where the ledger is not the one that was signed, and
        :class:`~habeas_audit.LedgerDamaged` where one of its newest entries is not as it was written.
        """
        self._notary.require_continuity()
        with self._ledger.proofs() as proofs:
            proofs.require_newest(_REHASHED)

    def newest(self) -> SignedCheckpoint | None:
        """The checkpoint over the most entries."""
        return self._notary.newest()

    def ready(self) -> VerifierKey:
        """The key that would sign now. Raises :class:`~habeas.errors.StorageError` where it cannot."""
        return self._signers()[-1].verifier

    def public_keys(self) -> tuple[VerifierKey, ...]:
        """Every public key that this home knows: its files', and those that the ledger names."""
        named = (key for _, key in self.named_keys())
        return tuple(dict.fromkeys((*known_keys(self._public), *named)))

    def named_keys(self) -> list[tuple[int, VerifierKey]]:
        """The keys that the ledger names, with their entries."""
        return [
            (entry.seq, key)
            for entry in self._ledger.entries(types=KEY_TYPES)
            for key in keys_named_in({"type": entry.type, "data": entry.data})
        ]

    def verify(self, trusted: Iterable[VerifierKey] = ()) -> Evidence:
        """The file held against every checkpoint outside it, but for those that it is known to be behind.

        ``trusted``: the keys that count; with none, the home's own.
        """
        witnesses = witnesses_in(self.mirrors, acknowledged(self._ledger))
        return verify_evidence(
            self._ledger.path, witnesses=witnesses, trusted=tuple(trusted) or known_keys(self._public)
        )

    # -- sealing ----------------------------------------------------------------------------------------------------

    def end(self, *drafts: Draft) -> SignedCheckpoint | None:
        """Appends what ends a run, and signs. What cannot be signed is in :attr:`problem`; the entries stand anyway.

        Raises :class:`~habeas_audit.LedgerError` where not even the entries could be written.
        """
        self.problem = self.warning = ""
        try:
            keys = self._signers()
        except (HabeasError, LedgerError) as error:
            self._ledger.append(*drafts)
            self.problem = f"the ledger was not signed: {_line(error)}"
            return None
        self._ledger.append(*drafts, self._announced(keys[-1].verifier, drafts[-1].run_id if drafts else ""))
        return self._sign(keys)

    def checkpoint(self) -> SignedCheckpoint | None:
        """Signs the head as it stands; where it is signed already, that one. Raises what hinders it."""
        newest = self._notary.newest()
        if newest is None or newest.head != self._ledger.head():
            self.end()
        else:
            self._sign(self._signers())
        if self.problem:
            raise StorageError(self.problem)
        return self._notary.newest()

    def _sign(self, keys: Sequence[SigningKey]) -> SignedCheckpoint | None:
        try:
            signed = self._notary.sign(keys)
            for key in keys[:-1]:
                # Both have signed that the one follows the other: the old one has nothing left to sign.
                self._place.destroy(key.verifier)
        except (HabeasError, LedgerError) as error:
            self.problem = f"the ledger was not signed, or not kept everywhere: {_line(error)}"
            return None
        if signed is not None and self._stamper is not None:
            try:
                self._stamper.stamp(self._ledger, signed)
            except (HabeasError, LedgerError) as error:
                text = f"the checkpoint has no timestamp: {_line(error)}"
                self.warning = f"{text}; `habeas audit checkpoint` asks again"
        return signed

    def _announced(self, key: VerifierKey, run_id: str) -> Draft:
        """The entry that says a checkpoint follows, and names the one before: none can be taken out unseen."""
        with self._ledger.proofs() as proofs:
            last = proofs.newest_checkpoint()
            token = proofs.timestamp(last.head.size) if last is not None else None
        data: dict[str, object] = {"key": key.key_id.hex()}
        if last is not None:
            stamp = {} if token is None else {"timestamp": digest(token)}
            data["previous"] = {"size": last.head.size, "note": last.digest, **stamp}
        return Draft("checkpoint", "", run_id, "", "", data)

    # -- keys -------------------------------------------------------------------------------------------------------

    def _signers(self) -> list[SigningKey]:
        """The key in use, last; before it the one it follows, until a checkpoint by both says so."""
        entry = self._ledger.last(types=KEY_TYPES)
        if entry is None:
            raise StorageError("there is no signing key", advice="run `habeas init`: it makes what is missing")
        (key,) = keys_named_in({"type": entry.type, "data": entry.data}) or (None,)
        if key is None:
            raise StorageError(f"entry {entry.seq} of the ledger names no key", advice="run `habeas audit verify`")
        signers = [self._place.load(key)]
        if entry.type == ROTATED:
            previous = VerifierKey.parse(entry.data["previous"])
            with self._ledger.proofs() as proofs:
                covered = proofs.covering_checkpoint(entry.seq) is not None
            if entry.data.get("why") == "planned" and not covered:
                signers.insert(0, self._place.load(previous))
            else:
                self._place.destroy(previous)
        return signers

    def has_key(self) -> bool:
        """Whether the ledger names a key."""
        return self._ledger.last(types=KEY_TYPES) is not None

    def create_key(self, actor: str) -> VerifierKey:
        """The first key: kept, named in the ledger, and used. Raises :class:`RefusedError` where there is one."""
        if self.has_key():
            raise RefusedError("the ledger has a signing key", advice="use `habeas audit rotate-key` for another")
        key = self._new_key()
        with self._ledger.proofs() as proofs:
            data = {"key": key.text, "log_created_at": proofs.created_at()}
        self._ledger.append(Draft(CREATED, "", "", "", actor, data))
        self.end()
        return key

    def rotate(self, why: str, run_id: str, actor: str) -> VerifierKey:
        """Another key from the next sealing on. ``why``: ``planned`` (the old one signs that together with the new one,
        and is destroyed then), ``lost``, ``stolen`` or ``rolled back`` (the old one signs nothing any more).
        """
        entry = self._ledger.last(types=KEY_TYPES)
        if entry is None:
            raise StorageError("there is no signing key", advice="run `habeas init`: it makes what is missing")
        old = VerifierKey.parse(entry.data["key"])
        if why == "planned":
            self._place.load(old)  # before anything is written: without it this would be no planned one
        key = self._new_key()
        data = {"key": key.text, "previous": old.text, "why": why}
        self._ledger.append(Draft(ROTATED, "", run_id, "", actor, data))
        if why == "stolen":
            revoke(self._public, old)
        return key

    def behind(self) -> int:
        """How many entries the largest checkpoint is over that the ledger contradicts; 0 where there is none."""
        return max((signed.head.size for signed in self._notary.contradicting()), default=0)

    def acknowledge(self, actor: str) -> int:
        """Takes note that the ledger is behind checkpoints that were signed over it: it was put back from a copy.

        Nothing is mended: the entry names them, a new key signs from now on, and whoever holds one of them still finds
        that it is contradicted. Returns how many; nothing is done where there is none.
        """
        behind = self._notary.contradicting()
        if behind:
            named = [signed.digest for signed in behind[:_MOST_NAMED]]
            data = {"checkpoints": named, "lost_size": behind[0].head.size, "size": self._ledger.head().size}
            self._ledger.append(Draft(ACKNOWLEDGED, "", "", "", actor, data))
            self.rotate("rolled back", "", actor)
            self.checkpoint()
        return len(behind)

    def _new_key(self) -> VerifierKey:
        key = SigningKey.generate(self._ledger.origin)
        self._place.save(key)
        publish(self._public, key.verifier)
        return key.verifier


def witnesses_in(folders: Iterable[Path], without: Collection[str] = ()) -> list[Witness]:
    """The checkpoints in these folders, but for those of these digests. Raises :class:`~habeas_audit.ProofInvalid`."""
    found = [
        Witness(f"{folder.name}/{path.name}", read_checkpoint(path))
        for folder in folders
        for path in checkpoints_in(folder)
    ]
    return [witness for witness in found if witness.signed.digest not in without]


def _line(error: HabeasError | LedgerError) -> str:
    return error.line() if isinstance(error, HabeasError) else str(error)

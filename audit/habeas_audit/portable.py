"""Proofs that leave the database: one entry, or two checkpoints, with all it takes to verify them offline.

Files are JSON with a `format` each; hashes are base64, bodies are the text whose UTF-8 bytes were hashed. One entry's
proof can be written as a C2SP tlog-proof as well (https://c2sp.org/tlog-proof), which other projects' tools read.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256, sha384, sha512
from typing import Any, Final

from habeas_audit.canonical import MAX_BYTES
from habeas_audit.checkpoint import SignedCheckpoint, origin_of, parse_checkpoint
from habeas_audit.errors import ProofInvalid
from habeas_audit.note import VerifierKey, unbase64
from habeas_audit.proof import Path, verify_consistency, verify_inclusion
from habeas_audit.stored_proofs import StoredProofs
from habeas_audit.tree import leaf_hash

INCLUSION: Final = "habeas-inclusion-proof-1"
CONSISTENCY: Final = "habeas-consistency-proof-1"
TLOG_PROOF: Final = "c2sp.org/tlog-proof@v1"
_LONGEST_PATH: Final = 64


@dataclass(frozen=True, slots=True)
class ProvenEntry:
    """One entry's exact bytes and its path to a checkpoint's root."""

    seq: int
    body: bytes
    path: Path

    @property
    def value(self) -> dict[str, Any]:
        """The body decoded; raises ProofInvalid if it is not a JSON object."""
        return parse_json(self.body, "an entry")

    def verify(self, signed: SignedCheckpoint) -> None:
        """Raises ProofInvalid unless the entry is where it says, in the log and under the root of the checkpoint."""
        head = signed.head
        try:
            verify_inclusion(leaf_hash(self.body), self.seq - 1, head.size, self.path, head.root)
        except ProofInvalid as problem:
            raise ProofInvalid(f"entry {self.seq}: {problem}") from None
        value = self.value
        # The tree alone would say so too; a body that belongs elsewhere was never written by this package.
        if value.get("seq") != self.seq or origin_of(str(value.get("log"))) != signed.checkpoint.origin:
            raise ProofInvalid(f"entry {self.seq} was written for another place or another log")

    def to_json(self) -> dict[str, Any]:
        """`{"seq": …, "body": "…", "path": ["…"]}`."""
        return {"seq": self.seq, "body": self.body.decode(), "path": [b64encode(step).decode() for step in self.path]}

    @classmethod
    def from_json(cls, value: object) -> ProvenEntry:
        """Raises ProofInvalid for another shape."""
        fields = _object(value, {"seq": int, "body": str, "path": list}, "an entry of the file")
        body = _utf8(fields["body"])
        if len(body) > MAX_BYTES:
            raise ProofInvalid("an entry of the file is larger than an entry can be")
        return cls(fields["seq"], body, _path(fields["path"]))


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """That one entry is in the log a checkpoint was signed over."""

    entry: ProvenEntry
    signed: SignedCheckpoint

    def verify(self, keys: Iterable[VerifierKey]) -> tuple[VerifierKey, ...]:
        """Who signed it; raises ProofInvalid if it proves nothing."""
        signers = self.signed.require(keys)
        self.entry.verify(self.signed)
        return signers

    def to_json(self) -> dict[str, Any]:
        return {"format": INCLUSION, "entry": self.entry.to_json(), "checkpoint": self.signed.raw}

    def to_tlog_proof(self) -> str:
        """The C2SP text, with the entry's bytes as its extra data: verify it over them."""
        path = "".join(f"{b64encode(step).decode()}\n" for step in self.entry.path)
        extra = b64encode(self.entry.body).decode()
        return f"{TLOG_PROOF}\nextra {extra}\nindex {self.entry.seq - 1}\n{path}\n{self.signed.raw}"

    @classmethod
    def from_json(cls, value: object) -> InclusionProof:
        fields = _object(value, {"format": str, "entry": dict, "checkpoint": str}, "the proof")
        return cls(ProvenEntry.from_json(fields["entry"]), parse_checkpoint(fields["checkpoint"]))

    @classmethod
    def from_tlog_proof(cls, text: str) -> InclusionProof:
        """From a tlog-proof that carries the entry as its extra data; raises ProofInvalid."""
        proof, blank, note = text.partition("\n\n")
        first, extra, index, *path = [*proof.split("\n"), "", "", ""][: max(3, proof.count("\n") + 1)]
        number = index.removeprefix("index ")
        well_formed = first == TLOG_PROOF and extra.startswith("extra ") and index.startswith("index ") and blank
        if not well_formed or not number.isascii() or not number.isdigit() or str(int(number[:18])) != number:
            raise ProofInvalid("this is not a tlog-proof that carries its entry as extra data")
        body = unbase64(extra.removeprefix("extra "), "the tlog-proof's extra data")
        return cls(ProvenEntry(int(number) + 1, body, _path(path)), parse_checkpoint(note))


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """That the log under one checkpoint is the beginning of the log under another."""

    old: SignedCheckpoint
    new: SignedCheckpoint
    path: Path

    def verify(self, keys: Iterable[VerifierKey]) -> tuple[VerifierKey, ...]:
        """Who signed the later one; raises ProofInvalid if it proves nothing."""
        keys = tuple(keys)
        signers = self.new.require(keys)
        self.old.require(keys)
        self.verify_path()
        return signers

    def verify_path(self) -> None:
        """Raises ProofInvalid unless the one log continues the other, whoever has signed them."""
        if self.old.checkpoint.origin != self.new.checkpoint.origin:
            raise ProofInvalid("the two checkpoints are of different logs")
        old, new = self.old.head, self.new.head
        verify_consistency(old.size, new.size, old.root, new.root, self.path)

    def to_json(self) -> dict[str, Any]:
        path = [b64encode(step).decode() for step in self.path]
        return {"format": CONSISTENCY, "old": self.old.raw, "new": self.new.raw, "path": path}

    @classmethod
    def from_json(cls, value: object) -> ConsistencyProof:
        fields = _object(value, {"format": str, "old": str, "new": str, "path": list}, "the proof")
        return cls(parse_checkpoint(fields["old"]), parse_checkpoint(fields["new"]), _path(fields["path"]))


def prove_entry(proofs: StoredProofs, seq: int, body: bytes, signed: SignedCheckpoint) -> ProvenEntry:
    """An entry with its path to a checkpoint that covers it. ValueError if it does not."""
    return ProvenEntry(seq, body, proofs.inclusion(seq, signed.head.size))


def prove_consistency(proofs: StoredProofs, old: SignedCheckpoint, new: SignedCheckpoint) -> ConsistencyProof:
    """Raises LedgerBehind where the file does not begin with what was signed; ValueError where `old` is the larger."""
    for signed in (old, new):
        proofs.require(signed, new.checkpoint.origin)
    path = () if old.head.size == 0 else proofs.consistency(old.head.size, new.head.size)
    return ConsistencyProof(old, new, path)


def stamps(token: bytes, signed: SignedCheckpoint) -> bool:
    """Whether an RFC 3161 token holds the hash of that checkpoint. Who gave it, and when, is for others to verify."""
    note = signed.raw.encode()
    return any(make(note).digest() in token for make in (sha256, sha384, sha512))


def parse_json(data: bytes | str, what: str) -> dict[str, Any]:
    """A JSON object, each key once and every number an integer; raises ProofInvalid, which quotes nothing of it."""
    try:
        # Given bytes, `json.loads` guesses an encoding, and passes surrogates.
        text = data.decode() if isinstance(data, bytes) else data
        value = json.loads(text, object_pairs_hook=_each_once, parse_float=_no_number, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise ProofInvalid(f"{what} is not JSON, or not JSON that is read in one way only") from None
    if not isinstance(value, dict):
        raise ProofInvalid(f"{what} is not a JSON object")
    return value


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands twice")
    return value


def _no_number(_: str) -> Any:
    raise ValueError("a number that is not an integer")


def _object(value: object, shape: dict[str, type], what: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(type(value.get(key)) is kind for key, kind in shape.items()):
        raise ProofInvalid(f"{what} has not its shape ({', '.join(shape)})")
    return value


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ProofInvalid("an entry of the file is not UTF-8 text") from None


def _path(steps: list[Any]) -> Path:
    if len(steps) > _LONGEST_PATH or not all(isinstance(step, str) for step in steps):
        raise ProofInvalid("a proof's path is a list of at most 64 hashes")
    path = tuple(unbase64(step, "a hash of the proof") for step in steps)
    if not all(len(step) == 32 for step in path):
        raise ProofInvalid("a hash of the proof has not 32 bytes")
    return path

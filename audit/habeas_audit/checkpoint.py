"""Checkpoints: a log's tree head as text that is signed (https://c2sp.org/tlog-checkpoint, v1.0.0).

Whoever holds one can tell later whether the log still begins with the entries that it was signed over. It says nothing
of whether those entries are true.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from habeas_audit.errors import ProofInvalid
from habeas_audit.note import Note, SigningKey, VerifierKey, parse_note, sign_note, unbase64
from habeas_audit.stored_tree import Head

ORIGIN_PREFIX: Final = "habeas.audit/"
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,17}")


def digest(data: bytes) -> str:
    """`sha256:` and the hex: the name of a note or a time stamp in other entries."""
    return f"sha256:{sha256(data).hexdigest()}"


def origin_of(log_id: str) -> str:
    """The name under which a log signs: `habeas.audit/` and the log's id."""
    return ORIGIN_PREFIX + log_id


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head and the log it belongs to."""

    origin: str
    head: Head

    @property
    def text(self) -> str:
        """The three lines that are signed."""
        return f"{self.origin}\n{self.head.size}\n{b64encode(self.head.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """From a note's text; raises ProofInvalid. Extension lines are read over, since nothing here rests on them."""
        lines = text.removesuffix("\n").split("\n")
        if len(lines) < 3 or not all(lines) or not _SIZE.fullmatch(lines[1]):
            raise ProofInvalid("this is not a checkpoint: origin, size and root, a line each")
        root = unbase64(lines[2], "the checkpoint's root")
        if len(root) != 32:
            raise ProofInvalid("the checkpoint's root has not 32 bytes")
        return cls(lines[0], Head(int(lines[1]), root))


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint and the note it came in."""

    checkpoint: Checkpoint
    note: Note
    raw: str
    """The whole note, byte for byte."""

    @property
    def head(self) -> Head:
        """Size and root."""
        return self.checkpoint.head

    @property
    def digest(self) -> str:
        """`sha256:` and the hex of the note's SHA-256: its name in other entries."""
        return digest(self.raw.encode())

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Ids of the keys that say they have signed it, in hex."""
        return tuple(signature.key_id.hex() for signature in self.note.signatures)

    def require(self, keys: Iterable[VerifierKey], *, origin: str | None = None) -> tuple[VerifierKey, ...]:
        """Which of the keys signed it; raises ProofInvalid if none did, or if it is another log's checkpoint."""
        if origin is not None and self.checkpoint.origin != origin:
            raise ProofInvalid("the checkpoint belongs to another log")
        return self.note.verified_by(key for key in keys if key.name == self.checkpoint.origin)


def sign_checkpoint(checkpoint: Checkpoint, keys: Sequence[SigningKey]) -> SignedCheckpoint:
    """Sign it with each key."""
    return parse_checkpoint(sign_note(checkpoint.text, keys))


def parse_checkpoint(data: bytes | str) -> SignedCheckpoint:
    """Read a signed checkpoint; raises ProofInvalid. Nothing is verified yet."""
    note = parse_note(data)
    return SignedCheckpoint(Checkpoint.parse(note.text), note, data.decode() if isinstance(data, bytes) else data)

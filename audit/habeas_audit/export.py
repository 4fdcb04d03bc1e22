"""The whole ledger as JSON Lines, for somebody who has none of this software: written and verified in one pass.

First line: `{"format":"habeas-audit-export-1","log":…,"origin":…,"size":…,"root":"sha256:…","keys":[…]}`. Then one for
each checkpoint, the oldest first, `{"checkpoint":"…","timestamp":"…"}` (timestamp: base64 of an RFC 3161 response,
where there is one); then one for each entry, `{"seq":…,"leaf":"sha256:…","body":"…"}`, where `body` is the text whose
UTF-8 bytes were hashed; last `{"end":true,"entries":…,"checkpoints":…}`, without which a file was cut off.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from habeas_audit.canonical import MAX_BYTES
from habeas_audit.checkpoint import SignedCheckpoint, digest, origin_of, parse_checkpoint
from habeas_audit.errors import ProofInvalid
from habeas_audit.keys import keys_named_in
from habeas_audit.note import VerifierKey, unbase64
from habeas_audit.portable import parse_json, stamps
from habeas_audit.store import Ledger
from habeas_audit.stored_tree import Head
from habeas_audit.tree import Frontier, leaf_hash

FORMAT: Final = "habeas-audit-export-1"
MAX_LINE: Final = 8 * MAX_BYTES
"""Characters of a line at most: a body may be escaped throughout."""


def export_lines(ledger: Ledger, keys: Iterable[VerifierKey]) -> Iterator[str]:
    """The lines, without their breaks, of the log as it is at the first step. Memory does not grow with its entries."""
    with ledger.proofs() as proofs:
        head = proofs.head()
        checkpoints = [(signed.raw, proofs.timestamp(signed.head.size)) for signed in proofs.checkpoints()]
    yield _line(
        {
            "format": FORMAT,
            "log": ledger.log_id,
            "origin": ledger.origin,
            "size": head.size,
            "root": head.root_text,
            "keys": [key.text for key in keys],
        }
    )
    for note, token in checkpoints:
        yield _line({"checkpoint": note} | ({} if token is None else {"timestamp": b64encode(token).decode()}))
    for entry in ledger.entries(limit=head.size):
        yield _line({"seq": entry.seq, "leaf": f"sha256:{entry.leaf_hash.hex()}", "body": entry.body.decode()})
    yield _line({"end": True, "entries": head.size, "checkpoints": len(checkpoints)})


@dataclass(frozen=True, slots=True)
class VerifiedExport:
    """What an export was found to be."""

    origin: str
    head: Head
    """Computed from its entries."""
    checkpoints: int
    signed: SignedCheckpoint | None
    """The newest checkpoint in it."""
    signers: tuple[VerifierKey, ...]
    """The keys that have signed that one."""


def verify_export(lines: Iterable[str], trusted: Iterable[VerifierKey] = ()) -> VerifiedExport:
    """Read an export and recompute everything; raises ProofInvalid for the first thing that is wrong.

    Each checkpoint in it must be over the entries that stand there. `trusted`: whose signature the newest must have;
    with none, those of the keys that the file names itself, which proves only that it agrees with itself.
    """
    reading = iter(lines)
    reader = _Reader(parse_json(next(reading, ""), "the first line"))
    for line in reading:
        if reader.take(parse_json(line, f"the line after entry {reader.frontier.size}")):
            break
    else:
        raise ProofInvalid("the file was cut off: its last line is missing")
    if next(reading, None) is not None:
        raise ProofInvalid("the file goes on after its last line")
    return reader.result(tuple(trusted))


class _Reader:
    def __init__(self, header: dict[str, Any]) -> None:
        keys = header.get("keys")
        if header.get("format") != FORMAT or not isinstance(header.get("log"), str) or not isinstance(keys, list):
            raise ProofInvalid("the file does not begin as an export of a ledger does")
        self._log: str = header["log"]
        _shape(header, {"format", "log", "origin", "size", "root", "keys"})
        if header["origin"] != origin_of(self._log):
            raise ProofInvalid("the file's first line names another log's origin")
        self._said = (header.get("size"), header.get("root"))
        self._keys = tuple(VerifierKey.parse(str(text)) for text in keys)
        self._checkpoints: list[SignedCheckpoint] = []
        self._stamps: dict[int, bytes] = {}
        self._next = 0
        self.frontier = Frontier()

    def take(self, value: dict[str, Any]) -> bool:
        """One line; True for the last one."""
        if "checkpoint" in value:
            self._checkpoint(value)
        elif "seq" in value:
            self._entry(value)
        elif value == {"end": True, "entries": self.frontier.size, "checkpoints": len(self._checkpoints)}:
            return True
        else:
            raise ProofInvalid(f"after entry {self.frontier.size} comes a line that has no place there")
        return False

    def _checkpoint(self, value: dict[str, Any]) -> None:
        _shape(value, {"checkpoint"} | ({"timestamp"} & value.keys()))
        signed = parse_checkpoint(str(value["checkpoint"]))
        if self.frontier.size or (self._checkpoints and self._checkpoints[-1].head.size >= signed.head.size):
            raise ProofInvalid("the checkpoints are not in order, or not before the entries")
        if signed.checkpoint.origin != origin_of(self._log):
            raise ProofInvalid("a checkpoint in the file belongs to another log")
        if "timestamp" in value:
            token = unbase64(str(value["timestamp"]), "a time stamp")
            if not stamps(token, signed):
                raise ProofInvalid(f"the time stamp over {signed.head.size} entries is of something else")
            self._stamps[signed.head.size] = token
        self._checkpoints.append(signed)

    def _entry(self, value: dict[str, Any]) -> None:
        _shape(value, {"seq", "leaf", "body"})
        seq, body = self.frontier.size + 1, value["body"]
        if value["seq"] != seq or type(value["seq"]) is not int or not isinstance(body, str):
            raise ProofInvalid(f"entry {seq} is missing, or another stands in its place")
        try:
            data = body.encode()
        except UnicodeEncodeError:
            raise ProofInvalid(f"entry {seq} is not UTF-8 text") from None
        inside = parse_json(data, f"entry {seq}")
        if inside.get("seq") != seq or inside.get("log") != self._log:
            raise ProofInvalid(f"entry {seq} was written for another place or another log")
        leaf = leaf_hash(data)
        if value["leaf"] != f"sha256:{leaf.hex()}":
            raise ProofInvalid(f"entry {seq}: its bytes are not those that were hashed")
        self.frontier.append(leaf)
        self._named(inside, seq)
        self._keys += tuple(key for key in keys_named_in(inside) if key not in self._keys)
        if self._next < len(self._checkpoints) and self._checkpoints[self._next].head.size == seq:
            self._agree(self._checkpoints[self._next])
            self._next += 1

    def _named(self, inside: dict[str, Any], seq: int) -> None:
        """An entry before a checkpoint names the time stamp of the one before."""
        data = inside.get("data")
        previous = data.get("previous") if inside.get("type") == "checkpoint" and isinstance(data, dict) else None
        if not isinstance(previous, dict) or previous.get("timestamp") is None:
            return
        size = previous.get("size")
        token = self._stamps.get(size, b"") if isinstance(size, int) else b""
        if previous["timestamp"] != digest(token):
            raise ProofInvalid(f"entry {seq} names a time stamp that is not in the file, or was changed")

    def _agree(self, signed: SignedCheckpoint) -> None:
        if signed.head.root != self.frontier.root():
            raise ProofInvalid(f"the first {signed.head.size} entries are not those that a checkpoint was signed over")

    def result(self, trusted: tuple[VerifierKey, ...]) -> VerifiedExport:
        head = Head(self.frontier.size, self.frontier.root())
        if self._said != (head.size, head.root_text):
            raise ProofInvalid("the file's first line states another size or root than its entries have")
        if self._next < len(self._checkpoints):
            over = self._checkpoints[-1].head.size
            raise ProofInvalid(f"a checkpoint over {over} entries is in the file, which holds {head.size}: cut off")
        for signed in self._checkpoints:
            signed.require(self._keys)
        newest = self._checkpoints[-1] if self._checkpoints else None
        if newest is None and trusted:
            raise ProofInvalid("no checkpoint is in the file, so nobody has signed it")
        signers = newest.require(trusted or self._keys) if newest is not None else ()
        return VerifiedExport(origin_of(self._log), head, len(self._checkpoints), newest, signers)


def _shape(value: dict[str, Any], keys: set[str]) -> None:
    if value.keys() != keys:
        raise ProofInvalid(f"a line has not its shape ({', '.join(sorted(keys))})")


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))

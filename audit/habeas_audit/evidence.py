"""A ledger held against what was signed: its own checkpoints, those kept outside it, those somebody else has kept.

`verify` shows that a file agrees with itself. This shows that it is the file that was signed: whole, and from the
beginning. What is found there is as good as the newest checkpoint that whoever may write the file could not reach.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from habeas_audit.checkpoint import SignedCheckpoint, digest, origin_of, parse_checkpoint
from habeas_audit.connection import connect
from habeas_audit.errors import ProofInvalid
from habeas_audit.keys import CREATED, KEY_TYPES, keys_named_in, trusted_after
from habeas_audit.note import VerifierKey
from habeas_audit.portable import parse_json, stamps
from habeas_audit.verify import Finding, Progress, Verification, verify

_NOT_READ: Final = frozenset({"unreadable", "foreign", "newer", "journal", "busy", "malformed"})
"""Findings after which nobody knows how many entries there are."""


@dataclass(frozen=True, slots=True)
class Witness:
    """A checkpoint from outside the file, and where it is from."""

    name: str
    signed: SignedCheckpoint


@dataclass(frozen=True, slots=True)
class Evidence:
    """What holding a ledger against its checkpoints has shown."""

    ok: bool
    """Whether nothing at all was found."""
    verification: Verification
    """What the file alone shows; its findings are those of both."""
    findings: tuple[Finding, ...]
    """As `Finding` says, and for what was signed: `cut` (newest entries are missing), `rewritten`, `origin` (another
    log's checkpoint), `key` (signed by nobody who is trusted), `signature` (not over that text), `removed` (one that
    the log names, or that is kept outside, is gone from the file), `checkpoint` (one cannot be read), `timestamp` (not
    of its checkpoint, not the one that the log names, or gone), `unsigned` (nothing is, although a key was given)."""
    signed: SignedCheckpoint | None
    """The newest checkpoint that a trusted key has signed and the file agrees with."""
    signers: tuple[VerifierKey, ...]
    """The trusted keys that have signed it."""
    agreeing: int
    """How many checkpoints the file agrees with."""
    pinned: bool
    """Whether the trusted keys were given from outside. If not, they are those that the log names itself."""

    @property
    def unsigned(self) -> int:
        """How many of the newest entries no checkpoint covers yet."""
        return self.verification.size - (self.signed.head.size if self.signed else 0)


def verify_evidence(
    path: str | os.PathLike[str],
    *,
    witnesses: Iterable[Witness] = (),
    trusted: Iterable[VerifierKey] = (),
    progress: Progress | None = None,
    busy_seconds: float = 10.0,
) -> Evidence:
    """Verify a ledger file and hold it against its own checkpoints and the witnesses. Opened read-only.

    `trusted`: the keys that count, and through them those that they have signed in; with none, the keys that the log
    names itself. A file that cannot be read is a finding, not an exception.
    """
    said = _read(Path(path), busy_seconds)
    witnesses = tuple(witnesses)
    kept = [*said.checkpoints, *witnesses]
    result = verify(path, progress=progress, busy_seconds=busy_seconds, marks={w.signed.head.size for w in kept})
    judge = _Judge(said, result, tuple(dict.fromkeys(trusted)))
    for witness in kept:
        judge.hold(witness)
    return judge.evidence()


@dataclass
class _Said:
    """What the file says of its checkpoints and keys; nothing of it is believed yet."""

    origin: str = ""
    checkpoints: list[Witness] = field(default_factory=list)
    keys: list[tuple[int, VerifierKey]] = field(default_factory=list)
    announced: list[tuple[int, Mapping[str, Any]]] = field(default_factory=list)
    """(entry, what it says of the checkpoint before it)."""
    unreadable: list[int] = field(default_factory=list)
    """Sizes of stored checkpoints that are none."""
    stamps: dict[int, object] = field(default_factory=dict)
    """Size → time stamp, which is bytes unless the file is damaged."""
    misdated: int | None = None
    """The entry, if any, that says the log began at another time than the file does."""


def _read(path: Path, busy_seconds: float) -> _Said:
    said = _Said()
    try:
        with closing(connect(path, "verify", busy_seconds)) as db:
            db.text_factory = bytes
            _read_from(db, said)
    except (OSError, sqlite3.Error, AttributeError, TypeError, ValueError):
        # Where its schema was damaged, a column holds any type. What is wrong with the file as a file, `verify` says;
        # where there are no checkpoints yet, nothing is.
        pass
    return said


def _read_from(db: sqlite3.Connection, said: _Said) -> None:
    log_id, created_at = db.execute("SELECT log_id, created_at FROM log").fetchone()
    said.origin = origin_of(log_id.decode(errors="replace"))
    sql = (
        "SELECT e.seq, e.body FROM kinds k JOIN entries e ON e.seq = k.seq "
        "WHERE k.type IN (?, ?, 'checkpoint') ORDER BY e.seq"
    )
    for seq, body in db.execute(sql, KEY_TYPES):
        try:
            value = parse_json(body, "an entry")
        except ProofInvalid:
            continue
        said.keys += [(seq, key) for key in keys_named_in(value)]
        data = value.get("data")
        if not isinstance(data, dict):
            continue
        if value.get("type") == "checkpoint" and isinstance(data.get("previous"), dict):
            said.announced.append((seq, data["previous"]))
        if value.get("type") == CREATED and data.get("log_created_at", _text(created_at)) != _text(created_at):
            said.misdated = seq
    for size, note in db.execute("SELECT size, note FROM checkpoints ORDER BY size"):
        try:
            signed = parse_checkpoint(note)
            if signed.head.size != size:
                raise ProofInvalid("it is over another size")
        except (ProofInvalid, TypeError):
            said.unreadable.append(size)
        else:
            said.checkpoints.append(Witness("", signed))
    said.stamps = dict(db.execute("SELECT size, token FROM timestamps ORDER BY size"))


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


class _Judge:
    def __init__(self, said: _Said, result: Verification, trusted: tuple[VerifierKey, ...]) -> None:
        self._said, self._result, self._pinned = said, result, bool(trusted)
        self._findings: list[Finding] = []
        self._agreeing: list[SignedCheckpoint] = []
        self._contradicting: list[tuple[int, str]] = []
        self._only_outside: list[str] = []
        self._sizes = {*said.unreadable, *(kept.signed.head.size for kept in said.checkpoints)}
        self._whole = _NOT_READ.isdisjoint(finding.kind for finding in result.findings)
        named = tuple(key for _, key in said.keys)
        self._given = trusted or named
        self._known = tuple(dict.fromkeys((*trusted, *named)))
        """Whose signatures are looked at; whether they count is another question."""

    def hold(self, witness: Witness) -> None:
        """Holds the file against one checkpoint."""
        signed, size = witness.signed, witness.signed.head.size
        what = f"the checkpoint over {size} entries" + (f" ({witness.name})" if witness.name else "")
        if self._said.origin and signed.checkpoint.origin != self._said.origin:
            self._add("origin", f"{what} belongs to another log")
            return
        try:
            signed.require(self._known)
        except ProofInvalid as problem:
            kind = "signature" if "not over this text" in str(problem) else "key"
            self._add(kind, f"{what}: {problem}")
            if kind == "signature":
                return
        if size > self._result.size:
            if not self._whole:
                return
            self._add(
                "cut",
                f"{what} was signed, and the file holds {self._result.size}: its newest entries were cut off, or an "
                "older copy was put in its place",
                self._result.size + 1,
            )
        elif self._result.roots[size] != signed.head.root:
            self._contradicting.append((size, what))
        else:
            self._agreeing.append(signed)
            if size and size not in self._sizes:
                self._only_outside.append(what)

    def evidence(self) -> Evidence:
        """What it comes to."""
        self._say_rewritten()
        for size in self._said.unreadable:
            self._add("checkpoint", f"the checkpoint over {size} entries cannot be read, or is over others")
        self._say_removed()
        self._say_stamps()
        if self._said.misdated is not None:
            self._add("log", "the log began at another time than the file says", self._said.misdated)
        trusted = trusted_after(self._given, self._said.keys, self._agreeing)
        signed, signers = self._newest(trusted)
        if self._pinned and signed is None and not self._findings and self._whole:
            self._add("unsigned", "no checkpoint in the file or beside it is signed by the key given")
        findings = (*self._result.findings, *self._findings)
        agreeing = len({one.raw for one in self._agreeing})
        return Evidence(not findings, self._result, findings, signed, signers, agreeing, self._pinned)

    def _newest(self, trusted: Sequence[VerifierKey]) -> tuple[SignedCheckpoint | None, tuple[VerifierKey, ...]]:
        ordered = sorted(self._agreeing, key=lambda one: one.head.size, reverse=True)
        for place, signed in enumerate(ordered):
            try:
                return signed, signed.require(trusted)
            except ProofInvalid as problem:
                if place == 0 and self._pinned:
                    self._add("key", f"the newest checkpoint, over {signed.head.size} entries: {problem}")
        return None, ()

    def _say_rewritten(self) -> None:
        if not self._contradicting:
            return
        size, what = min(self._contradicting)
        good = max((one.head.size for one in self._agreeing if one.head.size < size), default=0)
        since = f"the first {good} are those that were signed; of" if good else "of"
        more = f" (and {len(self._contradicting) - 1} later ones)" if len(self._contradicting) > 1 else ""
        self._add(
            "rewritten",
            f"the file contradicts {what}{more}: {since} the entries {good + 1} to {size} at least one was changed, "
            "removed, inserted or moved after it was signed",
            good + 1,
        )

    def _say_removed(self) -> None:
        kept = {(w.signed.head.size, w.signed.digest) for w in self._said.checkpoints}
        lost = [seq for seq, said in self._said.announced if _name(said) not in kept]
        if lost:
            more = f" (and {len(lost) - 1} more)" if len(lost) > 1 else ""
            self._add("removed", f"entry {lost[0]} names a checkpoint that is not in the file{more}", lost[0])

        if self._only_outside and self._whole:
            more = f" (and {len(self._only_outside) - 1} more)" if len(self._only_outside) > 1 else ""
            self._add("removed", f"{self._only_outside[0]} is not in the file any more{more}")

    def _say_stamps(self) -> None:
        """A stamp holds the hash of what it is over; once a checkpoint follows, the log holds that of the stamp."""
        kept = {witness.signed.head.size: witness.signed for witness in self._said.checkpoints}
        for size, token in self._said.stamps.items():
            if size not in kept or not isinstance(token, bytes) or not stamps(token, kept[size]):
                self._add("timestamp", f"the time stamp over {size} entries is not one of the checkpoint over them")
        for seq, said in self._said.announced:
            over, name = said.get("size"), said.get("timestamp")
            token = self._said.stamps.get(over) if isinstance(over, int) else None
            if name is not None and (not isinstance(token, bytes) or name != digest(token)):
                self._add("timestamp", f"entry {seq} names a time stamp that is gone, or was changed", seq)

    def _add(self, kind: str, text: str, seq: int | None = None) -> None:
        self._findings.append(Finding(kind, seq, text))


def _name(said: Mapping[str, Any]) -> tuple[Any, Any]:
    size, note = said.get("size"), said.get("note")
    return (size if isinstance(size, int) else None, note if isinstance(note, str) else None)

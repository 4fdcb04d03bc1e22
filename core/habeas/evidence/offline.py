"""Verifying a file that somebody handed over, with nothing but the file: no home, no configuration, no network."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from habeas.errors import ConfigError, HabeasError, InputError
from habeas.models import Json
from habeas.reports.certificate import FORMAT, Check, check_certificate, check_opening
from habeas_audit import (
    CONSISTENCY,
    EXPORT,
    INCLUSION,
    MAX_LINE,
    TLOG_PROOF,
    ConsistencyProof,
    InclusionProof,
    ProofInvalid,
    VerifierKey,
    parse_checkpoint,
    parse_json,
    verify_export,
)

__all__ = ["Verified", "verify_file"]

_MOST_BYTES = 64 * 1024 * 1024
"""Of a certificate or proof. An export is read line by line, and may be larger."""


@dataclass(frozen=True)
class Verified:
    """What a file was found to be."""

    kind: str
    """``certificate``, ``inclusion proof``, ``consistency proof``, ``checkpoint`` or ``export``."""
    pinned: bool
    """Whether the key was given by whoever asks; without it the file can only agree with itself."""
    keys: tuple[str, ...]
    """Ids of the keys that have signed it."""
    checks: tuple[Check, ...]
    facts: dict[str, str]
    """What it is about, for people."""

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)


def verify_file(
    path: Path, trusted: Sequence[VerifierKey], *, opening: Path | None = None, timestamp_roots: Path | None = None
) -> Verified:
    """Verifies whatever kind of proof it is. Raises :class:`InputError` for a file that is none of them."""
    with _open(path) as file:
        start = _text(file, path, 4096)
        file.seek(0)
        if f'"format":"{EXPORT}"' in start.replace(" ", ""):
            return _export(file, trusted)
        text = _text(file, path, _MOST_BYTES + 1)
    if len(text) > _MOST_BYTES:
        raise InputError(f"{path} is larger than a proof can be")
    if start.startswith(TLOG_PROOF):
        return _guarded("inclusion proof", lambda: _inclusion(InclusionProof.from_tlog_proof(text), trusted))
    if not start.lstrip().startswith("{"):
        return _guarded("checkpoint", lambda: _checkpoint(text, trusted), else_=_unknown(path))
    try:
        value = parse_json(text, path.name)
    except ProofInvalid as problem:
        raise InputError(str(problem), advice="it was changed, or is no proof of habeas'") from None
    kinds: dict[str, tuple[str, Callable[[], Verified]]] = {
        FORMAT: ("certificate", lambda: _certificate(value, trusted, opening, timestamp_roots)),
        INCLUSION: ("inclusion proof", lambda: _inclusion(InclusionProof.from_json(value), trusted, value)),
        CONSISTENCY: ("consistency proof", lambda: _consistency(ConsistencyProof.from_json(value), trusted, value)),
    }
    if str(value.get("format")) not in kinds:
        raise _unknown(path)
    return _guarded(*kinds[value["format"]])


def _unknown(path: Path) -> InputError:
    return InputError(
        f"{path} is neither a certificate nor a proof, a checkpoint or an export",
        advice="`habeas audit verify --file` checks a ledger",
    )


def _guarded(kind: str, verify: Callable[[], Verified], else_: InputError | None = None) -> Verified:
    """A file that has not even the form of what it says it is does not hold; one that says nothing is no proof."""
    try:
        return verify()
    except ProofInvalid as problem:
        if else_ is not None:
            raise else_ from None
        return Verified(kind, False, (), (Check(f"it has the form of a {kind}", False, str(problem)),), {})


def _certificate(
    value: dict[str, Json], trusted: Sequence[VerifierKey], opening: Path | None, roots: Path | None
) -> Verified:
    found = check_certificate(value, trusted)
    checks = list(found.checks)
    if opening is not None:
        with _open(opening) as file:
            text = _text(file, opening, _MOST_BYTES)
        try:
            checks += check_opening(parse_json(text, opening.name), found.statement)
        except ProofInvalid as problem:
            raise InputError(f"{opening}: {problem}", advice="--opening takes what `--opening` wrote") from None
    if roots is not None:
        checks.append(_stamp(value.get("timestamp"), found.signed.raw.encode(), roots))
    names = ("type", "state", "case", "received_at", "closed_at", "ground")
    facts = {"controller": str(found.issuer.get("controller", ""))}
    facts |= {name.removesuffix("_at"): str(found.statement.get(name) or "") for name in names}
    return Verified("certificate", bool(trusted), found.signed.key_ids, tuple(checks), facts)


def _stamp(token: Json, content: bytes, roots: Path) -> Check:
    from habeas.evidence.timestamps import verify_token

    what = "an authority outside has stamped it"
    if not isinstance(token, str):
        return Check(what, False, "there is no time stamp in it")
    try:
        at = verify_token(b64decode(token, validate=True), content, [roots.read_bytes()])
    except OSError as error:
        raise InputError(f"{roots} cannot be read ({error.strerror})") from None
    except ConfigError:
        raise
    except binascii.Error:
        return Check(what, False, "the time stamp is not base64")
    except HabeasError as problem:
        return Check(what, False, problem.line())
    return Check(what, True, f"it existed at {at:%Y-%m-%d %H:%M:%S} UTC")


def _own(value: dict[str, Json] | None) -> tuple[VerifierKey, ...]:
    """The keys that a proof names itself."""
    keys = (value or {}).get("keys", [])
    if not isinstance(keys, list):
        raise ProofInvalid("the proof's keys are no list")
    return tuple(VerifierKey.parse(str(key)) for key in keys)


def _inclusion(proof: InclusionProof, trusted: Sequence[VerifierKey], value: dict[str, Json] | None = None) -> Verified:
    keys = trusted or _own(value)
    checks = [
        _check("the checkpoint is signed", lambda: _signers(proof.signed.require(keys))) if keys else _unheld(),
        _check("the entry is in the log that was signed", lambda: proof.entry.verify(proof.signed)),
    ]
    entry = proof.entry.value
    facts = {name: str(entry.get(name, "")) for name in ("seq", "at", "type", "case", "connection")}
    return Verified("inclusion proof", bool(trusted), proof.signed.key_ids, tuple(checks), facts)


def _consistency(
    proof: ConsistencyProof, trusted: Sequence[VerifierKey], value: dict[str, Json] | None = None
) -> Verified:
    keys = trusted or _own(value)

    def signed() -> str:
        return _signers((*proof.old.require(keys), *proof.new.require(keys)))

    first = _check("both checkpoints are signed", signed) if keys else _unheld()
    checks = (first, _check("the log only grew between them", proof.verify_path))
    facts = {"from": f"{proof.old.head.size} entries", "to": f"{proof.new.head.size} entries"}
    return Verified("consistency proof", bool(trusted), proof.new.key_ids, checks, facts)


def _checkpoint(text: str, trusted: Sequence[VerifierKey]) -> Verified:
    signed = parse_checkpoint(text)
    check = _check("it is signed", lambda: _signers(signed.require(trusted))) if trusted else _unheld()
    facts = {"log": signed.checkpoint.origin, "entries": str(signed.head.size), "root": signed.head.root_text}
    return Verified("checkpoint", bool(trusted), signed.key_ids, (check,), facts)


def _export(file: TextIO, trusted: Sequence[VerifierKey]) -> Verified:
    what = "every entry is there, in its place, and every checkpoint in it is over these entries"
    try:
        found = verify_export(_lines(file), trusted)
    except ProofInvalid as problem:
        return Verified("export", bool(trusted), (), (Check(what, False, str(problem)),), {})
    ids = tuple(key.key_id.hex() for key in found.signers)
    size = found.signed.head.size if found.signed is not None else 0
    facts = {"log": found.origin, "entries": str(found.head.size), "root": found.head.root_text}
    facts["signed up to"] = str(size)
    return Verified("export", bool(trusted), ids, (Check(what, True, f"{found.checkpoints} checkpoints"),), facts)


def _lines(file: TextIO) -> Iterator[str]:
    try:
        while line := file.readline(MAX_LINE):
            yield line
    except UnicodeDecodeError:
        raise ProofInvalid("the file is not UTF-8 text") from None


def _text(file: TextIO, path: Path, most: int) -> str:
    try:
        return file.read(most)
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text", advice="it was changed, or is no proof of habeas'") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None


def _check(what: str, verify: Callable[[], str | None]) -> Check:
    try:
        detail = verify()
    except ProofInvalid as problem:
        return Check(what, False, str(problem))
    return Check(what, True, detail or "")


def _signers(keys: Sequence[VerifierKey]) -> str:
    return "by key " + ", ".join(dict.fromkeys(key.key_id.hex() for key in keys))


def _unheld() -> Check:
    """A proof without a certificate's key list names no key: only one that is given can be held against it."""
    return Check("the signature was not looked at, since no key was given", False, "give --key")


def _open(path: Path) -> TextIO:
    try:
        # Asked first: to open a pipe that nobody writes to would never end.
        if path.exists() and not path.is_file():
            raise InputError(f"{path} is not a plain file", advice="write what comes out of a pipe to a file first")
        return path.open(encoding="utf-8", newline="")
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None

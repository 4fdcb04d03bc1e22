"""Checks a certificate offline: nothing but the file, and the key that somebody trusts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from habeas.cases.commitment import FORMAT as OPENING_FORMAT
from habeas.cases.commitment import commitment
from habeas.models import Json
from habeas.reports.certificate.build import issuer_digest
from habeas.reports.certificate.statement import FORMAT, ISSUED, statement_of
from habeas_audit import (
    Entry,
    InvalidDraft,
    ProofInvalid,
    ProvenEntry,
    SignedCheckpoint,
    VerifierKey,
    canonical,
    parse_checkpoint,
)

__all__ = ["Check", "CheckedCertificate", "check_certificate", "check_opening"]

_MOST_BYTES = 64 << 20
_PARTS = {"format", "statement", "issuer", "entries", "checkpoint", "keys", "timestamp"}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at, and what it showed."""

    what: str
    ok: bool
    detail: str = ""


@dataclass(frozen=True)
class CheckedCertificate:
    """What a certificate was found to be."""

    statement: dict[str, Json]
    issuer: dict[str, Json]
    signed: SignedCheckpoint
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)


def check_certificate(value: dict[str, Json], trusted: Sequence[VerifierKey]) -> CheckedCertificate:
    """Checks everything, also after something was found wrong.

    ``trusted``: whose signature counts; with none, that of the keys in the file, which shows only that it agrees with
    itself. Raises :class:`~habeas_audit.ProofInvalid` for what has not the form of a certificate.
    """
    statement, issuer, listed, keys = (value.get(name) for name in ("statement", "issuer", "entries", "keys"))
    if value.get("format") != FORMAT or not isinstance(statement, dict) or not isinstance(issuer, dict):
        raise ProofInvalid("this is not a certificate")
    if value.keys() - _PARTS:
        raise ProofInvalid("the certificate has parts that nothing vouches for")
    if not isinstance(listed, list) or not isinstance(keys, list) or not listed:
        raise ProofInvalid("the certificate has no entries, or no keys")
    signed = parse_checkpoint(str(value.get("checkpoint")))
    proven = [ProvenEntry.from_json(one) for one in listed]
    own = tuple(VerifierKey.parse(str(key)) for key in keys)
    checks = [
        _try("the checkpoint is signed", lambda: _signed(signed, trusted or own)),
        _try(f"its {len(proven)} entries are in the log that was signed", lambda: _included(proven, signed)),
        _try("they are all entries of one case, in their order", lambda: _one_case(proven)),
        _try("none of them was left out when it was made", lambda: _none_left_out(proven)),
        _try("who issued it, and the notices, are as the log says", lambda: _issuer(proven, issuer)),
        _try("what it states is what its entries say", lambda: _statement(proven, statement)),
    ]
    return CheckedCertificate(statement, issuer, signed, tuple(checks))


def check_opening(value: dict[str, Json], statement: dict[str, Json]) -> list[Check]:
    """Whether a certificate is about the person whose opening this is. Raises :class:`ProofInvalid` for what is none.

    No text repeats an identifier.
    """
    listed = value.get("identifiers")
    if value.get("format") != OPENING_FORMAT or not isinstance(listed, list) or not listed:
        raise ProofInvalid("this is not an opening")
    person = statement.get("person")
    known = person if isinstance(person, list) else []
    checks = [Check("the opening belongs to this case", value.get("case") == statement.get("case"))]
    for one in listed:
        try:
            kind, text, salt = str(one["kind"]), str(one["value"]), bytes.fromhex(one["salt"])
        except (TypeError, KeyError, ValueError):
            raise ProofInvalid("the opening has not its shape (kind, value, salt)") from None
        checks.append(Check(f"the certificate is about that {kind[:40]}", commitment(salt, kind, text) in known))
    return checks


def _try(what: str, check: object) -> Check:
    try:
        detail = check()  # type: ignore[operator] # a function without arguments
    except (ProofInvalid, InvalidDraft) as problem:
        return Check(what, False, str(problem))
    return Check(what, True, detail or "")


def _signed(signed: SignedCheckpoint, keys: Sequence[VerifierKey]) -> str:
    signers = signed.require(keys)
    return f"over {signed.head.size} entries, by key {', '.join(key.key_id.hex() for key in signers)}"


def _included(proven: Sequence[ProvenEntry], signed: SignedCheckpoint) -> None:
    for entry in proven:
        entry.verify(signed)


def _one_case(proven: Sequence[ProvenEntry]) -> None:
    numbers = [entry.seq for entry in proven]
    if numbers != sorted(set(numbers)) or len({entry.value.get("case") for entry in proven}) != 1:
        raise ProofInvalid("the entries are of several cases, or out of order")


def _issued(proven: Sequence[ProvenEntry]) -> dict[str, Json]:
    last = proven[-1].value
    if last.get("type") != ISSUED or not isinstance(last.get("data"), dict):
        raise ProofInvalid("the last entry does not say that a certificate was made")
    data: dict[str, Json] = last["data"]
    return data


def _none_left_out(proven: Sequence[ProvenEntry]) -> str:
    said = _issued(proven).get("entries")
    if said != len(proven) - 1:
        raise ProofInvalid(f"{said} entries of the case were there, and the file has {len(proven) - 1}")
    return "what came into the log later is not in it"


def _issuer(proven: Sequence[ProvenEntry], issuer: dict[str, Json]) -> None:
    if _issued(proven).get("issuer") != issuer_digest(issuer):
        raise ProofInvalid("they were changed after the certificate was made")


def _statement(proven: Sequence[ProvenEntry], statement: dict[str, Json]) -> None:
    said = statement_of([_entry(one) for one in proven])
    # As bytes: to Python, 1 and true are the same.
    if _bytes(said) != _bytes(statement):
        wrong = sorted(
            name for name in said.keys() | statement.keys() if _bytes(said.get(name)) != _bytes(statement.get(name))
        )
        raise ProofInvalid(f"otherwise than its entries it states: {', '.join(name[:40] for name in wrong[:10])}")


def _bytes(value: Json) -> bytes:
    return canonical(value, size=_MOST_BYTES)


def _entry(proven: ProvenEntry) -> Entry:
    value = proven.value
    texts = {name: value.get(name, "") for name in ("at", "type", "case", "run", "connection", "actor")}
    if not all(isinstance(text, str) for text in texts.values()):
        raise ProofInvalid(f"entry {proven.seq} is not as habeas writes entries")
    return Entry(
        proven.seq, texts["at"], texts["type"], texts["case"], texts["run"], texts["connection"], texts["actor"],
        proven.body, b"",
    )  # fmt: skip

"""Puts a certificate together: the case's entries with their proofs, the signed head, and what the entries say."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from habeas.cases.commitment import FORMAT as OPENING_FORMAT
from habeas.cases.commitment import Opening
from habeas.models import Json
from habeas.reports.certificate.statement import FORMAT, statement_of
from habeas_audit import Entry, SignedCheckpoint, StoredProofs, VerifierKey, canonical, prove_entry

__all__ = ["Issuer", "build_certificate", "opening_json"]

_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Issuer:
    """Who hands the certificate out, and what they add to it that no entry holds."""

    controller: str
    contact: str
    generator: str
    """``habeas 0.1.0``."""
    notices: tuple[tuple[str, str, str], ...]
    """(connection, text, until): what stays at a vendor for a while after any erasure."""

    def to_json(self) -> dict[str, Json]:
        return {
            "controller": self.controller,
            "contact": self.contact or None,
            "generator": self.generator,
            "notices": [{"connection": c, "text": text, "until": until or None} for c, text, until in self.notices],
        }

    @property
    def digest(self) -> str:
        """What the ledger says of it."""
        return issuer_digest(self.to_json())


def issuer_digest(value: Json) -> str:
    """``sha256:`` over the RFC 8785 bytes of a certificate's ``issuer``."""
    return "sha256:" + hashlib.sha256(canonical(value, size=_MOST_BYTES)).hexdigest()


def build_certificate(
    issuer: Issuer, entries: Sequence[Entry], proofs: StoredProofs, signed: SignedCheckpoint,
    keys: Sequence[VerifierKey],
) -> dict[str, Json]:  # fmt: skip
    """The file's content. ``entries``: all of the case, the one that says it was issued last; the checkpoint covers
    them.
    """
    token = proofs.timestamp(signed.head.size)
    return {
        "format": FORMAT,
        "statement": statement_of(entries),
        "issuer": issuer.to_json(),
        "entries": [prove_entry(proofs, entry.seq, entry.body, signed).to_json() for entry in entries],
        "checkpoint": signed.raw,
        "keys": [key.text for key in keys],
        **({} if token is None else {"timestamp": b64encode(token).decode()}),
    }


def opening_json(case_id: str, openings: Sequence[Opening]) -> dict[str, Json]:
    """What the person is given beside a certificate: it shows that the certificate is about them. Personal data."""
    return {
        "format": OPENING_FORMAT,
        "case": case_id,
        "how": "SHA-256(salt || KIND=VALUE) is one of the certificate's `person`; the salt is written in hex",
        "identifiers": [opening.to_json() for opening in openings],
    }

"""Who a case is about, said so that only the person and the controller can tell: salted commitments in the ledger.

For each identifier the ledger holds SHA-256(salt || KIND=VALUE). The salt comes from the case's key, so that nobody
who guesses an address can try it; once that key is destroyed, only somebody who was given the opening can.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from habeas.cases.keys import KeyStore
from habeas.models import Json, Subject

__all__ = ["FORMAT", "Opening", "commitment", "openings"]

FORMAT = "habeas-opening-1"


@dataclass(frozen=True, repr=False)
class Opening:
    """What opens one commitment. Personal data: for the person, and nobody else."""

    kind: str
    value: str
    salt: bytes
    """32 bytes."""

    @property
    def commitment(self) -> str:
        """What the ledger holds."""
        return commitment(self.salt, self.kind, self.value)

    def to_json(self) -> Json:
        return {"kind": self.kind, "value": self.value, "salt": self.salt.hex()}

    def __repr__(self) -> str:
        return f"Opening({self.kind}=…)"


def commitment(salt: bytes, kind: str, value: str) -> str:
    """``sha256:`` and the hex of SHA-256(salt || KIND=VALUE)."""
    return "sha256:" + hashlib.sha256(salt + f"{kind}={value}".encode()).hexdigest()


def openings(keys: KeyStore, case_id: str, subject: Subject) -> tuple[Opening, ...]:
    """One for each identifier. Raises :class:`~habeas.errors.KeyDestroyed` once the case's key is gone."""
    return tuple(Opening(i.kind, i.value, keys.person_salt(case_id, i.kind, i.value)) for i in subject.identifiers)

"""The shapes of changes that are no erasure: consents, corrections, and the made-up person of a canary run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from habeas.models import Field, Identifier, Json, Result, Subject

__all__ = [
    "Canary",
    "CanaryPerson",
    "ConsentChange",
    "ConsentState",
    "ConsentUpdate",
    "Correction",
    "Effect",
    "HeldConsent",
    "HeldState",
    "Purpose",
    "Rectification",
]


class ConsentState(StrEnum):
    """What a person has said about one purpose."""

    GRANTED = "granted"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True)
class Purpose:
    """A purpose as one connection knows it."""

    name: str
    """As the configuration calls it: ``marketing_email``."""
    mapping: Mapping[str, Json]
    """What it is called at this connection; fits the plugin's ``purpose_schema``."""


@dataclass(frozen=True)
class ConsentChange:
    """One purpose and what the person wants. ``index`` names it within the update."""

    index: int
    purpose: Purpose
    state: ConsentState


@dataclass(frozen=True)
class ConsentUpdate:
    """What an ``update_consent`` hook is asked to do: make each state true, and read it back."""

    subject: Subject
    changes: tuple[ConsentChange, ...]
    resumed: bool = False
    """True where an earlier attempt was interrupted: what is as wanted now, we have changed."""
    read_back: bool = True
    """False, only in a call for many people: what was sent for this one need not be read back, and is ``accepted``."""


class HeldState(StrEnum):
    """What a vendor holds about one purpose."""

    GRANTED = "granted"
    WITHDRAWN = "withdrawn"
    UNSET = "unset"
    """The person is there, and nothing was ever said about the purpose."""
    MIXED = "mixed"
    """The person has several records, and they disagree."""
    ABSENT = "absent"
    """The person is not there."""
    UNREADABLE = "unreadable"
    """The vendor does not show it; the reason says more."""


@dataclass(frozen=True)
class HeldConsent:
    """What one connection holds about one purpose."""

    purpose: str
    state: HeldState
    evidence: str = ""
    reason: str = ""
    """Safe text: no identifiers."""


@dataclass(frozen=True, repr=False)
class Correction:
    """One field and its right value. ``index`` names it within the rectification."""

    index: int
    field: Field
    value: str

    def __repr__(self) -> str:
        return f"Correction({self.field}=…)"


@dataclass(frozen=True)
class Rectification:
    """What a ``rectify`` hook is asked to do: make each value true wherever it stands, and read it back.

    All corrections of a person come together, since a vendor may hold several in one field (a whole name, an address).
    """

    subject: Subject
    corrections: tuple[Correction, ...]
    resumed: bool = False
    """True where an earlier attempt was interrupted: what is right now, we have corrected."""


@dataclass(frozen=True)
class Effect:
    """What became of one consent change or correction in one kind of record.

    A hook returns at least one for each change, and at most one for each change and kind. Results: ``updated`` (it was
    otherwise, and reads as wanted now), ``unchanged`` (it was as wanted already), ``absent`` (the person, or the kind
    of record, is not there), ``accepted``, ``manual``, ``unsupported``, ``failed``, ``unknown``. Where a person has
    several records of the kind, the worst of them decides, in the order failed, unknown, manual, unsupported,
    accepted, updated, unchanged.
    """

    index: int
    """The change or correction it answers."""
    record: str
    """Record kind."""
    count: int
    """How many records it is about; 0 for ``absent``."""
    result: Result
    evidence: str
    """How we know: path template and status of the read-back."""
    reason: str = ""
    until: str = ""


@dataclass(frozen=True, repr=False)
class CanaryPerson:
    """A made-up person, new for each canary run: no mail or call to them reaches anybody."""

    customer_id: str
    """``habeas-canary-…``: what an operator may search for at the vendor."""
    email: str
    """At a host under ``.invalid`` (RFC 2606)."""
    phone: str
    first_name: str
    last_name: str

    def __repr__(self) -> str:
        return "CanaryPerson(…)"


@dataclass(frozen=True)
class Canary:
    """What a ``create_canary`` hook has created."""

    identifiers: tuple[Identifier, ...]
    """Ids that the vendor gave, of the connection's own kind, as later searches need them."""
    created: Mapping[str, int]
    """Record kind → how many: what an inventory must now find at least."""
    left_out: tuple[str, ...] = ()
    """What was not created, and which setting is missing for it: safe text for people."""

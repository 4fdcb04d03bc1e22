"""The shapes that pass between rooms: frozen, typed, and shy (no ``repr`` shows a person)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = [
    "Action",
    "CaseStatus",
    "CaseType",
    "Document",
    "Erasure",
    "Export",
    "Field",
    "Gap",
    "Identifier",
    "Inventory",
    "Json",
    "Limits",
    "NoticeRule",
    "Omission",
    "Outcome",
    "PlanItem",
    "PluginInfo",
    "Record",
    "RecordKind",
    "Result",
    "Subject",
]

Json = Any
"""A decoded JSON value. Its shape is checked where it is used, in a plugin's ``mapping``."""


class CaseType(StrEnum):
    """What the person asked for."""

    ERASURE = "erasure"
    ACCESS = "access"
    PORTABILITY = "portability"
    RECTIFICATION = "rectification"
    CONSENT = "consent"
    INVENTORY = "inventory"
    CANARY = "canary"
    """Nobody asked: a made-up person with whom we try whether all of this still works."""


class CaseStatus(StrEnum):
    """Where a case stands. Derived from its ledger entries, never stored."""

    OPEN = "open"
    WAITING = "waiting"
    RUNNING = "running"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    REFUSED = "refused"
    CANCELLED = "cancelled"


class Result(StrEnum):
    """What became of a record. Exactly one per record."""

    EXPORTED = "exported"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    ERASED = "erased"
    """Read back from the vendor, and gone."""
    ABSENT = "absent"
    """Searched, nothing held."""
    RETAINED = "retained"
    """Kept: a hold, or the rights of another person."""
    ACCEPTED = "accepted"
    """The vendor took it, but it cannot be read back or finishes later."""
    MANUAL = "manual"
    """A person must act: the reason says what and where."""
    UNSUPPORTED = "unsupported"
    """The vendor offers no way."""
    FAILED = "failed"
    UNKNOWN = "unknown"
    """A call was sent and its answer was never seen."""

    @property
    def final(self) -> bool:
        """False where `habeas resume` has something left to do."""
        return self not in (Result.FAILED, Result.UNKNOWN)


class Field(StrEnum):
    """What can be corrected about a person. A plugin names those that its vendor can change."""

    EMAIL = "email"
    PHONE = "phone"
    """E.164: ``+493012345``."""
    NAME = "name"
    """The whole name, as the person writes it."""
    FIRST_NAME = "first_name"
    LAST_NAME = "last_name"
    BIRTHDATE = "birthdate"
    """ISO 8601 date."""
    STREET = "street"
    POSTAL_CODE = "postal_code"
    CITY = "city"
    REGION = "region"
    """State or province, as the vendor's addresses write it."""
    COUNTRY = "country"
    """ISO 3166-1 alpha-2."""


class Action(StrEnum):
    """What a plan does with a record."""

    ERASE = "erase"
    RETAIN = "retain"
    MANUAL = "manual"


@dataclass(frozen=True, repr=False)
class Identifier:
    """One way to name a person: ``kind`` is ``email``, ``phone``, ``customer_id`` or a connection's name."""

    kind: str
    value: str

    def __repr__(self) -> str:
        return f"Identifier({self.kind}=…)"


@dataclass(frozen=True)
class Subject:
    """The person a case is about, as far as we can name them. Values of one kind keep their order: first is best."""

    identifiers: tuple[Identifier, ...]

    def values(self, kind: str) -> tuple[str, ...]:
        """All values of one kind, in order, each once."""
        return tuple(dict.fromkeys(i.value for i in self.identifiers if i.kind == kind))


@dataclass(frozen=True)
class RecordKind:
    """A kind of record a plugin can meet. The list is closed: a plugin may report no other."""

    name: str
    title: str
    """For people, singular: ``"Payment card"``."""
    description: str
    """What it is, in a sentence the person would understand."""
    categories: tuple[str, ...]
    """DPV personal-data categories (IRIs)."""
    purposes: tuple[str, ...]
    """DPV purposes (IRIs)."""
    retention: str
    """How long the vendor keeps it otherwise, in words."""
    erased_with: tuple[str, ...] = ()
    """Kinds whose erasure destroys this one too, so that a hold on this one holds those."""
    fields: tuple[str, ...] = ()
    """The vendor's field names that the categories above cover, as :attr:`Record.fields` writes them: ``address.city``,
    ``cards[].number``. A trailing ``.*`` covers whatever is below. A field that is seen and not covered here is told
    by ``habeas doctor --schema``."""


@dataclass(frozen=True)
class NoticeRule:
    """What every erasure leaves at this vendor for a while, and for how long after it."""

    text: str
    days: int = 0
    months: int = 0
    setting: str = ""
    """Connection setting that overrides the number, where the contract with the vendor decides."""


@dataclass(frozen=True)
class Limits:
    """How hard a connection may be asked."""

    requests_per_second: float = 10.0
    concurrency: int = 4
    timeout_seconds: float = 20.0
    """Total time for one attempt, from connecting to the last byte."""
    attempts: int = 4
    max_answer_bytes: int = 16 * 1024 * 1024
    failures_before_pause: int = 12
    """After so many failed attempts in a row the vendor is not asked for a while."""
    pause_seconds: float = 30.0
    """The first such pause; each further one is twice as long, up to ten minutes."""
    reset_header: str = ""
    """The header in which the vendor says, in Unix seconds, when it may be called again; empty where it has none."""
    calls_per_day: int | None = None
    """Calls that the vendor's contract allows in a day, by all processes of a home together; None: any number."""
    calls_per_month: int | None = None
    """The same for a month, or a billing cycle."""
    month_starts_on: int = 1
    """Day of the month on which that cycle begins, 1 to 28."""
    quota_timezone: str = "UTC"
    """IANA time zone whose midnight begins the vendor's day."""


@dataclass(frozen=True)
class PluginInfo:
    """What a plugin says of itself."""

    name: str
    title: str
    """The vendor's name as people know it."""
    main_kind: str
    """The person's main record."""
    kinds: tuple[RecordKind, ...]
    settings_schema: Mapping[str, Json]
    """JSON Schema of the connection's own settings (``plugin``, ``base_url``, ``limits`` are added by the core)."""
    secrets: tuple[str, ...]
    """Settings that are secrets: in the file they are references, here they arrive resolved."""
    notices: tuple[NoticeRule, ...] = ()
    limits: Limits = field(default_factory=Limits)
    erase_order: int = 0
    """Connections with a lower number are erased first: consent before marketing data before money."""
    purpose_schema: Mapping[str, Json] = field(default_factory=dict)
    """JSON Schema of what a purpose is called here (``consent.purposes.PURPOSE.CONNECTION``). Empty: no mapping."""
    holds_consents: bool = True
    """Whether the vendor has a place for consents. If not, each is ``unsupported`` without anybody being asked for."""
    rectifies: tuple[Field, ...] = ()
    """What the ``rectify`` hook is asked to correct; of any other field habeas says ``unsupported`` itself."""
    secret_files: tuple[str, ...] = ()
    """Settings that name a secret file such as a key store (``file:PATH``): its bytes arrive, as base64."""

    def kind(self, name: str) -> RecordKind:
        """The declared kind of that name; raises ``KeyError``."""
        for kind in self.kinds:
            if kind.name == name:
                return kind
        raise KeyError(name)


@dataclass(frozen=True, repr=False)
class Record:
    """Something a connection holds about the subject."""

    kind: str
    count: int
    ids: tuple[str, ...] = ()
    """The vendor's ids: what erasing and verifying need. Personal data."""
    data: Mapping[str, Json] = field(default_factory=dict)
    """The plugin's own notes for erasing and verifying (JSON). Personal data; kept in the vault only."""
    fields: tuple[str, ...] = ()
    """Names of the vendor's fields that were seen, never values: see :func:`habeas.fields.field_names`."""

    def __repr__(self) -> str:
        return f"Record({self.kind}, count={self.count})"


@dataclass(frozen=True)
class Gap:
    """Something that could not be searched, or is not ours to touch."""

    kind: str
    result: Result
    """``manual`` (a person can still do it) or ``unsupported`` (the vendor offers no way)."""
    reason: str
    """What a person must do, and where. Safe text: no identifiers."""
    count: int = 0
    standing: bool = False
    """True where this is so for everybody alike: told in packages and notices, but no work of this case."""

    def __post_init__(self) -> None:
        if self.result not in (Result.MANUAL, Result.UNSUPPORTED):
            raise ValueError("a gap is manual or unsupported")


@dataclass(frozen=True)
class Inventory:
    """All that a connection holds about a subject. No records and no gaps: searched, and nothing held."""

    records: tuple[Record, ...]
    gaps: tuple[Gap, ...] = ()
    evidence: str = ""
    """How we know, as a path template and a status: ``GET /v1/customers/{customerId} -> 404``."""


@dataclass(frozen=True)
class Omission:
    """Something left out of an exported document, and why."""

    what: str
    why: str
    count: int


@dataclass(frozen=True, repr=False)
class Document:
    """One answer of the vendor about the subject."""

    record: str
    """Record kind it belongs to."""
    name: str
    """File name without folder, from a fixed list of the plugin's (never from vendor data)."""
    content: bytes
    media_type: str = "application/json"
    source: str = ""
    """Where it came from: ``GET /v1/customers/{customerId}``."""
    omissions: tuple[Omission, ...] = ()

    def __repr__(self) -> str:
        return f"Document({self.record}, {len(self.content)} bytes)"


@dataclass(frozen=True)
class Export:
    """What a connection holds, in full."""

    documents: tuple[Document, ...]
    gaps: tuple[Gap, ...] = ()
    evidence: str = ""


@dataclass(frozen=True)
class PlanItem:
    """One record and what is to become of it. ``index`` names it within its connection, for good."""

    index: int
    record: Record
    action: Action
    reason: str = ""
    legal_basis: str = ""
    until: str = ""
    """RFC 3339 date on which a hold ends; empty where it has no date."""


@dataclass(frozen=True)
class Erasure:
    """What an erase hook is asked to do: make every item with action ``erase`` gone, and read it back."""

    subject: Subject
    items: tuple[PlanItem, ...]
    resumed: bool = False
    """True where an earlier attempt was interrupted: what is gone now, we erased."""

    def to_erase(self, kind: str) -> tuple[PlanItem, ...]:
        """The items of one kind that are to go."""
        return tuple(i for i in self.items if i.record.kind == kind and i.action is Action.ERASE)


@dataclass(frozen=True)
class Outcome:
    """What became of one planned item."""

    index: int
    """The :class:`PlanItem` it answers."""
    result: Result
    evidence: str
    """How we know: path template and status of the read-back."""
    reason: str = ""
    until: str = ""

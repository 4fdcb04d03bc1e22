"""What goes into a package: its shapes, the checks on names, and ``data.json``."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from habeas.errors import ConfigError, PluginFault
from habeas.models import Document, Export, Omission, PluginInfo, RecordKind, Subject
from habeas.reports.package.fields import entries
from habeas.reports.package.jsontext import Decoded, Verbatim, decode, encode

if TYPE_CHECKING:
    from habeas.cases.consents import Wanted

__all__ = ["DATA", "SCHEMA", "Held", "PackageFile", "PackageInput", "Processor", "Source", "check_source", "data_json"]
__all__ += ["prepare", "timestamp"]

DATA = "data.json"
SCHEMA = "data.schema.json"
_CONNECTION = re.compile(r"[a-z0-9_-]{1,64}")
_DOCUMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}(?<!\.)")
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
_JSON_TYPE = re.compile(r"application/(?:[a-z0-9.+-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    """One connection that was asked for the person's data, and what came of it."""

    connection: str
    plugin: PluginInfo
    status: Literal["exported", "absent", "failed"]
    """``exported``: searched, and the answers are in ``export``. ``absent``: searched, nothing held. ``failed``: the
    search or the export did not end well; what ``export`` holds nevertheless is handed over."""
    export: Export | None
    reason: str = ""
    """Why it failed. Safe text, shown to the person."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Record kind to how many the inventory found; without it the entries in the documents are counted."""


@dataclass(frozen=True)
class PackageInput:
    """Everything a package is made from. Times carry a time zone and are shown in it."""

    case_id: str
    case_type: Literal["access", "portability"]
    regime: str
    """``gdpr``, ``uk-gdpr``, ``ccpa``; for any other the wording names no law."""
    controller: str
    subject: Subject
    """The identifiers the person gave or that were found for them. They stand in the package."""
    received_at: datetime
    prepared_at: datetime
    due_at: datetime | None
    sources: tuple[Source, ...]
    notices: tuple[tuple[str, str, str], ...]
    """Connection, what stays there for a while whatever is asked, until (RFC 3339 date, or empty)."""
    generator: str = "habeas"
    """Program and version that made the package."""
    contact: str = ""
    """Where the person can ask: an address in words."""
    consents: tuple[tuple[Subject, Wanted], ...] = field(default=(), repr=False)
    """What the controller has itself recorded of the person's consents, and the identifiers it is recorded under."""


@dataclass(frozen=True, repr=False)
class PackageFile:
    """One file of the package: its path inside the ZIP and its bytes."""

    name: str
    content: bytes

    def __repr__(self) -> str:
        return f"PackageFile({len(self.content)} bytes)"


@dataclass(frozen=True, repr=False)
class Held:
    """One document as the package holds it. ``path``: its place in the ZIP. ``decoded``: None where it is not JSON."""

    document: Document
    path: str
    sha256: str
    decoded: Decoded | None


@dataclass(frozen=True, repr=False)
class Processor:
    """A source with its documents in order. ``records`` follows the plugin's list of kinds."""

    source: Source
    export: Export
    records: tuple[tuple[RecordKind, int, tuple[Held, ...]], ...]
    """Kind, how many are held, their documents (none where the inventory counted records that no document shows)."""

    @property
    def found(self) -> bool:
        """Whether anything at all is held."""
        return bool(self.records)

    @property
    def searched(self) -> bool:
        """Whether the search ended well and left nothing open."""
        return self.source.status != "failed" and not self.export.gaps


def check_source(source: Source) -> None:
    """Raises :class:`~habeas.errors.PluginFault` where a plugin's export cannot go into a package.

    That is: a document name that is not a plain ASCII file name or comes twice (also with other capitals), a record
    kind the plugin does not declare, documents from a connection that holds nothing, or ``exported`` without an export.
    """
    where = f"connection {source.connection!r}" if _CONNECTION.fullmatch(source.connection) else "a connection"
    documents = source.export.documents if source.export else ()
    if source.status == "exported" and source.export is None:
        raise PluginFault(f"{where}: exported, but there is no export")
    if source.status == "absent" and documents:
        raise PluginFault(f"{where}: says that nothing is held, and exports documents")
    seen: set[str] = set()
    kinds = {kind.name for kind in source.plugin.kinds}
    for number, document in enumerate(documents, 1):
        # The name itself is not in the message: a wrong one may have been made from vendor data.
        if not _DOCUMENT.fullmatch(document.name) or _DEVICES.fullmatch(document.name):
            raise PluginFault(f"{where}: document {number} has a name that is not a plain file name")
        if document.name.lower() in seen:
            raise PluginFault(f"{where}: document {number} has the name of an earlier one")
        if document.record not in kinds:
            raise PluginFault(f"{where}: document {number} is of a record kind the plugin does not declare")
        seen.add(document.name.lower())


def prepare(package: PackageInput) -> tuple[Processor, ...]:
    """Checks every source and decodes its documents.

    Raises :class:`~habeas.errors.PluginFault` as :func:`check_source` does, :class:`~habeas.errors.ConfigError` where a
    connection's name cannot be a folder or comes twice, ``ValueError`` where a time has no zone.
    """
    for moment in (package.received_at, package.prepared_at, package.due_at):
        if moment is not None and moment.tzinfo is None:
            raise ValueError("times in a package need a time zone")
    seen: set[str] = set()
    for source in package.sources:
        if not _CONNECTION.fullmatch(source.connection):
            raise ConfigError("a connection's name has characters other than a-z, 0-9, '-' and '_'")
        if source.connection in seen:
            raise ConfigError(f"connection {source.connection!r} comes twice")
        seen.add(source.connection)
        check_source(source)
    return tuple(_processor(source) for source in package.sources)


def data_json(package: PackageInput, processors: tuple[Processor, ...]) -> bytes:
    """``data.json``: every document's JSON text is copied in as it is, so that no number or name can change."""
    return encode(
        {
            "$schema": SCHEMA,
            "format": "habeas-access-package",
            "version": 1,
            "case": package.case_id,
            "type": package.case_type,
            "regime": package.regime,
            "controller": package.controller,
            "contact": package.contact,
            "received_at": timestamp(package.received_at),
            "prepared_at": timestamp(package.prepared_at),
            "due_at": timestamp(package.due_at) if package.due_at else None,
            "generator": package.generator,
            "identifiers": _identifiers(package.subject),
            "processors": [_processor_data(processor) for processor in processors],
            "notices": [
                {"connection": connection, "text": text, "until": until or None}
                for connection, text, until in package.notices
            ],
            # Left out where there are none: so it was in every package before consents were recorded.
            **({"consents": [_consent_data(*one) for one in package.consents]} if package.consents else {}),
        }
    )


def timestamp(moment: datetime) -> str:
    """RFC 3339, in UTC with ``Z``."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _identifiers(subject: Subject) -> list[dict[str, str]]:
    return [{"kind": one.kind, "value": one.value} for one in subject.identifiers]


def _consent_data(who: Subject, consent: Wanted) -> dict[str, object]:
    return {
        "purpose": consent.purpose,
        "state": str(consent.state),
        "said_at": timestamp(consent.at),
        "granted_at": timestamp(consent.granted_at) if consent.granted_at else None,
        "withdrawn_at": timestamp(consent.withdrawn_at) if consent.withdrawn_at else None,
        "recorded_at": timestamp(consent.recorded_at),
        "source": consent.source or None,
        "identifiers": _identifiers(who),
    }


def _processor(source: Source) -> Processor:
    export = source.export or Export(())
    documents: dict[str, list[Held]] = {}
    for document in export.documents:
        documents.setdefault(document.record, []).append(_held(source.connection, document))
    records = []
    for kind in source.plugin.kinds:
        held = tuple(documents.get(kind.name, ()))
        count = source.counts.get(kind.name, sum(entries(one.decoded.value) if one.decoded else 1 for one in held))
        if held or count:
            records.append((kind, count, held))
    return Processor(source, export, tuple(records))


def _held(connection: str, document: Document) -> Held:
    decoded = decode(document.content) if _JSON_TYPE.fullmatch(document.media_type) else None
    path = f"processors/{connection}/{document.name}"
    return Held(document, path, hashlib.sha256(document.content).hexdigest(), decoded)


def _processor_data(processor: Processor) -> dict[str, object]:
    source = processor.source
    return {
        "connection": source.connection,
        "vendor": source.plugin.title,
        "status": source.status,
        "reason": source.reason or None,
        "evidence": processor.export.evidence or None,
        "records": [
            {
                "kind": kind.name,
                "title": kind.title,
                "description": kind.description,
                "count": count,
                "categories": kind.categories,
                "purposes": kind.purposes,
                "retention": kind.retention,
                "documents": [_document_data(one) for one in held],
            }
            for kind, count, held in processor.records
        ],
        "gaps": [
            {"kind": gap.kind, "result": gap.result.value, "reason": gap.reason, "count": gap.count}
            for gap in processor.export.gaps
        ],
    }


def _document_data(held: Held) -> dict[str, object]:
    return {
        "file": held.path,
        "source": held.document.source or None,
        "media_type": held.document.media_type,
        "sha256": held.sha256,
        "omissions": [_omission_data(omission) for omission in held.document.omissions],
        "content": Verbatim(held.decoded.text) if held.decoded else None,
    }


def _omission_data(omission: Omission) -> dict[str, object]:
    return {"what": omission.what, "why": omission.why, "count": omission.count}

"""``index.html``: the package for reading. Nothing of a vendor's answer can act in it: all text is escaped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo
from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from habeas.models import Gap, RecordKind, Result, Subject
from habeas.reports.package.content import Held, PackageInput, Processor
from habeas.reports.package.fields import Reading, read
from habeas.reports.package.labels import (
    identifier_label,
    moment,
    moment_of,
    name_label,
    term_label,
    visible,
)
from habeas.reports.package.wording import wording

if TYPE_CHECKING:
    from habeas.cases.consents import Wanted

__all__ = ["page_html"]

_STATES = {"granted": "given", "withdrawn": "withdrawn"}
_SOURCES = {"case": "on its own", "file": "out of a file of consents"}


@dataclass(frozen=True, repr=False)
class _Shown:
    """A document with what the page shows of it; ``reading`` is None where it is not JSON."""

    held: Held
    reading: Reading | None
    size: str


@dataclass(frozen=True, repr=False)
class _Kind:
    kind: RecordKind
    count: int
    categories: tuple[str, ...]
    purposes: tuple[str, ...]
    documents: tuple[_Shown, ...]


@dataclass(frozen=True, repr=False)
class _Missing:
    """A gap in words."""

    what: str
    by_hand: bool
    reason: str
    count: int


@dataclass(frozen=True, repr=False)
class _Asked:
    """One processor as the page tells of it."""

    connection: str
    vendor: str
    failed: bool
    reason: str
    evidence: str
    searched: bool
    kinds: tuple[_Kind, ...]
    missing: tuple[_Missing, ...]

    @property
    def state(self) -> str:
        """``held``, ``nothing`` or ``open``: exactly one, so that the figures add up."""
        if self.kinds:
            return "held"
        return "nothing" if self.searched else "open"


@dataclass(frozen=True, repr=False)
class _Consent:
    """What is recorded of one consent, in words. ``before``: what was said until then, and when."""

    purpose: str
    name: str
    state: str
    said: str
    before: str
    recorded: str
    how: str
    identifiers: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Bar:
    """One part of the bar at the top. ``start`` and ``width`` in thousandths."""

    state: str
    start: int
    width: int


def page_html(package: PackageInput, processors: tuple[Processor, ...]) -> bytes:
    """Renders the page as UTF-8 HTML: one file, no script, nothing fetched."""
    asked = tuple(_asked(processor) for processor in processors)
    vendors = {one.connection: one.vendor for one in asked}
    figures = {state: sum(one.state == state for one in asked) for state in ("held", "nothing", "open")}
    template = _environment().get_template("index.html.j2")
    text = template.render(
        package=package,
        received=moment(package.received_at),
        prepared=moment(package.prepared_at),
        due=moment(package.due_at) if package.due_at else "",
        late=package.due_at is not None and package.due_at < package.prepared_at,
        identifiers=_identifiers(package.subject, vendors),
        asked=asked,
        figures=figures,
        partly=sum(one.state == "held" and not one.searched for one in asked),
        bars=_bars(figures),
        complete=all(one.searched for one in asked),
        omissions=[
            (one, kind, shown.held, omission)
            for one in asked
            for kind in one.kinds
            for shown in kind.documents
            for omission in shown.held.document.omissions
        ],
        consents=[_consent(*one, vendors, package.prepared_at.tzinfo) for one in package.consents],
        notices=[(connection, vendors.get(connection, connection), *rest) for connection, *rest in package.notices],
        wording=wording(package.regime, package.controller, consents=bool(package.consents)),
    )
    return text.encode("utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("habeas.reports.package"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"moment_of": _moment_or_text, "thousands": lambda number: f"{number:,}", "plural": _plural}
    return environment


def _finalize(value: Any) -> Any:
    # What a macro returns is escaped already; its texts came by here when the macro ran.
    return visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _moment_or_text(text: str) -> str:
    return moment_of(text) or text


def _plural(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _asked(processor: Processor) -> _Asked:
    source = processor.source
    titles = {kind.name: kind.title for kind in source.plugin.kinds}
    return _Asked(
        connection=source.connection,
        vendor=source.plugin.title,
        failed=source.status == "failed",
        reason=source.reason,
        evidence=processor.export.evidence,
        searched=processor.searched,
        kinds=tuple(_kind(*record) for record in processor.records),
        missing=tuple(_missing(gap, titles) for gap in processor.export.gaps),
    )


def _kind(kind: RecordKind, count: int, documents: tuple[Held, ...]) -> _Kind:
    return _Kind(
        kind,
        count,
        tuple(dict.fromkeys(term_label(iri) for iri in kind.categories)),
        tuple(dict.fromkeys(term_label(iri) for iri in kind.purposes)),
        tuple(_shown(kind, held) for held in documents),
    )


def _shown(kind: RecordKind, held: Held) -> _Shown:
    reading = read(held.decoded.value, kind.title) if held.decoded else None
    return _Shown(held, reading, _size(len(held.document.content)))


def _missing(gap: Gap, titles: dict[str, str]) -> _Missing:
    return _Missing(titles.get(gap.kind) or name_label(gap.kind), gap.result is Result.MANUAL, gap.reason, gap.count)


def _identifiers(subject: Subject, vendors: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((identifier_label(one.kind, vendors), one.value) for one in subject.identifiers)


def _consent(who: Subject, consent: Wanted, vendors: dict[str, str], zone: tzinfo | None) -> _Consent:
    times = {"granted": consent.granted_at, "withdrawn": consent.withdrawn_at}
    del times[consent.state]
    earlier = [f"{_STATES[state]} {moment(at.astimezone(zone))}" for state, at in times.items() if at is not None]
    return _Consent(
        purpose=name_label(consent.purpose),
        name=consent.purpose,
        state=_STATES[consent.state].capitalize(),
        said=moment(consent.at.astimezone(zone)),
        before=", ".join(earlier),
        recorded=moment(consent.recorded_at.astimezone(zone)),
        how=_SOURCES.get(consent.source, ""),
        identifiers=_identifiers(who, vendors),
    )


def _bars(figures: dict[str, int]) -> tuple[_Bar, ...]:
    total = sum(figures.values())
    bars, start = [], 0
    for state, number in figures.items():
        if number:
            end = start + round(1000 * number / total)
            bars.append(_Bar(state, start, end - start))
            start = end
    return tuple(bars)


def _size(count: int) -> str:
    for unit, size in (("MB", 1_000_000), ("kB", 1_000)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return _plural(count, "byte", "bytes")

"""The Art. 30 view: what the plugins declare of the vendors that are configured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from habeas.models import NoticeRule, PluginInfo
from habeas.reports.compliance.shapes import Cell, Column, Table
from habeas.reports.package.labels import term_label

__all__ = ["System", "inventory_tables"]

_SYSTEMS: Final = (
    Column("connection", "Account"), Column("vendor", "Vendor"), Column("plugin", "Plugin"),
    Column("kinds", "Kinds of records", numeric=True), Column("order", "Erased as number", numeric=True),
    Column("rate", "Calls a second, at most"), Column("concurrency", "Calls at once, at most", numeric=True),
)  # fmt: skip
_KINDS: Final = (
    Column("connection", "Account"), Column("record", "Kind of record"),
    Column("categories", "Categories of data (DPV)"), Column("purposes", "Purposes (DPV)"),
    Column("retention", "Kept otherwise"), Column("erased_with", "Goes with"),
)  # fmt: skip
_NOTICES: Final = (
    Column("connection", "Account"), Column("stays", "What every erasure leaves for a while"),
    Column("for", "How long"),
)  # fmt: skip


@dataclass(frozen=True)
class System:
    """One configured connection."""

    connection: str
    info: PluginInfo
    limits: Mapping[str, float]
    """What the configuration sets in place of the plugin's own."""
    settings: Mapping[str, object]
    """The connection's settings, secrets as references."""


def inventory_tables(systems: Sequence[System]) -> tuple[Table, ...]:
    """Connections, the records they can hold, and what stays there."""
    return (
        Table("systems", "Systems", _SYSTEMS, tuple(map(_system, systems)), "configuration"),
        Table("records", "Records, categories of data, purposes", _KINDS,
              tuple(row for system in systems for row in _kinds(system)), "configuration"),
        Table("notices", "What stays at a vendor after every erasure", _NOTICES,
              tuple((system.connection, rule.text, _duration(rule, system)) for system in systems
                    for rule in system.info.notices), "configuration"),
    )  # fmt: skip


def _system(system: System) -> tuple[Cell, ...]:
    info = system.info
    rate = system.limits.get("requests_per_second", info.limits.requests_per_second)
    concurrency = system.limits.get("concurrency", info.limits.concurrency)
    return (
        system.connection, info.title, info.name, len(info.kinds), info.erase_order, f"{rate:g}", int(concurrency)
    )  # fmt: skip


def _kinds(system: System) -> list[tuple[Cell, ...]]:
    return [
        (
            system.connection,
            f"{kind.title} ({kind.name})",
            _terms(kind.categories),
            _terms(kind.purposes),
            kind.retention,
            ", ".join(kind.erased_with) or None,
        )
        for kind in system.info.kinds
    ]


def _terms(iris: Sequence[str]) -> str:
    """In words, and as the vocabulary names them."""
    return "; ".join(f"{term_label(iri)} ({_curie(iri)})" for iri in iris)


def _curie(iri: str) -> str:
    """``pd:EmailAddress`` of ``https://w3id.org/dpv/pd#EmailAddress``; another vocabulary's stays whole."""
    space, _, term = iri.rpartition("#")
    names = {"https://w3id.org/dpv": "dpv", "https://w3id.org/dpv/pd": "pd"}
    return f"{names[space]}:{term}" if space in names else iri


def _duration(rule: NoticeRule, system: System) -> str | None:
    set_ = system.settings.get(rule.setting) if rule.setting else None
    number = set_ if isinstance(set_, int) else None
    if rule.months:
        return f"{number or rule.months} months"
    return f"{number or rule.days} days" if rule.days else None

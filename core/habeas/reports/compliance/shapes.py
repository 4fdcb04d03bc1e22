"""A report as data: sections with figures and tables, from which page, JSON and CSV are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from habeas.models import Json
from habeas.reports.compliance.families import FAMILIES, RULES
from habeas.reports.compliance.period import Period
from habeas.reports.compliance.tally import Figure

__all__ = ["FORMAT", "SCHEMA", "Cell", "Column", "Origin", "Report", "Section", "Table"]

FORMAT: Final = "habeas-compliance-report-1"
SCHEMA: Final = "report.schema.json"

Cell = str | int | None
Origin = Literal["ledger", "configuration", "program"]
"""Whether a table follows from the ledger's entries alone, from the configuration and the plugins, or from habeas."""


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    name: str
    title: str
    numeric: bool = False


@dataclass(frozen=True)
class Table:
    """Rows that are no figures."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    origin: Origin
    empty: str = "None."
    """What is said where there are no rows."""

    def to_json(self) -> dict[str, Json]:
        return {
            "name": self.name,
            "caption": self.caption,
            "origin": self.origin,
            "columns": [{"name": column.name, "title": column.title} for column in self.columns],
            "rows": [list(row) for row in self.rows],
        }


@dataclass(frozen=True)
class Section:
    """One of the eighteen."""

    number: int
    id: str
    title: str
    text: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    gaps: tuple[str, ...] = ()
    """What an auditor expects here and the report does not have, and why."""

    @property
    def covered(self) -> str:
        """``yes``, ``partly`` or ``no``."""
        if not (self.text or self.figures or self.tables):
            return "no"
        return "partly" if self.gaps else "yes"

    def to_json(self) -> dict[str, Json]:
        return {
            "number": self.number,
            "id": self.id,
            "title": self.title,
            "covered": self.covered,
            "not_covered": list(self.gaps),
            "text": list(self.text),
            "figures": [figure.to_json() for figure in self.figures],
            "tables": [table.to_json() for table in self.tables],
        }


@dataclass(frozen=True)
class Report:
    """A whole report."""

    controller: Mapping[str, str]
    """``name``, ``contact``, ``regime``, ``timezone``, ``holidays``."""
    period: Period
    generated_at: str
    generator: str
    evidence: Mapping[str, Json]
    """The entries it rests on: log, size, root; the checkpoint and its signers; what verifying has shown."""
    sections: tuple[Section, ...]

    def section(self, name: str) -> Section:
        return next(section for section in self.sections if section.id == name)

    @property
    def figures(self) -> dict[str, Figure]:
        """All figures, by name."""
        return {figure.name: figure for section in self.sections for figure in section.figures}

    def to_json(self) -> dict[str, Json]:
        return {
            "$schema": SCHEMA,
            "format": FORMAT,
            "controller": dict(self.controller),
            "period": period_json(self.period),
            "generated_at": self.generated_at,
            "generator": self.generator,
            "evidence": dict(self.evidence),
            "rules": list(rules_of(self.period)),
            "definitions": definitions(),
            "sections": [section.to_json() for section in self.sections],
        }


def period_json(period: Period) -> dict[str, Json]:
    return {
        "from": period.first.isoformat(),
        "to": period.last.isoformat(),
        "zone": period.zone,
        "start": period.start,
        "end": period.end,
        "as_of": period.as_of,
    }


def rules_of(period: Period) -> tuple[str, ...]:
    """How everything is counted, for this period."""
    values = period_json(period) | {"first": period.first.isoformat(), "last": period.last.isoformat()}
    return tuple(rule.format(**values) for rule in RULES)


def definitions() -> dict[str, Json]:
    """Family of figures → what it counts."""
    return {
        family.name: {
            "section": family.section,
            "title": family.title,
            "unit": family.unit,
            "counts": family.definition,
        }
        for family in FAMILIES.values()
    }

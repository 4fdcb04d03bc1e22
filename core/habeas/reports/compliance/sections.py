"""The eighteen sections of an audit report. What they say in words is data: ``sections.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from habeas.models import Json
from habeas.reports.compliance.controls import controls_table
from habeas.reports.compliance.derived import all_figures
from habeas.reports.compliance.families import FAMILIES
from habeas.reports.compliance.fold import Fold
from habeas.reports.compliance.inventory import System, inventory_tables
from habeas.reports.compliance.lines import Evidence
from habeas.reports.compliance.shapes import Cell, Column, Section, Table
from habeas.reports.compliance.tables import holds_table, overdue_table, register_table
from habeas.reports.compliance.tally import Figure
from habeas_policies import PolicyProblem
from habeas_policies.rules import pick

__all__ = ["Parts", "build_sections"]

_PLANS: Final[tuple[dict[str, Json], ...]] = tuple(
    tomllib.loads(files("habeas.reports.compliance").joinpath("sections.toml").read_text(encoding="utf-8"))["sections"]
)
_NUMBERS: Final[dict[str, int]] = {plan["id"]: number for number, plan in enumerate(_PLANS, 1)}


@dataclass(frozen=True)
class Parts:
    """What sections are made of. What follows from the ledger alone is in the first two."""

    fold: Fold
    evidence: Evidence
    systems: Sequence[System] = ()
    verification: Table | None = None
    changes: Table | None = None


def build_sections(parts: Parts) -> tuple[Section, ...]:
    """All eighteen, in order."""
    found: dict[str, list[Figure]] = {}
    for figure in all_figures(parts.fold.tally, parts.evidence):
        found.setdefault(FAMILIES[figure.family].section, []).append(figure)
    figures = {name: tuple(listed) for name, listed in found.items()}
    return tuple(
        Section(
            number,
            plan["id"],
            plan["title"],
            (*plan.get("text", ()), *_TEXTS.get(plan["id"], _none)(parts)),
            figures.get(plan["id"], ()),
            _tables(plan["id"], parts, figures),
            _gaps(plan, parts),
        )
        for number, plan in enumerate(_PLANS, 1)
    )


def _tables(section: str, parts: Parts, figures: Mapping[str, Sequence[Figure]]) -> tuple[Table, ...]:
    match section:
        case "summary":
            return (overdue_table(parts.fold),)
        case "method":
            return (_rules_table(figures.get("method", ())),)
        case "inventory":
            return inventory_tables(parts.systems)
        case "register":
            return (register_table(parts.fold),)
        case "holds":
            return (holds_table(parts.fold),)
        case "controls":
            return (controls_table(_NUMBERS),)
        case "integrity":
            return () if parts.verification is None else (parts.verification,)
        case "changes":
            return () if parts.changes is None else (parts.changes,)
    return ()


def _gaps(plan: Mapping[str, Json], parts: Parts) -> tuple[str, ...]:
    if plan["id"] == "changes" and parts.changes is not None:
        return ("What was decided on because of an earlier report: no entry records it.",)
    return tuple(plan.get("gaps", ()))


# -- what depends on the report ---------------------------------------------------------------------------------------


def _none(_: Parts) -> tuple[str, ...]:
    return ()


def _cover(parts: Parts) -> tuple[str, ...]:
    period = parts.fold.period
    if period.over:
        return ()
    return (f"The period was not over when this was made. It says how things stood at {period.as_of}.",)


def _integrity(parts: Parts) -> tuple[str, ...]:
    return () if parts.verification else ("The ledger was not verified when this report was made.",)


def _ccpa(parts: Parts) -> tuple[str, ...]:
    period = parts.fold.period
    if period.calendar_year:
        return (f"The period is the calendar year {period.first.year}.",)
    return ("The figures are asked for a calendar year, and this period is none.",)


_TEXTS: Final[Mapping[str, Callable[[Parts], tuple[str, ...]]]] = {
    "cover": _cover,
    "integrity": _integrity,
    "ccpa": _ccpa,
}


def _rules_table(figures: Sequence[Figure]) -> Table:
    columns = (
        Column("rule", "Rule"), Column("title", "Law"), Column("source", "Source"), Column("read", "Read in a source"),
    )  # fmt: skip
    names = sorted({figure.key[0][1] for figure in figures if figure.family == "due_rules"})
    rows = tuple(map(_rule, names))
    return Table("rules", "The rules that due dates were counted by", columns, rows, "program", "No rule was used.")


def _rule(name: str) -> tuple[Cell, ...]:
    regime, _, rest = name.partition("/")
    version, _, holidays = rest.partition("+")
    try:
        rule = pick(regime, int(version), holidays)
    except (PolicyProblem, ValueError):
        return (name, None, "not known to this version of habeas", None)
    return (name, rule.title, rule.source, "yes" if rule.confirmed else "not confirmed")

"""Puts a report together. Pure: entries, configuration and time come from the caller."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

from habeas.models import Json
from habeas.reports.compliance.fold import Fold
from habeas.reports.compliance.inventory import System
from habeas.reports.compliance.lines import Evidence, from_ledger
from habeas.reports.compliance.period import Period
from habeas.reports.compliance.sections import Parts, build_sections
from habeas.reports.compliance.shapes import Cell, Column, Report, Table
from habeas_audit import Entry, SignedCheckpoint
from habeas_audit import Evidence as Verified

__all__ = ["Made", "make_report", "verification_table"]


@dataclass(frozen=True)
class Made:
    """Who makes a report, when, and of what."""

    controller: Mapping[str, str]
    """``name``, ``contact``, ``regime``, ``timezone``, ``holidays``; empty where not configured."""
    generated_at: str
    generator: str
    """``habeas 0.1.0``."""
    log: str
    origin: str
    systems: Sequence[System] = ()
    checkpoint: SignedCheckpoint | None = None
    verified: Verified | None = None
    """None: the ledger was not verified."""
    earlier: Mapping[str, Json] | None = None
    """An earlier report to compare with."""


def make_report(entries: Iterable[Entry], period: Period, made: Made) -> Report:
    """``entries``: all of the ledger from the first one, read once."""
    evidence = Evidence()
    fold = Fold.over(from_ledger(entries, evidence), period)
    checked = None if made.verified is None else verification_table(made.verified)
    sections = build_sections(Parts(fold, evidence, made.systems, checked))
    report = Report(made.controller, period, made.generated_at, made.generator, _evidence(made, evidence), sections)
    if made.earlier is None:
        return report
    changes = _changes(report, made.earlier)
    sections = build_sections(Parts(fold, evidence, made.systems, checked, changes))
    return Report(made.controller, period, made.generated_at, made.generator, report.evidence, sections)


def _evidence(made: Made, evidence: Evidence) -> dict[str, Json]:
    signed = made.checkpoint
    value: dict[str, Json] = {
        "log": made.log,
        "origin": made.origin,
        "size": evidence.size,
        "root": evidence.root,
        "checkpoint": None,
        "verified": None if made.verified is None else made.verified.ok,
    }
    if signed is not None:
        value["checkpoint"] = {
            "size": signed.head.size,
            "root": signed.head.root_text,
            "keys": list(signed.key_ids),
            "note": signed.raw,
        }
    return value


# -- verification -----------------------------------------------------------------------------------------------------

_FACTS: Final = (Column("what", "What"), Column("result", "Result"))


def verification_table(found: Verified) -> Table:
    """What holding the ledger against its checkpoints has shown."""
    result, signed = found.verification, found.signed
    rows: list[tuple[Cell, ...]] = [
        ("Verified", "yes: nothing was found" if found.ok else f"NO: {len(found.findings)} findings"),
        ("Entries hashed anew", f"{result.size:,}"),
        ("Root computed over them", result.root_text),
        ("Checkpoints that they agree with", f"{found.agreeing:,}"),
        ("Signed up to entry", f"{signed.head.size:,}" if signed else "nothing is signed"),
        ("By key", ", ".join(key.key_id.hex() for key in found.signers) or None),
        (
            "The key was",
            "kept in the home, or named by whoever asked" if found.pinned else "taken from the ledger itself",
        ),
        ("Entries after that, not signed yet", f"{found.unsigned:,}"),
    ]
    rows += [(f"Finding: {finding.kind}", finding.text) for finding in found.findings]
    return Table("verification", "What verifying has shown when this report was made", _FACTS, tuple(rows), "program")


# -- changes ----------------------------------------------------------------------------------------------------------

_CHANGES: Final = (
    Column("figure", "Figure"), Column("then", "Then", numeric=True), Column("now", "Now", numeric=True),
    Column("change", "Change", numeric=True), Column("unit", "Unit"),
)  # fmt: skip


def _changes(report: Report, earlier: Mapping[str, Json]) -> Table:
    """Figures that are others than in an earlier report. What a report does not name counts as not there."""
    old = {one["name"]: one for section in earlier["sections"] for one in section["figures"]}
    new = {name: figure.to_json() for name, figure in report.figures.items()}
    rows = []
    for name in [*new, *(name for name in old if name not in new)]:
        then, now = (side[name]["value"] if name in side else None for side in (old, new))
        if then != now and not name.startswith(("ledger_", "last_answer")):
            rows.append((name, then, now, _difference(then, now), (new.get(name) or old[name])["unit"]))
    period = earlier["period"]
    caption = f"Figures that differ from the report over {period['from']} to {period['to']}"
    return Table("changes", caption, _CHANGES, tuple(rows), "program", "No figure differs.")


def _difference(then: Cell, now: Cell) -> str | None:
    try:
        change = Decimal(str(now if now is not None else 0)) - Decimal(str(then if then is not None else 0))
    except InvalidOperation:
        return None
    return f"{change:+}"

"""Computes a given report again from the lines of ``habeas audit export``, and says what differs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, Final
from zoneinfo import ZoneInfo

from habeas.errors import InputError
from habeas.models import Json
from habeas.reports.compliance.fold import Fold
from habeas.reports.compliance.lines import Evidence, from_export
from habeas.reports.compliance.period import Period, instant, utc_text
from habeas.reports.compliance.sections import Parts, build_sections
from habeas.reports.compliance.shapes import SCHEMA, definitions, period_json, rules_of
from habeas_audit import ProofInvalid, origin_of, parse_json

__all__ = ["Recomputed", "read_report", "recompute"]

_OUTSIDE: Final = {"integrity", "changes"}
"""Sections whose words depend on more than the ledger."""


@dataclass(frozen=True)
class Recomputed:
    """What computing a report again has shown."""

    differences: tuple[str, ...]
    """One line each: the figure, what the report says, what the entries give."""
    figures: int
    tables: int
    left_out: tuple[str, ...]
    """What does not follow from the ledger, and was not computed again."""

    @property
    def ok(self) -> bool:
        return not self.differences


def read_report(text: str, name: str) -> dict[str, Json]:
    """A report's JSON, held against its schema. Raises :class:`InputError`; quotes nothing of it."""
    from jsonschema import Draft202012Validator

    try:
        value = parse_json(text, name)
    except ProofInvalid as problem:
        raise InputError(str(problem), advice="give what `habeas report --format json` wrote") from None
    for error in Draft202012Validator(_schema()).iter_errors(value):
        where = ".".join(str(part)[:40] for part in error.absolute_path) or "the file"
        raise InputError(f"{name} is no report of habeas: {where} has not its shape")
    try:
        ZoneInfo(value["period"]["zone"])
    except (ValueError, OSError, KeyError):
        raise InputError(f"{name} names a time zone that is not known here") from None
    return value


@cache
def _schema() -> Json:
    return json.loads(files("habeas.reports.compliance").joinpath(SCHEMA).read_text(encoding="utf-8"))


def recompute(report: Mapping[str, Json], lines: Iterable[str]) -> Recomputed:
    """``lines``: those of an export, which :func:`habeas_audit.verify_export` has verified.

    Raises :class:`InputError` where they are none, or the export ends before what the report rests on.
    """
    period = _period(report)
    size = report["evidence"]["size"]
    evidence = Evidence()
    fold = Fold.over(from_export(lines, evidence, size), period)
    if evidence.size < size:
        raise InputError(
            f"the report rests on {size} entries, and the export holds {evidence.size}",
            advice="make the export anew: `habeas audit export`",
        )
    sections = [section.to_json() for section in build_sections(Parts(fold, evidence))]
    found = _Comparison()
    found.hold(
        "evidence log",
        [report["evidence"][name] for name in ("log", "origin")],
        [evidence.log, origin_of(evidence.log)],
    )
    found.hold("evidence root", report["evidence"]["root"], evidence.root)
    expected = period_json(period) | {"as_of": min(period.end, utc_text(instant(report["generated_at"])))}
    found.hold_each("period", report["period"], expected)
    found.hold("how everything is counted", report["rules"], list(rules_of(period)))
    found.hold_each("definition", report["definitions"], definitions())
    found.hold("the list of sections", [s["id"] for s in report["sections"]], [s["id"] for s in sections])
    for said, given in zip(report["sections"], sections, strict=False):
        found.section(said, given)
    return Recomputed(tuple(found.differences), found.figures, found.tables, tuple(found.left_out))


def _period(report: Mapping[str, Json]) -> Period:
    said = report["period"]
    try:
        first, last = date.fromisoformat(said["from"]), date.fromisoformat(said["to"])
        instant(report["generated_at"])
        period = Period(first, last, said["zone"], said["as_of"])
        period.day(instant(said["as_of"]))
        assert period.start <= period.end  # noqa: S101 - computes both: a year too large raises
    except (ValueError, OverflowError):
        raise InputError("the report's period is not one of the calendar") from None
    return period


class _Comparison:
    def __init__(self) -> None:
        self.differences: list[str] = []
        self.left_out: list[str] = ["who made it and when", "the checkpoint it names"]
        self.figures = self.tables = 0

    def hold(self, what: str, said: Json, given: Json) -> None:
        # As JSON: to Python, 1 and true are the same.
        if _text(said) != _text(given):
            self.differences.append(f"{what}: the report says {_shown(said)}, the entries give {_shown(given)}")

    def hold_each(self, what: str, said: Mapping[str, Json], given: Mapping[str, Json]) -> None:
        for name in dict.fromkeys((*given, *said)):
            self.hold(f"{what} {name}", said.get(name), given.get(name))

    def section(self, said: dict[str, Any], given: dict[str, Any]) -> None:
        number = given["number"]
        for part in (
            ("number", "title") if given["id"] in _OUTSIDE else ("number", "title", "covered", "not_covered", "text")
        ):
            self.hold(f"section {number}, {part}", said[part], given[part])
        self._listed(said["figures"], given["figures"], "")
        self.figures += len(given["figures"])
        ours = [table for table in given["tables"] if table["origin"] == "ledger"]
        theirs = {table["name"] for table in ours}
        self._tables([table for table in said["tables"] if table["name"] in theirs], ours)
        self.left_out += [
            f"section {number}: {table['caption']}" for table in said["tables"] if table["name"] not in theirs
        ]

    def _listed(self, said: Sequence[dict[str, Any]], given: Sequence[dict[str, Any]], what: str) -> None:
        there = {one["name"]: one for one in said}
        if len(there) < len(said):
            self.differences.append("a figure stands in the report twice")
        wanted = {one["name"]: one for one in given}
        for name in dict.fromkeys((*wanted, *there)):
            one, other = there.get(name), wanted.get(name)
            if one is None or other is None:
                self.hold(f"{what}{name}", one and one["value"], other and other["value"])
                if (one and one["value"]) == (other and other["value"]):
                    self.differences.append(f"{what}{name}: only {'the report' if one else 'the entries'} have it")
                continue
            self.hold_each(f"{what}{name},", one, other)

    def _tables(self, said: Sequence[dict[str, Any]], given: Sequence[dict[str, Any]]) -> None:
        there = {one["name"]: one for one in said}
        for table in given:
            self.tables += 1
            one = there.get(table["name"], {"rows": [], "columns": [], "caption": None, "origin": None})
            for part in ("caption", "origin", "columns"):
                self.hold(f"table {table['name']}, {part}", one[part], table[part])
            for number in range(max(len(one["rows"]), len(table["rows"]))):
                row, other = (rows[number] if number < len(rows) else None for rows in (one["rows"], table["rows"]))
                self.hold(f"table {table['name']}, row {number + 1}", row, other)


def _text(value: Json) -> str:
    return json.dumps(value, sort_keys=True)


def _shown(value: Json) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else text[:117] + "…"

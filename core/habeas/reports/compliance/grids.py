"""Figures laid out for reading: one row for each thing that is counted, one column for each figure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from habeas.reports.compliance.closing import BINS
from habeas.reports.compliance.families import FAMILIES
from habeas.reports.compliance.tally import Figure, figure_name
from habeas.reports.compliance.wording import label

__all__ = ["Grid", "GridRow", "grids_of", "values_of"]

Figures = Mapping[str, Figure]


@dataclass(frozen=True)
class GridRow:
    """``figures``: None where nothing was counted. ``total``: the row over all others."""

    label: tuple[str, ...]
    figures: tuple[Figure | None, ...]
    total: bool = False
    unit: str = ""


@dataclass(frozen=True)
class Grid:
    """A table of figures."""

    caption: str
    heads: tuple[str, ...]
    """Names of the first columns."""
    columns: tuple[tuple[str, str], ...]
    """(title, unit) of each figure."""
    rows: tuple[GridRow, ...]


@dataclass(frozen=True)
class _Plan:
    caption: str
    by: tuple[str, ...]
    families: tuple[str, ...]
    total: bool = True
    across: str = ""
    """Instead of several families, one, with a column for each value of this."""


_HEADS: Final = {"type": "Type", "regime": "Law", "month": "Month", "state": "It waits for", "rule": "Rule",
                 "policy": "Policy", "version": "Version", "connection": "Where", "result": "Result",
                 "method": "Method", "reason": "Reason", "ground": "Ground", "basis": "Legal basis",
                 "purpose": "Purpose", "how": "How", "why": "Why", "what": "What", "verdict": "Verdict",
                 "request": "Request to", "days": "Days"}  # fmt: skip
_FLOW: Final = ("open_start", "received", "reopened", "closed", "open_end", "overdue_end")
_TIME: Final = ("answered", "on_time", "on_time_percent", "days_median", "days_p95", "days_max", "days_mean")
_HELD: Final = ("held", "held_end", "released", "held_overdue", "held_endless")

_PLANS: Final[Mapping[str, tuple[_Plan, ...]]] = {
    "summary": (
        _Plan("By type of request", ("type",), _FLOW),
        _Plan("By law", ("regime",), _FLOW),
        _Plan("On time, by type and law", ("type", "regime"), ("received", "answered", "on_time", "on_time_percent",
              "overdue_end"), total=False),
        _Plan("Closed, by how they ended", ("status",), ("closed",), total=False),
        _Plan("Open at the end, by what they wait for", ("state",), ("open_end",), total=False),
    ),
    "method": (
        _Plan("Requests received, by the rule of their due date", ("rule",), ("due_rules",), total=False),
        _Plan("Requests received, by policy", ("policy",), ("policies",), total=False),
        _Plan("Runs, by version of habeas", ("version",), ("versions",), total=False),
    ),
    "inventory": (_Plan("The last outcome that each vendor gave", ("connection",), ("last_answer",), total=False),),
    "register": (
        _Plan("Receipt and identity", (), ("registered", "acknowledged", "acknowledge_due", "acknowledged_on_time",
              "identity", "identity_failed_percent")),
        _Plan("Identity checks, by result", ("result",), ("identity",), total=False),
        _Plan("Identity checks, by method", ("method",), ("identity",), total=False),
    ),
    "timeliness": (
        _Plan("Days to the answer, by type", ("type",), _TIME),
        _Plan("Days to the answer, by law", ("regime",), _TIME, total=False),
        _Plan("Days to the answer, by month of the answer", ("month",), _TIME, total=False),
        _Plan("Answered within", ("days",), ("answered_within",), total=False),
        _Plan("Extended, by type", ("type",), ("answered", "extended", "extended_percent")),
        _Plan("Extensions, by reason", ("reason",), ("extensions",), total=False),
        _Plan("Days on which the clock stood still", ("reason",), ("paused_days",)),
    ),
    "refusals": (
        _Plan("How requests were met, by type", ("type",), ("whole", "partial", "refused")),
        _Plan("Refused, by ground", ("ground",), ("refused",), total=False),
        _Plan("Met in part, by ground", ("ground",), ("partial_ground",), total=False),
        _Plan("Withdrawn, by reason", ("reason",), ("withdrawn",)),
    ),
    "holds": (_Plan("Records that are kept, by legal basis", ("basis",), _HELD),),
    "processors": (
        _Plan("Changing calls, by what came of them", ("connection",), ("calls",), across="result"),
        _Plan("Calls repeated", ("connection",), ("calls", "retries")),
        _Plan("Outcomes, by result", ("connection",), ("outcomes",), across="result"),
        _Plan("Verified by reading the vendor", ("connection",), ("outcomes", "records", "verified",
              "verified_percent")),
        _Plan("Failed or unknown, of requests still open", ("connection",), ("unfinished",)),
    ),
    "verification": (
        _Plan("Erased, and read back", ("connection",), ("read_back", "not_read_back")),
        _Plan("People looked up again", (), ("erasures", "rechecked", "rechecked_percent")),
        _Plan("Rechecks, by result", ("result",), ("rechecks",)),
    ),
    "consent": (_Plan("Consent changes at vendors, by purpose and result", ("purpose",), ("consent",),
                      across="result"),
                _Plan("Statements recorded, by where they came from", ("what",), ("consent_statements",)),
                _Plan("Runs, and the time from what was said to the vendor", (), ("consent_runs", "consent_lag_median",
                      "consent_lag_p95", "consent_lag_max")),
                _Plan("Carried on, by result", ("connection",), ("consent_carried",), across="result"),
                _Plan("Compared with what people want, by what was held", ("connection",), ("consent_compared",),
                      across="result")),
    "access": (
        _Plan("Packages", (), ("packages", "package_bytes")),
        _Plan("Kinds of records, by result", ("result",), ("access_outcomes",)),
    ),
    "exceptions": (
        _Plan("Left to a person, or less than done", ("connection",), ("for_a_person",), across="result"),
        _Plan("Counts", (), ("approved_before", "suppressed", "contradicted", "certificates", "canaries")),
        _Plan("Plans approved, by how", ("how",), ("approvals",)),
        _Plan("People looked up without a request, by why", ("why",), ("lookups",)),
        _Plan("Taken off the suppression list, by why", ("why",), ("unsuppressed",)),
        _Plan("Signing keys", ("what",), ("keys",)),
        _Plan("Runs, by how they ended", ("how",), ("runs",)),
        _Plan("Keys destroyed", ("what",), ("destroyed",)),
        _Plan("Canary controls, by verdict", ("connection",), ("canary_controls",), total=False, across="verdict"),
    ),
    "ccpa": (_Plan("Requests, as § 7102 counts them", ("request",), ("ccpa_received", "ccpa_complied", "ccpa_whole",
                   "ccpa_denied", "ccpa_withdrawn", "ccpa_days_median", "ccpa_days_mean"), total=False),
             _Plan("Denied, by ground", ("request", "ground"), ("ccpa_denied",), total=False)),
}  # fmt: skip


def values_of(figures: Figures, dimension: str, families: Iterable[str]) -> list[str]:
    """What the families are cut to, sorted; days in their order."""
    wanted = set(families)
    found = {
        value
        for figure in figures.values()
        if figure.family in wanted
        for name, value in figure.key
        if name == dimension
    }
    if dimension == "days":
        return [name for name, _ in BINS if name in found]
    return sorted(found)


def grids_of(section: str, figures: Figures) -> list[Grid]:
    """The section's tables of figures. One that would be empty is left out, unless its sum says so."""
    grids = (_grid(plan, figures) for plan in _PLANS.get(section, ()))
    return [grid for grid in grids if grid.rows]


def _grid(plan: _Plan, figures: Figures) -> Grid:
    if not plan.by:
        return _listed(plan, figures)
    heads = tuple(_HEADS.get(name, name.capitalize()) for name in plan.by)
    if plan.across:
        (family,) = plan.families
        across = values_of(figures, plan.across, plan.families)
        columns = tuple((value, "") for value in across)
        keys = _keys(plan, figures)
        rows = [
            GridRow(_label(key), tuple(
                figures.get(figure_name(family, (*key, (plan.across, value)))) for value in across
            ))
            for key in keys
        ]  # fmt: skip
        if plan.total and rows:
            total = tuple(figures.get(figure_name(family, ((plan.across, value),))) for value in across)
            rows.append(GridRow(("All",), total, total=True))
        return Grid(plan.caption, heads, columns, tuple(rows) if across else ())
    columns = tuple((FAMILIES[name].title, FAMILIES[name].unit) for name in plan.families)
    rows = [GridRow(_label(key), _row(plan.families, figures, key)) for key in _keys(plan, figures)]
    if plan.total:
        rows.append(GridRow(("All",), _row(plan.families, figures, ()), total=True))
    return Grid(plan.caption, heads, columns, tuple(rows))


def _listed(plan: _Plan, figures: Figures) -> Grid:
    """Figures that are cut to nothing: a row each."""
    rows = tuple(
        GridRow((FAMILIES[name].title,), (figures.get(name),), unit=FAMILIES[name].unit) for name in plan.families
    )
    return Grid(plan.caption, ("Figure",), (("Value", ""),), rows)


def _label(key: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    return tuple(label(name, value) for name, value in key)


def _row(families: Sequence[str], figures: Figures, key: tuple[tuple[str, str], ...]) -> tuple[Figure | None, ...]:
    return tuple(figures.get(figure_name(family, key)) for family in families)


def _keys(plan: _Plan, figures: Figures) -> list[tuple[tuple[str, str], ...]]:
    """What the rows are about."""
    names = (*plan.by, plan.across) if plan.across else plan.by
    found = {
        figure.key[: len(plan.by)]
        for figure in figures.values()
        if plan.by and figure.family in plan.families and tuple(name for name, _ in figure.key) == names
    }
    if plan.by == ("days",):
        order = [name for name, _ in BINS]
        return sorted(found, key=lambda key: order.index(key[0][1]))
    return sorted(found)

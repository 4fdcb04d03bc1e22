"""What the ledger says of a case. Pure: entries in, a view out; nothing about a case is stored anywhere else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from habeas.models import CaseStatus, CaseType, Json, Result
from habeas_audit import Entry

__all__ = ["CASE_ENTRY_TYPES", "CaseView", "OutcomeRow", "exit_code", "view_case"]

WHOLE = "c"
"""Item name of an outcome about a connection as a whole: nothing held, or not searched."""

CASE_ENTRY_TYPES = (
    "case.opened", "plan.made", "case.approved", "case.started", "case.paused", "case.closed", "record.outcome",
)  # fmt: skip


@dataclass(frozen=True)
class OutcomeRow:
    """The latest outcome of one record, as the contract's JSON shows it."""

    connection: str
    plugin: str
    record: str
    item: str
    count: int
    result: Result
    reason: str
    until: str
    evidence: str
    entry: int
    """Sequence number of the ledger entry that says so."""
    purpose: str = ""
    """Which consent it is about, in a consent case."""
    field: str = ""
    """Which field it is about, in a rectification."""

    def to_json(self) -> Json:
        about = {name: value for name, value in (("purpose", self.purpose), ("field", self.field)) if value}
        return {
            "connection": self.connection,
            "plugin": self.plugin,
            "record": self.record,
            **about,
            "count": self.count,
            "result": str(self.result),
            "reason": self.reason or None,
            "until": self.until or None,
            "evidence": self.evidence or None,
            "entry": self.entry,
        }


@dataclass(frozen=True)
class CaseView:
    """A case as its entries tell it."""

    case_id: str
    run_id: str
    """The latest run that worked on it."""
    type: CaseType
    regime: str
    received_at: str
    due_at: str
    policy: str
    policy_digest: str
    opened: int
    """Sequence number of its first entry."""
    status: CaseStatus
    approved: bool
    plan_digest: str
    plan_item: str
    """Name of the plan in the vault."""
    outcomes: tuple[OutcomeRow, ...]
    reason: str = ""

    def final(self, connection: str) -> bool:
        """Whether nothing is left to do at a connection."""
        rows = [row for row in self.outcomes if row.connection == connection]
        return bool(rows) and all(row.result.final for row in rows)


def view_case(entries: Iterable[Entry]) -> CaseView | None:  # noqa: C901 - one arm per entry type
    """The view of one case's entries in order; None where there are none."""
    opened: Entry | None = None
    status = CaseStatus.OPEN
    approved = False
    plan: dict[str, Json] = {}
    reason = ""
    run_id = ""
    rows: dict[tuple[str, str], OutcomeRow] = {}
    for entry in entries:
        run_id = entry.run_id or run_id
        match entry.type:
            case "case.opened":
                opened, approved = entry, bool(entry.data.get("approved"))
            case "plan.made":
                plan = entry.data
                status = status if approved else CaseStatus.WAITING
            case "case.approved":
                approved, status = True, CaseStatus.OPEN
            case "case.started":
                status = CaseStatus.RUNNING
            case "case.paused":
                status = CaseStatus.INCOMPLETE
            case "case.closed":
                status, reason = CaseStatus(entry.data["status"]), entry.data.get("reason", "")
            case "record.outcome":
                row = _row(entry)
                # A later pass may overrule what is not final; what is final stays, with its own entry.
                old = rows.get((row.connection, row.item))
                if old is None or not old.result.final:
                    rows[row.connection, row.item] = row
    if opened is None:
        return None
    data = opened.data
    return CaseView(
        opened.case_id, run_id, CaseType(data["type"]), data["regime"], data["received_at"], data["due_at"],
        data.get("policy", ""), data.get("policy_digest", ""), opened.seq, status, approved,
        plan.get("digest", ""), plan.get("item", ""), _latest(rows), reason,
    )  # fmt: skip


def _latest(rows: dict[tuple[str, str], OutcomeRow]) -> tuple[OutcomeRow, ...]:
    """Once a connection's records are known one by one, what was said of it as a whole no longer counts."""
    detailed = {connection for connection, item in rows if item != WHOLE}
    return tuple(row for (connection, item), row in rows.items() if item != WHOLE or connection not in detailed)


def _row(entry: Entry) -> OutcomeRow:
    data = entry.data
    return OutcomeRow(
        entry.connection, data["plugin"], data["record"], data["item"], data["count"], Result(data["result"]),
        data.get("reason", ""), data.get("until", ""), data.get("evidence", ""), entry.seq,
        data.get("purpose", ""), data.get("field", ""),
    )  # fmt: skip


def exit_code(view: CaseView) -> int:
    """DESIGN's contract: 4 refused or still without a yes, 1 failed, unknown or unfinished, 3 work for a person,
    0 everything done and verified.
    """
    results = {row.result for row in view.outcomes}
    if view.status in (CaseStatus.REFUSED, CaseStatus.CANCELLED, CaseStatus.WAITING):
        return 4
    if results & {Result.FAILED, Result.UNKNOWN} or view.status is not CaseStatus.COMPLETED:
        return 1
    if results & {Result.MANUAL, Result.ACCEPTED, Result.UNSUPPORTED}:
        return 3
    return 0

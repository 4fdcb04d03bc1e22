"""What the ledger says of a case. Pure: entries in, a view out; nothing about a case is stored anywhere else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from habeas.cases.outcomes import outcomes_in
from habeas.models import CaseStatus, CaseType, Json, Result
from habeas_audit import Entry
from habeas_policies import PauseReason

__all__ = ["CASE_ENTRY_TYPES", "CaseView", "OutcomeRow", "exit_code", "plan_item", "view_case"]

WHOLE = "c"
"""Item name of an outcome about a connection as a whole: nothing held, or not searched."""

CASE_ENTRY_TYPES = (
    "case.opened", "plan.made", "case.approved", "case.started", "case.paused", "case.closed", "record.outcome",
    "case.rechecked", "details.destroyed", "case.extended", "case.acknowledged", "case.reopened", "clock.stopped",
    "clock.started", "identity.checked", "hold.placed", "hold.released",
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
    legal_basis: str = ""
    """IRI of the ground on which a policy holds the record; empty where none does."""

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
class Recheck:
    """One look at whether an erased person is still gone."""

    at: str
    """RFC 3339."""
    periods: tuple[str, ...]
    """Which of the policy's periods it was for (``P7D``); empty where somebody asked."""
    back: tuple[str, ...]
    """Connections at which records were found that should be gone."""
    unread: tuple[str, ...]
    """Connections that could not be searched."""


@dataclass(frozen=True)
class Stopped:
    """A time during which the clock stood still."""

    start: str
    """RFC 3339."""
    end: str
    """RFC 3339; empty while it still stands."""
    reason: PauseReason


@dataclass(frozen=True)
class Extended:
    """An extension of the period, as the person was told."""

    told_at: str
    until: str
    """ISO date; empty where it is the longest that the law allows."""
    reason: str


@dataclass(frozen=True)
class Approval:
    """Somebody's yes to a plan."""

    digest: str
    by: str
    """Who, as the run or their key says; empty where the terminal was asked."""
    expires_at: str
    """RFC 3339; empty for one that was carried out at once."""


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
    opened_at: str = ""
    """RFC 3339."""
    closed_at: str = ""
    """RFC 3339; empty while it is open."""
    ground: str = ""
    """The law on which an erasure rests, as its policy cites it."""
    person: tuple[str, ...] = ()
    """Commitments to the person's identifiers, see :mod:`habeas.cases.commitment`."""
    follows: str = ""
    """The case that this one goes on with."""
    rechecks: tuple[Recheck, ...] = ()
    details_destroyed_at: str = ""
    """RFC 3339: when the key to what was asked and planned was destroyed."""
    due_rule: str = ""
    """Which rule and whose holidays ``due_at`` was counted with: ``gdpr/2+DE-BE``."""
    acknowledge_by: str = ""
    """RFC 3339: until when receipt must be confirmed; empty where no law that we read asks for it."""
    acknowledged_at: str = ""
    identity: Literal["", "asked", "verified", "failed"] = ""
    """Whether it is known who asked; empty where nobody asked."""
    extended: Extended | None = None
    """``None``: the period was not extended."""
    pauses: tuple[Stopped, ...] = ()
    approval: Approval | None = None
    """``None``: nobody has said yes, or nobody had to."""
    planned_in: str = ""
    """The run that made the plan."""
    holds: tuple[tuple[str, str], ...] = ()
    """(connection, last day) of what a policy holds and no later case has taken up yet."""
    released: tuple[tuple[str, str], ...] = ()
    """(last day, case) of holds that are over, and the case that erases what they kept."""

    @property
    def stopped(self) -> bool:
        """Whether the clock stands still."""
        return bool(self.pauses) and not self.pauses[-1].end

    @property
    def doubtful(self) -> bool:
        """Whether it is still to be confirmed who asked."""
        return self.identity in ("asked", "failed")

    @property
    def waits_for(self) -> str:
        """What a case cannot be carried out without, in words; empty where there is nothing."""
        if self.doubtful:
            return "it is not confirmed who asked"
        return "" if self.approved else "nobody has approved its plan"

    @property
    def closed(self) -> bool:
        """Whether nothing more will be done."""
        return self.status in (CaseStatus.COMPLETED, CaseStatus.REFUSED, CaseStatus.CANCELLED)

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
    closed_at = destroyed_at = ""
    clock = _Clock()
    rechecks: list[Recheck] = []
    rows: dict[tuple[str, str], OutcomeRow] = {}
    for entry in entries:
        run_id = entry.run_id or run_id
        match entry.type:
            case "case.opened":
                opened, approved = entry, bool(entry.data.get("approved"))
                clock.opened(entry)
                status = CaseStatus.WAITING if clock.identity else CaseStatus.OPEN
            case "plan.made":
                plan = entry.data | {"run": entry.run_id}
                # An approval with an end is one of this very plan: it dies when another takes its place.
                approved = approved and not clock.of_another(plan["digest"])
                status = status if approved else CaseStatus.WAITING
            case "case.approved":
                approved, status = True, CaseStatus.WAITING if clock.doubtful else CaseStatus.OPEN
                clock.approve(entry)
            case "identity.checked":
                clock.identity = entry.data["result"]
                if status in (CaseStatus.OPEN, CaseStatus.WAITING):  # what was begun stays begun
                    waits = clock.doubtful or (plan and not approved)
                    status = CaseStatus.WAITING if waits else CaseStatus.OPEN
            case "case.reopened":
                waits = clock.doubtful or (plan and not approved)
                status, reason, closed_at = CaseStatus.WAITING if waits else CaseStatus.OPEN, "", ""
            case "case.started":
                status = CaseStatus.RUNNING
            case "case.paused":
                status = CaseStatus.INCOMPLETE
            case "case.closed":
                status, reason = CaseStatus(entry.data["status"]), entry.data.get("reason", "")
                closed_at = entry.at
            case "case.rechecked":
                rechecks.append(_recheck(entry))
            case "details.destroyed":
                destroyed_at = entry.at
            case "case.extended" | "case.acknowledged" | "clock.stopped" | "clock.started":
                clock.take(entry)
            case "hold.placed" | "hold.released":
                clock.hold(entry)
            case "record.outcome":
                for row in _rows(entry):
                    # A later pass may overrule what is not final; what is final stays, with its own entry.
                    old = rows.get((row.connection, row.item))
                    if old is None or not old.result.final:
                        rows[row.connection, row.item] = row
    if opened is None:
        return None
    data = opened.data
    return CaseView(
        opened.case_id, run_id, CaseType(data["type"]), data["regime"], data["received_at"], clock.due_at,
        data.get("policy", ""), data.get("policy_digest", ""), opened.seq, status, approved,
        plan.get("digest", ""), plan_item(plan["digest"]) if plan else "", _latest(rows), reason, opened.at, closed_at,
        plan.get("ground", ""), tuple(data.get("person", ())), data.get("follows", ""), tuple(rechecks), destroyed_at,
        data.get("due_rule", ""), data.get("acknowledge_by", ""), clock.acknowledged_at, clock.identity,
        clock.extended, tuple(clock.pauses), clock.approval, plan.get("run", ""), tuple(clock.holds),
        tuple(clock.released),
    )  # fmt: skip


class _Clock:
    """What entries say of a case's time, and of who has to agree."""

    def __init__(self) -> None:
        self.due_at = self.acknowledged_at = ""
        self.identity: Literal["", "asked", "verified", "failed"] = ""
        self.extended: Extended | None = None
        self.pauses: list[Stopped] = []
        self.approval: Approval | None = None
        self.holds: list[tuple[str, str]] = []
        self.released: list[tuple[str, str]] = []

    @property
    def doubtful(self) -> bool:
        return self.identity in ("asked", "failed")

    def opened(self, entry: Entry) -> None:
        self.due_at = entry.data["due_at"]
        self.identity = "asked" if entry.data.get("identity") else ""

    def approve(self, entry: Entry) -> None:
        data = entry.data
        self.approval = Approval(data["digest"], data.get("by", ""), data.get("expires_at", ""))

    def of_another(self, digest: str) -> bool:
        return self.approval is not None and bool(self.approval.expires_at) and self.approval.digest != digest

    def take(self, entry: Entry) -> None:
        data = entry.data
        self.due_at = data.get("due_at", self.due_at)
        match entry.type:
            case "case.extended":
                self.extended = Extended(data["told_at"], data.get("until", ""), data["reason"])
            case "case.acknowledged":
                self.acknowledged_at = data["at"]
            case "clock.stopped":
                self.pauses.append(Stopped(data["at"], "", data["reason"]))
            case _:
                self.pauses[-1] = replace(self.pauses[-1], end=data["at"])

    def hold(self, entry: Entry) -> None:
        if entry.type == "hold.placed":
            self.holds.append((entry.connection, entry.data["until"]))
        else:
            self.holds = [held for held in self.holds if held[1] > entry.data["until"]]
            self.released.append((entry.data["until"], entry.data["case"]))


def plan_item(digest: str) -> str:
    """The name of a plan in the vault. Each has its own: a crash between vault and ledger cannot leave the ledger with
    the content of another.
    """
    return f"plan/{digest[-16:]}"


def _latest(rows: dict[tuple[str, str], OutcomeRow]) -> tuple[OutcomeRow, ...]:
    """Once a connection's records are known one by one, what was said of it as a whole no longer counts."""
    detailed = {connection for connection, item in rows if item != WHOLE}
    return tuple(row for (connection, item), row in rows.items() if item != WHOLE or connection not in detailed)


def _rows(entry: Entry) -> Iterator[OutcomeRow]:
    for data in outcomes_in(entry.data):
        yield OutcomeRow(
            entry.connection, data["plugin"], data["record"], data["item"], data["count"], Result(data["result"]),
            data.get("reason", ""), data.get("until", ""), data.get("evidence", ""), entry.seq,
            data.get("purpose", ""), data.get("field", ""), data.get("legal_basis", ""),
        )  # fmt: skip


def _recheck(entry: Entry) -> Recheck:
    data = entry.data
    found = data["connections"]
    return Recheck(
        entry.at, tuple(data["periods"]),
        tuple(name for name, one in found.items() if one.get("back")),
        tuple(name for name, one in found.items() if "problem" in one),
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

"""What a pass over a case works with, and how it speaks to several connections side by side."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from habeas.cases.keys import KeyStore
from habeas.cases.register import Register
from habeas.cases.suppression import SuppressionList
from habeas.cases.vault import Vault
from habeas.cases.view import CaseView
from habeas.clock import Clock
from habeas.config import ApprovalConfig, Controller
from habeas.control import RunControl
from habeas.engine.events import Event
from habeas.engine.journal import CaseJournal, close_holes
from habeas.engine.links import Link
from habeas.engine.schema import FieldMemory
from habeas.errors import OutcomeUnknown, PluginFault, RunEnded, Suppressed, VendorError
from habeas.home import Home
from habeas.models import CaseStatus, Inventory, Json, Result, Subject
from habeas.registry import Registry
from habeas_audit import Draft, Ledger
from habeas_policies import Policy

__all__ = [
    "ConnectionTrouble",
    "Row",
    "Run",
    "Tools",
    "asked",
    "attempt",
    "begin",
    "close_case",
    "conclude",
    "counted",
    "journal_for",
    "refuse_suppressed",
    "search",
    "side_by_side",
    "suppress",
    "unconfigured",
    "write_rows",
]

T = TypeVar("T")

_GRACE_SECONDS = 2.0
"""How much longer than its run a connection's thread is waited for, before it is left behind."""


@dataclass(frozen=True)
class Tools:
    """Everything that outlives a run."""

    home: Home
    ledger: Ledger
    vault: Vault
    keys: KeyStore
    register: Register
    registry: Registry
    links: dict[str, Link]
    policy: Callable[[str], Policy]
    clock: Clock
    controller: Controller
    fields: FieldMemory
    suppression: SuppressionList
    approvals: ApprovalConfig = field(default_factory=ApprovalConfig)

    def local_date(self, at: datetime) -> date:
        """The day it is at the controller's seat."""
        return at.astimezone(ZoneInfo(self.controller.timezone)).date()


@dataclass(frozen=True)
class Run:
    """One run: its name in the ledger, who started it, its reins, and who listens."""

    run_id: str
    actor: str
    control: RunControl
    emit: Callable[[Event], None]


@dataclass(frozen=True)
class ConnectionTrouble:
    """Why one connection could not be finished. ``result`` is ``failed`` or ``unknown``."""

    result: Result
    text: str


def attempt(task: Callable[[], T]) -> T | ConnectionTrouble:
    """Keeps one connection's trouble with that connection. What concerns the whole run passes through."""
    try:
        return task()
    except OutcomeUnknown as error:
        return ConnectionTrouble(Result.UNKNOWN, error.line())
    except (VendorError, PluginFault, RunEnded, Suppressed) as error:
        return ConnectionTrouble(Result.FAILED, error.line())


def side_by_side(links: Iterable[Link], task: Callable[[Link], T], control: RunControl) -> list[T | ConnectionTrouble]:
    """One task per connection, each on that connection's own threads. Results in the order of ``links``.

    A task that does not come back when the run is over is left behind: the run is ended, so that it can send nothing
    more, and its connection counts as unknown.
    """
    futures = [link.crew.submit(lambda link=link: attempt(lambda: task(link))) for link in links]  # type: ignore[misc]
    return [_result(future, control) for future in futures]


def _result(future: concurrent.futures.Future[T | ConnectionTrouble], control: RunControl) -> T | ConnectionTrouble:
    remaining = control.remaining()
    try:
        # Counted from the run's end, not from now: several that hang share one grace.
        return future.result(None if remaining == float("inf") else max(0.0, remaining + _GRACE_SECONDS))
    except concurrent.futures.TimeoutError:
        control.stop()
        return ConnectionTrouble(Result.UNKNOWN, "it did not come back in time; go on with `habeas resume`")


def search(tools: Tools, run: Run, link: Link, subject: Subject) -> Inventory:
    """What one connection holds about somebody. New names of fields are remembered. Reads only."""
    inventory = tools.registry.inventory(link.info.name, link.connection(run.control), subject)
    tools.fields.note(run.run_id, link, subject, inventory)
    return inventory


def counted(inventory: Inventory) -> dict[str, int]:
    """Record kind → how many, in the order found."""
    counts: dict[str, int] = {}
    for record in inventory.records:
        counts[record.kind] = counts.get(record.kind, 0) + record.count
    return counts


# -- outcomes into the ledger -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One outcome on its way into the ledger."""

    record: str
    item: str
    count: int
    result: Result
    reason: str = ""
    until: str = ""
    evidence: str = ""
    purpose: str = ""
    field: str = ""
    legal_basis: str = ""
    """Of a policy's hold."""

    def data(self, plugin: str) -> dict[str, Json]:
        """The entry's data; what is empty is left out."""
        data: dict[str, Json] = {
            "plugin": plugin,
            "record": self.record,
            "item": self.item,
            "count": self.count,
            "result": str(self.result),
        }
        optional = {
            "reason": self.reason,
            "until": self.until,
            "evidence": self.evidence,
            "purpose": self.purpose,
            "field": self.field,
            "legal_basis": self.legal_basis,
        }
        return data | {name: value for name, value in optional.items() if value}


def write_rows(
    tools: Tools, run: Run, view: CaseView, connection: str, plugin: str, rows: Sequence[Row]
) -> dict[Result, int]:
    """Writes outcomes together. One that is final already stays as it is: a record has one final outcome.

    Returns how many of each result this connection now has.
    """
    final = {r.item for r in view.outcomes if r.connection == connection and r.result.final}
    drafts = [
        Draft("record.outcome", view.case_id, run.run_id, connection, "", row.data(plugin))
        for row in rows
        if row.item not in final
    ]
    # A hold is queued as it is placed: `habeas resume` erases what it keeps when its time is over.
    drafts += [
        Draft("hold.placed", view.case_id, run.run_id, connection, "", {"record": row.record, "until": row.until[:10]})
        for row in rows
        if row.item not in final and row.result is Result.RETAINED and row.legal_basis and row.until
    ]
    if drafts:
        tools.ledger.append(*drafts)
    counts: dict[Result, int] = {}
    for row in rows:
        counts[row.result] = counts.get(row.result, 0) + 1
    return counts


def begin(tools: Tools, run: Run, case_id: str) -> CaseView:
    """Starts a pass that may change something: calls of an earlier one that have no outcome get theirs."""
    tools.ledger.append(Draft("case.started", case_id, run.run_id))
    close_holes(tools.ledger, tools.ledger.entries(case_id=case_id), run.run_id)
    return tools.register.view(case_id)


def close_case(tools: Tools, run: Run, case_id: str, status: CaseStatus, reason: str = "") -> None:
    """Writes how a case has ended."""
    data = {"status": str(status)} | ({"reason": reason} if reason else {})
    tools.ledger.append(Draft("case.closed", case_id, run.run_id, "", "", data))


def asked(links: Iterable[Link]) -> dict[str, dict[str, Json]]:
    """What a request keeps of the connections it asks, for a pass that no longer finds them or their plugins."""
    return {link.name: {"plugin": link.info.name, "record": link.info.main_kind} for link in links}


def conclude(tools: Tools, run: Run, case_id: str, connections: Iterable[str]) -> CaseView:
    """Closes the case where every connection has its final outcomes; pauses it otherwise."""
    view = tools.register.view(case_id)
    if all(view.final(name) for name in connections):
        close_case(tools, run, case_id, CaseStatus.COMPLETED)
        return replace(view, status=CaseStatus.COMPLETED)
    tools.ledger.append(Draft("case.paused", case_id, run.run_id))
    return replace(view, status=CaseStatus.INCOMPLETE)


def journal_for(
    tools: Tools, run: Run, case_id: str, connection: str, *, writes_about: Subject | None = None
) -> CaseJournal:
    """The journal of a case at one connection, with what earlier passes wrote.

    ``writes_about``: the person whose data the calls write; each is then held against the suppression list first.
    """

    def guard() -> None:
        if writes_about is not None:
            refuse_suppressed(tools, writes_about)

    return CaseJournal(
        tools.ledger, tools.keys, run.control, case_id=case_id, run_id=run.run_id, connection=connection,
        earlier=tools.ledger.entries(case_id=case_id, types=["call.intent"]), guard=guard,
    )  # fmt: skip


def refuse_suppressed(tools: Tools, subject: Subject) -> None:
    """Raises :class:`Suppressed` for somebody who has been erased: a vendor would create them anew on write."""
    found = tools.suppression.find(subject)
    if found is not None:
        day = tools.local_date(datetime.fromisoformat(found.since)).isoformat()
        raise Suppressed(
            f"the person was erased in case {found.case_id} on {day}, and is on the suppression list",
            advice="`habeas suppression lift` takes them off it",
        )


def suppress(tools: Tools, run: Run, case_id: str, subject: Subject) -> None:
    """Puts an erased person on the suppression list, and writes that it was done; the second time it does nothing."""
    tools.suppression.add(case_id, subject, tools.clock.now())
    # Asked of the ledger, not of the list: a process may have died between the two.
    last = tools.ledger.last(case_id, ["suppression.added", "suppression.lifted"])
    if last is None or last.type != "suppression.added":
        data = {"identifiers": len(subject.identifiers)}
        tools.ledger.append(Draft("suppression.added", case_id, run.run_id, "", "", data))


def unconfigured(connection: str) -> VendorError:
    """A connection that a plan names and the configuration no longer has."""
    return VendorError(f"{connection} is no longer configured", advice="configure it again, then `habeas resume`")

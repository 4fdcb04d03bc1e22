"""What a pass over a case works with, and how it speaks to several connections side by side."""

from __future__ import annotations

import concurrent.futures
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Generic, TypeVar
from zoneinfo import ZoneInfo

from habeas.cases.consents import ConsentStore
from habeas.cases.keys import KeyStore
from habeas.cases.outcomes import Row, outcome_data
from habeas.cases.register import Register
from habeas.cases.suppression import SuppressionList
from habeas.cases.vault import Vault
from habeas.cases.view import CaseView
from habeas.clock import Clock
from habeas.config import ApprovalConfig, Controller
from habeas.control import RunControl
from habeas.engine.crew import Crew
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
    "dealt",
    "in_parts",
    "journal_for",
    "outcome_drafts",
    "refuse_suppressed",
    "search",
    "side_by_side",
    "suppress",
    "unconfigured",
    "write_rows",
]

P = TypeVar("P")
T = TypeVar("T")

_GRACE_SECONDS = 2.0
"""How much longer than its run a connection's thread is waited for, before it is left behind."""
_IDLE_SECONDS = 30.0
"""How long a plugin may neither send nor wait for its turn, before its thread is left behind."""
_LOOK_SECONDS = 1.0
"""How often it is looked whether it does."""


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
    consents: ConsentStore | None = None
    """What people want; ``None``: it is not kept."""

    def local_date(self, at: datetime) -> date:
        """The day it is at the controller's seat."""
        try:
            return at.astimezone(ZoneInfo(self.controller.timezone)).date()
        except OverflowError:
            return at.date()  # the calendar's first or last day: a clock that is out of its mind must not end a run


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

    A task that does not come back, when the run is over or while its plugin does nothing for long, is left behind: it
    can send nothing more, and its connection counts as unknown. Where that has happened too often, nothing is begun.
    """
    jobs = [_Job(link.crew, lambda link=link: task(link), control) for link in links]  # type: ignore[misc]
    return [job.result() for job in jobs]


def in_parts(
    parts: Mapping[Link, Sequence[P]], task: Callable[[Link, P], T], control: RunControl
) -> Iterator[tuple[Link, T | ConnectionTrouble]]:
    """Several tasks for each connection, one a part of its work, as :func:`side_by_side`; each result with its link."""
    queues = {link.name: deque(mine) for link, mine in parts.items()}
    tasks = [link for link, mine in parts.items() for _ in mine]
    results = side_by_side(tasks, lambda link: task(link, queues[link.name].popleft()), control)
    return zip(tasks, results, strict=True)


def dealt(everything: Sequence[P], count: int) -> list[Sequence[P]]:
    """So many parts of about the same size."""
    return [everything[n::count] for n in range(count)]


_GO_ON = "go on with `habeas resume`"
_NOT_ASKED = ConnectionTrouble(Result.FAILED, f"its plugin has not come back too often in this run; {_GO_ON}")


class _Job(Generic[T]):
    """A task that one connection's thread does, and whoever waits for it, but not for ever."""

    def __init__(self, crew: Crew, task: Callable[[], T], run: RunControl) -> None:
        self._crew, self._run, self._control = crew, run, run.task()
        self._begun = threading.Event()
        self._future = None if crew.broken else crew.submit(lambda: self._do(task))

    def _do(self, task: Callable[[], T]) -> T | ConnectionTrouble:
        with self._control.doing():
            self._begun.set()
            return attempt(task)

    def result(self) -> T | ConnectionTrouble:
        """What came of it, or why nothing did."""
        while self._future is not None and (why := self._given_up()) == "":
            done, _ = concurrent.futures.wait([self._future], min(_LOOK_SECONDS, self._seconds()))
            if done:
                return self._future.result()
        if self._future is None:
            return _NOT_ASKED
        self._control.stop()
        if self._future.cancel():
            return _NOT_ASKED if self._crew.broken else ConnectionTrouble(Result.FAILED, f"{why}; {_GO_ON}")
        self._crew.give_up()
        return ConnectionTrouble(Result.UNKNOWN, f"{why}; {_GO_ON}")

    def _seconds(self) -> float:
        """Until the run is over, and a grace: counted from its end, so that several that hang share one."""
        return max(0.0, self._run.remaining() + _GRACE_SECONDS)

    def _given_up(self) -> str:
        """Why it is not waited for any longer; empty: it is."""
        if self._seconds() <= 0 and not self._done():
            self._run.stop()
            return "it did not come back in time"
        if not self._begun.is_set():
            return _NOT_ASKED.text if self._crew.broken else ""
        idle = self._patience()
        if self._control.idle() > idle and not self._done():
            return f"its plugin did nothing for {idle:.0f} s and was left behind"
        return ""

    def _patience(self) -> float:
        """Seconds that a plugin may do nothing: of a short run only a part, so that those after it have their turn."""
        return min(_IDLE_SECONDS, max(_IDLE_SECONDS / 6, (self._run.max_seconds or float("inf")) / 3))

    def _done(self) -> bool:
        return self._future is not None and self._future.done()


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


def write_rows(
    tools: Tools, run: Run, view: CaseView, connection: str, plugin: str, rows: Sequence[Row]
) -> dict[Result, int]:
    """Writes outcomes together. One that is final already stays as it is: a record has one final outcome.

    Returns how many of each result this connection now has.
    """
    drafts = outcome_drafts(run, view, connection, plugin, rows)
    if drafts:
        tools.ledger.append(*drafts)
    counts: dict[Result, int] = {}
    for row in rows:
        counts[row.result] = counts.get(row.result, 0) + 1
    return counts


def outcome_drafts(run: Run, view: CaseView, connection: str, plugin: str, rows: Sequence[Row]) -> list[Draft]:
    """The entries that say what became of a connection's records, less what is final already."""
    final = {r.item for r in view.outcomes if r.connection == connection and r.result.final}
    drafts = [
        Draft("record.outcome", view.case_id, run.run_id, connection, "", data)
        for data in outcome_data(plugin, [row for row in rows if row.item not in final])
    ]
    # A hold is queued as it is placed: `habeas resume` erases what it keeps when its time is over.
    drafts += [
        Draft("hold.placed", view.case_id, run.run_id, connection, "", {"record": row.record, "until": row.until[:10]})
        for row in rows
        if row.item not in final and row.result is Result.RETAINED and row.legal_basis and row.until
    ]
    return drafts


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
        tools.ledger, tools.keys, run.control.here, case_id=case_id, run_id=run.run_id, connection=connection,
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
    """Puts an erased person on the suppression list, and writes that it was done; the second time it does nothing.

    What they wanted is forgotten: nothing is wanted for them any more.
    """
    tools.suppression.add(case_id, subject, tools.clock.now())
    if tools.consents is not None:
        tools.consents.remove(subject)
    # Asked of the ledger, not of the list: a process may have died between the two.
    last = tools.ledger.last(case_id, ["suppression.added", "suppression.lifted"])
    if last is None or last.type != "suppression.added":
        data = {"identifiers": len(subject.identifiers)}
        tools.ledger.append(Draft("suppression.added", case_id, run.run_id, "", "", data))


def unconfigured(connection: str) -> VendorError:
    """A connection that a plan names and the configuration no longer has."""
    return VendorError(f"{connection} is no longer configured", advice="configure it again, then `habeas resume`")

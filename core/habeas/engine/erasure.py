"""One erasure: search, plan, ask nobody (the command does), erase, read back, conclude. Safe to repeat at any point."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import datetime

from habeas.cases.outcomes import Row
from habeas.cases.register import Request
from habeas.cases.view import WHOLE, CaseView, plan_item
from habeas.engine.events import ConnectionFinished, ConnectionSearched
from habeas.engine.links import Link
from habeas.engine.plan import ConnectionPlan, Plan, plan_connection
from habeas.engine.tools import (
    ConnectionTrouble,
    Run,
    Tools,
    begin,
    close_case,
    journal_for,
    search,
    side_by_side,
    suppress,
    unconfigured,
    write_rows,
)
from habeas.errors import RefusedError
from habeas.models import Action, CaseStatus, Erasure, Inventory, Json, Outcome, PlanItem, PluginInfo, Result, Subject
from habeas_audit import Draft
from habeas_policies import Policy, PolicyProblem

__all__ = ["ErasurePass", "search_and_plan"]


def search_and_plan(
    tools: Tools, run: Run, case_id: str, subject: Subject, policy: Policy, received_at: str, earlier: Plan | None
) -> Plan:
    """Searches every connection that ``earlier`` has not, and plans what is found. Reads only."""
    received = tools.local_date(datetime.fromisoformat(received_at))
    today = tools.local_date(tools.clock.now())
    parts = _searched(earlier)
    missing = [link for name, link in tools.links.items() if name not in parts]

    def look(link: Link) -> Inventory:
        inventory = search(tools, run, link, subject)
        run.emit(ConnectionSearched(case_id, link.name, sum(r.count for r in inventory.records)))
        return inventory

    for link, found in zip(missing, side_by_side(missing, look, run.control), strict=True):
        if isinstance(found, ConnectionTrouble):
            run.emit(ConnectionSearched(case_id, link.name, 0, found.text))
            parts[link.name] = ConnectionPlan(link.name, link.info.name, problem=found.text)
        else:
            parts[link.name] = plan_connection(
                link.name, link.info, found, policy, received=received, today=today, settings=link.settings
            )
    return _plan_of(tools, policy.name, parts)


def _searched(plan: Plan | None) -> dict[str, ConnectionPlan]:
    return {part.connection: part for part in (plan.connections if plan else ()) if part.searched}


def _plan_of(tools: Tools, policy: str, parts: dict[str, ConnectionPlan]) -> Plan:
    order = {name: n for n, name in enumerate(tools.links)}
    return Plan(policy, tuple(sorted(parts.values(), key=lambda p: order.get(p.connection, len(order)))))


class ErasurePass:
    """One pass over one erasure case. The case's lock is held by the caller."""

    def __init__(self, tools: Tools, run: Run, case_id: str) -> None:
        self._tools, self._run, self.case_id = tools, run, case_id
        self._request: Request | None = None

    @property
    def request(self) -> Request:
        if self._request is None:
            self._request = self._tools.register.request(self.case_id)
        return self._request

    # -- plan -------------------------------------------------------------------------------------------------------

    def prepare(self) -> Plan:
        """Searches what is not yet searched and makes the plan, in the vault and its digest in the ledger."""
        view = self._tools.register.view(self.case_id)
        earlier = self.stored_plan(view)
        if earlier is not None and earlier.complete:
            return earlier
        ground = view.ground
        try:
            policy = self._tools.policy(view.policy)
        except PolicyProblem as problem:
            plan = self._unplanned(view, earlier, problem.line())
        else:
            if policy.digest == view.policy_digest:
                subject, received_at, ground = self.request.subject, view.received_at, policy.default.legal_source
                plan = search_and_plan(self._tools, self._run, self.case_id, subject, policy, received_at, earlier)
            else:
                plan = self._unplanned(view, earlier, f"policy {view.policy} is not what it was; restore it, resume")
        if plan != earlier:
            self._store(plan, ground)
        return plan

    def _unplanned(self, view: CaseView, earlier: Plan | None, problem: str) -> Plan:
        """What was planned under the policy as it was stays; the rest is not planned under another one."""
        parts = {
            name: ConnectionPlan(name, link.info.name, problem=problem) for name, link in self._tools.links.items()
        }
        return _plan_of(self._tools, view.policy, parts | _searched(earlier))

    def stored_plan(self, view: CaseView) -> Plan | None:
        """The plan last made; None where there is none yet."""
        if not view.plan_item:
            return None
        return Plan.from_json(self._tools.vault.get(self.case_id, view.plan_item))

    def _store(self, plan: Plan, ground: str) -> None:
        digest = plan_digest(self._tools, plan)
        sealed = self._tools.vault.put(self.case_id, plan_item(digest), plan.to_json())
        data = {"digest": digest, "sealed": sealed, "records": plan_counts(plan)}
        if ground:
            data["ground"] = ground
        self._tools.ledger.append(Draft("plan.made", self.case_id, self._run.run_id, "", "", data))

    def drifted(self, plan: Plan) -> bool:
        """Whether the vendors hold something else now than was planned; the new plan is stored then, and waits."""
        view = self._tools.register.view(self.case_id)
        try:
            policy = self._tools.policy(view.policy)
            if policy.digest != view.policy_digest:
                raise RefusedError(
                    f"policy {view.policy} is not what it was: nothing was changed",
                    advice="restore it, or cancel the case and plan another",
                )
            subject = self.request.subject
            now = search_and_plan(self._tools, self._run, self.case_id, subject, policy, view.received_at, None)
        except PolicyProblem as problem:
            raise RefusedError(f"{problem}: nothing was changed", advice=problem.advice) from None
        if not now.complete:
            unread = ", ".join(part.connection for part in now.connections if not part.searched)
            raise RefusedError(f"{unread} could not be searched again: nothing was changed", advice="apply it later")
        if plan_digest(self._tools, now) == plan_digest(self._tools, plan) == view.plan_digest:
            return False
        self._store(now, policy.default.legal_source)
        return True

    def too_large(self, plan: Plan) -> str:
        """Why a plan is larger than anything that should be erased without a second look; empty where it is not."""
        most = self._tools.approvals.most_records
        count = sum(i.record.count for part in plan.connections for i in part.items if i.action is Action.ERASE)
        if most is None or count <= most or self._tools.ledger.last(self.case_id, ["call.intent"]) is not None:
            return ""  # what was begun is finished
        return f"{count} records are planned for one person, and {most} are the most that may be: look what was found"

    def refuse(self, reason: str) -> CaseView:
        """Closes the case without having changed anything, because something is not as it must be."""
        return self._close(CaseStatus.REFUSED, reason)

    def approve(self, how: str, **more: Json) -> None:
        """Writes that somebody said yes to the plan as it stands."""
        view = self._tools.register.view(self.case_id)
        data = {"digest": view.plan_digest, "how": how, **more}
        self._tools.ledger.append(Draft("case.approved", self.case_id, self._run.run_id, "", "", data))

    def cancel(self, reason: str) -> CaseView:
        """Closes the case without having changed anything."""
        return self._close(CaseStatus.CANCELLED, reason)

    # -- carry out --------------------------------------------------------------------------------------------------

    def execute(self, plan: Plan) -> CaseView:
        """Carries the plan out, connection groups in order (money last), and concludes."""
        reason = self.too_large(plan)
        if reason:
            return self.refuse(reason)
        view = begin(self._tools, self._run, self.case_id)
        if not plan.all_held():
            # Before anything is sent: what another process writes meanwhile would bring the person back.
            suppress(self._tools, self._run, self.case_id, self.request.subject)
        known = [part for part in plan.connections if part.connection in self._tools.links]
        for part in plan.connections:
            if part.connection not in self._tools.links and not view.final(part.connection):
                # Its plugin may be gone as well: this case's trouble, not that of all others.
                info = self._tools.registry.infos.get(part.plugin)
                kind = info.main_kind if info else part.plugin
                self._write(view, part, _rows_of_trouble(part, kind, unconfigured(part.connection).line()))
        known.sort(key=lambda part: self._tools.links[part.connection].info.erase_order)
        for _, group in itertools.groupby(known, key=lambda p: self._tools.links[p.connection].info.erase_order):
            self._erase_group(view, [part for part in group if not view.final(part.connection)])
        return self._conclude(plan)

    def _erase_group(self, view: CaseView, parts: list[ConnectionPlan]) -> None:
        by_name = {part.connection: part for part in parts}
        links = [self._tools.links[name] for name in by_name]
        results = side_by_side(links, lambda link: self._erase_one(link, by_name[link.name]), self._run.control)
        for link, result in zip(links, results, strict=True):
            part = by_name[link.name]
            rows = _rows_of(part, link.info, result)
            counts = self._write(view, part, rows)
            self._run.emit(ConnectionFinished(self.case_id, link.name, counts))

    def _erase_one(self, link: Link, part: ConnectionPlan) -> tuple[Outcome, ...]:
        if not any(item.action is Action.ERASE for item in part.items):
            return ()
        journal = journal_for(self._tools, self._run, self.case_id, link.name)
        connection = link.connection(self._run.control, journal)
        erasure = Erasure(self.request.subject, part.items, resumed=journal.resumed)
        return self._tools.registry.erase(link.info.name, connection, erasure)

    def _write(self, view: CaseView, part: ConnectionPlan, rows: list[Row]) -> dict[Result, int]:
        return write_rows(self._tools, self._run, view, part.connection, part.plugin, rows)

    # -- conclude ---------------------------------------------------------------------------------------------------

    def _conclude(self, plan: Plan) -> CaseView:
        view = self._tools.register.view(self.case_id)
        if not all(view.final(part.connection) for part in plan.connections):
            self._tools.ledger.append(Draft("case.paused", self.case_id, self._run.run_id))
            return replace(view, status=CaseStatus.INCOMPLETE)
        if plan.all_held():
            return self._close(CaseStatus.REFUSED, "everything held about the person is under a hold")
        return self._close(CaseStatus.COMPLETED, "")

    def _close(self, status: CaseStatus, reason: str) -> CaseView:
        close_case(self._tools, self._run, self.case_id, status, reason)
        return self._tools.register.view(self.case_id)


def plan_digest(tools: Tools, plan: Plan) -> str:
    """Names a plan's content. Keyed, since the content holds ids that could be guessed."""
    import json

    # Without how it was seen, and what stays for a while anyway: both change from day to day, and decide nothing.
    value = plan.to_json()
    for part in value["connections"]:
        del part["evidence"], part["notices"]
    content = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    return "sha256:" + tools.keys.fingerprint(b"plan", content).hex()


def plan_counts(plan: Plan) -> dict[str, dict[str, dict[str, int]]]:
    """Connection → action → kind → how many: what may be said of a plan in the ledger."""
    counts: dict[str, dict[str, dict[str, int]]] = {}
    for part in plan.connections:
        of_part = counts.setdefault(part.connection, {})
        for item in part.items:
            kinds = of_part.setdefault(str(item.action), {})
            kinds[item.record.kind] = kinds.get(item.record.kind, 0) + item.record.count
    return counts


# -- rows -----------------------------------------------------------------------------------------------------------


def _rows_of(part: ConnectionPlan, info: PluginInfo, result: tuple[Outcome, ...] | ConnectionTrouble) -> list[Row]:
    """All outcomes of one connection's part: what the plan decided, what the hook did, what went wrong."""
    if not part.searched:
        return _rows_of_trouble(part, info.main_kind, part.problem)
    if not part.items and not part.gaps:
        return [Row(info.main_kind, WHOLE, 0, Result.ABSENT, evidence=part.evidence)]
    outcomes = {} if isinstance(result, ConnectionTrouble) else {o.index: o for o in result}
    rows = []
    for item in part.items:
        if item.action is not Action.ERASE:
            rows.append(_planned_row(item))
        elif isinstance(result, ConnectionTrouble):
            rows.append(_row(item, result.result, reason=result.text))
        else:
            outcome = outcomes[item.index]
            rows.append(
                _row(item, outcome.result, reason=outcome.reason, until=outcome.until, evidence=outcome.evidence)
            )
    rows += [Row(g.kind, f"g{n}", g.count, g.result, reason=g.reason) for n, g in enumerate(part.gaps)]
    return rows


def _rows_of_trouble(part: ConnectionPlan, main_kind: str, text: str) -> list[Row]:
    items = [item for item in part.items if item.action is Action.ERASE]
    if not items:
        return [Row(main_kind, WHOLE, 0, Result.FAILED, reason=text)]
    return [_row(item, Result.FAILED, reason=text) for item in items]


def _planned_row(item: PlanItem) -> Row:
    result = Result.RETAINED if item.action is Action.RETAIN else Result.MANUAL
    reason = item.reason + (f" (legal basis: {item.legal_basis})" if item.legal_basis else "")
    return replace(_row(item, result, reason=reason, until=item.until), legal_basis=item.legal_basis)


def _row(item: PlanItem, result: Result, *, reason: str = "", until: str = "", evidence: str = "") -> Row:
    return Row(item.record.kind, str(item.index), item.record.count, result, reason, until, evidence)

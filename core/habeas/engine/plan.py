"""Inventory and policy make a plan: one decision per record. Pure: no clock, no network, no storage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from dateutil.relativedelta import relativedelta

from habeas.models import Action, Gap, Inventory, Json, PlanItem, PluginInfo, Record, Result
from habeas_policies import Decision, Facts, Policy

__all__ = ["ConnectionPlan", "Notice", "Plan", "notices_for", "plan_connection", "reason_of"]


@dataclass(frozen=True)
class Notice:
    """Something that stays at a vendor for a while after any erasure."""

    connection: str
    text: str
    until: str
    """ISO date; empty where it has no end we know."""


@dataclass(frozen=True)
class ConnectionPlan:
    """What is to happen at one connection. ``problem`` is set where it could not be searched: nothing is planned."""

    connection: str
    plugin: str
    items: tuple[PlanItem, ...] = ()
    gaps: tuple[Gap, ...] = ()
    notices: tuple[Notice, ...] = ()
    evidence: str = ""
    problem: str = ""

    @property
    def searched(self) -> bool:
        return not self.problem


@dataclass(frozen=True)
class Plan:
    """The whole plan of a case, connections in configured order."""

    policy: str
    connections: tuple[ConnectionPlan, ...]

    def of(self, connection: str) -> ConnectionPlan | None:
        """That connection's part."""
        return next((c for c in self.connections if c.connection == connection), None)

    @property
    def complete(self) -> bool:
        """Whether every connection could be searched."""
        return all(c.searched for c in self.connections)

    @property
    def notices(self) -> tuple[Notice, ...]:
        return tuple(n for c in self.connections for n in c.notices)

    def all_held(self) -> bool:
        """Whether a hold leaves nothing at all to erase, though something is held."""
        items = [i for c in self.connections for i in c.items]
        return bool(items) and all(i.action is Action.RETAIN for i in items)

    def to_json(self) -> Json:
        """For the vault: it holds vendor ids."""
        return {"policy": self.policy, "connections": [_connection_json(c) for c in self.connections]}

    @classmethod
    def from_json(cls, value: Json) -> Plan:
        return cls(value["policy"], tuple(_connection_from(c) for c in value["connections"]))


def plan_connection(
    connection: str, info: PluginInfo, inventory: Inventory, policy: Policy, *, received: date, today: date,
    settings: Mapping[str, Json],
) -> ConnectionPlan:  # fmt: skip
    """One decision for every record found, in the order found.

    A record that erasing another would destroy holds that other one too (``RecordKind.erased_with``). Raises
    :class:`~habeas_policies.PolicyProblem` for a policy that has expired.
    """
    items = []
    for index, record in enumerate(inventory.records):
        facts = Facts(connection, info.name, record.kind, info.kind(record.kind).categories, received)
        ruling = policy.evaluate(facts, today)
        items.append(
            PlanItem(
                index,
                record,
                Action(ruling.action),
                reason=reason_of(ruling),
                legal_basis=ruling.legal_basis,
                until="" if ruling.until is None else ruling.until.isoformat(),
            )
        )
    planned = tuple(_hold_parents(items, info))
    return ConnectionPlan(
        connection,
        info.name,
        planned,
        tuple(gap for gap in inventory.gaps if not gap.standing),
        notices_for(connection, info, today, settings) if any(i.action is Action.ERASE for i in planned) else (),
        inventory.evidence,
    )


def reason_of(ruling: Decision) -> str:
    """Why, on which law, and what a person must do about it."""
    parts = (ruling.reason, ruling.legal_source, ruling.instructions)
    return "; ".join(part.strip().rstrip(".") for part in parts if part.strip())


def _hold_parents(items: list[PlanItem], info: PluginInfo) -> list[PlanItem]:
    """Holds each record whose erasure would destroy one that stays, for as long as the longest of those holds lasts."""
    holding: dict[str, list[PlanItem]] = {}
    for item in items:
        if item.action is not Action.ERASE:
            for kind in _destroyers(item.record.kind, info):
                holding.setdefault(kind, []).append(item)
    return [
        _held(item, max(holding[item.record.kind], key=_strength), info)
        if item.action is Action.ERASE and item.record.kind in holding
        else item
        for item in items
    ]


def _destroyers(kind: str, info: PluginInfo) -> set[str]:
    """All kinds whose erasure destroys one of this kind, directly or through others."""
    found: set[str] = set()
    waiting = [kind]
    while waiting:
        for other in set(info.kind(waiting.pop()).erased_with) - found:
            found.add(other)
            waiting.append(other)
    return found


def _strength(held: PlanItem) -> tuple[bool, bool, str]:
    """A hold is stronger than a question to a person, no end than an end, a later end than an earlier one."""
    return (held.action is Action.RETAIN, not held.until, held.until)


def _held(item: PlanItem, by: PlanItem, info: PluginInfo) -> PlanItem:
    title = info.kind(by.record.kind).title.lower()
    fate = "is kept" if by.action is Action.RETAIN else "waits for a person"
    reason = f"erasing it would destroy the {title} that {fate}: {by.reason}"
    return replace(item, action=by.action, reason=reason, legal_basis=by.legal_basis, until=by.until)


def notices_for(connection: str, info: PluginInfo, today: date, settings: Mapping[str, Json]) -> tuple[Notice, ...]:
    """What stays for a while, with the day on which it ends as far as that is known."""
    notices = []
    for rule in info.notices:
        months, days = rule.months, rule.days
        if rule.setting and rule.setting in settings:
            number = int(settings[rule.setting])
            months, days = (number, 0) if rule.months else (0, number)
        until = (today + relativedelta(months=months, days=days)).isoformat() if months or days else ""
        notices.append(Notice(connection, rule.text, until))
    return tuple(notices)


# -- JSON for the vault -------------------------------------------------------------------------------------------


def _connection_json(plan: ConnectionPlan) -> Json:
    return {
        "connection": plan.connection,
        "plugin": plan.plugin,
        "evidence": plan.evidence,
        "problem": plan.problem,
        "gaps": [[g.kind, str(g.result), g.reason, g.count] for g in plan.gaps],
        "notices": [[n.text, n.until] for n in plan.notices],
        "items": [
            {
                "index": i.index,
                "action": str(i.action),
                "reason": i.reason,
                "legal_basis": i.legal_basis,
                "until": i.until,
                "kind": i.record.kind,
                "count": i.record.count,
                "ids": list(i.record.ids),
                "data": dict(i.record.data),
            }
            for i in plan.items
        ],
    }


def _connection_from(value: Json) -> ConnectionPlan:
    name = value["connection"]
    return ConnectionPlan(
        name,
        value["plugin"],
        tuple(
            PlanItem(
                i["index"],
                Record(i["kind"], i["count"], tuple(i["ids"]), i["data"]),
                Action(i["action"]),
                i["reason"],
                i["legal_basis"],
                i["until"],
            )
            for i in value["items"]
        ),
        tuple(Gap(kind, Result(result), reason, count) for kind, result, reason, count in value["gaps"]),
        tuple(Notice(name, text, until) for text, until in value["notices"]),
        value["evidence"],
        value["problem"],
    )

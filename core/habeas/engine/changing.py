"""One request that changes without erasing: a consent or a rectification. Safe to repeat at any point."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from habeas.cases.register import Request
from habeas.cases.view import WHOLE, CaseView
from habeas.changes import ConsentChange, ConsentState, ConsentUpdate, Correction, Effect, Rectification
from habeas.connection import Connection
from habeas.engine.events import ConnectionFinished
from habeas.engine.links import Link
from habeas.engine.tools import (
    ConnectionTrouble,
    Row,
    Run,
    Tools,
    asked,
    attempt,
    begin,
    close_case,
    conclude,
    journal_for,
    refuse_suppressed,
    side_by_side,
    unconfigured,
    write_rows,
)
from habeas.engine.wanted import confirm, newest, record_case
from habeas.errors import Suppressed
from habeas.models import CaseStatus, CaseType, Field, Json, Result, Subject
from habeas.registry import Registry

__all__ = [
    "ChangePass",
    "Part",
    "consent_details",
    "consent_part",
    "consent_states",
    "links_with_purpose",
    "outcome_rows",
    "rectification_details",
]


def consent_details(
    wanted: Mapping[str, ConsentState], links: Iterable[Link], said_at: Mapping[str, datetime],
    only: Collection[tuple[str, str]] | None = None,
) -> dict[str, Json]:  # fmt: skip
    """What a consent case's request keeps: purpose → state and when it was said, and which connections are asked, with
    their mappings. ``only``: (purpose, connection) that are asked; ``None``: all that have a mapping.
    """
    links = list(links)
    connections = asked(links)
    for link in links:
        connections[link.name]["purposes"] = {
            name: dict(purpose.mapping)
            for name, purpose in link.purposes.items()
            if name in wanted and (only is None or (name, link.name) in only)
        }
    return {
        "consents": {name: str(state) for name, state in wanted.items()},
        "said_at": {name: at.isoformat() for name, at in said_at.items()},
        "connections": connections,
    }


def rectification_details(values: Mapping[Field, str], links: Iterable[Link]) -> dict[str, Json]:
    """What a rectification's request keeps: field → right value, and which connections are asked."""
    corrections = {str(name): value for name, value in values.items()}
    return {"corrections": corrections, "connections": asked(links)}


def links_with_purpose(links: Mapping[str, Link], purposes: Collection[str]) -> list[Link]:
    """The connections that have a mapping for at least one of the purposes: the others are not asked."""
    return [link for link in links.values() if set(purposes) & set(link.purposes)]


_LOST_MAPPING = (
    "the purpose no longer has the mapping that the request was made with; put it back, then `habeas resume`"
)


@dataclass(frozen=True)
class Part:
    """What one connection is asked, and what habeas says itself, without asking it."""

    about: Mapping[int, str]
    """Index → purpose or field."""
    ours: tuple[Effect, ...]
    ask: Callable[[Connection, bool], tuple[Effect, ...]] | None
    update: ConsentUpdate | None = None
    """What is asked, of consents."""
    later: Mapping[int, str] = field(default_factory=dict)
    """Index → what was said after the request, and counts."""


class ChangePass:
    """One pass over one consent or rectification case. The case's lock is held by the caller."""

    def __init__(self, tools: Tools, run: Run, case_id: str) -> None:
        self._tools, self._run, self.case_id = tools, run, case_id
        self._states: Mapping[str, ConsentState] = {}
        """Purpose → what the person wants now."""

    def execute(self) -> CaseView:
        """Changes, reads back, writes the outcomes, concludes."""
        tools = self._tools
        view = begin(tools, self._run, self.case_id)
        request = tools.register.request(self.case_id)
        try:
            refuse_suppressed(tools, request.subject)
        except Suppressed as refusal:
            close_case(tools, self._run, self.case_id, CaseStatus.REFUSED, refusal.line())
            return tools.register.view(self.case_id)
        if view.type is CaseType.CONSENT:
            # Before anything is sent: what was said is kept, and what was said later counts.
            record_case(tools, self._run, view, request)
            self._states = consent_states(tools, request)
        connections: Mapping[str, Json] = request.details["connections"]
        parts: dict[Link, Part] = {}
        for name, kept in connections.items():
            if view.final(name):
                continue
            part = attempt(lambda name=name: self._part(view, request, name))  # type: ignore[misc] # bound at once
            if isinstance(part, ConnectionTrouble):
                self._trouble(view, name, kept, part)
            else:
                parts[tools.links[name]] = part
        results = side_by_side(parts, lambda link: self._one(link, parts[link], request.subject), self._run.control)
        for (link, part), result in zip(parts.items(), results, strict=True):
            if isinstance(result, ConnectionTrouble):
                self._trouble(view, link.name, connections[link.name], result)
            else:
                rows = outcome_rows(part, view, link, result)
                # Before the ledger: a case whose outcome is not written is taken up again, and confirms again.
                confirm(tools, request.subject, link.name, self._states, [(row.purpose, row.result) for row in rows])
                self._tell(link.name, write_rows(tools, self._run, view, link.name, link.info.name, rows))
        return conclude(tools, self._run, self.case_id, connections)

    def _part(self, view: CaseView, request: Request, name: str) -> Part:
        if name not in self._tools.links:
            raise unconfigured(name)
        link, registry = self._tools.links[name], self._tools.registry
        if view.type is CaseType.CONSENT:
            return consent_part(request, link, registry, self._states)
        return _rectification_part(request, link, registry)

    def _trouble(self, view: CaseView, name: str, kept: Json, trouble: ConnectionTrouble) -> None:
        row = Row(kept["record"], WHOLE, 0, trouble.result, reason=trouble.text)
        self._tell(name, write_rows(self._tools, self._run, view, name, kept["plugin"], [row]))

    def _tell(self, name: str, counts: Mapping[Result, int]) -> None:
        self._run.emit(ConnectionFinished(self.case_id, name, counts))

    def _one(self, link: Link, part: Part, subject: Subject) -> tuple[Effect, ...]:
        if part.ask is None:
            return part.ours
        journal = journal_for(self._tools, self._run, self.case_id, link.name, writes_about=subject)
        together = self._tools.consents is not None and self._tools.consents.due.sent(self.case_id, link.name)
        resumed = journal.resumed or together
        return part.ours + part.ask(link.connection(self._run.control, journal), resumed)


def consent_states(tools: Tools, request: Request) -> Mapping[str, ConsentState]:
    """Purpose → what the person wants now: the request's own state, or what was said later."""
    known = newest(tools, request.subject)
    return {
        name: known[name].state if name in known else ConsentState(state)
        for name, state in request.details["consents"].items()
    }


def consent_part(request: Request, link: Link, registry: Registry, states: Mapping[str, ConsentState]) -> Part:
    """Numbered as in the request: a mapping that comes or goes meanwhile must not make one purpose of another."""
    plugin = link.info.name
    numbers = {name: n for n, name in enumerate(request.details["consents"])}
    kept: Mapping[str, Json] = request.details["connections"][link.name]["purposes"]
    about = {numbers[name]: name for name in kept}
    same = {name for name in kept if name in link.purposes and dict(link.purposes[name].mapping) == kept[name]}
    lost = {numbers[name]: name for name in kept if name not in same}
    ours = tuple(Effect(n, link.info.main_kind, 0, Result.FAILED, "", _LOST_MAPPING) for n in lost)
    changes = tuple(ConsentChange(numbers[name], link.purposes[name], states[name]) for name in kept if name in same)
    if not registry.implements(plugin, "update_consent"):
        reason = f"the plugin for {link.info.title} has no way to change a consent"
        return Part(about, _unsupported(link, about, reason), None)
    if not changes:
        return Part(about, ours, None)
    update = ConsentUpdate(request.subject, changes)
    said: Mapping[str, str] = request.details["consents"]
    later = {numbers[name]: f"said later: {states[name]}" for name in same if said[name] != states[name]}

    def ask(connection: Connection, resumed: bool) -> tuple[Effect, ...]:
        return registry.update_consent(plugin, connection, replace(update, resumed=resumed))

    return Part(about, ours, ask, update, later)


def _rectification_part(request: Request, link: Link, registry: Registry) -> Part:
    plugin = link.info.name
    values = {Field(name): value for name, value in request.details["corrections"].items()}
    all_of_them = tuple(Correction(n, name, value) for n, (name, value) in enumerate(values.items()))
    able = registry.implements(plugin, "rectify")
    corrections = tuple(c for c in all_of_them if able and c.field in link.info.rectifies)
    others = {c.index: str(c.field) for c in all_of_them if c not in corrections}
    ours = _unsupported(link, others, f"the plugin for {link.info.title} has no way to correct this field")
    about = {c.index: str(c.field) for c in all_of_them}
    if not corrections:
        return Part(about, ours, None)

    def ask(connection: Connection, resumed: bool) -> tuple[Effect, ...]:
        return registry.rectify(plugin, connection, Rectification(request.subject, corrections, resumed))

    return Part(about, ours, ask)


def _unsupported(link: Link, about: Mapping[int, str], reason: str) -> tuple[Effect, ...]:
    return tuple(Effect(index, link.info.main_kind, 0, Result.UNSUPPORTED, "", reason) for index in about)


# -- rows -----------------------------------------------------------------------------------------------------------


def outcome_rows(part: Part, view: CaseView, link: Link, effects: Iterable[Effect]) -> list[Row]:
    is_consent = view.type is CaseType.CONSENT
    rows = []
    for effect in effects:
        about = part.about[effect.index]
        rows.append(
            Row(
                effect.record, _item(effect.index, effect.record), effect.count, effect.result, _reason(part, effect),
                effect.until, effect.evidence, purpose=about if is_consent else "", field="" if is_consent else about,
            )
        )  # fmt: skip
    return rows + _superseded(rows, view, link)


def _superseded(rows: Sequence[Row], view: CaseView, link: Link) -> list[Row]:
    """What an earlier pass left open under a kind of record that this pass, which came through whole, does not name."""
    if not all(row.result.final for row in rows):
        return []
    named = {row.item for row in rows}
    old = [row for row in view.outcomes if row.connection == link.name and not row.result.final and row.item != WHOLE]
    evidence = {row.purpose + row.field: row.evidence for row in rows}
    return [
        Row(
            row.record, row.item, 0, Result.ABSENT, "nothing of this kind is left to change",
            evidence=evidence.get(row.purpose + row.field, ""), purpose=row.purpose, field=row.field,
        )
        for row in old
        if row.item not in named
    ]  # fmt: skip


def _reason(part: Part, effect: Effect) -> str:
    return "; ".join(text for text in (effect.reason, part.later.get(effect.index, "")) if text)


def _item(index: int, record: str) -> str:
    return f"{index}.{record}"

"""Consents of many people by few calls, where a plugin offers that. What it leaves is done one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from habeas.cases.consents import Confirmed, Due, DueList
from habeas.cases.view import CaseView
from habeas.changes import ConsentUpdate, Effect
from habeas.engine.changing import Part, consent_part, consent_states, outcome_rows
from habeas.engine.links import Link
from habeas.engine.together import GroupJournal
from habeas.engine.tools import ConnectionTrouble, Row, Run, Tools, dealt, in_parts, outcome_drafts, refuse_suppressed
from habeas.engine.wanted import settled
from habeas.models import CaseStatus, Subject
from habeas_audit import Draft

__all__ = ["Bulk"]

_FEWEST = 2
"""People for whom one call for many is worth it."""
_WORTH = 25
"""People of one such call, before they are spread over a connection's threads."""

Member = tuple[int, Subject, Sequence[Due]]
"""Number, who, and what is due."""


@dataclass(frozen=True)
class _Asked:
    """One case at one connection."""

    view: CaseView
    member: Member
    part: Part


@dataclass
class Bulk:
    """Calls for many, within one run. The cases' locks are held by the caller."""

    tools: Tools
    run: Run
    sample: float
    """Part of the people that is read back."""
    draw: Callable[[], float]

    def carry_out(self, members: Mapping[str, Member]) -> None:
        """Does what can be done for several of these cases at once, and writes what became of them."""
        asked = self._asked(members)
        if not asked:
            return
        self._consents.mark_sent(
            due.key for link, cases in asked.items() for one in cases for due in one.member[2]
            if due.key.connection == link.name
        )  # fmt: skip
        parts = {link: dealt(cases, _how_many(cases, link)) for link, cases in asked.items()}
        done: dict[str, dict[Link, tuple[_Asked, list[Row]]]] = {}
        for link, result in in_parts(parts, self._ask, self.run.control):
            # In trouble: whoever it was about is asked one by one, and read first.
            for one, effects in [] if isinstance(result, ConnectionTrouble) else result:
                if effects:
                    rows = outcome_rows(one.part, one.view, link, effects)
                    done.setdefault(one.view.case_id, {})[link] = one, rows
        self._write(done)

    @property
    def _consents(self) -> DueList:
        assert self.tools.consents is not None  # noqa: S101 - whoever propagates keeps what is wanted
        return self.tools.consents.due

    def _asked(self, members: Mapping[str, Member]) -> dict[Link, list[_Asked]]:
        """Which cases each connection can be asked about together."""
        asked: dict[Link, list[_Asked]] = {}
        able = [x for x in self.tools.links.values() if self.tools.registry.implements(x.info.name, "update_consents")]
        if not able:
            return {}
        for case_id, member in members.items():
            request = self.tools.register.request(case_id)
            states = consent_states(self.tools, request)
            view = self.tools.register.view(case_id)
            for link in able:
                if link.name in request.details["connections"]:
                    part = consent_part(request, link, self.tools.registry, states)
                    if part.update is not None and not part.ours:
                        asked.setdefault(link, []).append(_Asked(view, member, part))
        return {link: cases for link, cases in asked.items() if len(cases) >= _FEWEST}

    def _ask(self, link: Link, cases: Sequence[_Asked]) -> list[tuple[_Asked, tuple[Effect, ...]]]:
        def guard() -> None:
            for one in cases:
                refuse_suppressed(self.tools, one.member[1])

        journal = GroupJournal(
            self.tools.ledger, self.run.control.here, run_id=self.run.run_id, connection=link.name,
            case_ids=[one.view.case_id for one in cases], guard=guard,
        )  # fmt: skip
        updates = [self._update(one.part.update, first=n == 0) for n, one in enumerate(cases) if one.part.update]
        connection = link.connection(self.run.control, journal)
        effects = self.tools.registry.update_consents(link.info.name, connection, tuple(updates))
        return list(zip(cases, effects, strict=True))

    def _update(self, update: ConsentUpdate, *, first: bool) -> ConsentUpdate:
        """The same, with whether it is to be read back: always at least one of those asked together."""
        return replace(update, read_back=first or self.sample >= 1 or self.draw() < self.sample)

    def _write(self, done: Mapping[str, Mapping[Link, tuple[_Asked, Sequence[Row]]]]) -> None:
        """All outcomes in one commit; cases of which nothing is left to do are closed with them."""
        drafts: list[Draft] = []
        seen: list[Confirmed] = []
        now = self.tools.clock.now()
        for case_id, by_link in done.items():
            left: set[str] = set()
            for link, (one, rows) in by_link.items():
                drafts += outcome_drafts(self.run, one.view, link.name, link.info.name, rows)
                states = {c.purpose.name: c.state for c in one.part.update.changes} if one.part.update else {}
                seen += settled(one.member[0], link.name, states, [(row.purpose, row.result) for row in rows], now)
                left |= {due.key.connection for due in one.member[2]}
            left -= {link.name for link in by_link}
            if not left and all(row.result.final for _, rows in by_link.values() for row in rows):
                data = {"status": str(CaseStatus.COMPLETED)}
                drafts.append(Draft("case.closed", case_id, self.run.run_id, "", "", data))
        if drafts:
            # In this order: a case whose outcome is not written is taken up again, and confirms again.
            self._consents.confirm(seen)
            self.tools.ledger.append(*drafts)


def _how_many(cases: Sequence[_Asked], link: Link) -> int:
    """As many parts as a connection has threads, but none so small that it is not worth it."""
    return max(1, min(link.limits.concurrency, -(-len(cases) // _WORTH)))

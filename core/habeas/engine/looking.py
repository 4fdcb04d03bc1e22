"""Reading what connections hold about many people: several at a time, each connection on its own threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from habeas.changes import HeldConsent, HeldState
from habeas.engine.links import Link
from habeas.engine.tools import ConnectionTrouble, Run, Tools, attempt, dealt, in_parts
from habeas.models import Subject

__all__ = ["Asked", "Looked", "Looker"]

_ENOUGH = 3
"""Reads that fail in a row, after which a thread leaves the rest of its people for later."""

Asked = Mapping[int, Sequence[str]]
"""Person → purposes."""
Looked = dict[int, tuple[HeldConsent, ...]]
"""Person → what one connection holds about each purpose that was asked for; whoever could not be read is left out."""


class Looker:
    """Reads, within one run. A connection that answers for nobody is not asked again."""

    def __init__(self, tools: Tools, run: Run, over: Callable[[], bool]) -> None:
        """``over``: whether nobody new is to be asked for."""
        self._tools, self._run, self._over = tools, run, over
        self.down: set[str] = set()
        """Connections that answer for nobody."""

    def look(self, subjects: Mapping[int, Subject], asked: Mapping[Link, Asked]) -> dict[Link, Looked]:
        """What each connection holds about these people."""
        asked = {link: people for link, people in asked.items() if people and link.name not in self.down}
        parts = {x: dealt(list(people), min(x.limits.concurrency, len(people))) for x, people in asked.items()}

        def look(link: Link, persons: Sequence[int]) -> Looked:
            return self._look_at(link, persons, subjects, asked[link])

        found: dict[Link, Looked] = {link: {} for link in asked}
        for link, result in in_parts(parts, look, self._run.control):
            if not isinstance(result, ConnectionTrouble):
                found[link].update(result)
        if not self._over():
            # One or two may be people whom this vendor cannot answer for, whoever asks.
            self.down |= {x.name for x, looked in found.items() if not looked and len(asked[x]) >= _ENOUGH}
        return found

    def _look_at(self, link: Link, persons: Sequence[int], subjects: Mapping[int, Subject], asked: Asked) -> Looked:
        looked: Looked = {}
        failed = 0
        for person in persons:
            if failed >= _ENOUGH or self._over():
                break
            held = attempt(lambda person=person: self._held(link, subjects[person], asked[person]))  # type: ignore[misc]
            if isinstance(held, ConnectionTrouble):
                failed += 1
            else:
                looked[person], failed = held, 0
        return looked

    def _held(self, link: Link, subject: Subject, purposes: Sequence[str]) -> tuple[HeldConsent, ...]:
        mapped = tuple(link.purposes[name] for name in purposes)
        if not self._tools.registry.implements(link.info.name, "read_consent"):
            return tuple(HeldConsent(purpose.name, HeldState.UNREADABLE) for purpose in mapped)
        connection = link.connection(self._run.control)
        return self._tools.registry.read_consent(link.info.name, connection, subject, mapped)

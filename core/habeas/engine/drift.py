"""What vendors hold against what people want, over everybody whose wishes are known. Reads only."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from habeas.cases.consents import ConsentStore, Key, Wanted
from habeas.changes import ConsentState, HeldConsent, HeldState
from habeas.engine.links import Link
from habeas.engine.looking import Looker
from habeas.engine.tools import Run, Tools
from habeas.models import Json, Subject

__all__ = ["Drift"]

_TOGETHER = 1000
Part = dict[int, tuple[Subject, dict[str, Wanted]]]

_SAID = {
    HeldState.GRANTED: "granted_there", HeldState.WITHDRAWN: "withdrawn_there", HeldState.UNSET: "unset_there",
    HeldState.MIXED: "mixed_there", HeldState.ABSENT: "absent", HeldState.UNREADABLE: "unreadable",
}  # fmt: skip
"""What is counted where a connection does not hold what is wanted."""
_DRIFTED = ("granted_there", "withdrawn_there", "unset_there", "mixed_there")


@dataclass
class Drift:
    """One look at everybody, or at a sample of them."""

    tools: Tools
    run: Run
    sample: int | None = None
    """How many people, drawn at random; ``None``: everybody."""
    draw: Callable[[list[int], int], list[int]] = random.sample
    advance: Callable[[int], None] = lambda _: None
    people: int = 0
    """Who was looked at."""
    found: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """(connection, purpose, what) → how many."""

    def __post_init__(self) -> None:
        assert self.tools.consents is not None  # noqa: S101 - whoever compares keeps what is wanted
        self.store: ConsentStore = self.tools.consents
        self._looker = Looker(self.tools, self.run, self.run.control.stopped.is_set)

    def look(self, wrong: Callable[[list[tuple[Key, ConsentState]]], object] = lambda _: None) -> None:
        """Compares. ``wrong`` is told where something else is held than is wanted, a part of the people at a time."""
        for everybody in self._parts():
            part = {
                person: (subject, wanted)
                for person, (subject, wanted) in everybody.items()
                if self.tools.suppression.find(subject) is None
            }
            self.people += len(part)
            wrong(self._compare(part))
            self.advance(len(part))
            if self.run.control.stopped.is_set():
                return

    @property
    def drifted(self) -> int:
        """How many times something else is held than is wanted."""
        return sum(count for (_, _, what), count in self.found.items() if what in _DRIFTED)

    @property
    def unreachable(self) -> int:
        """How many times it could not be read."""
        return sum(count for (_, _, what), count in self.found.items() if what == "unreachable")

    def to_json(self) -> dict[str, Json]:
        """All counts."""
        connections: dict[str, dict[str, dict[str, int]]] = {}
        for (connection, purpose, what), count in sorted(self.found.items()):
            connections.setdefault(connection, {}).setdefault(purpose, {})[what] = count
        return {
            "people": self.people, "drifted": self.drifted, "unreachable": self.unreachable,
            "connections": connections,
        }  # fmt: skip

    def _parts(self) -> Iterator[Part]:
        if self.sample is None:
            yield from self.store.everybody(_TOGETHER)
            return
        numbers = self.store.numbers()
        chosen = sorted(self.draw(numbers, min(self.sample, len(numbers))))
        for low in range(0, len(chosen), _TOGETHER):
            yield self.store.some(chosen[low : low + _TOGETHER])

    def _compare(self, part: Part) -> list[tuple[Key, ConsentState]]:
        asked: dict[Link, dict[int, list[str]]] = {
            link: {
                person: purposes
                for person, (_, wanted) in part.items()
                if (purposes := [name for name in wanted if name in link.purposes])
            }
            for link in self.tools.links.values()
            if link.info.holds_consents
        }
        looked = self._looker.look({person: subject for person, (subject, _) in part.items()}, asked)
        wrong: list[tuple[Key, ConsentState]] = []
        for link, people in asked.items():
            for person, purposes in people.items():
                held = looked.get(link, {}).get(person)
                if held is None:
                    self.found.update((link.name, purpose, "unreachable") for purpose in purposes)
                else:
                    wrong += self._judge(link, person, part[person][1], held)
        return wrong

    def _judge(
        self, link: Link, person: int, wanted: Mapping[str, Wanted], held: tuple[HeldConsent, ...]
    ) -> Iterator[tuple[Key, ConsentState]]:
        for one in held:
            state = wanted[one.purpose].state
            what = "as_wanted" if str(one.state) == str(state) else _SAID[one.state]
            self.found[link.name, one.purpose, what] += 1
            if what in _DRIFTED:
                yield Key(person, one.purpose, link.name), state

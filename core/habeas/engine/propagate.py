"""Makes every connection hold what people want: looks first, opens a case for whoever needs something sent.

Who is as wanted, or is not there, costs one read and no case. Withdrawals come before consents given. What cannot be
reached stays on the list of what is due, and the next run or `habeas resume` goes on with it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from habeas.cases.consents import Confirmed, ConsentStore, Due
from habeas.cases.locks import CaseLocks
from habeas.cases.register import NewCase
from habeas.changes import ConsentState, HeldConsent, HeldState
from habeas.engine.bulk import Bulk
from habeas.engine.changing import consent_details
from habeas.engine.links import Link
from habeas.engine.looking import Looker
from habeas.engine.schedule import Schedule
from habeas.engine.tally import Tally
from habeas.engine.together import close_group_holes
from habeas.engine.tools import Run, Tools
from habeas.engine.wanted import mappings_of, tell
from habeas.models import Json, Result, Subject

__all__ = ["Propagation"]

_TOGETHER = 1000
"""People that are looked at, and whose cases are opened, in one step."""


@dataclass
class Propagation:
    """One run over all that is due. The home's lock for it is held by the caller."""

    tools: Tools
    run: Run
    locks: CaseLocks
    new_case: Callable[[Subject, Mapping[str, Json]], NewCase]
    schedule: Schedule
    sample: float = 1.0
    """Part of the people changed by a call for many that are read back: 1 is everybody."""
    draw: Callable[[], float] = random.random
    advance: Callable[[int], None] = lambda _: None
    """Told of people who are done with without a case."""

    def __post_init__(self) -> None:
        assert self.tools.consents is not None  # noqa: S101 - whoever propagates keeps what is wanted
        self.store: ConsentStore = self.tools.consents
        self.tally = Tally()
        self._looker = Looker(self.tools, self.run, self._over)
        self._bulk = Bulk(self.tools, self.run, self.sample, self.draw)
        implements = self.tools.registry.implements
        self._unable = frozenset(
            name
            for name, link in self.tools.links.items()
            if not (link.info.holds_consents and implements(link.info.name, "update_consent"))
        )

    def prepare(self) -> None:
        """What an interrupted run left is put in order, and mappings that changed are taken in. Sends nothing."""
        tell(self.tools)
        close_group_holes(self.tools.ledger, self.run.run_id)
        self.store.due.remap(mappings_of(self.tools.links))

    def cases(self, *, open_ones: bool = True) -> Iterator[str]:
        """Looks, opens, and yields the cases to be worked on, those first that are open already. Lazy.

        A case that one call for many has finished is yielded too: it is closed, and only to be told.
        """
        self.store.due.seen = self.tally.add
        earlier = self._open_cases()
        if open_ones:
            yield from earlier
        else:
            self.schedule.wait_until_idle()  # those cases are in other hands: they say first what they take care of
        for state in (ConsentState.WITHDRAWN, ConsentState.GRANTED):
            after = 0
            while not self._over() and (found := self.store.due.people(state, after, _TOGETHER, self._looker.down)):
                after = found[-1]
                yield from self._some(found)
            self.schedule.wait_until_idle()  # nothing is given before all is withdrawn

    def summary(self) -> dict[str, Json]:
        """What has become of it so far; what is still due is ``unreachable``."""
        return self.tally.to_json(self.store.due.left())

    def _over(self) -> bool:
        return self.schedule.over

    def _open_cases(self) -> list[str]:
        """Cases of an earlier run that are open; what others left undone is anybody's again."""
        names = self.store.due.cases()
        is_open = []
        for name in names:
            last = self.tools.ledger.last(name, ["case.opened", "case.closed", "case.reopened"])
            if last is not None and last.type != "case.closed":
                is_open.append(name)
        self.store.due.release(set(names) - set(is_open))
        return is_open

    def _some(self, persons: Sequence[int]) -> list[str]:
        due = self.store.due.of(persons)
        subjects = self._not_erased(self.store.due.subjects(persons))
        due = self._possible({person: rows for person, rows in due.items() if person in subjects and rows})
        acting = {p: [d for d in rows if d.otherwise or d.sent] for p, rows in due.items()}
        asking = {p: [d for d in rows if d not in acting[p] and self._reaches(d)] for p, rows in due.items()}
        for person, rows in self._look(subjects, asking).items():
            acting[person] += rows
        acting = {person: rows for person, rows in acting.items() if rows}
        self.advance(len(persons) - len(acting))
        return self._begin(subjects, acting) if acting and not self._over() else []

    def _possible(self, due: Mapping[int, Sequence[Due]]) -> dict[int, list[Due]]:
        """Without what no vendor could ever hold: that is told in the summary, and nobody needs a case for it."""
        now = self.tools.clock.now()
        self.store.due.confirm(
            [
                Confirmed(one.key, one.state, Result.UNSUPPORTED, now)
                for rows in due.values()
                for one in rows
                if one.key.connection in self._unable
            ]
        )
        return {person: [one for one in rows if one.key.connection not in self._unable] for person, rows in due.items()}

    def _reaches(self, due: Due) -> bool:
        return due.key.connection in self.tools.links and due.key.connection not in self._looker.down

    def _not_erased(self, subjects: Mapping[int, Subject]) -> dict[int, Subject]:
        """Without people on the suppression list, who are wanted nothing of any more."""
        kept = {}
        for person, subject in subjects.items():
            if self.tools.suppression.find(subject) is None:
                kept[person] = subject
            else:
                self.store.remove(subject)
                self.tally.erased += 1
        return kept

    # -- looking ----------------------------------------------------------------------------------------------------

    def _look(self, subjects: Mapping[int, Subject], asking: Mapping[int, Sequence[Due]]) -> dict[int, list[Due]]:
        """Asks each connection what it holds; returns what must be changed there, by person."""
        by_link: dict[Link, dict[int, list[Due]]] = {}
        for person, rows in asking.items():
            for due in rows:
                by_link.setdefault(self.tools.links[due.key.connection], {}).setdefault(person, []).append(due)
        asked = {
            link: {person: [due.key.purpose for due in rows] for person, rows in people.items()}
            for link, people in by_link.items()
        }
        acting: dict[int, list[Due]] = {}
        seen: list[Confirmed] = []
        for link, looked in self._looker.look(subjects, asked).items():
            for person, held in looked.items():
                self._judge(by_link[link][person], held, acting, seen)
        self.store.due.confirm(seen)
        return acting

    def _judge(
        self, due: Sequence[Due], held: Sequence[HeldConsent], acting: dict[int, list[Due]], seen: list[Confirmed]
    ) -> None:
        now = self.tools.clock.now()
        for one, state in zip(due, held, strict=True):
            if state.state is HeldState.ABSENT:
                seen.append(Confirmed(one.key, one.state, Result.ABSENT, now))
            elif str(state.state) == str(one.state) and not state.reason:
                seen.append(Confirmed(one.key, one.state, Result.UNCHANGED, now))
            else:
                acting.setdefault(one.key.person, []).append(one)

    # -- changing ---------------------------------------------------------------------------------------------------

    def _begin(self, subjects: Mapping[int, Subject], acting: Mapping[int, Sequence[Due]]) -> list[str]:
        """Opens a case for each person, does for many at once what can be, and names them all."""
        persons = list(acting)
        names = dict(zip(persons, self.tools.register.names(len(persons)), strict=True))
        # First who takes care of what: a case that then is not there after all lets it go again.
        self.store.due.assign(names, [due.key for rows in acting.values() for due in rows])
        new = [self.new_case(subjects[person], self._details(acting[person])) for person in persons]
        self.tools.register.open(self.run.run_id, new, [names[person] for person in persons])
        held = [name for name in names.values() if self.locks.take(name)]
        try:
            self._bulk.carry_out({names[p]: (p, subjects[p], acting[p]) for p in persons if names[p] in held})
        finally:
            for name in held:
                self.locks.release(name)
        return list(names.values())

    def _details(self, due: Sequence[Due]) -> dict[str, Json]:
        links = [link for link in self.tools.links.values() if any(d.key.connection == link.name for d in due)]
        return consent_details(
            {d.key.purpose: d.state for d in due}, links, {d.key.purpose: d.said_at for d in due},
            {(d.key.purpose, d.key.connection) for d in due},
        )  # fmt: skip

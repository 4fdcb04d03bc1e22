"""Consents of many people at once: attributes by one call for up to 1000 profiles, audiences by one for 1000 entries.

Both calls create whoever they do not find. So everybody is looked up first, within this very call, and only who is
there is named; a profile with another number afterwards was created anew meanwhile, which only a person can settle.
Each call is all or none: where it is refused, nobody was changed, and habeas asks for each person alone, who is then
told what is wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from habeas import BadAnswer, ConsentState, ConsentUpdate, Effect, Result
from habeas.connection import Connection
from habeas.http.api import Api
from habeas.models import Json
from habeas_talonone import client, consenting
from habeas_talonone.client.audiences import AudienceChange, change_audiences
from habeas_talonone.lookup import Look, integration_ids, look
from habeas_talonone.naming import AUDIENCE
from habeas_talonone.writing import GONE, NOT_SO, Finding, Step, effects_of

__all__ = ["update"]

SAMPLED = "changed by a call for many people that Talon.One took; this person was not among those who were read back"
CREATED = (
    "Somebody erased this profile at the very moment in which it was changed, and Talon.One has made it anew: erase it"
    " again, or restore it in the Campaign Manager."
)


@dataclass(frozen=True, repr=False)
class _Person:
    """Somebody who is there, and what is to be so."""

    update: ConsentUpdate
    before: Mapping[str, Look]
    steps: Sequence[Step]

    @property
    def needed(self) -> list[Step]:
        """Steps that are not as wanted yet."""
        return [step for step in self.steps if not _right(step, self.before)]


@dataclass
class _Calls:
    """What is sent."""

    attributes: dict[str, dict[str, Json]] = field(default_factory=dict)
    audiences: list[AudienceChange] = field(default_factory=list)


def update(connection: Connection, updates: Sequence[ConsentUpdate]) -> tuple[tuple[Effect, ...], ...]:
    """One answer for each person; none for who shares an id with another of them, or has none.

    Raises :class:`~habeas.VendorError` where a look-up or a call failed.
    """
    ids = [integration_ids(connection, one.subject) for one in updates]
    shared = {name for name, count in Counter(name for own in ids for name in set(own)).items() if count > 1}
    answers: dict[int, tuple[Effect, ...]] = {}
    people: dict[int, _Person] = {}
    for n, (one, own) in enumerate(zip(updates, ids, strict=True)):
        if not own or shared & set(own):
            continue
        before = {name: look(connection.api, name) for name in own}
        known = [name for name in own if before[name].known]
        if known:
            steps = [s for c in one.changes for name in known for s in consenting.steps_of(connection.api, c, name)]
            people[n] = _Person(one, before, steps)
        else:
            answers[n] = tuple(consenting.absent(change, before) for change in one.changes)
    _send(connection.api, people.values())
    for n, person in people.items():
        answers[n] = _answer(connection.api, person)
    return tuple(answers.get(n, ()) for n in range(len(updates)))


# -- sending -----------------------------------------------------------------------------------------------------------


def _send(api: Api, people: Iterable[_Person]) -> None:
    calls, steps = _Calls(), dict[str, list[Step]]()
    for person in people:
        for step in person.needed:
            _add(calls, person.update, step)
            steps.setdefault(step.integration_id, []).append(step)

    def done(ids: Iterable[str]) -> bool:
        """Whether all of it is so. Whoever has gone would be created by a second call."""
        for name in ids:
            held = look(api, name).held
            if held is None:
                raise BadAnswer("a profile is no longer there")
            if not all(step.right(held) for step in steps[name]):
                return False
        return True

    if calls.audiences:
        change_audiences(api, calls.audiences, lambda part: done(dict.fromkeys(who for _, who, _ in part)))
    if calls.attributes:
        client.update_profiles(api, calls.attributes, done)


def _add(calls: _Calls, update: ConsentUpdate, step: Step) -> None:
    change = next(one for one in update.changes if one.index == step.index)
    granted = change.state is ConsentState.GRANTED
    if step.kind == AUDIENCE:
        audience = int(change.purpose.mapping["audience"])
        calls.audiences.append(("add" if granted else "delete", step.integration_id, audience))
    else:
        wanted = consenting.value_of(change.purpose.mapping, granted=granted)
        calls.attributes.setdefault(step.integration_id, {})[str(change.purpose.mapping["attribute"])] = wanted


# -- reading back ------------------------------------------------------------------------------------------------------


def _answer(api: Api, person: _Person) -> tuple[Effect, ...]:
    needed = person.needed
    if needed and not person.update.read_back:
        findings = [
            Finding(s.index, s.kind, Result.ACCEPTED, "", SAMPLED)
            if s in needed
            else _finding(s, person, person.before)
            for s in person.steps
        ]
    else:
        now = {name: look(api, name) for name in person.before} if needed else person.before
        findings = [_finding(step, person, now) for step in person.steps]
    return tuple(effects_of(findings))


def _finding(step: Step, person: _Person, now: Mapping[str, Look]) -> Finding:
    before, after = person.before[step.integration_id], now[step.integration_id]
    if before.held is None or after.held is None:
        return Finding(step.index, step.kind, Result.FAILED, after.evidence, GONE)
    if before.held.birth != after.held.birth:
        return Finding(step.index, step.kind, Result.MANUAL, after.evidence, CREATED)
    if not step.right(after.held):
        return Finding(step.index, step.kind, Result.FAILED, after.evidence, NOT_SO)
    changed = person.update.resumed or step in person.needed
    return Finding(step.index, step.kind, Result.UPDATED if changed else Result.UNCHANGED, after.evidence)


def _right(step: Step, seen: Mapping[str, Look]) -> bool:
    held = seen[step.integration_id].held
    return held is not None and step.right(held)

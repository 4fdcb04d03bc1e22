"""Checks of consents of many people that are changed by few calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from habeas.changes import ConsentChange, ConsentState, ConsentUpdate, Effect
from habeas.models import Result
from habeas.testing.kit.bench import Bench, Diary, Scene
from habeas.testing.kit.jobs import ConsentJob
from habeas.testing.kit.reading import NOBODY
from habeas.testing.kit.verdict import Broken, Check

__all__ = ["CHECKS"]

_SOME = (0, 1, 2, 3, 14, 21)
_BYSTANDER = 35
"""Somebody who is not asked for."""
_DONE = (Result.UPDATED, Result.UNCHANGED, Result.ACCEPTED)
_CREATED = (
    "update_consents created somebody who was not there. Calls for many create whoever they do not find: name only"
    " those whom a read of their own has shown, within the same call."
)


def _together(bench: Bench) -> None:
    for read_back in (True, False):
        with bench.scene(bench.people(*_SOME, *NOBODY, _BYSTANDER)) as scene:
            *people, bystander = scene.people
            jobs = [ConsentJob(scene, person) for person in people]
            before = [scene.app.held_text(person) for person in people]
            aside = (scene.app.held_text(bystander), scene.consents(bystander))
            consents = [scene.consents(person) for person in people]
            try:
                several = _run(scene, jobs, read_back=read_back)
            finally:
                # Whatever else is wrong of it, this is worse.
                if any(scene.held(person) for person in people[len(_SOME) :]):
                    raise Broken(_CREATED)
            for job, effects, text, given in zip(jobs, several, before, consents, strict=True):
                if effects:
                    _check(scene, job, effects)
                elif (scene.app.held_text(job.person), scene.consents(job.person)) != (text, given):
                    raise Broken("update_consents gives no effects for somebody, and has changed something of theirs.")
            if (scene.app.held_text(bystander), scene.consents(bystander)) != aside:
                raise Broken("update_consents changed what the vendor holds about somebody else.")
            if not any(effect.result in _DONE for effects in several for effect in effects):
                raise Broken("update_consents does nothing for anybody: leave it out, or do what it can.")


def _run(scene: Scene, jobs: Sequence[ConsentJob], *, read_back: bool) -> tuple[tuple[Effect, ...], ...]:
    updates = [ConsentUpdate(job.subject, _changes(job)) for job in jobs]
    updates = [updates[0], *(replace(update, read_back=read_back) for update in updates[1:])]
    connection = scene.connection(Diary())
    return scene.bench.registry.update_consents(scene.bench.name, connection, tuple(updates))


def _changes(job: ConsentJob) -> tuple[ConsentChange, ...]:
    return tuple(
        ConsentChange(n, purpose, state)
        for n, (purpose, state) in enumerate(zip(job.purposes, job.states, strict=True))
    )


def _check(scene: Scene, job: ConsentJob, effects: tuple[Effect, ...]) -> None:
    job.result = effects
    said = tuple((f"{effect.index} {effect.record}", str(effect.result)) for effect in effects)
    if untrue := job.untrue(said):
        raise Broken(f"update_consents, with nothing disturbed: {untrue}.")
    known = bool(scene.held(job.person))
    for effect in effects:
        if effect.result in _DONE and not known:
            raise Broken(f"update_consents says '{effect.result}' of somebody whom the vendor does not know: absent.")
        if effect.result in (Result.FAILED, Result.UNKNOWN):
            raise Broken(f"update_consents leaves something '{effect.result}' though nothing was disturbed.")
        wanted = job.states[effect.index] is ConsentState.GRANTED
        given = scene.app.consent(job.person, job.purposes[effect.index].name)
        if effect.result is Result.ACCEPTED and given is not wanted:
            raise Broken("update_consents calls a consent accepted, and nothing came of it.")


CHECKS: tuple[Check, ...] = (
    Check("consents-together", "Consents of many people are as update_consents says", _together, ("update_consents",)),
)

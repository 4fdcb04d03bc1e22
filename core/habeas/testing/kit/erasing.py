"""Checks of an erasure that nothing disturbs."""

from __future__ import annotations

from habeas.models import Result
from habeas.testing.kit.bench import Bench, Diary, Scene, with_destroyers
from habeas.testing.kit.jobs import EraseJob
from habeas.testing.kit.reading import EVERYBODY
from habeas.testing.kit.verdict import Broken, Check
from habeas.testing.people import Person

__all__ = ["CHECKS"]

_GONE = (Result.ERASED, Result.ABSENT)
_LEFT = (Result.ACCEPTED, Result.MANUAL, Result.UNSUPPORTED, Result.RETAINED)


def _erase(scene: Scene, person: Person, *, keep: tuple[str, ...] = ()) -> EraseJob:
    """One person's erasure, undisturbed: nothing untrue, nothing open, nobody else touched."""
    others = scene.beside(person)
    job = EraseJob(scene, person=person, keep=keep)
    said = job.run(scene.connection(Diary()))
    untrue = job.untrue(said)
    if untrue:
        raise Broken(f"erase, with nothing disturbed: {untrue}. Say erased only of what a read shows to be gone.")
    if job.unfinished():
        raise Broken(f"erase leaves something {job.left()} though nothing was disturbed.")
    if scene.touched(person, others):
        raise Broken("erase changed what the vendor holds about somebody else.")
    return job


def _true(bench: Bench) -> None:
    with bench.scene((*bench.people(*EVERYBODY), bench.awkward())) as scene:
        for person in scene.people:
            job = _erase(scene, person)
            gone = {job.kind(o) for o in job.result if o.result in _GONE}
            gone -= {job.kind(o) for o in job.result if o.result not in _GONE}
            again = {record.kind for record in scene.inventory(person).records}
            if gone & again:
                raise Broken(f"An inventory after the erasure still finds the kind {min(gone & again)}.")
            if job.items and all(o.result is Result.ABSENT for o in job.result):
                raise Broken("erase calls everything absent that it has just erased itself: that is 'erased'.")
            if person is scene.people[0]:
                _check_work(job)


def _check_work(job: EraseJob) -> None:
    """Of an ordinary person, with nothing in the way: erased, and a reason for all that is not."""
    main = job.scene.bench.info.main_kind
    results = {job.kind(outcome): outcome.result for outcome in job.result}
    if results.get(main) is not Result.ERASED:
        raise Broken(
            f"erase calls an ordinary person's {main} '{results.get(main, 'nothing')}' though nothing is in the way:"
            " erase it, and read it back."
        )
    for outcome in job.result:
        if outcome.result in _LEFT and not outcome.reason.strip():
            raise Broken(
                f"erase calls the {job.kind(outcome)} '{outcome.result}' and gives no reason: say who does what, where"
                " and by when."
            )


def _again(bench: Bench) -> None:
    with bench.scene() as scene:
        job = EraseJob(scene)
        first = job.run(scene.connection(Diary()))
        if job.run(scene.connection(Diary()), resumed=True) != first:
            raise Broken(
                "erase, resumed after it was finished, does not say what it said before: what is gone by then was"
                " erased by us."
            )
        after = scene.everything()
        erased = {what for what, result in first if result in _GONE}
        third = dict(job.run(scene.connection(Diary())))
        wrong = sorted(what for what in erased if third[what] not in _GONE)
        if wrong:
            raise Broken(
                f"erase, called again when all was gone, says '{third[wrong[0]]}' of the {wrong[0].partition(' ')[2]}:"
                " what is not there is absent."
            )
        if scene.everything() != after:
            raise Broken("erase, called again when all was gone, changed something: it must be idempotent.")


def _kept(bench: Bench) -> None:
    with bench.scene() as scene:
        kinds = dict.fromkeys(record.kind for record in scene.inventory(scene.people[0]).records)
    for kind in kinds:
        with bench.scene() as scene:
            person = scene.people[0]
            before = scene.held(person)
            _erase(scene, person, keep=(kind,))
            after = scene.held(person)
            for kept in sorted(with_destroyers(bench.info, [kind]) & before.keys()):
                if after.get(kept, 0) != before[kept]:
                    raise Broken(
                        f"erase removed records of the kind {kept} that the plan retains (a hold on {kind}). Leave"
                        " retained items alone; if another deletion takes them along, name it in erased_with."
                    )


CHECKS = (
    Check("erase-true", "What is called erased is gone, for everybody, and nobody else is touched", _true),
    Check("erase-again", "Erasing again, resumed or not, says the same and harms nothing", _again),
    Check("erase-kept", "What the plan retains stays, whichever kind it is", _kept),
)

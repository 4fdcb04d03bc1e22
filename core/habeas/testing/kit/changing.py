"""Checks of consents and corrections that nothing disturbs."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence

from habeas.changes import ConsentState, HeldConsent, HeldState
from habeas.errors import HabeasError
from habeas.models import Field, Result
from habeas.testing.kit.bench import Bench, Diary, Scene
from habeas.testing.kit.jobs import ConsentJob, Job, RectifyJob, purposes_of
from habeas.testing.kit.reading import NOBODY
from habeas.testing.kit.verdict import Broken, Check
from habeas.testing.kit.words import old_values, shows
from habeas.testing.people import Person

__all__ = ["CHECKS"]

_SOME = (0, 1, 2, 3, 14, 21, 35)
_READ_BACK = (Result.UPDATED, Result.UNCHANGED)
_DONE = (*_READ_BACK, Result.ACCEPTED)
_OF_ONE_NAME = (Field.NAME, Field.FIRST_NAME, Field.LAST_NAME)


def _run(scene: Scene, job: Job) -> None:
    """Undisturbed: nothing untrue, nothing open, nobody else touched."""
    others = scene.beside(job.person)
    said = job.run(scene.connection(Diary()))
    untrue = job.untrue(said)
    if untrue:
        raise Broken(f"{job.hook}, with nothing disturbed: {untrue}.")
    if job.unfinished():
        raise Broken(f"{job.hook} leaves something {job.left()} though nothing was disturbed.")
    if scene.touched(job.person, others):
        raise Broken(f"{job.hook} changed what the vendor holds about somebody else.")


# -- consent -----------------------------------------------------------------------------------------------------------


def _consent(bench: Bench) -> None:
    with bench.scene(bench.people(*_SOME)) as scene:
        for person in scene.people:
            before, results = scene.consents(person), set[Result]()
            for state in (ConsentState.GRANTED, ConsentState.WITHDRAWN, ConsentState.WITHDRAWN):
                job = ConsentJob(scene, person, state=state)
                _run(scene, job)
                _check_reasons(job)
                results |= {effect.result for effect in job.result}
                wanted = state is ConsentState.GRANTED
                for effect in job.result:
                    purpose = job.purposes[effect.index].name
                    if effect.result is Result.ACCEPTED and scene.app.consent(person, purpose) is not wanted:
                        raise Broken(f"update_consent calls {purpose} accepted, and nothing came of it.")
                if bench.has("read_consent"):
                    _compare(scene, job, _read(scene, person))
            # A person is ordinary who comes first. Nothing may be said yet, so that the first withdrawal shows.
            after = scene.consents(person)
            silent = results == {Result.UNSUPPORTED} and not any(given is not None for given in after.values())
            if person is scene.people[0] and not silent and (before == after or not results & set(_DONE)):
                raise Broken(
                    "update_consent changes nothing for an ordinary person, whatever is asked: do it, and say"
                    " unsupported of all purposes where the vendor has no consents at all."
                )
            _check_declared(bench, silent=silent)


def _check_declared(bench: Bench, *, silent: bool) -> None:
    if silent and bench.info.holds_consents:
        raise Broken(
            "update_consent says unsupported of all purposes: say holds_consents=False in describe, so that nobody is"
            " looked at one by one."
        )
    if not silent and not bench.info.holds_consents:
        raise Broken("describe says holds_consents=False, and the sandbox holds some or update_consent changes them.")


def _check_reasons(job: Job) -> None:
    for effect in job.result:
        if effect.result in (Result.MANUAL, Result.UNSUPPORTED) and not effect.reason.strip():
            raise Broken(f"{job.hook} says '{effect.result}' of the {effect.record} and gives no reason.")


def _read(scene: Scene, person: Person) -> tuple[HeldConsent, ...]:
    bench = scene.bench
    return bench.registry.read_consent(bench.name, scene.connection(), scene.subject(person), purposes_of(scene))


_STATES = {True: HeldState.GRANTED, False: HeldState.WITHDRAWN, None: HeldState.UNSET}


def _compare(scene: Scene, job: ConsentJob, held: tuple[HeldConsent, ...]) -> None:
    for index, (purpose, shown) in enumerate(zip(job.purposes, held, strict=True)):
        truth = scene.app.consent(job.person, purpose.name)
        results = {effect.result for effect in job.result if effect.index == index}
        if shown.state is HeldState.UNREADABLE:
            if results & set(_READ_BACK):
                raise Broken(
                    f"read_consent cannot read {purpose.name}, and update_consent calls it '{min(results)}': what"
                    " cannot be read back is accepted, never more."
                )
        elif shown.state is not HeldState.MIXED and shown.state is not _STATES[truth]:
            raise Broken(f"read_consent calls {purpose.name} '{shown.state}', and the vendor holds otherwise.")


def _consent_absent(bench: Bench) -> None:
    with bench.scene(bench.people(0, 1, *NOBODY)) as scene:
        for person in scene.people[2:]:
            _check_nobody(scene, ConsentJob(scene, person, state=ConsentState.GRANTED))
            if bench.has("read_consent"):
                states = {held.state for held in _read(scene, person)}
                if states - {HeldState.ABSENT, HeldState.UNREADABLE}:
                    raise Broken(
                        f"read_consent says '{min(states)}' of somebody whom the vendor does not know: absent."
                    )


def _is_found(scene: Scene, person: Person) -> bool:
    """Whether an inventory finds somebody: created under an address alone, they are nobody yet to the sandbox."""
    with contextlib.suppress(HabeasError):
        return bool(scene.inventory(person).records)
    return False


def _check_nobody(scene: Scene, job: Job) -> None:
    before = scene.everything()
    try:
        _run(scene, job)
    finally:
        # Whatever else is wrong of it, this is worse.
        if scene.held(job.person) or scene.everything() != before or _is_found(scene, job.person):
            raise Broken(
                f"{job.hook} created somebody who was not there. Vendors create missing people on write: prove by a"
                " read that the person is there before anything is sent."
            )
    done = sorted({effect.result for effect in job.result} & set(_DONE))
    if done:
        raise Broken(f"{job.hook} says '{done[0]}' of somebody whom the vendor does not know: that is absent.")


# -- rectification -----------------------------------------------------------------------------------------------------


def _rectify(bench: Bench) -> None:
    with bench.scene(bench.people(*_SOME)) as scene:
        for person in scene.people:
            job = RectifyJob(scene, person)
            before = job.text()
            _run(scene, job)
            if not any(effect.result in _DONE for effect in job.result):
                raise Broken("rectify corrects none of the fields that rectifies names: declare what it can do.")
            _check_reasons(job)
            if person is scene.people[0] and job.text() == before:
                raise Broken(
                    "rectify changes nothing of an ordinary person, whatever it says: do it, and read it back."
                )
            _check_old_values(job, before)


def _check_old_values(job: RectifyJob, before: str) -> None:
    after = job.text()
    for correction in job.corrections:
        field, old = correction.field, old_values(job.person).get(correction.field, "")
        results = {effect.result for effect in job.result if effect.index == correction.index}
        said = bool(old) and results <= set(_READ_BACK) and shows(before, field, old)
        if said and shows(after, field, old):
            raise Broken(
                f"rectify calls the {field} corrected, and the vendor still holds the old value somewhere. Correct it"
                " wherever it stands, or say what stays (manual, unsupported)."
            )


def _rectify_alone(bench: Bench) -> None:
    for field in bench.info.rectifies:
        with bench.scene() as scene:
            job = RectifyJob(scene, fields=[field])
            before = job.text()
            _run(scene, job)
            after = job.text()
            for other, old in old_values(job.person).items():
                related = other is field or (other in _OF_ONE_NAME and field in _OF_ONE_NAME)
                if not related and shows(before, other, old) and not shows(after, other, old):
                    raise Broken(
                        f"rectify, asked to correct the {field} only, lost the {other}: where a vendor replaces a whole"
                        " object, send the rest of it along."
                    )


_ADDRESS = ("street", "postal_code", "city", "country")
_CAN_BE_EMPTY: Mapping[Field, Sequence[str]] = {
    Field.PHONE: ("phone",),
    Field.BIRTHDATE: ("birthdate",),
    Field.STREET: _ADDRESS,
}
"""Parts of a person by field. An address is one thing: to complete it is to correct it (Art. 16, second sentence)."""


def _rectify_empty(bench: Bench) -> None:
    for field, parts in _CAN_BE_EMPTY.items():
        person = dataclasses.replace(bench.people(0)[0], **dict.fromkeys(parts, ""))  # type: ignore[arg-type] # texts all
        if field not in bench.info.rectifies or not _can_hold(bench, person):
            continue
        with bench.scene((person, *bench.people(1))) as scene:
            job = RectifyJob(scene, fields=[field])
            _run(scene, job)
            if shows(job.text(), field, job.corrections[0].value):
                raise Broken(
                    f"rectify adds a {field} where the vendor holds none: what is not held is not wrong. Leave it empty"
                    " and say absent, with the count 0."
                )
            wrong = [e for e in job.result if e.result in _DONE or (e.result is Result.ABSENT and e.count)]
            if wrong:
                raise Broken(
                    f"rectify, asked to correct a {field} that the vendor does not hold, says '{wrong[0].result}' of"
                    f" {wrong[0].count}: say absent, with the count 0."
                )


def _can_hold(bench: Bench, person: Person) -> bool:
    """Whether the sandbox can have somebody of whom something is not known."""
    app = bench.sandbox()
    try:
        app.seed([person])
    except Exception:  # noqa: BLE001 - a sandbox may need every part of a person
        return False
    return bench.info.main_kind in app.held(person)


def _rectify_absent(bench: Bench) -> None:
    with bench.scene(bench.people(0, 1, *NOBODY)) as scene:
        for person in scene.people[2:]:
            _check_nobody(scene, RectifyJob(scene, person))


CHECKS = (
    Check("consent-true", "Consents are as update_consent and read_consent say", _consent, ("update_consent",)),
    Check(
        "consent-creates-nobody", "A consent of somebody unknown creates nobody", _consent_absent, ("update_consent",)
    ),
    Check(
        "rectify-true",
        "What is called corrected is, wherever it stood, and nobody else is touched",
        _rectify,
        ("rectify",),
    ),
    Check("rectify-keeps-the-rest", "Correcting one field loses no other", _rectify_alone, ("rectify",)),
    Check("rectify-adds-nothing", "Correcting a field that is empty adds nothing", _rectify_empty, ("rectify",)),
    Check("rectify-creates-nobody", "A correction of somebody unknown creates nobody", _rectify_absent, ("rectify",)),
)

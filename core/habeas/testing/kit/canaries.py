"""Checks of the made-up person."""

from __future__ import annotations

from collections.abc import Mapping

from habeas.changes import Canary, CanaryPerson
from habeas.connection import Connection
from habeas.models import Identifier, Inventory, Result, Subject
from habeas.testing.kit.bench import Bench, Diary, Scene
from habeas.testing.kit.jobs import EraseJob, Job, Said
from habeas.testing.kit.line import undisturbed
from habeas.testing.kit.trials import Trials
from habeas.testing.kit.verdict import Broken, Check
from habeas.testing.kit.words import identifiers_in
from habeas.testing.people import Person

__all__ = ["CHECKS", "CanaryJob"]

_CANARY = CanaryPerson(
    "habeas-canary-kit0001", "habeas-canary-kit0001@canary.invalid", "+4915550001234", "Kanarienvogel", "Gelbfeder"
)


def _as_person(name: str) -> Person:
    """The made-up person as the sandbox's truth knows people."""
    return Person(
        customer_id=_CANARY.customer_id,
        email=_CANARY.email,
        phone=_CANARY.phone,
        first_name=_CANARY.first_name,
        last_name=_CANARY.last_name,
        birthdate="",
        street="",
        city="",
        postal_code="",
        country="",
        card="",
        card_expiry="",
        orders=0,
        held_at=frozenset({name}),
    )


class CanaryJob(Job):
    """``create_canary``: called again, it adds only what is missing."""

    hook = "create_canary"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene, _as_person(scene.bench.name))
        self.canary: Canary | None = None

    def run(self, connection: Connection, *, resumed: bool = False) -> Said:
        del resumed
        self.canary = self.scene.bench.registry.create_canary(self.scene.bench.name, connection, _CANARY)
        self.result = self.canary
        return tuple(sorted((kind, str(count)) for kind, count in self.scene.held(self.person).items()))

    def untrue(self, said: Said, clean: Said | None = None) -> str:
        del said, clean
        found = self.find()
        for kind, count in (self.canary.created if self.canary is not None else {}).items():
            if sum(record.count for record in found.records if record.kind == kind) < count:
                return f"it says that it created {count} of the kind {kind}, and inventory does not find them"
        return ""

    def unfinished(self) -> bool:
        return False

    def find(self) -> Inventory:
        """What inventory finds of the made-up person, by all identifiers that a run has."""
        self.subject = Subject(
            (
                Identifier("customer_id", _CANARY.customer_id),
                Identifier("email", _CANARY.email),
                Identifier("phone", _CANARY.phone),
                *(self.canary.identifiers if self.canary is not None else ()),
            )
        )
        bench = self.scene.bench
        return bench.registry.inventory(bench.name, self.scene.connection(), self.subject)


def _canary(bench: Bench) -> None:
    with bench.scene() as scene:
        others = scene.everything()
        job = CanaryJob(scene)
        job.run(scene.connection(Diary()))
        assert job.canary is not None  # noqa: S101 - it has just run
        if not job.canary.created:
            raise Broken("create_canary creates nothing: it is there to show that every control still works.")
        if job.canary.left_out:
            raise Broken(
                "create_canary leaves something out though nothing was disturbed: let the sandbox's settings have all"
                " that it needs, so that everything is tried."
            )
        untrue = job.untrue(())
        if untrue:
            raise Broken(f"create_canary: {untrue}.")
        made = scene.held(job.person)
        _erase(scene, job)
        _check_counts(job, made)
        if scene.everything() != others:
            raise Broken("create_canary, or erasing what it created, changed what is held about somebody else.")


def _check_counts(job: CanaryJob, made: Mapping[str, int]) -> None:
    """What a vendor makes of a person by itself (a log, a segment) need not be counted; what we have sent must be."""
    assert job.canary is not None  # noqa: S101 - it has run
    created = job.canary.created
    declared = {kind.name for kind in job.scene.bench.info.kinds}
    short = sorted(kind for kind in made.keys() & declared if created.get(kind, 0) < made[kind])
    sent = sum(written.result == "acknowledged" for diary in job.scene.diaries[:1] for written in diary.written)
    if short and sum(created.values()) < sent:
        raise Broken(
            f"create_canary counts {created.get(short[0], 0)} of the kind {short[0]} and has created {made[short[0]]}:"
            " what is not counted is not missed when an inventory overlooks it."
        )


def _erase(scene: Scene, job: CanaryJob) -> None:
    found = job.find()
    erasure = EraseJob(scene, job.person, found=found, subject=job.subject)
    erasure.run(scene.connection(Diary()))
    if erasure.unfinished():
        raise Broken("erase leaves something failed or unknown of what create_canary created.")
    words = [_CANARY.customer_id, _CANARY.email, _CANARY.phone, _CANARY.first_name, _CANARY.last_name]
    left = [kind for kind in scene.held(job.person) if kind in {k.name for k in scene.bench.info.kinds}]
    gone = all(outcome.result is Result.ERASED for outcome in erasure.result)
    if gone and (left or identifiers_in(scene.app.held_text(job.person), words)):
        raise Broken("Something of the made-up person is still held after everything was called erased.")
    if gone and job.find().records:
        raise Broken("inventory still finds the made-up person after everything was called erased.")


def _again(bench: Bench) -> None:
    trials = Trials(bench, CanaryJob)
    with bench.scene() as scene:
        job = CanaryJob(scene)
        first = job.run(scene.connection(Diary()))
        if job.run(scene.connection(Diary())) != first:
            raise Broken(
                "create_canary, called again with the same person, creates more: read first, add what is missing."
            )
    for n in range(trials.clean.changes):
        trials.killed(Diary(die_before=n), undisturbed, f"before change {n + 1} of {trials.clean.changes} was sent")
        trials.killed(Diary(die_after=n), undisturbed, f"after change {n + 1} of {trials.clean.changes} was answered")


CHECKS = (
    Check(
        "canary-true",
        "The made-up person is found, and nothing of it outlives its erasure",
        _canary,
        ("create_canary",),
    ),
    Check(
        "canary-again",
        "Creating the made-up person again, or after an interruption, doubles nothing",
        _again,
        ("create_canary",),
    ),
)

"""Whatever goes wrong at whichever changing call of a canary, a consent or a correction: the truth, and a second pass.

Each test counts the changing calls of an undisturbed run, then spoils one after the other, each time on a fresh
account. In the end the effects are those of the undisturbed run. Of consents and corrections the conformance kit tries
more (test_kit.py); here is what it does not: 409, a lost answer made good in the same run, and what is sent again.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

import habeas_talonone as plugin
from habeas import (
    CanaryPerson,
    ConsentChange,
    ConsentState,
    ConsentUpdate,
    Correction,
    Effect,
    Field,
    Identifier,
    Purpose,
    Rectification,
    Result,
    Subject,
    VendorError,
)
from habeas.connection import Connection
from habeas.errors import RunEnded
from habeas.testing.connect import InterruptedJournal, MemoryJournal, connect
from habeas.testing.people import seeded_people
from habeas.testing.sandbox import Call, Fault, Reply, SandboxServer
from habeas_talonone.sandbox import TalonOneSandbox

PEOPLE = seeded_people(4, ["talonone"])
FIRST = PEOPLE[0]
SUBJECT = Subject((Identifier("customer_id", FIRST.customer_id), Identifier("email", FIRST.email)))
NEW_EMAIL, NEW_NAME = "right@shop-customer.example", "Zoë Right"
PERSON = CanaryPerson("habeas-canary-1", "canary-1@canary.invalid", "+4930999", "Cana", "Ry")


@dataclasses.dataclass
class OnChange(Fault):
    """A fault of a call that is no plain read."""

    def matches(self, call: Call) -> bool:
        return call.method != "GET" and super().matches(call)


class Job(ABC):
    """One hook's work, and what is true of it."""

    changes: int

    def __init__(self, server: SandboxServer) -> None:
        self.server = server

    def fresh(self) -> None:
        self.app = self.server.app = TalonOneSandbox()
        self.app.seed(PEOPLE)
        self.server.faults.clear()
        self.server.calls.clear()
        self.others = self.beside()

    def run(self, *, resumed: bool = False, journal: MemoryJournal | None = None, **limits: Any) -> Any:
        return self.call(connect(plugin, self.server, journal=journal or MemoryJournal(), **limits), resumed)

    def undisturbed(self) -> Any:
        self.fresh()
        clean = self.run()
        assert len(self.server.changing_calls()) == self.changes
        assert self.is_done()
        return clean

    def beside(self) -> list[str]:
        return [self.app.held_text(person) for person in PEOPLE[1:]]

    def check(self, said: Any) -> None:
        """Nothing untrue, nobody else touched, nobody named."""
        assert self.beside() == self.others
        assert not [word for word in (FIRST.customer_id, FIRST.email, NEW_EMAIL, NEW_NAME) if word in repr(said)]

    @abstractmethod
    def call(self, connection: Connection, resumed: bool) -> Any:
        """The hook itself."""

    @abstractmethod
    def is_done(self) -> bool:
        """By the sandbox's own truth."""

    @abstractmethod
    def is_open(self, said: Any) -> bool:
        """Whether something is left for a second pass."""


class Changing(Job):
    def is_open(self, said: Sequence[Effect]) -> bool:
        return not all(effect.result.final for effect in said)

    def check(self, said: Sequence[Effect]) -> None:
        super().check(said)
        if all(e.result is Result.UPDATED for e in said if e.record != "event" and e.result is not Result.MANUAL):
            assert self.is_done()


class Consents(Changing):
    changes = 3

    def call(self, connection: Connection, resumed: bool) -> Any:
        purposes = [Purpose(name, mapping) for name, mapping in self.app.purposes().items()]
        changes = tuple(ConsentChange(n, purpose, ConsentState.WITHDRAWN) for n, purpose in enumerate(purposes))
        return plugin.update_consent(connection, ConsentUpdate(SUBJECT, changes, resumed))

    def is_done(self) -> bool:
        return [self.app.consent(FIRST, purpose) for purpose in self.app.purposes()] == [False] * 3


class Corrections(Changing):
    changes = 2

    def call(self, connection: Connection, resumed: bool) -> Any:
        wanted = (Correction(0, Field.EMAIL, NEW_EMAIL), Correction(1, Field.NAME, NEW_NAME))
        return plugin.rectify(connection, Rectification(SUBJECT, wanted, resumed))

    def is_done(self) -> bool:
        attributes = self.app.state.profiles[FIRST.customer_id].attributes
        return (attributes["Email"], attributes["Name"]) == (NEW_EMAIL, NEW_NAME)


class Canaries(Job):
    changes = 6

    def call(self, connection: Connection, resumed: bool) -> Any:
        del resumed
        try:
            return plugin.create_canary(connection, PERSON)
        except VendorError as error:
            return error.line()

    def is_done(self) -> bool:
        state, who = self.app.state, PERSON.customer_id
        events = [event.type for event in state.events_of[who].values()]
        assert events in ([], ["habeas_canary"]), "never twice"
        assert len(state.referrals_of[who]) < 2
        made = (state.profiles[who].attributes, state.sessions_of[who], events, state.coupons_of[who])
        return all((*made, state.referrals_of[who], state.audiences_of[who]))

    def is_open(self, said: Any) -> bool:
        return isinstance(said, str)


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(TalonOneSandbox()) as running:
        yield running


EVERY: tuple[type[Job], ...] = (Consents, Corrections, Canaries)


@pytest.fixture(params=EVERY)
def job(request: pytest.FixtureRequest, server: SandboxServer) -> Job:
    made: Job = request.param(server)
    return made


TROUBLE = OnChange("status", reply=Reply(500, json={"message": "x"}))
SLOW = OnChange("status", reply=Reply(429, json={"message": "slow"}, headers={"Retry-After": "2"}))
BUSY = OnChange("status", reply=Reply(409, json={"message": "busy"}))
REFUSED = OnChange("status", reply=Reply(401, json={"message": "no"}))
NOT_SENT, NOT_HEARD = OnChange("reset_before"), OnChange("reset_after")


def cases(every: Sequence[OnChange], canary: Sequence[OnChange]) -> list[Any]:
    """Faults for every job, and those that the conformance kit tries with consents and corrections, and not here."""
    pairs = [(job, fault) for job in EVERY for fault in every] + [(Canaries, fault) for fault in canary]
    return [
        pytest.param(job, fault, id=f"{job.__name__} {fault.kind} {fault.reply.status if fault.reply else ''}")
        for job, fault in pairs
    ]


@pytest.mark.parametrize(("job", "fault"), cases([BUSY, NOT_HEARD], [TROUBLE, SLOW, NOT_SENT]), indirect=["job"])
def test_one_fault_at_any_change_is_mended_at_once(job: Job, fault: OnChange) -> None:
    clean = job.undisturbed()
    for n in range(job.changes):
        job.fresh()
        job.server.fail(dataclasses.replace(fault, skip=n))
        said = job.run()
        job.check(said)
        assert (said, job.is_done()) == (clean, True)


@pytest.mark.parametrize(("job", "fault"), cases([TROUBLE], [REFUSED, NOT_SENT, NOT_HEARD]), indirect=["job"])
def test_a_lasting_fault_from_any_change_on_is_told_and_a_second_pass_finishes(job: Job, fault: OnChange) -> None:
    clean = job.undisturbed()
    for n in range(job.changes):
        job.fresh()
        job.server.fail(dataclasses.replace(fault, skip=n, times=-1))
        said = job.run(attempts=2)
        job.check(said)
        assert job.is_open(said) or said == clean, "where calls act and only answers are lost, the readings show it"
        job.server.faults.clear()
        assert job.run(resumed=True) == clean
        job.check(clean)
        assert job.is_done()


@pytest.mark.parametrize("job", [Canaries], indirect=True)
def test_silence_after_any_change_is_looked_up(job: Job) -> None:
    clean = job.undisturbed()
    for n in range(job.changes):
        job.fresh()
        job.server.fail(OnChange("hang_after", skip=n))
        assert job.run(timeout_seconds=0.4) == clean
        assert job.is_done()


def test_what_can_neither_be_heard_nor_read_is_unknown(job: Job) -> None:
    clean = job.undisturbed()
    job.fresh()
    job.server.fail(OnChange("reset_after", times=-1))
    job.server.fail(Fault("reset_before", method="GET", skip=1, times=-1))
    said = job.run()
    job.check(said)
    if isinstance(job, Canaries):
        assert job.is_open(said)
    else:
        assert {e.result for e in said if e.record in ("profile", "audience")} == {Result.UNKNOWN}
    job.server.faults.clear()
    assert job.run(resumed=True) == clean


def test_a_reading_that_fails_in_the_end_claims_nothing(job: Job) -> None:
    clean = job.undisturbed()
    reads = [n for n, call in enumerate(job.server.calls) if call.method == "GET"]
    job.fresh()
    job.server.fail(Fault("status", method="GET", skip=len(reads) - 1, reply=Reply(500, json={}), times=-1))
    said = job.run()
    assert job.is_open(said)
    if not isinstance(job, Canaries):
        assert {e.result for e in said if e.record in ("profile", "audience")} == {Result.FAILED}
    job.server.faults.clear()
    assert job.run(resumed=True) == clean


@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
def test_an_interruption_at_any_change_ends_as_an_undisturbed_run(job: Job, after: bool) -> None:
    clean = job.undisturbed()
    for n in range(1, job.changes + 1):
        job.fresh()
        with pytest.raises(RunEnded):
            job.run(journal=InterruptedJournal(2 * (n - 1) + after))
        before = len(job.server.changing_calls())
        assert job.run(resumed=True) == clean
        assert job.is_done()
        assert job.beside() == job.others
        # Without a Management API key nothing shows an event: its key keeps it from being recorded twice.
        again = isinstance(job, Canaries) and n > (2 if after else 3)
        assert len(job.server.changing_calls()) - before == job.changes - n + (0 if after else 1) + again

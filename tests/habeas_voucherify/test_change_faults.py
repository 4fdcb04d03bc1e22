"""Whatever goes wrong at a changing call of a consent, a correction or a made-up person: the truth, and a second pass.

Each hook is run undisturbed once, then again on a fresh project for each way in which one of its changes can go wrong.
The second pass, told that it goes on after an interruption, says what the undisturbed run said.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import habeas_voucherify as plugin
from habeas import (
    Canary,
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
from habeas.testing.sandbox import Fault, Reply, SandboxServer
from habeas_voucherify.sandbox import CONSENT_ID, VoucherifySandbox

FIRST, OTHER = (seeded_people(15, ["voucherify"])[n] for n in (14, 1))
SUBJECT = Subject((Identifier("customer_id", FIRST.customer_id), Identifier("email", FIRST.email)))
CANARY = CanaryPerson("habeas-canary-7", "habeas-canary-7@canary.invalid", "+12025550107", "Habeas", "Canary")
MADE_UP = dataclasses.replace(FIRST, customer_id=CANARY.customer_id)

FLAG, WORD, ENDPOINT = 0, 1, 2
CHANGES = (
    ConsentChange(FLAG, Purpose("flag", {"metadata": "consent_marketing_email"}), ConsentState.WITHDRAWN),
    ConsentChange(
        WORD,
        Purpose("word", {"metadata": "preferences.profiling", "granted": "yes", "withdrawn": "no"}),
        ConsentState.GRANTED,
    ),
    ConsentChange(ENDPOINT, Purpose("endpoint", {"consent": CONSENT_ID}), ConsentState.GRANTED),
)
RIGHT = {Field.EMAIL: "zoe.right@shop-customer.example", Field.NAME: "Zoe Right", Field.CITY: "Rightville"}
CORRECTIONS = tuple(Correction(n, field, value) for n, (field, value) in enumerate(RIGHT.items()))

Said = tuple[Effect, ...] | Canary


def _consent(connection: Connection, resumed: bool) -> Said:
    return plugin.update_consent(connection, ConsentUpdate(SUBJECT, CHANGES, resumed))


def _rectify(connection: Connection, resumed: bool) -> Said:
    return plugin.rectify(connection, Rectification(SUBJECT, CORRECTIONS, resumed))


def _create(connection: Connection, resumed: bool) -> Said:
    del resumed
    return plugin.create_canary(connection, CANARY)


HOOKS: dict[str, tuple[Callable[[Connection, bool], Said], int]] = {
    "update_consent": (_consent, 2),
    "rectify": (_rectify, 1),
    "create_canary": (_create, 1),
}
"""With how many changes each makes."""


class Scene:
    """One server; each ``fresh`` gives it a new project, always the same."""

    def __init__(self, server: SandboxServer, hook: str) -> None:
        self.server = server
        self.hook, self.changes = HOOKS[hook]
        self.clean = self.undisturbed()
        assert len(self.server.changing_calls()) == self.changes

    def fresh(self) -> None:
        self.app = VoucherifySandbox()
        self.app.consents_enabled = True
        self.app.seed((FIRST, OTHER))
        self.others = self.app.held_text(OTHER)
        self.server.app = self.app
        self.server.faults.clear()
        self.server.calls.clear()

    def run(self, *, resumed: bool = False, journal: MemoryJournal | None = None, **limits: Any) -> Said:
        return self.hook(connect(plugin, self.server, journal=journal or MemoryJournal(), **limits), resumed)

    def undisturbed(self) -> Said:
        self.fresh()
        said = self.run()
        self.check(said)
        self.check_done()
        return said

    def check(self, said: Said) -> None:
        """What is called so is so, nobody is named, and nobody else is touched."""
        assert self.app.held_text(OTHER) == self.others
        if isinstance(said, Canary):
            assert self.app.held(MADE_UP)["customer"] == 1
            return
        found = self.app.find(FIRST.customer_id)
        assert found is not None
        metadata = found["metadata"]
        consents = (metadata["consent_marketing_email"] is False, metadata["preferences"].get("profiling") == "yes")
        right = (found["email"] == RIGHT[Field.EMAIL], found["name"] == "Zoe Right")
        true_now = (*consents, False) if self.hook is _consent else (*right, found["address"]["city"] == "Rightville")
        for effect in said:
            assert effect.result is not Result.ABSENT
            if effect.result in (Result.UPDATED, Result.UNCHANGED):
                assert true_now[effect.index]
            if effect.result is Result.ACCEPTED:
                assert self.app.consents_given(FIRST) == {CONSENT_ID: True}
            for word in (FIRST.customer_id, FIRST.email, found["id"], *RIGHT.values()):
                assert word not in repr(effect)

    def check_done(self) -> None:
        if self.hook is _create:
            assert len(self.app.ever[CANARY.customer_id]) == 1

    def check_a_second_pass(self) -> None:
        self.server.faults.clear()
        said = self.run(resumed=True)
        if isinstance(said, Canary) and isinstance(self.clean, Canary):
            # The vendor gives another id each time.
            said = dataclasses.replace(said, identifiers=self.clean.identifiers)
        assert said == self.clean
        self.check(said)
        self.check_done()

    def check_disturbed(self, fault: Fault, **limits: Any) -> None:
        """One run with a fault at one change, and another one after it."""
        self.server.fail(fault)
        if self.hook is not _create:
            self.check(self.run(**limits))
        else:
            # Of a made-up person who may not be there nothing can be said.
            with contextlib.suppress(VendorError):
                self.check(self.run(**limits))
        self.check_a_second_pass()


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(VoucherifySandbox()) as running:
        yield running


SLOW = Reply(429, {"code": "429", "message": "slow"}, headers={"Retry-After": "2"})
FAULTS = {
    "500, not done": Fault("status", reply=Reply(500, {"code": 500, "message": "oops"})),
    "500, done": Fault("replace", reply=Reply(500, {"code": 500, "message": "oops"})),
    "429": Fault("status", reply=SLOW),
    "429 for ever": Fault("status", reply=SLOW, times=-1),
    "403": Fault("status", reply=Reply(403, {"code": 403, "message": "no"})),
    "409": Fault("status", reply=Reply(409, {"code": 409, "key": "conflict", "message": "Conflict"})),
    "423": Fault("status", reply=Reply(423, {"code": 423, "key": "locked", "message": "Locked"})),
    "dropped before": Fault("reset_before"),
    "dropped before, for ever": Fault("reset_before", times=-1),
    "dropped after": Fault("reset_after"),
    "answered, not done": Fault("lie", reply=Reply(200, {"object": "customer"})),
}
OWN = ("409", "423", "dropped after", "answered, not done")
"""What the conformance kit (test_kit.py) does not try with consents and corrections, or not on a wire."""


@pytest.mark.parametrize("hook", HOOKS)
def test_one_fault_at_any_change_ends_in_the_truth_and_a_second_pass_mends_it(server: SandboxServer, hook: str) -> None:
    scene = Scene(server, hook)
    paths = [call.path for call in server.changing_calls()]
    for name in FAULTS if hook == "create_canary" else OWN:
        fault = FAULTS[name]
        for path in paths:
            scene.fresh()
            method = "POST" if hook == "create_canary" else "PUT"
            scene.check_disturbed(dataclasses.replace(fault, method=method, path=f"{path}$"))


@pytest.mark.parametrize("hook", ["update_consent", "create_canary"])
def test_silence_after_any_change_ends_in_the_truth(server: SandboxServer, hook: str) -> None:
    scene = Scene(server, hook)
    for path in [call.path for call in server.changing_calls()]:
        scene.fresh()
        method = "POST" if hook == "create_canary" else "PUT"
        scene.check_disturbed(Fault("hang_after", method=method, path=f"{path}$"), timeout_seconds=0.1)


def test_a_lost_answer_of_the_endpoint_is_unknown_and_is_not_sent_again_in_the_same_run(server: SandboxServer) -> None:
    scene = Scene(server, "update_consent")
    scene.fresh()
    server.fail(Fault("reset_after", path="/consents$"))
    said = scene.run()
    assert isinstance(said, tuple)
    assert [effect.result for effect in said] == [Result.UPDATED, Result.UPDATED, Result.UNKNOWN]
    assert said[ENDPOINT].reason.startswith("PUT /v1/customers/{customerId}/consents: the connection was dropped")
    assert sum(call.path.endswith("/consents") for call in server.calls) == 1
    scene.check_a_second_pass()


@pytest.mark.parametrize("hook", ["update_consent", "rectify"])
def test_a_change_that_is_done_and_cannot_be_read_back_is_not_called_so(server: SandboxServer, hook: str) -> None:
    scene = Scene(server, hook)
    for fault in (Fault("reset_before", times=-1), Fault("status", reply=Reply(403, {"code": 403, "message": "no"}))):
        scene.fresh()
        # One read of the customer comes before the change: all later ones are lost.
        server.fail(dataclasses.replace(fault, method="GET", path=r"/v1/customers/[^/?]+$", skip=1))
        said = scene.run()
        assert isinstance(said, tuple)
        flags = [effect for effect in said if effect.index != ENDPOINT or hook == "rectify"]
        assert {effect.result for effect in flags if effect.record == "customer"} == {Result.FAILED}
        scene.check(said)
        scene.check_a_second_pass()


@pytest.mark.parametrize("hook", HOOKS)
def test_an_interruption_at_any_change_ends_as_if_there_had_been_none(server: SandboxServer, hook: str) -> None:
    scene = Scene(server, hook)
    for n in range(1, scene.changes + 1):
        for after in (False, True):
            scene.fresh()
            with pytest.raises(RunEnded):
                scene.run(journal=InterruptedJournal(2 * (n - 1) + after))
            scene.check_a_second_pass()

"""What goes wrong during an erasure in this vendor's own ways: nothing untrue is said, and a second pass finishes it.

What goes wrong at any vendor's call, the conformance kit tries (test_kit.py); here are lies in this vendor's words,
silence on a real wire, and how often a change is sent. What the second pass says is what the undisturbed erasure said.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

import habeas_voucherify as plugin
from habeas import Action, Erasure, Identifier, Outcome, PlanItem, Result, Subject
from habeas.errors import RunEnded
from habeas.testing.connect import InterruptedJournal, MemoryJournal, connect
from habeas.testing.people import seeded_people
from habeas.testing.sandbox import Fault, FaultKind, Reply, SandboxServer
from habeas_voucherify.sandbox import VoucherifySandbox

_SEEDED = seeded_people(2, ["voucherify"])
FIRST = dataclasses.replace(_SEEDED[0], orders=1)
PEOPLE = (FIRST, _SEEDED[1])
SUBJECT = Subject((Identifier("customer_id", FIRST.customer_id), Identifier("email", FIRST.email)))
NOT_FOUND = Reply(404, {"code": 404, "key": "not_found", "message": "Resource not found"})
DELETION = {"id": "del_1", "status": "DONE", "object": "pernament_deletion"}

Said = tuple[Outcome, ...]


class Scene:
    """One server; each ``fresh`` gives it a new project, always the same, and a plan for the first person's erasure."""

    def __init__(self, server: SandboxServer) -> None:
        self.server = server
        self.items: tuple[PlanItem, ...] = ()

    def fresh(self) -> None:
        self.app = VoucherifySandbox()
        self.app.seed(PEOPLE)
        self.server.app = self.app
        self.server.faults.clear()
        if not self.items:
            found = plugin.inventory(connect(plugin, self.server), SUBJECT)
            self.items = tuple(PlanItem(n, record, Action.ERASE) for n, record in enumerate(found.records))
            assert {item.record.kind for item in self.items} == {kind.name for kind in plugin.describe().kinds}
        self.others = self.app.held(PEOPLE[1])
        self.server.calls.clear()

    def erase(self, *, resumed: bool = False, journal: MemoryJournal | None = None, **limits: Any) -> Said:
        connection = connect(plugin, self.server, journal=journal or MemoryJournal(), **limits)
        return plugin.erase(connection, Erasure(SUBJECT, self.items, resumed=resumed))

    def undisturbed(self) -> Said:
        self.fresh()
        said = self.erase()
        assert self.app.held(FIRST) == {}
        assert {outcome.result for outcome in said} == {Result.ERASED}
        return said

    def kinds(self, said: Said) -> dict[str, Result]:
        return {self.items[outcome.index].record.kind: outcome.result for outcome in said}

    def places(self) -> Sequence[int]:
        """The calls just made, by number: the first one of each operation."""
        first: dict[tuple[str, str], int] = {}
        for n, call in enumerate(self.server.calls):
            path = call.path.replace(FIRST.customer_id, "{}")
            first.setdefault((call.method, path.partition("?")[0]), n)
        return tuple(first.values())

    def check(self, said: Said) -> None:
        """What is called erased or absent is not held; nobody else lost anything; nobody is named."""
        held = self.app.held(FIRST)
        assert len(said) == len(self.items)
        for outcome in said:
            assert outcome.result in (Result.ERASED, Result.ABSENT, Result.FAILED, Result.UNKNOWN)
            if outcome.result in (Result.ERASED, Result.ABSENT):
                assert self.items[outcome.index].record.kind not in held
            for name in (FIRST.customer_id, FIRST.email, *(i for item in self.items for i in item.record.ids)):
                assert name not in repr(outcome)
        assert self.app.held(PEOPLE[1]) == self.others

    def check_a_second_pass(self, clean: Said) -> None:
        self.server.faults.clear()
        assert self.erase(resumed=True) == clean
        assert self.app.held(FIRST) == {}


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(VoucherifySandbox()) as running:
        yield running


@pytest.fixture
def scene(server: SandboxServer) -> Scene:
    return Scene(server)


NO = Reply(403, {"code": 403, "message": "no"})
LIES = {
    "404 without acting": Fault("lie", reply=NOT_FOUND),
    "done without acting": Fault("lie", reply=Reply(200, DELETION)),
}


@pytest.mark.parametrize("name", LIES)
def test_one_lie_at_any_operation_ends_in_the_truth_and_a_second_pass_finishes(scene: Scene, name: str) -> None:
    clean = scene.undisturbed()
    places = scene.places()
    assert len(places) >= 14
    for n in places:
        scene.fresh()
        scene.server.fail(dataclasses.replace(LIES[name], skip=n))
        said = scene.erase()
        scene.check(said)
        if not all(outcome.result.final for outcome in said):
            scene.check_a_second_pass(clean)
        else:
            # A read that lied can leave another read as the evidence, never another result.
            assert [(o.result, o.reason) for o in said] == [(o.result, o.reason) for o in clean]
            assert scene.app.held(FIRST) == {}


@pytest.mark.parametrize("kind", ["hang_before", "hang_after", "reset_before", "reset_after"])
def test_silence_on_the_wire_ends_in_the_truth(scene: Scene, kind: FaultKind) -> None:
    clean = scene.undisturbed()
    methods = [call.method for call in scene.server.calls]
    for n in (0, methods.index("POST")):
        scene.fresh()
        scene.server.fail(Fault(kind, skip=n))
        assert scene.erase(timeout_seconds=0.3) == clean
        assert scene.app.held(FIRST) == {}


def test_a_permanent_deletion_that_only_says_done_has_failed(scene: Scene) -> None:
    clean = scene.undisturbed()
    scene.fresh()
    scene.server.fail(Fault("lie", method="POST", reply=Reply(200, DELETION), times=-1))
    said = scene.erase()
    scene.check(said)
    results = scene.kinds(said)
    assert results.pop("loyalty_member") is Result.ERASED
    assert set(results.values()) == {Result.FAILED}
    assert all("still shows the record" in o.reason for o in said if o.result is Result.FAILED)
    assert [call.path.rpartition("/")[2] for call in scene.server.changing_calls()][-1] == "permanent-deletion"
    scene.check_a_second_pass(clean)


def test_a_permanent_deletion_that_is_not_done_yet_has_failed_and_is_read_again_later(scene: Scene) -> None:
    clean = scene.undisturbed()
    scene.fresh()
    scene.server.fail(Fault("lie", method="POST", reply=Reply(200, {**DELETION, "status": "IN_PROGRESS"})))
    said = scene.erase()
    scene.check(said)
    assert {o.result for o in said} == {Result.FAILED, Result.ERASED}
    assert any("without saying that it is done" in o.reason for o in said)
    scene.check_a_second_pass(clean)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status"),
        Fault("lie"),
        Fault("lie", reply=Reply(200, {"status": "DELETED"})),
        Fault("lie", reply=Reply(409, {"code": 409, "key": "conflict", "message": "Conflict"})),
        Fault("reset_before"),
    ],
    ids=["503", "204", "200", "409", "dropped"],
)
def test_the_customer_stays_where_its_memberships_cannot_be_deleted(scene: Scene, fault: Fault) -> None:
    clean = scene.undisturbed()
    scene.fresh()
    scene.server.fail(dataclasses.replace(fault, method="DELETE", times=-1))
    said = scene.erase()
    scene.check(said)
    assert {call.method for call in scene.server.changing_calls()} == {"DELETE"}
    results = scene.kinds(said)
    assert results.pop("loyalty_member") in (Result.FAILED, Result.UNKNOWN)
    assert set(results.values()) == {Result.FAILED}
    scene.check_a_second_pass(clean)


def test_a_membership_that_could_not_be_deleted_keeps_the_customer_even_where_the_list_does_not_show_it(
    scene: Scene,
) -> None:
    scene.fresh()
    scene.server.fail(Fault("status", method="DELETE", times=-1))
    scene.server.fail(Fault("lie", path="/memberships/", reply=NOT_FOUND, times=-1))
    scene.check(scene.erase())
    assert {call.method for call in scene.server.changing_calls()} == {"DELETE"}


def test_a_deletion_that_is_never_answered_nor_readable_is_unknown(scene: Scene) -> None:
    clean = scene.undisturbed()
    scene.fresh()
    scene.server.fail(Fault("reset_after", path="permanent-deletion", times=-1))
    # One read of the customer comes before the deletion: all later ones are lost.
    scene.server.fail(Fault("reset_before", method="GET", path=r"/v1/customers/[^/?]+$", skip=1, times=-1))
    said = scene.erase()
    results = scene.kinds(said)
    assert results.pop("loyalty_member") is Result.ERASED
    assert set(results.values()) == {Result.UNKNOWN}
    scene.check_a_second_pass(clean)


def test_a_deletion_that_is_never_answered_is_done_where_the_reads_show_it(scene: Scene) -> None:
    clean = scene.undisturbed()
    scene.fresh()
    scene.server.fail(Fault("reset_after", path="permanent-deletion", times=-1))
    assert scene.erase() == clean
    assert sum(call.path.endswith("permanent-deletion") for call in scene.server.calls) == 1


def test_after_refused_credentials_nothing_more_is_asked(scene: Scene) -> None:
    scene.fresh()
    scene.server.fail(Fault("status", method="DELETE", times=-1, reply=NO))
    said = scene.erase()
    scene.check(said)
    assert {outcome.result for outcome in said} == {Result.FAILED}
    assert all(outcome.reason.endswith("credentials refused") for outcome in said)
    assert len(scene.server.calls) == 2


@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
def test_an_erasure_interrupted_at_any_change_ends_as_an_undisturbed_one(scene: Scene, after: bool) -> None:
    clean = scene.undisturbed()
    changes = len(scene.server.changing_calls())
    assert changes == 2
    for n in range(1, changes + 1):
        scene.fresh()
        with pytest.raises(RunEnded):
            scene.erase(journal=InterruptedJournal(2 * (n - 1) + after))
        if n < changes:
            with pytest.raises(RunEnded):  # and the resumed run too, before its first change
                scene.erase(resumed=True, journal=InterruptedJournal(0))
        before = len(scene.server.changing_calls())
        scene.check_a_second_pass(clean)
        assert len(scene.server.changing_calls()) - before == changes - n + (0 if after else 1)

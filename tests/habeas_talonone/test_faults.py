"""What goes wrong during an erasure in this vendor's own ways: nothing untrue is said, and a second pass finishes it.

What goes wrong at any vendor's call, the conformance kit tries (test_kit.py); here are 409 and 204, silence on a real
wire, faults that last, and how often a change is sent. What the second pass says is what the undisturbed erasure said.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

import habeas_talonone as plugin
from habeas import Action, Erasure, Identifier, Outcome, PlanItem, Result, Subject
from habeas.errors import RunEnded
from habeas.testing.connect import InterruptedJournal, MemoryJournal, connect
from habeas.testing.people import seeded_people
from habeas.testing.sandbox import Fault, FaultKind, Reply, SandboxServer
from habeas_talonone.sandbox import TalonOneSandbox

PEOPLE = seeded_people(4, ["talonone"])
FIRST = PEOPLE[0]
SUBJECT = Subject((Identifier("customer_id", FIRST.customer_id), Identifier("email", FIRST.email)))

Said = tuple[Outcome, ...]


class Scene:
    """One server; each ``fresh`` gives it a new account and a plan for the first person's erasure."""

    def __init__(self, server: SandboxServer) -> None:
        self.server = server
        self.after_erase = "gone"

    def fresh(self) -> None:
        self.app = TalonOneSandbox()
        self.app.after_erase = "shell" if self.after_erase == "shell" else "gone"
        self.app.seed(PEOPLE)
        self.server.app = self.app
        self.server.faults.clear()
        found = plugin.inventory(connect(plugin, self.server), SUBJECT)
        self.items = tuple(PlanItem(n, record, Action.ERASE) for n, record in enumerate(found.records))
        self.others = self.neighbours()
        self.server.calls.clear()

    def erase(self, *, resumed: bool = False, journal: MemoryJournal | None = None, **limits: Any) -> Said:
        connection = connect(plugin, self.server, journal=journal or MemoryJournal(), **limits)
        return plugin.erase(connection, Erasure(SUBJECT, self.items, resumed=resumed))

    def places(self) -> list[int]:
        """The calls just made, by number: the first and the last one of each operation."""
        names = [f"{call.method} {call.path}" for call in self.server.calls]
        return sorted({names.index(name) for name in names} | {len(names) - 1 - names[::-1].index(n) for n in names})

    def neighbours(self) -> list[Mapping[str, int]]:
        return [self.app.held(person) for person in PEOPLE[1:]]

    def undisturbed(self) -> tuple[Said, int]:
        self.fresh()
        said = self.erase()
        assert self.app.held(FIRST) == {}
        return said, len(self.server.calls)

    def check(self, said: Said) -> None:
        """What is called erased or absent is not held; nobody else lost anything; nobody is named."""
        held = self.app.held(FIRST)
        assert len(said) == len(self.items)
        for outcome in said:
            kind = self.items[outcome.index].record.kind
            assert outcome.result in (Result.ERASED, Result.ABSENT, Result.FAILED, Result.UNKNOWN)
            if outcome.result in (Result.ERASED, Result.ABSENT):
                assert kind not in held
            assert FIRST.customer_id not in repr(outcome)
        assert self.neighbours() == self.others


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(TalonOneSandbox()) as running:
        yield running


@pytest.fixture
def scene(server: SandboxServer) -> Scene:
    return Scene(server)


FAULTS = {
    "500 without acting": Fault("status", reply=Reply(500, json={"message": "x"})),
    "409": Fault("status", reply=Reply(409, json={"message": "busy"})),
    "dropped before": Fault("reset_before"),
    "dropped after": Fault("reset_after"),
    "204 without acting": Fault("lie"),
}


@pytest.mark.parametrize("name", ["409", "204 without acting"])
def test_one_fault_at_any_operation_ends_in_the_truth_and_a_second_pass_finishes(scene: Scene, name: str) -> None:
    clean, _ = scene.undisturbed()
    places = scene.places()
    assert len(places) >= 12
    for n in places:
        scene.fresh()
        scene.server.fail(dataclasses.replace(FAULTS[name], skip=n))
        said = scene.erase()
        scene.check(said)
        scene.server.faults.clear()
        if not all(outcome.result.final for outcome in said):
            said = scene.erase(resumed=True)
            assert said == clean
        # A reading that lied can leave another reading as the evidence, never another result.
        assert [(o.result, o.reason) for o in said] == [(o.result, o.reason) for o in clean]
        assert scene.app.held(FIRST) == {}


@pytest.mark.parametrize("kind", ["hang_before", "hang_after"])
def test_silence_on_the_wire_ends_in_the_truth(scene: Scene, kind: FaultKind) -> None:
    clean, calls = scene.undisturbed()
    methods = [call.method for call in scene.server.calls]
    for n in (0, calls // 2, methods.index("POST"), methods.index("DELETE")):
        scene.fresh()
        scene.server.fail(Fault(kind, skip=n))
        assert scene.erase(timeout_seconds=0.3) == clean
        assert scene.app.held(FIRST) == {}


@pytest.mark.parametrize("name", ["500 without acting", "204 without acting", "dropped before", "dropped after"])
def test_a_lasting_fault_of_one_operation_fails_it_and_what_depends_on_it_and_nothing_else(
    scene: Scene, name: str
) -> None:
    clean, _ = scene.undisturbed()
    for method, path in (
        ("DELETE", "coupon_reservations"),
        ("POST", "delete_transactions"),
        ("POST", "unlink_profile"),
        ("POST", "customer_audiences"),
        ("DELETE", "customer_data"),
    ):
        scene.fresh()
        scene.server.fail(dataclasses.replace(FAULTS[name], method=method, path=path, times=-1))
        said = scene.erase()
        scene.check(said)
        if name == "dropped after":
            assert said == clean, "each call did its work, and the reading shows it"
            continue
        sent = [call.path for call in scene.server.changing_calls()]
        assert any("customer_data" in target for target in sent) == (path == "customer_data")
        profile = next(o for o in said if scene.items[o.index].record.kind == "profile")
        assert profile.result in (Result.FAILED, Result.UNKNOWN)
        assert profile.reason
        scene.server.faults.clear()
        assert scene.erase(resumed=True) == clean
        assert scene.app.held(FIRST) == {}


def test_a_change_that_is_never_answered_nor_readable_is_unknown(scene: Scene) -> None:
    clean, _ = scene.undisturbed()
    scene.fresh()
    scene.server.fail(Fault("reset_after", path="customer_data", times=-1))
    # Two readings of the inventory come before the deletion: all later ones are lost.
    scene.server.fail(Fault("reset_before", method="GET", path="/inventory", skip=2, times=-1))
    said = scene.erase()
    results = {scene.items[outcome.index].record.kind: outcome.result for outcome in said}
    assert results["profile"] is Result.UNKNOWN
    assert Result.ERASED not in results.values()
    scene.server.faults.clear()
    assert scene.erase(resumed=True) == clean


@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
def test_an_erasure_that_leaves_a_shell_ends_as_undisturbed_wherever_it_was_interrupted(
    scene: Scene, after: bool
) -> None:
    scene.after_erase = "shell"
    clean, _ = scene.undisturbed()
    changes = len(scene.server.changing_calls())
    assert changes == 5
    for n in range(1, changes + 1):
        scene.fresh()
        with pytest.raises(RunEnded):
            scene.erase(journal=InterruptedJournal(2 * (n - 1) + after))
        if n < changes:
            with pytest.raises(RunEnded):  # and the resumed run too, before its first change
                scene.erase(resumed=True, journal=InterruptedJournal(0))
        before = len(scene.server.changing_calls())
        assert scene.erase(resumed=True) == clean
        assert scene.app.held(FIRST) == {}
        assert scene.neighbours() == scene.others
        assert len(scene.server.changing_calls()) - before == changes - n + (0 if after else 1)

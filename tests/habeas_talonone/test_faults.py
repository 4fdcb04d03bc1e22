"""Whatever goes wrong at whichever call of an erasure: nothing untrue is said, and a second pass finishes it.

Each test counts the calls of an undisturbed erasure, then spoils one after the other, each time on a fresh account.
What the second pass says is what the undisturbed erasure said.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

import habeas_talonone as plugin
from habeas import Action, Erasure, Identifier, Outcome, PlanItem, Result, Subject
from habeas.errors import RunEnded
from habeas.http.transport import Request
from habeas.testing.connect import MemoryJournal, connect
from habeas.testing.people import seeded_people
from habeas.testing.sandbox import Fault, Reply, SandboxServer
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
    "429": Fault("status", reply=Reply(429, json={"message": "slow"}, headers={"Retry-After": "2"})),
    "409": Fault("status", reply=Reply(409, json={"message": "busy"})),
    "401": Fault("status", reply=Reply(401, json={"message": "no"})),
    "dropped before": Fault("reset_before"),
    "dropped after": Fault("reset_after"),
    "204 without acting": Fault("lie"),
    "acts, then garbage": Fault("replace", reply=Reply(200, body=b"{garbage")),
    "acts, then 502": Fault("replace", reply=Reply(502, body=b"bad gateway")),
}


@pytest.mark.parametrize("name", FAULTS)
def test_one_fault_at_any_call_ends_in_the_truth_and_a_second_pass_finishes(scene: Scene, name: str) -> None:
    clean, calls = scene.undisturbed()
    for n in range(calls):
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
def test_silence_at_any_changing_call_ends_in_the_truth(scene: Scene, kind: str) -> None:
    clean, _ = scene.undisturbed()
    for n, method in enumerate(call.method for call in tuple(scene.server.calls)):
        if method == "GET":
            continue
        scene.fresh()
        fault = Fault("hang_before" if kind == "hang_before" else "hang_after", skip=n)
        scene.server.fail(fault)
        said = scene.erase(timeout_seconds=0.15)
        scene.check(said)
        assert said == clean


def test_silence_at_a_read_is_asked_again(scene: Scene) -> None:
    clean, calls = scene.undisturbed()
    for n in (0, calls // 2):
        scene.fresh()
        scene.server.fail(Fault("hang_before", method="GET", skip=min(n, 8)))
        assert scene.erase(timeout_seconds=0.15) == clean


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


class Interrupted(MemoryJournal):
    """Ends the run at the n-th intent, or at the n-th outcome: the call was made, and nobody wrote what came of it."""

    def __init__(self, at: int, after: bool) -> None:
        super().__init__()
        self.at, self.after, self.seen = at, after, 0

    def intent(self, request: Request, host: str) -> int:
        if not self.after:
            self._count()
        return super().intent(request, host)

    def outcome(self, intent: int, result: str, status: int) -> None:
        if self.after:
            self._count()
        super().outcome(intent, result, status)

    def _count(self) -> None:
        self.seen += 1
        if self.seen == self.at:
            raise RunEnded("interrupted")


@pytest.mark.parametrize("after_erase", ["gone", "shell"])
@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
def test_an_erasure_interrupted_at_any_change_ends_as_an_undisturbed_one(
    scene: Scene, after_erase: str, after: bool
) -> None:
    scene.after_erase = after_erase
    clean, _ = scene.undisturbed()
    changes = len(scene.server.changing_calls())
    assert changes == 5
    for n in range(1, changes + 1):
        scene.fresh()
        with pytest.raises(RunEnded):
            scene.erase(journal=Interrupted(n, after))
        if n < changes:
            with pytest.raises(RunEnded):  # and the resumed run too, before its first change
                scene.erase(resumed=True, journal=Interrupted(1, after=False))
        before = len(scene.server.changing_calls())
        assert scene.erase(resumed=True) == clean
        assert scene.app.held(FIRST) == {}
        assert scene.neighbours() == scene.others
        assert len(scene.server.changing_calls()) - before == changes - n + (0 if after else 1)


def test_an_interruption_during_the_last_readings_changes_nothing(scene: Scene) -> None:
    clean, calls = scene.undisturbed()
    for n in range(calls - 6, calls):
        scene.fresh()
        scene.server.fail(Fault("reset_before", skip=n, times=-1))
        scene.check(scene.erase())
        scene.server.faults.clear()
        assert scene.erase(resumed=True) == clean

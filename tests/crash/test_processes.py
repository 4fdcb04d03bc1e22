"""Several processes at once, on one home and on one case: one works, the others say so; nothing is done twice.

RELIABILITY I14 and section 4.5: a lock ends with its process, so there is none to judge stale; a process that is
stopped holds what it has taken, so nobody takes over from it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from tests.crash.conftest import Zygote, survive
from tests.crash.scenarios import SCENARIOS, Scenario
from tests.figures import record

if TYPE_CHECKING:
    from tests.crash.conftest import Shop, Undisturbed

BUSY = "is being worked on by another process"
HELD = "another process holds the ledger"


def side_by_side(shop: Shop, commands: list[list[str]], **more: Any) -> list[tuple[int, Any, str]]:
    """Exit code, JSON document and stderr of each command, all begun at once."""
    orders = [shop.order(*command, out=f"out{n}.json", **more) for n, command in enumerate(commands)]
    ended = shop.at_once(*orders)
    return [(code, shop.told(f"out{n}.json"), shop.said(f"out{n}.json")) for n, (code, _) in enumerate(ended)]


def check_one_did_it(shop: Shop, expected: Any, erase: Scenario) -> None:
    """One case, done once, by one process at a time; each change was sent once, for nothing went wrong."""
    shop.check_ledger()
    assert erase.state(shop) == expected
    intents = [(e.connection, e.data["fingerprint"]) for e in shop.entries() if e.type == "call.intent"]
    assert len(set(intents)) == len(intents)


def race(shop: Shop, undisturbed: Undisturbed, many: int) -> list[str]:
    """The same erasure, started so many times at once: what each that did not do it said."""
    erase = SCENARIOS["erase"]
    expected, _ = undisturbed(erase)
    erase.begin(shop)
    ran = side_by_side(shop, [erase.arguments(shop)] * many)
    check_one_did_it(shop, expected, erase)
    done = [code for code, _, _ in ran if code == 0]
    assert len(done) == 1, ran
    assert all(code == 4 for code, _, _ in ran if code), [(c, said[-300:]) for c, _, said in ran]
    return [said for code, _, said in ran if code]


def race_to_resume(shop: Shop, undisturbed: Undisturbed, many: int, kill_at: int) -> list[int]:
    """A killed erasure that so many processes go on with at once, one of which names it: their exit codes."""
    erase = SCENARIOS["erase"]
    expected, _ = undisturbed(erase)
    erase.begin(shop)
    assert erase.run(shop, kill_at=kill_at)[0] == -9
    (case,) = shop.cases()
    ran = side_by_side(shop, [["resume", case.case_id], *[["resume"]] * (many - 1)])
    shop.check_ledger()
    assert erase.state(shop) == expected
    for code, told, said in ran:
        assert code in (0, 1)
        assert (code == 1) == (BUSY in said)
        assert told["summary"]["skipped"] == (code == 1)
    return [code for code, _, _ in ran]


def test_of_two_that_erase_one_person_one_does(shop: Shop, undisturbed: Undisturbed) -> None:
    (said,) = race(shop, undisturbed, 2)
    assert "is about the same" in said


def test_of_two_that_resume_a_case_one_does(shop: Shop, undisturbed: Undisturbed) -> None:
    assert 0 in race_to_resume(shop, undisturbed, 2, 30)


@pytest.mark.faults
def test_many_rounds_of_four_processes(shop: Shop, undisturbed: Undisturbed) -> None:
    """Erasures of one person; resumes of a case killed at another point each time; a resume beside an erasure."""
    erase = SCENARIOS["erase"]
    expected, points = undisturbed(erase)
    busy = 0
    for n in range(15):
        race(shop, undisturbed, 4)
        busy += race_to_resume(shop, undisturbed, 4, 12 + n * 3).count(1)
        erase.begin(shop)
        ran = side_by_side(shop, [erase.arguments(shop), ["resume"], ["resume"], erase.arguments(shop)])
        assert min(code for code, _, _ in ran) == 0
        check_one_did_it(shop, expected, erase)
    assert busy > 0
    assert points > 12 + 14 * 3
    record("processes", {"rounds of 4": 45, "told that another works on the case": busy, "done twice": 0, "forks": 0})


@pytest.mark.faults
def test_of_four_that_apply_a_plan_one_does(shop: Shop, undisturbed: Undisturbed) -> None:
    apply = SCENARIOS["apply"]
    expected, _ = undisturbed(apply)
    for _ in range(8):
        apply.begin(shop)
        ran = side_by_side(shop, [apply.arguments(shop)] * 4, **apply.more)
        assert min(code for code, _, _ in ran) == 0
        check_one_did_it(shop, expected, apply)
    record("processes", {"rounds of 4 that apply one plan": 8})


@pytest.mark.faults
def test_four_that_work_on_different_people_disturb_nobody(shop: Shop) -> None:
    """One home, one ledger: no fork, nothing lost."""
    shop.afresh()
    known = [p for p in shop.world.people if len(p.held_at) == 3][:8]
    for _ in range(2):
        four, known = known[:4], known[4:]
        ran = side_by_side(shop, [["erase", f"customer_id={p.customer_id}", "--yes"] for p in four])
        assert [told["status"] for _, told, _ in ran] == ["completed"] * 4
        shop.check_ledger()
    assert len({case.case_id for case in shop.cases()}) == 8
    record("processes", {"people erased by 4 processes at once": 8})


@pytest.fixture
def second() -> Iterator[Zygote]:
    process = Zygote()
    yield process
    process.close()


@pytest.mark.faults
@pytest.mark.parametrize("stop_at", range(10, 70, 8))
def test_a_stopped_process_that_wakes_later_finds_nothing_done_behind_its_back(
    stop_at: int, shop: Shop, undisturbed: Undisturbed, second: Zygote
) -> None:
    """SIGSTOP at a point of the erasure: a resume meanwhile is told to wait; SIGCONT, and the erasure goes on.

    Stopped in the middle of a commit it holds the ledger too: then the other cannot even begin, and says so.
    """
    erase = SCENARIOS["erase"]
    expected, _ = undisturbed(erase)
    erase.begin(shop)
    second.begin(shop.order(*erase.arguments(shop), out="zombie.json", signals=[[stop_at, "SIGSTOP"]]))
    child = stopped_child(second)
    try:
        calls = shop.calls
        code, _, told = shop.habeas("resume")
        assert (code, shop.calls) == (1, calls)
        assert (BUSY in shop.said() and told["cases"] == []) or HELD in told["error"]["message"], told
    finally:
        os.kill(child, signal.SIGCONT)
        ended = second.end()
    assert [code for code, _ in ended] == [0]
    shop.said("zombie.json")
    check_one_did_it(shop, expected, erase)
    record("processes", {f"stopped at point {stop_at}, woken after another tried": "held its case"})


def stopped_child(zygote: Zygote) -> int:
    """The child of a zygote, once it has stopped itself."""
    while True:
        for child in zygote.children():
            with open(f"/proc/{child}/stat") as file:  # noqa: PTH123 - as /proc is read
                if file.read().rpartition(")")[2].split()[0] == "T":
                    return child


@pytest.mark.faults
@pytest.mark.parametrize("kill_at", [20, 40, 60])
def test_a_lock_ends_with_its_process(kill_at: int, shop: Shop, undisturbed: Undisturbed) -> None:
    erase = SCENARIOS["erase"]
    expected, _ = undisturbed(erase)
    erase.begin(shop)
    assert erase.run(shop, kill_at=kill_at)[0] == -9
    survive(shop, erase, expected)

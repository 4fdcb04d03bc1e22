"""SIGKILL at every point of every command, then `habeas resume`: the same outcomes as a run that nobody disturbed.

The real program, killed as a process; enumerated, not sampled: the point is moved on until the run gets to its end.
`make test` takes every so-manieth point of each command, `make faults` all of them, and those of the recovery.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.crash.conftest import survive
from tests.crash.scenarios import SCENARIOS, Scenario
from tests.figures import record

if TYPE_CHECKING:
    from tests.crash.conftest import Shop, Undisturbed

STRIDES = {
    "erase": 15, "access": 25, "rectify": 25, "consent set": 25, "consent propagate": 97, "canary": 97, "batch": 113,
    "apply": 37, "purge": 19, "recheck --erase": 45, "certificate": 19,
}  # fmt: skip
"""In `make test`, of so many points one is a kill; each command begins at another: not the same are left out of all."""
MIDDLES = (25, 50, 75, 95)
"""Percent of the erasure's points at which it is killed before its recovery is."""


def kill_at_each(shop: Shop, scenario: Scenario, expected: Any, first: int, step: int) -> tuple[int, int]:
    """Kills at points ``first``, ``first + step``, … until the command ends by itself: how many, and where it ended."""
    kills, kill_at = 0, first
    while True:
        scenario.begin(shop)
        code, passed, _ = scenario.run(shop, kill_at=kill_at)
        if code != -9:
            break
        survive(shop, scenario, expected)
        kills += 1
        kill_at += step
    assert code in (0, 3)
    assert passed < kill_at, "it ended by itself"
    assert scenario.state(shop) == expected
    return kills, passed


def idle_resume(shop: Shop) -> None:
    """A finished case makes no calls."""
    calls = shop.calls
    code, _, told = shop.habeas("resume")
    assert (code, told["cases"], shop.calls) == (0, [], calls)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_kill_is_made_good(name: str, shop: Shop, undisturbed: Undisturbed) -> None:
    """RELIABILITY I1 to I6, I12: a representative part of the points."""
    scenario, stride = SCENARIOS[name], STRIDES[name]
    expected, points = undisturbed(scenario)
    kills, _ = kill_at_each(shop, scenario, expected, 1 + list(SCENARIOS).index(name) % stride, stride)
    assert kills >= max(1, points * 8 // 10 // stride)
    idle_resume(shop)


def test_a_kill_of_the_recovery_is_made_good_by_the_next(shop: Shop, undisturbed: Undisturbed) -> None:
    """RELIABILITY I8: the erasure is killed in its middle, then the resume at every nineteenth point."""
    kills = kill_recoveries(shop, undisturbed, middle=60, first=2, step=19)
    assert kills >= 2


def kill_recoveries(shop: Shop, undisturbed: Undisturbed, *, middle: int, first: int, step: int, again: int = 0) -> int:
    """Kills an erasure at ``middle`` percent, then its recovery at each point; with ``again`` (percent of a recovery's
    points) another recovery before that one as well. Returns how many were killed.
    """
    scenario = SCENARIOS["erase"]
    expected, points = undisturbed(scenario)
    kills, kill_at = 0, first
    while True:
        scenario.begin(shop)
        assert scenario.run(shop, kill_at=points * middle // 100)[0] == -9
        if again:
            assert shop.habeas("resume", kill_at=again)[0] == -9
        if shop.habeas("resume", kill_at=kill_at)[0] != -9:
            break
        survive(shop, scenario, expected)
        kills += 1
        kill_at += step
    assert scenario.state(shop) == expected
    return kills


@pytest.mark.faults
@pytest.mark.parametrize("shard", range(2))
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_kill_at_any_point_is_made_good(name: str, shard: int, shop: Shop, undisturbed: Undisturbed) -> None:
    """RELIABILITY I1 to I6, I12, at every point."""
    scenario = SCENARIOS[name]
    expected, points = undisturbed(scenario)
    kills, passed = kill_at_each(shop, scenario, expected, shard + 1, 2)
    assert kills >= points * 8 // 20, "about as many points as the undisturbed run passed"
    assert abs(kills - passed // 2) <= 1 + passed // 20, "threads pass some points in another order, or one the fewer"
    idle_resume(shop)
    record("kills", {f"{name} ({shard + 1} of 2)": {"points": kills, "survived": kills}})


@pytest.mark.faults
@pytest.mark.parametrize("middle", MIDDLES)
def test_a_kill_at_any_point_of_the_recovery_is_made_good(middle: int, shop: Shop, undisturbed: Undisturbed) -> None:
    """RELIABILITY I8, from several middles."""
    kills = kill_recoveries(shop, undisturbed, middle=middle, first=1, step=1)
    assert kills > 8
    record("kills", {f"resume, erase killed at {middle} %": {"points": kills, "survived": kills}})


@pytest.mark.faults
@pytest.mark.parametrize("again", [4, 12])
def test_a_kill_of_the_recovery_of_a_recovery_is_made_good(again: int, shop: Shop, undisturbed: Undisturbed) -> None:
    """RELIABILITY I8, twice: the recovery is killed at its fourth and at its twelfth point, the next one at every."""
    kills = kill_recoveries(shop, undisturbed, middle=50, first=1, step=1, again=again)
    assert kills > 8
    record("kills", {f"resume after a resume killed at its point {again}": {"points": kills, "survived": kills}})

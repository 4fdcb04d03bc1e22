"""SIGKILL at every point of an erasure, then `habeas resume`: the same outcomes as a run that nobody disturbed.

The real program, killed as a process; enumerated, not sampled: the point is moved on by one until the run gets to its
end. Vendors are sandboxes in this process, spoken to over loopback.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.crash.conftest import Shop

SHARDS = 4


@pytest.fixture(scope="module")
def undisturbed(shop: Shop) -> tuple[list[tuple[Any, ...]], int]:
    """What a run that nobody disturbs says, and how many points it passes."""
    shop.afresh()
    before = shop.others()
    code, points, case = shop.habeas("erase", f"customer_id={shop.person.customer_id}", "--yes")
    assert (code, case["status"]) == (0, "completed")
    assert shop.world.held(shop.person) == {}
    assert shop.others() == before
    shop.check_ledger()
    assert points > 50
    return shop.outcomes_of(case), points


def finish(shop: Shop) -> Any:
    """What a user does after a crash: resume; and where the request itself was lost, ask again."""
    code, _, result = shop.habeas("resume")
    if result["cases"]:
        assert code == 0
        (case,) = result["cases"]
        return case
    listed = shop.habeas("case", "list")[2]["cases"]
    if listed:
        assert [c["status"] for c in listed] == ["completed"]
        return shop.habeas("case", "show", listed[0]["case"])[2]
    return shop.habeas("erase", f"customer_id={shop.person.customer_id}", "--yes")[2]


def check_end(shop: Shop, case: Any, before: dict[str, Any], expected: list[tuple[Any, ...]]) -> None:
    assert case["status"] == "completed"
    assert shop.outcomes_of(case) == expected
    assert shop.world.held(shop.person) == {}
    assert shop.others() == before
    shop.check_ledger()


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_kill_at_any_point_is_made_good_by_resume(
    shard: int, shop: Shop, undisturbed: tuple[list[tuple[Any, ...]], int]
) -> None:
    """Points shard, shard + SHARDS, … of the erasure, until it ends by itself."""
    expected, points = undisturbed
    kill_at = shard + 1
    while True:
        shop.afresh()
        before = shop.others()
        who = f"customer_id={shop.person.customer_id}"
        code, passed, case = shop.habeas("erase", who, "--yes", kill_at=kill_at)
        if code != -9:
            break
        check_end(shop, finish(shop), before, expected)
        kill_at += SHARDS
    assert (code, shop.outcomes_of(case)) == (0, expected)
    assert passed < kill_at, "it ended by itself"
    assert kill_at > points * 9 // 10, "about as many points as the undisturbed run passed"
    calls = sum(len(s.calls) for s in shop.world.servers.values())
    assert shop.habeas("resume")[2]["cases"] == []
    assert sum(len(s.calls) for s in shop.world.servers.values()) == calls, "a finished case makes no calls"


@pytest.mark.parametrize("shard", range(2))
def test_a_kill_of_the_recovery_is_made_good_by_the_next(
    shard: int, shop: Shop, undisturbed: tuple[list[tuple[Any, ...]], int]
) -> None:
    """The erasure is killed in its middle, then the resume at every sixth point."""
    expected, points = undisturbed
    kill_at = shard * 6 + 1
    while True:
        shop.afresh()
        before = shop.others()
        who = f"customer_id={shop.person.customer_id}"
        assert shop.habeas("erase", who, "--yes", kill_at=points * 6 // 10)[0] == -9
        if shop.habeas("resume", kill_at=kill_at)[0] != -9:
            break
        check_end(shop, finish(shop), before, expected)
        kill_at += 12
    assert kill_at > 16

"""SIGKILL in a consent, a rectification and a canary run, then `habeas resume`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from habeas.testing.people import Person

if TYPE_CHECKING:
    from tests.crash.conftest import Shop

SHARDS = 2
STEP = 2 * SHARDS
"""Consents and corrections go one way: of its points, each is killed at every second, one where the other is not."""
CHANGES = {
    "consent": ["consent", "set", "marketing_email=withdrawn"],
    "rectify": ["rectify", "phone=+4930999999", "last_name=Corrected"],
}


def command(shop: Shop, what: str) -> list[str]:
    first, *rest = CHANGES[what]
    group, rest = ([first, rest[0]], rest[1:]) if first == "consent" else ([first], rest)
    return [*group, f"customer_id={shop.person.customer_id}", *rest, "--yes"]


def truth(shop: Shop, person: Person) -> dict[str, Any]:
    """All that each vendor holds about somebody, but for times of change."""
    return {name: server.app.held_text(person) for name, server in shop.world.servers.items()}


def everybody_else(shop: Shop) -> list[dict[str, Any]]:
    return [truth(shop, p) for p in shop.world.people if p is not shop.person]


def finish(shop: Shop, again: Callable[[], Any]) -> Any:
    """What a user does after a crash: resume; and where the request itself was lost, ask again."""
    _, _, result = shop.habeas("resume")
    if result["cases"]:
        (case,) = result["cases"]
        return case
    listed = shop.habeas("case", "list")[2]["cases"]
    return shop.habeas("case", "show", listed[0]["case"])[2] if listed else again()


def as_wanted(outcomes: list[tuple[Any, ...]]) -> list[tuple[str, ...]]:
    """Without what may differ: after a kill nobody can tell what was as wanted before, nor need it be read twice."""
    return sorted(tuple("updated" if cell == "unchanged" else cell for cell in row[:-1]) for row in outcomes)


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_killed_change_is_made_good_by_resume(what: str, shard: int, shop: Shop) -> None:
    """The same outcomes as an undisturbed run's, nobody else touched, one intent and one outcome for each call."""
    arguments = command(shop, what)
    shop.afresh()
    others = everybody_else(shop)
    code, points, case = shop.habeas(*arguments)
    expected = shop.outcomes_of(case)
    assert code in (0, 3)
    assert any("updated" in row for row in expected)
    assert everybody_else(shop) == others
    kill_at = 1 + 2 * shard + list(CHANGES).index(what)
    while True:
        shop.afresh()
        code, _, case = shop.habeas(*arguments, kill_at=kill_at)
        if code != -9:
            break
        case = finish(shop, lambda: shop.habeas(*arguments)[2])
        assert case["status"] == "completed"
        assert as_wanted(shop.outcomes_of(case)) == as_wanted(expected)
        assert everybody_else(shop) == others
        shop.check_ledger()
        kill_at += STEP
    assert kill_at > points * 8 // 10


def test_a_killed_canary_leaves_nobody_behind(shop: Shop) -> None:
    """Whatever was created is erased by resume; where only a person can find it, that is said."""
    kill_at = 7
    while True:
        shop.afresh()
        before = [truth(shop, p) for p in shop.world.people]
        code, _, _ = shop.habeas("canary", kill_at=kill_at)
        if code != -9:
            break
        _, _, result = shop.habeas("resume")
        assert [truth(shop, p) for p in shop.world.people] == before
        for case in result["cases"]:
            assert case["status"] == "completed"
            asked = {row["connection"] for row in case["outcomes"] if row["result"] == "manual"}
            assert left_behind(shop, case["reference"]) <= asked
        shop.check_ledger()
        kill_at += 17
    assert code == 0
    assert kill_at > 90


def left_behind(shop: Shop, customer_id: str) -> set[str]:
    """The vendors that still hold a made-up person."""
    ghost = Person(**{**shop.person.__dict__, "customer_id": customer_id, "email": f"{customer_id}@canary.invalid"})
    return {name for name, server in shop.world.servers.items() if server.app.held(ghost)}

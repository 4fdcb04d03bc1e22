"""`habeas recheck`: whether erased people are still gone, as the vendors show it. It reads, unless told to erase."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from tests.habeas.cli.ending import AT_ONCE, DAY, HOLD, add_policy, id_of, needles_of, said, small_shop, use_clock
from tests.searching import leaks

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Ran, Shop

    from habeas.testing.clock import SkippingClock
    from habeas.testing.people import Person

HELD_A_YEAR = f"""
[after]
recheck = ["P1D"]
{HOLD}period = "P1Y"
period_starts = "received"
"""


@pytest.fixture(scope="module")
def _shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    for shop in small_shop(tmp_path_factory):
        add_policy(shop, "usual")
        add_policy(shop, "hold", HELD_A_YEAR)
        yield shop


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SkippingClock:
    return use_clock(monkeypatch)


def erase(shop: Shop, person: Person, policy: str = "usual") -> str:
    ran = shop.run("--json", "erase", id_of(person), "--policy", policy, "--yes")
    assert ran.code in (0, 3), ran.stderr
    return str(ran.json["case"])


def recheck(shop: Shop, *arguments: str) -> Ran:
    return shop.run("recheck", *arguments, "--json")


def come_back(shop: Shop, person: Person, name: str) -> None:
    """A vendor has put back a backup: everybody is there again as they were at first."""
    app = shop.registry.sandbox(name)
    app.seed(shop.world.people)
    shop.world.servers[name].app = app
    assert name in shop.world.held(person)


def periods(shop: Shop, case: str) -> list[list[str]]:
    """For which of the policy's rechecks each look was."""
    return [entry["data"]["periods"] for entry in said(shop, "case.rechecked", case=case)]


def mine(ran: Ran, case: str) -> Any:
    """What one recheck says of one case; None where it was not looked up."""
    return next((one for one in ran.json["cases"] if one["case"] == case), None)


# -- when -------------------------------------------------------------------------------------------------------------


def test_people_are_looked_up_a_week_and_a_month_after_and_no_other_day(own_shop: Shop, clock: SkippingClock) -> None:
    """Each once; nothing is sent that changes, and where nobody is due, nothing at all."""
    shop = own_shop
    add_policy(shop, "usual")
    case = erase(shop, shop.world.people[0])
    changes = shop.world.changing_calls()
    seen = []
    day = 0
    for days in (5, 5, 10, 10, 5):
        clock.skip(days * DAY)
        day += days
        calls = shop.calls
        ran = recheck(shop)
        assert ran.code == 0
        looked = bool(ran.json["cases"])
        assert looked == (shop.calls > calls)
        seen += [day] if looked else []
    assert seen == [10, 30]
    assert periods(shop, case) == [["P7D"], ["P30D"]]
    assert "Nobody was to be looked up again." in shop.run("recheck").stdout
    assert shop.world.changing_calls() == changes
    check_late(shop, clock)


def check_late(shop: Shop, clock: SkippingClock) -> None:
    """Nobody has looked for two months: one look is for both, and the next finds nobody due."""
    case = erase(shop, shop.world.people[1])
    clock.skip(60 * DAY)
    assert mine(recheck(shop), case) is not None
    assert periods(shop, case) == [["P7D", "P30D"]]
    assert recheck(shop).json["cases"] == []


def test_a_vendor_that_is_down_makes_it_one_and_the_look_is_still_due(shop: Shop, clock: SkippingClock) -> None:
    """Exit code 1, and which could not be searched; it counts once all were."""
    case = erase(shop, shop.fresh())
    clock.skip(8 * DAY)
    down = shop.servers[0]
    down.down = True
    for arguments in ([], [case], []):
        ran = recheck(shop, *arguments)
        assert ran.code == 1
        found = mine(ran, case)["connections"]
        assert ["problem" in one for one in found.values()].count(True) == 1
        assert ran.json["summary"]["not_searched"] >= 1
    text = shop.run("recheck", case)
    assert (text.code, "not searched" in text.stdout) == (1, True)
    assert periods(shop, case) == [["P7D"]] * 4
    down.down = False
    ran = recheck(shop, case)
    assert (ran.code, mine(ran, case)["back"]) == (0, False)
    assert mine(recheck(shop), case) is None


# -- who came back ----------------------------------------------------------------------------------------------------


def test_who_came_back_is_said_with_where_and_how_much(shop: Shop, clock: SkippingClock) -> None:
    """Exit code 3. Looking changes nothing, and says nobody's name; it is told again as long as it is so."""
    person = shop.fresh()
    needles = needles_of(shop, person)
    case = erase(shop, person)
    name = "talonone"
    come_back(shop, person, name)
    held, changes = shop.world.held(person), shop.world.changing_calls()
    clock.skip(8 * DAY)
    ran = recheck(shop)
    found = mine(ran, case)
    assert (ran.code, found["back"]) == (3, True)
    back = {where: one["back"] for where, one in found["connections"].items() if "back" in one}
    assert set(back) == {name}
    assert all(n >= 1 for n in back[name].values())
    text = shop.run("recheck", case)
    assert (text.code, "came back" in text.stdout, "By their own wish?" in text.stderr) == (3, True, True)
    assert (shop.world.held(person), shop.world.changing_calls()) == (held, changes)
    assert leaks((text.stdout + text.stderr + ran.stdout).encode(), needles) == []
    assert periods(shop, case) == [["P7D"], []]
    check_erased_again(shop, person, case)


def check_erased_again(shop: Shop, person: Person, case: str) -> None:
    """As a new case that goes on with the old one, under its policy; refused where nobody can be asked."""
    refused = recheck(shop, case, "--erase")
    assert refused.code == 4
    assert "add --yes" in refused.stderr
    assert shop.world.held(person) != {}
    ran = recheck(shop, case, "--erase", "--yes")
    (again,) = ran.json["erased_again"]
    assert (again["status"], again["policy"]["name"]) == ("completed", "usual")
    assert ran.code in (0, 3)
    assert shop.world.held(person) == {}
    (opened,) = said(shop, "case.opened", case=again["case"])
    assert opened["data"]["follows"] == case
    assert recheck(shop, case, "--erase", "--yes").json["erased_again"] == []


def test_everyone_at_one_connection_after_it_has_put_back_a_backup(shop: Shop, clock: SkippingClock) -> None:
    """Only that one is asked; such a look is not the one that the policy wants."""
    person = shop.fresh()
    case = erase(shop, person)
    name = "voucherify"
    come_back(shop, person, name)
    before = {other: len(server.calls) for other, server in shop.world.servers.items()}
    ran = recheck(shop, "--all", "--connection", name)
    assert (ran.code, set(mine(ran, case)["connections"])) == (3, {name})
    asked = {other for other, server in shop.world.servers.items() if len(server.calls) > before[other]}
    assert asked == {name}
    clock.skip(8 * DAY)
    assert mine(recheck(shop, "--connection", name), case) is not None
    assert periods(shop, case) == [[], []]
    assert recheck(shop, case, "--erase", "--yes").json["erased_again"] != []
    assert periods(shop, case)[2] == ["P7D"]


def test_what_is_held_or_left_to_a_person_is_not_back(shop: Shop, clock: SkippingClock) -> None:
    """It was never gone; what another vendor shows again was."""
    person = shop.fresh()
    case = erase(shop, person, "hold")
    assert set(shop.world.held(person)) == {"cybersource"}
    clock.skip(2 * DAY)
    ran = recheck(shop, case)
    assert (ran.code, mine(ran, case)["back"]) == (0, False)
    come_back(shop, person, "talonone")
    ran = recheck(shop, case)
    back = {where for where, one in mine(ran, case)["connections"].items() if "back" in one}
    assert (ran.code, back) == (3, {"talonone"})


# -- who is not looked up ---------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("clock")
def test_nobody_can_look_up_people_whose_details_are_destroyed(shop: Shop) -> None:
    """They are counted, and nothing is asked about them."""
    case = erase(shop, shop.fresh(), add_policy(shop, "at-once", AT_ONCE))
    assert shop.run("purge", case, "--yes").code == 0
    before = shop.calls
    ran = recheck(shop, case)
    assert (ran.code, ran.json["cases"], shop.calls) == (0, [], before)
    assert ran.json["summary"] == {"rechecked": 0, "back": 0, "not_searched": 0, "details_destroyed": 1}
    assert "nobody knows any more who they were" in shop.run("recheck", case).stdout


@pytest.mark.usefixtures("clock")
def test_only_completed_erasures_are_looked_up(shop: Shop) -> None:
    person = shop.fresh()
    access = shop.run("--json", "access", id_of(person)).json["case"]
    ran = recheck(shop, "--all")
    assert mine(ran, access) is None


@pytest.mark.usefixtures("clock")
def test_unknown_cases_and_connections_are_wrong_usage(shop: Shop) -> None:
    before = shop.calls
    for arguments, says in ((["c-unknown"], "there is no case"), (["--connection", "nowhere"], "no such connection")):
        ran = shop.run("recheck", *arguments)
        assert ran.code == 2
        assert says in ran.error
    assert shop.calls == before

"""Holds as data: what is held is queued, erased when its time is over, and the cases say so."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from tests.habeas.cli.ending import AT_ONCE, DAY, add_policy, id_of, needles_of, said, small_shop, use_clock
from tests.searching import leaks

from habeas.engine.holds import note_release

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Shop

    from habeas.testing.clock import SkippingClock
    from habeas.testing.people import Person

NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
HOLD = """
[[rules]]
match.plugin = "{plugin}"
action = "retain"
reason = "The law asks for it."
legal_basis = "https://w3id.org/dpv/legal/eu/gdpr#A6-1-c"
legal_source = "§ 147 AO"
exemption = "https://w3id.org/dpv/legal/eu/gdpr#JustificationA17LegallyRequired"
period = "{period}"
period_starts = "received"
"""


@pytest.fixture(scope="module")
def _shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    for shop in small_shop(tmp_path_factory, 40):
        day = HOLD.format(plugin="cybersource", period="P1D")
        add_policy(shop, "day", AT_ONCE + day)
        add_policy(shop, "twice", AT_ONCE + day + HOLD.format(plugin="talonone", period="P10D"))
        yield shop


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> SkippingClock:
    return use_clock(monkeypatch, NOW)


def erase(shop: Shop, person: Person, policy: str = "day") -> str:
    ran = shop.run("--json", "erase", id_of(person), "--policy", policy, "--yes")
    assert (ran.code, ran.json["status"]) == (0, "completed"), ran
    return str(ran.json["case"])


def resume(shop: Shop, code: int = 0) -> Any:
    """What cron runs every day: the cases it finished."""
    ran = shop.run("resume", "--json")
    assert ran.code == code, ran
    return ran.json["cases"]


def follow(shop: Shop, case: str) -> list[str]:
    """The cases that go on with one."""
    opened = said(shop, "case.opened")
    return [str(entry["case"]) for entry in opened if entry["data"].get("follows") == case]


def held_at(shop: Shop, person: Person) -> set[str]:
    return set(shop.world.held(person))


def shown(shop: Shop, case: str) -> str:
    return " ".join(shop.run("case", "show", case).stdout.split())


def key_is_there(shop: Shop, case: str) -> bool:
    """Whether what the case was about could still be read after a purge."""
    assert shop.run("purge", "--yes").code == 0
    return "details" not in shop.run("case", "show", case, "--json").json


def test_what_was_held_is_erased_the_day_after_and_not_before(shop: Shop, clock: SkippingClock) -> None:
    """The hold of a request of the thirtieth lasts through the first; the case that erases it names the first one."""
    person, other = shop.fresh(), shop.fresh()
    others = shop.world.held(other)
    case = erase(shop, person)
    placed = said(shop, "hold.placed", case=case)
    assert {(entry["connection"], entry["data"]["until"]) for entry in placed} == {("cybersource", "2026-12-01")}
    assert "held at cybersource until 2026-12-01; `habeas resume` erases it after that" in shown(shop, case)
    for days in (0, 1):
        clock.skip(days * DAY)
        resume(shop)
        assert (held_at(shop, person), follow(shop, case)) == ({"cybersource"}, [])
    assert key_is_there(shop, case)
    clock.skip(DAY)
    assert key_is_there(shop, case), "until it is released, the person must be known"
    resume(shop)
    (next_case,) = follow(shop, case)
    assert (held_at(shop, person), shop.world.held(other)) == (set(), others)
    (released,) = said(shop, "hold.released", case=case)
    assert released["data"] == {"until": "2026-12-01", "case": next_case}
    assert f"a hold has ended by 2026-12-01: case {next_case} erases what it kept" in shown(shop, case)
    assert f"goes on with {case}" in shown(shop, next_case)
    done = shop.run("case", "show", next_case, "--json").json
    first = shop.run("case", "show", case, "--json").json
    assert (done["status"], done["received_at"]) == ("completed", first["received_at"])
    assert {row["result"] for row in done["outcomes"] if row["connection"] == "cybersource"} == {"erased"}
    assert {row["result"] for row in first["outcomes"] if row["connection"] == "cybersource"} == {"retained"}
    resume(shop)
    assert follow(shop, case) == [next_case]
    assert not key_is_there(shop, case)


def test_of_two_holds_each_ends_on_its_own_day(shop: Shop, clock: SkippingClock) -> None:
    """The case that takes up the first still holds the second; its end is one case, not one for each of the two."""
    person = shop.fresh()
    case = erase(shop, person, "twice")
    assert held_at(shop, person) == {"cybersource", "talonone"}
    clock.skip(2 * DAY)
    resume(shop)
    (second,) = follow(shop, case)
    assert held_at(shop, person) == {"talonone"}
    assert "until 2026-12-10" in shown(shop, case)
    assert "until 2026-12-10" in shown(shop, second)
    clock.skip(8 * DAY)
    resume(shop)
    assert held_at(shop, person) == {"talonone"}
    clock.skip(DAY)
    resume(shop)
    assert (held_at(shop, person), follow(shop, case)) == (set(), [second])
    (third,) = follow(shop, second)
    for one in (case, second):
        assert said(shop, "hold.released", case=one)[-1]["data"] == {"until": "2026-12-10", "case": third}
        assert not key_is_there(shop, one)


def test_whoever_came_back_is_held_from_the_later_day(make_shop: Callable[[int], Shop], clock: SkippingClock) -> None:
    """Erased again a day later, as a recheck has shown: the first hold's end takes nothing that the second keeps."""
    shop = make_shop(12)
    add_policy(shop, "day", HOLD.format(plugin="cybersource", period="P1D"))
    person = shop.fresh()
    first = erase(shop, person)
    backup = shop.registry.sandbox("talonone")
    backup.seed(shop.world.people)
    shop.world.servers["talonone"].app = backup
    clock.skip(DAY)
    ran = shop.run("recheck", first, "--erase", "--yes", "--json")
    (second,) = [str(one["case"]) for one in ran.json["erased_again"]]
    clock.skip(DAY)
    resume(shop)
    assert (held_at(shop, person), follow(shop, first)) == ({"cybersource"}, [second])
    clock.skip(DAY)
    resume(shop)
    (third,) = follow(shop, second)
    assert (held_at(shop, person), follow(shop, first)) == (set(), [second])
    released = said(shop, "hold.released")
    assert {entry["case"]: entry["data"]["case"] for entry in released} == {first: third, second: third}


def test_a_hold_on_everything_refuses_and_is_erased_all_the_same_when_it_ends(shop: Shop, clock: SkippingClock) -> None:
    person = shop.fresh()
    rules = "".join(HOLD.format(plugin=name, period="P1D") for name in shop.world.servers)
    add_policy(shop, "everything", AT_ONCE + rules)
    ran = shop.run("--json", "erase", id_of(person), "--policy", "everything", "--yes")
    assert (ran.code, ran.json["status"]) == (4, "refused")
    clock.skip(2 * DAY)
    resume(shop)
    assert held_at(shop, person) == set()


def test_a_hold_never_blocks_access(shop: Shop) -> None:
    """What is held is in the package."""
    person = shop.fresh()
    erase(shop, person)
    ran = shop.run("--json", "access", id_of(person))
    assert ran.code == 0
    results = {row["connection"]: row["result"] for row in ran.json["outcomes"]}
    assert results == {"cybersource": "exported", "talonone": "absent", "voucherify": "absent"}
    with zipfile.ZipFile(ran.json["package"]) as package:
        (name,) = [name for name in package.namelist() if name.endswith("data.json")]
        processors = json.loads(package.read(name))["processors"]
    assert [p["connection"] for p in processors if p["records"]] == ["cybersource"]


@pytest.mark.parametrize("written", [False, True])
def test_killed_between_opening_and_releasing_it_is_made_good(
    shop: Shop, clock: SkippingClock, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    """One case erases what was held, and one entry says so; whichever came to the disk first."""
    person = shop.fresh()
    case = erase(shop, person)
    clock.skip(2 * DAY)

    def killed(*arguments: Any) -> None:
        if written:
            note_release(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("habeas.aftercare.note_release", killed)
        assert shop.run("resume").code == 130
    assert held_at(shop, person) == {"cybersource"}
    resume(shop)
    assert (len(follow(shop, case)), held_at(shop, person)) == (1, set())
    assert len(said(shop, "hold.released", case=case)) == 1


def test_a_vendor_that_is_away_on_the_day_is_asked_again_the_next(shop: Shop, clock: SkippingClock) -> None:
    person = shop.fresh()
    case = erase(shop, person)
    clock.skip(2 * DAY)
    shop.world.servers["cybersource"].down = True
    resume(shop, code=1)
    assert "cybersource" in held_at(shop, person)
    shop.world.servers["cybersource"].down = False
    resume(shop)
    assert (held_at(shop, person), len(follow(shop, case))) == (set(), 1)


def test_a_policy_that_is_gone_keeps_its_hold_and_nobody_elses_case(shop: Shop, clock: SkippingClock) -> None:
    """The other hold is released and erased; exit 1 and a line say that one was not. It is, once the policy is back."""
    path = shop.policies / f"{add_policy(shop, 'lost', AT_ONCE + HOLD.format(plugin='cybersource', period='P1D'))}.toml"
    one, two = shop.fresh(), shop.fresh()
    lost = erase(shop, one, "lost")
    erase(shop, two)
    clock.skip(2 * DAY)
    text = path.read_text()
    path.unlink()
    ran = shop.run("resume")
    assert ran.code == 1
    assert f"the hold of case {lost} has ended, but" in " ".join(ran.stderr.split())
    assert (held_at(shop, one), held_at(shop, two)) == ({"cybersource"}, set())
    path.write_text(text)
    resume(shop)
    assert held_at(shop, one) == set()


def test_what_four_eyes_have_approved_holds_for_what_was_held(
    shop: Shop, clock: SkippingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where they are required, the end of a hold needs no second approval: the first one said until when."""
    person, text = shop.fresh(), shop.config.read_text()
    with shop.config.open("a") as file:
        file.write("\n[approvals]\nrequired = true\n")
    try:
        case = str(shop.run("--json", "plan", id_of(person), "--policy", "day").json["case"])
        for name, command in (("bob", "approve"), ("carol", "apply")):
            monkeypatch.setattr("getpass.getuser", lambda name=name: name)
            assert shop.run(command, case, "--yes").code == 0
        assert held_at(shop, person) == {"cybersource"}
        clock.skip(2 * DAY)
        resume(shop)
    finally:
        shop.config.write_text(text)
    assert held_at(shop, person) == set()


def test_none_of_this_leaves_personal_data_in_the_ledger(shop: Shop, clock: SkippingClock) -> None:
    person = shop.fresh()
    needles = needles_of(shop, person)
    erase(shop, person)
    clock.skip(2 * DAY)
    resume(shop)
    assert leaks(shop.ledger_bytes(), needles) == []

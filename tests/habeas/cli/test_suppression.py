"""Erased people stay erased: nothing is written about them at any vendor until a person lifts it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from tests.habeas.cli.ending import add_policy, id_of, needles_of, said, small_shop
from tests.searching import leaks

from habeas.cases.keys import KeyStore
from habeas.cases.suppression import SuppressionList
from habeas.clock import SystemClock
from habeas.models import Identifier, Subject

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Ran, Shop

    from habeas.testing.people import Person
    from habeas.testing.sandbox import Call, Reply

pytestmark = pytest.mark.usefixtures("patient")

HOLD_ALL = """
[[rules]]
match.plugin = ["cybersource", "talonone", "voucherify"]
action = "retain"
reason = "A court has ordered it."
legal_basis = "https://w3id.org/dpv/legal/eu/gdpr#A6-1-c"
legal_source = "GDPR Art. 17(3)(e)"
exemption = "https://w3id.org/dpv/legal/eu/gdpr#JustificationA17LegalClaims"
"""
CONSENT = ["consent", "set"], ["marketing_email=granted"]
RECTIFY = ["rectify"], ["city=Wienerwald"]


@pytest.fixture(scope="module")
def _shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    for shop in small_shop(tmp_path_factory, 32):
        add_policy(shop, "hold-everything", HOLD_ALL)
        yield shop


@pytest.fixture(scope="module")
def erased(_shop: Shop) -> tuple[Person, str]:
    """Somebody erased, for tests that change nothing about that."""
    person = _shop.fresh()
    return person, erase(_shop, person)


def erase(shop: Shop, who: Person | str, *arguments: str) -> str:
    """Returns the case."""
    who = who if isinstance(who, str) else id_of(who)
    ran = shop.run("--json", "erase", who, "--yes", *arguments)
    assert ran.code in (0, 3), ran.stderr
    return str(ran.json["case"])


def change(shop: Shop, who: str, command: tuple[list[str], list[str]] = CONSENT, *more: str) -> Ran:
    first, rest = command
    return shop.run("--json", *first, who, *rest, *(more or ["--yes"]))


def listed(shop: Shop, *who: str) -> Any:
    return shop.run("suppression", "list", *who, "--json").json


# -- refused ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [CONSENT, RECTIFY], ids=["consent", "rectify"])
@pytest.mark.parametrize("by", ["customer_id", "email", "EMAIL", "phone"])
def test_a_change_about_an_erased_person_is_refused_and_nothing_is_sent(
    command: tuple[list[str], list[str]], by: str, shop: Shop, erased: tuple[Person, str]
) -> None:
    """Exit code 4, by whatever identifier; the case says why, and names nobody."""
    person, case = erased
    value = getattr(person, by.lower())
    before = shop.calls
    ran = change(shop, f"{by.lower()}={value.upper() if by == 'EMAIL' else value}", command)
    assert (ran.code, ran.json["status"], ran.json["outcomes"]) == (4, "refused", [])
    assert shop.calls == before
    (closed,) = said(shop, "case.closed", case=ran.json["case"])
    assert f"the person was erased in case {case}" in closed["data"]["reason"]
    assert "suppression lift" in closed["data"]["reason"]
    assert said(shop, "call.intent", case=ran.json["case"]) == []
    assert shop.world.held(person) == {}


def test_somebody_else_with_that_address_is_not_refused(shop: Shop) -> None:
    """A household with one e-mail address: one is erased, the other goes on."""
    gone, stays = shop.world.people[2], shop.world.people[3]
    assert gone.email == stays.email
    erase(shop, gone)
    ran = change(shop, id_of(stays))
    assert ran.json["status"] == "completed"
    assert listed(shop, id_of(stays))["refused"] is False
    text = shop.run("suppression", "list", id_of(stays)).stdout
    assert "They share an address, not an id." in text
    assert listed(shop, id_of(gone))["refused"] is True


def test_looking_is_allowed(shop: Shop, erased: tuple[Person, str]) -> None:
    """A dry run, an inventory and an access request write nothing."""
    who = id_of(erased[0])
    before = shop.world.changing_calls()
    codes = [change(shop, who, CONSENT, "--dry-run").code, shop.run("inventory", who).code]
    assert (codes, shop.world.changing_calls()) == ([0, 0], before)


def test_erasing_again_is_allowed_and_finds_nobody(shop: Shop) -> None:
    person = shop.fresh()
    first = erase(shop, person)
    again = erase(shop, person)
    rows = shop.run("case", "show", again, "--json").json["outcomes"]
    assert {row["result"] for row in rows} <= {"absent", "manual"}
    assert [one["case"] for one in listed(shop, id_of(person))["suppressed"]] == [first, again]


def test_an_erasure_under_which_everything_is_held_puts_nobody_on_the_list(shop: Shop) -> None:
    person = shop.fresh()
    ran = shop.run("--json", "erase", id_of(person), "--policy", "hold-everything", "--yes")
    assert (ran.code, ran.json["status"]) == (4, "refused")
    assert listed(shop, id_of(person)) == {"suppressed": [], "refused": False}
    assert change(shop, id_of(person)).json["status"] == "completed"


# -- while it is going on ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [CONSENT, RECTIFY], ids=["consent", "rectify"])
def test_a_change_that_was_begun_before_the_erasure_is_not_finished_after_it(
    command: tuple[list[str], list[str]], shop: Shop
) -> None:
    """The vendors were down; the person is erased; `resume` refuses the rest and sends nothing."""
    person = shop.fresh()
    for server in shop.servers:
        server.down = True
    begun = change(shop, id_of(person), command)
    assert (begun.code, begun.json["status"]) == (1, "incomplete")
    for server in shop.servers:
        server.down = False
    erase(shop, person)
    before = shop.calls
    (case,) = shop.run("resume", begun.json["case"], "--json").json["cases"]
    assert (case["case"], case["status"]) == (begun.json["case"], "refused")
    assert shop.calls == before
    assert shop.world.held(person) == {}


@pytest.mark.parametrize("command", [CONSENT, RECTIFY], ids=["consent", "rectify"])
def test_an_erasure_that_begins_while_a_change_runs_stops_it_before_its_next_call(
    command: tuple[list[str], list[str]], shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked before each call that changes something: the change had looked before, and found nobody on the list."""
    person = shop.fresh()
    keys = KeyStore.open(shop.home.keys)
    suppression = SuppressionList.open(shop.home.suppression, keys)
    subject = Subject((Identifier("customer_id", person.customer_id),))

    def begins(server: Any) -> None:
        respond = server.respond

        def watched(call: Call) -> Reply | None:
            suppression.add("c-elsewhere", subject, SystemClock().now())
            answer: Reply | None = respond(call)
            return answer

        monkeypatch.setattr(server, "respond", watched)

    for server in shop.servers:
        begins(server)
    calls, before = shop.calls, shop.world.changing_calls()
    ran = change(shop, id_of(person), command)
    assert shop.calls > calls, "it had begun"
    assert shop.world.changing_calls() == before
    assert (ran.code, ran.json["status"]) == (1, "incomplete")
    assert said(shop, "call.intent", case=ran.json["case"]) == []
    assert any("c-elsewhere" in (row["reason"] or "") for row in ran.json["outcomes"])
    (case,) = shop.run("resume", ran.json["case"], "--json").json["cases"]
    assert (case["status"], shop.world.changing_calls()) == ("refused", before)
    suppression.remove(["c-elsewhere"])
    suppression.close()
    keys.close()


# -- lifting ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["id", "case"])
def test_once_it_is_lifted_the_person_can_be_written_about_again(by: str, shop: Shop) -> None:
    """The ledger notes why; both of two erasures of one person are lifted by their id."""
    person = shop.fresh()
    cases = [erase(shop, person), *([erase(shop, person)] if by == "id" else [])]
    named = [id_of(person)] if by == "id" else ["--case", cases[0]]
    refused = shop.run("suppression", "lift", *named, "--because", "returned")
    assert refused.code == 4
    assert "add --yes" in refused.error
    ran = shop.run("suppression", "lift", *named, "--because", "returned", "--yes", "--json")
    assert [one["case"] for one in ran.json["lifted"]] == cases
    assert listed(shop, id_of(person)) == {"suppressed": [], "refused": False}
    lifted = [entry for entry in said(shop, "suppression.lifted") if entry["case"] in cases]
    assert [entry["data"] for entry in lifted] == [{"why": "returned"}] * len(cases)
    assert change(shop, id_of(person)).json["status"] == "completed"
    again = shop.run("suppression", "lift", *named, "--because", "returned", "--yes")
    assert again.code == 2
    assert "nobody like that is on the list" in again.error


def test_lifting_one_of_a_household_leaves_the_other_on_the_list(own_shop: Shop) -> None:
    """They share an address; whoever is lifted is named by their id. In a home where nobody was on the list before."""
    shop = own_shop
    check_new_home(shop)
    one, other = shop.world.people[2], shop.world.people[3]
    cases = [erase(shop, person) for person in (one, other)]
    ran = shop.run("suppression", "lift", id_of(one), "--because", "mistake", "--yes", "--json")
    assert [entry["case"] for entry in ran.json["lifted"]] == cases[:1]
    assert [entry["case"] for entry in listed(shop)["suppressed"]] == cases[1:]
    assert (change(shop, id_of(other)).code, change(shop, id_of(one)).json["status"]) == (4, "completed")
    check_lost_list(shop, other)


def check_new_home(shop: Shop) -> None:
    """Nobody is on its list; a made-up person is created, changed and erased as ever, and is not put on it."""
    assert listed(shop) == {"suppressed": [], "refused": None}
    assert "Nobody is on the list." in shop.run("suppression", "list").stdout
    first, second = shop.run("canary", "--json"), shop.run("canary", "--json")
    assert (first.code, second.code) in ((0, 0), (3, 3))
    assert [row["result"] for row in first.json["outcomes"]] == [row["result"] for row in second.json["outcomes"]]
    assert listed(shop)["suppressed"] == []


def check_lost_list(shop: Shop, person: Person) -> None:
    """The file is gone, and the ledger knows that somebody is on it: no command goes on as if nobody were."""
    shop.home.suppression.unlink()
    before = shop.calls
    for command in (["case", "list"], ["consent", "set", id_of(person), "marketing_email=granted", "--yes"]):
        ran = shop.run(*command)
        assert ran.code == 1
        assert "is missing, but people are on it" in ran.error
    assert shop.calls == before
    assert not shop.home.suppression.exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--because", "returned"], "name the person, or the case"),
        (["customer_id=C-1", "--case", "c-1", "--because", "returned"], "name the person, or the case"),
        (["--case", "c-unknown", "--because", "returned"], "nobody like that is on the list"),
        (["customer_id=C-nobody", "--because", "returned"], "nobody like that is on the list"),
        (["customer_id=C-1"], "--because"),
        (["customer_id=C-1", "--because", "a whim"], "--because"),
    ],
)
def test_lifting_needs_one_way_to_name_somebody_and_a_reason(arguments: list[str], says: str, shop: Shop) -> None:
    before = shop.home.suppression.read_bytes()
    ran = shop.run("suppression", "lift", *arguments, "--yes", "--json")
    assert (ran.code, says in ran.stderr) == (2, True)
    assert shop.home.suppression.read_bytes() == before


# -- what is said -----------------------------------------------------------------------------------------------------


def test_neither_list_nor_ledger_nor_screen_says_who(shop: Shop, erased: tuple[Person, str]) -> None:
    """Cases, kinds and times; one entry for each erasure, with how many identifiers are marked."""
    person, case = erased
    (added,) = said(shop, "suppression.added", case=case)
    assert (added["data"], added["actor"]) == ({"identifiers": 4}, None)
    texts = [shop.run("suppression", "list").stdout, shop.run("suppression", "list", id_of(person)).stdout]
    assert all(case in text and "customer_id" in text for text in texts)
    one = next(one for one in listed(shop)["suppressed"] if one["case"] == case)
    assert one["kinds"] == ["customer_id", "cybersource", "email", "phone"]
    content = "".join(texts).encode() + shop.ledger_bytes() + shop.home.suppression.read_bytes()
    assert leaks(content, needles_of(shop, person)) == []

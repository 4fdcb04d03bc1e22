"""The hooks against the sandbox: what is found, what is handed over, what is gone, and what is said about the rest."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping

import pytest

import habeas_talonone as plugin
from habeas import (
    Action,
    AuthRejected,
    BadAnswer,
    Erasure,
    Identifier,
    Inventory,
    NotSent,
    Outcome,
    PlanItem,
    Rejected,
    Result,
    Subject,
)
from habeas.connection import Connection
from habeas.testing.connect import MemoryJournal, connect
from habeas.testing.people import Person, seeded_people
from habeas.testing.sandbox import Fault, Reply, SandboxServer
from habeas_talonone import activity
from habeas_talonone.client import calling
from habeas_talonone.sandbox import TalonOneSandbox

PEOPLE = seeded_people(32, ["talonone"])
FIRST = PEOPLE[0]


@dataclasses.dataclass
class Shop:
    app: TalonOneSandbox
    server: SandboxServer
    talonone: Connection

    def inventory(self, person: Person) -> Inventory:
        return plugin.inventory(self.talonone, subject(person))

    def erase(self, person: Person, found: Inventory, keep: Iterable[str] = (), resumed: bool = False) -> list[Outcome]:
        items = plan(found, keep)
        return list(plugin.erase(self.talonone, Erasure(subject(person), items, resumed=resumed)))

    def truth(self, people: Iterable[Person] = PEOPLE) -> Mapping[str, Mapping[str, int]]:
        return {person.customer_id: self.app.held(person) for person in people}

    def connection(self, **settings: str) -> Connection:
        return connect(plugin, self.server, journal=MemoryJournal(), settings=settings)


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(TalonOneSandbox()) as running:
        yield running


@pytest.fixture
def shop(server: SandboxServer) -> Shop:
    app = TalonOneSandbox()
    app.seed(PEOPLE)
    server.app = app
    server.calls.clear()
    server.faults.clear()
    return Shop(app, server, connect(plugin, server, journal=MemoryJournal()))


def subject(person: Person, *more: Identifier) -> Subject:
    return Subject((Identifier("email", person.email), Identifier("customer_id", person.customer_id), *more))


def plan(found: Inventory, keep: Iterable[str] = ()) -> tuple[PlanItem, ...]:
    kept = set(keep)
    return tuple(
        PlanItem(n, record, Action.RETAIN if record.kind in kept else Action.ERASE)
        for n, record in enumerate(found.records)
    )


def counted(found: Inventory) -> dict[str, int]:
    return {record.kind: record.count for record in found.records}


def results(found: Inventory, outcomes: Iterable[Outcome]) -> dict[str, Result]:
    return {found.records[outcome.index].kind: outcome.result for outcome in outcomes}


def of(found: Inventory, outcomes: Iterable[Outcome], kind: str) -> Outcome:
    return next(outcome for outcome in outcomes if found.records[outcome.index].kind == kind)


# -- inventory ---------------------------------------------------------------------------------------------------------


def test_a_stranger_is_absent_and_nothing_is_created_by_asking(shop: Shop) -> None:
    found = shop.inventory(PEOPLE[6])
    assert (found.records, found.gaps) == ((), ())
    assert found.evidence == "GET /v1/customer_profiles/{integrationId}/inventory -> 404"
    assert shop.app.held(PEOPLE[6]) == {}
    assert not shop.server.changing_calls()


def test_ids_of_the_identity_table_come_before_the_customer_id_and_all_of_them_count(shop: Shop) -> None:
    both = Subject(
        (
            Identifier("customer_id", PEOPLE[6].customer_id),
            Identifier("talonone", FIRST.customer_id),
            Identifier("talonone", PEOPLE[1].customer_id),
        )
    )
    found = plugin.inventory(shop.talonone, both)
    assert [r.data["integration_id"] for r in found.records if r.kind == "profile"] == [
        FIRST.customer_id,
        PEOPLE[1].customer_id,
    ]
    plugin.erase(shop.talonone, Erasure(both, plan(found)))
    assert shop.app.held(FIRST) == shop.app.held(PEOPLE[1]) == {}


def test_without_any_id_a_person_is_asked_to_look_one_up_and_nothing_is_sent(shop: Shop) -> None:
    found = plugin.inventory(shop.talonone, Subject((Identifier("email", FIRST.email),)))
    assert found.records == ()
    assert [gap.result for gap in found.gaps] == [Result.MANUAL]
    assert "Campaign Manager" in found.gaps[0].reason
    assert FIRST.email not in found.gaps[0].reason
    assert not shop.server.calls


def test_the_shop_says_which_identifier_it_sends_as_integration_id(shop: Shop) -> None:
    person = dataclasses.replace(FIRST, customer_id=FIRST.email)
    shop.app.seed([person])
    found = plugin.inventory(shop.connection(integration_id="email"), subject(FIRST))
    assert [record.ids for record in found.records if record.kind == "profile"] == [(FIRST.email,)]


def test_a_refused_key_is_never_absence(shop: Shop) -> None:
    connection = shop.connection(api_key="wrong")
    with pytest.raises(AuthRejected):
        plugin.inventory(connection, subject(FIRST))
    with pytest.raises(AuthRejected):
        plugin.check(connection)


@pytest.mark.parametrize("key", ["with blank", "line\nbreak", "größe", ""])
def test_a_key_that_cannot_stand_in_a_header_is_not_sent_and_not_shown(shop: Shop, key: str) -> None:
    connection = shop.connection(api_key=key)
    with pytest.raises(NotSent) as caught:
        plugin.check(connection)
    assert not key or key not in caught.value.line()
    assert not shop.server.calls


def test_a_404_that_is_not_the_vendors_own_is_never_absence(shop: Shop) -> None:
    for reply in (Reply(404, body=b"<html>Not Found</html>"), Reply(404), Reply(404, json=["x"])):
        shop.server.fail(Fault("lie", reply=reply))
        with pytest.raises(BadAnswer):
            shop.inventory(FIRST)


def test_an_id_that_would_become_another_path_is_not_sent(shop: Shop) -> None:
    for value in ("..", ".", "", "a\nb", "x" * 1001):
        with pytest.raises(NotSent):
            plugin.inventory(shop.talonone, Subject((Identifier("talonone", value),)))
    assert not shop.server.calls


# -- export ------------------------------------------------------------------------------------------------------------


def test_the_export_holds_the_vendors_bytes_and_no_other_persons_id(shop: Shop) -> None:
    for person in PEOPLE[:12]:
        found = shop.inventory(person)
        exported = plugin.export(shop.talonone, subject(person), found)
        others = [p.customer_id for p in PEOPLE if p is not person]
        for document in exported.documents:
            text = document.content.decode()
            assert not [other for other in others if json.dumps(other, ensure_ascii=False) in text]
            json.loads(text)
            assert document.source.startswith("GET /v1/")
            assert person.customer_id not in document.name
        assert len({d.name for d in exported.documents}) == len(exported.documents)
        assert exported.gaps == found.gaps == (activity.GAPS if found.records else ())


def test_all_pages_of_every_list_are_exported(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    found = shop.inventory(FIRST)
    whole = plugin.export(shop.talonone, subject(FIRST), found)
    monkeypatch.setattr(calling, "PAGE_SIZE", 7)
    paged = plugin.export(shop.talonone, subject(FIRST), found)

    def entries(documents: Iterable[object], part: str) -> list[object]:
        return [
            entry
            for d in documents
            if part in d.name  # type: ignore[attr-defined] # Document
            for entry in json.loads(d.content)["data"]  # type: ignore[attr-defined] # Document
        ]

    for part in ("transactions", "points-active", "points-pending", "points-expired", "achievements"):
        assert entries(paged.documents, part) == entries(whole.documents, part) != []
    assert len(entries(paged.documents, "loyalty-program-01-01-transactions")) == 65
    assert len([d for d in paged.documents if "program-01-01-transactions" in d.name]) == 10


def test_an_answer_without_other_people_is_handed_over_byte_for_byte(shop: Shop) -> None:
    # Number 2 has a card alone and has referred nobody.
    person = PEOPLE[2]
    found = shop.inventory(person)
    assert not any(d.omissions for d in plugin.export(shop.talonone, subject(person), found).documents)
    before = len(shop.server.calls)
    documents = plugin.export(shop.talonone, subject(person), found).documents
    sent = [shop.app.handle(call).encoded() for call in shop.server.calls[before:]]
    assert all(document.content in sent for document in documents)


def test_paging_that_never_ends_or_repeats_is_refused(shop: Shop) -> None:
    found = shop.inventory(FIRST)
    shop.server.fail(Fault("lie", path="/transactions", reply=Reply(200, json={"hasMore": True, "data": []}), times=-1))
    with pytest.raises(BadAnswer, match="paging"):
        plugin.export(shop.talonone, subject(FIRST), found)


# -- erase -------------------------------------------------------------------------------------------------------------


def test_everything_of_one_person_is_gone_and_nobody_else_is_touched(shop: Shop) -> None:
    for person in (FIRST, PEOPLE[1], PEOPLE[4], PEOPLE[14], PEOPLE[21], PEOPLE[28]):
        others = [p for p in PEOPLE if p is not person]
        before = shop.truth(others)
        found = shop.inventory(person)
        outcomes = shop.erase(person, found)
        assert set(results(found, outcomes).values()) == {Result.ERASED}
        assert all(outcome.evidence.startswith("GET /v1/") for outcome in outcomes)
        assert shop.app.held(person) == {}
        assert shop.truth(others) == before
        assert shop.inventory(person).records == ()


def test_customer_data_is_deleted_last(shop: Shop) -> None:
    shop.erase(FIRST, shop.inventory(FIRST))
    changes = [(call.method, call.path.split("/")[2]) for call in shop.server.changing_calls()]
    assert changes == [
        ("DELETE", "coupon_reservations"),
        ("POST", "loyalty_programs"),
        ("POST", "loyalty_programs"),
        ("POST", "customer_audiences"),
        ("DELETE", "customer_data"),
    ]


def test_what_somebody_else_erased_since_the_plan_is_absent_and_after_an_interruption_erased(shop: Shop) -> None:
    found = shop.inventory(FIRST)
    shop.erase(FIRST, found)
    again = len(shop.server.changing_calls())
    assert set(results(found, shop.erase(FIRST, found)).values()) == {Result.ABSENT}
    assert set(results(found, shop.erase(FIRST, found, resumed=True)).values()) == {Result.ERASED}
    assert len(shop.server.changing_calls()) == again


def test_a_held_kind_is_left_alone_while_the_rest_goes(shop: Shop) -> None:
    found = shop.inventory(FIRST)
    keep = {"loyalty_program", "loyalty_card"}
    outcomes = shop.erase(FIRST, found, keep)
    assert set(results(found, outcomes)) == {r.kind for r in found.records} - keep
    assert set(results(found, outcomes).values()) == {Result.ERASED}
    assert set(shop.app.held(FIRST)) == keep


def test_a_held_profile_keeps_what_goes_only_with_it(shop: Shop) -> None:
    found = shop.inventory(FIRST)
    said = results(found, shop.erase(FIRST, found, {"profile"}))
    by_hand = {"referral", "giveaway", "achievement", "loyalty_program"}
    assert {kind for kind, result in said.items() if result is Result.MANUAL} == by_hand
    assert {kind for kind, result in said.items() if result is Result.ERASED} == {
        "coupon",
        "loyalty_card",
        "audience",
    }
    assert set(shop.app.held(FIRST)) == {"profile", *by_hand, "session", "event", "friend"}
    assert set(counted(shop.inventory(FIRST))) == {"profile", *by_hand}
    assert not shop.app.state.ledgers[FIRST.customer_id], "points and transactions are gone, the membership is not"


def test_parents_are_named_for_every_kind_that_deleting_customer_data_destroys() -> None:
    with_profile = {kind.name for kind in plugin.describe().kinds if kind.erased_with == ("profile",)}
    shown_apart = {"session", "event", "friend"}
    assert with_profile == {"referral", "coupon", "giveaway", "achievement", "audience", *shown_apart}


def test_busy_profiles_are_asked_again(shop: Shop) -> None:
    found = shop.inventory(FIRST)
    shop.app.conflicts = 3
    assert set(results(found, shop.erase(FIRST, found)).values()) == {Result.ERASED}
    assert shop.app.held(FIRST) == {}


def test_new_records_since_the_plan_stop_the_deletion(shop: Shop) -> None:
    found = shop.inventory(FIRST)
    shop.app.state.enrol(shop.app.state.audiences[12], FIRST.customer_id)
    outcomes = shop.erase(FIRST, found)
    profile = of(found, outcomes, "profile")
    assert profile.result is Result.FAILED
    assert "start a new erasure" in profile.reason
    assert shop.app.held(FIRST)["profile"] == 1
    shop.erase(FIRST, shop.inventory(FIRST))
    assert shop.app.held(FIRST) == {}


def test_a_refused_key_stops_the_work_and_fails_what_is_left(shop: Shop) -> None:
    found = shop.inventory(FIRST)
    refused = shop.server.fail(Fault("status", method="DELETE", reply=Reply(401, json={"message": "no"}), times=-1))
    outcomes = shop.erase(FIRST, found)
    assert set(results(found, outcomes).values()) == {Result.FAILED}
    assert [call.method for call in shop.server.changing_calls()] == ["DELETE"]
    shop.server.faults.remove(refused)
    assert set(results(found, shop.erase(FIRST, found, resumed=True)).values()) == {Result.ERASED}


def test_a_403_on_reading_proves_nothing_is_gone(shop: Shop) -> None:
    found = shop.inventory(FIRST)
    shop.server.fail(Fault("status", reply=Reply(403, json={"message": "no"}), times=-1))
    outcomes = shop.erase(FIRST, found)
    assert set(results(found, outcomes).values()) == {Result.FAILED}
    assert not shop.server.changing_calls()


# -- what some accounts leave behind -----------------------------------------------------------------------------------


def test_an_empty_profile_that_stays_is_said_and_not_found_again(shop: Shop) -> None:
    shop.app.after_erase = "shell"
    person = next(p for p in PEOPLE if not p.orders and "talonone" in p.held_at)
    found = shop.inventory(person)
    outcomes = shop.erase(person, found)
    assert set(results(found, outcomes).values()) == {Result.ERASED}
    profile = of(found, outcomes, "profile")
    assert profile.evidence.endswith("-> 200")
    assert "empty profile" in profile.reason
    assert shop.app.held(person) == {}
    again = shop.inventory(person)
    assert (again.records, again.gaps) == ((), ())
    assert again.evidence.endswith("-> 200, an empty profile")


def test_an_empty_profile_whose_id_is_an_email_address_is_work_for_a_person(shop: Shop) -> None:
    shop.app.after_erase = "shell"
    person = dataclasses.replace(PEOPLE[6], customer_id=PEOPLE[6].email, orders=0, held_at=frozenset({"talonone"}))
    shop.app.seed([person])
    found = shop.inventory(person)
    outcomes = shop.erase(person, found)
    assert of(found, outcomes, "profile").result is Result.MANUAL
    assert "Talon.One support" in of(found, outcomes, "profile").reason
    assert of(found, outcomes, "coupon").result is Result.MANUAL, "issued to that address"
    assert of(found, outcomes, "audience").result is Result.ERASED
    assert [gap.result for gap in shop.inventory(person).gaps] == [Result.MANUAL]
    assert all(person.email not in outcome.reason + outcome.evidence for outcome in outcomes)


def test_a_profile_with_sales_and_no_attributes_is_held_and_its_deletion_is_not_called_proven(shop: Shop) -> None:
    shop.app.after_erase = "shell"
    shop.app.state.clear_attributes(shop.app.state.profiles[FIRST.customer_id])
    found = shop.inventory(FIRST)
    assert counted(found)["profile"] == 1
    outcomes = shop.erase(FIRST, found)
    assert of(found, outcomes, "profile").result is Result.ACCEPTED
    assert results(found, shop.erase(FIRST, found, resumed=True)) == results(found, outcomes)
    assert shop.app.held(FIRST) == {}


def test_points_that_still_name_the_person_on_an_unlinked_card_are_work_for_a_person(shop: Shop) -> None:
    found = shop.inventory(FIRST)
    entry = {"id": 1, "customerProfileID": FIRST.customer_id}
    page = Reply(200, json={"hasMore": False, "data": [entry]})
    shop.server.fail(Fault("lie", path="/cards/.*/points.*pending", reply=page, times=-1))
    outcomes = shop.erase(FIRST, found)
    card = of(found, outcomes, "loyalty_card")
    assert card.result is Result.MANUAL
    assert card.evidence == "GET /v1/loyalty_programs/{loyaltyProgramId}/cards/{loyaltyCardId}/points -> 200"
    assert FIRST.customer_id not in card.reason


def test_a_used_coupon_that_stays_listed_under_a_held_profile_is_work_for_a_person(shop: Shop) -> None:
    found = shop.inventory(FIRST)
    document = shop.app.handle(next(c for c in shop.server.calls if c.path.endswith("/inventory"))).json
    shop.server.fail(Fault("lie", path="/inventory", reply=Reply(200, json=document), times=-1))
    outcomes = shop.erase(FIRST, found, {r.kind for r in found.records} - {"coupon"})
    assert results(found, outcomes) == {"coupon": Result.MANUAL}
    assert "because it was used" in outcomes[0].reason


def test_a_coupon_that_no_longer_exists_holds_nobody(shop: Shop) -> None:
    found = shop.inventory(FIRST)
    code = next(record.ids[0] for record in found.records if record.kind == "coupon")
    del shop.app.state.coupons[code], shop.app.state.coupons_of[FIRST.customer_id][code]
    coupon = of(found, shop.erase(FIRST, found), "coupon")
    assert coupon.result is Result.ABSENT
    assert coupon.evidence.endswith("-> 404")


def test_nothing_of_the_person_stands_in_what_the_hooks_say(shop: Shop) -> None:
    found = shop.inventory(FIRST)
    shop.server.fail(Fault("status", method="POST", reply=Reply(400, json={"message": FIRST.email}), times=-1))
    shop.server.fail(Fault("status", method="GET", reply=Reply(400, json={"message": FIRST.email})))
    with pytest.raises(Rejected) as caught:
        shop.inventory(FIRST)
    said = [caught.value.line(), found.evidence, repr(found)]
    said += [repr(outcome) for outcome in shop.erase(FIRST, found)]
    codes = [code for record in found.records if record.kind in ("coupon", "loyalty_card") for code in record.ids]
    for secret in (FIRST.customer_id, FIRST.email, FIRST.last_name, *codes):
        assert secret not in " ".join(said)

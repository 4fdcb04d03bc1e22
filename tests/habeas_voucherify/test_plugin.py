"""The hooks against the sandbox: who is found, what is handed over, what is gone, and what is said about the rest."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest

import habeas_voucherify as plugin
from habeas import (
    Action,
    AuthRejected,
    BadAnswer,
    Document,
    Erasure,
    Gap,
    Identifier,
    Inventory,
    Outcome,
    PlanItem,
    RateLimited,
    Rejected,
    Result,
    Subject,
)
from habeas.connection import Connection
from habeas.testing.connect import MemoryJournal, connect
from habeas.testing.people import Person, seeded_people
from habeas.testing.sandbox import Fault, Reply, SandboxServer
from habeas_voucherify import client, lookup
from habeas_voucherify.client import calls
from habeas_voucherify.sandbox import VoucherifySandbox

PEOPLE = seeded_people(29, ["voucherify"])
FIRST, SECOND, TWIN_A, TWIN_B, STRANGER, BUSY = (PEOPLE[n] for n in (0, 1, 2, 3, 6, 19))


@dataclasses.dataclass
class Shop:
    app: VoucherifySandbox
    server: SandboxServer
    voucherify: Connection

    def inventory(self, person: Person) -> Inventory:
        return plugin.inventory(self.voucherify, subject(person))

    def export(self, person: Person) -> tuple[Document, ...]:
        return plugin.export(self.voucherify, subject(person), self.inventory(person)).documents

    def erase(self, person: Person, found: Inventory, keep: Iterable[str] = (), resumed: bool = False) -> list[Outcome]:
        return list(plugin.erase(self.voucherify, Erasure(subject(person), plan(found, keep), resumed=resumed)))

    def truth(self, people: Iterable[Person] = PEOPLE) -> Mapping[str, Mapping[str, int]]:
        return {person.customer_id: self.app.held(person) for person in people}

    def customer(self, person: Person) -> dict[str, Any]:
        found = self.app.find(person.customer_id)
        assert found is not None
        return found

    def add_customer(self, cust_id: str, **fields: Any) -> None:
        """One more customer, in the shape of those seeded."""
        kept = {k: v for k, v in self.customer(FIRST).items() if k not in ("source_id", "email", "referrals")}
        self.app.store({**kept, "summary": None, "id": cust_id, **fields})


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(VoucherifySandbox()) as running:
        yield running


@pytest.fixture
def shop(server: SandboxServer) -> Shop:
    app = VoucherifySandbox()
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


def all_erased(found: Inventory, outcomes: Iterable[Outcome]) -> bool:
    said = results(found, outcomes)
    return len(said) == len(found.records) and set(said.values()) == {Result.ERASED}


# -- inventory ---------------------------------------------------------------------------------------------------------


def test_a_stranger_is_absent_and_nothing_is_created_by_asking(shop: Shop) -> None:
    found = shop.inventory(STRANGER)
    assert (found.records, found.gaps) == ((), ())
    assert found.evidence == "GET /v1/customers/{customerId} -> 404; GET /v1/customers -> 200"
    assert shop.app.held(STRANGER) == {}
    assert not shop.server.changing_calls()


@pytest.mark.parametrize("own", ["id", "source_id"])
def test_the_identity_tables_ids_may_be_the_vendors_or_the_shops_and_all_of_them_count(shop: Shop, own: str) -> None:
    both = Subject(tuple(Identifier("voucherify", shop.customer(person)[own]) for person in (FIRST, SECOND)))
    found = plugin.inventory(shop.voucherify, both)
    assert counted(found)["customer"] == 2
    assert all_erased(found, plugin.erase(shop.voucherify, Erasure(both, plan(found))))
    assert shop.app.held(FIRST) == shop.app.held(SECOND) == {}


def test_a_person_is_found_by_e_mail_address_alone_whatever_its_case(shop: Shop) -> None:
    found = plugin.inventory(shop.voucherify, Subject((Identifier("email", FIRST.email.upper()),)))
    assert counted(found) == shop.app.held(FIRST)
    assert found.evidence == "GET /v1/customers -> 200"


def test_without_a_usable_identifier_a_person_is_asked_to_look_one_up_and_nothing_is_sent(shop: Shop) -> None:
    found = plugin.inventory(shop.voucherify, Subject((Identifier("phone", FIRST.phone),)))
    assert found.records == ()
    assert [gap.result for gap in found.gaps] == [Result.MANUAL]
    assert "dashboard" in found.gaps[0].reason
    assert FIRST.phone not in found.gaps[0].reason
    assert not shop.server.calls


def test_of_two_people_with_one_address_the_one_without_the_asked_id_is_left_alone(shop: Shop) -> None:
    before = shop.app.held(TWIN_B)
    found = shop.inventory(TWIN_A)
    assert counted(found) == shop.app.held(TWIN_A)
    assert found.gaps == (Gap("customer", Result.MANUAL, lookup.OTHERS, 1),)
    assert all_erased(found, shop.erase(TWIN_A, found))
    assert shop.app.held(TWIN_A) == {}
    assert shop.app.held(TWIN_B) == before


def test_of_two_people_with_one_address_and_no_id_both_are_left_alone(shop: Shop) -> None:
    found = plugin.inventory(shop.voucherify, Subject((Identifier("email", TWIN_A.email),)))
    assert found.records == ()
    assert found.gaps == (Gap("customer", Result.MANUAL, lookup.WHICH_ONE, 2),)


def test_customers_without_an_id_of_the_shop_belong_to_the_person_with_their_address(shop: Shop) -> None:
    shop.add_customer("cust_guest", email=FIRST.email)
    shop.add_customer("cust_elsewhere", email="somebody.else@shop-customer.example")
    found = shop.inventory(FIRST)
    assert found.gaps == ()
    assert found.records[0].ids == (shop.customer(FIRST)["id"], "cust_guest")
    assert all_erased(found, shop.erase(FIRST, found))
    assert "cust_guest" not in shop.app.customers
    assert "cust_elsewhere" in shop.app.customers


def test_an_unknown_id_does_not_make_somebody_elses_record_this_persons(shop: Shop) -> None:
    asked = Subject((Identifier("customer_id", "C-unknown"), Identifier("email", FIRST.email)))
    found = plugin.inventory(shop.voucherify, asked)
    assert found.records == ()
    assert found.gaps == (Gap("customer", Result.MANUAL, lookup.OTHERS, 1),)


def test_an_address_that_the_vendors_filter_only_finds_similar_is_somebody_elses(shop: Shop) -> None:
    rows = [shop.customer(SECOND)]
    loose = Reply(200, {"object": "list", "data_ref": "customers", "customers": rows, "total": 1})
    shop.server.fail(Fault("lie", path=r"/v1/customers\?", reply=loose))
    found = plugin.inventory(shop.voucherify, Subject((Identifier("email", FIRST.email),)))
    assert (found.records, found.gaps) == ((), ())


def test_an_answer_about_another_customer_is_refused(shop: Shop) -> None:
    shop.server.fail(Fault("lie", path="/v1/customers/", reply=Reply(200, shop.customer(SECOND))))
    with pytest.raises(BadAnswer, match="another customer"):
        shop.inventory(FIRST)


def test_a_membership_that_was_deleted_before_is_not_held(shop: Shop) -> None:
    member = {**shop.app.members.of(shop.customer(FIRST)["id"])[0]["member"], "status": "DELETED"}
    listed = {"customer": {}, "memberships": [{"member": member, "cards": []}], "object": "memberships_result"}
    shop.server.fail(Fault("lie", path="/memberships/", reply=Reply(200, listed)))
    assert "loyalty_member" not in counted(shop.inventory(FIRST))


def test_an_order_that_no_event_names_is_counted_so_that_a_hold_can_hold_it(shop: Shop) -> None:
    record = shop.customer(FIRST)
    shop.app.store({**record, "summary": {**record["summary"], "orders": {"total_count": 5}}})
    found = shop.inventory(FIRST)
    orders = next(r for r in found.records if r.kind == "order")
    assert (orders.count, len(orders.ids)) == (5, 3)
    said = shop.erase(FIRST, found)
    assert of(found, said, "order").result is Result.ACCEPTED
    assert of(found, said, "customer").result is Result.ERASED


def test_a_friends_order_in_the_activity_is_the_friends(shop: Shop) -> None:
    friends = shop.app.orders.of(shop.customer(BUSY)["id"])[0]
    data = {"customer": shop.customer(BUSY), "referrer": shop.customer(FIRST), "order": friends}
    shop.app.note(shop.customer(FIRST), "customer.order.paid", data)
    found = shop.inventory(FIRST)
    orders = next(r for r in found.records if r.kind == "order")
    assert orders.count == 3
    assert friends["id"] not in orders.ids
    for document in plugin.export(shop.voucherify, subject(FIRST), found).documents:
        assert friends["id"].encode() not in document.content
        assert BUSY.email.encode() not in document.content


# -- paging ------------------------------------------------------------------------------------------------------------


def test_all_pages_of_every_list_are_read(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = {document.record: document for document in shop.export(BUSY)}
    monkeypatch.setattr(calls, "PAGE_SIZE", 1)
    assert counted(shop.inventory(BUSY)) == shop.app.held(BUSY)
    monkeypatch.setattr(calls, "PAGE_SIZE", 50)
    names = [document.name for document in shop.export(BUSY)]
    assert names[:4] == ["customer-001.json", "activity-001.json", "activity-002.json", "activity-003.json"]
    assert whole.keys() == shop.app.held(BUSY).keys()


def test_what_lies_beyond_the_last_page_is_a_gap_and_is_not_forgotten(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    cust_id = shop.customer(FIRST)["id"]
    row = shop.app.redemptions.of(cust_id)[0]
    for n in range(148):
        shop.app.redemptions.add({**row, "id": f"r_{n}", "order": None}, cust_id)
    monkeypatch.setattr(calls, "PAGE_SIZE", 1)
    found = shop.inventory(FIRST)
    assert counted(found)["redemption"] == 99
    gap = Gap("redemption", Result.MANUAL, lookup.TOO_MANY.format(what="redemptions"), 51)
    assert found.gaps == (gap,)
    export = plugin.export(shop.voucherify, subject(FIRST), found)
    assert export.gaps[0] == gap
    assert sum(document.record == "redemption" for document in export.documents) == 99


def test_a_list_that_repeats_itself_or_ends_early_is_refused(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    row = shop.app.redemptions.of(shop.customer(FIRST)["id"])[0]
    for rows in ([row], []):
        shop.server.faults.clear()
        page = {"object": "list", "data_ref": "redemptions", "redemptions": rows, "total": 9}
        shop.server.fail(Fault("lie", path="/v1/redemptions", reply=Reply(200, page), times=-1))
        with pytest.raises(BadAnswer, match="changed while it was read"):
            shop.inventory(FIRST)


# -- export ------------------------------------------------------------------------------------------------------------


def test_a_document_about_nobody_else_is_the_vendors_to_the_byte(shop: Shop) -> None:
    documents = shop.export(SECOND)
    assert not any(document.omissions for document in documents)
    customer = documents[0]
    assert customer.source == "GET /v1/customers/{customerId}"
    assert customer.content == Reply(200, shop.customer(SECOND)).encoded()


def test_the_export_has_every_kind_and_every_order(shop: Shop) -> None:
    documents = shop.export(FIRST)
    assert {document.record for document in documents} == shop.app.held(FIRST).keys()
    ids = {json.loads(document.content)["id"] for document in documents if document.record == "order"}
    assert ids == {order["id"] for order in shop.app.orders.of(shop.customer(FIRST)["id"])}
    assert len({document.name for document in documents}) == len(documents)


def test_who_referred_the_person_is_left_out_and_said(shop: Shop) -> None:
    referrer = shop.customer(FIRST)["referrals"]["campaigns"][0]["referrer_id"]
    documents = shop.export(FIRST)
    assert not any(referrer.encode() in document.content for document in documents)
    by_name = {document.name: document for document in documents}
    kept = json.loads(by_name["customer-001.json"].content)
    assert kept["referrals"]["total"] == 1
    assert [omission.count for omission in by_name["customer-001.json"].omissions] == [1]
    assert not by_name["vouchers-001.json"].omissions


def test_what_the_api_cannot_give_is_said_once_for_everybody(shop: Shop) -> None:
    export = plugin.export(shop.voucherify, subject(FIRST), shop.inventory(FIRST))
    assert [(gap.result, gap.standing) for gap in export.gaps] == [(Result.UNSUPPORTED, True)]
    nothing = plugin.export(shop.voucherify, subject(STRANGER), shop.inventory(STRANGER))
    assert (nothing.documents, nothing.gaps) == ((), ())
    assert nothing.evidence


def test_an_order_that_is_counted_but_not_named_is_a_gap_of_the_export(shop: Shop) -> None:
    record = shop.customer(FIRST)
    shop.app.store({**record, "summary": {**record["summary"], "orders": {"total_count": 4}}})
    export = plugin.export(shop.voucherify, subject(FIRST), shop.inventory(FIRST))
    assert [(gap.kind, gap.result, gap.count) for gap in export.gaps[:-1]] == [("order", Result.MANUAL, 1)]


def test_a_customer_that_went_since_the_inventory_makes_no_document(shop: Shop) -> None:
    found = shop.inventory(FIRST)
    shop.app.remove_profile(shop.customer(FIRST))
    export = plugin.export(shop.voucherify, subject(FIRST), found)
    assert export.documents == ()
    assert export.evidence == "GET /v1/customers/{customerId} -> 404"


# -- erase -------------------------------------------------------------------------------------------------------------


def test_everybody_is_erased_with_proof_and_nobody_else_changes(shop: Shop) -> None:
    awkward = [person for person in PEOPLE if not person.customer_id.startswith("C-")]
    assert len(awkward) == 3
    for person in (FIRST, SECOND, BUSY, *awkward):
        if "voucherify" not in person.held_at:
            continue
        others = shop.truth(other for other in PEOPLE if other is not person)
        found = shop.inventory(person)
        said = shop.erase(person, found)
        assert all_erased(found, said)
        assert shop.app.held(person) == {}
        assert shop.truth(other for other in PEOPLE if other is not person) == others
        for outcome in said:
            assert outcome.evidence
            for name in (person.customer_id, person.email, *(i for record in found.records for i in record.ids)):
                assert name not in repr(outcome)


def test_the_evidence_is_what_was_read_last(shop: Shop) -> None:
    found = shop.inventory(FIRST)
    said = shop.erase(FIRST, found)
    assert {found.records[o.index].kind: o.evidence for o in said} == {
        "customer": "GET /v1/customers/{customerId} -> 404; GET /v1/customers -> 200, not listed",
        "activity": "GET /v1/customers/{customerId}/activity -> 404",
        "segment": "GET /v1/customers/{customerId} -> 404; GET /v1/customers/{customerId}/segments -> 200, empty",
        "redeemable": "GET /v1/customers/{customerId}/redeemables -> 404",
        "redemption": "GET /v1/redemptions/{redemptionId} -> 200, without the person",
        "voucher": "GET /v1/vouchers -> 200, without the person",
        "publication": "GET /v1/publications -> 200, without the person",
        "order": "GET /v1/orders/{orderId} -> 404",
        "loyalty_member": "GET /v2/loyalties/programs/{programId}/members/{memberId} -> 200, deleted",
    }


def test_memberships_go_before_the_customer(shop: Shop) -> None:
    shop.erase(FIRST, shop.inventory(FIRST))
    assert [call.method for call in shop.server.changing_calls()] == ["DELETE", "POST"]


def test_rows_that_keep_the_name_are_for_a_person_to_have_removed(shop: Shop) -> None:
    shop.app.keeps_rows_after_deletion = True
    found = shop.inventory(FIRST)
    said = shop.erase(FIRST, found)
    left = {"redemption", "voucher", "publication"}
    assert {k for k, result in results(found, said).items() if result is Result.MANUAL} == left
    assert shop.app.held(FIRST).keys() == left
    assert all("support" in of(found, said, kind).reason for kind in left)
    assert shop.erase(FIRST, found, resumed=True) == said


def test_an_order_that_stays_is_for_a_person_to_have_removed(shop: Shop) -> None:
    found = shop.inventory(FIRST)
    order = shop.app.orders.of(shop.customer(FIRST)["id"])[0]
    shop.server.fail(Fault("lie", path=f"/v1/orders/{order['id']}", reply=Reply(200, order), times=-1))
    said = shop.erase(FIRST, found)
    assert of(found, said, "order").result is Result.MANUAL


def test_after_a_plain_delete_the_rest_is_deleted_by_the_vendors_id(shop: Shop) -> None:
    found = shop.inventory(FIRST)
    cust_id = shop.customer(FIRST)["id"]
    shop.app.remove_profile(shop.customer(FIRST))
    shop.app.ghosts.add(cust_id)
    said = shop.erase(FIRST, found)
    assert all_erased(found, said)
    assert shop.app.held(FIRST) == {}


@pytest.mark.parametrize("kind", ["status", "reset_before"])
def test_a_deletion_of_the_rest_that_is_not_answered_is_not_taken_for_done(shop: Shop, kind: str) -> None:
    found = shop.inventory(FIRST)
    cust_id = shop.customer(FIRST)["id"]
    shop.app.remove_profile(shop.customer(FIRST))
    shop.app.ghosts.add(cust_id)
    shop.server.fail(Fault("status" if kind == "status" else "reset_before", path="permanent-deletion", times=-1))
    said = results(found, shop.erase(FIRST, found))
    assert said.pop("loyalty_member") is Result.ERASED
    assert set(said.values()) == {Result.UNKNOWN}
    shop.server.faults.clear()
    assert all_erased(found, shop.erase(FIRST, found, resumed=True))
    assert shop.app.held(FIRST) == {}


def test_what_somebody_else_erased_before_the_first_attempt_is_absent(shop: Shop) -> None:
    found = shop.inventory(SECOND)
    shop.erase(SECOND, found)
    said = shop.erase(SECOND, found)
    assert set(results(found, said).values()) == {Result.ABSENT}
    shop.server.calls.clear()
    assert all_erased(found, shop.erase(SECOND, found, resumed=True))
    assert not shop.server.changing_calls()


def test_a_customer_that_the_shop_sent_again_is_for_a_person_to_stop(shop: Shop) -> None:
    found = shop.inventory(FIRST)
    again = {**shop.customer(FIRST), "id": "cust_again"}
    shop.server.fail(Fault("lie", path=f"/v1/customers/{FIRST.customer_id}$", reply=Reply(200, again), times=-1))
    said = shop.erase(FIRST, found)
    assert of(found, said, "customer").result is Result.MANUAL
    assert "new one with the same id" in of(found, said, "customer").reason


def test_a_customer_still_listed_under_the_address_is_not_called_erased(shop: Shop) -> None:
    found = shop.inventory(FIRST)
    row = shop.customer(FIRST)
    stale = Reply(200, {"object": "list", "data_ref": "customers", "customers": [row], "total": 1})
    shop.server.fail(Fault("lie", path=r"/v1/customers\?", reply=stale))
    said = shop.erase(FIRST, found)
    assert of(found, said, "customer").result is Result.FAILED
    assert all_erased(found, shop.erase(FIRST, found, resumed=True))


def test_what_the_plan_keeps_is_left_alone_and_what_goes_only_with_it_is_manual(shop: Shop) -> None:
    found = shop.inventory(FIRST)
    before = dict(shop.app.held(FIRST))
    said = results(found, shop.erase(FIRST, found, keep={"customer", "order"}))
    assert said.pop("loyalty_member") is Result.ERASED
    assert said.keys() == before.keys() - {"customer", "order", "loyalty_member"}
    assert set(said.values()) == {Result.MANUAL}
    before.pop("loyalty_member")
    assert shop.app.held(FIRST) == before


def test_a_plan_that_keeps_everything_asks_nothing(shop: Shop) -> None:
    found = shop.inventory(FIRST)
    shop.server.calls.clear()
    assert shop.erase(FIRST, found, keep=counted(found)) == []
    assert not shop.server.calls


@pytest.mark.parametrize("new", ["loyalty_member", "order", "redemption"])
def test_a_customer_with_records_of_a_kind_the_plan_has_not_seen_is_not_deleted(shop: Shop, new: str) -> None:
    found = shop.inventory(FIRST)
    before = shop.app.held(FIRST)
    older = dataclasses.replace(found, records=tuple(r for r in found.records if r.kind != new))
    said = results(older, shop.erase(FIRST, older))
    assert set(said.values()) <= {Result.FAILED, Result.ERASED}
    assert shop.app.held(FIRST)["customer"] == 1
    assert shop.app.held(FIRST)[new] == before[new]
    assert all(call.method == "DELETE" for call in shop.server.changing_calls())


def test_failed_publications_cannot_be_read_back_and_that_is_said(shop: Shop) -> None:
    cust_id = shop.customer(FIRST)["id"]
    row = shop.app.publications.of(cust_id)[0]
    failed = {**row, "id": "pub_failed", "result": "FAILURE", "voucher": {}, "vouchers_id": []}
    shop.app.publications.add(failed, cust_id)
    found = shop.inventory(FIRST)
    assert counted(found)["publication"] == 2
    outcome = of(found, shop.erase(FIRST, found), "publication")
    assert outcome.result is Result.ACCEPTED
    assert "failed" in outcome.reason


def test_a_voucher_given_to_others_as_well_does_not_count_against_the_person(shop: Shop) -> None:
    row = shop.app.publications.of(shop.customer(TWIN_A)["id"])[0]
    theirs = {**row, "id": "pub_twin", "customer_id": shop.customer(TWIN_B)["id"], "customer": shop.customer(TWIN_B)}
    shop.app.publications.add(theirs, shop.customer(TWIN_B)["id"])
    found = shop.inventory(TWIN_A)
    assert all_erased(found, shop.erase(TWIN_A, found))


# -- connection --------------------------------------------------------------------------------------------------------


def test_check_reads_nobodys_data(shop: Shop) -> None:
    assert plugin.check(shop.voucherify) == "GET /v1/customers -> 200"
    assert [call.first("email") for call in shop.server.calls] == [client.NOBODY]
    assert not shop.server.changing_calls()


@pytest.mark.parametrize(("version", "sent"), [(None, "v2018-08-01"), ("v2017-04-20", "v2017-04-20"), ("", None)])
def test_the_api_version_is_sent_unless_it_is_empty(shop: Shop, version: str | None, sent: str | None) -> None:
    settings = {} if version is None else {"api_version": version}
    connection = connect(plugin, shop.server, settings=settings, journal=MemoryJournal())
    plugin.erase(connection, Erasure(subject(FIRST), plan(plugin.inventory(connection, subject(FIRST)))))
    assert {call.headers.get("x-voucherify-api-version") for call in shop.server.calls} == {sent}


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_never_prove_absence(shop: Shop, status: int) -> None:
    shop.server.fail(Fault("status", reply=Reply(status, {"code": status, "message": "no"}), times=-1))
    with pytest.raises(AuthRejected) as caught:
        shop.inventory(FIRST)
    assert caught.value.status == status
    assert FIRST.customer_id not in caught.value.line()


@pytest.mark.parametrize(
    "reply",
    [
        Reply(404, body=b"<html>not here</html>", headers={"Content-Type": "text/html"}),
        Reply(404, {"error": "no such application"}),
        Reply(404, {"code": 404, "key": "project_not_found", "message": "x"}),
        Reply(200, {"object": "customer"}),
        Reply(200, []),
        Reply(302, {}, headers={"Location": "/elsewhere"}),
    ],
    ids=["html", "no error", "another error", "no id", "a list", "redirect"],
)
def test_an_answer_that_is_not_voucherifys_own_proves_nothing(shop: Shop, reply: Reply) -> None:
    shop.server.fail(Fault("lie", path="/v1/customers/", reply=reply, times=-1))
    with pytest.raises(BadAnswer) as caught:
        shop.inventory(FIRST)
    assert FIRST.customer_id not in caught.value.line()


def test_an_answer_that_quotes_the_person_stays_out_of_the_error(shop: Shop) -> None:
    quoting = {"code": 400, "message": f"no {FIRST.email}", "details": FIRST.customer_id}
    shop.server.fail(Fault("lie", path=r"/v1/customers\?", reply=Reply(400, quoting), times=-1))
    with pytest.raises(Rejected) as caught:
        shop.inventory(FIRST)
    assert caught.value.line() == "GET /v1/customers -> 400"


def test_a_limit_that_is_used_up_is_waited_for(shop: Shop) -> None:
    shop.server.fail(Fault("status", reply=Reply(429, {"code": 429}, {"Retry-After": "30"})))
    found = shop.inventory(FIRST)
    assert found.records
    shop.server.fail(Fault("status", reply=Reply(429, {"code": 429}, {"Retry-After": "3000"})))
    with pytest.raises(RateLimited):
        shop.inventory(FIRST)

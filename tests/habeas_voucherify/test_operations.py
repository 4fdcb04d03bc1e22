"""Each operation by its client function: the effect in the sandbox, and what comes back."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

import habeas_voucherify as plugin
from habeas import BadAnswer, NoAnswer, NotSent, OutcomeUnknown, RateLimited, Rejected
from habeas.connection import Connection
from habeas.errors import RunEnded
from habeas.testing.clock import SkippingClock
from habeas.testing.connect import MemoryJournal, connect
from habeas.testing.people import Person, seeded_people
from habeas.testing.sandbox import Fault, Reply, SandboxServer
from habeas_voucherify import client
from habeas_voucherify.client import CustomerFilter, Finished, Row, bulk, calls
from habeas_voucherify.client.customers import ListOrder
from habeas_voucherify.sandbox import CONSENT_ID, VoucherifySandbox

PEOPLE = seeded_people(15, ["voucherify"])
FIRST, SECOND, TWIN_A, TWIN_B, STRANGER, AWKWARD = (PEOPLE[n] for n in (0, 1, 2, 3, 6, 14))
KNOWN = tuple(person for person in PEOPLE if person is not STRANGER)


class Vendor:
    """A seeded project on the connection's clock."""

    def __init__(self, server: SandboxServer) -> None:
        self.clock = SkippingClock()
        self.app = VoucherifySandbox(lambda: self.clock.now().timestamp())
        self.app.seed(PEOPLE)
        self.server = server
        server.app = self.app
        server.calls.clear()
        server.faults.clear()
        self.voucherify = self.connect()

    def connect(self, **settings: str) -> Connection:
        return connect(plugin, self.server, settings=settings, journal=MemoryJournal(), clock=self.clock)

    def record(self, person: Person) -> dict[str, Any]:
        found = self.app.find(person.customer_id)
        assert found is not None
        return found

    def pages(self, ending: str) -> int:
        return sum(call.path.endswith(ending) for call in self.server.calls)


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(VoucherifySandbox()) as running:
        yield running


@pytest.fixture
def vendor(server: SandboxServer) -> Vendor:
    return Vendor(server)


def sources(pages: Iterable[client.Listed]) -> list[str]:
    return [row["source_id"] for page in pages for row in page.rows]


# -- customers ---------------------------------------------------------------------------------------------------------


def test_a_customer_is_created_read_updated_and_deleted(vendor: Vendor) -> None:
    voucherify = vendor.voucherify
    fields = {"source_id": STRANGER.customer_id, "email": STRANGER.email, "metadata": {"lang": "de"}}
    created = client.create_customer(voucherify, fields)
    assert created.answer is not None
    read = client.customer(voucherify, STRANGER.customer_id)
    assert read.json() == created.answer.json() == vendor.record(STRANGER)
    cust_id = read.json()["id"]
    client.update_customer(voucherify, cust_id, {"phone": STRANGER.phone}, lambda: False)
    assert (vendor.record(STRANGER)["phone"], vendor.record(STRANGER)["email"]) == (STRANGER.phone, STRANGER.email)
    deleted = client.delete_customer(voucherify, cust_id)
    assert deleted.answer is not None
    assert (deleted.answer.status, vendor.app.find(STRANGER.customer_id)) == (204, None)
    again = (
        client.delete_customer(voucherify, cust_id),
        client.update_customer(voucherify, cust_id, {"phone": STRANGER.phone}, lambda: False),
        client.delete_permanently(voucherify, "cust_nobody", lambda: False),
    )
    assert [change.answer and change.answer.status for change in again] == [404] * 3
    assert client.customer(voucherify, cust_id).status == 404


def test_a_lost_answer_is_looked_up_before_anything_is_sent_again(vendor: Vendor) -> None:
    vendor.server.fail(Fault("reset_after", method="POST"))
    vendor.server.fail(Fault("reset_after", method="DELETE"))
    assert client.create_customer(vendor.voucherify, {"source_id": STRANGER.customer_id}).answer is None
    assert client.delete_customer(vendor.voucherify, vendor.record(STRANGER)["id"]).answer is None
    assert [call.method for call in vendor.server.changing_calls()] == ["POST", "DELETE"]
    assert vendor.app.find(STRANGER.customer_id) is None


def test_customers_are_listed_by_every_filter_and_in_every_order(vendor: Vendor) -> None:
    in_city = [p for p in KNOWN if p.city == FIRST.city]
    times = sorted(vendor.record(p)["created_at"] for p in KNOWN)
    segment = vendor.app.segments[vendor.record(SECOND)["id"]][-1]["id"]
    filters = {
        CustomerFilter(): KNOWN,
        CustomerFilter(email=TWIN_A.email): (TWIN_A, TWIN_B),
        CustomerFilter(city=FIRST.city): in_city,
        CustomerFilter(name=vendor.record(AWKWARD)["name"]): (AWKWARD,),
        CustomerFilter(segment_id=segment): [p for n, p in enumerate(PEOPLE) if p in KNOWN and n % 2],
        CustomerFilter(created_after=times[3]): [p for p in KNOWN if vendor.record(p)["created_at"] > times[3]],
        CustomerFilter(created_before=times[3]): [p for p in KNOWN if vendor.record(p)["created_at"] < times[3]],
        CustomerFilter(city=FIRST.city, updated_after="2020-01-01"): (FIRST,),
        CustomerFilter(updated_before="2020-01-01"): (),
    }
    # Who was never updated has no such time, and the vendor's filter does not say what it makes of that.
    for person in KNOWN:
        vendor.app.store({**vendor.record(person), "updated_at": "2019-05-05T00:00:00.000Z"})
    vendor.app.store({**vendor.record(FIRST), "updated_at": "2026-05-05T00:00:00.000Z"})
    filters[CustomerFilter(updated_before="2020-01-01")] = [p for p in KNOWN if p is not FIRST]
    for wanted, people in filters.items():
        ids = sorted(person.customer_id for person in people)
        numbered = client.customers(vendor.voucherify, wanted)
        assert (sorted(sources(numbered.pages)), numbered.beyond) == (ids, 0)
        assert sorted(sources(client.customers_after(vendor.voucherify, wanted))) == ids
    orders: dict[ListOrder, str] = {"source_id": "source_id", "-created_at": "created_at", "-updated_at": "updated_at"}
    for order, name in orders.items():
        rows = [r for page in client.customers(vendor.voucherify, CustomerFilter(), order).pages for r in page.rows]
        assert rows == sorted(rows, key=lambda r: str(r[name]), reverse=order.startswith("-"))


def test_who_was_created_at_one_time_is_not_lost_between_pages(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    for person in KNOWN[3:7]:
        vendor.app.store({**vendor.record(person), "created_at": vendor.record(KNOWN[3])["created_at"]})
    everybody = sorted(p.customer_id for p in KNOWN)
    for size in (5, 6):
        monkeypatch.setattr(calls, "PAGE_SIZE", size)
        for oldest_first in (True, False):
            pages = client.customers_after(vendor.voucherify, CustomerFilter(), oldest_first=oldest_first)
            assert sorted(sources(pages)) == everybody
    start = vendor.record(KNOWN[-2])["created_at"]
    (page,) = client.customers_after(vendor.voucherify, CustomerFilter(), start)
    assert sources([page]) == [KNOWN[-1].customer_id]
    # Four at one time, and no page can hold more than three.
    monkeypatch.setattr(calls, "PAGE_SIZE", 3)
    with pytest.raises(BadAnswer, match="gives nobody new"):
        list(client.customers_after(vendor.voucherify, CustomerFilter()))


def test_what_lies_behind_the_last_page_number_is_counted(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(100):
        vendor.app.store({**vendor.record(FIRST), "id": f"cust_{n}", "source_id": f"C-{n}", "name": "Many"})
    monkeypatch.setattr(calls, "PAGE_SIZE", 1)
    numbered = client.customers(vendor.voucherify, CustomerFilter(name="Many"))
    assert (len(numbered.pages), numbered.beyond) == (99, 1)


def test_consents_are_listed_and_set_where_the_project_has_them(vendor: Vendor) -> None:
    vendor.app.consents_enabled = True
    listed = client.consents(vendor.voucherify).json()
    assert [consent["id"] for consent in listed["consents"]["data"]] == [CONSENT_ID]
    cust_id = vendor.record(FIRST)["id"]
    client.set_consent(vendor.voucherify, cust_id, CONSENT_ID, given=True)
    assert vendor.app.consents_given(FIRST) == {CONSENT_ID: True}
    client.set_consent(vendor.voucherify, cust_id, "unsubscribed", given=True)
    assert vendor.app.consents_given(FIRST) == {CONSENT_ID: False}
    vendor.app.consents_enabled = False
    vendor.app.consents_status = 410
    assert client.consents(vendor.voucherify).status == 410


# -- what hangs on a customer ------------------------------------------------------------------------------------------


def test_the_older_list_of_activity_is_read_where_the_connection_says_so(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = vendor.connect(activity="activities")
    count = vendor.app.held(FIRST)["activity"]
    for size in (count - 1, count, 3):
        monkeypatch.setattr(calls, "PAGE_SIZE", size)
        newer = list(client.activity(vendor.voucherify, FIRST.customer_id))
        rows = [row for page in client.activity(older, FIRST.customer_id) for row in page.rows]
        assert rows == [row for page in newer for row in page.rows]
        assert len(rows) == count
    # That list names no next page: after one that is full, only an empty one shows the end.
    assert vendor.pages("/activities") == vendor.pages("/activity") + (1 if count % 3 else 2)
    assert {page.answer.request.name.rpartition("/")[2] for page in newer} == {"activity"}
    wanted = (("type", "customer.created"), ("category", "EFFECT"))
    (page,) = client.activity(vendor.voucherify, FIRST.customer_id, wanted)
    assert [row["type"] for row in page.rows] == ["customer.created"]
    assert [page.answer.status for page in client.activity(older, "nobody")] == [404]
    first = client.activity(older, FIRST.customer_id)
    page = next(first)
    vendor.server.fail(Fault("lie", path="starting_after_id", reply=Reply(200, page.answer.json())))
    with pytest.raises(BadAnswer, match="changed while it was read"):
        list(first)


def test_redeemables_are_filtered_and_memberships_found_by_each_id(vendor: Vendor) -> None:
    cust_id = vendor.record(SECOND)["id"]
    rows = [row for page in client.redeemables(vendor.voucherify, cust_id) for row in page.rows]
    assert len(rows) == 2
    (page,) = client.redeemables(vendor.voucherify, cust_id, (("filters[id][conditions][$is]", rows[0]["id"]),))
    assert list(page.rows) == rows[:1]
    member = vendor.app.members.of(vendor.record(FIRST)["id"])[0]["member"]
    named = [
        client.memberships(vendor.voucherify, member["customer_id"]),
        client.memberships(vendor.voucherify, FIRST.customer_id, "customer_source_id"),
        client.memberships(vendor.voucherify, member["id"], "member_id"),
    ]
    assert [answer.json()["memberships"][0]["member"] for answer in named] == [member] * 3
    client.delete_member(vendor.voucherify, member["program_id"], member["id"])
    assert client.member(vendor.voucherify, member["program_id"], member["id"]).json()["status"] == "DELETED"


# -- many at once ------------------------------------------------------------------------------------------------------


def rows_of(finished: Finished) -> dict[str, tuple[bool | None, bool | None, str]]:
    return {row.source_id: (row.found, row.updated, row.error) for row in finished.rows}


def test_a_bulk_update_is_waited_for_and_told_row_by_row(vendor: Vendor) -> None:
    vendor.app.async_seconds = 30.0
    records = [{"source_id": p.customer_id, "description": "Bulk"} for p in (FIRST, AWKWARD)]
    (done,) = client.update_in_bulk(vendor.voucherify, [*records, {"source_id": "C-new"}])
    assert (done.succeeded, done.done_count, done.failed_count, done.unread_reports) == (True, 3, 0, 0)
    assert done.evidence == "GET /v1/async-actions/{asyncActionId} -> 200"
    assert rows_of(done) == {
        FIRST.customer_id: (True, True, ""),
        AWKWARD.customer_id: (True, True, ""),
        "C-new": (False, True, ""),
    }
    assert vendor.record(AWKWARD)["description"] == "Bulk"
    assert vendor.record(FIRST)["email"] == FIRST.email
    assert vendor.clock.slept >= 30
    assert "C-new" not in repr(done) + repr(done.rows)


def test_done_is_no_success_where_a_row_failed_or_the_operation_did(vendor: Vendor) -> None:
    vendor.app.refused_source_ids = {FIRST.customer_id}
    people = (FIRST, SECOND)
    metadata = {"consent_marketing_email": False}
    (some,) = client.update_metadata_in_bulk(vendor.voucherify, [p.customer_id for p in people], metadata)
    assert (some.succeeded, some.done_count, some.failed_count) == (False, 1, 1)
    assert rows_of(some)[SECOND.customer_id] == (True, True, "")
    assert rows_of(some)[FIRST.customer_id] == (False, False, "")
    # For metadata the vendor's errors name nobody.
    assert rows_of(some)[""] == (None, False, "invalid_payload")
    assert vendor.record(SECOND)["metadata"]["consent_marketing_email"] is False
    assert vendor.record(SECOND)["metadata"]["acquisition_channel"] == "newsletter"
    (none,) = client.update_in_bulk(vendor.voucherify, [{"source_id": FIRST.customer_id, "name": "X"}])
    assert (none.succeeded, none.done_count, none.failed_count) == (False, 0, 1)
    assert Row(FIRST.customer_id, None, False, "invalid_payload") in none.rows


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"status": "FAILED", "operation_status": "FAILED"}, (False, None, None)),
        ({"status": "DONE"}, (False, None, None)),
        ({"status": "DONE", "operation_status": "UNKNOWN", "result": {"failed_count": 0}}, (False, None, 0)),
        ({"status": "DONE", "operation_status": "SUCCESS", "result": {"done_count": 1}}, (False, 1, None)),
        ({"status": "DONE", "operation_status": "SUCCESS", "result": [{"found": False, "updated": True}]}, (False,)),
        (
            {"status": "DONE", "operation_status": "SUCCESS", "result": {"done_count": 1, "failed_count": 0}},
            (True, 1, 0),
        ),
    ],
)
def test_success_is_only_what_the_vendor_says_in_full(vendor: Vendor, answer: Any, expected: tuple[Any, ...]) -> None:
    vendor.server.fail(Fault("lie", path="/v1/async-actions/", reply=Reply(200, answer)))
    (done,) = client.update_in_bulk(vendor.voucherify, [{"source_id": FIRST.customer_id}])
    assert (done.succeeded, done.done_count, done.failed_count)[: len(expected)] == expected
    if isinstance(answer.get("result"), list):
        assert done.rows == (Row("", False, True),)


def test_a_report_elsewhere_is_counted_and_no_error(vendor: Vendor) -> None:
    reports = ["https://files.example/a/b?token=t", "http://[", "::", 7]
    result = {"done_count": 1, "failed_count": 0, "reports": reports}
    answer = {"status": "DONE", "operation_status": "SUCCESS", "result": result}
    vendor.server.fail(Fault("lie", path="/v1/async-actions/", reply=Reply(200, answer)))
    (done,) = client.update_in_bulk(vendor.voucherify, [{"source_id": FIRST.customer_id}])
    assert (done.succeeded, done.rows, done.unread_reports) == (True, (), 3)


@pytest.mark.parametrize("content", [b"\xff", b'source_id,found,updated\n"x', b"name,state\nAda,new\n"])
def test_a_report_that_is_none_is_counted_and_no_error(vendor: Vendor, content: bytes) -> None:
    vendor.server.fail(Fault("lie", path="/reports/", reply=Reply(200, body=content)))
    (done,) = client.update_in_bulk(vendor.voucherify, [{"source_id": FIRST.customer_id}])
    assert (done.succeeded, done.rows, done.unread_reports) == (True, (), 1)


def test_a_bulk_call_holds_as_much_as_the_projects_version_takes(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [{"source_id": p.customer_id, "description": f"{n}"} for n, p in enumerate(KNOWN)]
    monkeypatch.setattr(bulk, "MOST_RECORDS", 5)
    vendor.app.most_bulk_records = 5
    with pytest.raises(Rejected):
        client.update_in_bulk(vendor.voucherify, records)
    old = vendor.connect(bulk_version="100-records")
    assert [done.done_count for done in client.update_in_bulk(old, records)] == [5, 5, 4]
    ids = [person.customer_id for person in KNOWN]
    assert [done.done_count for done in client.update_metadata_in_bulk(old, ids, {"a": 1})] == [5, 5, 4]
    vendor.app.most_bulk_records = None
    assert [done.done_count for done in client.update_in_bulk(vendor.voucherify, records)] == [14]
    whole = len(json.dumps(records, ensure_ascii=False, separators=(",", ":")).encode())
    monkeypatch.setattr(bulk, "MOST_BYTES", whole - 1)
    vendor.server.calls.clear()
    done = client.update_in_bulk(vendor.voucherify, records)
    assert sum(each.done_count or 0 for each in done) == len(KNOWN)
    assert len(done) == 2
    assert max(len(call.body) for call in vendor.server.calls) < whole
    monkeypatch.setattr(bulk, "MOST_BYTES", 40)
    with pytest.raises(NotSent, match="larger than"):
        client.update_in_bulk(vendor.voucherify, [{"source_id": FIRST.customer_id, "description": "x" * 40}])
    with pytest.raises(NotSent, match="larger than"):
        client.import_csv(vendor.voucherify, [{"Source_id": FIRST.customer_id, "Name": "x" * 40}])
    assert client.update_in_bulk(vendor.voucherify, []) == ()


def test_a_file_is_imported_over_whole_profiles(vendor: Vendor) -> None:
    vendor.app.async_seconds = 5.0
    vendor.app.refused_source_ids = {SECOND.customer_id}
    rows = [
        {"Source_id": FIRST.customer_id, "Name": 'Zoe, "the" Right', "lang": "de\nen"},
        {"Source_id": SECOND.customer_id, "Email": SECOND.email},
    ]
    done = client.import_csv(vendor.voucherify, rows)
    assert (done.succeeded, done.done_count, done.failed_count) == (False, 1, 1)
    assert rows_of(done) == {SECOND.customer_id: (None, False, "failed")}
    assert vendor.record(FIRST)["name"] == 'Zoe, "the" Right'
    assert (vendor.record(FIRST)["metadata"], "email" in vendor.record(FIRST)) == ({"lang": "de\nen"}, False)
    assert vendor.record(SECOND)["name"]


def test_an_action_that_outlasts_the_run_is_left_to_the_vendor(vendor: Vendor) -> None:
    vendor.app.async_seconds = 500.0
    with pytest.raises(RunEnded):
        client.update_in_bulk(vendor.voucherify, [{"source_id": FIRST.customer_id, "name": "Late"}])
    assert vendor.clock.slept < 90


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("lie", reply=Reply(413, {"statusCode": 413, "error": "Request Entity Too Large"})), Rejected),
        (Fault("status", reply=Reply(429, {"code": "429", "message": "slow"}), times=-1), RateLimited),
        (Fault("status", reply=Reply(500, {"code": 500})), OutcomeUnknown),
        (Fault("reset_after"), OutcomeUnknown),
        (Fault("lie", reply=Reply(202, {})), BadAnswer),
        (Fault("reset_before", method="GET", times=-1), NoAnswer),
        (Fault("lie", method="GET", reply=Reply(200, {"status": "PAUSED"})), BadAnswer),
    ],
)
def test_a_bulk_call_that_goes_wrong_is_an_error_without_a_name(
    vendor: Vendor, fault: Fault, error: type[Exception]
) -> None:
    vendor.server.fail(dataclasses.replace(fault, method=fault.method or "POST"))
    with pytest.raises(error) as caught:
        client.update_in_bulk(vendor.voucherify, [{"source_id": FIRST.customer_id, "email": FIRST.email}])
    assert FIRST.customer_id not in str(caught.value)
    assert FIRST.email not in str(caught.value)
    assert len(vendor.server.changing_calls()) == (4 if error is RateLimited else 1)


def test_all_actions_are_listed_over_all_pages(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "PAGE_SIZE", 3)
    for _ in range(7):
        client.update_in_bulk(vendor.voucherify, [{"source_id": FIRST.customer_id}])
        vendor.clock.skip(1.0)
    pages = list(client.async_actions(vendor.voucherify))
    ids = [row["id"] for page in pages for row in page.rows]
    assert sorted(ids) == sorted(vendor.app.actions)
    assert client.async_action(vendor.voucherify, ids[0]).json()["status"] == "DONE"
    assert client.async_action(vendor.voucherify, "aa_nothing").status == 404
    oldest = pages[-1].rows[-1]["created_at"]
    assert [row["id"] for page in client.async_actions(vendor.voucherify, oldest) for row in page.rows] == ids[-1:]
    vendor.server.fail(Fault("lie", path="end_date", reply=Reply(200, pages[0].answer.json()), times=-1))
    with pytest.raises(BadAnswer, match="gives nothing new"):
        list(client.async_actions(vendor.voucherify))

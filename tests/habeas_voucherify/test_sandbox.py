"""The Voucherify sandbox behaves as the vendor's documents say, and its answers fit the vendor's OpenAPI document."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import jsonschema
import pytest
import requests

from habeas.testing.people import Person, seeded_people
from habeas.testing.sandbox import Call, Reply, SandboxServer
from habeas_voucherify.sandbox import CONSENT_ID, VoucherifySandbox

PEOPLE = seeded_people(24, ("voucherify",))
ADA, TWIN_A, TWIN_B, BUSY = PEOPLE[0], PEOPLE[2], PEOPLE[3], PEOPLE[19]
KNOWN = tuple(person for person in PEOPLE if "voucherify" in person.held_at)
OPENAPI = Path(__file__).parents[3] / "shared" / "vendors" / "voucherify.openapi.json"


class Clock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = 1_780_000_000.0

    def __call__(self) -> float:
        return self.now


class Vendor:
    """A seeded sandbox and the calls a client makes to it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.app = VoucherifySandbox(self.clock)
        self.app.seed(PEOPLE)
        self.keys = {"x-app-id": self.app.app_id, "x-app-token": self.app.app_token}

    def send(self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Reply:
        """One raw call; the project's keys unless other headers are given."""
        path, _, query = target.partition("?")
        pairs = tuple(parse_qsl(query, keep_blank_values=True))
        return self.app.handle(Call(method, target, path, pairs, self.keys if headers is None else headers, body))

    def get(self, target: str) -> Reply:
        return self.send("GET", target)

    def json(self, method: str, target: str, body: object) -> Reply:
        headers = {**self.keys, "content-type": "application/json"}
        return self.send(method, target, json.dumps(body).encode(), headers)

    def form(self, target: str, **fields: str) -> Reply:
        headers = {
            "x-app-id": self.app.client_id,
            "x-app-token": self.app.client_secret,
            "content-type": "application/x-www-form-urlencoded",
        }
        return self.send("POST", target, urlencode(fields).encode(), headers)

    def import_csv(self, text: str) -> Reply:
        body = f'--b\r\nContent-Disposition: form-data; name="file"; filename="c.csv"\r\n\r\n{text}\r\n--b--\r\n'
        headers = {**self.keys, "content-type": "multipart/form-data; boundary=b"}
        return self.send("POST", "/v1/customers/importCSV", body.encode(), headers)

    def client_side(self, method: str, target: str, body: object = None) -> Reply:
        headers = {
            "x-client-application-id": self.app.client_application_id,
            "x-client-token": self.app.client_token,
            "origin": "shop.example",
            "content-type": "application/json",
        }
        return self.send(method, target, json.dumps(body).encode(), headers)

    def record(self, person: Person) -> dict[str, Any]:
        reply = self.get(customer_path(person))
        assert reply.status == 200
        found: dict[str, Any] = reply.json
        return found

    def erase(self, wanted: str) -> Reply:
        return self.send("POST", f"/v1/customers/{quote(wanted, safe='')}/permanent-deletion")

    def member_path(self, person: Person) -> str:
        found = self.get(f"/v2/loyalties/memberships/{self.record(person)['id']}").json["memberships"][0]["member"]
        return f"/v2/loyalties/programs/{found['program_id']}/members/{found['id']}"

    def finished(self, reply: Reply) -> dict[str, Any]:
        """The asynchronous action a 202 named."""
        assert reply.status == 202
        action: dict[str, Any] = self.get(f"/v1/async-actions/{reply.json['async_action_id']}").json
        return action

    def order_id(self, person: Person) -> str:
        rows = self.get(f"{customer_path(person)}/activity?type=customer.order.created").json["data"]
        return str(rows[0]["data"]["data"]["order"]["id"])


def customer_path(person: Person) -> str:
    return f"/v1/customers/{quote(person.customer_id, safe='')}"


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


def member_of(replies: list[Reply], key: str) -> list[Any]:
    return [row for reply in replies for row in reply.json[key]]


# -- who may call -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-app-id": "wrong", "x-app-token": "wrong"},
        {"x-app-id": "right"},
        {"x-app-token": "right"},
        {"authorization": "Bearer nothing"},
        {"authorization": "Basic eDp5"},
    ],
)
def test_a_call_without_both_keys_or_a_good_token_is_401(vendor: Vendor, headers: dict[str, str]) -> None:
    right = {"x-app-id": vendor.app.app_id, "x-app-token": vendor.app.app_token}
    sent = {name: right[name] if value == "right" else value for name, value in headers.items()}
    reply = vendor.send("GET", customer_path(ADA), headers=sent)
    assert reply.status == 401
    assert (reply.json["code"], reply.json["key"]) == (401, "unauthorized")
    assert "X-Rate-Limit-Limit" in reply.headers


def test_oauth_keys_open_the_token_endpoint_only(vendor: Vendor) -> None:
    headers = {"x-app-id": vendor.app.client_id, "x-app-token": vendor.app.client_secret}
    assert vendor.send("GET", "/v1/customers", headers=headers).status == 401


def test_a_token_opens_what_its_scope_covers_until_900_seconds_are_over(vendor: Vendor) -> None:
    granted = vendor.form("/v1/oauth/token", grant_type="client_credentials", scope="customers async-actions").json
    assert (granted["expires_in"], granted["token_type"]) == (900, "Bearer")
    bearer = {"authorization": f"Bearer {granted['access_token']}"}
    assert vendor.send("GET", "/v1/customers", headers=bearer).status == 200
    assert vendor.send("GET", "/v1/vouchers", headers=bearer).status == 401
    vendor.clock.now += 900
    assert vendor.send("GET", "/v1/customers", headers=bearer).status == 401


def test_a_revoked_token_is_dead_and_revoking_again_is_404(vendor: Vendor) -> None:
    value = vendor.form("/v1/oauth/token", grant_type="client_credentials", scope="api").json["access_token"]
    assert vendor.form("/v1/oauth/introspect", access_token=value).json["active"] is True
    assert vendor.form("/v1/oauth/token/revoke", access_token=value).status == 204
    assert vendor.send("GET", "/v1/customers", headers={"authorization": f"Bearer {value}"}).status == 401
    assert vendor.form("/v1/oauth/introspect", access_token=value).json["active"] is False
    again = vendor.form("/v1/oauth/token/revoke", access_token=value)
    assert (again.status, again.encoded()) == (404, b"")


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"grant_type": "password", "scope": "api"}, "invalid_grant_type"),
        ({"grant_type": "client_credentials", "scope": "everything"}, "invalid_scope"),
        ({"grant_type": "client_credentials"}, "missing_parameters"),
    ],
)
def test_a_bad_token_request_is_400(vendor: Vendor, fields: dict[str, str], key: str) -> None:
    reply = vendor.form("/v1/oauth/token", **fields)
    assert (reply.status, reply.json["key"]) == (400, key)


# -- strictness -------------------------------------------------------------------------------------------------------


def test_unknown_paths_are_404_and_wrong_methods_405(vendor: Vendor) -> None:
    assert vendor.get("/v1/nothing").json["code"] == 404
    assert vendor.send("PATCH", customer_path(ADA)).json["code"] == 405


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=ten",
        "page=0",
        "page=100",
        "order=email",
        "starting_after=yesterday",
        "customer_id=x",
        "limit=1&limit=2",
        "filters[email][conditions][$is]=x",
    ],
)
def test_a_query_the_document_does_not_allow_is_400(vendor: Vendor, query: str) -> None:
    assert vendor.get(f"/v1/customers?{query}").status == 400


def test_publications_go_to_page_100_and_the_others_to_99(vendor: Vendor) -> None:
    assert vendor.get("/v1/publications?page=100").status == 200
    for path in ("customers", "vouchers", "redemptions"):
        refused = vendor.get(f"/v1/{path}?page=100")
        assert (refused.status, refused.json["key"]) == (400, "page_over_limit")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff",
        b'{"name": "\\ud800"}',
        b'{"metadata": {"n": NaN}}',
        b"[]",
        b'"x"',
        b'{"name": 1}',
        b'{"metadata": []}',
        b'{"address": "x"}',
    ],
)
def test_a_malformed_body_is_400(vendor: Vendor, body: bytes) -> None:
    headers = {**vendor.keys, "content-type": "application/json"}
    before = vendor.record(ADA)
    assert vendor.send("PUT", customer_path(ADA), body, headers).status == 400
    assert vendor.record(ADA) == before


@pytest.mark.parametrize(
    "body",
    [
        {"birthdate": "soon"},
        {"email": None},
        {"address": {"city": 1}},
    ],
)
def test_a_field_of_the_wrong_type_is_400(vendor: Vendor, body: object) -> None:
    assert vendor.json("PUT", customer_path(ADA), body).status == 400


def test_json_without_its_content_type_is_415(vendor: Vendor) -> None:
    assert vendor.send("POST", "/v1/customers", b"{}").status == 415
    assert vendor.send("POST", "/v1/customers/importCSV", b"x").status == 415


def test_bulk_bodies_above_10_mb_are_413_in_a_shape_of_their_own(vendor: Vendor) -> None:
    headers = {**vendor.keys, "content-type": "application/json"}
    for path in ("bulk/async", "metadata/async", "importCSV"):
        reply = vendor.send("POST", f"/v1/customers/{path}", b" " * 10_485_761, headers)
        assert (reply.status, reply.json["statusCode"], reply.json["error"]) == (413, 413, "Request Entity Too Large")


def test_the_error_for_an_unknown_customer_repeats_the_id(vendor: Vendor) -> None:
    reply = vendor.get("/v1/customers/ada%40shop.example")
    assert reply.status == 404
    assert reply.json["key"] == "not_found"
    assert reply.json["details"] == "Cannot find customer with id ada@shop.example"
    assert reply.json["resource_id"] == "ada@shop.example"


def test_every_answer_announces_the_rate_limit_and_none_is_enforced_unless_asked(vendor: Vendor) -> None:
    replies = [vendor.get("/v1/customers?limit=1") for _ in range(150)]
    assert {reply.status for reply in replies} == {200}
    assert int(replies[-1].headers["X-Rate-Limit-Remaining"]) == int(replies[0].headers["X-Rate-Limit-Remaining"]) - 149


def test_an_enforced_limit_says_when_the_next_call_may_come(vendor: Vendor) -> None:
    vendor.app.calls_per_minute = 2
    assert [vendor.get("/v1/customers").status for _ in range(3)] == [200, 200, 429]
    vendor.clock.now += 20
    refused = vendor.get("/v1/customers")
    assert (refused.headers["Retry-After"], refused.headers["X-Rate-Limit-Type"]) == ("40", "api_calls")
    assert float(refused.headers["X-Rate-Limit-Retry"]) == vendor.clock.now + 40
    bulk = vendor.json("POST", "/v1/customers/bulk/async", [])
    assert (bulk.json["code"], bulk.headers["X-Rate-Limit-Type"]) == ("429", "bulk_api_calls")
    vendor.clock.now += 40
    assert vendor.get("/v1/customers").status == 200


# -- customers --------------------------------------------------------------------------------------------------------


def test_everyone_the_vendor_knows_is_found_by_source_id_and_by_its_own_id(vendor: Vendor) -> None:
    for person in PEOPLE:
        if person not in KNOWN:
            assert vendor.get(customer_path(person)).status == 404
            assert vendor.app.held(person) == {}
            continue
        found = vendor.record(person)
        assert found["source_id"] == person.customer_id
        assert vendor.get(f"/v1/customers/{found['id']}").json == found


def test_the_email_filter_is_exact_ignores_case_and_finds_both_of_a_household(vendor: Vendor) -> None:
    assert TWIN_A.email == TWIN_B.email
    found = vendor.get(f"/v1/customers?email={TWIN_A.email.upper()}").json
    assert {c["source_id"] for c in found["customers"]} == {TWIN_A.customer_id, TWIN_B.customer_id}
    assert vendor.get(f"/v1/customers?email={TWIN_A.email[1:]}").json["total"] == 0


def test_the_email_filter_follows_a_change_of_address(vendor: Vendor) -> None:
    vendor.json("PUT", customer_path(ADA), {"email": "new@shop.example"})
    assert vendor.get(f"/v1/customers?email={ADA.email}").json["total"] == 0
    assert vendor.get("/v1/customers?email=New@shop.example").json["customers"] == [vendor.record(ADA)]


def test_the_customer_list_pages_over_everyone_once(vendor: Vendor) -> None:
    pages = [vendor.get(f"/v1/customers?limit=10&page={n}") for n in (1, 2, 3)]
    assert [page.json["has_more"] for page in pages] == [True, True, False]
    found = [customer["source_id"] for customer in member_of(pages, "customers")]
    assert sorted(found) == sorted(p.customer_id for p in KNOWN)
    edge = pages[0].json["customers"][-1]["created_at"]
    assert vendor.get(f"/v1/customers?starting_after={edge}").json["customers"] == pages[1].json["customers"]


def test_put_keeps_what_is_not_sent_and_merges_or_replaces_metadata(vendor: Vendor) -> None:
    before = vendor.record(ADA)
    after = vendor.json("PUT", customer_path(ADA), {"metadata": {"consent_marketing_email": False}}).json
    assert after["metadata"] == {**before["metadata"], "consent_marketing_email": False}
    assert after["name"] == before["name"]
    vendor.app.replaces_metadata = True
    assert vendor.json("PUT", customer_path(ADA), {"metadata": {"only": 1}}).json["metadata"] == {"only": 1}


def test_put_never_creates_and_post_updates_an_existing_source_id(vendor: Vendor) -> None:
    assert vendor.json("PUT", "/v1/customers/nobody", {"name": "X"}).status == 404
    known = vendor.json("POST", "/v1/customers", {"source_id": ADA.customer_id, "name": "Ada Two"}).json
    assert (known["name"], known["email"]) == ("Ada Two", ADA.email)
    assert vendor.json("POST", "/v1/customers", {"id": known["id"], "phone": "+1"}).json["name"] == "Ada Two"
    assert vendor.json("POST", "/v1/customers", {"email": "guest@shop.example"}).json["id"] not in known["id"]


# -- activity ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["created_at", "-created_at"])
def test_more_than_100_events_come_whole_over_pages(vendor: Vendor, order: str) -> None:
    base = f"{customer_path(BUSY)}/activity?limit=100&order={order}"
    first = vendor.get(base).json
    assert (len(first["data"]), first["has_more"]) == (100, True)
    rest = vendor.get(f"{base}&starting_after_id={first['more_starting_after']}").json
    assert rest["has_more"] is False
    assert "more_starting_after" not in rest
    events = [*first["data"], *rest["data"]]
    assert len({e["id"] for e in events}) == vendor.app.held(BUSY)["activity"] == 130
    times = [e["created_at"] for e in events]
    assert times == sorted(times, reverse=order.startswith("-"))


def test_activity_is_filtered_by_type_category_and_time(vendor: Vendor) -> None:
    base = f"{customer_path(BUSY)}/activity?limit=100"
    effects = vendor.get(f"{base}&category=EFFECT").json["data"]
    assert {e["type"] for e in effects} == {
        "customer.created",
        "customer.segment.entered",
        "customer.publication.succeeded",
    }
    until = effects[0]["created_at"]
    assert all(e["created_at"] <= until for e in vendor.get(f"{base}&end_date={until}").json["data"])
    assert vendor.get(f"{base}&type=customer.exploded").status == 400
    assert vendor.get(f"{base}&starting_after_id=evcus_unknown").status == 400
    assert vendor.get(f"{base}&campaign_type=LOYALTY_PROGRAM").json["data"] == []


def test_the_orders_of_a_person_are_found_in_their_activity(vendor: Vendor) -> None:
    order = vendor.get(f"/v1/orders/{vendor.order_id(ADA)}").json
    assert order["customer_id"] == vendor.record(ADA)["id"]
    assert vendor.get(f"/v1/orders/{quote(order['source_id'])}").json == order


def test_segments_answer_200_for_nobody_where_activity_and_redeemables_answer_404(vendor: Vendor) -> None:
    empty = vendor.get("/v1/customers/nobody/segments")
    assert (empty.status, empty.json["data"], empty.json["total"]) == (200, [], 0)
    for what in ("activity", "activities", "redeemables"):
        assert vendor.get(f"/v1/customers/nobody/{what}").status == 404


def test_filters_select_rows_and_unknown_ones_are_refused(vendor: Vendor) -> None:
    base = f"{customer_path(BUSY)}/redeemables"
    rows = vendor.get(base).json["data"]
    assert len(rows) == 2
    one = vendor.get(f"{base}?filters[id][conditions][$is]={rows[0]['id']}").json
    assert one["data"] == rows[:1]
    either = "&".join(f"filters[id][conditions][$in][{n}]={row['id']}" for n, row in enumerate(rows))
    assert vendor.get(f"{base}?{either}&filters[holder_role][conditions][$is]=OWNER").json["total"] == 2
    assert vendor.get(f"{base}?filters[junction]=and&filters[id][conditions][$starts_with]=x").json["total"] == 0
    assert vendor.get(f"{base}?filters[colour][conditions][$is]=red").status == 400
    assert vendor.get(f"{base}?filters[id][conditions][$like]=x").status == 400


# -- deleting ---------------------------------------------------------------------------------------------------------


def test_permanent_deletion_reports_what_went_and_leaves_nothing_that_names_the_person(vendor: Vendor) -> None:
    held, found, order = dict(vendor.app.held(BUSY)), vendor.record(BUSY), vendor.order_id(BUSY)
    redemption = vendor.get(f"/v1/redemptions?customer={found['id']}").json["redemptions"][0]["id"]
    reply = vendor.erase(BUSY.customer_id)
    assert reply.status == 200
    report = reply.json
    assert (report["object"], report["status"]) == ("pernament_deletion", "DONE")
    assert (report["related_object"], report["related_object_id"]) == ("customer", found["id"])
    counted = report["data_json"]
    assert (counted["customer"], counted["customer_events"]) == (1, held["activity"])
    assert (counted["orders"], counted["segments"]) == (held["order"], held["segment"])
    assert vendor.app.held(BUSY) == {}
    for wanted in (found["id"], quote(BUSY.customer_id)):
        assert vendor.get(f"/v1/customers/{wanted}").status == 404
        assert vendor.get(f"/v1/customers/{wanted}/activity").status == 404
    assert vendor.get(f"/v1/orders/{order}").status == 404
    left = vendor.get(f"/v1/redemptions/{redemption}").json
    assert (left["customer_id"], left["customer"]) == (None, None)
    every = [vendor.get(f"/v1/{what}?limit=100").encoded() for what in ("redemptions", "publications", "vouchers")]
    assert not any(secret.encode() in b"".join(every) for secret in (found["id"], BUSY.email, BUSY.customer_id + '"'))


def test_a_second_permanent_deletion_is_404(vendor: Vendor) -> None:
    cust_id = vendor.record(ADA)["id"]
    assert vendor.erase(cust_id).status == 200
    assert vendor.erase(cust_id).status == 404
    assert vendor.erase(ADA.customer_id).status == 404


def test_leftover_rows_may_still_name_the_person_but_are_no_longer_listed_for_them(vendor: Vendor) -> None:
    vendor.app.keeps_rows_after_deletion = True
    held, cust_id = vendor.app.held(BUSY), vendor.record(BUSY)["id"]
    redemption = vendor.get(f"/v1/redemptions?customer={cust_id}").json["redemptions"][0]["id"]
    assert vendor.erase(cust_id).status == 200
    assert vendor.app.held(BUSY) == {kind: held[kind] for kind in ("redemption", "publication", "voucher")}
    assert vendor.get(f"/v1/redemptions/{redemption}").json["customer_id"] == cust_id
    for what in ("redemptions", "publications", "vouchers"):
        assert vendor.get(f"/v1/{what}?customer={cust_id}").json["total"] == 0


def test_a_plain_delete_takes_the_profile_only_and_the_rest_goes_by_the_vendors_id(vendor: Vendor) -> None:
    held, cust_id = dict(vendor.app.held(ADA)), vendor.record(ADA)["id"]
    assert vendor.send("DELETE", customer_path(ADA)).status == 204
    assert vendor.send("DELETE", customer_path(ADA)).status == 404
    assert vendor.get(f"/v1/customers/{cust_id}").status == 404
    assert vendor.app.held(ADA) == {kind: many for kind, many in held.items() if kind != "customer"}
    assert vendor.erase(ADA.customer_id).status == 404
    reply = vendor.erase(cust_id)
    assert (reply.status, reply.json["data_json"]["customer"]) == (200, 0)
    assert reply.json["data_json"]["orders"] == held["order"]
    assert set(vendor.app.held(ADA)) == {"loyalty_member"}
    assert vendor.erase(cust_id).status == 404


@pytest.mark.parametrize(
    "write",
    [
        lambda v: v.json("POST", "/v1/customers", {"source_id": ADA.customer_id}),
        lambda v: v.json("POST", "/v1/customers/bulk/async", [{"source_id": ADA.customer_id, "metadata": {"a": 1}}]),
        lambda v: v.json(
            "POST", "/v1/customers/metadata/async", {"source_ids": [ADA.customer_id], "metadata": {"a": 1}}
        ),
        lambda v: v.import_csv(f"source_id,name\n{ADA.customer_id},Ada\n"),
    ],
    ids=["post", "bulk", "metadata", "csv"],
)
def test_a_write_after_an_erasure_brings_the_person_back(vendor: Vendor, write: Callable[[Vendor], Reply]) -> None:
    gone = vendor.record(ADA)["id"]
    vendor.send("DELETE", vendor.member_path(ADA))
    vendor.erase(gone)
    assert vendor.app.held(ADA) == {}
    assert write(vendor).status in (200, 202)
    assert vendor.app.held(ADA)["customer"] == 1
    assert vendor.record(ADA)["id"] != gone


# -- asynchronous actions ---------------------------------------------------------------------------------------------


def test_a_bulk_update_says_which_rows_were_found_and_which_created(vendor: Vendor) -> None:
    rows = [{"source_id": ADA.customer_id, "metadata": {"flag": True}}, {"source_id": "C-new", "name": "New"}]
    action = vendor.finished(vendor.json("POST", "/v1/customers/bulk/async", rows))
    assert (action["status"], action["operation_status"]) == ("DONE", "SUCCESS")
    assert (action["result"]["done_count"], action["result"]["failed_count"]) == (2, 0)
    url = action["result"]["reports"][0].removeprefix("http://localhost")
    report = vendor.send("GET", url, headers={}).encoded().decode()
    assert list(csv.reader(io.StringIO(report))) == [
        ["source_id", "found", "updated"],
        [ADA.customer_id, "true", "true"],
        ["C-new", "false", "true"],
    ]
    assert vendor.send("GET", url[:-1], headers={}).status == 401
    assert vendor.record(ADA)["metadata"]["flag"] is True
    assert vendor.record(ADA)["metadata"]["preferences"]


def test_done_is_not_success_when_every_row_failed(vendor: Vendor) -> None:
    vendor.app.refused_source_ids = {ADA.customer_id}
    rows = [{"source_id": ADA.customer_id}, {"source_id": TWIN_A.customer_id, "birthdate": "never"}, {"source_id": ""}]
    action = vendor.finished(vendor.json("POST", "/v1/customers/bulk/async", rows))
    assert (action["status"], action["operation_status"]) == ("DONE", "FAILED")
    assert action["result"]["failed_count"] == 3
    assert [error["source_id"] for error in action["result"]["errors"]] == [row["source_id"] for row in rows]
    body = {"source_ids": [ADA.customer_id, TWIN_A.customer_id], "metadata": {"flag": 1}}
    action = vendor.finished(vendor.json("POST", "/v1/customers/metadata/async", body))
    assert (action["operation_status"], action["result"]["failed_count"]) == ("SUCCESS", 1)
    assert "source_id" not in action["result"]["errors"][0]


@pytest.mark.parametrize("body", [{}, [], [1], [{"name": "x"}], [{"source_id": 7}], [{"source_id": "a", "name": 7}]])
def test_a_bulk_body_of_another_shape_is_400(vendor: Vendor, body: object) -> None:
    assert vendor.json("POST", "/v1/customers/bulk/async", body).status == 400


@pytest.mark.parametrize("body", [[], {}, {"source_ids": ["a"]}, {"source_ids": "a", "metadata": {}}])
def test_a_bulk_metadata_body_of_another_shape_is_400(vendor: Vendor, body: object) -> None:
    assert vendor.json("POST", "/v1/customers/metadata/async", body).status == 400


def test_an_action_takes_its_time_and_has_no_effect_before_its_end(vendor: Vendor) -> None:
    vendor.app.async_seconds = 10
    started = vendor.json("POST", "/v1/customers/bulk/async", [{"source_id": ADA.customer_id, "name": "Later"}])
    seen = []
    for _ in range(3):
        action = vendor.finished(started)
        seen.append((action["status"], action["operation_status"], "result" in action, vendor.record(ADA)["name"]))
        vendor.clock.now += 5
    name = f"{ADA.first_name} {ADA.last_name}"
    assert seen == [
        ("ENQUEUED", "UNKNOWN", False, name),
        ("IN_PROGRESS", "UNKNOWN", False, name),
        ("DONE", "SUCCESS", True, "Later"),
    ]
    listed = vendor.get("/v1/async-actions").json["async_actions"]
    assert [("result" in row, row["status"]) for row in listed] == [(False, "DONE")]


def test_a_csv_import_replaces_whole_profiles(vendor: Vendor) -> None:
    text = f"Source_id,Name,Address_city,Shoe size\n{ADA.customer_id},Ada,Wien,38\n,Nobody,,\n"
    action = vendor.finished(vendor.import_csv(text))
    assert (action["result"]["done_count"], action["result"]["failed"][0]["row"]) == (1, 2)
    found = vendor.record(ADA)
    assert (found["metadata"], found["address"]) == ({"shoe size": "38"}, {"city": "Wien"})
    assert "email" not in found
    assert vendor.get(f"/v1/customers?email={ADA.email}").json["total"] == 0
    assert vendor.import_csv("name\nAda\n").status == 400


# -- exports ----------------------------------------------------------------------------------------------------------


def test_an_export_is_scheduled_then_done_then_fetched_then_deleted(vendor: Vendor) -> None:
    cust_id = vendor.record(BUSY)["id"]
    filters = {"customer_id": {"conditions": {"$is": cust_id}}, "junction": "and"}
    wanted = {"fields": ["id", "customer_id", "customer_source_id"], "order": "-created_at", "filters": filters}
    made = vendor.json("POST", "/v1/exports", {"exported_object": "redemption", "parameters": wanted}).json
    assert (made["status"], made["result"]) == ("SCHEDULED", None)
    done = vendor.get(f"/v1/exports/{made['id']}").json
    assert done["status"] == "DONE"
    url = done["result"]["url"].removeprefix("http://localhost")
    lines = list(csv.DictReader(io.StringIO(vendor.get(url).encoded().decode())))
    assert len(lines) == vendor.app.held(BUSY)["redemption"]
    assert {line["customer_source_id"] for line in lines} == {BUSY.customer_id}
    assert vendor.get(f"{url}x").status == 401
    assert vendor.send("DELETE", f"/v1/exports/{made['id']}").status == 204
    assert vendor.get(f"/v1/exports/{made['id']}").status == 404


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({"exported_object": "people"}, "invalid_payload"),
        ({"exported_object": ["customer"]}, "invalid_payload"),
        ({"exported_object": "customer", "parameters": {"fields": ["shoe"]}}, "invalid_export_fields"),
        ({"exported_object": "customer", "parameters": {"order": "shoe"}}, "invalid_payload"),
        (
            {"exported_object": "order", "parameters": {"filters": {"customer_id": {"conditions": {"$is": "x"}}}}},
            "invalid_payload",
        ),
    ],
)
def test_an_export_the_document_does_not_know_is_400(vendor: Vendor, body: object, key: str) -> None:
    reply = vendor.json("POST", "/v1/exports", body)
    assert (reply.status, reply.json["key"]) == (400, key)


# -- loyalty, consents ------------------------------------------------------------------------------------------------


def test_memberships_are_found_by_the_vendors_id_unless_told_otherwise(vendor: Vendor) -> None:
    cust_id, source = vendor.record(ADA)["id"], quote(ADA.customer_id)
    base = "/v2/loyalties/memberships"
    assert vendor.get(f"{base}/{source}").status == 404
    by_source = vendor.get(f"{base}/{source}?identification_type=customer_source_id").json
    assert vendor.get(f"{base}/{cust_id}").json == by_source
    member = by_source["memberships"][0]["member"]["id"]
    assert vendor.get(f"{base}/{member}?identification_type=member_id").json == by_source
    assert vendor.get(f"{base}/{cust_id}?identification_type=email").status == 400


def test_a_deleted_member_loses_its_cards_and_stays_as_deleted(vendor: Vendor) -> None:
    path, held = vendor.member_path(ADA), dict(vendor.app.held(ADA))
    assert vendor.send("DELETE", path).json["status"] == "DELETED"
    assert (vendor.get(path).json["status"], vendor.get(path).json["cards"]) == ("DELETED", [])
    assert vendor.send("DELETE", path).status == 409
    assert vendor.get(f"/v2/loyalties/memberships/{vendor.record(ADA)['id']}").json["memberships"] == []
    assert vendor.app.held(ADA) == {kind: many for kind, many in held.items() if kind != "loyalty_member"}
    assert vendor.get(path[:-1] + "0").status == 404


def test_a_membership_that_was_not_deleted_outlives_the_customer(vendor: Vendor) -> None:
    path = vendor.member_path(ADA)
    vendor.erase(ADA.customer_id)
    assert vendor.app.held(ADA) == {"loyalty_member": 1}
    assert vendor.get(path).status == 200


def test_the_consents_endpoints_are_gone_unless_the_project_has_them(vendor: Vendor) -> None:
    path = f"{customer_path(ADA)}/consents"
    assert vendor.json("PUT", path, {CONSENT_ID: True}).status == 404
    assert vendor.get("/v1/consents").status == 404
    vendor.app.consents_enabled = True
    assert vendor.json("PUT", path, {CONSENT_ID: True}).status == 204
    assert vendor.app.consents_given(ADA) == {CONSENT_ID: True}
    assert vendor.json("PUT", path, {"unsubscribed": True}).status == 204
    assert vendor.app.consents_given(ADA) == {CONSENT_ID: False}
    for body in ({}, {CONSENT_ID: "yes"}, {"cnst_unknown": True}):
        assert vendor.json("PUT", path, body).status == 400
    assert vendor.json("PUT", "/v1/customers/nobody/consents", {CONSENT_ID: True}).status == 404
    assert vendor.send("GET", "/client/v1/consents").status == 401


# -- the sandbox itself -----------------------------------------------------------------------------------------------


def test_two_sandboxes_with_the_same_people_hold_the_same(vendor: Vendor) -> None:
    other = Vendor()
    other.app.seed(PEOPLE)
    for what in ("customers", "redemptions", "publications", "vouchers"):
        assert vendor.get(f"/v1/{what}?limit=100").json == other.get(f"/v1/{what}?limit=100").json


def test_awkward_ids_survive_the_way_over_a_real_socket(vendor: Vendor) -> None:
    with SandboxServer(vendor.app) as server, requests.Session() as session:
        session.headers.update(vendor.keys)
        for person in PEOPLE:
            reply = session.get(server.base_url + customer_path(person), timeout=5)
            assert reply.status_code == (200 if person in KNOWN else 404)
        made = session.post(f"{server.base_url}/v1/exports", json={"exported_object": "customer"}, timeout=5).json()
        url = session.get(f"{server.base_url}/v1/exports/{made['id']}", timeout=5).json()["result"]["url"]
        assert url.startswith(server.base_url)
        assert session.get(url, timeout=5).text.count("\n") == 1 + len(KNOWN)


# -- the vendor's OpenAPI document ------------------------------------------------------------------------------------
# Not part of the project: where the document does not lie beside the checkout, these tests do not exist.


def _drive(vendor: Vendor) -> Mapping[str, Callable[[], Reply]]:
    """Every operation of the document, once, in a way that succeeds."""
    vendor.app.consents_enabled = True
    one, busy = customer_path(ADA), customer_path(BUSY)
    cust_id, member = vendor.record(ADA)["id"], vendor.member_path(ADA)
    held = vendor.record(BUSY)["id"]
    redemption = vendor.get(f"/v1/redemptions?customer={held}").json["redemptions"][0]["id"]
    bulk = vendor.json("POST", "/v1/customers/bulk/async", [{"source_id": "C-new"}, {"source_id": ""}])
    vendor.json("POST", "/v1/customers/metadata/async", {"source_ids": ["C-new", ""], "metadata": {"a": 1}})
    made = vendor.json("POST", "/v1/exports", {"exported_object": "voucher"}).json["id"]
    granted = vendor.form("/v1/oauth/token", grant_type="client_credentials", scope="api").json["access_token"]
    wanted = {"fields": ["id"], "order": "-id", "filters": {"junction": "and"}}
    return {
        "list-customers": lambda: vendor.get("/v1/customers?limit=100"),
        "create-customer": lambda: vendor.json("POST", "/v1/customers", {"source_id": "C-2", "name": "New"}),
        "get-customer": lambda: vendor.get(one),
        "delete-customer": lambda: vendor.send("DELETE", one),
        "update-customer": lambda: vendor.json("PUT", one, {"address": None}),
        "customer-permanently-deletion": lambda: vendor.erase(cust_id),
        "import-customers-using-csv": lambda: vendor.import_csv("source_id\nC-3\n"),
        "update-customers-in-bulk": lambda: vendor.json("POST", "/v1/customers/bulk/async", [{"source_id": "C-4"}]),
        "update-customers-metadata-in-bulk": lambda: vendor.json(
            "POST", "/v1/customers/metadata/async", {"source_ids": ["C-5"], "metadata": {}}
        ),
        "list-customer-activity": lambda: vendor.get(f"{busy}/activity?limit=20&order=created_at"),
        "list-customer-activities": lambda: vendor.get(f"{busy}/activities?limit=2"),
        "list-customer-segments": lambda: vendor.get(f"{busy}/segments"),
        "list-customer-redeemables": lambda: vendor.get(f"{busy}/redeemables?limit=1"),
        "list-async-actions": lambda: vendor.get("/v1/async-actions"),
        "get-async-action": lambda: vendor.get(f"/v1/async-actions/{bulk.json['async_action_id']}"),
        "list-redemptions": lambda: vendor.get("/v1/redemptions?limit=100"),
        "get-redemption": lambda: vendor.get(f"/v1/redemptions/{redemption}"),
        "list-publications": lambda: vendor.get("/v1/publications?limit=100"),
        "create-export": lambda: vendor.json(
            "POST", "/v1/exports", {"exported_object": "customer", "parameters": wanted}
        ),
        "list-exports": lambda: vendor.get("/v1/exports"),
        "get-export": lambda: vendor.get(f"/v1/exports/{made}"),
        "delete-export": lambda: vendor.send("DELETE", f"/v1/exports/{made}"),
        "download-export": lambda: vendor.get(
            vendor.get(f"/v1/exports/{made}").json["result"]["url"].removeprefix("http://localhost")
        ),
        "list-vouchers": lambda: vendor.get("/v1/vouchers?limit=100"),
        "get-order": lambda: vendor.get(f"/v1/orders/{vendor.order_id(ADA)}"),
        "generate-oauth-token": lambda: vendor.form(
            "/v1/oauth/token", grant_type="client_credentials", scope="customers"
        ),
        "introspect-oauth-token": lambda: vendor.form("/v1/oauth/introspect", access_token=granted),
        "revoke-oauth-token": lambda: vendor.form("/v1/oauth/token/revoke", access_token=granted),
        "getCustomerMemberships": lambda: vendor.get(f"/v2/loyalties/memberships/{cust_id}"),
        "getProgramMember": lambda: vendor.get(member),
        "deleteProgramMember": lambda: vendor.send("DELETE", member),
        "list-consents": lambda: vendor.get("/v1/consents"),
        "update-customers-consents": lambda: vendor.json("PUT", f"{one}/consents", {CONSENT_ID: True}),
        "update-customers-consents-client-side": lambda: vendor.client_side(
            "PUT", f"/client{one}/consents", {CONSENT_ID: True}
        ),
        "list-consents-client-side": lambda: vendor.client_side("GET", "/client/v1/consents"),
    }


def _as_json_schema(node: Any) -> Any:
    """OpenAPI 3.0 as JSON Schema: ``nullable`` becomes the type null."""
    if isinstance(node, list):
        return [_as_json_schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: _as_json_schema(value) for key, value in node.items() if key not in ("nullable", "example")}
    if node.get("nullable") is True:
        return {"anyOf": [made, {"type": "null"}]}
    return made


def _timely() -> jsonschema.FormatChecker:
    """Checks dates and times by the standard library, so that the test needs no further package."""
    checker = jsonschema.FormatChecker(formats=())
    checker.checks("date", raises=ValueError)(lambda v: not isinstance(v, str) or bool(date.fromisoformat(v)))
    checker.checks("date-time", raises=ValueError)(
        lambda v: not isinstance(v, str) or datetime.fromisoformat(v).tzinfo is not None
    )
    return checker


if OPENAPI.exists():
    SPEC: dict[str, Any] = json.loads(OPENAPI.read_text(encoding="utf-8"))
    COMPONENTS = _as_json_schema({"schemas": SPEC["components"]["schemas"]})
    # Branches without required fields admit each other, so no answer fits exactly one: results of actions and data of
    # events are held against the branch of their kind below.
    for overlapping in (
        COMPONENTS["schemas"]["AsyncAction"]["allOf"][1]["properties"]["result"],
        COMPONENTS["schemas"]["CustomerActivityData"],
    ):
        overlapping["anyOf"] = overlapping.pop("oneOf")
    OPERATIONS: dict[str, Mapping[str, Any]] = {
        operation["operationId"]: operation["responses"]
        for path in SPEC["paths"].values()
        for method, operation in path.items()
        if method != "parameters"
    }
    RESULTS = {
        "CUSTOMERS.BULK_UPDATE": "AsyncActionResultCustomersBulkUpdateResponseBody",
        "CUSTOMERS.METADATA_UPDATE": "AsyncActionResultCustomersMetadataUpdateResponseBody",
        "CUSTOMERS.IMPORT_CSV": "17_res_obj_get_async_action_result_customers_import_csv",
    }
    EVENTS = {
        "customer.created": "EventCustomerCreated",
        "customer.updated": "EventCustomerUpdated",
        "customer.segment.entered": "EventCustomerSegmentEntered",
        "customer.publication.succeeded": "EventCustomerPublicationSucceeded",
        "customer.redemption.succeeded": "EventCustomerRedemptionSucceeded",
        "customer.order.created": "EventCustomerOrderCreated",
        "customer.order.paid": "EventCustomerOrderPaid",
        "customer.custom_event": "EventCustomerCustomEvent",
    }

    def fits(answer: object, schema: Mapping[str, Any]) -> None:
        whole = {**_as_json_schema(schema), "components": COMPONENTS}
        validator = jsonschema.Draft202012Validator(whole, format_checker=_timely())
        wrong = [f"{error.json_path}: {error.validator}" for error in validator.iter_errors(answer)]
        assert wrong == []

    def fits_operation(name: str, reply: Reply) -> None:
        assert str(reply.status) in OPERATIONS[name]
        content = OPERATIONS[name][str(reply.status)].get("content", {})
        if "application/json" in content:
            fits(reply.json, content["application/json"]["schema"])
        else:
            assert reply.json is None
            assert bool(reply.body) == bool(content)

    def named(schema: str) -> Mapping[str, Any]:
        return {"$ref": f"#/components/schemas/{schema}"}

    def test_every_operation_of_the_document_is_driven() -> None:
        assert set(_drive(Vendor())) == set(OPERATIONS)
        assert len(OPERATIONS) == 35

    @pytest.mark.parametrize("name", OPERATIONS)
    def test_a_success_fits_the_vendors_schema(vendor: Vendor, name: str) -> None:
        reply = _drive(vendor)[name]()
        assert reply.status in (200, 202, 204)
        fits_operation(name, reply)

    @pytest.mark.parametrize("kind", RESULTS)
    def test_the_result_of_an_action_fits_the_branch_of_its_kind(vendor: Vendor, kind: str) -> None:
        made = {
            "CUSTOMERS.BULK_UPDATE": lambda: vendor.json(
                "POST", "/v1/customers/bulk/async", [{"source_id": "C-1"}, {"source_id": ""}]
            ),
            "CUSTOMERS.METADATA_UPDATE": lambda: vendor.json(
                "POST", "/v1/customers/metadata/async", {"source_ids": ["C-1", ""], "metadata": {}}
            ),
            "CUSTOMERS.IMPORT_CSV": lambda: vendor.import_csv("source_id,name\nC-1,New\n,Nobody\n"),
        }[kind]()
        action = vendor.finished(made)
        assert (action["type"], action["result"]["failed_count"]) == (kind, 1)
        fits(action["result"], named(RESULTS[kind]))

    def test_every_kind_of_event_fits_the_schema_of_its_kind(vendor: Vendor) -> None:
        vendor.json("PUT", customer_path(BUSY), {"name": "New"})
        seen = {event["type"]: event["data"]["data"] for event in vendor.app.events[vendor.record(BUSY)["id"]]}
        assert set(seen) == set(EVENTS)
        for kind, data in seen.items():
            fits(data, named(EVENTS[kind]))

    @pytest.mark.parametrize("name", ["list-redemptions", "get-redemption", "list-publications", "list-vouchers"])
    def test_rows_left_by_an_erased_person_still_fit(vendor: Vendor, name: str) -> None:
        call = _drive(vendor)[name]
        vendor.erase(BUSY.customer_id)
        fits_operation(name, call())

    @pytest.mark.parametrize(
        ("name", "target"),
        [
            ("get-customer", "/v1/customers/nobody"),
            ("list-customer-activity", "/v1/customers/nobody/activity"),
            ("list-customer-redeemables", "/v1/customers/nobody/redeemables"),
            ("get-async-action", "/v1/async-actions/aa_0"),
            ("list-async-actions", "/v1/async-actions?end_date=never"),
            ("list-publications", "/v1/publications?page=101"),
            ("get-export", "/v1/exports/exp_0"),
            ("get-order", "/v1/orders/ord_0"),
            ("getCustomerMemberships", "/v2/loyalties/memberships/cust_0"),
        ],
    )
    def test_an_error_fits_the_vendors_schema(vendor: Vendor, name: str, target: str) -> None:
        reply = vendor.get(target)
        assert reply.status in (400, 404)
        fits_operation(name, reply)

    def test_a_refusal_of_a_bulk_call_fits_the_vendors_schema(vendor: Vendor) -> None:
        headers = {**vendor.keys, "content-type": "application/json"}
        too_large = vendor.send("POST", "/v1/customers/bulk/async", b" " * 10_485_761, headers)
        fits_operation("update-customers-in-bulk", too_large)
        vendor.app.calls_per_minute = 0
        fits_operation("update-customers-in-bulk", vendor.json("POST", "/v1/customers/bulk/async", []))

"""What the vendor's own clients rely on and no other test asks of the sandbox."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from habeas.testing.people import seeded_people
from habeas.testing.sandbox import Call, Reply
from habeas_voucherify.sandbox import VoucherifySandbox

PEOPLE = seeded_people(20, ("voucherify",))
BUSY = PEOPLE[19]


class Vendor:
    """A seeded sandbox whose clock stands within a second, and calls with its key pair."""

    def __init__(self) -> None:
        self.app = VoucherifySandbox(lambda: 1_780_000_000.75)
        self.app.seed(PEOPLE)

    def call(self, method: str, target: str, body: bytes = b"", kind: str = "application/json") -> Reply:
        path, _, query = target.partition("?")
        headers = {"x-app-id": self.app.app_id, "x-app-token": self.app.app_token, "content-type": kind}
        return self.app.handle(Call(method, target, path, tuple(parse_qsl(query)), headers, body))

    def get(self, target: str) -> Any:
        reply = self.call("GET", target)
        assert reply.status == 200
        return reply.json


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


def test_two_collections_answer_with_a_slash_at_the_end_as_the_client_up_to_2_2_2_writes_them(vendor: Vendor) -> None:
    made = vendor.call("POST", "/v1/customers/", json.dumps({"source_id": "new"}).encode())
    assert made.status == 200
    assert vendor.get("/v1/customers/new") == made.json
    assert vendor.get("/v1/vouchers/?limit=3") == vendor.get("/v1/vouchers?limit=3")
    assert vendor.call("GET", "/v1/customers/").status == 405
    assert vendor.call("GET", "/v1/redemptions/").status == 404


def test_a_new_token_lasts_900_seconds_within_a_second_too(vendor: Vendor) -> None:
    form = urlencode({"grant_type": "client_credentials", "scope": "api"}).encode()
    granted = vendor.call("POST", "/v1/oauth/token", form, "application/x-www-form-urlencoded")
    assert (granted.status, granted.json["expires_in"]) == (200, 900)


def test_the_older_activity_list_has_a_total_and_nothing_that_names_a_next_page(vendor: Vendor) -> None:
    base = f"/v1/customers/{BUSY.customer_id}"
    read: list[Mapping[str, Any]] = []
    pages, total = 0, 1
    while len(read) < total:
        after = f"&starting_after_id={read[-1]['id']}" if read else ""
        page = vendor.get(f"{base}/activities?limit=100&order=created_at{after}")
        assert page.keys() == {"object", "data_ref", "data", "total"}
        read, pages, total = [*read, *page["data"]], pages + 1, page["total"]
    assert pages == 2
    assert [row["id"] for row in read] == [row["id"] for row in vendor.app.events[vendor.get(base)["id"]]]
    later = vendor.get(f"{base}/activities?limit=1&order=created_at&starting_after={read[99]['created_at']}")
    assert (later["data"], later["total"]) == ([read[100]], len(read))


def test_an_imported_file_finds_a_customer_by_id_and_keeps_the_id_out_of_the_metadata(vendor: Vendor) -> None:
    cust_id = vendor.get(f"/v1/customers/{BUSY.customer_id}")["id"]
    text = f"Id,Name,Source_id\n{cust_id},By id,\n"
    body = f'--b\r\nContent-Disposition: form-data; name="file"; filename="c.csv"\r\n\r\n{text}\r\n--b--\r\n'
    started = vendor.call("POST", "/v1/customers/importCSV", body.encode(), "multipart/form-data; boundary=b")
    action = vendor.get(f"/v1/async-actions/{started.json['async_action_id']}")
    assert (action["result"]["done_count"], action["result"]["failed_count"]) == (1, 0)
    record = vendor.get(f"/v1/customers/{BUSY.customer_id}")
    assert (record["id"], record["name"], record["metadata"]) == (cust_id, "By id", {})


def test_a_consents_call_without_a_body_is_refused_as_an_empty_one(vendor: Vendor) -> None:
    vendor.app.consents_enabled = True
    path = f"/v1/customers/{BUSY.customer_id}/consents"
    refused = [vendor.call("PUT", path, body, kind) for body, kind in ((b"", ""), (b"{}", "application/json"))]
    assert [(reply.status, reply.json["key"]) for reply in refused] == [(400, "invalid_payload")] * 2
    assert refused[0].json["details"] == refused[1].json["details"]

"""What the vendor's own clients rely on and no other test asks of the sandbox."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest

from habeas.testing.people import seeded_people
from habeas.testing.sandbox import Call, Reply
from habeas_talonone.sandbox import TalonOneSandbox

PEOPLE = seeded_people(26, ("talonone",))
KNOWN = tuple(person for person in PEOPLE if "talonone" in person.held_at)


class Vendor:
    """A seeded sandbox and calls with its integration key."""

    def __init__(self) -> None:
        self.app = TalonOneSandbox(lambda: 1_800_000_000.0)
        self.app.seed(PEOPLE)

    def call(self, method: str, target: str, body: Any = None) -> Reply:
        path, _, query = target.partition("?")
        headers = {"authorization": f"ApiKey-v1 {self.app.api_key}", "content-type": "application/json"}
        raw = b"" if body is None else json.dumps(body).encode()
        return self.app.handle(Call(method, target, path, tuple(parse_qsl(query)), headers, raw))


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


def test_seeded_cards_have_identifiers_that_the_python_client_reads(vendor: Vendor) -> None:
    seen = set()
    for person in KNOWN:
        path = f"/v1/customer_profiles/{quote(person.customer_id, safe='')}/inventory?loyalty=true"
        seen |= {card["identifier"] for card in vendor.call("GET", path).json["loyalty"]["cards"]}
    assert len(seen) > 5
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{4,}", identifier) for identifier in seen)


def test_a_card_with_an_identifier_that_means_something_in_a_path_is_found_by_its_encoded_form(vendor: Vendor) -> None:
    who, identifier = KNOWN[0].customer_id, "FAM+a%2F@x"
    made = vendor.call(
        "POST", "/v1/loyalty_programs/2/cards", {"cardIdentifier": identifier, "customerProfileIds": [who]}
    )
    assert made.json["identifier"] == identifier
    card = f"cards/{quote(identifier, safe='')}"
    assert vendor.call("GET", f"/v1/loyalty_programs/2/{card}/balances").json["profiles"][0]["integrationId"] == who
    unlinked = vendor.call("POST", f"/v2/loyalty_programs/2/{card}/unlink_profile", {"integrationId": who})
    assert (unlinked.status, unlinked.json["profiles"]) == (200, [])


def test_a_time_in_a_query_may_lack_the_colon_in_its_offset_and_a_time_in_a_body_may_not(vendor: Vendor) -> None:
    who = KNOWN[0].customer_id
    base = f"/v1/loyalty_programs/1/profile/{who}/transactions?startDate="
    written = [vendor.call("GET", base + quote(time)) for time in ("2026-01-02T03:30:00+0000", "2026-01-02T03:30:00Z")]
    assert written[0].json == written[1].json
    assert 0 < len(written[0].json["data"]) < 50
    east = vendor.call("GET", base + quote("2026-01-02T05:30:00.000000+0200"))
    assert east.json == written[1].json
    assert vendor.call("GET", base + quote("2026-01-02T03:30:00+00")).status == 400
    referral = {"campaignId": 6, "advocateProfileIntegrationId": who, "startDate": "2026-01-02T03:30:00+0000"}
    assert vendor.call("POST", "/v1/referrals", referral).status == 400


def test_each_version_of_the_answer_has_its_own_fields_only(vendor: Vendor) -> None:
    who = KNOWN[0].customer_id
    body = {"customerSession": {"profileId": who}, "responseContent": ["customerSession", "customerProfile"]}
    now = vendor.call("PUT", "/v2/customer_sessions/s-1", body).json
    before = vendor.call("PUT", "/v1/customer_sessions/s-1", {"profileId": who}).json
    assert "discounts" not in now["customerSession"]
    assert "discounts" in before["session"]
    assert before["profile"].keys() == now["customerProfile"].keys() - {"id", "sandbox"}

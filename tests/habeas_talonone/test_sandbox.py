"""The Talon.One sandbox keeps to the vendor's documents, and its erase sets the traps that the documents leave open."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pytest
import requests
from jsonschema import Draft202012Validator, FormatChecker

from habeas.testing.people import Person, seeded_people
from habeas.testing.sandbox import Call, Reply, SandboxServer
from habeas_talonone.sandbox import TalonOneSandbox

NOW = 1_800_000_000.0
LATER, EARLIER = "2030-01-01T00:00:00Z", "2020-01-01T00:00:00Z"
PEOPLE = seeded_people(40, ("talonone",))
ADA, NEXT, THIRD = PEOPLE[0], PEOPLE[1], PEOPLE[2]
SIX = "profile=true&referrals=true&coupons=true&loyalty=true&giveaways=true&achievements=true"
POINTS, CARDS, READERS, REGULARS, FIRST_STEPS, COUPONS, REFERRALS = 1, 2, 11, 12, 21, 5, 6
DOCUMENT = Path(__file__).resolve().parents[3] / "shared" / "vendors" / "talonone.openapi.json"


class Vendor:
    """A seeded sandbox and the shortest way to call it."""

    def __init__(self, people: tuple[Person, ...] = PEOPLE) -> None:
        self.time = NOW
        self.app = TalonOneSandbox(clock=lambda: self.time)
        self.app.seed(people)

    def call(
        self, method: str, target: str, body: Any = None, *, key: str | None = None, headers: Mapping[str, str] = {}
    ) -> Reply:
        """One call with the integration key, or whatever ``key`` says should stand in ``Authorization``."""
        path, _, query = target.partition("?")
        sent = dict(headers) | {"authorization": f"ApiKey-v1 {self.app.api_key}" if key is None else key}
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        pairs = tuple(parse_qsl(query, keep_blank_values=True))
        return self.app.handle(Call(method, target, path, pairs, sent, raw))

    def manage(self, method: str, target: str, body: Any = None) -> Reply:
        """One call with the management key."""
        return self.call(method, target, body, key=f"ManagementKey-v1 {self.app.management_key}")

    def inventory(self, person: Person) -> Any:
        """Everything the inventory tells."""
        reply = self.call("GET", f"/v1/customer_profiles/{at(person)}/inventory?{SIX}")
        assert reply.status == 200
        return reply.json

    def erase(self, person: Person) -> Reply:
        """The erase call alone."""
        return self.call("DELETE", f"/v1/customer_data/{at(person)}")

    def clear(self, person: Person) -> None:
        """What has to be cleared by its own call before an erase."""
        held, who = self.inventory(person), person.customer_id
        for coupon in held["coupons"]:
            if not coupon["implicitlyReserved"]:
                path = f"/v1/coupon_reservations/{quote(coupon['value'], safe='')}"
                assert self.call("DELETE", path, {"integrationIDs": [who]}).status == 204
        for number in held["loyalty"]["programs"]:
            path = f"/v1/loyalty_programs/{number}/profile/{at(person)}/delete_transactions"
            assert self.call("POST", path, {"scope": "AllSubledgers"}).status == 204
        for card in held["loyalty"]["cards"]:
            path = f"/v2/loyalty_programs/{card['programID']}/cards/{quote(card['identifier'], safe='')}/unlink_profile"
            assert self.call("POST", path, {"integrationId": who}).status == 200
        members = [
            {"action": "delete", "profileIntegrationId": who, "audienceId": audience["id"]}
            for audience in held["profile"]["audienceMemberships"]
        ]
        assert self.call("POST", "/v2/customer_audiences", {"data": members}).status == 204


def at(person: Person) -> str:
    """The integration id as it stands in a path."""
    return quote(person.customer_id, safe="")


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


# -- what is held -----------------------------------------------------------------------------------------------------


def test_inventory_gives_only_the_parts_that_were_asked_for(vendor: Vendor) -> None:
    path = f"/v1/customer_profiles/{at(ADA)}/inventory"
    assert vendor.call("GET", path).json == {}
    assert set(vendor.call("GET", f"{path}?profile=true&coupons=false").json) == {"profile"}
    assert set(vendor.inventory(ADA)) == {"profile", "referrals", "coupons", "loyalty", "giveaways", "achievements"}


def test_the_inventory_agrees_with_the_truth_for_everybody(vendor: Vendor) -> None:
    for person in PEOPLE:
        truth = vendor.app.held(person)
        if not truth:
            assert vendor.call("GET", f"/v1/customer_profiles/{at(person)}/inventory").status == 404
            continue
        told = vendor.inventory(person)
        assert truth == {
            kind: n
            for kind, n in {
                "profile": 1,
                "referral": len(told["referrals"]),
                "coupon": sum(not coupon["implicitlyReserved"] for coupon in told["coupons"]),
                "loyalty_program": len(told["loyalty"]["programs"]),
                "loyalty_card": len(told["loyalty"]["cards"]),
                "giveaway": len(told["giveaways"]),
                "achievement": len(told["achievements"]),
                "audience": len(told["profile"]["audienceMemberships"]),
                "session": min(person.orders, 2),
                "event": truth["event"],
                "friend": sum(len(referral["referredCustomers"]) for referral in told["referrals"]),
            }.items()
            if n
        }


def test_every_kind_of_record_is_seeded_for_someone(vendor: Vendor) -> None:
    kinds = {kind for person in PEOPLE for kind in vendor.app.held(person)}
    assert kinds == {
        "profile", "referral", "coupon", "loyalty_program", "loyalty_card", "giveaway", "achievement", "audience",
        "session", "event", "friend",
    }  # fmt: skip


def test_people_of_another_vendor_are_not_seeded(vendor: Vendor) -> None:
    assert vendor.app.held(PEOPLE[6]) == {}


def test_the_seed_is_the_same_each_time() -> None:
    one, other = Vendor(), Vendor()
    assert [one.inventory(p) for p in PEOPLE if p.held_at] == [other.inventory(p) for p in PEOPLE if p.held_at]


def test_two_hundred_people_are_seeded_quickly() -> None:
    people, begun = seeded_people(200, ("talonone",)), time.perf_counter()
    Vendor(people)
    assert time.perf_counter() - begun < 0.5


def test_other_people_appear_in_referrals_and_on_shared_cards(vendor: Vendor) -> None:
    told = vendor.inventory(ADA)
    assert NEXT.customer_id in told["referrals"][0]["referredCustomers"]
    card = told["loyalty"]["cards"][0]
    assert [one["integrationId"] for one in card["profiles"]] == [ADA.customer_id, NEXT.customer_id]


def test_one_coupon_is_offered_to_everybody_without_a_reservation(vendor: Vendor) -> None:
    for person in (ADA, NEXT):
        implicit = [c["value"] for c in vendor.inventory(person)["coupons"] if c["implicitlyReserved"]]
        assert implicit == ["EVERYONE-10"]
    assert vendor.call("GET", "/v1/coupon_reservations/customerprofiles/EVERYONE-10").json["data"] == []


def test_awkward_ids_find_exactly_their_profile_and_case_matters(vendor: Vendor) -> None:
    awkward = [p for p in PEOPLE if p.held_at and not p.customer_id.startswith("C-")]
    assert {c for p in awkward for c in p.customer_id if not c.isalnum()} >= {"+", "/", " "}
    for person in awkward:
        assert vendor.inventory(person)["profile"]["integrationId"] == person.customer_id
    assert vendor.call("GET", f"/v1/customer_profiles/{at(ADA).lower()}/inventory").status == 404


def test_it_is_served_on_loopback_with_ids_and_codes_that_need_encoding() -> None:
    app = TalonOneSandbox()
    app.seed(PEOPLE)
    person = next(p for p in PEOPLE if "/" in p.customer_id and "+" in p.customer_id)
    with SandboxServer(app) as server:
        headers = {"Authorization": f"ApiKey-v1 {app.settings()['api_key']}"}
        url = f"{server.base_url}/v1/customer_profiles/{at(person)}/inventory?coupons=true"
        coupon = requests.get(url, headers=headers, timeout=5).json()["coupons"][0]["value"]
        url = f"{server.base_url}/v1/coupon_reservations/{quote(coupon, safe='')}"
        answer = requests.delete(url, headers=headers, json={"integrationIDs": [person.customer_id]}, timeout=5)
    assert answer.status_code == 204
    assert "coupon" not in app.held(person)


# -- erase ------------------------------------------------------------------------------------------------------------


def test_an_erase_after_clearing_leaves_nothing_of_anybody(vendor: Vendor) -> None:
    for person in PEOPLE:
        if person.held_at:
            vendor.clear(person)
            assert vendor.erase(person).status == 204
        assert vendor.app.held(person) == {}


def test_an_erase_alone_leaves_what_the_documents_do_not_name(vendor: Vendor) -> None:
    coupon = vendor.inventory(ADA)["coupons"][0]["value"]
    assert vendor.erase(ADA).status == 204
    assert vendor.app.held(ADA) == {"coupon": 1, "loyalty_program": 1, "loyalty_card": 1, "audience": 1}
    path = f"/v1/coupon_reservations/customerprofiles/{quote(coupon, safe='')}"
    listed = vendor.call("GET", path).json["data"]
    assert [(one["integrationId"], one["attributes"]) for one in listed] == [(ADA.customer_id, {})]
    members = vendor.manage("GET", f"/v1/audiences/{READERS}/memberships").json["data"]
    assert [one["attributes"] for one in members if one["integrationId"] == ADA.customer_id] == [{}]


def test_after_an_erase_the_person_is_unreachable_and_a_second_erase_is_404(vendor: Vendor) -> None:
    vendor.clear(ADA)
    number = vendor.inventory(ADA)["profile"]["id"]
    session = vendor.manage("GET", f"/v1/applications/42/sessions?profile={at(ADA)}").json["data"][0]
    vendor.erase(ADA)
    assert vendor.erase(ADA).status == 404
    for path in ("inventory", "achievements", f"achievements/{FIRST_STEPS}"):
        assert vendor.call("GET", f"/v1/customer_profiles/{at(ADA)}/{path}").status == 404
    for path in ("balances", "points", "transactions"):
        assert vendor.call("GET", f"/v1/loyalty_programs/{POINTS}/profile/{at(ADA)}/{path}").status == 404
    assert vendor.manage("GET", f"/v1/customers/{number}").status == 404
    for kind in ("sessions", "events/no_total"):
        assert vendor.manage("GET", f"/v1/applications/42/{kind}?profile={at(ADA)}").json["data"] == []
    assert vendor.manage("GET", f"/v1/applications/42/customers?integrationId={at(ADA)}").json["data"] == []
    search = {"attributes": {"Email": ADA.email}}
    assert vendor.manage("POST", "/v1/customer_search/no_total", search).json["data"] == []
    left = vendor.manage("GET", f"/v1/applications/42/sessions/{session['id']}").json
    assert (left["profileintegrationid"], left["attributes"]) == ("", {})


@pytest.mark.parametrize(("after", "recipients"), [("gone", []), ("shell", [ADA.customer_id])])
def test_a_coupon_made_for_someone_loses_its_attributes_reserved_or_not(
    vendor: Vendor, after: Any, recipients: list[str]
) -> None:
    def found() -> list[Any]:
        path = "/v1/applications/42/coupons_search_advanced/no_total"
        value = quote(coupon["value"], safe="")
        rows: list[Any] = vendor.manage("POST", f"{path}?value={value}&exactMatch=true", {}).json["data"]
        return rows

    vendor.app.after_erase = after
    coupon = vendor.inventory(ADA)["coupons"][0]
    assert found()[0]["attributes"] == coupon["attributes"] != {}
    vendor.clear(ADA)
    vendor.erase(ADA)
    assert found()[0]["attributes"] == {}
    assert [one["recipientIntegrationId"] for one in found() if "recipientIntegrationId" in one] == recipients


def test_a_shell_keeps_the_id_and_nothing_else(vendor: Vendor) -> None:
    vendor.app.after_erase = "shell"
    vendor.clear(ADA)
    assert [vendor.erase(ADA).status for _ in range(2)] == [204, 204]
    told = vendor.inventory(ADA)
    assert (told["profile"]["integrationId"], told["profile"]["attributes"]) == (ADA.customer_id, {})
    assert [coupon["implicitlyReserved"] for coupon in told["coupons"]] == [True]
    assert told["loyalty"] == {"cards": [], "programs": {}}
    assert told["referrals"] == told["giveaways"] == told["achievements"] == []
    assert vendor.app.held(ADA) == {}
    sessions = vendor.manage("GET", f"/v1/applications/42/sessions?profile={at(ADA)}").json["data"]
    assert {json.dumps(session["attributes"]) for session in sessions} == {"{}"}


def test_a_shell_hides_leftovers_that_are_still_held(vendor: Vendor) -> None:
    vendor.app.after_erase = "shell"
    vendor.erase(ADA)
    assert vendor.inventory(ADA)["loyalty"] == {"cards": [], "programs": {}}
    assert vendor.app.held(ADA) == {"coupon": 1, "loyalty_program": 1, "loyalty_card": 1, "audience": 1}


@pytest.mark.parametrize("after", ["gone", "shell"])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/v2/customer_profiles/{id}", {}),
        ("PUT", "/v2/customer_profiles", {"customerProfiles": [{"integrationId": "{id}"}]}),
        ("PUT", "/v2/customer_sessions/new", {"customerSession": {"profileId": "{id}"}}),
        ("POST", "/v2/events", {"profileId": "{id}", "type": "seen"}),
        ("POST", "/v3/events", {"profileId": "{id}", "type": "seen", "integrationId": "e1"}),
        (
            "POST",
            "/v2/customer_audiences",
            {"data": [{"action": "add", "profileIntegrationId": "{id}", "audienceId": READERS}]},
        ),
        ("POST", f"/v1/loyalty_programs/{POINTS}/profile/{{id}}/join", None),
        ("PUT", "/v1/customer_profiles/{id}", {}),
        ("PUT", "/v1/customer_sessions/new", {"profileId": "{id}"}),
        ("POST", "/v1/events", {"profileId": "{id}", "type": "seen", "attributes": {}, "sessionId": "new"}),
    ],
)
def test_a_write_after_the_erase_brings_the_profile_back(
    vendor: Vendor, after: Any, method: str, path: str, body: Any
) -> None:
    vendor.app.after_erase = after
    vendor.clear(ADA)
    vendor.erase(ADA)
    assert "profile" not in vendor.app.held(ADA)
    sent = json.loads(json.dumps(body).replace("{id}", ADA.customer_id))
    assert vendor.call(method, path.replace("{id}", at(ADA)), sent).status < 300
    assert vendor.app.held(ADA)["profile"] == 1


def test_reads_and_removals_never_create_a_profile(vendor: Vendor) -> None:
    member = {"action": "delete", "profileIntegrationId": "stranger", "audienceId": READERS}
    coupon = {"integrationIDs": ["stranger"]}
    assert vendor.call("POST", "/v2/customer_audiences", {"data": [member]}).status == 204
    assert vendor.call("DELETE", "/v1/coupon_reservations/EVERYONE-10", coupon).status == 404
    assert vendor.call("POST", "/v1/coupon_reservations/EVERYONE-10", coupon).status == 404
    assert vendor.call("DELETE", "/v1/customer_data/stranger").status == 404
    assert vendor.call("GET", "/v1/customer_profiles/stranger/inventory").status == 404


def test_a_dry_run_writes_nothing_but_a_profile_needs_the_rule_engine_for_it(vendor: Vendor) -> None:
    def exists() -> bool:
        return vendor.call("GET", "/v1/customer_profiles/new/inventory").status == 200

    session = {"customerSession": {"profileId": "new", "state": "closed"}}
    assert vendor.call("PUT", "/v2/customer_sessions/s?dry=true", session).status == 200
    assert vendor.call("POST", "/v2/events?dry=true", {"profileId": "new", "type": "x"}).status == 204
    assert vendor.call("PUT", "/v2/customer_profiles/new?runRuleEngine=true&dry=true", {}).status == 200
    assert not exists()
    assert vendor.call("PUT", "/v2/customer_profiles/new?dry=true", {}).status == 200
    assert exists()


def test_removing_a_reservation_takes_it_out_of_both_lists_and_may_be_repeated(vendor: Vendor) -> None:
    coupon = vendor.inventory(ADA)["coupons"][0]["value"]
    code = quote(coupon, safe="")
    for _ in range(2):
        reply = vendor.call("DELETE", f"/v1/coupon_reservations/{code}", {"integrationIDs": [ADA.customer_id]})
        assert reply.status == 204
    assert vendor.call("GET", f"/v1/coupon_reservations/customerprofiles/{code}").json["totalResultSize"] == 0
    assert [c["value"] for c in vendor.inventory(ADA)["coupons"]] == ["EVERYONE-10"]


def test_unlinking_from_a_shared_card_leaves_the_other_person_on_it(vendor: Vendor) -> None:
    card = vendor.inventory(ADA)["loyalty"]["cards"][0]["identifier"]
    path = f"/v2/loyalty_programs/{CARDS}/cards/{quote(card, safe='')}/unlink_profile"
    reply = vendor.call("POST", path, {"integrationId": ADA.customer_id})
    assert [one["integrationId"] for one in reply.json["profiles"]] == [NEXT.customer_id]
    assert vendor.call("POST", path, {"integrationId": ADA.customer_id}).status == 404
    assert "loyalty_card" not in vendor.app.held(ADA)
    assert vendor.app.held(NEXT)["loyalty_card"] == 1


def test_a_card_takes_no_more_people_than_its_program_allows(vendor: Vendor) -> None:
    card = quote(vendor.inventory(ADA)["loyalty"]["cards"][0]["identifier"], safe="")
    path = f"/v2/loyalty_programs/{CARDS}/cards/{card}/link_profile"
    assert vendor.call("POST", path, {"integrationId": THIRD.customer_id}).status == 400


def test_a_ledger_is_wiped_whole_or_by_subledger(vendor: Vendor) -> None:
    base = f"/v1/loyalty_programs/{POINTS}/profile/{at(ADA)}"
    names = {line["subledgerId"] for line in vendor.call("GET", f"{base}/transactions?pageSize=1000").json["data"]}
    assert names == {"", "stars"}
    assert vendor.call("POST", f"{base}/delete_transactions", {"scope": "SelectedSubledgers"}).status == 400
    body = {"scope": "SelectedSubledgers", "subledgerIds": [""]}
    assert vendor.call("POST", f"{base}/delete_transactions", body).status == 204
    left = vendor.call("GET", f"{base}/transactions?pageSize=1000").json["data"]
    assert {line["subledgerId"] for line in left} == {"stars"}
    assert vendor.call("POST", f"{base}/delete_transactions", {"scope": "AllSubledgers"}).status == 204
    assert vendor.call("GET", f"{base}/balances").json["balance"]["activePoints"] == 0


def test_unused_points_add_up_to_the_balance(vendor: Vendor) -> None:
    base = f"/v1/loyalty_programs/{POINTS}/profile/{at(ADA)}"
    balance = vendor.call("GET", f"{base}/balances").json
    for status in ("active", "pending", "expired"):
        rows = vendor.call("GET", f"{base}/points?status={status}&pageSize=1000").json["data"]
        told = balance["balance"][f"{status}Points"] + balance["subledgerBalances"]["stars"][f"{status}Points"]
        assert sum(row["amount"] for row in rows) == told > 0


# -- every call -------------------------------------------------------------------------------------------------------


def test_each_operation_accepts_its_own_kind_of_key_only(vendor: Vendor) -> None:
    keys = {
        "integration": f"ApiKey-v1 {vendor.app.api_key}",
        "management": f"ManagementKey-v1 {vendor.app.management_key}",
    }
    for operation in vendor.app.operations:
        path = re.sub(r"\{[^}]+\}", "1", operation.path)
        for kind, key in keys.items():
            refused = vendor.call(operation.method, path, key=key).status == 401
            assert refused == (kind != operation.api)


@pytest.mark.parametrize(
    "key",
    ["", "Bearer x", "ApiKey-v1 wrong", "ManagementKey-v1 {api}", "ApiKey-v1 {management}", "{api}", "apikey-v1 {api}"],
)
def test_a_wrong_key_is_401_whatever_is_asked(vendor: Vendor, key: str) -> None:
    sent = key.format(api=vendor.app.api_key, management=vendor.app.management_key)
    for target in (f"/v1/customer_profiles/{at(ADA)}/inventory", "/v1/audiences", "/v1/nowhere"):
        reply = vendor.call("GET", target, key=sent)
        assert (reply.status, reply.json["StatusCode"]) == (401, 401)


def test_unknown_paths_and_methods_are_refused_in_the_vendors_shape(vendor: Vendor) -> None:
    for method, target, status in (
        ("GET", "/v1/nowhere", 404),
        ("POST", "/v1/sessions", 404),
        ("PATCH", "/v2/events", 405),
        ("GET", "/v1/customer_data/x", 405),
    ):
        reply = vendor.call(method, target)
        assert reply.status == reply.json["StatusCode"] == status
        assert set(reply.json) == {"message", "errors", "StatusCode"}


def test_no_operation_takes_an_unknown_query_parameter(vendor: Vendor) -> None:
    for operation in vendor.app.operations:
        path = re.sub(r"\{[^}]+\}", "1000", operation.path) + "?surprise=1"
        required = {name: LATER for name, param in operation.query.items() if param.required}
        target = f"{path}&{urlencode(required)}"
        reply = vendor.call(operation.method, target) if operation.api == "integration" else None
        reply = reply or vendor.manage(operation.method, target)
        assert (reply.status, reply.json["errors"][0]["source"]) == (400, {"parameter": "surprise"})


@pytest.mark.parametrize(
    "query",
    ["profile=yes", "profile=", "profile=true&profile=true", "Profile=true"],
)
def test_malformed_flags_are_refused(vendor: Vendor, query: str) -> None:
    assert vendor.call("GET", f"/v1/customer_profiles/{at(ADA)}/inventory?{query}").status == 400


@pytest.mark.parametrize("query", ["pageSize=0", "pageSize=1001", "pageSize=x", "skip=-1", "pageSize=1.5", "sort="])
def test_malformed_paging_is_refused(vendor: Vendor, query: str) -> None:
    assert vendor.manage("GET", f"/v1/audiences?{query}").status == 400


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"", "/"),
        (b"{", "/"),
        (b"\xff", "/"),
        (b"NaN", "/"),
        ([], "/"),
        ({"attributes": []}, "/attributes"),
        ({"attributes": {"ShoeSize": 42}}, "/attributes/ShoeSize"),
        ({"attributes": {"Name": None}}, "/attributes/Name"),
        ({"attributes": {"Name": {"first": "Ada"}}}, "/attributes/Name"),
        ({"atributes": {}}, "/atributes"),
        ({"audiencesChanges": {"adds": []}}, "/audiencesChanges/deletes"),
        ({"audiencesChanges": {"adds": ["11"], "deletes": []}}, "/audiencesChanges/adds/0"),
        ({"audiencesChanges": {"adds": [99], "deletes": []}}, "/audiencesChanges/adds/0"),
        ({"responseContent": ["customerProfile"]}, "/responseContent"),
    ],
)
def test_a_wrong_body_is_refused_with_a_pointer_and_writes_nothing(vendor: Vendor, body: Any, pointer: str) -> None:
    reply = vendor.call("PUT", "/v2/customer_profiles/new", body)
    assert (reply.status, reply.json["errors"][0]["source"]) == (400, {"pointer": pointer})
    assert vendor.call("GET", "/v1/customer_profiles/new/inventory").status == 404


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/v2/customer_sessions/s", {}),
        ("PUT", "/v2/customer_sessions/s", {"customerSession": {"cartItems": [{"sku": "x"}]}}),
        ("PUT", "/v2/customer_sessions/s", {"customerSession": {"state": "returned"}}),
        ("PUT", "/v2/customer_sessions/s", {"customerSession": {"state": "cancelled"}}),
        ("PUT", "/v2/customer_sessions/s", {"customerSession": {"attributes": {"ShoeSize": 42}}}),
        ("PUT", f"/v2/customer_sessions/s?now={LATER}", {"customerSession": {}}),
        ("POST", "/v2/events", {"type": "seen"}),
        ("POST", "/v2/events", {"profileId": "x", "type": ""}),
        ("POST", "/v2/events?forceCompleteEvaluation=true", {"profileId": "x", "type": "seen"}),
        ("POST", "/v2/events?silent=maybe", {"profileId": "x", "type": "seen"}),
        ("POST", "/v3/events", {"profileId": "x", "type": "seen"}),
        ("PUT", "/v2/customer_profiles", {}),
        ("PUT", "/v2/customer_profiles", {"customerProfiles": [{"integrationId": "x"}] * 1001}),
        ("PUT", "/v2/customer_profiles", {"customerProfiles": [{"integrationId": "x" * 1001}]}),
        ("POST", "/v2/customer_audiences", {"data": [{"action": "remove"}]}),
        ("POST", "/v1/coupon_reservations/EVERYONE-10", {"integrationIDs": "x"}),
        ("DELETE", "/v1/coupon_reservations/EVERYONE-10", None),
        ("DELETE", "/v1/coupon_reservations/EVERYONE-10", {"integrationIDs": ["x"] * 1001}),
        ("DELETE", f"/v1/customer_data/{at(ADA)}", {}),
        ("POST", "/v1/referrals", {"campaignId": REFERRALS}),
        ("POST", f"/v1/loyalty_programs/{POINTS}/profile/{at(ADA)}/delete_transactions", {"scope": "All"}),
        ("POST", f"/v1/loyalty_programs/{POINTS}/profile/{at(ADA)}/join", None),
        ("POST", f"/v2/loyalty_programs/{CARDS}/cards/abc/link_profile", {"integrationId": "x"}),
        ("POST", f"/v1/loyalty_programs/{CARDS}/cards", {"cardIdentifier": "white space"}),
        ("GET", f"/v1/loyalty_programs/x/profile/{at(ADA)}/balances", None),
        ("GET", f"/v1/loyalty_programs/{CARDS}/profile/{at(ADA)}/balances", None),
        ("GET", f"/v1/loyalty_programs/{POINTS}/profile/{at(ADA)}/transactions?awaitsActivation=false", None),
        ("GET", f"/v1/loyalty_programs/{POINTS}/profile/{at(ADA)}/transactions?startDate=yesterday", None),
    ],
)
def test_what_the_documents_do_not_allow_is_400(vendor: Vendor, method: str, path: str, body: Any) -> None:
    assert vendor.call(method, path, body).status == 400


def test_required_query_parameters_are_required(vendor: Vendor) -> None:
    reply = vendor.manage("GET", f"/v1/applications/42/access_logs/no_total?rangeStart={EARLIER}")
    assert (reply.status, reply.json["errors"][0]["source"]) == (400, {"parameter": "rangeEnd"})


def test_attributes_can_be_added_to_the_account(vendor: Vendor) -> None:
    vendor.app.known_attributes.add("ShoeSize")
    reply = vendor.call("PUT", f"/v2/customer_profiles/{at(ADA)}", {"attributes": {"ShoeSize": 42}})
    assert reply.json["customerProfile"]["attributes"]["ShoeSize"] == 42
    assert reply.json["customerProfile"]["attributes"]["Email"] == ADA.email


def test_an_update_is_found_by_its_new_attribute_value_only(vendor: Vendor) -> None:
    def found(email: str) -> list[str]:
        body = {"attributes": {"Email": email}}
        return [p["integrationId"] for p in vendor.manage("POST", "/v1/customer_search/no_total", body).json["data"]]

    assert found(THIRD.email) == [THIRD.customer_id, PEOPLE[3].customer_id]
    vendor.call("PUT", f"/v2/customer_profiles/{at(THIRD)}", {"attributes": {"Email": "new@shop-customer.example"}})
    assert found(THIRD.email) == [PEOPLE[3].customer_id]
    assert found("new@shop-customer.example") == [THIRD.customer_id]


def test_an_unfiltered_ledger_shows_the_last_fifty_and_pages_to_the_rest(vendor: Vendor) -> None:
    base = f"/v1/loyalty_programs/{POINTS}/profile/{at(ADA)}/transactions"
    first, rest = vendor.call("GET", base).json, vendor.call("GET", f"{base}?skip=50").json
    assert (len(first["data"]), first["hasMore"], len(rest["data"]), rest["hasMore"]) == (50, True, 15, False)
    assert len({line["id"] for line in (*first["data"], *rest["data"])}) == 65
    assert first["data"][0]["created"] > rest["data"][-1]["created"]


def test_pages_tell_the_total_only_when_asked(vendor: Vendor) -> None:
    base = "/v1/applications/42/customers?pageSize=10"
    assert set(vendor.manage("GET", base).json) == {"hasMore", "data"}
    total = vendor.manage("GET", f"{base}&withTotalResultSize=true").json
    assert total["totalResultSize"] == sum(bool(person.held_at) for person in PEOPLE)
    last = vendor.manage("GET", f"{base}&skip={total['totalResultSize'] - 4}").json
    assert (len(last["data"]), last["hasMore"]) == (4, False)


def test_lists_are_sorted_by_a_field_up_or_down(vendor: Vendor) -> None:
    def names(sort: str) -> list[str]:
        return [one["name"] for one in vendor.manage("GET", f"/v1/audiences?sort={sort}").json["data"]]

    assert names("name") == names("-name")[::-1] == ["Newsletter readers", "Regulars"]
    assert vendor.manage("GET", "/v1/audiences?sort=colour").status == 400


def test_conflicts_are_answered_to_so_many_writes_and_to_no_read(vendor: Vendor) -> None:
    vendor.app.conflicts = 2
    assert vendor.call("GET", f"/v1/customer_profiles/{at(ADA)}/inventory").status == 200
    assert [vendor.erase(ADA).status for _ in range(3)] == [409, 409, 204]


def test_an_idempotency_key_gives_the_stored_answer_for_a_day(vendor: Vendor) -> None:
    def track(key: str) -> Reply:
        body = {"profileId": ADA.customer_id, "type": "seen", "responseContent": ["event"]}
        return vendor.call("POST", "/v2/events?silent=no", body, headers={"idempotency-key": key})

    def seen() -> int:
        query = urlencode({"profile": ADA.customer_id, "type": "seen"})
        return len(vendor.manage("GET", f"/v1/applications/42/events/no_total?{query}").json["data"])

    assert track("k1").json == track("k1").json
    assert seen() == 1
    track("k2")
    assert seen() == 2
    vendor.time += 86_401
    track("k1")
    assert seen() == 3
    assert track("k" * 256).status == 400


def test_an_idempotency_key_of_a_refused_call_can_be_used_again(vendor: Vendor) -> None:
    vendor.app.conflicts = 1
    answers = [
        vendor.call("PUT", f"/v2/customer_profiles/{at(ADA)}", {}, headers={"idempotency-key": "k"}).status
        for _ in range(2)
    ]
    assert answers == [409, 200]


def test_an_advanced_event_is_recorded_once(vendor: Vendor) -> None:
    body = {"profileId": ADA.customer_id, "type": "seen", "integrationId": "event 1"}
    assert [vendor.call("POST", "/v3/events", body).status for _ in range(2)] == [200, 409]
    assert vendor.call("GET", "/v3/events/event%201").json["profileId"] == ADA.customer_id


def test_a_session_update_builds_on_the_one_before(vendor: Vendor) -> None:
    def put(**session: Any) -> Any:
        body = {"customerSession": session, "responseContent": ["customerSession"]}
        return vendor.call("PUT", "/v2/customer_sessions/s", body)

    put(profileId=ADA.customer_id, cartItems=[{"sku": "MUG", "quantity": 2, "price": 5}], attributes={"Channel": "web"})
    closed = put(state="closed", additionalCosts={"Shipping": {"price": 4.5}}).json["customerSession"]
    assert (closed["total"], closed["updateCount"], closed["attributes"]) == (14.5, 2, {"Channel": "web"})
    assert vendor.call("GET", "/v2/customer_sessions/s").json["customerSession"] == closed
    assert put(state="open").status == 400
    assert vendor.inventory(ADA)["profile"]["closedSessions"] == 3


def test_a_deleted_referral_no_longer_names_the_friends(vendor: Vendor) -> None:
    number = vendor.inventory(ADA)["referrals"][0]["id"]
    path = f"/v1/applications/42/campaigns/{REFERRALS}/referrals/{number}"
    assert [vendor.manage("DELETE", path).status for _ in range(2)] == [204, 404]
    assert vendor.manage("GET", f"/v1/applications/42/profile/{at(ADA)}/friends").json["data"] == []
    assert "referral" not in vendor.app.held(ADA)


def test_deleting_an_audience_ends_its_memberships(vendor: Vendor) -> None:
    assert vendor.call("DELETE", f"/v2/audiences/{READERS}").status == 204
    assert "audience" not in vendor.app.held(ADA)
    assert vendor.call("DELETE", f"/v2/audiences/{READERS}").status == 404


def test_the_access_log_keeps_what_was_called_even_after_an_erase(vendor: Vendor) -> None:
    vendor.erase(ADA)
    query = urlencode({"rangeStart": EARLIER, "rangeEnd": LATER, "path": "customer_data", "method": "delete"})
    rows = vendor.manage("GET", f"/v1/applications/42/access_logs/no_total?{query}").json["data"]
    assert [(row["status"], row["requestUri"]) for row in rows] == [(204, f"/v1/customer_data/{at(ADA)}")]


# -- against the vendor's document, where it is at hand ----------------------------------------------------------------

Step = tuple[str, str, Any, int]


def journey(vendor: Vendor) -> Iterator[Step]:
    """Every operation at least once, with its refusals: method, target, body, status."""
    yield from _writes()
    yield from _rewards(vendor)
    yield from _loyalty(vendor)
    yield from _management(vendor)
    yield from _legacy()
    yield from _ends(vendor)


_CONTENT = ["customerProfile", "triggeredCampaigns", "loyalty", "ruleFailureReasons", "awardedGiveaways"]


def _writes() -> Iterator[Step]:
    cart = [{"sku": "MUG", "name": "Mug", "quantity": 1, "price": 9.5, "attributes": {"Note": "blue"}}]
    session = {"profileId": ADA.customer_id, "cartItems": cart, "couponCodes": ["EVERYONE-10"], "state": "closed"}
    extra = ["event", "achievements", "campaignEligibility"]
    content = [*_CONTENT, *extra, "customerSession", "coupons", "referral", "previousReturns"]
    yield "PUT", "/v2/customer_sessions/s1", {"customerSession": session, "responseContent": content}, 200
    yield "PUT", "/v2/customer_sessions/s2", {"customerSession": {}, "responseContent": content}, 200
    yield "PUT", f"/v2/customer_sessions/s3?dry=true&now={LATER}", {"customerSession": session}, 200
    yield "PUT", "/v2/customer_sessions/s1", {"customerSession": {"state": "open"}}, 400
    yield "GET", "/v2/customer_sessions/s1", None, 200
    yield "GET", "/v2/customer_sessions/none", None, 404
    body = {"attributes": {"Name": "X"}, "audiencesChanges": {"adds": [REGULARS], "deletes": [READERS]}}
    yield "PUT", f"/v2/customer_profiles/{at(ADA)}", body, 200
    body = body | {"responseContent": [*_CONTENT, *extra]}
    yield "PUT", f"/v2/customer_profiles/{at(ADA)}?runRuleEngine=true", body, 200
    yield "PUT", f"/v2/customer_profiles/{at(ADA)}", {"attributes": {"Nope": 1}}, 400
    many = {"customerProfiles": [{"integrationId": "new one", "attributes": {"Name": "Y"}}]}
    yield "PUT", "/v2/customer_profiles", many, 204
    yield "PUT", "/v2/customer_profiles?silent=no", many, 200
    yield "PUT", "/v2/customer_profiles", {}, 400
    event = {"profileId": ADA.customer_id, "type": "seen", "attributes": {"Page": "/"}}
    yield "POST", "/v2/events", event, 204
    yield "POST", "/v2/events?silent=no", event | {"responseContent": [*_CONTENT, *extra]}, 200
    yield "POST", "/v2/events", {}, 400
    event = event | {"integrationId": "e/1", "connectedSessionId": "s1"}
    yield "POST", "/v3/events", event | {"responseContent": [*_CONTENT, "advancedEvent"]}, 200
    yield "POST", "/v3/events", event, 409
    yield "GET", "/v3/events/e%2F1", None, 200
    yield "GET", "/v3/events/none", None, 404
    path = f"/v1/customer_profiles/{at(ADA)}"
    yield "GET", f"{path}/inventory?{SIX}", None, 200
    yield "GET", "/v1/customer_profiles/nobody/inventory", None, 404
    yield "GET", f"{path}/achievements", None, 200
    yield "GET", f"{path}/achievements?currentProgressStatus=inprogress,completed&pageSize=1", None, 200
    yield "GET", f"{path}/achievements/22?progressStatus=completed", None, 200
    yield "GET", f"{path}/achievements/99", None, 404


def _rewards(vendor: Vendor) -> Iterator[Step]:
    people = {"integrationIDs": [ADA.customer_id]}
    yield "POST", "/v1/coupon_reservations/EVERYONE-10", people, 201
    yield "POST", "/v1/coupon_reservations/NONE", people, 404
    yield "GET", "/v1/coupon_reservations/customerprofiles/EVERYONE-10", None, 200
    yield "GET", "/v1/coupon_reservations/customerprofiles/NONE", None, 404
    yield "DELETE", "/v1/coupon_reservations/EVERYONE-10", people, 204
    yield "DELETE", "/v1/coupon_reservations/EVERYONE-10", {}, 400
    referral = {"campaignId": REFERRALS, "advocateProfileIntegrationId": ADA.customer_id, "usageLimit": 3}
    yield "POST", "/v1/referrals", referral | {"startDate": EARLIER, "attributes": {"Note": "x"}}, 201
    yield "POST", "/v1/referrals", referral | {"campaignId": 99}, 400
    path = f"/v1/applications/42/campaigns/{REFERRALS}/referrals"
    yield "GET", f"{path}/no_total?advocate={at(ADA)}&valid=validNow&usable=true&sort=-id", None, 200
    number = vendor.inventory(ADA)["referrals"][-1]["id"]
    yield "DELETE", f"{path}/{number}", None, 204
    yield "DELETE", f"{path}/{number}", None, 404
    yield "POST", "/v1/applications/42/coupons_search_advanced/no_total?valid=validNow&value=THANKS", {}, 200
    yield "POST", "/v2/audiences", {"name": "A", "integration": "segment", "integrationId": "a1"}, 201
    yield "POST", "/v2/audiences", {"name": "B", "integration": "segment", "integrationId": "a1"}, 409
    yield "PUT", f"/v2/audiences/{READERS}", {"name": "Readers"}, 200
    yield "PUT", "/v2/audiences/99", {"name": "Readers"}, 404
    member = {"action": "add", "profileIntegrationId": "another", "audienceId": READERS}
    yield "POST", "/v2/customer_audiences", {"data": [member]}, 204
    yield "POST", "/v2/customer_audiences", {"data": [member | {"audienceId": 99}]}, 404
    yield "GET", "/v1/audiences?withTotalResultSize=true&sort=-name", None, 200
    yield "GET", f"/v1/audiences/{READERS}/memberships?pageSize=3", None, 200
    yield "GET", "/v1/audiences/99/memberships", None, 404
    yield "DELETE", f"/v2/audiences/{REGULARS}/memberships", None, 204
    yield "DELETE", f"/v2/audiences/{REGULARS}", None, 204
    yield "DELETE", f"/v2/audiences/{REGULARS}", None, 404


def _loyalty(vendor: Vendor) -> Iterator[Step]:
    path = f"/v1/loyalty_programs/{POINTS}/profile/{at(ADA)}"
    for name in ("balances", "ledger_balances"):
        yield "GET", f"{path}/{name}?includeTiers=true&includeProjectedTier=true", None, 200
        yield "GET", f"{path}/{name}?subledgerId=stars&endDate={LATER}", None, 200
        yield "GET", f"/v1/loyalty_programs/99/profile/{at(ADA)}/{name}", None, 404
    for name in ("transactions", "ledger_transactions"):
        yield "GET", f"{path}/{name}?loyaltyTransactionType=session&startDate={EARLIER}", None, 200
        yield "GET", f"{path}/{name}?pageSize=2000", None, 400
        yield "GET", f"/v1/loyalty_programs/{POINTS}/profile/nobody/{name}", None, 404
    yield "GET", f"{path}/points?status=pending&sort=-startDate&subledgerId=&subledgerId=stars", None, 200
    yield "GET", f"{path}/export_log?rangeStart={EARLIER}&rangeEnd={LATER}", None, 200
    yield "POST", f"{path}/delete_transactions", {"scope": "SelectedSubledgers", "subledgerIds": ["stars"]}, 204
    yield "POST", f"{path}/delete_transactions", {"scope": "AllSubledgers", "subledgerIds": None}, 204
    yield "POST", f"/v1/loyalty_programs/{POINTS}/profile/newcomer/join", None, 200
    yield "POST", f"/v1/loyalty_programs/{POINTS}/profile/newcomer/join", None, 400
    yield "GET", "/v1/loyalty_programs", None, 200
    yield "GET", f"/v1/loyalty_programs/{POINTS}", None, 200
    card = {"cardIdentifier": "card+1%@x", "customerProfileIds": [ADA.customer_id]}
    yield "POST", f"/v1/loyalty_programs/{CARDS}/cards", card, 200
    yield "POST", f"/v1/loyalty_programs/{CARDS}/cards", card, 400
    cards = f"/v1/loyalty_programs/{CARDS}/cards"
    number = vendor.inventory(ADA)["profile"]["id"]
    yield "GET", f"{cards}?profileId={number}&sort=identifier", None, 200
    yield "GET", f"/v1/loyalty_programs/{POINTS}/cards", None, 400
    seeded = quote(vendor.inventory(THIRD)["loyalty"]["cards"][0]["identifier"], safe="")
    for name in ("balances", "transactions", "points"):
        yield "GET", f"{cards}/{seeded}/{name}", None, 200
        yield "GET", f"{cards}/{seeded}/{name}?subledgerId=&subledgerId=stars", None, 200
        yield "GET", f"{cards}/none/{name}", None, 404
    link = f"/v2/loyalty_programs/{CARDS}/cards/card%2B1%25%40x"
    for name, again in (("link_profile", 200), ("unlink_profile", 404)):
        yield "POST", f"{link}/{name}", {"integrationId": NEXT.customer_id}, 200
        yield "POST", f"{link}/{name}", {"integrationId": NEXT.customer_id}, again
        yield "POST", f"{link}/{name}", {}, 400


def _management(vendor: Vendor) -> Iterator[Step]:
    number = vendor.inventory(ADA)["profile"]["id"]
    search = {"attributes": {"Email": ADA.email}, "integrationIDs": [ADA.customer_id], "profileIDs": [number]}
    yield "GET", "/v1/customers/no_total?pageSize=5", None, 200
    yield "GET", f"/v1/customers/{number}", None, 200
    yield "POST", "/v1/customer_search/no_total", search, 200
    base = "/v1/applications/42"
    yield "GET", f"{base}/customers?integrationId={at(NEXT)}&withTotalResultSize=true", None, 200
    yield "GET", f"{base}/customers/{number}", None, 200
    yield "POST", f"{base}/customer_search", {"attributes": {"Email": ADA.email}}, 200
    yield "GET", f"{base}/sessions?profile={at(ADA)}&state=closed&sort=-created", None, 200
    yield "GET", f"{base}/sessions?partialMatch=true&profile=100&coupon=EVERYONE-10", None, 200
    session = vendor.manage("GET", f"{base}/sessions?pageSize=1").json["data"][0]["id"]
    yield "GET", f"{base}/sessions/{session}", None, 200
    yield "GET", f"{base}/events/no_total?profile={at(ADA)}&sort=-id", None, 200
    yield "GET", f"{base}/events/no_total?customerEmail={quote(NEXT.email)}&couponCode=x", None, 200
    yield "GET", f"{base}/profile/{at(ADA)}/friends?withTotalResultSize=true", None, 200
    yield "GET", f"{base}/achievement_progress/{at(ADA)}?pageSize=50", None, 200
    yield "GET", f"{base}/achievement_progress/{at(ADA)}?pageSize=51", None, 400
    yield "GET", f"{base}/customers/{number}/analytics", None, 200
    times = f"rangeStart={EARLIER}&rangeEnd={LATER}"
    yield "GET", f"{base}/customer_activity_reports/{number}?{times}", None, 200
    yield "GET", f"{base}/export_customer_sessions?profileIntegrationId={at(ADA)}", None, 200
    yield "GET", f"{base}/access_logs/no_total?{times}&status=success&pageSize=20", None, 200


def _legacy() -> Iterator[Step]:
    yield "PUT", f"/v1/customer_profiles/{at(ADA)}", {"attributes": {"Name": "Z"}}, 200
    item = {"name": "Mug", "sku": "MUG", "quantity": 1, "price": 3}
    session = {"profileId": ADA.customer_id, "coupon": "EVERYONE-10", "cartItems": [item], "state": "open"}
    yield "PUT", "/v1/customer_sessions/v1", session, 200
    yield "PUT", "/v1/customer_sessions/v1?dry=true", {"referral": "x"}, 200
    event = {"profileId": ADA.customer_id, "type": "seen", "attributes": {}, "sessionId": "v1"}
    yield "POST", "/v1/events", event, 201
    yield "POST", "/v1/events", event | {"sessionId": "anonymous", "profileId": ""}, 201


def _ends(vendor: Vendor) -> Iterator[Step]:
    yield "DELETE", f"/v1/customer_data/{at(ADA)}", None, 204
    yield "DELETE", f"/v1/customer_data/{at(ADA)}", None, 404
    yield "GET", "/v3/events/e%2F1", None, 200
    yield "GET", "/v2/customer_sessions/s1", None, 200
    yield "GET", f"/v1/audiences/{READERS}/memberships", None, 200
    yield "GET", f"/v1/applications/42/campaigns/{REFERRALS}/referrals/no_total", None, 200
    vendor.app.after_erase = "shell"
    yield "DELETE", f"/v1/customer_data/{at(NEXT)}", None, 204
    yield "GET", f"/v1/customer_profiles/{at(NEXT)}/inventory?{SIX}", None, 200
    vendor.app.conflicts = 3
    yield "PUT", f"/v2/customer_profiles/{at(THIRD)}", {}, 409
    yield "PUT", "/v2/customer_sessions/s1", {"customerSession": {}}, 409
    yield "POST", "/v2/events", {"profileId": "x", "type": "seen"}, 409


def test_the_journey_ends_in_the_statuses_it_expects(vendor: Vendor) -> None:
    for method, target, body, status in journey(vendor):
        assert _sent(vendor, method, target, body)[1].status == status, (method, target)


def _sent(vendor: Vendor, method: str, target: str, body: Any) -> tuple[str, Reply]:
    """The template that matched and the answer, with the key the operation wants."""
    path = target.partition("?")[0]
    for operation in vendor.app.operations:
        pattern = re.sub(r"\{[^}]+\}", "[^/]+", operation.path)
        if operation.method == method and re.fullmatch(pattern, path):
            send = vendor.call if operation.api == "integration" else vendor.manage
            return operation.path, send(method, target, body)
    raise AssertionError(target)


if DOCUMENT.is_file():
    SPEC: Any = json.loads(DOCUMENT.read_text("utf-8"))
    DOCUMENTED: dict[tuple[str, str], Any] = {
        (method.upper(), path): operation for path, item in SPEC["paths"].items() for method, operation in item.items()
    }
    FORMATS = FormatChecker(formats=())
    TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
    FORMATS.checks("date-time")(lambda value: not isinstance(value, str) or bool(TIME.fullmatch(value)))

    def _faults(method: str, template: str, reply: Reply) -> list[str]:
        """What in an answer is not as documented; a status without a schema must be the common error."""
        documented = DOCUMENTED[method, template]["responses"]
        content = documented.get(str(reply.status), {}).get("content")
        if reply.status < 400 and str(reply.status) not in documented:
            return [f"{reply.status} is not documented"]
        if content is None and reply.status >= 400:
            content = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorResponseWithStatus"}}}
        if reply.status == 204 or content is None:
            return ["the body should be empty"] if reply.encoded() else []
        kind = reply.headers.get("Content-Type", "application/json")
        if kind not in content:
            return [f"{kind} is not documented"]
        value = json.loads(reply.encoded()) if kind == "application/json" else reply.encoded().decode()
        schema = content[kind]["schema"] | {"components": SPEC["components"]}
        checker = Draft202012Validator(schema, format_checker=FORMATS)
        return [f"{list(error.absolute_path)}: {error.message[:200]}" for error in checker.iter_errors(value)]

    def test_every_documented_operation_is_served_and_no_other(vendor: Vendor) -> None:
        served = {(operation.method, operation.path): operation.api for operation in vendor.app.operations}
        assert served == {key: operation["x-api"] for key, operation in DOCUMENTED.items()}

    def test_every_operation_takes_the_documented_query_parameters(vendor: Vendor) -> None:
        for operation in vendor.app.operations:
            wanted = {}
            for listed in DOCUMENTED[operation.method, operation.path].get("parameters", []):
                name = listed.get("$ref", "").rpartition("/")[2]
                param = SPEC["components"]["parameters"][name] if name else listed
                if param["in"] == "query":
                    wanted[param["name"]] = (param.get("required", False), param["schema"].get("default"))
            taken = {name: (param.required, param.default) for name, param in operation.query.items()}
            assert set(taken) == set(wanted), operation.path
            for name, (required, default) in wanted.items():
                assert taken[name][0] == required
                assert default is None or taken[name][1] == default, (operation.path, name)

    def test_every_answer_is_as_documented(vendor: Vendor) -> None:
        seen: set[tuple[str, str]] = set()
        for method, target, body, _ in journey(vendor):
            template, reply = _sent(vendor, method, target, body)
            assert _faults(method, template, reply) == [], (method, target, reply.status)
            if reply.status < 300:
                seen.add((method, template))
        assert seen == set(DOCUMENTED)

    def test_refusals_of_a_missing_key_are_as_documented(vendor: Vendor) -> None:
        for method, template in DOCUMENTED:
            reply = vendor.call(method, re.sub(r"\{[^}]+\}", "1", template), key="")
            assert reply.status == 401
            assert _faults(method, template, reply) == []

    def test_required_body_fields_are_the_documented_ones(vendor: Vendor) -> None:
        """Each operation with a body refuses a body that lacks a documented field."""
        for (method, template), operation in DOCUMENTED.items():
            for name in _required(operation.get("requestBody")):
                target = re.sub(r"\{[^}]+\}", "1000", template)
                _, reply = _sent(vendor, method, target, {})
                pointers = [error["source"]["pointer"] for error in reply.json["errors"]]
                assert reply.status == 400
                assert f"/{name}" in pointers

    def _required(body: Any) -> list[str]:
        if body is None:
            return []
        if "$ref" in body:
            body = SPEC["components"]["requestBodies"][body["$ref"].rpartition("/")[2]]
        return _fields(body["content"]["application/json"]["schema"])

    def _fields(schema: Any) -> list[str]:
        if "$ref" in schema:
            schema = SPEC["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        parts: Callable[[Any], list[str]] = _fields
        return [*schema.get("required", []), *(name for part in schema.get("allOf", []) for name in parts(part))]

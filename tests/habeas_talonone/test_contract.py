"""Every request the plugin sends is one the vendor documents; every DPV term it names exists.

The documents are not part of this repository: where they lie beside the checkout their tests exist, elsewhere they do
not.
"""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest

import habeas_talonone as plugin
from habeas import (
    Action,
    CanaryPerson,
    ConsentChange,
    ConsentState,
    ConsentUpdate,
    Correction,
    Erasure,
    Field,
    Identifier,
    PlanItem,
    Purpose,
    Rectification,
    Subject,
)
from habeas.http.api import Api
from habeas.testing.connect import MemoryJournal, connect
from habeas.testing.people import seeded_people
from habeas.testing.sandbox import Call, SandboxServer
from habeas_talonone import client
from habeas_talonone.client import calling
from habeas_talonone.sandbox import TalonOneSandbox

_SHARED = Path(__file__).resolve().parents[3] / "shared"
_OPENAPI = _SHARED / "vendors" / "talonone.openapi.json"
_TERMS = _SHARED / "standards" / "dpv" / "dpv-2.3-terms.csv"

_SCHEMES = {"integration": "ApiKey-v1 ", "management": "ManagementKey-v1 "}
_OF_HTTP = {"host", "user-agent", "accept", "accept-encoding", "connection", "content-length", "authorization"}


@lru_cache(maxsize=1)
def calls() -> Sequence[Call]:
    """What the plugin sends for inventory, export and erasure of every seeded person, some twice, with small pages."""
    app = TalonOneSandbox()
    people = seeded_people(16, [app.name])
    app.seed(people)
    with SandboxServer(app) as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr(calling, "PAGE_SIZE", 40)
        for n, person in enumerate(people):
            app.after_erase = "shell" if n % 2 else "gone"
            connection = connect(plugin, server, journal=MemoryJournal())
            subject = Subject((Identifier("customer_id", person.customer_id),))
            plugin.check(connection)
            found = plugin.inventory(connection, subject)
            plugin.export(connection, subject, found)
            items = tuple(PlanItem(i, record, Action.ERASE) for i, record in enumerate(found.records))
            plugin.erase(connection, Erasure(subject, items))
            plugin.erase(connection, Erasure(subject, items, resumed=True))
        return tuple(server.calls)


@lru_cache(maxsize=1)
def writes() -> Sequence[Call]:
    """What the plugin sends for consents, corrections and a canary, and what each other client function sends."""
    app = TalonOneSandbox()
    people = seeded_people(15, [app.name])
    app.seed(people)
    person = CanaryPerson("habeas-canary-1", "canary-1@canary.invalid", "+4930999", "Cana", "Ry")
    purposes = [Purpose(name, mapping) for name, mapping in app.purposes().items()]
    corrections = tuple(Correction(n, field, "Right") for n, field in enumerate(Field))
    with SandboxServer(app) as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr(calling, "PAGE_SIZE", 2)
        connection = connect(plugin, server, journal=MemoryJournal(), settings=app.management_settings())
        plugin.create_canary(connection, person)
        for customer_id in (person.customer_id, people[0].customer_id, people[14].customer_id):
            subject = Subject((Identifier("customer_id", customer_id),))
            for state in (ConsentState.GRANTED, ConsentState.WITHDRAWN):
                changes = tuple(ConsentChange(n, purpose, state) for n, purpose in enumerate(purposes))
                plugin.update_consent(connection, ConsentUpdate(subject, changes))
            plugin.read_consent(connection, subject, tuple(purposes))
            plugin.rectify(connection, Rectification(subject, corrections))
            plugin.export(connection, subject, plugin.inventory(connection, subject))
        _others(connection.api, people[0].customer_id, people[1].customer_id)
        return tuple(server.calls)


def _others(api: Api, who: str, friend: str) -> None:
    """The client functions that no hook uses, and the parameters that none sends."""

    def done(*_: object) -> bool:
        return True

    client.update_profiles(api, {who: {"Language": "pt"}}, done)
    client.update_profiles(api, {who: {"Language": "de"}}, done, silent=False)
    client.update_profile(api, who, {"Language": "fr"}, done, keyed=False)
    client.change_audiences(api, [("add", who, 12), ("delete", friend, 12)], done)
    client.create_referral(api, 6, who, done, friend=friend)
    client.track_event(api, who, "seen", {"Page": "/"}, silent=False)
    client.delete_transactions(api, "1", who, done, subledgers=["", "stars"])
    client.update_profile_v1(api, who, {"Language": "pt"}, done)
    client.update_session_v1(api, "v1", {"profileId": who, "state": "open", "cartItems": []}, done)
    client.track_event_v1(api, who, "seen", {}, "v1", done)
    for pages in (
        client.achievement(api, who, "22"),
        client.customers_by_id(api, 42, who),
        client.customers_by_attributes(api, 42, {"Language": "pt"}),
        client.profiles_by_attributes(api, {"Language": "pt"}, sandbox=True),
    ):
        list(pages)


def target(spec: Mapping[str, Any], value: Mapping[str, Any]) -> Any:
    if "$ref" not in value:
        return value
    found: Any = spec
    for step in value["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return found


def operation(spec: Mapping[str, Any], call: Call) -> tuple[str, Mapping[str, Any], Mapping[str, str]]:
    for template, item in spec["paths"].items():
        names = re.findall(r"\{(\w+)\}", template)
        match = re.fullmatch(re.sub(r"\{\w+\}", "([^/]+)", template), call.path)
        if match and call.method.lower() in item:
            values = (unquote(value) for value in match.groups())
            return template, item[call.method.lower()], dict(zip(names, values, strict=True))
    raise AssertionError(f"{call.method} {call.template} is not documented")


def typed(schema: Mapping[str, Any], value: str) -> Any:
    if schema.get("type") == "integer":
        return int(value)
    if schema.get("type") == "boolean":
        return {"true": True, "false": False}[value]
    return value.split(",") if schema.get("type") == "array" else value


def properties(spec: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of a schema, those of its parts included."""
    schema = target(spec, schema)
    found: dict[str, Any] = dict(schema.get("properties", {}))
    for part in schema.get("allOf", []):
        found |= properties(spec, part)
    return found


def check(spec: Mapping[str, Any], call: Call) -> str:
    template, found, path = operation(spec, call)
    name = f"{call.method} {template}"
    assert call.headers["authorization"].startswith(_SCHEMES[found["x-api"]]), name
    given: dict[tuple[str, str], str] = {("path", k): v for k, v in path.items()}
    given |= {("query", k): v for k, v in call.query}
    assert len(call.query) == len(dict(call.query)), f"{name}: a query parameter twice"
    known = {(p["in"], p["name"]): p for p in (target(spec, p) for p in found.get("parameters", []))}
    assert given.keys() <= known.keys(), f"{name}: undocumented {given.keys() - known.keys()}"
    for key, parameter in known.items():
        assert key in given or not parameter.get("required"), f"{name}: {key} is missing"
        if key in given:
            jsonschema.Draft202012Validator(parameter["schema"]).validate(typed(parameter["schema"], given[key]))
    sent = {k for k in call.headers if k not in _OF_HTTP} - {"content-type"}
    assert sent <= ({"idempotency-key"} if "Idempotency-Key" in found.get("description", "") else set()), name
    assert len(call.headers.get("idempotency-key", "")) <= 255
    assert ("content-type" in call.headers) == bool(call.body)
    if "requestBody" in found:
        schema = target(spec, found["requestBody"])["content"]["application/json"]["schema"]
        jsonschema.Draft202012Validator({**schema, "components": spec["components"]}).validate(call.json())
    else:
        assert call.body == b"", name
    return name


if _OPENAPI.exists():

    def test_every_request_is_documented() -> None:
        spec = json.loads(_OPENAPI.read_text("utf-8"))
        program = "/v1/loyalty_programs/{loyaltyProgramId}"
        assert {check(spec, call) for call in calls()} == {
            "GET /v1/customer_profiles/{integrationId}/inventory",
            "GET /v1/customer_profiles/{integrationId}/achievements",
            "GET /v1/coupon_reservations/customerprofiles/{couponValue}",
            "DELETE /v1/coupon_reservations/{couponValue}",
            f"GET {program}/profile/{{integrationId}}/balances",
            f"GET {program}/profile/{{integrationId}}/transactions",
            f"GET {program}/profile/{{integrationId}}/points",
            f"POST {program}/profile/{{integrationId}}/delete_transactions",
            f"GET {program}/cards/{{loyaltyCardId}}/balances",
            f"GET {program}/cards/{{loyaltyCardId}}/transactions",
            f"GET {program}/cards/{{loyaltyCardId}}/points",
            "POST /v2/loyalty_programs/{loyaltyProgramId}/cards/{loyaltyCardId}/unlink_profile",
            "POST /v2/customer_audiences",
            "DELETE /v1/customer_data/{integrationId}",
        }

    def test_every_write_and_every_search_is_documented() -> None:
        spec = json.loads(_OPENAPI.read_text("utf-8"))
        sent = {check(spec, call) for call in writes()}
        application = "/v1/applications/{applicationId}"
        assert {
            "PUT /v2/customer_profiles/{integrationId}",
            "PUT /v2/customer_profiles",
            "POST /v2/customer_audiences",
            "POST /v1/coupon_reservations/{couponValue}",
            "POST /v1/referrals",
            "PUT /v2/customer_sessions/{customerSessionId}",
            "GET /v2/customer_sessions/{customerSessionId}",
            "POST /v2/events",
            "POST /v1/events",
            "PUT /v1/customer_profiles/{integrationId}",
            "PUT /v1/customer_sessions/{customerSessionId}",
            "GET /v1/customer_profiles/{integrationId}/achievements/{achievementId}",
            "POST /v1/customer_search/no_total",
            f"POST {application}/customer_search",
            f"GET {application}/customers",
            f"GET {application}/sessions",
            f"GET {application}/events/no_total",
            f"GET {application}/profile/{{integrationId}}/friends",
        } <= sent

    def test_every_covered_field_is_documented() -> None:
        """The names stand in the schema of the inventory's answer or of the Management API's lists."""
        spec = json.loads(_OPENAPI.read_text("utf-8"))
        lists = {
            "session": "ApplicationSession",
            "event": "ApplicationEvent",
            "friend": "ApplicationReferee",
            "profile": "CustomerProfile",
            "referral": "InventoryReferral",
            "coupon": "InventoryCoupon",
            "loyalty_program": "LoyaltyProgramLedgers",
            "loyalty_card": "LoyaltyCard",
            "giveaway": "Giveaway",
            "achievement": "AchievementProgressWithDefinition",
            "audience": "AudienceMembership",
        }
        for kind in plugin.describe().kinds:
            documented = properties(spec, {"$ref": f"#/components/schemas/{lists[kind.name]}"})
            named = {re.split(r"[.\[]", name)[0] for name in kind.fields}
            assert named == set(documented), kind.name


if _TERMS.exists():

    def test_every_dpv_term_exists() -> None:
        with _TERMS.open(encoding="utf-8", newline="") as file:
            terms = {row["iri"] for row in csv.DictReader(file)}
        for kind in plugin.describe().kinds:
            assert {*kind.categories, *kind.purposes} <= terms


def test_reading_and_erasing_write_nothing_for_a_person() -> None:
    """Every PUT, POST of an event and `add` creates a missing profile: none is among the calls."""
    for call in calls():
        assert call.method in ("GET", "POST", "DELETE")
        if call.method == "POST" and call.path == "/v2/customer_audiences":
            assert {entry["action"] for entry in call.json()["data"]} == {"delete"}
        elif call.method == "POST":
            assert call.path.endswith(("/delete_transactions", "/unlink_profile"))


def test_the_settings_schema_is_a_schema_and_takes_what_the_documentation_shows() -> None:
    schema = dict(plugin.describe().settings_schema)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate({"api_key": "k"}, schema)
    jsonschema.validate({"api_key": "k", "integration_id": "email", "sessions_retention_days": 30}, schema)
    key = {"api_key": "k", "management_key": "m"}
    for application in (42, "42", [42, 43]):
        jsonschema.validate(key | {"application_id": application}, schema)
    jsonschema.validate({**TalonOneSandbox().settings(), **TalonOneSandbox().management_settings()}, schema)
    jsonschema.validate({"api_key": "k", "rectify_attributes": {"phone": "Phone"}, "canary_audience": 12}, schema)
    wrongs: tuple[dict[str, Any], ...] = (
        {"api_key": ""},
        {"management_key": "m", "application_id": 42},
        {"api_key": "k", "integration_id": "name"},
        {"api_key": "k", "logs_retention_days": -1},
        {"api_key": "k", "apikey": "k"},
        key,
        key | {"application_id": []},
        {"api_key": "k", "rectify_attributes": {"shoe_size": "ShoeSize"}},
        {"api_key": "k", "canary_audience": "twelve"},
    )
    for wrong in wrongs:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


def test_a_purpose_is_an_attribute_or_an_audience_or_both() -> None:
    schema = dict(plugin.describe().purpose_schema)
    jsonschema.Draft202012Validator.check_schema(schema)
    words = {"attribute": "A", "granted": "yes", "withdrawn": "no"}
    for right in (*TalonOneSandbox().purposes().values(), words, {"attribute": "A", "audience": 3}, {"audience": "3"}):
        jsonschema.validate(right, schema)
    wrongs: list[dict[str, Any]] = [{}, {"granted": "yes"}, {"attribute": "A", "granted": "yes"}, {"audience": 0}]
    wrongs.append(words | {"x": "y"})
    for wrong in wrongs:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


def test_every_notice_can_be_set_to_what_the_contract_says() -> None:
    info = plugin.describe()
    assert {rule.setting: rule.days for rule in info.notices} == {
        "sessions_retention_days": 120,
        "audit_retention_days": 90,
        "logs_retention_days": 40,
        "webhooks_retention_days": 30,
        "session_logs_retention_days": 14,
        "backups_retention_days": 7,
    }
    assert {rule.setting for rule in info.notices} < set(info.settings_schema["properties"])


def test_describing_the_plugin_loads_no_http_client() -> None:
    script = (
        "import sys, habeas_talonone as p; p.describe();"
        "bad = {'requests', 'urllib3', 'jwt', 'cryptography'} & set(sys.modules); sys.exit(repr(bad) if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)

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
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import jsonschema
import pytest

import habeas_voucherify as plugin
from habeas import (
    Action,
    CanaryPerson,
    ConsentChange,
    ConsentState,
    ConsentUpdate,
    Correction,
    Erasure,
    Identifier,
    PlanItem,
    Purpose,
    Rectification,
    Subject,
)
from habeas.config.load import schema_problems
from habeas.connection import Connection
from habeas.testing.connect import MemoryJournal, connect
from habeas.testing.kit.words import NEW_VALUES
from habeas.testing.people import seeded_people
from habeas.testing.sandbox import Call, SandboxServer
from habeas_voucherify import client
from habeas_voucherify.client import calls
from habeas_voucherify.client.customers import CUSTOMERS
from habeas_voucherify.client.records import PUBLICATIONS, REDEMPTIONS, VOUCHERS
from habeas_voucherify.sandbox import CONSENT_ID, VoucherifySandbox

_SHARED = Path(__file__).resolve().parents[3] / "shared"
_OPENAPI = _SHARED / "vendors" / "voucherify.openapi.json"
_TERMS = _SHARED / "standards" / "dpv" / "dpv-2.3-terms.csv"

_OF_HTTP = {"host", "user-agent", "accept", "accept-encoding", "connection", "content-length"}
CANARY = CanaryPerson("habeas-canary-7", "habeas-canary-7@canary.invalid", "+12025550107", "Habeas", "Canary")
PURPOSES = (
    Purpose("both", {"consent": CONSENT_ID, "metadata": "consent_marketing_email"}),
    Purpose("word", {"metadata": "preferences.profiling", "granted": "yes", "withdrawn": "no"}),
    Purpose("all", {"unsubscribed": True}),
)
CORRECTIONS = tuple(Correction(n, field, NEW_VALUES[field]) for n, field in enumerate(plugin.describe().rectifies))

_VERSION = "x-voucherify-api-version"
"""Documented on the vendor's page on versioning, for all calls, and not in the OpenAPI document."""


@lru_cache(maxsize=1)
def sent() -> Sequence[Call]:
    """What the plugin sends for inventory, export and erasure (twice) of several people, with small pages."""
    app = VoucherifySandbox()
    people = seeded_people(8, [app.name])
    app.seed(people)
    with SandboxServer(app) as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr(calls, "PAGE_SIZE", 4)
        for n, person in enumerate(people):
            oauth = {"client_id": app.client_id, "client_secret": app.client_secret} if n % 2 else {}
            connection = connect(plugin, server, settings=oauth, journal=MemoryJournal())
            subject = Subject((Identifier("customer_id", person.customer_id), Identifier("email", person.email)))
            plugin.check(connection)
            found = plugin.inventory(connection, subject)
            plugin.export(connection, subject, found)
            items = tuple(PlanItem(i, record, Action.ERASE) for i, record in enumerate(found.records))
            plugin.erase(connection, Erasure(subject, items))
            plugin.erase(connection, Erasure(subject, items, resumed=True))
        return tuple(server.calls)


@lru_cache(maxsize=1)
def written() -> Sequence[Call]:
    """What consents, corrections, the made-up person and the operations that no hook needs send."""
    app = VoucherifySandbox()
    people = seeded_people(15, [app.name])
    app.seed(people)
    with SandboxServer(app) as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr(calls, "PAGE_SIZE", 4)
        voucherify = connect(plugin, server, journal=MemoryJournal())
        older = connect(plugin, server, settings={"activity": "activities"}, journal=MemoryJournal())
        plugin.create_canary(voucherify, CANARY)
        for enabled, person in ((False, people[14]), (True, people[2]), (False, people[6])):
            app.consents_enabled = enabled
            subject = Subject((Identifier("customer_id", person.customer_id), Identifier("email", person.email)))
            changes = tuple(ConsentChange(n, each, ConsentState.WITHDRAWN) for n, each in enumerate(PURPOSES))
            plugin.update_consent(voucherify, ConsentUpdate(subject, changes))
            plugin.read_consent(voucherify, subject, PURPOSES)
            plugin.rectify(voucherify, Rectification(subject, CORRECTIONS))
        _operations(voucherify, older, people[0].customer_id)
        return tuple(server.calls)


def _operations(voucherify: Connection, older: Connection, source_id: str) -> None:
    times = {"created_before": "2030-01-01", "created_after": "2020-01-01T00:00:00Z", "updated_after": "2020-01-01"}
    wanted = client.CustomerFilter(
        city="Berlin", name="Nobody", segment_id="seg_1", updated_before="2030-01-01", **times
    )
    client.customers(voucherify, wanted, "-source_id")
    list(client.customers_after(voucherify, client.CustomerFilter(), "2024-05-24T13:43:09.024Z"))
    list(client.activity(older, source_id))
    list(client.redeemables(voucherify, source_id, (("filters[id][conditions][$is]", "rh_1"),)))
    client.memberships(voucherify, source_id, "customer_source_id")
    client.update_in_bulk(voucherify, [{"source_id": source_id, "name": "Zoe", "address": {"city": "Rightville"}}])
    client.update_metadata_in_bulk(voucherify, [source_id], {"lang": "en"})
    client.import_csv(voucherify, [{"Source_id": source_id, "Name": "Zoe"}])
    list(client.async_actions(voucherify, "2030-01-01T00:00:00Z"))
    client.delete_customer(voucherify, source_id)


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
            shared = {"parameters": [*item.get("parameters", []), *item[call.method.lower()].get("parameters", [])]}
            return template, {**item[call.method.lower()], **shared}, dict(zip(names, values, strict=True))
    raise AssertionError(f"{call.method} {call.template} is not documented")


def check(spec: Mapping[str, Any], call: Call) -> str:
    template, found, path = operation(spec, call)
    name = f"{call.method} {template}"
    given: dict[tuple[str, str], str] = {("path", k): v for k, v in path.items()}
    given |= {("query", k): v for k, v in call.query if not k.startswith("filters[")}
    assert len(call.query) == len(dict(call.query)), f"{name}: a query parameter twice"
    known = {(p["in"], p["name"]): p for p in (target(spec, p) for p in found["parameters"])}
    assert given.keys() <= known.keys(), f"{name}: undocumented {given.keys() - known.keys()}"
    assert ("query", "filters") in known or not any(k.startswith("filters[") for k, _ in call.query), name
    for key, parameter in known.items():
        assert key in given or not parameter.get("required"), f"{name}: {key} is missing"
        if key in given:
            schema = target(spec, parameter["schema"])
            validate(spec, int(given[key]) if schema.get("type") == "integer" else given[key], schema)
    check_headers(call)
    if "requestBody" in found:
        check_body(spec, call, found["requestBody"]["content"])
    else:
        assert call.body == b"", name
    return name


def check_body(spec: Mapping[str, Any], call: Call, content: Mapping[str, Any]) -> None:
    media_type = call.headers["content-type"].partition(";")[0]
    schema = target(spec, content[media_type]["schema"])
    if media_type == "application/json":
        validate(spec, call.json(), schema)
        documented = set(properties(spec, schema.get("items", schema)))
        for record in call.json() if isinstance(call.json(), list) else [call.json()]:
            assert record.keys() <= documented or "additionalProperties" in schema, call.path
    elif media_type == "multipart/form-data":
        assert call.body.count(b'Content-Disposition: form-data; name="file"; filename="customers.csv"') == 1
        assert call.body.count(b"Content-Disposition") == 1
    else:
        validate(spec, dict(parse_qsl(call.body.decode(), strict_parsing=True)), schema)


def properties(spec: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    found = target(spec, schema)
    yield from found.get("properties", {})
    for part in found.get("allOf", ()):
        yield from properties(spec, part)


def validate(spec: Mapping[str, Any], value: Any, schema: Mapping[str, Any]) -> None:
    """As `jsonschema.validate`, without checking the whole document as a schema each time."""
    jsonschema.Draft202012Validator({**schema, "components": spec["components"]}).validate(value)


def check_headers(call: Call) -> None:
    sent = {k for k in call.headers if k not in _OF_HTTP}
    keys = {"x-app-id", "x-app-token"}
    sent.discard("content-type" if call.body else "")
    if call.path == "/v1/oauth/token":
        assert sent == keys
    else:
        assert sent in (keys | {_VERSION}, {"authorization", _VERSION})


if _OPENAPI.exists():

    def test_every_request_is_documented() -> None:
        spec = json.loads(_OPENAPI.read_text("utf-8"))
        assert {check(spec, call) for call in sent()} == {
            "POST /v1/oauth/token",
            "GET /v1/customers",
            "GET /v1/customers/{customerId}",
            "GET /v1/customers/{customerId}/activity",
            "GET /v1/customers/{customerId}/segments",
            "GET /v1/customers/{customerId}/redeemables",
            "POST /v1/customers/{customerId}/permanent-deletion",
            "GET /v1/redemptions",
            "GET /v1/redemptions/{redemptionId}",
            "GET /v1/vouchers",
            "GET /v1/publications",
            "GET /v1/orders/{orderId}",
            "GET /v2/loyalties/memberships/{customerId}",
            "GET /v2/loyalties/programs/{programId}/members/{memberId}",
            "DELETE /v2/loyalties/programs/{programId}/members/{memberId}",
        }

    def test_every_request_that_changes_without_erasing_is_documented() -> None:
        spec = json.loads(_OPENAPI.read_text("utf-8"))
        # Where reports lie is not documented.
        names = {check(spec, call) for call in written() if not call.path.startswith("/reports/")}
        assert names >= {
            "GET /v1/async-actions",
            "GET /v1/async-actions/{asyncActionId}",
            "GET /v1/consents",
            "GET /v1/customers",
            "GET /v1/customers/{customerId}/activities",
            "GET /v1/customers/{customerId}/activity",
            "GET /v1/customers/{customerId}/redeemables",
            "GET /v2/loyalties/memberships/{customerId}",
            "POST /v1/customers",
            "POST /v1/customers/bulk/async",
            "POST /v1/customers/importCSV",
            "POST /v1/customers/metadata/async",
            "PUT /v1/customers/{customerId}",
            "PUT /v1/customers/{customerId}/consents",
            "DELETE /v1/customers/{customerId}",
        }

    def test_pages_and_sizes_stay_within_what_is_documented() -> None:
        spec = json.loads(_OPENAPI.read_text("utf-8"))
        for wanted in (CUSTOMERS, REDEMPTIONS, VOUCHERS, PUBLICATIONS):
            parameters = [target(spec, p) for p in spec["paths"][wanted.path]["get"]["parameters"]]
            limits = {p["name"]: target(spec, p["schema"]).get("maximum") for p in parameters}
            assert (limits["limit"], limits["page"]) == (calls.PAGE_SIZE, wanted.last_page)


if _TERMS.exists():

    def test_every_dpv_term_exists() -> None:
        with _TERMS.open(encoding="utf-8", newline="") as file:
            terms = {row["iri"] for row in csv.DictReader(file)}
        for kind in plugin.describe().kinds:
            assert {*kind.categories, *kind.purposes} <= terms


def test_nothing_is_written_for_a_person_who_is_looked_up_handed_over_or_erased() -> None:
    """PUT and POST of a customer, an order, an event create a missing customer: none is among the calls."""
    for call in sent():
        assert call.method in ("GET", "DELETE", "POST")
        if call.method == "POST":
            assert call.path.endswith(("/permanent-deletion", "/oauth/token"))


def test_a_customer_is_changed_only_by_the_id_that_a_read_has_shown() -> None:
    changing = [call for call in written() if call.method == "PUT"]
    assert changing
    assert all(call.path.split("/")[3].startswith("cust_") for call in changing)


KEYS = {"app_id": "a", "app_token": "b"}
OAUTH = {"client_id": "a", "client_secret": "b"}


@pytest.mark.parametrize(
    "settings",
    [
        KEYS,
        OAUTH,
        {**OAUTH, "oauth_scope": "customers orders"},
        {**KEYS, "api_version": "", "log_retention_months": 12},
        {**KEYS, "api_version": "v2018-08-01"},
        {**KEYS, "consent_by": "metadata", "activity": "activities", "bulk_version": "100-records"},
    ],
)
def test_the_settings_schema_takes_what_the_documentation_shows(settings: Mapping[str, Any]) -> None:
    schema = dict(plugin.describe().settings_schema)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(dict(settings), schema)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({}, "lacks app_id, app_token"),
        ({"app_id": "a"}, "lacks app_token"),
        ({"client_id": "a"}, "lacks client_secret"),
        ({**KEYS, **OAUTH}, "breaks the rule not"),
        ({**KEYS, "client_id": "a"}, "lacks client_secret"),
        ({**KEYS, "api_version": "2018-08-01"}, "breaks the rule pattern"),
        ({**KEYS, "log_retention_months": -1}, "breaks the rule minimum"),
        ({"app_id": "", "app_token": "b"}, "breaks the rule minLength"),
        ({**KEYS, "app_key": "x"}, "unknown settings: app_key"),
        ({**KEYS, "consent_by": "letter"}, "must be one of automatic, endpoint, metadata"),
    ],
)
def test_the_settings_schema_refuses_everything_else_and_says_what_is_missing(
    settings: Mapping[str, Any], problem: str
) -> None:
    said = list(schema_problems(dict(settings), plugin.describe().settings_schema))
    assert any(problem in line for line in said), said


PURPOSE_MAPPINGS: Sequence[tuple[Mapping[str, Any], bool]] = (
    ({"consent": "cnst_6jQ5XcUOLnj5L7ImQAdBsJ1I", "metadata": "consent_marketing_email"}, True),
    ({"metadata": "consents.mail", "granted": "yes", "withdrawn": "no"}, True),
    ({"unsubscribed": True, "metadata": "news"}, True),
    ({}, False),
    ({"consent": "marketing"}, False),
    ({"unsubscribed": False}, False),
    ({"consent": "cnst_1", "unsubscribed": True}, False),
    ({"metadata": "news", "granted": "yes"}, False),
    ({"consent": "cnst_1", "granted": "yes", "withdrawn": "no"}, False),
    ({"metadata": "news", "attribute": "x"}, False),
)


@pytest.mark.parametrize(("names", "fits"), PURPOSE_MAPPINGS)
def test_a_purpose_is_mapped_as_the_documentation_shows(names: Mapping[str, Any], fits: bool) -> None:
    schema = dict(plugin.describe().purpose_schema)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert jsonschema.Draft202012Validator(schema).is_valid(dict(names)) is fits


def test_every_kind_goes_with_the_customer_so_that_a_hold_on_it_holds_the_customer() -> None:
    info = plugin.describe()
    assert {kind.name for kind in info.kinds if kind.erased_with != ("customer",)} == {info.main_kind}


def test_the_notice_on_logs_can_be_set_to_what_the_contract_says() -> None:
    info = plugin.describe()
    assert [(rule.months, rule.setting) for rule in info.notices] == [(6, "log_retention_months"), (0, "")]
    assert info.settings_schema["properties"]["log_retention_months"]["default"] == 6


def test_describing_the_plugin_loads_no_http_client() -> None:
    script = (
        "import sys, habeas_voucherify as p; p.describe();"
        "bad = {'requests', 'urllib3', 'jwt', 'cryptography'} & set(sys.modules); sys.exit(repr(bad) if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)

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
from urllib.parse import parse_qsl, unquote

import jsonschema
import pytest

import habeas_voucherify as plugin
from habeas import Action, Erasure, Identifier, PlanItem, Subject
from habeas.config.load import schema_problems
from habeas.testing.connect import MemoryJournal, connect
from habeas.testing.people import seeded_people
from habeas.testing.sandbox import Call, SandboxServer
from habeas_voucherify import client
from habeas_voucherify.sandbox import VoucherifySandbox

_SHARED = Path(__file__).resolve().parents[3] / "shared"
_OPENAPI = _SHARED / "vendors" / "voucherify.openapi.json"
_TERMS = _SHARED / "standards" / "dpv" / "dpv-2.3-terms.csv"

_OF_HTTP = {"host", "user-agent", "accept", "accept-encoding", "connection", "content-length"}
_VERSION = "x-voucherify-api-version"
"""Documented on the vendor's page on versioning, for all calls, and not in the OpenAPI document."""


@lru_cache(maxsize=1)
def calls() -> Sequence[Call]:
    """What the plugin sends for inventory, export and erasure (twice) of several people, with small pages."""
    app = VoucherifySandbox()
    people = seeded_people(8, [app.name])
    app.seed(people)
    with SandboxServer(app) as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "PAGE_SIZE", 4)
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
    given |= {("query", k): v for k, v in call.query}
    assert len(call.query) == len(dict(call.query)), f"{name}: a query parameter twice"
    known = {(p["in"], p["name"]): p for p in (target(spec, p) for p in found["parameters"])}
    assert given.keys() <= known.keys(), f"{name}: undocumented {given.keys() - known.keys()}"
    for key, parameter in known.items():
        assert key in given or not parameter.get("required"), f"{name}: {key} is missing"
        if key in given:
            schema = target(spec, parameter["schema"])
            validate(spec, int(given[key]) if schema.get("type") == "integer" else given[key], schema)
    check_headers(call)
    if "requestBody" in found:
        body = found["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
        fields = dict(parse_qsl(call.body.decode(), strict_parsing=True))
        validate(spec, fields, body)
    else:
        assert call.body == b"", name
    return name


def validate(spec: Mapping[str, Any], value: Any, schema: Mapping[str, Any]) -> None:
    """As `jsonschema.validate`, without checking the whole document as a schema each time."""
    jsonschema.Draft202012Validator({**schema, "components": spec["components"]}).validate(value)


def check_headers(call: Call) -> None:
    sent = {k for k in call.headers if k not in _OF_HTTP}
    keys = {"x-app-id", "x-app-token"}
    if call.path == "/v1/oauth/token":
        assert sent == keys | {"content-type"}
    else:
        assert sent in (keys | {_VERSION}, {"authorization", _VERSION})


if _OPENAPI.exists():

    def test_every_request_is_documented() -> None:
        spec = json.loads(_OPENAPI.read_text("utf-8"))
        assert {check(spec, call) for call in calls()} == {
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

    def test_pages_and_sizes_stay_within_what_is_documented() -> None:
        spec = json.loads(_OPENAPI.read_text("utf-8"))
        for wanted in (client._CUSTOMERS, client._REDEMPTIONS, client._VOUCHERS, client._PUBLICATIONS):
            parameters = [target(spec, p) for p in spec["paths"][wanted.path]["get"]["parameters"]]
            limits = {p["name"]: target(spec, p["schema"]).get("maximum") for p in parameters}
            assert (limits["limit"], limits["page"]) == (client.PAGE_SIZE, wanted.last_page)


if _TERMS.exists():

    def test_every_dpv_term_exists() -> None:
        with _TERMS.open(encoding="utf-8", newline="") as file:
            terms = {row["iri"] for row in csv.DictReader(file)}
        for kind in plugin.describe().kinds:
            assert {*kind.categories, *kind.purposes} <= terms


def test_nothing_is_ever_written_for_a_person() -> None:
    """PUT and POST of a customer, an order, an event create a missing customer: none is among the calls."""
    for call in calls():
        assert call.method in ("GET", "DELETE", "POST")
        if call.method == "POST":
            assert call.path.endswith(("/permanent-deletion", "/oauth/token"))


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
    ],
)
def test_the_settings_schema_refuses_everything_else_and_says_what_is_missing(
    settings: Mapping[str, Any], problem: str
) -> None:
    said = list(schema_problems(dict(settings), plugin.describe().settings_schema))
    assert any(problem in line for line in said), said


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

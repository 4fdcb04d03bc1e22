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
from habeas import Action, Erasure, Identifier, PlanItem, Subject
from habeas.testing.connect import MemoryJournal, connect
from habeas.testing.people import seeded_people
from habeas.testing.sandbox import Call, SandboxServer
from habeas_talonone import client
from habeas_talonone.sandbox import TalonOneSandbox

_SHARED = Path(__file__).resolve().parents[3] / "shared"
_OPENAPI = _SHARED / "vendors" / "talonone.openapi.json"
_TERMS = _SHARED / "standards" / "dpv" / "dpv-2.3-terms.csv"

_OF_HTTP = {"host", "user-agent", "accept", "accept-encoding", "connection", "content-length", "authorization"}


@lru_cache(maxsize=1)
def calls() -> Sequence[Call]:
    """What the plugin sends for inventory, export and erasure of every seeded person, some twice, with small pages."""
    app = TalonOneSandbox()
    people = seeded_people(16, [app.name])
    app.seed(people)
    with SandboxServer(app) as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "PAGE_SIZE", 40)
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


def check(spec: Mapping[str, Any], call: Call) -> str:
    template, found, path = operation(spec, call)
    name = f"{call.method} {template}"
    assert found["x-api"] == "integration", name
    given: dict[tuple[str, str], str] = {("path", k): v for k, v in path.items()}
    given |= {("query", k): v for k, v in call.query}
    assert len(call.query) == len(dict(call.query)), f"{name}: a query parameter twice"
    known = {(p["in"], p["name"]): p for p in (target(spec, p) for p in found.get("parameters", []))}
    assert given.keys() <= known.keys(), f"{name}: undocumented {given.keys() - known.keys()}"
    for key, parameter in known.items():
        assert key in given or not parameter.get("required"), f"{name}: {key} is missing"
        if key in given:
            jsonschema.validate(typed(parameter["schema"], given[key]), parameter["schema"])
    assert {k for k in call.headers if k not in _OF_HTTP} == ({"content-type"} if call.body else set())
    assert call.headers["authorization"].startswith("ApiKey-v1 ")
    if "requestBody" in found:
        schema = target(spec, found["requestBody"])["content"]["application/json"]["schema"]
        jsonschema.validate(call.json(), {**schema, "components": spec["components"]})
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


if _TERMS.exists():

    def test_every_dpv_term_exists() -> None:
        with _TERMS.open(encoding="utf-8", newline="") as file:
            terms = {row["iri"] for row in csv.DictReader(file)}
        for kind in plugin.describe().kinds:
            assert {*kind.categories, *kind.purposes} <= terms


def test_nothing_is_ever_written_for_a_person() -> None:
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
    for wrong in (
        {},
        {"api_key": ""},
        {"api_key": "k", "integration_id": "name"},
        {"api_key": "k", "logs_retention_days": -1},
        {"api_key": "k", "apikey": "k"},
    ):
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

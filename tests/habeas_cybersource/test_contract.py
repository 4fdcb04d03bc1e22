"""Every request the plugin sends is one the vendor documents; every DPV term it names exists.

The documents are not part of this repository: where they lie beside the checkout their tests exist, elsewhere they do
not.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema

import habeas_cybersource as plugin
from habeas import Action, Erasure, Identifier, PlanItem, Subject
from habeas.testing.connect import MemoryJournal, connect
from habeas.testing.people import seeded_people
from habeas.testing.sandbox import Call, SandboxServer
from habeas_cybersource.sandbox import CyberSourceSandbox

_SHARED = Path(__file__).resolve().parents[3] / "shared"
_OPENAPI = _SHARED / "vendors" / "cybersource-tms.openapi.json"
_TERMS = _SHARED / "standards" / "dpv" / "dpv-2.3-terms.csv"

_CREDENTIALS = {"authorization"}
_OF_HTTP = {"host", "user-agent", "accept", "accept-encoding", "connection", "content-length"}


def calls() -> Sequence[Call]:
    """What the plugin sends for inventory, export and two kinds of erasure, with a profile and without."""
    app = CyberSourceSandbox()
    people = seeded_people(8, [app.name])
    tokens = app.seed(people)
    app.vault.leave_orphans = True
    for n in range(120):
        app.vault.add_address(tokens[people[0].customer_id], {"shipTo": {"address1": f"Street {n}"}})
    with SandboxServer(app) as server:
        for n, person in enumerate(people):
            if app.name not in person.held_at:
                continue
            settings = {"profile_id": min(app.profiles)} if n % 2 else {}
            connection = connect(plugin, server, settings=settings, journal=MemoryJournal())
            subject = Subject((Identifier(app.name, tokens[person.customer_id]),))
            plugin.check(connection)
            found = plugin.inventory(connection, subject)
            plugin.export(connection, subject, found)
            kept = {"customer"} if n % 3 == 1 else set()
            items = tuple(
                PlanItem(i, record, Action.RETAIN if record.kind in kept else Action.ERASE)
                for i, record in enumerate(found.records)
            )
            plugin.erase(connection, Erasure(subject, items))
        return tuple(server.calls)


def operation(spec: Mapping[str, Any], call: Call) -> tuple[str, Mapping[str, Any], Mapping[str, str]]:
    for template, item in spec["paths"].items():
        names = re.findall(r"\{(\w+)\}", template)
        match = re.fullmatch(re.sub(r"\{\w+\}", "([^/]+)", template), call.path)
        if match and call.method.lower() in item:
            return template, item[call.method.lower()], dict(zip(names, match.groups(), strict=True))
    raise AssertionError(f"{call.method} {call.template or call.path} is not documented")


def resolved(spec: Mapping[str, Any], parameters: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    found = []
    for parameter in parameters:
        target: Any = parameter
        if "$ref" in parameter:
            target = spec
            for step in parameter["$ref"].removeprefix("#/").split("/"):
                target = target[step]
        found.append(target)
    return found


def check(spec: Mapping[str, Any], call: Call) -> str:
    template, found, path = operation(spec, call)
    parameters = resolved(spec, found.get("parameters", []))
    given: dict[tuple[str, str], str] = {("path", k): v for k, v in path.items()}
    given |= {("query", k): v for k, v in call.query}
    given |= {("header", k): v for k, v in call.headers.items() if k not in _OF_HTTP | _CREDENTIALS}
    assert len(call.query) == len(dict(call.query)), "a query parameter twice"
    known = {(p["in"], p["name"]): p for p in parameters}
    assert given.keys() <= known.keys(), f"{call.method} {template}: undocumented {given.keys() - known.keys()}"
    for key, parameter in known.items():
        assert key in given or not parameter.get("required"), f"{call.method} {template}: {key} is missing"
        if key in given:
            schema = parameter["schema"]
            value = int(given[key]) if schema.get("type") == "integer" else given[key]
            jsonschema.validate(value, schema)
    assert "requestBody" not in found
    assert call.body == b""
    assert call.headers["authorization"].startswith("Bearer ")
    return f"{call.method} {template}"


if _OPENAPI.exists():

    def test_every_request_is_documented() -> None:
        spec = json.loads(_OPENAPI.read_text("utf-8"))
        seen = {check(spec, call) for call in calls()}
        assert seen == {
            "GET /tms/v2/customers/{customerId}",
            "DELETE /tms/v2/customers/{customerId}",
            "GET /tms/v2/customers/{customerId}/payment-instruments",
            "GET /tms/v2/customers/{customerId}/payment-instruments/{paymentInstrumentId}",
            "DELETE /tms/v2/customers/{customerId}/payment-instruments/{paymentInstrumentId}",
            "GET /tms/v2/customers/{customerId}/shipping-addresses",
            "GET /tms/v2/customers/{customerId}/shipping-addresses/{shippingAddressId}",
            "DELETE /tms/v2/customers/{customerId}/shipping-addresses/{shippingAddressId}",
            "GET /tms/v1/instrumentidentifiers/{instrumentIdentifierId}",
            "DELETE /tms/v1/instrumentidentifiers/{instrumentIdentifierId}",
            "GET /tms/v1/instrumentidentifiers/{instrumentIdentifierId}/paymentinstruments",
        }


if _TERMS.exists():

    def test_every_dpv_term_exists() -> None:
        with _TERMS.open(encoding="utf-8", newline="") as file:
            terms = {row["iri"] for row in csv.DictReader(file)}
        for kind in plugin.describe().kinds:
            assert {*kind.categories, *kind.purposes} <= terms

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
from habeas import (
    Action,
    CanaryPerson,
    Correction,
    Erasure,
    Identifier,
    PlanItem,
    Rectification,
    Subject,
)
from habeas.connection import Connection
from habeas.models import Json
from habeas.testing.connect import MemoryJournal, connect
from habeas.testing.people import seeded_people
from habeas.testing.sandbox import Call, SandboxServer
from habeas_cybersource import client
from habeas_cybersource.sandbox import CyberSourceSandbox

_SHARED = Path(__file__).resolve().parents[3] / "shared"
_OPENAPI = _SHARED / "vendors" / "cybersource-tms.openapi.json"
_TERMS = _SHARED / "standards" / "dpv" / "dpv-2.3-terms.csv"

_CREDENTIALS = {"authorization"}
_OF_HTTP = {"host", "user-agent", "accept", "accept-encoding", "connection", "content-length", "content-type"}


def calls() -> Sequence[Call]:
    """What the plugin sends for each hook and for what no hook needs, with a profile and without."""
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
            corrections = tuple(Correction(i, field, "NL") for i, field in enumerate(plugin.describe().rectifies))
            plugin.rectify(connection, Rectification(subject, corrections))
            kept = {"customer"} if n % 3 == 1 else set()
            items = tuple(
                PlanItem(i, record, Action.RETAIN if record.kind in kept else Action.ERASE)
                for i, record in enumerate(found.records)
            )
            plugin.erase(connection, Erasure(subject, items))
        for settings in ({}, {"profile_id": min(app.profiles)}):
            connection = connect(plugin, server, settings=settings, journal=MemoryJournal())
            canary = CanaryPerson(f"habeas-canary-{len(settings)}", "c@canary.invalid", "+12025550123", "A", "B")
            operate(connection, plugin.create_canary(connection, canary).identifiers[0].value)
        return tuple(server.calls)


def operate(connection: Connection, customer: str) -> None:
    """The operations that no hook needs."""

    def changed(document: Json) -> Json:
        return {} if document.get("card", {}).get("expirationYear") == "2033" else {"card": {"expirationYear": "2033"}}

    card = client.create_identifier(connection, {"card": {"number": "5555555555554444"}})
    client.amend_identifier(connection, card, changed)
    client.enrol_identifier(connection, card, {"type": "enrollable card"})
    alone = client.create_instrument(connection, {"instrumentIdentifier": {"id": card}})
    client.get_instrument(connection, alone)
    client.amend_instrument(connection, alone, changed)
    client.delete_instrument(connection, alone)
    for part in client.PARTS.values():
        card = client.create_identifier(connection, {"card": {"number": "5555555555554444"}})
        body = {"instrumentIdentifier": {"id": card}} if part.kind == "payment_instrument" else {"shipTo": {}}
        second = client.create_part(connection, part, customer, body, done=lambda: False)
        client.make_default(connection, part, customer, second)


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


def check(spec: Mapping[str, Any], components: Json, call: Call) -> str:
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
    assert call.headers["authorization"].startswith("Bearer ")
    if "requestBody" not in found:
        assert call.body == b""
        return f"{call.method} {template}"
    ((media_type, content),) = found["requestBody"]["content"].items()
    assert call.headers["content-type"] == media_type
    jsonschema.Draft4Validator({"allOf": [content["schema"]], "components": components}).validate(call.json())
    return f"{call.method} {template}"


def closed(schema: Any) -> Any:
    """OpenAPI 3.0's schemas as JSON Schema, in which a field that nobody documented is an error."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    shut = {name: closed(value) for name, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        shut.setdefault("additionalProperties", False)
    return shut


if _OPENAPI.exists():

    def test_every_request_is_documented() -> None:
        spec = json.loads(_OPENAPI.read_text("utf-8"))
        components = closed(spec["components"])
        seen = {check(spec, components, call) for call in calls()}
        assert seen == {f"{verb.upper()} {path}" for path, verbs in spec["paths"].items() for verb in verbs}
        assert len(seen) == 24


if _TERMS.exists():

    def test_every_dpv_term_exists() -> None:
        with _TERMS.open(encoding="utf-8", newline="") as file:
            terms = {row["iri"] for row in csv.DictReader(file)}
        for kind in plugin.describe().kinds:
            assert {*kind.categories, *kind.purposes} <= terms

"""Field names: what an inventory sees is covered, the shop's own slots are not, and no value is among them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import habeas_cybersource as plugin
from habeas import Identifier, Subject
from habeas.fields import covered
from habeas.testing.connect import connect
from habeas.testing.people import seeded_people
from habeas.testing.sandbox import SandboxServer
from habeas_cybersource import names
from habeas_cybersource.sandbox import CyberSourceSandbox

KINDS = {kind.name: kind for kind in plugin.describe().kinds}


def test_all_that_is_seen_of_seeded_people_is_covered_but_the_shops_own_slots() -> None:
    app = CyberSourceSandbox()
    people = [person for person in seeded_people(10, [app.name]) if app.name in person.held_at]
    tokens = app.seed(people)
    with SandboxServer(app) as server:
        subject = Subject(tuple(Identifier(app.name, tokens[person.customer_id]) for person in people))
        found = plugin.inventory(connect(plugin, server), subject)
    seen = {(record.kind, name) for record in found.records for name in record.fields}
    assert {kind for kind, _ in seen} == set(KINDS)
    unknown = {(kind, name) for kind, name in seen if not covered(name, KINDS[kind].fields)}
    assert unknown == {("customer", "merchantDefinedInformation.data1")}
    # What is embedded of another record is named with that record.
    assert not [name for kind, name in seen if kind == "customer" and "billTo" in name]
    assert ("instrument_identifier", "card.number") in seen


def test_a_new_field_is_seen_wherever_it_comes() -> None:
    customer = {
        "id": "A",
        "newField": {"inner": 1},
        "_embedded": {"defaultPaymentInstrument": {"id": "B"}, "newPart": {"x": 1}},
        "merchantDefinedInformation": [{"name": "data4", "value": "v"}, {"name": "Ada", "value": "v"}, "odd"],
    }
    assert names.of_customer(customer) == (
        "_embedded.newPart.x",
        "id",
        "merchantDefinedInformation.*",
        "merchantDefinedInformation.data4",
        "newField.inner",
    )
    assert names.of_customer({"merchantDefinedInformation": [], "_embedded": []}) == ()
    assert names.of_customer({"merchantDefinedInformation": "x", "_embedded": "y"}) == (
        "_embedded",
        "merchantDefinedInformation",
    )
    instrument = {"id": "B", "_embedded": {"instrumentIdentifier": {"id": "C"}, "other": 1}}
    assert names.of_instruments([instrument, {"new": 1}]) == ("_embedded.other", "id", "new")


def test_an_empty_object_that_the_vendor_documents_is_no_new_field() -> None:
    for name in ("shipTo", "_links"):
        assert covered(name, names.ADDRESS)
    for name in ("buyerInformation.personalIdentification", "billTo", "merchantInformation.merchantDescriptor"):
        assert covered(name, names.INSTRUMENT)
    assert not covered("billTo.nickname", names.INSTRUMENT)


_OPENAPI = Path(__file__).resolve().parents[3] / "shared" / "vendors" / "cybersource-tms.openapi.json"

if _OPENAPI.exists():

    def test_every_name_that_the_vendor_documents_is_covered_and_no_other_is() -> None:
        schemas = json.loads(_OPENAPI.read_text("utf-8"))["components"]["schemas"]

        def leaves(schema: Any, path: str) -> Iterator[str]:
            if "$ref" in schema:
                schema = schemas[schema["$ref"].rpartition("/")[2]]
            if schema.get("properties"):
                for name, inner in schema["properties"].items():
                    yield from leaves(inner, f"{path}.{name}".lstrip("."))
            elif schema.get("type") == "array" and "$ref" in schema["items"]:
                yield from leaves(schema["items"], f"{path}[]")
            else:
                yield path

        elsewhere = ("_embedded.default", "_embedded.instrumentIdentifier", "merchantDefinedInformation[]")
        for known, model in (
            (names.CUSTOMER, "PostCustomerRequest"),
            (names.INSTRUMENT, "PostCustomerPaymentInstrumentRequest"),
            (names.ADDRESS, "PostCustomerShippingAddressRequest"),
            (names.IDENTIFIER, "PostInstrumentIdentifierRequest"),
        ):
            documented = {n for n in leaves({"$ref": f"/{model}"}, "") if not n.startswith(elsewhere)}
            assert [n for n in documented if not covered(n, known)] == []
            stems = [n.removesuffix(".*") for n in known]
            whole = [d.replace("[]", "") for d in documented] + ["_embedded.x"]
            assert [s for s in stems if not any((d + ".").startswith(s.replace("[]", "") + ".") for d in whole)] == []

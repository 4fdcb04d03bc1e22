"""The names of fields that the declared categories cover: all that the vendor documents, none that the shop fills."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import habeas_voucherify as plugin
from habeas import Identifier, Subject
from habeas.fields import covered
from habeas.testing.connect import connect
from habeas.testing.people import seeded_people
from habeas.testing.sandbox import SandboxServer
from habeas_voucherify.sandbox import VoucherifySandbox

_OPENAPI = Path(__file__).resolve().parents[3] / "shared" / "vendors" / "voucherify.openapi.json"

_SHOWN = {
    "customer": ("/v1/customers/{customerId}", ""),
    "activity": ("/v1/customers/{customerId}/activity", "data[]."),
    "segment": ("/v1/customers/{customerId}/segments", "data[]."),
    "redeemable": ("/v1/customers/{customerId}/redeemables", "data[]."),
    "redemption": ("/v1/redemptions", "redemptions[]."),
    "publication": ("/v1/publications", "publications[]."),
    "voucher": ("/v1/vouchers", "vouchers[]."),
    "order": ("/v1/orders/{orderId}", ""),
    "loyalty_member": ("/v2/loyalties/memberships/{customerId}", "memberships[]."),
}
"""Where each kind of record is shown, and what its fields' names begin with there."""
_FREE = re.compile(r"(?:^|\.)(?:metadata|attributes|system_metadata)(?=\.|$)")
"""What the shop fills itself."""
_RULE = "earning_rule.loyalty."
"""A rule's own definition, in which `metadata` says for which of the shop's fields points are given."""


_KNOWN = {kind.name: frozenset(kind.fields) for kind in plugin.describe().kinds}


@cache
def is_covered(kind: str, name: str) -> bool:
    """Most names are listed as they are; only the others are compared with each pattern."""
    return name in _KNOWN[kind] or covered(name, _KNOWN[kind])


def target(spec: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = schema
    if "$ref" in schema:
        found = spec["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def documented(spec: Mapping[str, Any], schema: Mapping[str, Any], path: str, seen: tuple[str, ...]) -> Iterator[str]:
    """The names of all fields of a schema, as habeas writes them."""
    if schema.get("$ref") in seen:
        return
    seen, schema = (*seen, schema.get("$ref", "")), target(spec, schema)
    for part in (*schema.get("allOf", ()), *schema.get("oneOf", ()), *schema.get("anyOf", ())):
        yield from documented(spec, part, path, seen)
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}.{name}".lstrip(".")
        yield from documented(spec, inner, f"{path}.{name}".lstrip("."), seen)
    if "items" in schema:
        yield from documented(spec, schema["items"], f"{path}[]", seen)


if _OPENAPI.exists():

    def test_every_documented_field_is_covered_and_none_that_the_shop_fills() -> None:
        spec = json.loads(_OPENAPI.read_text("utf-8"))
        for kind, (path, entries) in _SHOWN.items():
            answer = spec["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
            for name in set(documented(spec, answer, "", ())):
                inside = name.removeprefix(entries)
                if (entries and inside == name) or not inside or _RULE in name:
                    continue
                below = _FREE.search(inside)
                if below is None:
                    assert is_covered(kind, inside), f"{kind}: {inside}"
                elif below.end() == len(inside):
                    assert not is_covered(kind, f"{inside}.a_new_key"), f"{kind}: {inside}"


def test_all_field_names_of_seeded_people_are_covered_except_what_the_shop_fills() -> None:
    app = VoucherifySandbox()
    people = seeded_people(20, [app.name])
    app.seed(people)
    left: dict[str, set[str]] = {}
    with SandboxServer(app) as server:
        for person in (people[0], people[1], people[19]):
            subject = Subject((Identifier("customer_id", person.customer_id),))
            for record in plugin.inventory(connect(plugin, server), subject).records:
                assert record.fields
                left.setdefault(record.kind, set()).update(n for n in record.fields if not is_covered(record.kind, n))
    assert left["customer"] == {
        "metadata.acquisition_channel",
        "metadata.consent_marketing_email",
        *(f"metadata.preferences.{name}" for name in ("favourites", "language", "visits")),
    }
    assert left["order"] == {"metadata.shipping.city", "metadata.shipping.postal_code"}
    assert left["segment"] == left["voucher"] == left["redeemable"] == left["loyalty_member"] == set()
    assert all(_FREE.search(name) for names in left.values() for name in names)

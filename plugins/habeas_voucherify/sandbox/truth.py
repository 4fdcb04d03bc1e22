"""What tests and the kit need to know and to arrange: the purposes, what is held in full, and longer lists."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from habeas.testing.people import Person
from habeas_voucherify.sandbox.consents import CONSENT_ID
from habeas_voucherify.sandbox.filters import dig
from habeas_voucherify.sandbox.seeding import add_rows
from habeas_voucherify.sandbox.state import Project

__all__ = ["PURPOSES", "consent", "enlarge", "held_text"]

PURPOSES: Mapping[str, Mapping[str, Any]] = {
    "marketing_email": {"consent": CONSENT_ID, "metadata": "consent_marketing_email"},
    "profiling": {"metadata": "preferences.profiling", "granted": "yes", "withdrawn": "no"},
}
"""A flag that the consents endpoint knows too, and a word inside an object of the metadata."""


def consent(project: Project, person: Person, purpose: str) -> bool | None:
    """Whether a person has consented to one of :data:`PURPOSES`; None where nothing was ever said, or nobody is there.

    Where the project has the consents endpoint, that decides for the purposes it knows.
    """
    mapping, record = PURPOSES[purpose], project.find(person.customer_id)
    if record is None:
        return None
    if project.consents_enabled and "consent" in mapping:
        return project.consents.get(record["id"], {}).get(mapping["consent"])
    value = dig(record["metadata"], mapping["metadata"])
    if value == mapping.get("granted", True):
        return True
    return False if value == mapping.get("withdrawn", False) else None


def held_text(project: Project, person: Person) -> str:
    """What ``held`` counts, in full, as JSON, with the consents given; empty where there is nothing."""
    owners = project.ever.get(person.customer_id, ())
    tables = {
        "redeemables": project.redeemables,
        "redemptions": project.redemptions,
        "publications": project.publications,
        "vouchers": project.vouchers,
        "orders": project.orders,
    }
    parts: dict[str, list[Any]] = {
        "customers": [project.customers[owner] for owner in owners if owner in project.customers],
        "activity": [event for owner in owners for event in project.events.get(owner, ())],
        "segments": [segment for owner in owners for segment in project.segments.get(owner, ())],
        **{name: [row for owner in owners for row in table.of(owner)] for name, table in tables.items()},
        "memberships": [
            row for owner in owners for row in project.members.of(owner) if row["member"]["status"] != "DELETED"
        ],
        "consents": [project.consents[owner] for owner in owners if project.consents.get(owner)],
    }
    held = {name: part for name, part in parts.items() if part}
    return json.dumps(held, ensure_ascii=False, sort_keys=True) if held else ""


def enlarge(project: Project, person: Person, count: int) -> None:
    """So many more vouchers, each given, redeemable and redeemed, and as many events, for a person who is there."""
    record = project.find(person.customer_id)
    if record is not None:
        add_rows(project, record, count)

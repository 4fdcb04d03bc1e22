"""Customers: list, create or update, read, change, delete, and permanent deletion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from habeas.testing.sandbox import Reply, token
from habeas_voucherify.sandbox.routing import Route
from habeas_voucherify.sandbox.state import Project
from habeas_voucherify.sandbox.wire import (
    Json,
    Request,
    any_of,
    invalid_payload,
    json_body,
    moment,
    not_found,
    number,
    page_of,
    text,
)

__all__ = ["CUSTOMER_ROUTES", "blank_customer", "checked_fields", "upsert", "wrong_dates"]

_TEXTS = ("name", "description", "email", "phone", "birthday", "birthdate")
_ADDRESS = ("city", "state", "line_1", "line_2", "country", "postal_code")


def checked_fields(body: Mapping[str, Any]) -> Json:
    """The customer fields of a body, in their documented types; others are ignored. Raises 400.

    ``address`` alone may be null: the schema marks no other field so.
    """
    for name in (*_TEXTS, "source_id", "id"):
        if name in body and not isinstance(body[name], str):
            raise invalid_payload(f"Property .{name} should be string")
    if not isinstance(body.get("metadata", {}), dict):
        raise invalid_payload("Property .metadata should be object")
    address = body.get("address")
    if address is not None:
        if not isinstance(address, dict):
            raise invalid_payload("Property .address should be object")
        for name in _ADDRESS:
            if not isinstance(address.get(name, ""), str):
                raise invalid_payload(f"Property .address.{name} should be string")
    return {name: body[name] for name in (*_TEXTS, "address", "metadata") if name in body}


def wrong_dates(fields: Mapping[str, Any]) -> str:
    """Says what is wrong with a birthday or birthdate; empty where nothing is."""
    for name in ("birthday", "birthdate"):
        if name in fields:
            try:
                date.fromisoformat(fields[name])
            except ValueError:
                return f"Property .{name} cannot be recognized as a ISO-8601 compliant date"
    return ""


def blank_customer(cust_id: str, source_id: str | None, at: str) -> Json:
    """A customer with no details, in the shape the vendor answers."""
    record: Json = {
        "id": cust_id,
        "address": None,
        "metadata": {},
        "summary": {
            "redemptions": {
                "total_redeemed": 0,
                "total_failed": 0,
                "total_succeeded": 0,
                "total_rolled_back": 0,
                "total_rollback_failed": 0,
                "total_rollback_succeeded": 0,
                "gift": {"redeemed_amount": 0, "amount_to_go": 0},
                "loyalty_card": {"redeemed_points": 0, "points_to_go": 0},
            },
            "orders": {"total_amount": 0, "total_count": 0, "average_amount": 0, "last_order_amount": 0},
        },
        "loyalty": {"points": 0, "referred_customers": 0, "campaigns": {}},
        "referrals": {"total": 0, "campaigns": []},
        "system_metadata": {},
        "created_at": at,
        "assets": {"cockpit_preference_center_url": f"https://preferences.shop.example/{token('', cust_id)}"},
        "object": "customer",
    }
    if source_id is not None:
        record["source_id"] = source_id
    return record


def upsert(
    project: Project, wanted: str, source_id: str | None, fields: Json, *, whole: bool = False
) -> tuple[Json, bool]:
    """Changes the customer ``wanted``, or creates one with ``source_id``; gives it, and whether it was found.

    Fields left out stay, unless ``whole`` (CSV import replaces profiles). Metadata merges by top-level key.
    """
    before = project.find(wanted) if wanted else None
    if before is None:
        cust_id = token("cust_", source_id or "", project.serial())
        return project.store({**blank_customer(cust_id, source_id, project.now()), **fields}), False
    kept = before
    if whole:
        kept = {k: v for k, v in before.items() if k not in (*_TEXTS, "address", "metadata")}
        kept = {**kept, "address": None, "metadata": {}}
    change = dict(fields)
    if "metadata" in fields and not project.replaces_metadata:
        change["metadata"] = {**kept["metadata"], **fields["metadata"]}
    return project.store({**kept, **change, "updated_at": project.now()}), True


def _create(project: Project, request: Request) -> Reply:
    body = json_body(request.call, dict)
    fields = checked_fields(body)
    if wrong := wrong_dates(fields):
        raise invalid_payload(wrong)
    source_id = body.get("source_id")
    wanted = body.get("id", "") if project.find(body.get("id", "")) is not None else source_id or ""
    record, found = upsert(project, wanted, source_id, fields)
    project.note(record, "customer.updated" if found else "customer.created", {"customer": record})
    return Reply(200, record)


def _get(project: Project, request: Request) -> Reply:
    return Reply(200, project.customer(request.path("customerId")))


def _update(project: Project, request: Request) -> Reply:
    record = project.customer(request.path("customerId"))
    fields = checked_fields(json_body(request.call, dict))
    if wrong := wrong_dates(fields):
        raise invalid_payload(wrong)
    record, _ = upsert(project, record["id"], None, fields)
    project.note(record, "customer.updated", {"customer": record})
    return Reply(200, record)


def _delete(project: Project, request: Request) -> Reply:
    """Only the profile goes: the vendor's pages on the rest contradict each other, this is the worse reading."""
    record = project.customer(request.path("customerId"))
    project.remove_profile(record)
    project.ghosts.add(record["id"])
    return Reply(204)


# -- permanent deletion -----------------------------------------------------------------------------------------------


def _unnamed_redemption(row: Json) -> Json:
    voucher = {k: v for k, v in row["voucher"].items() if k not in ("holder", "holder_id")}
    return {**row, "customer_id": None, "customer": None, "tracking_id": None, "order": None, "voucher": voucher}


def _unnamed_publication(row: Json) -> Json:
    # Both fields are required and may not be null in the vendor's schema; this is the emptiest that still fits it.
    nobody = {"summary": None, "loyalty": None, "referrals": None, "object": "customer"}
    return {**{k: v for k, v in row.items() if k != "tracking_id"}, "customer_id": "", "customer": nobody}


def _unnamed_voucher(row: Json) -> Json:
    return {k: v for k, v in row.items() if k != "holder_id"}


def _erase(project: Project, request: Request) -> Reply:
    wanted = request.path("customerId")
    record = project.find(wanted)
    cust_id = record["id"] if record is not None else wanted
    if record is None and cust_id not in project.ghosts:
        raise not_found("customer", wanted)
    project.ghosts.discard(cust_id)
    events = project.events.pop(cust_id, [])
    for order in project.orders.of(cust_id):
        project.order_sources.pop(order.get("source_id") or "", None)
    report = {
        "events": sum(e["type"] == "customer.custom_event" for e in events),
        "customer_events": len(events),
        "daily_events": len({e["created_at"][:10] for e in events}),
        "segments": len(project.segments.pop(cust_id, [])),
        "orders": project.orders.drop(cust_id),
        "order_events": sum(e["type"].startswith("customer.order.") for e in events),
        "customer": int(record is not None),
    }
    if record is not None:
        project.remove_profile(record)
    project.redeemables.drop(cust_id)
    project.consents.pop(cust_id, None)
    if not project.keeps_rows_after_deletion:
        project.redemptions.release(cust_id, _unnamed_redemption)
        project.publications.release(cust_id, _unnamed_publication)
        project.vouchers.release(cust_id, _unnamed_voucher)
    answer = {
        "id": token("del_", cust_id, project.serial()),
        "created_at": project.now(),
        "related_object_id": cust_id,
        "related_object": "customer",
        "status": "DONE",
        "data_json": report,
        "object": "pernament_deletion",
    }
    return Reply(200, answer)


# -- list -------------------------------------------------------------------------------------------------------------

_LIST_QUERY = {
    "limit": number(1, 100),
    "page": number(1, 99),
    "email": text,
    "city": text,
    "name": text,
    "segment_id": text,
    "created_at[before]": moment,
    "created_at[after]": moment,
    "updated_at[before]": moment,
    "updated_at[after]": moment,
    "order": any_of("created_at", "-created_at", "updated_at", "-updated_at", "source_id", "-source_id"),
    "starting_after": moment,
}


def _matching(project: Project, query: Mapping[str, Any]) -> Iterable[Json]:
    rows: Iterable[Json] = project.customers.values()
    if "email" in query:
        rows = [project.customers[cust_id] for cust_id in project.by_email.get(query["email"].lower(), ())]
    if "name" in query:
        rows = [r for r in rows if r.get("name") == query["name"]]
    if "city" in query:
        rows = [r for r in rows if (r["address"] or {}).get("city") == query["city"]]
    if "segment_id" in query:
        wanted = query["segment_id"]
        rows = [r for r in rows if any(s["id"] == wanted for s in project.segments.get(r["id"], ()))]
    for field in ("created_at", "updated_at"):
        if before := query.get(f"{field}[before]"):
            rows = [r for r in rows if r.get(field, before) < before]
        if after := query.get(f"{field}[after]"):
            rows = [r for r in rows if r.get(field, after) > after]
    return rows


def _list(project: Project, request: Request) -> Reply:
    query = request.query
    order: str = query.get("order", "-created_at")
    field, down = order.lstrip("-"), order.startswith("-")
    found = sorted(_matching(project, query), key=lambda r: str(r.get(field, "")), reverse=down)
    total = len(found)
    if after := query.get("starting_after"):
        # Strictly later (or earlier): rows that share the time of the page's edge are lost, as at the vendor.
        found = [r for r in found if (r["created_at"] < after if down else r["created_at"] > after)]
    page = list(page_of(found, query))
    seen = (query.get("page", 1) - 1) * query.get("limit", 10) + len(page)
    return Reply(
        200,
        {
            "object": "list",
            "data_ref": "customers",
            "customers": page,
            "total": total,
            "has_more": seen < len(found),
        },
    )


_ONE = "/v1/customers/{customerId}"

CUSTOMER_ROUTES = (
    Route("GET", "/v1/customers", _list, _LIST_QUERY),
    Route("POST", "/v1/customers", _create),
    Route("GET", _ONE, _get),
    Route("PUT", _ONE, _update),
    Route("DELETE", _ONE, _delete),
    Route("POST", f"{_ONE}/permanent-deletion", _erase),
)

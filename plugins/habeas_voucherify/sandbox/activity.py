"""What hangs on one customer: activity, segments, redeemables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from habeas.testing.sandbox import Reply
from habeas_voucherify.sandbox.filters import matching
from habeas_voucherify.sandbox.routing import Route
from habeas_voucherify.sandbox.state import Project
from habeas_voucherify.sandbox.wire import Json, Request, any_of, cursor_page, moment, number, text

__all__ = ["ACTIVITY_ROUTES", "EVENT_TYPES"]

_CAMPAIGN_TYPES = ("PROMOTION", "GIFT_VOUCHERS", "REFERRAL_PROGRAM", "DISCOUNT_COUPONS", "LOYALTY_PROGRAM")
_INTEGRATIONS = ("sms", "email", "activecampaign", "braze", "mailchimp", "intercom", "shopify", "klaviyo", "batch")

EVENT_TYPES = (
    *(f"customer.{what}" for what in ("confirmed", "created", "updated", "deleted", "referred", "custom_event")),
    *(f"customer.segment.{what}" for what in ("entered", "left")),
    *(f"customer.{by}.{what}" for by in _INTEGRATIONS for what in ("sent", "recovered", "failed")),
    *(f"customer.rewarded{what}" for what in ("", ".loyalty_points")),
    *(f"customer.voucher.{what}" for what in ("gift.balance_added", "deleted")),
    *(f"customer.voucher.loyalty_card.points_{what}" for what in ("added", "transferred", "expired")),
    *(f"customer.{what}.{end}" for what in ("publication", "validation") for end in ("succeeded", "failed")),
    *(f"customer.redemption.{what}{end}" for what in ("", "rollback.") for end in ("succeeded", "failed")),
    *(f"customer.order.{what}" for what in ("canceled", "created", "fulfilled", "paid", "processing", "updated")),
    *(f"customer.reward_redemptions.{what}" for what in ("created", "pending", "completed", "rolledback")),
    "customer.loyalty.updated",
    *(f"customer.loyalty.tier.{what}" for what in ("upgraded", "downgraded", "prolonged", "joined", "left")),
    "customer.loyalty.tier.expiration.changed",
)
"""What the ``type`` filter of the activity list takes."""

_ACTIONS = ("customer.custom_event", "customer.order.", "customer.redemption.", "customer.validation.")
"""Beginnings of what a person does; everything else counts as an effect (the vendor gives no list)."""

_ACTIVITY_QUERY = {
    "limit": number(1, 100),
    "order": any_of("created_at", "-created_at"),
    "starting_after_id": text,
    "start_date": moment,
    "end_date": moment,
    "campaign_id": text,
    "campaign_type": any_of(*_CAMPAIGN_TYPES),
    "category": any_of("ACTION", "EFFECT"),
    "type": any_of(*EVENT_TYPES),
}

_OLD_QUERY = {
    **{k: v for k, v in _ACTIVITY_QUERY.items() if k not in ("category", "type")},
    "order": any_of(
        *(
            sign + name
            for name in ("created_at", "updated_at", "type", "code", "campaign", "category")
            for sign in ("", "-")
        )
    ),
    "starting_after": moment,
    "product_id": text,
}

_REDEEMABLES_QUERY = {
    "limit": number(1, 100),
    "order": any_of("id", "-id"),
    "starting_after_id": text,
    "filters": text,
}

_REDEEMABLE_FILTERS = {
    name: name
    for name in (
        "id",
        "created_at",
        "redeemable_id",
        "redeemable_object",
        "holder_role",
        "campaign_id",
        "campaign_type",
        "voucher_type",
    )
}


def _category(event: Json) -> str:
    return "ACTION" if event["type"].startswith(_ACTIONS) else "EFFECT"


def _wanted(events: Sequence[Json], query: Mapping[str, Any]) -> list[Json]:
    down = query.get("order", "-created_at").startswith("-")
    found = list(reversed(events)) if down else list(events)
    if kind := query.get("type"):
        found = [e for e in found if e["type"] == kind]
    if category := query.get("category"):
        found = [e for e in found if _category(e) == category]
    if start := query.get("start_date"):
        found = [e for e in found if e["created_at"] >= start]
    if end := query.get("end_date"):
        found = [e for e in found if e["created_at"] <= end]
    for name, field in (("campaign_id", "id"), ("campaign_type", "campaign_type")):
        if name in query:
            found = [e for e in found if e["data"]["data"].get("campaign", {}).get(field) == query[name]]
    return found


def _activity(project: Project, request: Request) -> Reply:
    record = project.customer(request.path("customerId"))
    rows = _wanted(project.events.get(record["id"], []), request.query)
    return Reply(200, {"object": "list", "data_ref": "data", **cursor_page(rows, request.query)})


def _activities(project: Project, request: Request) -> Reply:
    """The deprecated list. It knows ``starting_after`` (a time) and a total; products are in no event here.

    Its document has neither ``has_more`` nor ``more_starting_after``: whoever reads it counts up to ``total``, which
    is taken here as all that fits the filters, whatever page is asked for.
    """
    record = project.customer(request.path("customerId"))
    query = request.query
    rows = _wanted(project.events.get(record["id"], []), query)
    if "product_id" in query:
        rows = []
    total = len(rows)
    if after := query.get("starting_after"):
        down = query.get("order", "-created_at").startswith("-")
        rows = [e for e in rows if (e["created_at"] < after if down else e["created_at"] > after)]
    return Reply(200, {"object": "list", "data_ref": "data", "data": cursor_page(rows, query)["data"], "total": total})


def _segments(project: Project, request: Request) -> Reply:
    """200 with an empty list also for unknown ids, as the vendor's document has no 404 here."""
    found = project.find(request.path("customerId"))
    rows = project.segments.get(found["id"], []) if found is not None else []
    return Reply(200, {"object": "list", "data_ref": "data", "data": list(rows), "total": len(rows)})


def _redeemables(project: Project, request: Request) -> Reply:
    record = project.customer(request.path("customerId"))
    rows = matching(project.redeemables.of(record["id"]), request.filters, _REDEEMABLE_FILTERS)
    down = request.query.get("order", "-id").startswith("-")
    rows = sorted(rows, key=lambda r: str(r["id"]), reverse=down)
    body = {"object": "list", "data_ref": "data", **cursor_page(rows, request.query), "total": len(rows)}
    return Reply(200, body)


_ONE = "/v1/customers/{customerId}"

ACTIVITY_ROUTES = (
    Route("GET", f"{_ONE}/activity", _activity, _ACTIVITY_QUERY),
    Route("GET", f"{_ONE}/activities", _activities, _OLD_QUERY),
    Route("GET", f"{_ONE}/segments", _segments),
    Route("GET", f"{_ONE}/redeemables", _redeemables, _REDEEMABLES_QUERY),
)

"""Redemptions, publications, vouchers and orders: what outlives a customer, and the orders that do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from habeas.testing.sandbox import Reply
from habeas_voucherify.sandbox.filters import dig, matching
from habeas_voucherify.sandbox.routing import Route
from habeas_voucherify.sandbox.state import Project, Rows
from habeas_voucherify.sandbox.wire import Json, Request, any_of, boolean, moment, not_found, number, page_of, text

__all__ = ["ROW_ROUTES", "VOUCHER_FILTERS"]

_CREATED = {"created_at[before]": moment, "created_at[after]": moment}


def _signed(*names: str) -> tuple[str, ...]:
    return tuple(sign + name for name in names for sign in ("", "-"))


def _rows(project: Project, table: Rows, query: Mapping[str, Any]) -> Sequence[Json]:
    """All rows, or one customer's: none once the customer cannot be resolved."""
    if "customer" not in query:
        return list(table.all.values())
    found = project.find(query["customer"])
    return table.of(found["id"]) if found is not None else []


def _equal(rows: Sequence[Json], query: Mapping[str, Any], paths: Mapping[str, str]) -> Sequence[Json]:
    for name, path in paths.items():
        if name in query:
            wanted = query[name] if isinstance(query[name], list) else [query[name]]
            rows = [row for row in rows if dig(row, path) in wanted]
    return rows


def _between(rows: Sequence[Json], query: Mapping[str, Any], name: str, field: str) -> Sequence[Json]:
    if before := query.get(f"{name}[before]"):
        rows = [row for row in rows if row.get(field, before) < before]
    if after := query.get(f"{name}[after]"):
        rows = [row for row in rows if row.get(field, after) > after]
    return rows


def _listing(ref: str, rows: Sequence[Json], query: Mapping[str, Any], paths: Mapping[str, str]) -> Reply:
    order: str = query.get("order", "-created_at")
    path = paths.get(order.lstrip("-"), order.lstrip("-"))
    ordered = sorted(rows, key=lambda row: str(dig(row, path) or ""), reverse=order.startswith("-"))
    body = {"object": "list", "data_ref": ref, ref: list(page_of(ordered, query)), "total": len(ordered)}
    return Reply(200, body)


# -- redemptions ------------------------------------------------------------------------------------------------------

_REDEMPTION_PATHS = {"created_at": "date", "voucher_code": "voucher.code"}
_REDEMPTION_FILTERS = {
    "voucher_code": "voucher.code",
    "related_object_id": "related_object_id",
    "related_object_parent_id": "voucher.campaign_id",
    "parent_redemption_id": "redemption",
    "failure_code": "failure_code",
    "result": "result",
    "object": "object",
    "customer_id": "customer_id",
    "campaign_name": "voucher.campaign",
    "user_login": "user.login",
}


def _redemptions(project: Project, request: Request) -> Reply:
    query = request.query
    rows = _rows(project, project.redemptions, query)
    rows = _equal(rows, query, {"result": "result", "campaign": "voucher.campaign"})
    rows = matching(_between(rows, query, "created_at", "date"), request.filters, _REDEMPTION_FILTERS)
    return _listing("redemptions", rows, query, _REDEMPTION_PATHS)


def _redemption(project: Project, request: Request) -> Reply:
    wanted = request.path("redemptionId")
    if wanted not in project.redemptions.all:
        raise not_found("redemption", wanted)
    return Reply(200, project.redemptions.all[wanted])


# -- publications -----------------------------------------------------------------------------------------------------

_PUBLICATION_PATHS = {"voucher_code": "voucher.code"}
_PUBLICATION_FILTERS = {
    "failure_code": "failure_code",
    "result": "result",
    "customer_id": "customer_id",
    "campaign_name": "voucher.campaign",
    "is_referral_code": "voucher.is_referral_code",
    "source_id": "source_id",
    "voucher_type": "voucher.type",
    "parent_object_id": "voucher.campaign_id",
    "related_object_id": "voucher.id",
}
_PUBLICATION_EQUAL = {
    "campaign": "voucher.campaign",
    "voucher": "voucher.code",
    "result": "result",
    "is_referral_code": "voucher.is_referral_code",
    "source_id": "source_id",
}


def _publications(project: Project, request: Request) -> Reply:
    query = request.query
    rows = _equal(_rows(project, project.publications, query), query, _PUBLICATION_EQUAL)
    if kind := query.get("voucher_type"):
        rows = [row for row in rows if ("loyalty_card" in row["voucher"]) == (kind == "loyalty")]
    rows = matching(rows, request.filters, _PUBLICATION_FILTERS)
    return _listing("publications", rows, query, _PUBLICATION_PATHS)


# -- vouchers ---------------------------------------------------------------------------------------------------------

VOUCHER_FILTERS = {
    "created_at": "created_at",
    "updated_at": "updated_at",
    "active": "active",
    "start_date": "start_date",
    "expiration_date": "expiration_date",
    "code": "code",
    "vouchers": "id",
    "holder_id": "holder_id",
    "published_for_customer_id": "holder_id",
    "is_referral_code": "is_referral_code",
    "category_ids": "category_id",
}


def _vouchers(project: Project, request: Request) -> Reply:
    query = request.query
    rows = _rows(project, project.vouchers, query)
    rows = _equal(rows, query, {"category": "category", "campaign_id": "campaign_id", "code": "code", "ids": "id"})
    if campaign := query.get("campaign"):
        # The document types this filter as a campaign id and describes a name: either is taken.
        rows = [row for row in rows if campaign in (row["campaign"], row["campaign_id"])]
    rows = _between(_between(rows, query, "created_at", "created_at"), query, "updated_at", "updated_at")
    return _listing("vouchers", matching(rows, request.filters, VOUCHER_FILTERS), query, {})


# -- orders -----------------------------------------------------------------------------------------------------------


def _order(project: Project, request: Request) -> Reply:
    wanted = request.path("orderId")
    found = project.orders.all.get(project.order_sources.get(wanted, wanted))
    if found is None:
        raise not_found("order", wanted)
    return Reply(200, found)


ROW_ROUTES = (
    Route(
        "GET",
        "/v1/redemptions",
        _redemptions,
        {
            "limit": number(1, 100),
            "page": number(1, 99),
            "result": text,
            "campaign": text,
            "customer": text,
            "order": any_of(*_signed("created_at", "id", "voucher_code", "tracking_id", "customer_id")),
            "filters": text,
            **_CREATED,
        },
        ("result",),
    ),
    Route("GET", "/v1/redemptions/{redemptionId}", _redemption),
    Route(
        "GET",
        "/v1/publications",
        _publications,
        {
            "limit": number(1, 100),
            "page": number(1, 100),
            "order": any_of(*_signed("id", "voucher_code", "tracking_id", "customer_id", "created_at", "channel")),
            "campaign": text,
            "customer": text,
            "voucher": text,
            "result": any_of("SUCCESS", "FAILURE"),
            "voucher_type": any_of("discount", "loyalty"),
            "is_referral_code": boolean,
            "filters": text,
            "source_id": text,
        },
    ),
    Route(
        "GET",
        "/v1/vouchers",
        _vouchers,
        {
            "limit": number(1, 100),
            "page": number(1, 99),
            "category": text,
            "campaign_id": text,
            "customer": text,
            "campaign": text,
            "order": any_of(*_signed("created_at", "updated_at", "code")),
            "code": text,
            "ids": text,
            "filters": text,
            "updated_at[before]": moment,
            "updated_at[after]": moment,
            **_CREATED,
        },
        ("ids",),
    ),
    Route("GET", "/v1/orders/{orderId}", _order),
)

"""Exports: ordered by POST, polled by GET, fetched as CSV with the token of ``result.url``, deleted by DELETE."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from habeas.testing.sandbox import Reply, token
from habeas_voucherify.sandbox.filters import dig, matching_body
from habeas_voucherify.sandbox.routing import Route
from habeas_voucherify.sandbox.rows import VOUCHER_FILTERS
from habeas_voucherify.sandbox.state import Project
from habeas_voucherify.sandbox.wire import (
    Json,
    Problem,
    Request,
    any_of,
    invalid_payload,
    json_body,
    not_found,
    number,
    page_of,
    text,
)

__all__ = ["EXPORT_ROUTES"]


@dataclass(frozen=True)
class _Kind:
    """What can be exported of one kind of object."""

    fields: Sequence[str]
    paths: Mapping[str, str]
    """Where a field is found in a row, if not under its own name."""
    order: Sequence[str]
    filters: Mapping[str, str]


def _words(line: str) -> tuple[str, ...]:
    return tuple(line.split())


_REDEMPTION_COUNTS = _words(
    "total_redeemed total_failed total_succeeded total_rolled_back total_rollback_failed total_rollback_succeeded"
)
_ORDER_COUNTS = _words("total_amount total_count average_amount last_order_amount last_order_date")
_ADDRESS = _words("city state line_1 line_2 country postal_code")
_WITH_CUSTOMER = {"customer_source_id": "customer.source_id", "customer_name": "customer.name"}

_KINDS: Mapping[str, _Kind] = {
    "customer": _Kind(
        (
            *_words("name id description email source_id created_at"),
            *(f"address_{name}" for name in _ADDRESS),
            *(f"redemptions_{name}" for name in _REDEMPTION_COUNTS),
            *(f"orders_{name}" for name in _ORDER_COUNTS),
            *_words("loyalty_points loyalty_referred_customers updated_at phone birthday metadata birthdate"),
        ),
        {
            **{f"address_{name}": f"address.{name}" for name in _ADDRESS},
            **{f"redemptions_{name}": f"summary.redemptions.{name}" for name in _REDEMPTION_COUNTS},
            **{f"orders_{name}": f"summary.orders.{name}" for name in _ORDER_COUNTS},
            "loyalty_points": "loyalty.points",
            "loyalty_referred_customers": "loyalty.referred_customers",
        },
        _words("name id email source_id created_at updated_at"),
        {
            **{name: name for name in _words("created_at updated_at email name phone birthday source_id")},
            "city": "address.city",
        },
    ),
    "redemption": _Kind(
        _words(
            "id object date voucher_code campaign promotion_tier_id customer_id customer_source_id customer_name "
            "tracking_id order_id order_amount gift_amount loyalty_points result failure_code failure_message metadata"
        ),
        {
            **_WITH_CUSTOMER,
            "voucher_code": "voucher.code",
            "campaign": "voucher.campaign",
            "order_id": "order.id",
            "order_amount": "order.amount",
            "gift_amount": "gift.amount",
            "loyalty_points": "loyalty_card.points",
        },
        _words("id voucher_code tracking_id customer_id created_at"),
        {
            **{name: name for name in _words("related_object_id failure_code result object customer_id status")},
            "created_at": "date",
            "voucher_code": "voucher.code",
            "campaign_name": "voucher.campaign",
        },
    ),
    "publication": _Kind(
        _words("voucher_code customer_id customer_source_id date channel campaign is_winner metadata"),
        {**_WITH_CUSTOMER, "voucher_code": "voucher.code", "date": "created_at", "campaign": "voucher.campaign"},
        _words("id voucher_code tracking_id customer_id created_at channel"),
        {
            **{name: name for name in _words("created_at failure_code result customer_id source_id")},
            "campaign_name": "voucher.campaign",
        },
    ),
    "voucher": _Kind(
        _words(
            "code voucher_type value formula discount_type campaign category start_date expiration_date gift_balance "
            "loyalty_balance redemption_quantity redemption_count active qr_code bar_code metadata id is_referral_code "
            "created_at updated_at validity_timeframe_interval validity_timeframe_duration validity_day_of_week "
            "discount_amount_limit campaign_id additional_info customer_id discount_effect discount_unit_type "
            "discount_unit_effect validation_rules_id customer_source_id"
        ),
        {
            "voucher_type": "type",
            "value": "discount.percent_off",
            "discount_type": "discount.type",
            "discount_effect": "discount.effect",
            "redemption_quantity": "redemption.quantity",
            "redemption_count": "redemption.redeemed_quantity",
            "customer_id": "holder_id",
        },
        _words("created_at updated_at code"),
        VOUCHER_FILTERS,
    ),
    "order": _Kind(
        _words(
            "id source_id created_at updated_at status amount discount_amount items_discount_amount "
            "total_discount_amount total_amount customer_id referrer_id metadata"
        ),
        {},
        _words("created_at updated_at status"),
        {
            name: name
            for name in _words(
                "created_at updated_at status source_id amount total_amount discount_amount total_discount_amount "
                "items_discount_amount"
            )
        },
    ),
    "points_expiration": _Kind(
        _words("id campaign_id voucher_id points status expires_at"),
        {},
        _words("expires_at"),
        {"campaign_id": "campaign_id", "voucher_id": "voucher_id"},
    ),
    "voucher_transactions": _Kind(
        _words(
            "id campaign_id voucher_id type source_id reason source balance amount related_transaction_id created_at "
            "details"
        ),
        {},
        _words("created_at"),
        {"created_at": "created_at", "campaign_id": "campaign_id", "voucher_id": "voucher_id"},
    ),
}


_USER = token("user_", "sandbox")
"""Described as given for dashboard exports only, yet required and not nullable in the schema of a new export."""


@dataclass
class _Export:
    """One export. Its file is a copy: it outlives the people in it."""

    id: str
    created_at: str
    kind: str
    parameters: Json | None
    host: str
    file: bytes | None = None

    @property
    def token(self) -> str:
        """What the download asks for."""
        return token("", self.id, "download")

    def view(self) -> Json:
        """The vendor's answer."""
        done = self.file is not None
        body: Json = {
            "id": self.id,
            "object": "export",
            "created_at": self.created_at,
            "status": "DONE" if done else "SCHEDULED",
            "channel": "API",
            "exported_object": self.kind,
            "result": {"url": f"http://{self.host}/v1/exports/{self.id}?token={self.token}"} if done else None,
            "user_id": _USER,
        }
        if self.parameters is not None:
            body["parameters"] = self.parameters
        return body


def _source(project: Project, kind: str) -> Sequence[Json]:
    tables: Mapping[str, Mapping[str, Json]] = {
        "customer": project.customers,
        "redemption": project.redemptions.all,
        "publication": project.publications.all,
        "voucher": project.vouchers.all,
        "order": project.orders.all,
    }
    # No points expire and no voucher has transactions in this project: those two exports are empty.
    return list(tables.get(kind, {}).values())


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list | bool) else str(value)


def _write(project: Project, export: _Export) -> None:
    kind, parameters = _KINDS[export.kind], export.parameters or {}
    rows = matching_body(_source(project, export.kind), parameters.get("filters", {}), kind.filters)
    order: str = parameters.get("order", "")
    if order:
        path = kind.filters.get(order.lstrip("-"), order.lstrip("-"))
        rows.sort(key=lambda row: str(dig(row, path) or ""), reverse=order.startswith("-"))
    fields: Sequence[str] = parameters.get("fields") or kind.fields
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(fields)
    writer.writerows([_cell(dig(row, kind.paths.get(name, name))) for name in fields] for row in rows)
    export.file = out.getvalue().encode()


def _checked(body: Mapping[str, Any]) -> tuple[str, Json | None]:
    name, parameters = body.get("exported_object"), body.get("parameters")
    if not isinstance(name, str) or name not in _KINDS:
        allowed = ", ".join(_KINDS)
        raise invalid_payload(f"Property .exported_object should be equal to one of the allowed values [ {allowed} ]")
    if parameters is None:
        return name, None
    if not isinstance(parameters, dict):
        raise invalid_payload("Property .parameters should be object")
    kind = _KINDS[name]
    fields = parameters.get("fields", [])
    if not isinstance(fields, list) or not all(isinstance(field, str) for field in fields):
        raise invalid_payload("Property .parameters.fields should be array of strings")
    if set(fields) - set(kind.fields):
        details = f"Unsupported field used. Allowed fields: {', '.join(kind.fields)}"
        raise Problem(400, "invalid_export_fields", "Invalid Export", details)
    order = parameters.get("order", kind.order[0])
    if not isinstance(order, str) or order.removeprefix("-") not in kind.order:
        raise invalid_payload("Property .parameters.order should be equal to one of the allowed values")
    filters = parameters.get("filters", {})
    if not isinstance(filters, dict):
        raise invalid_payload("Property .parameters.filters should be object")
    try:
        matching_body((), filters, kind.filters)
    except Problem as problem:
        raise invalid_payload(problem.details) from None
    return name, parameters


def _create(project: Project, request: Request) -> Reply:
    name, parameters = _checked(json_body(request.call, dict))
    host = request.call.headers.get("host", "localhost")
    export = _Export(token("exp_", project.serial()), project.now(), name, parameters, host)
    project.exports[export.id] = export
    project.later(partial(_write, project, export))
    return Reply(200, export.view())


def _list(project: Project, request: Request) -> Reply:
    order: str = request.query.get("order", "-created_at")
    rows: list[Json] = [export.view() for export in project.exports.values()]
    rows.sort(key=lambda row: str(row[order.lstrip("-")]), reverse=order.startswith("-"))
    page = list(page_of(rows, request.query))
    return Reply(200, {"object": "list", "data_ref": "exports", "exports": page, "total": len(rows)})


def _found(project: Project, request: Request) -> _Export:
    wanted = request.path("exportId")
    export: _Export | None = project.exports.get(wanted)
    if export is None:
        raise not_found("export", wanted)
    return export


def _get(project: Project, request: Request) -> Reply:
    """The export; with ``token`` its file, which the vendor serves on a host of its own under the same path."""
    export = _found(project, request)
    if "token" not in request.query:
        return Reply(200, export.view())
    if request.query["token"] != export.token or export.file is None:
        raise Problem(401, "unauthorized", "Unauthorized")
    return Reply(200, headers={"Content-Type": "text/plain; charset=utf-8"}, body=export.file)


def _delete(project: Project, request: Request) -> Reply:
    del project.exports[_found(project, request).id]
    return Reply(204)


EXPORT_ROUTES = (
    Route("POST", "/v1/exports", _create),
    Route(
        "GET",
        "/v1/exports",
        _list,
        {
            "limit": number(1, 100),
            "page": number(1, 100),
            "order": any_of("created_at", "-created_at", "status", "-status"),
        },
    ),
    Route("GET", "/v1/exports/{exportId}", _get, {"token": text}),
    Route("DELETE", "/v1/exports/{exportId}", _delete),
)

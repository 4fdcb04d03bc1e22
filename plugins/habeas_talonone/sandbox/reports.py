"""Management API: figures, CSV files and the access log. Only the ManagementKey opens it."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

from habeas.testing.sandbox import Reply
from habeas_talonone.sandbox.activity import Session
from habeas_talonone.sandbox.entities import stamp
from habeas_talonone.sandbox.intake import Param, Refused, Request, between, page, when
from habeas_talonone.sandbox.management import CREATED, STATES, customer, read, texts
from habeas_talonone.sandbox.operations import PAGING, SORTED
from habeas_talonone.sandbox.state import Access, State

__all__ = ["OPERATIONS"]

Json = dict[str, Any]


def analytics(state: State, request: Request) -> Reply:
    """Get customer's analytics."""
    profile = customer(state, request)
    closed = [s for s in state.sessions_of.get(profile.integration_id, {}).values() if s.state == "closed"]
    used = sum(c.used.get(profile.integration_id, 0) for c in state.coupons_of.get(profile.integration_id, {}).values())
    body = {"acceptedCoupons": used, "createdCoupons": 0, "freeItems": 0, "totalOrders": len(closed)}
    revenue = round(sum(session.total for session in closed), 2)
    return Reply(200, body | {"totalDiscountedOrders": 0, "totalRevenue": revenue, "totalDiscounts": 0})


def activity_report(state: State, request: Request) -> Reply:
    """Get customer's activity report of a time range."""
    profile, query = customer(state, request), request.query
    closed = [
        session
        for session in state.sessions_of.get(profile.integration_id, {}).values()
        if session.state == "closed" and query["rangeStart"] <= session.created <= query["rangeEnd"]
    ]
    body = {
        "integrationId": profile.integration_id,
        "created": stamp(profile.created),
        "name": str(profile.attributes.get("Name", "")),
        "customerId": profile.id,
        "lastActivity": stamp(profile.last_activity),
        "couponRedemptions": 0,
        "couponUseAttempts": sum(len(session.coupon_codes) for session in closed),
        "couponFailedAttempts": 0,
        "accruedDiscounts": 0,
        "accruedRevenue": round(sum(session.total for session in closed), 2),
        "totalOrders": len(closed),
        "totalOrdersNoCoupon": sum(not session.coupon_codes for session in closed),
        "campaignName": next(iter(state.campaigns.values()), ""),
    }
    return Reply(200, body)


_COLUMNS = (
    "id", "firstsession", "integrationid", "applicationid", "profileid", "profileintegrationid", "created", "state",
    "cartitems", "discounts", "total", "attributes", "closedat", "cancelledat", "referral", "identifiers",
    "additional_costs", "updated", "store_integration_id", "coupons",
)  # fmt: skip
_NEVER = "0001-01-01T00:00:00Z"


def _csv_row(state: State, session: Session) -> tuple[object, ...]:
    profile, row = state.profiles.get(session.profile_id), session.json()
    closed = row["updated"] if session.state == "closed" else _NEVER
    cancelled = row["updated"] if session.state == "cancelled" else _NEVER
    return (
        session.id, str(session.first).lower(), session.integration_id, row["applicationId"],
        profile.id if profile else "", session.profile_id, row["created"], session.state,
        json.dumps(row["cartItems"]), "{}", f"{session.total:.2f}", json.dumps(row["attributes"]), closed, cancelled,
        session.referral_code, json.dumps(row["identifiers"]), json.dumps(row["additionalCosts"]), row["updated"],
        session.store or "", json.dumps(row["couponCodes"]),
    )  # fmt: skip


def export_sessions(state: State, request: Request) -> Reply:
    """Export customer sessions, a CSV file."""
    query, out = request.query, io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    asked = query["profileIntegrationId"]
    pool = state.sessions_by_id if asked is None else state.sessions_of.get(asked, {})
    for session in pool.values():
        if (
            query["customerSessionState"] in (None, session.state)
            and between(session.created, query, "created")
            and between(session.updated, query, "updated")
        ):
            writer.writerow(_csv_row(state, session))
    return Reply(200, headers={"Content-Type": "application/csv"}, body=out.getvalue().encode())


def access_logs(state: State, request: Request) -> Reply:
    """Get access logs: the calls to the Integration API, with what was sent and answered."""
    query = request.query
    try:
        path = re.compile(query["path"] or "")
    except re.error:
        raise Refused(400, "Invalid query parameter", "not a regular expression", {"parameter": "path"}) from None
    rows = [
        entry
        for entry in state.access
        if query["rangeStart"] <= entry.at <= query["rangeEnd"]
        and path.search(entry.call.target)
        and query["method"] in (None, entry.call.method.lower())
        and query["status"] in (None, "success" if entry.reply.status < 400 else "error")
    ]
    return Reply(200, page(rows, query, _access_json))


def _access_json(entry: Access) -> Json:
    return {
        "uuid": State.uuid(entry.number),
        "status": entry.reply.status,
        "method": entry.call.method,
        "requestUri": entry.call.target,
        "time": stamp(entry.at),
        "requestPayload": entry.call.body.decode("utf-8", "replace"),
        "responsePayload": entry.reply.encoded().decode("utf-8", "replace"),
    }


_RANGE = when("rangeStart", required=True) | when("rangeEnd", required=True)
_APPLICATION = "/v1/applications/{applicationId}"

OPERATIONS = (
    read(_APPLICATION + "/customers/{customerId}/analytics", analytics, SORTED),
    read(_APPLICATION + "/customer_activity_reports/{customerId}", activity_report, PAGING | _RANGE),
    read(
        _APPLICATION + "/export_customer_sessions",
        export_sessions,
        CREATED
        | when("updatedBefore")
        | when("updatedAfter")
        | texts("profileIntegrationId")
        | {"dateFormat": Param(choices=("excel", "ISO8601")), "customerSessionState": Param(choices=STATES)},
    ),
    read(
        _APPLICATION + "/access_logs/no_total",
        access_logs,
        SORTED
        | _RANGE
        | texts("path")
        | {
            "method": Param(choices=("get", "put", "post", "delete", "patch")),
            "status": Param(choices=("success", "error")),
        },
    ),
)

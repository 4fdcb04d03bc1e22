"""Coupons and referrals: reservations (Integration API), search and deletion (Management API)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from habeas.testing.sandbox import Reply, token
from habeas_talonone.sandbox.entities import Coupon, Referral
from habeas_talonone.sandbox.intake import (
    Param,
    Refused,
    Request,
    between,
    items,
    mapping,
    moment,
    number,
    obj,
    page,
    text,
    when,
    whole,
)
from habeas_talonone.sandbox.operations import ATTRIBUTES, INTEGRATION_ID, SORTED, Operation, check_attributes, flags
from habeas_talonone.sandbox.state import State

__all__ = ["OPERATIONS"]


def _coupon(state: State, request: Request) -> Coupon:
    found = state.coupons.get(request.path["couponValue"])
    if found is None:
        raise Refused(404, "Not found", "the coupon does not exist")
    return found


def reserve(state: State, request: Request) -> Reply:
    """Create coupon reservation: for existing profiles only, over any reservation limit."""
    coupon, people = _coupon(state, request), request.body["integrationIDs"]
    if not coupon.shared and len({*coupon.reserved, *people}) > 1:
        raise Refused(400, "Invalid body", "a personal code is for one profile", {"pointer": "/integrationIDs"})
    for who in people:
        state.profile(who)
    for who in people:
        state.reserve(coupon, who)
    return Reply(201, coupon.json())


def unreserve(state: State, request: Request) -> Reply:
    """Delete coupon reservations: body on DELETE. Ending one that is not there is no error; a stranger is."""
    coupon, people = _coupon(state, request), request.body["integrationIDs"]
    for who in people:
        if who not in coupon.reserved:
            state.profile(who)
    for who in people:
        state.unreserve(coupon, who)
    return Reply(204)


def reserved(state: State, request: Request) -> Reply:
    """List customers that have this coupon reserved; someone erased shows as a bare id while the reservation lasts."""
    rows = [state.profile_json(state.listed(who)) for who in _coupon(state, request).reserved]
    return Reply(200, {"totalResultSize": len(rows), "data": rows})


def create_referral(state: State, request: Request) -> Reply:
    """Create referral: for an existing advocate; documents no 404, so a stranger is 400."""
    body, at = request.body, state.next_id()
    if body["campaignId"] not in state.campaigns:
        raise Refused(400, "Invalid body", "unknown campaign", {"pointer": "/campaignId"})
    if body["advocateProfileIntegrationId"] not in state.profiles:
        raise Refused(400, "Invalid body", "unknown profile", {"pointer": "/advocateProfileIntegrationId"})
    check_attributes(state, body.get("attributes", {}), "/attributes")
    referral = Referral(
        at,
        token("REF", at).upper()[:12],
        body["campaignId"],
        state.now(),
        body["advocateProfileIntegrationId"],
        body.get("friendProfileIntegrationId"),
        body.get("attributes", {}),
        body.get("usageLimit", 0),
        body.get("startDate"),
        body.get("expiryDate"),
    )
    return Reply(201, state.add_referral(referral).json())


def _wanted(state: State, referral: Referral, query: Mapping[str, Any]) -> bool:
    now = state.now()
    if referral.expires is not None and moment(referral.expires) <= now:
        validity = "expired"
    else:
        validity = "validFuture" if referral.starts is not None and moment(referral.starts) > now else "validNow"
    usable = validity == "validNow" and not (referral.usage_limit and len(referral.referred) >= referral.usage_limit)
    return (
        between(referral.created, query)
        and query["code"] in (None, referral.code)
        and query["advocate"] in (None, referral.advocate)
        and query["valid"] in (None, validity)
        and query["usable"] in (None, str(usable).lower())
    )


def list_referrals(state: State, request: Request) -> Reply:
    """List referrals of a campaign."""
    _campaign(state, request)
    rows = [
        referral
        for referral in state.referrals.values()
        if referral.campaign == request.path["campaignId"] and _wanted(state, referral, request.query)
    ]
    return Reply(200, page(rows, request.query, Referral.json))


def _campaign(state: State, request: Request) -> None:
    if request.path["campaignId"] not in state.campaigns:
        raise Refused(404, "Not found", "the campaign does not exist")


def delete_referral(state: State, request: Request) -> Reply:
    """Delete referral: the code and what it says about friends is gone."""
    _campaign(state, request)
    sent = request.path["referralId"]
    found = state.referrals.get(int(sent)) if sent.isascii() and sent.isdigit() and len(sent) < 16 else None
    if found is None or found.campaign != request.path["campaignId"]:
        raise Refused(404, "Not found", "the referral does not exist")
    del state.referrals[found.id]
    state.referrals_of.get(found.advocate, {}).pop(found.id, None)
    for friend, _, _ in found.referred:
        if state.advocate_of.get(friend) is found:
            del state.advocate_of[friend]
    return Reply(204)


def search_coupons(state: State, request: Request) -> Reply:
    """List coupons of the Application: every attribute in the body must match, and every filter in the query."""
    query, now = request.query, state.now()
    asked = query["value"]

    def wanted(coupon: Coupon) -> bool:
        return (
            all(coupon.attributes.get(name) == value for name, value in request.body.items())
            and (asked is None or (coupon.value == asked if query["exactMatch"] else asked in coupon.value))
            and between(coupon.created, query)
            and query["valid"] in (None, coupon.validity(now))
            and query["usable"] in (None, str(coupon.usable(now)).lower())
            and query["recipientIntegrationId"] in (None, coupon.recipient)
            and query["batchId"] in (None, coupon.batch)
            and query["referralId"] is None
            and query["campaignState"] in (None, "enabled", "running")
        )

    return Reply(200, page([c for c in state.coupons.values() if wanted(c)], query, Coupon.json))


_RESERVATION = obj({"integrationIDs": items(INTEGRATION_ID, 1000)}, required=("integrationIDs",))
_CREATED = when("createdBefore") | when("createdAfter")
_STANDING = {
    "valid": Param(choices=("expired", "validNow", "validFuture")),
    "usable": Param(choices=("true", "false")),
}
_CAMPAIGN_STATES = ("enabled", "disabled", "archived", "scheduled", "running", "expired", "staged")
_REFERRALS = "/v1/applications/{applicationId}/campaigns/{campaignId}/referrals"

OPERATIONS = (
    Operation("POST", "/v1/coupon_reservations/{couponValue}", reserve, body=_RESERVATION),
    Operation("DELETE", "/v1/coupon_reservations/{couponValue}", unreserve, body=_RESERVATION),
    Operation("GET", "/v1/coupon_reservations/customerprofiles/{couponValue}", reserved),
    Operation(
        "POST",
        "/v1/referrals",
        create_referral,
        body=obj(
            {
                "campaignId": number(integer=True),
                "advocateProfileIntegrationId": INTEGRATION_ID,
                "friendProfileIntegrationId": text(),
                "attributes": ATTRIBUTES,
                "startDate": text(time=True),
                "expiryDate": text(time=True),
                "usageLimit": number(0, 999_999, integer=True),
            },
            required=("campaignId", "advocateProfileIntegrationId"),
        ),
    ),
    Operation(
        "POST",
        "/v1/applications/{applicationId}/coupons_search_advanced/no_total",
        search_coupons,
        SORTED
        | _CREATED
        | _STANDING
        | flags("exactMatch")
        | {
            "value": Param(),
            "referralId": whole(),
            "recipientIntegrationId": Param(),
            "batchId": Param(),
            "campaignState": Param(choices=_CAMPAIGN_STATES),
        },
        mapping(),
        api="management",
    ),
    Operation(
        "GET",
        _REFERRALS + "/no_total",
        list_referrals,
        SORTED | _CREATED | _STANDING | {"code": Param(), "advocate": Param()},
        api="management",
    ),
    Operation("DELETE", _REFERRALS + "/{referralId}", delete_referral, api="management"),
)

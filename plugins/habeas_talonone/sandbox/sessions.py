"""Integration API, sessions and events: every write creates the person it names where missing."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from habeas.testing.sandbox import Reply
from habeas_talonone.sandbox.activity import Event, Session
from habeas_talonone.sandbox.entities import Profile
from habeas_talonone.sandbox.intake import Refused, Request, items, mapping, number, obj, text, when
from habeas_talonone.sandbox.operations import (
    ATTRIBUTES,
    CAMPAIGN_IDS,
    DRY,
    INTEGRATION_ID,
    SILENT,
    Operation,
    check_attributes,
    flags,
)
from habeas_talonone.sandbox.profiles import RESPONSE_CONTENT, answer, draft
from habeas_talonone.sandbox.state import State

__all__ = ["OPERATIONS", "change_session", "check_cart", "session_profile"]

Json = dict[str, Any]

_MOVES = {
    "new": {"open", "closed"},
    "open": {"open", "closed", "cancelled"},
    "closed": {"closed", "cancelled"},
    "partially_returned": {"partially_returned", "cancelled"},
    "cancelled": {"cancelled"},
}
"""State transitions a PUT may make."""


def check_cart(state: State, items_: Sequence[Json], at: str) -> None:
    """Refuses unknown attributes on items."""
    for n, item in enumerate(items_):
        check_attributes(state, item.get("attributes", {}), f"{at}/cartItems/{n}/attributes")


def change_session(session: Session, changes: Json, now: float, at: str) -> None:
    """Writes the given fields; those left out stay. Raises :class:`Refused` (400) for an impossible state."""
    wanted = changes.get("state", session.state)
    if wanted not in _MOVES[session.state if session.updates else "new"]:
        raise Refused(
            400, "Invalid state transition", "not possible from the present state", {"pointer": f"{at}/state"}
        )
    session.state, session.updates = wanted, session.updates + 1
    session.cart_items = changes.get("cartItems", session.cart_items)
    session.attributes = session.attributes | changes.get("attributes", {})
    session.coupon_codes = changes.get("couponCodes", session.coupon_codes)
    session.referral_code = changes.get("referralCode", session.referral_code)
    session.store = changes.get("storeIntegrationId", session.store)
    session.loyalty_cards = changes.get("loyaltyCards", session.loyalty_cards)
    session.identifiers = changes.get("identifiers", session.identifiers)
    session.additional_costs = changes.get("additionalCosts", session.additional_costs)
    session.experiments = changes.get("experimentVariantAllocations", session.experiments)
    session.updated = now


def session_profile(state: State, profile_id: str, dry: bool) -> Profile:
    """The profile a session or event names: created where missing, a stand-in for nobody and for dry runs."""
    if not profile_id:
        return state.listed("")
    return draft(state, profile_id) if dry else state.upsert(profile_id)


def put_session(state: State, request: Request) -> Reply:
    """Update customer session: creates the session and the profile it names."""
    changes, dry = request.body["customerSession"], request.query["dry"]
    at, now = "/customerSession", state.now()
    if request.query["now"] is not None and (not dry or request.query["now"] <= now):
        raise Refused(400, "Invalid query parameter", "needs dry=true and a date to come", {"parameter": "now"})
    check_attributes(state, changes.get("attributes", {}), f"{at}/attributes")
    check_cart(state, changes.get("cartItems", []), at)
    for n, identifier in enumerate(changes.get("loyaltyCards", [])):
        if not any((program, identifier) in state.cards for program in state.programs):
            raise Refused(400, "Invalid body", "unknown loyalty card", {"pointer": f"{at}/loyaltyCards/{n}"})
    name = request.path["customerSessionId"]
    known = state.sessions.get(name)
    session = deepcopy(known) if known else Session(state.next_id(), name, now, updated=now)
    change_session(session, changes, now, at)
    who = changes.get("profileId", session.profile_id)
    profile = session_profile(state, who, dry)
    if known is None and who:
        session.first = not state.sessions_of.get(who)
    if dry:
        session.profile_id = who
    else:
        profile.last_activity = now
        state.link_session(session, who)
    event = Event(state.next_id(), "talon_session_updated", now, who, session=name)
    content = request.body.get("responseContent", [])
    return Reply(200, answer(state, content, profile, event) | _session_parts(state, content, session, profile))


def _session_parts(state: State, content: Sequence[str], session: Session, profile: Profile) -> Json:
    parts: Json = {}
    if "customerSession" in content:
        parts["customerSession"] = session.json()
    if "coupons" in content:
        coupons = [state.coupons[code] for code in session.coupon_codes if code in state.coupons]
        parts["coupons"] = [coupon.held_by(profile.integration_id, state.now()) for coupon in coupons]
    if "referral" in content:
        referral = next((r for r in state.referrals.values() if r.code == session.referral_code), None)
        parts |= {} if referral is None else {"referral": referral.in_inventory()}
    if "previousReturns" in content:
        parts["previousReturns"] = []
    return parts


def get_session(state: State, request: Request) -> Reply:
    """Get customer session. An unknown one is 404; the documents name no answer for it."""
    session = state.sessions.get(request.path["customerSessionId"])
    if session is None:
        raise Refused(404, "Not found", "the customer session does not exist")
    return Reply(200, {"customerSession": session.json(), "effects": []})


def _checked_event(state: State, request: Request) -> Json:
    body: Json = request.body
    if request.query["forceCompleteEvaluation"] and not request.query["dry"]:
        raise Refused(400, "Invalid query parameter", "needs dry=true", {"parameter": "forceCompleteEvaluation"})
    check_attributes(state, body.get("attributes", {}), "/attributes")
    return body


def _event(state: State, request: Request, session: str, integration_id: str | None) -> tuple[Event, Profile]:
    body, dry = request.body, request.query["dry"]
    profile = session_profile(state, body["profileId"], dry)
    event = Event(
        state.next_id(),
        body["type"],
        state.now(),
        body["profileId"],
        body.get("attributes", {}),
        session,
        body.get("storeIntegrationId"),
        integration_id,
    )
    if not dry:
        state.add_event(event)
        profile.last_activity = event.created
    return event, profile


def post_event(state: State, request: Request) -> Reply:
    """Track event (V2): ``silent`` answers 204 unless it is ``no``."""
    body = _checked_event(state, request)
    event, profile = _event(state, request, "", None)
    if request.query["silent"] == "yes":
        return Reply(204)
    return Reply(200, answer(state, body.get("responseContent", []), profile, event))


def post_advanced_event(state: State, request: Request) -> Reply:
    """Track advanced event (V3): its own id is taken once. Only 200 is documented, whatever ``silent`` says."""
    body = _checked_event(state, request)
    connected = body.get("connectedSessionId", "")
    if connected and connected not in state.sessions:
        raise Refused(400, "Invalid body", "unknown session", {"pointer": "/connectedSessionId"})
    if body["integrationId"] in state.advanced_events:
        raise Refused(409, "Conflict", "an advanced event with this id already exists", {"pointer": "/integrationId"})
    event, profile = _event(state, request, connected, body["integrationId"])
    content = body.get("responseContent", [])
    extra = {"advancedEvent": event.advanced()} if "advancedEvent" in content else {}
    return Reply(200, answer(state, content, profile, event) | extra)


def get_advanced_event(state: State, request: Request) -> Reply:
    """Get advanced event: the id in the path is the event's own."""
    event = state.advanced_events.get(request.path["integrationId"])
    if event is None:
        raise Refused(404, "Not found", "the advanced event does not exist")
    return Reply(200, event.advanced())


_NUMBER, _WHOLE = number(), number(integer=True)
_COSTS = mapping(obj({"price": _NUMBER}, required=("price",)))
_TIME = text(time=True)

_CART_ITEM = obj(
    {
        "name": text(),
        "sku": text(1),
        "quantity": number(1, integer=True),
        "returnedQuantity": _WHOLE,
        "remainingQuantity": _WHOLE,
        "price": _NUMBER,
        "category": text(),
        "product": obj({"name": text()}, required=("name",)),
        "weight": _NUMBER,
        "height": _NUMBER,
        "width": _NUMBER,
        "length": _NUMBER,
        "position": _NUMBER,
        "attributes": ATTRIBUTES,
        "additionalCosts": _COSTS,
        "catalogItemID": _WHOLE,
        "selectedPriceType": text(),
        "adjustmentReferenceId": text(),
        "adjustmentEffectiveFrom": _TIME,
        "adjustmentEffectiveUntil": _TIME,
        "prices": mapping(mapping()),
    },
    required=("sku", "quantity"),
)

_SESSION = obj(
    {
        "profileId": text(0, 1000),
        "storeIntegrationId": INTEGRATION_ID,
        "evaluableCampaignIds": CAMPAIGN_IDS,
        "couponCodes": items(text(0, 100)),
        "referralCode": text(0, 100),
        "loyaltyCards": items(text(), 1),
        "state": text(choices=("open", "closed", "partially_returned", "cancelled")),
        "cartItems": items(_CART_ITEM, 1000),
        "experimentVariantAllocations": items(
            obj({"experimentID": _WHOLE, "variantID": _WHOLE}, required=("experimentID", "variantID"))
        ),
        "additionalCosts": _COSTS,
        "identifiers": items(text(), 5),
        "attributes": ATTRIBUTES,
    }
)

_SESSION_CONTENT = (*RESPONSE_CONTENT, "customerSession", "coupons", "referral", "previousReturns")
_ADVANCED_CONTENT = (
    "customerProfile", "triggeredCampaigns", "loyalty", "advancedEvent", "awardedGiveaways", "ruleFailureReasons",
)  # fmt: skip
_EVENT = {
    "profileId": INTEGRATION_ID,
    "type": text(1),
    "attributes": ATTRIBUTES,
    "storeIntegrationId": INTEGRATION_ID,
    "evaluableCampaignIds": CAMPAIGN_IDS,
    "loyaltyCards": items(text(), 1),
}

OPERATIONS = (
    Operation(
        "PUT",
        "/v2/customer_sessions/{customerSessionId}",
        put_session,
        DRY | when("now"),
        obj(
            {"customerSession": _SESSION, "responseContent": items(text(choices=_SESSION_CONTENT))},
            required=("customerSession",),
        ),
        idempotent=True,
    ),
    Operation("GET", "/v2/customer_sessions/{customerSessionId}", get_session),
    Operation(
        "POST",
        "/v2/events",
        post_event,
        SILENT | flags("dry", "forceCompleteEvaluation"),
        obj(
            _EVENT | {"responseContent": items(text(choices=RESPONSE_CONTENT))},
            required=("profileId", "type"),
        ),
        idempotent=True,
    ),
    Operation(
        "POST",
        "/v3/events",
        post_advanced_event,
        SILENT | flags("dry", "forceCompleteEvaluation"),
        obj(
            _EVENT
            | {
                "integrationId": text(1),
                "connectedSessionId": text(1),
                "responseContent": items(text(choices=_ADVANCED_CONTENT)),
            },
            required=("profileId", "type", "integrationId"),
        ),
    ),
    Operation("GET", "/v3/events/{integrationId}", get_advanced_event),
)

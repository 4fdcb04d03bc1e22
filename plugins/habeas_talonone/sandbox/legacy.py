"""The three V1 writes, gone from the vendor's documents since 2021 to 2023 but never switched off in writing."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from habeas.testing.sandbox import Reply
from habeas_talonone.sandbox.activity import Event, Session
from habeas_talonone.sandbox.entities import APPLICATION, Profile, stamp
from habeas_talonone.sandbox.intake import Refused, Request, items, number, obj, text
from habeas_talonone.sandbox.operations import ATTRIBUTES, DRY, Operation, check_attributes
from habeas_talonone.sandbox.profiles import draft
from habeas_talonone.sandbox.sessions import change_session, check_cart, session_profile
from habeas_talonone.sandbox.state import State

__all__ = ["OPERATIONS"]

Json = dict[str, Any]


def _session_json(session: Session) -> Json:
    return {
        "integrationId": session.integration_id,
        "created": stamp(session.created),
        "applicationId": APPLICATION,
        "profileId": session.profile_id,
        "coupon": session.coupon_codes[0] if session.coupon_codes else "",
        "referral": session.referral_code,
        "state": session.state,
        "cartItems": [{"name": item["sku"], "price": 0} | item for item in session.cart_items],
        "identifiers": list(session.identifiers),
        "total": session.total,
        "attributes": dict(session.attributes),
        "firstSession": session.first,
        "discounts": {},
    }


def _profile_json(state: State, profile: Profile) -> Json:
    """As the V1 document shows a profile: without its internal id, and without ``sandbox``."""
    shown = state.profile_json(profile)
    return {name: value for name, value in shown.items() if name not in ("id", "sandbox")}


def _answer(state: State, profile: Profile, session: Session, event: Event) -> Json:
    return {
        "session": _session_json(session),
        "profile": _profile_json(state, profile),
        "event": event.json(),
        "loyalty": {"programs": state.loyalty_json(profile)["programs"]},
    }


def put_profile(state: State, request: Request) -> Reply:
    """Update customer profile (V1): an upsert as well; answers with an empty session."""
    who, attributes, now = request.path["integrationId"], request.body.get("attributes", {}), state.now()
    check_attributes(state, attributes, "/attributes")
    if request.query["dry"]:
        profile = draft(state, who)
        profile.attributes |= attributes
    else:
        profile = state.upsert(who)
        state.set_attributes(profile, attributes)
        profile.last_activity = now
    session = Session(state.next_id(), "", now, who, updated=now)
    event = Event(state.next_id(), "talon_customer_profile_updated", now, who)
    return Reply(200, _answer(state, profile, session, event))


def put_session(state: State, request: Request) -> Reply:
    """Update customer session (V1): creates the session and the profile it names."""
    body, name, now = request.body, request.path["customerSessionId"], state.now()
    check_attributes(state, body.get("attributes", {}), "/attributes")
    check_cart(state, body.get("cartItems", []), "")
    session = _opened(state, name)
    change_session(session, _as_v2(body), now, "")
    who = body.get("profileId", session.profile_id)
    profile = session_profile(state, who, request.query["dry"])
    if request.query["dry"]:
        session.profile_id = who
    else:
        state.link_session(session, who)
    event = Event(state.next_id(), "talon_session_updated", now, who, session=name)
    return Reply(200, _answer(state, profile, session, event))


def _opened(state: State, name: str) -> Session:
    known = state.sessions.get(name)
    return deepcopy(known) if known else Session(state.next_id(), name, state.now(), updated=state.now())


def _as_v2(body: Json) -> Json:
    changes: Json = {name: body[name] for name in ("state", "cartItems", "attributes", "identifiers") if name in body}
    if "coupon" in body:
        changes["couponCodes"] = [body["coupon"]] if body["coupon"] else []
    if "referral" in body:
        changes["referralCode"] = body["referral"]
    return changes


def post_event(state: State, request: Request) -> Reply:
    """Track event (V1): always part of a session, which must belong to the same profile."""
    body, dry, now = request.body, request.query["dry"], state.now()
    check_attributes(state, body["attributes"], "/attributes")
    known, who = state.sessions.get(body["sessionId"]), body.get("profileId", "")
    if known is not None and known.profile_id != who:
        raise Refused(400, "Invalid body", "the session belongs to another profile", {"pointer": "/profileId"})
    profile = session_profile(state, who, dry)
    session = known or Session(state.next_id(), body["sessionId"], now, who, updated=now)
    event = Event(state.next_id(), body["type"], now, who, body["attributes"], body["sessionId"])
    if not dry:
        state.link_session(session, who)
        state.add_event(event)
        profile.last_activity = now
    return Reply(201, _answer(state, profile, session, event))


_CART_ITEM = obj(
    {
        "name": text(1),
        "sku": text(1),
        "quantity": number(1, integer=True),
        "price": number(),
        "category": text(),
        "weight": number(),
        "height": number(),
        "width": number(),
        "length": number(),
        "position": number(),
        "attributes": ATTRIBUTES,
    },
    required=("name", "sku", "quantity", "price"),
)

OPERATIONS = (
    Operation(
        "POST",
        "/v1/events",
        post_event,
        DRY,
        obj(
            {"profileId": text(0, 1000), "type": text(1), "attributes": ATTRIBUTES, "sessionId": text(1)},
            required=("type", "attributes", "sessionId"),
        ),
    ),
    Operation("PUT", "/v1/customer_profiles/{integrationId}", put_profile, DRY, obj({"attributes": ATTRIBUTES})),
    Operation(
        "PUT",
        "/v1/customer_sessions/{customerSessionId}",
        put_session,
        DRY,
        obj(
            {
                "profileId": text(0, 1000),
                "coupon": text(),
                "referral": text(),
                "state": text(choices=("open", "closed", "cancelled")),
                "cartItems": items(_CART_ITEM),
                "identifiers": items(text(), 5),
                "total": number(),
                "attributes": ATTRIBUTES,
            }
        ),
    ),
)

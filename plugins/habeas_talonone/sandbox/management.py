"""Management API: people, their sessions and events, reports and logs. Only the ManagementKey opens it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from habeas.testing.sandbox import Reply
from habeas_talonone.sandbox.activity import Event
from habeas_talonone.sandbox.entities import Profile, stamp
from habeas_talonone.sandbox.intake import (
    Param,
    Refused,
    Request,
    between,
    items,
    mapping,
    number,
    obj,
    page,
    text,
    when,
    whole,
)
from habeas_talonone.sandbox.operations import PAGING, SORTED, Operation, flags
from habeas_talonone.sandbox.profiles import started
from habeas_talonone.sandbox.state import State

__all__ = ["CREATED", "OPERATIONS", "STATES", "customer", "read", "texts"]

Json = dict[str, Any]


def customer(state: State, request: Request) -> Profile:
    """The profile behind the internal id in the path. Raises :class:`Refused` (404)."""
    found = state.profiles_by_id.get(request.path["customerId"])
    if found is None:
        raise Refused(404, "Not found", "the customer does not exist")
    return found


def _application_customer(state: State) -> Callable[[Profile], Json]:
    def view(profile: Profile) -> Json:
        referral = state.advocate_of.get(profile.integration_id)
        extra = {"advocateIntegrationId": referral.advocate} if referral and referral.advocate else {}
        return state.profile_json(profile) | extra

    return view


def list_customers(state: State, request: Request) -> Reply:
    """List customer profiles; all of them are live ones."""
    rows = [] if request.query["sandbox"] else list(state.profiles.values())
    return Reply(200, page(rows, request.query, state.profile_json))


def get_customer(state: State, request: Request) -> Reply:
    """Get customer profile by its internal id."""
    return Reply(200, state.profile_json(customer(state, request)))


def search(state: State, request: Request) -> Reply:
    """List profiles matching the criteria."""
    rows = [] if request.query["sandbox"] else _matching(state, request.body)
    return Reply(200, page(rows, request.query, state.profile_json))


def _matching(state: State, body: Mapping[str, Any]) -> list[Profile]:
    """All criteria must hold; looked up by the first attribute rather than by reading everybody."""
    attributes = body.get("attributes", {})
    names: Iterable[str] = state.profiles
    if "integrationIDs" in body:
        names = dict.fromkeys(body["integrationIDs"])
    elif "profileIDs" in body:
        names = [p.integration_id for n in body["profileIDs"] if (p := state.profiles_by_id.get(n)) is not None]
    elif attributes:
        first = next(iter(attributes.items()))
        names = () if isinstance(first[1], (list, dict)) else list(state.by_attribute.get(first, {}))
    return [
        profile
        for name in names
        if (profile := state.profiles.get(name)) is not None
        and ("profileIDs" not in body or profile.id in body["profileIDs"])
        and all(
            name in profile.attributes
            and profile.attributes[name] == value
            and isinstance(profile.attributes[name], bool) == isinstance(value, bool)
            for name, value in attributes.items()
        )
    ]


def application_customers(state: State, request: Request) -> Reply:
    """List application's customers; ``integrationId`` is an exact match."""
    asked = request.query["integrationId"]
    rows = list(state.profiles.values()) if asked is None else _matching(state, {"integrationIDs": [asked]})
    return Reply(200, page(rows, request.query, _application_customer(state)))


def application_customer(state: State, request: Request) -> Reply:
    """Get application's customer."""
    return Reply(200, _application_customer(state)(customer(state, request)))


def application_search(state: State, request: Request) -> Reply:
    """List application customers matching the given attributes."""
    return Reply(200, page(_matching(state, request.body), request.query, _application_customer(state)))


def list_sessions(state: State, request: Request) -> Reply:
    """List application sessions."""
    query = request.query

    def fits(asked: str | None, value: str) -> bool:
        if asked is None:
            return True
        if query["partialMatch"] and len(asked) >= 3:
            return asked.lower() in value.lower()
        return asked == value

    exact = query["profile"] is not None and not query["partialMatch"]
    pool = state.sessions_of.get(query["profile"], {}) if exact else state.sessions_by_id
    rows = [
        session
        for session in pool.values()
        if fits(query["profile"], session.profile_id)
        and fits(query["integrationId"], session.integration_id)
        and fits(query["storeIntegrationId"], session.store or "")
        and fits(query["referral"], session.referral_code)
        and (query["coupon"] is None or any(fits(query["coupon"], code) for code in session.coupon_codes))
        and query["state"] in (None, session.state)
        and between(session.created, query, "created")
    ]
    return Reply(200, page(rows, query, lambda session: session.row(state.profiles.get(session.profile_id))))


def get_session(state: State, request: Request) -> Reply:
    """Get application session by its internal id."""
    found = state.sessions_by_id.get(request.path["sessionId"])
    if found is None:
        raise Refused(404, "Not found", "the session does not exist")
    return Reply(200, found.row(state.profiles.get(found.profile_id)))


def list_events(state: State, request: Request) -> Reply:
    """List application events; name and e-mail are looked for inside the profile's attributes."""
    query = request.query

    def about(event: Event, asked: str | None, attribute: str) -> bool:
        if asked is None:
            return True
        profile = state.profiles.get(event.profile_id)
        return profile is not None and asked.lower() in str(profile.attributes.get(attribute, "")).lower()

    def codes(event: Event) -> tuple[set[str], str]:
        session = state.sessions.get(event.session)
        return (set(session.coupon_codes), session.referral_code) if session else (set(), "")

    pool = state.events if query["profile"] is None else state.events_of.get(query["profile"], {})
    rows = [
        event
        for event in pool.values()
        if query["type"] in (None, event.type)
        and query["session"] in (None, event.session)
        and between(event.created, query, "created")
        and about(event, query["customerName"], "Name")
        and about(event, query["customerEmail"], "Email")
        and (query["couponCode"] is None or query["couponCode"] in codes(event)[0])
        and query["referralCode"] in (None, codes(event)[1])
        # No rules exist here, so no event has triggered a rule, a campaign or an effect.
        and query["ruleQuery"] is query["campaignQuery"] is query["effectType"] is None
    ]

    def view(event: Event) -> Json:
        return event.row(state.profiles.get(event.profile_id), state.sessions.get(event.session))

    return Reply(200, page(rows, query, view))


def list_friends(state: State, request: Request) -> Reply:
    """List friends referred by customer profile: other people."""
    who = state.profile(request.path["integrationId"]).integration_id
    rows = [
        {
            "applicationId": request.path["applicationId"],
            "sessionId": session,
            "advocateIntegrationId": who,
            "friendIntegrationId": friend,
            "code": referral.code,
            "created": stamp(at),
        }
        for referral in state.referrals_of.get(who, {}).values()
        for friend, session, at in referral.referred
    ]
    return Reply(200, page(rows, request.query, lambda row: row))


def achievement_progress(state: State, request: Request) -> Reply:
    """List achievement progress of a profile, every round."""
    profile, query = state.profile(request.path["integrationId"]), request.query
    rows = [
        achievement.with_progress(round_)
        for n, rounds in started(state, profile).items()
        for achievement in [state.achievements[n]]
        for round_ in rounds
        if query["achievementId"] in (None, n) and query["title"] in (None, achievement.title)
    ]
    return Reply(200, page(rows, query, lambda row: row))


STATES = ("open", "closed", "partially_returned", "cancelled")
CREATED = when("createdBefore") | when("createdAfter")
_TOTAL = flags("withTotalResultSize")
_SEARCH = obj(
    {
        "attributes": mapping(),
        "integrationIDs": items(text()),
        "profileIDs": items(number(integer=True)),
    }
)
_APPLICATION = "/v1/applications/{applicationId}"


def texts(*names: str) -> dict[str, Param]:
    """Free text parameters."""
    return {name: Param() for name in names}


def read(path: str, handler: Callable[[State, Request], Reply], query: Mapping[str, Param]) -> Operation:
    """A reading operation."""
    return Operation("GET", path, handler, query, api="management")


OPERATIONS = (
    read("/v1/customers/no_total", list_customers, PAGING | flags("sandbox")),
    read("/v1/customers/{customerId}", get_customer, {}),
    Operation("POST", "/v1/customer_search/no_total", search, PAGING | flags("sandbox"), _SEARCH, api="management"),
    read(_APPLICATION + "/customers", application_customers, PAGING | _TOTAL | texts("integrationId")),
    read(_APPLICATION + "/customers/{customerId}", application_customer, {}),
    Operation(
        "POST", _APPLICATION + "/customer_search", application_search, PAGING | _TOTAL, _SEARCH, api="management"
    ),
    read(
        _APPLICATION + "/sessions",
        list_sessions,
        SORTED
        | CREATED
        | flags("partialMatch")
        | texts("profile", "coupon", "referral", "integrationId", "storeIntegrationId")
        | {"state": Param(choices=STATES)},
    ),
    read(_APPLICATION + "/sessions/{sessionId}", get_session, {}),
    read(
        _APPLICATION + "/events/no_total",
        list_events,
        SORTED
        | CREATED
        | texts("type", "session", "profile", "couponCode", "referralCode")
        | texts("ruleQuery", "campaignQuery", "effectType")
        | {"customerName": Param(low=2), "customerEmail": Param(low=2)},
    ),
    read(_APPLICATION + "/profile/{integrationId}/friends", list_friends, SORTED | _TOTAL),
    read(
        _APPLICATION + "/achievement_progress/{integrationId}",
        achievement_progress,
        {"pageSize": whole(1, 50, 50), "skip": whole(0, None, 0), "achievementId": whole(), "title": Param()},
    ),
)

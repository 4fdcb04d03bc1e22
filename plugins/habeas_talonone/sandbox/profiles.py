"""Integration API, customer profiles: inventory, upserts, achievements, and the erase."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from habeas.testing.sandbox import Reply
from habeas_talonone.sandbox.activity import Event
from habeas_talonone.sandbox.entities import Profile, Progress
from habeas_talonone.sandbox.intake import Param, Refused, Request, items, number, obj, text, when
from habeas_talonone.sandbox.operations import (
    ATTRIBUTES,
    CAMPAIGN_IDS,
    INTEGRATION_ID,
    PAGING,
    SILENT,
    Operation,
    check_attributes,
    flags,
)
from habeas_talonone.sandbox.state import State

__all__ = ["OPERATIONS", "RESPONSE_CONTENT", "answer", "draft", "started"]

Json = dict[str, Any]

RESPONSE_CONTENT = (
    "customerProfile", "triggeredCampaigns", "loyalty", "event", "awardedGiveaways", "ruleFailureReasons",
    "campaignEligibility", "achievements",
)  # fmt: skip


def inventory(state: State, request: Request) -> Reply:
    """List customer data: only the parts asked for, each flag is false by itself."""
    profile = state.profile(request.path["integrationId"])
    asked, parts = request.query, Json()
    if asked["profile"]:
        parts["profile"] = state.profile_json(profile)
    if asked["loyalty"]:
        parts["loyalty"] = state.loyalty_json(profile)
    if asked["referrals"]:
        referrals = [] if profile.erased else state.referrals_of.get(profile.integration_id, {}).values()
        parts["referrals"] = [referral.in_inventory() for referral in referrals]
    if asked["coupons"]:
        parts["coupons"] = _coupons(state, profile)
    if asked["giveaways"]:
        parts["giveaways"] = [giveaway.json() for giveaway in state.giveaways_of.get(profile.integration_id, [])]
    if asked["achievements"]:
        parts["achievements"] = [
            state.achievements[n].with_progress(rounds[-1]) for n, rounds in started(state, profile).items()
        ]
    return Reply(200, parts)


def _coupons(state: State, profile: Profile) -> list[Json]:
    own = {} if profile.erased else state.coupons_of.get(profile.integration_id, {})
    implicit = [coupon for coupon in state.implicit_coupons if coupon.value not in own]
    return [coupon.held_by(profile.integration_id, state.now()) for coupon in (*own.values(), *implicit)]


def started(state: State, profile: Profile) -> dict[int, list[Progress]]:
    """The achievements a person has begun, with every round."""
    return state.progress_of.get(profile.integration_id, {})


def draft(state: State, integration_id: str) -> Profile:
    """A profile to try things on in a dry run; nothing is filed."""
    found = state.profiles.get(integration_id)
    if found is not None:
        return deepcopy(found)
    now = state.now()
    return Profile(0, integration_id, now, last_activity=now)


def answer(state: State, content: Sequence[str], profile: Profile, event: Event) -> Json:
    """``IntegrationResponse`` with what ``responseContent`` asked for. No rules exist here, so nothing is triggered."""
    parts: dict[str, Any] = {
        "customerProfile": lambda: state.profile_json(profile),
        "loyalty": lambda: state.loyalty_json(profile),
        "event": event.json,
        "achievements": lambda: [
            achievement.in_answer(rounds[-1] if rounds else None)
            for n, achievement in state.achievements.items()
            for rounds in [started(state, profile).get(n)]
        ],
    }
    empty = {"triggeredCampaigns", "awardedGiveaways", "ruleFailureReasons", "campaignEligibility"}
    body: Json = {"effects": [], "createdCoupons": [], "createdReferrals": []}
    body |= {name: [] for name in content if name in empty}
    return body | {name: part() for name, part in parts.items() if name in content}


def put_profile(state: State, request: Request) -> Reply:
    """Update customer profile: creates a missing one. ``dry`` is looked at only with the rule engine."""
    who, body, engine = request.path["integrationId"], request.body, request.query["runRuleEngine"]
    content = body.get("responseContent", [])
    if content and not engine:
        raise Refused(400, "Invalid body", "needs runRuleEngine=true", {"pointer": "/responseContent"})
    attributes, changes = body.get("attributes", {}), body.get("audiencesChanges", {"adds": [], "deletes": []})
    check_attributes(state, attributes, "/attributes")
    for name in ("adds", "deletes"):
        for n, audience in enumerate(changes[name]):
            if audience not in state.audiences:
                raise Refused(400, "Invalid body", "unknown audience", {"pointer": f"/audiencesChanges/{name}/{n}"})
    if engine and request.query["dry"]:
        profile = draft(state, who)
        profile.attributes |= attributes
    else:
        profile = state.upsert(who)
        state.set_attributes(profile, attributes)
        for n in changes["adds"]:
            state.enrol(state.audiences[n], who)
        for n in changes["deletes"]:
            state.expel(state.audiences[n], who)
    if engine:
        profile.last_activity = state.now()
    event = Event(state.next_id(), "talon_customer_profile_updated", state.now(), who)
    return Reply(200, answer(state, content if engine else ["customerProfile"], profile, event))


def put_profiles(state: State, request: Request) -> Reply:
    """Update many: all or none; creates the missing ones, does not run the rule engine."""
    entries = request.body["customerProfiles"]
    for n, entry in enumerate(entries):
        check_attributes(state, entry.get("attributes", {}), f"/customerProfiles/{n}/attributes")
    for entry in entries:
        state.set_attributes(state.upsert(entry["integrationId"]), entry.get("attributes", {}))
    if request.query["silent"] == "yes":
        return Reply(204)
    written = [state.profiles[entry["integrationId"]] for entry in entries]
    return Reply(200, {"integrationStates": [{"customerProfile": state.profile_json(profile)} for profile in written]})


def erase(state: State, request: Request) -> Reply:
    """Delete customer data (deleteCustomerData): attributes of the profile and of all that refers to it.

    What the vendor does not name stays: ledger, card links, reservations, audience memberships, and the id among the
    friends in somebody else's referral. Whether the profile itself goes is undocumented: ``after_erase`` decides.
    Where it goes, sessions, events and redeemed coupons stay but no longer lead to a person; beside a shell they keep
    the id.
    """
    profile = state.profile(request.path["integrationId"])
    who, gone = profile.integration_id, state.after_erase == "gone"
    state.clear_attributes(profile)
    for session in list(state.sessions_of.get(who, {}).values()):
        session.clear()
        if gone:
            state.link_session(session, "")
    for event in (state.events_of.pop(who, {}) if gone else state.events_of.get(who, {})).values():
        event.attributes = {}
        event.profile_id = "" if gone else who
    for coupon in (*state.coupons_of.get(who, {}).values(), *state.coupons_for.get(who, ())):
        coupon.attributes = {}
        if gone:
            coupon.recipient = None if coupon.recipient == who else coupon.recipient
            coupon.used[""] = coupon.used.get("", 0) + coupon.used.pop(who, 0)
    if gone:
        state.coupons_for.pop(who, None)
    for referral in state.referrals_of.pop(who, {}).values():
        referral.attributes, referral.advocate = {}, ""
    for giveaway in state.giveaways_of.pop(who, []):
        giveaway.attributes, giveaway.profile = {}, None
    state.progress_of.pop(who, None)
    state.joined.pop(who, None)
    if gone:
        state.drop_profile(profile)
    else:
        profile.erased = True
    return Reply(204)


def achievements(state: State, request: Request) -> Reply:
    """All achievements open to the profile, with its progress where it has any."""
    profile, query = state.profile(request.path["integrationId"]), request.query
    rounds = started(state, profile)
    rows = []
    for achievement in state.achievements.values():
        current = rounds[achievement.id][-1] if achievement.id in rounds else None
        status = current.status if current else "not_started"
        if (
            _wanted(query["campaignIds"], str(achievement.campaign))
            and _wanted(query["achievementIds"], str(achievement.id))
            and _wanted(query["achievementStatus"], "active")
            and _wanted(query["currentProgressStatus"], status)
        ):
            rows.append(achievement.json(current))
    low, size = query["skip"], query["pageSize"]
    return Reply(200, {"totalResultSize": len(rows), "data": rows[low : low + size]})


def _wanted(choices: Sequence[str] | None, value: str) -> bool:
    return choices is None or value in choices


def achievement_history(state: State, request: Request) -> Reply:
    """Every round of the profile's progress in one achievement."""
    profile, query = state.profile(request.path["integrationId"]), request.query
    if request.path["achievementId"] not in state.achievements:
        raise Refused(404, "Not found", "the achievement does not exist")
    rows = [
        round_.json()
        for round_ in started(state, profile).get(request.path["achievementId"], [])
        if _wanted(query["progressStatus"], round_.status)
        and (query["startDate"] is None or round_.started >= query["startDate"])
        and (query["endDate"] is None or round_.started <= query["endDate"])
    ]
    low, size = query["skip"], query["pageSize"]
    return Reply(200, {"totalResultSize": len(rows), "data": rows[low : low + size]})


_PROFILE = "/v1/customer_profiles/{integrationId}"

OPERATIONS = (
    Operation(
        "GET",
        _PROFILE + "/inventory",
        inventory,
        flags("profile", "referrals", "coupons", "loyalty", "giveaways", "achievements"),
    ),
    Operation("DELETE", "/v1/customer_data/{integrationId}", erase),
    Operation(
        "PUT",
        "/v2/customer_profiles/{integrationId}",
        put_profile,
        flags("runRuleEngine", "dry"),
        obj(
            {
                "attributes": ATTRIBUTES,
                "evaluableCampaignIds": CAMPAIGN_IDS,
                "responseContent": items(text(choices=RESPONSE_CONTENT)),
                "audiencesChanges": obj(
                    {"adds": items(number(integer=True)), "deletes": items(number(integer=True))},
                    required=("adds", "deletes"),
                ),
            }
        ),
        idempotent=True,
    ),
    Operation(
        "PUT",
        "/v2/customer_profiles",
        put_profiles,
        SILENT,
        obj(
            {
                "customerProfiles": items(
                    obj({"integrationId": INTEGRATION_ID, "attributes": ATTRIBUTES}, required=("integrationId",)), 1000
                )
            },
            required=("customerProfiles",),
        ),
        idempotent=True,
    ),
    Operation(
        "GET",
        _PROFILE + "/achievements",
        achievements,
        PAGING
        | {
            "campaignIds": Param("list"),
            "achievementIds": Param("list"),
            "achievementStatus": Param("list", choices=("active", "scheduled")),
            "currentProgressStatus": Param("list", choices=("inprogress", "completed", "not_started")),
        },
    ),
    Operation(
        "GET",
        _PROFILE + "/achievements/{achievementId}",
        achievement_history,
        PAGING
        | when("startDate")
        | when("endDate")
        | {"progressStatus": Param("list", choices=("inprogress", "completed", "expired"))},
    ),
)

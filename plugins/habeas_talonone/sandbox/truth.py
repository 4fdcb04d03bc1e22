"""What tests and the kit need to know and to arrange: the purposes, what is held in full, and longer lists."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from habeas.testing.sandbox import token
from habeas_talonone.sandbox.activity import Event, Session
from habeas_talonone.sandbox.entities import Achievement, Progress, Referral
from habeas_talonone.sandbox.seed import line
from habeas_talonone.sandbox.state import State

__all__ = ["PURPOSES", "consent", "enlarge", "held_text"]

Json = dict[str, Any]

PURPOSES: Mapping[str, Mapping[str, Any]] = {
    "marketing_email": {"attribute": "ConsentMarketingEmail"},
    "profiling": {"attribute": "ConsentProfiling", "granted": "yes", "withdrawn": "no"},
    "newsletter": {"audience": 11},
}
"""One of each way to hold a consent: a flag, a word, and membership of an audience."""

_POINTS, _CAMPAIGN = 1, 6
_STATUSES = (0, 5, 7)
"""Numbers of seeded ledger lines that are active, expired and pending."""


def consent(state: State, who: str, purpose: str) -> bool | None:
    """Whether a person has consented to one of :data:`PURPOSES`; None where nothing was ever said, or nobody is there.

    Who is not in an audience has withdrawn, or never said anything: the vendor does not tell one from the other.
    """
    mapping, profile = PURPOSES[purpose], state.profiles.get(who)
    if profile is None:
        return None
    if "audience" in mapping:
        return who in state.audiences[mapping["audience"]].members
    value = profile.attributes.get(mapping["attribute"])
    return {mapping.get("granted", True): True, mapping.get("withdrawn", False): False}.get(value)


def held_text(state: State, who: str) -> str:
    """All that the vendor shows under one id, through either API, as JSON; empty where it shows nothing.

    Other people on a card are left out: they come and go by themselves.
    """
    profile, now = state.profiles.get(who), state.now()
    coupons = {c.value: c for c in (*state.coupons_of.get(who, {}).values(), *state.coupons_for.get(who, ()))}
    parts: Json = {
        "profile": [] if profile is None else [state.profile_json(profile)],
        "coupons": [coupon.held_by(who, now) for coupon in coupons.values()],
        "referrals": [referral.in_inventory() for referral in state.referrals_of.get(who, {}).values()],
        "giveaways": [giveaway.json() for giveaway in state.giveaways_of.get(who, [])],
        "achievements": [
            state.achievements[n].with_progress(one)
            for n, all_ in state.progress_of.get(who, {}).items()
            for one in all_
        ],
        "audiences": state.memberships(who),
        "programs": [{"id": n, "joined": at} for n, at in state.joined.get(who, {}).items()],
        "transactions": [entry.json() for lines in state.ledgers.get(who, {}).values() for entry in lines],
        "cards": [
            card.json(now)
            | {"profiles": [one for one in card.registrations() if one["integrationId"] == who]}
            | {"transactions": [entry.json() for entry in card.transactions]}
            for card in state.cards_of.get(who, {}).values()
        ],
        "sessions": [session.json() for session in state.sessions_of.get(who, {}).values()],
        "events": [event.json() for event in state.events_of.get(who, {}).values()],
    }
    held = {name: part for name, part in parts.items() if part}
    return json.dumps(held, ensure_ascii=False, sort_keys=True) if held else ""


def enlarge(state: State, who: str, count: int) -> None:
    """So many more rows in each list that comes in pages, for a person who is there.

    Those are: points of each status and so transactions (in a program and on each card), achievements, sessions,
    events, and friends. The achievements are new in the account, and begun by nobody else.
    """
    if who not in state.profiles:
        return
    state.joined[who].setdefault(_POINTS, state.now())
    ledgers = [(_POINTS, state.ledgers[who].setdefault(_POINTS, []))]
    ledgers += [(card.program.id, card.transactions) for card in state.cards_of.get(who, {}).values()]
    for program, lines in ledgers:
        first = len(lines)
        lines += [line(state, program, first, 9 * k + status) for k in range(count) for status in _STATUSES]
    for _ in range(count):
        _one_more(state, who)
    _friends(state, who, count)


def _one_more(state: State, who: str) -> None:
    number, now = state.next_id(), state.now()
    state.achievements[number] = Achievement(
        number, f"More{number}", f"More of {token('', who, number)}", _CAMPAIGN, 3, now
    )
    state.progress_of[who][number] = [Progress("inprogress", 1, now)]
    number = state.next_id()
    session = Session(number, token("session-", who, number), now, attributes={"Note": token("note-", who, number)})
    session.updates, session.updated, session.first = 1, now, False
    state.link_session(session, who)
    number = state.next_id()
    state.add_event(Event(number, "page_viewed", now, who, {"Page": token("/page-", who, number)}))


def _friends(state: State, who: str, count: int) -> None:
    referral = next(iter(state.referrals_of.get(who, {}).values()), None)
    if referral is None:
        number = state.next_id()
        referral = Referral(number, token("REF", number).upper()[:12], _CAMPAIGN, state.now(), who)
    friends = [token("friend-", who, n) for n in range(len(referral.referred), len(referral.referred) + count)]
    referral.referred += [(friend, "", state.now()) for friend in friends]
    state.add_referral(referral)

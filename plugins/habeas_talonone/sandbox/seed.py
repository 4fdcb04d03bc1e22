"""What a merchant's account holds about the example shop's customers, the same each time; and the truth about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from habeas.testing.people import Person
from habeas.testing.sandbox import token
from habeas_talonone.sandbox.activity import Event, Session
from habeas_talonone.sandbox.entities import Achievement, Audience, Coupon, Giveaway, Profile, Progress, Referral
from habeas_talonone.sandbox.ledger import Card, Program, Tier, Transaction
from habeas_talonone.sandbox.state import State

__all__ = ["WALLET", "held", "line", "open_account", "seed"]

WALLET = "WALLET-5"
"""A coupon that may be reserved for anybody."""

_START = 1_767_225_600.0
"""2026-01-01T00:00:00Z: nothing seeded depends on the clock."""
_HOUR = 3600.0

_COUPONS, _REFERRALS = 5, 6
_POINTS, _CARDS = 1, 2
_READERS, _REGULARS = 11, 12
_FIRST_STEPS, _BIG_SPENDER = 21, 22
_GIVEAWAY_POOL = 31


def open_account(state: State) -> None:
    """Campaigns, loyalty programs, audiences, achievements, the coupon that everybody sees, and one to reserve."""
    state.campaigns = {_COUPONS: "Thank you", _REFERRALS: "Bring a friend"}
    tiers = (Tier(101, "Bronze", 0), Tier(102, "Silver", 100), Tier(103, "Gold", 1000))
    for program in (
        Program(_POINTS, "shop_points", "Shop points", _START, card_based=False, users_per_card=0, tiers=tiers),
        Program(_CARDS, "family_card", "Family card", _START, card_based=True, users_per_card=2),
    ):
        state.programs[program.id] = program
    for number, name in ((_READERS, "Newsletter readers"), (_REGULARS, "Regulars")):
        state.audiences[number] = Audience(number, name, _START)
    for number, name, title, target in (
        (_FIRST_STEPS, "FirstSteps", "First steps", 3),
        (_BIG_SPENDER, "BigSpender", "Big spender", 500),
    ):
        state.achievements[number] = Achievement(number, name, title, _COUPONS, target, _START)
    everyone = Coupon(41, "EVERYONE-10", _COUPONS, _START, batch="everyone", implicit=True)
    state.coupons[everyone.value] = everyone
    state.implicit_coupons.append(everyone)
    wallet = Coupon(43, WALLET, _COUPONS, _START, batch="wallet")
    state.coupons[wallet.value] = wallet


def seed(state: State, people: Sequence[Person]) -> None:
    """One profile for each person and what hangs on it; who comes next in the list is the friend and the neighbour."""
    for n, person in enumerate(people):
        profile = _profile(state, n, person)
        _shopping(state, n, person, profile)
        _rewards(state, n, person, profile)
        _points(state, n, person)
    for n, person in enumerate(people):
        neighbours = people[n + 1 : n + 3]
        if n % 3 == 0 and neighbours:
            _referral(state, n, person, neighbours[: 2 if n % 6 == 0 else 1])
        if n % 2 == 0:
            _card(state, n, [person, *neighbours[:1]] if n % 4 == 0 else [person])


def _profile(state: State, n: int, person: Person) -> Profile:
    profile = state.upsert(person.customer_id)
    profile.created = _START + n * _HOUR
    profile.last_activity = profile.created + _HOUR
    attributes: dict[str, Any] = {
        "Name": f"{person.first_name} {person.last_name}",
        "Email": person.email,
        "Phone": person.phone,
        "Street": person.street,
        "City": person.city,
        "PostalCode": person.postal_code,
        "Country": person.country,
        "BirthDate": f"{person.birthdate}T00:00:00Z",
        "Language": "de" if person.country in ("DE", "AT") else "en",
        "ConsentMarketingEmail": n % 3 != 2,
        "ConsentMarketingSms": n % 4 == 0,
    }
    state.set_attributes(profile, attributes)
    state.enrol(state.audiences[_READERS], person.customer_id)
    if n % 3 == 1:
        state.enrol(state.audiences[_REGULARS], person.customer_id)
    return profile


def _session_id(person: Person, number: int) -> str:
    return token("session-", person.customer_id, number)


def _shopping(state: State, n: int, person: Person, profile: Profile) -> None:
    who, name = person.customer_id, f"{person.first_name} {person.last_name}"
    for k in range(min(person.orders, 2)):
        at = profile.created + (k + 1) * _HOUR
        session = Session(
            state.next_id(),
            _session_id(person, k),
            at,
            state="closed",
            cart_items=[{"name": "Mug", "sku": f"MUG-{n % 5}", "quantity": 1 + k, "price": 12.5}],
            attributes={"ShippingName": name, "ShippingCity": person.city},
            first=k == 0,
            updates=2,
            updated=at,
        )
        state.link_session(session, who)
    state.add_event(Event(state.next_id(), "newsletter_signup", profile.created, who, {"Email": person.email}))
    if n % 2:
        state.add_event(Event(state.next_id(), "page_viewed", profile.created + _HOUR, who, {"Page": "/mugs"}))


def _rewards(state: State, n: int, person: Person, profile: Profile) -> None:
    who = person.customer_id
    # Codes may hold characters that mean something in a URL.
    code = f"THANKS-{token('', who, 'coupon')[:10].upper()}" + ("#%25" if n % 10 == 0 else "")
    coupon = Coupon(
        state.next_id(),
        code,
        _COUPONS,
        profile.created,
        {"Note": f"for {person.first_name} {person.last_name}"},
        recipient=who,
        batch="thanks",
        shared=False,
        usage_limit=1,
    )
    if person.orders > 1:
        coupon.used[who] = 1
    state.coupons[code] = coupon
    state.coupons_for[who].append(coupon)
    state.reserve(coupon, who)
    coupon.reserved[who] = profile.created
    if n % 5 == 0:
        gift = token("GIFT", who).upper()[:14]
        state.giveaways_of[who].append(
            Giveaway(state.next_id(), gift, _GIVEAWAY_POOL, profile.created, profile, {"Note": person.first_name})
        )
    if n % 4 != 3:
        state.progress_of[who][_FIRST_STEPS] = [Progress("inprogress", 1 + n % 2, profile.created)]
    if n % 8 == 0:
        state.progress_of[who][_BIG_SPENDER] = [
            Progress("completed", 500, profile.created, profile.created + _HOUR),
            Progress("inprogress", 40, profile.created + 2 * _HOUR),
        ]


def _points(state: State, n: int, person: Person) -> None:
    """Every tenth person is in no program; every twentieth has more transactions than one page shows."""
    if n % 10 == 9:
        return
    who = person.customer_id
    state.joined[who][_POINTS] = _START + n * _HOUR
    lines = [
        line(state, _POINTS, n, k, _session_id(person, 0) if k == 0 and person.orders else None)
        for k in range(65 if n % 20 == 0 else 3 + n % 4)
    ]
    state.ledgers[who][_POINTS] = lines


def line(state: State, program: int, n: int, k: int, session: str | None = None) -> Transaction:
    """A ledger line with a new id; ``k`` decides its sort: of nine one is spent, one expired, one pending."""
    number = state.next_id()
    expired, pending, spent = k % 9 == 5, k % 9 == 7, k % 9 == 2
    return Transaction(
        number,
        State.uuid(number),
        _START + (n + k) * _HOUR,
        program,
        "subtraction" if spent else "addition",
        "Paid with points" if spent else "Points for an order",
        5 if spent else 10,
        "stars" if k % 9 == 4 else "",
        "2099-01-01T00:00:00Z" if pending else "immediate",
        "2021-01-01T00:00:00Z" if expired else "unlimited",
        session,
    )


def _referral(state: State, n: int, person: Person, friends: Sequence[Person]) -> None:
    at = _START + n * _HOUR
    state.add_referral(
        Referral(
            state.next_id(),
            token("REF", person.customer_id).upper()[:12],
            _REFERRALS,
            at,
            person.customer_id,
            friends[0].customer_id if n % 6 == 0 else None,
            {"Note": f"from {person.first_name}"},
            referred=[(f.customer_id, _session_id(f, 0) if f.orders else "", at + _HOUR) for f in friends],
        )
    )


def _card(state: State, n: int, people: Sequence[Person]) -> None:
    """Cards are shared by neighbours in pairs, the next is somebody's own.

    Identifiers are of letters, digits and dashes: the vendor's document allows more, its Python client reads no others.
    """
    program = state.programs[_CARDS]
    card = Card(state.next_id(), program, token("FAM-", people[0].customer_id).upper()[:14], _START + n * _HOUR)
    state.cards[program.id, card.identifier] = card
    for person in people:
        state.link_card(card, person.customer_id)
        card.profiles[person.customer_id] = card.created
    card.transactions = [line(state, program.id, n, k) for k in range(2)]


def held(state: State, who: str) -> Mapping[str, int]:
    """Record kind → how many still name this person or carry their data; nothing is left out as harmless.

    A shell left by an erase is not a profile any more. Sessions and events count while they carry attributes.
    """
    profile = state.profiles.get(who)
    known, ledgers = state.joined.get(who, {}), state.ledgers.get(who, {})
    counts = {
        "profile": int(profile is not None and not profile.erased),
        "referral": len(state.referrals_of.get(who, {})),
        "coupon": sum(not coupon.implicit for coupon in state.coupons_of.get(who, {}).values()),
        "loyalty_program": len({*known, *(n for n, lines in ledgers.items() if lines)}),
        "loyalty_card": len(state.cards_of.get(who, {})),
        "giveaway": len(state.giveaways_of.get(who, [])),
        "achievement": len(state.progress_of.get(who, {})),
        "audience": len(state.audiences_of.get(who, {})),
        "session": sum(session.names_someone() for session in state.sessions_of.get(who, {}).values()),
        "event": sum(bool(event.attributes) for event in state.events_of.get(who, {}).values()),
        "friend": sum(len(referral.referred) for referral in state.referrals_of.get(who, {}).values()),
    }
    return {kind: n for kind, n in counts.items() if n}

"""Everything the vendor holds, found by dictionary: by the person's integration id first of all."""

from __future__ import annotations

import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal

from habeas.testing.sandbox import Call, Reply
from habeas_talonone.sandbox.activity import Event, Session
from habeas_talonone.sandbox.entities import (
    ACCOUNT,
    Achievement,
    Audience,
    Coupon,
    Giveaway,
    Profile,
    Progress,
    Referral,
    stamp,
)
from habeas_talonone.sandbox.intake import Refused
from habeas_talonone.sandbox.ledger import Card, Program, Transaction, balance, by_subledger

__all__ = ["Access", "State"]

Json = dict[str, Any]

_NAMESPACE = uuid.UUID("6f1d1f0a-6f3f-4c39-9a55-3a1f0b7a4c11")

KNOWN_ATTRIBUTES = frozenset(
    {
        "Name", "Email", "Phone", "Street", "City", "PostalCode", "Country", "BirthDate", "Language",
        "ConsentMarketingEmail", "ConsentMarketingSms", "ConsentMarketingPost", "ConsentProfiling",
        "ShippingName", "ShippingCity", "Channel", "Page", "Note",
    }
)  # fmt: skip
"""Attributes that exist in the account from the start."""


@dataclass(frozen=True)
class Access:
    """One line of the vendor's access log; it keeps the address and both bodies."""

    number: int
    at: float
    call: Call
    reply: Reply


class State:
    """The account. Methods keep the indexes together; handlers decide what is allowed."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.known_attributes: set[str] = set(KNOWN_ATTRIBUTES)
        self.after_erase: Literal["gone", "shell"] = "gone"
        self.numbers = count(1001)
        self.profiles: dict[str, Profile] = {}
        self.profiles_by_id: dict[int, Profile] = {}
        self.ghosts: dict[str, Profile] = {}
        """What stands in for an erased profile where something unnamed by the erase still lists its id."""
        self.by_attribute: dict[tuple[str, Hashable], dict[str, None]] = defaultdict(dict)
        self.sessions: dict[str, Session] = {}
        self.sessions_by_id: dict[int, Session] = {}
        self.sessions_of: dict[str, dict[int, Session]] = defaultdict(dict)
        self.events: dict[int, Event] = {}
        self.events_of: dict[str, dict[int, Event]] = defaultdict(dict)
        self.advanced_events: dict[str, Event] = {}
        self.campaigns: dict[int, str] = {}
        self.coupons: dict[str, Coupon] = {}
        self.implicit_coupons: list[Coupon] = []
        self.coupons_of: dict[str, dict[str, Coupon]] = defaultdict(dict)
        self.coupons_for: dict[str, list[Coupon]] = defaultdict(list)
        """Coupons by the recipient they were made for, reserved or not."""
        self.referrals: dict[int, Referral] = {}
        self.referrals_of: dict[str, dict[int, Referral]] = defaultdict(dict)
        self.advocate_of: dict[str, Referral] = {}
        self.giveaways_of: dict[str, list[Giveaway]] = defaultdict(list)
        self.achievements: dict[int, Achievement] = {}
        self.progress_of: dict[str, dict[int, list[Progress]]] = defaultdict(dict)
        self.audiences: dict[int, Audience] = {}
        self.audiences_of: dict[str, dict[int, None]] = defaultdict(dict)
        self.programs: dict[int, Program] = {}
        self.joined: dict[str, dict[int, float]] = defaultdict(dict)
        self.ledgers: dict[str, dict[int, list[Transaction]]] = defaultdict(dict)
        self.cards: dict[tuple[int, str], Card] = {}
        self.cards_of: dict[str, dict[int, Card]] = defaultdict(dict)
        self.access: deque[Access] = deque(maxlen=5000)

    def now(self) -> float:
        """The vendor's clock, whole seconds."""
        return float(int(self.clock()))

    def next_id(self) -> int:
        """The next internal id."""
        return next(self.numbers)

    @staticmethod
    def uuid(number: int) -> str:
        """A UUID that stands for an internal id, the same each time."""
        return str(uuid.uuid5(_NAMESPACE, str(number)))

    # -- profiles -----------------------------------------------------------------------------------------------------

    def profile(self, integration_id: str) -> Profile:
        """The profile of exactly this id. Raises :class:`Refused` (404); never creates."""
        found = self.profiles.get(integration_id)
        if found is None:
            raise Refused(404, "Not found", "the customer profile does not exist")
        return found

    def upsert(self, integration_id: str) -> Profile:
        """The profile, created where it is missing: what every write that names a person does."""
        found = self.profiles.get(integration_id)
        if found is None:
            now = self.now()
            found = Profile(self.next_id(), integration_id, now, last_activity=now)
            self.profiles[integration_id] = self.profiles_by_id[found.id] = found
            self.ghosts.pop(integration_id, None)
        found.erased = False
        return found

    def set_attributes(self, profile: Profile, attributes: Mapping[str, Any]) -> None:
        """Writes these attributes; the others stay."""
        for name, value in attributes.items():
            self._unindex(profile, name)
            profile.attributes[name] = value
            if isinstance(value, Hashable):
                self.by_attribute[name, value][profile.integration_id] = None

    def clear_attributes(self, profile: Profile) -> None:
        """Removes all attributes."""
        for name in profile.attributes:
            self._unindex(profile, name)
        profile.attributes = {}

    def _unindex(self, profile: Profile, name: str) -> None:
        old = profile.attributes.get(name)
        if old is not None and isinstance(old, Hashable):
            self.by_attribute[name, old].pop(profile.integration_id, None)

    def drop_profile(self, profile: Profile) -> None:
        """Takes the profile away and leaves a nameless stand-in for what still lists its id."""
        del self.profiles[profile.integration_id], self.profiles_by_id[profile.id]
        self.ghosts[profile.integration_id] = Profile(
            profile.id, profile.integration_id, profile.created, last_activity=profile.last_activity, erased=True
        )

    def profile_json(self, profile: Profile) -> Json:
        """``CustomerProfile``; ``loyaltyMemberships`` is left out, it is deprecated and always null."""
        closed = [s for s in self.sessions_of.get(profile.integration_id, {}).values() if s.state == "closed"]
        return {
            "id": profile.id,
            "created": stamp(profile.created),
            "integrationId": profile.integration_id,
            "attributes": dict(profile.attributes),
            "accountId": ACCOUNT,
            "closedSessions": len(closed),
            "totalSales": round(sum(s.total for s in closed), 2),
            "audienceMemberships": [] if profile.erased else self.memberships(profile.integration_id),
            "lastActivity": stamp(profile.last_activity),
            "sandbox": False,
        }

    def listed(self, integration_id: str) -> Profile:
        """The profile behind an id that some list still carries: the real one or its stand-in."""
        found = self.profiles.get(integration_id) or self.ghosts.get(integration_id)
        return found if found is not None else Profile(0, integration_id, self.now(), last_activity=self.now())

    # -- sessions and events ------------------------------------------------------------------------------------------

    def link_session(self, session: Session, integration_id: str) -> None:
        """Files a session under this person; an empty id makes it anonymous."""
        self.sessions_of[session.profile_id].pop(session.id, None)
        session.profile_id = integration_id
        self.sessions[session.integration_id] = self.sessions_by_id[session.id] = session
        if integration_id:
            self.sessions_of[integration_id][session.id] = session

    def add_event(self, event: Event) -> Event:
        """Files an event."""
        self.events[event.id] = event
        if event.profile_id:
            self.events_of[event.profile_id][event.id] = event
        if event.integration_id is not None:
            self.advanced_events[event.integration_id] = event
        return event

    # -- rewards ------------------------------------------------------------------------------------------------------

    def reserve(self, coupon: Coupon, integration_id: str) -> None:
        """Reserves a coupon for a person."""
        coupon.reserved.setdefault(integration_id, self.now())
        self.coupons_of[integration_id][coupon.value] = coupon

    def unreserve(self, coupon: Coupon, integration_id: str) -> None:
        """Ends a reservation."""
        coupon.reserved.pop(integration_id, None)
        self.coupons_of[integration_id].pop(coupon.value, None)

    def add_referral(self, referral: Referral) -> Referral:
        """Files a referral under its advocate and its friends."""
        self.referrals[referral.id] = referral
        self.referrals_of[referral.advocate][referral.id] = referral
        for friend, _, _ in referral.referred:
            self.advocate_of[friend] = referral
        return referral

    def enrol(self, audience: Audience, integration_id: str) -> None:
        """Makes the person a member."""
        audience.members[integration_id] = None
        self.audiences_of[integration_id][audience.id] = None

    def expel(self, audience: Audience, integration_id: str) -> None:
        """Ends a membership."""
        audience.members.pop(integration_id, None)
        self.audiences_of[integration_id].pop(audience.id, None)

    def memberships(self, integration_id: str) -> list[Json]:
        """``AudienceMembership`` of a person."""
        return [{"id": n, "name": self.audiences[n].name} for n in self.audiences_of.get(integration_id, {})]

    # -- loyalty ------------------------------------------------------------------------------------------------------

    def link_card(self, card: Card, integration_id: str) -> None:
        """Puts a person on a card."""
        card.profiles.setdefault(integration_id, self.now())
        self.cards_of[integration_id][card.id] = card

    def unlink_card(self, card: Card, integration_id: str) -> None:
        """Takes a person off a card; the card and its points stay."""
        del card.profiles[integration_id]
        del self.cards_of[integration_id][card.id]

    def loyalty_json(self, profile: Profile) -> Json:
        """``Loyalty``: cards and points-based programs of a profile."""
        if profile.erased:
            return {"cards": [], "programs": {}}
        who, now = profile.integration_id, self.now()
        joined, ledgers = self.joined.get(who, {}), self.ledgers.get(who, {})
        return {
            "cards": [card.json(now) for card in self.cards_of.get(who, {}).values()],
            "programs": {
                str(n): self._ledgers_json(self.programs[n], joined.get(n), ledgers.get(n, []), now)
                for n in sorted({*joined, *ledgers})
            },
        }

    def _ledgers_json(self, program: Program, joined: float | None, lines: list[Transaction], now: float) -> Json:
        ledgers = by_subledger(lines)
        main = balance(ledgers.pop(""), now)
        entry: Json = {} if joined is None else {"joinDate": stamp(joined)}
        return entry | {
            "id": program.id,
            "title": program.title,
            "name": program.name,
            "ledger": main.info() | program.standing(main.active, projected=False),
            "subLedgers": {name: balance(entries, now).info() for name, entries in ledgers.items()},
        }

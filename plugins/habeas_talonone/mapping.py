"""Talon.One's JSON into our shapes. Pure: values in, values out.

Every function raises :class:`~habeas.BadAnswer` where the JSON is not as Talon.One documents it, with a message that
holds nothing of it. Lists may be missing or null: Talon.One leaves empty ones out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from habeas import BadAnswer, Record, field_names
from habeas.models import Json
from habeas_talonone.naming import ACHIEVEMENT, AUDIENCE, CARD, COUPON, GIVEAWAY, PROFILE, PROGRAM, REFERRAL

__all__ = [
    "KINDS",
    "Coupon",
    "Holding",
    "Row",
    "balance_is_zero",
    "card_names",
    "card_ref",
    "has_progress",
    "has_type",
    "holding",
    "is_refusal",
    "items",
    "more",
    "points_name",
    "records",
    "reservation_names",
    "rows",
    "session_is_of",
    "split_card_ref",
    "total",
]

KINDS = (REFERRAL, COUPON, PROGRAM, CARD, GIVEAWAY, ACHIEVEMENT, AUDIENCE)
"""The kinds an inventory lists by id."""


@dataclass(frozen=True, repr=False)
class Coupon:
    """A coupon that is this person's: reserved or redeemed by them, or issued to them alone."""

    value: str
    issued: bool
    """True where ``recipientIntegrationId`` names the person."""
    noted: bool
    """True where the coupon has attributes of its own, which may be about the person."""


@dataclass(frozen=True, repr=False)
class Holding:
    """What one inventory document says is held under one ``integrationId``. Other people's ids are not taken in.

    Ids of cards are ``programID/identifier``: an identifier is unique in its program only, and holds no slash.
    """

    integration_id: str
    described: bool
    """True where the profile has an attribute with a value."""
    active: bool
    """True where closed sessions or sales are counted."""
    referrals: tuple[str, ...]
    coupons: tuple[Coupon, ...]
    programs: tuple[str, ...]
    """Programs that are listed, with points or without."""
    cards: tuple[str, ...]
    giveaways: tuple[str, ...]
    achievements: tuple[str, ...]
    """Those begun: with a status other than ``not_started``, or progress."""
    audiences: tuple[str, ...]
    attributes: Mapping[str, Json] = field(default_factory=dict)
    """The profile's attributes that have a value."""
    noted: Mapping[str, int] = field(default_factory=dict)
    """Record kind → how many have attributes of their own with text in them, which may repeat what the profile says."""
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Record kind → names of the fields that were seen."""
    birth: str = ""
    """Number and time that a profile gets when it is made: another one was made anew. Empty where neither is told."""

    def refs(self, kind: str) -> tuple[str, ...]:
        """The ids of one kind other than ``profile``."""
        return {
            REFERRAL: self.referrals,
            COUPON: tuple(c.value for c in self.coupons),
            PROGRAM: self.programs,
            CARD: self.cards,
            GIVEAWAY: self.giveaways,
            ACHIEVEMENT: self.achievements,
            AUDIENCE: self.audiences,
        }[kind]


def holding(document: Json, integration_id: str) -> Holding:
    """What an inventory document (``CustomerInventory``, asked for with all six flags) holds about one person.

    Coupons with ``implicitlyReserved`` are offered to everybody: they are left out, unless issued to this person.
    """
    profile = _object(document, "profile")
    if _text(profile, "integrationId") != integration_id:
        raise BadAnswer("Talon.One answered with another profile than was asked for")
    loyalty = _optional(document, "loyalty")
    attributes = {name: value for name, value in _optional(profile, "attributes").items() if value is not None}
    return Holding(
        integration_id=integration_id,
        described=bool(attributes),
        active=_number(profile, "closedSessions") != 0 or _number(profile, "totalSales") != 0,
        referrals=_ids(document, "referrals", "id"),
        coupons=_coupons(document, integration_id),
        programs=_programs(loyalty),
        cards=tuple(card_ref(_id(card, "programID"), _text(card, "identifier")) for card in items(loyalty, "cards")),
        giveaways=_ids(document, "giveaways", "id"),
        achievements=tuple(_id(a, "achievementId") for a in items(document, "achievements") if _begun(a)),
        audiences=_ids(profile, "audienceMemberships", "id"),
        attributes=attributes,
        noted=_noted(document, integration_id),
        fields=_fields(document, profile, loyalty, integration_id),
        birth=" ".join(str(profile[name]) for name in ("id", "created") if profile.get(name)),
    )


def records(held: Holding, programs: tuple[str, ...]) -> tuple[Record, ...]:
    """One record per kind; ``programs`` are those that count. Empty for an empty shell.

    A profile without attributes, sales, closed sessions or anything that refers to it is what an erasure leaves at
    some accounts: nothing is held in it but the id it was asked for by. Counted sales and sessions are data about a
    person, so a profile with them is a record, be it a shell or a customer of whom no attributes were ever sent.
    """
    whose = {"integration_id": held.integration_id}
    notes: dict[str, Json] = {
        COUPON: {"issued": any(c.issued for c in held.coupons), "noted": any(c.noted for c in held.coupons)}
    }
    found = [(kind, programs if kind == PROGRAM else held.refs(kind)) for kind in KINDS]
    others = tuple(
        Record(kind, len(refs), refs, whose | notes.get(kind, {}), held.fields.get(kind, ()))
        for kind, refs in found
        if refs
    )
    if not (held.described or held.active or others):
        return ()
    data = whose | {"described": held.described}
    return (Record(PROFILE, 1, (held.integration_id,), data, held.fields.get(PROFILE, ())), *others)


@dataclass(frozen=True, repr=False)
class Row:
    """A session, an event or a referred friend, as the Management API lists it."""

    id: str
    """The vendor's number; empty for a friend, who has none."""
    described: bool
    """True where it has attributes, of its own or of its items."""
    fields: tuple[str, ...]


def rows(document: Json) -> tuple[Row, ...]:
    """The entries of a page of sessions, events or friends."""
    found = []
    for entry in items(document, "data", required=True):
        parts = (entry, *items(entry, "cartItems"))
        described = any(value is not None for part in parts for value in _optional(part, "attributes").values())
        number = _id(entry, "id") if "friendIntegrationId" not in entry else ""
        names = field_names(entry, keyed=("discounts", "cartItems[].prices"))
        found.append(Row(number, described, names))
    return tuple(found)


def has_type(document: Json, event_type: str) -> bool:
    """Whether a page of events has one of this type."""
    return any(entry.get("type") == event_type for entry in items(document, "data", required=True))


def session_is_of(document: Json, integration_id: str) -> bool:
    """Whether a session (``IntegrationCustomerSessionResponse``) belongs to this person."""
    return _optional(document, "customerSession").get("profileId") == integration_id


def has_progress(document: Json) -> bool:
    """Whether a page of achievements has one that the person has begun."""
    current = [_optional(entry, "currentProgress") for entry in items(document, "data", required=True)]
    return any(_begun(progress) for progress in current if progress)


def balance_is_zero(document: Json) -> bool:
    """Whether a balances document (``LoyaltyBalancesWithTiers``) has no points of any sort in any ledger."""
    ledgers = [_optional(document, "balance")]
    subledgers = _optional(document, "subledgerBalances")
    ledgers += [_dict(ledger, "subledgerBalances") for ledger in subledgers.values()]
    sorts = ("activePoints", "pendingPoints", "spentPoints", "expiredPoints", "negativePoints")
    return all(_number(ledger, sort) == 0 for ledger in ledgers for sort in sorts)


def reservation_names(document: Json, integration_id: str) -> bool:
    """Whether a list of who reserved a coupon names this person. Raises where the list is not whole."""
    people = items(document, "data", required=True)
    if any(_text(person, "integrationId") == integration_id for person in people):
        return True
    if _number(document, "totalResultSize") > len(people):
        raise BadAnswer("Talon.One listed only some of those who reserved a coupon")
    return False


def card_names(document: Json, integration_id: str) -> bool:
    """Whether a card's balances (``LoyaltyCardBalances``) list this person as linked."""
    return any(_text(profile, "integrationId") == integration_id for profile in items(document, "profiles"))


def points_name(document: Json, integration_id: str) -> bool:
    """Whether a page of a card's points has an entry that names this person as its earner."""
    return any(entry.get("customerProfileID") == integration_id for entry in items(document, "data"))


def is_refusal(document: Json) -> bool:
    """Whether this is Talon.One's error document, ``{"message", "errors", "StatusCode"}``; each may be left out."""
    return isinstance(document, dict) and not {"message", "errors", "StatusCode"}.isdisjoint(document)


def more(document: Json) -> bool:
    """``hasMore`` of a page."""
    value = _dict(document).get("hasMore")
    if not isinstance(value, bool):
        raise _bad("hasMore")
    return value


def items(parent: Json, name: str, *, required: bool = False) -> tuple[dict[str, Json], ...]:
    """A list of objects; missing or null is empty unless ``required``."""
    value = _dict(parent).get(name)
    if value is None and not required:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise _bad(name)
    return tuple(value)


def total(document: Json) -> int:
    """``totalResultSize`` of a page."""
    return int(_number(document, "totalResultSize"))


def card_ref(program: str, identifier: str) -> str:
    """``5/summer-card-0543``."""
    return f"{program}/{identifier}"


def split_card_ref(ref: str) -> tuple[str, str]:
    """Program and identifier of a card."""
    program, _, identifier = ref.partition("/")
    return program, identifier


def _noted(document: Json, integration_id: str) -> Mapping[str, int]:
    entries = {
        COUPON: [c for c in items(document, "coupons") if _is_own(c, integration_id)],
        REFERRAL: items(document, "referrals"),
        GIVEAWAY: items(document, "giveaways"),
    }
    return {kind: sum(1 for one in found if _has_text(one)) for kind, found in entries.items()}


def _has_text(entry: Mapping[str, Json]) -> bool:
    return any(isinstance(value, str | list) and bool(value) for value in _optional(entry, "attributes").values())


def _fields(document: Json, profile: Json, loyalty: Json, integration_id: str) -> Mapping[str, tuple[str, ...]]:
    own = {name: value for name, value in profile.items() if name != "audienceMemberships"}
    coupons = (c for c in items(document, "coupons") if _is_own(c, integration_id))
    return {
        PROFILE: _names([own]),
        REFERRAL: _names(items(document, "referrals")),
        COUPON: _names(coupons),
        PROGRAM: _names(_optional(loyalty, "programs").values(), keyed=("subLedgers",)),
        CARD: _names(items(loyalty, "cards"), keyed=("subledgers",)),
        GIVEAWAY: _names(items(document, "giveaways")),
        ACHIEVEMENT: _names(a for a in items(document, "achievements") if _begun(a)),
        AUDIENCE: _names(items(profile, "audienceMemberships")),
    }


def _names(documents: Iterable[Json], keyed: tuple[str, ...] = ()) -> tuple[str, ...]:
    return tuple(sorted({name for document in documents for name in field_names(document, keyed=keyed)}))


def _is_own(coupon: Mapping[str, Json], integration_id: str) -> bool:
    return coupon.get("recipientIntegrationId") == integration_id or coupon.get("implicitlyReserved") is not True


def _coupons(document: Json, integration_id: str) -> tuple[Coupon, ...]:
    found = []
    for coupon in items(document, "coupons"):
        issued = coupon.get("recipientIntegrationId") == integration_id
        if _is_own(coupon, integration_id):
            found.append(Coupon(_text(coupon, "value"), issued, bool(_optional(coupon, "attributes"))))
    return tuple(dict.fromkeys(found))


def _programs(loyalty: Json) -> tuple[str, ...]:
    programs = _optional(loyalty, "programs")
    return tuple(_id(_dict(program, "programs"), "id") for program in programs.values())


def _begun(achievement: Json) -> bool:
    return _text(achievement, "status") != "not_started" or _number(achievement, "progress") != 0


def _ids(parent: Json, name: str, key: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_id(item, key) for item in items(parent, name)))


def _id(parent: Json, name: str) -> str:
    value = _dict(parent).get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _bad(name)
    return str(value)


def _text(parent: Json, name: str) -> str:
    value = _dict(parent).get(name)
    if not isinstance(value, str) or not value:
        raise _bad(name)
    return value


def _number(parent: Json, name: str) -> float:
    """A number; missing or null is 0."""
    value = _dict(parent).get(name)
    if value is None:
        return 0
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _bad(name)
    return value


def _object(parent: Json, name: str) -> dict[str, Json]:
    return _dict(_dict(parent).get(name), name)


def _optional(parent: Json, name: str) -> dict[str, Json]:
    value = _dict(parent).get(name)
    return {} if value is None else _dict(value, name)


def _dict(value: Json, name: str = "the answer") -> dict[str, Json]:
    if not isinstance(value, dict):
        raise _bad(name)
    return value


def _bad(name: str) -> BadAnswer:
    return BadAnswer(f"{name} is not as Talon.One documents it")

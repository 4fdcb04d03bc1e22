"""Other people's ids out of what a person is given (Art. 15(4)). Pure.

Each function takes an answer's decoded JSON and the person's own ids, and returns the JSON to hand over and what was
left out; nothing left out means that the JSON is unchanged. Raises :class:`~habeas.BadAnswer` where the JSON is not as
Talon.One documents it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from habeas import Omission
from habeas.models import Json
from habeas_talonone.mapping import items

__all__ = ["Filtered", "card_balances", "card_points", "card_transactions", "friends", "inventory", "unfiltered"]

_RIGHTS = "It names other people, whose rights a copy must not affect (Art. 15(4) GDPR)."
_FRIENDS = ("friendIntegrationId", "sessionId")
_SESSION = "The card is shared, and the purchase may be another person's (Art. 15(4) GDPR)."


@dataclass(frozen=True, repr=False)
class Filtered:
    """What may be handed over."""

    document: Json
    omissions: tuple[Omission, ...]


def unfiltered(document: Json, own: Collection[str]) -> Filtered:
    """For documents that name nobody but the person."""
    del own
    return Filtered(document, ())


def inventory(document: Json, own: Collection[str]) -> Filtered:
    """``CustomerInventory``: who else is on a card, which friends came, and whom else a code names."""
    loyalty = document.get("loyalty") or {}
    cards, card_omissions = _off_cards(items(loyalty, "cards"), own)
    referrals, friends = _off_referrals(items(document, "referrals"), own)
    coupons, recipients = _without_key(items(document, "coupons"), "recipientIntegrationId", own)
    omissions = (
        *card_omissions,
        *_told("ids of friends in referrals", _RIGHTS, friends),
        *_told("ids of other recipients of coupons", _RIGHTS, recipients),
    )
    if not omissions:
        return Filtered(document, ())
    changed = dict(document)
    if cards:
        changed["loyalty"] = loyalty | {"cards": cards}
    if referrals:
        changed["referrals"] = referrals
    if coupons:
        changed["coupons"] = coupons
    return Filtered(changed, omissions)


def card_balances(document: Json, own: Collection[str]) -> Filtered:
    """``LoyaltyCardBalances``: who else is on the card."""
    (card,), omissions = _off_cards((document,), own)
    return Filtered(card if omissions else document, omissions)


def card_points(document: Json, own: Collection[str]) -> Filtered:
    """A page of a card's points: entries that another person earned."""
    entries = items(document, "data", required=True)
    kept = [entry for entry in entries if not _others(entry.get("customerProfileID"), own)]
    omissions = _told("points that other people on the card earned", _RIGHTS, len(entries) - len(kept))
    return Filtered(document | {"data": kept} if omissions else document, omissions)


def card_transactions(document: Json, own: Collection[str]) -> Filtered:
    """A page of a shared card's transactions: they do not say whose session each was, so no session is named."""
    del own
    entries = items(document, "data", required=True)
    kept = [{key: value for key, value in entry.items() if key != "customerSessionId"} for entry in entries]
    omissions = _told("ids of sessions", _SESSION, sum(1 for entry in entries if entry.get("customerSessionId")))
    return Filtered(document | {"data": kept} if omissions else document, omissions)


def friends(document: Json, own: Collection[str]) -> Filtered:
    """A page of the friends a person has referred: who they are, and their sessions."""
    entries = items(document, "data", required=True)
    kept = [
        {key: value for key, value in entry.items() if key not in _FRIENDS or not _others(value, own)}
        for entry in entries
    ]
    dropped = sum(1 for entry in entries if _others(entry.get("friendIntegrationId"), own))
    omissions = _told("ids of referred friends, and of their sessions", _RIGHTS, dropped)
    return Filtered(document | {"data": kept} if omissions else document, omissions)


def _off_cards(cards: tuple[dict[str, Json], ...], own: Collection[str]) -> tuple[list[Json], tuple[Omission, ...]]:
    changed = []
    dropped = 0
    for card in cards:
        people = items(card, "profiles")
        kept = [person for person in people if not _others(person.get("integrationId"), own)]
        dropped += len(people) - len(kept)
        changed.append(card | {"profiles": kept} if len(kept) < len(people) else card)
    return changed, _told("ids of other people on a loyalty card", _RIGHTS, dropped)


def _off_referrals(referrals: tuple[dict[str, Json], ...], own: Collection[str]) -> tuple[list[Json], int]:
    changed, dropped = _without_key(referrals, "friendProfileIntegrationId", own)
    for n, referral in enumerate(changed):
        friends = referral.get("referredCustomers") or []
        kept = [friend for friend in friends if not _others(friend, own)]
        dropped += len(friends) - len(kept)
        if len(kept) < len(friends):
            changed[n] = referral | {"referredCustomers": kept}
    return changed, dropped


def _without_key(entries: tuple[dict[str, Json], ...], key: str, own: Collection[str]) -> tuple[list[Json], int]:
    changed: list[Json] = []
    for entry in entries:
        others = _others(entry.get(key), own)
        changed.append({name: value for name, value in entry.items() if name != key} if others else entry)
    return changed, sum(1 for entry in entries if _others(entry.get(key), own))


def _others(value: Json, own: Collection[str]) -> bool:
    """True unless there is nothing there or one of the person's own ids: what is not understood is left out too."""
    return value not in (None, "") and not (isinstance(value, str) and value in own)


def _told(what: str, why: str, count: int) -> tuple[Omission, ...]:
    return (Omission(what, why, count),) if count else ()

"""The calls of Talon.One's Integration API that habeas needs, one function each.

Paths, parameters and statuses are those of the vendor's Integration API document. Reads of one person or thing take 404
as an answer ("nothing held"), but only in the shape of Talon.One's own error document: a web page with status 404 says
nothing about a person. Changes take 404 too: what they would remove is not there, and the read-back decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from habeas import BadAnswer
from habeas.http.api import Api, Change
from habeas.http.pages import Page, walk
from habeas.http.transport import Answer, Request
from habeas.models import Json
from habeas_talonone import mapping

__all__ = [
    "POINTS_STATUSES",
    "achievements",
    "card_balances",
    "card_points",
    "card_transactions",
    "delete_data",
    "delete_transactions",
    "inventory",
    "leave_audience",
    "program_balances",
    "program_points",
    "program_transactions",
    "read_as",
    "reserved_by",
    "unlink_card",
    "unreserve",
]

INVENTORY = "/v1/customer_profiles/{integrationId}/inventory"
ACHIEVEMENTS = "/v1/customer_profiles/{integrationId}/achievements"
DATA = "/v1/customer_data/{integrationId}"
AUDIENCES = "/v2/customer_audiences"
RESERVATIONS = "/v1/coupon_reservations/{couponValue}"
RESERVED_BY = "/v1/coupon_reservations/customerprofiles/{couponValue}"
_PROGRAM = "/v1/loyalty_programs/{loyaltyProgramId}/profile/{integrationId}"
_CARD = "/v1/loyalty_programs/{loyaltyProgramId}/cards/{loyaltyCardId}"
CARD_BALANCES = _CARD + "/balances"
UNLINK = "/v2/loyalty_programs/{loyaltyProgramId}/cards/{loyaltyCardId}/unlink_profile"

POINTS_STATUSES = ("active", "pending", "expired")
PAGE_SIZE = 500
"""Items. The vendor allows 1000; half of it keeps an answer far below the size limit."""

_FLAGS = tuple((name, "true") for name in ("profile", "referrals", "coupons", "loyalty", "giveaways", "achievements"))
_BUSY = (409,)
"""More than three calls at once on one profile: refused before anything is done."""

Done = Callable[[], bool]
T = TypeVar("T")


# -- reads -------------------------------------------------------------------------------------------------------------


def inventory(api: Api, integration_id: str) -> Answer:
    """All that refers to one ``integrationId``: 200 ``CustomerInventory``, or 404.

    All six flags are sent: each is false by default, and what is not asked for is not in the answer.
    """
    return _get(api, INVENTORY, {"integrationId": integration_id}, _FLAGS)


def reserved_by(api: Api, coupon: str) -> Answer:
    """Who reserved a coupon: 200, or 404 where the coupon does not exist."""
    return _get(api, RESERVED_BY, {"couponValue": coupon})


def program_balances(api: Api, program: str, integration_id: str) -> Answer:
    """Points of one person in one profile-based program: 200 ``LoyaltyBalancesWithTiers``, or 404."""
    ids = {"loyaltyProgramId": program, "integrationId": integration_id}
    return _get(api, _PROGRAM + "/balances", ids, (("includeTiers", "true"),))


def program_transactions(api: Api, program: str, integration_id: str) -> Iterator[Answer]:
    """All pages of one person's transactions in one program. 404: one answer with that status."""
    return _by_more(api, _PROGRAM + "/transactions", {"loyaltyProgramId": program, "integrationId": integration_id})


def program_points(api: Api, program: str, integration_id: str, status: str) -> Iterator[Answer]:
    """All pages of one person's unused points of one status in one program."""
    ids = {"loyaltyProgramId": program, "integrationId": integration_id}
    return _by_more(api, _PROGRAM + "/points", ids, (("status", status),))


def card_balances(api: Api, program: str, card: str) -> Answer:
    """Points of a card, and the profiles it is linked to: 200 ``LoyaltyCardBalances``, or 404."""
    return _get(api, CARD_BALANCES, {"loyaltyProgramId": program, "loyaltyCardId": card})


def card_transactions(api: Api, program: str, card: str) -> Iterator[Answer]:
    """All pages of a card's transactions."""
    return _by_more(api, _CARD + "/transactions", {"loyaltyProgramId": program, "loyaltyCardId": card})


def card_points(api: Api, program: str, card: str, status: str) -> Iterator[Answer]:
    """All pages of a card's unused points of one status; an entry can name the profile that earned it."""
    ids = {"loyaltyProgramId": program, "loyaltyCardId": card}
    return _by_more(api, _CARD + "/points", ids, (("status", status),))


def achievements(api: Api, integration_id: str) -> Iterator[Answer]:
    """All pages of achievements open to one person, with their progress. Without the filter only active ones come."""
    query = (("achievementStatus", "active,scheduled"),)
    return _pages(api, ACHIEVEMENTS, {"integrationId": integration_id}, query, _by_total)


# -- changes -----------------------------------------------------------------------------------------------------------


def unreserve(api: Api, coupon: str, integration_id: str, done: Done) -> Change:
    """Takes one person's reservations off a coupon. The vendor documents a body for this DELETE."""
    body = {"integrationIDs": [integration_id]}
    return _change(api, Request("DELETE", RESERVATIONS, {"couponValue": coupon}, json=body), done)


def delete_transactions(api: Api, program: str, integration_id: str, done: Done) -> Change:
    """Deletes one person's transactions from every ledger of a program."""
    ids = {"loyaltyProgramId": program, "integrationId": integration_id}
    return _change(api, Request("POST", _PROGRAM + "/delete_transactions", ids, json={"scope": "AllSubledgers"}), done)


def unlink_card(api: Api, program: str, card: str, integration_id: str, done: Done) -> Change:
    """Takes one person off a loyalty card; others keep it."""
    ids = {"loyaltyProgramId": program, "loyaltyCardId": card}
    return _change(api, Request("POST", UNLINK, ids, json={"integrationId": integration_id}), done)


def leave_audience(api: Api, audience: str, integration_id: str, done: Done) -> Change:
    """Takes one person out of an audience. The vendor's text says "remove", the value is ``delete``."""
    entry = {"action": "delete", "profileIntegrationId": integration_id, "audienceId": int(audience)}
    return _change(api, Request("POST", AUDIENCES, json={"data": [entry]}), done)


def delete_data(api: Api, integration_id: str, done: Done) -> Change:
    """Deletes the attributes of the profile and of what refers to it, in all Applications of the key's environment."""
    return _change(api, Request("DELETE", DATA, {"integrationId": integration_id}), done)


def read_as(answer: Answer, reading: Callable[[Json], T]) -> T:
    """What a function of ``mapping`` makes of an answer's JSON; its :class:`~habeas.BadAnswer` gets the call's name."""
    document = answer.json()
    try:
        return reading(document)
    except BadAnswer as bad:
        raise BadAnswer(f"{answer.evidence}: {bad.message}") from None


# -- how ---------------------------------------------------------------------------------------------------------------


def _change(api: Api, request: Request, done: Done) -> Change:
    return api.change(request, ok=(200, 204, 404), done=done, conflicts=_BUSY)


def _get(api: Api, template: str, ids: dict[str, str], query: Sequence[tuple[str, str]] = ()) -> Answer:
    answer = api.get(template, ids=ids, query=query, ok=(200, 404))
    if answer.status == 404 and not isinstance(answer.json(), dict):
        raise BadAnswer(f"{answer.evidence}: this is not Talon.One's own answer", advice="check base_url")
    return answer


def _by_more(api: Api, template: str, ids: dict[str, str], query: Sequence[tuple[str, str]] = ()) -> Iterator[Answer]:
    return _pages(api, template, ids, query, _by_flag)


def _by_flag(document: Json, skip: int, size: int) -> bool:
    del skip, size
    return mapping.more(document)


def _by_total(document: Json, skip: int, size: int) -> bool:
    return skip + size < mapping.total(document)


def _pages(
    api: Api,
    template: str,
    ids: dict[str, str],
    query: Sequence[tuple[str, str]],
    goes_on: Callable[[Json, int, int], bool],
) -> Iterator[Answer]:
    def fetch(skip: str) -> Page[Answer]:
        answer = _get(api, template, ids, (*query, ("pageSize", str(PAGE_SIZE)), ("skip", skip)))
        if answer.status == 404:
            return Page(answer, "")
        size = len(read_as(answer, lambda document: mapping.items(document, "data", required=True)))
        # An empty page that promises more names itself as the next one, which `walk` refuses.
        follows = read_as(answer, lambda document: goes_on(document, int(skip), size))
        return Page(answer, str(int(skip) + size) if follows else "")

    return walk("0", fetch)

"""Loyalty by profile and by card: balances, transactions, points; the wipe of a ledger, and the way off a card."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from habeas.http.api import Api, Change
from habeas.http.transport import Answer, Request
from habeas_talonone.client.calling import Done, by_flag, change, get, pages

__all__ = [
    "POINTS_STATUSES",
    "card_balances",
    "card_points",
    "card_transactions",
    "delete_transactions",
    "program_balances",
    "program_points",
    "program_transactions",
    "unlink_card",
]

POINTS_STATUSES = ("active", "pending", "expired")

_PROGRAM = "/v1/loyalty_programs/{loyaltyProgramId}/profile/{integrationId}"
_CARD = "/v1/loyalty_programs/{loyaltyProgramId}/cards/{loyaltyCardId}"
_UNLINK = "/v2/loyalty_programs/{loyaltyProgramId}/cards/{loyaltyCardId}/unlink_profile"


def program_balances(api: Api, program: str, integration_id: str) -> Answer:
    """Points of one person in one profile-based program: 200 ``LoyaltyBalancesWithTiers``, or 404."""
    return get(api, _PROGRAM + "/balances", _of_profile(program, integration_id), (("includeTiers", "true"),))


def program_transactions(api: Api, program: str, integration_id: str) -> Iterator[Answer]:
    """All pages of one person's transactions in one program. 404: one answer with that status."""
    return _listed(api, _PROGRAM + "/transactions", _of_profile(program, integration_id))


def program_points(api: Api, program: str, integration_id: str, status: str) -> Iterator[Answer]:
    """All pages of one person's unused points of one status in one program."""
    return _listed(api, _PROGRAM + "/points", _of_profile(program, integration_id), (("status", status),))


def card_balances(api: Api, program: str, card: str) -> Answer:
    """Points of a card, and the profiles it is linked to: 200 ``LoyaltyCardBalances``, or 404."""
    return get(api, _CARD + "/balances", _of_card(program, card))


def card_transactions(api: Api, program: str, card: str) -> Iterator[Answer]:
    """All pages of a card's transactions."""
    return _listed(api, _CARD + "/transactions", _of_card(program, card))


def card_points(api: Api, program: str, card: str, status: str) -> Iterator[Answer]:
    """All pages of a card's unused points of one status; an entry can name the profile that earned it."""
    return _listed(api, _CARD + "/points", _of_card(program, card), (("status", status),))


def delete_transactions(
    api: Api, program: str, integration_id: str, done: Done, *, subledgers: Sequence[str] | None = None
) -> Change:
    """Deletes one person's transactions from every ledger of a program, or from the named (``""``: the main one)."""
    body = {"scope": "AllSubledgers"} if subledgers is None else {"scope": "SelectedSubledgers"}
    named = {} if subledgers is None else {"subledgerIds": list(subledgers)}
    template = _PROGRAM + "/delete_transactions"
    request = Request("POST", template, _of_profile(program, integration_id), json=body | named)
    return change(api, request, done, ok=(200, 204, 404))


def unlink_card(api: Api, program: str, card: str, integration_id: str, done: Done) -> Change:
    """Takes one person off a loyalty card; others keep it."""
    request = Request("POST", _UNLINK, _of_card(program, card), json={"integrationId": integration_id})
    return change(api, request, done, ok=(200, 204, 404))


def _of_profile(program: str, integration_id: str) -> dict[str, str]:
    return {"loyaltyProgramId": program, "integrationId": integration_id}


def _of_card(program: str, card: str) -> dict[str, str]:
    return {"loyaltyProgramId": program, "loyaltyCardId": card}


def _listed(api: Api, template: str, ids: dict[str, str], query: Sequence[tuple[str, str]] = ()) -> Iterator[Answer]:
    return pages(lambda page: get(api, template, ids, (*query, *page)), by_flag)

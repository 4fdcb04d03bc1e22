"""Loyalty by card: a card may be shared, and tells of everybody on it."""

from __future__ import annotations

from typing import Any

from habeas.testing.sandbox import Reply, token
from habeas_talonone.sandbox.intake import Param, Refused, Request, items, obj, page, text, when, whole
from habeas_talonone.sandbox.ledger import Card, Transaction
from habeas_talonone.sandbox.loyalty import LEDGER, POINTS, balances, filtered, points_page, program
from habeas_talonone.sandbox.operations import INTEGRATION_ID, SORTED, Operation
from habeas_talonone.sandbox.state import State

__all__ = ["OPERATIONS"]

Json = dict[str, Any]


def _card(state: State, request: Request) -> Card:
    found = state.cards.get((program(state, request, card_based=True).id, request.path["loyaltyCardId"]))
    if found is None:
        raise Refused(404, "Not found", "the loyalty card does not exist")
    return found


def link(state: State, request: Request) -> Reply:
    """Link customer profile to card: an existing profile, up to the program's limit."""
    card, who = _card(state, request), request.body["integrationId"]
    state.profile(who)
    limit = card.program.users_per_card
    if who not in card.profiles and limit and len(card.profiles) >= limit:
        raise Refused(400, "Card user limit reached", "the card has as many profiles as the program allows")
    state.link_card(card, who)
    return Reply(200, card.json(state.now()))


def unlink(state: State, request: Request) -> Reply:
    """Unlink customer profile from card; 404 where it is not on it."""
    card, who = _card(state, request), request.body["integrationId"]
    if who not in card.profiles:
        raise Refused(404, "Not found", "the profile is not linked to this loyalty card")
    state.unlink_card(card, who)
    return Reply(200, card.json(state.now()))


def card_balances(state: State, request: Request) -> Reply:
    """Get card balances, at ``endDate`` or now; names everybody on the card."""
    card, query = _card(state, request), request.query
    at = state.now() if query["endDate"] is None else query["endDate"]
    return Reply(200, balances(card.transactions, at, query["subledgerId"]) | {"profiles": card.registrations()})


def card_transactions(state: State, request: Request) -> Reply:
    """List card transactions, newest first."""
    card = _card(state, request)

    def view(line: Transaction) -> Json:
        return line.json() | {"cardIdentifier": card.identifier}

    return Reply(200, page(filtered(card.transactions, request.query), request.query, view))


def card_points(state: State, request: Request) -> Reply:
    """List card's unused points."""
    return Reply(200, points_page(_card(state, request).transactions, request.query, state.now()))


def generate(state: State, request: Request) -> Reply:
    """Generate loyalty card; only 400 is documented for what does not fit."""
    found, body = program(state, request, card_based=True, missing=400), request.body
    people, number = dict.fromkeys(body.get("customerProfileIds", [])), state.next_id()
    identifier = body.get("cardIdentifier", token("card-", number))
    if (found.id, identifier) in state.cards:
        raise Refused(400, "Invalid body", "the identifier is taken", {"pointer": "/cardIdentifier"})
    if found.users_per_card and len(people) > found.users_per_card:
        raise Refused(400, "Invalid body", "more profiles than allowed", {"pointer": "/customerProfileIds"})
    for n, who in enumerate(people):
        if who not in state.profiles:
            raise Refused(400, "Invalid body", "unknown profile", {"pointer": f"/customerProfileIds/{n}"})
    card = Card(number, found, identifier, state.now(), body.get("status", "active"))
    state.cards[found.id, identifier] = card
    for who in people:
        state.link_card(card, who)
    return Reply(200, card.json(state.now()))


def list_cards(state: State, request: Request) -> Reply:
    """List loyalty cards of a program."""
    found, query = program(state, request, card_based=True, missing=400), request.query
    rows = [card for card in state.cards.values() if card.program is found]
    if query["identifier"] is not None:
        rows = [card for card in rows if query["identifier"] in card.identifier]
    if query["profileId"] is not None:
        profile = state.profiles_by_id.get(query["profileId"])
        rows = [card for card in rows if profile is not None and profile.integration_id in card.profiles]
    if query["batchId"] is not None:
        rows = []
    return Reply(200, page(rows, query, lambda card: card.json(state.now())))


_LINK = obj({"integrationId": INTEGRATION_ID}, required=("integrationId",))
_REPEATED = {"subledgerId": Param("repeat")}
_CARDS = "/v1/loyalty_programs/{loyaltyProgramId}/cards"
_CARD = _CARDS + "/{loyaltyCardId}"
_CARD_V2 = "/v2/loyalty_programs/{loyaltyProgramId}/cards/{loyaltyCardId}"

OPERATIONS = (
    Operation("POST", _CARD_V2 + "/link_profile", link, body=_LINK),
    Operation("POST", _CARD_V2 + "/unlink_profile", unlink, body=_LINK),
    Operation("GET", _CARD + "/balances", card_balances, when("endDate") | _REPEATED),
    Operation("GET", _CARD + "/transactions", card_transactions, LEDGER | _REPEATED),
    Operation("GET", _CARD + "/points", card_points, POINTS),
    Operation(
        "POST",
        _CARDS,
        generate,
        body=obj(
            {
                "status": text(choices=("active", "inactive")),
                "customerProfileIds": items(INTEGRATION_ID),
                "cardIdentifier": text(4, 108, pattern=r"[A-Za-z0-9._%+@-]+"),
            }
        ),
    ),
    Operation(
        "GET",
        _CARDS,
        list_cards,
        SORTED | {"identifier": Param(low=4), "profileId": whole(1), "batchId": Param()},
        api="management",
    ),
)

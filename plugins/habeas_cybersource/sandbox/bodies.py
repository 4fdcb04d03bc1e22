"""Pure work on request bodies: what is kept of them, what they name, what is masked."""

from __future__ import annotations

from typing import Any, TypeAlias

from habeas_cybersource.sandbox.refused import Refused

__all__ = ["Json", "account", "masked", "merged", "numbers_unlike", "without"]

Json: TypeAlias = dict[str, Any]


def without(body: Json, *names: str) -> Json:
    """The body without these names."""
    return {name: value for name, value in body.items() if name not in names}


def merged(old: Json, new: Json) -> Json:
    """Objects are merged, everything else (arrays too) is replaced; how the vendor treats arrays is not written."""
    both = dict(old)
    for name, value in new.items():
        before = both.get(name)
        both[name] = merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return both


def account(body: Json) -> str:
    """What an identifier stands for: ``card|NUMBER`` or ``bank|ROUTING|NUMBER``.

    Raises :class:`Refused` (400) for neither, for both, and for a card number that is not digits.
    """
    card = body.get("card", {}).get("number", "")
    bank = body.get("bankAccount", {})
    if card and bank:
        raise Refused(400, "A card or an account, not both.", "invalidCombination", ["card", "bankAccount"])
    if card:
        if not (card.isascii() and card.isdigit()):
            raise Refused(400, "The card number must be digits.", "invalidFields", ["card.number"])
        return f"card|{card}"
    if missing := [name for name in ("number", "routingNumber") if not bank.get(name)]:
        names = [f"bankAccount.{name}" for name in missing] if bank else ["card.number"]
        raise Refused(400, "A card or an account is needed.", "missingFields", names)
    return f"bank|{bank['routingNumber']}|{bank['number']}"


def masked(body: Json) -> Json:
    """First six and last four digits of a card, last four of an account; the security code is never kept."""
    hidden = dict(body)
    if "card" in body:
        hidden["card"] = card = without(body["card"], "securityCode")
        if "number" in card:
            card["number"] = card["number"][:6] + "X" * (len(card["number"]) - 10) + card["number"][-4:]
    if "number" in body.get("bankAccount", {}):
        number = body["bankAccount"]["number"]
        hidden["bankAccount"] = {**body["bankAccount"], "number": "X" * (len(number) - 4) + number[-4:]}
    return hidden


def numbers_unlike(body: Json, kept: Json, known_as: str) -> list[str]:
    """Names of the numbers in ``body`` that are neither as kept (masked) nor the account itself in clear."""
    clear = known_as.split("|")[1:]
    return [
        f"{part}.{name}"
        for part, names in (("card", ("number",)), ("bankAccount", ("routingNumber", "number")))
        for name in names
        if name in body.get(part, {}) and body[part][name] not in (kept.get(part, {}).get(name), *clear)
    ]

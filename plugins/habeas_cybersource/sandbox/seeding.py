"""Made-up people as customers of the merchant, and the truth about what is still held of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

from habeas.testing.people import Person
from habeas_cybersource.sandbox.bodies import Json
from habeas_cybersource.sandbox.records import Record
from habeas_cybersource.sandbox.vault import Vault

__all__ = ["customer_token", "enlarge", "held", "held_text", "seed"]

_MANY = 23
"""Addresses of every 20th person: more than the vendor's page of 20."""


def customer_token(customer_id: str) -> str:
    """The token a person is seeded with: 32 upper-case hex digits, the same each time."""
    return hashlib.sha256(f"customer|{customer_id}".encode()).hexdigest()[:32].upper()


def seed(vault: Vault, people: Iterable[Person]) -> dict[str, str]:
    """Customer, instruments and addresses for each person; customer_id → customer token for all of them.

    Every 4th person has a second card, every second one a second address, every 20th has 23 addresses. People with the
    same card share its instrument identifier. A person who was seeded before is left as they are, deleted or not.
    """
    tokens: dict[str, str] = {}
    for n, person in enumerate(people, start=1):
        token = tokens[person.customer_id] = customer_token(person.customer_id)
        if token in vault.tokens_of.get(person.customer_id, {}):
            continue
        vault.add_customer(_customer(person, token))
        vault.add_instrument(token, _instrument(person, person.card, person.card_expiry))
        if n % 4 == 0:
            vault.add_instrument(token, _instrument(person, _second_card(person), "12/2031"))
        for copy in range(_MANY if n % 20 == 0 else 2 - n % 2):
            vault.add_address(token, {"shipTo": _ship_to(person, copy)})
    return tokens


def held(vault: Vault, person: Person) -> dict[str, int]:
    """Kind → how many live records name this person; kinds without any are left out.

    An identifier counts while an instrument of theirs uses it, or when nobody does and it once was theirs. Stand-alone
    instruments belong to no customer and are nobody's here. A token stays a person's after its merchantCustomerID was
    changed.
    """
    return {kind: len(records) for kind, records in _records(vault, person).items() if records}


def held_text(vault: Vault, person: Person) -> str:
    """What :func:`held` counts, in full, as JSON; empty where there is nothing."""
    records = {
        kind: [{"id": record.id, **record.body} for record in found]
        for kind, found in _records(vault, person).items()
        if found
    }
    return json.dumps(records, ensure_ascii=False) if records else ""


def enlarge(vault: Vault, person: Person, count: int) -> None:
    """``count`` more instruments and addresses for a person who is a customer. The instruments share one card."""
    customer = _records(vault, person)["customer"][0]
    for n in range(count):
        vault.add_instrument(customer.id, _instrument(person, person.card, person.card_expiry))
        vault.add_address(customer.id, {"shipTo": _ship_to(person, n + 1)})


def _records(vault: Vault, person: Person) -> dict[str, list[Record]]:
    tokens = vault.tokens_of.get(person.customer_id, {})
    live = [vault.customers[token] for token in tokens if token in vault.customers]
    once_theirs = {identifier: None for token in tokens for identifier in vault.identifiers_of.get(token, {})}
    identifiers = [vault.identifiers[token] for token in once_theirs if token in vault.identifiers]
    return {
        "customer": [*live],
        "payment_instrument": [record for customer in live for record in customer.instruments.values()],
        "shipping_address": [record for customer in live for record in customer.addresses.values()],
        "instrument_identifier": [
            record
            for record in identifiers
            if not record.users or any(user.customer in tokens for user in record.users.values())
        ],
    }


def _customer(person: Person, token: str) -> Json:
    return {
        "id": token,
        "objectInformation": {
            "title": f"{person.first_name} {person.last_name}"[:60],
            "comment": "Made at the first order",
        },
        "buyerInformation": {"merchantCustomerID": person.customer_id, "email": person.email},
        "clientReferenceInformation": {"code": f"first-order-of-{token[:8]}"},
        "merchantDefinedInformation": [{"name": "data1", "value": f"{person.orders} orders"}],
    }


def _instrument(person: Person, card: str, expiry: str) -> Json:
    month, _, year = expiry.partition("/")
    return {
        "card": {"expirationMonth": month, "expirationYear": year, "type": "001" if card.startswith("4") else "002"},
        "billTo": {**_place(person), "email": person.email, "phoneNumber": person.phone},
        "_embedded": {"instrumentIdentifier": {"card": {"number": card}}},
    }


def _ship_to(person: Person, copy: int) -> Mapping[str, str]:
    where = {"address2": f"Floor {copy}"} if copy else {}
    return {**_place(person), **where, "email": person.email, "phoneNumber": person.phone}


def _place(person: Person) -> dict[str, str]:
    return {
        "firstName": person.first_name,
        "lastName": person.last_name,
        "address1": person.street,
        "locality": person.city,
        "postalCode": person.postal_code,
        "country": person.country,
    }


def _second_card(person: Person) -> str:
    return f"55{int(customer_token(person.customer_id), 16) % 10**14:014d}"

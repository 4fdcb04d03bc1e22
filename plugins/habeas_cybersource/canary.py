"""The made-up person of a canary run: one customer with a payment instrument, its card number token and an address.

TMS has no search, and its POST takes no idempotency key. But the model of a new customer has an ``id``, and a token
that is taken is refused (409 ``tokenIdConflict``): so the customer is made under a token that follows from the person,
by which a later attempt finds it. Whether every account may choose tokens is not written: where the vendor refuses it
or gives another token, a customer whose answer was lost cannot be found again. Look for it in the Business Center,
under Token Management: its merchant customer id begins with ``habeas-canary-``.

Order: customer, card number token, payment instrument, address. Where the vendor refuses one of the last three, the new
customer is deleted again, since its token would be lost with the error. What may stay is the token of the test card.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress

from habeas import Canary, CanaryPerson, Identifier, Rejected, VendorError
from habeas.connection import Connection
from habeas.models import Json
from habeas_cybersource import client, kinds, mapping

__all__ = ["create"]

_TEST_CARD = "4111111111111111"
"""The vendor's documented test number: no card has it. ``canary_card`` sets another."""
_YEARS = 3
"""Until the card expires."""
_TOKENS = 3
"""How often a person can be made anew after it was deleted."""
_NOT_TO_BE_CHOSEN = (400, 409)
"""Statuses that say nothing was made, and not under this token."""
_PLACE = {
    "address1": "1 Example Street",
    "locality": "San Francisco",
    "administrativeArea": "CA",
    "postalCode": "94105",
    "country": "US",
}
_INSTRUMENT = client.PARTS[kinds.PAYMENT_INSTRUMENT]
_ADDRESS = client.PARTS[kinds.SHIPPING_ADDRESS]


def create(connection: Connection, person: CanaryPerson) -> Canary:
    """Creates what is missing of the person. Raises :class:`~habeas.VendorError`.

    :class:`~habeas.OutcomeUnknown` for a customer whose answer was lost: it is not sent again, and may be there.
    """
    customer, new = _customer(connection, person)
    try:
        _complete(connection, customer, person)
    except VendorError:
        if new:
            with suppress(VendorError):
                client.delete_customer(connection, customer)
        raise
    made = (kinds.CUSTOMER, kinds.PAYMENT_INSTRUMENT, kinds.SHIPPING_ADDRESS, kinds.INSTRUMENT_IDENTIFIER)
    return Canary((Identifier(connection.name, customer),), dict.fromkeys(made, 1))


def _customer(connection: Connection, person: CanaryPerson) -> tuple[str, bool]:
    """The person's customer token, and whether it was made just now."""
    body = {"buyerInformation": {"merchantCustomerID": person.customer_id, "email": person.email}}
    for chosen in _tokens(person):
        answer = client.get_customer(connection, chosen)
        if answer.status == 200:
            return chosen, False
        if answer.status == 404:
            try:
                return client.create_customer(connection, {"id": chosen, **body}), True
            except Rejected as refused:
                if refused.status not in _NOT_TO_BE_CHOSEN:
                    raise
                break
    return client.create_customer(connection, body), True


def _tokens(person: CanaryPerson) -> Iterator[str]:
    """The tokens to try, in order: one that was deleted is never free again."""
    for number in range(_TOKENS):
        digest = hashlib.sha256(f"{person.customer_id}|{number}".encode()).hexdigest()
        yield digest[: mapping.MAX_TOKEN].upper()


def _complete(connection: Connection, customer: str, person: CanaryPerson) -> None:
    """Adds the payment instrument and the address, each unless it is there."""

    def has_card() -> bool:
        return bool(client.list_part(connection, _INSTRUMENT, customer))

    def has_address() -> bool:
        return bool(client.list_part(connection, _ADDRESS, customer))

    if not has_card():
        number = str(connection.settings.get("canary_card", _TEST_CARD))
        card = client.create_identifier(connection, {"card": {"number": number}})
        body = _new_instrument(person, card, connection.clock.now().year + _YEARS)
        client.create_part(connection, _INSTRUMENT, customer, body, done=has_card)
    if not has_address():
        client.create_part(connection, _ADDRESS, customer, {"shipTo": _contact(person)}, done=has_address)


def _new_instrument(person: CanaryPerson, identifier: str, year: int) -> Json:
    return {
        "card": {"expirationMonth": "12", "expirationYear": str(year)},
        "billTo": _contact(person),
        "instrumentIdentifier": {"id": identifier},
    }


def _contact(person: CanaryPerson) -> Json:
    name = {"firstName": person.first_name, "lastName": person.last_name}
    return {**name, **_PLACE, "email": person.email, "phoneNumber": person.phone}

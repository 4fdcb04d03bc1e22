"""Customer tokens, and the payment instruments and shipping addresses that hang on one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from habeas.connection import Connection
from habeas.http.api import cannot_be_read
from habeas.http.transport import Answer
from habeas.models import Json
from habeas_cybersource import kinds, mapping
from habeas_cybersource.client import calls

__all__ = [
    "PARTS",
    "Part",
    "amend_customer",
    "amend_part",
    "create_customer",
    "create_part",
    "delete_customer",
    "delete_part",
    "get_customer",
    "get_part",
    "list_part",
    "make_default",
    "part_pages",
]

_CUSTOMERS = "/tms/v2/customers"
_CUSTOMER = f"{_CUSTOMERS}/{{customerId}}"


@dataclass(frozen=True)
class Part:
    """A kind of record that hangs on a customer token."""

    kind: str
    path: str
    placeholder: str
    embedded: str
    """Name of the list in ``_embedded``."""


_INSTRUMENT = Part(
    kinds.PAYMENT_INSTRUMENT, f"{_CUSTOMER}/payment-instruments", "paymentInstrumentId", "paymentInstruments"
)
_ADDRESS = Part(kinds.SHIPPING_ADDRESS, f"{_CUSTOMER}/shipping-addresses", "shippingAddressId", "shippingAddresses")

PARTS: Mapping[str, Part] = {part.kind: part for part in (_INSTRUMENT, _ADDRESS)}
"""By record kind."""


def create_customer(connection: Connection, body: Json) -> str:
    """A new customer; its token. ``id`` in the body asks for a certain one.

    Where the answer is lost and there is no such customer, nothing tells whether one was made under another token:
    :class:`~habeas.OutcomeUnknown`, and it is never sent twice. 409 (:class:`~habeas.Rejected`) for a token that is
    taken.
    """
    chosen = body.get("id", "")

    def done() -> bool:
        there = bool(chosen) and get_customer(connection, chosen).status not in calls.GONE
        return there or cannot_be_read()

    change = calls.create(connection, _CUSTOMERS, {}, body, done=done)
    return chosen if change.answer is None else mapping.new_token(change.answer)


def get_customer(connection: Connection, customer: str) -> Answer:
    """200, 404 or 410; a 200 is about the token asked for."""
    answer = calls.read(connection, _CUSTOMER, {"customerId": customer})
    if answer.status not in calls.GONE:
        mapping.check_token(answer.json(), customer, answer.evidence)
    return answer


def amend_customer(connection: Connection, customer: str, wanted: Callable[[Json], Json]) -> None:
    """Changes a customer as :func:`calls.amend` does, which says what happens where somebody else was quicker."""
    calls.amend(connection, _CUSTOMER, {"customerId": customer}, lambda: get_customer(connection, customer), wanted)


def delete_customer(connection: Connection, customer: str) -> None:
    """Deletes the customer with all payment instruments and addresses, and the identifiers that nobody else uses."""
    calls.remove(
        connection,
        _CUSTOMER,
        {"customerId": customer},
        done=lambda: get_customer(connection, customer).status in calls.GONE,
    )


# -- what hangs on it -------------------------------------------------------------------------------------------------


def part_pages(connection: Connection, part: Part, customer: str) -> Iterator[tuple[Answer, Sequence[mapping.Listed]]]:
    """All pages of one of the customer's lists, as received and as read. No entries where the customer is gone."""
    return calls.pages(connection, part.path, {"customerId": customer}, part.embedded)


def list_part(connection: Connection, part: Part, customer: str) -> tuple[mapping.Listed, ...]:
    """All entries of one of the customer's lists."""
    return tuple(entry for _, page in part_pages(connection, part, customer) for entry in page)


def create_part(connection: Connection, part: Part, customer: str, body: Json, *, done: Callable[[], bool]) -> str:
    """A new payment instrument or address; its token, empty where the answer was lost and ``done`` found it made.

    The first one of a customer becomes the default.
    """
    change = calls.create(connection, part.path, {"customerId": customer}, body, done=done)
    return "" if change.answer is None else mapping.new_token(change.answer)


def get_part(connection: Connection, part: Part, customer: str, token: str) -> Answer:
    """One payment instrument or address by its own path: 200, 404 or 410; a 200 is about the token asked for."""
    answer = calls.read(connection, _one(part), {"customerId": customer, part.placeholder: token})
    if answer.status not in calls.GONE:
        mapping.check_token(answer.json(), token, answer.evidence)
    return answer


def amend_part(connection: Connection, part: Part, customer: str, token: str, wanted: Callable[[Json], Json]) -> None:
    """Changes a payment instrument or address as :func:`calls.amend` does."""
    calls.amend(
        connection,
        _one(part),
        {"customerId": customer, part.placeholder: token},
        lambda: get_part(connection, part, customer, token),
        wanted,
    )


def make_default(connection: Connection, part: Part, customer: str, token: str) -> None:
    """Makes one the default, so that the one which was can go."""

    def wanted(document: Json) -> Json:
        return {} if mapping.is_default(document) else {"default": True}

    amend_part(connection, part, customer, token, wanted)


def delete_part(connection: Connection, part: Part, customer: str, token: str) -> None:
    """Deletes one. 409 (:class:`~habeas.Rejected`) for the default one while others exist."""
    calls.remove(
        connection,
        _one(part),
        {"customerId": customer, part.placeholder: token},
        done=lambda: get_part(connection, part, customer, token).status in calls.GONE,
    )


def _one(part: Part) -> str:
    return f"{part.path}/{{{part.placeholder}}}"

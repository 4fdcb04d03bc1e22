"""Instrument identifiers, one for a card or account number whoever uses it, and payment instruments without a customer.

Sources: the vendor's client documents ``InstrumentIdentifierApi``, ``PaymentInstrumentApi`` and
``InstrumentIdentifierEnrollment``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from habeas.connection import Connection
from habeas.http.api import cannot_be_read
from habeas.http.transport import Answer
from habeas.models import Json
from habeas_cybersource import mapping
from habeas_cybersource.client import calls

__all__ = [
    "amend_identifier",
    "amend_instrument",
    "create_identifier",
    "create_instrument",
    "delete_identifier",
    "delete_instrument",
    "enrol_identifier",
    "get_identifier",
    "get_instrument",
    "identifier_pages",
    "identifier_users",
]

_IDENTIFIERS = "/tms/v1/instrumentidentifiers"
_IDENTIFIER = f"{_IDENTIFIERS}/{{instrumentIdentifierId}}"
_INSTRUMENTS = "/tms/v1/paymentinstruments"
_INSTRUMENT = f"{_INSTRUMENTS}/{{paymentInstrumentId}}"


def create_identifier(connection: Connection, body: Json) -> str:
    """The token of a card or account number: a new one, or the one that it has already."""
    # Safe to repeat: the same number has the same token, so a lost answer needs no look first.
    change = calls.create(connection, _IDENTIFIERS, {}, body, done=lambda: False, ok=(200, 201))
    return mapping.new_token(change.answer)


def get_identifier(connection: Connection, identifier: str) -> Answer:
    """200, 404 or 410; a 200 is about the token asked for."""
    answer = calls.read(connection, _IDENTIFIER, {"instrumentIdentifierId": identifier})
    if answer.status not in calls.GONE:
        mapping.check_token(answer.json(), identifier, answer.evidence)
    return answer


def amend_identifier(connection: Connection, identifier: str, wanted: Callable[[Json], Json]) -> None:
    """Changes an identifier, but not its number, as :func:`calls.amend` does. It is everybody's who uses the card."""
    calls.amend(
        connection,
        _IDENTIFIER,
        {"instrumentIdentifierId": identifier},
        lambda: get_identifier(connection, identifier),
        wanted,
    )


def delete_identifier(connection: Connection, identifier: str) -> None:
    """Deletes the token of a card number. 409 (:class:`~habeas.Rejected`) while any payment instrument uses it."""
    calls.remove(
        connection,
        _IDENTIFIER,
        {"instrumentIdentifierId": identifier},
        done=lambda: get_identifier(connection, identifier).status in calls.GONE,
    )


def identifier_pages(connection: Connection, identifier: str) -> Iterator[tuple[Answer, Sequence[mapping.Listed]]]:
    """All pages of the payment instruments, anybody's, that use an instrument identifier."""
    template = f"{_IDENTIFIER}/paymentinstruments"
    return calls.pages(connection, template, {"instrumentIdentifierId": identifier}, "paymentInstruments")


def identifier_users(connection: Connection, identifier: str) -> tuple[str, frozenset[str]]:
    """Evidence, and the tokens of the payment instruments, anybody's, that use an instrument identifier."""
    evidence = ""
    users: set[str] = set()
    for answer, page in identifier_pages(connection, identifier):
        evidence = answer.evidence
        users.update(entry.id for entry in page)
    return evidence, frozenset(users)


def enrol_identifier(connection: Connection, identifier: str, body: Json) -> None:
    """Asks the card scheme for a network token (``type``: ``enrollable card`` or ``enrollable token``)."""
    calls.create(
        connection,
        f"{_IDENTIFIER}/enrollment",
        {"instrumentIdentifierId": identifier},
        body,
        done=lambda: mapping.is_enrolled(get_identifier(connection, identifier).json()),
        ok=(202, 204),
    )


# -- payment instruments that belong to no customer -------------------------------------------------------------------


def create_instrument(connection: Connection, body: Json) -> str:
    """A new payment instrument of no customer; its token, which only the answer tells, as for a customer."""
    return mapping.new_token(calls.create(connection, _INSTRUMENTS, {}, body, done=cannot_be_read).answer)


def get_instrument(connection: Connection, instrument: str) -> Answer:
    """200, 404 or 410; a 200 is about the token asked for."""
    answer = calls.read(connection, _INSTRUMENT, {"paymentInstrumentId": instrument})
    if answer.status not in calls.GONE:
        mapping.check_token(answer.json(), instrument, answer.evidence)
    return answer


def amend_instrument(connection: Connection, instrument: str, wanted: Callable[[Json], Json]) -> None:
    """Changes a payment instrument of no customer as :func:`calls.amend` does."""
    calls.amend(
        connection,
        _INSTRUMENT,
        {"paymentInstrumentId": instrument},
        lambda: get_instrument(connection, instrument),
        wanted,
    )


def delete_instrument(connection: Connection, instrument: str) -> None:
    """Deletes a payment instrument of no customer, and its identifier if nobody else uses that."""
    calls.remove(
        connection,
        _INSTRUMENT,
        {"paymentInstrumentId": instrument},
        done=lambda: get_instrument(connection, instrument).status in calls.GONE,
    )

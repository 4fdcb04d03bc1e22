"""One function for each TMS call that inventory, export and erasure need. Each takes the connection.

Source: TMS API reference as in the vendor's Python client of 2026-05-16. A token that was deleted answers 410, one that
never existed (in this vault) 404: both are answers here, not errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from habeas import BadAnswer, Rejected
from habeas.connection import Connection
from habeas.http.pages import Page, walk
from habeas.http.transport import Answer, Request
from habeas_cybersource import kinds, mapping

__all__ = [
    "GONE",
    "PARTS",
    "Part",
    "delete_customer",
    "delete_identifier",
    "delete_part",
    "get_customer",
    "get_identifier",
    "get_part",
    "identifier_users",
    "list_part",
    "part_pages",
]

GONE = (404, 410)
"""Statuses that say a token is not there: 410 for one that was deleted, 404 for one that this vault does not know."""

_PAGE = 100
"""Entries asked for at a time: the most a TMS list gives."""
_PROFILE_UNKNOWN = 424

_CUSTOMER = "/tms/v2/customers/{customerId}"
_IDENTIFIER = "/tms/v1/instrumentidentifiers/{instrumentIdentifierId}"


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


def get_customer(connection: Connection, customer: str) -> Answer:
    """200, 404 or 410; a 200 is about the token asked for."""
    answer = _get(connection, _CUSTOMER, {"customerId": customer})
    if answer.status not in GONE:
        mapping.check_token(answer.json(), customer, answer.evidence)
    return answer


def delete_customer(connection: Connection, customer: str) -> None:
    """Deletes the customer with all payment instruments and addresses, and the identifiers that nobody else uses."""
    _delete(
        connection,
        _CUSTOMER,
        {"customerId": customer},
        done=lambda: get_customer(connection, customer).status in GONE,
    )


def part_pages(connection: Connection, part: Part, customer: str) -> Iterator[tuple[Answer, Sequence[mapping.Listed]]]:
    """All pages of one of the customer's lists, as received and as read. No pages where the customer is gone."""
    return _pages(connection, part.path, {"customerId": customer}, part.embedded)


def list_part(connection: Connection, part: Part, customer: str) -> tuple[mapping.Listed, ...]:
    """All entries of one of the customer's lists."""
    return tuple(entry for _, page in part_pages(connection, part, customer) for entry in page)


def get_part(connection: Connection, part: Part, customer: str, token: str) -> Answer:
    """One payment instrument or address by its own path: 200, 404 or 410."""
    return _get(connection, _one(part), {"customerId": customer, part.placeholder: token})


def delete_part(connection: Connection, part: Part, customer: str, token: str) -> None:
    """Deletes one. 409 (:class:`~habeas.Rejected`) for the default one while others exist."""
    _delete(
        connection,
        _one(part),
        {"customerId": customer, part.placeholder: token},
        done=lambda: get_part(connection, part, customer, token).status in GONE,
    )


def get_identifier(connection: Connection, identifier: str) -> Answer:
    """200, 404 or 410; a 200 is about the token asked for."""
    answer = _get(connection, _IDENTIFIER, {"instrumentIdentifierId": identifier})
    if answer.status not in GONE:
        mapping.check_token(answer.json(), identifier, answer.evidence)
    return answer


def identifier_users(connection: Connection, identifier: str) -> tuple[str, frozenset[str]]:
    """Evidence, and the tokens of the payment instruments, anybody's, that use an instrument identifier."""
    evidence = ""
    users: set[str] = set()
    for answer, page in _pages(
        connection, f"{_IDENTIFIER}/paymentinstruments", {"instrumentIdentifierId": identifier}, _INSTRUMENT.embedded
    ):
        evidence = answer.evidence
        users.update(entry.id for entry in page)
    return evidence, frozenset(users)


def delete_identifier(connection: Connection, identifier: str) -> None:
    """Deletes the token of a card number. 409 (:class:`~habeas.Rejected`) while any payment instrument uses it."""
    _delete(
        connection,
        _IDENTIFIER,
        {"instrumentIdentifierId": identifier},
        done=lambda: get_identifier(connection, identifier).status in GONE,
    )


def _one(part: Part) -> str:
    return f"{part.path}/{{{part.placeholder}}}"


def _profile(connection: Connection) -> Mapping[str, str]:
    profile = connection.settings.get("profile_id")
    return {"profile-id": profile} if profile else {}


def _get(
    connection: Connection,
    template: str,
    ids: Mapping[str, str],
    query: Sequence[tuple[str, str]] = (),
    gone: Sequence[int] = GONE,
) -> Answer:
    answer = connection.api.get(
        template, ids=ids, query=query, headers=_profile(connection), ok=(200, *gone, _PROFILE_UNKNOWN)
    )
    if answer.status == _PROFILE_UNKNOWN:
        raise Rejected(
            f"{answer.evidence}: the vault profile is not known", status=answer.status, advice="check profile_id"
        )
    return answer


def _delete(connection: Connection, template: str, ids: Mapping[str, str], done: Callable[[], bool]) -> None:
    # 410: gone before this call; the read-back says the same either way.
    connection.api.change(Request("DELETE", template, ids, headers=_profile(connection)), ok=(204, 410), done=done)


def _pages(
    connection: Connection, template: str, ids: Mapping[str, str], embedded: str
) -> Iterator[tuple[Answer, Sequence[mapping.Listed]]]:
    seen: set[str] = set()

    def fetch(cursor: str) -> Page[tuple[Answer, Sequence[mapping.Listed]]]:
        offset = int(cursor)
        query = (("offset", cursor), ("limit", str(_PAGE)))
        # A list that vanishes half-way would pass for a complete one: only its first page may be missing.
        answer = _get(connection, template, ids, query, gone=() if offset else GONE)
        if answer.status in GONE:
            return Page((answer, ()), "")
        page = mapping.parse_page(answer.json(), embedded, offset, answer.evidence)
        fresh = {entry.id for entry in page.entries} - seen
        if len(fresh) < len(page.entries):
            # Something came or went between two pages, so that another entry may have been passed over.
            raise BadAnswer(f"{answer.evidence}: the list changed while it was read", advice="try again")
        seen.update(fresh)
        after = offset + len(page.entries)
        return Page((answer, page.entries), str(after) if after < page.total else "")

    return walk("0", fetch)

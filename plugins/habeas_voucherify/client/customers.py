"""Customers: list, create, read, update, delete, and the consents endpoint of older versions.

Changes take 404 as an answer too: the read-back decides what became of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from habeas import BadAnswer
from habeas.connection import Connection
from habeas.http.api import Change, cannot_be_read
from habeas.http.transport import Answer, Request
from habeas.models import Json
from habeas_voucherify import mapping
from habeas_voucherify.client import calls
from habeas_voucherify.client.calls import Done, List, Listed, Numbered, get, headers, listed, numbered, read_as

__all__ = [
    "NOBODY",
    "WITHDRAWN",
    "CustomerFilter",
    "consents",
    "create_customer",
    "customer",
    "customers",
    "customers_after",
    "customers_with",
    "delete_customer",
    "delete_permanently",
    "probe",
    "set_consent",
    "update_customer",
]

PATH = "/v1/customers"
CUSTOMER = "/v1/customers/{customerId}"
CUSTOMERS = List(PATH, "customers", 99)

NOBODY = "nobody@habeas.invalid"
"""An e-mail address that cannot exist (RFC 2606, section 2)."""
WITHDRAWN = (404, 405, 410)
"""How an endpoint answers that the vendor has withdrawn."""

ListOrder = Literal["created_at", "-created_at", "updated_at", "-updated_at", "source_id", "-source_id"]


@dataclass(frozen=True, repr=False)
class CustomerFilter:
    """What a list of customers is narrowed to; empty: everybody. Times are RFC 3339."""

    email: str = ""
    city: str = ""
    name: str = ""
    segment_id: str = ""
    created_before: str = ""
    created_after: str = ""
    updated_before: str = ""
    updated_after: str = ""

    def query(self) -> tuple[tuple[str, str], ...]:
        """As the vendor's parameters."""
        pairs = (
            ("email", self.email),
            ("city", self.city),
            ("name", self.name),
            ("segment_id", self.segment_id),
            ("created_at[before]", self.created_before),
            ("created_at[after]", self.created_after),
            ("updated_at[before]", self.updated_before),
            ("updated_at[after]", self.updated_after),
        )
        return tuple((name, value) for name, value in pairs if value)


# -- reading -----------------------------------------------------------------------------------------------------------


def probe(connection: Connection) -> Answer:
    """The shortest list of customers: those with an address that nobody has."""
    answer = get(connection, PATH, query=(("email", NOBODY), ("limit", "1")), ok=(200,))
    read_as(answer, mapping.customers)
    return answer


def customer(connection: Connection, customer_id: str) -> Answer:
    """One customer by ``cust_…`` id or source id: 200, or 404. A 200 is about the one asked for."""
    answer = get(connection, CUSTOMER, {"customerId": customer_id})
    if answer.status == 200:
        read_as(answer, lambda document: mapping.about(document, customer_id))
    return answer


def customers_with(connection: Connection, email: str) -> Numbered:
    """The customers whose e-mail address is ``email``, as far as the vendor's filter is exact."""
    return customers(connection, CustomerFilter(email=email))


def customers(connection: Connection, wanted: CustomerFilter, order: ListOrder = "created_at") -> Numbered:
    """The customers that fit, by page number: at most 99 pages of 100. What lies beyond is counted."""
    return numbered(connection, CUSTOMERS, wanted.query(), order)


def customers_after(
    connection: Connection, wanted: CustomerFilter, start: str = "", *, oldest_first: bool = True
) -> Iterator[Listed]:
    """All customers that fit and were created after ``start`` (or before it, newest first), however many they are.

    The vendor's ``starting_after`` is a time, and leaves out everybody who was created at that very time. So each page
    is asked from a millisecond earlier, and who was on the page before is left out here. Raises
    :class:`~habeas.BadAnswer` where more customers share one time than a page holds.
    """
    order = "created_at" if oldest_first else "-created_at"
    cursor, seen = start, frozenset[str]()
    while True:
        after = (("starting_after", cursor),) if cursor else ()
        query = (*wanted.query(), ("order", order), ("limit", f"{calls.PAGE_SIZE}"), *after)
        page = listed(get(connection, PATH, query=query, ok=(200,)), CUSTOMERS.name)
        ids = page.read(mapping.ids)
        fresh = tuple(row for row, name in zip(page.rows, ids, strict=True) if name not in seen)
        yield Listed(page.answer, fresh)
        if not read_as(page.answer, mapping.has_more):
            return
        if not fresh:
            raise BadAnswer(f"{page.answer.evidence}: the list goes on, and gives nobody new")
        seen = frozenset(ids)
        cursor = page.read(lambda rows: mapping.just_before(rows[-1], oldest_first=oldest_first))


def consents(connection: Connection) -> Answer:
    """The consents that the project defines, never what a person gave. 404, 405 or 410: the endpoints are gone."""
    return connection.api.get("/v1/consents", headers=headers(connection), ok=(200, *WITHDRAWN))


# -- changes -----------------------------------------------------------------------------------------------------------


def create_customer(connection: Connection, fields: Mapping[str, Json]) -> Change:
    """Creates a customer with a ``source_id``. One that exists would be changed: ask first whether it does."""
    source_id = str(fields["source_id"])
    request = Request("POST", PATH, json=dict(fields), headers=headers(connection))
    return connection.api.change(request, ok=(200,), done=lambda: customer(connection, source_id).status == 200)


def update_customer(connection: Connection, customer_id: str, fields: Mapping[str, Json], done: Done) -> Change:
    """Changes the fields that are given, and creates nobody. 404: no such customer.

    Whether ``metadata`` is merged or replaced is not documented: give all of it. ``address`` is one field.
    """
    ids = {"customerId": customer_id}
    request = Request("PUT", CUSTOMER, ids, json=dict(fields), headers=headers(connection))
    return connection.api.change(request, ok=(200, 404), done=done)


def delete_customer(connection: Connection, customer_id: str) -> Change:
    """Takes a customer's profile away, and promises nothing of the rest: no erasure. 404: no such customer."""
    request = Request("DELETE", CUSTOMER, {"customerId": customer_id}, headers=headers(connection))
    return connection.api.change(request, ok=(204, 404), done=lambda: customer(connection, customer_id).status == 404)


def delete_permanently(connection: Connection, customer_id: str, done: Done) -> Change:
    """Deletes a customer with events, orders and segment memberships, by ``cust_…`` id. 404: no such customer."""
    request = Request(
        "POST", CUSTOMER + "/permanent-deletion", {"customerId": customer_id}, headers=headers(connection)
    )
    return connection.api.change(request, ok=(200, 404), done=done)


def set_consent(connection: Connection, customer_id: str, name: str, *, given: bool) -> Change:
    """Sets one consent (``cnst_…``), or ``unsubscribed``, which withdraws all. 204; else one of :data:`WITHDRAWN`.

    No call shows what came of it. The endpoint was taken out of the vendor's documents in September 2024.
    """
    ids = {"customerId": customer_id}
    request = Request("PUT", CUSTOMER + "/consents", ids, json={name: given}, headers=headers(connection))
    return connection.api.change(request, ok=(204, *WITHDRAWN), done=cannot_be_read)

"""The calls of Voucherify's API that habeas needs, one function each.

Paths, parameters and statuses are those of the vendor's OpenAPI document of August 2026. Reads of one thing take 404 as
an answer ("nothing held"), but only in the shape of Voucherify's own error. Changes take 404 and 409 too: the read-back
decides what became of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from habeas import BadAnswer
from habeas.connection import Connection
from habeas.http.api import Change
from habeas.http.pages import Page, walk
from habeas.http.transport import Answer, Request
from habeas.models import Json
from habeas_voucherify import mapping
from habeas_voucherify.kinds import API_VERSION

__all__ = [
    "NOBODY",
    "PAGE_SIZE",
    "Listed",
    "Numbered",
    "activity",
    "customer",
    "customers_with",
    "delete_member",
    "delete_permanently",
    "member",
    "memberships",
    "order",
    "probe",
    "publications",
    "publications_of_code",
    "read_as",
    "redeemables",
    "redemption",
    "redemptions",
    "segments",
    "vouchers",
    "vouchers_of_code",
]

CUSTOMERS = "/v1/customers"
CUSTOMER = "/v1/customers/{customerId}"
MEMBERSHIPS = "/v2/loyalties/memberships/{customerId}"
MEMBER = "/v2/loyalties/programs/{programId}/members/{memberId}"

PAGE_SIZE = 100
"""Entries: the most a list gives."""
NOBODY = "nobody@habeas.invalid"
"""An e-mail address that cannot exist (RFC 2606, section 2)."""

Done = Callable[[], bool]
T = TypeVar("T")


@dataclass(frozen=True, repr=False)
class Listed:
    """One page of a list, as received and as read. A 404 for the list has no rows."""

    answer: Answer
    rows: tuple[dict[str, Json], ...]

    def read(self, reading: Callable[[tuple[dict[str, Json], ...]], T]) -> T:
        """What a function of ``mapping`` makes of the rows; its :class:`~habeas.BadAnswer` gets the call's name."""
        return _named(self.answer, lambda: reading(self.rows))


@dataclass(frozen=True, repr=False)
class Numbered:
    """A list that is paged by number, as far as its pages reach."""

    pages: tuple[Listed, ...]
    beyond: int
    """How many more entries it has than its pages reach; at least so many where it does not say."""

    def read(self, reading: Callable[[tuple[dict[str, Json], ...]], Sequence[T]]) -> tuple[T, ...]:
        """What :meth:`Listed.read` gives for each page, in one."""
        return tuple(item for page in self.pages for item in page.read(reading))


@dataclass(frozen=True)
class _List:
    path: str
    name: str
    """Where its entries stand in the answer."""
    last_page: int
    """The highest page number the vendor takes."""


_CUSTOMERS = _List(CUSTOMERS, "customers", 99)
_REDEMPTIONS = _List("/v1/redemptions", "redemptions", 99)
_VOUCHERS = _List("/v1/vouchers", "vouchers", 99)
_PUBLICATIONS = _List("/v1/publications", "publications", 100)


# -- customers ---------------------------------------------------------------------------------------------------------


def probe(connection: Connection) -> Answer:
    """The shortest list of customers: those with an address that nobody has."""
    answer = _get(connection, CUSTOMERS, query=(("email", NOBODY), ("limit", "1")), ok=(200,))
    read_as(answer, mapping.customers)
    return answer


def customer(connection: Connection, customer_id: str) -> Answer:
    """One customer by ``cust_…`` id or source id: 200, or 404. A 200 is about the one asked for."""
    answer = _get(connection, CUSTOMER, {"customerId": customer_id})
    if answer.status == 200:
        read_as(answer, lambda document: mapping.about(document, customer_id))
    return answer


def customers_with(connection: Connection, email: str) -> Numbered:
    """The customers whose e-mail address is ``email``, as far as the vendor's filter is exact."""
    return _numbered(connection, _CUSTOMERS, (("email", email),))


def activity(connection: Connection, customer_id: str) -> Iterator[Listed]:
    """All pages of a customer's activity, oldest first. 404: one page with that status."""
    return _by_cursor(connection, CUSTOMER + "/activity", customer_id, (("order", "created_at"),))


def redeemables(connection: Connection, customer_id: str) -> Iterator[Listed]:
    """All pages of what a customer can redeem. 404: one page with that status."""
    return _by_cursor(connection, CUSTOMER + "/redeemables", customer_id, ())


def segments(connection: Connection, customer_id: str) -> Listed:
    """The segments a customer is in. Answers 200 for customers that do not exist as well: no proof of anything."""
    answer = _get(connection, CUSTOMER + "/segments", {"customerId": customer_id}, ok=(200,))
    return _listed(answer, "data")


def redemptions(connection: Connection, customer_id: str) -> Numbered:
    """A customer's redemptions."""
    return _numbered(connection, _REDEMPTIONS, (("customer", customer_id),))


def publications(connection: Connection, customer_id: str) -> Numbered:
    """A customer's publications; only a ``cust_…`` id is promised to work here."""
    return _numbered(connection, _PUBLICATIONS, (("customer", customer_id),))


def vouchers(connection: Connection, customer_id: str) -> Numbered:
    """The vouchers whose holder a customer is."""
    return _numbered(connection, _VOUCHERS, (("customer", customer_id),))


def memberships(connection: Connection, customer_id: str) -> Answer:
    """A customer's memberships in loyalty programs, by ``cust_…`` id: 200, or 404."""
    return _get(connection, MEMBERSHIPS, {"customerId": customer_id})


# -- single records ----------------------------------------------------------------------------------------------------


def redemption(connection: Connection, redemption_id: str) -> Answer:
    """200, or 404."""
    return _get(connection, "/v1/redemptions/{redemptionId}", {"redemptionId": redemption_id})


def order(connection: Connection, order_id: str) -> Answer:
    """200, or 404."""
    return _get(connection, "/v1/orders/{orderId}", {"orderId": order_id})


def vouchers_of_code(connection: Connection, code: str) -> Numbered:
    """The voucher with a code; empty where there is none."""
    return _numbered(connection, _VOUCHERS, (("code", code),))


def publications_of_code(connection: Connection, code: str) -> Numbered:
    """Everybody's publications of a voucher."""
    return _numbered(connection, _PUBLICATIONS, (("voucher", code),))


def member(connection: Connection, program_id: str, member_id: str) -> Answer:
    """200, also in the state ``DELETED``; or 404."""
    return _get(connection, MEMBER, {"programId": program_id, "memberId": member_id})


# -- changes -----------------------------------------------------------------------------------------------------------


def delete_member(connection: Connection, program_id: str, member_id: str) -> Change:
    """Deletes a member's cards and sets the member to ``DELETED``. 409: the member's state does not allow it."""

    def done() -> bool:
        answer = member(connection, program_id, member_id)
        return answer.status == 404 or read_as(answer, mapping.member).deleted

    request = Request("DELETE", MEMBER, {"programId": program_id, "memberId": member_id}, headers=_headers(connection))
    return connection.api.change(request, ok=(200, 404, 409), done=done)


def delete_permanently(connection: Connection, customer_id: str, done: Done) -> Change:
    """Deletes a customer with events, orders and segment memberships, by ``cust_…`` id. 404: no such customer."""
    request = Request(
        "POST", CUSTOMER + "/permanent-deletion", {"customerId": customer_id}, headers=_headers(connection)
    )
    return connection.api.change(request, ok=(200, 404), done=done)


# -- how ---------------------------------------------------------------------------------------------------------------


def read_as(answer: Answer, reading: Callable[[Json], T]) -> T:
    """What a function of ``mapping`` makes of an answer's JSON; its :class:`~habeas.BadAnswer` gets the call's name."""
    document = answer.json()
    return _named(answer, lambda: reading(document))


def _named(answer: Answer, reading: Callable[[], T]) -> T:
    try:
        return reading()
    except BadAnswer as bad:
        raise BadAnswer(f"{answer.evidence}: {bad.message}") from None


def _headers(connection: Connection) -> Mapping[str, str]:
    version = str(connection.settings.get("api_version", API_VERSION))
    return {"X-Voucherify-API-Version": version} if version else {}


def _get(
    connection: Connection,
    template: str,
    ids: Mapping[str, str] | None = None,
    query: Sequence[tuple[str, str]] = (),
    ok: Sequence[int] = (200, 404),
) -> Answer:
    answer = connection.api.get(template, ids=ids, query=query, headers=_headers(connection), ok=ok)
    if answer.status == 404 and not mapping.is_not_found(answer.json()):
        raise BadAnswer(f"{answer.evidence}: this is not Voucherify's own answer", advice="check base_url")
    return answer


def _listed(answer: Answer, name: str) -> Listed:
    return Listed(answer, read_as(answer, lambda document: mapping.rows(document, name)))


def _by_cursor(
    connection: Connection, template: str, customer_id: str, query: Sequence[tuple[str, str]]
) -> Iterator[Listed]:
    def fetch(cursor: str) -> Page[Listed]:
        start = (("starting_after_id", cursor),) if cursor else ()
        # A list that vanishes half-way would pass for a complete one: only its first page may be missing.
        ok = (200,) if cursor else (200, 404)
        answer = _get(
            connection, template, {"customerId": customer_id}, (*query, ("limit", f"{PAGE_SIZE}"), *start), ok
        )
        if answer.status == 404:
            return Page(Listed(answer, ()), "")
        return Page(_listed(answer, "data"), read_as(answer, mapping.cursor))

    return walk("", fetch)


def _numbered(connection: Connection, wanted: _List, query: Sequence[tuple[str, str]]) -> Numbered:
    pages: list[Listed] = []
    seen: set[str] = set()
    count = left = 0
    for number in range(1, wanted.last_page + 1):
        # Oldest first: what is added meanwhile comes at the end and moves nothing to another page.
        paging = (("order", "created_at"), ("limit", f"{PAGE_SIZE}"), ("page", f"{number}"))
        page = _listed(_get(connection, wanted.path, query=(*query, *paging), ok=(200,)), wanted.name)
        pages.append(page)
        count += len(page.rows)
        total = read_as(page.answer, mapping.total)
        left = total - count if total is not None else len(page.rows) // PAGE_SIZE
        if left <= 0:
            return Numbered(tuple(pages), 0)
        listed = {row["id"] for row in page.rows if isinstance(row.get("id"), str)}
        if not page.rows or listed & seen:
            raise BadAnswer(f"{page.answer.evidence}: the list changed while it was read", advice="try again")
        seen |= listed
    return Numbered(tuple(pages), left)

"""What hangs on a customer, and single records: activity, redeemables, redemptions, orders, loyalty memberships …"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from habeas.connection import Connection
from habeas.http.api import Change
from habeas.http.transport import Answer, Request
from habeas_voucherify import mapping
from habeas_voucherify.client.calls import (
    List,
    Listed,
    Numbered,
    by_cursor,
    by_last_id,
    get,
    headers,
    listed,
    numbered,
    read_as,
)
from habeas_voucherify.client.customers import CUSTOMER

__all__ = [
    "activity",
    "delete_member",
    "member",
    "memberships",
    "order",
    "publications",
    "publications_of_code",
    "redeemables",
    "redemption",
    "redemptions",
    "segments",
    "vouchers",
    "vouchers_of_code",
]

MEMBERSHIPS = "/v2/loyalties/memberships/{customerId}"
MEMBER = "/v2/loyalties/programs/{programId}/members/{memberId}"

REDEMPTIONS = List("/v1/redemptions", "redemptions", 99)
VOUCHERS = List("/v1/vouchers", "vouchers", 99)
PUBLICATIONS = List("/v1/publications", "publications", 100)

IdentifiedBy = Literal["customer_id", "customer_source_id", "member_id"]


def activity(connection: Connection, customer_id: str, wanted: Sequence[tuple[str, str]] = ()) -> Iterator[Listed]:
    """All pages of a customer's activity, oldest first. 404: one page with that status.

    ``wanted`` are the vendor's filters: ``start_date``, ``end_date``, ``campaign_id``, ``campaign_type``, and
    ``category`` and ``type``, which the older list does not know. That one, ``/activities``, is asked where the
    connection's setting ``activity`` says so.
    """
    query = (("order", "created_at"), *wanted)
    if connection.settings.get("activity") == "activities":
        return by_last_id(connection, CUSTOMER + "/activities", customer_id, query)
    return by_cursor(connection, CUSTOMER + "/activity", customer_id, query)


def redeemables(connection: Connection, customer_id: str, filters: Sequence[tuple[str, str]] = ()) -> Iterator[Listed]:
    """All pages of what a customer can redeem. 404: one page with that status.

    ``filters`` as the vendor writes them: ``filters[campaign_id][conditions][$is]``.
    """
    return by_cursor(connection, CUSTOMER + "/redeemables", customer_id, filters)


def segments(connection: Connection, customer_id: str) -> Listed:
    """The segments a customer is in. Answers 200 for customers that do not exist as well: no proof of anything."""
    answer = get(connection, CUSTOMER + "/segments", {"customerId": customer_id}, ok=(200,))
    return listed(answer, "data")


def redemptions(connection: Connection, customer_id: str) -> Numbered:
    """A customer's redemptions."""
    return numbered(connection, REDEMPTIONS, (("customer", customer_id),))


def publications(connection: Connection, customer_id: str) -> Numbered:
    """A customer's publications; only a ``cust_…`` id is promised to work here."""
    return numbered(connection, PUBLICATIONS, (("customer", customer_id),))


def vouchers(connection: Connection, customer_id: str) -> Numbered:
    """The vouchers whose holder a customer is."""
    return numbered(connection, VOUCHERS, (("customer", customer_id),))


# -- single records ----------------------------------------------------------------------------------------------------


def redemption(connection: Connection, redemption_id: str) -> Answer:
    """200, or 404."""
    return get(connection, "/v1/redemptions/{redemptionId}", {"redemptionId": redemption_id})


def order(connection: Connection, order_id: str) -> Answer:
    """200, or 404."""
    return get(connection, "/v1/orders/{orderId}", {"orderId": order_id})


def vouchers_of_code(connection: Connection, code: str) -> Numbered:
    """The voucher with a code; empty where there is none."""
    return numbered(connection, VOUCHERS, (("code", code),))


def publications_of_code(connection: Connection, code: str) -> Numbered:
    """Everybody's publications of a voucher."""
    return numbered(connection, PUBLICATIONS, (("voucher", code),))


# -- loyalty programs, version 2 ---------------------------------------------------------------------------------------


def memberships(connection: Connection, name: str, identified_by: IdentifiedBy = "customer_id") -> Answer:
    """A customer's memberships in loyalty programs: 200, or 404. ``name`` is a ``cust_…`` id unless told."""
    query = () if identified_by == "customer_id" else (("identification_type", identified_by),)
    return get(connection, MEMBERSHIPS, {"customerId": name}, query)


def member(connection: Connection, program_id: str, member_id: str) -> Answer:
    """200, also in the state ``DELETED``; or 404."""
    return get(connection, MEMBER, {"programId": program_id, "memberId": member_id})


def delete_member(connection: Connection, program_id: str, member_id: str) -> Change:
    """Deletes a member's cards and sets the member to ``DELETED``. 409: the member's state does not allow it."""

    def done() -> bool:
        answer = member(connection, program_id, member_id)
        return answer.status == 404 or read_as(answer, mapping.member).deleted

    request = Request("DELETE", MEMBER, {"programId": program_id, "memberId": member_id}, headers=headers(connection))
    return connection.api.change(request, ok=(200, 404, 409), done=done)

"""Voucherify's JSON into our shapes. Pure: values in, values out.

Every function raises :class:`~habeas.BadAnswer` where the JSON is not as Voucherify documents it, with a message that
holds nothing of it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from habeas import BadAnswer
from habeas.models import Json

__all__ = [
    "Customer",
    "Member",
    "about",
    "access_token",
    "codes",
    "created_at",
    "cursor",
    "customer",
    "customers",
    "deletion_status",
    "has_more",
    "ids",
    "is_not_found",
    "is_own_order",
    "just_before",
    "member",
    "memberships",
    "metadata",
    "names",
    "order_ids",
    "orders_of_events",
    "orders_of_redemptions",
    "own_rows",
    "redeemed_orders",
    "rows",
    "same_text",
    "total",
    "voucher_codes",
]

TOKEN_SECONDS = 900
"""How long an OAuth token lives where the answer does not say."""

_DELETED = "DELETED"
_ORDER_EVENT = "customer.order."


@dataclass(frozen=True, repr=False)
class Customer:
    """A customer, as far as finding and erasing need."""

    id: str
    """``cust_…``"""
    source_id: str
    """The shop's own id; empty where there is none."""
    email: str
    orders: int
    """How many orders its summary counts."""


@dataclass(frozen=True, repr=False)
class Member:
    """A member of a loyalty program."""

    id: str
    program: str
    deleted: bool
    """Voucherify keeps a deleted member, without cards, in the state ``DELETED``."""


# -- any answer --------------------------------------------------------------------------------------------------------


def is_not_found(document: Json) -> bool:
    """Whether a body is Voucherify's own "not found" (schema ``Error``): a web page with status 404 says nothing."""
    if not isinstance(document, dict) or document.get("key", "not_found") != "not_found":
        return False
    return any(name in document for name in ("key", "code", "message"))


def rows(document: Json, name: str) -> tuple[dict[str, Json], ...]:
    """The entries of a list."""
    found = _object(document).get(name)
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise BadAnswer(f"`{name}` is not the documented list")
    return tuple(found)


def total(document: Json) -> int | None:
    """How many entries a list has on all pages; None where it does not say."""
    found = _object(document).get("total")
    if found is None:
        return None
    if not isinstance(found, int) or isinstance(found, bool) or found < 0:
        raise BadAnswer("`total` is not a number of entries")
    return found


def cursor(document: Json) -> str:
    """What names the next page of a list; empty on the last one."""
    more = has_more(document)
    return _text(_object(document).get("more_starting_after"), "`more_starting_after`") if more else ""


def has_more(document: Json) -> bool:
    """Whether a list goes on after this page."""
    more = _object(document).get("has_more")
    if not isinstance(more, bool):
        raise BadAnswer("`has_more` is missing")
    return more


def created_at(entry: Mapping[str, Json]) -> str:
    """When an entry was created, as the vendor writes it."""
    return _text(entry.get("created_at"), "an entry's `created_at`")


def just_before(entry: Mapping[str, Json], *, oldest_first: bool) -> str:
    """A millisecond before an entry was created, in the list's direction: what a list must go on after to repeat it."""
    try:
        at = datetime.fromisoformat(created_at(entry)).astimezone(UTC)
    except ValueError:
        raise BadAnswer("an entry's `created_at` is not a time") from None
    at += timedelta(milliseconds=-1 if oldest_first else 1)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def ids(entries: Iterable[Mapping[str, Json]]) -> tuple[str, ...]:
    """The ``id`` of each entry."""
    return tuple(_text(entry.get("id"), "an entry's `id`") for entry in entries)


# -- customers ---------------------------------------------------------------------------------------------------------


def customer(document: Json) -> Customer:
    """A customer by itself or in a list."""
    body = _object(document)
    return Customer(
        _text(body.get("id"), "the customer's `id`"),
        _optional(body.get("source_id"), "the customer's `source_id`"),
        _optional(body.get("email"), "the customer's `email`"),
        _orders_total(body.get("summary")),
    )


def about(document: Json, wanted: str) -> Customer:
    """The customer that was asked for by its ``cust_…`` id or by its source id."""
    found = customer(document)
    if not any(same_text(wanted, known) for known in (found.id, found.source_id)):
        raise BadAnswer("the answer is about another customer")
    return found


def customers(document: Json) -> tuple[Customer, ...]:
    """A page of customers."""
    return tuple(customer(row) for row in rows(document, "customers"))


def metadata(document: Json) -> dict[str, Json]:
    """A customer's metadata: what the shop keeps there of its own."""
    found = _object(document).get("metadata")
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise BadAnswer("the customer's `metadata` is not an object")
    return found


def same_text(one: str, other: str) -> bool:
    """Whether two ids or addresses differ in case and Unicode form at most."""
    return _folded(one) == _folded(other)


def _orders_total(summary: Json) -> int:
    orders = summary.get("orders") if isinstance(summary, dict) else None
    count = orders.get("total_count") if isinstance(orders, dict) else None
    return count if isinstance(count, int) and not isinstance(count, bool) and count > 0 else 0


# -- what hangs on a customer ------------------------------------------------------------------------------------------


def own_rows(entries: Iterable[dict[str, Json]], customer_id: str) -> tuple[dict[str, Json], ...]:
    """The entries that do not name another customer as theirs."""
    return tuple(entry for entry in entries if entry.get("customer_id") in (None, "", customer_id))


def orders_of_events(events: Iterable[Mapping[str, Json]], customer_id: str) -> tuple[dict[str, Json], ...]:
    """The orders of one customer in a page of activity (events ``customer.order.*``), as the events show them.

    An event can be about a friend's order, with this customer as its referrer: that order is the friend's.
    """
    found = []
    for event in events:
        if _optional(event.get("type"), "an event's `type`").startswith(_ORDER_EVENT):
            data = _inner(_inner(event, "data"), "data")
            if _inner(data, "customer").get("id") in (None, customer_id):
                found.append(_own_order(data, customer_id))
    return tuple(order for order in found if order)


def orders_of_redemptions(redemptions: Iterable[dict[str, Json]], customer_id: str) -> tuple[dict[str, Json], ...]:
    """The orders of one customer in a page of redemptions, as the redemptions show them."""
    found = (_own_order(redemption, customer_id) for redemption in own_rows(redemptions, customer_id))
    return tuple(order for order in found if order)


def order_ids(events: Iterable[Mapping[str, Json]], customer_id: str) -> tuple[str, ...]:
    """The ids of :func:`orders_of_events`, each once."""
    return tuple(dict.fromkeys(ids(orders_of_events(events, customer_id))))


def redeemed_orders(redemptions: Iterable[dict[str, Json]], customer_id: str) -> tuple[str, ...]:
    """The ids of :func:`orders_of_redemptions`, each once."""
    return tuple(dict.fromkeys(ids(orders_of_redemptions(redemptions, customer_id))))


def is_own_order(order: Json, customer_ids: Collection[str]) -> bool:
    """Whether an order is of one of these customers, or of nobody in particular."""
    body = _object(order)
    owners = (body.get("customer_id"), _part(body, "customer").get("id"))
    return all(_optional(owner, "an order's customer") in ("", *customer_ids) for owner in owners)


def voucher_codes(vouchers: Iterable[Mapping[str, Json]]) -> tuple[str, ...]:
    """The ``code`` of each voucher."""
    return tuple(_text(voucher.get("code"), "a voucher's `code`") for voucher in vouchers)


def codes(publication: Mapping[str, Json]) -> tuple[str, ...]:
    """The voucher codes of a publication; none where it failed (schemas ``ListPublicationsItem…``)."""
    found = [_inner(publication, "voucher").get("code")]
    listed = publication.get("vouchers")
    found += listed if isinstance(listed, list) else []
    return tuple(dict.fromkeys(code for code in found if isinstance(code, str) and code))


def memberships(document: Json) -> tuple[Member, ...]:
    """A customer's members, of all loyalty programs."""
    return tuple(member(row.get("member")) for row in rows(document, "memberships"))


def member(document: Json) -> Member:
    """A member by itself or in a membership."""
    body = _object(document)
    return Member(
        _text(body.get("id"), "the member's `id`"),
        _text(body.get("program_id"), "the member's `program_id`"),
        _text(body.get("status"), "the member's `status`") == _DELETED,
    )


def _own_order(holder: Mapping[str, Json], customer_id: str) -> dict[str, Json]:
    order = _inner(holder, "order")
    named = _optional(order.get("id"), "an order's `id`")
    return order if named and is_own_order(order, (customer_id,)) else {}


# -- after a deletion --------------------------------------------------------------------------------------------------


def deletion_status(document: Json) -> str:
    """``status`` of a permanent deletion: ``DONE`` is the only value the vendor shows."""
    return _text(_object(document).get("status"), "the deletion's `status`")


def names(document: Json, customer_ids: Collection[str], source_ids: Collection[str], emails: Collection[str]) -> bool:
    """Whether anything in a document still names a customer.

    By ``cust_…`` id or e-mail address wherever it stands, by source id where Voucherify puts one: on a customer, or as
    ``tracking_id`` (schema ``ListPublicationsItemBase``). Products and orders have source ids too, which are no names.
    """
    exact = frozenset(customer_ids)
    folded = frozenset(_folded(email) for email in emails)
    sources = frozenset(source_ids) - {""}
    level = [document]
    while level:
        for node in level:
            if isinstance(node, str) and (node in exact or _folded(node) in folded):
                return True
            if isinstance(node, dict) and _names_source(node, sources):
                return True
        level = [child for node in level for child in _children(node)]
    return False


def _names_source(node: Mapping[str, Json], sources: frozenset[str]) -> bool:
    if node.get("object") == "customer" and _in(node.get("source_id"), sources):
        return True
    return _in(node.get("tracking_id"), sources)


def _in(value: Json, known: frozenset[str]) -> bool:
    return isinstance(value, str) and value in known


def _children(node: Json) -> Iterable[Json]:
    if isinstance(node, dict):
        return node.values()
    return node if isinstance(node, list) else ()


# -- credentials -------------------------------------------------------------------------------------------------------


def access_token(document: Json) -> tuple[str, int]:
    """An OAuth token and the seconds it lives (schema ``OAuthTokenGenerateResponseBody``)."""
    body = _object(document)
    seconds = body.get("expires_in", TOKEN_SECONDS)
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        raise BadAnswer("`expires_in` is not a number of seconds")
    return _text(body.get("access_token"), "`access_token`"), seconds


# -- how ---------------------------------------------------------------------------------------------------------------


def _object(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise BadAnswer("this is not the documented object")
    return value


def _inner(value: Mapping[str, Json], name: str) -> dict[str, Json]:
    """A nested object, which may be missing or null."""
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _part(value: Mapping[str, Json], name: str) -> dict[str, Json]:
    """As :func:`_inner`, and anything else that stands there is not what the vendor documents."""
    return {} if value.get(name) is None else _object(value[name])


def _text(value: Json, what: str) -> str:
    if not isinstance(value, str) or not value:
        raise BadAnswer(f"{what} is missing")
    return value


def _optional(value: Json, what: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadAnswer(f"{what} is not a text")
    return value


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip().casefold()

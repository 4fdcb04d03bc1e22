"""Fills a project with what a shop would hold about its customers: the same each time, no randomness."""

from __future__ import annotations

from habeas.testing.people import Person
from habeas.testing.sandbox import token
from habeas_voucherify.sandbox.customers import blank_customer
from habeas_voucherify.sandbox.loyalty import PROGRAM
from habeas_voucherify.sandbox.state import Project
from habeas_voucherify.sandbox.wire import Json, hex_id, stamp

__all__ = ["add_rows", "seed_person"]

_START = 1_735_689_600.0
"""2025-01-01T00:00:00Z: the first customer's first minute."""

_CAMPAIGN: Json = {
    "id": token("camp_", "welcome"),
    "name": "Welcome",
    "campaign_type": "DISCOUNT_COUPONS",
    "type": "AUTO_UPDATE",
    "object": "campaign",
}
_SEGMENTS: tuple[Json, ...] = tuple(
    {"id": token("seg_", name), "name": name, "object": "segment"} for name in ("Returning customers", "Club members")
)
_PRODUCTS = (("Coffee beans 1 kg", 1890), ("Ceramic dripper", 2450), ("Paper filters", 490), ("Gift box", 3990))
_POINTS = (
    *("total", "earned", "added", "purchased", "purchased_reversed", "subtracted"),
    *("expired", "spent", "refunded", "returned", "locked", "unlocked"),
)
_MANY_EVENTS = 130
"""How much activity every 20th person has: more than one page of the largest size."""


class _Clock:
    """Moments of one customer's story, a minute apart."""

    def __init__(self, number: int) -> None:
        self._at = _START + number * 6 * 3600

    def next(self) -> str:
        self._at += 60
        return stamp(self._at)


def seed_person(project: Project, person: Person, number: int) -> None:
    """Creates what the project holds about one person; ``number`` (from 0) decides how much."""
    clock = _Clock(number)
    cust_id = token("cust_", person.customer_id, len(project.ever.get(person.customer_id, ())))
    record = _profile(person, cust_id, number, clock)
    simple = {name: record[name] for name in ("id", "name", "email", "source_id", "metadata", "object")}
    vouchers = [_voucher(project, cust_id, n, clock) for n in range(1 + number % 2)]
    orders = [_order(project, person, cust_id, n, clock) for n in range(person.orders)]
    for n in range((number + 2) % 4):
        _redemption(project, simple, vouchers[n % len(vouchers)], orders[n] if n < len(orders) else None, clock)
    project.store(_totalled(record, orders, (number + 2) % 4))
    record = project.customers[cust_id]
    for voucher in vouchers:
        _publication(project, record, voucher, clock)
    if number % 2 == 0:
        _member(project, cust_id, clock)
    project.segments[cust_id] = list(_SEGMENTS[: 1 + number % 2])
    _story(project, record, simple, number, clock)


def add_rows(project: Project, record: Json, count: int) -> None:
    """``count`` more rows in each list of a customer that comes in pages; nothing that was there is touched."""
    cust_id = record["id"]
    first, clock = len(project.vouchers.of(cust_id)), _Clock(len(project.customers))
    simple = {name: record[name] for name in ("id", "name", "email", "source_id", "metadata", "object")}
    for n in range(first, first + count):
        voucher = _voucher(project, cust_id, n, clock)
        _redemption(project, simple, voucher, None, clock)
        _publication(project, record, voucher, clock)
        project.note(record, "customer.custom_event", _visit(simple, _MANY_EVENTS + n, clock), clock.next())


def _profile(person: Person, cust_id: str, number: int, clock: _Clock) -> Json:
    record = {
        **blank_customer(cust_id, person.customer_id, clock.next()),
        "name": f"{person.first_name} {person.last_name}",
        "description": "Customer of the web shop",
        "email": person.email,
        "phone": person.phone,
        "birthdate": person.birthdate,
        "address": {
            "line_1": person.street,
            "city": person.city,
            "postal_code": person.postal_code,
            "country": person.country,
        },
        "metadata": {
            "consent_marketing_email": number % 3 != 1,
            "preferences": {"language": person.country.lower(), "favourites": ["coffee", "tea"], "visits": number},
            "acquisition_channel": "newsletter",
        },
    }
    points = 100 + number * 7
    record["loyalty"] = {
        "points": points,
        "referred_customers": number % 2,
        "campaigns": {PROGRAM["name"]: {"points": points, "loyalty_tier": "Silver", "referred_customers": number % 2}},
    }
    if number % 3 == 0:
        referral = {
            "campaign_id": token("camp_", "bring a friend"),
            "referrer_id": token("cust_", "referrer", number),
            "related_object_id": token("v_", "referral", number),
            "related_object_type": "voucher",
            "date": clock.next(),
        }
        record["referrals"] = {"total": 1, "campaigns": [referral]}
    return record


def _totalled(record: Json, orders: list[Json], redeemed: int) -> Json:
    amounts = [order["total_amount"] for order in orders]
    totals: Json = {
        "total_amount": sum(amounts),
        "total_count": len(amounts),
        "average_amount": sum(amounts) // len(amounts) if amounts else 0,
        "last_order_amount": amounts[-1] if amounts else 0,
    }
    if orders:
        totals["last_order_date"] = orders[-1]["created_at"]
    redemptions = {**record["summary"]["redemptions"], "total_redeemed": redeemed, "total_succeeded": redeemed}
    return {**record, "summary": {"redemptions": redemptions, "orders": totals}}


def _voucher(project: Project, cust_id: str, n: int, clock: _Clock) -> Json:
    at, code = clock.next(), token("", cust_id, n)[:10].upper()
    voucher = {
        "id": token("v_", cust_id, n),
        "code": code,
        "campaign": _CAMPAIGN["name"],
        "campaign_id": _CAMPAIGN["id"],
        "category": "Welcome",
        "category_id": hex_id("cat_", "welcome"),
        "categories": [],
        "type": "DISCOUNT_VOUCHER",
        "discount": {"type": "PERCENT", "percent_off": min(100, 10 + 5 * n), "effect": "APPLY_TO_ORDER"},
        "active": True,
        "metadata": {},
        "is_referral_code": False,
        "created_at": at,
        "updated_at": at,
        "holder_id": cust_id,
        "redemption": {
            "quantity": 5,
            "redeemed_quantity": 0,
            "object": "list",
            "url": f"/v1/vouchers/{code}/redemptions?page=1&limit=10",
        },
        "publish": {"object": "list", "count": 1, "url": f"/v1/vouchers/{code}/publications?page=1&limit=10"},
        "object": "voucher",
    }
    project.vouchers.add(voucher, cust_id)
    redeemable = {
        "id": hex_id("rh_", cust_id, n),
        "created_at": at,
        "redeemable_id": voucher["id"],
        "redeemable_object": "voucher",
        "customer_id": cust_id,
        "holder_role": "OWNER",
        "campaign_id": _CAMPAIGN["id"],
        "campaign_type": _CAMPAIGN["campaign_type"],
        "voucher_type": "DISCOUNT_VOUCHER",
        "redeemable": {"type": "voucher", "voucher": voucher, "status": "ACTIVE"},
    }
    project.redeemables.add(redeemable, cust_id)
    return voucher


def _order(project: Project, person: Person, cust_id: str, n: int, clock: _Clock) -> Json:
    at = clock.next()
    items = [_item(cust_id, n, k) for k in range(1 + n % 2)]
    amount = sum(item["amount"] for item in items)
    order = {
        "id": token("ord_", cust_id, n),
        "source_id": f"{person.customer_id}-order-{n + 1}",
        "created_at": at,
        "updated_at": clock.next(),
        "status": "PAID",
        "amount": amount,
        "initial_amount": amount,
        "discount_amount": 0,
        "total_discount_amount": 0,
        "total_amount": amount,
        "items": items,
        "metadata": {"shipping": {"city": person.city, "postal_code": person.postal_code}},
        "customer_id": cust_id,
        "customer": {"id": cust_id, "object": "customer"},
        "referrer_id": None,
        "redemptions": {},
        "object": "order",
    }
    project.order_sources[str(order["source_id"])] = str(order["id"])
    return project.orders.add(order, cust_id)


def _item(cust_id: str, n: int, k: int) -> Json:
    name, price = _PRODUCTS[(n + k) % len(_PRODUCTS)]
    product = token("prod_", name)
    return {
        "id": token("ordli_", cust_id, n, k),
        "object": "order_item",
        "related_object": "product",
        "product_id": product,
        "quantity": 1 + k,
        "price": price,
        "amount": price * (1 + k),
        "subtotal_amount": price * (1 + k),
        "product": {"id": product, "source_id": name.lower().replace(" ", "-"), "name": name, "price": price},
    }


def _redemption(project: Project, simple: Json, voucher: Json, order: Json | None, clock: _Clock) -> None:
    serial = project.serial()
    row = {
        "id": hex_id("r_", simple["id"], serial),
        "object": "redemption",
        "date": clock.next(),
        "customer_id": simple["id"],
        "tracking_id": token("track_", simple["id"]),
        "metadata": {"till": "web"},
        "redemption": None,
        "result": "SUCCESS",
        "status": "SUCCEEDED",
        "order": order,
        "channel": {"channel_id": project.app_id, "channel_type": "API"},
        "customer": simple,
        "related_object_type": "voucher",
        "related_object_id": voucher["id"],
        "voucher": {**voucher, "holder": simple},
    }
    if order is not None:
        row["amount"] = order["total_amount"]
    project.redemptions.add(row, simple["id"])


def _publication(project: Project, record: Json, voucher: Json, clock: _Clock) -> None:
    row = {
        "id": token("pub_", voucher["id"]),
        "object": "publication",
        "created_at": clock.next(),
        "customer_id": record["id"],
        "tracking_id": token("track_", record["id"]),
        "metadata": {},
        "channel": "API",
        "source_id": None,
        "result": "SUCCESS",
        "customer": record,
        "voucher": {
            "code": voucher["code"],
            "object": "voucher",
            "campaign": voucher["campaign"],
            "discount": voucher["discount"],
            "is_referral_code": False,
        },
        "vouchers_id": [voucher["id"]],
    }
    project.publications.add(row, record["id"])


def _member(project: Project, cust_id: str, clock: _Clock) -> None:
    at = clock.next()
    member = {
        "id": hex_id("lmbr_", cust_id),
        "customer_id": cust_id,
        "program_id": PROGRAM["id"],
        "status": "ACTIVE",
        "metadata": {},
        "created_at": at,
        "updated_at": None,
        "object": "member",
    }
    card = {
        "id": hex_id("lcrd_", cust_id),
        "card_definition_id": hex_id("lcdef_", "club card"),
        "card_type": "INDIVIDUAL",
        "code": token("", cust_id, "card")[:12].upper(),
        "lifetime_bucket": {
            "points": {**dict.fromkeys(_POINTS, 0), "total": 120, "earned": 120},
            "pending_points": {"total": 0, "activated": 0, "canceled": 0},
        },
        "balance": {"points": 120, "pending_points": 0},
        "next_expiration": {"points": 20, "date": "2027-12-31"},
        "next_activation": None,
        "object": "card",
    }
    cards = [{"member_role": "OWNER", "created_at": at, "card": card, "object": "member_card"}]
    project.members.add({"id": member["id"], "member": member, "cards": cards}, cust_id)


def _story(project: Project, record: Json, simple: Json, number: int, clock: _Clock) -> None:
    """The activity: what happened, in order; every 20th person was busy."""
    cust_id = record["id"]
    project.note(record, "customer.created", {"customer": record}, record["created_at"])
    for segment in project.segments[cust_id]:
        project.note(record, "customer.segment.entered", {"customer": record, "segment": segment}, clock.next())
    for row in project.publications.of(cust_id):
        data = {"customer": simple, "campaign": _CAMPAIGN, "publication": row}
        project.note(record, "customer.publication.succeeded", data, clock.next())
    for order in project.orders.of(cust_id):
        for what in ("created", "paid"):
            project.note(record, f"customer.order.{what}", {"customer": simple, "order": order}, clock.next())
    for row in project.redemptions.of(cust_id):
        short = {name: row[name] for name in ("id", "object", "date", "customer_id", "metadata", "result", "status")}
        data = {"customer": simple, "campaign": _CAMPAIGN, "redemption": short}
        project.note(record, "customer.redemption.succeeded", data, clock.next())
    more = _MANY_EVENTS - len(project.events[cust_id]) if number % 20 == 19 else number % 3
    for n in range(more):
        project.note(record, "customer.custom_event", _visit(simple, n, clock), clock.next())


def _visit(simple: Json, n: int, clock: _Clock) -> Json:
    event = {
        "id": hex_id("ev_", simple["id"], n),
        "object": "event",
        "type": "page_viewed",
        "customer": simple,
        "referral": {},
        "loyalty": {},
        "metadata": {"page": f"/products/{n}"},
        "created_at": clock.next(),
    }
    schema = {"id": token("ms_", "page_viewed"), "name": "page_viewed"}
    return {"event": event, "event_schema": schema, "customer": simple, "referral": None, "loyalty": None}

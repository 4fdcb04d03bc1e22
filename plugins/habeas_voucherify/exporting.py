"""The export hook: what the API tells about a person, answer by answer, as the vendor sent it.

One document per answer, so that no field is lost in merging: its bytes are the vendor's, except where other people had
to be taken out. Lists without entries make no document.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from habeas import BadAnswer, Document, Export, Gap, Inventory, Result, Subject
from habeas.connection import Connection
from habeas.http.transport import Answer
from habeas.models import Json
from habeas_voucherify import client, kinds, mapping
from habeas_voucherify.client import Listed, Numbered
from habeas_voucherify.filters import Own, without_others
from habeas_voucherify.lookup import beyond, known_sources
from habeas_voucherify.mapping import Customer

__all__ = ["export"]

OUTSIDE = Gap(
    kinds.CUSTOMER,
    Result.UNSUPPORTED,
    "Voucherify's API does not give the marketing permissions that the dashboard shows for a customer, nor the API logs"
    " (kept for 6 or 12 months): look them up in the Voucherify dashboard where the person asks for them.",
    standing=True,
)
UNLISTED = (
    "Voucherify counts more orders of this customer than its activity and redemptions name, and its list of orders"
    " cannot be searched by customer. Look the rest up in the Voucherify dashboard, on the customer's page."
)


@dataclass
class _Package:
    """What has been fetched so far for one person."""

    connection: Connection
    own: Own
    documents: list[Document] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    evidence: list[str] = field(default_factory=list)
    orders: set[str] = field(default_factory=set)
    """Those fetched already."""

    def add(self, kind: str, name: str, answer: Answer) -> None:
        """Makes a document of an answer. ``name`` is a fixed word; the number counts the answers under it."""
        kept = client.read_as(answer, lambda document: without_others(document, self.own))
        content = answer.body if not kept.omissions else _written(kept.document)
        number = 1 + sum(1 for document in self.documents if document.name.startswith(f"{name}-"))
        self.documents.append(
            Document(kind, f"{name}-{number:03d}.json", content, source=answer.request.name, omissions=kept.omissions)
        )

    def add_pages(self, kind: str, name: str, pages: Iterable[Listed]) -> None:
        for page in pages:
            if page.rows:
                self.add(kind, name, page.answer)

    def add_numbered(self, kind: str, name: str, numbered: Numbered) -> None:
        self.add_pages(kind, name, numbered.pages)
        self.gaps += beyond(kind, numbered)


def export(connection: Connection, subject: Subject, inventory: Inventory) -> Export:
    """All documents about the customers that the inventory found. Raises :class:`~habeas.VendorError`."""
    sources: dict[str, str] = {}
    for record in inventory.records:
        if record.kind == kinds.CUSTOMER:
            sources |= record.data["sources"]
    own = Own(
        frozenset(sources),
        known_sources(connection, subject) | frozenset(source for source in sources.values() if source),
        frozenset(subject.values("email")),
    )
    package = _Package(connection, own)
    for customer_id in sources:
        _one_customer(package, customer_id)
    gaps = dict.fromkeys((*inventory.gaps, *package.gaps, *((OUTSIDE,) if package.documents else ())))
    return Export(
        tuple(package.documents), tuple(gaps), "; ".join(dict.fromkeys(package.evidence)) or inventory.evidence
    )


def _one_customer(package: _Package, customer_id: str) -> None:
    connection = package.connection
    answer = client.customer(connection, customer_id)
    package.evidence.append(answer.evidence)
    if answer.status == 404:
        # What has gone since the inventory is no longer held: there is nothing to hand over.
        return
    package.add(kinds.CUSTOMER, "customer", answer)
    activity = tuple(client.activity(connection, customer_id))
    package.add_pages(kinds.ACTIVITY, "activity", activity)
    package.add_pages(kinds.SEGMENT, "segments", (client.segments(connection, customer_id),))
    package.add_pages(kinds.REDEEMABLE, "redeemables", client.redeemables(connection, customer_id))
    redemptions = client.redemptions(connection, customer_id)
    package.add_numbered(kinds.REDEMPTION, "redemptions", redemptions)
    package.add_numbered(kinds.VOUCHER, "vouchers", client.vouchers(connection, customer_id))
    package.add_numbered(kinds.PUBLICATION, "publications", client.publications(connection, customer_id))
    orders = [
        *(order for page in activity for order in page.read(lambda rows: mapping.order_ids(rows, customer_id))),
        *redemptions.read(lambda rows: mapping.redeemed_orders(rows, customer_id)),
    ]
    _orders(package, client.read_as(answer, mapping.customer), tuple(dict.fromkeys(orders)))
    _memberships(package, customer_id)


def _orders(package: _Package, customer: Customer, orders: tuple[str, ...]) -> None:
    for order_id in orders:
        if order_id in package.orders:
            continue
        package.orders.add(order_id)
        answer = client.order(package.connection, order_id)
        # An order can be given to another customer after the event that named it.
        if answer.status == 200 and client.read_as(answer, lambda order: mapping.is_own_order(order, package.own.ids)):
            package.add(kinds.ORDER, "order", answer)
    if customer.orders > len(orders):
        package.gaps.append(Gap(kinds.ORDER, Result.MANUAL, UNLISTED, customer.orders - len(orders)))


def _memberships(package: _Package, customer_id: str) -> None:
    answer = client.memberships(package.connection, customer_id)
    if answer.status == 200 and client.read_as(answer, mapping.memberships):
        package.add(kinds.LOYALTY_MEMBER, "memberships", answer)


def _written(document: Json) -> bytes:
    try:
        return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2).encode("utf-8")
    except ValueError:
        raise BadAnswer("the answer has a number or a character that JSON cannot hold") from None

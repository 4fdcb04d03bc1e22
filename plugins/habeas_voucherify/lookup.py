"""Which customers a person is at Voucherify, and what is held about them.

A person can be several customers: one with the shop's id, others without one that were made under the same e-mail
address. A customer with another id is somebody else's, whatever its e-mail address.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from habeas import Gap, Inventory, Record, Result, Subject, field_names
from habeas.connection import Connection
from habeas.models import Json
from habeas_voucherify import client, kinds, mapping
from habeas_voucherify.client import Numbered
from habeas_voucherify.mapping import Customer, Member
from habeas_voucherify.names import KEYED

__all__ = ["LISTS", "Found", "beyond", "find", "known_sources", "who"]

NOTHING_KNOWN = (
    "Voucherify can be searched by the shop's customer id or by e-mail address only, and neither is known. Search the"
    " customer in the Voucherify dashboard, and give the id shown there as `{name}=…` or in the column `{name}` of the"
    " identity table."
)
OTHERS = (
    "Customers with the same e-mail address and another customer id were left alone. If one of them is the same person,"
    " give its id as `customer_id=…` or in the identity table as well, and start again."
)
WHICH_ONE = (
    "Several customers with different customer ids have this e-mail address, and all were left alone. Start again with"
    " the `customer_id` of the person who asked."
)
LISTS = {
    kinds.CUSTOMER: "customers with this e-mail address",
    kinds.REDEMPTION: "redemptions",
    kinds.VOUCHER: "vouchers",
    kinds.PUBLICATION: "publications",
}
"""What the lists that are paged by number hold, for people."""
TOO_MANY = (
    "The list of {what} is longer than the vendor's paging reaches (about 9,900). Look the rest up in the Voucherify"
    " dashboard, or have it exported there."
)


@dataclass(frozen=True, repr=False)
class Found:
    """The customers that are the person."""

    customers: tuple[Customer, ...]
    documents: Mapping[str, dict[str, Json]]
    """Each of them as the vendor gave it, by ``cust_…`` id."""
    gaps: tuple[Gap, ...]
    """Who was left alone, and why."""
    evidence: str


@dataclass
class _Held:
    """What hangs on the customers that have been read so far. Ids by kind; counts where the ids do not matter."""

    owners: dict[str, list[str]] = field(default_factory=dict)
    """Kind → the customers that have such records."""
    ids: dict[str, list[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    codes: list[str] = field(default_factory=list)
    """Voucher codes of publications."""
    codeless: int = 0
    """Publications without a voucher code: those that failed."""
    unlisted: int = 0
    """Orders that are counted but cannot be found."""
    members: list[list[str]] = field(default_factory=list)
    """``[program, member, customer]``."""
    gaps: list[Gap] = field(default_factory=list)
    names: dict[str, set[str]] = field(default_factory=dict)
    """Kind → names of the fields that its records showed."""

    def see(self, kind: str, documents: Iterable[Json]) -> None:
        """Notes the names of the fields of some records of one kind."""
        seen = self.names.setdefault(kind, set())
        for document in documents:
            seen.update(field_names(document, keyed=KEYED.get(kind, ())))

    def add(self, kind: str, owner: str, count: int, ids: Iterable[str] = ()) -> None:
        if count:
            self.owners.setdefault(kind, []).append(owner)
            self.ids.setdefault(kind, []).extend(ids)
            self.counts[kind] = self.counts.get(kind, 0) + count


# -- the inventory hook ------------------------------------------------------------------------------------------------


def find(connection: Connection, subject: Subject) -> Inventory:
    """One record for each kind, over all customers that are the person. Raises :class:`~habeas.VendorError`."""
    found = who(connection, subject)
    held = _Held()
    held.see(kinds.CUSTOMER, found.documents.values())
    for customer in found.customers:
        _read(connection, customer, held)
    records = tuple(_records(found.customers, held))
    return Inventory(records, (*found.gaps, *dict.fromkeys(held.gaps)), found.evidence)


def known_sources(connection: Connection, subject: Subject) -> frozenset[str]:
    """The ids under which the shop may have sent the person: its own, and addresses where it uses them as ids."""
    values = (subject.values(kind) for kind in (connection.name, "customer_id", "email"))
    return frozenset(value for found in values for value in found)


def beyond(kind: str, numbered: Numbered) -> tuple[Gap, ...]:
    """The gap where a list is longer than its pages reach."""
    if not numbered.beyond:
        return ()
    return (Gap(kind, Result.MANUAL, TOO_MANY.format(what=LISTS[kind]), numbered.beyond),)


# -- who ---------------------------------------------------------------------------------------------------------------


def who(connection: Connection, subject: Subject) -> Found:
    """The customers that are the person, and those that might be and are left alone. Reads only.

    Raises :class:`~habeas.VendorError`. Without an identifier that Voucherify can be asked for, nothing is sent.
    """
    if not any(subject.values(kind) for kind in (connection.name, "customer_id", "email")):
        unknown = Gap(kinds.CUSTOMER, Result.MANUAL, NOTHING_KNOWN.format(name=connection.name))
        return Found((), {}, (unknown,), "")
    wanted = dict.fromkeys((*subject.values(connection.name), *subject.values("customer_id")))
    found: dict[str, Customer] = {}
    documents: dict[str, dict[str, Json]] = {}
    evidence: list[str] = []
    for customer_id in wanted:
        answer = client.customer(connection, customer_id)
        evidence.append(answer.evidence)
        if answer.status == 200:
            customer = client.read_as(answer, mapping.customer)
            found[customer.id], documents[customer.id] = customer, answer.json()
    listed: dict[str, Customer] = {}
    gaps: list[Gap] = []
    for email in subject.values("email"):
        numbered = client.customers_with(connection, email)
        evidence += [page.answer.evidence for page in numbered.pages]
        gaps += beyond(kinds.CUSTOMER, numbered)
        for page in numbered.pages:
            matches = client.read_as(page.answer, mapping.customers)
            documents |= {c.id: row for c, row in zip(matches, page.rows, strict=True) if c.id not in found}
            # Whether the vendor's filter is exact is its affair: an address that only looks alike is somebody else's.
            listed |= {c.id: c for c in matches if c.id not in found and mapping.same_text(c.email, email)}
    ours = known_sources(connection, subject) | {customer.source_id for customer in found.values()}
    mine, gap = _ours(tuple(listed.values()), ours, asked_by_id=bool(wanted))
    found |= {customer.id: customer for customer in mine}
    ours_only = {customer_id: documents[customer_id] for customer_id in found}
    return Found(tuple(found.values()), ours_only, (*gaps, *gap), "; ".join(dict.fromkeys(evidence)))


def _ours(
    listed: tuple[Customer, ...], ours: frozenset[str], *, asked_by_id: bool
) -> tuple[tuple[Customer, ...], tuple[Gap, ...]]:
    """Those of the customers found by e-mail that belong to the case, and the gap for the others."""
    if not asked_by_id:
        if len({customer.source_id for customer in listed if customer.source_id}) <= 1:
            return listed, ()
        return (), (Gap(kinds.CUSTOMER, Result.MANUAL, WHICH_ONE, len(listed)),)
    mine = tuple(customer for customer in listed if not customer.source_id or customer.source_id in ours)
    others = len(listed) - len(mine)
    return mine, (Gap(kinds.CUSTOMER, Result.MANUAL, OTHERS, others),) if others else ()


# -- what --------------------------------------------------------------------------------------------------------------


def _read(connection: Connection, customer: Customer, held: _Held) -> None:
    """Adds what hangs on one customer that exists."""
    orders = _read_activity(connection, customer, held)
    # Only now: the list of segments answers 200 for customers that do not exist, too.
    segments = client.segments(connection, customer.id)
    held.see(kinds.SEGMENT, segments.rows)
    found = segments.read(mapping.ids)
    held.add(kinds.SEGMENT, customer.id, len(found), found)
    redeemables = [row for page in client.redeemables(connection, customer.id) for row in page.rows]
    held.see(kinds.REDEEMABLE, redeemables)
    held.add(kinds.REDEEMABLE, customer.id, len(redeemables))
    orders += _read_redemptions(connection, customer, held)
    vouchers = client.vouchers(connection, customer.id)
    held.gaps += beyond(kinds.VOUCHER, vouchers)
    held.see(kinds.VOUCHER, (row for page in vouchers.pages for row in page.rows))
    codes = vouchers.read(mapping.voucher_codes)
    held.add(kinds.VOUCHER, customer.id, len(codes), codes)
    _add_publications(connection, customer, held)
    held.see(kinds.ORDER, orders)
    _add_orders(customer, held, dict.fromkeys(mapping.ids(orders)))
    _add_members(connection, customer, held)


def _read_activity(connection: Connection, customer: Customer, held: _Held) -> tuple[dict[str, Json], ...]:
    """Counts the events, and gives the orders that they show."""
    count = 0
    orders: tuple[dict[str, Json], ...] = ()
    for page in client.activity(connection, customer.id):
        count += len(page.rows)
        held.see(kinds.ACTIVITY, page.rows)
        orders += page.read(lambda rows: mapping.orders_of_events(rows, customer.id))
    held.add(kinds.ACTIVITY, customer.id, count)
    return orders


def _read_redemptions(connection: Connection, customer: Customer, held: _Held) -> tuple[dict[str, Json], ...]:
    """Adds the redemptions, and gives the orders that they show."""
    listed = client.redemptions(connection, customer.id)
    held.gaps += beyond(kinds.REDEMPTION, listed)
    redemptions = listed.read(lambda rows: mapping.own_rows(rows, customer.id))
    held.see(kinds.REDEMPTION, redemptions)
    found = listed.read(lambda rows: mapping.ids(mapping.own_rows(rows, customer.id)))
    held.add(kinds.REDEMPTION, customer.id, len(found), found)
    return listed.read(lambda rows: mapping.orders_of_redemptions(rows, customer.id))


def _add_publications(connection: Connection, customer: Customer, held: _Held) -> None:
    listed = client.publications(connection, customer.id)
    held.gaps += beyond(kinds.PUBLICATION, listed)
    publications = listed.read(lambda rows: mapping.own_rows(rows, customer.id))
    held.see(kinds.PUBLICATION, publications)
    found = listed.read(lambda rows: mapping.ids(mapping.own_rows(rows, customer.id)))
    held.add(kinds.PUBLICATION, customer.id, len(found), found)
    for publication in publications:
        codes = mapping.codes(publication)
        held.codes += codes
        held.codeless += not codes


def _add_orders(customer: Customer, held: _Held, orders: Collection[str]) -> None:
    """No list of orders knows a customer: they are found in activity and redemptions, and counted in the summary.

    Those that are counted only are part of the record, so that a hold on orders holds the customer.
    """
    count = max(len(orders), customer.orders)
    held.unlisted += count - len(orders)
    held.add(kinds.ORDER, customer.id, count, orders)


def _add_members(connection: Connection, customer: Customer, held: _Held) -> None:
    answer = client.memberships(connection, customer.id)
    if answer.status == 404:
        return
    members: list[Member] = [m for m in client.read_as(answer, mapping.memberships) if not m.deleted]
    held.see(kinds.LOYALTY_MEMBER, client.read_as(answer, lambda document: mapping.rows(document, "memberships")))
    held.add(kinds.LOYALTY_MEMBER, customer.id, len(members), (m.id for m in members))
    held.members += [[m.program, m.id, customer.id] for m in members]


def _records(customers: tuple[Customer, ...], held: _Held) -> Iterable[Record]:
    if customers:
        sources = {customer.id: customer.source_id for customer in customers}
        names = tuple(sorted(held.names[kinds.CUSTOMER]))
        yield Record(kinds.CUSTOMER, len(customers), tuple(sources), {"sources": sources}, names)
    notes: dict[str, dict[str, Json]] = {
        kinds.PUBLICATION: {"codes": list(dict.fromkeys(held.codes)), "codeless": held.codeless},
        kinds.ORDER: {"unlisted": held.unlisted},
        kinds.LOYALTY_MEMBER: {"members": held.members},
    }
    for kind, count in held.counts.items():
        data = {"customers": held.owners[kind], **notes.get(kind, {})}
        names = tuple(sorted(held.names[kind]))
        yield Record(kind, count, tuple(dict.fromkeys(held.ids[kind])), data, names)

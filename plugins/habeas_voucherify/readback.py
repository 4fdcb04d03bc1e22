"""Reading back what is left of each kind of record once its customers are gone.

Redemptions, publications and vouchers outlive a customer; whether they keep its name is not documented, so each one is
read by its own id or code. A list filtered by customer proves nothing any more: the customer cannot be resolved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from habeas import PlanItem, Result, VendorError
from habeas.connection import Connection
from habeas.http.transport import Answer
from habeas.models import Json
from habeas_voucherify import client, kinds, mapping

__all__ = ["Person", "ReadBack", "Rest", "member_left", "order_left"]

STILL_FOUND = (
    "The customer is gone under Voucherify's own id, but is still found by the shop's id or by e-mail address: run"
    " `habeas resume` later."
)
RETURNED = (
    "The customer was deleted, but a new one with the same id is there: the shop has sent data about the person since."
    " Stop that, then start a new erasure."
)
LEFT = {
    kinds.ACTIVITY: "events",
    kinds.SEGMENT: "segment memberships",
    kinds.REDEEMABLE: "redeemables",
    kinds.REDEMPTION: "redemptions",
    kinds.PUBLICATION: "publications",
    kinds.VOUCHER: "vouchers",
    kinds.ORDER: "orders",
}
"""What a person must have removed, for people."""
ASK_SUPPORT = (
    "The customer was deleted, but {what} at Voucherify still name the person, and the API has no call that removes the"
    " name: ask Voucherify support to remove it."
)
TOO_MANY = (
    "The voucher was given to more customers than the vendor's paging reaches, so that not every publication could be"
    " read back: look the voucher up in the Voucherify dashboard, and ask Voucherify support to remove what is left."
)
UNLISTED = (
    "Voucherify counted more orders than it names, and those could not be read back by themselves; the permanent"
    " deletion covers all orders of the customer."
)
CODELESS = (
    "Publications that failed have no voucher code by which they could be read back; the others no longer name the"
    " person."
)


@dataclass(frozen=True, repr=False)
class Person:
    """What named the person, as the plan noted it."""

    sources: Mapping[str, str]
    """``cust_…`` id → source id, of the customers that are to go."""
    emails: tuple[str, ...]

    def named_in(self, document: Json) -> bool:
        """Whether a document still names the person."""
        return mapping.names(document, self.sources.keys(), self.sources.values(), self.emails)


@dataclass(frozen=True)
class Rest:
    """What one reading says of one item whose customers are gone. ``result`` None: nothing is left."""

    result: Result | None
    evidence: str
    reason: str = ""


def member_left(connection: Connection, program_id: str, member_id: str) -> tuple[bool, str]:
    """Whether a loyalty member is more than a mark that it was deleted, and the read that says so."""
    answer = client.member(connection, program_id, member_id)
    if answer.status == 404:
        return False, answer.evidence
    deleted = client.read_as(answer, mapping.member).deleted
    return not deleted, f"{answer.evidence}, deleted" if deleted else answer.evidence


def order_left(connection: Connection, order_id: str, person: Person) -> tuple[bool, str]:
    """Whether an order still names the person, and the read that says so."""
    return _left(client.order(connection, order_id), person)


class ReadBack:
    """Readings after the last change. Each customer is asked for once, however many items hang on it."""

    def __init__(self, connection: Connection, person: Person) -> None:
        self._connection = connection
        self._person = person
        self._customers: dict[str, Answer | VendorError] = {}
        self._readers: Mapping[str, Callable[[PlanItem], Rest]] = {
            kinds.CUSTOMER: self._customer,
            kinds.ACTIVITY: self._activity,
            kinds.SEGMENT: self._segment,
            kinds.REDEEMABLE: self._redeemable,
            kinds.REDEMPTION: self._redemption,
            kinds.PUBLICATION: self._publication,
            kinds.VOUCHER: self._voucher,
            kinds.ORDER: self._order,
        }

    def customer(self, customer_id: str) -> Answer:
        """200, or 404. Raises :class:`~habeas.VendorError`, the same one each time."""
        if customer_id not in self._customers:
            try:
                self._customers[customer_id] = client.customer(self._connection, customer_id)
            except VendorError as error:
                self._customers[customer_id] = error
        seen = self._customers[customer_id]
        if isinstance(seen, VendorError):
            raise seen
        return seen

    def rest_of(self, item: PlanItem) -> Rest:
        """What is left of an item whose customers are gone. Raises :class:`~habeas.VendorError`."""
        return self._readers[item.record.kind](item)

    # -- one method for each kind -----------------------------------------------------------------------------------

    def _customer(self, item: PlanItem) -> Rest:
        del item
        sources = self._person.sources
        evidence = [self.customer(customer_id).evidence for customer_id in sources]
        for source_id in dict.fromkeys(source for source in sources.values() if source):
            answer = client.customer(self._connection, source_id)
            evidence.append(answer.evidence)
            if answer.status == 200:
                if client.read_as(answer, mapping.customer).id in sources:
                    return Rest(Result.FAILED, answer.evidence, STILL_FOUND)
                return Rest(Result.MANUAL, answer.evidence, RETURNED)
        for email in self._person.emails:
            numbered = client.customers_with(self._connection, email)
            last = numbered.pages[-1].answer.evidence
            if any(found in sources for found in numbered.read(mapping.ids)):
                return Rest(Result.FAILED, last, STILL_FOUND)
            evidence.append(f"{last}, not listed")
        return Rest(None, _joined(evidence))

    def _activity(self, item: PlanItem) -> Rest:
        return _by_customer(item, lambda customer_id: next(client.activity(self._connection, customer_id)))

    def _redeemable(self, item: PlanItem) -> Rest:
        return _by_customer(item, lambda customer_id: next(client.redeemables(self._connection, customer_id)))

    def _segment(self, item: PlanItem) -> Rest:
        gone = [self.customer(customer_id).evidence for customer_id in item.record.data["customers"]]
        rest = _by_customer(item, lambda customer_id: client.segments(self._connection, customer_id))
        return rest if rest.result is not None else Rest(None, _joined((*gone, rest.evidence)))

    def _redemption(self, item: PlanItem) -> Rest:
        return _one_by_one(item, lambda name: _left(client.redemption(self._connection, name), self._person))

    def _order(self, item: PlanItem) -> Rest:
        rest = _one_by_one(item, lambda name: order_left(self._connection, name, self._person))
        if rest.result is None and item.record.data["unlisted"]:
            return Rest(Result.ACCEPTED, rest.evidence, UNLISTED)
        return rest

    def _voucher(self, item: PlanItem) -> Rest:
        def left(code: str) -> tuple[bool, str]:
            numbered = client.vouchers_of_code(self._connection, code)
            named = any(numbered.read(lambda rows: [self._person.named_in(row) for row in rows]))
            return named, _of_code(numbered, named=named)

        return _one_by_one(item, left)

    def _publication(self, item: PlanItem) -> Rest:
        planned = frozenset(item.record.ids)
        evidence: list[str] = []
        for code in item.record.data["codes"]:
            numbered = client.publications_of_code(self._connection, code)
            # The same voucher can have been given to others, even to somebody with the same e-mail address.
            ours = numbered.read(lambda rows: [row for row in rows if row.get("id") in planned])
            named = any(self._person.named_in(row) for row in ours)
            evidence.append(_of_code(numbered, named=named))
            if named:
                return _asking(item, evidence[-1])
            if numbered.beyond:
                return Rest(Result.MANUAL, evidence[-1], TOO_MANY)
        if item.record.data["codeless"]:
            return Rest(Result.ACCEPTED, _joined(evidence), CODELESS)
        return Rest(None, _joined(evidence))


# -- how ---------------------------------------------------------------------------------------------------------------


def _by_customer(item: PlanItem, read: Callable[[str], client.Listed]) -> Rest:
    evidence: list[str] = []
    for customer_id in item.record.data["customers"]:
        page = read(customer_id)
        if page.rows:
            return _asking(item, page.answer.evidence)
        evidence.append(page.answer.evidence if page.answer.status == 404 else f"{page.answer.evidence}, empty")
    return Rest(None, _joined(evidence))


def _one_by_one(item: PlanItem, left: Callable[[str], tuple[bool, str]]) -> Rest:
    evidence: list[str] = []
    for name in item.record.ids:
        there, seen = left(name)
        if there:
            return _asking(item, seen)
        evidence.append(seen)
    return Rest(None, _joined(evidence))


def _left(answer: Answer, person: Person) -> tuple[bool, str]:
    if answer.status == 404:
        return False, answer.evidence
    if client.read_as(answer, person.named_in):
        return True, answer.evidence
    return False, f"{answer.evidence}, without the person"


def _of_code(numbered: client.Numbered, *, named: bool) -> str:
    last = numbered.pages[-1].answer.evidence
    return last if named else f"{last}, without the person"


def _asking(item: PlanItem, evidence: str) -> Rest:
    return Rest(Result.MANUAL, evidence, ASK_SUPPORT.format(what=LEFT[item.record.kind]))


def _joined(evidence: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(evidence))

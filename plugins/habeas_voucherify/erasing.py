"""The erase hook: loyalty memberships by their own call, then the customers by permanent deletion; then all read back.

Order (vendor's pages on customers and on loyalty programs): a member is deleted while its customer is still there,
because the list of memberships is found through the customer. Customers are named by their ``cust_…`` id: only that one
can still be deleted permanently where somebody has deleted the profile before.

Every item's outcome comes from reads after the last call, never from a call's answer: a run that was interrupted
anywhere and resumed says the same as one that was not.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from habeas import Action, AuthRejected, BadAnswer, Erasure, Outcome, OutcomeUnknown, PlanItem, Result, VendorError
from habeas.connection import Connection
from habeas.http.transport import Answer
from habeas_voucherify import client, kinds, mapping
from habeas_voucherify.readback import Person, ReadBack, member_left, order_left

__all__ = ["erase"]

STILL_THERE = "Voucherify took the call, but reading it back still shows the record: run `habeas resume`."
UNFINISHED = (
    "Voucherify took the deletion without saying that it is done, and still shows the customer: run `habeas resume`"
    " later."
)
NOT_READY = "Not erased: loyalty memberships, which must go before the customer, are still there: run `habeas resume`."
NOT_PLANNED = (
    "Not erased: Voucherify now holds records about the person that the plan does not name; start a new erasure."
)
KEPT = (
    "Voucherify removes this only together with the customer, which the plan keeps: remove it by hand in the Voucherify"
    " dashboard where that offers it, or when the customer may go."
)
DONE = "DONE"


@dataclass(frozen=True)
class _Trouble:
    """Why a step was not done."""

    result: Result
    reason: str


def erase(connection: Connection, erasure: Erasure) -> tuple[Outcome, ...]:
    """One outcome for each item with action ``erase``.

    What the plan keeps or hands to a person is left alone. One customer's trouble does not keep the others from going;
    :class:`~habeas.errors.RunEnded` and storage errors pass.
    """
    work = _Work(connection, erasure)
    work.delete_members()
    work.delete_customers()
    return work.outcomes()


class _Work:
    """One call of the hook."""

    def __init__(self, connection: Connection, erasure: Erasure) -> None:
        self._connection = connection
        self._planned = erasure.items
        self._resumed = erasure.resumed
        self._items = tuple(item for item in erasure.items if item.action is Action.ERASE)
        sources: dict[str, str] = {}
        for item in erasure.to_erase(kinds.CUSTOMER):
            sources |= item.record.data["sources"]
        self._person = Person(sources, erasure.subject.values("email"))
        self._found: set[str] = set()
        """Customers and members that were there when this call began."""
        self._trouble: dict[str, _Trouble] = {}
        """By customer or member."""
        self._unseen: set[str] = set()
        """Customers whose profile was gone before: whether the deletion of the rest happened, no read can tell."""
        self._refused: AuthRejected | None = None
        """Set once the credentials are refused: asking on could lock the key."""

    # -- steps ------------------------------------------------------------------------------------------------------

    def delete_members(self) -> None:
        """Deletes the planned members that are there."""
        for item in self._items:
            if item.record.kind == kinds.LOYALTY_MEMBER:
                for program_id, member_id, customer_id in item.record.data["members"]:
                    self._delete_member(program_id, member_id, customer_id)

    def _delete_member(self, program_id: str, member_id: str, customer_id: str) -> None:
        if self._refused is not None:
            return
        try:
            if member_left(self._connection, program_id, member_id)[0]:
                self._found.add(member_id)
                client.delete_member(self._connection, program_id, member_id)
        except VendorError as error:
            self._troubled(member_id, error)
            self._trouble[customer_id] = _Trouble(Result.FAILED, NOT_READY)

    def delete_customers(self) -> None:
        """Deletes the planned customers permanently, each one unless a step before it failed."""
        for customer_id in self._person.sources:
            if self._refused is not None:
                return
            try:
                self._delete_customer(customer_id)
            except VendorError as error:
                self._troubled(customer_id, error)

    def _delete_customer(self, customer_id: str) -> None:
        there = client.customer(self._connection, customer_id)
        if there.status == 200:
            self._found.add(customer_id)
            obstacle = "" if customer_id in self._trouble else self._obstacle(customer_id, there)
            if obstacle:
                self._trouble[customer_id] = _Trouble(Result.FAILED, obstacle)
            if customer_id not in self._trouble:
                self._delete_permanently(customer_id)
        elif customer_id not in self._trouble and (not self._resumed or self._orders_left()):
            self._delete_rest(customer_id)

    def _delete_permanently(self, customer_id: str) -> None:
        change = client.delete_permanently(
            self._connection,
            customer_id,
            lambda: client.customer(self._connection, customer_id).status == 404,
        )
        if change.answer is not None and change.answer.status == 200:
            reason = STILL_THERE if _is_done(change.answer) else UNFINISHED
            # Holds only if the read-back still shows the customer.
            self._trouble[customer_id] = _Trouble(Result.FAILED, reason)

    def _delete_rest(self, customer_id: str) -> None:
        """Somebody deleted the profile without the rest. A second permanent deletion is a 404, so asking is safe."""
        self._unseen.add(customer_id)
        change = client.delete_permanently(self._connection, customer_id, lambda: False)
        self._unseen.discard(customer_id)
        if change.answer is not None and change.answer.status == 200:
            self._found.add(customer_id)

    def _obstacle(self, customer_id: str, there: Answer) -> str:
        """Why a customer may not be deleted yet; empty where it may. Reads the vendor."""
        members = client.memberships(self._connection, customer_id)
        listed = () if members.status == 404 else client.read_as(members, mapping.memberships)
        left = {member.id for member in listed if not member.deleted}
        wanted = {m for item in self._items if item.record.kind == kinds.LOYALTY_MEMBER for m in item.record.ids}
        if wanted & left:
            return NOT_READY
        if left - {name for item in self._planned for name in item.record.ids} or self._grown(customer_id, there):
            return NOT_PLANNED
        return ""

    def _grown(self, customer_id: str, there: Answer) -> bool:
        """Whether there are records of a kind that the plan has never seen: a policy may want to keep them."""
        planned = {item.record.kind for item in self._planned}
        if kinds.ORDER not in planned and client.read_as(there, mapping.customer).orders:
            return True
        lists = {
            kinds.REDEMPTION: client.redemptions,
            kinds.VOUCHER: client.vouchers,
            kinds.PUBLICATION: client.publications,
        }
        return any(
            mapping.own_rows(page.rows, customer_id)
            for kind, read in lists.items()
            if kind not in planned
            for page in read(self._connection, customer_id).pages
        )

    def _orders_left(self) -> bool:
        """Whether an order is left that a permanent deletion would have taken."""
        return any(
            order_left(self._connection, order_id, self._person)[0]
            for item in self._items
            if item.record.kind == kinds.ORDER
            for order_id in item.record.ids
        )

    def _troubled(self, name: str, error: VendorError) -> None:
        result = Result.UNKNOWN if isinstance(error, OutcomeUnknown) else Result.FAILED
        self._trouble[name] = _Trouble(result, error.message)
        if isinstance(error, AuthRejected):
            self._refused = error

    # -- outcomes ---------------------------------------------------------------------------------------------------

    def outcomes(self) -> tuple[Outcome, ...]:
        """What became of each item, read from the vendor now."""
        reader = ReadBack(self._connection, self._person)
        return tuple(self._outcome(item, reader) for item in self._items)

    def _outcome(self, item: PlanItem, reader: ReadBack) -> Outcome:
        if item.record.kind != kinds.LOYALTY_MEMBER and not self._person.sources.keys() >= set(_customers(item)):
            return Outcome(item.index, Result.MANUAL, "", KEPT)
        if self._refused is not None:
            return self._unread(item, self._refused)
        try:
            if item.record.kind == kinds.LOYALTY_MEMBER:
                return self._members_outcome(item)
            return self._still_there(item, reader) or self._gone(item, reader)
        except VendorError as error:
            if isinstance(error, AuthRejected):
                self._refused = error
            return self._unread(item, error)

    def _members_outcome(self, item: PlanItem) -> Outcome:
        evidence = []
        for program_id, member_id, _ in item.record.data["members"]:
            left, seen = member_left(self._connection, program_id, member_id)
            if left:
                trouble = self._trouble.get(member_id) or _Trouble(Result.FAILED, STILL_THERE)
                return Outcome(item.index, trouble.result, seen, trouble.reason)
            evidence.append(seen)
        return Outcome(item.index, self._result(item.record.ids), "; ".join(dict.fromkeys(evidence)))

    def _still_there(self, item: PlanItem, reader: ReadBack) -> Outcome | None:
        """The outcome where a customer of this item is still there, or may not have lost the rest."""
        for customer_id in _customers(item):
            answer = reader.customer(customer_id)
            if answer.status == 200 or customer_id in self._unseen:
                trouble = self._trouble.get(customer_id) or _Trouble(Result.FAILED, STILL_THERE)
                return Outcome(item.index, trouble.result, answer.evidence, trouble.reason)
        return None

    def _gone(self, item: PlanItem, reader: ReadBack) -> Outcome:
        rest = reader.rest_of(item)
        result = rest.result or self._result(_customers(item))
        return Outcome(item.index, result, rest.evidence, rest.reason)

    def _result(self, names: Collection[str]) -> Result:
        """Erased by us, unless somebody else was faster than our first attempt."""
        return Result.ERASED if self._resumed or self._found.intersection(names) else Result.ABSENT

    def _unread(self, item: PlanItem, error: VendorError) -> Outcome:
        """Nothing could be read back: unknown where something was sent and never answered."""
        for name in (*_customers(item), *item.record.ids):
            trouble = self._trouble.get(name)
            if trouble is not None and trouble.result is Result.UNKNOWN:
                return Outcome(item.index, Result.UNKNOWN, "", trouble.reason)
        return Outcome(item.index, Result.FAILED, "", error.message)


def _customers(item: PlanItem) -> tuple[str, ...]:
    """The customers a planned record hangs on."""
    if item.record.kind == kinds.CUSTOMER:
        return tuple(item.record.data["sources"])
    return tuple(item.record.data["customers"])


def _is_done(answer: Answer) -> bool:
    try:
        return client.read_as(answer, mapping.deletion_status) == DONE
    except BadAnswer:
        return False

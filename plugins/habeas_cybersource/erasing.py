"""Erasing: the customer token with all that hangs on it, then the card number tokens nobody else uses; read back each.

Order (vendor: "Deleting a Customer", "Deleting an Instrument Identifier"):

1. Read the customer and both lists as they are now.
2. DELETE the customer: its payment instruments and addresses go with it. Where the plan keeps the customer, DELETE the
   planned payment instruments and addresses one by one; a default cannot go while others exist, so it goes last, and
   where others stay (they came after the plan) one of those becomes the default first.
3. Each instrument identifier goes with its last user. One that the vendor left behind without any is DELETEd; one that
   others use is left alone.
4. Only now, after the last change: read every token of the plan by its own path. 410, or 404, is gone.

Outcomes come from the reads of step 4, never from the answer to a DELETE, so that an interrupted and resumed run says
the same as an undisturbed one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from habeas import Action, Erasure, Outcome, OutcomeUnknown, PlanItem, Rejected, Result, VendorError
from habeas.connection import Connection
from habeas_cybersource import client, kinds
from habeas_cybersource.mapping import Listed

__all__ = ["erase"]

_NOT_KNOWN = (
    "the vault does not know the customer token of the plan: look up in the Business Center whether the token or the "
    "connection's profile_id is wrong, and run again with the right one"
)
_STILL_THERE = "the vendor said that the record was deleted, and still has it"
_NEEDED = "the vendor refused since another record needs it (a default cannot go while others exist): make a new plan"
_SHARED = (
    "the card is shared: another customer's payment instrument, or one that belongs to no customer, still uses this "
    "card token; the link to this person is gone"
)
_KEPT = "a payment instrument of this person that is not to be erased still uses this card token"
_IN_USE = "a payment instrument of this person that could not be deleted still uses this card token"


@dataclass(frozen=True, repr=False)
class _Group:
    """One customer token, and the planned records that hang on it."""

    token: str
    customer: PlanItem
    parts: tuple[PlanItem, ...]

    @property
    def whole(self) -> bool:
        """Whether the customer itself is to go."""
        return self.customer.action is Action.ERASE

    @property
    def wanted(self) -> tuple[PlanItem, ...]:
        """What is to go."""
        return tuple(item for item in (self.customer, *self.parts) if item.action is Action.ERASE)


@dataclass(frozen=True, repr=False)
class _Now:
    """What the vendor holds of one customer as this attempt begins."""

    customer: bool
    entries: Mapping[str, tuple[Listed, ...]]
    """By kind of part."""

    def has(self, item: PlanItem) -> bool:
        """Whether anything of an item is still there."""
        if item.record.kind == kinds.CUSTOMER:
            return self.customer
        return any(entry.id in item.record.ids for entry in self.entries[item.record.kind])


@dataclass(frozen=True, repr=False)
class _Done:
    """What was done about one customer."""

    now: _Now
    problems: Mapping[str, VendorError]
    """By kind of record."""


@dataclass(frozen=True, repr=False)
class _Card:
    """What was done about one instrument identifier."""

    found: bool
    """Whether it was there as this attempt began."""
    problem: VendorError | None = None
    tried: bool = False
    """Whether its deletion was sent."""


@dataclass(frozen=True, repr=False)
class _Own:
    """This person's payment instruments."""

    going: frozenset[str]
    """Those that were to go."""
    kept: frozenset[str]


def erase(connection: Connection, erasure: Erasure) -> tuple[Outcome, ...]:
    """One outcome for each item that is to go. An error at one customer token does not keep the others from going."""
    groups = tuple(_groups(erasure.items))
    states = {group.token: _change(connection, group, erasure.resumed) for group in groups}
    cards = {item.index: _change_card(connection, item, states, erasure.resumed) for item in _cards_of(erasure)}
    # Nothing is changed from here on: what is read now is how it stays.
    outcomes: list[Outcome] = []
    for group in groups:
        state = states[group.token]
        if isinstance(state, Outcome):
            outcomes += [_same(state, item) for item in group.wanted]
        else:
            outcomes += [_read_back(connection, group, item, state, erasure.resumed) for item in group.wanted]
    own = _own(erasure, groups, states)
    for item in _cards_of(erasure):
        card = cards[item.index]
        outcomes.append(
            _same(card, item) if isinstance(card, Outcome) else _read_back_card(connection, item, card, own)
        )
    return tuple(sorted(outcomes, key=lambda outcome: outcome.index))


def _cards_of(erasure: Erasure) -> tuple[PlanItem, ...]:
    return erasure.to_erase(kinds.INSTRUMENT_IDENTIFIER)


def _groups(items: Sequence[PlanItem]) -> Iterator[_Group]:
    for customer in items:
        if customer.record.kind == kinds.CUSTOMER:
            token = customer.record.ids[0]
            yield _Group(
                token,
                customer,
                tuple(i for i in items if i.record.kind in client.PARTS and i.record.data["customer"] == token),
            )


# -- changing ---------------------------------------------------------------------------------------------------------


def _change(connection: Connection, group: _Group, resumed: bool) -> _Done | Outcome:
    """Deletes what is to go; an outcome (for any item of the group) where nothing may be done."""
    try:
        answer = client.get_customer(connection, group.token)
        if answer.status == 404 and not resumed:
            # The plan saw this token. A deleted one answers 410, so another vault or profile is answering.
            return Outcome(group.customer.index, Result.MANUAL, answer.evidence, _NOT_KNOWN)
        there = answer.status not in client.GONE
        entries = {
            kind: client.list_part(connection, part, group.token) if there else ()
            for kind, part in client.PARTS.items()
        }
    except VendorError as error:
        return _trouble(group.customer, error)
    now = _Now(there, entries)
    return _Done(now, (_delete_whole if group.whole else _delete_parts)(connection, group, now))


def _delete_whole(connection: Connection, group: _Group, now: _Now) -> Mapping[str, VendorError]:
    if now.customer:
        try:
            client.delete_customer(connection, group.token)
        except VendorError as error:
            return dict.fromkeys((kinds.CUSTOMER, *client.PARTS), error)
    return {}


def _delete_parts(connection: Connection, group: _Group, now: _Now) -> Mapping[str, VendorError]:
    problems: dict[str, VendorError] = {}
    for item in group.wanted:
        part = client.PARTS[item.record.kind]
        entries = now.entries[part.kind]
        ours = [entry for entry in entries if entry.id in item.record.ids]
        staying = [entry for entry in entries if entry.id not in item.record.ids]
        try:
            if staying and any(entry.default for entry in ours):
                client.make_default(connection, part, group.token, staying[0].id)
            for entry in sorted(ours, key=lambda e: e.default):
                client.delete_part(connection, part, group.token, entry.id)
        except VendorError as error:
            problems[part.kind] = error
    return problems


def _change_card(
    connection: Connection, item: PlanItem, states: Mapping[str, _Done | Outcome], resumed: bool
) -> _Card | Outcome:
    """Deletes an instrument identifier that nobody uses; the outcome where nothing may be said about it."""
    token = item.record.ids[0]
    found = resumed
    for customer in item.record.data["customers"]:
        state = states[customer]
        if isinstance(state, Outcome):
            return state
        found = found or any(entry.identifier == token for entry in state.now.entries[kinds.PAYMENT_INSTRUMENT])
    try:
        if client.get_identifier(connection, token).status in client.GONE:
            return _Card(found)
        if client.identifier_users(connection, token)[1]:
            return _Card(found=True)
    except VendorError as error:
        return _Card(found, error)
    return _delete_card(connection, token)


def _delete_card(connection: Connection, token: str) -> _Card:
    try:
        client.delete_identifier(connection, token)
    except VendorError as error:
        # 409 among others: somebody began to use the card just now.
        return _Card(found=True, problem=error, tried=True)
    return _Card(found=True, tried=True)


# -- reading back -----------------------------------------------------------------------------------------------------


def _read_back(connection: Connection, group: _Group, item: PlanItem, done: _Done, resumed: bool) -> Outcome:
    kind, problem = item.record.kind, done.problems.get(item.record.kind)
    # What came after the plan has gone with the customer, or should have: it is read back as well.
    later = [entry.id for entry in done.now.entries.get(kind, ())] if group.whole else []
    statuses: set[int] = set()
    name = ""
    try:
        for token in dict.fromkeys((*item.record.ids, *later)):
            if kind == kinds.CUSTOMER:
                answer = client.get_customer(connection, token)
            else:
                answer = client.get_part(connection, client.PARTS[kind], group.token, token)
            if answer.status not in client.GONE:
                return _left(item, answer.evidence, problem)
            name = answer.request.name
            statuses.add(answer.status)
    except VendorError as error:
        return _trouble(item, problem if isinstance(problem, OutcomeUnknown) else error)
    evidence = f"{name} -> {', '.join(str(status) for status in sorted(statuses))}"
    return Outcome(item.index, Result.ERASED if resumed or done.now.has(item) else Result.ABSENT, evidence)


def _read_back_card(connection: Connection, item: PlanItem, card: _Card, own: _Own) -> Outcome:
    token = item.record.ids[0]
    try:
        answer = client.get_identifier(connection, token)
        if answer.status in client.GONE:
            return Outcome(item.index, Result.ERASED if card.found else Result.ABSENT, answer.evidence)
        evidence, users = client.identifier_users(connection, token)
    except VendorError as error:
        return _trouble(item, card.problem if isinstance(card.problem, OutcomeUnknown) else error)
    if not users and not card.tried and card.problem is None:
        # It was in use when its turn came: whoever used it has let it go since, another case of ours perhaps.
        return _read_back_card(connection, item, _delete_card(connection, token), own)
    if not users:
        return _left(item, answer.evidence, card.problem)
    if users & own.going:
        return Outcome(item.index, Result.FAILED, evidence, _IN_USE)
    return Outcome(item.index, Result.RETAINED, evidence, _KEPT if users & own.kept else _SHARED)


def _own(erasure: Erasure, groups: Sequence[_Group], states: Mapping[str, _Done | Outcome]) -> _Own:
    own: set[str] = set()
    going: set[str] = set()
    for item in erasure.items:
        if item.record.kind == kinds.PAYMENT_INSTRUMENT:
            own.update(item.record.ids)
            going.update(item.record.ids if item.action is Action.ERASE else ())
    for group in groups:
        state = states[group.token]
        if isinstance(state, _Done):
            there = {entry.id for entry in state.now.entries[kinds.PAYMENT_INSTRUMENT]}
            own |= there
            going |= there if group.whole else set()
    return _Own(frozenset(going), frozenset(own - going))


# -- outcomes -------------------------------------------------------------------------------------------------------


def _left(item: PlanItem, evidence: str, problem: VendorError | None) -> Outcome:
    """The read-back found it."""
    if problem is None:
        return Outcome(item.index, Result.FAILED, evidence, _STILL_THERE)
    return Outcome(item.index, _result(problem), evidence, _reason(problem))


def _trouble(item: PlanItem, error: VendorError) -> Outcome:
    """Nothing could be read, or something was sent and never answered."""
    return Outcome(item.index, _result(error), "", _reason(error))


def _result(error: VendorError) -> Result:
    return Result.UNKNOWN if isinstance(error, OutcomeUnknown) else Result.FAILED


def _reason(error: VendorError) -> str:
    return _NEEDED if isinstance(error, Rejected) and error.status == 409 else error.line()


def _same(outcome: Outcome, item: PlanItem) -> Outcome:
    return Outcome(item.index, outcome.result, outcome.evidence, outcome.reason)

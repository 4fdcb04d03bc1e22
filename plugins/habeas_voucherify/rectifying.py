"""Rectifying: the customer by ``PUT /v1/customers/{customerId}``, then everything read back.

What is sent is what is wrong, and nothing that the customer does not hold. Copies of the customer's details that
Voucherify keeps in events, redemptions and publications are read as well: no call changes them, and that is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from habeas import Correction, Effect, Field, Identifier, Rectification, Result, Subject, VendorError
from habeas.connection import Connection
from habeas.models import Json
from habeas_voucherify import client, details, kinds, lookup
from habeas_voucherify.changing import Said, Step, effect_of, trouble
from habeas_voucherify.client import Listed
from habeas_voucherify.details import Right
from habeas_voucherify.lookup import Found

__all__ = ["rectify"]

NAME_APART = (
    "Voucherify keeps the whole name as one text: give `first_name` and `last_name` together, or `name`. Start again."
)
NAME_DISAGREES = "The whole name that was given does not begin or end with this part of it: start again with either."
NOT_HELD = "Voucherify holds nothing of this kind about the person, and nothing was added."
SECOND_LINE = "The address has a second line, which was left as it is: look whether it still belongs to the street."
COPIES = (
    "Voucherify keeps the customer's details in {what} as they were at the time, and has no call that changes them"
    " there: ask Voucherify support where that must be corrected too."
)
KEPT_IN = {
    kinds.ACTIVITY: "past events",
    kinds.REDEMPTION: "redemptions",
    kinds.PUBLICATION: "publications",
}


@dataclass(frozen=True, repr=False)
class _Customer:
    """One customer: how it was, what went wrong, how it is (None: gone)."""

    id: str
    before: Mapping[str, Json]
    problem: VendorError | None
    now: Mapping[str, Json] | VendorError | None
    evidence: str


def rectify(connection: Connection, wanted: Rectification) -> tuple[Effect, ...]:
    """One effect for each correction and the customer, and one for each kind of record with copies that stay otherwise.

    Raises :class:`~habeas.VendorError` where the person could not be looked for.
    """
    found = lookup.who(connection, wanted.subject)
    rights = details.right_values(wanted.corrections)
    documents = {**found.documents, **_corrected_before(connection, wanted, found, rights)}
    changes, step = connection.api.changes, Step()
    sent = {name: _correct(connection, step, name, document, rights) for name, document in documents.items()}
    # A resumed run reads again in any case, and so says the same as one that was not disturbed.
    changed = wanted.resumed or connection.api.changes != changes
    customers = [
        _Customer(name, document, sent[name], *_now(connection, step, name, document, found, changed=changed))
        for name, document in documents.items()
    ]
    effects = [_of_customer(correction, wanted, rights, customers, found) for correction in wanted.corrections]
    return (*effects, *_of_copies(connection, step, rights, [c.id for c in customers if c.now is not None]))


# -- changing ----------------------------------------------------------------------------------------------------------


def _corrected_before(
    connection: Connection, wanted: Rectification, found: Found, rights: Mapping[int, Right]
) -> Mapping[str, dict[str, Json]]:
    """Customers that an interrupted run has given the right e-mail address: by the old one they are found no more.

    Only those to which nothing is left to do: nobody is written to who was not found by what the case knew.
    """
    emails = [right.value for right in rights.values() if right.field is Field.EMAIL]
    if not wanted.resumed or not emails:
        return {}
    known = (identifier for identifier in wanted.subject.identifiers if identifier.kind != "email")
    again = lookup.who(connection, Subject((*known, *(Identifier("email", email) for email in emails))))
    return {
        name: document
        for name, document in again.documents.items()
        if name not in found.documents and not details.changes(document, rights.values())
    }


def _correct(
    connection: Connection, step: Step, customer_id: str, document: Mapping[str, Json], rights: Mapping[int, Right]
) -> VendorError | None:
    fields = details.changes(document, rights.values())
    if not fields:
        return None

    def done() -> bool:
        answer = client.customer(connection, customer_id)
        return answer.status == 404 or not details.changes(answer.json(), rights.values())

    sent = step.take(lambda: client.update_customer(connection, customer_id, fields, done))
    return sent if isinstance(sent, VendorError) else None


def _now(
    connection: Connection, step: Step, customer_id: str, document: Mapping[str, Json], found: Found, *, changed: bool
) -> tuple[Mapping[str, Json] | VendorError | None, str]:
    """How a customer is after the last change, and the evidence. Where nothing was changed, the first read says it."""
    if not changed:
        return document, found.evidence
    answer = step.take(lambda: client.customer(connection, customer_id))
    if isinstance(answer, VendorError):
        return answer, ""
    return (None if answer.status == 404 else answer.json()), answer.evidence


# -- what became of it -------------------------------------------------------------------------------------------------


def _of_customer(
    correction: Correction,
    wanted: Rectification,
    rights: Mapping[int, Right],
    customers: Sequence[_Customer],
    found: Found,
) -> Effect:
    right = rights.get(correction.index)
    if right is None and customers:
        whole = any(other.field is Field.NAME for other in wanted.corrections)
        said = [Said(Result.MANUAL, found.evidence, NAME_DISAGREES if whole else NAME_APART) for _ in customers]
    else:
        said = [_said(customer, right, resumed=wanted.resumed) for customer in customers if right is not None]
        if correction.field is Field.STREET and any(_has_second_line(c) for c in customers):
            said = [_with_reason(one) for one in said]
    # Of those left alone one thing is known: that they hold the e-mail address by which they were found.
    teller = min(wanted.corrections, key=lambda other: other.field is not Field.EMAIL)
    return effect_of(correction.index, said, found, tells=correction is teller)


def _said(customer: _Customer, right: Right, *, resumed: bool) -> Said:
    if isinstance(customer.now, VendorError):
        return trouble(customer.problem, customer.now)
    if customer.now is None:
        return Said(Result.ABSENT, customer.evidence)
    if not details.holds(customer.now, right):
        return Said(Result.ABSENT, customer.evidence, NOT_HELD)
    if not details.is_right(customer.now, right):
        said = trouble(customer.problem)
        return Said(said.result, customer.evidence, said.reason)
    ours = resumed or not details.is_right(customer.before, right) or details.changes(customer.before, [right])
    return Said(Result.UPDATED if ours else Result.UNCHANGED, customer.evidence)


def _has_second_line(customer: _Customer) -> bool:
    return isinstance(customer.now, Mapping) and details.second_line(customer.now)


def _with_reason(said: Said) -> Said:
    return Said(said.result, said.evidence, SECOND_LINE) if said.result is Result.UPDATED else said


# -- copies ------------------------------------------------------------------------------------------------------------


def _of_copies(
    connection: Connection, step: Step, rights: Mapping[int, Right], customers: Sequence[str]
) -> Iterator[Effect]:
    """What still shows another value elsewhere, and lists that could not be read to see."""
    if not customers:
        return
    reading: dict[str, Callable[[str], Iterable[Listed]]] = {
        kinds.ACTIVITY: lambda name: client.activity(connection, name),
        kinds.REDEMPTION: lambda name: client.redemptions(connection, name).pages,
        kinds.PUBLICATION: lambda name: client.publications(connection, name).pages,
    }
    for kind, read in reading.items():
        pages = step.take(lambda read=read: [page for name in customers for page in read(name)])  # type: ignore[misc]
        for index, right in rights.items():
            if isinstance(pages, VendorError):
                yield Effect(index, kind, 0, Result.FAILED, "", pages.line())
                continue
            stale = sum(details.stale_copies(row, customers, right) for page in pages for row in page.rows)
            if stale:
                reason = COPIES.format(what=KEPT_IN[kind])
                yield Effect(index, kind, stale, Result.UNSUPPORTED, pages[-1].answer.evidence, reason)

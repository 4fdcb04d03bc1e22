"""What is read about a person: the inventory, and the documents of an export.

TMS cannot be searched: everything starts at customer tokens that the shop knows. A payment instrument names the
instrument identifier behind it; that one is the same for everybody who uses the card, so who else uses it is looked at
where it matters, and never exported.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from habeas import Document, Export, Gap, Inventory, Omission, Record, Result, Subject
from habeas.connection import Connection
from habeas.http.transport import Answer
from habeas.models import Json
from habeas_cybersource import client, kinds, mapping, names
from habeas_cybersource.lookup import customer_tokens

__all__ = ["fetch", "find"]

_OUTSIDE = Gap(
    kinds.CUSTOMER,
    Result.UNSUPPORTED,
    "payments, reports, invoices and subscriptions are kept outside of the token vault and are not in this package: "
    "search for them in the Business Center, or with the vendor's transaction search, by the shop's own customer id",
    standing=True,
)
_FILES = {
    kinds.CUSTOMER: "customer",
    kinds.PAYMENT_INSTRUMENT: "payment-instruments",
    kinds.SHIPPING_ADDRESS: "shipping-addresses",
    kinds.INSTRUMENT_IDENTIFIER: "instrument-identifier",
}


# -- inventory --------------------------------------------------------------------------------------------------------


def find(connection: Connection, subject: Subject) -> Inventory:
    """The records behind the customer tokens that are known for this person.

    One record for each customer token, for each of its lists that is not empty, and for each distinct instrument
    identifier. Raises :class:`~habeas.VendorError`.
    """
    tokens, problem = customer_tokens(connection, subject)
    records: list[Record] = []
    cards: dict[str, _Card] = {}
    evidence: list[str] = []
    for token in tokens:
        answer = client.get_customer(connection, token)
        evidence.append(answer.evidence)
        if answer.status in client.GONE:
            continue
        records.append(Record(kinds.CUSTOMER, 1, (token,), fields=names.of_customer(answer.json())))
        for part in client.PARTS.values():
            entries = client.list_part(connection, part, token)
            if entries:
                records.append(_list_record(part.kind, token, entries))
            for entry in entries:
                if entry.identifier:
                    card = cards.setdefault(entry.identifier, _Card())
                    card.customers[token] = None
                    card.shown.append(entry.card)
    records += [
        Record(
            kinds.INSTRUMENT_IDENTIFIER,
            1,
            (identifier,),
            {"customers": list(card.customers)},
            names.of_identifiers(card.shown),
        )
        for identifier, card in cards.items()
    ]
    gaps = (Gap(kinds.CUSTOMER, Result.MANUAL, problem),) if problem else ()
    return Inventory(tuple(records), gaps, "; ".join(dict.fromkeys(evidence)))


@dataclass(frozen=True, repr=False)
class _Card:
    """Which of this person's customer tokens use a card, and its token as their payment instruments show it."""

    customers: dict[str, None] = field(default_factory=dict)
    shown: list[Json] = field(default_factory=list)


def _list_record(kind: str, token: str, entries: Sequence[mapping.Listed]) -> Record:
    documents = [entry.document for entry in entries]
    seen = names.of_instruments(documents) if kind == kinds.PAYMENT_INSTRUMENT else names.of_addresses(documents)
    return Record(kind, len(entries), tuple(entry.id for entry in entries), {"customer": token}, seen)


# -- export -----------------------------------------------------------------------------------------------------------


def fetch(connection: Connection, inventory: Inventory) -> Export:
    """All documents about the person, as the vendor gives them: card numbers masked.

    Taken out: the billing address on an instrument identifier that others use too, since it may be theirs. Raises
    :class:`~habeas.VendorError`.
    """
    cards = list(_cards(connection, inventory))
    shared = _shared(connection, inventory, cards)
    answers: dict[str, list[Answer]] = {kind: [] for kind in _FILES}
    answers[kinds.INSTRUMENT_IDENTIFIER] = cards
    for record in inventory.records:
        if record.kind == kinds.CUSTOMER:
            answers[kinds.CUSTOMER].append(client.get_customer(connection, record.ids[0]))
        elif record.kind in client.PARTS:
            pages = client.part_pages(connection, client.PARTS[record.kind], record.data["customer"])
            answers[record.kind] += [answer for answer, _ in pages]
    documents = tuple(
        _document(kind, number, answer, shared)
        for kind, found in answers.items()
        # What has gone since the inventory is no longer held: there is nothing to hand over.
        for number, answer in enumerate((a for a in found if a.status not in client.GONE), start=1)
    )
    evidence = dict.fromkeys(answer.evidence for answer in answers[kinds.CUSTOMER])
    return Export(documents, (_OUTSIDE,), "; ".join(evidence))


def _cards(connection: Connection, inventory: Inventory) -> Iterator[Answer]:
    for record in inventory.records:
        if record.kind == kinds.INSTRUMENT_IDENTIFIER:
            yield client.get_identifier(connection, record.ids[0])


def _shared(connection: Connection, inventory: Inventory, cards: Iterable[Answer]) -> frozenset[str]:
    """Instrument identifiers with a billing address, used by payment instruments other than this person's."""
    own = {i for record in inventory.records if record.kind == kinds.PAYMENT_INSTRUMENT for i in record.ids}
    with_address = [
        card.request.ids["instrumentIdentifierId"]
        for card in cards
        if card.status not in client.GONE and mapping.has_bill_to(card.json())
    ]
    return frozenset(card for card in with_address if client.identifier_users(connection, card)[1] - own)


def _document(kind: str, number: int, answer: Answer, shared: frozenset[str]) -> Document:
    document = Document(kind, f"{_FILES[kind]}-{number}.json", answer.body, source=answer.request.name)
    if not shared:
        return document
    content, taken = mapping.without_bill_to(answer.json(), shared)
    if not taken:
        return document
    return replace(
        document,
        content=json.dumps(content, ensure_ascii=False).encode("utf-8"),
        omissions=(
            Omission(
                "billing address on a shared card number token",
                "others use the card as well, and the address may be theirs",
                taken,
            ),
        ),
    )

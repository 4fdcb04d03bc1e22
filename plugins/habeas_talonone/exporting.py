"""The export hook: what Talon.One tells about a person, page by page, as the vendor sent it.

One document per answer, so that no field is lost in merging: its bytes are the vendor's, except where other people's
ids had to be taken out. Lists without entries make no document.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from habeas import BadAnswer, Document, Export, Inventory, Subject
from habeas.connection import Connection
from habeas.http.api import Api
from habeas.http.transport import Answer
from habeas.models import Json
from habeas_talonone import activity, client, filters, mapping
from habeas_talonone.filters import Filtered
from habeas_talonone.lookup import integration_ids
from habeas_talonone.naming import ACHIEVEMENT, CARD, EVENT, FRIEND, PROFILE, PROGRAM, SESSION
from habeas_talonone.settings import applications

__all__ = ["export"]

_Filter = Callable[[Json, Collection[str]], Filtered]
_ACTIVITY: Mapping[str, _Filter] = {SESSION: filters.unfiltered, EVENT: filters.unfiltered, FRIEND: filters.friends}


@dataclass
class _Package:
    """What has been fetched so far for one person."""

    api: Api
    own: frozenset[str]
    """All of the person's ids: what names these does not name somebody else."""
    documents: list[Document] = field(default_factory=list)
    cards: list[str] = field(default_factory=list)
    """Those fetched already: two ids of one person can be on one card."""

    def add(self, kind: str, name: str, answer: Answer, keep: _Filter = filters.unfiltered) -> None:
        kept = client.read_as(answer, lambda document: keep(document, self.own))
        content = answer.body if not kept.omissions else _written(kept.document)
        self.documents.append(Document(kind, name, content, source=answer.request.name, omissions=kept.omissions))

    def add_pages(self, kind: str, name: str, pages: Iterable[Answer], keep: _Filter = filters.unfiltered) -> None:
        for number, page in enumerate(_with_entries(pages), 1):
            self.add(kind, f"{name}-{number:02d}.json", page, keep)


def export(connection: Connection, subject: Subject, inventory: Inventory) -> Export:
    """All documents about the person, under each id where the inventory found something."""
    package = _Package(connection.api, frozenset(integration_ids(connection, subject)))
    ids = dict.fromkeys(str(record.data["integration_id"]) for record in inventory.records)
    for number, integration_id in enumerate(ids, 1):
        _one_profile(package, f"{number:02d}", integration_id)
        for kind, keep in _ACTIVITY.items():
            pages = activity.pages(connection, kind, integration_id)
            package.add_pages(kind, f"{kind}s-{number:02d}", pages, keep)
    gaps = activity.GAPS if package.documents and not applications(connection.settings) else ()
    return Export(tuple(package.documents), gaps, inventory.evidence)


def _one_profile(package: _Package, number: str, integration_id: str) -> None:
    answer = client.inventory(package.api, integration_id)
    if answer.status == 404:
        return
    held = client.read_as(answer, lambda document: mapping.holding(document, integration_id))
    package.add(PROFILE, f"inventory-{number}.json", answer, filters.inventory)
    begun = (page for page in client.achievements(package.api, integration_id) if _has_progress(page))
    package.add_pages(ACHIEVEMENT, f"achievements-{number}", begun)
    for n, program in enumerate(held.programs, 1):
        _one_program(package, f"loyalty-program-{number}-{n:02d}", program, integration_id)
    for card in held.cards:
        if card not in package.cards:
            package.cards.append(card)
            _one_card(package, f"loyalty-card-{len(package.cards):02d}", *mapping.split_card_ref(card))


def _one_program(package: _Package, name: str, program: str, integration_id: str) -> None:
    api = package.api
    balances = client.program_balances(api, program, integration_id)
    if balances.status == 404:
        return
    client.read_as(balances, mapping.balance_is_zero)  # Refuses what is no balance.
    package.add(PROGRAM, f"{name}-balances.json", balances)
    package.add_pages(PROGRAM, f"{name}-transactions", client.program_transactions(api, program, integration_id))
    for status in client.POINTS_STATUSES:
        pages = client.program_points(api, program, integration_id, status)
        package.add_pages(PROGRAM, f"{name}-points-{status}", pages)


def _one_card(package: _Package, name: str, program: str, card: str) -> None:
    api = package.api
    balances = client.card_balances(api, program, card)
    if balances.status == 404:
        return
    package.add(CARD, f"{name}-balances.json", balances, filters.card_balances)
    shared = bool(package.documents[-1].omissions)
    keep = filters.card_transactions if shared else filters.unfiltered
    package.add_pages(CARD, f"{name}-transactions", client.card_transactions(api, program, card), keep)
    for status in client.POINTS_STATUSES:
        pages = client.card_points(api, program, card, status)
        package.add_pages(CARD, f"{name}-points-{status}", pages, filters.card_points)


def _has_progress(page: Answer) -> bool:
    """Achievements that a person has not begun say nothing about them."""
    return page.status != 404 and client.read_as(page, mapping.has_progress)


def _with_entries(pages: Iterable[Answer]) -> Iterator[Answer]:
    """The pages that have something in them; 404 has not."""
    for page in pages:
        if page.status != 404 and client.read_as(page, lambda document: mapping.items(document, "data")):
            yield page


def _written(document: Json) -> bytes:
    try:
        return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2).encode("utf-8")
    except ValueError:
        raise BadAnswer("the answer has a number or a character that JSON cannot hold") from None

"""Sessions, events and referred friends of a person: what only the Management API shows.

Asked in every configured Application; without a Management API key nothing is asked, and that is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from habeas import BadAnswer, Gap, Record, Result
from habeas.connection import Connection
from habeas.http.api import Api
from habeas.http.transport import Answer
from habeas_talonone import client, mapping
from habeas_talonone.naming import EVENT, FRIEND, SESSION
from habeas_talonone.settings import applications

__all__ = ["GAPS", "KINDS", "Listing", "check", "listing", "pages", "records"]

_Lister = Callable[[Api, int, str], Iterator[Answer]]
_LISTERS: dict[str, _Lister] = {SESSION: client.list_sessions, EVENT: client.list_events, FRIEND: client.list_friends}
KINDS = tuple(_LISTERS)

_NOBODY = "habeas-doctor"

_BY_HAND = (
    "cannot be listed with an Integration API key. Give the connection a Management API key (`management_key`), or look"
    " in the Campaign Manager, at the customer's profile in each Application."
)
GAPS = (
    Gap(SESSION, Result.UNSUPPORTED, f"Sessions, with the purchases in them, {_BY_HAND}", standing=True),
    Gap(EVENT, Result.UNSUPPORTED, f"Events {_BY_HAND}", standing=True),
    Gap(FRIEND, Result.UNSUPPORTED, f"Which friends came, when and with what session, {_BY_HAND}", standing=True),
)
"""What a connection without a Management API key cannot show of anybody."""


@dataclass(frozen=True, repr=False)
class Listing:
    """What one kind's lists showed under one ``integrationId``."""

    ids: tuple[str, ...]
    count: int
    described: bool
    """True where an entry still has attributes."""
    fields: tuple[str, ...]
    evidence: str


def check(connection: Connection) -> str:
    """Evidence that the keys are good: an inventory that is 404, and a search without a result in each Application."""
    evidence = [client.inventory(connection.api, _NOBODY).evidence]
    for application in applications(connection.settings):
        evidence += [page.evidence for page in client.customers_by_id(connection.api, application, _NOBODY)]
    return "; ".join(dict.fromkeys(evidence))


def pages(connection: Connection, kind: str, integration_id: str) -> Iterator[Answer]:
    """The pages of one kind's lists, of all configured Applications, with something in them."""
    for application in applications(connection.settings):
        for page in _LISTERS[kind](connection.api, application, integration_id):
            if page.status != 404:
                yield page


def listing(connection: Connection, kind: str, integration_id: str) -> Listing:
    """All of one kind under one id. Raises :class:`~habeas.VendorError`."""
    rows: list[mapping.Row] = []
    evidence: dict[str, None] = {}
    for application in applications(connection.settings):
        for page in _LISTERS[kind](connection.api, application, integration_id):
            evidence[page.evidence] = None
            if page.status != 404:
                rows += client.read_as(page, mapping.rows)
    ids = tuple(row.id for row in rows if row.id)
    if len(set(ids)) != len(ids):
        raise BadAnswer(f"{'; '.join(evidence)}: one entry is listed twice")
    names = tuple(sorted({name for row in rows for name in row.fields}))
    return Listing(ids, len(rows), any(row.described for row in rows), names, "; ".join(evidence))


def records(connection: Connection, integration_id: str) -> tuple[list[Record], list[str]]:
    """One record for each kind that is there, and the reads that say so; nothing without a Management API key.

    Friends are other people: their number is all that is kept of them.
    """
    if not applications(connection.settings):
        return [], []
    seen = {kind: listing(connection, kind, integration_id) for kind in KINDS}
    found = [
        Record(kind, one.count, one.ids, {"integration_id": integration_id, "described": one.described}, one.fields)
        for kind, one in seen.items()
        if one.count
    ]
    return found, [one.evidence for one in seen.values()]

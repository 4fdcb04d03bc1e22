"""Plugins that describe, find, hand over or send wrongly."""

from __future__ import annotations

import http.client
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from requests.auth import AuthBase
from tests.habeas.testing.kit import habeas_tiny
from tests.habeas.testing.kit.broken import Mutant, broken
from tests.habeas.testing.kit.habeas_tiny import reading
from tests.habeas.testing.kit.habeas_tiny.kinds import CUSTOMER, INFO, ORDER
from tests.habeas.testing.kit.habeas_tiny.vendor import TinySandbox

from habeas import (
    BadAnswer,
    Document,
    Erasure,
    Export,
    Inventory,
    Outcome,
    PluginInfo,
    Record,
    Rejected,
    Result,
    Subject,
    VendorError,
)
from habeas.connection import Connection
from habeas.http.transport import Request, Transport
from habeas.models import Json
from habeas.testing.people import seeded_people

__all__ = ["MUTANTS"]

_CUSTOMER, _ORDER = INFO.kinds
_OTHER = seeded_people(2, ["tiny"])[1]
_LOG = logging.getLogger("habeas_broken")

Find = Callable[[Connection, Subject], Inventory]


def _info(**changes: Any) -> Callable[[], PluginInfo]:
    return lambda: replace(INFO, **changes)


def _kinds(**changes: Any) -> Callable[[], PluginInfo]:
    return _info(kinds=(_CUSTOMER, replace(_ORDER, **changes)))


def _schema(**changes: Json) -> Callable[[], PluginInfo]:
    return _info(settings_schema={**INFO.settings_schema, **changes})


class _NoPurposes(TinySandbox):
    def purposes(self) -> Mapping[str, Mapping[str, Any]]:
        return {}


_COUNTERS = {"properties": {**INFO.settings_schema["properties"], "other": {}}}

_DESCRIBING = (
    broken("kinds-complete", "describe gives no title", describe=_info(title=" ")),
    broken("kinds-complete", "order has no description", describe=_kinds(description="")),
    broken("kinds-complete", "order needs at least one DPV category", describe=_kinds(categories=("pd:Order",))),
    broken("kinds-complete", "order needs at least one DPV purpose", describe=_kinds(purposes=())),
    broken("kinds-complete", "erasing order destroys itself", describe=_kinds(erased_with=(ORDER,))),
    broken("settings-schema", "not a valid JSON Schema", describe=_schema(type="thing")),
    broken("settings-schema", "refuses the sandbox's own settings", describe=_schema(required=["other"])),
    broken("settings-schema", "accepts a setting it does not know", describe=_schema(additionalProperties=True)),
    broken("settings-schema", "other is not a property", describe=_info(secrets=("other",))),
    broken(
        "settings-schema", "None of the secrets", describe=_info(secrets=("other",), settings_schema={
            **INFO.settings_schema, **_COUNTERS,
        })
    ),
    broken("purposes-and-fields", "purpose_schema and update_consent", describe=_info(purpose_schema={})),
    broken("purposes-and-fields", "names no purposes", sandbox=_NoPurposes),
    broken("purposes-and-fields", "refuses one of the sandbox's purposes", describe=_info(purpose_schema={
        **INFO.purpose_schema, "required": ["other"],
    })),
    broken("purposes-and-fields", "rectifies and the hook rectify", describe=_info(rectifies=())),
    broken("describe-light", "not a module in a file"),
)  # fmt: skip


# -- finding and handing over ------------------------------------------------------------------------------------------


def _find(change: Callable[[Inventory], Inventory]) -> Find:
    return lambda connection, subject: change(reading.find(connection.api, subject))


def _records(change: Callable[[Record], Record]) -> Find:
    return _find(lambda found: replace(found, records=tuple(change(record) for record in found.records)))


def _for_everybody(connection: Connection, subject: Subject) -> Inventory:
    return reading.find(connection.api, Subject((replace(subject.identifiers[0], value=_OTHER.customer_id),)))


def _exporting(change: Callable[[Document], Document]) -> Callable[..., Export]:
    def export(connection: Connection, subject: Subject) -> Export:
        whole = reading.hand_over(connection.api, subject)
        return replace(whole, documents=tuple(change(document) for document in whole.documents))

    return export


def _export_of_nobody(connection: Connection, subject: Subject) -> Export:
    whole = reading.hand_over(connection.api, subject)
    return whole if whole.documents else Export((Document(CUSTOMER, "empty.json", b"{}", source="GET /"),))


def _creating(connection: Connection, subject: Subject) -> Inventory:
    """Looks somebody up by a call that creates whoever is missing."""
    ids = {"customerId": subject.values("customer_id")[0]}
    connection.api.read(Request("POST", reading.ONE, ids, json={"name": "?"}))
    return Inventory(())


def _changing(connection: Connection, subject: Subject) -> Inventory:
    ids = {"customerId": subject.values("customer_id")[0]}
    connection.api.change(Request("PATCH", reading.ONE, ids, json={}), ok=(200,), done=lambda: True)
    return reading.find(connection.api, subject)


def _waiting(connection: Connection, subject: Subject) -> Inventory:
    """Asks until somebody appears."""
    while True:
        found = reading.find(connection.api, subject)
        if found.records:
            return found


def _named_after(document: Document) -> Document:
    return replace(document, name=f"{_FIRST.customer_id}-{document.name}")


_FIRST = seeded_people(1, ["tiny"])[0]

_READING = (
    broken("inventory-true", "counts 4 of the kind order where", inventory=_records(
        lambda record: replace(record, count=record.count + 1) if record.kind == ORDER else record
    )),
    broken("inventory-true", "no end to the calls", inventory=_waiting),
    broken("inventory-true", "somebody with ' ' '+'", inventory=lambda connection, subject: (
        Inventory(()) if "+" in subject.values("customer_id")[0] else reading.find(connection.api, subject)
    )),
    broken("absent-is-absent", "finds records of somebody", inventory=_for_everybody),
    broken("absent-is-absent", "documents about somebody", export=_export_of_nobody),
    broken("absent-is-absent", "created them", inventory=_creating),
    broken("fields-named", "names no fields", inventory=_records(lambda record: replace(record, fields=()))),
    broken("fields-named", "holds a value", inventory=_records(lambda record: replace(record, fields=record.ids))),
    broken("export-true", "two documents one name", export=_exporting(lambda d: replace(d, name="answer.json"))),
    broken("export-true", "identifier into a document's name", export=_exporting(_named_after)),
    broken("export-true", "where a document came from", export=_exporting(lambda d: replace(d, source=""))),
    broken("export-true", "does not hand over the person's email", export=_exporting(
        lambda d: replace(d, content=d.content.replace(b"@", b"(at)"))
    )),
    broken("export-true", "another person's identifier", export=_exporting(
        lambda d: replace(d, content=d.content + _OTHER.email.encode())
    )),
    broken("reads-only", "a changing call where only reading is allowed", inventory=_changing),
    broken("reads-only", "POST /customers/{customerId}", inventory=_creating),
)  # fmt: skip


# -- pages -------------------------------------------------------------------------------------------------------------


def _first_page(connection: Connection, subject: Subject) -> Export:
    whole = reading.hand_over(connection.api, subject)
    return Export(tuple(d for d in whole.documents if d.name in ("customer.json", "orders-01.json")))


def _no_orders(connection: Connection, subject: Subject) -> Export:
    return Export(reading.hand_over(connection.api, subject).documents[:1])


def _orders_by(pages: Callable[[Connection, str], Iterator[Mapping[str, Json]]]) -> Callable[..., Export]:
    def export(connection: Connection, subject: Subject) -> Export:
        rows = [row["id"] for page in pages(connection, subject.values("customer_id")[0]) for row in page["orders"]]
        return Export((Document(ORDER, "orders.txt", "\n".join(rows).encode(), source="GET"),))

    return export


def _page(connection: Connection, customer_id: str, after: str) -> Any:
    query = (("after", after),) if after else ()
    return connection.api.get(reading.ORDERS, ids={"customerId": customer_id}, query=query).json()


def _endless(connection: Connection, customer_id: str) -> Iterator[Mapping[str, Json]]:
    page = _page(connection, customer_id, "")
    yield page
    while page["after"]:
        page = _page(connection, customer_id, page["after"])
        yield page


def _trusting(connection: Connection, customer_id: str) -> Iterator[Mapping[str, Json]]:
    seen = set()
    after = ""
    while after not in seen:
        seen.add(after)
        page = _page(connection, customer_id, after)
        yield page
        after = page["after"]


def _crashing(connection: Connection, customer_id: str) -> Iterator[Mapping[str, Json]]:
    seen = set()
    for page in _endless(connection, customer_id):
        if page["after"] in seen:
            raise KeyError(page["after"])
        seen.add(page["after"])
        yield page


def _hundred(result: Result) -> Callable[..., tuple[Outcome, ...]]:
    """Erases the first hundred ids of each item, and says ``result`` of the item."""

    def erase(connection: Connection, erasure: Erasure) -> tuple[Outcome, ...]:
        short = tuple(replace(item, record=replace(item.record, ids=item.record.ids[:100])) for item in erasure.items)
        outcomes = habeas_tiny.erase(connection, replace(erasure, items=short))
        return tuple(replace(outcome, result=result) for outcome in outcomes)

    return erase


_PAGING = (
    broken("paging-complete", "stops before the last page", export=_first_page),
    broken("paging-complete", "shows nothing of what was added", export=_no_orders),
    broken("paging-complete", "inventory counts 100 of the kind order", inventory=_records(
        lambda record: replace(record, count=min(record.count, 100), ids=record.ids[:100])
    )),
    broken("paging-complete", "more records of each kind: it calls the order", erase=_hundred(Result.ERASED)),
    broken("paging-complete", "leaves something of somebody with 230 more", erase=_hundred(Result.FAILED)),
    broken("paging-ends", "export made more than", export=_orders_by(_endless)),
    broken("paging-ends", "export took it for complete", export=_orders_by(_trusting)),
    broken("paging-ends", "export raised KeyError", export=_orders_by(_crashing)),
)  # fmt: skip


# -- sending -----------------------------------------------------------------------------------------------------------


class _Stash(AuthBase):
    """Keeps the transport for later, where no limit holds."""

    transport: Transport

    def __init__(self, key: str) -> None:
        self._auth = reading.KeyAuth(key)

    def __call__(self, r: Any) -> Any:
        return self._auth(r)


def _stashing(settings: Mapping[str, object], transport: Transport) -> AuthBase:
    _Stash.transport = transport
    return _Stash(str(settings["api_key"]))


def _by_transport(connection: Connection, subject: Subject) -> Inventory:
    ids = {"customerId": subject.values("customer_id")[0]}
    for _ in range(2):
        _Stash.transport.send(Request("GET", reading.ONE, ids), auth=_Stash(str(connection.settings["api_key"])))
    return reading.find(connection.api, subject)


def _own_authenticator(settings: Mapping[str, object], base_url: str) -> AuthBase:
    auth = reading.KeyAuth(str(settings["api_key"]))
    auth.host = base_url.partition("//")[2]  # type: ignore[attr-defined] # what such a plugin does
    _OWN["host"] = base_url.partition("//")[2]
    return auth


_OWN: dict[str, str] = {}


def _by_own_client(connection: Connection, subject: Subject) -> Inventory:
    client = http.client.HTTPConnection(_OWN["host"], timeout=5)
    try:
        client.request("GET", "/customers/nobody", headers={"X-Api-Key": str(connection.settings["api_key"])})
        client.getresponse().read()
    finally:
        client.close()
    return reading.find(connection.api, subject)


def _logging(connection: Connection, subject: Subject) -> Inventory:
    _LOG.debug("looking for %s", subject.values("email")[0])
    return reading.find(connection.api, subject)


def _printing(connection: Connection, subject: Subject) -> Inventory:
    print(subject.values("customer_id")[0])  # noqa: T201 - what this plugin does wrong
    return reading.find(connection.api, subject)


def _blaming(connection: Connection, subject: Subject) -> Inventory:
    try:
        return reading.find(connection.api, subject)
    except Rejected as error:
        raise BadAnswer(f"{subject.values('email')[0]} was refused") from error


def _reasoning(connection: Connection, erasure: Erasure) -> tuple[Outcome, ...]:
    outcomes = habeas_tiny.erase(connection, erasure)
    return tuple(replace(o, reason=f"of {erasure.subject.values('phone')[0]}") for o in outcomes)


def _choking(connection: Connection, subject: Subject) -> Inventory:
    try:
        return reading.find(connection.api, subject)
    except VendorError as error:
        raise KeyError(str(error)) from None


_SENDING = (
    broken("through-api", "by other ways", authenticator=_own_authenticator, inventory=_by_own_client),
    broken("through-api", "was sent without connection.api", authenticator=_stashing, inventory=_by_transport),
    broken("rate-kept", "faster than the connection's limit", authenticator=_stashing, inventory=_by_transport),
    broken("no-identifiers", "a log record", inventory=_logging),
    broken("no-identifiers", "what it prints", inventory=_printing),
    broken("no-identifiers", "what it returns or raises", inventory=_blaming),
    broken("no-identifiers", "what it returns or raises", erase=_reasoning),
    broken("no-identifiers", "inventory raised KeyError", inventory=_choking),
)

MUTANTS: tuple[Mutant, ...] = (*_DESCRIBING, *_READING, *_PAGING, *_SENDING)

"""Plugins that leave the work to people, send past the journal, trust too much, or are tried on a careless sandbox."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from tests.habeas.testing.kit import habeas_tiny
from tests.habeas.testing.kit.broken import Mutant, broken
from tests.habeas.testing.kit.habeas_tiny import erasing, reading, writing
from tests.habeas.testing.kit.habeas_tiny.kinds import CUSTOMER, ORDER
from tests.habeas.testing.kit.habeas_tiny.vendor import TinySandbox

from habeas import (
    BadAnswer,
    ConsentUpdate,
    Document,
    Effect,
    Erasure,
    Export,
    Inventory,
    Outcome,
    RateLimited,
    Rectification,
    Rejected,
    Result,
    Subject,
)
from habeas.connection import Connection
from habeas.http.api import Api
from habeas.http.transport import Answer, Request
from habeas.models import Json
from habeas.testing.people import Person
from habeas.testing.sandbox import Call, Reply

__all__ = ["MUTANTS", "OnlyOnce"]

Outcomes = tuple[Outcome, ...]
Effects = tuple[Effect, ...]


def _id(subject: Subject) -> str:
    return subject.values("customer_id")[0]


# -- work left to people -----------------------------------------------------------------------------------------------


def _left(result: Result, reason: str, *kinds: str) -> Callable[..., Outcomes]:
    """Erases nothing of some kinds, and says ``result`` of them."""

    def erase(connection: Connection, erasure: Erasure) -> Outcomes:
        left = [item for item in erasure.items if item.record.kind in kinds]
        done = habeas_tiny.erase(
            connection, replace(erasure, items=tuple(item for item in erasure.items if item not in left))
        )
        evidence = reading.customer(connection.api, _id(erasure.subject)).evidence
        return (*done, *(Outcome(item.index, result, evidence, reason) for item in left))

    return erase


def _untouched(result: Result, reason: str) -> Callable[..., Effects]:
    """Reads who is there, changes nothing, and says ``result``."""

    def hook(connection: Connection, update: ConsentUpdate) -> Effects:
        answer = reading.customer(connection.api, _id(update.subject))
        there = result if answer.status == 200 else Result.ABSENT
        return tuple(Effect(c.index, CUSTOMER, 1, there, answer.evidence, reason) for c in update.changes)

    return hook


def _uncorrected(connection: Connection, rectification: Rectification) -> Effects:
    evidence = reading.customer(connection.api, _id(rectification.subject)).evidence
    return tuple(Effect(c.index, CUSTOMER, 1, Result.ACCEPTED, evidence) for c in rectification.corrections)


_ALL = (CUSTOMER, ORDER)

_LEAVING = (
    broken("erase-true", "an ordinary person's customer 'manual'", erase=_left(Result.MANUAL, "do it", *_ALL)),
    broken("erase-true", "customer 'accepted'", erase=_left(Result.ACCEPTED, "later", CUSTOMER)),
    broken("erase-true", "calls the order 'manual' and gives no reason", erase=_left(Result.MANUAL, "", ORDER)),
    broken("consent-true", "changes nothing for an ordinary person", update_consent=_untouched(Result.MANUAL, "do it")),
    broken("consent-true", "says 'unsupported' of the customer", update_consent=_untouched(Result.UNSUPPORTED, "")),
    broken("rectify-true", "rectify changes nothing of an ordinary person", rectify=_uncorrected),
)  # fmt: skip


# -- past the journal --------------------------------------------------------------------------------------------------


def _deleting_by(action: str, *, orders_first: bool = False) -> Callable[..., Outcomes]:
    def erase(connection: Connection, erasure: Erasure) -> Outcomes:
        for item in erasure.to_erase(ORDER) if orders_first else ():
            erasing.remove(connection.api, item)
        for item in erasure.to_erase(CUSTOMER):
            request = Request("POST", f"{reading.ONE}/{action}", {"customerId": item.record.ids[0]})
            connection.api.read(request, ok=(202, 204, 404))
        return habeas_tiny.erase(connection, replace(erasure, resumed=True))

    return erase


def _consent_by_read(connection: Connection, update: ConsentUpdate) -> Effects:
    for change in update.changes:
        body = {"marketing": change.state == "granted"}
        connection.api.read(Request("POST", reading.ONE, {"customerId": _id(update.subject)}, json=body))
    return habeas_tiny.update_consent(connection, replace(update, resumed=True))


_UNJOURNALLED = (
    broken("through-journal", "erase sent POST /customers/{customerId}/deletion", erase=_deleting_by("deletion")),
    broken("through-journal", "erase sent POST /customers/{customerId}/later", erase=_deleting_by("later")),
    broken(
        "through-journal",
        "erase sent POST /customers/{customerId}/later",
        erase=_deleting_by("later", orders_first=True),
    ),
    broken("through-journal", "update_consent sent POST /customers/{customerId} as", update_consent=_consent_by_read),
)


# -- trusting too much -------------------------------------------------------------------------------------------------


def _customer(api: Api, customer_id: str, *, json_only: bool) -> Answer:
    """Believes every 404, or every one that is JSON."""
    answer = api.get(reading.ONE, ids={"customerId": customer_id}, ok=(200, 404))
    if json_only:
        answer.json()
    return answer if answer.status == 404 else reading.customer(api, customer_id)


def _find(*, json_only: bool) -> Callable[..., Inventory]:
    def inventory(connection: Connection, subject: Subject) -> Inventory:
        answer = _customer(connection.api, _id(subject), json_only=json_only)
        found = Inventory((), evidence=answer.evidence)
        return found if answer.status == 404 else reading.find(connection.api, subject)

    return inventory


def _gone_by_any_404(connection: Connection, erasure: Erasure) -> Outcomes:
    outcomes = habeas_tiny.erase(connection, erasure)
    customers = {item.index for item in erasure.to_erase(CUSTOMER)}
    answer = _customer(connection.api, _id(erasure.subject), json_only=False)
    gone = customers if answer.status == 404 else set[int]()
    return tuple(replace(o, result=Result.ERASED, evidence="-") if o.index in gone else o for o in outcomes)


def _by_id_only(connection: Connection, subject: Subject) -> Inventory:
    if not subject.values("customer_id"):
        return Inventory((), evidence=reading.customer(connection.api, "nobody").evidence)
    return reading.find(connection.api, subject)


def _unescaped(connection: Connection, subject: Subject) -> Inventory:
    return Inventory(()) if '"' in _id(subject) else reading.find(connection.api, subject)


def _hopeful(connection: Connection, erasure: Erasure) -> Outcomes:
    """Takes every lost answer for a good one."""
    change = connection.api.change
    connection.api.change = lambda request, **rest: change(request, **{**rest, "done": lambda: True})  # type: ignore[method-assign] # what this plugin does wrong
    return habeas_tiny.erase(connection, erasure)


def _shrugging(connection: Connection, rectification: Rectification) -> Effects:
    """Hands every refusal to a person."""
    evidence = reading.customer(connection.api, _id(rectification.subject)).evidence
    try:
        for correction in rectification.corrections:
            body = {str(correction.field): correction.value}
            request = Request("PATCH", reading.ONE, {"customerId": _id(rectification.subject)}, json=body)
            connection.api.change(request, done=lambda: False)
    except RateLimited:
        raise
    except Rejected:
        return tuple(Effect(c.index, CUSTOMER, 1, Result.MANUAL, evidence, "do it") for c in rectification.corrections)
    return habeas_tiny.rectify(connection, replace(rectification, resumed=True))


def _filling(connection: Connection, rectification: Rectification) -> Effects:
    wanted: Mapping[int, Mapping[str, Json]] = {c.index: {str(c.field): c.value} for c in rectification.corrections}
    return writing.write(connection.api, rectification.subject, wanted, resumed=rectification.resumed)


def _counting(connection: Connection, rectification: Rectification) -> Effects:
    return tuple(replace(effect, count=1) for effect in habeas_tiny.rectify(connection, rectification))


def _creating_and_failing(connection: Connection, update: ConsentUpdate) -> Effects:
    writing.patch(connection.api, _id(update.subject), {"marketing": True})
    raise BadAnswer("nobody was there")


def _glued(connection: Connection, erasure: Erasure) -> Outcomes:
    outcomes = habeas_tiny.erase(connection, erasure)
    return tuple(replace(o, reason=f"customer{_id(erasure.subject)}x") for o in outcomes)


_TRUSTING = (
    broken("foreign-404", "was answered with a web page and 404", inventory=_find(json_only=False)),
    broken("foreign-404", "JSON that is not the vendor's", inventory=_find(json_only=True)),
    broken("foreign-404", "after the first was answered with a web page", erase=_gone_by_any_404),
    broken("found-by-address", "of whom only the email is known", inventory=_by_id_only),
    broken("inventory-true", "'\"' '\\\\' in the customer id", inventory=_unescaped),
    broken("erase-disturbed", "its `done` said so", erase=_hopeful),
    broken("rectify-disturbed", "was refused with 418", rectify=_shrugging),
    broken("rectify-adds-nothing", "rectify adds a phone", rectify=_filling),
    broken("rectify-adds-nothing", "says 'absent' of 1", rectify=_counting),
    broken("consent-creates-nobody", "created somebody who was not there", update_consent=_creating_and_failing),
    broken("no-identifiers", "what it returns or raises", erase=_glued),
    broken("canary-true", "counts 0 of the kind order and has created 1", create_canary=lambda connection, person: (
        replace(writing.create_canary(connection.api, person), created={CUSTOMER: 1})
    )),
)  # fmt: skip


# -- handing over too little -------------------------------------------------------------------------------------------


def _orders_as(content: bytes | None) -> Callable[..., Export]:
    """The good plugin's package with other documents of the orders, or with none."""

    def export(connection: Connection, subject: Subject) -> Export:
        whole = reading.hand_over(connection.api, subject).documents
        return Export(tuple(_other(d, content) for d in whole if d.record != ORDER or content is not None))

    return export


def _other(document: Document, content: bytes | None) -> Document:
    return replace(document, content=content) if content is not None and document.record == ORDER else document


_WITHHOLDING = (
    broken("export-true", "hands over no document of it", export=_orders_as(None)),
    broken("export-true", "documents of the kind order show nothing", export=_orders_as(b"{}")),
    broken("export-true", "documents of the kind order show nothing", export=_orders_as(b'{"orders": [], "total": 3}')),
)


# -- careless sandboxes ------------------------------------------------------------------------------------------------


class OnlyOnce(TinySandbox):
    """A vendor with whom an e-mail address or a phone number can be there once."""

    def write(self, call: Call) -> Reply:
        for name, row in self.customers.items():
            shared = {key for key in ("email", "phone") if row[key] and row[key] == call.json().get(key)}
            if shared and name != call.params["customerId"]:
                return self.error(409, "taken", call)
        return super().write(call)


class _Open(TinySandbox):
    def authenticate(self, call: Call) -> Reply | None:
        del call
        return None


class _Empty(TinySandbox):
    def seed(self, people: Iterable[Person]) -> Mapping[str, str]:
        del people
        return {}


class _Mute(TinySandbox):
    def held_text(self, person: Person) -> str:
        del person
        return ""


class _Talkative(TinySandbox):
    def held_text(self, person: Person) -> str:
        return super().held_text(person) or '{"customer": "unknown"}'


class _Slight(TinySandbox):
    def enlarge(self, person: Person, count: int) -> None:
        super().enlarge(person, min(count, 3))


_COUNTER = itertools.count()


class _Fickle(TinySandbox):
    def enlarge(self, person: Person, count: int) -> None:
        super().enlarge(person, count + next(_COUNTER))


_CARELESS = (
    broken("sandbox-true", "wrong credential with 404", sandbox=_Open),
    broken("sandbox-true", "held counts no customer of an ordinary person", sandbox=_Empty),
    broken("sandbox-true", "shows neither an identifier nor a name", sandbox=_Mute),
    broken("sandbox-true", "does not know are not empty", sandbox=_Talkative),
    broken("sandbox-true", "enlarge, asked for 7 more", sandbox=_Slight),
    broken("sandbox-true", "seed creates something else each time", sandbox=_Fickle),
)

MUTANTS: tuple[Mutant, ...] = (*_LEAVING, *_UNJOURNALLED, *_TRUSTING, *_WITHHOLDING, *_CARELESS)

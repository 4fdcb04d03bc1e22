"""Plugins that erase, change or create wrongly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.habeas.testing.kit import habeas_tiny
from tests.habeas.testing.kit.broken import Mutant, broken
from tests.habeas.testing.kit.habeas_tiny import erasing, reading, writing
from tests.habeas.testing.kit.habeas_tiny.kinds import CUSTOMER, INFO, ORDER
from tests.habeas.testing.kit.habeas_tiny.vendor import TinySandbox

from habeas import (
    BadAnswer,
    Canary,
    CanaryPerson,
    ConsentUpdate,
    Effect,
    Erasure,
    HeldConsent,
    HeldState,
    Inventory,
    Outcome,
    Purpose,
    Record,
    Rectification,
    Result,
    Subject,
)
from habeas.connection import Connection
from habeas.http.transport import Request
from habeas.testing.people import Person
from habeas.testing.sandbox import Call, Reply

__all__ = ["MUTANTS"]

Outcomes = tuple[Outcome, ...]
Effects = tuple[Effect, ...]


def _id(subject: Subject) -> str:
    return subject.values("customer_id")[0]


# -- erasing -----------------------------------------------------------------------------------------------------------


def _saying(result: Result) -> Callable[..., Outcomes]:
    """Reads, changes nothing, and says so."""

    def erase(connection: Connection, erasure: Erasure) -> Outcomes:
        evidence = reading.customer(connection.api, _id(erasure.subject)).evidence
        return tuple(Outcome(item.index, result, evidence) for item in erasure.items)

    return erase


def _with_all_others(connection: Connection, erasure: Erasure) -> Outcomes:
    outcomes = habeas_tiny.erase(connection, erasure)
    request = Request("DELETE", reading.ONE, {"customerId": "C-100001"})
    connection.api.change(request, ok=(204, 404), done=lambda: True)
    reading.customer(connection.api, "C-100001")
    return outcomes


def _ghost(connection: Connection, subject: Subject) -> Inventory:
    """Goes on finding orders of whoever is gone."""
    found = reading.find(connection.api, subject)
    ghost = Record(ORDER, 1, ("order-ghost",), {"customer": _id(subject)})
    return found if found.records else replace(found, records=(ghost,))


def _result(change: Callable[[Result, bool], Result]) -> Callable[..., Outcomes]:
    """The good plugin's outcomes with other results; ``change`` is told whether the erasure is resumed."""

    def erase(connection: Connection, erasure: Erasure) -> Outcomes:
        outcomes = habeas_tiny.erase(connection, erasure)
        return tuple(replace(o, result=change(o.result, erasure.resumed)) for o in outcomes)

    return erase


def _writing_again(connection: Connection, erasure: Erasure) -> Outcomes:
    """Creates the person anew where there is nothing to delete."""
    outcomes = habeas_tiny.erase(connection, erasure)
    if outcomes and all(outcome.result is Result.ABSENT for outcome in outcomes):
        writing.patch(connection.api, _id(erasure.subject), {"name": ""})
        reading.customer(connection.api, _id(erasure.subject))
    return outcomes


def _erasing_all(connection: Connection, erasure: Erasure) -> Outcomes:
    """Takes no notice of what the plan retains."""
    for item in erasure.items:
        erasing.remove(connection.api, item)
    return habeas_tiny.erase(connection, replace(erasure, resumed=True))


_ERASING = (
    broken("erase-true", "erase, with nothing disturbed: it calls the customer 'erased'", erase=_saying(Result.ERASED)),
    broken("erase-true", "leaves something 'failed' (no reason is given)", erase=_saying(Result.FAILED)),
    broken("erase-true", "about somebody else", erase=_with_all_others),
    broken("erase-true", "still finds the kind order", inventory=_ghost),
    broken("erase-true", "calls everything absent", erase=_result(lambda *_: Result.ABSENT)),
    broken("erase-again", "resumed after it was finished", erase=_result(
        lambda result, resumed: Result.ABSENT if resumed else result
    )),
    broken("erase-again", "says 'failed' of the customer", erase=_result(
        lambda result, _: Result.FAILED if result is Result.ABSENT else result
    )),
    broken("erase-again", "it must be idempotent", erase=_writing_again),
    broken("erase-kept", "that the plan retains", erase=_erasing_all),
)  # fmt: skip


# -- consents and corrections ------------------------------------------------------------------------------------------


def _effects(change: Callable[[Effect], Effect]) -> Callable[..., Effects]:
    def update_consent(connection: Connection, update: ConsentUpdate) -> Effects:
        return tuple(change(effect) for effect in habeas_tiny.update_consent(connection, update))

    return update_consent


def _unread(result: Result) -> Callable[..., Effects]:
    """Asks who is there, writes nothing, and says so."""

    def update(connection: Connection, update: ConsentUpdate) -> Effects:
        answer = reading.customer(connection.api, _id(update.subject))
        there = result if answer.status == 200 else Result.ABSENT
        return tuple(Effect(change.index, CUSTOMER, 1, there, answer.evidence) for change in update.changes)

    return update


def _blindly(connection: Connection, update: ConsentUpdate) -> Effects:
    """Writes before it knows whether anybody is there."""
    for change in update.changes:
        writing.patch(connection.api, _id(update.subject), {"marketing": change.state == "granted"})
    evidence = reading.customer(connection.api, _id(update.subject)).evidence
    return tuple(Effect(change.index, CUSTOMER, 1, Result.UPDATED, evidence) for change in update.changes)


def _for_others_too(connection: Connection, update: ConsentUpdate) -> Effects:
    writing.patch(connection.api, "C-100001", {"marketing": None, "street": "elsewhere"})
    return habeas_tiny.update_consent(connection, update)


_BYSTANDER = "35+club"


def _for_another_too(connection: Connection, update: ConsentUpdate) -> Effects:
    """Somebody who is not among those that are asked for."""
    writing.patch(connection.api, _BYSTANDER, {"street": "elsewhere"})
    return habeas_tiny.update_consent(connection, update)


def _state(state: HeldState) -> Callable[..., tuple[HeldConsent, ...]]:
    def read_consent(connection: Connection, purposes: tuple[Purpose, ...]) -> tuple[HeldConsent, ...]:
        del connection
        return tuple(HeldConsent(purpose.name, state) for purpose in purposes)

    return read_consent


class _NoConsents(TinySandbox):
    def consent(self, person: Person, purpose: str) -> None:
        del person, purpose


def _never(connection: Connection, update: ConsentUpdate) -> Effects:
    del connection
    return tuple(Effect(c.index, CUSTOMER, 0, Result.UNSUPPORTED, "", "it keeps none") for c in update.changes)


_CONSENTS = (
    broken(
        "consent-true", "say holds_consents=False", update_consent=_never, sandbox=_NoConsents,
        read_consent=_state(HeldState.UNREADABLE),
    ),
    broken("consent-true", "describe says holds_consents=False", describe=lambda: replace(INFO, holds_consents=False)),
    broken("consent-true", "for marketing_email 'updated'", update_consent=_unread(Result.UPDATED)),
    broken("consent-true", "accepted, and nothing came of it", update_consent=_unread(Result.ACCEPTED)),
    broken("consent-true", "leaves something 'failed' (no reason is given)", update_consent=_unread(Result.FAILED)),
    broken("consent-true", "it calls the person absent", update_consent=_unread(Result.ABSENT)),
    broken("consent-true", "about somebody else", update_consent=_for_others_too),
    broken("consent-true", "read_consent calls marketing_email 'unset'", read_consent=_state(HeldState.UNSET)),
    broken("consent-true", "cannot be read back is accepted", read_consent=_state(HeldState.UNREADABLE)),
    broken("consent-creates-nobody", "created somebody", update_consent=_blindly),
    broken("consent-creates-nobody", "read_consent says 'unset'", read_consent=_state(HeldState.UNSET)),
    broken("consent-creates-nobody", "update_consent says 'accepted'", update_consent=_effects(
        lambda effect: replace(effect, result=Result.ACCEPTED)
    )),
)  # fmt: skip


def _one_by_one(of: Callable[[Connection, ConsentUpdate], Effects]) -> Callable[..., tuple[Effects, ...]]:
    """No call for many at all, which would be right if each were done right."""

    def update_consents(connection: Connection, updates: tuple[ConsentUpdate, ...]) -> tuple[Effects, ...]:
        return tuple(of(connection, update) for update in updates)

    return update_consents


def _silently(connection: Connection, update: ConsentUpdate) -> Effects:
    habeas_tiny.update_consent(connection, update)
    return ()


def _doing_nothing(connection: Connection, update: ConsentUpdate) -> Effects:
    del connection, update
    return ()


_FOR_MANY = (
    broken("consents-together", "created somebody", update_consents=_one_by_one(_blindly)),
    broken("consents-together", "has changed something of theirs", update_consents=_one_by_one(_silently)),
    broken("consents-together", "does nothing for anybody", update_consents=_one_by_one(_doing_nothing)),
    broken("consents-together", "about somebody else", update_consents=_one_by_one(_for_another_too)),
    broken("consents-together", "with nothing disturbed", update_consents=_one_by_one(_unread(Result.UPDATED))),
    broken("consents-together", "accepted, and nothing came of it", update_consents=_one_by_one(
        _unread(Result.ACCEPTED)
    )),
    broken("consents-together", "leaves something 'failed'", update_consents=_one_by_one(_unread(Result.FAILED))),
)  # fmt: skip


def _correct(change: Callable[[Effect], Effect]) -> Callable[..., Effects]:
    def rectify(connection: Connection, rectification: Rectification) -> Effects:
        return tuple(change(effect) for effect in habeas_tiny.rectify(connection, rectification))

    return rectify


def _rectify_as(result: Result) -> Callable[..., Effects]:
    def rectify(connection: Connection, rectification: Rectification) -> Effects:
        evidence = reading.customer(connection.api, _id(rectification.subject)).evidence
        return tuple(Effect(c.index, CUSTOMER, 1, result, evidence) for c in rectification.corrections)

    return rectify


def _replacing(connection: Connection, rectification: Rectification) -> Effects:
    """Sends the whole profile with what it was asked for, and blanks for the rest."""
    effects = habeas_tiny.rectify(connection, rectification)
    wanted = {str(c.field): c.value for c in rectification.corrections}
    blank = {name: "" for name in ("email", "phone", "name", "street") if name not in wanted}
    if blank and effects[0].result is not Result.ABSENT:
        writing.patch(connection.api, _id(rectification.subject), blank)
        reading.customer(connection.api, _id(rectification.subject))
    return effects


def _rectify_blindly(connection: Connection, rectification: Rectification) -> Effects:
    for correction in rectification.corrections:
        writing.patch(connection.api, _id(rectification.subject), {str(correction.field): correction.value})
    return habeas_tiny.rectify(connection, rectification)


class _Remembering(TinySandbox):
    """A vendor that keeps old values in a second place."""

    def write(self, call: Call) -> Reply:
        before = dict(self.customers.get(call.params["customerId"], {}))
        reply = super().write(call)
        row = self.customers[call.params["customerId"]]
        row.setdefault("earlier", []).extend(str(value) for value in before.values())
        return reply


_CORRECTIONS = (
    broken("rectify-true", "it calls the email 'updated'", rectify=_rectify_as(Result.UPDATED)),
    broken("rectify-true", "it calls the email absent", rectify=_rectify_as(Result.ABSENT)),
    broken("rectify-true", "corrects none of the fields", rectify=_rectify_as(Result.UNSUPPORTED)),
    broken("rectify-true", "still holds the old value", sandbox=_Remembering),
    broken("rectify-keeps-the-rest", "lost the phone", rectify=_replacing),
    broken("rectify-creates-nobody", "created somebody", rectify=_rectify_blindly),
    broken("rectify-creates-nobody", "rectify says 'accepted'", rectify=_correct(
        lambda effect: replace(effect, result=Result.ACCEPTED)
    )),
)  # fmt: skip


# -- the canary --------------------------------------------------------------------------------------------------------


def _canary(change: Callable[[Canary], Canary]) -> Callable[..., Canary]:
    return lambda connection, person: change(writing.create_canary(connection.api, person))


def _one_more(connection: Connection, person: CanaryPerson) -> Canary:
    """Does not look what is there already."""
    canary = writing.create_canary(connection.api, person)
    count = sum(len(page.rows) for page in reading.orders(connection.api, person.customer_id))
    ids = {"customerId": person.customer_id, "orderId": f"order-{count}"}
    connection.api.change(Request("PUT", reading.ORDERS + "/{orderId}", ids, json={"total": 1}), done=lambda: False)
    return canary


def _overlooking(connection: Connection, subject: Subject) -> Inventory:
    """Finds no orders of made-up people."""
    found = reading.find(connection.api, subject)
    made_up = subject.values("email")[0].endswith(".invalid")
    return replace(found, records=tuple(r for r in found.records if not made_up or r.kind == CUSTOMER))


def _overlooked(connection: Connection, person: CanaryPerson) -> Canary:
    return replace(writing.create_canary(connection.api, person), created={CUSTOMER: 1})


def _leaving(connection: Connection, erasure: Erasure) -> Outcomes:
    """Erases the customers of the shop, and no made-up ones."""
    if erasure.subject.values("email")[0].endswith(".invalid"):
        return _saying(Result.FAILED)(connection, erasure)
    return habeas_tiny.erase(connection, erasure)


def _haunted(connection: Connection, subject: Subject) -> Inventory:
    made_up = subject.values("email")[0].endswith(".invalid")
    return _ghost(connection, subject) if made_up else reading.find(connection.api, subject)


def _spoiling(connection: Connection, person: CanaryPerson) -> Canary:
    canary = writing.create_canary(connection.api, person)
    writing.patch(connection.api, "C-100001", {"street": "elsewhere"})
    return canary


_CANARIES = (
    broken("canary-true", "creates nothing", create_canary=_canary(lambda canary: replace(canary, created={}))),
    broken("canary-true", "leaves something out", create_canary=_canary(
        lambda canary: replace(canary, left_out=("an order: canary_product is missing",))
    )),
    broken("canary-true", "it says that it created 1 of the kind order", inventory=_overlooking),
    broken("canary-true", "still held after everything", inventory=_overlooking, create_canary=_overlooked),
    broken("canary-true", "leaves something failed or unknown", erase=_leaving),
    broken("canary-true", "still finds the made-up person", inventory=_haunted),
    broken("canary-true", "about somebody else", create_canary=_spoiling),
    broken("canary-again", "creates more", create_canary=_one_more),
)  # fmt: skip


# -- several at once ---------------------------------------------------------------------------------------------------

_LAST: dict[str, Any] = {}


def _remembering(connection: Connection, subject: Subject) -> Inventory:
    """Keeps whom it works for in the module."""
    _LAST["subject"] = subject
    reading.customer(connection.api, _id(subject))
    return reading.find(connection.api, _LAST["subject"])


def _comparing(connection: Connection, erasure: Erasure) -> Outcomes:
    """Keeps whom it works for in the module, and trips over it."""
    _LAST["subject"] = erasure.subject
    reading.customer(connection.api, _id(erasure.subject))
    if _LAST["subject"] is not erasure.subject:
        raise BadAnswer("another customer")
    return habeas_tiny.erase(connection, erasure)


_TOGETHER = (
    broken("many-at-once", "does not say what it says one by one", inventory=_remembering),
    broken("many-at-once", "at once, raised: another customer", erase=_comparing),
)

MUTANTS: tuple[Mutant, ...] = (*_ERASING, *_CONSENTS, *_CORRECTIONS, *_CANARIES, *_TOGETHER, *_FOR_MANY)

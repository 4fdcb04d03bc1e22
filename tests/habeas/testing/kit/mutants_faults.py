"""Plugins that are good as long as nothing goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.habeas.testing.kit import habeas_tiny
from tests.habeas.testing.kit.broken import Mutant, broken
from tests.habeas.testing.kit.habeas_tiny import erasing, reading

from habeas import (
    AuthRejected,
    BadAnswer,
    ConsentUpdate,
    Effect,
    Erasure,
    Export,
    HabeasError,
    Inventory,
    Outcome,
    Rectification,
    Result,
    Subject,
    VendorError,
)
from habeas.connection import Connection
from habeas.http.transport import Request

__all__ = ["MUTANTS"]

Outcomes = tuple[Outcome, ...]
Effects = tuple[Effect, ...]


def _id(subject: Subject) -> str:
    return subject.values("customer_id")[0]


# -- reading -----------------------------------------------------------------------------------------------------------


def _nothing_on(error_type: type[VendorError]) -> Callable[..., Inventory]:
    def inventory(connection: Connection, subject: Subject) -> Inventory:
        try:
            return reading.find(connection.api, subject)
        except error_type:
            return Inventory((), evidence="GET /customers/{customerId} -> 404")

    return inventory


def _stubborn(connection: Connection, subject: Subject) -> Inventory:
    while True:
        try:
            return reading.find(connection.api, subject)
        except AuthRejected:
            raise
        except VendorError:
            continue


def _telling(connection: Connection, subject: Subject) -> Inventory:
    try:
        return reading.find(connection.api, subject)
    except VendorError:
        raise BadAnswer(f"no answer about {_id(subject)}") from None


def _unchecked(connection: Connection, subject: Subject) -> Export:
    ids = {"customerId": _id(subject)}
    rows = connection.api.get(reading.ORDERS, ids=ids).json()["orders"]
    whole = habeas_tiny.export(connection, subject, Inventory(()))
    return whole if rows else Export(())


def _what_came(connection: Connection, subject: Subject) -> Export:
    try:
        return habeas_tiny.export(connection, subject, Inventory(()))
    except VendorError:
        return Export(())


def _content(connection: Connection) -> str:
    del connection
    return "GET / -> 200"


_READING = (
    broken("inventory-disturbed", "without all of the customer", inventory=_nothing_on(VendorError)),
    broken("inventory-disturbed", "every loop over a vendor's answers needs an end", inventory=_stubborn),
    broken("inventory-disturbed", "raised an error that names the person", inventory=_telling),
    broken("export-disturbed", "export raised TypeError", export=_unchecked),
    broken("export-disturbed", "without all of the customer", export=_what_came),
    broken("credentials-refused", "without all of the customer", inventory=_nothing_on(AuthRejected)),
    broken("credentials-refused", "check is content", check=_content),
)


# -- erasing -----------------------------------------------------------------------------------------------------------


def _hopeful(connection: Connection, erasure: Erasure) -> Outcomes:
    """Takes every error of a call for the end of what it was to delete."""
    outcomes = habeas_tiny.erase(connection, erasure)
    return tuple(replace(o, result=Result.ERASED, evidence="GET /customers/{customerId} -> 404") for o in outcomes)


def _giving_up(connection: Connection, erasure: Erasure) -> Outcomes:
    """Hands to a person what only needs another try."""
    outcomes = habeas_tiny.erase(connection, erasure)
    return tuple(o if o.result.final else replace(o, result=Result.MANUAL) for o in outcomes)


def _forgetful(connection: Connection, erasure: Erasure) -> Outcomes:
    """Does not know what an earlier attempt has done."""
    return habeas_tiny.erase(connection, replace(erasure, resumed=False))


def _fragile(connection: Connection, erasure: Erasure) -> Outcomes:
    """Raises when something is gone already."""
    if erasure.resumed and any(not erasing.left(connection.api, item) for item in erasure.items):
        raise BadAnswer("there is less than planned")
    return habeas_tiny.erase(connection, erasure)


def _vengeful(connection: Connection, erasure: Erasure) -> Outcomes:
    """Deletes somebody else when it meets an error."""
    outcomes = habeas_tiny.erase(connection, erasure)
    if any(not o.result.final for o in outcomes):
        _delete(connection, "C-100001")
        reading.customer(connection.api, "C-100001")
    return outcomes


def _delete(connection: Connection, customer_id: str) -> None:
    connection.api.change(Request("DELETE", reading.ONE, {"customerId": customer_id}), done=lambda: True)


def _gossip(connection: Connection, erasure: Erasure) -> Outcomes:
    outcomes = habeas_tiny.erase(connection, erasure)
    name = _id(erasure.subject)
    return tuple(o if o.result.final else replace(o, reason=f"{name} is still there") for o in outcomes)


def _trusting(connection: Connection, erasure: Erasure) -> Outcomes:
    """Believes the answer to the deletion, after a read that shows nothing of it."""
    api = connection.api
    for item in erasure.items:
        erasing.remove(api, item)
    evidence = api.get(reading.ONE, ids={"customerId": "nobody"}, ok=(404,)).evidence
    return tuple(Outcome(item.index, Result.ERASED, evidence) for item in erasure.items)


def _unkillable(connection: Connection, erasure: Erasure) -> Outcomes:
    try:
        return habeas_tiny.erase(connection, erasure)
    except HabeasError:
        raise
    except BaseException:  # noqa: BLE001 - what this plugin does wrong
        return tuple(Outcome(item.index, Result.UNKNOWN, "") for item in erasure.items)


def _crashing(connection: Connection, erasure: Erasure) -> Outcomes:
    try:
        return habeas_tiny.erase(connection, erasure)
    except HabeasError:
        raise
    except BaseException as error:
        raise RuntimeError("interrupted") from error


def _idle(result: Result) -> Callable[..., Outcomes]:
    """Reads, erases nothing, and says ``result``."""

    def erase(connection: Connection, erasure: Erasure) -> Outcomes:
        evidence = reading.customer(connection.api, _id(erasure.subject)).evidence
        return tuple(Outcome(item.index, result, evidence) for item in erasure.items)

    return erase


def _vengeful_when_resumed(connection: Connection, erasure: Erasure) -> Outcomes:
    outcomes = habeas_tiny.erase(connection, erasure)
    if erasure.resumed:
        _delete(connection, "C-100001")
        reading.customer(connection.api, "C-100001")
    return outcomes


def _idle_when_resumed(connection: Connection, erasure: Erasure) -> Outcomes:
    """Takes for done what an earlier attempt has begun."""
    return _idle(Result.ERASED)(connection, erasure) if erasure.resumed else habeas_tiny.erase(connection, erasure)


_ERASING = (
    broken("erase-disturbed", "erase says what is not so", erase=_hopeful),
    broken("erase-disturbed", "ended otherwise than an undisturbed run", erase=_giving_up),
    broken("erase-disturbed", "does not end as an undisturbed run does", erase=_forgetful),
    broken("erase-disturbed", "raised: there is less than planned", erase=_fragile),
    broken("erase-disturbed", "changed somebody else's data", erase=_vengeful),
    broken("erase-disturbed", "names the person in what it says", erase=_gossip),
    broken("erase-read-back", "it calls the customer 'erased', and the vendor still holds it", erase=_trusting),
    broken("erase-killed", "does not end as an undisturbed run does", erase=_forgetful),
    broken("erase-killed", "with nothing disturbed: it calls the customer 'erased'", erase=_idle(Result.ERASED)),
    broken("erase-killed", "leaves something 'unknown'", erase=_idle(Result.UNKNOWN)),
    broken("erase-killed", "changed somebody else's data", erase=_vengeful_when_resumed),
    broken(
        "erase-killed",
        "called again after it was disturbed (before change 1 of 4 was sent): it calls",
        erase=_idle_when_resumed,
    ),
    broken("erase-killed", "never catch BaseException", erase=_unkillable),
    broken("erase-killed", "made of the end of the process", erase=_crashing),
)


# -- consents and corrections ------------------------------------------------------------------------------------------


def _effects(effects: Effects, **changes: Any) -> Effects:
    return tuple(replace(effect, **changes) for effect in effects)


def _consent_giving_up(connection: Connection, update: ConsentUpdate) -> Effects:
    effects = habeas_tiny.update_consent(connection, update)
    return tuple(e if e.result.final else replace(e, result=Result.UNCHANGED, evidence="GET -> 200") for e in effects)


def _consent_trusting(connection: Connection, update: ConsentUpdate) -> Effects:
    effects = habeas_tiny.update_consent(connection, update)
    reading.customer(connection.api, "nobody")
    return _effects(effects, result=Result.UPDATED, evidence="GET -> 404")


def _consent_forgetful(connection: Connection, update: ConsentUpdate) -> Effects:
    return habeas_tiny.update_consent(connection, replace(update, resumed=False))


def _rectify_giving_up(connection: Connection, rectification: Rectification) -> Effects:
    effects = habeas_tiny.rectify(connection, rectification)
    return tuple(e if e.result.final else replace(e, result=Result.MANUAL) for e in effects)


def _rectify_trusting(connection: Connection, rectification: Rectification) -> Effects:
    effects = habeas_tiny.rectify(connection, rectification)
    reading.customer(connection.api, "nobody")
    return _effects(effects, result=Result.UPDATED, evidence="GET -> 404")


def _rectify_forgetful(connection: Connection, rectification: Rectification) -> Effects:
    return habeas_tiny.rectify(connection, replace(rectification, resumed=False))


_CHANGING = (
    broken("consent-disturbed", "update_consent says what is not so", update_consent=_consent_giving_up),
    broken("consent-read-back", "it calls the consent for marketing_email", update_consent=_consent_trusting),
    broken("consent-killed", "customer is 'unchanged', not 'updated'", update_consent=_consent_forgetful),
    broken("rectify-disturbed", "ended otherwise than an undisturbed run", rectify=_rectify_giving_up),
    broken("rectify-read-back", "it calls the email 'updated'", rectify=_rectify_trusting),
    broken("rectify-killed", "customer is 'unchanged', not 'updated'", rectify=_rectify_forgetful),
)

MUTANTS: tuple[Mutant, ...] = (*_READING, *_ERASING, *_CHANGING)

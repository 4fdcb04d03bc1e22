"""Consents, corrections and the canary: never written for somebody who was not read first."""

from __future__ import annotations

from collections.abc import Mapping

from habeas import (
    Canary,
    CanaryPerson,
    ConsentState,
    ConsentUpdate,
    Effect,
    HeldConsent,
    HeldState,
    OutcomeUnknown,
    Purpose,
    Rectification,
    Result,
    Subject,
    VendorError,
)
from habeas.http.api import Api
from habeas.http.transport import Request
from habeas.models import Json

from .kinds import CUSTOMER, ORDER
from .reading import ONE, ORDERS, customer, orders

STAYS = "The vendor took the call, but still shows the old value: run `habeas resume`."
EMPTY = "The profile has nothing in this field, and nothing was added."
STATES = {True: HeldState.GRANTED, False: HeldState.WITHDRAWN, None: HeldState.UNSET}


def update_consent(api: Api, update: ConsentUpdate) -> tuple[Effect, ...]:
    """One effect for each change, in the profile."""
    wanted = {c.index: {str(c.purpose.mapping["flag"]): c.state is ConsentState.GRANTED} for c in update.changes}
    return tuple(effect for effect in write(api, update.subject, wanted, resumed=update.resumed))


def read_consent(api: Api, subject: Subject, purposes: tuple[Purpose, ...]) -> tuple[HeldConsent, ...]:
    """The flag of each purpose."""
    answer = customer(api, _id(subject))
    states = [
        HeldState.ABSENT if answer.status == 404 else STATES[answer.json().get(purpose.mapping["flag"])]
        for purpose in purposes
    ]
    return tuple(HeldConsent(p.name, s, answer.evidence) for p, s in zip(purposes, states, strict=True))


def rectify(api: Api, rectification: Rectification) -> tuple[Effect, ...]:
    """One effect for each correction, in the profile."""
    wanted = {c.index: {str(c.field): c.value} for c in rectification.corrections}
    answer = customer(api, _id(rectification.subject))
    held = {str(name) for name, value in answer.json().items() if value} if answer.status == 200 else set()
    filled = {index: body for index, body in wanted.items() if answer.status == 404 or held >= body.keys()}
    empty = [Effect(i, CUSTOMER, 0, Result.ABSENT, answer.evidence, EMPTY) for i in wanted if i not in filled]
    return (*empty, *write(api, rectification.subject, filled, resumed=rectification.resumed))


def write(api: Api, subject: Subject, wanted: Mapping[int, Mapping[str, Json]], *, resumed: bool) -> tuple[Effect, ...]:
    """Each change by a call of its own, then all read back."""
    before = customer(api, _id(subject))
    if before.status == 404:
        return tuple(Effect(index, CUSTOMER, 0, Result.ABSENT, before.evidence) for index in wanted)
    had = before.json()
    trouble: dict[int, tuple[Result, str]] = {}
    for index, body in wanted.items():
        if not _is(had, body):
            try:
                patch(api, _id(subject), body)
            except VendorError as error:
                result = Result.UNKNOWN if isinstance(error, OutcomeUnknown) else Result.FAILED
                trouble[index] = (result, error.message)
    try:
        after = customer(api, _id(subject))
    except VendorError as error:
        failed = (Result.FAILED, error.message)
        return tuple(Effect(i, CUSTOMER, 1, r, "", t) for i, (r, t) in ((i, trouble.get(i, failed)) for i in wanted))
    now = after.json() if after.status == 200 else {}
    return tuple(_effect(i, body, had, now, after.evidence, trouble, resumed=resumed) for i, body in wanted.items())


def patch(api: Api, customer_id: str, body: Mapping[str, Json]) -> None:
    """Writes fields of a profile. The vendor would create a missing one."""

    def done() -> bool:
        answer = customer(api, customer_id)
        return answer.status == 200 and _is(answer.json(), body)

    api.change(Request("PATCH", ONE, {"customerId": customer_id}, json=dict(body)), ok=(200,), done=done)


def _effect(
    index: int,
    body: Mapping[str, Json],
    had: Mapping[str, Json],
    now: Mapping[str, Json],
    evidence: str,
    trouble: Mapping[int, tuple[Result, str]],
    *,
    resumed: bool,
) -> Effect:
    if _is(now, body):
        changed = resumed or not _is(had, body)
        return Effect(index, CUSTOMER, 1, Result.UPDATED if changed else Result.UNCHANGED, evidence)
    result, reason = trouble.get(index, (Result.FAILED, STAYS))
    return Effect(index, CUSTOMER, 1, result, evidence, reason)


def create_canary(api: Api, person: CanaryPerson) -> Canary:
    """A profile and one order."""
    name = f"{person.first_name} {person.last_name}"
    body = {"email": person.email, "phone": person.phone, "name": name}
    answer = customer(api, person.customer_id)
    if answer.status == 404 or not _is(answer.json(), body):
        patch(api, person.customer_id, body)
    if not any(page.rows for page in orders(api, person.customer_id)):
        ids = {"customerId": person.customer_id, "orderId": "order-canary"}
        request = Request("PUT", ORDERS + "/{orderId}", ids, json={"total": 1})
        api.change(request, done=lambda: any(page.rows for page in orders(api, person.customer_id)))
    return Canary((), {CUSTOMER: 1, ORDER: 1})


def _id(subject: Subject) -> str:
    return subject.values("customer_id")[0]


def _is(row: Mapping[str, Json], body: Mapping[str, Json]) -> bool:
    return all(row.get(name) == value for name, value in body.items())

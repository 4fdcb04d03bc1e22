"""The hooks for consents: an attribute of the profile, membership of an audience, or both.

Talon.One has no consent of its own. Who is not in an audience is not addressed through it; whether they withdrew or
were never asked, the vendor does not tell, and both count as withdrawn.
"""

from __future__ import annotations

from collections.abc import Mapping

from habeas import (
    ConsentChange,
    ConsentState,
    ConsentUpdate,
    Effect,
    HeldConsent,
    HeldState,
    Purpose,
    Result,
    Subject,
)
from habeas.connection import Connection
from habeas.http.api import Api
from habeas.models import Json
from habeas_talonone import client
from habeas_talonone.client import Done
from habeas_talonone.lookup import NO_ID, Look, integration_ids
from habeas_talonone.mapping import Holding
from habeas_talonone.naming import AUDIENCE, PROFILE
from habeas_talonone.writing import EMPTY, Step, effects_of, look_at_all, perform

__all__ = ["absent", "read", "steps_of", "update", "value_of"]

NO_ATTRIBUTE = (
    "Talon.One refused the attribute `{name}`: create it in the Campaign Manager (Account > Tools > Attributes) for"
    " customer profiles, of the type that `{purpose}` is configured with, then run `habeas resume` or ask again."
)
NO_AUDIENCE = (
    "Talon.One has no audience with the number that `{purpose}` is configured with: correct it in the configuration."
)
NEITHER = "The attribute holds neither the value for a consent given nor the one for a consent withdrawn."


def update(connection: Connection, update: ConsentUpdate) -> tuple[Effect, ...]:
    """Makes each consent so under all of the person's ids that Talon.One knows.

    Raises :class:`~habeas.VendorError` where the person could not be looked up: nothing was changed then.
    """
    ids = integration_ids(connection, update.subject)
    if not ids:
        reason = NO_ID.format(name=connection.name)
        return tuple(Effect(c.index, PROFILE, 0, Result.MANUAL, "", reason) for c in update.changes)
    before = look_at_all(connection.api, ids)
    known = [integration_id for integration_id in ids if before[integration_id].known]
    if not known:
        return tuple(absent(change, before) for change in update.changes)
    steps = [step for change in update.changes for one in known for step in steps_of(connection.api, change, one)]
    return tuple(effects_of(perform(connection.api, before, steps, resumed=update.resumed)))


def read(connection: Connection, subject: Subject, purposes: tuple[Purpose, ...]) -> tuple[HeldConsent, ...]:
    """What is held about each purpose. Raises :class:`~habeas.VendorError`."""
    ids = integration_ids(connection, subject)
    if not ids:
        reason = NO_ID.format(name=connection.name)
        return tuple(HeldConsent(p.name, HeldState.UNREADABLE, reason=reason) for p in purposes)
    seen = look_at_all(connection.api, ids)
    evidence = _evidence(seen)
    known = [one.held for one in seen.values() if one.held is not None and one.known]
    if not known:
        return tuple(HeldConsent(p.name, HeldState.ABSENT, evidence) for p in purposes)
    return tuple(_held(purpose, known, evidence) for purpose in purposes)


def absent(change: ConsentChange, before: Mapping[str, Look]) -> Effect:
    """Of somebody who is under none of these ids."""
    empty = any(one.held is not None for one in before.values())
    return Effect(change.index, PROFILE, 0, Result.ABSENT, _evidence(before), EMPTY if empty else "")


def _evidence(seen: Mapping[str, Look]) -> str:
    return "; ".join(dict.fromkeys(one.evidence for one in seen.values()))


# -- what is wanted ----------------------------------------------------------------------------------------------------


def steps_of(api: Api, change: ConsentChange, integration_id: str) -> list[Step]:
    """What makes one change so under one id."""
    mapping = change.purpose.mapping
    steps = []
    if "attribute" in mapping:
        steps.append(_attribute_step(api, change, integration_id, str(mapping["attribute"])))
    if "audience" in mapping:
        steps.append(_audience_step(api, change, integration_id, int(mapping["audience"])))
    return steps


def _attribute_step(api: Api, change: ConsentChange, integration_id: str, name: str) -> Step:
    wanted = value_of(change.purpose.mapping, granted=change.state is ConsentState.GRANTED)

    def send(done: Done, keyed: bool) -> object:
        return client.update_profile(api, integration_id, {name: wanted}, done, keyed=keyed)

    return Step(
        change.index,
        PROFILE,
        integration_id,
        right=lambda held: _same(held.attributes.get(name), wanted),
        send=send,
        refusals={400: NO_ATTRIBUTE.format(name=name, purpose=change.purpose.name)},
        keyed=True,
    )


def _audience_step(api: Api, change: ConsentChange, integration_id: str, number: int) -> Step:
    granted = change.state is ConsentState.GRANTED

    def send(done: Done, keyed: bool) -> object:
        del keyed
        move = client.join_audience if granted else client.leave_audience
        return move(api, number, integration_id, done)

    return Step(
        change.index,
        AUDIENCE,
        integration_id,
        right=lambda held: (str(number) in held.audiences) is granted,
        send=send,
        refusals={404: NO_AUDIENCE.format(purpose=change.purpose.name)},
    )


def value_of(mapping: Mapping[str, Json], *, granted: bool) -> Json:
    """What a purpose's attribute holds for either state."""
    return mapping.get("granted", True) if granted else mapping.get("withdrawn", False)


def _same(one: Json, other: Json) -> bool:
    """Equal, and of one type: 1 is not true."""
    return type(one) is type(other) and one == other


# -- what is held ------------------------------------------------------------------------------------------------------


def _held(purpose: Purpose, known: list[Holding], evidence: str) -> HeldConsent:
    states = {_state(purpose.mapping, held) for held in known}
    if HeldState.UNREADABLE in states:
        return HeldConsent(purpose.name, HeldState.UNREADABLE, evidence, NEITHER)
    return HeldConsent(purpose.name, states.pop() if len(states) == 1 else HeldState.MIXED, evidence)


def _state(mapping: Mapping[str, Json], held: Holding) -> HeldState:
    said = _attribute_state(mapping, held) if "attribute" in mapping else None
    if "audience" not in mapping:
        return said or HeldState.UNSET
    member = HeldState.GRANTED if str(int(mapping["audience"])) in held.audiences else HeldState.WITHDRAWN
    if said in (None, member):
        return member
    if said is HeldState.UNREADABLE or (said is HeldState.UNSET and member is HeldState.WITHDRAWN):
        return said
    return HeldState.MIXED


def _attribute_state(mapping: Mapping[str, Json], held: Holding) -> HeldState:
    value = held.attributes.get(str(mapping["attribute"]))
    if value is None:
        return HeldState.UNSET
    if _same(value, value_of(mapping, granted=True)):
        return HeldState.GRANTED
    return HeldState.WITHDRAWN if _same(value, value_of(mapping, granted=False)) else HeldState.UNREADABLE

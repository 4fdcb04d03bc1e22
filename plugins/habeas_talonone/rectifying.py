"""The rectify hook: attributes of the profile. Talon.One has no fixed fields for who somebody is.

Which attribute holds what is the merchant's to say (`rectify_attributes`). Only what the profile holds now is
corrected: nothing is added to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from habeas import Correction, Effect, Field, Rectification, Result, Subject
from habeas.connection import Connection
from habeas.http.api import Api
from habeas_talonone import activity, client
from habeas_talonone.client import Done
from habeas_talonone.lookup import NO_ID, integration_ids
from habeas_talonone.mapping import Holding
from habeas_talonone.naming import COUPON, EVENT, GIVEAWAY, PROFILE, REFERRAL, SESSION
from habeas_talonone.settings import applications, attribute_names
from habeas_talonone.writing import EMPTY, Finding, Step, effects_of, look_at_all, perform

__all__ = ["rectify"]

NOT_MAPPED = (
    "No attribute is configured for this field: name it in `rectify_attributes` of the connection, if profiles have it."
)
NOT_HELD = "The profile has no value for the attribute of this field."
NOT_TEXT = (
    "The attribute of this field does not hold text: correct it in the Campaign Manager, in the customer's profile."
)
REFUSED = (
    "Talon.One refused the value: correct it in the Campaign Manager, in the customer's profile, or name the right"
    " attribute in `rectify_attributes`."
)
ID_STAYS = (
    "The attribute is right. The profile's id is itself an e-mail address or phone number, which no call changes: give"
    " the person a new profile under an id that says nothing, or ask Talon.One support."
)

NOTES = (
    "This has attributes of its own, which may repeat the old value, and no call changes them: look at it in the"
    " Campaign Manager, in its campaign or pool."
)
HISTORY = "This keeps what the shop sent at the time, and Talon.One offers no way to change it afterwards."
NOT_SEARCHED = (
    "Sessions and events keep what the shop sent at the time. They cannot be searched with an Integration API key, and"
    " Talon.One offers no way to change them afterwards."
)

_MIDNIGHT = "T00:00:00Z"


def rectify(connection: Connection, rectification: Rectification) -> tuple[Effect, ...]:
    """Corrects each field under all of the person's ids that Talon.One knows, and says where copies may stay.

    Raises :class:`~habeas.VendorError` where the person could not be looked up: nothing was changed then.
    """
    ids = integration_ids(connection, rectification.subject)
    if not ids:
        reason = NO_ID.format(name=connection.name)
        return tuple(Effect(c.index, PROFILE, 0, Result.MANUAL, "", reason) for c in rectification.corrections)
    before = look_at_all(connection.api, ids)
    evidence = "; ".join(dict.fromkeys(one.evidence for one in before.values()))
    known = {one: seen.held for one, seen in before.items() if seen.held is not None and seen.known}
    if not known:
        reason = "" if all(one.held is None for one in before.values()) else EMPTY
        return tuple(Effect(c.index, PROFILE, 0, Result.ABSENT, evidence, reason) for c in rectification.corrections)
    findings: list[Finding] = []
    steps: list[Step] = []
    for correction in rectification.corrections:
        told, needed = _plan(connection, rectification.subject, correction, known, evidence)
        findings += told
        steps += needed
    corrected = dict.fromkeys(step.index for step in steps)
    copies = _copies(connection, known, evidence) if corrected else []
    findings += perform(connection.api, before, steps, resumed=rectification.resumed)
    beside = [replace(copy, index=index) for index in corrected for copy in copies]
    return tuple(sorted([*effects_of(findings), *beside], key=lambda effect: effect.index))


def _plan(
    connection: Connection, subject: Subject, correction: Correction, known: Mapping[str, Holding], evidence: str
) -> tuple[list[Finding], list[Step]]:
    """What can be said of one correction without a change, and the steps for the rest."""
    name = attribute_names(connection.settings).get(correction.field)
    if name is None:
        return [Finding(correction.index, PROFILE, Result.UNSUPPORTED, evidence, NOT_MAPPED)], []
    having = {one: held.attributes[name] for one, held in known.items() if held.attributes.get(name, "") != ""}
    if not having:
        return [Finding(correction.index, PROFILE, Result.ABSENT, evidence, NOT_HELD)], []
    findings = [
        Finding(correction.index, PROFILE, Result.MANUAL, evidence, NOT_TEXT)
        for value in having.values()
        if not isinstance(value, str)
    ]
    steps = [
        _step(connection.api, correction, name, one, value, ID_STAYS if _is_the_id(correction, one, subject) else "")
        for one, value in having.items()
        if isinstance(value, str)
    ]
    return findings, steps


def _copies(connection: Connection, known: Mapping[str, Holding], evidence: str) -> list[Effect]:
    """Where else the value may stand, which no call corrects. The same whatever the old value was, or is by now."""
    found = []
    for kind in (COUPON, REFERRAL, GIVEAWAY):
        count = sum(held.noted.get(kind, 0) for held in known.values())
        if count:
            found.append(Effect(0, kind, count, Result.MANUAL, evidence, NOTES))
    if not applications(connection.settings):
        return [*found, Effect(0, EVENT, 0, Result.UNSUPPORTED, evidence, NOT_SEARCHED)]
    for kind in (SESSION, EVENT):
        seen = [activity.listing(connection, kind, integration_id) for integration_id in known]
        count = sum(one.count for one in seen if one.described)
        if count:
            told = "; ".join(dict.fromkeys(one.evidence for one in seen))
            found.append(Effect(0, kind, count, Result.UNSUPPORTED, told, HISTORY))
    return found


def _step(api: Api, correction: Correction, name: str, integration_id: str, current: str, by_hand: str) -> Step:
    wanted = _as_held(correction, current)

    def send(done: Done, keyed: bool) -> object:
        return client.update_profile(api, integration_id, {name: wanted}, done, keyed=keyed)

    return Step(
        correction.index,
        PROFILE,
        integration_id,
        right=lambda held: held.attributes.get(name) == wanted,
        send=send,
        refusals={400: REFUSED},
        keyed=True,
        by_hand=by_hand,
    )


def _as_held(correction: Correction, current: str) -> str:
    """The value as the attribute holds such values: a date may be written with a time of day."""
    dated = correction.field is Field.BIRTHDATE and "T" in current
    return correction.value + _MIDNIGHT if dated else correction.value


def _is_the_id(correction: Correction, integration_id: str, subject: Subject) -> bool:
    """Whether the profile's id is itself what was wrong."""
    if integration_id == correction.value:
        return False
    if correction.field is Field.EMAIL:
        return "@" in integration_id
    return correction.field is Field.PHONE and integration_id in subject.values("phone")

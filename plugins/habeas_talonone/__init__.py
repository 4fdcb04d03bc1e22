"""Talon.One: promotion and loyalty engine. The hooks; each hands on to the module that does the work.

Sources: the vendor's Integration API and Management API documents of August 2026 (paths, parameters, statuses), its
pages on deleting customer profiles and on data retention. The Integration API's key can read, change and erase one
profile, but can neither search profiles by attribute nor list sessions, events or request logs. With a Management API
key sessions, events and referred friends are found too. What is left open is said in the inventory and in the notices.

What the documents leave open is met by reading back: whether an erased profile answers 404 or an empty profile with its
id, and whether a second erase answers 204 or 404. Loyalty points, cards, reservations and audiences are not named among
what the erase removes, so they are removed by their own calls first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import habeas

if TYPE_CHECKING:
    from requests.auth import AuthBase

    from habeas.connection import Connection
    from habeas.http.transport import Transport
    from habeas.testing.sandbox import SandboxApp

__all__ = [
    "authenticator",
    "check",
    "create_canary",
    "describe",
    "erase",
    "export",
    "inventory",
    "new_sandbox",
    "read_consent",
    "rectify",
    "update_consent",
    "update_consents",
]


@habeas.hookimpl
def describe() -> habeas.PluginInfo:
    """Talon.One's record kinds, settings, notices and limits."""
    from habeas_talonone.kinds import INFO

    return INFO


@habeas.hookimpl
def authenticator(settings: dict[str, object], base_url: str, transport: Transport) -> AuthBase:
    """The keys of the connection, as ``Authorization: ApiKey-v1 …`` or ``ManagementKey-v1 …``."""
    from habeas_talonone.auth import KeyAuth

    del base_url, transport
    return KeyAuth(str(settings["api_key"]), str(settings.get("management_key") or ""))


@habeas.hookimpl
def check(connection: Connection) -> str:
    """Asks for a profile that does not exist: reading creates nothing, and the answer proves each key good."""
    from habeas_talonone import activity

    return activity.check(connection)


@habeas.hookimpl
def inventory(connection: Connection, subject: habeas.Subject) -> habeas.Inventory:
    """Everything that is listed under the person's ids."""
    from habeas_talonone import lookup

    return lookup.find(connection, subject)


@habeas.hookimpl
def export(connection: Connection, subject: habeas.Subject, inventory: habeas.Inventory) -> habeas.Export:
    """Inventory, achievements, ledgers, sessions and events, all pages, without other people's ids."""
    from habeas_talonone import exporting

    return exporting.export(connection, subject, inventory)


@habeas.hookimpl
def erase(connection: Connection, erasure: habeas.Erasure) -> tuple[habeas.Outcome, ...]:
    """Reservations, points, cards, audiences, then the profile; each read back."""
    from habeas_talonone import erasing

    return erasing.erase(connection, erasure)


@habeas.hookimpl
def update_consent(connection: Connection, update: habeas.ConsentUpdate) -> tuple[habeas.Effect, ...]:
    """Attributes and audiences, only of profiles that are there; read back."""
    from habeas_talonone import consenting

    return consenting.update(connection, update)


@habeas.hookimpl
def update_consents(
    connection: Connection, updates: tuple[habeas.ConsentUpdate, ...]
) -> tuple[tuple[habeas.Effect, ...], ...]:
    """The same for many people by few calls, only of profiles that were just seen; read back."""
    from habeas_talonone import together

    return together.update(connection, updates)


@habeas.hookimpl
def read_consent(
    connection: Connection, subject: habeas.Subject, purposes: tuple[habeas.Purpose, ...]
) -> tuple[habeas.HeldConsent, ...]:
    """What attributes and audiences say about each purpose."""
    from habeas_talonone import consenting

    return consenting.read(connection, subject, purposes)


@habeas.hookimpl
def rectify(connection: Connection, rectification: habeas.Rectification) -> tuple[habeas.Effect, ...]:
    """Attributes that the profile has, read back."""
    from habeas_talonone import rectifying

    return rectifying.rectify(connection, rectification)


@habeas.hookimpl
def create_canary(connection: Connection, person: habeas.CanaryPerson) -> habeas.Canary:
    """A profile with a session, an event, a reservation, a referral and an audience."""
    from habeas_talonone import canary

    return canary.create(connection, person)


# Named otherwise than its hook: importing the package `sandbox` puts that name into this module, over a function's.
@habeas.hookimpl(specname="sandbox")
def new_sandbox() -> SandboxApp:
    """Talon.One in memory, written from the vendor's documents."""
    from habeas_talonone.sandbox import TalonOneSandbox

    return TalonOneSandbox()

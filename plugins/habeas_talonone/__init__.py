"""Talon.One: promotion and loyalty engine. The hooks; each hands on to the module that does the work.

Sources: the vendor's Integration API document of August 2026 (paths, parameters, statuses), its pages on deleting
customer profiles and on data retention. Only the Integration API is used: its key can read, unlink and erase one
profile, but can neither search profiles by attribute nor list sessions, events or request logs. What that leaves open
is said in the export and in the notices.

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

__all__ = ["authenticator", "check", "describe", "erase", "export", "inventory", "new_sandbox"]


@habeas.hookimpl
def describe() -> habeas.PluginInfo:
    """Talon.One's record kinds, settings, notices and limits."""
    from habeas_talonone.kinds import INFO

    return INFO


@habeas.hookimpl
def authenticator(settings: dict[str, object], base_url: str, transport: Transport) -> AuthBase:
    """The API key of the connection, as ``Authorization: ApiKey-v1 …``."""
    from habeas_talonone.auth import ApiKeyAuth

    del base_url, transport
    return ApiKeyAuth(str(settings["api_key"]))


@habeas.hookimpl
def check(connection: Connection) -> str:
    """Asks for the inventory of a profile that does not exist: reading creates nothing, and 404 proves the key good."""
    from habeas_talonone import client

    return client.inventory(connection.api, "habeas-doctor").evidence


@habeas.hookimpl
def inventory(connection: Connection, subject: habeas.Subject) -> habeas.Inventory:
    """Everything the Integration API lists under the person's ids."""
    from habeas_talonone import lookup

    return lookup.find(connection, subject)


@habeas.hookimpl
def export(connection: Connection, subject: habeas.Subject, inventory: habeas.Inventory) -> habeas.Export:
    """Inventory, achievements, and the ledgers of programs and cards, all pages, without other people's ids."""
    from habeas_talonone import exporting

    return exporting.export(connection, subject, inventory)


@habeas.hookimpl
def erase(connection: Connection, erasure: habeas.Erasure) -> tuple[habeas.Outcome, ...]:
    """Reservations, points, cards, audiences, then the profile; each read back."""
    from habeas_talonone import erasing

    return erasing.erase(connection, erasure)


# Named otherwise than its hook: importing the package `sandbox` puts that name into this module, over a function's.
@habeas.hookimpl(specname="sandbox")
def new_sandbox() -> SandboxApp:
    """Talon.One in memory, written from the vendor's documents."""
    from habeas_talonone.sandbox import TalonOneSandbox

    return TalonOneSandbox()

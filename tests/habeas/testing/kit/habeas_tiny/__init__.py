"""A small plugin that keeps every rule, for a made-up vendor: it passes every check, and its mutants fail them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import habeas

if TYPE_CHECKING:
    from requests.auth import AuthBase

    from habeas.connection import Connection
    from habeas.http.transport import Transport
    from habeas.testing.sandbox import SandboxApp


@habeas.hookimpl
def describe() -> habeas.PluginInfo:
    from .kinds import INFO

    return INFO


@habeas.hookimpl
def authenticator(settings: dict[str, object], base_url: str, transport: Transport) -> AuthBase:
    from .reading import KeyAuth

    del base_url, transport
    return KeyAuth(str(settings["api_key"]))


@habeas.hookimpl
def check(connection: Connection) -> str:
    from . import reading

    return reading.customer(connection.api, "habeas-doctor").evidence


@habeas.hookimpl
def inventory(connection: Connection, subject: habeas.Subject) -> habeas.Inventory:
    from . import reading

    return reading.find(connection.api, subject)


@habeas.hookimpl
def export(connection: Connection, subject: habeas.Subject, inventory: habeas.Inventory) -> habeas.Export:
    from . import reading

    del inventory
    return reading.hand_over(connection.api, subject)


@habeas.hookimpl
def erase(connection: Connection, erasure: habeas.Erasure) -> tuple[habeas.Outcome, ...]:
    from . import erasing

    return erasing.erase(connection.api, erasure)


@habeas.hookimpl
def update_consent(connection: Connection, update: habeas.ConsentUpdate) -> tuple[habeas.Effect, ...]:
    from . import writing

    return writing.update_consent(connection.api, update)


@habeas.hookimpl
def update_consents(
    connection: Connection, updates: tuple[habeas.ConsentUpdate, ...]
) -> tuple[tuple[habeas.Effect, ...], ...]:
    """The vendor has no call for many, so that this gains nothing: it is there to be tried."""
    return tuple(update_consent(connection, update) for update in updates)


@habeas.hookimpl
def read_consent(
    connection: Connection, subject: habeas.Subject, purposes: tuple[habeas.Purpose, ...]
) -> tuple[habeas.HeldConsent, ...]:
    from . import writing

    return writing.read_consent(connection.api, subject, purposes)


@habeas.hookimpl
def rectify(connection: Connection, rectification: habeas.Rectification) -> tuple[habeas.Effect, ...]:
    from . import writing

    return writing.rectify(connection.api, rectification)


@habeas.hookimpl
def create_canary(connection: Connection, person: habeas.CanaryPerson) -> habeas.Canary:
    from . import writing

    return writing.create_canary(connection.api, person)


@habeas.hookimpl
def sandbox() -> SandboxApp:
    from .vendor import TinySandbox

    return TinySandbox()

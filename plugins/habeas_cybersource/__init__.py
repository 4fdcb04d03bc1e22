"""CyberSource Token Management Service: a person's customer token, saved cards and addresses.

Sources: TMS API reference as in the vendor's REST client for Python (release 0.0.80, 2026-05-16), and the vendor's
pages on JSON Web Token authentication. TMS has no search: a person is found by customer token only. Records:
:mod:`.kinds`; calls: :mod:`.client`; what erasing does, and in which order: :mod:`.erasing`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import habeas
from habeas_cybersource.kinds import INFO

if TYPE_CHECKING:
    from requests.auth import AuthBase

    from habeas.connection import Connection
    from habeas.http.transport import Transport
    from habeas.testing.sandbox import SandboxApp

_NO_TOKEN = "0" * 32
"""A well-formed customer token that no vault gives out."""


@habeas.hookimpl
def describe() -> habeas.PluginInfo:
    """Record kinds, settings and notices. No I/O."""
    return INFO


@habeas.hookimpl
def authenticator(settings: dict[str, object], base_url: str, transport: Transport) -> AuthBase:
    """Signs each attempt with a new JWT. Raises :class:`~habeas.errors.ConfigError` for a secret that is not base64."""
    from habeas_cybersource.auth import from_settings

    del base_url, transport
    return from_settings(settings)


@habeas.hookimpl
def check(connection: Connection) -> str:
    """Asks for a customer token that does not exist: 404 says that signature, merchant and profile were accepted."""
    from habeas_cybersource import client

    return client.get_customer(connection, _NO_TOKEN).evidence


@habeas.hookimpl
def inventory(connection: Connection, subject: habeas.Subject) -> habeas.Inventory:
    """What hangs on the customer tokens known for this person; without one, a gap that says how to find it."""
    from habeas_cybersource import reading

    return reading.find(connection, subject)


@habeas.hookimpl
def export(connection: Connection, subject: habeas.Subject, inventory: habeas.Inventory) -> habeas.Export:
    """Customer, all pages of both lists, and each card number token, as the vendor gives them (masked)."""
    from habeas_cybersource import reading

    del subject
    return reading.fetch(connection, inventory)


@habeas.hookimpl
def erase(connection: Connection, erasure: habeas.Erasure) -> tuple[habeas.Outcome, ...]:
    """Customer tokens with all that hangs on them, then the card number tokens that nobody else uses."""
    from habeas_cybersource import erasing

    return erasing.erase(connection, erasure)


# Under another name than the hook's: importing the package `sandbox` binds that name in this module.
@habeas.hookimpl(specname="sandbox")
def make_sandbox() -> SandboxApp:
    """A fresh vault with the vendor's documented behaviour."""
    from habeas_cybersource.sandbox import CyberSourceSandbox

    return CyberSourceSandbox()

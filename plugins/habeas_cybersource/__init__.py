"""CyberSource Token Management Service: a person's customer token, saved cards and addresses.

Sources: TMS API reference as in the vendor's REST client for Python (release 0.0.80, 2026-05-16), and the vendor's
pages on JSON Web Token authentication. TMS has no search: a person is found by customer token only. Records:
:mod:`.kinds`; calls: :mod:`.client`; what erasing does, and in which order: :mod:`.erasing`; what is corrected, and
what is left alone: :mod:`.owning`.
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
    """Signs each attempt. Raises :class:`~habeas.errors.ConfigError` for a secret or a P12 file that cannot be used."""
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


@habeas.hookimpl
def update_consent(connection: Connection, update: habeas.ConsentUpdate) -> tuple[habeas.Effect, ...]:
    """``unsupported`` for each change: TMS holds no consent to a purpose."""
    from habeas_cybersource import consenting

    del connection
    return consenting.update(update)


@habeas.hookimpl
def read_consent(
    connection: Connection, subject: habeas.Subject, purposes: tuple[habeas.Purpose, ...]
) -> tuple[habeas.HeldConsent, ...]:
    """``unreadable`` for each purpose: TMS has no place for one."""
    from habeas_cybersource import consenting

    del connection, subject
    return consenting.read(purposes)


@habeas.hookimpl
def rectify(connection: Connection, rectification: habeas.Rectification) -> tuple[habeas.Effect, ...]:
    """E-mail, phone, names and address, wherever a record of the customer token has them and they are this person's."""
    from habeas_cybersource import rectifying

    return rectifying.rectify(connection, rectification)


@habeas.hookimpl
def create_canary(connection: Connection, person: habeas.CanaryPerson) -> habeas.Canary:
    """A customer with a card and an address, and the token of the card's number."""
    from habeas_cybersource import canary

    return canary.create(connection, person)


# Under another name than the hook's: importing the package `sandbox` binds that name in this module.
@habeas.hookimpl(specname="sandbox")
def make_sandbox() -> SandboxApp:
    """A fresh vault with the vendor's documented behaviour."""
    from habeas_cybersource.sandbox import CyberSourceSandbox

    return CyberSourceSandbox()

"""Voucherify: promotion, voucher and loyalty engine. The hooks; each hands on to the module that does the work.

Sources: the vendor's OpenAPI documents of August 2026 (paths, parameters, statuses) and its pages on authentication,
limits, listing, customers and loyalty programs. Records: :mod:`.kinds`; calls: :mod:`.client`; who belongs to a case:
:mod:`.lookup`; what erasing does, and in which order: :mod:`.erasing`; consents: :mod:`.consenting`; corrections:
:mod:`.rectifying`.

What the documents leave open is met by reading back: whether redemptions, publications and vouchers keep a customer's
name after the permanent deletion, whether a permanent deletion works after a plain one, what a second one answers.
Voucherify creates an unknown customer on almost every write: nothing is written for a person whom no read has shown.
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
    """Voucherify's record kinds, settings, notices and limits."""
    from habeas_voucherify.kinds import INFO

    return INFO


@habeas.hookimpl
def authenticator(settings: dict[str, object], base_url: str, transport: Transport) -> AuthBase:
    """The pair of keys of the connection, or an OAuth token that is asked for when it is needed."""
    from habeas_voucherify.auth import from_settings

    del base_url
    return from_settings(settings, transport)


@habeas.hookimpl
def check(connection: Connection) -> str:
    """Lists the customers with an e-mail address that nobody has: 200 shows the keys to be good."""
    from habeas_voucherify import client

    return client.probe(connection).evidence


@habeas.hookimpl
def inventory(connection: Connection, subject: habeas.Subject) -> habeas.Inventory:
    """The customers that are this person, and all that the API lists for them."""
    from habeas_voucherify import lookup

    return lookup.find(connection, subject)


@habeas.hookimpl
def export(connection: Connection, subject: habeas.Subject, inventory: habeas.Inventory) -> habeas.Export:
    """Each customer with all its lists, all pages, and each order, without what names other people."""
    from habeas_voucherify import exporting

    return exporting.export(connection, subject, inventory)


@habeas.hookimpl
def erase(connection: Connection, erasure: habeas.Erasure) -> tuple[habeas.Outcome, ...]:
    """Loyalty memberships, then the customers by permanent deletion; each record read back."""
    from habeas_voucherify import erasing

    return erasing.erase(connection, erasure)


@habeas.hookimpl
def update_consent(connection: Connection, update: habeas.ConsentUpdate) -> tuple[habeas.Effect, ...]:
    """By the consents endpoint of older projects, or as flags in the customer's metadata, which are read back."""
    from habeas_voucherify import consenting

    return consenting.update(connection, update)


@habeas.hookimpl
def update_consents(
    connection: Connection, updates: tuple[habeas.ConsentUpdate, ...]
) -> tuple[tuple[habeas.Effect, ...], ...]:
    """Metadata flags of many people by bulk updates, only of customers that were just read; read back."""
    from habeas_voucherify import together

    return together.update(connection, updates)


@habeas.hookimpl
def read_consent(
    connection: Connection, subject: habeas.Subject, purposes: tuple[habeas.Purpose, ...]
) -> tuple[habeas.HeldConsent, ...]:
    """What the metadata flags say; the consents endpoint never shows what it holds."""
    from habeas_voucherify import consenting

    return consenting.read(connection, subject, purposes)


@habeas.hookimpl
def rectify(connection: Connection, rectification: habeas.Rectification) -> tuple[habeas.Effect, ...]:
    """The customers' own details; copies of them in past records are told."""
    from habeas_voucherify import rectifying

    return rectifying.rectify(connection, rectification)


@habeas.hookimpl
def create_canary(connection: Connection, person: habeas.CanaryPerson) -> habeas.Canary:
    """One customer, with the shop's id as its source id."""
    from habeas_voucherify import canary

    return canary.create(connection, person)


# Named otherwise than its hook: importing the package `sandbox` puts that name into this module, over a function's.
@habeas.hookimpl(specname="sandbox")
def new_sandbox() -> SandboxApp:
    """Voucherify in memory, written from the vendor's documents."""
    from habeas_voucherify.sandbox import VoucherifySandbox

    return VoucherifySandbox()

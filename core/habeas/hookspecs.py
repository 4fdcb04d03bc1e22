"""The contract between habeas and a vendor plugin: twelve hooks.

A plugin is a module (or package) that an entry point in group ``habeas`` names. It implements the hooks with
``@habeas.hookimpl``. Six of them every vendor has: ``describe``, ``authenticator``, ``check``, ``inventory``,
``export`` and ``erase``. Where ``update_consent``, ``read_consent``, ``rectify`` or ``create_canary`` is missing,
habeas says ``unsupported``; without ``update_consents`` consents of many people are changed one by one; without
``sandbox`` there is no demo and no `habeas plugin check`.

habeas calls one connection at a time, from several threads; a plugin keeps no state of a run. A module inside the
plugin may not have a hook's name: importing ``habeas_x.sandbox`` rebinds ``sandbox`` on the package. Name the module
otherwise, or the function: ``@hookimpl(specname="sandbox")``.

What a hook returns is a type of :mod:`habeas.models`, never ``None``; an exception other than
:class:`~habeas.errors.VendorError` is a fault of the plugin and fails that connection, and no other. A hook that for
30 seconds neither sends nor waits through ``connection.api`` is left behind, and can send nothing more. Standard output
is for results: what a plugin prints goes to standard error. A child that a hook forks ends where it leaves the hook.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

from habeas.changes import Canary, CanaryPerson, ConsentUpdate, Effect, HeldConsent, Purpose, Rectification
from habeas.models import Erasure, Export, Inventory, Outcome, PluginInfo, Subject

if TYPE_CHECKING:
    from requests.auth import AuthBase

    from habeas.connection import Connection
    from habeas.http.transport import Transport
    from habeas.testing.sandbox import SandboxApp

__all__ = [
    "PROJECT",
    "authenticator",
    "check",
    "create_canary",
    "describe",
    "erase",
    "export",
    "hookimpl",
    "hookspec",
    "inventory",
    "read_consent",
    "rectify",
    "sandbox",
    "update_consent",
    "update_consents",
]

PROJECT = "habeas"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec(firstresult=True)
def describe() -> PluginInfo:
    """Says what the plugin is: name, record kinds, settings, limits, notices. Called once at start. No I/O."""
    raise NotImplementedError


@hookspec(firstresult=True)
def authenticator(settings: dict[str, object], base_url: str, transport: Transport) -> AuthBase:
    """Makes the object that puts credentials on each request of one connection.

    It is called for every attempt, with the request complete, so that signatures and one-time tokens are fresh.
    ``transport`` sends bounded requests without credentials: for asking for a token. The object may have a method
    ``renew()``, called once after a 401, which returns True where a second try makes sense.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def check(connection: Connection) -> str:
    """Makes one harmless authenticated call and returns its evidence, such as ``GET /v1/customers -> 200``.

    Raises :class:`~habeas.errors.VendorError` where the connection does not work. Used by ``habeas doctor``.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def inventory(connection: Connection, subject: Subject) -> Inventory:
    """Finds all records about the subject. Reads only.

    What belongs to somebody else is left out and told as a :class:`~habeas.models.Gap`; what cannot be searched too.
    401 and 403 are never proof of absence.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def export(connection: Connection, subject: Subject, inventory: Inventory) -> Export:
    """Fetches everything about the subject, as the vendor gives it, all pages. Reads only.

    Other people's ids are taken out and the omission is stated. ``inventory`` is what the inventory hook returned a
    moment ago.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def erase(connection: Connection, erasure: Erasure) -> tuple[Outcome, ...]:
    """Makes every item of the plan with action ``erase`` gone, and reads the vendor back. One outcome for each.

    Called again with the same erasure after an interruption (``resumed`` is True): it reads what is true now, does
    what is left, and reports the same outcomes as an undisturbed run. ``erased`` only after a read-back; the core
    refuses it where no read followed the last change. Items that the plan retains are left alone.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def update_consent(connection: Connection, update: ConsentUpdate) -> tuple[Effect, ...]:
    """Makes each purpose's state true for a person who is there, and reads it back. At least one effect a change.

    A person who is not there is ``absent``: vendors create missing people on write, so existence is proven by a read
    before anything is sent. What cannot be read back is ``accepted``, never more. Called again with the same update
    after an interruption (``resumed`` is True).
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def update_consents(connection: Connection, updates: tuple[ConsentUpdate, ...]) -> tuple[tuple[Effect, ...], ...]:
    """Does what ``update_consent`` does for several people by as few changing calls as the vendor takes.

    One tuple for each update, in their order; an empty one: nothing was sent for this person, who is then asked for
    alone. Calls for many create whoever they do not find: each person is proven to be there by a read of their own,
    within this call, and what a call has created all the same is ``manual``. Where ``read_back`` is False the person
    may be ``accepted`` without having been read. Never called again after an interruption: ``update_consent`` is.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def read_consent(connection: Connection, subject: Subject, purposes: tuple[Purpose, ...]) -> tuple[HeldConsent, ...]:
    """What the vendor holds about each purpose: one entry for each, in their order. Reads only."""
    raise NotImplementedError


@hookspec(firstresult=True)
def rectify(connection: Connection, rectification: Rectification) -> tuple[Effect, ...]:
    """Corrects each value wherever the vendor holds it for this person, and reads it back.

    Only fields of ``PluginInfo.rectifies`` are asked for. At least one effect for each correction; creates nothing, and
    leaves alone what belongs to somebody else. Called again with the same rectification after an interruption
    (``resumed`` is True).
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def create_canary(connection: Connection, person: CanaryPerson) -> Canary:
    """Creates a made-up person with one of everything that the vendor's own create operations allow.

    Called again with the same person after an interruption: it adds what is missing. Erasing is the erase hook's work.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def sandbox() -> SandboxApp:
    """A fresh sandbox of the vendor, written from its documents. Used by ``demo``, ``sandbox`` and tests."""
    raise NotImplementedError

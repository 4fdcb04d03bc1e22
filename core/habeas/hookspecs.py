"""The contract between habeas and a vendor plugin: seven hooks.

A plugin is a module (or package) that an entry point in group ``habeas`` names. It implements the hooks with
``@habeas.hookimpl``. habeas calls one connection at a time, from several threads; a plugin keeps no state of a run.
A module inside the plugin may not have a hook's name: importing ``habeas_x.sandbox`` rebinds ``sandbox`` on the
package. Name the module otherwise, or the function: ``@hookimpl(specname="sandbox")``.

What a hook returns is a type of :mod:`habeas.models`, never ``None``; an exception other than
:class:`~habeas.errors.VendorError` is a fault of the plugin and fails that connection, and no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

from habeas.models import Erasure, Export, Inventory, Outcome, PluginInfo, Subject

if TYPE_CHECKING:
    from requests.auth import AuthBase

    from habeas.connection import Connection
    from habeas.http.transport import Transport
    from habeas.testing.sandbox import SandboxApp

__all__ = ["PROJECT", "hookimpl", "hookspec"]

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
def sandbox() -> SandboxApp:
    """A fresh sandbox of the vendor, written from its documents. Used by ``demo``, ``sandbox`` and tests."""
    raise NotImplementedError

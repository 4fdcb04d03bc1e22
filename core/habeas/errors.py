"""Every error habeas raises, sorted by what the run does next.

::

    HabeasError
    ├── UsageError            the command stops before anything is sent; exit 2
    │   ├── ConfigError       habeas.toml, a secret, a key file
    │   ├── PolicyError       a policy that is unknown, unreadable or contradicts itself
    │   └── InputError        an identifier, a row, a file given by the user
    ├── RefusedError          nothing is changed, and the reason is said; exit 4
    │   └── Suppressed        the person has been erased: nothing may be written about them any more
    ├── StorageError          ledger, vault or key store cannot be trusted or written; the run stops; exit 1
    │   ├── KeyDestroyed      what it opened is gone for good, because its purpose had ended: nothing is wrong
    │   └── KeyUnavailable    the key is not there, and nobody has destroyed it: it may come back from a backup
    ├── RunEnded              this run may not send any more (deadline, Ctrl-C); what is open is left to `resume`
    ├── PluginFault           a plugin broke its contract; its connection fails, the others go on
    └── VendorError           one connection's trouble; its connection fails, the others go on
        ├── NotSent           nothing reached the vendor
        │   └── QuotaSpent    the calls that the vendor's contract allows are used up until a later day
        ├── Rejected          the vendor answered and refused (`status`)
        │   ├── AuthRejected  401 or 403: never a proof of absence
        │   └── RateLimited   429, still after waiting
        ├── NoAnswer          a read whose answer never came, or not whole
        ├── BadAnswer         an answer that is not what the vendor documents
        └── OutcomeUnknown    a call that may have changed something, and its answer was never seen

Messages are safe to print, log and store: path templates, status codes and names from the configuration,
never an identifier, a body or a query string.
"""

from __future__ import annotations

__all__ = [
    "AuthRejected",
    "BadAnswer",
    "ConfigError",
    "HabeasError",
    "InputError",
    "KeyDestroyed",
    "KeyUnavailable",
    "NoAnswer",
    "NotSent",
    "OutcomeUnknown",
    "PluginFault",
    "PolicyError",
    "QuotaSpent",
    "RateLimited",
    "RefusedError",
    "Rejected",
    "RunEnded",
    "StorageError",
    "Suppressed",
    "UsageError",
    "VendorError",
]


class HabeasError(Exception):
    """Root of the tree. ``advice`` says what to do about it, in one clause."""

    exit_code = 1

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    def line(self) -> str:
        """The one line a user sees."""
        return f"{self.message}; {self.advice}" if self.advice else self.message


class UsageError(HabeasError):
    """Wrong usage: nothing was sent."""

    exit_code = 2


class ConfigError(UsageError):
    """The configuration, a secret or a key file cannot be used."""


class PolicyError(UsageError):
    """A policy is unknown, unreadable or contradicts itself."""


class InputError(UsageError):
    """An identifier, a row or a file given by the user cannot be used."""


class RefusedError(HabeasError):
    """habeas will not do this, and has changed nothing."""

    exit_code = 4


class Suppressed(RefusedError):
    """A write about a person who has been erased, stopped before it was sent."""


class StorageError(HabeasError):
    """The ledger, the vault or the key store cannot be read, trusted or written."""


class KeyDestroyed(StorageError):
    """A key was destroyed on purpose: what it opened cannot be read by anybody any more."""


class KeyUnavailable(StorageError):
    """A key is missing that nobody has destroyed: what it opens is there, and cannot be read now."""


class RunEnded(HabeasError):
    """This run may send nothing more; `habeas resume` goes on from here."""


class PluginFault(HabeasError):
    """A plugin raised, or returned something its contract does not allow."""


class VendorError(HabeasError):
    """Something between us and one vendor."""


class NotSent(VendorError):
    """Nothing of the request reached the vendor."""


class QuotaSpent(NotSent):
    """The calls of the day or month are used up, by this process or another of the home."""


class Rejected(VendorError):
    """The vendor answered and refused."""

    def __init__(self, message: str, *, status: int, advice: str = "") -> None:
        super().__init__(message, advice=advice)
        self.status = status


class AuthRejected(Rejected):
    """401 or 403: says nothing about what the vendor holds."""


class RateLimited(Rejected):
    """429, still after the waiting that the limits allow."""


class NoAnswer(VendorError):
    """A read whose answer never came, or came in part: says nothing about what the vendor holds."""


class BadAnswer(VendorError):
    """The answer is not what the vendor documents (not JSON, too large, a redirect, a repeated page)."""


class OutcomeUnknown(VendorError):
    """A call that may have changed something was sent, and its answer was never seen."""

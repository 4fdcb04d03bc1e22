"""The kinds of token, as they are kept.

Bodies are replaced, never changed in place: an answer that is still being sent keeps what it was given.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from habeas_cybersource.sandbox.bodies import Json

__all__ = ["Address", "Customer", "Identifier", "Instrument", "Record"]


@dataclass(slots=True, eq=False, repr=False)
class Record:
    """One token."""

    id: str
    body: Json
    """What the merchant wrote, card and account numbers already masked; without id, links and defaults."""
    version: int
    """Changes with every change; the ETag."""
    customer: str = ""
    """Token of the customer it belongs to; empty for customers, identifiers and stand-alone instruments."""


@dataclass(slots=True, eq=False, repr=False)
class Customer(Record):
    """A customer token; its instruments and addresses by id, oldest first."""

    instruments: dict[str, Instrument] = field(default_factory=dict)
    addresses: dict[str, Address] = field(default_factory=dict)
    default_instrument: str = ""
    default_address: str = ""


@dataclass(slots=True, eq=False, repr=False)
class Address(Record):
    """A shipping address of a customer."""


@dataclass(slots=True, eq=False, repr=False)
class Identifier(Record):
    """An instrument identifier: stands for one card or account, whoever uses it."""

    account: str = ""
    """The card or account in clear, as a look-up key only."""
    users: dict[str, Instrument] = field(default_factory=dict)


@dataclass(slots=True, eq=False, repr=False)
class Instrument(Record):
    """A payment instrument: of a customer, or stand-alone."""

    identifier: Identifier = field(kw_only=True)

"""Consents: TMS holds none, and says so for each.

Source: TMS models. The one field that speaks of consent, ``tokenProvisioningInformation.consumerConsentObtained`` of an
instrument identifier, is about network tokenisation of that card, and is asked for where the law wants it (India).
``merchantDefinedInformation`` is no place for a consent either: the vendor forbids personal data in it.
"""

from __future__ import annotations

from habeas import ConsentUpdate, Effect, HeldConsent, HeldState, Purpose, Result
from habeas_cybersource import kinds

__all__ = ["read", "update"]

_NO_CONSENT = (
    "CyberSource TMS holds no consent to a purpose. The one consent it knows, consumerConsentObtained of a card number "
    "token, is to network tokenisation of that card: it is withdrawn by deleting the card, not by a flag. Keep this "
    "consent in the shop's own database and at the vendors that act on it"
)


def update(wanted: ConsentUpdate) -> tuple[Effect, ...]:
    """``unsupported`` for each change. Sends nothing."""
    return tuple(
        Effect(change.index, kinds.CUSTOMER, 0, Result.UNSUPPORTED, "", _NO_CONSENT) for change in wanted.changes
    )


def read(purposes: tuple[Purpose, ...]) -> tuple[HeldConsent, ...]:
    """``unreadable`` for each: ``unset`` would say that TMS had a place for it. Sends nothing."""
    return tuple(HeldConsent(purpose.name, HeldState.UNREADABLE, "", _NO_CONSENT) for purpose in purposes)

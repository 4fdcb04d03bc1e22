"""Kantara consent receipts 1.1 (``KI-CR-v1.1.0``): one for each consent that stands. What was withdrawn has none."""

from __future__ import annotations

from habeas.models import Json
from habeas.reports.consents.facts import Consent, Facts

__all__ = ["receipts"]

_VERSION = "KI-CR-v1.1.0"
_FACTS = (
    "jurisdiction", "policy_url", "controller.contact", "controller.address", "controller.country", "controller.email",
    "controller.phone",
)  # fmt: skip
_OF_PURPOSE = ("description", "service", "category", "pii", "retention", "collection_method")


def receipts(facts: Facts, consents: list[Consent]) -> Json:
    """A list of receipts. Raises :class:`~habeas.errors.ConfigError`."""
    standing = [consent for consent in consents if consent.granted]
    facts.require(_FACTS, [c.purpose for c in standing], _OF_PURPOSE)
    return [_receipt(facts, consent) for consent in standing]


def _receipt(facts: Facts, consent: Consent) -> Json:
    assert consent.granted_at is not None  # noqa: S101 - it stands, so it was given
    purpose = consent.purpose
    sensitive = list(facts.of(purpose, "sensitive_pii") or ())
    language = facts.get("language")
    return {
        "version": _VERSION,
        "jurisdiction": facts.get("jurisdiction"),
        "consentTimestamp": int(consent.granted_at.timestamp()),
        "collectionMethod": facts.of(purpose, "collection_method"),
        "consentReceiptID": consent.record_id,
        **({"language": language} if language else {}),
        "piiPrincipalId": consent.person,
        "piiControllers": [
            {
                "piiController": facts.controller,
                "contact": facts.get("controller.contact"),
                "address": {
                    "streetAddress": facts.get("controller.address"),
                    "addressCountry": facts.get("controller.country"),
                },
                "email": facts.get("controller.email"),
                "phone": facts.get("controller.phone"),
            }
        ],
        "policyUrl": facts.get("policy_url"),
        "services": [{"service": facts.of(purpose, "service"), "purposes": [_purpose(facts, purpose)]}],
        "sensitive": bool(sensitive),
        "spiCat": sensitive,
    }


def _purpose(facts: Facts, purpose: str) -> Json:
    names = "; ".join(dict.fromkeys(recipient.name for recipient in facts.recipients[purpose]))
    return {
        "purpose": facts.of(purpose, "description"),
        "purposeCategory": list(facts.of(purpose, "category")),
        "consentType": "IMPLICIT" if facts.of(purpose, "consent_type") == "implied" else "EXPLICIT",
        "piiCategory": list(facts.of(purpose, "pii")),
        "termination": f"{facts.of(purpose, 'retention')} after it was given, or withdrawal",
        "thirdPartyDisclosure": bool(names),
        **({"thirdPartyName": names} if names else {}),
    }

"""ISO/IEC TS 27560:2023 consent records as JSON-LD, in the W3C community group's DPV 2.3 profile.

Field names are those of the group's guide of February 2026, through which the standard is read here: its own text was
not. Of a consent that was given, withdrawn and given again, the newest of each is told.
"""

from __future__ import annotations

from datetime import UTC

from habeas.models import Json
from habeas.reports.consents.facts import Consent, Facts

__all__ = ["records"]

_CONTEXT = {
    "dpv": "https://w3id.org/dpv#",
    "pd": "https://w3id.org/dpv/pd#",
    "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
    "dct": "http://purl.org/dc/terms/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
}
_LOCATION = "https://w3id.org/dpv/loc#"
_PROFILE = "https://w3id.org/dpv/schema/dpv-27560#record"
_FACTS = (
    "jurisdiction", "language", "notice_url", "withdraw_url", "storage_location", "controller.address",
    "controller.email", "controller.url",
)  # fmt: skip
_OF_PURPOSE = ("dpv_purpose", "personal_data", "collection_method", "retention")
_TYPES = {
    "explicit": "dpv:ExplicitlyExpressedConsent", "expressed": "dpv:ExpressedConsent", "implied": "dpv:ImpliedConsent",
}  # fmt: skip


def records(facts: Facts, consents: list[Consent]) -> Json:
    """One document with a record for each consent. Raises :class:`~habeas.errors.ConfigError`."""
    facts.require(_FACTS, [c.purpose for c in consents], _OF_PURPOSE)
    return {"@context": _CONTEXT, "@graph": [_record(facts, consent) for consent in consents]}


def _record(facts: Facts, consent: Consent) -> Json:
    eu = facts.regime == "gdpr"
    return {
        "@id": f"urn:uuid:{consent.record_id}",
        "@type": "dpv:ConsentRecord",
        "dct:conformsTo": _PROFILE + ("-eu-gdpr" if eu else ""),
        "dct:identifier": consent.record_id,
        "dpv:hasDataSubject": {"@type": "dpv:DataSubject", "dct:identifier": consent.person},
        "dpv:hasNotice": {
            "@id": facts.of(consent.purpose, "notice_url"), "@type": "dpv:ConsentNotice",
            "dct:language": facts.get("language"),
        },
        "dpv:hasProcess": [_process(facts, consent, eu=eu)],
        "dpv:hasConsentStatus": _events(facts, consent),
    }  # fmt: skip


def _process(facts: Facts, consent: Consent, *, eu: bool) -> Json:
    purpose = consent.purpose
    legal = {
        "dpv:hasLegalBasis": "eu-gdpr:A6-1-a",
        "dpv:hasRight": ["eu-gdpr:A7-3", "eu-gdpr:A15", "eu-gdpr:A17", "eu-gdpr:A77"],
    } if eu else {"dpv:hasLegalBasis": "dpv:Consent"}  # fmt: skip
    return {
        "@type": "dpv:Process",
        "dct:title": facts.of(purpose, "description") or purpose,
        "dpv:hasPurpose": facts.of(purpose, "dpv_purpose"),
        **legal,
        "dpv:hasPersonalData": list(facts.of(purpose, "personal_data")),
        "dpv:hasDataController": {
            "@id": facts.get("controller.url"), "@type": "dpv:DataController", "dpv:hasName": facts.controller,
            "dpv:hasAddress": facts.get("controller.address"),
            "dpv:hasContact": f"mailto:{facts.get('controller.email')}",
        },
        "dpv:hasRecipient": [
            {"@type": "dpv:DataProcessor", "dpv:hasName": recipient.name} for recipient in facts.recipients[purpose]
        ],
        "dpv:hasStorageCondition": [
            {"@type": "dpv:StorageDuration", "dpv:hasDuration": facts.of(purpose, "retention")},
            {"@type": "dpv:StorageLocation", "dpv:hasLocation": _LOCATION + facts.of(purpose, "storage_location")},
        ],
        "dpv:hasJurisdiction": _LOCATION + facts.get("jurisdiction"),
        "dpv:hasConsentControl": {"@type": "dpv:WithdrawConsent", "@id": facts.of(purpose, "withdraw_url")},
    }  # fmt: skip


def _events(facts: Facts, consent: Consent) -> list[Json]:
    """What was said, in the order of time; a withdrawal has no end."""
    of_consent = {
        "dpv:hasLegalBasis": _TYPES[facts.of(consent.purpose, "consent_type") or "expressed"],
        "dpv:isIndicatedBy": "dpv:DataSubject",
        "dpv:hasIndicationMethod": facts.of(consent.purpose, "collection_method"),
    }
    duration = {"@type": "dpv:TemporalDuration", "rdf:value": facts.of(consent.purpose, "retention")}
    said = [
        (consent.granted_at, 1, {"@type": "dpv:ConsentGiven", **of_consent, "dpv:hasDuration": duration}),
        # Of two at one time the withdrawal counts: it stands last.
        (consent.withdrawn_at, 2, {
            "@type": "dpv:ConsentWithdrawn", **of_consent, "dpv:hasDuration": {"@type": "dpv:EndlessDuration"},
        }),
    ]  # fmt: skip
    return [
        event | {"dpv:isIndicatedAtTime": at.astimezone(UTC).isoformat().replace("+00:00", "Z")}
        for at, _, event in sorted(((at, n, e) for at, n, e in said if at is not None), key=lambda part: part[:2])
    ]

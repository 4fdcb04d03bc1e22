"""Words a person can read, made from what programs write: field names, vocabulary terms, dates, odd characters."""

from __future__ import annotations

import re
from datetime import date, datetime

__all__ = ["day", "identifier_label", "moment", "moment_of", "name_label", "term_label", "visible"]

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_ACRONYMS = {
    "api": "API", "bin": "BIN", "csv": "CSV", "gdpr": "GDPR", "iban": "IBAN", "id": "ID", "ids": "IDs", "ip": "IP",
    "json": "JSON", "pii": "PII", "sms": "SMS", "uid": "UID", "url": "URL", "uri": "URI", "vat": "VAT",
}  # fmt: skip
_NAME = re.compile(r"_?[A-Za-z](?:[A-Za-z]|[_-](?=[A-Za-z]))*[_-]?[0-9]{0,2}")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_INSTANT = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ](?P<clock>(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-6][0-9])?)(?:\.[0-9]{1,9})?"
    r"(?P<zone>Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_IDENTIFIERS = {"email": "E-mail address", "phone": "Phone number", "customer_id": "Customer number"}
_TERMS = {
    "UID": "Customer number or other ID",
    "Transactional": "Points, balances and other account movements",
    "IndividualProfile": "Profile made from your data",
    "Reliability": "Reliability or risk score",
    "CustomerOrderManagement": "Handling your orders",
    "PaymentManagement": "Handling payments",
    "CustomerRelationshipManagement": "Looking after you as a customer",
    "PersonalisedBenefits": "Vouchers, points and offers made for you",
    "FraudPreventionAndDetection": "Preventing and finding fraud",
    "CustomerClaimsManagement": "Handling complaints and claims",
    "DisputeManagement": "Settling disputes",
    "LegalCompliance": "Fulfilling legal duties",
    "RightsFulfilment": "Answering requests such as yours",
}
"""Where a term of the W3C Data Privacy Vocabulary (DPV 2.3), split into words, would not be plain."""

_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff]"
)
"""Controls but for tab and line ends, invisible blanks, line and bidi controls, lone surrogates, noncharacters. Not the
joiners, which emoji and scripts need."""


def visible(text: str) -> str:
    """The text with every character that would hide or reorder others written out: ``[U+202E]``."""
    return _HIDDEN.sub(lambda found: f"[U+{ord(found.group()):04X}]", text)


def name_label(name: str) -> str:
    """``firstName`` and ``first_name`` become ``First name``; what does not look like a field name stays as it is."""
    if not _NAME.fullmatch(name) or name.isupper():
        return name or "(no name)"
    words: list[str] = [
        _ACRONYMS.get(word.lower(), word if word.isupper() else word.lower()) for word in map(str, _WORD.findall(name))
    ]
    return words[0][:1].upper() + " ".join(words)[1:]


def term_label(iri: str) -> str:
    """Plain words for a DPV category or purpose: ``https://w3id.org/dpv/pd#EmailAddress`` is ``Email address``."""
    term = re.split(r"[#/:]", iri)[-1]
    return _TERMS.get(term) or name_label(term)


def identifier_label(kind: str, vendors: dict[str, str]) -> str:
    """What an identifier is; ``vendors`` maps connection names to vendors, as a connection's own ids are named so."""
    if kind in vendors:
        return f"ID at {vendors[kind]} ({kind})"
    return _IDENTIFIERS.get(kind) or name_label(kind)


def day(value: date) -> str:
    """``5 March 2026``."""
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def moment(value: datetime) -> str:
    """``5 March 2026, 10:11 (UTC+01:00)``."""
    zone = value.strftime("%z")
    offset = "" if zone in ("", "+0000") else f"{zone[:3]}:{zone[3:5]}"
    return f"{day(value)}, {value:%H:%M} (UTC{offset})"


def moment_of(text: str) -> str:
    """A date or date-time in ISO 8601 in plain words; empty where the text is none."""
    found = _INSTANT.fullmatch(text)
    if not found:
        return ""
    try:
        shown = day(date.fromisoformat(found["day"]))
    except ValueError:
        return ""
    if found["clock"] is None:
        return shown
    zone = {None: "", "Z": " (UTC)", "+00:00": " (UTC)"}.get(found["zone"], f" (UTC{found['zone']})")
    return f"{shown}, {found['clock']}{zone}"

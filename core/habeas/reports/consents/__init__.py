"""Records of consent for others to read: ISO/IEC TS 27560 as JSON-LD (DPV), and Kantara consent receipts 1.1."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from habeas.models import Json
from habeas.reports.consents import iso27560, kantara
from habeas.reports.consents.facts import Consent, Facts, Recipient

__all__ = ["FORMATS", "Consent", "Facts", "Recipient"]

FORMATS: Mapping[str, Callable[[Facts, list[Consent]], Json]] = {
    "iso27560": iso27560.records, "kantara": kantara.receipts,
}  # fmt: skip
"""Name → what makes the document. Raises :class:`~habeas.errors.ConfigError` naming all facts that are missing."""

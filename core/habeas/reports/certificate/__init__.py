"""The certificate: what became of one case, as one file that proves itself to somebody who trusts nobody here."""

from __future__ import annotations

from habeas.reports.certificate.build import Issuer, build_certificate, opening_json
from habeas.reports.certificate.check import Check, CheckedCertificate, check_certificate, check_opening
from habeas.reports.certificate.page import certificate_html
from habeas.reports.certificate.statement import FORMAT, State, statement_of

__all__ = [
    "FORMAT",
    "Check",
    "CheckedCertificate",
    "Issuer",
    "State",
    "build_certificate",
    "certificate_html",
    "check_certificate",
    "check_opening",
    "opening_json",
    "statement_of",
]

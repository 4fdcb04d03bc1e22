"""The certificate's printable face. It proves nothing: it says what the JSON beside it proves, and how to check it."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from habeas.models import Json
from habeas.reports.certificate.statement import State
from habeas_audit import VerifierKey, parse_checkpoint

__all__ = ["certificate_html"]

_TITLES = {
    "erasure": "Certificate of erasure",
    "access": "Certificate of access",
    "portability": "Certificate of data portability",
    "rectification": "Certificate of rectification",
    "consent": "Certificate of consent",
}
_STATES = {
    State.COMPLETE: ("Complete", "Every part of the request was carried out, and read back from the vendors."),
    State.PARTIAL: ("Partial", "Not everything is gone or done: see what is kept, and what is left to do."),
    State.UNFINISHED: ("Unfinished", "The case is still open. This states how it stands, not that it is done."),
    State.REFUSED: ("Refused", "The request was not carried out."),
    State.CANCELLED: ("Cancelled", "The request was withdrawn before it was carried out."),
}
_OPEN = ("failed", "unknown", "manual", "accepted", "unsupported")
_KEPT = ("retained",)


def certificate_html(certificate: dict[str, Json]) -> bytes:
    """One page without scripts, network or personal data; all text is escaped."""
    statement = certificate["statement"]
    signed = parse_checkpoint(certificate["checkpoint"])
    state, lead = _STATES[State(statement["state"])]
    outcomes = statement["outcomes"]
    return (
        _environment()
        .get_template("certificate.html.j2")
        .render(
            title=_TITLES.get(statement["type"], f"Certificate of {statement['type']}"),
            state=state,
            state_class=statement["state"],
            lead=lead,
            s=statement,
            issuer=certificate["issuer"],
            done=[row for row in outcomes if row["result"] not in (*_OPEN, *_KEPT)],
            kept=[row for row in outcomes if row["result"] in _KEPT],
            left=[row for row in outcomes if row["result"] in _OPEN],
            note=signed.raw,
            size=signed.head.size,
            root=signed.head.root_text,
            keys=[VerifierKey.parse(key) for key in certificate["keys"]],
            stamped="timestamp" in certificate,
        )
        .encode()
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("habeas.reports.certificate"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters["when"] = _when
    return environment


def _when(text: str) -> str:
    """``2026-11-30 10:51 UTC`` of an RFC 3339 time; a date stays one."""
    return f"{text[:10]} {text[11:16]} UTC" if len(text) > 10 else text

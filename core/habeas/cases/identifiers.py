"""Identifiers as people give them: checked at the edge, compared one way everywhere."""

from __future__ import annotations

from collections.abc import Collection

from habeas.errors import InputError
from habeas.http.paths import unsafe_reason
from habeas.models import Identifier

__all__ = ["BASE_KINDS", "check_identifier", "fold", "parse_identifier"]

BASE_KINDS = ("customer_id", "email", "phone")
_LONGEST_EMAIL = 320
"""RFC 3696 section 3: 64 for the local part, 255 for the domain, and the @."""
_DIGITS = frozenset("0123456789")
_ASCII_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def parse_identifier(text: str, connections: Collection[str]) -> Identifier:
    """``KIND=VALUE``, or a bare e-mail address. Raises :class:`InputError`, which never repeats the value."""
    kind, equals, value = text.partition("=")
    kinds = (*BASE_KINDS, *sorted(connections))
    if not equals and "@" in text:
        kind, value = "email", text
    elif not equals:
        raise InputError("an identifier is KIND=VALUE or an e-mail address", advice=f"kinds: {', '.join(kinds)}")
    elif kind not in kinds:
        raise InputError("an identifier has a kind habeas does not know", advice=f"kinds: {', '.join(kinds)}")
    return check_identifier(kind, value)


def check_identifier(kind: str, value: str) -> Identifier:
    """Refuses what cannot be an identifier of that kind. Raises :class:`InputError` without the value."""
    reason = unsafe_reason(value)
    if not reason and value != value.strip():
        reason = "it begins or ends with a blank"
    if not reason and kind == "email" and not _looks_like_email(value):
        reason = "it is not one e-mail address"
    if not reason and kind == "phone" and not _looks_like_phone(value):
        reason = "it is not a phone number"
    if reason:
        raise InputError(f"the {kind} given cannot be used: {reason}")
    return Identifier(kind, value)


def _looks_like_email(value: str) -> bool:
    """One ``local@domain`` without anything that separates addresses or that nobody can see (blanks, U+200B, U+202E).

    Quoted local parts with an ``@`` or a blank (RFC 5321 section 4.1.2) are refused too: no vendor here takes them.
    """
    local, at, domain = value.partition("@")
    return (
        bool(at and local and domain)
        and len(value) <= _LONGEST_EMAIL
        and value.isprintable()
        and not any(c in "@,;<> " for c in local + domain)
    )


def _looks_like_phone(value: str) -> bool:
    return any(c in _DIGITS for c in value) and all(c in _DIGITS or c in "+-() ./" for c in value)


def fold(kind: str, value: str) -> str:
    """How identifiers are compared: exactly, except that the case of ASCII letters does not tell e-mails apart."""
    return value.translate(_ASCII_LOWER) if kind == "email" else value

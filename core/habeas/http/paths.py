"""Vendor ids into URL paths, so that no id can become another path.

Quoting alone is not enough: ``.`` and ``..`` are made of unreserved characters, and HTTP clients fold them away; and
proxies decode ``%2F`` before they fold, so that ``a/../b`` could still reach another customer's path.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from urllib.parse import quote

from habeas.errors import NotSent

__all__ = ["MAX_ID_LENGTH", "fill", "unsafe_reason"]

MAX_ID_LENGTH = 1000
"""Characters. Talon.One allows integration ids of 1000; no vendor here allows more."""

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


def unsafe_reason(value: str) -> str:
    """Why a value cannot stand for one path segment; empty where it can."""
    if not value:
        return "it is empty"
    if len(value) > MAX_ID_LENGTH:
        return f"it is longer than {MAX_ID_LENGTH} characters"
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in value):
        return "it has control characters"
    # Compatibility forms too: a full-width dot or slash folds to the plain one wherever somebody normalises.
    parts = re.split(r"[/\\]", unicodedata.normalize("NFKC", value))
    if any(part.strip() in (".", "..") for part in parts) or not "".join(parts).strip():
        return "it reads as a relative path"
    return ""


def fill(template: str, ids: Mapping[str, str]) -> str:
    """``/v1/customers/{customerId}`` with each placeholder percent-encoded as exactly one segment.

    Raises :class:`~habeas.errors.NotSent` for an id that cannot be a segment, ``KeyError`` for a missing one.
    """

    def one(match: re.Match[str]) -> str:
        name = match.group(1)
        reason = unsafe_reason(ids[name])
        if reason:
            raise NotSent(f"{name} cannot be put into {template}: {reason}", advice="check the identifier")
        return quote(ids[name], safe="")

    return _PLACEHOLDER.sub(one, template)

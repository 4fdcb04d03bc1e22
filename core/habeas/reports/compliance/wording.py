"""Types, laws, grounds and results in words that a reader knows."""

from __future__ import annotations

import re
from typing import Final

from habeas.reports.package.labels import moment_of, name_label

__all__ = ["label", "plain"]

_ARTICLE: Final = re.compile(r".*eu/gdpr#A(\d+)-(\d+)-([a-z])")
_JUSTIFICATION: Final = re.compile(r".*eu/gdpr#JustificationA(\d+)(\w+)")
_LAWS: Final = {"gdpr": "EU GDPR", "uk-gdpr": "UK GDPR", "ccpa": "CCPA"}
_AS_THEY_ARE: Final = {"rule", "policy", "version", "connection", "purpose", "method", "month", "days", "what"}
"""What is a name, and not a word."""


def plain(text: str) -> str:
    """``https://w3id.org/dpv/legal/eu/gdpr#A6-1-c`` is ``GDPR Art. 6(1)(c)``; other words begin with a capital."""
    if found := _ARTICLE.fullmatch(text):
        return f"GDPR Art. {found[1]}({found[2]})({found[3]})"
    if found := _JUSTIFICATION.fullmatch(text):
        return f"GDPR Art. {found[1]}: {name_label(found[2]).lower()}"
    if text in _LAWS:
        return _LAWS[text]
    return moment_of(text) or text[:1].upper() + text[1:]


def label(dimension: str, value: str) -> str:
    """What a figure is cut to, in words."""
    return value if dimension in _AS_THEY_ARE else plain(value)

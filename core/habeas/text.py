"""What counts as text: the least that files, ledger and JSON ask of a string."""

from __future__ import annotations

__all__ = ["is_text"]


def is_text(value: str) -> bool:
    """Whether it can be written as UTF-8: not so with halves of characters, as which other bytes arrive."""
    return not any("\ud800" <= character <= "\udfff" for character in value)

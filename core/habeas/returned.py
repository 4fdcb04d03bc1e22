"""What a hook returned, held against its contract: types, lengths, and what the ledger and JSON can hold."""

from __future__ import annotations

import json

from habeas.errors import PluginFault
from habeas.models import Gap, Record, Result
from habeas.text import is_text

__all__ = ["check_count", "check_gaps", "check_parts", "check_record", "check_texts"]

_LONGEST_TEXT = 2000
"""Characters of a reason or evidence: an entry of the ledger must hold it."""
_LARGEST_COUNT = 2**53 - 1
"""RFC 8785 numbers are IEEE 754 doubles."""


def check_parts(plugin: str, hook: str, parts: object, kind: type) -> None:
    if not isinstance(parts, tuple) or not all(isinstance(part, kind) for part in parts):
        raise PluginFault(f"plugin {plugin}: {hook} returned something else than a tuple of {kind.__name__}")


def check_count(plugin: str, hook: str, count: object) -> None:
    if not _is_count(count):
        raise PluginFault(f"plugin {plugin}: {hook} returned a count that is no number of records")


def _is_count(count: object, least: int = 0) -> bool:
    return type(count) is int and least <= count <= _LARGEST_COUNT


def check_texts(plugin: str, hook: str, *texts: object) -> None:
    """Text that the ledger can hold: not too long, and without halves of characters."""
    for text in texts:
        if not isinstance(text, str) or len(text) > _LONGEST_TEXT or not is_text(text):
            raise PluginFault(f"plugin {plugin}: {hook} returned something else than a short text")


def check_gaps(plugin: str, hook: str, gaps: tuple[Gap, ...]) -> None:
    for gap in gaps:
        if not isinstance(gap.result, Result):
            raise PluginFault(f"plugin {plugin}: {hook} returned a gap whose result is not a Result")
        check_count(plugin, hook, gap.count)
        check_texts(plugin, hook, gap.reason)


def check_record(plugin: str, record: Record) -> None:
    if not _is_count(record.count, least=1):
        raise PluginFault(f"plugin {plugin}: inventory returned a record that counts nothing")
    check_parts(plugin, "inventory", record.fields, str)
    try:
        json.dumps([list(record.ids), dict(record.data)], allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise PluginFault(f"plugin {plugin}: inventory returned a record whose ids or data are not JSON") from None

"""JSON whose numbers and repeated names survive: decoding for reading, and writing with documents put in verbatim."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["MAX_DEPTH", "Decoded", "Members", "Number", "Value", "Verbatim", "decode", "encode"]

MAX_DEPTH = 100
"""Levels of nesting that common readers take without a setting; a deeper document is handed over as a file only."""


class Number(str):
    """A JSON number, exactly as it was written (``1.10`` and ``1e400`` stay what they are)."""

    __slots__ = ()


@dataclass(frozen=True, repr=False)
class Members:
    """A JSON object: names and values in their order, repeated names included."""

    pairs: tuple[tuple[str, Value], ...]


Value: TypeAlias = "bool | str | Number | Members | list[Value] | None"


@dataclass(frozen=True, repr=False)
class Decoded:
    """A document that is JSON: its text without byte-order mark and outer blanks, and what it says."""

    text: str
    value: Value


@dataclass(frozen=True, repr=False)
class Verbatim:
    """JSON text that :func:`encode` writes as it is."""

    text: str


def decode(content: bytes) -> Decoded | None:
    """Reads RFC 8259 JSON in UTF-8; None where it is anything else, or nested deeper than :data:`MAX_DEPTH`."""
    try:
        text = content.decode("utf-8-sig").strip(" \t\r\n")
        value: Value = json.loads(
            text, parse_int=Number, parse_float=Number, parse_constant=_refuse, object_pairs_hook=_members
        )
    except (ValueError, RecursionError):
        return None
    return Decoded(text, value) if _depth_allowed(value) else None


def encode(value: object) -> bytes:
    """UTF-8 JSON, indented by two, members in the order given. :class:`Verbatim` parts are copied, not read."""
    # A lone surrogate has no UTF-8; Python's `\\udc80` for it is also JSON's way to write it.
    return (_text(value, "\n") + "\n").encode("utf-8", "backslashreplace")


def _text(value: object, newline: str) -> str:
    inner = newline + "  "
    match value:
        case Verbatim(text):
            return text
        case Mapping() if value:
            lines = [f"{json.dumps(name, ensure_ascii=False)}: {_text(item, inner)}" for name, item in value.items()]
            return "{" + inner + ("," + inner).join(lines) + newline + "}"
        case Sequence() if value and not isinstance(value, str):
            return "[" + inner + ("," + inner).join(_text(item, inner) for item in value) + newline + "]"
        case _:
            return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _members(pairs: list[tuple[str, Value]]) -> Members:
    return Members(tuple(pairs))


def _refuse(_constant: str) -> Value:
    raise ValueError("NaN and Infinity are not JSON")


def _depth_allowed(value: Value) -> bool:
    level: list[Value] = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [child for item in level for child in _children(item)]
        if not level:
            return True
    return False


def _children(value: Value) -> list[Value]:
    if isinstance(value, Members):
        return [child for _, child in value.pairs]
    return value if isinstance(value, list) else []

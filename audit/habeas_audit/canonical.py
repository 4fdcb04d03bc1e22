"""The one spelling of a JSON value (RFC 8785), and the limits an entry keeps to.

Numbers are integers within ±(2^53 - 1): a float has no one spelling that every reader agrees on, and RFC 8785 section
3.2.2.3 rests on IEEE 754 doubles, which hold no larger integer exactly.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from json.encoder import encode_basestring
from types import GenericAlias
from typing import Annotated, Any, Final

import msgspec
import rfc8785

from habeas_audit.errors import InvalidDraft

MAX_BYTES: Final = 16 * 1024
"""Largest body, bytes. A tlog-tiles entry holds at most 65,535."""
MAX_DEPTH: Final = 32
"""Most containers inside one another, the outermost counted."""
MAX_INTEGER: Final = 2**53 - 1

_PLAIN: Final = (str, bool)
_SCALARS: Final = frozenset((str, int, bool, type(None)))
_TEXT: Final = frozenset((str,))
_QUICK_DEPTH: Final = 6
_CONTAINERS: Final = (Mapping, list, tuple)
_ASTRAL: Final = re.compile(rb"[\xf0-\xf4]")
_DIGITS_ALIKE: Final = bytes.maketrans(b"123456789", b"0" * 9)
_LONG_NUMBER: Final = b"0" * len(str(MAX_INTEGER))


def canonical(value: object, *, depth: int = MAX_DEPTH, size: int = MAX_BYTES) -> bytes:
    """The RFC 8785 bytes of a JSON value made of dict, list, tuple, str, int, bool and None.

    Raises InvalidDraft for anything else: a float, a key that is not text, more than `depth` nested containers, an
    integer beyond ±(2^53 - 1), text with a lone surrogate, more than `size` bytes.
    """
    data = _quickly(value, min(depth, _QUICK_DEPTH), size)
    if data is not None:
        return data
    plain = _plain(value, depth, [size])
    try:
        data = rfc8785.dumps(plain)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        raise InvalidDraft("an entry's text holds a lone surrogate, which UTF-8 cannot write") from None
    if len(data) > size:
        raise InvalidDraft(f"an entry takes {len(data)} bytes where {size} are left")
    return data


def quoted(text: str) -> bytes:
    """RFC 8785 section 3.2.2.2: a string as a JSON string, in UTF-8. Raises UnicodeEncodeError for a lone surrogate."""
    # The standard library escapes exactly what the RFC lists, in the same letters; only its ASCII mode does more.
    return encode_basestring(text).encode()


def plain_objects(depth: int) -> Any:
    """The type, for msgspec, of the objects that `canonical` takes, with so many containers inside one another.

    What it reads as this type and writes again unchanged, keys sorted, is canonical if it is not `astral`: it refuses
    floats and integers out of range, and escapes as section 3.2.2.2 wants. What it refuses or changes may be canonical
    too, deeper objects for one, since it knows no type that contains itself.
    """
    plain: Any = str | bool | Annotated[int, msgspec.Meta(ge=-MAX_INTEGER, le=MAX_INTEGER)] | None
    value = plain
    for _ in range(depth - 1):
        value = plain | GenericAlias(list, (value,)) | GenericAlias(dict, (str, value))
    return GenericAlias(dict, (str, value))


def astral(data: bytes) -> bool:
    """Whether UTF-8 text has a character beyond the basic plane, on which orders of keys differ (section 3.2.3)."""
    return not data.isascii() and _ASTRAL.search(data) is not None


def is_canonical(data: bytes) -> bool:
    """Whether these bytes are what `canonical` would write for the value they spell, whatever their size or depth.

    A parse and a rewrite by the standard library decide it, at a third of the cost of the RFC 8785 library; where the
    two may differ (keys beyond the basic plane, section 3.2.3; integers out of range), the library has the word.
    """
    try:
        value = DECODER.decode(data.decode())
        if needs_no_library(data):
            return ENCODER.encode(value).encode() == data
        return canonical(value, depth=len(data), size=len(data)) == data
    except (ValueError, RecursionError):
        return False


def needs_no_library(data: bytes) -> bool:
    """Whether, of a value so spelled, the standard library and the RFC 8785 library write the same bytes.

    They differ in the order of keys if one has a character beyond the basic plane, which UTF-8 spells with four bytes;
    and an integer that is too long has sixteen digits at least. Digits inside text only cost the detour.
    """
    return _LONG_NUMBER not in data.translate(_DIGITS_ALIKE) and not astral(data)


def _quickly(value: object, depth: int, size: int) -> bytes | None:
    """The same bytes in an eighth of the time; None where the exact way must look, as it must at whatever is wrong."""
    if not _is_plain(value, depth, [size]):
        return None
    try:
        data = _WRITER.encode(value)
    except (msgspec.MsgspecError, UnicodeEncodeError):
        return None
    # Orders of keys and ways to escape could differ beyond ASCII only (section 3.2.3).
    return data if len(data) <= size and data.isascii() else None


def _is_plain(value: object, depth: int, budget: list[int]) -> bool:
    """Whether all of it is of the very types that JSON has, the integers in range, and not too large to look at."""
    if type(value) is dict:
        items: Collection[object] = value.values()
        if not _TEXT.issuperset(map(type, value)):
            return False
    elif isinstance(value, list | tuple):
        items = value
    else:
        return False  # data are an object
    budget[0] -= len(items)
    if not depth or budget[0] < 0:
        return False
    kinds = set(map(type, items))
    if int in kinds:
        for item in items:
            if type(item) is int and not -MAX_INTEGER <= item <= MAX_INTEGER:
                return False
    return kinds <= _SCALARS or all(type(item) in _SCALARS or _is_plain(item, depth - 1, budget) for item in items)


def _plain(value: object, depth: int, budget: list[int]) -> Any:
    # Each value takes a byte at least, so the budget also ends a structure that repeats itself without end.
    budget[0] -= 1
    if budget[0] < 0:
        raise InvalidDraft(f"an entry holds more than {MAX_BYTES} bytes")
    if value is None or isinstance(value, _PLAIN):
        return value
    if isinstance(value, int):
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise InvalidDraft("an entry's integer lies beyond ±(2^53 - 1); write it as text")
        return value
    if not isinstance(value, _CONTAINERS):
        raise InvalidDraft(f"an entry cannot hold a {type(value).__name__}; write it as text or as an integer")
    if depth == 0:
        raise InvalidDraft(f"an entry nests more than {MAX_DEPTH} deep")
    if not isinstance(value, Mapping):
        return [_plain(item, depth - 1, budget) for item in value]
    plain = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise InvalidDraft("an entry has a key that is not text")
        plain[key] = _plain(item, depth - 1, budget)
    return plain


def _no_number(_text: str) -> Any:
    raise ValueError("a number that is not an integer")


DECODER: Final = json.JSONDecoder(parse_float=_no_number, parse_constant=_no_number)
_WRITER: Final = msgspec.json.Encoder(order="deterministic")
ENCODER: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False)

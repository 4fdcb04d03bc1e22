"""One JSON loader for all that comes from outside: UTF-8 only, no duplicate keys, no NaN, bounded depth, whole text."""

from __future__ import annotations

import json
import math
import re
from typing import NoReturn

from habeas.errors import BadAnswer
from habeas.models import Json

__all__ = ["MAX_DEPTH", "decode_json"]

MAX_DEPTH = 64

_NESTED = (dict, list)
_MAYBE_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def decode_json(body: bytes) -> Json:
    """The decoded value. Raises :class:`~habeas.errors.BadAnswer` with a message that holds nothing of the body."""
    try:
        text = body.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
        # Every level costs an opening bracket: most answers have too few of them to be too deep.
        if body.count(b"{") + body.count(b"[") > MAX_DEPTH:
            _check_depth(value)
        if _MAYBE_SURROGATE.search(text):
            # Half a character, which JSON can escape, cannot be written to any file or database later on.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        # The decoder's own message may quote the body; ours may not, nor may the chained exception.
        raise BadAnswer("the answer is not the JSON it should be") from None
    return value


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("duplicate key")
    return result


def _no_constant(_: str) -> NoReturn:
    raise ValueError("NaN or Infinity")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number too large")
    return number


def _check_depth(value: Json) -> None:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError("too deep")
        level = [child for node in level for child in _children(node)]


def _children(node: Json) -> list[Json]:
    if isinstance(node, dict):
        return [v for v in node.values() if isinstance(v, _NESTED)]
    return [v for v in node if isinstance(v, _NESTED)] if isinstance(node, list) else []

"""One JSON loader for everything that comes from outside: UTF-8 only, no duplicate keys, no NaN, bounded depth."""

from __future__ import annotations

import json
from typing import NoReturn

from habeas.errors import BadAnswer
from habeas.models import Json

__all__ = ["MAX_DEPTH", "decode_json"]

MAX_DEPTH = 64


def decode_json(body: bytes) -> Json:
    """The decoded value. Raises :class:`~habeas.errors.BadAnswer` with a message that holds nothing of the body."""
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
        _check_depth(value)
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


def _check_depth(value: Json) -> None:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError("too deep")
        level = [child for node in level for child in _children(node)]


def _children(node: Json) -> list[Json]:
    if isinstance(node, dict):
        return [v for v in node.values() if isinstance(v, dict | list)]
    return [v for v in node if isinstance(v, dict | list)] if isinstance(node, list) else []

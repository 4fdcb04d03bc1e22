"""The names of a document's fields, never their values: what ``habeas doctor --schema`` remembers of a vendor."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from habeas.models import Json

__all__ = ["covered", "field_names"]

_MOST = 2000
"""Names taken from one document: more than any vendor documents, so that a wild answer cannot fill a disk."""
_NESTED = (dict, list)
_AS_A_PATH = lru_cache(maxsize=4096)(re.compile(r"[.\[\]]").search)
"""The keys of one vendor's answers are the same again and again."""


def field_names(document: Json, *, keyed: Iterable[str] = ()) -> tuple[str, ...]:
    """The names of all fields below a JSON document, sorted: ``address.city``, ``cards[].number``.

    ``keyed`` names objects (in the same form) whose keys are data, not names, such as programs by their id: their keys
    are written ``*``, and so is a key with a dot or a bracket in it. Fields that hold ``null``, an empty list or an
    empty object count as well. At most 2,000 names.
    """
    names: set[str] = set()
    data = frozenset(keyed)
    waiting: list[tuple[str, Json]] = [("", document)]
    while waiting and len(names) < _MOST:
        path, value = waiting.pop()
        if isinstance(value, dict) and value:
            before, any_name = f"{path}." if path else "", path in data
            for key, inner in value.items():
                # A key with a dot could not be told from a path; it is data more often than a name.
                name = before + ("*" if any_name or _AS_A_PATH(key) else key)
                if isinstance(inner, _NESTED):
                    waiting.append((name, inner))
                else:
                    names.add(name)
        elif isinstance(value, list) and any(isinstance(inner, _NESTED) for inner in value):
            waiting.extend((f"{path}[]", inner) for inner in value)
        elif path:
            names.add(path)
    return tuple(sorted(names)[:_MOST])


def covered(name: str, known: Iterable[str]) -> bool:
    """Whether a field's name is among those known; ``metadata.*`` knows all that is below ``metadata``."""
    return any(
        name == pattern or (pattern.endswith(".*") and (name + ".").startswith(pattern[:-1])) for pattern in known
    )

"""The names of a document's fields, never their values: what ``habeas doctor --schema`` remembers of a vendor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from habeas.models import Json

__all__ = ["covered", "field_names"]

_MOST = 2000
"""Names taken from one document: more than any vendor documents, so that a wild answer cannot fill a disk."""


def field_names(document: Json, *, keyed: Iterable[str] = ()) -> tuple[str, ...]:
    """The names of all fields below a JSON document, sorted: ``address.city``, ``cards[].number``.

    ``keyed`` names objects (in the same form) whose keys are data, not names, such as programs by their id: their keys
    are written ``*``, and so is a key with a dot or a bracket in it. Fields that hold ``null``, an empty list or an
    empty object count as well. At most 2,000 names.
    """
    names: set[str] = set()
    for name in _walk(document, "", frozenset(keyed)):
        names.add(name)
        if len(names) >= _MOST:
            break
    return tuple(sorted(names))


def _walk(value: Json, path: str, keyed: frozenset[str]) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            # A key with a dot could not be told from a path; it is data more often than a name.
            name = "*" if path in keyed or not set(".[]").isdisjoint(str(key)) else str(key)
            yield from _walk(inner, f"{path}.{name}" if path else name, keyed)
    elif isinstance(value, list) and any(isinstance(inner, dict | list) for inner in value):
        for inner in value:
            yield from _walk(inner, f"{path}[]", keyed)
    elif path:
        yield path


def covered(name: str, known: Iterable[str]) -> bool:
    """Whether a field's name is among those known; ``metadata.*`` knows all that is below ``metadata``."""
    return any(
        name == pattern or (pattern.endswith(".*") and (name + ".").startswith(pattern[:-1])) for pattern in known
    )

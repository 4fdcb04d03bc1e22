"""A consent as a flag in a customer's ``metadata``. Pure.

Voucherify has no field for a consent that could be read: the shop names a key of the metadata, or a path of keys with
dots where the metadata has objects in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from habeas import ConsentState, HeldState
from habeas.models import Json

__all__ = ["Flag", "blocked", "held", "is_set", "others", "with_flags"]


@dataclass(frozen=True)
class Flag:
    """Where a consent stands, and what its two values are."""

    name: str
    """A key, or keys with dots between them."""
    granted: Json = True
    withdrawn: Json = False

    @classmethod
    def of(cls, mapping: Mapping[str, Json]) -> Flag:
        """As the purpose's mapping has it."""
        return cls(mapping["metadata"], mapping.get("granted", True), mapping.get("withdrawn", False))

    def value(self, state: ConsentState) -> Json:
        """What a state is written as."""
        return self.granted if state is ConsentState.GRANTED else self.withdrawn


def held(metadata: Mapping[str, Json], flag: Flag) -> HeldState:
    """What is held: ``unreadable`` for a value that is neither of the two."""
    value = _value(metadata, flag)
    if value is None:
        return HeldState.UNSET
    # `True == 1` in Python; to a vendor a number is no flag.
    for wanted, state in ((flag.granted, HeldState.GRANTED), (flag.withdrawn, HeldState.WITHDRAWN)):
        if type(value) is type(wanted) and value == wanted:
            return state
    return HeldState.UNREADABLE


def is_set(metadata: Mapping[str, Json], flag: Flag, state: ConsentState) -> bool:
    """Whether the flag says what the person wants."""
    return str(held(metadata, flag)) == str(state)


def blocked(metadata: Mapping[str, Json], flag: Flag) -> bool:
    """Whether something that is no object stands where the path to the flag leads through."""
    node: Json = metadata
    for key in _path(metadata, flag)[:-1]:
        node = node.get(key)
        if node is None:
            return False
        if not isinstance(node, dict):
            return True
    return False


def with_flags(metadata: Mapping[str, Json], wanted: Iterable[tuple[Flag, ConsentState]]) -> dict[str, Any]:
    """All of the metadata with the flags set, as it is written back."""
    whole = dict(metadata)
    for flag, state in wanted:
        node = whole
        *parents, last = _path(metadata, flag)
        for key in parents:
            # A copy on the way: what was read stays as it was read.
            node[key] = dict(node.get(key) or {})
            node = node[key]
        node[last] = flag.value(state)
    return whole


def others(metadata: Mapping[str, Json], flags: Iterable[Flag]) -> Json:
    """The metadata without the flags, and without objects that held nothing else: what no change may touch."""
    rest: Json = dict(metadata)
    for flag in flags:
        rest = _without(rest, _path(metadata, flag))
    return rest


def _path(metadata: Mapping[str, Json], flag: Flag) -> tuple[str, ...]:
    return (flag.name,) if flag.name in metadata else tuple(flag.name.split("."))


def _value(metadata: Mapping[str, Json], flag: Flag) -> Json:
    node: Json = metadata
    for key in _path(metadata, flag):
        node = node.get(key) if isinstance(node, dict) else None
    return node


def _without(node: Json, path: tuple[str, ...]) -> Json:
    if not isinstance(node, dict):
        return node
    first, *more = path
    rest = {key: value for key, value in node.items() if key != first}
    if more and first in node:
        inner = _without(node[first], tuple(more))
        if inner not in ({}, None):
            rest[first] = inner
    return rest

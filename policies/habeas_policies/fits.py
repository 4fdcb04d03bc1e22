"""Whether a value fits a JSON Schema (draft 2020-12), in milliseconds, for the keywords that our own schemas use.

The library that explains what is wrong takes longer to load than most commands take: it is loaded for what does not
fit, and for what cannot be told here. So True and False must be right, and None, not known, may stand for either.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import lru_cache
from typing import Any, Final

__all__ = ["fits"]

Judgement = bool | None
_Schema = Mapping[str, Any]


def fits(value: object, schema: Mapping[str, Any]) -> Judgement:
    """Whether it does; ``None`` where that cannot be told."""
    try:
        return _judge(value, schema, schema)
    except RecursionError:
        return None


def _judge(value: Any, schema: Any, root: _Schema) -> Judgement:
    if isinstance(schema, bool):
        return schema
    return _all(_KEYWORDS.get(name, _unknown)(argument, value, schema, root) for name, argument in schema.items())


def _all(judgements: Iterable[Judgement]) -> Judgement:
    found = set(judgements)
    return False if False in found else None if None in found else True


def _any(judgements: Iterable[Judgement]) -> Judgement:
    found = set(judgements)
    return True if True in found else None if None in found else False


def _not(judgement: Judgement) -> Judgement:
    return None if judgement is None else not judgement


def _unknown(_argument: Any, _value: Any, _schema: _Schema, _root: _Schema) -> Judgement:
    return None


def _nothing(_argument: Any, _value: Any, _schema: _Schema, _root: _Schema) -> Judgement:
    return True


def _reference(argument: str, value: Any, _: _Schema, root: _Schema) -> Judgement:
    if not argument.startswith("#/$defs/"):
        return None
    target = root.get("$defs", {}).get(argument.removeprefix("#/$defs/"))
    return None if target is None else _judge(value, target, root)


_TYPES: Final[dict[str, Callable[[Any], bool]]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
}


def _type(argument: Any, value: Any, _: _Schema, __: _Schema) -> Judgement:
    names = [argument] if isinstance(argument, str) else argument
    if any(name not in _TYPES for name in names):
        return None
    if any(_TYPES[name](value) for name in names):
        return True
    return None if isinstance(value, float) else False  # 1.0 is an integer there


def _same(value: Any, wanted: Any) -> Judgement:
    plain = (str, bool, int, type(None))
    return type(value) is type(wanted) and value == wanted if isinstance(value, plain) else None


def _properties(argument: _Schema, value: Any, _: _Schema, root: _Schema) -> Judgement:
    if not isinstance(value, dict):
        return True
    return _all(_judge(value[name], inner, root) for name, inner in argument.items() if name in value)


def _additional(argument: Any, value: Any, schema: _Schema, root: _Schema) -> Judgement:
    if not isinstance(value, dict):
        return True
    if "patternProperties" in schema:
        return None
    known = schema.get("properties", {})
    return _all(_judge(inner, argument, root) for name, inner in value.items() if name not in known)


def _names(argument: Any, value: Any, _: _Schema, root: _Schema) -> Judgement:
    return _all(_judge(name, argument, root) for name in value) if isinstance(value, dict) else True


def _items(argument: Any, value: Any, schema: _Schema, root: _Schema) -> Judgement:
    if not isinstance(value, list):
        return True
    return None if "prefixItems" in schema else _all(_judge(inner, argument, root) for inner in value)


def _unique(argument: Any, value: Any, _: _Schema, __: _Schema) -> Judgement:
    if not isinstance(value, list) or not argument:
        return True
    return len(set(value)) == len(value) if all(isinstance(inner, str) for inner in value) else None


def _if(argument: Any, value: Any, schema: _Schema, root: _Schema) -> Judgement:
    condition = _judge(value, argument, root)
    if condition is None:
        return None
    return _judge(value, schema.get("then" if condition else "else", True), root)


def _one_of(argument: Any, value: Any, _: _Schema, root: _Schema) -> Judgement:
    found = [_judge(value, inner, root) for inner in argument]
    return None if None in found else found.count(True) == 1


def _dependent(argument: Mapping[str, list[str]], value: Any, _: _Schema, __: _Schema) -> Judgement:
    if not isinstance(value, dict):
        return True
    return all(other in value for name, others in argument.items() if name in value for other in others)


def _format(argument: Any, value: Any, _: _Schema, __: _Schema) -> Judgement:
    if not isinstance(value, str):
        return True
    if argument != "date" or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return None
    try:
        date.fromisoformat(value)
    except ValueError:
        return None  # where nobody asks for formats, it is only a note
    return True


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


def _size(kind: type[Any], holds: Callable[[int, int], bool]) -> Callable[[Any, Any, _Schema, _Schema], Judgement]:
    return lambda wanted, value, _, __: not isinstance(value, kind) or bool(holds(len(value), wanted))


def _bound(holds: Callable[[Any, Any], bool]) -> Callable[[Any, Any, _Schema, _Schema], Judgement]:
    def within(wanted: Any, value: Any, _: _Schema, __: _Schema) -> Judgement:
        if not _TYPES["number"](value):
            return True
        return None if value != value else holds(value, wanted)  # nan is neither

    return within


_KEYWORDS: Final[dict[str, Callable[[Any, Any, _Schema, _Schema], Judgement]]] = {
    **dict.fromkeys(("$schema", "$id", "$defs", "$comment", "title", "description", "default", "examples"), _nothing),
    **dict.fromkeys(("then", "else"), _nothing),  # of `if`
    "$ref": _reference,
    "type": _type,
    "const": lambda wanted, value, _, __: _same(value, wanted),
    "enum": lambda wanted, value, _, __: _any(_same(value, one) for one in wanted),
    "properties": _properties,
    "additionalProperties": _additional,
    "propertyNames": _names,
    "required": lambda names, value, _, __: not isinstance(value, dict) or all(name in value for name in names),
    "dependentRequired": _dependent,
    "items": _items,
    "uniqueItems": _unique,
    "pattern": lambda text, value, _, __: not isinstance(value, str) or _pattern(text).search(value) is not None,
    "format": _format,
    "allOf": lambda inner, value, _, root: _all(_judge(value, one, root) for one in inner),
    "anyOf": lambda inner, value, _, root: _any(_judge(value, one, root) for one in inner),
    "oneOf": _one_of,
    "not": lambda inner, value, _, root: _not(_judge(value, inner, root)),
    "if": _if,
    "minLength": _size(str, int.__ge__),
    "maxLength": _size(str, int.__le__),
    "minItems": _size(list, int.__ge__),
    "maxItems": _size(list, int.__le__),
    "minProperties": _size(dict, int.__ge__),
    "maxProperties": _size(dict, int.__le__),
    "minimum": _bound(lambda value, least: bool(value >= least)),
    "maximum": _bound(lambda value, most: bool(value <= most)),
    "exclusiveMinimum": _bound(lambda value, least: bool(value > least)),
    "exclusiveMaximum": _bound(lambda value, most: bool(value < most)),
}

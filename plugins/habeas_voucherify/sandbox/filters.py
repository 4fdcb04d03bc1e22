"""The vendor's ``filters``: conditions on fields, joined by ``and`` or ``or``; in a query or in an export's body.

A field or condition this sandbox cannot judge is refused with 400, never ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from habeas_voucherify.sandbox.wire import Json, Problem, moment

__all__ = ["conditions_from", "dig", "matching", "matching_body"]

_Values = Sequence[str]
_Conditions = Mapping[str, Mapping[str, _Values]]
"""Field → operator → operands."""

_PAIR = re.compile(r"filters\[(?P<field>[\w.]+)\]\[conditions\]\[(?P<op>\$\w+)\](?:\[\d*\])?")

_OPERATORS: Mapping[str, Callable[[str, _Values], bool]] = {
    "$in": lambda have, want: have in want,
    "$not_in": lambda have, want: have not in want,
    "$is": lambda have, want: have in want,
    "$is_not": lambda have, want: have not in want,
    "$has_value": lambda have, _: have != "",
    "$is_unknown": lambda have, _: have == "",
    "$starts_with": lambda have, want: have.startswith(tuple(want)),
    "$ends_with": lambda have, want: have.endswith(tuple(want)),
    "$contains": lambda have, want: any(w in have for w in want),
    "$not_contain": lambda have, want: not any(w in have for w in want),
    "$more_than": lambda have, want: have != "" and _number(have) > max(map(_number, want)),
    "$less_than": lambda have, want: have != "" and _number(have) < min(map(_number, want)),
    "$after": lambda have, want: have > max(_times(want)),
    "$before": lambda have, want: "" < have < min(_times(want)),
}


def _bad(details: str) -> Problem:
    return Problem(400, "invalid_query_params", "Invalid query params", details)


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise _bad("Property .filters compares something that is no number") from None


def _times(values: _Values) -> list[str]:
    try:
        return [moment(v) for v in values]
    except ValueError as error:
        raise _bad(f"Property .filters {error}") from None


def dig(row: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path; None where there is none."""
    value: Any = row
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def conditions_from(pairs: Iterable[tuple[str, str]]) -> tuple[_Conditions, str]:
    """Reads ``filters[field][conditions][$op]=value`` and ``filters[junction]``. Raises 400."""
    conditions: dict[str, dict[str, list[str]]] = {}
    junction = "and"
    for name, value in pairs:
        if name == "filters[junction]":
            junction = value
        elif match := _PAIR.fullmatch(name):
            conditions.setdefault(match["field"], {}).setdefault(match["op"], []).append(value)
        else:
            raise _bad(f"Unknown query parameter .{name}")
    return conditions, junction


def _select(rows: Iterable[Json], conditions: _Conditions, junction: str, fields: Mapping[str, str]) -> list[Json]:
    if junction not in ("and", "or"):
        raise _bad("Property .filters.junction should be equal to one of the allowed values [ and, or ]")
    for field, operators in conditions.items():
        if field not in fields:
            raise _bad(f"Property .filters has an unsupported field {field}")
        for operator in operators:
            if operator not in _OPERATORS:
                raise _bad(f"Property .filters.{field} has an unsupported condition {operator}")
    if not conditions:
        return list(rows)
    join = any if junction == "or" else all

    def fits(row: Json) -> bool:
        return join(
            _OPERATORS[operator](_as_text(dig(row, fields[field])), want)
            for field, operators in conditions.items()
            for operator, want in operators.items()
        )

    return [row for row in rows if fits(row)]


def matching(rows: Iterable[Json], pairs: Sequence[tuple[str, str]], fields: Mapping[str, str]) -> list[Json]:
    """The rows that a query's filters let through. ``fields``: name of the filter → dotted path into a row."""
    if not pairs:
        return list(rows)
    conditions, junction = conditions_from(pairs)
    return _select(rows, conditions, junction, fields)


def matching_body(rows: Iterable[Json], filters: Mapping[str, Any], fields: Mapping[str, str]) -> list[Json]:
    """As :func:`matching`, for filters given as JSON: ``{"field": {"conditions": {"$is": …}}, "junction": "and"}``."""
    conditions: dict[str, dict[str, list[str]]] = {}
    for field, given in filters.items():
        if field == "junction":
            continue
        operators = given.get("conditions") if isinstance(given, Mapping) else None
        if not isinstance(operators, Mapping):
            raise _bad(f"Property .filters.{field}.conditions should be object")
        conditions[field] = {
            op: [_as_text(v) for v in (want if isinstance(want, list) else [want])] for op, want in operators.items()
        }
    return _select(rows, conditions, str(filters.get("junction", "and")), fields)


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)

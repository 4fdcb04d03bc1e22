"""A customer's details as a rectification sees them: what is right, what is to be sent, what copies still show. Pure.

Fields of schema ``Customer`` in the vendor's OpenAPI document of August 2026. The name is one text; the address is one
object, written whole. What a customer does not hold is not added: a correction spreads no data.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from habeas import Correction, Field
from habeas.models import Json
from habeas_voucherify.mapping import same_text

__all__ = ["Right", "changes", "holds", "is_right", "right_values", "stale_copies"]

_TEXTS = {Field.EMAIL: "email", Field.PHONE: "phone", Field.NAME: "name"}
_ADDRESS = {
    Field.STREET: "line_1",
    Field.POSTAL_CODE: "postal_code",
    Field.CITY: "city",
    Field.REGION: "state",
    Field.COUNTRY: "country",
}
_BIRTH = ("birthdate", "birthday")
_DAY = 10
"""Characters of an ISO 8601 date: the vendor may show a time after it."""
_NAMES = (Field.NAME, Field.FIRST_NAME, Field.LAST_NAME)


@dataclass(frozen=True, repr=False)
class Right:
    """One field of Voucherify's and its right value."""

    field: Field
    value: str


def right_values(corrections: Collection[Correction]) -> dict[int, Right]:
    """By the correction's index, what it makes right; corrections of a part of a name may make nothing right.

    First and last name together are a name. Beside a whole name, a part of it is right where that begins or ends so.
    """
    by_field = {correction.field: correction.value for correction in corrections}
    name = by_field.get(Field.NAME, "")
    if not name and {Field.FIRST_NAME, Field.LAST_NAME} <= by_field.keys():
        name = f"{by_field[Field.FIRST_NAME]} {by_field[Field.LAST_NAME]}"
    found = {}
    for correction in corrections:
        if correction.field not in _NAMES:
            found[correction.index] = Right(correction.field, correction.value)
        elif _is_part(correction, name):
            found[correction.index] = Right(Field.NAME, name)
    return found


def _is_part(correction: Correction, name: str) -> bool:
    if correction.field is Field.FIRST_NAME:
        return f"{name} ".startswith(f"{correction.value} ")
    if correction.field is Field.LAST_NAME:
        return f" {name}".endswith(f" {correction.value}")
    return True


def holds(document: Mapping[str, Json], right: Right) -> bool:
    """Whether a customer holds the field at all; of an address, any part of it."""
    if right.field in _ADDRESS:
        return any(_address(document).values())
    return any(document.get(name) for name in _keys(right.field))


def is_right(document: Mapping[str, Json], right: Right) -> bool:
    """Whether the field reads as wanted. Vendors may write numbers with blanks, and addresses in small letters."""
    if right.field in _ADDRESS:
        return bool(_address(document).get(_ADDRESS[right.field]) == right.value)
    held = [document[name] for name in _keys(right.field) if document.get(name)]
    return bool(held) and all(isinstance(value, str) and _same(right, value) for value in held)


def _same(right: Right, value: str) -> bool:
    if right.field is Field.EMAIL:
        return same_text(value, right.value)
    if right.field is Field.PHONE:
        return _digits(value) == _digits(right.value)
    return value[:_DAY] == right.value if right.field is Field.BIRTHDATE else value == right.value


def changes(document: Mapping[str, Json], rights: Iterable[Right]) -> dict[str, Json]:
    """The fields to send, so that every field which the customer holds is right; empty where all are."""
    fields: dict[str, Json] = {}
    address = _address(document)
    for right in rights:
        if not holds(document, right) or _as_written(document, right):
            continue
        if right.field in _ADDRESS:
            address = {**address, _ADDRESS[right.field]: right.value}
            fields["address"] = address
        else:
            fields |= {name: right.value for name in _keys(right.field) if document.get(name)}
    return fields


def _as_written(document: Mapping[str, Json], right: Right) -> bool:
    """Right to the letter: an address in other letters is sent as the person writes it."""
    return is_right(document, right) and (right.field is not Field.EMAIL or document.get("email") == right.value)


def second_line(document: Mapping[str, Json]) -> bool:
    """Whether an address has a second line, which no correction is about."""
    return bool(_address(document).get("line_2"))


def stale_copies(row: Json, own: Collection[str], right: Right) -> bool:
    """Whether a row still shows another value of the field in a copy of one of these customers (``cust_…`` ids)."""
    return any(
        holds(copy, right) and not is_right(copy, right) and (right.field not in _ADDRESS or _shows(copy, right))
        for copy in _copies(row, own)
    )


def _shows(copy: Mapping[str, Json], right: Right) -> bool:
    return bool(_address(copy).get(_ADDRESS[right.field]))


def _copies(node: Json, own: Collection[str]) -> Iterator[Mapping[str, Json]]:
    waiting = [node]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if value.get("id") in own:
                yield value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _keys(field: Field) -> tuple[str, ...]:
    return _BIRTH if field is Field.BIRTHDATE else (_TEXTS[field],)


def _address(document: Mapping[str, Json]) -> dict[str, Json]:
    found = document.get("address")
    return {name: value for name, value in found.items() if value is not None} if isinstance(found, dict) else {}


def _digits(value: str) -> str:
    return "".join(c for c in value if c.isdigit())

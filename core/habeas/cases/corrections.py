"""Right values as people give them: checked at the edge, so that no vendor is sent what cannot be right."""

from __future__ import annotations

import re
from datetime import date

from habeas.cases.identifiers import check_identifier
from habeas.errors import InputError
from habeas.http.paths import unsafe_reason
from habeas.models import Field

__all__ = ["check_correction", "parse_correction"]

_LONGEST = 300
_COUNTRY = re.compile(r"[A-Z]{2}")


def parse_correction(text: str, today: date) -> tuple[Field, str]:
    """``FIELD=VALUE``. Raises :class:`InputError`, which never repeats the value."""
    name, equals, value = text.partition("=")
    if not equals or name not in tuple(Field):
        raise InputError("a correction is FIELD=VALUE", advice=f"fields: {', '.join(Field)}")
    return Field(name), check_correction(Field(name), value, today)


def check_correction(field: Field, value: str, today: date) -> str:
    """The value, or :class:`InputError` without it where it cannot be one of that field."""
    if field in (Field.EMAIL, Field.PHONE):
        return check_identifier(str(field), value).value
    reason = unsafe_reason(value) if value.strip() else "it is empty"
    if not reason and (value != value.strip() or not value.isprintable()):
        reason = "it begins or ends with a blank, or holds characters that cannot be printed"
    if not reason and len(value) > _LONGEST:
        reason = f"it is longer than {_LONGEST} characters"
    if not reason and field is Field.COUNTRY and not _COUNTRY.fullmatch(value):
        reason = "write the two capital letters of ISO 3166 (DE)"
    if not reason and field is Field.BIRTHDATE and not _is_birthdate(value, today):
        reason = "write a day that has been, as YYYY-MM-DD"
    if reason:
        raise InputError(f"the {field} given cannot be used: {reason}")
    return value


def _is_birthdate(value: str, today: date) -> bool:
    try:
        return len(value) == len("2000-01-31") and date.fromisoformat(value) <= today
    except ValueError:
        return False

"""Right values: what can be one is taken as it is, what cannot is refused without being repeated."""

from __future__ import annotations

from datetime import date

import pytest

from habeas.cases.corrections import parse_correction
from habeas.errors import InputError
from habeas.models import Field

TODAY = date(2026, 11, 21)

GOOD = {
    "email=ada@new.example": (Field.EMAIL, "ada@new.example"),
    "phone=+49 30 1234": (Field.PHONE, "+49 30 1234"),
    "name=Łukasz O'Brien": (Field.NAME, "Łukasz O'Brien"),
    "street=1 = 2 Street": (Field.STREET, "1 = 2 Street"),
    "birthdate=2026-11-21": (Field.BIRTHDATE, "2026-11-21"),
    "country=DE": (Field.COUNTRY, "DE"),
}
BAD = [
    ("nickname=secret", "FIELD=VALUE"),
    ("secret", "FIELD=VALUE"),
    ("email=secret", "email given cannot be used"),
    ("phone=secret", "phone given cannot be used"),
    ("name=", "it is empty"),
    ("name= ", "it is empty"),
    ("name= secret", "blank"),
    ("name=secret\u202e", "cannot be printed"),
    ("name=secret\n", "control characters"),
    ("city=" + "secret" * 60, "longer than 300"),
    ("country=Germany (secret)", "ISO 3166"),
    ("country=de", "ISO 3166"),
    ("birthdate=21.11.1990", "YYYY-MM-DD"),
    ("birthdate=19901121", "YYYY-MM-DD"),
    ("birthdate=1990-02-30", "YYYY-MM-DD"),
    ("birthdate=2026-11-22", "a day that has been"),
]


@pytest.mark.parametrize("text", GOOD)
def test_a_right_value_is_taken_as_it_is(text: str) -> None:
    assert parse_correction(text, TODAY) == GOOD[text]


@pytest.mark.parametrize(("text", "why"), BAD)
def test_what_cannot_be_right_is_refused_without_being_repeated(text: str, why: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_correction(text, TODAY)
    assert why in refused.value.line()
    assert "secret" not in refused.value.line()

"""Times as people give them."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from habeas.cases.moments import parse_day, parse_moment
from habeas.errors import InputError

NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("text", "zone", "instant"),
    [
        ("2026-11-20", BERLIN, "2026-11-19T23:00:00+00:00"),
        ("2026-07-20", BERLIN, "2026-07-19T22:00:00+00:00"),
        ("2026-11-20", "America/Los_Angeles", "2026-11-20T08:00:00+00:00"),
        ("2026-11-20", "UTC", "2026-11-20T00:00:00+00:00"),
        ("2026-11-20T09:30:00+01:00", "Asia/Tokyo", "2026-11-20T08:30:00+00:00"),
        ("2026-11-20T09:30Z", BERLIN, "2026-11-20T09:30:00+00:00"),
        ("2026-11-20 09:30:00-05:00", BERLIN, "2026-11-20T14:30:00+00:00"),
        ("2000-01-02", BERLIN, "2000-01-01T23:00:00+00:00"),
        ("2026-12-01", BERLIN, "2026-11-30T23:00:00+00:00"),
    ],
)
def test_a_day_is_its_first_instant_there_and_a_time_is_what_it_says(text: str, zone: str, instant: str) -> None:
    assert parse_moment(text, "--at", zone, NOW).isoformat() == instant


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not a date"),
        ("yesterday", "is not a date"),
        ("20.11.2026", "is not a date"),
        ("20261120", "is not a date"),
        ("2026-W47-5", "is not a date"),
        ("2026-02-30", "is not a date"),
        ("2026-11-20T25:00:00Z", "is not a date"),
        ("2026-11-20T09:30:00", "is a time without its offset; add Z or +01:00"),
        ("2026-12-03", "is in the future"),
        ("1999-12-31", "before the year 2000"),
        ("0001-01-01T00:00:00+14:00", "is out of range"),
        ("9999-12-31T23:59:59-12:00", "is out of range"),
        ("\u0662\u0660\u0662\u0666-11-20", "is not a date"),
    ],
)
def test_anything_else_is_refused_and_not_repeated(text: str, why: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_moment(text, "--told-at", BERLIN, NOW)
    line = caught.value.line()
    assert line.startswith("--told-at ")
    assert why in line
    assert not text or text not in line


def test_a_day_of_the_calendar() -> None:
    assert parse_day("2028-02-29", "--until") == date(2028, 2, 29)


@pytest.mark.parametrize("text", ["", "2027-02-29", "20280229", "2028-02-29T00:00:00Z", "ada@example.org"])
def test_no_day_of_the_calendar(text: str) -> None:
    with pytest.raises(InputError, match=r"^--until is not a day$"):
        parse_day(text, "--until")


@given(st.text(max_size=30))
def test_whatever_is_typed_it_is_a_time_or_a_line_without_it(text: str) -> None:
    try:
        parse_moment(text, "--at", BERLIN, NOW)
    except InputError as error:
        assert len(text) < 8 or text not in error.line()  # noqa: PT017 - any text that is refused

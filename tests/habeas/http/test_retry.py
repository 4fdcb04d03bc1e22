"""How long to wait: Retry-After in each form a vendor may send, and backoff."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from habeas.http.retry import LONGEST_WAIT, asked_to_wait, backoff, retry_after

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("1000000000", 1e9),
        ("9" * 400, 999_999_999_999.0),
        ("Sat, 21 Nov 2026 09:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 10:00:30 +0100", 30.0),
        ("Saturday, 21-Nov-26 09:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 09:00:30", 30.0),
        ("Sat, 21 Nov 2026 08:00:00 GMT", 0.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("1e3", None),
        ("٣", None),
        ("5, 10", None),
        ("Sat, 99 Nov 2026 09:00:30 GMT", None),
        ("Sat, 21 Nov 99999 09:00:30 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_nothing(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds


@given(st.text() | st.text("0123456789 :,+-GMTJanSunWed", max_size=40))
@example("Fri, 31 Dec 9999 23:59:59 -2359")
@example("Mon, 01 Jan 0001 00:00:00 +2359")
@example("Sat, 21 Nov 2026 09:00:30 +9999999999")
def test_no_header_breaks_it_and_none_asks_for_less_than_nothing(header: str) -> None:
    seconds = retry_after(header, NOW)
    assert seconds is None or (seconds >= 0 and math.isfinite(seconds))


@given(st.integers(0, 10**8))
def test_a_date_means_the_seconds_until_then(seconds: int) -> None:
    assert retry_after(format_datetime(NOW + timedelta(seconds=seconds), usegmt=True), NOW) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "7", "x-reset": "1795251690"}, 7.0),
        ({"x-reset": str(int(NOW.timestamp()) + 40)}, 40.0),
        ({"x-reset": str(int(NOW.timestamp()) - 40)}, 0.0),
        ({"x-reset": "soon", "retry-after": "soon"}, None),
        ({"x-reset": "9" * 400}, 999_999_999_999.0 - NOW.timestamp()),
        # The vendor's clock is a year behind, a year ahead: it asks for half a minute all the same.
        ({"date": "Fri, 21 Nov 2025 09:00:00 GMT", "retry-after": "Fri, 21 Nov 2025 09:00:30 GMT"}, 30.0),
        ({"date": "Sun, 21 Nov 2027 09:00:00 GMT", "retry-after": "Sun, 21 Nov 2027 09:00:30 GMT"}, 30.0),
        ({"date": "Sun, 21 Nov 2027 09:00:00 GMT", "x-reset": "1826787630"}, 30.0),
        ({"date": "now", "retry-after": "Sat, 21 Nov 2026 09:00:30 GMT"}, 30.0),
    ],
)
def test_instants_are_counted_from_the_vendors_own_clock(headers: dict[str, str], seconds: float | None) -> None:
    assert asked_to_wait(headers, NOW, "X-Reset") == seconds


@given(st.integers(1, 10**6), st.floats(0, 1, exclude_max=True))
def test_backoff_grows_up_to_its_cap_and_jitter_only_shortens_it(attempt: int, draw: float) -> None:
    assert 0 <= backoff(attempt, draw) <= min(LONGEST_WAIT, 0.5 * 2.0 ** min(attempt - 1, 10))
    assert backoff(attempt, draw) <= backoff(attempt + 1, draw)


def test_backoff_starts_at_half_a_second() -> None:
    assert [backoff(n, 0.999_999) for n in (1, 2, 3)] == pytest.approx([0.5, 1.0, 2.0], rel=1e-5)

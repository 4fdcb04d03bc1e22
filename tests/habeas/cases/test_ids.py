"""Names of cases and runs."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from habeas.cases.ids import case_id, run_id

QUICK = settings(deadline=None, max_examples=60)

MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive


@QUICK
@given(MOMENTS, st.integers(0, 2**40 - 1))
def test_a_name_is_a_letter_the_time_and_something_random(at: datetime, bits: int) -> None:
    assert re.fullmatch(r"c-[0-7][0-9A-HJKMNP-TV-Z]{17}", case_id(at, lambda _: bits))
    assert re.fullmatch(r"r-[0-7][0-9A-HJKMNP-TV-Z]{14}", run_id(at, lambda _: bits))
    assert run_id(at, lambda _: bits)[1:12] == case_id(at, lambda _: bits)[1:12]


@QUICK
@given(MOMENTS, st.integers(0, 2**40 - 1), st.integers(0, 2**40 - 1))
def test_names_sort_by_time(at: datetime, earlier: int, later: int) -> None:
    assert case_id(at, lambda _: earlier) < case_id(at + timedelta(milliseconds=2), lambda _: later)


def test_as_many_random_bits_are_asked_for_as_are_in_the_name() -> None:
    at = datetime(2026, 11, 21, tzinfo=UTC)
    for name, size in ((case_id, 40), (run_id, 25)):
        assert name(at, lambda asked: asked) == name(at, lambda _, size=size: size)  # type: ignore[misc]
        assert len({name(at, lambda _, bit=bit: 1 << bit) for bit in range(size)}) == size  # type: ignore[misc]


def test_the_time_of_the_published_ulid_example_is_spelt_alike() -> None:
    # github.com/ulid/spec: 01ARZ3NDEK TSV4RRFFQ69G5FAV is 1469922850259 ms and its 80 bits.
    at = datetime.fromtimestamp(1469922850.259, UTC)
    assert case_id(at, lambda _: 31) == "c-01ARZ3NDEK0000000Z"

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
@given(MOMENTS, st.integers(0, 2**80 - 1))
def test_a_name_is_a_letter_and_a_ulid(at: datetime, bits: int) -> None:
    assert re.fullmatch(r"c-[0-7][0-9A-HJKMNP-TV-Z]{25}", case_id(at, lambda _: bits))
    assert run_id(at, lambda _: bits)[1:] == case_id(at, lambda _: bits)[1:]


@QUICK
@given(MOMENTS, st.integers(0, 2**80 - 1), st.integers(0, 2**80 - 1))
def test_names_sort_by_time(at: datetime, earlier: int, later: int) -> None:
    assert case_id(at, lambda _: earlier) < case_id(at + timedelta(milliseconds=2), lambda _: later)


def test_eighty_random_bits_are_asked_for_and_all_are_in_the_name() -> None:
    at = datetime(2026, 11, 21, tzinfo=UTC)
    assert case_id(at, lambda asked: asked) == case_id(at, lambda _: 80)
    assert len({case_id(at, lambda _, bit=bit: 1 << bit) for bit in range(80)}) == 80  # type: ignore[misc]


def test_the_published_ulid_example_is_spelt_alike() -> None:
    # github.com/ulid/spec: 01ARZ3NDEK TSV4RRFFQ69G5FAV is 1469922850259 ms and its 80 bits.
    at = datetime.fromtimestamp(1469922850.259, UTC)
    bits = int.from_bytes(bytes.fromhex("d6764c61efb99302bd5b"), "big")
    assert case_id(at, lambda _: bits) == "c-01ARZ3NDEKTSV4RRFFQ69G5FAV"

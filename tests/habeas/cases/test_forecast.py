"""Which cases the vendors' limits will make late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from habeas.cases.forecast import READS, USUAL_CALLS, Capacity, forecast
from habeas.cases.quotas import Quota

NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)


def due_in(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_nothing_open_is_late() -> None:
    assert forecast([], {}, {"a": Capacity(1.0)}, NOW) == []


def test_what_is_due_first_is_done_first_and_of_the_same_day_the_oldest() -> None:
    cases = [("c-3", due_in(50)), ("c-2", due_in(10)), ("c-1", due_in(50))]
    assert [one.case_id for one in forecast(cases, {}, {"a": Capacity(1.0)}, NOW)] == ["c-2", "c-1", "c-3"]


def test_the_slowest_connection_decides() -> None:
    """Connections work side by side: 8 changing calls at 2 a second take longer than 4 at 100."""
    rates = {"fast": Capacity(100), "slow": Capacity(2)}
    (one,) = forecast([("c-1", due_in(1000))], {"fast": 4.0, "slow": 8.0}, rates, NOW)
    assert one.done_at == NOW + timedelta(seconds=8 * (1 + READS) / 2)


def test_where_nothing_is_known_yet_a_usual_case_is_assumed() -> None:
    (one,) = forecast([("c-1", due_in(1000))], {}, {"new": Capacity(2)}, NOW)
    assert one.done_at == NOW + timedelta(seconds=USUAL_CALLS / 2)


def test_late_is_what_ends_after_it_is_due_and_not_at_it() -> None:
    """Ten seconds a case: the first ends as it is due, the second a second late, the third was late before."""
    cases = [("c-0", due_in(-1)), ("c-1", due_in(20)), ("c-2", due_in(29))]
    found = forecast(cases, {}, {"a": Capacity(USUAL_CALLS / 10)}, NOW)
    assert [(one.case_id, one.late) for one in found] == [("c-0", True), ("c-1", False), ("c-2", True)]


def test_without_any_connection_nothing_takes_time() -> None:
    (one,) = forecast([("c-1", NOW)], {}, {}, NOW)
    assert (one.done_at, one.late) == (NOW, False)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.integers(-1000, 100_000), max_size=20), st.floats(0.01, 1000), st.floats(0.01, 1000), st.floats(0, 100)
)
def test_more_of_the_limit_never_makes_a_case_late(
    seconds: list[int], one: float, other: float, changes: float
) -> None:
    """Each case once; and with the higher limit none is late that was not so with the lower."""
    cases = [(f"c-{n:02}", due_in(second)) for n, second in enumerate(seconds)]
    slow = forecast(cases, {"a": changes}, {"a": Capacity(min(one, other))}, NOW)
    fast = forecast(cases, {"a": changes}, {"a": Capacity(max(one, other))}, NOW)
    assert sorted(found.case_id for found in slow) == [case for case, _ in cases]
    assert {f.case_id for f in fast if f.late} <= {f.case_id for f in slow if f.late}


# -- quotas -----------------------------------------------------------------------------------------------------------


def test_what_does_not_fit_into_a_day_s_quota_is_done_on_a_later_day() -> None:
    """Two cases of 20 calls fit today, five on each further day, which begins in the vendor's own time zone."""
    quota = Quota(100, "day", zone="America/New_York")
    cases = [(f"c-{n}", datetime(2026, 12, 2, 4, 0, tzinfo=UTC)) for n in range(9)]
    found = forecast(cases, {"a": 20 / (1 + READS)}, {"a": Capacity(20.0, [(quota, 50)])}, NOW)
    first, second, third = (datetime(2026, 11, 30, 9, 0, tzinfo=UTC) + timedelta(days=n, hours=-4) for n in range(3))
    ends = [NOW + timedelta(seconds=n) for n in (1, 2)]
    ends += [second + timedelta(seconds=n) for n in (0.5, 1.5, 2.5, 3.5, 4.5)]
    ends += [third + timedelta(seconds=n) for n in (0.5, 1.5)]
    assert [one.done_at for one in found] == ends
    assert [one.late for one in found] == [False] * 2 + [False] * 5 + [True] * 2
    assert first < NOW


def test_of_two_quotas_the_one_that_lasts_longer_decides() -> None:
    day, month = Quota(1000, "day"), Quota(30, "month", starts_on=15)
    (one,) = forecast([("c", NOW)], {"a": 10.0}, {"a": Capacity(10.0, [(day, 1000), (month, 0)])}, NOW)
    assert one.done_at == datetime(2027, 1, 15, 0, 0, 1, tzinfo=UTC)


def test_a_day_that_no_calendar_has_is_the_last_one() -> None:
    capacity = Capacity(1e-9, [(Quota(1, "day"), 0), (Quota(1, "month"), 0)])
    assert capacity.done_at(1e12, NOW).year == 9999

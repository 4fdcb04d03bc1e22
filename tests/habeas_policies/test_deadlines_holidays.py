"""Ends that move from weekends and public holidays, and days that are business days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habeas_policies import PolicyProblem, due, extend, holiday_calendar
from habeas_policies.calendars import WEEKENDS_ONLY

CODES = ["DE", "DE-BE", "DE-BY", "AT", "FR", "FR-57", "IE", "NL", "PL", "ES-MD", "SE"]
DAYS = st.dates(date(2016, 1, 1), date(2060, 12, 31))
RECEIVED = datetime(2026, 1, 1, 12, tzinfo=UTC)


def noon(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T12:00:00+00:00")


def last_day(regime: str, received: str, holidays: str) -> str:
    return due(regime, noon(received), "Europe/Berlin", holidays=holidays).last_day.isoformat()


@pytest.mark.parametrize(
    ("received", "holidays", "last"),
    [
        ("2026-03-05", "DE-BE", "2026-04-07"),  # Sunday 5 April, then Easter Monday
        ("2026-03-03", "DE-BE", "2026-04-07"),  # Good Friday, the weekend, Easter Monday: four days
        ("2026-03-17", "DE-BE", "2026-04-17"),  # a Friday stays
        ("2026-03-18", "DE-BE", "2026-04-20"),  # Saturday
        ("2026-04-01", "DE-BE", "2026-05-04"),  # Friday 1 May
        ("2026-04-14", "DE-BE", "2026-05-15"),  # Ascension Day, a Thursday
        ("2026-01-31", "DE-BE", "2026-03-02"),  # the 28th, because there is no 31st, is a Saturday
        ("2026-11-25", "DE-BE", "2026-12-28"),  # Christmas on Friday and Saturday
        ("2026-12-01", "DE-BE", "2027-01-04"),  # New Year's Day on a Friday
        ("2028-01-31", "DE-BE", "2028-02-29"),  # a leap day, and a Tuesday
        ("2027-02-08", "DE-BE", "2027-03-09"),  # 8 March is a holiday in Berlin,
        ("2027-02-08", "DE-BY", "2027-03-08"),  # not in Bavaria,
        ("2027-02-08", "DE", "2027-03-08"),  # and not in all of Germany
        ("2026-05-04", "DE-BE", "2026-06-04"),
        ("2026-05-04", "DE-BY", "2026-06-05"),  # Corpus Christi
        ("2026-09-26", "AT", "2026-10-27"),  # the national day, a Monday
        ("2026-09-26", "DE", "2026-10-26"),
        ("2026-06-14", "FR", "2026-07-15"),
        ("2026-03-27", "NL", "2026-04-28"),  # the King's birthday
    ],
)
def test_under_eu_law_an_end_moves_to_the_next_working_day_of_the_place(
    received: str, holidays: str, last: str
) -> None:
    """Reg. (EEC, Euratom) 1182/71 Art. 3(4). Counted with a paper calendar."""
    assert last_day("gdpr", received, holidays) == last
    assert last_day("gdpr", received, "") <= last


@pytest.mark.parametrize(
    ("received", "holidays", "last"),
    [
        ("2024-11-25", "GB-ENG", "2024-12-27"),  # the ICO's own example
        ("2024-01-01", "GB-ENG", "2024-02-01"),  # another one: receipt on a holiday changes nothing
        ("2026-01-31", "GB-ENG", "2026-03-02"),  # another one: a Saturday, so the next Monday
        ("2026-11-26", "GB-ENG", "2026-12-29"),  # Boxing Day is a Saturday, its substitute a Monday
        ("2026-07-31", "GB-ENG", "2026-09-01"),  # the summer bank holiday
        ("2026-07-31", "GB-SCT", "2026-08-31"),
        ("2026-07-31", "GB", "2026-08-31"),
        ("2026-06-13", "GB-NIR", "2026-07-14"),  # the substitute of 12 July, a Sunday
    ],
)
def test_under_uk_law_an_end_moves_past_bank_holidays(received: str, holidays: str, last: str) -> None:
    assert last_day("uk-gdpr", received, holidays) == last


@pytest.mark.parametrize("regime", ["ccpa", "ucpa", "lgpd", "quebec-law25", "fadp", "us-va"])
@pytest.mark.parametrize("holidays", ["US-CA", "US", "DE-BE", "CH"])
def test_other_laws_move_nothing(regime: str, holidays: str) -> None:
    for day in range(14):
        received = RECEIVED + timedelta(days=day)
        assert due(regime, received, "UTC", holidays=holidays).due == due(regime, received, "UTC").due


@pytest.mark.parametrize(("regime", "holidays"), [("gdpr", "GB-ENG"), ("gdpr", "NO"), ("uk-gdpr", "IE")])
def test_holidays_of_a_place_outside_the_law_move_nothing_and_this_is_said(regime: str, holidays: str) -> None:
    deadline = due(regime, noon("2026-01-31"), "UTC", holidays=holidays)
    assert (deadline.last_day, deadline.calendar, deadline.version) == (date(2026, 2, 28), "", 1)
    assert any(f"not moved: this rule leaves the end where it is, whatever the holidays of {holidays}" in line
               for line in deadline.explanation)  # fmt: skip


def test_the_day_to_plan_for_is_the_one_that_was_not_moved() -> None:
    deadline = due("gdpr", noon("2026-03-03"), "UTC", holidays="DE-BE")
    assert (deadline.target, deadline.last_day) == (date(2026, 4, 3), date(2026, 4, 7))


@pytest.mark.parametrize(
    ("received", "holidays", "by"),
    [
        ("2026-01-02", "", "2026-01-16"),  # Friday: two working weeks
        ("2026-01-03", "", "2026-01-16"),  # Saturday, Sunday: the same
        ("2026-01-04", "", "2026-01-16"),
        ("2026-01-05", "", "2026-01-19"),
        ("2026-01-09", "", "2026-01-23"),
        ("2026-01-09", "US-CA", "2026-01-26"),  # Martin Luther King Day
        ("2026-12-18", "", "2027-01-01"),
        ("2026-12-18", "US-CA", "2027-01-05"),  # Christmas and New Year's Day, both Fridays
        ("2026-12-18", "US", "2027-01-01"),  # not California's calendar: weekends only, which is stricter
        ("2026-12-18", "DE-BE", "2027-01-01"),
    ],
)
def test_california_wants_receipt_confirmed_within_ten_business_days(received: str, holidays: str, by: str) -> None:
    """11 CCR 7021(a)."""
    deadline = due("ccpa", noon(received), "America/Los_Angeles", holidays=holidays)
    assert deadline.acknowledge_by is not None
    assert deadline.acknowledge_by.isoformat() == f"{by}T23:59:59-08:00"


@pytest.mark.parametrize("regime", ["gdpr", "uk-gdpr", "ucpa", "lgpd", "fadp", "ccpa-opt-out"])
def test_nobody_else_asks_for_that(regime: str) -> None:
    assert due(regime, RECEIVED, "UTC").acknowledge_by is None


@pytest.mark.parametrize(
    ("received", "holidays", "last"),
    [("2026-01-02", "", "2026-01-23"), ("2026-01-02", "US-CA", "2026-01-26"), ("2026-01-03", "", "2026-01-23")],
)
def test_an_opt_out_in_california_has_fifteen_business_days(received: str, holidays: str, last: str) -> None:
    """11 CCR 7026."""
    assert last_day("ccpa-opt-out", received, holidays) == last


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("DEU", "holidays of 'DEU' are not known; write a country or region such as DE or DE-BE"),
        ("de-be", "holidays of 'de-be' are not known; write a country or region such as DE or DE-BE"),
        ("DE-", "holidays of 'DE-' are not known; write a country or region such as DE or DE-BE"),
        (
            "DE-BE\n",
            "holidays of (not shown: not a plain word) are not known; write a country or region such as DE or ",
        ),
        (
            "a@b.org",
            "holidays of (not shown: not a plain word) are not known; write a country or region such as DE or ",
        ),
        ("XX", "holidays of country 'XX' are not known; use its ISO 3166 code, such as DE or GB"),
        ("UK-ENG", "'UK' is not the ISO 3166 code of a country; write GB instead"),
        ("GB-LND", "holidays of region 'GB-LND' are not known; known regions of GB: ENG, NIR, SCT, WLS"),
        ("SE-AB", "holidays of region 'SE-AB' are not known; write SE alone"),
    ],
)
@pytest.mark.parametrize("regime", ["gdpr", "ccpa", "lgpd"])
def test_a_place_whose_holidays_are_not_known_is_refused_with_advice(regime: str, code: str, line: str) -> None:
    """Under every law, also one that moves nothing: it is a mistake in the configuration."""
    with pytest.raises(PolicyProblem) as raised:
        due(regime, RECEIVED, "UTC", holidays=code)
    assert raised.value.line().startswith(line)


@pytest.mark.parametrize("year", [1950, 2150, 9998])
def test_a_year_without_known_holidays_is_refused(year: int) -> None:
    """The library would say that it has none, and an end could stay on one."""
    received = datetime(year, 4, 1, 12, tzinfo=UTC)
    with pytest.raises(PolicyProblem) as raised:
        due("gdpr", received, "UTC", holidays="DE-BE")
    assert raised.value.message == f"holidays of DE-BE are not known for the year {year}"
    assert due("gdpr", received, "UTC").last_day == date(year, 5, 1)


def test_an_observed_holiday_in_the_year_before_is_known() -> None:
    """1 January 2022 was a Saturday, and was observed on Friday, 31 December 2021."""
    assert not holiday_calendar("US-CA").is_working_day(date(2021, 12, 31))
    assert WEEKENDS_ONLY.is_working_day(date(2021, 12, 31))


@settings(max_examples=200, deadline=None)
@given(day=DAYS, code=st.sampled_from(CODES))
def test_with_the_switch_on_an_end_is_never_on_a_weekend_or_holiday(day: date, code: str) -> None:
    """And it moves no further than it must: everything it passed was one."""
    received = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    calendar, deadline = holiday_calendar(code), due("gdpr", received, "UTC", holidays=code)
    extended = extend(deadline, received)
    for end, unmoved in ((deadline.last_day, deadline.target), (extended.last_day, deadline_target(received))):
        assert calendar.is_working_day(end)
        assert end >= unmoved
        passed = [unmoved + timedelta(days=n) for n in range((end - unmoved).days)]
        assert not any(calendar.is_working_day(between) for between in passed)


def deadline_target(received: datetime) -> date:
    """The end of the extension without any calendar."""
    return extend(due("gdpr", received, "UTC"), received).last_day


@settings(max_examples=200, deadline=None)
@given(day=DAYS, region=st.sampled_from(["DE-BE", "DE-BY", "DE-SN", "DE-SH"]))
def test_more_holidays_never_make_an_end_earlier(day: date, region: str) -> None:
    received = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    none, country, whole = (due("gdpr", received, "UTC", holidays=code).due for code in ("", "DE", region))
    assert none <= country <= whole <= none + timedelta(days=7)


@settings(max_examples=200, deadline=None)
@given(one=DAYS, two=DAYS, code=st.sampled_from(CODES))
def test_with_the_switch_on_who_asks_later_is_never_due_earlier(one: date, two: date, code: str) -> None:
    first, second = sorted((one, two))
    ends = [
        due("gdpr", datetime(day.year, day.month, day.day, tzinfo=UTC), "UTC", holidays=code).due
        for day in (first, second)
    ]
    assert ends == sorted(ends)


@settings(max_examples=100, deadline=None)
@given(day=DAYS, count=st.integers(1, 30), code=st.sampled_from(["US-CA", "DE-BE"]))
def test_as_many_working_days_are_passed_as_were_asked_for(day: date, count: int, code: str) -> None:
    calendar = holiday_calendar(code)
    end = calendar.after(day, count)
    between = [day + timedelta(days=n) for n in range(1, (end - day).days + 1)]
    assert sum(calendar.is_working_day(each) for each in between) == count
    assert calendar.is_working_day(end)
    assert WEEKENDS_ONLY.after(day, count) <= end

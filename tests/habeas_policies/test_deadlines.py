"""By when a request must be answered, where nothing is extended, paused or moved."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habeas_policies import PolicyProblem, due, regimes

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Africa/Cairo",
    "Australia/Lord_Howe",
]
MONTH = [regime for regime in regimes() if regime in ("gdpr", "uk-gdpr")]
KNOWN = (
    "ccpa, ccpa-opt-out, fadp, gdpr, lgpd, pipeda, quebec-law25, ucpa, uk-gdpr, us-co, us-ct, us-de, us-fl, us-ia, "
    "us-in, us-ky, us-md, us-mn, us-mt, us-ne, us-nh, us-nj, us-or, us-ri, us-tn, us-tx, us-va"
)
DAYS = {"ccpa": 45, "ucpa": 45, "lgpd": 15, "quebec-law25": 30, "fadp": 30}
INSTANTS = st.datetimes(datetime(2015, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive, values are not


def noon(day: str, zone: str = "Europe/Berlin") -> datetime:
    return datetime.combine(date.fromisoformat(day), time(12), tzinfo=ZoneInfo(zone))


def test_these_laws_have_a_deadline() -> None:
    assert regimes() == ("ccpa", "fadp", "gdpr", "lgpd", "quebec-law25", "ucpa", "uk-gdpr")
    assert ", ".join(regimes(every=True)) == KNOWN


@pytest.mark.parametrize("regime", MONTH)
@pytest.mark.parametrize(
    ("received", "last"),
    [
        ("2026-03-05", "2026-04-05"),
        ("2026-08-25", "2026-09-25"),
        ("2026-08-01", "2026-09-01"),
        ("2026-01-28", "2026-02-28"),
        ("2026-01-29", "2026-02-28"),
        ("2026-01-30", "2026-02-28"),
        ("2026-01-31", "2026-02-28"),
        ("2026-02-28", "2026-03-28"),
        ("2026-03-31", "2026-04-30"),
        ("2026-05-31", "2026-06-30"),
        ("2026-08-31", "2026-09-30"),
        ("2027-01-31", "2027-02-28"),
        ("2028-01-29", "2028-02-29"),
        ("2028-01-31", "2028-02-29"),
        ("2028-02-29", "2028-03-29"),
        ("2100-01-31", "2100-02-28"),
        ("2026-11-30", "2026-12-30"),
        ("2026-12-15", "2027-01-15"),
        ("2026-12-31", "2027-01-31"),
    ],
)
def test_a_month_ends_on_the_same_date_or_the_last_of_the_month(regime: str, received: str, last: str) -> None:
    assert due(regime, noon(received), "Europe/Berlin").due == datetime.combine(
        date.fromisoformat(last), time(23, 59, 59), tzinfo=ZoneInfo("Europe/Berlin")
    )


@pytest.mark.parametrize(
    ("regime", "received", "last"),
    [
        ("ccpa", "2026-01-01", "2026-02-15"),
        ("ccpa", "2028-01-31", "2028-03-16"),
        ("ucpa", "2026-12-31", "2027-02-14"),
        ("lgpd", "2026-02-20", "2026-03-07"),
        ("quebec-law25", "2026-01-31", "2026-03-02"),
        ("fadp", "2028-02-01", "2028-03-02"),
    ],
)
def test_calendar_days_run_through_months_and_weekends(regime: str, received: str, last: str) -> None:
    assert due(regime, noon(received), "Europe/Berlin").due.date() == date.fromisoformat(last)


def test_a_last_day_on_a_saturday_or_a_holiday_is_not_moved() -> None:
    assert due("gdpr", noon("2026-03-18"), "Europe/Berlin").due.strftime("%A %F") == "Saturday 2026-04-18"
    assert due("gdpr", noon("2026-11-25"), "Europe/Berlin").due.date() == date(2026, 12, 25)


@pytest.mark.parametrize(
    ("received", "zone", "ends"),
    [
        ("2026-03-05T23:30:00+00:00", "Europe/Berlin", "2026-04-06T23:59:59+02:00"),  # already the 6th in Berlin
        ("2026-03-05T22:30:00+00:00", "Europe/Berlin", "2026-04-05T23:59:59+02:00"),  # received in winter time
        ("2026-09-30T12:00:00+02:00", "Europe/Berlin", "2026-10-30T23:59:59+01:00"),  # received in summer time
        ("2026-02-08T12:00:00-05:00", "America/New_York", "2026-03-08T23:59:59-04:00"),  # on the day clocks change
        ("2026-03-05T12:00:00+00:00", "Pacific/Kiritimati", "2026-04-06T23:59:59+14:00"),
        ("2026-03-05T12:00:00+00:00", "Asia/Kathmandu", "2026-04-05T23:59:59+05:45"),
        ("2026-09-29T12:00:00+03:00", "Africa/Cairo", "2026-10-29T23:59:59+02:00"),  # 23:59:59 comes twice: the second
        ("2011-11-30T12:00:00-10:00", "Pacific/Apia", "2011-12-30T23:59:59+14:00"),  # a day that never was: before it
    ],
)
def test_the_day_ends_where_the_controller_is(received: str, zone: str, ends: str) -> None:
    assert due("gdpr", datetime.fromisoformat(received), zone).due.isoformat() == ends


@settings(max_examples=200, deadline=None)
@given(one=INSTANTS, two=INSTANTS, zone=st.sampled_from(ZONES), regime=st.sampled_from(regimes()))
def test_who_asks_later_is_never_due_earlier(one: datetime, two: datetime, zone: str, regime: str) -> None:
    first, second = sorted((one, two))
    assert due(regime, first, zone).due.astimezone(UTC) <= due(regime, second, zone).due.astimezone(UTC)


@settings(max_examples=200, deadline=None)
@given(received=INSTANTS, zone=st.sampled_from(ZONES), regime=st.sampled_from(regimes()))
def test_a_deadline_is_the_last_second_of_a_local_day(received: datetime, zone: str, regime: str) -> None:
    deadline = due(regime, received, zone)
    day, last = received.astimezone(ZoneInfo(zone)).date(), deadline.due.date()
    assert deadline.due.tzinfo == ZoneInfo(zone)
    assert deadline.due.time() == time(23, 59, 59)
    if regime in DAYS:
        assert last == day + timedelta(days=DAYS[regime])
    else:
        length = calendar.monthrange(last.year, last.month)[1]
        assert (last.year * 12 + last.month) - (day.year * 12 + day.month) == 1
        assert last.day == min(day.day, length)


@settings(max_examples=50, deadline=None)
@given(received=INSTANTS, offset=st.sampled_from(ZONES), regime=st.sampled_from(regimes()))
def test_how_the_instant_was_written_makes_no_difference(received: datetime, offset: str, regime: str) -> None:
    elsewhere = received.astimezone(ZoneInfo(offset))
    assert due(regime, received, "Europe/Berlin") == due(regime, elsewhere, "Europe/Berlin")


def test_a_deadline_names_its_rule_and_the_version_of_the_table() -> None:
    deadline = due("gdpr", noon("2026-03-05"), "Europe/Berlin")
    assert deadline.rule == "P1M from receipt, GDPR Art. 12(3), counted by Reg. (EEC, Euratom) 1182/71 Art. 3"
    assert deadline.version == 1


@pytest.mark.parametrize(
    ("regime", "received", "zone", "line"),
    [
        (
            "mars",
            noon("2026-03-05"),
            "UTC",
            f"there is no deadline for regime 'mars'; known: {KNOWN}",
        ),
        (
            "ada@example.org",
            noon("2026-03-05"),
            "UTC",
            f"there is no deadline for regime (not shown: not a plain word); known: {KNOWN}",
        ),
        (
            "gdpr",
            noon("2026-03-05").replace(tzinfo=None),
            "UTC",
            "the time of receipt has no UTC offset; write it like 2026-03-05T09:14:00+01:00",
        ),
        *(
            (
                "gdpr",
                noon("2026-03-05"),
                zone,
                f"time zone {shown} is not known; use an IANA name such as Europe/Berlin",
            )
            for zone, shown in [
                ("Europe/Berln", "'Europe/Berln'"),
                ("Europe", "'Europe'"),
                ("/etc/passwd", "'/etc/passwd'"),
                ("../../etc/passwd", "'../../etc/passwd'"),
                ("", "(not shown: not a plain word)"),
                ("a\x00b", "(not shown: not a plain word)"),
            ]
        ),
        (
            "gdpr",
            datetime.max.replace(tzinfo=UTC),
            "Pacific/Apia",
            "the time of receipt is beyond the calendar; check its year",
        ),
        (
            "gdpr",
            datetime.max.replace(tzinfo=UTC),
            "UTC",
            "the time of receipt is beyond the calendar; check its year",
        ),
        (  # the last day would be the last of all, and its end in New York is in the year 10000 in UTC
            "lgpd",
            datetime(9999, 12, 16, 12, tzinfo=UTC),
            "America/New_York",
            "the time of receipt is beyond the calendar; check its year",
        ),
        (
            "gdpr",
            datetime.min.replace(tzinfo=UTC),
            "America/New_York",
            "the time of receipt is beyond the calendar; check its year",
        ),
    ],
)
def test_what_cannot_be_counted_is_refused(regime: str, received: datetime, zone: str, line: str) -> None:
    with pytest.raises(PolicyProblem) as raised:
        due(regime, received, zone)
    assert raised.value.line() == line

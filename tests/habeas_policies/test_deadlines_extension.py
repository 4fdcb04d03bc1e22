"""How far a period is extended, by when the person must know, and when it cannot be."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habeas_policies import PolicyProblem, due, extend, regimes
from habeas_policies.rules import pick

EXTENDABLE = [name for name in regimes(every=True) if (rule := pick(name, None, "").extension) and rule.total]
INSTANTS = st.datetimes(datetime(2015, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive, values are not


def noon(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T12:00:00+00:00")


@pytest.mark.parametrize(
    ("regime", "received", "latest", "target"),
    [
        ("gdpr", "2026-03-05", "2026-06-05", "2026-06-05"),
        ("gdpr", "2026-01-31", "2026-04-30", "2026-04-28"),  # three months from receipt; one, then two, is earlier
        ("gdpr", "2026-08-31", "2026-11-30", "2026-11-30"),
        ("gdpr", "2026-11-30", "2027-02-28", "2027-02-28"),
        ("gdpr", "2027-11-30", "2028-02-29", "2028-02-29"),
        ("gdpr", "2027-11-29", "2028-02-29", "2028-02-29"),
        ("gdpr", "2028-02-29", "2028-05-29", "2028-05-29"),
        ("uk-gdpr", "2026-01-31", "2026-04-30", "2026-04-28"),
        ("ccpa", "2026-01-01", "2026-04-01", "2026-04-01"),  # ninety days
        ("ccpa", "2028-01-01", "2028-03-31", "2028-03-31"),
        ("ucpa", "2026-12-31", "2027-03-31", "2027-03-31"),
    ],
)
def test_an_extension_is_counted_from_receipt(regime: str, received: str, latest: str, target: str) -> None:
    first = due(regime, noon(received), "UTC")
    assert first.extension is not None
    extended = extend(first, noon(received))
    assert extended.due == first.extension.latest
    assert (extended.last_day, extended.target) == (date.fromisoformat(latest), date.fromisoformat(target))
    assert (extended.extended, extended.extension, first.extended) == (True, None, False)
    assert (extended.rule_id, extended.received) == (first.rule_id, first.received)
    assert extended.steps[:-1] == first.steps


@pytest.mark.parametrize(
    ("received", "first", "latest"),
    [
        ("2026-01-31", "2026-03-02", "2026-04-30"),  # the first end moved; the second is counted from receipt
        ("2026-01-25", "2026-02-25", "2026-04-27"),  # the second end moves, from a Saturday
        ("2026-09-26", "2026-10-26", "2026-12-28"),  # 26 December is a Saturday and a holiday
    ],
)
def test_an_end_moves_once_and_never_on_the_way(received: str, first: str, latest: str) -> None:
    deadline = due("gdpr", noon(received), "UTC", holidays="DE-BE")
    extended = extend(deadline, noon(received))
    assert (deadline.last_day.isoformat(), extended.last_day.isoformat()) == (first, latest)


@pytest.mark.parametrize(
    ("notice", "in_time"),
    [
        ("2026-02-28T22:59:59.999999+00:00", True),  # the last moment of the day in Berlin
        ("2026-02-28T23:00:00+00:00", False),
        ("2026-02-28T23:59:59.999999+01:00", True),
        ("2026-03-02T12:00:00+00:00", False),
    ],
)
def test_the_person_must_know_within_the_first_period(notice: str, in_time: bool) -> None:
    deadline = due("gdpr", noon("2026-01-31"), "Europe/Berlin")
    assert deadline.extension is not None
    assert deadline.extension.notice_by.isoformat() == "2026-02-28T23:59:59+01:00"
    if in_time:
        assert extend(deadline, datetime.fromisoformat(notice)).extended
    else:
        with pytest.raises(PolicyProblem) as raised:
            extend(deadline, datetime.fromisoformat(notice))
        assert raised.value.line() == (
            "the person was told too late that the period is extended; "
            "that had to be done by 2026-02-28; answer at once"
        )


def test_with_holidays_the_notice_has_as_long_as_the_first_period() -> None:
    """It is the same month: GDPR Art. 12(3), Reg. (EEC, Euratom) 1182/71 Art. 3(4)."""
    deadline = due("gdpr", noon("2026-01-31"), "Europe/Berlin", holidays="DE-BE")
    assert extend(deadline, noon("2026-03-02")).extended
    with pytest.raises(PolicyProblem, match="too late"):
        extend(deadline, noon("2026-03-03"))


@pytest.mark.parametrize("regime", ["lgpd", "quebec-law25", "ccpa-opt-out"])
def test_some_laws_have_no_extension(regime: str) -> None:
    deadline = due(regime, noon("2026-01-01"), "UTC")
    assert deadline.extension is None
    with pytest.raises(PolicyProblem) as raised:
        extend(deadline, noon("2026-01-02"))
    assert raised.value.line() == f"{regime} has no extension; answer by {deadline.last_day}"


@pytest.mark.parametrize("regime", EXTENDABLE)
def test_nothing_is_extended_twice(regime: str) -> None:
    extended = extend(due(regime, noon("2026-01-01"), "UTC"), noon("2026-01-02"))
    with pytest.raises(PolicyProblem, match="the period was extended already"):
        extend(extended, noon("2026-01-03"))


def test_the_longest_extension_can_be_announced_as_a_day() -> None:
    first = due("gdpr", noon("2026-01-31"), "UTC")
    assert extend(first, noon("2026-02-10"), until=date(2026, 4, 30)).due == extend(first, noon("2026-02-10")).due


def test_an_earlier_day_can_be_announced() -> None:
    extended = extend(due("gdpr", noon("2026-01-31"), "UTC"), noon("2026-02-10"), until=date(2026, 3, 31))
    assert (extended.last_day, extended.target) == (date(2026, 3, 31), date(2026, 3, 31))
    assert extended.explanation[-1] == ("extended to the day that was announced: Tuesday 2026-03-31 [GDPR Art. 12(3)]")


@pytest.mark.parametrize(
    ("until", "line"),
    [
        ("2026-02-28", "an extension ends after the first period; name a day after 2026-02-28"),
        ("2026-05-01", "the law does not allow to extend that far; the last day is 2026-04-30"),
    ],
)
def test_a_day_that_an_extension_does_not_reach_is_refused(until: str, line: str) -> None:
    with pytest.raises(PolicyProblem) as raised:
        extend(due("gdpr", noon("2026-01-31"), "UTC"), noon("2026-02-10"), until=date.fromisoformat(until))
    assert raised.value.line() == line


def test_in_switzerland_the_controller_announces_the_day() -> None:
    """DPO Art. 18: told within the 30 days; no length is fixed."""
    deadline = due("fadp", noon("2026-01-01"), "Europe/Zurich")
    assert deadline.extension is not None
    assert (deadline.extension.latest, deadline.extension.last_day, deadline.extension.target) == (None, None, None)
    with pytest.raises(PolicyProblem, match="fadp fixes no length of an extension"):
        extend(deadline, noon("2026-01-20"))
    extended = extend(deadline, noon("2026-01-31"), until=date(2026, 8, 1))
    assert (extended.last_day, extended.target) == (date(2026, 8, 1), date(2026, 8, 1))
    with pytest.raises(PolicyProblem, match="too late"):
        extend(deadline, noon("2026-02-01"), until=date(2026, 8, 1))


@pytest.mark.parametrize(
    ("notice", "line"),
    [
        (datetime(2026, 1, 2), "the time of the notice has no UTC offset"),  # noqa: DTZ001 - that is the mistake
        (datetime(2025, 12, 31, tzinfo=UTC), "the notice was given before the request came"),
    ],
)
def test_a_notice_that_cannot_be_is_refused(notice: datetime, line: str) -> None:
    with pytest.raises(PolicyProblem) as raised:
        extend(due("gdpr", noon("2026-01-01"), "UTC"), notice)
    assert raised.value.message == line


@settings(max_examples=200, deadline=None)
@given(
    received=INSTANTS, regime=st.sampled_from(EXTENDABLE), holidays=st.sampled_from(["", "DE-BE", "GB-SCT", "US-CA"])
)
def test_an_extension_is_later_and_its_target_not_after_its_end(received: datetime, regime: str, holidays: str) -> None:
    first = due(regime, received, "Europe/Berlin", holidays=holidays)
    extended = extend(first, received)
    assert extended.due > first.due
    assert first.target < extended.target <= extended.last_day
    assert extended.target - first.target >= timedelta(days=15)


@settings(max_examples=200, deadline=None)
@given(one=INSTANTS, two=INSTANTS, regime=st.sampled_from(EXTENDABLE))
def test_who_asks_later_is_never_extended_to_an_earlier_day(one: datetime, two: datetime, regime: str) -> None:
    first, second = sorted((one, two))
    ends = [extend(due(regime, received, "UTC"), received) for received in (first, second)]
    assert ends[0].due <= ends[1].due
    assert ends[0].target <= ends[1].target

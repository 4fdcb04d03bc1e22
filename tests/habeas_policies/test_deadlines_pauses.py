"""The stopped clock."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habeas_policies import Pause, PauseReason, PolicyProblem, due, extend

RECEIVED = "2026-03-05"
"""Without a pause the answer is due on 5 April."""


def noon(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T12:00:00+00:00")


def waits(*pairs: tuple[str, str], reason: PauseReason = "clarification") -> list[Pause]:
    return [Pause(noon(f"2026-{asked}"), noon(f"2026-{answered}"), reason) for asked, answered in pairs]


def last_day(pauses: list[Pause], regime: str = "uk-gdpr") -> str:
    return due(regime, noon(RECEIVED), "Europe/London", pauses=pauses).last_day.isoformat()


@pytest.mark.parametrize(
    ("pairs", "last"),
    [
        ([], "2026-04-05"),
        ([("03-16", "03-20")], "2026-04-10"),  # 16, 17, 18, 19, 20: five days are not counted
        ([("03-16", "03-16")], "2026-04-06"),  # asked and answered on one day: that day
        ([("03-05", "03-09")], "2026-04-09"),  # the day of receipt is not counted anyway: 6, 7, 8, 9
        ([("03-05", "03-05")], "2026-04-05"),
        ([("03-16", "03-20"), ("03-18", "03-22")], "2026-04-12"),  # 16 to 22: no day twice
        ([("03-16", "03-18"), ("03-18", "03-20")], "2026-04-10"),
        ([("03-16", "03-18"), ("03-25", "03-26")], "2026-04-10"),
        ([("03-16", "03-30"), ("03-18", "03-20")], "2026-04-20"),  # one within the other
        ([("04-05", "04-08")], "2026-04-09"),  # asked on the last day: 5, 6, 7, 8
        ([("04-06", "04-08")], "2026-04-05"),  # asked when the period was over
        ([("03-16", "03-20"), ("04-08", "04-09")], "2026-04-12"),  # not over, because of the first
    ],
)
def test_in_the_uk_days_of_waiting_for_a_clarification_are_not_counted(pairs: list[tuple[str, str]], last: str) -> None:
    """UK GDPR Art. 12A: from the day of the question to the day of the answer, both included."""
    assert last_day(waits(*pairs)) == last


@pytest.mark.parametrize("reason", ["identity", "fee"])
@pytest.mark.parametrize(
    ("pairs", "last"),
    [
        ([("03-06", "03-10")], "2026-04-10"),
        ([("03-05", "03-31")], "2026-04-30"),  # there is no 31 April
        ([("03-06", "03-10"), ("03-07", "03-20")], "2026-04-20"),  # the latest counts
        ([("03-07", "03-20"), ("03-08", "03-10")], "2026-04-20"),
        ([("04-06", "04-20")], "2026-04-05"),  # asked when the month was over
    ],
)
def test_in_the_uk_the_month_is_counted_from_identity_or_fee(
    reason: PauseReason, pairs: list[tuple[str, str]], last: str
) -> None:
    """UK GDPR Art. 12A: the relevant time is the latest of receipt, information on identity, and fee."""
    assert last_day(waits(*pairs, reason=reason)) == last


@pytest.mark.parametrize(
    ("clarification", "last"),
    [
        (("03-06", "03-08"), "2026-04-10"),  # over before the clock started: nothing to skip
        (("03-08", "03-12"), "2026-04-12"),  # 11 and 12
        (("03-16", "03-20"), "2026-04-15"),
    ],
)
def test_both_can_come_together(clarification: tuple[str, str], last: str) -> None:
    pauses = [*waits(("03-06", "03-10"), reason="identity"), *waits(clarification)]
    assert last_day(pauses) == last_day(pauses[::-1]) == last


def test_a_pause_after_the_first_period_still_counts_in_the_extended_one() -> None:
    first = due("uk-gdpr", noon(RECEIVED), "UTC", pauses=waits(("04-06", "04-10")))
    assert first.last_day == date(2026, 4, 5)
    assert "waiting from 2026-04-06 on changes nothing: the period was over" in first.explanation[2]
    extended = extend(first, noon("2026-04-01"))
    assert (extended.last_day, extended.target) == (date(2026, 6, 10), date(2026, 6, 5))


def test_a_pause_gives_the_notice_of_an_extension_more_time() -> None:
    deadline = due("uk-gdpr", noon(RECEIVED), "Europe/London", pauses=waits(("03-16", "03-20")))
    extended = extend(deadline, noon("2026-04-10"))
    assert extended.last_day == date(2026, 6, 10)
    with pytest.raises(PolicyProblem, match="too late"):
        extend(deadline, noon("2026-04-11"))


def test_an_end_moves_after_the_pauses_were_counted() -> None:
    """5 April, and six days: Saturday, 11 April."""
    deadline = due("uk-gdpr", noon(RECEIVED), "UTC", holidays="GB-ENG", pauses=waits(("03-16", "03-21")))
    assert (deadline.target, deadline.last_day) == (date(2026, 4, 11), date(2026, 4, 13))


@pytest.mark.parametrize(
    ("as_of", "last"),
    [(None, "2026-04-06"), ("2026-03-16", "2026-04-06"), ("2026-03-18", "2026-04-08"), ("2026-05-16", "2026-06-06")],
)
def test_while_there_is_no_answer_the_date_is_the_earliest_it_can_be(as_of: str | None, last: str) -> None:
    pause = Pause(noon("2026-03-16"), None, "clarification")
    until = noon(as_of) if as_of else None
    deadline = due("uk-gdpr", noon(RECEIVED), "UTC", pauses=[pause], as_of=until)
    assert (deadline.stopped, deadline.last_day.isoformat()) == (True, last)
    assert "a clarification of the request is still waited for" in deadline.explanation[1]
    closed = due("uk-gdpr", noon(RECEIVED), "UTC", pauses=[Pause(pause.start, until or pause.start, pause.reason)])
    assert (closed.stopped, closed.last_day) == (False, deadline.last_day)


def test_the_uk_clock_stops_from_the_day_its_law_was_in_force() -> None:
    """5 February 2026, in the controller's time zone."""
    pauses = waits(("02-10", "02-11"))
    assert due("uk-gdpr", noon("2026-02-05"), "UTC", pauses=pauses).last_day == date(2026, 3, 7)


def test_days_are_those_of_the_controller() -> None:
    """Asked and answered within half an hour, around midnight in London in summer."""
    pause = Pause(
        datetime.fromisoformat("2026-06-16T22:45:00+00:00"), datetime.fromisoformat("2026-06-16T23:15:00+00:00"),
        "clarification",
    )  # fmt: skip
    received = noon("2026-06-05")
    assert due("uk-gdpr", received, "Europe/London", pauses=[pause]).last_day == date(2026, 7, 7)
    assert due("uk-gdpr", received, "UTC", pauses=[pause]).last_day == date(2026, 7, 6)


@pytest.mark.parametrize(
    ("pairs", "last"),
    [([("03-06", "03-10")], "2026-04-09"), ([("03-06", "03-28")], "2026-04-15")],  # the 16th at the latest
)
def test_in_switzerland_a_share_of_the_costs_shifts_the_start_by_ten_days_at_most(
    pairs: list[tuple[str, str]], last: str
) -> None:
    """DPO Art. 19."""
    assert last_day(waits(*pairs, reason="fee"), "fadp") == last


def pause(start: str, end: str, reason: str = "clarification") -> Pause:
    return Pause(datetime.fromisoformat(start), datetime.fromisoformat(end), reason)  # type: ignore[arg-type] # some are wrong


GOOD = pause("2026-03-16T12:00+00:00", "2026-03-20T12:00+00:00")


@pytest.mark.parametrize(
    ("regime", "received", "wrong", "line"),
    [
        *(
            (
                regime, RECEIVED, GOOD,
                f"the clock of {regime} is not stopped for a pause; answer in time, or extend the period",
            )
            for regime in ("gdpr", "ccpa", "ucpa", "lgpd", "quebec-law25", "us-va")
        ),
        (
            "uk-gdpr", "2026-02-04", GOOD,
            (
                "the clock of uk-gdpr is stopped only for requests received from 2026-02-05 on; "
                "answer in time, or extend the period"
            ),
        ),
        ("fadp", RECEIVED, GOOD, "the clock of fadp is not stopped for 'clarification'; known: fee"),
        (
            "uk-gdpr", RECEIVED, pause("2026-03-16T12:00+00:00", "2026-03-20T12:00+00:00", "a b"),
            (
                "the clock of uk-gdpr is not stopped for (not shown: not a plain word); "
                "known: clarification, fee, identity"
            ),
        ),
        (
            "uk-gdpr", RECEIVED, pause("2026-03-05T11:59:59+00:00", "2026-03-20T12:00+00:00"),
            "a pause begins before receipt; check when the question went out",
        ),
        (
            "uk-gdpr", RECEIVED, pause("2026-03-16T12:00+00:00", "2026-03-16T12:59+01:00"),
            "a pause ends before it begins; check when the answer came",
        ),
        (
            "uk-gdpr", RECEIVED, pause("2026-03-16T12:00", "2026-03-20T12:00+00:00"),
            "the start of a pause has no UTC offset; write it like 2026-03-05T09:14:00+01:00",
        ),
        (
            "uk-gdpr", RECEIVED, pause("2026-03-16T12:00+00:00", "2026-03-20T12:00"),
            "the end of a pause has no UTC offset; write it like 2026-03-05T09:14:00+01:00",
        ),
        (
            "uk-gdpr", RECEIVED, pause("2026-03-16T12:00+00:00", "9999-12-30T12:00+00:00"),
            "the end of a pause is beyond the calendar; check its year",
        ),
    ],
)  # fmt: skip
def test_a_pause_that_the_law_does_not_have_or_that_cannot_be_is_refused(
    regime: str, received: str, wrong: Pause, line: str
) -> None:
    with pytest.raises(PolicyProblem) as raised:
        due(regime, noon(received), "UTC", pauses=[wrong])
    assert raised.value.line() == line


REASONS: list[PauseReason] = ["identity", "fee", "clarification"]
HOURS = st.integers(0, 24 * 90)


@st.composite
def some_pauses(draw: st.DrawFn, reasons: list[PauseReason] = REASONS) -> list[Pause]:
    pairs = draw(st.lists(st.tuples(HOURS, HOURS, st.sampled_from(reasons)), max_size=5))
    start = noon(RECEIVED)
    return [
        Pause(start + timedelta(hours=min(a, b)), start + timedelta(hours=max(a, b)), reason) for a, b, reason in pairs
    ]


@settings(max_examples=300, deadline=None)
@given(pauses=some_pauses(), holidays=st.sampled_from(["", "GB-ENG"]), seed=st.integers())
def test_pauses_only_move_an_end_later_and_their_order_makes_no_difference(
    pauses: list[Pause], holidays: str, seed: int
) -> None:
    without = due("uk-gdpr", noon(RECEIVED), "Europe/London", holidays=holidays)
    paused = due("uk-gdpr", noon(RECEIVED), "Europe/London", holidays=holidays, pauses=pauses)
    assert paused.due >= without.due
    assert extend(paused, noon(RECEIVED)).due >= extend(without, noon(RECEIVED)).due
    shuffled = random.Random(seed).sample(pauses, len(pauses))
    assert due("uk-gdpr", noon(RECEIVED), "Europe/London", holidays=holidays, pauses=shuffled).due == paused.due


@settings(max_examples=300, deadline=None)
@given(pauses=some_pauses(["clarification"]), more=some_pauses(["clarification"]))
def test_more_waiting_for_a_clarification_is_never_an_earlier_end(pauses: list[Pause], more: list[Pause]) -> None:
    fewer, all_of_them = (due("uk-gdpr", noon(RECEIVED), "UTC", pauses=some) for some in (pauses, pauses + more))
    assert fewer.due <= all_of_them.due


@settings(max_examples=200, deadline=None)
@given(asked=st.integers(0, 31 * 24), lasts=HOURS, cut=HOURS)
def test_a_pause_in_two_pieces_is_as_long_as_the_whole(asked: int, lasts: int, cut: int) -> None:
    start = noon(RECEIVED) + timedelta(hours=asked)
    end, middle = start + timedelta(hours=lasts), start + timedelta(hours=min(cut, lasts))
    whole = due("uk-gdpr", noon(RECEIVED), "UTC", pauses=[Pause(start, end, "clarification")])
    pieces = [Pause(start, middle, "clarification"), Pause(middle, end, "clarification")]
    assert due("uk-gdpr", noon(RECEIVED), "UTC", pauses=pieces).due == whole.due


@settings(max_examples=200, deadline=None)
@given(asked=st.integers(1, 31), lasts=st.integers(0, 90))
def test_a_single_wait_adds_its_days(asked: int, lasts: int) -> None:
    start = noon(RECEIVED) + timedelta(days=asked)
    pauses = [Pause(start, start + timedelta(days=lasts), "clarification")]
    assert due("uk-gdpr", noon(RECEIVED), "UTC", pauses=pauses).last_day == date(2026, 4, 6) + timedelta(days=lasts)


def test_how_the_instants_were_written_makes_no_difference() -> None:
    zone = datetime.now(UTC).astimezone().tzinfo
    moved = Pause(GOOD.start.astimezone(zone), (GOOD.end or GOOD.start).astimezone(zone), GOOD.reason)
    assert due("uk-gdpr", noon(RECEIVED), "UTC", pauses=[moved]) == due("uk-gdpr", noon(RECEIVED), "UTC", pauses=[GOOD])

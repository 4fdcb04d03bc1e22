"""When a case's key may go and when erased people are looked up again: hand-made tables, and laws for all the rest."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from habeas.cases.retention import RECHECK, DetailsEnd, details_end, due_rechecks, epoch_end, last_day, recheck_periods
from habeas.cases.view import CaseView, OutcomeRow, Recheck
from habeas.models import CaseStatus, CaseType, Result
from habeas_policies import After, Period

BERLIN = "Europe/Berlin"
BASIS = "https://w3id.org/dpv/legal/eu/gdpr#A6-1-c"
P = Period.parse
KEEP = P("P90D")


def row(result: Result = Result.ERASED, until: str = "", basis: str = "") -> OutcomeRow:
    return OutcomeRow("shop", "vendor", "customer", "0", 1, result, "", until, "", 9, legal_basis=basis)


def hold(until: str = "", basis: str = BASIS) -> OutcomeRow:
    return row(Result.RETAINED, until, basis)


def recheck(*periods: str, back: tuple[str, ...] = (), unread: tuple[str, ...] = ()) -> Recheck:
    return Recheck("2026-12-01T00:00:00Z", periods, back, unread)


def case(
    *outcomes: OutcomeRow, closed: str = "2026-11-21T09:00:00Z", type_: CaseType = CaseType.ERASURE,
    status: CaseStatus = CaseStatus.COMPLETED, rechecks: tuple[Recheck, ...] = (), queued: tuple[str, ...] = (),
) -> CaseView:  # fmt: skip
    return CaseView(
        "c-1", "r-1", type_, "gdpr", "2026-11-20T09:00:00Z", "2026-12-21T09:00:00Z", "gdpr-erasure", "sha256:00", 1,
        status, True, "", "", outcomes or (row(),), closed_at=closed, rechecks=rechecks,
        holds=tuple(("shop", day) for day in queued),
    )  # fmt: skip


ALL_MADE = (recheck("P7D", "P30D"),)

# -- the end of a case's key ------------------------------------------------------------------------------------------

ENDS = [
    ("ninety days after", case(rechecks=ALL_MADE), After(), "2027-02-19", "kept for P90D"),
    ("as the policy says", case(rechecks=ALL_MADE), After(keep_details=P("P1M")), "2026-12-21", "kept for P1M"),
    ("at once", case(), After((), P("P0D")), "2026-11-21", "kept for P0D"),
    ("weeks are days", case(), After((), P("P2W")), "2026-12-05", "kept for P14D"),
    ("a month's last day", case(closed="2027-01-31T09:00:00Z"), After((), P("P1M")), "2027-02-28", "kept for P1M"),
    ("a leap year's", case(closed="2028-01-31T09:00:00Z"), After((), P("P1M")), "2028-02-29", "kept for P1M"),
    ("the day is the controller's", case(closed="2026-11-21T23:30:00Z"), After((), P("P1D")), "2026-11-23", "kept"),
    ("longer than the calendar", case(), After((), P("P9999Y")), "9999-12-31", "kept for"),
    ("recheck missing", case(), After(), "", "the recheck P7D after its end is still to be made"),
    ("second missing", case(rechecks=(recheck("P7D"),)), After(), "", "the recheck P30D"),
    ("not searched", case(rechecks=(recheck("P7D", "P30D", unread=("shop",)),)), After(), "", "the recheck P7D"),
    ("searched, and back", case(rechecks=(recheck("P7D", "P30D", back=("shop",)),)), After(), "2027-02-19", "kept"),
    ("a hold", case(hold("2034-12-31")), After((), P("P0D")), "2035-01-01", "held until 2034-12-31"),
    ("two holds", case(hold("2030-01-01"), hold("2034-12-31")), After((), P("P0D")), "2035-01-01", "2034-12-31"),
    ("a hold that ends sooner", case(hold("2026-12-01")), After((), KEEP), "2027-02-19", "kept for P90D"),
    ("a hold that ends the same day", case(hold("2027-02-19")), After((), KEEP), "2027-02-20", "held until"),
    ("a hold with a time of day", case(hold("2034-12-31T00:00:00Z")), After((), P("P0D")), "2035-01-01", "held"),
    ("a hold beyond all dates", case(hold("9999-12-31")), After((), P("P0D")), "9999-12-31", "held until"),
    ("a hold without an end", case(hold()), After((), P("P0D")), "", "a hold without an end"),
    ("one of them without", case(hold("2030-01-01"), hold()), After((), P("P0D")), "", "a hold without an end"),
    ("a hold that waits to be erased", case(hold("2026-11-30"), queued=("2026-11-30",)), After((), P("P0D")), "",
     "held until 2026-11-30; `habeas resume` erases them"),
    ("two that wait", case(hold("2026-11-30"), queued=("2030-01-01", "2026-11-30")), After((), P("P0D")), "",
     "held until 2030-01-01"),
    ("kept by the vendor", case(hold("2040-01-01", basis="")), After((), P("P0D")), "2026-11-21", "kept for P0D"),
    ("no end, by the vendor", case(hold(basis="")), After((), P("P0D")), "2026-11-21", "kept for P0D"),
    ("refused", case(hold("2030-06-30"), status=CaseStatus.REFUSED), After(), "2030-07-01", "held until"),
    ("cancelled", case(status=CaseStatus.CANCELLED), After(), "2027-02-19", "kept for P90D"),
    ("access is not looked up again", case(type_=CaseType.ACCESS), After(), "2027-02-19", "kept for P90D"),
    ("consent", case(type_=CaseType.CONSENT), After(keep_details=P("P7D")), "2026-11-28", "kept for P7D"),
    ("incomplete", case(status=CaseStatus.INCOMPLETE), After((), P("P0D")), "", "not finished"),
    ("running", case(status=CaseStatus.RUNNING), After((), P("P0D")), "", "not finished"),
    ("waiting", case(status=CaseStatus.WAITING), After((), P("P0D")), "", "not finished"),
]  # fmt: skip


@pytest.mark.parametrize(("view", "after", "on", "why"), [end[1:] for end in ENDS], ids=[end[0] for end in ENDS])
def test_the_end_of_a_cases_key(view: CaseView, after: After, on: str, why: str) -> None:
    end = details_end(view, after, KEEP, BERLIN)
    assert end.on == on
    assert why in end.why


def test_an_end_is_reached_on_its_day_and_one_that_is_not_known_never() -> None:
    end = DetailsEnd("2027-02-19", "")
    assert [end.reached(date(2027, 2, day)) for day in (18, 19, 20)] == [False, True, True]
    assert not DetailsEnd("", "").reached(date.max)


days = st.dates(date(2024, 1, 1), date(2032, 12, 31))
periods = st.builds(Period, st.integers(0, 40), st.integers(0, 400))
rechecking = st.lists(periods.filter(lambda p: p != Period(0, 0)), max_size=3, unique=True).map(tuple)
holding = st.lists(days.map(lambda day: hold(day.isoformat())) | st.just(row()), max_size=3).map(tuple)


def closed_at(day: date) -> str:
    return datetime(day.year, day.month, day.day, 11, 0, tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@given(days, periods, rechecking, holding, st.data())
def test_no_key_goes_before_the_last_recheck_a_holds_end_or_its_time(
    day: date, keep: Period, wanted: tuple[Period, ...], outcomes: tuple[OutcomeRow, ...], data: st.DataObject
) -> None:
    """Each of the reasons alone is enough to keep it; once all are over, it has a day."""
    made = data.draw(st.lists(st.sampled_from(wanted), unique=True)) if wanted else []
    after = After(wanted, keep)
    done = tuple(recheck(str(period)) for period in made)
    view = case(*outcomes, closed=closed_at(day), rechecks=done)
    end = details_end(view, after, KEEP, BERLIN)
    if set(made) != set(wanted):
        assert end.on == ""
        return
    last = date.fromisoformat(end.on)
    assert last >= keep.after(day)
    held = [date.fromisoformat(r.until) for r in outcomes if r.until]
    assert all(last > until for until in held)
    assert last == max([keep.after(day), *(until + timedelta(days=1) for until in held)])


@given(days, periods, periods, holding)
def test_whoever_keeps_longer_never_destroys_sooner(
    day: date, one: Period, other: Period, outcomes: tuple[OutcomeRow, ...]
) -> None:
    """Nor does a case that was closed later, nor one with one hold more."""

    def end(day: date, keep: Period, *more: OutcomeRow) -> str:
        return details_end(case(*outcomes, *more, closed=closed_at(day)), After((), keep), KEEP, BERLIN).on

    shorter, longer = sorted((one, other), key=lambda p: p.after(day))
    assert end(day, shorter) <= end(day, longer)
    assert end(day, shorter) <= end(day + timedelta(days=1), shorter)
    assert end(day, shorter) <= end(day, shorter, hold("2029-05-05"))
    assert end(day, shorter, hold()) == ""


# -- rechecks ---------------------------------------------------------------------------------------------------------

DUE = [
    ("not yet", case(), After(), date(2026, 11, 27), ""),
    ("a week after", case(), After(), date(2026, 11, 28), "P7D"),
    ("nobody looked for a month: one look is for both", case(), After(), date(2026, 12, 21), "P7D P30D"),
    ("the first was made", case(rechecks=(recheck("P7D"),)), After(), date(2026, 12, 20), ""),
    ("the second is due", case(rechecks=(recheck("P7D"),)), After(), date(2026, 12, 21), "P30D"),
    ("a vendor could not be searched", case(rechecks=(recheck("P7D", unread=("shop",)),)), After(),
     date(2026, 11, 28), "P7D"),
    ("somebody asked", case(rechecks=(recheck(),)), After(), date(2026, 11, 28), "P7D"),
    ("a policy with its own", case(), After((P("P1M"), P("P1Y"))), date(2027, 11, 21), "P1M P12M"),
    ("a policy with none", case(), After(()), date(2099, 1, 1), ""),
    ("the same period otherwise spelled", case(rechecks=(recheck("P7D"),)), After((P("P1W"),)), date(2099, 1, 1), ""),
    ("in the controller's day", case(closed="2026-11-21T23:30:00Z"), After(), date(2026, 11, 28), ""),
    ("an access", case(type_=CaseType.ACCESS), After(), date(2099, 1, 1), ""),
    ("a refused erasure", case(status=CaseStatus.REFUSED), After(), date(2099, 1, 1), ""),
    ("longer than the calendar", case(), After((P("P9999Y"),)), date(2099, 1, 1), ""),
]  # fmt: skip


@pytest.mark.parametrize(("view", "after", "today", "due"), [d[1:] for d in DUE], ids=[d[0] for d in DUE])
def test_which_rechecks_are_due(view: CaseView, after: After, today: date, due: str) -> None:
    assert " ".join(map(str, due_rechecks(view, after, BERLIN, today))) == due


def test_a_policy_that_says_nothing_means_a_week_and_a_month() -> None:
    assert recheck_periods(case(), After()) == RECHECK == (P("P7D"), P("P30D"))


# -- quarters ---------------------------------------------------------------------------------------------------------

EPOCHS = [
    ("2026Q1", "P0D", date(2026, 4, 1)),
    ("2026Q2", "P0D", date(2026, 7, 1)),
    ("2026Q3", "P0D", date(2026, 10, 1)),
    ("2026Q4", "P0D", date(2027, 1, 1)),
    ("2026Q4", "P1D", date(2027, 1, 2)),
    ("2026Q4", "P2M", date(2027, 3, 1)),
    ("2027Q4", "P2M", date(2028, 3, 1)),
    ("2028Q1", "P0D", date(2028, 4, 1)),
    ("2026Q4", "P3Y", date(2030, 1, 1)),
    ("2026Q4", "P9999Y", date.max),
]


@pytest.mark.parametrize(("epoch", "keep", "end"), EPOCHS)
def test_a_quarters_pseudonyms_end_counted_from_its_last_day(epoch: str, keep: str, end: date) -> None:
    assert epoch_end(epoch, P(keep)) == end


@given(days, periods)
def test_no_quarter_ends_while_it_lasts(day: date, keep: Period) -> None:
    """And a day later than a period after its last day, which is the day before the next quarter begins."""
    epoch = f"{day.year}Q{(day.month - 1) // 3 + 1}"
    end = epoch_end(epoch, keep)
    assert end > day
    assert end >= epoch_end(epoch, Period(0, 0))
    assert end == last_day(keep, epoch_end(epoch, Period(0, 0)) - timedelta(days=1)) + timedelta(days=1)

"""What may become of a case before it is carried out: refused, cancelled, extended, stopped, taken up again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.habeas.cases.test_view import entries

from habeas.cases.lifecycle import (
    EXTENSION_REASONS,
    GROUNDS,
    IDENTITY_METHODS,
    PAUSE_REASONS,
    REOPEN_REASONS,
    acknowledgement,
    cancellation,
    clock_start,
    clock_stop,
    deadline_of,
    extension,
    identity_check,
    refusal,
    reopening,
)
from habeas.cases.view import CaseView, view_case
from habeas.clock import rfc3339
from habeas.errors import RefusedError
from habeas_policies import PauseReason, due

QUICK = settings(deadline=None, max_examples=100)
ZONE = "Europe/Berlin"
DPV = "https://w3id.org/dpv/legal/eu/gdpr#"


def at(text: str) -> datetime:
    """A day's noon in Berlin."""
    return datetime.fromisoformat(f"{text}T12:00:00").replace(tzinfo=ZoneInfo(ZONE))


FIFTH_OF_MARCH = at("2026-03-05")


class Case:
    """A case that grows as entries are written."""

    def __init__(
        self, regime: str = "gdpr", received: datetime = FIFTH_OF_MARCH, *, holidays: str = "", kind: str = "access"
    ) -> None:  # fmt: skip
        self.received = received
        deadline = due(regime, received, ZONE, holidays=holidays)
        opened = {
            "type": kind, "regime": regime, "received_at": rfc3339(received), "due_at": rfc3339(deadline.due),
            "due_rule": deadline.rule_id, "approved": True,
        }  # fmt: skip
        self.steps: list[tuple[str, Mapping[str, Any]]] = [("case.opened", opened)]

    @property
    def view(self) -> CaseView:
        found = view_case(entries(*self.steps))
        assert found is not None
        return found

    @property
    def due(self) -> str:
        """The stored due date, as a day in Berlin."""
        return datetime.fromisoformat(self.view.due_at).astimezone(ZoneInfo(ZONE)).date().isoformat()

    def write(self, kind: str, data: Mapping[str, Any]) -> Case:
        self.steps.append((kind, data))
        return self

    def extend(self, told: datetime, until: str = "", because: str = "complexity") -> Case:
        day = date.fromisoformat(until) if until else None
        return self.write("case.extended", extension(self.view, ZONE, told, day, because))

    def stop(self, when: datetime, reason: PauseReason = "identity") -> Case:
        return self.write("clock.stopped", clock_stop(self.view, ZONE, reason, when))

    def start(self, when: datetime) -> Case:
        return self.write("clock.started", clock_start(self.view, ZONE, when))

    def close(self, status: str) -> Case:
        return self.write("case.closed", {"status": status})


def refused(action: Callable[[], object]) -> str:
    """The line of a refusal."""
    with pytest.raises(RefusedError) as caught:
        action()
    return caught.value.line()


# -- date vectors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("regime", "received", "first", "told", "until", "extended"),
    [
        ("gdpr", "2026-03-05", "2026-04-05", "2026-04-05", "", "2026-06-05"),
        ("gdpr", "2026-01-31", "2026-02-28", "2026-02-28", "", "2026-04-30"),
        ("gdpr", "2027-12-31", "2028-01-31", "2028-01-15", "", "2028-03-31"),
        ("gdpr", "2028-01-31", "2028-02-29", "2028-02-01", "2028-03-20", "2028-03-20"),
        ("uk-gdpr", "2026-08-31", "2026-09-30", "2026-09-30", "", "2026-11-30"),
        ("ccpa", "2026-03-05", "2026-04-19", "2026-04-19", "", "2026-06-03"),
        ("ucpa", "2026-03-05", "2026-04-19", "2026-03-05", "2026-05-01", "2026-05-01"),
        ("fadp", "2026-03-05", "2026-04-04", "2026-04-01", "2026-05-11", "2026-05-11"),
    ],
)
def test_an_extension_is_counted_from_receipt(
    regime: str, received: str, first: str, told: str, until: str, extended: str
) -> None:
    """Day of receipt, last day, day of the notice, day asked for, new last day: counted by hand."""
    case = Case(regime, at(received))
    assert case.due == first
    case.extend(at(told), until)
    assert case.due == extended
    assert case.view.extended is not None
    assert (case.view.extended.told_at, case.view.extended.until) == (rfc3339(at(told)), until)


@pytest.mark.parametrize(
    ("received", "holidays", "first", "extended"),
    [
        ("2026-11-25", "DE-BE", "2026-12-28", "2027-02-25"),  # Christmas on a Friday, then a weekend
        ("2026-02-03", "DE-BE", "2026-03-03", "2026-05-04"),  # the third of May is a Sunday
        ("2026-02-08", "DE-BE", "2026-03-09", "2026-05-08"),  # 8 March is Sunday and a holiday; 8 May 2026 none
        ("2026-02-08", "", "2026-03-08", "2026-05-08"),
    ],
)
def test_only_the_end_moves_past_a_holiday(received: str, holidays: str, first: str, extended: str) -> None:
    """Reg. 1182/71 Art. 3(4), where holidays of a place are configured."""
    case = Case("gdpr", at(received), holidays=holidays)
    assert case.due == first
    assert case.extend(at(received)).due == extended


@pytest.mark.parametrize(
    ("reason", "stopped", "answered", "due_then"),
    [
        ("identity", "2026-03-10", "2026-03-20", "2026-04-20"),  # a month from the answer
        ("fee", "2026-03-10", "2026-03-31", "2026-04-30"),
        ("clarification", "2026-03-10", "2026-03-20", "2026-04-16"),  # eleven days are not counted
        ("identity", "2026-03-05", "2026-03-05", "2026-04-05"),
    ],
)
def test_the_clock_of_the_uk_restarts_or_skips(reason: PauseReason, stopped: str, answered: str, due_then: str) -> None:
    """From the answer for identity and fee; days not counted for a clarification of an access request."""
    case = Case("uk-gdpr").stop(at(stopped), reason)
    assert case.view.stopped
    assert case.start(at(answered)).due == due_then
    assert not case.view.stopped


def test_a_swiss_fee_gives_the_person_ten_days_and_no_more() -> None:
    """DPO Art. 19: an answer after that starts the clock no later."""
    case = Case("fadp").stop(at("2026-03-10"), "fee").start(at("2026-04-30"))
    assert case.due == "2026-04-19"


# -- refused outside the law ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "why"),
    [
        (lambda: Case().stop(at("2026-03-06")), "the clock of gdpr is not stopped for a pause"),
        (lambda: Case("ccpa").stop(at("2026-03-06")), "the clock of ccpa is not stopped"),
        (lambda: Case("uk-gdpr", at("2026-02-04")).stop(at("2026-02-06")), "received from 2026-02-05 on"),
        (lambda: Case("fadp").stop(at("2026-03-06"), "identity"), "is not stopped for 'identity'; known: fee"),
        (lambda: Case("uk-gdpr").stop(at("2026-03-04")), "before the request was received"),
        (lambda: Case("uk-gdpr").stop(at("2026-04-06")), "the period was over by then"),
        (lambda: Case("uk-gdpr").stop(at("2026-03-06")).stop(at("2026-03-07")), "stopped already"),
        (lambda: Case("uk-gdpr").stop(at("2026-03-06")).start(at("2026-03-05")), "before the question"),
        (lambda: Case("uk-gdpr").start(at("2026-03-06")), "the clock is not stopped"),
        (
            lambda: Case("uk-gdpr", kind="erasure").stop(at("2026-03-06"), "clarification"),
            "clarification of an access request only",
        ),
        (lambda: Case().extend(at("2026-04-06")), "told too late"),
        (lambda: Case().extend(at("2026-03-04")), "before the request came"),
        (lambda: Case().extend(at("2026-03-06")).extend(at("2026-03-07")), "extended already"),
        (lambda: Case("ucpa").extend(at("2026-03-06"), "2026-05-01").extend(at("2026-03-07")), "extended already"),
        (lambda: Case().extend(at("2026-03-06"), "2026-04-05"), "ends after the first period"),
        (lambda: Case().extend(at("2026-03-06"), "2026-06-06"), "the last day is 2026-06-05"),
        (lambda: Case("lgpd").extend(at("2026-03-06")), "lgpd has no extension"),
        (lambda: Case("quebec-law25").extend(at("2026-03-06")), "quebec-law25 has no extension"),
        (lambda: Case("fadp").extend(at("2026-03-06")), "name the day you announced"),
    ],
)  # fmt: skip
def test_what_the_law_does_not_allow_is_refused_with_its_reason(action: Callable[[], object], why: str) -> None:
    assert why in refused(action)


def test_the_notice_may_be_given_on_the_last_day_to_midnight_in_the_controllers_zone() -> None:
    midnight = datetime(2026, 4, 5, 23, 59, 59, tzinfo=ZoneInfo(ZONE))
    assert Case().extend(midnight).due == "2026-06-05"
    assert "told too late" in refused(lambda: Case().extend(midnight + timedelta(seconds=1)))


def test_a_rule_that_nobody_knows_any_more_is_refused_and_not_guessed() -> None:
    case = Case()
    case.steps[0] = ("case.opened", {**case.steps[0][1], "due_rule": "gdpr/99"})
    assert refused(lambda: case.extend(at("2026-03-06")))
    assert refused(lambda: deadline_of(case.view, ZONE))


# -- closed, and open again -------------------------------------------------------------------------------------------

CHANGES: Mapping[str, Callable[[CaseView], object]] = {
    "refusal": lambda view: refusal(view, "unfounded", sent=False),
    "cancellation": lambda view: cancellation(view, sent=False),
    "extension": lambda view: extension(view, ZONE, at("2026-03-06"), None, "number"),
    "stop": lambda view: clock_stop(view, ZONE, "identity", at("2026-03-06")),
    "start": lambda view: clock_start(view, ZONE, at("2026-03-08")),
    "acknowledgement": lambda view: acknowledgement(view, at("2026-03-06")),
    "identity": lambda view: identity_check(view, verified=True, method="login"),
}


@pytest.mark.parametrize("status", ["completed", "refused", "cancelled"])
@pytest.mark.parametrize("change", list(CHANGES))
def test_nothing_is_done_to_a_closed_case(change: str, status: str) -> None:
    """Even where its clock stood still."""
    case = Case("uk-gdpr").stop(at("2026-03-06")).close(status)
    assert f"case c-1 is {status}" in refused(lambda: CHANGES[change](case.view))


@pytest.mark.parametrize("status", ["refused", "cancelled"])
@pytest.mark.parametrize("why", REOPEN_REASONS)
def test_what_was_refused_or_cancelled_is_taken_up_again_with_its_clock(status: str, why: str) -> None:
    """The due date is the old one: that the request was refused by mistake is not the person's fault."""
    case = Case().extend(at("2026-03-06")).close(status)
    case.write("case.reopened", reopening(case.view, why))
    assert (case.view.status, case.view.closed_at, case.view.reason, case.due) == ("open", "", "", "2026-06-05")


@pytest.mark.parametrize("steps", [[], [("case.started", {})], [("case.closed", {"status": "completed"})]])
def test_nothing_else_is_taken_up_again(steps: list[tuple[str, dict[str, str]]]) -> None:
    case = Case()
    case.steps += steps
    assert "only one that was refused or cancelled" in refused(lambda: reopening(case.view, "mistake"))


def test_a_case_whose_person_nobody_knows_any_more_is_not_taken_up_again() -> None:
    case = Case().close("refused").write("details.destroyed", {})
    assert "nobody knows any more" in refused(lambda: reopening(case.view, "complaint"))


@pytest.mark.parametrize("name", list(GROUNDS))
def test_a_refusal_says_its_ground_in_words_and_in_dpvs_terms(name: str) -> None:
    data = refusal(Case().view, name, sent=False)
    assert (data["status"], data["reason"]) == ("refused", GROUNDS[name].text)
    assert data.get("ground", "").startswith(DPV) == (name != "other")


def test_once_something_was_sent_it_is_neither_refused_nor_cancelled() -> None:
    view = Case().view
    assert "changed at a vendor already" in refused(lambda: refusal(view, "unfounded", sent=True))
    assert "changed at a vendor already" in refused(lambda: cancellation(view, sent=True))
    assert cancellation(view, sent=False) == {"status": "cancelled", "reason": "withdrawn by the person"}


def test_receipt_is_confirmed_once_and_not_before_it_came() -> None:
    case = Case("ccpa")
    assert "before the request came" in refused(lambda: acknowledgement(case.view, at("2026-03-04")))
    case.write("case.acknowledged", acknowledgement(case.view, at("2026-03-09")))
    assert case.view.acknowledged_at == "2026-03-09T11:00:00Z"
    assert "confirmed already" in refused(lambda: acknowledgement(case.view, at("2026-03-10")))


@pytest.mark.parametrize("method", IDENTITY_METHODS)
@pytest.mark.parametrize("verified", [True, False])
def test_a_check_says_its_result_and_how_and_nothing_else(method: str, verified: bool) -> None:
    data = identity_check(Case().view, verified=verified, method=method)
    assert data == {"result": "verified" if verified else "failed", "method": method}


def test_an_extension_says_its_ground_in_dpvs_terms() -> None:
    for reason in EXTENSION_REASONS:
        data = Case().extend(at("2026-03-06"), because=reason).steps[-1][1]
        assert (data["reason"], data["ground"]) == (reason, EXTENSION_REASONS[reason])
        assert data["ground"].startswith(DPV)


def test_a_stop_after_a_day_was_announced_never_locks_the_clock() -> None:
    """The clock stood still for longer than the announced day: the first period, counted anew, is the later one."""
    case = Case("uk-gdpr").extend(at("2026-03-06"), "2026-04-10").stop(at("2026-03-20")).start(at("2026-04-01"))
    assert case.due == "2026-05-01"
    assert "extended already" in refused(lambda: case.extend(at("2026-04-02")))


# -- any order --------------------------------------------------------------------------------------------------------

DAYS = st.integers(-2, 120)
STEPS = st.one_of(
    st.tuples(st.just("extend"), DAYS, st.none() | st.integers(0, 140)),
    st.tuples(st.just("stop"), DAYS, st.none()),
    st.tuples(st.just("start"), DAYS, st.none()),
)


def take(case: Case, step: tuple[str, int, int | None], reason: PauseReason) -> bool:
    """Whether it was allowed."""
    what, offset, extra = step
    when = case.received + timedelta(days=offset)
    try:
        if what == "extend":
            case.extend(when, (case.received + timedelta(days=extra)).date().isoformat() if extra is not None else "")
        elif what == "stop":
            case.stop(when, reason)
        else:
            case.start(when)
    except RefusedError:
        return False
    return True


@QUICK
@given(
    st.sampled_from(["gdpr", "uk-gdpr", "uk-gdpr", "ccpa", "fadp"]),
    st.integers(0, 65_000_000).map(lambda seconds: datetime(2026, 2, 5, tzinfo=UTC) + timedelta(seconds=seconds)),
    st.sampled_from(["", "GB", "DE-BE"]), st.sampled_from(PAUSE_REASONS), st.lists(STEPS, max_size=7),
)  # fmt: skip
def test_in_any_order_the_due_date_only_moves_later_and_is_what_the_rule_gives(
    regime: str, received: datetime, holidays: str, reason: PauseReason, steps: list[tuple[str, int, int | None]]
) -> None:
    """What is stored with each entry is what counting everything again from the beginning comes to."""
    case = Case(regime, received, holidays=holidays)
    for step in steps:
        before = case.view.due_at
        if take(case, step, reason):
            assert case.view.due_at >= before
        else:
            assert case.view.due_at == before
        assert rfc3339(deadline_of(case.view, ZONE).due) == case.view.due_at

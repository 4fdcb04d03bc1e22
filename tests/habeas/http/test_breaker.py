"""A vendor that is down is left alone for a while; a single call tries, and what it meets decides."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from habeas.errors import NotSent
from habeas.http.breaker import Breaker
from habeas.http.decisions import Event
from habeas.models import Limits
from habeas.testing.clock import SkippingClock


class Line:
    """A breaker, and calls through it that end as they are told."""

    def __init__(self, failures: int = 3, pause: float = 10.0) -> None:
        self.clock = SkippingClock()
        self.breaker = Breaker(Limits(failures_before_pause=failures, pause_seconds=pause), self.clock)

    def call(self, event: Event, status: int = 0) -> bool:
        """Whether it was let through."""
        try:
            self.breaker.check("GET /v1/x")
        except NotSent:
            return False
        self.breaker.note(event, status)
        return True


DOWN = [
    (Event.NO_ANSWER, 0),
    (Event.NOT_SENT, 0),
    (Event.SERVER, 503),
    (Event.UNAUTHENTICATED, 401),
    (Event.REFUSED, 403),
    (Event.REDIRECT, 302),
]


@pytest.mark.parametrize(("event", "status"), DOWN, ids=str)
def test_failures_in_a_row_open_it_and_one_call_tries_after_the_pause(event: Event, status: int) -> None:
    line = Line()
    assert [line.call(event, status) for _ in range(5)] == [True, True, True, False, False]
    line.clock.skip(9)
    assert not line.call(event, status)
    line.clock.skip(1.1)
    assert line.call(event, status)
    assert not line.call(event, status), "it failed: the pause is twice as long"
    line.clock.skip(10.1)
    assert not line.call(event, status)
    line.clock.skip(10)
    assert line.call(Event.EXPECTED, 200)
    assert [line.call(event, status) for _ in range(4)] == [True, True, True, False], "it begins anew"
    line.clock.skip(10.1)
    assert line.call(event, status), "with the first pause"


@pytest.mark.parametrize(("event", "status"), [(Event.EXPECTED, 200), (Event.REFUSED, 404), (Event.UNUSABLE, 200)])
def test_any_other_answer_shows_that_the_vendor_is_there(event: Event, status: int) -> None:
    line = Line()
    for _ in range(4):
        assert line.call(Event.NO_ANSWER)
        assert line.call(Event.SERVER, 500)
        assert line.call(event, status)


def test_a_429_says_neither() -> None:
    line = Line()
    assert all(line.call(Event.LIMITED, 429) for _ in range(20))
    assert [line.call(event) for event in [Event.SERVER, Event.LIMITED, Event.SERVER, Event.LIMITED, Event.SERVER]]
    assert not line.call(Event.EXPECTED)


def test_while_one_tries_the_others_wait_and_one_that_never_reports_blocks_nobody_for_ever() -> None:
    line = Line()
    for _ in range(3):
        line.call(Event.NO_ANSWER)
    line.clock.skip(10.1)
    line.breaker.check("GET /v1/x")
    assert not line.call(Event.EXPECTED)
    line.clock.skip(10.1)
    assert line.call(Event.EXPECTED)


def test_what_was_under_way_when_it_opened_does_not_prolong_the_pause() -> None:
    line = Line()
    for _ in range(8):
        line.breaker.note(Event.NO_ANSWER, 0)
    line.clock.skip(10.1)
    assert line.call(Event.EXPECTED)


def test_the_line_says_which_call_how_many_and_when() -> None:
    line = Line()
    for _ in range(3):
        line.call(Event.NO_ANSWER)
    with pytest.raises(NotSent) as caught:
        line.breaker.check("GET /v1/x")
    said = "GET /v1/x: not asked, 3 calls in a row have failed; asked again in 10 s; run `habeas resume` later"
    assert caught.value.line() == said


@given(st.lists(st.booleans() | st.integers(1, 700), max_size=60))
def test_it_is_never_closed_longer_than_ten_minutes(what: list[bool | int]) -> None:
    """Numbers are seconds that pass, True an answer, False none."""
    line = Line()
    for each in what:
        if isinstance(each, bool):
            line.call(Event.EXPECTED if each else Event.NO_ANSWER)
        else:
            line.clock.skip(each)
    line.clock.skip(600.1)
    assert line.call(Event.EXPECTED)
    assert line.call(Event.EXPECTED)

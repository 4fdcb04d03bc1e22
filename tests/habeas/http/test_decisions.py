"""The decision table, row by row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from habeas.http.decisions import Decision, Event, decide, event_of

TABLE = {
    Event.EXPECTED: (Decision.DONE, Decision.DONE),
    Event.NOT_SENT: (Decision.AGAIN, Decision.AGAIN),
    Event.LIMITED: (Decision.AGAIN, Decision.AGAIN),
    Event.CONFLICT: (Decision.AGAIN, Decision.AGAIN),
    Event.NO_ANSWER: (Decision.AGAIN, Decision.SETTLE),
    Event.SERVER: (Decision.AGAIN, Decision.SETTLE),
    Event.UNUSABLE: (Decision.BAD, Decision.SETTLE),
    Event.UNAUTHENTICATED: (Decision.RENEW, Decision.RENEW),
    Event.REFUSED: (Decision.REJECT, Decision.REJECT),
    Event.REDIRECT: (Decision.BAD, Decision.BAD),
}


@pytest.mark.parametrize("event", Event)
def test_each_event_has_one_decision_for_reads_and_one_for_changes(event: Event) -> None:
    assert (decide(event, changes=False), decide(event, changes=True)) == TABLE[event]


@pytest.mark.parametrize(
    ("status", "event"),
    [
        (200, Event.EXPECTED), (404, Event.EXPECTED),
        (201, Event.UNUSABLE), (202, Event.UNUSABLE), (207, Event.UNUSABLE), (299, Event.UNUSABLE),
        (300, Event.REDIRECT), (301, Event.REDIRECT), (304, Event.REDIRECT), (308, Event.REDIRECT),
        (401, Event.UNAUTHENTICATED), (400, Event.REFUSED), (403, Event.REFUSED), (410, Event.REFUSED),
        (408, Event.SERVER), (409, Event.CONFLICT), (429, Event.LIMITED),
        (500, Event.SERVER), (502, Event.SERVER), (503, Event.SERVER), (504, Event.SERVER), (599, Event.SERVER),
    ],
)  # fmt: skip
def test_a_status_stands_for_one_event(status: int, event: Event) -> None:
    assert event_of(status, expected=(200, 404), conflicts=(409,)) is event


@given(st.integers(100, 999), st.sets(st.integers(100, 999)))
def test_only_an_expected_status_is_done(status: int, expected: set[int]) -> None:
    event = event_of(status, expected=expected, conflicts=())
    for changes in (False, True):
        assert (decide(event, changes=changes) is Decision.DONE) == (status in expected)


@given(st.integers(100, 999))
def test_a_change_is_repeated_unasked_only_where_the_vendor_refused_before_acting(status: int) -> None:
    event = event_of(status, expected=(204,), conflicts=(409,))
    if decide(event, changes=True) in (Decision.AGAIN, Decision.RENEW):
        assert status in (401, 409, 429)

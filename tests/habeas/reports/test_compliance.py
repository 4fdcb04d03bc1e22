"""Figures, counted by hand over small ledgers: each is what its definition says, whoever counts."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, date, datetime
from itertools import chain
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.habeas.reports.made import BASIS, NOW, OCTOBER, Book, book_of, lives, report_of, table, values

from habeas.errors import InputError, StorageError
from habeas.reports.compliance import Period, last_month, parse_date
from habeas.reports.compliance.arithmetic import in_ranges, mean, median, percent, percentile, ranges, shortened
from habeas.reports.compliance.families import FAMILIES


def test_a_request_counts_where_it_was_received_and_where_it_was_closed() -> None:
    """Days to the answer are days of the calendar; the day of receipt is not counted."""
    book = Book()
    book.open("09-28", "c-1")
    opened = book.open("10-02", "c-2", received="10-01")
    book.open("10-30", "c-3", "access")
    book.outcome("10-09", "c-1", "erased", evidence="GET / -> 404")
    book.close("10-10", "c-1")
    closed = book.close("10-03", "c-2", "refused", reason="held", ground=BASIS)
    found = report_of(book.entries)
    said = values(found)
    assert (said["open_start"], said["received"], said["closed"], said["open_end"]) == (1, 2, 2, 1)
    assert (said["days_median"], said["days_p95"], said["days_max"], said["days_mean"]) == ("7.0", 12, 12, "7.0")
    assert said["closed[type=erasure,regime=gdpr]"] == 2
    assert said["open_end[type=access]"] == 1
    assert (said["whole"], said["partial"], said[f"refused[ground={BASIS}]"]) == (1, 0, 1)
    assert found.figures["refused"].entries == str(closed)
    assert found.figures["received"].entries == f"{opened}-{opened + 1}"
    assert found.figures["answered"].entries == "1-2,5-6"


def test_on_time_is_to_the_second_and_by_the_due_date_in_force() -> None:
    """An extension moves it; a withdrawal is neither on time nor late; what is open is overdue past its date."""
    book = Book()
    for case, closed in (("c-1", "2026-10-20T21:59:59.900000Z"), ("c-2", "2026-10-20T22:00:00.000000Z")):
        book.open("10-01", case, due="10-20T21:59:59")
        book.close(closed, case)
    book.open("10-01", "c-3", due="10-10T21:59:59")
    moved = book.add("10-05", "case.extended", "c-3", due_at="2026-12-01T22:59:59Z", told_at="2026-10-05T12:00:00Z",
                     reason="complexity")  # fmt: skip
    book.close("10-29", "c-3")
    book.open("10-01", "c-4", due="10-02T21:59:59")
    book.close("10-09", "c-4", "cancelled", reason="withdrawn by the person")
    book.open("10-01", "c-5", due="10-19T21:59:59")
    found = report_of(book.entries)
    said = values(found)
    assert (said["answered"], said["on_time"], said["on_time_percent"], said["overdue_end"]) == (3, 2, "66.7", 1)
    assert (said["extended"], said["extended_percent"], said["extensions[reason=complexity]"]) == (1, "33.3", 1)
    assert str(moved) in found.figures["extended"].entries
    assert said["withdrawn[reason=withdrawn by the person]"] == 1
    (late,) = table(found, "overdue")
    assert (late["case"], late["due"], late["late"]) == ("c-5", "2026-10-19", 13)


def test_a_stopped_clock_is_not_overdue_and_its_days_are_counted_apart() -> None:
    """Whether it runs again or not."""
    book = Book()
    book.open("10-01", "c-1", due="10-09T21:59:59", regime="uk-gdpr")
    book.add("10-02", "clock.stopped", "c-1", reason="identity", at="2026-10-02T12:00:00Z")
    book.open("10-01", "c-2", due="10-09T21:59:59", regime="uk-gdpr")
    book.add("10-03", "clock.stopped", "c-2", reason="fee", at="2026-10-03T12:00:00Z")
    book.add("10-08", "clock.started", "c-2", at="2026-10-08T12:00:00Z", due_at="2026-11-08T22:59:59Z")
    book.close("10-20", "c-2")
    said = values(report_of(book.entries))
    assert (said["overdue_end"], said["open_end[state=clock stopped: identity]"]) == (0, 1)
    assert (said["on_time"], said["paused"], said["paused_days"], said["paused_days[reason=fee]"]) == (1, 1, 5, 5)
    assert said["days_max"] == 19


def test_a_request_that_was_taken_up_again_is_closed_once() -> None:
    """By its last closing; of an earlier period it comes back as taken up again."""
    book = Book()
    book.open("09-02", "c-1")
    book.close("09-05", "c-1", "refused", reason="no")
    book.add("10-03", "case.reopened", "c-1", why="complaint")
    book.open("10-01", "c-2")
    book.close("10-02", "c-2", "cancelled")
    book.add("10-04", "case.reopened", "c-2", why="mistake")
    last = book.close("10-06", "c-2")
    found = report_of(book.entries)
    said = values(found)
    assert (said["open_start"], said["received"], said["reopened"], said["closed"], said["open_end"]) == (0, 1, 1, 1, 1)
    assert said["closed[status=completed]"] == 1
    assert found.figures["closed"].entries == str(last)
    assert values(report_of(book.entries, (date(2026, 9, 1), date(2026, 9, 30))))["closed[status=refused]"] == 1


def test_later_passes_overrule_what_was_not_final_and_nothing_else() -> None:
    """What was said of a connection as a whole no longer counts once its records are known."""
    book = Book()
    book.open("10-01", "c-1")
    book.outcome("10-01", "c-1", "failed", item="c", where="shop-b")
    book.outcome("10-01", "c-1", "failed")
    book.add("10-01", "case.paused", "c-1")
    erased = book.outcome("10-02", "c-1", "erased", evidence="GET / -> 404")
    book.outcome("10-03", "c-1", "absent")
    kept = book.outcome("10-03", "c-1", "retained", where="shop-b", count=3, legal_basis=BASIS, until="2026-10-20")
    open_ = values(report_of(book.entries))
    assert (open_["unfinished"], open_["open_end[state=not finished yet]"]) == (0, 1)
    closed = book.close("10-04", "c-1")
    found = report_of(book.entries)
    said = values(found)
    assert found.figures["outcomes"].entries == f"{erased},{kept}"
    assert (said["outcomes[connection=shop-b,result=retained]"], said["records"], said["partial"]) == (1, 4, 1)
    assert (said["read_back"], said["not_read_back"], said["verified_percent"]) == (1, 0, "100.0")
    assert (said["verified_percent[connection=shop-b]"], said[f"partial_ground[ground={BASIS}]"]) == (None, 1)
    assert (said["held"], said["held_end"], said["held_overdue"], said["released"]) == (1, 1, 1, 0)
    assert found.figures[f"partial_ground[ground={BASIS}]"].entries == f"{kept}-{closed}"
    assert table(found, "holds")[0]["entries"] == str(kept)


def test_a_hold_that_was_released_is_held_no_more() -> None:
    """Of earlier cases as well; the release names connection and record, or connection and day."""
    book = Book()
    for n, case in enumerate(("c-1", "c-2", "c-3", "c-4")):
        book.open("08-01", case)
        book.outcome("08-02", case, "retained", legal_basis=BASIS, until=f"2026-10-0{n + 1}")
        book.outcome("08-02", case, "retained", where="shop-b", record="order")
        book.close("08-03", case)
    book.add("10-05", "hold.released", "c-1", "shop-a", record="customer")
    book.add("10-05", "hold.released", "c-2", "shop-a", until="2026-10-02")
    book.add("10-05", "hold.released", "c-3", "shop-c")
    book.add("10-05", "hold.released", "c-4", until="2026-10-31", case="c-5")
    said = values(report_of(book.entries))
    assert (said["held"], said["released"], said["held_end"], said["held_overdue"]) == (0, 3, 5, 1)
    assert said["held_endless"] == 4


def test_calls_are_counted_by_what_came_of_them() -> None:
    """A hole is open; a repetition is one more call; a canary's are nobody's."""
    book = Book()
    book.open("10-01", "c-1")
    book.add("10-01", "case.opened", "c-9", type="canary", regime="gdpr", received_at="2026-10-01T12:00:00Z",
             due_at="2026-11-01T12:00:00Z")  # fmt: skip
    for case, attempt, result in (("c-1", 1, "unknown"), ("c-1", 2, "acknowledged"), ("c-1", 1, ""), ("c-9", 1, "")):
        sent = book.add("10-02", "call.intent", case, "shop-a", attempt=attempt, key="k", method="DELETE", path="/")
        if result:
            book.add("10-02", "call.outcome", case, "shop-a", intent=sent, result=result, status=204)
    book.add("10-02", "canary.control", "c-9", "shop-a", control="erase", verdict="worked")
    book.outcome("10-02", "c-9", "erased")
    book.close("10-02", "c-9")
    said = values(report_of(book.entries))
    assert (said["calls"], said["retries"], said["canaries"]) == (3, 1, 1)
    assert [said[f"calls[result={r}]"] for r in ("acknowledged", "unknown", "open")] == [1, 1, 1]
    assert (said["received"], said["closed"], said["outcomes"]) == (1, 0, 0)
    assert said["canary_controls[verdict=worked]"] == 1


def test_rechecks_consents_packages_and_the_rest_are_counted() -> None:
    """Each by what it says."""
    book = Book()
    for case in ("c-1", "c-2"):
        book.open("10-01", case)
        book.outcome("10-01", case, "erased", evidence="x")
        book.close("10-01", case)
    book.add("10-08", "case.rechecked", "c-1", periods=[], connections={"shop-a": {"gone": "x"}})
    book.add("10-08", "case.rechecked", "c-2", periods=[], connections={"shop-a": {"back": {"customer": 1}}})
    book.add("10-08", "case.rechecked", "c-2", periods=[], connections={"shop-a": {"problem": "down"}})
    book.open("10-02", "c-3", "consent")
    book.outcome("10-02", "c-3", "updated", purpose="news")
    book.close("10-02", "c-3")
    book.open("10-02", "c-4", "access")
    book.add("10-02", "package.written", "c-4", digest="sha256:00", bytes=1234)
    book.add("10-02", "suppression.lifted", "c-1", why="returned")
    book.add("10-02", "key.rotated", why="lost")
    book.add("10-02", "subject.searched", records={}, why="dry run")
    for run, how in (("r-1", "done"), ("r-2", "")):
        book.add("10-02", "run.started", run=run, version="0.1.0")
        if how:
            book.add("10-02", "run.ended", run=run, how=how)
    book.add("10-02", "identity.checked", "c-4", result="failed", method="login")
    book.add("10-02", "case.acknowledged", "c-4", at="2026-10-02T12:00:00Z")
    said = values(report_of(book.entries))
    assert [said[f"rechecks[result={r}]"] for r in ("gone", "back", "not searched")] == [1, 1, 1]
    assert (said["erasures"], said["rechecked"], said["rechecked_percent"]) == (2, 1, "50.0")
    assert said["consent[purpose=news,result=updated]"] == 1
    assert (said["packages"], said["package_bytes"]) == (1, 1234)
    assert said["unsuppressed[why=returned]"] == said["keys[what=key.rotated: lost]"] == 1
    assert said["lookups[why=dry run]"] == said["runs[how=done]"] == said["runs[how=no end]"] == 1
    assert (said["identity_failed_percent"], said["acknowledged"]) == ("100.0", 1)


def test_the_annex_of_section_7102_counts_by_its_own_words() -> None:
    """Delete, correct and know; complied with, denied; mean and median days; nothing of another law."""
    book = Book()
    book.open("10-01", "c-1", regime="ccpa")
    book.outcome("10-04", "c-1", "erased")
    book.close("10-04", "c-1")
    book.open("10-01", "c-2", regime="ccpa")
    book.outcome("10-02", "c-2", "manual")
    book.close("10-02", "c-2")
    book.open("10-01", "c-3", "portability", regime="ccpa")
    book.close("10-11", "c-3", "refused", reason="who asked?")
    book.open("10-01", "c-4", "access")
    said = values(report_of(book.entries))
    assert [said[f"ccpa_{what}[request=delete]"] for what in ("received", "complied", "whole", "denied")] == [
        2,
        2,
        1,
        0,
    ]
    assert (said["ccpa_days_mean[request=delete]"], said["ccpa_days_median[request=delete]"]) == ("2.0", "2.0")
    assert (said["ccpa_received[request=know]"], said["ccpa_denied[request=know,ground=who asked?]"]) == (1, 1)
    assert (said["ccpa_received[request=correct]"], said["ccpa_days_mean[request=correct]"]) == (0, None)


# -- periods ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "days", "inside", "outside"),
    [
        ("Europe/Berlin", OCTOBER, ("2026-09-30T22:00:00Z", "2026-10-31T22:59:59Z"),
         ("2026-09-30T21:59:59Z", "2026-10-31T23:00:00Z")),  # summer time begins it, winter time ends it
        ("Pacific/Auckland", OCTOBER, ("2026-09-30T11:00:00Z", "2026-10-31T10:59:59Z"),
         ("2026-09-30T10:59:59Z", "2026-10-31T11:00:00Z")),
        ("America/Los_Angeles", (date(2024, 2, 29), date(2024, 2, 29)),
         ("2024-02-29T08:00:00Z", "2024-03-01T07:59:59Z"), ("2024-02-29T07:59:59Z", "2024-03-01T08:00:00Z")),
        ("Africa/Cairo", (date(2024, 4, 26), date(2024, 4, 26)), ("2024-04-25T22:00:00Z", "2024-04-26T20:59:59Z"),
         ("2024-04-25T21:59:59Z", "2024-04-26T21:00:00Z")),  # that day began at one o'clock: midnight was skipped
    ],
)  # fmt: skip
def test_a_period_begins_and_ends_at_the_controllers_midnight(
    zone: str, days: tuple[date, date], inside: tuple[str, str], outside: tuple[str, str]
) -> None:
    """Whatever clocks do in between."""
    book = Book()
    for n, at in enumerate((*inside, *outside)):
        book.open(at, f"c-{n}")
    found = report_of(book.entries, days, zone)
    assert found.figures["received"].entries == "1-2"


def test_a_request_registered_after_the_period_was_received_in_it() -> None:
    """And was open at its end, whatever came later: later entries do not count."""
    book = Book()
    book.open("10-05", "c-0")
    book.open("11-03", "c-1", received="10-30")
    book.close("11-04", "c-1")
    book.close("11-04", "c-0")
    said = values(report_of(book.entries))
    assert (said["received"], said["open_end"], said["closed"]) == (2, 2, 0)
    november = values(report_of(book.entries, (date(2026, 11, 1), date(2026, 11, 30))))
    assert (november["open_start"], november["received"], november["closed"]) == (2, 0, 2)


def test_a_period_that_is_not_over_says_how_things_stand() -> None:
    """Nothing is overdue because of a day that has not come."""
    book = Book()
    book.open("10-01", "c-1", due="10-20T21:59:59")
    found = report_of(book.entries, now=datetime(2026, 10, 12, tzinfo=UTC))
    assert (values(found)["open_end"], values(found)["overdue_end"]) == (1, 0)
    assert "not over" in " ".join(found.section("cover").text)
    assert values(report_of(book.entries))["overdue_end"] == 1


def test_days_are_read_strictly_and_the_last_month_is_whole() -> None:
    """Leap days exist in leap years only."""
    assert last_month(date(2024, 3, 31)) == (date(2024, 2, 1), date(2024, 2, 29))
    assert last_month(date(2026, 1, 1)) == (date(2025, 12, 1), date(2025, 12, 31))
    assert parse_date("2024-02-29", "--from") == date(2024, 2, 29)
    for text in ("2026-02-29", "2026-10-1", "20261001", "2026-W40-1", "9999-12-31", "yesterday", "2026-10-01T00:00"):
        with pytest.raises(InputError, match="not a day"):
            parse_date(text, "--from")
    with pytest.raises(InputError, match="after"):
        Period.of(date(2026, 10, 2), date(2026, 10, 1), "UTC", NOW)


# -- properties -------------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.lists(lives(), max_size=5), st.randoms(use_true_random=False))
def test_the_order_of_requests_does_not_matter_and_sums_add_up(
    requests: list[list[tuple[str, str, dict[str, Any]]]], draw: Any
) -> None:
    """Values are the same for any order; what is cut adds up to the whole; nothing gets lost between periods."""
    order = list(range(len(requests)))
    said = values(report_of(book_of(requests, order).entries))
    shuffled = draw.sample(order, len(order))
    assert {n: v for n, v in values(report_of(book_of(requests, shuffled).entries)).items() if n[:7] != "ledger_"} == {
        n: v for n, v in said.items() if n[:7] != "ledger_"
    }
    for family in FAMILIES.values():
        for cut in family.cuts:
            names = [n for n in said if n.startswith(f"{family.name}[") and [p.split("=")[0] for p in
                     n[len(family.name) + 1 : -1].split(",")] == list(cut)]  # fmt: skip
            if () in family.cuts and names and family.unit in ("requests", "outcomes", "records", "calls"):
                assert sum(said[n] for n in names) == said[family.name], family.name
    assert said["open_start"] + said["received"] + said["reopened"] - said["closed"] == said["open_end"]
    assert said["whole"] + said["partial"] + said["refused"] + said["withdrawn"] == said["closed"]


@settings(max_examples=50)
@given(st.sets(st.integers(1, 400)))
def test_ranges_name_each_number_once(numbers: set[int]) -> None:
    """And are read back as they were."""
    assert list(in_ranges(ranges(chain(numbers, numbers)))) == sorted(numbers)


def test_arithmetic_is_exact() -> None:
    """Halves go up; all and nothing are said only where it is so."""
    assert [percent(1, 3), percent(999_999, 1_000_000), percent(1, 1_000_000), percent(2, 2), percent(0, 0)] == [
        "33.3", "99.9", "0.1", "100.0", None,
    ]  # fmt: skip
    assert (mean({1: 1, 2: 1}), mean({0: 3, 1: 1}), mean({})) == ("1.5", "0.3", None)
    assert (median({3: 1, 9: 1}), median({1: 2, 7: 1}), median({1: 1, 2: 1})) == ("6.0", "1.0", "1.5")
    assert [percentile(dict.fromkeys(range(1, 101), 1), 95), percentile({4: 1}, 95), percentile({1: 19, 9: 1}, 95)] == [
        95, 4, 1,
    ]  # fmt: skip
    assert shortened("1-3,7,9", 5) == "1-3 and 2 more"
    assert ranges([]) == ""


# -- the entries ------------------------------------------------------------------------------------------------------


def test_an_entry_of_another_shape_is_named() -> None:
    """With its number and nothing of what it says."""
    book = Book()
    book.add("10-01", "case.opened", "c-1", type="erasure", regime="gdpr", received_at="ada@example.org")
    with pytest.raises(StorageError, match="entry 1 is not as habeas writes") as caught:
        report_of(book.entries)
    assert "ada" not in caught.value.line()


def test_a_large_ledger_is_read_once_and_not_kept() -> None:
    """Entries that no figure rests on leave nothing behind."""
    one = Book()
    one.open("10-01", "c-1")
    started = Book()
    started.add("10-01", "schema.seen", "", "shop-a", names=["x" * 2000])

    def many() -> Any:
        yield one.entries[0]
        for _ in range(8_000):
            yield started.entries[0]

    report_of(one.entries)
    tracemalloc.start()
    found = report_of(many())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert values(found)["ledger_entries"] == 8_001
    assert peak < 4_000_000

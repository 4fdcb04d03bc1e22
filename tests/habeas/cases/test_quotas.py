"""Calls that a vendor's contract allows: counted before they are sent, by all processes, in the vendor's own day."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from habeas.cases.quotas import Meter, Quota, Quotas
from habeas.errors import QuotaSpent, StorageError
from habeas.models import Limits
from habeas.testing.clock import SkippingClock

DAY = 86_400.0


class Counted:
    """A home's counter, and processes that use it: each ``Quotas`` is one."""

    def __init__(self, folder: Path) -> None:
        self.path, self.clock = folder / "quotas.db", SkippingClock(datetime(2026, 11, 21, 9, 0, tzinfo=UTC))
        self._open: list[Quotas] = []

    def process(self) -> Quotas:
        self._open.append(Quotas(self.path, self.clock))
        return self._open[-1]

    def meter(self, **limits: int | str) -> Meter:
        meter = self.process().meter("shop", Limits(**limits))  # type: ignore[arg-type] # by name
        assert meter is not None
        return meter

    def close(self) -> None:
        for quotas in self._open:
            quotas.close()


@pytest.fixture
def counted(tmp_path: Path) -> Iterator[Counted]:
    made = Counted(tmp_path)
    yield made
    made.close()


def take(meter: Meter, most: int = 10_000) -> int:
    """How many calls it lets through."""
    for made in range(most):
        try:
            meter.take()
        except QuotaSpent:
            return made
    return most


def test_without_a_quota_nothing_is_counted_and_no_file_is_made(counted: Counted) -> None:
    assert counted.process().meter("shop", Limits()) is None
    assert not counted.path.exists()


@pytest.mark.parametrize("calls", [1, 7, 700])
def test_exactly_so_many_calls_a_day_and_as_many_on_the_next(counted: Counted, calls: int) -> None:
    meter = counted.meter(calls_per_day=calls)
    assert take(meter) == calls
    with pytest.raises(QuotaSpent) as spent:
        meter.take()
    assert spent.value.line() == (
        f"not sent: its calls are used up ({calls} a day); there are more from 2026-11-22 00:00 UTC; "
        "run `habeas resume` then"
    )
    counted.clock.skip(15 * 3600)
    assert take(meter) == calls
    assert counted.path.stat().st_mode & 0o777 == 0o600


def test_what_was_set_aside_yesterday_is_not_used_today(counted: Counted) -> None:
    meter = counted.meter(calls_per_day=1000)
    meter.take()
    counted.clock.skip(DAY)
    assert take(meter, 2000) == 1000


def test_several_processes_share_it_and_a_killed_one_has_counted_too_many_at_most(counted: Counted) -> None:
    """The killed one had made one call of the few that it had set aside."""
    killed, other = counted.meter(calls_per_day=6000), counted.meter(calls_per_day=6000)
    killed.take()
    assert 6000 - 64 <= take(other) < 6000
    later = counted.meter(calls_per_day=6000)
    assert take(later) == 0


def test_one_that_ends_in_good_order_gives_back_what_it_has_not_used(counted: Counted) -> None:
    quotas = counted.process()
    meter = quotas.meter("shop", Limits(calls_per_day=6000))
    assert meter is not None
    assert take(meter, 10) == 10
    quotas.close()
    assert counted.meter(calls_per_day=6000).left()[0][1] == 5990


def test_connections_do_not_count_for_each_other(counted: Counted) -> None:
    quotas = counted.process()
    meters = [quotas.meter(name, Limits(calls_per_day=5)) for name in ("one", "two")]
    assert [take(meter) for meter in meters if meter] == [5, 5]


def test_a_month_begins_on_its_day_and_of_two_quotas_both_hold(counted: Counted) -> None:
    meter = counted.meter(calls_per_day=30, calls_per_month=70, month_starts_on=24)
    made = []
    for _ in range(5):
        made.append(take(meter))
        counted.clock.skip(DAY)
    assert made == [30, 30, 10, 30, 30]


def test_many_threads_make_exactly_so_many(counted: Counted) -> None:
    meter = counted.meter(calls_per_day=900)
    made: list[int] = []
    threads = [threading.Thread(target=lambda: made.append(take(meter))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(made) == 900


def _use(path: Path, made: multiprocessing.Queue[int]) -> None:
    quotas = Quotas(path, SkippingClock())
    meter = quotas.meter("shop", Limits(calls_per_day=150))
    assert meter is not None
    made.put(take(meter))
    quotas.close()


def test_real_processes_that_make_the_file_at_once_share_it(counted: Counted) -> None:
    context = multiprocessing.get_context("fork")
    made: multiprocessing.Queue[int] = context.Queue()
    children = [context.Process(target=_use, args=(counted.path, made)) for _ in range(3)]
    for child in children:
        child.start()
    assert sum(made.get(timeout=30) for _ in children) == 150
    for child in children:
        child.join(timeout=30)


def test_a_counter_that_is_damaged_is_refused_with_what_to_do(counted: Counted) -> None:
    counted.path.write_bytes(b"not a database, " * 100)
    counted.path.chmod(0o600)
    with pytest.raises(StorageError) as refused:
        counted.meter(calls_per_day=5)
    line = refused.value.line()
    assert "quotas.db cannot be used: " in line
    assert line.endswith("; check disk and owner; moved away, it begins anew, and calls made today no longer count")


@given(
    st.integers(946_684_800, 4_000_000_000), st.sampled_from(["day", "month"]),
    st.integers(1, 28), st.sampled_from(["UTC", "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Apia"]),
    st.integers(1, 40),
)  # fmt: skip
def test_periods_follow_one_another_without_a_gap(
    seconds: int, unit: str, starts_on: int, zone: str, ahead: int
) -> None:
    """Every instant lies in one period; the next begins where it ends, whatever clocks there do."""
    at = datetime.fromtimestamp(seconds, UTC)
    quota = Quota(1, unit, starts_on, zone)  # type: ignore[arg-type] # one of the two
    assert quota.began(at) <= at < quota.begins(at)
    following = at
    for _ in range(ahead):
        following = quota.begins(following)
    # A zone may leave a day out, as Samoa's did: it has then no calls of its own.
    assert abs(quota.begins(at, ahead) - following) <= timedelta(days=1)
    assert quota.began(following) == following

"""Rate, concurrency and pauses: never exceeded, and never waited for beyond the end of the run."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from habeas.clock import SystemClock
from habeas.control import RunControl
from habeas.errors import RateLimited, RunEnded
from habeas.http.limits import Limiter
from habeas.http.retry import LONGEST_WAIT
from habeas.models import Limits
from habeas.testing.clock import SkippingClock

NEVER = threading.Event()


class StillClock:
    """Time that passes only in ``sleep``; ``when_asleep`` is what happens meanwhile."""

    def __init__(self) -> None:
        self.at = 0.0
        self.when_asleep: Callable[[], None] = lambda: None

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float, wake: threading.Event | None = None) -> None:
        if not (wake or NEVER).is_set():
            self.at += seconds
            self.when_asleep()


@given(
    st.floats(0.01, 1000),
    st.lists(st.tuples(st.floats(0, 3), st.none() | st.floats(0, LONGEST_WAIT)), min_size=2, max_size=30),
)
def test_no_window_sees_more_starts_than_the_rate_allows(rate: float, work: list[tuple[float, float | None]]) -> None:
    clock = StillClock()
    limiter = Limiter(Limits(requests_per_second=rate), clock)
    control = RunControl(clock)
    starts = []
    resumes = 0.0
    for idle, pause in work:
        clock.sleep(idle)
        if pause is not None:
            limiter.pause(pause)
            resumes = max(resumes, clock.at + pause)
        with limiter.slot(control):
            starts.append(clock.at)
            assert clock.at >= resumes
    assert all(b - a >= (1 / rate) * (1 - 1e-9) for a, b in itertools.pairwise(starts))


@given(st.floats(1, 1000), st.integers(1, 40))
def test_calls_that_wait_lose_no_time(rate: float, count: int) -> None:
    clock = StillClock()
    limiter = Limiter(Limits(requests_per_second=rate), clock)
    for _ in range(count):
        with limiter.slot(RunControl(clock)):
            pass
    assert clock.at == pytest.approx((count - 1) / rate)


def test_the_rate_holds_with_a_clock_that_skips() -> None:
    clock = SkippingClock()
    limiter = Limiter(Limits(requests_per_second=2), clock)
    # From before the first call: what passes between its slot and the look at the clock is real time.
    before = clock.monotonic()
    for _ in range(20):
        with limiter.slot(RunControl(clock)):
            after = clock.monotonic()
    assert after - before >= 9.5


def test_threads_exceed_neither_concurrency_nor_rate() -> None:
    limiter = Limiter(Limits(requests_per_second=500, concurrency=3), SystemClock())
    control = RunControl(SystemClock())
    lock = threading.Lock()
    inside: list[int] = []
    starts: list[float] = []
    most = 0

    def work(number: int) -> None:
        nonlocal most
        for _ in range(5):
            with limiter.slot(control):
                with lock:
                    starts.append(time.monotonic())
                    inside.append(number)
                    most = max(most, len(inside))
                time.sleep(0.008)
                with lock:
                    inside.remove(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 3
    # The turn is taken a moment before the thread can note the time: the whole cannot be faster, single gaps may be.
    assert max(starts) - min(starts) >= (len(starts) - 1) / 500 - 0.005


def test_a_place_is_given_back_whatever_happens_inside() -> None:
    clock = StillClock()
    limiter = Limiter(Limits(requests_per_second=10, concurrency=1), clock)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), limiter.slot(RunControl(clock)):
            _ = 1 / 0
    with pytest.raises(RunEnded), limiter.slot(RunControl(clock, max_seconds=0.05)):
        pytest.fail("started after the end of the run")
    with limiter.slot(RunControl(clock)):
        pass


def test_a_pause_also_holds_those_who_are_waiting_already() -> None:
    clock = StillClock()
    limiter = Limiter(Limits(requests_per_second=1), clock)
    with limiter.slot(RunControl(clock)):
        pass

    def pause_once() -> None:
        clock.when_asleep = lambda: None
        limiter.pause(30)

    clock.when_asleep = pause_once
    with limiter.slot(RunControl(clock)):
        assert clock.at == pytest.approx(31)


def test_a_shorter_pause_does_not_shorten_a_longer_one() -> None:
    clock = StillClock()
    limiter = Limiter(Limits(requests_per_second=1000), clock)
    limiter.pause(30)
    limiter.pause(1)
    with limiter.slot(RunControl(clock)):
        assert clock.at == pytest.approx(30)


def test_a_turn_beyond_the_end_of_the_run_is_not_waited_for() -> None:
    clock = StillClock()
    limiter = Limiter(Limits(requests_per_second=0.1), clock)
    control = RunControl(clock, max_seconds=10)
    with limiter.slot(control):
        pass
    with pytest.raises(RunEnded, match="before the next call may be made"), limiter.slot(control):
        pytest.fail("started after the end of the run")
    assert clock.at == 0.0


def test_a_pause_longer_than_anybody_waits_refuses_at_once_and_ends() -> None:
    clock = StillClock()
    limiter = Limiter(Limits(), clock)
    limiter.pause(LONGEST_WAIT + 1)
    with pytest.raises(RateLimited, match="another 61 s"), limiter.slot(RunControl(clock)):
        pytest.fail("started in the pause")
    assert clock.at == 0.0
    clock.sleep(1)
    with limiter.slot(RunControl(clock)):
        assert clock.at == pytest.approx(LONGEST_WAIT + 1)


@pytest.mark.parametrize("stopped", [True, False])
def test_an_ended_run_gets_no_turn_even_where_one_is_free(stopped: bool) -> None:
    clock = StillClock()
    control = RunControl(clock, max_seconds=5)
    if stopped:
        control.stop()
    else:
        clock.sleep(5)
    with pytest.raises(RunEnded), Limiter(Limits(), clock).slot(control):
        pytest.fail("started after the end of the run")


def test_a_stop_wakes_the_one_who_sleeps_until_its_turn() -> None:
    limiter = Limiter(Limits(requests_per_second=0.02), SystemClock())
    control = RunControl(SystemClock())
    with limiter.slot(control):
        pass
    threading.Timer(0.05, control.stop).start()
    started = time.monotonic()
    with pytest.raises(RunEnded, match="stopped"), limiter.slot(control):
        pytest.fail("started after the stop")
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("stopped", [True, False])
def test_waiting_for_a_place_ends_with_the_run(stopped: bool) -> None:
    limiter = Limiter(Limits(concurrency=1), SystemClock())
    control = RunControl(SystemClock(), max_seconds=None if stopped else 0.05)
    if stopped:
        threading.Timer(0.05, control.stop).start()
    started = time.monotonic()
    with limiter.slot(RunControl(SystemClock())), pytest.raises(RunEnded), limiter.slot(control):
        pytest.fail("two at once")
    assert time.monotonic() - started < 5

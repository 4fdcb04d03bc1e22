"""Threads that stay: how many there are, what they carry back, and what they do when a run leaves them behind."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habeas.clock import SystemClock
from habeas.control import RunControl
from habeas.engine.crew import Crew
from habeas.engine.links import Link
from habeas.engine.tools import ConnectionTrouble, attempt, side_by_side
from habeas.errors import NoAnswer, OutcomeUnknown, PluginFault, RefusedError, RunEnded, StorageError
from habeas.models import Result

_names = itertools.count()


def crew_of(size: int) -> tuple[Crew, Callable[[], list[threading.Thread]]]:
    """A crew, and how to find its threads."""
    name = f"test-crew-{next(_names)}"
    return Crew(name, size), lambda: [t for t in threading.enumerate() if t.name == name]


def test_results_and_errors_come_back_to_whoever_asked() -> None:
    crew, _ = crew_of(2)

    def fail() -> int:
        raise KeyError("gone")

    good, bad = crew.submit(lambda: 7), crew.submit(fail)
    assert good.result(5) == 7
    with pytest.raises(KeyError):
        bad.result(5)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_a_task_that_wants_to_end_the_program_ends_only_itself(error: type[BaseException]) -> None:
    crew, threads = crew_of(1)

    def leave() -> None:
        raise error

    with pytest.raises(error):
        crew.submit(leave).result(5)
    assert crew.submit(lambda: "still here").result(5) == "still here"
    assert len(threads()) == 1


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 4), st.lists(st.booleans(), max_size=12))
def test_never_more_threads_than_its_size_and_every_task_is_done_once(size: int, waits: list[bool]) -> None:
    crew, threads = crew_of(size)
    done: list[int] = []
    futures = []
    for number, wait in enumerate(waits):
        futures.append(crew.submit(lambda number=number: done.append(number)))  # type: ignore[misc]
        if wait:
            futures[-1].result(5)
    for future in futures:
        future.result(5)
    assert sorted(done) == list(range(len(waits)))
    assert len(threads()) <= min(size, len(waits))


def test_as_many_tasks_run_at_once_as_it_has_threads() -> None:
    crew, threads = crew_of(3)
    together = threading.Barrier(3, timeout=5)
    assert sorted(f.result(5) for f in [crew.submit(together.wait) for _ in range(3)]) == [0, 1, 2]
    assert len(threads()) == 3
    assert all(thread.daemon for thread in threads())


def test_a_thread_that_is_free_is_used_before_another_is_started() -> None:
    crew, threads = crew_of(4)
    idents = {crew.submit(threading.get_ident).result(5) for _ in range(50)}
    assert len(idents) == len(threads()) == 1


def test_threads_end_and_close_their_connections_once_nobody_holds_the_crew() -> None:
    crew, threads = crew_of(3)
    together = threading.Barrier(3, timeout=5)
    kept = threading.local()
    closed: list[str] = []

    class Connections:
        def __del__(self) -> None:
            closed.append("closed")

    def work() -> None:
        kept.connections = Connections()
        together.wait()

    for future in [crew.submit(work) for _ in range(3)]:
        future.result(5)
    started = threads()
    assert (len(started), closed) == (3, [])
    del crew
    for thread in started:
        thread.join(5)
    assert (threads(), closed) == ([], ["closed"] * 3)


def test_a_crew_that_was_let_go_finishes_what_it_was_given() -> None:
    crew, threads = crew_of(1)
    futures = [crew.submit(lambda number=number: number) for number in range(20)]  # type: ignore[misc]
    started = threads()
    del crew
    assert [future.result(5) for future in futures] == list(range(20))
    for thread in started:
        thread.join(5)
    assert threads() == []


def test_a_task_taken_back_before_it_began_is_never_run() -> None:
    crew, _ = crew_of(1)
    hold = threading.Event()
    done: list[str] = []
    busy = crew.submit(lambda: hold.wait(5))
    taken_back = crew.submit(lambda: done.append("taken back"))
    last = crew.submit(lambda: done.append("last"))
    assert taken_back.cancel()
    hold.set()
    assert busy.result(5)
    last.result(5)
    assert done == ["last"]


# -- connections side by side ------------------------------------------------------------------------------------------


class Line:
    """As much of a link as working side by side needs."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.crew = Crew(name, 2)


def together(
    tasks: dict[str, Callable[[], object]], control: RunControl | None = None
) -> list[object | ConnectionTrouble]:
    links = cast("list[Link]", [Line(name) for name in tasks])
    return side_by_side(links, lambda link: tasks[link.name](), control or RunControl(SystemClock(), 30))


def raising(error: Exception) -> Callable[[], Any]:
    def task() -> None:
        raise error

    return task


def test_results_come_in_the_order_of_the_connections_not_in_that_of_their_ends() -> None:
    first_may_end = threading.Event()

    def first() -> str:
        assert first_may_end.wait(5)
        return "first"

    def second() -> str:
        first_may_end.set()
        return "second"

    assert together({"a": first, "b": second}) == ["first", "second"]


def test_one_connections_trouble_stays_with_it() -> None:
    results = together(
        {
            "a": raising(NoAnswer("GET /v1/x: no answer in time")),
            "b": lambda: "fine",
            "c": raising(OutcomeUnknown("DELETE /v1/x: the connection was dropped")),
            "d": raising(PluginFault("plugin d: erase raised KeyError")),
            "e": raising(RunEnded("over", advice="resume")),
        }
    )
    assert results == [
        ConnectionTrouble(Result.FAILED, "GET /v1/x: no answer in time"),
        "fine",
        ConnectionTrouble(Result.UNKNOWN, "DELETE /v1/x: the connection was dropped"),
        ConnectionTrouble(Result.FAILED, "plugin d: erase raised KeyError"),
        ConnectionTrouble(Result.FAILED, "over; resume"),
    ]


@pytest.mark.parametrize("error", [StorageError("the disk is full"), RefusedError("no"), ZeroDivisionError()])
def test_what_concerns_the_whole_run_ends_it(error: Exception) -> None:
    with pytest.raises(type(error)):
        attempt(raising(error))
    with pytest.raises(type(error)):
        together({"a": lambda: "fine", "b": raising(error)})


def test_a_connection_that_does_not_come_back_is_unknown_and_the_others_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("habeas.engine.tools._GRACE_SECONDS", 0.05)
    control = RunControl(SystemClock(), 0.1)
    release = threading.Event()
    results = together({"a": lambda: release.wait(10), "b": lambda: "fine"}, control)
    release.set()
    stuck, fine = results
    assert isinstance(stuck, ConnectionTrouble)
    assert (stuck.result, fine) == (Result.UNKNOWN, "fine")
    with pytest.raises(RunEnded):
        control.check()

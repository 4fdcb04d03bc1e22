"""Threads that stay: each keeps its HTTP connections open, and none keeps the process from ending."""

from __future__ import annotations

import queue
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

__all__ = ["Crew"]

T = TypeVar("T")

_Deliver = Callable[[], None]

_MOST_LOST = 3
"""Tasks of one connection that may never come back before its plugin is left alone."""


class Crew:
    """At most ``size`` daemon threads, started as they are needed. They end once nobody holds the crew any more."""

    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self._size = size
        self._board = _Board()
        self._threads = 0
        self._lost = 0
        self._dismiss = weakref.finalize(self, self._board.dismiss, size)
        self._dismiss.atexit = False

    def close(self) -> None:
        """Sends the threads home, each after the task in hand; their connections go with them."""
        self._dismiss()

    @property
    def broken(self) -> bool:
        """Whether so many tasks were given up that no further one should be begun."""
        return self._lost >= min(_MOST_LOST, self._size)

    def give_up(self) -> None:
        """One task does not come back: another thread takes the place of the one that is stuck in it."""
        with self._board.lock:
            self._lost += 1
            self._board.idle += self._board.tasks.empty()
        self._start()

    def submit(self, task: Callable[[], T]) -> Future[T]:
        """Runs ``task`` on a thread of the crew; its result or exception is in the future."""
        future: Future[T] = Future()

        def run() -> _Deliver:
            if not future.set_running_or_notify_cancel():
                return lambda: None
            try:
                return partial(future.set_result, task())
            except BaseException as error:  # noqa: BLE001 - the future carries it to whoever waits
                return partial(future.set_exception, error)

        with self._board.lock:
            start = self._board.idle == 0 and self._threads < self._size
            self._threads += start
            if not start:
                self._board.idle = max(0, self._board.idle - 1)
        self._board.tasks.put(run)
        if start:
            self._start()
        return future

    def _start(self) -> None:
        threading.Thread(target=self._board.work, name=self._name, daemon=True).start()


class _Board:
    """What the threads know of their crew: not the crew itself, which can so be let go while they wait."""

    def __init__(self) -> None:
        self.tasks: queue.SimpleQueue[Callable[[], _Deliver] | None] = queue.SimpleQueue()
        """None: one thread may go home."""
        self.lock = threading.Lock()
        self.idle = 0

    def dismiss(self, size: int) -> None:
        """Sends all threads home. May be called by the garbage collector at any moment, so it takes no lock."""
        for _ in range(size):
            self.tasks.put(None)

    def work(self) -> None:
        """What each thread does."""
        while (task := self.tasks.get()) is not None:
            deliver = task()
            with self.lock:
                # Before the result is told, so that whoever waited for it finds this thread free.
                self.idle += 1
            deliver()
            # A task holds what it worked with, perhaps the crew: not longer than it takes.
            del task, deliver

"""While a plugin's code runs in our process: its mark on this thread, and what it may not do to the process."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

__all__ = ["EndOfTrial", "foreign_code", "ours", "within"]

T = TypeVar("T")

_FORKED: Final = 70
"""Exit code of a child that a plugin has forked and that comes back to us. EX_SOFTWARE of sysexits.h."""


class EndOfTrial(BaseException):
    """What the conformance kit ends a hook with, as a kill would: no border takes it for a fault of the plugin."""


class _Mark(threading.local):
    depth = 0


_mark = _Mark()


def ours() -> bool:
    """Whether this thread may write results: the main thread, and not while it is in a plugin's code."""
    return not _mark.depth and threading.current_thread() is threading.main_thread()


@contextmanager
def foreign_code() -> Iterator[None]:
    """Around every call of a plugin.

    A child that the plugin forks is a copy of us, with our files open. Where it comes back it ends: only one of the
    two may go on.
    """
    process = os.getpid()
    _mark.depth += 1
    try:
        yield
    finally:
        _mark.depth -= 1
        if os.getpid() != process:
            os._exit(_FORKED)


def within(seconds: float, task: Callable[[], T]) -> T:
    """Does ``task`` on a thread of its own, and raises ``TimeoutError`` where it does not come back in time."""
    done = threading.Event()
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(task())
        except BaseException as error:  # noqa: BLE001 - carried to whoever waits
            errors.append(error)
        finally:
            done.set()

    threading.Thread(target=run, name="habeas-plugin", daemon=True).start()
    if not done.wait(seconds):
        raise TimeoutError
    if errors:
        raise errors[0]
    return results[0]

"""Ctrl-C, SIGTERM and SIGHUP: whoever ends a command once lets the call in hand finish; twice, at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from habeas.cli.output import Output
    from habeas.control import RunControl

__all__ = ["answered_by_no", "guarded", "stop_on_signals"]

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _install(handler: Callable[[int, FrameType | None], object]) -> dict[signal.Signals, object]:
    """What was there before. A signal that our parent has us ignore, as ``nohup`` does, stays ignored."""
    before: dict[signal.Signals, object] = {}
    for number in _ENDING:
        found = signal.getsignal(number)
        if found not in (signal.SIG_IGN, None):
            signal.signal(number, handler)
            before[number] = found
    return before


def _put_back(handlers: dict[signal.Signals, object]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)  # type: ignore[arg-type] # as they were given to us


@contextmanager
def guarded() -> Iterator[None]:
    """Around a whole command: what would kill the process without a word ends it as Ctrl-C does.

    Whatever handlers a run has left behind are gone afterwards.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return
    before = _install(signal.default_int_handler)
    try:
        yield
    finally:
        _put_back(before)


@contextmanager
def answered_by_no() -> Iterator[None]:
    """While a question stands no call is in hand that a signal would have to wait for: it is an answer, no."""
    with guarded():
        yield


@contextmanager
def stop_on_signals(control: RunControl, output: Output) -> Iterator[None]:
    """Ends a run after the calls in hand, records them, says how to go on. A second signal stops at once.

    The handler stays until the command ends: a first signal that comes once the run is over stops nothing, for what is
    left is to tell what became of it.
    """
    asked = over = False

    def handle(number: int, _: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        if over:
            return
        control.stop()
        # The terminal may be gone, or in the middle of another line: that must not keep the run from ending well.
        with suppress(OSError, RuntimeError, ValueError):
            output.say(
                f"\n{signal.Signals(number).name}: finishing the calls in hand; go on later with `habeas resume` "
                "(once more stops at once)"
            )

    _install(handle)
    try:
        yield
    finally:
        over = True

"""What the program takes from itself before it does anything: core files, files for others, Python's own tracebacks."""

from __future__ import annotations

import os
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from types import TracebackType

__all__ = ["harden", "internal_fault"]

_PR_SET_DUMPABLE = 4
"""``prctl(2)``."""


def harden() -> None:
    """New files are their owner's alone; memory goes to no core file; an error that nobody caught says where, not whom.

    Python cannot wipe memory: keys, secrets and people's data stay in it until the process ends. What can be done is
    keeping the system from writing it to a disk, and others from looking.
    """
    os.umask(0o077)
    _keep_memory()
    sys.excepthook = _say
    threading.excepthook = lambda args: _say(args.exc_type, args.exc_value, args.exc_traceback)
    sys.unraisablehook = lambda args: _say(args.exc_type, args.exc_value, args.exc_traceback)


def internal_fault(error: BaseException) -> str:
    """A mistake of ours in one line: its type and place. Its own text is left out, as it may hold a person's data."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "habeas" in f.filename]
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"internal fault, {type(error).__name__}{place}; please report it with this line"


def _keep_memory() -> None:
    """No core file. On Linux other programs of the same user cannot read memory or environment either."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        # The limit does not bind a system that pipes core files into a program (core(5)); this does.
        with suppress(ImportError, OSError, AttributeError):
            import ctypes

            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _say(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """What Python would have shown with a traceback and the error's text: a closed terminal is no reason to fail."""
    if error is None or issubclass(kind, KeyboardInterrupt | BrokenPipeError):
        return
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"habeas: {internal_fault(error.with_traceback(trace))}\n")

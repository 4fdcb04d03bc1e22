"""A process beside this one: whether there is a core for it, and what of our environment it may see."""

from __future__ import annotations

import os

__all__ = ["cores", "plain_environment"]

_PASSED_ON = (
    "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH",
    "PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE",
)  # fmt: skip
"""What a Python needs to start and to read file names as we do. Anything else may be a secret: `env:NAME`."""


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def plain_environment() -> dict[str, str]:
    """The environment of every process that we start."""
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ}

"""Times as people write them on the command line and read them in a line of progress."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

import click

__all__ = ["in_words", "max_runtime_option", "seconds_of"]

F = TypeVar("F", bound=Callable[..., object])

_UNITS = (86_400, 3600, 60, 1)
_WRITTEN = re.compile("".join(f"(?:([0-9]{{1,6}}){unit})?" for unit in "dhms"))


def seconds_of(text: str) -> float | None:
    """``90m``, ``6h``, ``1h30m``; None for what is no time, or none at all."""
    found = _WRITTEN.fullmatch(text)
    parts = found.groups() if found else ()
    return float(sum(int(part or 0) * unit for part, unit in zip(parts, _UNITS, strict=False))) or None


def _converted(ctx: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    seconds = seconds_of(value)
    if seconds is None:
        raise click.BadParameter("it is not a time; write 45m, 6h or 1h30m", ctx, parameter)
    return seconds


def max_runtime_option(function: F) -> F:
    """``--max-runtime TIME``: seconds, or None."""
    return click.option(
        "--max-runtime", callback=_converted, metavar="TIME",
        help="Begin no further case after so long (90m, 6h); `habeas resume` goes on.",
    )(function)  # fmt: skip


def in_words(seconds: float) -> str:
    """Roughly, in at most two units: ``2 h 5 min``, ``40 s``."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} days {hours} h" if hours else f"{days} days"

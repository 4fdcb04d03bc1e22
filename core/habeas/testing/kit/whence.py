"""Where a problem began: the line of the plugin that raised, and what the sandbox had answered."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from habeas.errors import HabeasError, PluginFault
from habeas.testing.kit.bench import Bench
from habeas.testing.kit.words import masked, words_about

__all__ = ["answered", "raised_at"]

_LONGEST = 200
"""Characters of an answer that are shown."""


def raised_at(error: BaseException, plugin: object) -> str:
    """``KeyError at mapping.py:41``, of what the plugin raised before ``error``; empty where it raised nothing.

    The innermost frame that is the plugin's own. Never the exception's text, which may hold a value.
    """
    cause: BaseException | None = error
    while cause is not None:
        origin = cause.__context__ if isinstance(cause, PluginFault) else cause
        if isinstance(cause, HabeasError) and origin is not None:
            place = _innermost(origin.__traceback__, plugin)
            return f"{type(origin).__name__} at {place}" if place else ""
        cause = cause.__context__
    return ""


def _innermost(frame: TracebackType | None, plugin: object) -> str:
    file = getattr(plugin, "__file__", None)
    if file is None:
        return ""
    root, place = Path(file).resolve(), ""
    folder = root.parent
    while frame is not None:
        path = Path(frame.tb_frame.f_code.co_filename).resolve()
        if path == root or (hasattr(plugin, "__path__") and path.is_relative_to(folder)):
            place = f"{path.relative_to(folder).as_posix()}:{frame.tb_lineno}"
        frame = frame.tb_next
    return place


def answered(bench: Bench, problem: str) -> str:
    """The sandbox's answer with an error that a problem names (``PATCH /v1/x -> 400``), its beginning; else empty."""
    scene = bench.latest
    if scene is None:
        return ""
    for answer in reversed(scene.line.answers.values()):
        if answer.status >= 400 and answer.evidence in problem:
            words = {word for person in scene.people for word in words_about(person)}
            return masked(answer.body.decode("utf-8", "replace"), words)[:_LONGEST]
    return ""

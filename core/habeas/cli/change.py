"""What ``consent set`` and ``rectify`` share: look first, ask, change, read back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from habeas.cli.context import Settings, ask, somebody_can_be_asked, stop_on_signals
from habeas.cli.output import Output, progress_line

if TYPE_CHECKING:
    from habeas.app import App
    from habeas.cases.register import NewCase
    from habeas.cases.view import CaseView
    from habeas.engine.tools import Run

__all__ = ["change"]

T = TypeVar("T")


def change(
    settings: Settings, app: App, name: str, new: NewCase, *, look: Callable[[Run], T],
    show: Callable[[Output, T], None], dry: Callable[[Run, T], int] | None, question: str, doing: str, yes: bool,
    max_wait: float | None,
) -> int:  # fmt: skip
    """One changing command about one person. Returns the exit code.

    Without ``yes`` what is there now is looked up and shown, and somebody is asked. ``dry`` is given for a dry run: it
    tells what was seen, and nothing is changed. Raises :class:`~habeas.errors.RefusedError` where nobody can be asked.
    """
    from habeas.control import RunControl

    output = settings.output
    if not yes and dry is None:
        somebody_can_be_asked(doing)
    control = RunControl(app.tools.clock, max_wait or app.config.max_wait_seconds)
    with (
        stop_on_signals(control, output),
        app.run(name, lambda event: output.say(progress_line(event)), control) as run,
    ):
        if dry is not None:
            seen = look(run)
        elif yes or _agreed(run, settings, look, show, question):
            view = app.carry_out(run, new)
        else:
            return 4
    # Only now: the ledger's head that is shown is the one the run left behind.
    return _finish(app, settings, view) if dry is None else dry(run, seen)


def _agreed(
    run: Run, settings: Settings, look: Callable[[Run], T], show: Callable[[Output, T], None], question: str
) -> bool:
    output = settings.output
    show(output.aside() if settings.as_json else output, look(run))
    agreed = ask(question, run.control)
    if not agreed:
        output.say("Nothing was changed.")
    return agreed


def _finish(app: App, settings: Settings, view: CaseView) -> int:
    """Shows a case that was worked on, and returns its exit code."""
    from habeas.cases.view import exit_code

    if settings.as_json:
        settings.output.json(app.case_json(view))
    else:
        settings.output.case(view)
    settings.output.advice(view)
    return exit_code(view)

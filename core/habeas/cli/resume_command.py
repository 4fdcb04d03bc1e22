"""``habeas resume``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from habeas.cli.context import Settings, json_option, pass_settings, stop_on_signals

if TYPE_CHECKING:
    from habeas.app import App

__all__ = ["command"]


def _half_registered(app: App) -> list[str]:
    """Batches of which only a part is in the register: the rest is in their file, and nowhere else."""
    runs: dict[str, None] = {}
    for entry in app.tools.ledger.entries(types=["batch.started", "batch.registered"]):
        if entry.type == "batch.started":
            runs[entry.run_id] = None
        else:
            runs.pop(entry.run_id, None)
    return list(runs)


@click.command("resume", epilog="Examples: habeas resume  ·  habeas resume c-01J… --json")
@click.argument("case_ids", nargs=-1, metavar="[CASE]...")
@json_option
@pass_settings
def command(settings: Settings, case_ids: tuple[str, ...]) -> int:
    """Finish whatever an interrupted run left: ask the vendors what is true, do what is left, read back.

    Never asks: it finishes what was approved. Calls whose answer was lost are read before anything is repeated.
    """
    from habeas import aftercare
    from habeas.cli.many import work_through
    from habeas.control import RunControl

    output = settings.output
    with settings.open_app() as app:
        register = app.tools.register
        views = [register.view(case_id) for case_id in case_ids] if case_ids else None
        control = RunControl(app.tools.clock)
        for run_id in _half_registered(app):
            output.say(f"Run {run_id} was cut off while it registered a file: run `habeas batch` on that file again.")
        problems: list[str] = []
        with stop_on_signals(control, output), app.run("resume", lambda _: None, control) as run:
            if views is not None:
                names = [v.case_id for v in views]
            else:
                released, problems = aftercare.release_holds(app, run)
                names = [v.case_id for v in register.unfinished()]
                if released:
                    output.say(f"{len(released)} holds have ended: what they kept is erased now.")
            for problem in problems:
                output.say(problem)
            if not names:
                output.say("Nothing is unfinished.")
            code = work_through(app, run, names, output, total=len(names), summary={})
        return 1 if problems else code

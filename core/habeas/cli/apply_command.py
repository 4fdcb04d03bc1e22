"""``habeas apply``."""

from __future__ import annotations

import click

from habeas.cli.context import Settings, confirm, json_option, pass_settings, stop_on_signals, yes_option
from habeas.cli.output import progress_line
from habeas.errors import RefusedError

__all__ = ["command"]


@click.command("apply", epilog="Example: habeas apply c-01J… --yes")
@click.argument("case_id", metavar="CASE")
@yes_option
@click.option("--max-wait", type=click.FloatRange(min=1), metavar="SECONDS", help="Longest time it may take. [90]")
@json_option
@pass_settings
def command(settings: Settings, case_id: str, yes: bool, max_wait: float | None) -> int:
    """Carry out a plan that somebody else has approved: look again, erase, read back.

    Refused (exit 4), and nothing is changed, where the plan is not approved, the approval has expired or is yours, or
    the vendors hold something else now than was approved.
    """
    from habeas.cli.erase_command import finish
    from habeas.control import RunControl
    from habeas.engine.approvals import require_approval

    output = settings.output
    with settings.open_app() as app:
        control = RunControl(app.tools.clock, max_wait or app.config.max_wait_seconds)
        with (
            stop_on_signals(control, output),
            app.run("apply", lambda event: output.say(progress_line(event)), control) as run,
            app.hold(case_id),
        ):
            view = app.tools.register.view(case_id)
            if view.closed or view.type != "erasure":
                raise RefusedError(f"case {case_id} is {view.status}: there is nothing to apply")
            if view.status in ("running", "incomplete"):
                raise RefusedError(f"case {case_id} was begun already", advice="`habeas resume` finishes it")
            if view.doubtful:
                raise RefusedError(
                    f"case {case_id} waits: it is not confirmed who asked",
                    advice=f"`habeas case identity {case_id} --verified`, then `habeas apply`",
                )
            require_approval(app.tools, app.config.approvals, run, view)
            if not confirm("Erase what was approved? It cannot be undone.", yes=yes):
                raise RefusedError("not confirmed; nothing was changed")
            work = app.erasure(run, case_id)
            plan = work.stored_plan(view)
            if plan is None or work.drifted(plan):
                raise RefusedError(
                    "the vendors hold something else now than was approved: the new plan waits for a yes",
                    advice=f"`habeas approve {case_id}`",
                )
            done = work.execute(plan)
        return finish(app, settings, done)

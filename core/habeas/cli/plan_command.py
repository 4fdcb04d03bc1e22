"""``habeas plan``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from habeas.cli.context import Settings, json_option, not_empty, pass_settings, stop_on_signals, subject_options
from habeas.cli.output import progress_line
from habeas.errors import RefusedError
from habeas.models import CaseType, Subject

if TYPE_CHECKING:
    from habeas.app import App

__all__ = ["command"]


@click.command("plan", epilog="Examples: habeas plan customer_id=C-100042  ·  habeas plan ada@example.org --json")
@subject_options
@click.option("--policy", default="", callback=not_empty, metavar="NAME", help="What to erase. [default: by regime]")
@click.option("--reference", default="", help="Your own name for the request; stays in the vault.")
@click.option("--regime", default="", callback=not_empty, help="Whose clock runs. [default: the controller's]")
@click.option("--case", "case_id", default="", help="Plan a case that is open already, instead of ID.")
@click.option("--again", is_flag=True, help="Open a second case although one about the same is open.")
@click.option("--max-wait", type=click.FloatRange(min=1), metavar="SECONDS", help="Longest time it may take. [90]")
@json_option
@pass_settings
def command(
    settings: Settings, name_subject: Callable[[App], Subject], policy: str, reference: str, regime: str, case_id: str,
    again: bool, max_wait: float | None,
) -> int:  # fmt: skip
    """Open an erasure, look what is held, and plan it: for somebody else to approve.

    The first of three steps: `plan`, `approve`, `apply`. Nothing is changed at any vendor. The approval is of this very
    plan: if the vendors hold something else by the time it is applied, it counts for nothing.
    """
    from habeas.control import RunControl

    output = settings.output
    with settings.open_app() as app:
        new = None
        if not case_id:
            subject = name_subject(app)
            new = app.new_case(CaseType.ERASURE, subject, policy=policy, regime=regime, reference=reference)
            if not again:
                app.refuse_duplicate(new)
        control = RunControl(app.tools.clock, max_wait or app.config.max_wait_seconds)
        with (
            stop_on_signals(control, output),
            app.run("plan", lambda event: output.say(progress_line(event)), control) as run,
        ):
            if new is not None:
                case_id = app.open_case(run, new, again=again)
            with app.hold(case_id):
                view = app.tools.register.view(case_id)
                if view.closed or view.type != CaseType.ERASURE:
                    raise RefusedError(f"case {case_id} is {view.status}: there is nothing to plan")
                work = app.erasure(run, case_id)
                if view.doubtful:
                    raise RefusedError(
                        f"case {case_id} waits: it is not confirmed who asked",
                        advice=f"`habeas case identity {case_id} --verified`, then `habeas plan --case`",
                    )
                plan = work.prepare()
                reason = work.too_large(plan)
                if reason:
                    work.refuse(reason)
        view = app.tools.register.view(case_id)
        if settings.as_json:
            from habeas.cli.erase_command import part_json

            output.json(app.case_json(view) | {"plan": [part_json(part) for part in plan.connections]})
        else:
            output.plan(plan)
            output.show(f"Case {case_id}: {view.status}" + (f" ({view.reason})" if view.reason else ""), "bold")
            output.show(f"plan {view.plan_digest}")
        if reason:
            return 4
        output.say(f"Somebody else may approve it: habeas approve {case_id}")
        if not plan.complete:
            return 1
        return 4 if plan.all_held() else 0

"""``habeas erase``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from habeas.cli.context import (
    Settings,
    ask,
    json_option,
    not_empty,
    pass_settings,
    somebody_can_be_asked,
    stop_on_signals,
    subject_options,
    yes_option,
)
from habeas.cli.output import progress_line
from habeas.models import CaseType, Subject

if TYPE_CHECKING:
    from habeas.app import App
    from habeas.cases.register import NewCase
    from habeas.cases.view import CaseView
    from habeas.engine.plan import Plan
    from habeas.engine.tools import Run

__all__ = ["command", "finish", "part_json"]


@click.command(
    "erase",
    epilog="Examples: habeas erase customer_id=C-100042 --dry-run  ·  habeas erase ada@example.org --yes --json  ·  "
    "echo email=ada@example.org | habeas erase --subject-from - --yes",
)
@subject_options
@click.option(
    "--policy",
    default="",
    callback=not_empty,
    metavar="NAME",
    help="What to erase and what to keep. [default: by regime]",
)
@click.option("--dry-run", is_flag=True, help="Show the plan; change nothing and open no case.")
@yes_option
@click.option("--reference", default="", help="Your own name for the request; stays in the vault.")
@click.option(
    "--regime",
    default="",
    callback=not_empty,
    help="Whose clock runs: gdpr, uk-gdpr, ccpa … [default: the controller's]",
)
@click.option("--again", is_flag=True, help="Open a second case although one about the same is open.")
@click.option("--max-wait", type=click.FloatRange(min=1), metavar="SECONDS", help="Longest time it may take. [90]")
@json_option
@pass_settings
def command(
    settings: Settings, name_subject: Callable[[App], Subject], policy: str, dry_run: bool, yes: bool,
    reference: str, regime: str, again: bool, max_wait: float | None,
) -> int:  # fmt: skip
    """Erase a person everywhere: plan, ask, erase, read back.

    ID is KIND=VALUE (email, phone, customer_id, or a connection's name) or a bare e-mail address. "erased" in the
    result means: the vendor was read back, and the record was gone.
    """
    from habeas.control import RunControl

    output = settings.output
    with settings.open_app() as app:
        subject = name_subject(app)
        new = app.new_case(CaseType.ERASURE, subject, policy=policy, regime=regime, reference=reference, approved=yes)
        if not dry_run:
            app.refuse_without_four_eyes()
            if not again:
                app.refuse_duplicate(new)
            if not yes:
                somebody_can_be_asked("erasing")
        control = RunControl(app.tools.clock, max_wait or app.config.max_wait_seconds)
        with (
            stop_on_signals(control, output),
            app.run("erase", lambda event: output.say(progress_line(event)), control) as run,
        ):
            if dry_run:
                plan = app.plan_only(run, subject, app.tools.policy(new.policy))
            else:
                case_id = app.open_case(run, new, again=again)
                with app.hold(case_id):
                    view = _plan_ask_erase(app, run, settings, case_id, yes=yes)
        # Only now: the ledger's head that is shown is the one the run left behind.
        return _show_plan(app, settings, run, new, plan) if dry_run else finish(app, settings, view)


def _plan_ask_erase(app: App, run: Run, settings: Settings, case_id: str, *, yes: bool) -> CaseView:
    work = app.erasure(run, case_id)
    view = app.tools.register.view(case_id)
    if view.doubtful:
        return view  # not even looked up: nobody knows yet whether this is the person who asked
    plan = work.prepare()
    reason = work.too_large(plan)
    if reason:
        return work.refuse(reason)
    asked = not yes and _has_work(plan)
    if asked:
        output = settings.output
        (output.aside() if settings.as_json else output).plan(plan)
        if not ask("Erase this? It cannot be undone.", run.control):
            return work.cancel("not confirmed")
    if not yes:
        work.approve("asked on the terminal" if asked else "nothing to erase, so nobody was asked")
    return work.execute(plan)


def _has_work(plan: Plan) -> bool:
    """Whether a yes would change anything: not where nothing is held, or all of it is under a hold."""
    return not plan.all_held() and any(part.items or not part.searched for part in plan.connections)


def _show_plan(app: App, settings: Settings, run: Run, new: NewCase, plan: Plan) -> int:
    from habeas.clock import rfc3339
    from habeas.engine.erasure import plan_digest

    policy = app.tools.policy(plan.policy)
    settings.output.plan(plan)
    if settings.as_json:
        settings.output.json(
            {
                "case": None,
                "run": run.run_id,
                "dry_run": True,
                "reference": new.request.reference or None,
                "type": "erasure",
                "status": "open",
                "regime": new.regime,
                "received_at": rfc3339(new.received_at),
                "due_at": rfc3339(new.due_at),
                "policy": {"name": policy.name, "digest": policy.digest},
                "plan_digest": plan_digest(app.tools, plan),
                "plan": [part_json(part) for part in plan.connections],
                "outcomes": [],
                "notices": [
                    {"connection": n.connection, "text": n.text, "until": n.until or None} for n in plan.notices
                ],
                "ledger": app.ledger_json(),
            }
        )
    else:
        settings.output.say("Dry run: nothing was changed.")
    if not plan.complete:
        return 1
    if plan.all_held():
        return 4
    return 3 if any(p.gaps or any(i.action == "manual" for i in p.items) for p in plan.connections) else 0


def part_json(part: object) -> object:
    """One connection's part of a plan, for a command's JSON."""
    from habeas.engine.plan import ConnectionPlan

    assert isinstance(part, ConnectionPlan)  # noqa: S101 - for the type checker
    return {
        "connection": part.connection,
        "plugin": part.plugin,
        "searched": part.searched,
        "problem": part.problem or None,
        "evidence": part.evidence or None,
        "records": [
            {
                "record": item.record.kind,
                "count": item.record.count,
                "action": str(item.action),
                "reason": item.reason or None,
                "legal_basis": item.legal_basis or None,
                "until": item.until or None,
            }
            for item in part.items
        ],
        "gaps": [{"record": g.kind, "result": str(g.result), "reason": g.reason} for g in part.gaps],
    }


def finish(app: App, settings: Settings, view: CaseView) -> int:
    """Shows a case that was worked on, and returns its exit code."""
    from habeas.cases.view import exit_code

    record = app.record(view)
    if settings.as_json:
        settings.output.json(app.case_json(view))
    else:
        settings.output.case(view)
        settings.output.notices(record.notices)
    settings.output.advice(view)
    return 4 if view.status == "cancelled" else exit_code(view)

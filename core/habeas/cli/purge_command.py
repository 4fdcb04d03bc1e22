"""``habeas purge``."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import click
from rich.markup import escape

from habeas.cli.context import (
    Settings,
    confirm,
    json_option,
    pass_settings,
    stop_on_signals,
    trust_clock_option,
    yes_option,
)
from habeas.errors import RefusedError

if TYPE_CHECKING:
    from habeas.app import App
    from habeas.engine.purge import PurgePlan

__all__ = ["command"]


@click.command("purge", epilog="Examples: habeas purge --dry-run  ·  from cron: habeas purge --yes --json")
@click.argument("case_ids", nargs=-1, metavar="[CASE]...")
@click.option("--dry-run", is_flag=True, help="Show what would be destroyed; destroy nothing.")
@trust_clock_option
@yes_option
@json_option
@pass_settings
def command(settings: Settings, case_ids: tuple[str, ...], dry_run: bool, trust_clock: bool, yes: bool) -> int:
    """Destroy the keys whose purpose has ended: what was asked and planned in closed cases, and old pseudonyms.

    When that is, policies say ([after] keep_details), and [retention] in the configuration. A key is kept while a hold
    is open or a recheck is still to be made. Afterwards nobody can read from this disk who a case was about; the
    ledger and its certificates verify as before. Access packages go with their case. Copies elsewhere (backups,
    packages that were moved) are yours to destroy.
    """
    from habeas.control import RunControl
    from habeas.engine import timekeeping
    from habeas.engine.purge import carry_out_purge, one_purge, plan_purge

    output = settings.output
    with settings.open_app() as app, nullcontext() if dry_run else one_purge(app.locks):
        if not (trust_clock or dry_run):
            timekeeping.require_clock(app.tools.ledger, app.tools.clock)
        plan = plan_purge(app.tools, app.config.retention, case_ids or None)
        if not settings.as_json:
            _show(app, settings, plan)
        if not dry_run and app.tools.consents is not None:
            app.tools.consents.scrub()  # who was taken out is gone; this is of what SQLite may have left of them
        if dry_run or plan.empty:
            return _end(app, settings, plan, dry_run=dry_run)
        if not confirm(f"Destroy {_count(plan)}? It cannot be undone.", yes=yes):
            raise RefusedError("not confirmed; nothing was destroyed")
        control = RunControl(app.tools.clock)
        with stop_on_signals(control, output), app.run("purge", lambda _: None, control) as run:
            timekeeping.trust_clock(app.tools.ledger, app.tools.clock, run.run_id)
            carry_out_purge(app.tools, run, plan)
        return _end(app, settings, plan, dry_run=False)


def _count(plan: PurgePlan) -> str:
    parts = [
        (len(plan.ended), "case key"), (len(plan.epochs), "key of a quarter's pseudonyms"),
        (len(plan.suppressed), "place on the suppression list"), (len(plan.half_done), "key left half destroyed"),
    ]  # fmt: skip
    words = [f"{n} {what}" if n == 1 else f"{n} times: {what}" for n, what in parts if n]
    return ", ".join(words) or "nothing"


def _show(app: App, settings: Settings, plan: PurgePlan) -> None:
    output = settings.output
    rows = [
        [one.view.case_id, str(one.view.type), app.local_day(one.view.closed_at), escape(one.end.why)]
        for one in plan.ended
    ]
    if rows:
        output.table(["case", "type", "closed", "why its key goes"], rows, "Purpose ended")
    for epoch in plan.epochs:
        output.show(f"pseudonyms of {epoch}: nobody can trace them afterwards")
    if plan.suppressed:
        output.show(f"suppression list: {len(plan.suppressed)} places whose retention is over")
    for why, n in plan.kept.most_common():
        output.show(f"kept: {n} {'case' if n == 1 else 'cases'}, {why}", "dim")


def _end(app: App, settings: Settings, plan: PurgePlan, *, dry_run: bool) -> int:
    output = settings.output
    if settings.as_json:
        output.json(
            {
                "dry_run": dry_run,
                "purged": [
                    {
                        "case": one.view.case_id,
                        "type": str(one.view.type),
                        "closed_at": one.view.closed_at,
                        "why": one.end.why,
                        "package": str(one.package) if one.package else None,
                    }
                    for one in plan.ended
                ],
                "pseudonyms": plan.epochs,
                "suppression": [one.case_id for one in plan.suppressed],
                "kept": dict(plan.kept),
                "ledger": app.ledger_json(),
            }
        )
    elif plan.empty:
        output.show("Nothing has reached its end.")
    elif dry_run:
        output.say("Dry run: nothing was destroyed.")
    else:
        output.show(f"Destroyed: {_count(plan)}. The ledger says so, and verifies as before.", "green")
    return 0

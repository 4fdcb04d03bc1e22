"""``habeas canary``."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import click
from rich.markup import escape

from habeas.cli.context import Settings, json_option, pass_settings, stop_on_signals
from habeas.cli.output import progress_line
from habeas.errors import InputError
from habeas.models import CaseType, Identifier, Subject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from habeas.app import App
    from habeas.cases.register import NewCase
    from habeas.cases.view import CaseView
    from habeas.cli.output import Output
    from habeas.engine.verdicts import Alarm, Control

__all__ = ["command"]

_STYLES = {"worked": "green", "failed": "bold red", "unsupported": "yellow", "untested": "dim"}


@click.command("canary", epilog="Examples: habeas canary  ·  habeas canary voucherify --json  ·  from cron: 0 5 * * *")
@click.argument("connections", nargs=-1, metavar="[CONNECTION]...")
@click.option("--max-wait", type=click.FloatRange(min=1), metavar="SECONDS", help="Longest time it may take. [90]")
@json_option
@pass_settings
def command(settings: Settings, connections: tuple[str, ...], max_wait: float | None) -> int:
    """Try everything on a made-up person at each connection, and remove them again.

    The person is created by the vendor's own operations, found, exported, asked for consent, corrected, erased and read
    back. Never asks, so that cron can run it. An ALARM line names each control that worked in an earlier run and does
    not now. Exit code 1: a control failed, or there is an alarm; 3: something is left at a vendor for a person to
    remove, or a connection could not be tried at all.
    """
    from habeas.control import RunControl
    from habeas.engine.canary import CanaryPass
    from habeas.engine.verdicts import alarms

    output = settings.output
    with settings.open_app() as app:
        new = _new_case(app, connections)
        control = RunControl(app.tools.clock, max_wait or app.config.max_wait_seconds)
        with (
            stop_on_signals(control, output),
            app.run("canary", lambda event: output.say(progress_line(event)), control) as run,
        ):
            (case_id,) = app.tools.register.open(run.run_id, [new])
            with app.hold(case_id):
                work = CanaryPass(app.tools, run, case_id)
                # Another process may have resumed it in the meantime.
                begun = app.tools.ledger.last(case_id, ["case.started", "case.closed"]) is not None
                view = app.tools.register.view(case_id) if begun else work.execute()
        raised = alarms(app.tools, work.controls, case_id)
        _show(app, settings, view, work.controls, raised)
        output.advice(view)
        return _code(view, work.controls, raised)


def _new_case(app: App, names: Sequence[str]) -> NewCase:
    from habeas.cases.ids import run_id
    from habeas.engine.canary import canary_details, new_person

    unknown = set(names) - set(app.tools.links)
    if unknown:
        raise InputError("there is no such connection", advice=f"configured: {', '.join(app.tools.links)}")
    links = [link for name, link in app.tools.links.items() if not names or name in names]
    name = run_id(app.tools.clock.now()).removeprefix("r-")
    person = new_person(name, secrets.randbelow, app.config.canary_domain)
    subject = Subject(
        (
            Identifier("customer_id", person.customer_id),
            Identifier("email", person.email),
            Identifier("phone", person.phone),
        )
    )
    details = canary_details(person, links)
    return app.new_case(CaseType.CANARY, subject, reference=person.customer_id, details=details, approved=True)


def _code(view: CaseView, controls: Sequence[Control], raised: Sequence[Alarm]) -> int:
    from habeas.cases.view import exit_code
    from habeas.engine.verdicts import Verdict

    if raised or any(control.verdict is Verdict.FAILED for control in controls) or exit_code(view) in (1, 4):
        return 1
    tried = {control.connection for control in controls if control.verdict is Verdict.WORKED}
    # What a vendor keeps for a while by its own rules is no work; what somebody must remove is, and so is a connection
    # of which the run has shown nothing.
    left = any(row.result == "manual" for row in view.outcomes)
    return 3 if left or {control.connection for control in controls} - tried else 0


def _show(app: App, settings: Settings, view: CaseView, controls: Sequence[Control], raised: Sequence[Alarm]) -> None:
    output = settings.output
    for alarm in raised:
        output.say(f"ALARM {alarm.connection}/{alarm.control}: worked last at {alarm.worked_at}, now: {alarm.detail}")
    if settings.as_json:
        output.json(
            {
                **app.case_json(view),
                "controls": [
                    {
                        "connection": c.connection,
                        "control": c.control,
                        "verdict": str(c.verdict),
                        "detail": c.detail or None,
                    }
                    for c in controls
                ],
                "alarms": [a.__dict__ for a in raised],
            }
        )
        return
    _table(output, controls)
    output.case(view)


def _table(output: Output, controls: Sequence[Control]) -> None:
    rows = [
        [c.connection, c.control, f"[{_STYLES[c.verdict]}]{c.verdict}[/]", escape(c.detail)] for c in controls
    ]  # fmt: skip
    output.table(["connection", "control", "verdict", "how we know, or why"], rows, "Canary")

"""``habeas case``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import click

from habeas.cases.lifecycle import deadline_of
from habeas.cli.case_changes import CHANGES
from habeas.cli.context import Settings, json_option, pass_settings
from habeas.errors import RefusedError
from habeas.models import CaseStatus

if TYPE_CHECKING:
    from habeas.app import App
    from habeas.cases.forecast import Forecast
    from habeas.cases.view import CaseView
    from habeas.models import Json

__all__ = ["command"]


@click.group("case")
def command() -> None:
    """The register of cases, derived from the ledger."""


for _command in CHANGES:
    command.add_command(_command)


@command.command("list", epilog="Examples: habeas case list --status incomplete  ·  habeas case list --due")
@click.option(
    "--status", type=click.Choice([str(s) for s in CaseStatus]), multiple=True, help="Only these; may be repeated."
)
@click.option("--due", is_flag=True, help="Only what is not closed, what burns first on top; and what will be late.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=None, help="At most so many: the newest, or the most urgent."
)
@json_option
@pass_settings
def list_cases(settings: Settings, status: tuple[str, ...], due: bool, limit: int | None) -> int:
    """List cases with status and due date, oldest first.

    With --due an estimate says which of them the vendors' limits would make late, if work began now. Exit code 3 where
    something is overdue, or will be late.
    """
    from collections import deque

    output = settings.output
    with settings.open_app() as app:
        if due:
            return _list_due(app, settings, status, limit)
        views = (app.seen(case_id) for case_id in app.tools.register.cases())
        wanted = deque((v for v in views if not status or v.status in status), maxlen=limit)
        if settings.as_json:
            output.json({"cases": [_listed(v) for v in wanted]})
        else:
            rows = [
                [
                    v.case_id,
                    str(v.type),
                    str(v.status),
                    app.local_day(v.received_at),
                    app.local_day(v.due_at),
                    _counts(v.outcomes),
                ]
                for v in wanted
            ]
            output.table(["case", "type", "status", "received", "due", "outcomes"], rows, "Cases")
    return 0


def _listed(view: CaseView) -> dict[str, Json]:
    return {
        "case": view.case_id, "type": str(view.type), "status": str(view.status), "regime": view.regime,
        "received_at": view.received_at, "due_at": view.due_at, "run": view.run_id,
    }  # fmt: skip


def _list_due(app: App, settings: Settings, status: tuple[str, ...], limit: int | None) -> int:
    from habeas import desk

    now = app.tools.clock.now()
    views = [app.seen(view.case_id) for view in app.tools.register.unfinished()]
    views = sorted((v for v in views if not status or v.status in status), key=lambda v: (v.due_at, v.case_id))[:limit]
    expected = {one.case_id: one for one in desk.forecast(app, views)}
    overdue = {v.case_id for v in views if datetime.fromisoformat(v.due_at) < now and not v.stopped}
    if settings.as_json:
        listed = [
            _listed(v)
            | {
                "days_left": _days_left(app, v, now),
                "overdue": v.case_id in overdue,
                "late": expected[v.case_id].late,
                "acknowledge_by": v.acknowledge_by or None if not v.acknowledged_at else None,
                "clock_stopped": v.stopped,
                "waits_for": v.waits_for or None,
            }
            for v in views
        ]
        settings.output.json({"cases": listed})
    else:
        rows = []
        for v in views:
            urgency = _urgency(app, v, expected[v.case_id], now, overdue=v.case_id in overdue)
            rows.append([v.case_id, str(v.type), str(v.status), app.local_day(v.due_at), urgency])
        settings.output.table(["case", "type", "status", "due", "how urgent"], rows, "Open cases")
        if not rows:
            settings.output.show("No case is open.")
    return 3 if overdue or any(one.late for one in expected.values()) else 0


def _days_left(app: App, view: CaseView, now: datetime) -> int:
    return (app.tools.local_date(datetime.fromisoformat(view.due_at)) - app.tools.local_date(now)).days


def _urgency(app: App, view: CaseView, expected: Forecast, now: datetime, *, overdue: bool) -> str:
    days = _days_left(app, view, now)
    words = ["the clock stands still" if view.stopped else f"{days} days left" if days >= 0 else ""]
    if overdue:
        words = ["[bold red]overdue[/]"]
    elif expected.late:
        words.append(f"[bold red]late[/]: about {app.local_day(expected.done_at.isoformat())} at the vendors' limits")
    if view.acknowledge_by and not view.acknowledged_at:
        words.append(f"confirm receipt by {app.local_day(view.acknowledge_by)}")
    if view.status == "waiting":
        words.append(f"waits: {view.waits_for}")
    return "; ".join(word for word in words if word)


def _counts(outcomes: object) -> str:
    from collections import Counter

    counts = Counter(str(row.result) for row in outcomes)  # type: ignore[attr-defined] # rows of a CaseView
    return ", ".join(f"{n} {result}" for result, n in counts.items())


_DETAILS = {
    "held": "",
    "destroyed": "details: destroyed, as their purpose had ended",
    "unavailable": "details: unavailable; nobody has destroyed their key, so it may come back with a backup of keys.db",
}


def _afterwards(app: App, view: CaseView, details: str) -> Iterator[str]:
    """Its time, and what has happened since it was closed."""
    try:
        yield from deadline_of(view, app.config.controller.timezone, app.tools.clock.now()).explanation
    except RefusedError as unknown:
        yield f"how it was counted cannot be told: {unknown.message}"
    if view.follows:
        yield f"goes on with {view.follows}"
    for until in sorted({day for _, day in view.holds}):
        held = ", ".join(sorted({name for name, day in view.holds if day == until}))
        yield f"held at {held} until {until}; `habeas resume` erases it after that"
    for until, case_id in view.released:
        yield f"a hold has ended by {until}: case {case_id} erases what it kept"
    for one in view.rechecks:
        what = f"records came back at {', '.join(one.back)}" if one.back else "still gone"
        unread = f"; not searched: {', '.join(one.unread)}" if one.unread else ""
        yield f"looked up again {app.local_day(one.at)}: {what}{unread}"
    if _DETAILS[details]:
        yield _DETAILS[details]


@command.command("show", epilog="Example: habeas case show c-01J…")
@click.argument("case_id", metavar="CASE")
@json_option
@pass_settings
def show_case(settings: Settings, case_id: str) -> int:
    """Show one case: its outcomes, how each is known, and the ledger entries behind them."""
    from habeas.cases.view import exit_code

    output = settings.output
    with settings.open_app() as app:
        view = app.seen(case_id)
        record = app.record(view)
        if settings.as_json:
            output.json(app.case_json(view))
        else:
            head = app.tools.ledger.head()
            output.case(view)
            output.notices(record.notices)
            received, due = app.local_day(view.received_at), app.local_day(view.due_at)
            output.show(
                f"{view.type} under {view.regime}, received {received}, due {due}"
                + (f", policy {view.policy}" if view.policy else "")
            )
            if record.reference:
                output.show(f"reference: {record.reference}")
            for line in _afterwards(app, view, record.details):
                output.show(line)
            output.show(f"ledger: {head.size} entries, root {head.root_text}")
        output.advice(view)
        return exit_code(view)

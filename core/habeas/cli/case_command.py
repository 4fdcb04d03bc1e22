"""``habeas case``."""

from __future__ import annotations

import click

from habeas.cli.context import Settings, json_option, pass_settings
from habeas.models import CaseStatus

__all__ = ["command"]


@click.group("case")
def command() -> None:
    """The register of cases, derived from the ledger."""


@command.command("list", epilog="Example: habeas case list --status incomplete")
@click.option(
    "--status", type=click.Choice([str(s) for s in CaseStatus]), multiple=True, help="Only these; may be repeated."
)
@click.option("--limit", type=click.IntRange(min=1), default=None, help="At most so many, the newest.")
@json_option
@pass_settings
def list_cases(settings: Settings, status: tuple[str, ...], limit: int | None) -> int:
    """List cases with status and due date, oldest first."""
    from collections import deque

    output = settings.output
    with settings.open_app() as app:
        views = (app.seen(case_id) for case_id in app.tools.register.cases())
        wanted = deque((v for v in views if not status or v.status in status), maxlen=limit)
        if settings.as_json:
            output.json(
                {
                    "cases": [
                        {
                            "case": v.case_id, "type": str(v.type), "status": str(v.status), "regime": v.regime,
                            "received_at": v.received_at, "due_at": v.due_at, "run": v.run_id,
                        }
                        for v in wanted
                    ]
                }
            )  # fmt: skip
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


def _counts(outcomes: object) -> str:
    from collections import Counter

    counts = Counter(str(row.result) for row in outcomes)  # type: ignore[attr-defined] # rows of a CaseView
    return ", ".join(f"{n} {result}" for result, n in counts.items())


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
            output.show(f"ledger: {head.size} entries, root {head.root_text}")
        output.advice(view)
        return exit_code(view)

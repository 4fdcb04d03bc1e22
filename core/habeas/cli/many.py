"""What ``batch`` and ``resume`` share: work through cases, write the result as it grows, sum up."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from habeas.cli.output import Output, progress_line
from habeas.cli.progress import RunProgress
from habeas.engine.events import CaseBusy, CaseFinished, CaseUnapproved
from habeas.models import Json

if TYPE_CHECKING:
    from habeas.app import App
    from habeas.engine.tools import Run

__all__ = ["work_through"]


def work_through(
    app: App, run: Run, case_ids: Iterable[str], output: Output, *, total: int, summary: dict[str, Json]
) -> int:
    """Passes over the cases; returns the exit code. With ``--json`` each case is written when it is finished."""
    skipped = 0
    separator = "\n"
    if output.as_json:
        click.echo(f'{{"run": {json.dumps(run.run_id)}, "cases": [', nl=False)
    with RunProgress(output, total) as progress:
        for event in app.run_all(run, case_ids):
            if isinstance(event, CaseFinished):
                progress.done(event.view)
                if output.as_json:
                    click.echo(separator + json.dumps(app.case_json(event.view), ensure_ascii=False), nl=False)
                    separator = ",\n"
            elif isinstance(event, CaseBusy | CaseUnapproved):
                skipped += 1
                progress.note(progress_line(event))
    progress.end()
    totals = progress.totals
    left = max(0, total - totals.cases - skipped) if run.control.stopped.is_set() else 0
    summary = totals.to_json(skipped=skipped, not_started=left, **summary)
    if output.as_json:
        click.echo(f'\n], "summary": {json.dumps(summary)}}}')
    else:
        output.table(["outcome", "how many"], [[r, str(n)] for r, n in totals.results.most_common()], "Outcomes")
    if left or totals.statuses["incomplete"]:
        output.say(f"{left + totals.statuses['incomplete']} cases are not finished: `habeas resume` goes on.")
    return 1 if left else totals.exit_code()

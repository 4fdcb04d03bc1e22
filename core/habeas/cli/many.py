"""What ``batch`` and ``resume`` share: work through cases, write the result as it grows, sum up."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from habeas.cli.border import BrokenOff
from habeas.cli.output import Output, progress_line
from habeas.cli.progress import RunProgress
from habeas.engine.events import CaseBusy, CaseFinished, CaseUnapproved, Event
from habeas.models import Json

if TYPE_CHECKING:
    from habeas.app import App
    from habeas.engine.tools import Run

__all__ = ["work_through"]


def work_through(
    app: App, run: Run, case_ids: Iterable[str], output: Output, *, total: int, summary: dict[str, Json]
) -> int:
    """Passes over the cases; returns the exit code. With ``--json`` each case is written when it is finished."""
    told = _Told(app, run, output, total, summary)
    try:
        with told.progress:
            for event in app.run_all(run, case_ids):
                told.take(event)
    except (Exception, KeyboardInterrupt) as error:
        run.control.stop()
        if output.as_json:
            raise BrokenOff(error, told.rest()) from error
        raise
    return told.end()


class _Told:
    """What has been said of a run's cases so far."""

    def __init__(self, app: App, run: Run, output: Output, total: int, summary: dict[str, Json]) -> None:
        self._app, self._run, self._output = app, run, output
        self._total, self._summary = total, summary
        self._skipped: Counter[type[Event]] = Counter()
        self._separator = "\n"
        self.progress = RunProgress(output, total)
        if output.as_json:
            click.echo(f'{{"run": {json.dumps(run.run_id)}, "cases": [', nl=False)

    def take(self, event: Event) -> None:
        """Shows one event."""
        if isinstance(event, CaseFinished):
            self.progress.done(event.view)
            if self._output.as_json:
                click.echo(self._separator + json.dumps(self._app.case_json(event.view)), nl=False)
                self._separator = ",\n"
        elif isinstance(event, CaseBusy | CaseUnapproved):
            self._skipped[type(event)] += 1
            self.progress.note(progress_line(event))

    def rest(self) -> str:
        """What closes the JSON document, but for the last brace."""
        totals = self.progress.totals.to_json(skipped=self._skipped.total(), not_started=self._left(), **self._summary)
        return f'\n], "summary": {json.dumps(totals)}'

    def end(self) -> int:
        """Sums up. A case that another process holds is not done (1); one that waits for a yes is refused (4)."""
        self.progress.end()
        totals = self.progress.totals
        if self._output.as_json:
            click.echo(self.rest() + "}")
        else:
            rows = [[result, str(n)] for result, n in totals.results.most_common()]
            self._output.table(["outcome", "how many"], rows, "Outcomes")
        unfinished = self._left() + totals.statuses["incomplete"]
        if unfinished:
            self._output.say(f"{unfinished} cases are not finished: `habeas resume` goes on.")
        totals.codes.update({4: self._skipped[CaseUnapproved], 1: self._skipped[CaseBusy] + self._left()})
        return totals.exit_code()

    def _left(self) -> int:
        """How many were not begun since the run was stopped."""
        if not self._run.control.stopped.is_set():
            return 0
        return max(0, self._total - self.progress.totals.cases - self._skipped.total())

"""What ``batch`` and ``resume`` share: work through cases, write the result as it grows, sum up."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from habeas.cases.quotas import told
from habeas.cli.border import BrokenOff, document_written
from habeas.cli.durations import in_words
from habeas.cli.needs_person import NeedsPerson, needs_person_file
from habeas.cli.output import Output, progress_line
from habeas.cli.progress import RunProgress
from habeas.clock import rfc3339
from habeas.engine.events import CaseBusy, CaseFinished, CaseNotBegun, CaseUnapproved, Event, VendorsAwaited
from habeas.engine.schedule import Schedule
from habeas.models import Json

if TYPE_CHECKING:
    from habeas.app import App
    from habeas.engine.tools import Run

__all__ = ["work_through"]

_WHY = {
    "stopped": "the run was stopped",
    "max-runtime": "the time given with --max-runtime is over",
    "quota": "their calls do not fit into a quota",
}


def work_through(
    app: App, run: Run, case_ids: Iterable[str], output: Output, *, total: int, summary: dict[str, Json],
    at_end: Callable[[], None] = lambda: None, schedule: Schedule | None = None, needs_person: Path | None = None,
) -> int:  # fmt: skip
    """Passes over the cases; returns the exit code. With ``--json`` each case is written when it is finished.

    ``at_end`` may still add to ``summary``, before it is written. ``schedule``: what is begun; without it, everything
    that fits into the quotas. ``needs_person``: a new CSV of what is left to a person.
    """
    schedule = schedule or Schedule(app.tools, run.control)
    with needs_person_file(app, needs_person) as listed:
        shown = _Told(app, run, output, total, summary, schedule, listed)
        try:
            with shown.progress:
                for event in app.run_all(run, case_ids, schedule):
                    shown.take(event)
            at_end()
        except (Exception, KeyboardInterrupt) as error:
            run.control.stop()
            if output.as_json:
                raise BrokenOff(error, shown.rest()) from error
            raise
    if needs_person is not None:
        output.say(f"What needs a person: {needs_person}")
    return shown.end()


class _Told:
    """What has been said of a run's cases so far."""

    def __init__(
        self, app: App, run: Run, output: Output, total: int, summary: dict[str, Json], schedule: Schedule,
        listed: NeedsPerson | None,
    ) -> None:  # fmt: skip
        self._app, self._run, self._output = app, run, output
        self._total, self._summary = total, summary
        self._schedule, self._listed = schedule, listed
        self._skipped: Counter[type[Event]] = Counter()
        self._not_begun = 0
        self._separator = "\n"
        self.progress = RunProgress(output, total, left=self._time_left)
        if output.as_json:
            click.echo(f'{{"run": {json.dumps(run.run_id)}, "cases": [', nl=False)

    def take(self, event: Event) -> None:
        """Shows one event."""
        match event:
            case CaseFinished(view):
                self.progress.done(view)
                if self._listed is not None:
                    self._listed.add(view)
                if self._output.as_json:
                    click.echo(self._separator + json.dumps(self._app.case_json(view)), nl=False)
                    self._separator = ",\n"
            case CaseBusy() | CaseUnapproved():
                self._skipped[type(event)] += 1
                self.progress.note(progress_line(event))
            case CaseNotBegun():
                self._not_begun += 1
            case VendorsAwaited():
                self.progress.note(progress_line(event))

    def rest(self) -> str:
        """What closes the JSON document, but for the last brace."""
        left = self._left()
        again = self._schedule.goes_on_at() if left + self.progress.totals.statuses["incomplete"] else None
        totals = self.progress.totals.to_json(
            skipped=self._skipped.total(), not_started=left, ended_by=self._ended_by() or None,
            goes_on_at=rfc3339(again[1]) if again else None, **self._summary,
        )  # fmt: skip
        return f'\n], "summary": {json.dumps(totals)}'

    def end(self) -> int:
        """Sums up. A case that another process holds is not done (1); one that waits for a yes is refused (4)."""
        self.progress.end()
        totals = self.progress.totals
        if self._output.as_json:
            rest = self.rest() + "}"
            document_written()
            click.echo(rest)
        else:
            self._table()
        self._advise(totals.statuses["incomplete"])
        totals.codes.update({4: self._skipped[CaseUnapproved], 1: self._skipped[CaseBusy] + self._left()})
        return totals.exit_code()

    def _table(self) -> None:
        totals = self.progress.totals
        names = list(totals.by_connection)
        rows = [
            [result, *(str(totals.by_connection[name][result] or "") for name in names), str(count)]
            for result, count in totals.results.most_common()
        ]
        self._output.table(["outcome", *names, "how many"], rows, "Outcomes")

    def _advise(self, incomplete: int) -> None:
        """What is left, why, and how to go on."""
        left, again = self._left(), self._schedule.goes_on_at()
        if left and self._ended_by():
            self._output.say(f"{left} cases were not begun: {_WHY[self._ended_by()]}.")
        if again and left + incomplete:
            self._output.say(f"The quota of {', '.join(again[0])} has room again from {told(again[1])}.")
        if left + incomplete:
            self._output.say(f"{left + incomplete} cases are not finished: `habeas resume` goes on.")

    def _ended_by(self) -> str:
        return self._schedule.ended_by if self._left() else ""

    def _left(self) -> int:
        """How many were not begun, since the run was stopped, its time was over or a quota too small."""
        if not self._schedule.ended_by:
            return self._not_begun
        return max(self._not_begun, self._total - self._schedule.begun)

    def _time_left(self, cases: int, per_second: float) -> str:
        """The longer of two estimates: as it went so far, and as the vendors' limits and quotas allow."""
        now = self._app.tools.clock.now()
        usual = cases / per_second if per_second > 0 else 0.0
        ahead = self._schedule.ahead(cases)
        limited = (ahead.done_at - now).total_seconds() if ahead is not None else 0.0
        if ahead is not None and limited > usual:
            day = f", {told(now + timedelta(seconds=limited))}" if limited > 86_400 else ""
            return f"about {in_words(limited)} left (limits of {ahead.connection}{day})"
        return f"about {in_words(usual)} left" if usual else ""

"""``habeas consent propagate``."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from habeas.cli.context import (
    Settings,
    confirm,
    json_option,
    pass_settings,
    somebody_can_be_asked,
    stop_on_signals,
    yes_option,
)
from habeas.cli.durations import max_runtime_option
from habeas.errors import InputError, RefusedError
from habeas.models import Json

if TYPE_CHECKING:
    from habeas.app import App
    from habeas.cases.consents.file import Checked
    from habeas.cli.output import Output
    from habeas.engine.schedule import Schedule
    from habeas.engine.tools import Run

__all__ = ["Progress", "code_of", "command", "converge", "converging_options", "sample_of"]

_EVERY_SECONDS = 5.0
_SAMPLE = re.compile(r"full|sample(?::([0-9]{1,3}))?")
_USUAL_SAMPLE = 10
"""Per cent."""
_WHY = {
    "stopped": "the run was stopped", "max-runtime": "the time was over", "quota": "a quota is used up",
}  # fmt: skip


def converging_options(function: Callable[..., int]) -> Callable[..., int]:
    """Options of commands that send consents of many people."""
    option = click.option(
        "--read-back", default="", metavar="full|sample[:PERCENT]",
        help="Whom to read back after a call for many people. [full, or read_back under [consent]]",
    )  # fmt: skip
    return option(max_runtime_option(function))


@click.command(
    "propagate", epilog="Examples: habeas consent propagate consents.csv --yes  ·  "
    "habeas consent propagate consents.csv --dry-run"
)  # fmt: skip
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--skip-invalid", is_flag=True, help="Do the good rows; write the others to FILE.invalid.csv.")
@click.option("--dry-run", is_flag=True, help="Check the file and say what is new in it; record and send nothing.")
@converging_options
@yes_option
@json_option
@pass_settings
def command(
    settings: Settings, file: Path, skip_invalid: bool, dry_run: bool, read_back: str, max_runtime: float | None,
    yes: bool,
) -> int:  # fmt: skip
    """Take in a CSV of consents, and make every connection hold what people want.

    Columns: email, customer_id (or phone, or a connection's name), purpose, state (granted, withdrawn), at (RFC 3339).
    Rows may come in any order, twice or late: of each person and purpose the newest counts, and of two at one time the
    withdrawal. The file is checked whole before anything is sent. Withdrawals go first; only what differs is sent.
    Killed or stopped: `habeas resume`, or the same command again.
    """
    from habeas import propagation
    from habeas.cli.rows import tell_bad_rows, write_bad_rows
    from habeas.control import RunControl
    from habeas.engine.schedule import Schedule

    if not (yes or dry_run):
        somebody_can_be_asked("propagating consents")
    output = settings.output
    with settings.open_app() as app:
        sample = sample_of(app, read_back)
        with propagation.reading_much():
            consents = propagation.open_file(app, file)
            checked = consents.check()
        tell_bad_rows(checked, file, output, skip_invalid=skip_invalid or dry_run)
        if dry_run:
            return _dry(settings, app, checked)
        invalid = write_bad_rows(file, consents.header, consents.bad_rows()) if checked.bad else None
        if not confirm(f"Record {checked.good} new rows of {checked.rows}, and send what differs?", yes=yes):
            raise RefusedError("not confirmed; nothing was recorded or sent")
        control = RunControl(app.tools.clock)
        with (
            stop_on_signals(control, output),
            propagation.alone(app),
            app.run("consent propagate", lambda _: None, control) as run,
        ):
            with propagation.reading_much():
                taken = propagation.take_in(app, run, consents, checked)
            output.say(
                f"{taken.rows} rows: {taken.recorded} new, {taken.known} known, {taken.stale} older than what counts, "
                f"{taken.erased} about people who were erased, {taken.invalid} invalid"
            )
            summary = taken.to_json() | {"invalid_file": str(invalid) if invalid else None}
            return converge(settings, app, run, sample, Schedule(app.tools, control, max_runtime), summary)


def sample_of(app: App, read_back: str) -> float:
    """The part of the people to read back, by option or configuration. Raises :class:`InputError`."""
    match = _SAMPLE.fullmatch(read_back or app.config.consent.read_back)
    percent = 100 if match is None or match[0] == "full" else int(match[1] or _USUAL_SAMPLE)
    if match is None or not 1 <= percent <= 100:
        raise InputError("--read-back is full, sample, or sample with a whole percentage", advice="write sample:10")
    return percent / 100


def converge(
    settings: Settings, app: App, run: Run, sample: float, schedule: Schedule, summary: dict[str, Json]
) -> int:
    """Makes true what is due; shows it, and returns the exit code. The propagation's lock is held by the caller."""
    from habeas import propagation
    from habeas.cli.many import work_through

    output = settings.output
    progress = Progress(output, "people are as wanted, or not there")
    work = propagation.propagation(app, run, schedule, sample, progress.add)

    def at_end() -> None:
        summary.update(propagation.finish(app, run, work))

    code = work_through(app, run, work.cases(), output, total=0, summary=summary, at_end=at_end, schedule=schedule)
    _show(output, summary, schedule)
    return code_of(code, summary)


def code_of(code: int, summary: Mapping[str, Json]) -> int:
    """The exit code of a run, given that of its cases: some of what consents needed is nobody's case."""
    if summary.get("unreachable"):
        return 1
    return code or (3 if summary.get("refused") else 0)


def _dry(settings: Settings, app: App, checked: Checked) -> int:
    output = settings.output
    found = {"rows": checked.rows, "known": checked.known, "new": checked.good, "invalid": checked.bad}
    if settings.as_json:
        output.json({"dry_run": True, "summary": found, "ledger": app.ledger_json()})
    else:
        output.table(["rows", "how many"], [[name, str(count)] for name, count in found.items()], "Dry run")
        output.say("Dry run: nothing was recorded or sent.")
    return 2 if checked.bad else 0


def _show(output: Output, summary: dict[str, Json], schedule: Schedule) -> None:
    rows = [
        [connection, purpose, result, str(count)]
        for connection, purposes in summary["connections"].items()
        for purpose, results in purposes.items()
        for result, count in results.items()
    ]
    output.table(["connection", "purpose", "outcome", "how many"], rows, "Consents")
    lag = summary["lag_seconds"]
    if lag:
        output.say(
            f"From event to vendor: median {lag['median']} s, 95 % within {lag['p95']} s, at most {lag['max']} s."
        )
    if summary["unreachable"]:
        why = _WHY.get(schedule.ended_by, "a vendor could not be reached")
        output.say(f"{summary['unreachable']} are still due, since {why}: `habeas resume` goes on.")


class Progress:
    """Says now and then of how many people so much is known."""

    def __init__(self, output: Output, what: str) -> None:
        self._output, self._what, self._count = output, what, 0
        self._last = time.monotonic()

    def add(self, people: int) -> None:
        """So many more."""
        self._count += people
        if time.monotonic() - self._last >= _EVERY_SECONDS:
            self._last = time.monotonic()
            self._output.say(f"{self._count} {self._what}")

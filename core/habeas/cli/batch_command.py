"""``habeas batch``."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from habeas.cases.batch import BatchFile, BatchRow, Checked, regime_checker
from habeas.cli.context import Settings, confirm, json_option, not_empty, pass_settings, stop_on_signals, yes_option
from habeas.cli.durations import max_runtime_option
from habeas.cli.needs_person import needs_person_option
from habeas.cli.rows import tell_bad_rows, write_bad_rows
from habeas.cli.trust import refuse_taken
from habeas.errors import InputError, RefusedError, StorageError
from habeas.models import CaseType

if TYPE_CHECKING:
    from habeas.app import App
    from habeas.engine.tools import Run

__all__ = ["command"]

_TOGETHER = 500
"""Cases opened in one commit."""


@click.command(
    "batch", epilog="Examples: habeas batch requests.csv --yes --json > result.json  ·  "
    "habeas batch requests.csv --yes --max-runtime 6h --needs-person todo.csv"
)  # fmt: skip
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option(
    "--policy", default="", callback=not_empty, metavar="NAME", help="Policy for the erasures. [default: by regime]"
)
@click.option(
    "--most-people", type=click.IntRange(min=1), metavar="N",
    help="Most people it may erase. [default: most_people under [approvals]; no limit]",
)  # fmt: skip
@click.option("--skip-invalid", is_flag=True, help="Do the good rows; write the others to FILE.invalid.csv.")
@max_runtime_option
@needs_person_option
@yes_option
@json_option
@pass_settings
def command(
    settings: Settings, file: Path, policy: str, most_people: int | None, skip_invalid: bool,
    max_runtime: float | None, needs_person: Path | None, yes: bool,
) -> int:  # fmt: skip
    """Work through a CSV of requests in one run.

    Columns: type (erasure, access, portability, inventory), email, phone, customer_id, received_at, regime, reference;
    a column named after a connection holds that vendor's own id. The file is checked whole before anything is sent,
    then every row becomes a case in the register, then the work begins, the most urgent first. Killed, stopped, out of
    time or of a vendor's quota: `habeas resume`.
    """
    from habeas.cases.agenda import Agenda
    from habeas.cli.many import work_through
    from habeas.control import RunControl
    from habeas.engine.schedule import Schedule

    output = settings.output
    refuse_taken(*filter(None, [needs_person]))
    with settings.open_app() as app:
        batch = _batch_file(app, file)
        if hasattr(app.identity, "build_index"):
            app.identity.build_index()  # type: ignore[union-attr] # a CSV table has one
        checked = batch.check()
        tell_bad_rows(checked, file, output, skip_invalid=skip_invalid)
        invalid = write_bad_rows(file, batch.header(), batch.bad_rows()) if checked.bad else None
        if checked.rows == 0:
            raise InputError(f"{file} has no rows to work on")
        for case_type, name in ((CaseType.ERASURE, policy), (CaseType.ACCESS, "")):
            app.policy_for(case_type, app.config.controller.regime, name)
        _refuse_too_many(app, batch, most_people)
        if not confirm(f"Work on {checked.rows} requests? Erasures cannot be undone.", yes=yes):
            raise RefusedError("not confirmed; nothing was sent")
        control = RunControl(app.tools.clock)
        schedule = Schedule(app.tools, control, max_runtime)
        with ExitStack() as stack:
            stack.enter_context(stop_on_signals(control, output))
            with _alone(app, checked):
                name, opened = _interrupted(app, checked)
                run = stack.enter_context(app.run("batch", lambda _: None, control, name))
                _register(app, run, batch, checked, policy, opened)
            summary = {
                "rows": checked.rows, "duplicates": checked.duplicates, "invalid": checked.bad,
                "invalid_file": str(invalid) if invalid else None,
            }  # fmt: skip
            agenda = Agenda(app.tools.ledger)
            for entry in app.tools.ledger.entries(run_id=run.run_id, types=["case.opened"]):
                agenda.add(entry.data["due_at"], entry.seq)
            return work_through(
                app, run, agenda, output, total=checked.rows, summary=summary, schedule=schedule,
                needs_person=needs_person,
            )  # fmt: skip


def _refuse_too_many(app: App, batch: BatchFile, most_people: int | None) -> None:
    """A file that erases more people than anybody meant to is refused before the first of them."""
    most = most_people or app.config.approvals.most_people
    if most is None and not app.config.approvals.required:
        return
    erasures = sum(row.type is CaseType.ERASURE for row in batch.rows())
    if erasures:
        app.refuse_without_four_eyes()
    if most is not None and erasures > most:
        raise RefusedError(
            f"the file erases {erasures} people, and {most} are the most that one run may; nothing was sent",
            advice="split it, or give --most-people",
        )


def _batch_file(app: App, file: Path) -> BatchFile:
    timezone, now = app.config.controller.timezone, app.tools.clock.now()
    return BatchFile(file, tuple(app.tools.links), app.resolve, regime_checker(timezone, now), timezone, now)


# -- registering ----------------------------------------------------------------------------------------------------


@contextmanager
def _alone(app: App, checked: Checked) -> Iterator[None]:
    """Two processes that registered one file at once would each open a case for every row."""
    mark = _mark(app, checked)
    if not app.locks.take(mark):
        raise StorageError("another process is registering this very file", advice="wait for it")
    try:
        yield
    finally:
        app.locks.release(mark)


def _interrupted(app: App, checked: Checked) -> tuple[str, int]:
    """The run that began to register this very file and was killed before it had: its name, and how many it opened."""
    mark = _mark(app, checked)
    begun = ""
    for entry in app.tools.ledger.entries(types=["batch.started", "batch.registered"]):
        if entry.type == "batch.started" and entry.data["file"] == mark:
            begun = entry.run_id
        elif entry.run_id == begun:
            begun = ""
    return begun, sum(1 for _ in app.tools.register.cases(run_id=begun)) if begun else 0


def _mark(app: App, checked: Checked) -> str:
    return "hmac-sha256:" + app.tools.keys.fingerprint(b"batch", checked.digest).hex()


def _register(app: App, run: Run, batch: BatchFile, checked: Checked, policy: str, opened: int) -> None:
    """Every row becomes a case before the first call: what a kill interrupts is then in the register."""
    from habeas_audit import Draft

    data = {"file": _mark(app, checked), "rows": checked.rows}
    app.tools.ledger.append(Draft("batch.started", "", run.run_id, "", run.actor, data))
    rows = itertools.islice(batch.rows(), opened, None)
    for chunk in _chunks(rows, _TOGETHER):
        new = [
            app.new_case(
                row.type, row.subject, policy=policy if row.type is CaseType.ERASURE else "", regime=row.regime,
                reference=row.reference, received_at=row.received_at, approved=True,
            )
            for row in chunk
        ]  # fmt: skip
        with app.opening():
            app.tools.register.open(run.run_id, new)
    app.tools.ledger.append(Draft("batch.registered", "", run.run_id, "", "", {"cases": checked.rows}))


def _chunks(rows: Iterator[BatchRow], size: int) -> Iterator[list[BatchRow]]:
    while chunk := list(itertools.islice(rows, size)):
        yield chunk

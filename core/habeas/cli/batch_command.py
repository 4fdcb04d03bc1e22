"""``habeas batch``."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from habeas.cases.batch import BatchFile, BatchRow, Checked, regime_checker
from habeas.cli.context import Settings, confirm, json_option, not_empty, pass_settings, stop_on_signals, yes_option
from habeas.errors import InputError, RefusedError, StorageError
from habeas.models import CaseType

if TYPE_CHECKING:
    from habeas.app import App
    from habeas.cli.output import Output
    from habeas.engine.tools import Run

__all__ = ["command"]

_TOGETHER = 500
"""Cases opened in one commit."""


@click.command("batch", epilog="Example: habeas batch requests.csv --yes --json > result.json")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option(
    "--policy", default="", callback=not_empty, metavar="NAME", help="Policy for the erasures. [default: by regime]"
)
@click.option(
    "--most-people", type=click.IntRange(min=1), metavar="N",
    help="Most people it may erase. [default: most_people under [approvals]; no limit]",
)  # fmt: skip
@click.option("--skip-invalid", is_flag=True, help="Do the good rows; write the others to FILE.invalid.csv.")
@yes_option
@json_option
@pass_settings
def command(settings: Settings, file: Path, policy: str, most_people: int | None, skip_invalid: bool, yes: bool) -> int:
    """Work through a CSV of requests in one run.

    Columns: type (erasure, access, portability, inventory), email, phone, customer_id, received_at, regime, reference;
    a column named after a connection holds that vendor's own id. The file is checked whole before anything is sent,
    then every row becomes a case in the register, then the work begins. Killed or stopped: `habeas resume`.
    """
    from habeas.cli.many import work_through
    from habeas.control import RunControl

    output = settings.output
    with settings.open_app() as app:
        batch = _batch_file(app, file)
        if hasattr(app.identity, "build_index"):
            app.identity.build_index()  # type: ignore[union-attr] # a CSV table has one
        checked = batch.check()
        _tell(checked, file, output, skip_invalid=skip_invalid)
        invalid = _write_invalid(batch, file) if checked.bad else None
        if checked.rows == 0:
            raise InputError(f"{file} has no rows to work on")
        for case_type, name in ((CaseType.ERASURE, policy), (CaseType.ACCESS, "")):
            app.policy_for(case_type, app.config.controller.regime, name)
        _refuse_too_many(app, batch, most_people)
        if not confirm(f"Work on {checked.rows} requests? Erasures cannot be undone.", yes=yes):
            raise RefusedError("not confirmed; nothing was sent")
        control = RunControl(app.tools.clock)
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
            ids = app.tools.register.cases(run_id=run.run_id)
            return work_through(app, run, ids, output, total=checked.rows, summary=summary)


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


def _tell(checked: Checked, file: Path, output: Output, *, skip_invalid: bool) -> None:
    if checked.unknown_columns:
        output.say(f"columns habeas does not know and leaves alone: {', '.join(checked.unknown_columns)}")
    if not checked.bad:
        return
    for row in checked.first_bad:
        output.say(f"line {row.line}: {row.reason}")
    if checked.bad > len(checked.first_bad):
        output.say(f"… and {checked.bad - len(checked.first_bad)} more")
    if not skip_invalid:
        raise InputError(
            f"{checked.bad} rows of {file} cannot be used; nothing was sent",
            advice="correct them, or add --skip-invalid",
        )


def _write_invalid(batch: BatchFile, file: Path) -> Path:
    """The bad rows with their reasons, beside the file, so that they can be corrected and run again."""
    import os

    path = file.with_name(f"{file.stem}.invalid.csv")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise InputError(f"{path} exists already", advice="move it away") from None
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror})") from None
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target)
        writer.writerow([*batch.header(), "line", "why"])
        for bad, cells in batch.bad_rows():
            writer.writerow([*cells, bad.line, bad.reason])
    return path


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
        app.tools.register.open(
            run.run_id,
            [
                app.new_case(
                    row.type,
                    row.subject,
                    policy=policy if row.type is CaseType.ERASURE else "",
                    regime=row.regime,
                    reference=row.reference,
                    received_at=row.received_at,
                    approved=True,
                )
                for row in chunk
            ],
        )
    app.tools.ledger.append(Draft("batch.registered", "", run.run_id, "", "", {"cases": checked.rows}))


def _chunks(rows: Iterator[BatchRow], size: int) -> Iterator[list[BatchRow]]:
    while chunk := list(itertools.islice(rows, size)):
        yield chunk

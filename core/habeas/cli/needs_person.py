"""A CSV of what a person must do, or look at, after a run."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from habeas.cli.trust import new_result, refuse_taken
from habeas.models import CaseStatus, Result

if TYPE_CHECKING:
    from habeas.app import App
    from habeas.cases.view import CaseView

__all__ = ["NeedsPerson", "needs_person_file", "needs_person_option"]

F = TypeVar("F", bound=Callable[..., object])

_COLUMNS = ("case", "reference", "connection", "record", "result", "reason", "until")
_WORK = {Result.MANUAL, Result.ACCEPTED, Result.UNSUPPORTED, Result.FAILED, Result.UNKNOWN}


def needs_person_option(function: F) -> F:
    """``--needs-person FILE``: the path, or None."""
    return click.option(
        "--needs-person", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
        help="Write a CSV of what needs a person: manual, accepted, unsupported, failed, unknown.",
    )(function)  # fmt: skip


class NeedsPerson:
    """Written row by row; the reference is the only thing in it that a user has given."""

    def __init__(self, app: App, target: io.TextIOBase) -> None:
        self._app = app
        self._writer = csv.writer(target, lineterminator="\r\n", quoting=csv.QUOTE_NONNUMERIC)
        self._writer.writerow(_COLUMNS)

    def add(self, view: CaseView) -> None:
        """One row for each outcome that is work; one for a case that was refused, or waits."""
        rows = [
            (row.connection, row.record, str(row.result), row.reason, row.until)
            for row in view.outcomes
            if row.result in _WORK
        ]
        if not rows and view.status in (CaseStatus.REFUSED, CaseStatus.WAITING):
            rows = [("", "", str(view.status), view.reason or view.waits_for, "")]
        if rows:
            self._write(view, rows)

    def _write(self, view: CaseView, rows: Sequence[tuple[str, ...]]) -> None:
        from habeas.reports.spreadsheet import guarded

        reference = self._app.record(view).reference
        self._writer.writerows([guarded(cell) for cell in (view.case_id, reference, *row)] for row in rows)


@contextmanager
def needs_person_file(app: App, path: Path | None) -> Iterator[NeedsPerson | None]:
    """A new file (0600) that gets its name at the end, also where the run breaks off: with what was known by then.

    Raises :class:`~habeas.errors.InputError` at once where the name is taken.
    """
    if path is None:
        yield None
        return
    refuse_taken(path)
    broken: BaseException | None = None
    with new_result(path) as binary:
        target = io.TextIOWrapper(binary, encoding="utf-8", newline="")
        try:
            yield NeedsPerson(app, target)
        except BaseException as error:  # noqa: BLE001 - raised again as soon as the file has its name
            broken = error
        target.detach()
    if broken is not None:
        raise broken

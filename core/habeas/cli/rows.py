"""What commands that read a CSV share: telling bad rows, and writing them beside the file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from habeas.errors import InputError

if TYPE_CHECKING:
    from habeas.cases.csvfile import BadRow
    from habeas.cli.output import Output

__all__ = ["tell_bad_rows", "write_bad_rows"]


class _Checked(Protocol):
    """What the first reading of a file has found."""

    @property
    def bad(self) -> int: ...
    @property
    def first_bad(self) -> tuple[BadRow, ...]: ...
    @property
    def unknown_columns(self) -> tuple[str, ...]: ...


def tell_bad_rows(checked: _Checked, file: Path, output: Output, *, skip_invalid: bool) -> None:
    """Raises :class:`InputError` where there are bad rows that nobody wants to have left out."""
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


def write_bad_rows(file: Path, header: Sequence[str], rows: Iterable[tuple[BadRow, list[str]]]) -> Path:
    """The bad rows with their reasons, beside the file, so that they can be corrected and run again."""
    from habeas.cli.trust import new_result

    path = file.with_name(f"{file.stem}.invalid.csv")
    with new_result(path) as binary:
        target = io.TextIOWrapper(binary, encoding="utf-8", newline="")
        writer = csv.writer(target)
        writer.writerow([*header, "line", "why"])
        for bad, cells in rows:
            writer.writerow([*cells, bad.line, bad.reason])
        target.detach()
    return path

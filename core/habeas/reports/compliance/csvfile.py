"""A report as CSV (RFC 4180): the figures, and the request register as a file of its own.

Nothing in it is run by a spreadsheet, and nothing turned into another value: sequence numbers are written as
``41..45;57``, since ``4-5`` would become a day and ``41,570`` a large number.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

from habeas.reports.compliance.arithmetic import shortened
from habeas.reports.compliance.shapes import Cell, Report
from habeas.reports.spreadsheet import guarded

__all__ = ["figures_csv", "register_csv"]

_LONGEST: Final = 32_000
"""Characters of a cell: spreadsheets cut more than 32,767 off without a word."""


def figures_csv(report: Report) -> bytes:
    """One row per figure: section, figure, value, unit, entries."""
    rows = (
        (
            f"{section.number} {section.title}",
            figure.name,
            figure.value,
            figure.to_json()["unit"],
            _entries(figure.entries),
        )
        for section in report.sections
        for figure in section.figures
    )
    return _csv(("section", "figure", "value", "unit", "entries"), rows)


def register_csv(report: Report) -> bytes:
    """One row per request of the register."""
    (table,) = report.section("register").tables
    return _csv([column.name for column in table.columns], ((*row[:-1], _entries(str(row[-1]))) for row in table.rows))


def _entries(text: str) -> str:
    if len(text) > _LONGEST:
        text = f"{shortened(text, _LONGEST)}: the JSON form names all"
    return text.replace("-", "..").replace(",", ";")


def _csv(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(header)
    writer.writerows([guarded(cell) for cell in row] for row in rows)
    return text.getvalue().encode()

"""Cells of a CSV that spreadsheets open: nothing in them is run, nothing hidden, nothing moves to another cell."""

from __future__ import annotations

from typing import Final

from habeas.reports.package.labels import visible

__all__ = ["guarded"]

_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""With these a spreadsheet takes a cell for a formula, or moves to the next one; the wide forms in some languages."""


def guarded(cell: str | int | None) -> str | int:
    """A number as it is; a text that a spreadsheet would compute gets a quote before it."""
    if cell is None or isinstance(cell, int):
        return "" if cell is None else cell
    dangerous = cell.startswith(_STARTS) or cell.lstrip().startswith(_STARTS)
    shown = visible(cell).replace("\n", " ").replace("\r", " ")
    return f"'{shown}" if dangerous else shown

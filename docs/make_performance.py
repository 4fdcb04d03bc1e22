"""Writes the table of docs/performance.md from the figures of a run of ``make bench``."""

from __future__ import annotations

import json
import os
import platform
import re
import sqlite3
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("performance.md")
_BLOCK = re.compile(r"(<!-- begin figures -->\n).*?(<!-- end figures -->)", re.DOTALL)


def main(arguments: Sequence[str]) -> int:
    """``make_performance.py FOLDER``."""
    found = [json.loads(path.read_text()) for path in sorted(Path(arguments[0]).glob("*.json"))]
    text, places = _BLOCK.subn(
        lambda match: f"{match[1]}\n{table([figure for figures in found for figure in figures])}\n\n{match[2]}",
        PAGE.read_text(encoding="utf-8"),
    )
    if places != 1:
        raise ValueError(f"performance.md has {places} places for the figures, not one")
    PAGE.write_text(text, encoding="utf-8")
    return 0


def table(figures: Sequence[dict[str, Any]]) -> str:
    """The figures, with day and machine."""
    day = datetime.now(UTC).date().isoformat()
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    rows = ["| what | figure | limit | | behind it |", "| --- | --- | --- | --- | --- |"]
    for figure in figures:
        value = _number(figure["value"]) + figure["unit"]
        limit = f"{figure['sense']} {figure['limit']:,g}{figure['unit']}"
        met = "met" if figure["met"] else "**missed**"
        rows.append(f"| {figure['what']} | {value} | {limit} | {met} | {figure['detail']} |")
    return f"Measured on {day}: {machine}.\n\n" + "\n".join(rows)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

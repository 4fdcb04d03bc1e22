"""Writes the tables of docs/reliability.md from the figures of a run of ``make faults``.

The figures are JSON files, one for each part (see tests/figures.py); a part that did not run keeps its table.
"""

from __future__ import annotations

import json
import os
import platform
import re
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("reliability.md")
COMMANDS = ("erase", "access", "rectify", "consent")
VENDORS = ("cybersource", "talonone", "voucherify")


def main(arguments: Sequence[str]) -> int:
    """``make_reliability.py FOLDER``."""
    folder = Path(arguments[0])
    figures = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    text = PAGE.read_text(encoding="utf-8")
    for name, content in blocks(figures).items():
        pattern = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        text, found = pattern.subn(lambda match, content=content: f"{match[1]}\n{content}\n\n{match[2]}", text)  # type: ignore[misc]
        if found != 1:
            raise ValueError(f"reliability.md has {found} places for {name}, not one")
    PAGE.write_text(text, encoding="utf-8")
    return 0


def blocks(figures: Mapping[str, Any]) -> dict[str, str]:
    """The page's blocks, by name, that these figures fill."""
    made = {name: plain_table(head, figures[name]) for name, head in PLAIN.items() if name in figures}
    if "vendors" in figures:
        made["vendors"] = vendor_tables(figures["vendors"])
    if "kills" in figures:
        made["kills"] = kill_table(figures["kills"])
    made["counts"] = counts(figures)
    return made


PLAIN = {
    "signals": "signal, at every point of a command",
    "processes": "several processes",
    "power": "what was cut",
    "storage": "fault",
    "hostile": "measured",
    "mutants": "seeded mistake",
}
"""Parts whose figures are shown as they were noted: name of the first column."""


def plain_table(head: str, found: Mapping[str, Any]) -> str:
    """A row a figure, in the words in which it was noted."""
    return table([head, "found"], [[name.replace("_", " "), _words(row)] for name, row in sorted(found.items())])


def _words(row: Any) -> str:
    if not isinstance(row, Mapping):
        return f"{row:,}" if isinstance(row, int) else str(row)
    return ", ".join(f"{name.replace('_', ' ')}: {_words(value)}" for name, value in row.items())


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def vendor_tables(found: Mapping[str, Any]) -> str:
    """One table a command: faults by vendors."""
    cells: dict[str, dict[str, dict[str, Any]]] = {}
    for key, row in found.items():
        command, fault, vendor = key.split(" | ")
        cells.setdefault(command, {}).setdefault(fault, {})[vendor] = row
    parts = []
    for command in COMMANDS:
        rows = [
            [fault, *(_cell(by_vendor[vendor]) if vendor in by_vendor else "-" for vendor in VENDORS)]
            for fault, by_vendor in sorted(cells.get(command, {}).items())
        ]
        parts.append(f"### {command}\n\n{table(['fault', *VENDORS], rows)}")
    return "\n\n".join(parts)


def _cell(row: Mapping[str, Any]) -> str:
    codes = ", ".join(f"{code} ({n})" if len(row["codes"]) > 1 else code for code, n in row["codes"].items())
    resumed = f"; {row['resumed']} resumed" if row["resumed"] else ""
    return f"{row['calls']}: exit {codes}; {', '.join(row['results'])}{resumed}"


def kill_table(found: Mapping[str, Any]) -> str:
    """Command, points, how many of them were survived; parts of one command are taken together."""
    sums: dict[str, list[int]] = {}
    for name, row in found.items():
        total = sums.setdefault(re.sub(r" \(\d of \d\)$", "", name), [0, 0])
        total[0] += row["points"]
        total[1] += row["survived"]
    return table(["killed in", "points", "made good"], [[name, *total] for name, total in sorted(sums.items())])


def counts(figures: Mapping[str, Any]) -> str:
    """What the last run tried, in all."""
    vendors, searched = figures.get("vendors", {}), figures.get("searched", {})
    rows: list[list[object]] = [
        ["day of the run", datetime.now(UTC).date().isoformat()],
        ["machine", f"{os.cpu_count()} cores, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"],
        ["calls faulted", f"{sum(row['calls'] for row in vendors.values()):,}"],
        ["of these finished later by `habeas resume`", f"{sum(row['resumed'] for row in vendors.values()):,}"],
        ["kills survived", f"{sum(row['survived'] for row in figures.get('kills', {}).values()):,}"],
        ["power cuts survived in the shipped modes", f"{sum(r['cuts'] for r in shipped(figures.get('power', {}))):,}"],
        ["seeded mistakes found", len(figures.get("mutants", {}))],
        ["bytes searched for the person", f"{sum(row['bytes'] for row in searched.values()):,}"],
        ["leaks found", sum(row["leaks"] for row in searched.values())],
    ]
    return table(["what", "figure"], rows)


def shipped(power: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The rows that are no controls."""
    return [row for name, row in power.items() if "control" not in name]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

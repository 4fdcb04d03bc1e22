"""Results to stdout, progress to stderr; tables for people, one JSON document for programs."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from habeas.cli.border import document_written
from habeas.models import Json, Result

if TYPE_CHECKING:
    from habeas.cases.view import CaseView, OutcomeRow
    from habeas.engine.events import Event
    from habeas.engine.plan import Notice, Plan

__all__ = ["Output", "progress_line"]

_STYLES = {
    Result.ERASED: "green", Result.EXPORTED: "green", Result.UPDATED: "green", Result.UNCHANGED: "green",
    Result.ABSENT: "dim", Result.RETAINED: "yellow", Result.ACCEPTED: "yellow", Result.MANUAL: "yellow",
    Result.UNSUPPORTED: "yellow", Result.FAILED: "bold red", Result.UNKNOWN: "bold red",
}  # fmt: skip
_ACTIONS = {"erase": "erase", "retain": "keep", "manual": "for a person"}
_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that move a cursor, colour, turn text around, or cannot be written: a vendor's id may hold any."""


class Output:
    """Where a command's words go. Colours go away where there is no terminal, and with NO_COLOR."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.stdout = _console(sys.stdout)
        self.stderr = _console(sys.stderr)

    def aside(self) -> Output:
        """The same for somebody who reads along on stderr while stdout is for a program."""
        aside = Output(as_json=False)
        aside.stdout = aside.stderr
        return aside

    def json(self, value: Json) -> None:
        """The one document, in ASCII: it survives every encoding, and nothing in it can steer a terminal."""
        text = json.dumps(value, indent=2)
        document_written()
        print(text)  # noqa: T201

    def say(self, text: str) -> None:
        """A line of progress or advice. Where nobody can read it any more, the work goes on all the same."""
        with suppress(OSError):
            self.stderr.print(_harmless(text), markup=False, soft_wrap=True)

    def show(self, text: str, style: str = "") -> None:
        """A line of result."""
        if not self.as_json:
            self.stdout.print(_harmless(text), markup=False, style=style or None, soft_wrap=True)

    def table(self, headers: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> None:
        """A table of result; cells may hold markup made by :func:`habeas.cli.output.styled`."""
        if self.as_json:
            return
        table = Table(title=title or None, title_justify="left", title_style="bold", header_style="bold", box=None)
        for header in headers:
            table.add_column(header, overflow="fold", justify="right" if header in ("how many", "entry") else "left")
        for row in rows:
            table.add_row(*map(_harmless, row))
        self.stdout.print(table)

    # -- cases ------------------------------------------------------------------------------------------------------

    def plan(self, plan: Plan) -> None:
        """What an erasure will do, record by record."""
        rows = []
        for part in plan.connections:
            if not part.searched:
                rows.append([part.connection, "", "", "[bold red]not searched[/]", escape(part.problem)])
            elif not part.items and not part.gaps:
                rows.append([part.connection, "", "0", "[dim]nothing held[/]", escape(part.evidence)])
            for item in part.items:
                style = {"erase": "green", "retain": "yellow", "manual": "yellow"}[item.action]
                why = "" if item.action == "erase" else item.reason + (f"; until {item.until}" if item.until else "")
                action = f"[{style}]{_ACTIONS[item.action]}[/]"
                rows.append([part.connection, item.record.kind, str(item.record.count), action, escape(why)])
            rows += [
                [part.connection, gap.kind, str(gap.count or ""), f"[yellow]{gap.result}[/]", escape(gap.reason)]
                for gap in part.gaps
            ]
        self.table(["connection", "record", "how many", "what happens", "why"], rows, f"Plan (policy {plan.policy})")
        self.notices(plan.notices)

    def notices(self, notices: Iterable[Notice]) -> None:
        """What stays for a while."""
        lines = [f"  {n.connection}: {n.text}" + (f" (until {n.until})" if n.until else "") for n in notices]
        if lines and not self.as_json:
            self.show("What every erasure leaves there for a while:", "dim")
            for line in lines:
                self.show(line, "dim")

    def case(self, view: CaseView) -> None:
        """What became of a case."""
        rows = [
            [
                row.connection, _what(row), str(row.count), f"[{_STYLES[row.result]}]{row.result}[/]",
                escape(_how_we_know(row)), str(row.entry),
            ]
            for row in view.outcomes
        ]  # fmt: skip
        title = f"Case {view.case_id}: {view.status}" + (f" ({view.reason})" if view.reason else "")
        self.table(["connection", "record", "how many", "outcome", "how we know, or why", "entry"], rows, title)

    def advice(self, view: CaseView) -> None:
        """What is left to do."""
        results = {row.result for row in view.outcomes}
        if view.status == "waiting" and view.waits_for:
            self.say(f"Case {view.case_id} waits: {view.waits_for}.")
        if view.status == "incomplete":
            self.say(f"Case {view.case_id} is not finished: `habeas resume` goes on.")
        work = sum(row.result in (Result.MANUAL, Result.ACCEPTED, Result.UNSUPPORTED) for row in view.outcomes)
        if work and not results & {Result.FAILED, Result.UNKNOWN}:
            self.say(f"{work} {'thing remains' if work == 1 else 'things remain'} for a person: see the table.")


class _Console(Console):
    """Leaves to us what a reader who went away means: rich would end the process, whatever it is in the middle of."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def _console(stream: TextIO) -> Console:
    width = None if stream.isatty() else 140
    # rich's own NO_COLOR leaves bold and dim; who says no to colours gets plain text.
    colours: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
    return _Console(
        file=stream, stderr=stream is sys.stderr, width=width, color_system=colours, highlight=False, emoji=False
    )


def _harmless(text: str) -> str:
    """The text with what could steer a terminal written out."""
    return _STEERING.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def _what(row: OutcomeRow) -> str:
    """The record, and in a consent case or a rectification what of it."""
    about = row.purpose or row.field
    return f"{row.record} ({escape(about)})" if about else row.record


def _how_we_know(row: OutcomeRow) -> str:
    """Why, until when, and how it was read back, as far as there is any."""
    parts = (row.reason, f"until {row.until}" if row.until else "", row.evidence)
    return "; ".join(part.rstrip(".") for part in parts if part)


def progress_line(event: Event) -> str:
    """One line about one event; empty where there is nothing worth saying."""
    from habeas.engine.events import CaseBusy, CaseUnapproved, ConnectionFinished, ConnectionSearched, VendorsAwaited

    match event:
        case ConnectionSearched(_, connection, records, ""):
            return f"  {connection}: {records} records found"
        case ConnectionSearched(_, connection, _, problem):
            return f"  {connection}: not searched, {problem}"
        case ConnectionFinished(_, connection, results):
            return f"  {connection}: " + ", ".join(f"{n} {result}" for result, n in results.items())
        case CaseBusy(case_id):
            return f"case {case_id} is being worked on by another process"
        case CaseUnapproved(case_id, why):
            return f"case {case_id} waits: {why}; see `habeas case show {case_id}`"
        case VendorsAwaited(connections, cases, seconds):
            names = ", ".join(connections)
            return f"{cases} cases lack only {names}, left alone for another {seconds:.0f} s: then they are tried again"
    return ""

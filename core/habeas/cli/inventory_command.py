"""``habeas inventory``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click
from rich.markup import escape

from habeas.cli.context import Settings, json_option, pass_settings, stop_on_signals, subject_options
from habeas.models import Inventory, Json, Subject

if TYPE_CHECKING:
    from habeas.app import App
    from habeas.engine.tools import ConnectionTrouble

__all__ = ["command"]


@click.command("inventory", epilog="Example: habeas inventory customer_id=C-100042")
@subject_options
@click.option("--show-ids", is_flag=True, help="Show the vendors' ids whole. They are personal data.")
@click.option("--max-wait", type=click.FloatRange(min=1), metavar="SECONDS", help="Longest time it may take. [90]")
@json_option
@pass_settings
def command(settings: Settings, name_subject: Callable[[App], Subject], show_ids: bool, max_wait: float | None) -> int:
    """Show what each connection holds about a person. Reads only."""
    from habeas.control import RunControl

    output = settings.output
    with settings.open_app() as app:
        subject = name_subject(app)
        control = RunControl(app.tools.clock, max_wait or app.config.max_wait_seconds)
        with stop_on_signals(control, output), app.run("inventory", lambda _: None, control) as run:
            found = app.look_up(run, subject, "inventory")
        results = {name: (app.tools.links[name].info.name, result) for name, result in found.items()}
        if settings.as_json:
            output.json(
                {
                    "run": run.run_id,
                    "connections": [_json(name, *result, show_ids=show_ids) for name, result in results.items()],
                    "ledger": app.ledger_json(),
                }
            )
        else:
            rows = [row for name, (_, result) in results.items() for row in _rows(name, result, show_ids=show_ids)]
            output.table(["connection", "record", "how many", "vendor's id", "remarks"], rows, "Inventory")
    return _code(list(found.values()))


def _code(found: list[Inventory | ConnectionTrouble]) -> int:
    if not all(isinstance(result, Inventory) for result in found):
        return 1
    return 3 if any(g for r in found if isinstance(r, Inventory) for g in r.gaps if not g.standing) else 0


def shorten(vendor_id: str, *, show_ids: bool) -> str:
    """``cust_…8Kq``: enough to compare two screens, not enough to look somebody up."""
    if show_ids:
        return vendor_id
    return f"{vendor_id[:2]}…{vendor_id[-2:]}" if len(vendor_id) > 8 else "…"


def _rows(name: str, result: Inventory | ConnectionTrouble, *, show_ids: bool) -> list[list[str]]:
    if not isinstance(result, Inventory):
        return [[name, "", "", "", f"[bold red]{escape(result.text)}[/]"]]
    rows = []
    for record in result.records:
        shown = [shorten(i, show_ids=show_ids) for i in record.ids[:3]]
        more = f" and {len(record.ids) - 3} more" if len(record.ids) > 3 else ""
        rows.append([name, record.kind, str(record.count), escape(", ".join(shown) + more), ""])
    rows += [
        [name, gap.kind, str(gap.count or ""), "", f"[yellow]{gap.result}: {escape(gap.reason)}[/]"]
        for gap in result.gaps
    ]
    return rows or [[name, "", "0", "", f"[dim]nothing held ({escape(result.evidence)})[/]"]]


def _json(name: str, plugin: str, result: Inventory | ConnectionTrouble, *, show_ids: bool) -> Json:
    if not isinstance(result, Inventory):
        value = {"searched": False, "problem": result.text, "evidence": None, "records": [], "gaps": []}
    else:
        value = {
            "searched": True,
            "problem": None,
            "evidence": result.evidence or None,
            "records": [
                {
                    "record": record.kind,
                    "count": record.count,
                    "ids": [shorten(i, show_ids=show_ids) for i in record.ids],
                }
                for record in result.records
            ],
            "gaps": [
                {"record": gap.kind, "count": gap.count, "result": str(gap.result), "reason": gap.reason}
                for gap in result.gaps
            ],
        }
    return {"connection": name, "plugin": plugin, **value}

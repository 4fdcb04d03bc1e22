"""``habeas recheck``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.markup import escape

from habeas.cli.context import (
    Settings,
    confirm,
    json_option,
    pass_settings,
    stop_on_signals,
    trust_clock_option,
    yes_option,
)
from habeas.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from habeas.app import App
    from habeas.engine.events import Rechecked
    from habeas.engine.tools import Run

__all__ = ["command"]


@click.command(
    "recheck",
    epilog="Examples: habeas recheck  ·  habeas recheck --all --connection voucherify  ·  "
    "habeas recheck --all --erase --yes",
)
@click.argument("case_ids", nargs=-1, metavar="[CASE]...")
@click.option("--all", "everyone", is_flag=True, help="Everyone erased, not only whose day has come.")
@click.option("--connection", "connections", multiple=True, metavar="NAME", help="Only there; may be repeated.")
@click.option("--erase", is_flag=True, help="Erase again whoever came back.")
@trust_clock_option
@yes_option
@json_option
@pass_settings
def command(
    settings: Settings, case_ids: tuple[str, ...], everyone: bool, connections: tuple[str, ...], erase: bool,
    trust_clock: bool, yes: bool,
) -> int:  # fmt: skip
    """Look up erased people again, and say who came back. Reads only, unless --erase is given.

    Without an argument: those whose day has come, a week and a month after the case unless their policy says otherwise
    ([after] recheck). After a vendor has restored a backup: --all. A person may also have come back by their own wish;
    so nobody is erased again unless you say so. Exit code 3: somebody came back; 1: a connection could not be searched.
    """
    from habeas import aftercare
    from habeas.control import RunControl
    from habeas.engine import timekeeping
    from habeas.engine.events import Rechecked

    output = settings.output
    with settings.open_app() as app:
        unknown = set(connections) - set(app.tools.links)
        if unknown:
            raise InputError("there is no such connection", advice=f"configured: {', '.join(app.tools.links)}")
        if not trust_clock:
            # One that is made before its day would count, and not be made on it.
            timekeeping.require_clock(app.tools.ledger, app.tools.clock)
        if erase:
            app.refuse_without_four_eyes()
        if erase and not confirm("Erase again whoever came back? It cannot be undone.", yes=yes):
            erase = False
            output.say("Nobody is erased again.")
        control = RunControl(app.tools.clock)
        with stop_on_signals(control, output), app.run("recheck", lambda _: None, control) as run:
            timekeeping.trust_clock(app.tools.ledger, app.tools.clock, run.run_id)
            looked = list(aftercare.recheck(app, run, everyone=everyone, case_ids=case_ids, connections=connections))
            found = [one for one in looked if isinstance(one, Rechecked)]
            again = _erase_again(app, run, settings, found) if erase else []
        _show(app, settings, run.run_id, found, len(looked) - len(found), again)
        return _code(app, found, again)


def _erase_again(app: App, run: Run, settings: Settings, found: Sequence[Rechecked]) -> list[str]:
    from habeas import aftercare

    names = []
    for one in found:
        if one.back:
            view = aftercare.erase_again(app, run, one.view)
            settings.output.say(f"  case {one.view.case_id} goes on as {view.case_id}: {view.status}")
            names.append(view.case_id)
    return names


def _code(app: App, found: Sequence[Rechecked], again: Sequence[str]) -> int:
    from habeas.cases.view import exit_code

    codes = {exit_code(app.tools.register.view(name)) for name in again}
    if any(one.problems for one in found) or codes & {1, 4}:
        return 1
    if again:
        return max(codes)
    return 3 if any(one.back for one in found) else 0


def _show(
    app: App, settings: Settings, run_id: str, found: Sequence[Rechecked], unknown: int,
    again: Sequence[str],
) -> None:  # fmt: skip
    output = settings.output
    if settings.as_json:
        output.json(
            {
                "run": run_id,
                "cases": [
                    {"case": one.view.case_id, "back": bool(one.back), "connections": one.to_json()} for one in found
                ],
                "summary": {
                    "rechecked": len(found),
                    "back": sum(bool(one.back) for one in found),
                    "not_searched": sum(bool(one.problems) for one in found),
                    "details_destroyed": unknown,
                },
                "erased_again": [app.case_json(app.tools.register.view(name)) for name in again],
                "ledger": app.ledger_json(),
            }
        )
        return
    rows = []
    for one in found:
        for name, kinds in one.back.items():
            what = ", ".join(f"{n} {kind}" for kind, n in kinds.items())
            rows.append([one.view.case_id, name, "[bold red]came back[/]", what])
        unread = "[bold red]not searched[/]"
        rows += [[one.view.case_id, name, unread, escape(text)] for name, text in one.problems.items()]
        rows += [[one.view.case_id, name, "[green]still gone[/]", escape(text)] for name, text in one.gone.items()]
    if rows:
        output.table(["case", "connection", "", "how we know, or what is there"], rows, "Looked up again")
    else:
        output.show("Nobody was to be looked up again.")
    if unknown:
        output.show(f"{unknown} erased people cannot be looked up: nobody knows any more who they were.", "dim")
    if any(one.back for one in found) and not again:
        output.say("Somebody came back. By their own wish? If not: `habeas recheck CASE --erase`.")

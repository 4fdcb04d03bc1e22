"""``habeas rectify``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape

from habeas.cli.context import (
    Settings,
    json_option,
    not_empty,
    pass_settings,
    read_lines,
    resolve_subject,
    subject_from_option,
    yes_option,
)
from habeas.errors import InputError
from habeas.models import CaseType, Field, Gap, Inventory, Json

if TYPE_CHECKING:
    from habeas.app import App
    from habeas.cli.output import Output
    from habeas.engine.tools import ConnectionTrouble, Run

    Found = Mapping[str, Inventory | ConnectionTrouble]

__all__ = ["command"]


@click.command(
    "rectify",
    epilog="Examples: habeas rectify customer_id=C-100042 email=ada@new.example phone=+4930123456 --yes  ·  "
    "habeas rectify old@example.org email=new@example.org  ·  "
    "habeas rectify --subject-from who.txt --values-from right.txt --yes",
)
@click.argument("words", nargs=-1, metavar="ID... FIELD=VALUE...")
@subject_from_option
@click.option(
    "--values-from",
    type=click.File("r", encoding="utf-8"),
    metavar="FILE",
    help="Read FIELD=VALUE lines from a file (or - for stdin), so that they are not in the process list.",
)
@click.option("--dry-run", is_flag=True, help="Show where it would be corrected; change nothing and open no case.")
@yes_option
@click.option("--reference", default="", help="Your own name for the request; stays in the vault.")
@click.option(
    "--regime", default="", callback=not_empty, help="Whose clock runs: gdpr, uk-gdpr … [default: the controller's]"
)
@click.option("--max-wait", type=click.FloatRange(min=1), metavar="SECONDS", help="Longest time it may take. [90]")
@json_option
@pass_settings
def command(
    settings: Settings, words: tuple[str, ...], subject_from: Any, values_from: Any, dry_run: bool, yes: bool,
    reference: str, regime: str, max_wait: float | None,
) -> int:  # fmt: skip
    """Correct a person's data (Art. 16) at every connection that can, and read it back.

    Fields: email, phone, name, first_name, last_name, birthdate, street, postal_code, city, region, country. The first
    word names the person, as do bare e-mail addresses, customer_id= and connections; with --subject-from, every word
    is a correction. What a vendor does not hold is not added.
    """
    from habeas.cli.change import change
    from habeas.engine.changing import rectification_details

    with settings.open_app() as app:
        subject_lines = read_lines(subject_from, "--subject-from")
        texts, fields = _sort(words, named=bool(subject_lines))
        subject = resolve_subject(app, [*texts, *subject_lines])
        values = _values(app, [*fields, *read_lines(values_from, "--values-from")])
        details = rectification_details(values, app.tools.links.values())
        new = app.new_case(
            CaseType.RECTIFICATION, subject, regime=regime, reference=reference, details=details, approved=True
        )

        def show(output: Output, found: Found) -> None:
            _table(app, output, found, values)

        def dry(run: Run, found: Found) -> int:
            return _show(app, settings, run, found, values)

        return change(
            settings, app, "rectify", new, look=lambda run: app.look_up(run, subject, "rectification"), show=show,
            dry=dry if dry_run else None, question="Correct this?", doing="rectifying", yes=yes, max_wait=max_wait,
        )  # fmt: skip


def _sort(words: Sequence[str], *, named: bool) -> tuple[list[str], list[str]]:
    """Identifiers, and corrections. ``email=`` can be either: first it names the person, later it is what is right."""
    if named:
        return [], list(words)
    texts, fields = list(words[:1]), list[str]()
    for word in words[1:]:
        (fields if word.partition("=")[0] in tuple(Field) else texts).append(word)
    return texts, fields


def _values(app: App, texts: Sequence[str]) -> dict[Field, str]:
    from habeas.cases.corrections import parse_correction

    today = app.tools.local_date(app.tools.clock.now())
    values: dict[Field, str] = {}
    for text in texts:
        name, value = parse_correction(text, today)
        if values.setdefault(name, value) != value:
            raise InputError(f"{name} is given twice, with two values")
    if not values:
        raise InputError("nothing to correct is given", advice="write FIELD=VALUE after the identifier")
    return values


def _able(app: App, name: str, values: Mapping[Field, str]) -> list[Field]:
    info = app.tools.links[name].info
    return [f for f in values if f in info.rectifies and app.tools.registry.implements(info.name, "rectify")]


def _table(app: App, output: Output, found: Found, values: Mapping[Field, str]) -> None:
    rows = []
    for name, result in found.items():
        able = _able(app, name, values)
        others = [f for f in values if f not in able]
        if isinstance(result, Inventory):
            remarks = [f"no way to correct: {', '.join(others)}"] if others else []
            remarks += [f"{gap.result}: {gap.reason}" for gap in _gaps(result)]
            held = "found" if result.records else "[yellow]not known[/]" if _gaps(result) else "[dim]not there[/]"
            rows.append([name, held, ", ".join(able) if result.records else "", escape("; ".join(remarks))])
        else:
            rows.append([name, "[bold red]not searched[/]", "", escape(result.text)])
    output.table(["connection", "the person", "corrected where held", "remarks"], rows, "Rectification")


def _show(app: App, settings: Settings, run: Run, found: Found, values: Mapping[Field, str]) -> int:
    if settings.as_json:
        settings.output.json(
            {
                "case": None,
                "run": run.run_id,
                "dry_run": True,
                "connections": [_json(app, name, result, values) for name, result in found.items()],
                "ledger": app.ledger_json(),
            }
        )
    else:
        _table(app, settings.output, found, values)
        settings.output.say("Dry run: nothing was changed.")
    if not all(isinstance(result, Inventory) for result in found.values()):
        return 1
    return 3 if any(_gaps(result) for result in found.values()) else 0


def _gaps(result: Inventory | ConnectionTrouble) -> list[Gap]:
    """What could not be searched for this person, so that nothing held does not mean nothing there."""
    return [gap for gap in result.gaps if not gap.standing] if isinstance(result, Inventory) else []


def _json(app: App, name: str, result: Inventory | ConnectionTrouble, values: Mapping[Field, str]) -> Json:
    able = _able(app, name, values)
    searched = isinstance(result, Inventory)
    return {
        "connection": name,
        "plugin": app.tools.links[name].info.name,
        "searched": searched,
        "problem": None if isinstance(result, Inventory) else result.text,
        "found": _found(result),
        "gaps": [{"record": g.kind, "result": str(g.result), "reason": g.reason} for g in _gaps(result)],
        "corrected": [str(f) for f in able],
        "unsupported": [str(f) for f in values if f not in able],
    }


def _found(result: Inventory | ConnectionTrouble) -> bool | None:
    """None: it cannot be told."""
    if not isinstance(result, Inventory):
        return None
    return True if result.records else None if _gaps(result) else False

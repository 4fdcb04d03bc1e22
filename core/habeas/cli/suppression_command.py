"""``habeas suppression``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from habeas.cli.context import (
    Settings,
    confirm,
    json_option,
    pass_settings,
    read_lines,
    resolve_subject,
    subject_from_option,
    yes_option,
)
from habeas.errors import InputError, RefusedError

if TYPE_CHECKING:
    from habeas.app import App
    from habeas.cases.suppression import Suppressed

__all__ = ["command"]

_WHY = {
    "returned": "the person is a customer again, by their own wish",
    "mistake": "the erasure was a mistake",
    "other": "another reason, noted elsewhere",
}


@click.group("suppression")
def command() -> None:
    """Erased people, as keyed marks: nothing is written about them at any vendor until somebody lifts it.

    Vendors create a missing person on write: a late consent or correction would bring back somebody who was erased.
    """


@command.command("list", epilog="Examples: habeas suppression list  ·  habeas suppression list customer_id=C-100042")
@click.argument("identifiers", nargs=-1, metavar="[ID]...")
@subject_from_option
@json_option
@pass_settings
def list_suppressed(settings: Settings, identifiers: tuple[str, ...], subject_from: object) -> int:
    """Show who is on the list: by case, never by name. With ID: whether that person is."""
    output = settings.output
    with settings.open_app() as app:
        texts = [*identifiers, *read_lines(subject_from, "--subject-from")]
        if texts:
            subject = resolve_subject(app, texts)
            found, sure = app.tools.suppression.matching(subject), app.tools.suppression.find(subject)
        else:
            found, sure = list(app.tools.suppression.entries()), None
        if settings.as_json:
            output.json({"suppressed": [_json(one) for one in found], "refused": sure is not None if texts else None})
            return 0
        rows = [[one.case_id, app.local_day(one.since), ", ".join(one.kinds)] for one in found]
        if rows:
            output.table(["case", "since", "marked"], rows, "Suppressed: nothing is written about them")
        if texts and sure is None:
            output.show("Nothing is refused about this person." if not rows else "They share an address, not an id.")
        elif not rows:
            output.show("Nobody is on the list.")
    return 0


def _json(one: Suppressed) -> object:
    return {"case": one.case_id, "since": one.since, "kinds": list(one.kinds)}


@command.command(
    "lift",
    epilog="Examples: habeas suppression lift customer_id=C-100042 --because returned  ·  "
    "habeas suppression lift --case c-01J… --because mistake --yes",
)
@click.argument("identifiers", nargs=-1, metavar="[ID]...")
@subject_from_option
@click.option("--case", "case_id", default="", help="The erasure that put them there, instead of ID.")
@click.option(
    "--because", required=True, type=click.Choice(list(_WHY)),
    help="; ".join(f"{name}: {text}" for name, text in _WHY.items()) + ".",
)  # fmt: skip
@yes_option
@json_option
@pass_settings
def lift(
    settings: Settings, identifiers: tuple[str, ...], subject_from: object, case_id: str, because: str, yes: bool
) -> int:
    """Take a person off the list: from now on they may be written about again. The ledger notes why."""
    from habeas import aftercare
    from habeas.control import RunControl

    output = settings.output
    with settings.open_app() as app:
        texts = [*identifiers, *read_lines(subject_from, "--subject-from")]
        found = _chosen(app, texts, case_id)
        names = ", ".join(one.case_id for one in found)
        if not confirm(f"Allow writes about the person erased in {names} again?", yes=yes):
            raise RefusedError("not confirmed; nothing was changed")
        with app.run("suppression lift", lambda _: None, RunControl(app.tools.clock)) as run:
            aftercare.lift_suppression(app, run, [one.case_id for one in found], because)
        if settings.as_json:
            output.json({"lifted": [_json(one) for one in found], "ledger": app.ledger_json()})
        else:
            output.show(f"Lifted: {names}.", "green")
    return 0


def _chosen(app: App, texts: list[str], case_id: str) -> list[Suppressed]:
    if bool(texts) == bool(case_id):
        raise InputError("name the person, or the case with --case", advice="see `habeas suppression list`")
    listed = app.tools.suppression
    if texts:
        found = listed.same(resolve_subject(app, texts))
    else:
        found = [one for one in listed.entries() if one.case_id == case_id]
    if not found:
        raise InputError("nobody like that is on the list", advice="see `habeas suppression list`")
    return found

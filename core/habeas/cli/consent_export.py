"""``habeas consent export``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from habeas.cli.context import Settings, json_option, pass_settings, subject_options
from habeas.errors import InputError
from habeas.models import Subject

if TYPE_CHECKING:
    from habeas.app import App

__all__ = ["command"]


@click.command(
    "export", epilog="Example: habeas consent export customer_id=C-100042 --format kantara -o receipts.json"
)  # fmt: skip
@subject_options
@click.option(
    "--format", "form", type=click.Choice(["iso27560", "kantara"]), required=True,
    help="ISO/IEC TS 27560 records as JSON-LD (DPV), or Kantara consent receipts 1.1.",
)  # fmt: skip
@click.option(
    "-o", "--output", "path", type=click.Path(path_type=Path, dir_okay=False), required=True, help="New file. Personal."
)
@json_option
@pass_settings
def command(settings: Settings, name_subject: Callable[[App], Subject], form: str, path: Path) -> int:
    """Write a person's consents as records that others can read. Sends nothing.

    iso27560: one record for each purpose, with when it was given and withdrawn. kantara: a list of receipts, one for
    each consent that stands. What only the controller knows comes from [consent.records] in habeas.toml.
    """
    from habeas import propagation
    from habeas.cli.trust import refuse_taken, write_results
    from habeas.control import RunControl

    refuse_taken(path)
    with settings.open_app() as app:
        subject = name_subject(app)
        document, count = propagation.consent_records(app, subject, form)
        if not count:
            raise InputError(
                "nothing is known of what this person wants", advice="`habeas consent show` reads the vendors"
            )
        with app.run("consent export", lambda _: None, RunControl(app.tools.clock)) as run:
            app.note_search(run, subject, {"consents": count}, "consent records")
        write_results({path: json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"})
        if settings.as_json:
            settings.output.json({"file": str(path), "format": form, "records": count, "ledger": app.ledger_json()})
        else:
            settings.output.show(f"{path}: {count} {'record' if count == 1 else 'records'}")
    return 0

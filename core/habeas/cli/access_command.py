"""``habeas access``."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from habeas.cli.context import Settings, json_option, not_empty, pass_settings, stop_on_signals, subject_options
from habeas.cli.output import progress_line
from habeas.errors import InputError
from habeas.models import CaseType, Subject

if TYPE_CHECKING:
    from habeas.app import App

__all__ = ["command"]


@click.command(
    "access",
    epilog="Examples: habeas access customer_id=C-100042  ·  habeas access ada@example.org -o ada.zip --portability",
)
@subject_options
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the ZIP goes. [HOME/packages]",
)
@click.option("--portability", is_flag=True, help="Answer a portability request (Art. 20) instead of access (Art. 15).")
@click.option("--reference", default="", help="Your own name for the request; stays in the vault.")
@click.option(
    "--regime",
    default="",
    callback=not_empty,
    help="Whose clock runs: gdpr, uk-gdpr, ccpa … [default: the controller's]",
)
@click.option("--again", is_flag=True, help="Open a second case although one about the same is open.")
@click.option("--max-wait", type=click.FloatRange(min=1), metavar="SECONDS", help="Longest time it may take. [90]")
@json_option
@pass_settings
def command(
    settings: Settings, name_subject: Callable[[App], Subject], target: Path | None, portability: bool,
    reference: str, regime: str, again: bool, max_wait: float | None,
) -> int:  # fmt: skip
    """Answer an access (Art. 15) or portability (Art. 20) request with one ZIP package.

    The package holds a page the person can read, the same as JSON, each vendor's documents, and a manifest of digests.
    It is written privately (0600): hand it over by a safe way, then delete it.
    """
    from habeas.cases.view import exit_code
    from habeas.control import RunControl

    output = settings.output
    if target is not None and os.path.lexists(target):
        raise InputError(f"{target} exists already", advice="name another file with -o")
    if target is not None and not target.absolute().parent.is_dir():
        raise InputError(f"the folder {target.absolute().parent} does not exist", advice="make it, or name another")
    with settings.open_app() as app:
        subject = name_subject(app)
        case_type = CaseType.PORTABILITY if portability else CaseType.ACCESS
        goes_to = str(target.absolute()) if target else ""
        new = app.new_case(case_type, subject, regime=regime, reference=reference, output=goes_to, approved=True)
        if not again:
            app.refuse_duplicate(new)
        control = RunControl(app.tools.clock, max_wait or app.config.max_wait_seconds)
        with (
            stop_on_signals(control, output),
            app.run("access", lambda event: output.say(progress_line(event)), control) as run,
        ):
            view = app.carry_out(run, new, again=again)
        if settings.as_json:
            output.json(app.case_json(view))
        else:
            output.case(view)
            output.show(f"Package: {app.record(view).package}")
        output.advice(view)
        return exit_code(view)

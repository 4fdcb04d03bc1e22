"""``habeas consent drift``."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

from habeas.cli.consent_propagate import Progress, converge, converging_options, sample_of
from habeas.cli.context import (
    Settings,
    json_option,
    pass_settings,
    somebody_can_be_asked,
    stop_on_signals,
    yes_option,
)
from habeas.errors import InputError, RefusedError

if TYPE_CHECKING:
    from habeas.cases.consents import Key
    from habeas.changes import ConsentState
    from habeas.cli.output import Output
    from habeas.engine.drift import Drift
    from habeas.models import Json

__all__ = ["command"]


@click.command("drift", epilog="Examples: habeas consent drift --sample 500  ·  habeas consent drift --repair --yes")
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="Look at N people drawn at random. [everybody]")
@click.option("--repair", is_flag=True, help="Withdraw again whatever is held against a withdrawal.")
@click.option(
    "--grants-too", is_flag=True,
    help="With --repair: also give again what the vendor no longer holds. Only where nobody can withdraw there.",
)  # fmt: skip
@converging_options
@yes_option
@json_option
@pass_settings
def command(
    settings: Settings, sample: int | None, repair: bool, grants_too: bool, read_back: str, max_runtime: float | None,
    yes: bool,
) -> int:  # fmt: skip
    """Compare what every connection holds with what people want, over everybody whose wishes are known.

    Without --repair it only reads, and exits with 1 where something else is held than is wanted, or could not be read.
    A consent that is missing at a vendor may have been withdrawn there, by a link in a mail: --repair leaves it so,
    and exits with 1 while there is any.
    """
    from habeas import propagation
    from habeas.changes import ConsentState
    from habeas.cli.context import ask
    from habeas.control import RunControl
    from habeas.engine.drift import Drift
    from habeas.engine.schedule import Schedule

    if grants_too and not repair:
        raise InputError("--grants-too says what to repair", advice="add --repair")
    if repair and not yes:
        somebody_can_be_asked("repairing consents")
    output = settings.output
    with settings.open_app() as app:
        part = sample_of(app, read_back)
        control = RunControl(app.tools.clock)
        with (
            stop_on_signals(control, output),
            propagation.alone(app) if repair else nullcontext(),
            app.run("consent drift", lambda _: None, control) as run,
        ):
            drift = Drift(app.tools, run, sample, advance=Progress(output, "people compared").add)
            wrong: list[tuple[Key, ConsentState]] = []
            drift.look(wrong.extend if repair else lambda _: None)
            found = propagation.note_drift(app, run, drift)
            _show(output, found)
            if not repair:
                return _end(settings, run.run_id, found, drift)
            chosen = [(key, state) for key, state in wrong if grants_too or state is ConsentState.WITHDRAWN]
            if left := len(wrong) - len(chosen):
                output.say(f"{left} consents are missing, and may have been withdrawn there: they stay so.")
            question = f"Make {len(chosen)} consents what the people want?"
            if not yes and not ask(question, control):
                raise RefusedError("not confirmed; nothing was changed")
            assert app.tools.consents is not None  # noqa: S101 - an opened installation keeps what is wanted
            app.tools.consents.due.require(chosen)
            summary: dict[str, Json] = {"drift": found, "not_given_again": left}
            code = converge(settings, app, run, part, Schedule(app.tools, control, max_runtime), summary)
            return 1 if left or drift.unreachable or control.stopped.is_set() else code


def _end(settings: Settings, run_id: str, found: dict[str, Json], drift: Drift) -> int:
    if settings.as_json:
        settings.output.json({"run": run_id, "cases": [], "summary": {"drift": found}})
    if drift.drifted:
        settings.output.say(f"{drift.drifted} consents are not what people want: `habeas consent drift --repair`.")
    return 1 if drift.drifted or drift.unreachable else 0


def _show(output: Output, found: dict[str, Json]) -> None:
    rows = [
        [connection, purpose, what.replace("_", " "), str(count)]
        for connection, purposes in found["connections"].items()
        for purpose, whats in purposes.items()
        for what, count in whats.items()
    ]
    output.table(["connection", "purpose", "held", "how many"], rows, f"What is held of {found['people']} people")

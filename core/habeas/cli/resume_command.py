"""``habeas resume``."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from habeas.cli.context import Settings, json_option, pass_settings, stop_on_signals, trust_clock_option
from habeas.cli.durations import max_runtime_option
from habeas.cli.needs_person import needs_person_option
from habeas.cli.trust import refuse_taken
from habeas.models import Json

if TYPE_CHECKING:
    from habeas.app import App
    from habeas.cli.output import Output
    from habeas.engine.schedule import Schedule
    from habeas.engine.tools import Run

__all__ = ["command"]


def _half_registered(app: App) -> list[str]:
    """Batches of which only a part is in the register: the rest is in their file, and nowhere else."""
    runs: dict[str, None] = {}
    for entry in app.tools.ledger.entries(types=["batch.started", "batch.registered"]):
        if entry.type == "batch.started":
            runs[entry.run_id] = None
        else:
            runs.pop(entry.run_id, None)
    return list(runs)


@click.command(
    "resume", epilog="Examples: habeas resume  ·  habeas resume c-01J… --json  ·  "
    "habeas resume --max-runtime 2h --needs-person todo.csv"
)  # fmt: skip
@click.argument("case_ids", nargs=-1, metavar="[CASE]...")
@max_runtime_option
@needs_person_option
@trust_clock_option
@json_option
@pass_settings
def command(
    settings: Settings, case_ids: tuple[str, ...], max_runtime: float | None, needs_person: Path | None,
    trust_clock: bool,
) -> int:  # fmt: skip
    """Finish whatever an interrupted run left: ask the vendors what is true, do what is left, read back.

    Never asks: it finishes what was approved, the most urgent first. Calls whose answer was lost are read before
    anything is repeated.
    """
    from habeas import aftercare, propagation
    from habeas.cases.agenda import Agenda
    from habeas.cli.consent_propagate import code_of
    from habeas.cli.many import work_through
    from habeas.control import RunControl
    from habeas.engine import timekeeping
    from habeas.engine.schedule import Schedule

    output = settings.output
    refuse_taken(*filter(None, [needs_person]))
    with settings.open_app() as app:
        register = app.tools.register
        views = [register.view(case_id) for case_id in case_ids] if case_ids else None
        control = RunControl(app.tools.clock)
        schedule = Schedule(app.tools, control, max_runtime)
        agenda = Agenda(app.tools.ledger)
        for run_id in _half_registered(app):
            output.say(f"Run {run_id} was cut off while it registered a file: run `habeas batch` on that file again.")
        for run_id in propagation.half_read(app):
            output.say(f"Run {run_id} was cut off in a file of consents: run `habeas consent propagate` on it again.")
        problems: list[str] = []
        with stop_on_signals(control, output), app.run("resume", lambda _: None, control) as run:
            if trust_clock:
                timekeeping.trust_clock(app.tools.ledger, app.tools.clock, run.run_id)
            if views is None:
                released, problems = aftercare.release_holds(app, run)
                if released:
                    output.say(f"{len(released)} holds have ended: what they kept is erased now.")
            for view in register.unfinished() if views is None else views:
                agenda.add(view.due_at, view.opened)
            for problem in problems:
                output.say(problem)
            with _propagation(app, run, output, schedule, wanted=views is None) as (rest, finish):
                if not agenda and rest is None:
                    output.say("Nothing is unfinished.")
                summary: dict[str, Json] = {}
                code = work_through(
                    app, run, agenda if rest is None else itertools.chain(agenda, rest), output,
                    total=len(agenda) if rest is None else 0, summary=summary,
                    at_end=lambda: summary.update(finish()), schedule=schedule, needs_person=needs_person,
                )  # fmt: skip
        return 1 if problems else code_of(code, summary)


@contextmanager
def _propagation(
    app: App, run: Run, output: Output, schedule: Schedule, *, wanted: bool
) -> Iterator[tuple[Iterator[str] | None, Callable[[], dict[str, Json]]]]:
    """The cases that consents still need which no vendor holds yet (None: there are none), and what sums that up."""
    from habeas import propagation
    from habeas.cli.consent_propagate import sample_of

    if not wanted or not propagation.is_something_due(app):
        yield None, dict
        return
    with ExitStack() as stack:
        try:
            stack.enter_context(propagation.alone(app))
        except propagation.Busy as busy:
            output.say(busy.line())
            yield None, dict
            return
        work = propagation.propagation(app, run, schedule, sample_of(app, ""))
        yield work.cases(open_ones=False), lambda: propagation.finish(app, run, work)

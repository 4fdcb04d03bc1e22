"""``habeas case extend``, ``refuse``, ``cancel``, ``close``, ``reopen``, ``acknowledge``, ``identity``, ``clock``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from habeas.cases.lifecycle import (
    EXTENSION_REASONS,
    GROUNDS,
    IDENTITY_METHODS,
    PAUSE_REASONS,
    REOPEN_REASONS,
    acknowledgement,
    cancellation,
    clock_start,
    clock_stop,
    extension,
    identity_check,
    refusal,
    reopening,
)
from habeas.cases.moments import parse_day, parse_moment
from habeas.cli.context import Settings, confirm, json_option, pass_settings, yes_option
from habeas.errors import InputError, RefusedError

if TYPE_CHECKING:
    from datetime import datetime

    from habeas.app import App
    from habeas.cases.view import CaseView
    from habeas.models import Json

__all__ = ["CHANGES"]

_at_option = click.option(
    "--at", "at", default="", metavar="TIME", help="When it happened: a day, or a time with its offset. [default: now]"
)


def _moment(app: App, text: str, what: str) -> datetime:
    now = app.tools.clock.now()
    return parse_moment(text, what, app.config.controller.timezone, now) if text else now


def _write(
    settings: Settings, case_id: str, entry: str, data: Callable[[App, CaseView], dict[str, Json]], *,
    question: str = "", yes: bool = True,
) -> int:  # fmt: skip
    """Writes one entry about a case, if it may be written, and shows what follows."""
    from habeas import desk

    output = settings.output
    with settings.open_app() as app:
        data(app, app.tools.register.view(case_id))  # refused before anybody is asked
        if question and not confirm(question, yes=yes):
            raise RefusedError("not confirmed; nothing was changed")
        after = desk.note(app, case_id, entry, lambda view: data(app, view), f"case {entry.partition('.')[2]}")
        if settings.as_json:
            output.json(app.case_json(after))
        else:
            due = app.local_day(after.due_at)
            output.show(f"Case {case_id}: {after.status}" + (f" ({after.reason})" if after.reason else ""), "bold")
            output.show(f"due {due}" + (", and the clock stands still" if after.stopped else ""))
            output.advice(after)
    return 0


@click.command("extend", epilog="Example: habeas case extend c-01J… --because complexity --told-at 2026-11-20")
@click.argument("case_id", metavar="CASE")
@click.option("--because", required=True, type=click.Choice(list(EXTENSION_REASONS)), help="Why, as the law allows it.")
@click.option(
    "--told-at", default="", metavar="TIME", help="When the person was told, with the reasons. [default: now]"
)
@click.option("--until", default="", metavar="DAY", help="Until when. [default: as long as the law allows]")
@json_option
@pass_settings
def extend(settings: Settings, case_id: str, because: str, told_at: str, until: str) -> int:
    """Extend the period of a case, once the person was told. Counted from receipt, as the case's law says."""

    def data(app: App, view: CaseView) -> dict[str, Json]:
        day = parse_day(until, "--until") if until else None
        told = _moment(app, told_at, "--told-at")
        return extension(view, app.config.controller.timezone, told, day, because)

    return _write(settings, case_id, "case.extended", data)


@click.command("refuse", epilog="Example: habeas case refuse c-01J… --ground unfounded --yes")
@click.argument("case_id", metavar="CASE")
@click.option("--ground", required=True, type=click.Choice(list(GROUNDS)), help="Why; the person is told, in writing.")
@yes_option
@json_option
@pass_settings
def refuse(settings: Settings, case_id: str, ground: str, yes: bool) -> int:
    """Refuse a request, as long as nothing was changed for it at any vendor."""
    return _write(
        settings, case_id, "case.closed", lambda app, view: refusal(view, ground, sent=app.sent(view)),
        question=f"Refuse case {case_id}: {GROUNDS[ground].text}?", yes=yes,
    )  # fmt: skip


@click.command("cancel", epilog="Example: habeas case cancel c-01J… --yes")
@click.argument("case_id", metavar="CASE")
@yes_option
@json_option
@pass_settings
def cancel(settings: Settings, case_id: str, yes: bool) -> int:
    """Cancel a request that the person has withdrawn, as long as nothing was changed for it at any vendor."""
    return _write(
        settings, case_id, "case.closed", lambda app, view: cancellation(view, sent=app.sent(view)),
        question=f"Cancel case {case_id}?", yes=yes,
    )  # fmt: skip


@click.command("close", epilog="Example: habeas case close c-01J… --yes")
@click.argument("case_id", metavar="CASE")
@yes_option
@json_option
@pass_settings
def close(settings: Settings, case_id: str, yes: bool) -> int:
    """Close a case that cannot be finished: what failed, or was never answered, is handed to a person.

    Those outcomes become `manual`: somebody has to look at the vendor and do it there. Nothing is called done.
    """
    from habeas import desk

    output = settings.output
    with settings.open_app() as app:
        view = app.seen(case_id)
        if view.status != "incomplete":
            raise RefusedError(f"case {case_id} is {view.status}: only one that is incomplete is closed by hand")
        if not confirm(f"Hand what is left of case {case_id} to a person?", yes=yes):
            raise RefusedError("not confirmed; nothing was changed")
        after = desk.close_by_hand(app, case_id)
        if settings.as_json:
            output.json(app.case_json(after))
        else:
            output.case(after)
        output.advice(after)
    return 3


@click.command("reopen", epilog="Example: habeas case reopen c-01J… --because complaint")
@click.argument("case_id", metavar="CASE")
@click.option("--because", required=True, type=click.Choice(REOPEN_REASONS), help="Why it is taken up again.")
@json_option
@pass_settings
def reopen(settings: Settings, case_id: str, because: str) -> int:
    """Take up again a case that was refused or cancelled. `habeas resume` carries it out then."""

    def data(app: App, view: CaseView) -> dict[str, Json]:
        from habeas import desk

        content = reopening(view, because)
        desk.take_up(app, view)
        return content

    return _write(settings, case_id, "case.reopened", data)


@click.command("acknowledge", epilog="Example: habeas case acknowledge c-01J… --at 2026-11-20")
@click.argument("case_id", metavar="CASE")
@_at_option
@json_option
@pass_settings
def acknowledge(settings: Settings, case_id: str, at: str) -> int:
    """Note that the person was told their request has arrived."""
    return _write(
        settings, case_id, "case.acknowledged", lambda app, view: acknowledgement(view, _moment(app, at, "--at"))
    )


@click.command("identity", epilog="Examples: habeas case identity c-01J… --verified --method login")
@click.argument("case_id", metavar="CASE")
@click.option("--verified/--failed", default=None, help="Whether it is known now who asked.")
@click.option(
    "--method", required=True, type=click.Choice(IDENTITY_METHODS), help="How it was checked; never what with."
)
@json_option
@pass_settings
def identity(settings: Settings, case_id: str, verified: bool | None, method: str) -> int:
    """Note whether it was confirmed who asked. A case whose policy asks for it waits for this."""
    if verified is None:
        raise InputError("say whether it was confirmed", advice="give --verified or --failed")
    return _write(
        settings, case_id, "identity.checked", lambda _, view: identity_check(view, verified=verified, method=method)
    )


@click.command(
    "clock", epilog="Examples: habeas case clock c-01J… --stop identity  ·  habeas case clock c-01J… --start"
)
@click.argument("case_id", metavar="CASE")
@click.option(
    "--stop", "reason", type=click.Choice(PAUSE_REASONS), help="The person was asked this, and has to answer."
)
@click.option("--start", "start", is_flag=True, help="The answer has come.")
@_at_option
@json_option
@pass_settings
def clock(settings: Settings, case_id: str, reason: str | None, start: bool, at: str) -> int:
    """Stop the clock of a case while the person is asked something, where their law knows that; start it again."""
    if bool(reason) == start:
        raise InputError("stop the clock, or start it", advice="give --stop REASON or --start")

    def data(app: App, view: CaseView) -> dict[str, Json]:
        zone, moment = app.config.controller.timezone, _moment(app, at, "--at")
        if start:
            return clock_start(view, zone, moment)
        return clock_stop(view, zone, next(one for one in PAUSE_REASONS if one == reason), moment)

    return _write(settings, case_id, "clock.started" if start else "clock.stopped", data)


CHANGES = (extend, refuse, cancel, close, reopen, acknowledge, identity, clock)

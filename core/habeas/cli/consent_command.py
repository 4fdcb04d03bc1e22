"""``habeas consent``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape

from habeas.changes import ConsentState, HeldConsent
from habeas.cli import consent_drift, consent_export, consent_propagate
from habeas.cli.context import (
    Settings,
    json_option,
    not_empty,
    pass_settings,
    read_lines,
    resolve_subject,
    stop_on_signals,
    subject_from_option,
    subject_options,
    yes_option,
)
from habeas.errors import InputError
from habeas.models import CaseType, Json, Subject

if TYPE_CHECKING:
    from collections.abc import Collection

    from habeas.app import App
    from habeas.cli.output import Output
    from habeas.engine.tools import ConnectionTrouble, Run

    Held = Mapping[str, tuple[HeldConsent, ...] | ConnectionTrouble]

__all__ = ["command"]

_STYLES = {"granted": "green", "withdrawn": "yellow", "unset": "dim", "absent": "dim", "mixed": "red"}


@click.group("consent")
def command() -> None:
    """What people have agreed to, at every connection."""


command.add_command(consent_propagate.command)
command.add_command(consent_drift.command)
command.add_command(consent_export.command)


@command.command(
    "set",
    epilog="Examples: habeas consent set customer_id=C-100042 marketing_email=withdrawn --yes  ·  "
    "habeas consent set ada@example.org marketing_email=granted analytics=withdrawn",
)
@click.argument("words", nargs=-1, metavar="ID... PURPOSE=granted|withdrawn...")
@subject_from_option
@click.option("--dry-run", is_flag=True, help="Show what is held now; change nothing and open no case.")
@yes_option
@click.option("--reference", default="", help="Your own name for the request; stays in the vault.")
@click.option(
    "--regime", default="", callback=not_empty, help="Whose clock runs: gdpr, uk-gdpr … [default: the controller's]"
)
@click.option("--max-wait", type=click.FloatRange(min=1), metavar="SECONDS", help="Longest time it may take. [90]")
@json_option
@pass_settings
def set_consent(
    settings: Settings, words: tuple[str, ...], subject_from: Any, dry_run: bool, yes: bool, reference: str,
    regime: str, max_wait: float | None,
) -> int:  # fmt: skip
    """Give or withdraw consents everywhere, and read them back.

    PURPOSE is a name under [consent.purposes] in habeas.toml. Connections without a mapping for it are not asked.
    "updated" means: read back, and as wanted. "accepted" means: the vendor took it and shows it to nobody.
    """
    from habeas.cli.change import change
    from habeas.engine.changing import consent_details, links_with_purpose
    from habeas.engine.wanted import refuse_stale

    with settings.open_app() as app:
        wanted, texts = _sort(words, app.config.purposes)
        subject = resolve_subject(app, [*texts, *read_lines(subject_from, "--subject-from")])
        now = app.tools.clock.now()
        refuse_stale(app.tools, subject, wanted, now)
        said_at = dict.fromkeys(wanted, now)
        details = consent_details(wanted, links_with_purpose(app.tools.links, wanted), said_at)
        new = app.new_case(
            CaseType.CONSENT, subject, regime=regime, reference=reference, details=details, approved=True
        )

        def show(output: Output, held: Held) -> None:
            _table(output, held, wanted)

        def dry(run: Run, held: Held) -> int:
            return _show(app, settings, run, held, wanted)

        return change(
            settings, app, "consent set", new, look=lambda run: _look(app, run, subject, wanted), show=show,
            dry=dry if dry_run else None, question="Change this?", doing="setting a consent", yes=yes,
            max_wait=max_wait,
        )  # fmt: skip


@command.command("show", epilog="Example: habeas consent show customer_id=C-100042 --json")
@subject_options
@click.option("--purpose", "names", multiple=True, metavar="NAME", help="Only this purpose; may be repeated.")
@click.option("--max-wait", type=click.FloatRange(min=1), metavar="SECONDS", help="Longest time it may take. [90]")
@json_option
@pass_settings
def show_consent(
    settings: Settings, name_subject: Callable[[App], Subject], names: tuple[str, ...], max_wait: float | None
) -> int:
    """Show what each connection holds about a person's consents. Reads only."""
    from habeas.cli.output import progress_line
    from habeas.control import RunControl

    output = settings.output
    with settings.open_app() as app:
        known = app.config.purposes
        if not known or set(names) - set(known):
            raise _unknown(known)
        subject = name_subject(app)
        control = RunControl(app.tools.clock, max_wait or app.config.max_wait_seconds)
        with (
            stop_on_signals(control, output),
            app.run("consent show", lambda event: output.say(progress_line(event)), control) as run,
        ):
            held = _look(app, run, subject, names or known)
        return _show(app, settings, run, held, {})


def _sort(words: tuple[str, ...], known: Collection[str]) -> tuple[dict[str, ConsentState], list[str]]:
    """Purposes with the wanted states, and what is left: identifiers. A purpose is never called like an identifier."""
    wanted: dict[str, ConsentState] = {}
    others = []
    for word in words:
        name, _, value = word.partition("=")
        if name not in known and value not in tuple(ConsentState):
            others.append(word)
            continue
        if name not in known:
            raise _unknown(known)
        if value not in tuple(ConsentState):
            raise InputError(f"{name} can be granted or withdrawn", advice=f"write {name}=withdrawn")
        if wanted.setdefault(name, ConsentState(value)) != value:
            raise InputError(f"{name} is given twice, once granted and once withdrawn")
    if not wanted:
        raise InputError("no consent is given", advice="write PURPOSE=granted or PURPOSE=withdrawn")
    return wanted, others


def _unknown(known: Collection[str]) -> InputError:
    if not known:
        return InputError("no purpose is configured", advice="name one under [consent.purposes] in habeas.toml")
    return InputError("a purpose that is not configured", advice=f"configured: {', '.join(known)}")


def _look(app: App, run: Run, subject: Subject, purposes: Collection[str]) -> Held:
    from habeas.engine.consents import read_consents

    held = read_consents(app.tools, run, subject, purposes)
    counts = {name: len(result) if isinstance(result, tuple) else -1 for name, result in held.items()}
    app.note_search(run, subject, counts, "consent")
    return held


def _show(app: App, settings: Settings, run: Run, held: Held, wanted: Mapping[str, ConsentState]) -> int:
    if settings.as_json:
        dry: dict[str, Json] = {"case": None, "dry_run": True} if wanted else {}
        connections = [_json(name, app.tools.links[name].info.name, result, wanted) for name, result in held.items()]
        settings.output.json({"run": run.run_id, **dry, "connections": connections, "ledger": app.ledger_json()})
    else:
        _table(settings.output, held, wanted)
        if wanted:
            settings.output.say("Dry run: nothing was changed.")
    return 0 if all(isinstance(result, tuple) for result in held.values()) else 1


def _table(output: Output, held: Held, wanted: Mapping[str, ConsentState]) -> None:
    rows = []
    for name, result in held.items():
        if not isinstance(result, tuple):
            rows.append([name, "", "[bold red]not read[/]", *([""] if wanted else []), escape(result.text)])
            continue
        for one in result:
            state = f"[{_STYLES.get(one.state, 'yellow')}]{one.state}[/]"
            becomes = [str(wanted[one.purpose])] if wanted else []
            why = "; ".join(part for part in (one.reason, one.evidence) if part)
            rows.append([name, one.purpose, state, *becomes, escape(why)])
    output.table(
        ["connection", "purpose", "held now", *(["wanted"] if wanted else []), "how we know, or why"], rows, "Consents"
    )


def _json(
    name: str, plugin: str, result: tuple[HeldConsent, ...] | ConnectionTrouble, wanted: Mapping[str, ConsentState]
) -> Json:
    read = isinstance(result, tuple)
    purposes = [
        {
            "purpose": one.purpose,
            "state": str(one.state),
            **({"wanted": str(wanted[one.purpose])} if wanted else {}),
            "reason": one.reason or None,
            "evidence": one.evidence or None,
        }
        for one in (result if isinstance(result, tuple) else ())
    ]
    problem = None if isinstance(result, tuple) else result.text
    return {"connection": name, "plugin": plugin, "searched": read, "problem": problem, "purposes": purposes}

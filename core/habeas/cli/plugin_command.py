"""``habeas plugin``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.markup import escape

from habeas.cli.context import Settings, json_option, not_empty, pass_settings

if TYPE_CHECKING:
    from habeas.cli.output import Output
    from habeas.models import Json, PluginInfo
    from habeas.registry import Registry
    from habeas.testing.kit import Verdict

__all__ = ["command"]

_OPTIONAL = ("update_consent", "read_consent", "rectify", "create_canary", "sandbox")
"""The hooks that a vendor's plugin may leave out."""


@click.group("plugin")
def command() -> None:
    """Installed plugins, and new ones."""


# -- list -------------------------------------------------------------------------------------------------------------


@command.command("list", epilog="Example: habeas plugin list --json")
@json_option
@pass_settings
def list_plugins(settings: Settings) -> int:
    """List plugins with the kinds of records they know (a closed list per plugin) and what else they can do."""
    from habeas.registry import Registry

    registry = Registry.load()
    if settings.as_json:
        settings.output.json({"plugins": [_described(info, registry) for info in registry.infos.values()]})
        return 0
    for info in registry.infos.values():
        rows = [
            [kind.name, escape(kind.description), ", ".join(c.rsplit("#", 1)[-1] for c in kind.categories)]
            for kind in info.kinds
        ]
        settings.output.table(["record", "what it is", "data categories (DPV)"], rows, f"{info.name}: {info.title}")
        for line in _abilities(info, registry):
            settings.output.show(f" {line}")
    return 0


def _described(info: PluginInfo, registry: Registry) -> Json:
    return {
        "name": info.name,
        "title": info.title,
        "main_record": info.main_kind,
        "settings": info.settings_schema,
        "secrets": list(info.secrets),
        "secret_files": list(info.secret_files),
        "hooks": _optional_hooks(info, registry),
        "rectifies": [str(field) for field in info.rectifies],
        "purpose": info.purpose_schema,
        "holds_consents": info.holds_consents,
        "records": [
            {
                "record": kind.name,
                "title": kind.title,
                "description": kind.description,
                "categories": list(kind.categories),
                "purposes": list(kind.purposes),
                "retention": kind.retention,
                "erased_with": list(kind.erased_with),
            }
            for kind in info.kinds
        ],
    }


def _optional_hooks(info: PluginInfo, registry: Registry) -> list[str]:
    return [hook for hook in _OPTIONAL if registry.implements(info.name, hook)]


def _abilities(info: PluginInfo, registry: Registry) -> Iterator[str]:
    yield f"optional hooks: {', '.join(_optional_hooks(info, registry)) or 'none'}"
    yield f"corrects: {', '.join(info.rectifies) or 'nothing'}"
    yield f"a purpose is named by: {', '.join(info.purpose_schema.get('properties', {})) or 'nothing'}"


# -- new --------------------------------------------------------------------------------------------------------------


@command.command("new", epilog='Example: habeas plugin new acme --title "Acme Loyalty" --into plugins')
@click.argument("name")
@click.option("--title", default="", callback=not_empty, help="The vendor's name as people know it. [default: NAME]")
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Folder in which habeas-NAME is made. [default: the current one]",
)
@json_option
@pass_settings
def new(settings: Settings, name: str, title: str, into: Path) -> int:
    """Write a plugin project for a new vendor: complete, installable, and passing every check. Overwrites nothing."""
    from habeas.scaffold import write_project

    folder = into / f"habeas-{name}"
    files = write_project(folder, name, title or name.capitalize())
    if settings.as_json:
        settings.output.json({"plugin": name, "folder": str(folder), "files": [file.as_posix() for file in files]})
        return 0
    output = settings.output
    output.show(f"{folder}: a plugin that works, for a vendor that is made up", "bold")
    for file in files:
        output.show(f"  {file.as_posix()}")
    output.show(f"next: pip install -e '{folder}[dev]', then: habeas plugin check {name}")
    return 0


# -- check ------------------------------------------------------------------------------------------------------------


@command.command("check", epilog="Example: habeas plugin check voucherify --only describe-light")
@click.argument("name")
@click.option("--only", metavar="CHECK", multiple=True, help="Make only this check. May be given more than once.")
@json_option
@pass_settings
def check(settings: Settings, name: str, only: tuple[str, ...]) -> int:
    """Hold an installed plugin against every rule of the contract, on its own sandbox. Exit code 1: one is broken."""
    from habeas.testing.kit import check_plugin, installed_plugin

    output = settings.output
    verdicts = _followed(check_plugin(installed_plugin(name), only=only), output)
    broken = sum(not verdict.ok for verdict in verdicts)
    if settings.as_json:
        output.json({"plugin": name, "ok": not broken, "checks": [_verdict_json(verdict) for verdict in verdicts]})
    else:
        states = {True: "[green]holds[/]", False: "[bold red]broken[/]"}
        rows = [[v.check, escape(v.title), states[v.ok], escape(v.problem)] for v in verdicts]
        output.table(["check", "what it holds", "verdict", "problem"], rows, name)
    checks = "1 check" if len(verdicts) == 1 else f"{len(verdicts)} checks"
    output.say(f"{checks}, {broken} broken, {sum(verdict.calls for verdict in verdicts)} calls")
    return 1 if broken else 0


def _followed(verdicts: Iterable[Verdict], output: Output) -> list[Verdict]:
    """All verdicts; tells each as it comes, on a terminal in one line that goes away."""
    done: list[Verdict] = []
    status = output.stderr.status("checking") if output.stderr.is_terminal else None
    with status or nullcontext():
        for verdict in verdicts:
            done.append(verdict)
            line = f"{verdict.check} {'holds' if verdict.ok else 'is broken'} ({verdict.calls} calls)"
            if status is not None:
                status.update(f"{len(done)} made; {escape(line)}")
            else:
                output.say(line)
    return done


def _verdict_json(verdict: Verdict) -> Json:
    return {
        "check": verdict.check,
        "title": verdict.title,
        "ok": verdict.ok,
        "problem": verdict.problem or None,
        "calls": verdict.calls,
    }

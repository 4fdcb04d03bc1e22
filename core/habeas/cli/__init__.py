"""The command line: one small module per command; options, one call into the app, print, exit code.

Nothing here is imported before it is needed: ``habeas --help`` loads click and this file.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from habeas.cli.context import Settings

__all__ = ["COMMANDS", "cli", "main"]

COMMANDS = {
    "init": "Make a home with keys and databases, and a commented habeas.toml.",
    "demo": "See the whole story on sandbox vendors on this machine.",
    "sandbox": "Serve the vendors' sandboxes on loopback for experiments.",
    "doctor": "Check configuration, keys, databases, clock, disk and every connection.",
    "inventory": "Show what each connection holds about a person.",
    "access": "Answer an access or portability request with one ZIP package.",
    "erase": "Erase a person everywhere: plan, ask, erase, read back.",
    "plan": "Plan an erasure, for somebody else to approve.",
    "approve": "Approve a plan that somebody else has made.",
    "apply": "Carry out an approved plan.",
    "rectify": "Correct a person's data at every connection that can.",
    "consent": "What people have agreed to: set, show, propagate, drift …",
    "batch": "Work through a CSV of requests in one run.",
    "resume": "Finish whatever an interrupted run left.",
    "case": "The register: list, show, extend, refuse, cancel, close …",
    "report": "Make the compliance audit report of a period.",
    "certificate": "Make the portable proof of what became of a case.",
    "verify": "Check a certificate, proof or export offline; needs no home.",
    "recheck": "Look up erased people again, and say who came back.",
    "suppression": "Erased people that nothing may write about: list, lift.",
    "purge": "Destroy keys whose purpose has ended.",
    "canary": "Try everything on a made-up person, and say what stopped working.",
    "backup": "Copy the home while it is in use, and verify the copy.",
    "restore": "Make a new home of a backup.",
    "audit": "The ledger: log, verify, checkpoint, prove, export, keys.",
    "policy": "Policies: list, show, check.",
    "plugin": "Installed plugins and the records they know.",
}
"""Name → one line, so that the overview needs no command's module. A test holds them against the commands."""


class LazyGroup(click.Group):
    """Imports a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"habeas.cli.{cmd_name}_command").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with `habeas demo`, or with `habeas init` and `habeas doctor`. Exit codes: 0 done and verified, "
    "1 something failed or is unknown, 2 wrong usage, 3 done but a person must act, 4 refused.",
)
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="HABEAS_HOME",
    help="Folder with ledger, vault, keys and packages. [env HABEAS_HOME; default: the platform's data folder]",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="HABEAS_CONFIG",
    help="Configuration. [env HABEAS_CONFIG; default: ./habeas.toml, then HOME/habeas.toml]",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, and nothing else there.")
@click.version_option(package_name="habeas", message="habeas %(version)s")
@click.pass_context
def cli(ctx: click.Context, home: Path | None, config: Path | None, as_json: bool) -> None:
    """Answer a person's data request at every vendor that holds their data, and prove each step."""
    from habeas.cli.context import Settings

    ctx.obj = Settings(home, config, as_json)


@cli.result_callback()
@click.pass_obj
def _unsigned(settings: Settings, /, code: object, **_: object) -> object:
    """A run whose end was not signed has done its work, and is not proven: never exit code 0."""
    for line in (settings.problem, settings.warning):
        if line:
            settings.output.say(f"habeas: {line}")
    return 1 if settings.problem and code in (0, None) else code


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script: runs a command and exits with its code. No traceback ever reaches the user."""
    from habeas.cli.hardening import harden

    harden()
    from habeas.cli.border import leave, open_streams, run_guarded

    open_streams()
    leave(run_guarded(cli, arguments))

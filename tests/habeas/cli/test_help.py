"""What somebody sees who does not know the program yet."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING

import click
import pytest

import habeas.cli
from habeas.cli import COMMANDS, cli

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Ran

HEAVY = {"requests", "urllib3", "cryptography", "jsonschema", "jinja2", "sqlite_utils", "rich"}
WATCH = """
import json, sys
from habeas.cli import cli
from habeas.cli.border import run_guarded
run_guarded(cli, sys.argv[2:])
json.dump(sorted(sys.modules), open(sys.argv[1], "w"))
"""


def all_commands() -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, under its full name."""
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from ((f"{name} {sub}", found) for sub, found in command.commands.items())
        else:
            yield name, command


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], []], ids=str)
def test_the_overview_imports_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    """`habeas --help` loads click and the table of commands, and nothing that works."""
    out = tmp_path / "modules.json"
    subprocess.run([sys.executable, "-c", WATCH, str(out), *arguments], capture_output=True, check=True)
    assert HEAVY & set(json.loads(out.read_text())) == set()


def test_the_table_of_commands_is_the_commands() -> None:
    """A module per command and a line per module, none more."""
    modules = {
        m.name.removesuffix("_command") for m in iter_modules(habeas.cli.__path__) if m.name.endswith("_command")
    }
    assert set(COMMANDS) == modules
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        assert command.name == name


def test_the_overview_shows_each_command_with_its_line(program: Callable[..., Ran]) -> None:
    """One line each, not cut off, in a process on a pipe."""
    ran = program("--help", environment={"COLUMNS": "200"})
    assert (ran.code, ran.stderr) == (0, "")
    lines = {line.strip() for line in ran.stdout.splitlines()}
    for name, text in COMMANDS.items():
        assert any(line.startswith(f"{name} ") and line.endswith(text) for line in lines), name


@pytest.mark.parametrize("name", [name for name, _ in all_commands()])
def test_every_command_has_help_with_an_example(name: str, bare: Callable[..., Ran]) -> None:
    """What it does, and a line that can be copied."""
    ran = bare(*name.split(), "--help")
    assert (ran.code, ran.stderr) == (0, "")
    text = " ".join(ran.stdout.split())
    assert text.startswith(f"Usage: habeas {name} ")
    assert "Example" in text
    assert all(word in text.partition("Example")[2] for word in ("habeas", *name.split()))
    command = dict(all_commands())[name]
    assert command.help
    for parameter in command.params:
        assert not isinstance(parameter, click.Option) or parameter.help, parameter.name


@pytest.mark.parametrize("name", [name for name, _ in all_commands()])
def test_every_command_takes_json_behind_it(name: str) -> None:
    """`--json` works where people look for it, not only before the command."""
    command = dict(all_commands())[name]
    assert "--json" in [text for parameter in command.params for text in parameter.opts]


def test_the_version_is_the_distribution_s(bare: Callable[..., Ran]) -> None:
    """And the package says the same."""
    ran = bare("--version")
    assert (ran.code, ran.stdout) == (0, f"habeas {version('habeas')}\n")
    assert habeas.__version__ == version("habeas")


@pytest.mark.parametrize("arguments", [[], ["case"], ["audit"]], ids=str)
def test_no_command_at_all_shows_the_help_and_is_wrong_usage(arguments: list[str], bare: Callable[..., Ran]) -> None:
    """On stderr: stdout is for results."""
    ran = bare(*arguments)
    assert (ran.code, ran.stdout) == (2, "")
    assert ran.stderr.startswith("Usage: habeas ")
    assert "Commands:" in ran.stderr


def test_no_command_with_json_is_one_document(bare: Callable[..., Ran]) -> None:
    """A script that forgot the command can still parse what it gets."""
    ran = bare("--json", "case")
    assert ran.json == {"error": {"message": "no command was given; see `habeas case --help`", "exit_code": 2}}

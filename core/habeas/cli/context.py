"""What every command shares: the global options, and how a person is named on the command line."""

from __future__ import annotations

import functools
import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from habeas.cli.output import Output
from habeas.cli.signals import answered_by_no, stop_on_signals
from habeas.errors import InputError, RefusedError
from habeas.home import Home

if TYPE_CHECKING:
    from habeas.app import App
    from habeas.config import AuditConfig
    from habeas.control import RunControl
    from habeas.evidence.seal import Seal
    from habeas.models import Subject
    from habeas_audit import Ledger

__all__ = [
    "Settings",
    "ask",
    "confirm",
    "json_option",
    "not_empty",
    "pass_settings",
    "read_lines",
    "resolve_subject",
    "somebody_can_be_asked",
    "stop_on_signals",
    "subject_from_option",
    "subject_options",
    "trust_clock_option",
    "yes_option",
]

F = TypeVar("F", bound=Callable[..., Any])

_MAX_SUBJECT_CHARACTERS = 1_000_000


@dataclass
class Settings:
    """The global options, and what follows from them."""

    home_option: Path | None
    config_option: Path | None
    as_json: bool
    problem: str = ""
    """Why the ledger was not signed at the end of the command."""
    warning: str = ""

    @property
    def home(self) -> Home:
        return Home.at(self.home_option)

    @property
    def config_path(self) -> Path:
        """``--config``, or ``./habeas.toml`` where there is one, or the home's."""
        if self.config_option is not None:
            return self.config_option
        here = Path("habeas.toml")
        return here if here.exists() else self.home.config

    @contextmanager
    def open_app(self) -> Iterator[App]:
        """The installation, opened; afterwards it is known whether its ledger was signed."""
        collects = gc.isenabled()
        gc.disable()  # nothing of what is loaded is garbage, and looking for some takes a tenth of the start
        try:
            from habeas.app import App
        finally:
            if collects:
                gc.enable()
        with App.open(self.home, self.config_path) as app:
            yield app
            self.remember(app.seal)

    def remember(self, seal: Seal) -> None:
        """Keeps what did not come through when the ledger was signed, to be told at the end."""
        self.problem, self.warning = self.problem or seal.problem, self.warning or seal.warning

    @contextmanager
    def open_ledger(self, *, behind: bool = False) -> Iterator[tuple[Ledger, Seal]]:
        """The ledger and what signs it: neither plugins nor vendors' secrets, and a configuration only if there is one.

        A ledger that is not the one that was signed is refused, unless ``behind`` says that it may be.
        """
        from habeas.clock import SystemClock
        from habeas.opening import ledger_only, open_seal

        clock = SystemClock()
        with ledger_only(self.home, clock) as ledger:
            seal = open_seal(self.home, self.audit_config(), ledger, clock)
            if not behind:
                seal.require_continuity()
            yield ledger, seal
            self.remember(seal)

    def audit_config(self) -> AuditConfig:
        """What the configuration says of the ledger; the defaults where there is no file."""
        from habeas.config import AuditConfig, load_config

        given = self.config_option is not None or self.config_path.exists()
        return load_config(self.config_path).audit if given else AuditConfig()

    @property
    def output(self) -> Output:
        return Output(as_json=self.as_json)


pass_settings = click.make_pass_decorator(Settings)


def json_option(function: F) -> F:
    """``--json`` behind the command too, where people look for it."""

    def remember(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            ctx.find_object(Settings).as_json = True  # type: ignore[union-attr] # the group has made it

    return click.option(
        "--json", is_flag=True, expose_value=False, callback=remember, help="One JSON document on stdout."
    )(function)


def not_empty(ctx: click.Context, parameter: click.Parameter, value: str) -> str:
    """Refuses an option that was given with nothing in it: a variable that is not set must not mean "the default"."""
    given = ctx.get_parameter_source(parameter.name or "") is not click.core.ParameterSource.DEFAULT
    if given and not value.strip():
        raise click.BadParameter("it is empty", ctx, parameter)
    return value


trust_clock_option = click.option(
    "--trust-clock", is_flag=True, help="The clock is right, although nothing has happened here for long."
)
yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask. Needed where nobody can be asked.")


subject_from_option = click.option(
    "--subject-from",
    type=click.File("r", encoding="utf-8"),
    metavar="FILE",
    help="Read identifiers from a file (or - for stdin), one per line, so that they are not in the process list.",
)


def subject_options(function: F) -> F:
    """``ID…`` and ``--subject-from FILE``: the command gets ``name_subject``, to be called with the app."""

    @click.argument("identifiers", nargs=-1, metavar="ID...")
    @subject_from_option
    @functools.wraps(function)
    def wrapped(*args: Any, identifiers: tuple[str, ...], subject_from: Any, **kwargs: Any) -> Any:
        def name_subject(app: App) -> Subject:
            return resolve_subject(app, [*identifiers, *read_lines(subject_from, "--subject-from")])

        return function(*args, name_subject=name_subject, **kwargs)

    return wrapped  # type: ignore[return-value]


def resolve_subject(app: App, texts: Sequence[str]) -> Subject:
    """The person that ``KIND=VALUE`` texts name. Raises :class:`InputError`."""
    from habeas.cases.identifiers import parse_identifier

    return app.resolve([parse_identifier(text, app.tools.links) for text in texts])


def read_lines(file: Any, option: str) -> list[str]:
    """The lines of a file given with an option, without blank ones; none where it was not given."""
    if file is None:
        return []
    try:
        text = file.read(_MAX_SUBJECT_CHARACTERS + 1)
    except (UnicodeDecodeError, OSError):
        raise InputError(f"the file given with {option} cannot be read as UTF-8 text") from None
    if len(text) > _MAX_SUBJECT_CHARACTERS:
        raise InputError(f"the file given with {option} is too large", advice="it names one person")
    # Not splitlines(): what it takes for a line's end may stand inside an identifier, and would make two of one.
    lines = [line.rstrip("\r") for line in text.removeprefix("\ufeff").split("\n")]
    return [line for line in lines if line.strip()]


def somebody_can_be_asked(doing: str) -> None:
    """Raises :class:`RefusedError` where stdin is no terminal: before anything is looked up."""
    if not sys.stdin.isatty():
        raise RefusedError(f"{doing} changes data at vendors and nobody can be asked", advice="add --yes, or --dry-run")


def confirm(question: str, *, yes: bool) -> bool:
    """Asks on the terminal. Raises :class:`RefusedError` where nobody can be asked and ``--yes`` was not given."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise RefusedError("nobody can be asked whether this is meant", advice="add --yes to go on")
    try:
        with answered_by_no():
            return click.confirm(question, default=False, err=True)
    except click.Abort:
        return False


def ask(question: str, control: RunControl) -> bool:
    """Asks within a run. The time somebody takes to read is not time the vendors take."""
    started = control.clock.monotonic()
    agreed = confirm(question, yes=False)
    control.extend(control.clock.monotonic() - started)
    return agreed

"""The outermost border: every error becomes one line on stderr and an exit code."""

from __future__ import annotations

import io
import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

from habeas.errors import HabeasError

__all__ = ["BrokenOff", "open_streams", "run_guarded"]


class BrokenOff(Exception):
    """What ended a command in the middle of its JSON document. ``rest`` is what closes it, but for the last brace."""

    def __init__(self, error: BaseException, rest: str) -> None:
        super().__init__()
        self.error, self.rest = error, rest


def open_streams() -> None:
    """Gives stdin, stdout and stderr that the caller closed a place to go, and lets nothing fail for its characters.

    Without it the next file opened, a database perhaps, would get their number, and be printed into.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - open as long as we run
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def run_guarded(command: click.Command, arguments: Sequence[str] | None) -> int:
    """Runs a command; returns its exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    rest = "{"
    error: BaseException
    try:
        _refuse_bytes(arguments)
        code = command.main(args=arguments, prog_name="habeas", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except BrokenOff as broken:
        error, rest = broken.error, f"{broken.rest}, "
    except (Exception, KeyboardInterrupt) as caught:  # noqa: BLE001 - the border: a user never sees a traceback
        error = caught
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        # The reader of our output went away: nothing to say, and nobody to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if isinstance(error, click.UsageError) and "--json" not in arguments and _asks_for_help(error):
        print(error.format_message(), file=sys.stderr)  # noqa: T201 - what somebody wants to see who typed no command
        return 2
    line, code = _told(error, arguments)
    line = " ".join(line.split())
    print(f"habeas: {line}", file=sys.stderr)  # noqa: T201 - this is where errors are printed
    if "--json" in arguments:
        print(f'{rest}"error": {json.dumps({"message": line, "exit_code": code})}}}')  # noqa: T201
    return code


def _refuse_bytes(arguments: list[str]) -> None:
    """Bytes that are no UTF-8 arrive as lone surrogates, which no database, ledger or JSON document can hold."""
    if any("\ud800" <= character <= "\udfff" for argument in arguments for character in argument):
        raise click.UsageError("an argument is not UTF-8 text")


def _told(error: BaseException, arguments: list[str]) -> tuple[str, int]:
    """The line and the exit code of an error."""
    from habeas_audit import LedgerError
    from habeas_policies import PolicyProblem

    match error:
        case click.Abort():
            return "stopped by the user; nothing was done after that", 130
        case click.ClickException():
            return _wrong_usage(error, arguments), 2
        case HabeasError():
            return error.line(), error.exit_code
        case KeyboardInterrupt():
            return "stopped at once; run `habeas resume` to finish", 130
        case PolicyProblem():
            return f"{error}; {error.advice}" if error.advice else str(error), 2
        case LedgerError():
            return str(error), 1
    # The exception's own text may hold a person's data: say its type and the place in our code, no more.
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "habeas" in f.filename]
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"internal fault, {type(error).__name__}{place}; please report it with this line", 1


def _asks_for_help(error: click.UsageError) -> bool:
    """click's way to say that no command was given: an error whose message is the whole help."""
    return error.ctx is not None and error.format_message() == error.ctx.get_help()


def _wrong_usage(error: click.ClickException, arguments: list[str]) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    message = error.format_message()
    if isinstance(error, click.UsageError) and _asks_for_help(error):
        message = "no command was given"
    for argument in sorted(arguments, key=len, reverse=True):
        # click repeats what it cannot use, and that may be an identifier in the wrong place.
        if "@" in argument or "=" in argument:
            message = message.replace(argument, "…")
    return f"{message.rstrip('.?')}; see `{context.command_path if context is not None else 'habeas'} --help`"

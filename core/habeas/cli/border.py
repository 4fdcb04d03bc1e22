"""The outermost border: every error becomes one line on stderr and an exit code."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

from habeas.errors import HabeasError

__all__ = ["run_guarded"]


def run_guarded(command: click.Command, arguments: Sequence[str] | None) -> int:
    """Runs a command; returns its exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = command.main(args=arguments, prog_name="habeas", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.Abort:
        return _say("stopped by the user; nothing was done after that", 130, arguments)
    except click.ClickException as error:
        return _wrong_usage(error, arguments)
    except HabeasError as error:
        return _say(error.line(), error.exit_code, arguments)
    except KeyboardInterrupt:
        return _say("stopped at once; run `habeas resume` to finish", 130, arguments)
    except BrokenPipeError:
        # The reader of our output went away: nothing to say, and nobody to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001 - the border: a user never sees a traceback
        return _foreign(error, arguments)


def _wrong_usage(error: click.ClickException, arguments: list[str]) -> int:
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context is not None else "habeas"
    message = error.format_message()
    if context is not None and message == context.get_help():
        # click's way to say that no command was given.
        if "--json" not in arguments:
            print(message, file=sys.stderr)  # noqa: T201 - what somebody wants to see who typed nothing else
            return 2
        message = "no command was given"
    for argument in sorted(arguments, key=len, reverse=True):
        # click repeats what it cannot use, and that may be an identifier in the wrong place.
        if "@" in argument or "=" in argument:
            message = message.replace(argument, "…")
    return _say(f"{message.rstrip('.?')}; see `{path} --help`", 2, arguments)


def _foreign(error: Exception, arguments: list[str]) -> int:
    """Errors of the rooms below, which know nothing of ours, and faults of our own."""
    from habeas_audit import LedgerError
    from habeas_policies import PolicyProblem

    if isinstance(error, PolicyProblem):
        return _say(f"{error}; {error.advice}" if error.advice else str(error), 2, arguments)
    if isinstance(error, LedgerError):
        return _say(str(error), 1, arguments)
    # The exception's own text may hold a person's data: say its type and the place in our code, no more.
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "habeas" in f.filename]
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return _say(f"internal fault, {type(error).__name__}{place}; please report it with this line", 1, arguments)


def _say(message: str, code: int, arguments: list[str]) -> int:
    line = " ".join(message.split())
    print(f"habeas: {line}", file=sys.stderr)  # noqa: T201 - this is where errors are printed
    if "--json" in arguments:
        print(json.dumps({"error": {"message": line, "exit_code": code}}))  # noqa: T201
    return code

"""The outermost border: every error becomes one line on stderr and an exit code."""

from __future__ import annotations

import gc
import io
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any, NoReturn, TextIO

import click

from habeas.cli.hardening import internal_fault
from habeas.cli.signals import guarded
from habeas.errors import HabeasError
from habeas.foreign import ours
from habeas.text import is_text

__all__ = ["BrokenOff", "document_written", "leave", "open_streams", "run_guarded"]

_written: ContextVar[bool] = ContextVar("_written", default=False)
"""Whether the command's JSON document is on stdout: what goes wrong after that must not write a second one."""


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
    _keep_stdout()


class _Results(io.TextIOWrapper):
    """Standard output for results only: what a plugin prints, or a thread that it has started, goes to stderr."""

    def write(self, text: str, /) -> int:
        return super().write(text) if ours() else sys.stderr.write(text)

    @property
    def buffer(self) -> Any:  # the same, where somebody asks for bytes
        return super().buffer if ours() else getattr(sys.stderr, "buffer", sys.stderr)

    def flush(self) -> None:
        """Only ours: a child that a plugin has forked would print once more what we have not printed yet."""
        if ours():
            super().flush()

    def close(self) -> None:
        if ours():
            super().close()


def _keep_stdout() -> None:
    """Keeps standard output for ourselves: its number, and so the programs a plugin starts, get standard error."""
    if not isinstance(sys.stdout, io.TextIOWrapper) or isinstance(sys.stdout, _Results):
        return  # a second command in one process: number 1 is standard error by now, and ours is kept already
    sys.stdout.flush()
    encoding, private = sys.stdout.encoding, os.dup(1)
    os.dup2(2, 1)
    line_buffering = os.isatty(private)
    sys.stdout = _Results(
        # As the interpreter's own: its number is closed with the process, and nobody is warned of that.
        open(private, "wb", closefd=False), encoding=encoding, errors="backslashreplace",  # noqa: SIM115
        line_buffering=line_buffering,
    )  # fmt: skip


def leave(code: int) -> NoReturn:
    """Ends the process, also where a plugin has left threads or children behind that would not let it end.

    Children that multiprocessing knows end with us: they hold our output open, and whoever reads it would wait.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # it is all said: too late to stop anything but the saying
    left = [thread for thread in threading.enumerate() if thread is not threading.main_thread() and not thread.daemon]
    multiprocessing = sys.modules.get("multiprocessing")
    children = multiprocessing.active_children() if multiprocessing is not None else []
    for child in children:
        child.kill()
    unsaid = [stream for stream in (sys.stdout, sys.stderr) if not _flushed(stream)]
    if unsaid or left or children:
        os._exit(code or (1 if unsaid else 0))
    gc.freeze()  # or Python looks through all that there is once more, for what is of no use any longer
    sys.exit(code)


def _flushed(stream: TextIO) -> bool:
    """Whether all that was written has gone out: not so on a full disk, or where a plugin has closed our files."""
    try:
        stream.flush()
    except (OSError, ValueError):
        return False
    return True


def document_written() -> None:
    """To be called right before the JSON document is written, or its last piece."""
    _written.set(True)


def run_guarded(command: click.Command, arguments: Sequence[str] | None) -> int:
    """Runs a command, as a process of its own does; returns its exit code."""
    before = _written.set(False)
    try:
        with guarded():
            return _run(command, list(sys.argv[1:] if arguments is None else arguments))
    finally:
        _written.reset(before)


def _run(command: click.Command, arguments: list[str]) -> int:
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
    if "--json" in arguments and not _written.get():
        print(f'{rest}"error": {json.dumps({"message": line, "exit_code": code})}}}')  # noqa: T201
    return code


def _refuse_bytes(arguments: list[str]) -> None:
    """Bytes that are no UTF-8 arrive as lone surrogates, which no database, ledger or JSON document can hold."""
    if not all(map(is_text, arguments)):
        raise click.UsageError("an argument is not UTF-8 text")


def _told(error: BaseException, arguments: list[str]) -> tuple[str, int]:
    """The line and the exit code of an error."""
    from habeas_audit import LedgerError
    from habeas_policies import PolicyProblem

    match error:
        case click.Abort() if not isinstance(error.__cause__, KeyboardInterrupt):
            return "stopped by the user; nothing was done after that", 130
        case click.ClickException():
            return _wrong_usage(error, arguments), 2
        case HabeasError():
            return error.line(), error.exit_code
        case KeyboardInterrupt() | click.Abort():  # click makes the one into the other
            return "stopped at once; run `habeas resume` to finish", 130
        case PolicyProblem():
            return f"{error}; {error.advice}" if error.advice else str(error), 2
        case LedgerError():
            return str(error), 1
        case OSError(errno=int(number)):
            # Never which file: its name may be anybody's.
            return f"the system refuses a file ({os.strerror(number)}); check disk space, disk and owner", 1
    return internal_fault(error), 1


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

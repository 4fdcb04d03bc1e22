"""The question before an erasure: on a real terminal, the program as a process with a pseudo-terminal for its streams.

What is typed is a line to the program however it came; only signals, keys that make one, and what is shown where need
the real terminal.
"""

from __future__ import annotations

import contextlib
import io
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from habeas.cli import cli
from habeas.cli.border import run_guarded

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Shop

QUESTION = "Erase this? It cannot be undone. [y/N]: "


class Terminal:
    """A child on a pseudo-terminal: what it shows, and a hand on the keyboard."""

    def __init__(self, shop: Shop, *arguments: str, **options: Any) -> None:
        self._master, slave = pty.openpty()
        streams = {"stdin": slave, "stdout": slave, "stderr": slave, **options}
        self.child = shop.start(*arguments, **streams, start_new_session=True, preexec_fn=_own_terminal)
        os.close(slave)
        self.shown = ""

    def wait_for(self, text: str) -> None:
        """Reads until it stands there."""
        deadline = time.monotonic() + 30
        while text not in self.shown:
            assert time.monotonic() < deadline, self.shown
            assert self._read(deadline), f"it ended: {self.shown}"

    def type(self, keys: str) -> None:
        """Types."""
        os.write(self._master, keys.encode())

    def end(self, insist: Callable[[], object] = lambda: None) -> int:
        """Reads to the end; the exit code. ``insist`` is done once a second, as somebody would who sees no effect."""
        for _ in range(30):
            insist()
            deadline = time.monotonic() + 1
            while time.monotonic() < deadline:
                if not self._read(deadline):
                    return self.child.wait(timeout=10)
        raise AssertionError(f"it did not end: {self.shown}")

    def close(self) -> None:
        """Leaves nothing behind."""
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        for stream in (self.child.stdout, self.child.stderr):
            if stream is not None:
                stream.close()
        os.close(self._master)

    def _read(self, deadline: float) -> bool:
        waiting = select.poll()
        waiting.register(self._master, select.POLLIN)
        if not waiting.poll(max(0.0, deadline - time.monotonic()) * 1000):
            return True
        try:
            chunk = os.read(self._master, 65_536)
        except OSError:  # EIO: the other side is closed
            return False
        self.shown += chunk.decode("utf-8", "replace")
        return bool(chunk)


def _own_terminal() -> None:
    """Makes the pseudo-terminal the child's controlling one, so that ^C becomes a signal."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@contextlib.contextmanager
def terminal(shop: Shop, *arguments: str, **options: Any) -> Iterator[Terminal]:
    """A child that is gone afterwards."""
    opened = Terminal(shop, *arguments, **options)
    try:
        yield opened
    finally:
        opened.close()


class Typed(io.StringIO):
    """What somebody types, for a command in this process; EOF at the end of it."""

    def isatty(self) -> bool:
        return True


def asked(shop: Shop, monkeypatch: pytest.MonkeyPatch, keys: str, *arguments: str) -> tuple[int, str]:
    """Exit code, and all that was shown."""
    shown = io.StringIO()
    with monkeypatch.context() as patch, contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
        patch.setattr(sys, "stdin", Typed(keys))
        code = run_guarded(cli, [*shop.head, *arguments])
    return code, shown.getvalue()


def test_yes_erases(shop: Shop) -> None:
    """The plan is shown, then the question, then what became of it; the ledger says that somebody was asked."""
    person = shop.fresh()
    with terminal(shop, "erase", f"customer_id={person.customer_id}") as screen:
        screen.wait_for(QUESTION)
        assert "Plan (policy gdpr-erasure)" in screen.shown
        assert set(shop.world.held(person)) == set(shop.world.servers)
        screen.type("y\n")
        assert screen.end() == 0
    assert "completed" in screen.shown
    assert shop.world.held(person) == {}
    case = shop.run("case", "list", "--json").json["cases"][-1]["case"]
    (approved,) = shop.run("audit", "log", "--case", case, "--type", "case.approved", "--json").json["entries"]
    assert approved["data"]["how"] == "asked on the terminal"
    assert approved["data"]["digest"] == shop.run("case", "show", case, "--json").json["plan_digest"]


def check_cancelled(shop: Shop, shown: str) -> None:
    """The case says so, and `resume` leaves it alone."""
    assert "Traceback" not in shown
    case = shop.run("case", "list", "--json").json["cases"][-1]
    assert case["status"] == "cancelled"
    assert shop.run("resume", "--json").json["cases"] == []


@pytest.mark.parametrize("keys", ["\n", "", "what\nno\n"], ids=["enter", "^D", "what, no"])
def test_anything_else_cancels(keys: str, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 4, the case is cancelled, nothing was changed, and `resume` leaves it alone."""
    person = shop.fresh()
    truth, changes = shop.truth(), shop.world.changing_calls()
    code, shown = asked(shop, monkeypatch, keys, "erase", f"customer_id={person.customer_id}")
    assert (code, QUESTION in shown) == (4, True)
    check_cancelled(shop, shown)
    assert (shop.truth(), shop.world.changing_calls()) == (truth, changes)


@pytest.mark.parametrize("how", ["^C", "SIGTERM"])
def test_a_signal_is_a_no(how: str, shop: Shop) -> None:
    """It ends the process while it waits for an answer that will not come."""
    person = shop.fresh()
    truth, changes = shop.truth(), shop.world.changing_calls()
    with terminal(shop, "erase", f"customer_id={person.customer_id}") as screen:
        screen.wait_for(QUESTION)
        # A signal in the moment between the prompt and the read behind it is seen with the next one only.
        again = {"^C": lambda: screen.type("\x03"), "SIGTERM": lambda: screen.child.send_signal(signal.SIGTERM)}
        assert screen.end(again[how]) == 4
    check_cancelled(shop, screen.shown)
    assert (shop.truth(), shop.world.changing_calls()) == (truth, changes)


def test_with_json_the_plan_and_the_question_stay_off_stdout(shop: Shop, tmp_path: Path) -> None:
    """Somebody at the terminal reads along on stderr; stdout is one document."""
    person = shop.fresh()
    out = tmp_path / "out.json"
    with out.open("w") as target, terminal(
        shop, "--json", "erase", f"customer_id={person.customer_id}", stdout=target
    ) as screen:  # fmt: skip
        screen.wait_for(QUESTION)
        assert "Plan (policy gdpr-erasure)" in screen.shown
        screen.type("y\n")
        assert screen.end() == 0
    assert '"status": "completed"' in out.read_text()
    assert out.read_text().startswith("{")


def test_nobody_is_asked_where_nothing_would_be_erased(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the ledger does not claim that somebody was."""
    code, shown = asked(shop, monkeypatch, "", "erase", "customer_id=nobody-at-all")
    assert code in (0, 3)
    assert QUESTION not in shown
    case = shop.run("case", "list", "--json").json["cases"][-1]["case"]
    (approved,) = shop.run("audit", "log", "--case", case, "--type", "case.approved", "--json").json["entries"]
    assert approved["data"]["how"] == "nothing to erase, so nobody was asked"


def test_batch_asks_once_for_all(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No: exit 4, nothing sent, no case. Yes: everything."""
    person = shop.fresh()
    path = tmp_path / "requests.csv"
    path.write_text(f"type,customer_id\nerasure,{person.customer_id}\nerasure,nobody\n")
    calls, cases = shop.calls, len(shop.run("case", "list", "--json").json["cases"])
    code, shown = asked(shop, monkeypatch, "n\n", "batch", str(path))
    assert (code, shown.count("Work on 2 requests? Erasures cannot be undone. [y/N]: ")) == (4, 1)
    assert "not confirmed; nothing was sent" in shown
    assert (shop.calls, len(shop.run("case", "list", "--json").json["cases"])) == (calls, cases)
    code, shown = asked(shop, monkeypatch, "y\n", "batch", str(path))
    assert code in (0, 3)
    assert shown.count("[y/N]: ") == 1
    assert shop.world.held(person) == {}


@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}], ids=str)
def test_colours_are_for_terminals_that_want_them(
    environment: dict[str, str], shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NO_COLOR gets no escape code at all."""
    for name, value in {"TERM": "xterm-256color", "NO_COLOR": "", **environment}.items():
        monkeypatch.setenv(name, value)
    with terminal(shop, "doctor") as screen:
        assert screen.end() == 0
    assert "every entry" in screen.shown or "connections" in screen.shown
    assert ("\x1b[32mok" in screen.shown) == (not environment)
    assert ("\x1b" in screen.shown) == (not environment)


def test_without_a_terminal_nothing_is_coloured_and_nobody_is_asked(shop: Shop) -> None:
    """Exit 4, nothing sent, no case; on a pipe no escape codes."""
    who = f"customer_id={shop.fresh().customer_id}"
    calls, size = shop.calls, shop.ledger_bytes()
    for arguments in (["erase", who], ["--json", "erase", who]):
        ran = shop.run(*arguments)
        assert ran.code == 4
        assert ran.error.endswith("add --yes, or --dry-run")
    assert (shop.calls, shop.ledger_bytes()) == (calls, size)
    ran = shop.process("erase", who, "--dry-run", stdin=subprocess.DEVNULL)
    assert ran.code == 0
    assert "\x1b" not in ran.stdout + ran.stderr
    assert "Plan (policy gdpr-erasure)" in ran.stdout

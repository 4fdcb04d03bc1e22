"""A shop with a home of its own, and the command line as a user and as a script meet it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from habeas.cli import cli
from habeas.cli.border import run_guarded
from habeas.clock import SystemClock
from habeas.demo.world import World
from habeas.home import Home
from habeas.opening import create_home
from habeas.registry import Registry
from habeas.testing.clock import SkippingClock
from habeas.testing.people import Person
from habeas.testing.sandbox import SandboxServer

PEOPLE = 120
HABEAS = Path(sys.executable).with_name("habeas")


@dataclass(frozen=True)
class Ran:
    """What one command left behind."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The one document on stdout; ``json.loads`` refuses anything before or after it."""
        return json.loads(self.stdout)

    @property
    def error(self) -> str:
        """The one line that an error is."""
        assert "Traceback" not in self.stderr
        (line,) = self.stderr.splitlines()
        assert line.startswith("habeas: ")
        return line


def run(*arguments: str, stdin: str = "") -> Ran:
    """Runs a command in this process, as the console script does, with nobody at the terminal."""
    stdout, stderr = io.StringIO(), io.StringIO()
    before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8")
    try:
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            code = run_guarded(cli, list(arguments))
    finally:
        sys.stdin = before
    return Ran(code, stdout.getvalue(), stderr.getvalue())


class Shop:
    """Sandbox vendors, a configuration and a home."""

    def __init__(self, folder: Path, world: World) -> None:
        self.folder, self.world = folder, world
        self.registry = Registry.load()
        self.config = world.write_setup(folder)
        self.policies = add_policies(self.config)
        self.home = Home(folder / "home")
        create_home(self.home, SystemClock())
        known = [p for p in world.people[7:] if len(p.held_at) == len(world.servers)]
        self._ordinary = iter([p for p in known if world.people.index(p) % 7])

    @property
    def head(self) -> list[str]:
        """The global options that name this shop."""
        return ["--home", str(self.home.path), "--config", str(self.config)]

    def run(self, *arguments: str, stdin: str = "") -> Ran:
        """A command about this shop, in this process."""
        return run(*self.head, *arguments, stdin=stdin)

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """The real program about this shop, as a process of its own."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        options = {"env": clean_environment(), **pipes}
        return subprocess.Popen([HABEAS, *self.head, *arguments], text=True, **options)

    def process(self, *arguments: str, **options: Any) -> Ran:
        """Runs the real program to its end."""
        child = self.start(*arguments, **options)
        stdout, stderr = child.communicate(timeout=60)
        return Ran(child.returncode, stdout, stderr)

    def fresh(self) -> Person:
        """Somebody ordinary (past the first seven, no awkward id), known everywhere, whom no other test is given."""
        return next(self._ordinary)

    @property
    def calls(self) -> int:
        """How many calls the vendors have seen."""
        return sum(len(server.calls) for server in self.world.servers.values())

    @property
    def servers(self) -> list[SandboxServer]:
        """The vendors, in the order of the configuration."""
        return list(self.world.servers.values())

    def truth(self) -> dict[str, Any]:
        """What is held about everybody."""
        return {p.customer_id: self.world.held(p) for p in self.world.people}

    def others(self, person: Person) -> dict[str, Any]:
        """What is held about everybody else."""
        return {customer_id: held for customer_id, held in self.truth().items() if customer_id != person.customer_id}

    def ledger_bytes(self) -> bytes:
        """The ledger's file."""
        return self.home.ledger.read_bytes()


def add_policies(config: Path) -> Path:
    """Gives a shop a folder for policies of its own."""
    folder = config.parent / "policies"
    folder.mkdir()
    with config.open("a") as file:
        file.write('\n[policies]\nfolder = "policies"\n')
    return folder


def clean_environment(**more: str) -> dict[str, str]:
    """An environment without colours or a habeas of the developer's own."""
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("HABEAS_", "COVERAGE", "FORCE_COLOR", "COLUMNS"))}
    return {**keep, "PYTHONWARNINGS": "default", **more}


def open_shop(folder: Path, people: int = PEOPLE) -> Shop:
    """A shop of its own; stop ``shop.world`` when done."""
    folder.mkdir(parents=True, exist_ok=True)
    return Shop(folder, World.start(Registry.load(), people))


@pytest.fixture(scope="module")
def _shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    shop = open_shop(tmp_path_factory.mktemp("shop"))
    yield shop
    shop.world.stop()


@pytest.fixture
def shop(_shop: Shop) -> Iterator[Shop]:
    """One shop per file; vendors behave again after each test."""
    yield _shop
    for server in _shop.servers:
        server.down = False
        server.faults.clear()


@pytest.fixture
def make_shop(tmp_path: Path) -> Iterator[Callable[[int], Shop]]:
    """Opens a shop of its own, with so many people, for a test that may ruin it."""
    with contextlib.ExitStack() as stack:

        def make(people: int) -> Shop:
            shop = open_shop(tmp_path, people)
            stack.callback(shop.world.stop)
            return shop

        yield make


@pytest.fixture
def own_shop(make_shop: Callable[[int], Shop]) -> Shop:
    """A small shop that a test may ruin."""
    return make_shop(12)


@pytest.fixture
def bare() -> Callable[..., Ran]:
    """``habeas`` without a shop: in this process, arguments as given."""
    return run


@pytest.fixture
def program() -> Callable[..., Ran]:
    """``habeas`` without a shop: the real program, as a process; ``environment`` adds to a clean one."""

    def start(*arguments: str, environment: dict[str, str] | None = None, **options: Any) -> Ran:
        options = {"stdin": subprocess.DEVNULL, **options}
        child = subprocess.run(
            [HABEAS, *arguments], capture_output=True, text=True, timeout=60, check=False,
            env=clean_environment(**(environment or {})), **options,
        )  # fmt: skip
        return Ran(child.returncode, child.stdout, child.stderr)

    return start


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting takes no time in this process."""
    monkeypatch.setattr("habeas.app.SystemClock", lambda: SkippingClock(datetime.now(UTC)))

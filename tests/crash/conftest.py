"""The real program, killed as a process at the n-th point it passes, over vendors in this process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from habeas.clock import SystemClock
from habeas.demo.world import World
from habeas.evidence.seal import witnesses_in
from habeas.home import Home
from habeas.opening import create_home
from habeas.registry import Registry
from habeas.testing.people import Person
from habeas_audit import Ledger, verify_evidence

PEOPLE = 12


class Zygote:
    """The forking process; see zygote.py."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("zygote.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._read() == "ready\n"

    def run(self, arguments: list[str], out: Path, kill_at: int = 0) -> tuple[int, int]:
        """Exit code (-9: killed) and points passed."""
        assert self._process.stdin is not None
        order = {"arguments": arguments, "kill_at": kill_at, "out": str(out)}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._read())
        return answer["code"], answer["points"]

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)
        self._process.stdout.close()


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    process = Zygote()
    yield process
    process.close()


class Shop:
    """A shop on sandbox vendors; :meth:`afresh` puts vendors and home back to the beginning."""

    def __init__(self, folder: Path, zygote: Zygote) -> None:
        self.folder, self._zygote = folder, zygote
        self._registry = Registry.load()
        self.world = World.start(self._registry, PEOPLE)
        self.config = self.world.write_setup(folder)
        self.home = Home(folder / "home")
        create_home(self.home, SystemClock())
        shutil.copytree(self.home.path, folder / "pristine")

    def afresh(self) -> None:
        for name, server in self.world.servers.items():
            server.app = self._registry.sandbox(name)
            server.app.seed(self.world.people)
            server.calls.clear()
        shutil.rmtree(self.home.path)
        shutil.copytree(self.folder / "pristine", self.home.path)

    def habeas(self, *arguments: str, kill_at: int = 0) -> tuple[int, int, Any]:
        out = self.folder / "out.json"
        head = ["--home", str(self.home.path), "--config", str(self.config), "--json"]
        code, points = self._zygote.run([*head, *arguments], out, kill_at)
        text = out.read_text()
        assert "Traceback" not in out.with_name("out.json.err").read_text()
        return code, points, json.loads(text) if text and code != -9 else None

    @property
    def person(self) -> Person:
        """Somebody every vendor knows, with a card that another person uses as well."""
        return self.world.people[4]

    def others(self) -> dict[str, Any]:
        return {p.customer_id: self.world.held(p) for p in self.world.people if p is not self.person}

    @staticmethod
    def outcomes_of(case: Any) -> list[tuple[Any, ...]]:
        """What a case says, without the ledger's numbering."""
        keys = ("connection", "record", "purpose", "field", "count", "result", "reason", "until", "evidence")
        return sorted(tuple(str(row.get(key)) for key in keys) for row in case["outcomes"])

    def check_ledger(self) -> None:
        """Whole, as every checkpoint says that was ever signed over it; and every call that changed something has an
        intent before it and exactly one outcome after it.
        """
        found = verify_evidence(self.home.ledger, witnesses=witnesses_in([self.home.checkpoints]))
        assert found.ok, found.findings
        with Ledger.open(self.home.ledger, SystemClock().now) as ledger:
            entries = list(ledger.entries())
        intents = {e.seq: e for e in entries if e.type == "call.intent"}
        answered = Counter(e.data["intent"] for e in entries if e.type == "call.outcome")
        assert set(answered) == set(intents)
        assert set(answered.values()) <= {1}
        for entry in entries:
            if entry.type == "call.outcome":
                assert entry.data["intent"] < entry.seq
        sent = sum(len(s.changing_calls()) for s in self.world.servers.values())
        assert sent <= len(intents)
        finals = Counter(
            (e.connection, e.data["item"]) for e in entries
            if e.type == "record.outcome" and e.data["result"] not in ("failed", "unknown")
        )  # fmt: skip
        assert set(finals.values()) <= {1}


@pytest.fixture(scope="module")
def shop(zygote: Zygote) -> Iterator[Shop]:
    # A kill loses nothing that was written, synced or not: memory serves as well as a disk, and sooner.
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        opened = Shop(Path(folder), zygote)
        yield opened
        opened.world.stop()

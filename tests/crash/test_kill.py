"""SIGKILL at every point of an erasure, then `habeas resume`: the same outcomes as a run that nobody disturbed.

The real program, killed as a process; enumerated, not sampled: the point is moved on by one until the run gets to its
end. Vendors are sandboxes in this process, spoken to over loopback.
"""

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

from habeas.app import create_home
from habeas.clock import SystemClock
from habeas.demo.world import World
from habeas.home import Home
from habeas.registry import Registry
from habeas.testing.people import Person
from habeas_audit import Ledger, verify

SHARDS = 6
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
        self.world = World.start(Registry.load(), PEOPLE)
        self.config = self.world.write_setup(folder)
        self.home = Home(folder / "home")
        create_home(self.home, SystemClock())
        shutil.copytree(self.home.path, folder / "pristine")

    def afresh(self) -> None:
        for name, server in self.world.servers.items():
            server.app = Registry.load().sandbox(name)
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


@pytest.fixture(scope="module")
def shop(zygote: Zygote) -> Iterator[Shop]:
    # A kill loses nothing that was written, synced or not: memory serves as well as a disk, and sooner.
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        opened = Shop(Path(folder), zygote)
        yield opened
        opened.world.stop()


def outcomes_of(case: Any) -> list[tuple[Any, ...]]:
    """What a case says, without the ledger's numbering."""
    keys = ("connection", "record", "count", "result", "reason", "until", "evidence")
    return sorted(tuple(str(row[key]) for key in keys) for row in case["outcomes"])


def check_ledger(shop: Shop) -> None:
    """Whole, and every call that changed something has an intent before it and exactly one outcome after it."""
    found = verify(shop.home.ledger)
    assert found.ok, found.findings
    with Ledger.open(shop.home.ledger, SystemClock().now) as ledger:
        entries = list(ledger.entries())
    intents = {e.seq: e for e in entries if e.type == "call.intent"}
    answered = Counter(e.data["intent"] for e in entries if e.type == "call.outcome")
    assert set(answered) == set(intents)
    assert set(answered.values()) <= {1}
    for entry in entries:
        if entry.type == "call.outcome":
            assert entry.data["intent"] < entry.seq
    sent = sum(len(s.changing_calls()) for s in shop.world.servers.values())
    assert sent <= len(intents)
    finals = Counter(
        (e.connection, e.data["item"]) for e in entries
        if e.type == "record.outcome" and e.data["result"] not in ("failed", "unknown")
    )  # fmt: skip
    assert set(finals.values()) <= {1}


@pytest.fixture(scope="module")
def undisturbed(shop: Shop) -> tuple[list[tuple[Any, ...]], int]:
    """What a run that nobody disturbs says, and how many points it passes."""
    shop.afresh()
    before = shop.others()
    code, points, case = shop.habeas("erase", f"customer_id={shop.person.customer_id}", "--yes")
    assert (code, case["status"]) == (0, "completed")
    assert shop.world.held(shop.person) == {}
    assert shop.others() == before
    check_ledger(shop)
    assert points > 100
    return outcomes_of(case), points


def finish(shop: Shop) -> Any:
    """What a user does after a crash: resume; and where the request itself was lost, ask again."""
    code, _, result = shop.habeas("resume")
    if result["cases"]:
        assert code == 0
        (case,) = result["cases"]
        return case
    listed = shop.habeas("case", "list")[2]["cases"]
    if listed:
        assert [c["status"] for c in listed] == ["completed"]
        return shop.habeas("case", "show", listed[0]["case"])[2]
    return shop.habeas("erase", f"customer_id={shop.person.customer_id}", "--yes")[2]


def check_end(shop: Shop, case: Any, before: dict[str, Any], expected: list[tuple[Any, ...]]) -> None:
    assert case["status"] == "completed"
    assert outcomes_of(case) == expected
    assert shop.world.held(shop.person) == {}
    assert shop.others() == before
    check_ledger(shop)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_kill_at_any_point_is_made_good_by_resume(
    shard: int, shop: Shop, undisturbed: tuple[list[tuple[Any, ...]], int]
) -> None:
    """Points shard, shard + SHARDS, … of the erasure, until it ends by itself."""
    expected, points = undisturbed
    kill_at = shard + 1
    while True:
        shop.afresh()
        before = shop.others()
        who = f"customer_id={shop.person.customer_id}"
        code, passed, case = shop.habeas("erase", who, "--yes", kill_at=kill_at)
        if code != -9:
            break
        check_end(shop, finish(shop), before, expected)
        kill_at += SHARDS
    assert (code, outcomes_of(case)) == (0, expected)
    assert passed < kill_at, "it ended by itself"
    assert kill_at > points * 9 // 10, "about as many points as the undisturbed run passed"
    calls = sum(len(s.calls) for s in shop.world.servers.values())
    assert shop.habeas("resume")[2]["cases"] == []
    assert sum(len(s.calls) for s in shop.world.servers.values()) == calls, "a finished case makes no calls"


@pytest.mark.parametrize("shard", range(2))
def test_a_kill_of_the_recovery_is_made_good_by_the_next(
    shard: int, shop: Shop, undisturbed: tuple[list[tuple[Any, ...]], int]
) -> None:
    """The erasure is killed in its middle, then the resume at every eighth point."""
    expected, points = undisturbed
    kill_at = shard * 8 + 3
    while True:
        shop.afresh()
        before = shop.others()
        who = f"customer_id={shop.person.customer_id}"
        assert shop.habeas("erase", who, "--yes", kill_at=points * 6 // 10)[0] == -9
        if shop.habeas("resume", kill_at=kill_at)[0] != -9:
            break
        check_end(shop, finish(shop), before, expected)
        kill_at += 16
    assert kill_at > 16

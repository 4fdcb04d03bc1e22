"""The real program as a process that is killed or signalled at the n-th point it passes, over vendors in this one."""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.crash.arrivals import Arrivals

from habeas.cases.outcomes import outcomes_in
from habeas.cases.view import CaseView, view_case
from habeas.clock import SystemClock
from habeas.demo.world import World
from habeas.evidence.seal import witnesses_in
from habeas.home import Home
from habeas.models import Result
from habeas.opening import create_home
from habeas.registry import Registry
from habeas.testing.people import Person
from habeas_audit import Entry, Ledger, verify_evidence

if TYPE_CHECKING:
    from tests.crash.scenarios import Scenario

Undisturbed = Callable[["Scenario"], tuple[Any, int]]
PEOPLE = 12
_TIME = re.compile(r"20\d\d-\d\d-\d\dT[0-9:.]+Z?")
DAY = 86_400.0
CONFIG = """
[policies]
folder = "policies"

[retention]
details = "P0D"
pseudonyms = "P0D"
suppression = "P1M"
"""
AT_ONCE = """
name = "at-once"
version = 1
type = "erasure"
regime = "gdpr"
description = "Erases all, looks nobody up again, and keeps no details."

[default]
action = "erase"
reason = "The person asked for it."
legal_source = "GDPR Art. 17(1)(b)"

[after]
keep_details = "P0D"
recheck = []
"""


class Zygote:
    """The forking process; see zygote.py."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("zygote.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._read() == "ready\n"

    def begin(self, *orders: Mapping[str, Any]) -> None:
        """Starts commands, all at once."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(orders) + "\n")
        self._process.stdin.flush()

    def end(self) -> list[tuple[int, int]]:
        """Exit code (below 0: minus the signal) and points passed, of each command that was begun."""
        return [(answer["code"], answer["points"]) for answer in json.loads(self._read())]

    def children(self) -> list[int]:
        """The commands that run now."""
        return [
            int(pid) for pid in Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        ]

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)
        self._process.stdout.close()


@pytest.fixture(scope="session")
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
        self._arrivals = [Arrivals(server) for server in self.world.servers.values()]
        self.config = self.world.write_setup(folder)
        with self.config.open("a") as file:
            file.write(CONFIG)
        (folder / "policies").mkdir()
        (folder / "policies" / "at-once.toml").write_text(AT_ONCE)
        self.home = Home(folder / "home")
        create_home(self.home, SystemClock())
        self.keep("pristine")

    def keep(self, name: str) -> None:
        """Keeps the home as it stands, under a name."""
        shutil.copytree(self.home.path, self.folder / name)

    def kept(self, name: str) -> bool:
        return (self.folder / name).exists()

    def afresh(self, name: str = "pristine") -> None:
        """Vendors as in the beginning, and the home as it was kept."""
        for vendor, server in self.world.servers.items():
            server.app = self._registry.sandbox(vendor)
            server.app.seed(self.world.people)
            server.calls.clear()
        shutil.rmtree(self.home.path)
        shutil.copytree(self.folder / name, self.home.path)

    def order(self, *arguments: str, out: str = "out.json", **more: Any) -> dict[str, Any]:
        """What a zygote is to do; see zygote.py."""
        head = ["--home", str(self.home.path), "--config", str(self.config), "--json"]
        return {"arguments": [*head, *arguments], "out": str(self.folder / out), **more}

    def habeas(self, *arguments: str, **more: Any) -> tuple[int, int, Any]:
        """Runs a command: its code, the points it passed, and its JSON document unless it was killed."""
        self._zygote.begin(self.order(*arguments, **more))
        ((code, points),) = self._zygote.end()
        if code >= 0:
            return code, points, self.told()
        for arrivals in self._arrivals:
            arrivals.wait()
        return code, points, None

    def at_once(self, *orders: Mapping[str, Any]) -> list[tuple[int, int]]:
        """Runs commands side by side: code and points of each. Give every :meth:`order` another ``out``."""
        self._zygote.begin(*orders)
        return self._zygote.end()

    def told(self, out: str = "out.json") -> Any:
        """The one document on stdout; anything beside it is an error."""
        text = (self.folder / out).read_text()
        return json.loads(text) if text else None

    def said(self, out: str = "out.json") -> str:
        """What is on stderr: never a traceback."""
        text = (self.folder / f"{out}.err").read_text()
        assert "Traceback" not in text, text
        return text

    @property
    def person(self) -> Person:
        """Somebody every vendor knows, with a card that another person uses as well."""
        return self.world.people[4]

    @property
    def who(self) -> str:
        return f"customer_id={self.person.customer_id}"

    def others(self) -> dict[str, Any]:
        return {p.customer_id: self.world.held(p) for p in self.world.people if p is not self.person}

    def truth(self, person: Person) -> dict[str, Any]:
        """All that each vendor holds about somebody, but for the times at which it was written."""
        return {name: _TIME.sub("…", server.app.held_text(person)) for name, server in self.world.servers.items()}

    @property
    def calls(self) -> int:
        """How many calls the vendors have seen since the beginning."""
        return sum(len(server.calls) for server in self.world.servers.values())

    @staticmethod
    def outcomes_of(case: Any) -> list[tuple[Any, ...]]:
        """What a case says, without the ledger's numbering."""
        keys = ("connection", "record", "purpose", "field", "count", "result", "reason", "until", "evidence")
        return sorted(tuple(str(row.get(key)) for key in keys) for row in case["outcomes"])

    # -- what the ledger says ---------------------------------------------------------------------------------------

    def entries(self) -> list[Entry]:
        with Ledger.open(self.home.ledger, SystemClock().now) as ledger:
            return list(ledger.entries())

    def cases(self) -> list[CaseView]:
        """All cases, as their entries tell them."""
        by_case: dict[str, list[Entry]] = {}
        for entry in self.entries():
            if entry.case_id:
                by_case.setdefault(entry.case_id, []).append(entry)
        views = [view_case(entries) for entries in by_case.values()]
        return [view for view in views if view is not None]

    def check_killed(self) -> None:
        """What holds right after a kill, before anybody has mended anything: I1 and I6 of RELIABILITY.md."""
        self.check_whole()
        entries = self.entries()
        assert self._sent() <= sum(e.type == "call.intent" for e in entries)
        check_attempts(entries)

    def check_ledger(self) -> None:
        """What holds in the end: besides, every call that changed something has exactly one outcome (I3), every record
        at most one final one (I4), and whatever process worked on a case did so alone (I14).
        """
        self.check_killed()
        entries = self.entries()
        intents = {e.seq: e for e in entries if e.type == "call.intent"}
        answered = Counter(e.data["intent"] for e in entries if e.type == "call.outcome")
        assert set(answered) == set(intents)
        assert set(answered.values()) <= {1}
        check_finals(entries)
        check_alone(entries)

    def check_whole(self) -> None:
        """Gapless, unforked, and as every checkpoint says that was ever signed over it."""
        # Another thread may have been killed within a commit: verifying says then that the ledger is to be opened once.
        Ledger.open(self.home.ledger, SystemClock().now).close()
        found = verify_evidence(self.home.ledger, witnesses=witnesses_in([self.home.checkpoints]))
        assert found.ok, found.findings

    def _sent(self) -> int:
        """Calls that have reached a vendor and may have changed something: some searches are POSTs, and count too."""
        return sum(len(s.changing_calls()) for s in self.world.servers.values())


def check_attempts(entries: Sequence[Entry]) -> None:
    """Outcomes follow their intents; each change has one key over all attempts (I5), numbered without a gap."""
    keys: dict[tuple[str, str, str], str] = {}
    attempts: dict[tuple[str, str, str], int] = {}
    for entry in entries:
        if entry.type == "call.outcome":
            assert entry.data["intent"] < entry.seq
        elif entry.type == "call.intent":
            data = entry.data
            what = (entry.case_id, entry.connection, data["fingerprint"])
            assert keys.setdefault(what, data["key"]) == data["key"]
            assert data["attempt"] == attempts.get(what, 0) + 1
            attempts[what] = data["attempt"]


def check_finals(entries: Sequence[Entry]) -> None:
    finals = Counter(
        (e.case_id, e.connection, row["item"]) for e in entries if e.type == "record.outcome"
        for row in outcomes_in(e.data) if Result(row["result"]).final
    )  # fmt: skip
    assert set(finals.values()) <= {1}


def check_alone(entries: Sequence[Entry]) -> None:
    """No two runs are at work on a case at once: whatever one writes about it lies between no two of another's."""
    passed: dict[str, list[str]] = {}
    for entry in entries:
        if entry.case_id and entry.run_id:
            runs = passed.setdefault(entry.case_id, [])
            if not runs or runs[-1] != entry.run_id:
                assert entry.run_id not in runs, f"{entry.case_id}: two runs at once"
                runs.append(entry.run_id)


@pytest.fixture(scope="session")
def shop(zygote: Zygote) -> Iterator[Shop]:
    with tempfile.TemporaryDirectory() as folder:
        opened = Shop(Path(folder), zygote)
        yield opened
        opened.world.stop()


@pytest.fixture(scope="session")
def undisturbed(shop: Shop) -> Undisturbed:
    """Scenario → what is in the end, and how many points there are, where nobody disturbs."""
    return undisturbed_in(shop)


def undisturbed_in(shop: Shop) -> Undisturbed:
    """The same of any shop; each scenario is played once."""

    @functools.cache
    def run(scenario: Scenario) -> tuple[Any, int]:
        scenario.begin(shop)
        code, points, told = scenario.run(shop)
        assert code in (0, 3), shop.said()
        assert told is not None
        shop.check_ledger()
        return scenario.state(shop), points

    return run


def survive(shop: Shop, scenario: Scenario, expected: Any) -> None:
    """After a kill: what must hold as it is; and once somebody did what people do then, what must be in the end."""
    shop.check_killed()
    scenario.finish(shop)
    assert scenario.state(shop) == expected
    shop.check_ledger()

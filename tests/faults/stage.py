"""A shop on sandbox vendors in this process, put back to its beginning before each play."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.searching import canary, everything_logged_to, leaks, needles_for, values_of

from habeas.cli import cli
from habeas.cli.border import run_guarded
from habeas.clock import SystemClock
from habeas.demo.world import World
from habeas.evidence.seal import witnesses_in
from habeas.home import Home
from habeas.opening import create_home
from habeas.registry import Registry
from habeas.testing.clock import SkippingClock
from habeas.testing.people import Person, seeded_people
from habeas.testing.sandbox import Fault, SandboxApp, SandboxServer
from habeas_audit import Ledger, verify_evidence

__all__ = ["COMMANDS", "Place", "Played", "Stage", "Undisturbed"]

PEOPLE = 8
RIGHT = {"phone": "+4915599009911", "email": "Gold.Ammer@Voliere-9.example", "last_name": "Goldammerich"}
"""What is right about the person: personal data as well."""
WANTED = {"marketing_email": "withdrawn", "profiling": "granted", "newsletter": "withdrawn"}
COMMANDS: Mapping[str, Sequence[str]] = {
    "erase": ("erase", "WHO", "--yes"),
    "access": ("access", "WHO"),
    "rectify": ("rectify", "WHO", *(f"{field}={value}" for field, value in RIGHT.items()), "--yes"),
    "consent": ("consent", "set", "WHO", *(f"{purpose}={state}" for purpose, state in WANTED.items()), "--yes"),
}
"""What is played, by name; ``WHO`` stands for the person."""
_PATIENCE = "timeout_seconds = 5"
_HASTE = "timeout_seconds = 0.4"
_CHANGED = re.compile(r'"\w+_at": "[^"]*"|"(?:group_id|id)": "(?:v-|ev)[^"]*"')
"""Times of changes, and what an event is called that tells of one."""


@dataclass(frozen=True)
class Place:
    """One call of an undisturbed run: where a disturbance is put."""

    vendor: str
    number: int
    """Its place among this vendor's calls, from 0."""
    operation: str
    """``GET /v1/customers/{customerId}``."""
    body: bytes
    """What it was answered with."""

    @property
    def method(self) -> str:
        return self.operation.partition(" ")[0]

    @property
    def changes(self) -> bool:
        return self.method not in ("GET", "HEAD")


@dataclass(frozen=True)
class Played:
    """One command, and what it left behind."""

    code: int
    stdout: str
    stderr: str
    slept: float
    """Seconds the run would have waited."""
    took: float
    """Seconds it took by the machine's clock."""

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


@dataclass(frozen=True)
class Undisturbed:
    """How a command ends when nothing is in its way."""

    code: int
    rows: Mapping[str, Sequence[tuple[str, ...]]]
    """Connection → its outcomes."""
    truth: Mapping[str, str]
    """Vendor → all that it holds about the person afterwards."""
    package: Mapping[str, bytes]
    """Names and content of the package's files of the vendors; empty where there is none."""
    places: Sequence[Place]


class Elsewhere:
    """A host that nobody has business with. ``calls`` is what arrived all the same, head and body."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        calls = self.calls

        class Handler(BaseHTTPRequestHandler):
            def _note(self) -> None:
                calls.append(f"{self.requestline}\n{self.headers}")
                self.send_response(200)
                self.end_headers()

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _note  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Nothing is printed."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


class Stage:
    """The shop: vendors, home and configuration, in memory where there is room."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._registry = Registry.load()
        names = [name for name in self._registry.infos if self._registry.implements(name, "sandbox")]
        people = list(seeded_people(PEOPLE, names))
        # Somebody every vendor knows, with a card that another person uses as well, recognisable everywhere.
        people[4] = canary(1, people[4])
        people[5] = replace(people[5], card=people[4].card, held_at=people[4].held_at)
        self.person: Person = people[4]
        servers, tokens = {}, {}
        for name in names:
            app = self._registry.sandbox(name)
            tokens[name] = dict(app.seed(people))
            servers[name] = SandboxServer(app).start()
        self.world = World(self._registry, servers, people, tokens)
        self.config = self.world.write_setup(folder)
        attributes = '\nrectify_attributes = { phone = "Phone", email = "Email", last_name = "LastName" }'
        self.config.write_text(
            self.config.read_text().replace('plugin = "talonone"', f'plugin = "talonone"{attributes}')
        )
        self.hasty = folder / "hasty.toml"
        self.hasty.write_text(self.config.read_text().replace(_PATIENCE, _HASTE))
        self.home = Home(folder / "home")
        create_home(self.home, SystemClock())
        shutil.copytree(self.home.path, folder / "pristine")
        self.elsewhere = Elsewhere()
        right = {f"right {field}": value for field, value in RIGHT.items()}
        ids = {f"{name}'s id": given[self.person.customer_id] for name, given in tokens.items() if given}
        self._needles = needles_for(values_of(self.person) | right | ids)
        self.searched = 0
        """Bytes that were searched for the person."""

    def stop(self) -> None:
        """Ends the vendors."""
        self.world.stop()
        self.elsewhere.stop()

    @property
    def vendors(self) -> dict[str, SandboxServer]:
        return dict(self.world.servers)

    def afresh(self) -> None:
        """Vendors and home as they were in the beginning, and nobody misbehaves."""
        for name, server in self.world.servers.items():
            vars(server).pop("respond", None)
            server.app = self.vendor_afresh(name)
            server.calls.clear()
            server.faults.clear()
            server.down = False
        self.elsewhere.calls.clear()
        shutil.rmtree(self.home.path)
        shutil.copytree(self.folder / "pristine", self.home.path)

    def vendor_afresh(self, name: str) -> SandboxApp:
        """A vendor as it was in the beginning."""
        app = self._registry.sandbox(name)
        app.seed(self.world.people)
        return app

    def heal(self) -> None:
        """Vendors answer as they should again."""
        for server in self.world.servers.values():
            server.faults.clear()
            server.down = False

    # -- commands -------------------------------------------------------------------------------------------------

    def command(self, name: str) -> list[str]:
        """Its arguments, about the person."""
        who = f"customer_id={self.person.customer_id}"
        return [who if word == "WHO" else word for word in COMMANDS[name]]

    def run(self, *arguments: str, config: Path | None = None) -> Played:
        """A command as a script runs it, with debug logging on; waiting takes no time in it."""
        clock = SkippingClock(datetime.now(UTC))
        out, err, log = io.StringIO(), io.StringIO(), io.StringIO()
        head = ["--home", str(self.home.path), "--config", str(config or self.config), "--json"]
        began = time.monotonic()
        with pytest.MonkeyPatch.context() as patch, everything_logged_to(log):
            patch.setattr("habeas.app.SystemClock", lambda: clock)
            patch.setattr(sys, "stdin", io.StringIO())
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = run_guarded(cli, [*head, *arguments])
        said = err.getvalue() + log.getvalue()
        return Played(code, out.getvalue(), said, clock.slept, time.monotonic() - began)

    def undisturbed(self, name: str) -> Undisturbed:
        """Plays a command with nothing in its way."""
        self.afresh()
        bodies: dict[str, list[bytes]] = {name: [] for name in self.world.servers}
        for vendor, server in self.world.servers.items():
            server.fail(Fault("garble", times=-1, garble=_keeping(bodies[vendor])))
        played = self.run(*self.command(name))
        case = played.json
        assert case["status"] == "completed", case
        places = [
            Place(vendor, n, server.app.operation(call), bodies[vendor][n])
            for vendor, server in self.world.servers.items()
            for n, call in enumerate(server.calls)
        ]
        assert self.leaks(played) == []
        return Undisturbed(played.code, rows_of(case), self.truth(), self.package(case), places)

    # -- what there is to see ---------------------------------------------------------------------------------------

    def truth(self, person: Person | None = None) -> dict[str, str]:
        """Vendor → all that it holds about somebody, but for times of change."""
        person = person or self.person
        return {name: _CHANGED.sub("", server.app.held_text(person)) for name, server in self.world.servers.items()}

    def others(self) -> list[dict[str, str]]:
        """All that is held about everybody else."""
        return [self.truth(person) for person in self.world.people if person is not self.person]

    @staticmethod
    def package(case: Any) -> dict[str, bytes]:
        """The vendors' documents in a case's package."""
        path = Path(case.get("package") or "")
        if not path.is_file():
            return {}
        with zipfile.ZipFile(path) as archive:
            return {n: archive.read(n) for n in archive.namelist() if n.startswith("processors/")}

    def ledger_problems(self) -> list[str]:
        """Damage; calls without an intent; intents without exactly one outcome after them; two final outcomes."""
        found = verify_evidence(self.home.ledger, witnesses=witnesses_in([self.home.checkpoints]))
        problems = [] if found.ok else [f"the ledger does not verify: {found.findings}"]
        with Ledger.open(self.home.ledger, SystemClock().now) as ledger:
            entries = list(ledger.entries())
        intents = {e.seq for e in entries if e.type == "call.intent"}
        answered = [(e.data["intent"], e.seq) for e in entries if e.type == "call.outcome"]
        if sorted(intent for intent, _ in answered) != sorted(intents) or any(i >= seq for i, seq in answered):
            problems.append("an intent has not exactly one outcome after it")
        calls = [call for server in self.world.servers.values() for call in server.changing_calls()]
        sent = sum("/oauth/" not in call.path for call in calls)
        if sent > len(intents):
            problems.append(f"{sent} changing calls arrived, and {len(intents)} intents are written")
        return problems

    def leaks(self, *played: Played) -> list[str]:
        """Where the person can be recognised: in all the home's files but the packages, and in all that was said."""
        files = [p for p in self.home.path.rglob("*") if p.is_file() and self.home.packages not in p.parents]
        texts = {str(path.relative_to(self.folder)): path.read_bytes() for path in files}
        for n, each in enumerate(played):
            texts |= {f"stdout {n}": each.stdout.encode(), f"stderr and log {n}": each.stderr.encode()}
        self.searched += sum(map(len, texts.values()))
        return [f"{where}: {what}" for where, text in texts.items() for what in leaks(text, self._needles)]


def rows_of(case: Any) -> dict[str, list[tuple[str, ...]]]:
    """Connection → record, purpose, field, count and result of each outcome, in order.

    What was as wanted before cannot be told from what an interrupted pass has made so: both are read back. That
    nothing is held is left out: a pass that comes after a failure says it of more kinds.
    """
    found: dict[str, list[tuple[str, ...]]] = {}
    for row in case["outcomes"]:
        if (row["result"], row["count"]) == ("absent", 0):
            continue
        result = "updated" if row["result"] == "unchanged" else row["result"]
        words = (row["record"], row.get("purpose") or "", row.get("field") or "", str(row["count"]), result)
        found.setdefault(row["connection"], []).append(words)
    return {name: sorted(rows) for name, rows in found.items()}


def _keeping(bodies: list[bytes]) -> Callable[[bytes], bytes]:
    """Lets a body through, and keeps it."""

    def through(body: bytes) -> bytes:
        bodies.append(body)
        return body

    return through

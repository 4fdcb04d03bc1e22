"""A person who can be recognised goes through everything; afterwards every byte that is left is searched for them.

Only the package that is handed over, and what `--show-ids` prints, may say who it was: not the home's files, not stdout
or stderr, not a log line at any level, not a temporary file, not the list of processes; not even as a plain hash.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import pluggy
import pytest
from tests.searching import REFERENCE, RIGHT, canary, everything_logged_to, leaks, needles_for, values_of

from habeas import hookspecs
from habeas.app import App
from habeas.cli import cli
from habeas.cli.border import run_guarded
from habeas.clock import SystemClock
from habeas.demo.world import World
from habeas.home import Home
from habeas.opening import create_home
from habeas.registry import Registry
from habeas.testing.clock import SkippingClock
from habeas.testing.people import Person, seeded_people
from habeas.testing.sandbox import Fault, Reply, SandboxServer

CANARIES = 4


def test_the_search_finds_every_form() -> None:
    """A search that finds nothing proves nothing."""
    value = "Ada.Canary+1@example.org"
    found = needles_for({"email": value})
    for text in (
        value, value.lower(), quote(value, safe=""), quote(value.lower(), safe="").lower(), value.encode().hex(),
        hashlib.sha256(value.lower().encode()).hexdigest(), hashlib.md5(value.encode()).hexdigest().upper(),  # noqa: S324
        base64.b64encode(b"x" + value.encode()).decode(), base64.urlsafe_b64encode(f"id={value};".encode()).decode(),
    ):  # fmt: skip
        assert leaks(f"before {text} after".encode(), found), text
    assert leaks(b"before " + hashlib.sha1(value.encode()).digest() + b" after", found)  # noqa: S324
    assert leaks(b"nothing of the sort", found) == []


# -- the shop ---------------------------------------------------------------------------------------------------------


class Aviary:
    """A shop with recognisable people among others, and all that its commands have said."""

    def __init__(self, folder: Path) -> None:
        registry = Registry.load()
        names = [name for name in registry.infos if registry.implements(name, "sandbox")]
        others = seeded_people(12, names)
        self.canaries = tuple(canary(n, others[0]) for n in range(1, CANARIES + 1))
        apps = {name: registry.sandbox(name) for name in names}
        people = (*others, *self.canaries)
        tokens = {name: dict(app.seed(people)) for name, app in apps.items()}
        self.world = World(registry, {n: SandboxServer(app).start() for n, app in apps.items()}, people, tokens)
        self.config = self.world.write_setup(folder)
        self.home = Home(folder / "home")
        create_home(self.home, SystemClock())
        self.folder, self.out = folder, folder / "handed-out"
        self.out.mkdir()
        self.stdout, self.stderr = io.StringIO(), io.StringIO()
        self.ids: dict[str, str] = {}

    @property
    def head(self) -> list[str]:
        return ["--home", str(self.home.path), "--config", str(self.config)]

    def run(self, *arguments: str, stdin: str = "", quiet: bool = False) -> tuple[int, str]:
        """Runs a command; what it says is kept, except where ``quiet``: then it may say who it was."""
        out, err = io.StringIO(), io.StringIO() if quiet else self.stderr
        before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8")
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = run_guarded(cli, [*self.head, *arguments])
        finally:
            sys.stdin = before
        if not quiet:
            self.stdout.write(out.getvalue())
        return code, out.getvalue()

    def note_ids(self) -> None:
        """The vendors' own ids of all canaries: personal data as well."""
        for n, person in enumerate(self.canaries):
            _, text = self.run("--json", "inventory", f"customer_id={person.customer_id}", "--show-ids", quiet=True)
            for part in json.loads(text)["connections"]:
                for record in part["records"]:
                    own = [i for i in record["ids"] if len(i) > 9]
                    self.ids |= {f"{part['connection']} {record['record']} {n}.{k}": i for k, i in enumerate(own)}

    def values(self) -> dict[str, str]:
        """Everything that may be found nowhere."""
        found = dict(self.ids)
        for n, person in enumerate(self.canaries):
            found |= {f"{what} {n}": value for what, value in values_of(person).items()}
        found |= {f"right {field}": value for field, value in RIGHT.items()}
        return found

    def files(self) -> Iterator[Path]:
        """All of the home but the packages, and what was handed out."""
        places = (self.home.path, self.out)
        return (p for place in places for p in place.rglob("*") if p.is_file() and self.home.packages not in p.parents)


@pytest.fixture
def aviary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aviary]:
    """Waiting takes no time in it."""
    monkeypatch.setattr("habeas.app.SystemClock", lambda: SkippingClock(datetime.now(UTC)))
    opened = Aviary(tmp_path / "shop")
    yield opened
    opened.world.stop()


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Every log line that gets out when everything is logged."""
    text = io.StringIO()
    with everything_logged_to(text):
        yield text


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The machine's folder for temporary files."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


# -- what happens to the canaries -------------------------------------------------------------------------------------


def talkative_faults(person: Person, token: str) -> list[Fault]:
    """Vendors that repeat, in every place an answer has, whom they were asked about."""
    said = f"Cannot find customer with id {person.customer_id} ({person.email}, {token})"
    body = {"code": 404, "key": person.email, "message": said, "details": said, "errors": [{"message": said}]}
    return [
        Fault("status", times=-1, reply=Reply(500, body)),
        Fault("status", times=-1, reply=Reply(401, body, {"WWW-Authenticate": quote(said)})),
        Fault("status", times=-1, reply=Reply(400, body)),
        Fault("status", times=-1, reply=Reply(404, body)),
        Fault("status", times=-1, reply=Reply(429, body, {"Retry-After": quote(person.email)})),
        Fault("status", times=-1, reply=Reply(302, body, {"Location": f"http://127.0.0.1:9/{quote(person.email)}"})),
        Fault("replace", times=-1, reply=Reply(200, body=said.encode())),
        Fault("replace", times=-1, reply=Reply(200, {said: said, "data": [said], "total": said, "id": said})),
        Fault("replace", times=-1, reply=Reply(200, body=f'{{"{said}": 1, "{said}": 2}}'.encode())),
        Fault("reset_after", times=-1),
    ]


def change(aviary: Aviary, who: str) -> None:
    """A consent and a rectification, as a person and as a script give them."""
    aviary.run("consent", "set", who, "marketing_email=withdrawn", "--yes", "--reference", REFERENCE)
    words = [f"{field}={value}" for field, value in RIGHT.items()]
    aviary.run("--json", "rectify", who, *words, "--yes")


def propagate(aviary: Aviary) -> None:
    """A file of consents, some rows of which cannot be used: their values are told to nobody."""
    first, second = aviary.canaries[:2]
    lines = ["email,customer_id,purpose,state,at"]
    for n, person in enumerate((first, second)):
        lines.append(f"{person.email},{person.customer_id},marketing_email,granted,2026-02-0{n + 1}T10:00:00Z")
        lines.append(f"{person.email},{second.customer_id},marketing_email,{person.phone},2026-02-01T10:00:00Z")
    file = aviary.folder / "consents-of-the-shop.csv"
    file.write_text("\n".join([*lines, ""]))
    aviary.run("consent", "propagate", str(file), "--yes")
    aviary.run("--json", "consent", "propagate", str(file), "--skip-invalid", "--yes")
    aviary.run("--json", "consent", "drift")
    aviary.run("consent", "drift", "--repair", "--yes")
    aviary.run("consent", "export", f"customer_id={first.customer_id}", "--format", "kantara", "-o",
               str(aviary.out / "receipts.json"))  # fmt: skip
    for handed_in in aviary.folder.glob("consents-of-the-shop*"):
        handed_in.unlink()


def ordinary_life(aviary: Aviary) -> None:
    """Every command that may meet a person, without trouble."""
    one, two = aviary.canaries[0], aviary.canaries[1]
    who = f"customer_id={one.customer_id}"
    aviary.run("inventory", who)
    aviary.run("--json", "inventory", one.email)
    aviary.run("access", who, "--reference", REFERENCE)
    aviary.run("--json", "access", "--subject-from", "-", stdin=f"{one.email}\nphone={one.phone}\n")
    change(aviary, who)
    propagate(aviary)
    aviary.run("consent", "show", who)
    aviary.run("consent", "set", who, "marketing_email=granted", "--dry-run", "--json")
    aviary.run("rectify", who, f"city={RIGHT['city']}", "--dry-run")
    aviary.run("canary", "--json")
    aviary.run("doctor", "--schema")
    aviary.run("erase", who, "--dry-run")
    aviary.run("--json", "erase", one.email, "--dry-run")
    aviary.run("erase", who, "--policy", "gdpr-erasure-hold-payments", "--yes")
    code, _ = aviary.run("--json", "erase", "--subject-from", "-", "--yes", stdin=f"{who}\n")
    assert code in (0, 3)
    batch = aviary.folder / "batch.csv"
    batch.write_text(
        "type,customer_id,email,reference\n"
        f'access,"{two.customer_id}",,{REFERENCE}\nerasure,"{two.customer_id}",,{REFERENCE}\n'
        f'inventory,,{two.email.upper()},\nnonsense,"{two.customer_id}",{two.email},\n'
        f"erasure,,{two.email} {two.phone},\nerasure,..,{two.email},\n"
    )
    aviary.run("batch", str(batch), "--yes")
    code, _ = aviary.run("batch", str(batch), "--yes", "--skip-invalid", "--json")
    assert code in (0, 3)
    for command in (["case", "list"], ["audit", "log"], ["audit", "verify"], ["doctor"], ["resume"]):
        aviary.run(*command)
        aviary.run(*command, "--json")
    handed_out(aviary)
    afterwards(aviary)


def handed_out(aviary: Aviary) -> None:
    """What leaves the house: a certificate of each type of case, the whole ledger, proofs and checkpoints."""
    cases = json.loads(aviary.run("--json", "case", "list")[1])["cases"]
    one_of_each = {case["type"]: case["case"] for case in cases}
    assert {"access", "consent", "rectification", "erasure", "inventory", "canary"} <= set(one_of_each)
    for kind, case in one_of_each.items():
        code, _ = aviary.run("certificate", case, "-o", str(aviary.out / f"{kind}.json"))
        assert code == 0
    aviary.run("certificate", one_of_each["erasure"], "--json")
    for name, command in {
        "ledger.jsonl": ["audit", "export"], "entry.json": ["audit", "prove", "20"],
        "entry.tlog-proof": ["audit", "prove", "20", "--tlog"], "head.note": ["audit", "checkpoint"],
    }.items():  # fmt: skip
        code, _ = aviary.run(*command, "-o", str(aviary.out / name))
        assert code == 0
        aviary.run(*command)
    (key,) = aviary.home.signing.glob("*.pub")
    for path in sorted(aviary.out.iterdir()):
        code, _ = aviary.run("verify", str(path), "--key", str(key))
        assert code == (2 if path.suffix == ".html" else 0), path.name
        aviary.run("--json", "verify", str(path))
    opening = aviary.folder / "opening.json"
    assert aviary.run("certificate", one_of_each["access"], "--opening", str(opening))[0] == 0
    assert leaks(opening.read_bytes(), needles_for(aviary.values())), "that one is for the person"
    aviary.run("verify", str(aviary.out / "access.json"), "--opening", str(opening))
    aviary.run("--json", "verify", str(aviary.out / "consent.json"), "--opening", str(opening))


def afterwards(aviary: Aviary) -> None:
    """Looked up again, purged, and taken off the list."""
    one, two = aviary.canaries[0], aviary.canaries[1]
    who = f"customer_id={one.customer_id}"
    for command in (
        ["suppression", "list"],
        ["suppression", "list", who],
        ["recheck", "--all"],
        ["purge", "--dry-run"],
    ):
        aviary.run(*command)
        aviary.run(*command, "--json")
    change(aviary, who)  # refused
    consent = next(
        case["case"]
        for case in json.loads(aviary.run("--json", "case", "list")[1])["cases"]
        if case["type"] == "consent"
    )
    with aviary.config.open("a") as file:
        file.write('\n[retention]\ndetails = "P0D"\n')
    code, text = aviary.run("--json", "purge", consent, "--yes")
    assert (code, len(json.loads(text)["purged"])) == (0, 1)
    aviary.run("case", "show", consent)
    assert aviary.run("certificate", consent, "--opening", str(aviary.out / "none.json"))[0] == 1
    aviary.run("suppression", "lift", who, "--because", "returned")
    for n, arguments in enumerate(([who], ["--subject-from", "-"], ["--subject-from", "-"])):
        lift = ["suppression", "lift", *arguments, "--because", "mistake", "--yes", *(["--json"] if n else [])]
        aviary.run(*lift, stdin=f"customer_id={two.customer_id}\n")


def wrong_usage(aviary: Aviary) -> None:
    """Values in places where they do not belong."""
    person = aviary.canaries[3]
    other = aviary.world.people[4].email
    for value in (person.email, f"email={person.email}", f"customer_id={person.customer_id}"):
        for arguments in (
            [value], ["erase", value, "--nonsense"], ["erase", f"x{value}", "--yes"], ["case", "show", value],
            ["case", "show", "x", value], ["resume", value], ["inventory", f"name={value}"],
            ["erase", value, "--dry-run", "--policy", value], ["erase", value, "--dry-run", "--regime", value],
            ["erase", value, "--max-wait", value], ["policy", "show", value], ["audit", "log", "--limit", value],
            ["consent", "set", value, value, "--yes"], ["consent", "set", value, f"{value}=granted", "--yes"],
            ["rectify", value, value, "--yes"], ["rectify", value, f"country={value}", "--yes"], ["canary", value],
            ["erase", value, f"phone={value}", "--yes"], ["erase", value, f"email={other}", "--yes"],
        ):  # fmt: skip
            aviary.run(*arguments)


def vendors_in_trouble(aviary: Aviary) -> None:
    """Each talkative fault at each vendor, for reads, changes and resumes."""
    person = aviary.canaries[2]
    who = f"customer_id={person.customer_id}"
    token = next(iter(aviary.ids.values()))
    for n, fault in enumerate(talkative_faults(person, token)):
        for server in aviary.world.servers.values():
            server.faults[:] = [replace(fault, skip=n % 3)]
        aviary.run(*(["inventory", who] if n % 2 else ["access", who, "--again"]))
        for server in aviary.world.servers.values():
            methods = ("DELETE", "POST", "PUT")
            server.faults[:] = [replace(fault, method=method) for method in methods]
        aviary.run("--json", "erase", who, "--yes", "--again")
        if n % 2:
            aviary.run("suppression", "lift", who, "--because", "other", "--yes")
            change(aviary, who)
    for server in aviary.world.servers.values():
        server.faults.clear()
        server.down = True
    aviary.run("--json", "erase", who, "--yes", "--again")
    for server in aviary.world.servers.values():
        server.down = False
    aviary.run("resume", "--json")
    aviary.run("resume")


class Indiscreet:
    """A plugin whose exceptions say whom they were about."""

    @staticmethod
    @hookspecs.hookimpl(wrapper=True)
    def inventory(subject: Any) -> Any:
        yield
        raise RuntimeError(f"no such customer: {subject.identifiers}, {[i.value for i in subject.identifiers]}")

    @staticmethod
    @hookspecs.hookimpl(wrapper=True)
    def rectify(rectification: Any) -> Any:
        yield
        raise RuntimeError(f"not right: {rectification}, {[c.value for c in rectification.corrections]}")


def faults_of_our_own(aviary: Aviary, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin that raises with the person's name in it, and a bug that does."""
    person = aviary.canaries[3]
    who = f"customer_id={person.customer_id}"
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    for entry in entry_points(group=hookspecs.PROJECT):
        manager.register(entry.load(), name=entry.name)
    manager.register(Indiscreet(), name="indiscreet")
    with monkeypatch.context() as patch:
        patch.setattr(Registry, "load", classmethod(lambda _: Registry.checked(manager)))
        right = f"city={RIGHT['city']}"
        for command in (
            ["inventory", who], ["rectify", who, right, "--yes"], ["erase", who, "--yes"], ["access", who, "--json"],
        ):  # fmt: skip
            code, _ = aviary.run(*command)
            assert code == 1

    def bug(*_: object, **__: object) -> NoReturn:
        raise KeyError(person.email, person.customer_id)

    with monkeypatch.context() as patch:
        patch.setattr(App, "resolve", bug)
        assert aviary.run("erase", who, "--yes")[0] == 1
        assert aviary.run("erase", who, "--yes", "--json")[0] == 1
    with monkeypatch.context() as patch:
        patch.setattr(App, "work_on", bug)
        assert aviary.run("access", who, "--again")[0] == 1
        assert aviary.run("resume", "--json")[0] == 1
    aviary.run("resume")


def test_nothing_but_the_package_says_who_it_was(
    aviary: Aviary, log: io.StringIO, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through searches, packages, erasures, batches, wrong usage, and every way a vendor or a plugin can talk."""
    aviary.note_ids()
    log.truncate(0)
    ordinary_life(aviary)
    wrong_usage(aviary)
    vendors_in_trouble(aviary)
    faults_of_our_own(aviary, monkeypatch)
    needles = needles_for(aviary.values())
    private = needles_for({"reference": REFERENCE})
    found = {
        str(path.relative_to(aviary.folder)): leaks(path.read_bytes(), needles | private) for path in aviary.files()
    }
    found["stdout"] = leaks(aviary.stdout.getvalue().encode(), needles)
    found["stderr"] = leaks(aviary.stderr.getvalue().encode(), needles | private)
    found["log"] = leaks(log.getvalue().encode(), needles | private)
    found |= {f"scratch/{path.name}": ["left behind"] for path in scratch.rglob("*")}
    assert {where: what for where, what in found.items() if what} == {}
    assert {f"home/{name}.db" for name in ("audit", "vault", "keys", "suppression", "consents")} <= set(found)
    assert sum(where.startswith(("handed-out/", "home/certificates/", "home/checkpoints/")) for where in found) > 20
    assert "Traceback" not in aviary.stderr.getvalue()
    packages = list(aviary.home.packages.glob("*.zip"))
    assert packages
    with zipfile.ZipFile(packages[0]) as archive:
        assert leaks(archive.read("data.json"), needles), "the search would have found it"


def test_a_person_given_on_stdin_is_not_in_the_list_of_processes(aviary: Aviary) -> None:
    """`--subject-from -`: seen from outside while the program runs."""
    person = aviary.canaries[0]
    program = Path(sys.executable).with_name("habeas")
    child = subprocess.Popen(
        [program, *aviary.head, "erase", "--subject-from", "-", "--yes", "--json"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    seen: list[str] = []
    for server in aviary.world.servers.values():
        respond = server.respond

        def watched(call: Any, respond: Any = respond) -> Any:
            if not seen:
                listed = subprocess.run(["ps", "-A", "-ww", "-o", "args="], capture_output=True, text=True, check=True)
                seen.append(listed.stdout)
            return respond(call)

        server.respond = watched  # type: ignore[method-assign] # somebody looks while it works
    stdout, stderr = child.communicate(f"customer_id={person.customer_id}\n", timeout=60)
    assert child.returncode in (0, 3), stderr
    assert aviary.world.held(person) == {}
    needles = needles_for(aviary.values())
    assert all("--subject-from -" in listed for listed in seen)
    assert leaks("".join(seen).encode(), needles) == []
    assert leaks((stdout + stderr).encode(), needles) == []

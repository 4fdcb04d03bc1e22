"""What the program keeps to itself: its memory, its files, its environment, and what nobody caught."""

from __future__ import annotations

import ast
import functools
import gc
import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.habeas.cli.conftest import Shop, clean_environment

from habeas.app import App
from habeas.models import Identifier
from habeas_audit.child import plain_environment

ROOT = Path(__file__).parents[3]

STARTED = """
import contextlib, ctypes, json, os, resource, sys, threading
from habeas.cli import main
from habeas.http.decode import decode_json

class Bad:
    def __del__(self):
        raise ValueError("Zilpzalp@Voliere.example")

with contextlib.suppress(SystemExit):
    main(["plugin", "list"])
dumpable = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) if sys.platform == "linux" else 0
print(json.dumps([os.umask(0), resource.getrlimit(resource.RLIMIT_CORE), dumpable]), file=sys.stderr)
thread = threading.Thread(target=lambda: {}["Zilpzalp@Voliere.example"])
thread.start()
thread.join()
Bad()
decode_json("Zilpzalp@Voliere.example")
"""
"""The program, from its console script's function on; afterwards the process is as the program has made it."""


# -- the process ------------------------------------------------------------------------------------------------------


def test_a_process_in_which_the_program_has_started_keeps_its_memory_its_files_and_its_errors_to_itself() -> None:
    """Whatever the shell allows: it is started with core files of any size, and with files for everybody.

    Of an error that nobody caught, in a thread, in a destructor or in the main thread, it says type and place; Python
    itself would print the text and the lines around it.
    """
    free = 'umask 0; ulimit -S -c "$(ulimit -H -c)"; exec "$@"'
    done = subprocess.run(
        ["sh", "-c", free, "sh", sys.executable, "-c", STARTED], env=clean_environment(), capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    lines = done.stderr.splitlines()
    assert [json.loads(line) for line in lines if line.startswith("[")] == [[0o077, [0, 0], 0]]
    faults = [line for line in lines if "internal fault" in line]
    told = ("KeyError; ", "ValueError; ", "AttributeError at decode.py:")
    for line, what in zip(faults, told, strict=True):
        assert line.startswith(f"habeas: internal fault, {what}")
    assert "Traceback" not in done.stderr
    assert "Zilpzalp" not in done.stderr


# -- children ---------------------------------------------------------------------------------------------------------


@functools.cache
def calls() -> list[tuple[str, str, ast.Call]]:
    """Every call in the program's source that could be one of those looked for: file, name, call."""
    found = []
    for room in ("core", "plugins", "policies", "audit"):
        for path in (ROOT / room).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            if any(word.rstrip(".") in text for word in (*STARTERS, *POOLS, *RUNNERS)):
                nodes = ast.walk(ast.parse(text))
                found += [(path.name, ast.unparse(n.func), n) for n in nodes if isinstance(n, ast.Call)]
    return found


def test_every_process_that_is_started_gets_a_plain_environment() -> None:
    """There are two, a helper of `audit verify` and the plugin check's; a third one would have to be looked at."""
    given = {
        f"{file}: {name}": {word.arg: ast.unparse(word.value) for word in call.keywords}.get("env")
        for file, name, call in calls()
        if starts_a_process(name)
    }
    assert given == {
        "verify.py: subprocess.Popen": "plain_environment()",
        "describing.py: subprocess.run": "plain_environment()",
    }


def test_nothing_that_was_read_is_run_as_code() -> None:
    """No eval, no exec, no format that makes objects of what it reads, no XML with its entities."""
    assert [f"{file}: {name}" for file, name, _ in calls() if runs_data(name)] == []


STARTERS = (
    "subprocess.",
    "os.exec",
    "os.spawn",
    "os.posix_spawn",
    "os.system",
    "os.popen",
    "os.fork",
    "pty.spawn",
    "pty.fork",
)
POOLS = (
    "Process",
    "ProcessPoolExecutor",
    "Popen",
    "create_subprocess_exec",
    "create_subprocess_shell",
    "echo_via_pager",
)


RUNNERS = ("eval", "exec", "pickle.", "marshal.", "shelve.", "yaml.", "ElementTree.", "minidom.", "jsonpickle.")


def starts_a_process(name: str) -> bool:
    return name.startswith(STARTERS) or name.rpartition(".")[2] in POOLS


def runs_data(name: str) -> bool:
    return name in RUNNERS or any(word in f".{name}" for word in RUNNERS if word.endswith("."))


def test_the_searches_find_what_they_look_for() -> None:
    """A search that finds nothing proves nothing."""
    for name in ("subprocess.run", "os.fork", "ProcessPoolExecutor", "asyncio.create_subprocess_exec", "os.system"):
        assert starts_a_process(name), name
    for name in ("eval", "exec", "pickle.loads", "yaml.load", "xml.etree.ElementTree.parse"):
        assert runs_data(name), name
    assert not any(
        starts_a_process(name) or runs_data(name) for name in ("os.getpid", "json.loads", "loader.exec_module")
    )


def test_a_secret_in_the_environment_is_not_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a Python needs to start."""
    monkeypatch.setenv("VOUCHERIFY_APP_TOKEN", "zq7-secret")
    monkeypatch.setenv("LANG", "C.UTF-8")
    given = plain_environment()
    assert "zq7-secret" not in given.values()
    assert given["LANG"] == "C.UTF-8"
    child = subprocess.run(
        [sys.executable, "-I", "-c", "import os; print(*os.environ.values())"], env=given, capture_output=True,
        text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "zq7-secret" not in child.stdout


# -- objects ----------------------------------------------------------------------------------------------------------


def shown(needles: set[str]) -> set[str]:
    """Types of ours of which some object in this process shows one of these in its ``repr``."""
    found = set()
    for each in gc.get_objects():
        kind = type(each)
        module = str(kind.__module__)  # of some types it is a descriptor
        if "sandbox" in module or module.startswith("habeas.testing.kit"):
            continue  # the vendor's side: it shows what it was sent
        if module.startswith(("habeas", __name__)) and not isinstance(each, type | BaseException):
            try:
                text = repr(each)
            except Exception:  # noqa: BLE001, S112 - half-made objects of other tests
                continue
            if any(needle in text for needle in needles):
                found.add(f"{kind.__module__}.{kind.__qualname__}")
    return found


class Careless:
    """What the search must find."""

    def __init__(self, secret: str) -> None:
        self.secret = secret

    def __repr__(self) -> str:
        return f"Careless({self.secret})"


def test_no_object_of_ours_shows_a_secret_or_a_key(shop: Shop) -> None:
    """Debuggers, log lines and assertion messages print objects: none says what it must not, while all is open."""
    person = shop.fresh()
    secrets = {p.read_text(encoding="utf-8", errors="ignore").strip() for p in (shop.folder / "secrets").iterdir()}
    secrets = {secret for secret in secrets if len(secret) >= 8}
    assert len(secrets) >= 4
    with App.open(shop.home, shop.config) as app:
        key = app.tools.keys.new_case_keys(["c-hygiene"])["c-hygiene"]
        installation = app.tools.keys.fingerprint(b"")  # loads the installation's key into the cache
        assert installation
        cached = app.tools.keys._named.values()
        keys = {form for each in (key, *cached) for form in (each.hex(), repr(each)[2:-1])}
        app.resolve([Identifier("customer_id", person.customer_id)])
        careless = Careless(next(iter(secrets)))
        assert shown(secrets | keys) == {f"{__name__}.Careless"}
        del careless
    assert not app.tools.keys._named, "closed, it keeps no key"

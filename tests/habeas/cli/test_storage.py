"""Files that are damaged, closed, held by another process: refused in one line, and nothing is sent."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from habeas.cases.locks import CaseLocks

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Ran, Shop

FILES = ("audit.db", "vault.db", "keys.db")

# CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH let root write where the mode says no; without them it is anybody. They go
# with the next program; that one runs each command, after the global options, and says what came of it.
WITHOUT_PRIVILEGE = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
for capability in (1, 2):
    libc.prctl(24, capability, 0, 0, 0)
os.execv(sys.executable, [sys.executable, "-c", *sys.argv[1:]])
"""
EACH_COMMAND = """
import contextlib, io, json, sys
from habeas.cli import cli
from habeas.cli.border import run_guarded
head, commands = json.loads(sys.argv[1])
for command in commands:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run_guarded(cli, [*head, *command])
    print(json.dumps([code, out.getvalue(), err.getvalue()]))
"""

ON_A_FULL_DISK = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
from habeas.cli import cli
from habeas.cli.border import run_guarded
sys.exit(run_guarded(cli, sys.argv[2:]))
"""

HOLD = """
import sys
from pathlib import Path
from habeas.cases.locks import CaseLocks
assert CaseLocks(Path(sys.argv[1])).take(sys.argv[2])
print(flush=True)
sys.stdin.read()
"""


def _damages() -> dict[str, Callable[[Path], None]]:
    def emptied(path: Path) -> None:
        path.write_bytes(b"")

    def replaced(path: Path) -> None:
        path.write_bytes(b"nothing that SQLite knows\n" * 400)

    def halved(path: Path) -> None:
        os.truncate(path, path.stat().st_size // 2)

    def torn(path: Path) -> None:
        """Every page but the first is noise."""
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xa5" * (size - 4096))

    def foreign(path: Path) -> None:
        path.unlink()
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE entries (a)")
        database.close()
        path.chmod(0o600)

    def open_to_all(path: Path) -> None:
        path.chmod(0o666)

    return {f.__name__: f for f in (emptied, replaced, halved, torn, foreign, open_to_all)}


@pytest.fixture(scope="module")
def used_home(_shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the home of a shop that has erased somebody, and failed to erase somebody else."""
    _shop.run("erase", f"customer_id={_shop.world.people[6].customer_id}", "--yes")
    _shop.servers[0].down = True
    _shop.run("erase", f"customer_id={_shop.fresh().customer_id}", "--yes", "--max-wait", "1")
    return Path(shutil.copytree(_shop.home.path, tmp_path_factory.mktemp("used") / "home"))


@pytest.mark.parametrize("damage", _damages().values(), ids=_damages().keys())
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_refused_in_one_line(
    name: str, damage: Callable[[Path], None], shop: Shop, used_home: Path, tmp_path: Path, bare: Callable[..., Ran]
) -> None:
    """Exit 1, what and where; no vendor is asked to change anything, and no fault of ours is claimed."""
    home = Path(shutil.copytree(used_home, tmp_path / "home"))
    damage(home / name)
    person = shop.world.people[0]
    changes = shop.world.changing_calls()
    head = ["--home", str(home), "--config", str(shop.config)]
    for arguments in (["erase", f"customer_id={person.customer_id}", "--yes"], ["resume"]):
        ran = bare(*head, *arguments)
        assert (ran.code, ran.stdout) == (1, ""), (arguments, ran)
        assert any(word in ran.error for word in (name, "ledger", "vault", "key")), ran.error
        assert "internal fault" not in ran.error
    doctor = bare(*head, "doctor")
    assert doctor.code == 1
    assert "damaged" in doctor.stdout or doctor.error
    assert shop.world.changing_calls() == changes
    assert shop.world.held(person)


def test_audit_verify_says_what_is_wrong_with_any_file(own_shop: Shop, tmp_path: Path) -> None:
    """Damage is exit 1 with findings; what is no ledger at all is said too; JSON stays one document."""
    shop = own_shop
    shop.run("inventory", "customer_id=C-100000")
    for name, damage in _damages().items():
        copy = tmp_path / f"{name}.db"
        copy.write_bytes(shop.home.ledger.read_bytes())
        copy.chmod(0o600)
        damage(copy)
        ran = shop.run("audit", "verify", "--file", str(copy), "--json")
        if name == "open_to_all":
            continue
        assert ran.code == 1, name
        assert "error" in ran.json or (ran.json["ok"] is False and ran.json["findings"]), name
        assert "internal fault" not in ran.stderr
    for path in (tmp_path, tmp_path / "none.db"):
        ran = shop.run("audit", "verify", "--file", str(path))
        assert (ran.code, ran.stdout) == (2, ""), path
        assert ran.error


def _without_privilege(shop: Shop, commands: list[list[str]]) -> list[tuple[int, str, str]]:
    """Exit code, stdout and stderr of each."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PRIVILEGE, EACH_COMMAND, json.dumps([shop.head, commands])],
        capture_output=True, text=True, timeout=60, check=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def test_a_read_only_home_is_refused_before_anything_is_sent(own_shop: Shop) -> None:
    """What cannot be written down is not done."""
    shop = own_shop
    shop.run("erase", f"customer_id={shop.world.people[6].customer_id}", "--yes")
    calls = shop.calls
    files = [path for path in shop.home.path.rglob("*") if path.is_file()]
    for path in files:
        path.chmod(0o400)
    for folder in (shop.home.packages, shop.home.path):
        folder.chmod(0o500)
    try:
        who = f"customer_id={shop.world.people[0].customer_id}"
        commands = [["erase", who, "--yes"], ["inventory", who], ["resume"]]
        for command, (code, stdout, stderr) in zip(commands, _without_privilege(shop, commands), strict=True):
            assert (code, stdout) == (1, ""), (command, stdout, stderr)
            assert len(stderr.splitlines()) == 1
            assert "internal fault" not in stderr
            assert "read-only" in stderr or "owner" in stderr or "cannot be" in stderr
    finally:
        for folder in (shop.home.path, shop.home.packages):
            folder.chmod(0o700)
    assert shop.calls == calls


def test_a_ledger_that_may_not_grow_stops_the_erasure(own_shop: Shop) -> None:
    """A full disk, as a limit on file size: no call without its intent on disk."""
    shop = own_shop
    person = shop.world.people[0]
    limit = shop.home.ledger.stat().st_size + 8192
    erase = ["erase", f"customer_id={person.customer_id}", "--yes"]
    child = subprocess.run(
        [sys.executable, "-c", ON_A_FULL_DISK, str(limit), *shop.head, *erase],
        capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert child.returncode == 1
    assert "Traceback" not in child.stderr
    assert "internal fault" not in child.stderr
    assert child.stderr.splitlines()[-1].startswith("habeas: ")
    intents = shop.run("audit", "log", "--type", "call.intent", "--json").json["entries"]
    assert shop.world.changing_calls() <= len(intents)
    ran = shop.run("resume")
    assert ran.code in (0, 1), ran.stderr
    assert shop.run("audit", "verify").code == 0
    assert shop.run("erase", f"customer_id={person.customer_id}", "--yes").code == 0
    assert shop.world.held(person) == {}


# -- another process --------------------------------------------------------------------------------------------------


def test_a_case_that_another_process_holds_is_left_to_it(own_shop: Shop) -> None:
    """`resume` passes it over, says so, and does not claim that everything is done."""
    shop = own_shop
    person = shop.world.people[0]
    server = shop.servers[0]
    server.down = True
    case = shop.run("erase", f"customer_id={person.customer_id}", "--yes", "--json", "--max-wait", "1").json
    server.down = False
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(shop.home.locks), case["case"]],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        assert holder.stdin is not None
        holder.stdout.readline()
        calls = shop.calls
        ran = shop.run("resume", "--json")
        assert (ran.code, ran.json["cases"], ran.json["summary"]["skipped"]) == (1, [], 1)
        assert f"case {case['case']} is being worked on by another process" in ran.stderr
        assert shop.run("case", "show", case["case"], "--json").json["status"] in ("running", "incomplete")
        assert shop.calls == calls
    finally:
        holder.communicate("")
    assert holder.returncode == 0
    assert shop.run("resume", "--json").json["cases"][0]["status"] == "completed"
    assert shop.world.held(person) == {}


def test_locks_are_the_operating_system_s(own_shop: Shop) -> None:
    """So nothing is left behind by a process that died: the file may stay, the lock does not."""
    locks = CaseLocks(own_shop.home.locks)
    assert locks.take("c-1")
    locks.close()
    descriptor = os.open(own_shop.home.locks, os.O_RDWR)
    fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(descriptor)


# -- streams ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("closed", ["<&-", ">&- 2>&-"])
def test_closed_streams_neither_stop_nor_damage_anything(closed: str, own_shop: Shop) -> None:
    """A database must not get the number of a closed stdout, and be printed into."""
    shop = own_shop
    habeas = Path(sys.executable).with_name("habeas")
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", str(habeas), *shop.head]
    if closed == "<&-":
        asked = subprocess.run(
            [*command, "erase", "customer_id=C-100000"], capture_output=True, timeout=60, check=False
        )
        assert asked.returncode == 4
    done = subprocess.run(
        [*command, "erase", "customer_id=C-100000", "--yes"], capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0
    assert shop.world.held(shop.world.people[0]) == {}
    assert shop.run("audit", "verify").code == 0


def test_a_reader_that_goes_away_is_no_news(own_shop: Shop) -> None:
    """`habeas audit log | head -1`: no traceback, no word."""
    shop = own_shop
    for _ in range(3):
        shop.run("inventory", "customer_id=none")
    reading, writing = os.pipe()
    os.close(reading)
    child = shop.start("audit", "log", "--json", stdout=writing)
    os.close(writing)
    _, stderr = child.communicate(timeout=60)
    assert (child.returncode, stderr) == (1, "")


def test_an_ascii_terminal_gets_ascii(own_shop: Shop, program: Callable[..., Ran]) -> None:
    """Where the output cannot take a character, the result is still told, and JSON is still JSON."""
    environment = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    shown = own_shop.run("policy", "show", "gdpr-erasure-hold-payments", "--json")
    assert any("§" in str(rule["legal_source"]) for rule in shown.json["rules"])
    ran = program(*own_shop.head, "policy", "show", "gdpr-erasure-hold-payments", "--json", environment=environment)
    assert (ran.code, ran.json) == (0, shown.json)
    ran = program(*own_shop.head, "policy", "show", "gdpr-erasure-hold-payments", environment=environment)
    assert (ran.code, ran.stderr) == (0, "")


@pytest.mark.parametrize("name", ["audit.db", "vault.db", "keys.db", "suppression.db"])
def test_a_database_that_another_process_holds_too_long(
    name: str, own_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No call without its intent: exit 1, one line, nothing sent; afterwards the same command does its work."""
    monkeypatch.setattr("habeas.cases.files._BUSY_SECONDS", 0.05)
    monkeypatch.setattr("habeas_audit.store.BUSY_SECONDS", 0.05)
    monkeypatch.setattr("habeas_audit.Ledger.open.__func__.__kwdefaults__", {"busy_seconds": 0.05})
    shop = own_shop
    person = shop.fresh()
    holder = sqlite3.connect(shop.home.path / name, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    calls = shop.world.changing_calls()
    try:
        ran = shop.run("erase", f"customer_id={person.customer_id}", "--yes")
    finally:
        holder.close()
    assert ran.code == 1
    assert ran.stderr.splitlines()[-1].startswith("habeas: ")
    assert "locked" in ran.stderr or "another process holds" in ran.stderr
    assert shop.world.changing_calls() == calls
    assert shop.run("resume").code in (0, 3)
    assert shop.run("erase", f"customer_id={person.customer_id}", "--yes").code in (0, 3)
    assert shop.world.held(person) == {}


@pytest.mark.parametrize("folder", ["packages", "checkpoints", "certificates"])
def test_a_folder_that_is_missing_is_made_and_one_that_is_none_is_told(folder: str, own_shop: Shop) -> None:
    shop = own_shop
    case = shop.run("erase", f"customer_id={shop.fresh().customer_id}", "--yes", "--json").json["case"]
    commands = {
        "packages": ["access", f"customer_id={shop.fresh().customer_id}"],
        "checkpoints": ["inventory", "customer_id=C-100000"],
        "certificates": ["certificate", case],
    }
    path = shop.home.path / folder
    shutil.rmtree(path, ignore_errors=True)
    assert shop.run(*commands[folder]).code in (0, 3)
    assert path.is_dir()
    shutil.rmtree(path)
    path.write_bytes(b"in its place")
    ran = shop.run(*commands[folder])
    assert ran.code in (1, 3), ran
    assert folder in ran.stderr
    assert "internal fault" not in ran.stderr
    path.unlink()
    assert shop.run("resume").code in (0, 3)
    assert shop.run("audit", "verify").code == 0

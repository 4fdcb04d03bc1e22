"""Files that were damaged, cut off, or put back from elsewhere: what is wrong, what still holds, and what to do."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.figures import record

from habeas.clock import SystemClock
from habeas.home import Home
from habeas_audit import Ledger
from habeas_audit.connection import connect

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Ran, Shop

Damage = Callable[[Path, Path], None]
"""Does something to a file; the second path is the same file some time earlier."""
PAGE = 4096
COMMANDS = (["doctor"], ["audit", "verify"], ["resume"], ["erase", "customer_id=none", "--yes"])


def flip(first: int, last: int, seed: int) -> Damage:
    """One bit between two places; those below 0 count from the end."""

    def apply(path: Path, _: Path) -> None:
        content = bytearray(path.read_bytes())
        start, end = (at + len(content) if at < 0 else at for at in (first, last))
        lot = random.Random(seed)
        content[lot.randrange(start, max(end, start + 1))] ^= 1 << lot.randrange(8)
        path.write_bytes(content)

    return apply


def cut(size: int) -> Damage:
    """Cut off after so many bytes."""
    return lambda path, _: os.truncate(path, min(size, path.stat().st_size - PAGE))


def cut_short(path: Path, _: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def emptied(path: Path, _: Path) -> None:
    path.write_bytes(b"")


def noise(path: Path, _: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(30_000))


def older(path: Path, before: Path) -> None:
    shutil.copy(before, path)


def gone(path: Path, _: Path) -> None:
    path.unlink()


def schema(path: Path, _: Path) -> None:
    """The root of the table of tables."""
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\0" * 100)


def nothing(path: Path, _: Path) -> None:
    """As it was."""


def foreign(path: Path, _: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE entries (a)")
    database.close()
    path.chmod(0o600)


def foreign_journal(path: Path, _: Path) -> None:
    """A hot journal of another database lies beside it."""
    other = path.with_name("other.db")
    database = sqlite3.connect(other, isolation_level=None)
    database.execute("PRAGMA cache_size = 1")
    database.execute("CREATE TABLE t (a)")
    database.executemany("INSERT INTO t VALUES (?)", [("y" * 3000,)] * 40)
    database.execute("BEGIN IMMEDIATE")
    database.execute("UPDATE t SET a = 'z' || a")
    shutil.copy(f"{other}-journal", f"{path}-journal")
    database.close()
    other.unlink()


def folder(path: Path, _: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Damage] = {
    "empty": emptied,
    "garbage": noise,
    "an older copy": older,
    "foreign": foreign,
    "a journal of another": foreign_journal,
    "a folder": folder,
    "gone": gone,
    "header": flip(0, 16, 1),
    "schema": schema,
    **{f"{pages} pages": cut(pages * PAGE) for pages in (1, 2, 3)},
}
FILES = ("audit.db", "vault.db", "keys.db", "suppression.db")
OFTEN = ("an older copy", "schema", "gone")
LEDGER = (*OFTEN, "empty", "garbage", "foreign", "a journal of another", "1 pages")
"""`make test` takes these; fewer of the files that no proof rests on."""
CASES = [
    pytest.param(
        name,
        damage,
        id=f"{name}, {how}",
        marks=[pytest.mark.faults] * (how not in (LEDGER if name == "audit.db" else OFTEN)),
    )
    for name in FILES
    for how, damage in DAMAGES.items()
]


@pytest.fixture(scope="module")
def used(_shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two copies of a home, `early` and `late`: between them somebody was erased, and a case was left open."""
    made = tmp_path_factory.mktemp("used")
    assert _shop.run("erase", f"customer_id={_shop.fresh().customer_id}", "--yes").code in (0, 3)
    shutil.copytree(_shop.home.path, made / "early")
    assert _shop.run("erase", f"customer_id={_shop.fresh().customer_id}", "--yes").code in (0, 3)
    _shop.servers[0].down = True
    assert _shop.run("erase", f"customer_id={_shop.fresh().customer_id}", "--yes", "--max-wait", "1").code == 1
    _shop.servers[0].down = False
    shutil.copytree(_shop.home.path, made / "late")
    return made


class Ruin:
    """A home of which one file was damaged."""

    def __init__(self, shop: Shop, bare: Callable[..., Ran], used: Path, folder: Path) -> None:
        self.shop, self._bare, self.used = shop, bare, used
        self.home = Home(folder / "home")

    def of(self, name: str, damage: Damage) -> Home:
        shutil.rmtree(self.home.path, ignore_errors=True)
        shutil.copytree(self.used / "late", self.home.path)
        damage(self.home.path / name, self.used / "early" / name)
        return self.home

    def run(self, *arguments: str) -> Ran:
        return self._bare("--home", str(self.home.path), "--config", str(self.shop.config), *arguments)


@pytest.fixture
def ruin(shop: Shop, bare: Callable[..., Ran], used: Path, tmp_path: Path) -> Ruin:
    return Ruin(shop, bare, used, tmp_path)


@pytest.mark.parametrize(("name", "damage"), CASES)
def test_what_is_damaged_is_told_and_nothing_is_sent(name: str, damage: Damage, ruin: Ruin) -> None:
    """`doctor` says it of every file; of the ledger `audit verify` as well, and nothing is appended to it."""
    home = ruin.of(name, damage)
    before = home.ledger.read_bytes() if home.ledger.is_file() else b""
    calls = ruin.shop.world.changing_calls()
    doctor = ruin.run("doctor", "--json")
    assert doctor.code == 1
    said = [check["detail"] for check in doctor.json.get("checks", ()) if check["state"] == "failed"]
    said = said or [doctor.json["error"]["message"]]
    assert any("backup" in one or "restore" in one for one in said), said
    if name != "audit.db":
        return
    for command in COMMANDS[1:]:
        ran = ruin.run(*command)
        assert ran.code == 1, (command, ran)
        assert ran.stderr.splitlines(), command
        assert "internal fault" not in ran.stderr
        assert "Traceback" not in ran.stderr
    # SQLite itself plays a journal into the file it lies beside; nothing else may have changed it.
    if damage is not foreign_journal and home.ledger.is_file():
        assert home.ledger.read_bytes() == before
    assert ruin.shop.world.changing_calls() == calls


def test_what_a_damaged_ledger_still_proves_is_told(ruin: Ruin) -> None:
    """Up to the newest checkpoint that it agrees with."""
    home = ruin.of("audit.db", nothing)
    with Ledger.open(home.ledger, SystemClock().now) as ledger, ledger.proofs() as proofs:
        sizes = [signed.head.size for signed in proofs.checkpoints()]
    before, newest = sizes[-2:]

    def change(path: Path, _: Path) -> None:
        content = path.read_bytes()
        body = f'"seq":{newest - 1},'.encode()
        at = content.rindex(body)
        path.write_bytes(content[:at] + body.replace(b'"seq"', b'"sEq"') + content[at + len(body) :])

    ruin.of("audit.db", change)
    for command in (["audit", "verify"], ["doctor"]):
        ran = ruin.run(*command)
        assert ran.code == 1
        said = " ".join((ran.stdout + ran.stderr).split())
        assert f"first {before} entries are still proven to be as they were signed" in said, said
    assert ruin.run("resume").code == 1, "the newest entries are looked at before anything is added"


@pytest.mark.parametrize("damage", [flip(0, 20, 1), cut_short, emptied, folder])
def test_a_damaged_checkpoint_is_told_and_put_back(damage: Damage, ruin: Ruin) -> None:
    """The ledger holds it as well; what lay in its place is kept."""
    home = ruin.of("audit.db", nothing)
    newest = max(home.checkpoints.glob("*.note"))
    whole = newest.read_bytes()
    damage(newest, newest)
    ran = ruin.run("inventory", "customer_id=none")
    assert ran.code == 1
    assert newest.name in ran.error
    assert ruin.run("audit", "verify").code == 1
    repaired = ruin.run("doctor", "--repair")
    assert "1 checkpoints were gone from their folder or damaged: put back" in repaired.stdout
    assert newest.read_bytes() == whole
    assert len(list(home.checkpoints.glob("*.damaged"))) == 1
    assert ruin.run("audit", "verify").code == 0


def _signing_damages() -> Iterator[tuple[str, str, Damage]]:
    yield "*.pem", "gone", gone
    for pattern in ("*.pem", "*.pub"):
        yield pattern, "empty", emptied
        yield pattern, "garbage", noise


@pytest.mark.parametrize(("pattern", "how", "damage"), list(_signing_damages()))
def test_a_signing_key_that_is_gone_or_wrong_is_told(pattern: str, how: str, damage: Damage, ruin: Ruin) -> None:
    """Work goes on where only the signature lacks, and that is exit 1; a public key is written again by `--repair`."""
    home = ruin.of("audit.db", nothing)
    (path,) = home.signing.glob(pattern)
    damage(path, path)
    doctor = ruin.run("doctor")
    assert doctor.code == 1
    assert path.name in "".join(doctor.stdout.split()), doctor.stdout
    ran = ruin.run("inventory", "customer_id=none")
    assert "internal fault" not in ran.stderr
    if pattern == "*.pem":
        assert ran.code in (1, 3)
        assert "the ledger was not signed" in ran.stderr
        if how != "gone":
            path.unlink()
        assert ruin.run("audit", "rotate-key", "--because", "lost", "--yes").code == 0
    else:
        assert "1 public keys were gone or damaged" in ruin.run("doctor", "--repair").stdout
    assert ruin.run("audit", "verify").code == 0
    assert ruin.run("doctor").code == 0


def test_an_older_suppression_list_stops_everything_that_writes(ruin: Ruin) -> None:
    """Else somebody who was erased could be written about again."""
    ruin.of("suppression.db", DAMAGES["an older copy"])
    ran = ruin.run("consent", "set", "customer_id=none", "marketing_email=withdrawn", "--yes")
    assert ran.code == 1
    assert "older than the ledger" in ran.error


@pytest.mark.faults
@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_anywhere_never_leads_to_a_fault_of_ours(name: str, ruin: Ruin) -> None:
    """Whatever SQLite makes of it: one line, or the truth: the entries that can be read are those that were written."""
    found = {"told": 0, "no effect": 0}
    size = (ruin.used / "late" / name).stat().st_size
    entries = entries_of(ruin.used / "late" / "audit.db")
    for seed in range(100):
        start = size * seed // 100
        home = ruin.of(name, flip(start, start + size // 100, seed))
        codes = set()
        for command in COMMANDS[:3]:
            ran = ruin.run(*command)
            assert "Traceback" not in ran.stderr
            assert "internal fault" not in ran.stderr, (seed, command, ran.stderr)
            assert ran.code in (0, 1, 3), (seed, command, ran)
            codes.add((command[0], ran.code))
        told = ("doctor", 1) in codes
        found["told" if told else "no effect"] += 1
        if not told:
            assert entries_of(home.ledger)[: len(entries)] == entries
    record("storage", {f"a flipped bit in {name}": {"flips": 100, **found, "faults": 0}})


def entries_of(path: Path) -> list[tuple[int, bytes]]:
    database = connect(path, "read", 1.0)
    try:
        return database.execute("SELECT seq, body FROM entries ORDER BY seq").fetchall()
    finally:
        database.close()

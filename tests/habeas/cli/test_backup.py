"""`habeas backup` and `habeas restore`: a copy made while the program works, and a home made of it."""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.figures import record
from tests.habeas.cli.ending import AT_ONCE, add_policy

from habeas.cases.keys import KeyStore
from habeas.home import Home
from habeas.safekeeping.manifest import MANIFEST

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Ran, Shop

Bare = Callable[..., "Ran"]


def backed_up(shop: Shop, name: str = "monday") -> tuple[Path, Path]:
    """The backup, and the keys that lie elsewhere."""
    folder, keys = shop.folder / "backups" / name, shop.folder / "elsewhere" / f"{name}.db"
    ran = shop.run("backup", "-o", str(folder), "--keys", str(keys))
    assert (ran.code, ran.stderr) == (0, "")
    return folder, keys


class Put:
    """A home that was put back, with the shop's configuration."""

    def __init__(self, shop: Shop, bare: Bare, folder: Path, keys: Path, name: str = "again") -> None:
        self.home, self._bare = Home(shop.folder / name), bare
        self._head = ["--home", str(self.home.path), "--config", str(shop.config)]
        self.restored = self.run("restore", str(folder), "--keys", str(keys))

    def run(self, *arguments: str) -> Ran:
        return self._bare(*self._head, *arguments)


def entries(ran: Ran) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ran.json["entries"]
    return found


def no_drafts(folder: Path) -> bool:
    return not list(folder.rglob(".*"))


def test_a_backup_holds_all_but_keys_and_packages(own_shop: Shop) -> None:
    """Private, whole, named in a manifest with digests; its ledger verifies on its own."""
    shop = own_shop
    assert shop.run("access", "customer_id=C-100001").code == 0
    ran = shop.run("backup", "-o", str(shop.folder / "b"), "--json")
    assert ran.code == 0
    assert "keys are not in it" not in ran.stdout
    folder = Path(ran.json["folder"])
    manifest = json.loads((folder / MANIFEST).read_bytes())
    names = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST)
    assert names == [part["name"] for part in manifest["files"]]
    assert {"audit.db", "vault.db", "suppression.db", "habeas.toml"} <= set(names)
    assert any(name.startswith("checkpoints/") for name in names)
    assert [name for name in names if name.endswith((".pem", ".zip"))] == []
    assert "keys.db" not in names
    for part in manifest["files"]:
        content = (folder / part["name"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (part["bytes"], part["sha256"])
    for path in folder.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    verified = shop.run("audit", "verify", "--file", str(folder / "audit.db"), "--json")
    assert (verified.code, verified.json["root"]) == (0, manifest["ledger"]["root"])
    (made,) = entries(shop.run("audit", "log", "--type", "backup.made", "--json"))
    assert made["data"] == {"keys": False, "manifest": ran.json["manifest"], "size": manifest["ledger"]["size"]}
    assert ran.json["manifest"] == "sha256:" + hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()


def test_where_it_goes_and_what_it_says_without_a_name(own_shop: Shop) -> None:
    ran = own_shop.run("backup")
    assert ran.code == 0
    assert "The keys are not in it" in ran.stderr
    (folder,) = (own_shop.home.path / "backups").iterdir()
    assert str(folder) in ran.stdout


def test_nothing_is_overwritten_and_keys_do_not_lie_beside_what_they_open(own_shop: Shop) -> None:
    shop = own_shop
    folder, keys = backed_up(shop)
    before = {path: path.read_bytes() for path in [*folder.rglob("*"), keys] if path.is_file()}
    for arguments in (
        ["-o", str(folder)],
        ["-o", str(shop.folder / "new"), "--keys", str(keys)],
        ["-o", str(shop.folder / "new"), "--keys", str(shop.folder / "new" / "keys.db")],
    ):
        ran = shop.run("backup", *arguments)
        assert (ran.code, ran.stdout) == (2, ""), arguments
        assert ran.error
    assert {path: path.read_bytes() for path in [*folder.rglob("*"), keys] if path.is_file()} == before
    assert not (shop.folder / "new").exists()
    assert no_drafts(shop.folder)


def test_a_damaged_home_is_not_backed_up(own_shop: Shop) -> None:
    """A copy that does not verify would take the place of one that does."""
    shop = own_shop
    shop.run("inventory", "customer_id=none")
    content = bytearray(shop.ledger_bytes())
    place = content.rindex(b'"type":"run.ended"')
    content[place + 8] ^= 1
    shop.home.ledger.write_bytes(content)
    ran = shop.run("backup", "-o", str(shop.folder / "b"), "--keys", str(shop.folder / "k"))
    assert ran.code == 1
    assert "audit verify" in ran.error or "verify it" in ran.error
    assert not (shop.folder / "b").exists()
    assert not (shop.folder / "k").exists()
    assert no_drafts(shop.folder)


def test_a_home_is_put_back_and_its_work_finished(own_shop: Shop, bare: Bare) -> None:
    """What was open goes on; what was erased stays erased, and on the list; the ledger says what it is."""
    shop = own_shop
    gone, half, late = (shop.fresh() for _ in range(3))
    assert shop.run("erase", f"customer_id={gone.customer_id}", "--yes").code in (0, 3)
    shop.servers[0].down = True
    assert shop.run("erase", f"customer_id={half.customer_id}", "--yes", "--max-wait", "1").code == 1
    shop.servers[0].down = False
    folder, keys = backed_up(shop)
    assert shop.run("erase", f"customer_id={late.customer_id}", "--yes").code in (0, 3)
    shutil.rmtree(shop.home.path)

    put = Put(shop, bare, folder, keys)
    assert (put.restored.code, put.restored.stderr) == (0, "")
    assert "What was done after that" in put.restored.stdout
    assert put.run("audit", "verify").code == 0
    assert put.run("doctor").code == 0
    (entry,) = entries(put.run("audit", "log", "--type", "home.restored", "--json"))
    assert entry["data"]["manifest"] == "sha256:" + hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    assert entries(put.run("audit", "log", "--type", "key.rotated", "--json"))[-1]["data"]["why"] == "rolled back"
    resumed = put.run("resume", "--json")
    assert resumed.code in (0, 3)
    assert [case["status"] for case in resumed.json["cases"]] == ["completed"]
    assert shop.world.held(half) == {}
    refused = put.run("rectify", f"customer_id={gone.customer_id}", "email=new@example.com", "--yes")
    assert refused.code == 4
    # Nobody here knows of the last erasure; asked again, it finds what is true.
    again = put.run("erase", f"customer_id={late.customer_id}", "--yes", "--json")
    assert {row["result"] for row in again.json["outcomes"]} <= {"absent", "manual"}
    assert put.run("audit", "verify").code == 0
    for path in put.home.path.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_mirror_that_knows_more_is_told_and_must_be_acknowledged(own_shop: Shop, bare: Bare) -> None:
    """No key signs what contradicts a checkpoint that was signed; afterwards work goes on."""
    shop = own_shop
    mirror = shop.folder / "mirror"
    with shop.config.open("a") as file:
        file.write(f'\n[audit]\nmirror = "{mirror}"\n')
    shop.run("inventory", "customer_id=none")
    folder, keys = backed_up(shop)
    for _ in range(3):
        shop.run("inventory", "customer_id=none")
    put = Put(shop, bare, folder, keys)
    assert put.restored.code == 3
    assert "habeas audit acknowledge" in put.restored.stdout
    assert put.run("inventory", "customer_id=none").code == 1
    assert put.run("audit", "acknowledge", "--yes").code == 0
    assert put.run("inventory", "customer_id=none").code in (0, 3)
    assert put.run("audit", "verify").code == 0


def test_a_key_that_was_destroyed_after_the_keys_were_copied_is_destroyed_again(own_shop: Shop, bare: Bare) -> None:
    """The ledger of the newer backup says so; the older keys still have it."""
    shop = own_shop
    policy = add_policy(shop, "at-once", AT_ONCE)
    case = shop.run("erase", f"customer_id={shop.fresh().customer_id}", "--yes", "--json", "--policy", policy).json[
        "case"
    ]
    _, old_keys = backed_up(shop, "old")
    assert shop.run("purge", "--yes").code == 0
    folder, _ = backed_up(shop, "new")
    put = Put(shop, bare, folder, old_keys)
    assert put.restored.code == 0
    assert "1 keys that the ledger says are destroyed were destroyed again" in put.restored.stdout
    keys = KeyStore.open(put.home.keys)
    try:
        assert case not in keys.case_ids()
        assert keys.destroyed_at(case)
    finally:
        keys.close()
    assert put.run("purge", "--yes").code == 0
    assert len(entries(put.run("audit", "log", "--type", "details.destroyed", "--json"))) == 1


def _changed(shop: Shop, folder: Path, keys: Path) -> dict[str, Callable[[Path], None]]:
    """Ways to ruin a copy of a backup."""

    def manifest(edit: Callable[[Any], None]) -> Callable[[Path], None]:
        def apply(copy: Path) -> None:
            said = json.loads((copy / MANIFEST).read_bytes())
            edit(said)
            (copy / MANIFEST).write_text(json.dumps(said, indent=1) + "\n")

        return apply

    def flip(name: str) -> Callable[[Path], None]:
        def apply(copy: Path) -> None:
            content = bytearray((copy / name).read_bytes())
            content[len(content) // 2] ^= 1
            (copy / name).write_bytes(content)

        return apply

    return {
        "no manifest": lambda copy: (copy / MANIFEST).unlink(),
        "half a manifest": lambda copy: (copy / MANIFEST).write_bytes((copy / MANIFEST).read_bytes()[:-40]),
        "an empty manifest": lambda copy: (copy / MANIFEST).write_bytes(b""),
        "no object": lambda copy: (copy / MANIFEST).write_bytes(b"[]"),
        "another format": manifest(lambda said: said.update(format="habeas-backup/9")),
        "a way out": manifest(lambda said: said["files"][0].update(name="../../outside.db")),
        "keys in it": manifest(lambda said: said["files"][0].update(name="keys.db")),
        "a part twice": manifest(lambda said: said["files"].append(said["files"][0])),
        "another size": manifest(lambda said: said["ledger"].update(size=1)),
        "a changed ledger": flip("audit.db"),
        "a changed vault": flip("vault.db"),
        "no vault": lambda copy: (copy / "vault.db").unlink(),
        "a folder for a vault": lambda copy: ((copy / "vault.db").unlink(), (copy / "vault.db").mkdir())[0],
    }


def test_what_is_no_backup_is_refused_whole(own_shop: Shop, bare: Bare) -> None:
    """Exit 1 or 2, one line, and no trace of a home."""
    shop = own_shop
    shop.run("erase", f"customer_id={shop.fresh().customer_id}", "--yes")
    folder, keys = backed_up(shop)
    for name, ruin in _changed(shop, folder, keys).items():
        copy = Path(shutil.copytree(folder, shop.folder / "copy"))
        ruin(copy)
        put = Put(shop, bare, copy, keys)
        assert put.restored.code in (1, 2), name
        assert put.restored.error, name
        assert "internal fault" not in put.restored.stderr, name
        assert not put.home.path.exists(), name
        assert no_drafts(shop.folder), name
        assert not (shop.folder / "outside.db").exists()
        shutil.rmtree(copy)


def test_other_keys_are_refused(own_shop: Shop, bare: Bare) -> None:
    shop = own_shop
    _, older = backed_up(shop, "older")
    shop.run("access", f"customer_id={shop.fresh().customer_id}")
    folder, keys = backed_up(shop)
    foreign = shop.folder / "foreign.db"
    KeyStore.create(foreign).close()
    broken = shop.folder / "broken.db"
    broken.write_bytes(b"x" * 5000)
    for wrong in (older, foreign, broken, shop.folder / "none.db", shop.folder):
        put = Put(shop, bare, folder, wrong)
        assert put.restored.code == 2, wrong
        assert put.restored.error
        assert not put.home.path.exists()
    assert Put(shop, bare, folder, keys).restored.code == 0


def test_a_home_is_never_overwritten(own_shop: Shop, bare: Bare) -> None:
    shop = own_shop
    folder, keys = backed_up(shop)
    before = {path: path.read_bytes() for path in shop.home.path.rglob("*") if path.is_file()}
    ran = shop.run("restore", str(folder), "--keys", str(keys))
    assert ran.code == 4
    assert "never overwritten" in ran.error
    assert {path: path.read_bytes() for path in shop.home.path.rglob("*") if path.is_file()} == before
    empty = shop.folder / "empty"
    empty.mkdir()
    assert Put(shop, bare, folder, keys, "empty").restored.code == 0


def test_a_stranger_s_key_does_not_vouch_for_a_backup(own_shop: Shop, bare: Bare, tmp_path: Path) -> None:
    shop = own_shop
    folder, keys = backed_up(shop)
    (own,) = shop.home.signing.glob("*.pub")
    args = ["--home", str(tmp_path / "x"), "--config", str(shop.config), "restore", str(folder), "--keys", str(keys)]
    other = Home(tmp_path / "other")
    assert bare("--home", str(other.path), "--config", str(tmp_path / "o.toml"), "init").code == 0
    (stranger,) = other.signing.glob("*.pub")
    ran = bare(*args, "--key", str(stranger))
    assert ran.code == 1
    assert "does not verify" in ran.error
    assert bare(*args, "--key", str(own)).code == 0


def _while_a_batch_runs(shop: Shop, bare: Bare, most: int) -> int:
    """Backs up again and again, and puts each back; returns of how many different moments they are."""
    people = shop.world.people[7:]
    rows = shop.folder / "batch.csv"
    rows.write_text("type,customer_id\n" + "".join(f"erasure,{p.customer_id}\n" for p in people))
    child = shop.start("batch", str(rows), "--yes", stdout=subprocess.DEVNULL)
    made: list[tuple[Path, Path]] = []
    while child.poll() is None and len(made) < most:
        if shop.calls > 10 * len(made):
            made.append(backed_up(shop, f"n{len(made)}"))
        else:
            time.sleep(0.01)
    _, told = child.communicate(timeout=60)
    assert child.returncode in (0, 3), told
    sizes = set()
    for n, (folder, keys) in enumerate(made):
        put = Put(shop, bare, folder, keys, f"put{n}")
        assert put.restored.code == 0, put.restored.stderr
        assert put.run("audit", "verify").code == 0
        sizes.add(json.loads((folder / MANIFEST).read_bytes())["ledger"]["size"])
        assert put.run("resume", "--json").code in (0, 3)
        cases = put.run("case", "list", "--json").json["cases"]
        assert {case["status"] for case in cases} <= {"completed"}
        assert put.run("audit", "verify").code == 0
        assert put.run("doctor").code == 0
    for person in people:
        assert shop.world.held(person) == {}
    return len(sizes)


def test_backups_made_while_a_batch_runs_can_be_put_back(own_shop: Shop, bare: Bare) -> None:
    """Each is a moment of the run: it verifies, and what was open goes on. Nothing is said to be erased that is not."""
    assert _while_a_batch_runs(own_shop, bare, 2) == 2


@pytest.mark.faults
def test_many_backups_made_while_a_batch_runs(make_shop: Callable[[int], Shop], bare: Bare) -> None:
    moments = _while_a_batch_runs(make_shop(40), bare, 15)
    assert moments > 5
    record("storage", {"backups_during_a_batch": {"put_back": moments, "verified": moments, "resumed": moments}})

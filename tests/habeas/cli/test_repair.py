"""`habeas doctor --repair` puts right what can be, says so, and never changes what the ledger says."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.habeas.cli.ending import AT_ONCE, add_policy
from tests.habeas.cli.test_damage import entries_of

from habeas.cases.keys import KeyStore
from habeas.cases.vault import Vault
from habeas.home import draft_of

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Shop

LONG_AGO = time.time() - 7200


def repair(shop: Shop, code: int = 0) -> list[str]:
    """What was repaired. The entries that were there are byte for byte as before, each repair is one more."""
    before = entries_of(shop.home.ledger)
    ran = shop.run("doctor", "--repair", "--json")
    assert ran.code == code, ran
    after = entries_of(shop.home.ledger)
    assert after[: len(before)] == before
    told = shop.run("audit", "log", "--type", "repair.done", "--after", str(len(before)), "--json").json["entries"]
    done = [one["what"] for one in ran.json["repaired"]]
    assert [one["data"]["what"] for one in told] == done
    assert shop.run("audit", "verify").code == 0
    return done


def aged(path: Path) -> None:
    os.utime(path, (LONG_AGO, LONG_AGO))


def erased(shop: Shop, *options: str) -> str:
    ran = shop.run("erase", f"customer_id={shop.fresh().customer_id}", "--yes", "--json", *options)
    assert ran.code in (0, 3)
    return str(ran.json["case"])


def test_nothing_to_repair_changes_nothing(own_shop: Shop) -> None:
    erased(own_shop)
    before = own_shop.ledger_bytes()
    ran = own_shop.run("doctor", "--repair")
    assert ran.code == 0
    assert "There was nothing to repair." in ran.stdout
    assert own_shop.ledger_bytes() == before


def test_open_modes_are_closed(own_shop: Shop) -> None:
    shop = own_shop
    erased(shop)
    for path in (shop.home.ledger, shop.home.keys, shop.home.checkpoints):
        path.chmod(0o777)
    assert shop.run("doctor").code == 1
    assert repair(shop) == ["modes"]
    for path in shop.home.path.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_leftovers_are_destroyed_and_what_got_its_name_is_not(own_shop: Shop) -> None:
    """A draft that is linked to its final name is that very file; a young one may be being written."""
    shop = own_shop
    erased(shop)
    old, young, linked = (
        draft_of(shop.home.packages / "c.zip"),
        draft_of(shop.home.packages / "d.zip"),
        draft_of(shop.home.keys),
    )
    for path in (old, young):
        path.write_bytes(b"somebody's data")
    linked.hardlink_to(shop.home.keys)
    keys = shop.home.keys.read_bytes()
    half = draft_of(shop.home.path / "backups" / "monday")
    half.mkdir(parents=True)
    (half / "vault.db").write_bytes(b"half of it")
    for path in (old, linked, half):
        aged(path)
    assert "leftovers" in shop.run("doctor").stdout
    assert repair(shop)[-1:] == ["leftovers"]
    assert not old.exists()
    assert not linked.exists()
    assert not half.exists()
    assert young.exists()
    assert shop.home.keys.read_bytes() == keys


def test_folders_checkpoints_and_public_keys_come_back(own_shop: Shop) -> None:
    shop = own_shop
    erased(shop)
    notes = {path.name: path.read_bytes() for path in shop.home.checkpoints.iterdir()}
    (public,) = shop.home.signing.glob("*.pub")
    line = public.read_bytes()
    shutil.rmtree(shop.home.checkpoints)
    shutil.rmtree(shop.home.packages)
    public.unlink()
    assert repair(shop) == ["checkpoints", "public keys", "folders"]
    now = {path.name: path.read_bytes() for path in shop.home.checkpoints.iterdir()}
    assert notes.items() <= now.items()
    assert public.read_bytes() == line
    assert shop.home.packages.is_dir()


def test_an_index_is_made_anew(own_shop: Shop) -> None:
    shop = own_shop
    case = erased(shop)
    with closing(sqlite3.connect(shop.home.suppression, isolation_level=None)) as database:
        database.execute("PRAGMA writable_schema = ON")
        ((root,),) = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'suppressed_mark'").fetchall()
        ((size,),) = database.execute("PRAGMA page_size").fetchall()
    with shop.home.suppression.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\x0a\0\0\0\0" + size.to_bytes(2, "big") + b"\0")  # an index without any entry
    assert shop.run("doctor").code == 1
    assert repair(shop) == ["indexes"]
    assert case in shop.run("suppression", "list", "--json").stdout


def test_a_registration_that_was_cut_off_is_taken_away(own_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its person is told to ask again; the key is gone, and nobody else's."""
    shop = own_shop
    kept = erased(shop)
    with closing(KeyStore.open(shop.home.keys)) as keys, closing(Vault.open(shop.home.vault, keys)) as vault:
        vault.open_cases({"c-01AAAAAAAAAAAAAAAA": {"subject": []}})
        key = keys.case_key("c-01AAAAAAAAAAAAAAAA")
        vault.open_cases({"c-9ZZZZZZZZZZZZZZZZZ": {"subject": []}})  # one that is being registered now
    assert "registrations" in shop.run("doctor").stdout
    assert repair(shop) == ["registrations"]
    with closing(KeyStore.open(shop.home.keys)) as keys, closing(Vault.open(shop.home.vault, keys)) as vault:
        assert vault.case_ids() == keys.case_ids() == [kept, "c-9ZZZZZZZZZZZZZZZZZ"]
    assert key not in shop.home.keys.read_bytes()


def test_what_an_older_copy_brought_back_is_destroyed_again(own_shop: Shop) -> None:
    shop = own_shop
    case = erased(shop, "--policy", add_policy(shop, "at-once", AT_ONCE))
    for path in (shop.home.keys, shop.home.vault):
        shutil.copy(path, shop.folder / path.name)
    assert shop.run("purge", "--yes").code == 0
    for path in (shop.home.keys, shop.home.vault):
        shutil.copy(shop.folder / path.name, path)
    assert repair(shop) == ["destroyed again"]
    with closing(KeyStore.open(shop.home.keys)) as keys, closing(Vault.open(shop.home.vault, keys)) as vault:
        assert case not in keys.case_ids()
        assert case not in vault.case_ids()
        assert keys.untold() == []


def _older(shop: Shop, copy: Path) -> None:
    shutil.copy(copy, shop.home.suppression)


def _noise(shop: Shop, _: Path) -> None:
    shop.home.suppression.write_bytes(b"\xa5" * 20_000)


def _gone(shop: Shop, _: Path) -> None:
    shop.home.suppression.unlink()


@pytest.mark.parametrize(("lose", "how"), [
    (_older, "on the list again"), (_noise, "suppression list"), (_gone, "suppression list"),
])  # fmt: skip
def test_erased_people_are_put_back_on_the_list(lose: Callable[[Any, Path], None], how: str, own_shop: Shop) -> None:
    """The ledger says that they were on it, and the vault who they are; who asks twice is found as before."""
    shop = own_shop
    copy = Path(shutil.copy(shop.home.suppression, shop.folder / "early.db"))
    person, waiting = shop.fresh(), shop.fresh()
    assert shop.run("erase", f"customer_id={person.customer_id}", "--yes").code in (0, 3)
    assert shop.run("plan", f"customer_id={waiting.customer_id}").code in (0, 3)
    lose(shop, copy)
    assert shop.run("inventory", f"customer_id={person.customer_id}").code == 1
    assert how in repair(shop)
    ran = shop.run("rectify", f"customer_id={person.customer_id}", "email=new@example.com", "--yes")
    assert ran.code == 4
    assert "the person was erased in case" in " ".join(ran.stdout.split())
    if how == "suppression list":
        assert shop.run("plan", f"customer_id={waiting.customer_id}").code == 4


def test_a_list_that_cannot_be_made_whole_is_not_made_at_all(own_shop: Shop) -> None:
    """A new one that lacks somebody would let anybody write about them."""
    shop = own_shop
    erased(shop, "--policy", add_policy(shop, "at-once", AT_ONCE))
    assert shop.run("purge", "--yes").code == 0
    _noise(shop, shop.home.path)
    content = shop.home.suppression.read_bytes()
    assert repair(shop, code=1) == []
    assert shop.home.suppression.read_bytes() == content


def test_a_damaged_ledger_is_told_and_nothing_is_touched(own_shop: Shop) -> None:
    shop = own_shop
    erased(shop)
    content = shop.ledger_bytes()
    place = content.rindex(b'"type":"case.closed"')
    shop.home.ledger.write_bytes(content[:place] + b'"tYpe"' + content[place + 6 :])
    left = draft_of(shop.home.packages / "c.zip")
    left.write_bytes(b"x")
    aged(left)
    before = shop.ledger_bytes()
    ran = shop.run("doctor", "--repair")
    assert (ran.code, ran.stdout) == (1, "")
    assert "of the ledger is not as it was written" in ran.error or "it is never repaired" in ran.error
    assert shop.ledger_bytes() == before
    assert left.exists()

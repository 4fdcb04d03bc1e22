"""`habeas audit` as a user meets it: what was tampered with is named in one line, and nothing breaks."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.habeas_audit.attacks import Insider, insider, signer

from habeas.clock import SystemClock
from habeas.config import AuditConfig
from habeas.home import Home
from habeas.opening import create_home, ledger_only, open_seal
from habeas_audit import Draft, VerifierKey, checkpoints_in, parse_checkpoint, read_checkpoint

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Ran, Shop

Bare = Callable[..., "Ran"]


@dataclass(frozen=True)
class Place:
    """A home without a configuration or vendors, in which some runs have been."""

    home: Home
    bare: Bare

    def run(self, *arguments: str) -> Ran:
        ran = self.bare("--home", str(self.home.path), *arguments)
        assert "internal fault" not in ran.stderr
        assert "Traceback" not in ran.stderr
        return ran

    def fill(self, runs: int = 1) -> None:
        """What runs leave in the ledger."""
        with ledger_only(self.home, SystemClock()) as ledger:
            seal = open_seal(self.home, AuditConfig(), ledger, SystemClock())
            for number in range(runs):
                ledger.append(*(Draft("call.intent", "c-1", f"r-{number}", "shop", "ops", {"n": n}) for n in range(9)))
                seal.end(Draft("run.ended", "", f"r-{number}"))

    @property
    def notes(self) -> list[Path]:
        return list(checkpoints_in(self.home.checkpoints))

    @property
    def key(self) -> str:
        """The file with the public key."""
        (path,) = self.home.signing.glob("*.pub")
        return str(path)

    @property
    def private(self) -> Path:
        (path,) = self.home.signing.glob("*.pem")
        return path

    def found(self, *arguments: str) -> set[str]:
        """Kinds that `audit verify` finds; what it says to people is the same."""
        ran = self.run("audit", "verify", "--json", *arguments)
        kinds = {finding["kind"] for finding in ran.json["findings"]}
        told = self.run("audit", "verify", *arguments)
        assert (ran.code, told.code) == ((1, 1) if kinds else (0, 0))
        assert {line.split(":")[0] for line in told.stdout.splitlines() if kinds} == kinds
        return kinds


@pytest.fixture(scope="module")
def _home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("audit") / "home")
    create_home(home, SystemClock())
    return home


@pytest.fixture
def place(_home: Home, bare: Bare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A copy of it, signed four times, from another folder than the checkout."""
    monkeypatch.chdir(tmp_path)
    if len(list(checkpoints_in(_home.checkpoints))) == 1:
        Place(_home, bare).fill(3)
    return Place(Home(Path(shutil.copytree(_home.path, tmp_path / "home"))), bare)


def one_line(ran: Ran) -> None:
    """As an error is told."""
    assert (ran.stdout, ran.error[:8]) == ("", "habeas: ")


# -- audit verify -----------------------------------------------------------------------------------------------------


def test_a_home_as_it_was_left_is_ok_and_the_json_says_how_far_it_is_signed(place: Place) -> None:
    assert place.found() == set()
    told = place.run("audit", "verify")
    assert "35 entries, all as they were written" in " ".join(told.stdout.split())
    assert (place.run("audit", "verify", "--json").json) == {
        "ok": True, "size": 35, "root": told.stdout.split("root ")[1].split()[0],
        "signed": {"size": 35, "keys": [Path(place.key).stem], "pinned": True}, "unsigned": 0, "checkpoints": 4,
        "findings": [],
    }  # fmt: skip


def lied(at: Insider) -> None:
    values = at.bodies()
    values[8]["data"] = {"n": 99}
    at.write(values)


def cut(at: Insider) -> None:
    at.write(at.bodies()[:20])
    at.sql("DELETE FROM checkpoints WHERE size > 20")


@pytest.mark.parametrize(
    ("attack", "kind"),
    [
        (lambda at: at.sql("UPDATE entries SET body = CAST(body || ' ' AS BLOB) WHERE seq = 9"), "leaf"),
        (lambda at: at.sql("DELETE FROM kinds WHERE type = 'run.ended'"), "index"),
        (lambda at: at.sql("DELETE FROM entries WHERE seq = 9"), "gap"),
        (lambda at: at.sql("UPDATE nodes SET hash = zeroblob(32) WHERE level = 4"), "node"),
        (lambda at: at.sql("UPDATE head SET root = zeroblob(32)"), "head"),
        (lambda at: at.sql("UPDATE log SET created_at = 'yesterday'"), "log"),
        (lambda at: at.sql("DELETE FROM checkpoints WHERE size = 13"), "removed"),
        (lambda at: at.sql("DELETE FROM checkpoints WHERE size = 35"), "removed"),
        (lambda at: at.sql("UPDATE checkpoints SET note = 'x' WHERE size = 13"), "checkpoint"),
        (lambda at: at.sql("CREATE TRIGGER t AFTER INSERT ON entries BEGIN SELECT 1; END"), "schema"),
        (lambda at: at.sql("DROP TABLE nodes"), "schema"),
        (lambda at: at.sql("PRAGMA application_id = 7"), "foreign"),
        (lied, "rewritten"),
        (cut, "cut"),
        (lambda at: at.write_signed(at.bodies(), signer(2, at.origin)), "rewritten"),
    ],
)
def test_whatever_was_done_to_the_file_is_named_in_a_line(
    attack: Callable[[Insider], None], kind: str, place: Place
) -> None:
    with insider(place.home.ledger) as at:
        attack(at)
    assert kind in place.found()
    told = place.run("audit", "verify")
    assert [line for line in told.stdout.splitlines() if line.startswith(f"{kind}: ")]
    assert "the ledger is not as it was written and signed" in told.stderr


def test_with_only_the_file_and_what_was_kept_the_same_is_found(place: Place, tmp_path: Path) -> None:
    """On another machine: no home, a copy, a key and a checkpoint."""
    copy, kept = tmp_path / "copy.db", str(place.notes[2])
    shutil.copy(place.home.ledger, copy)
    assert place.found("--file", str(copy), "--against", kept, "--key", place.key) == set()
    with insider(copy) as at:
        lied(at)
    assert place.found("--file", str(copy)) == {"rewritten"}
    with insider(copy) as at:
        at.write_signed(at.bodies(), signer(2, at.origin))
    assert place.found("--file", str(copy)) == set()
    assert place.found("--file", str(copy), "--key", place.key) == {"key"}
    assert "rewritten" in place.found("--file", str(copy), "--against", kept)
    assert "rewritten" in place.found("--file", str(copy), "--against", kept, "--key", place.key)


def test_a_checkpoint_file_that_is_damaged_stops_verifying_in_one_line(place: Place) -> None:
    place.notes[1].write_text("nothing")
    ran = place.run("audit", "verify")
    assert ran.code == 1
    one_line(ran)
    assert place.notes[1].name in ran.stderr
    for wrong in (str(place.notes[1]), str(place.home.path / "none")):
        ran = place.run("audit", "verify", "--against", wrong)
        assert ran.code == 2
        one_line(ran)


def test_a_key_that_is_none_is_refused_in_one_line(place: Place) -> None:
    line = Path(place.key).read_text().strip()
    for wrong in ("x", "a+b+c", line[:-2], line.replace("+", "+0", 1), str(place.home.ledger), str(place.home.path)):
        ran = place.run("audit", "verify", "--key", wrong)
        assert ran.code == 2, wrong
        one_line(ran)
    assert place.found("--key", line) == set()


def test_an_unfinished_write_is_not_damage(place: Place) -> None:
    with closing(sqlite3.connect(place.home.ledger, isolation_level=None)) as db:
        db.execute("PRAGMA cache_size = 1")
        db.execute("BEGIN IMMEDIATE")
        db.execute("DROP TRIGGER entries_no_update")
        db.execute("UPDATE entries SET body = zeroblob(9000)")
        for side in ("", "-journal"):
            shutil.copy(f"{place.home.ledger}{side}", f"{place.home.path}/left{side}")
    os.replace(f"{place.home.path}/left", place.home.ledger)  # noqa: PTH105 - as a backup program does
    os.replace(f"{place.home.path}/left-journal", f"{place.home.ledger}-journal")  # noqa: PTH105
    place.home.ledger.chmod(0o600)
    assert place.found() == set()


# -- checkpoint, prove, export ----------------------------------------------------------------------------------------


def test_a_checkpoint_is_made_once_and_is_the_newest_file(place: Place) -> None:
    first, second = place.run("audit", "checkpoint"), place.run("audit", "checkpoint")
    assert (first.code, second.stdout) == (0, first.stdout)
    assert place.notes[-1].read_text() == first.stdout
    value = place.run("audit", "checkpoint", "--json").json
    assert (value["note"], value["size"]) == (first.stdout, 35)
    with ledger_only(place.home, SystemClock()) as ledger:
        ledger.append(Draft("a"))
    assert parse_checkpoint(place.run("audit", "checkpoint").stdout).head.size == 37
    assert place.found() == set()


@pytest.mark.parametrize("tlog", [[], ["--tlog"]])
def test_an_entry_s_proof_is_checked_with_and_without_a_key(tlog: list[str], place: Place, tmp_path: Path) -> None:
    file = tmp_path / "proof"
    for entry in (1, 9, 35):
        assert place.run("audit", "prove", str(entry), "-o", str(file), *tlog).code == 0
        ran = place.bare("verify", str(file), "--key", place.key, "--json")
        assert (ran.code, ran.json["ok"], ran.json["kind"], ran.json["pinned"]) == (0, True, "inclusion proof", True)
        assert ran.json["facts"]["seq"] == str(entry)
        alone = place.bare("verify", str(file))
        # A tlog-proof names no key: without one nobody's signature can be looked at.
        assert alone.code == (1 if tlog else 0)
        other = tmp_path / "other.pub"
        other.write_text(signer(2, VerifierKey.parse(Path(place.key).read_text()).name).verifier.text)
        assert place.bare("verify", str(file), "--key", str(other)).code == 1
        text = file.read_text()
        file.write_text(text.replace("habeas.audit/", "habeas.audit/0", 1))
        assert place.bare("verify", str(file), "--key", place.key).code == 1
        file.unlink()
    for wrong in (["36"], [], ["1", "--from", str(place.notes[0])], ["0"], ["x"]):
        ran = place.run("audit", "prove", *wrong)
        assert ran.code == 2
        one_line(ran)


def test_a_proof_of_growth_is_checked_with_and_without_a_key(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "grown.json"
    for old, new in ((0, 3), (1, 2), (2, 2)):
        arguments = ["--from", str(place.notes[old]), "--to", str(place.notes[new]), "-o", str(file)]
        assert place.run("audit", "prove", *arguments).code == 0
        for key in (["--key", place.key], []):
            ran = place.bare("verify", str(file), *key, "--json")
            assert (ran.code, ran.json["kind"], ran.json["pinned"]) == (0, "consistency proof", bool(key))
        value = json.loads(file.read_text())
        longer = [*value["path"], *(value["path"][-1:] or ["A" * 43 + "="])]
        swapped = {"old": value["new"], "new": value["old"]}
        changes: tuple[dict[str, Any], ...] = ({"path": longer}, swapped, {"keys": []}, {"path": 7})
        for changed in changes:
            file.write_text(json.dumps(value | changed))
            same = value | changed == value or "keys" in changed
            assert place.bare("verify", str(file), "--key", place.key).code == (0 if same else 1)
        file.unlink()
    ran = place.run("audit", "prove", "--from", str(place.notes[3]), "--to", str(place.notes[1]))
    assert ran.code == 2
    one_line(ran)


def test_an_export_is_checked_anywhere_and_with_one_letter_changed_it_is_not(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "ledger.jsonl"
    assert place.run("audit", "export", "-o", str(file)).code == 0
    assert place.run("audit", "export").stdout == file.read_text()
    ran = place.bare("verify", str(file), "--key", place.key, "--json")
    assert (ran.code, ran.json["kind"], ran.json["facts"]["entries"]) == (0, "export", "35")
    text = file.read_text()
    for changed in (
        text.replace("call.intent", "call.outcome", 1),
        text[:-20],
        text + "{}\n",
        text.replace("\n", "", 1),
    ):
        file.write_text(changed)
        ran = place.bare("verify", str(file), "--key", place.key)
        assert ran.code == 1
        assert "does not hold" in ran.stderr
    ran = place.run("audit", "export", "-o", str(file))
    assert ran.code == 2
    one_line(ran)


# -- keys -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("why", ["planned", "lost", "stolen"])
def test_after_a_rotation_the_home_is_ok_and_the_old_key_says_whether_it_was_planned(
    why: str, place: Place, tmp_path: Path
) -> None:
    old = tmp_path / "old.pub"
    shutil.copy(place.key, old)
    if why == "lost":
        place.private.unlink()
    refused = place.run("audit", "rotate-key", "--because", why)
    assert (refused.code, refused.stdout) == (4, "")
    rotated = place.run("audit", "rotate-key", "--because", why, "--yes", "--json").json
    new = rotated["key"]
    place.fill()
    assert place.found() == set()
    assert place.found("--key", new) == set()
    assert place.found("--key", str(old)) == (set() if why == "planned" else {"key"})
    assert place.private.stem == rotated["id"]
    assert place.private.stat().st_mode & 0o777 == 0o600
    shown = place.run("audit", "key", "--json").json["keys"]
    assert [(key["key"], key["signs"]) for key in shown] == [(old.read_text().strip(), False), (new, True)]


@pytest.mark.usefixtures("patient")
def test_a_run_whose_key_is_gone_or_open_to_others_is_done_and_told_and_signed_by_the_next(own_shop: Shop) -> None:
    shop = own_shop
    place = Place(shop.home, shop.run)
    private, pem = place.private, place.private.read_bytes()
    for damage, people in ((private.unlink, 0), (partial(private.chmod, 0o644), 7)):
        person = shop.world.people[people]
        damage()
        ran = shop.run("erase", f"customer_id={person.customer_id}", "--yes", "--json")
        assert (ran.code, ran.json["status"]) == (1, "completed"), ran
        assert shop.world.held(person) == {}
        (line,) = [line for line in ran.stderr.splitlines() if "not signed" in line]
        assert line.startswith("habeas: ")
        assert str(private) in line
        verified = shop.run("audit", "verify", "--json")
        assert (verified.code, verified.json["unsigned"] > 5) == (0, True)
        if not private.exists():
            private.write_bytes(pem)
        private.chmod(0o600)
        assert shop.run("inventory", f"customer_id={person.customer_id}").code == 0
        verified = shop.run("audit", "verify", "--json")
        assert (verified.code, verified.json["unsigned"]) == (0, 0)


# -- an older copy put back -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("patient")
def test_an_older_copy_put_back_stops_every_command_that_writes_until_somebody_takes_note(
    own_shop: Shop, tmp_path: Path
) -> None:
    shop = own_shop
    who = f"customer_id={shop.world.people[0].customer_id}"
    older = tmp_path / "older.db"
    shutil.copy(shop.home.ledger, older)
    shop.run("inventory", who)
    lost = Path(shutil.copy(list(checkpoints_in(shop.home.checkpoints))[-1], tmp_path / "lost.note"))
    shutil.copyfile(older, shop.home.ledger)
    calls, before = shop.calls, shop.ledger_bytes()
    batch = tmp_path / "batch.csv"
    batch.write_text(f"type,customer_id\nerasure,{shop.world.people[0].customer_id}\n")
    for command in (
        ["erase", who, "--yes"], ["erase", who, "--dry-run"], ["inventory", who], ["access", who], ["plan", who],
        ["rectify", who, "--set", "email=a@b.example", "--yes"],
        ["consent", "set", who, "--purpose", "marketing", "--deny"],
        ["batch", str(batch)], ["resume"], ["recheck"], ["purge", "--yes"], ["canary"], ["audit", "checkpoint"],
        ["audit", "rotate-key", "--yes"], ["audit", "export"], ["audit", "prove", "1"],
    ):  # fmt: skip
        ran = shop.run(*command)
        if ran.code == 2 and "see `habeas" in ran.stderr:
            continue  # written otherwise: told before the ledger is opened
        assert (ran.code, ran.stdout) == (1, ""), (command, ran)
        assert re.search("signed, and the ledger holds", ran.error), command
    assert (shop.calls, shop.ledger_bytes()) == (calls, before)
    verified = shop.run("audit", "verify", "--json")
    assert (verified.code, {finding["kind"] for finding in verified.json["findings"]}) == (1, {"cut"})
    refused = shop.run("audit", "acknowledge")
    assert (refused.code, shop.ledger_bytes()) == (4, before)
    size = read_checkpoint(lost).head.size
    done = shop.run("audit", "acknowledge", "--yes", "--json")
    assert (done.code, done.json["acknowledged"], done.json["lost_size"]) == (0, 1, size)
    assert shop.run("audit", "acknowledge", "--yes", "--json").json["acknowledged"] == 0
    assert shop.run("erase", who, "--yes").code == 0
    verified = shop.run("audit", "verify", "--json")
    assert (verified.code, verified.json["unsigned"]) == (0, 0)
    assert "somebody has taken note" in verified.stderr
    verified = shop.run("audit", "verify", "--against", str(lost), "--json")
    assert (verified.code, {finding["kind"] for finding in verified.json["findings"]}) == (1, {"rewritten"})


# -- without a home --------------------------------------------------------------------------------------------------


def test_proofs_are_checked_without_a_home_a_configuration_or_an_environment(
    place: Place, program: Callable[..., Ran], tmp_path: Path
) -> None:
    """In the real program, from another folder, by a user whom the system does not know a home of."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "habeas.toml").write_text("this is = not [ toml")
    place.run("audit", "prove", "9", "-o", str(tmp_path / "proof.json"))
    environment = {"HOME": "", "XDG_DATA_HOME": "", "HABEAS_HOME": str(tmp_path / "none")}
    ran = program("verify", str(tmp_path / "proof.json"), "--key", place.key, cwd=elsewhere, environment=environment)
    assert (ran.code, ran.stderr) == (0, "")
    assert "ok" in ran.stdout
    assert [path.name for path in elsewhere.iterdir()] == ["habeas.toml"]
    assert not (tmp_path / "none").exists()

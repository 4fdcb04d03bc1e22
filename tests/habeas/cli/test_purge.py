"""`habeas purge`: afterwards nobody can read from this disk who a case was about, and every proof holds as before."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.habeas.cli.ending import (
    AT_ONCE,
    DAY,
    HOLD,
    add_policy,
    found_below,
    id_of,
    needles_of,
    said,
    small_shop,
    use_clock,
)
from tests.searching import REFERENCE, RIGHT, leaks, needles_for

from habeas.cases.keys import KeyStore

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Shop

    from habeas.testing.clock import SkippingClock
    from habeas.testing.people import Person


@pytest.fixture(scope="module")
def _shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    for shop in small_shop(tmp_path_factory):
        add_policy(shop, "hold-for-a-month", AT_ONCE + HOLD + 'period = "P1M"\nperiod_starts = "received"\n')
        add_policy(shop, "hold-for-ever", AT_ONCE + HOLD)
        yield shop


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SkippingClock:
    return use_clock(monkeypatch)


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The machine's folder for temporary files."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    return tmp_path / "scratch"


def erase(shop: Shop, person: Person, policy: str = "at-once") -> Any:
    ran = shop.run("--json", "erase", id_of(person), "--policy", policy, "--yes", "--reference", REFERENCE)
    assert ran.code in (0, 3)
    return ran.json


def details(shop: Shop, case: str) -> str:
    """What `case show` says of what was asked and planned."""
    return str(shop.run("case", "show", case, "--json").json.get("details", "held"))


# -- the whole story --------------------------------------------------------------------------------------------------


def life(shop: Shop, person: Person, elsewhere: Path) -> dict[str, str]:
    """Everything somebody can ask for, the erasure last. Returns what → case."""
    who = id_of(person)
    words = [f"{field}={value}" for field, value in RIGHT.items()]
    asked = {
        "access": ["access", who, "--reference", REFERENCE],
        "portability": ["access", who, "--portability", "-o", str(elsewhere)],
        "consent": ["consent", "set", who, "marketing_email=withdrawn", "--yes", "--reference", REFERENCE],
        "rectification": ["rectify", who, *words, "--yes"],
    }
    cases = {what: shop.run("--json", *command).json["case"] for what, command in asked.items()}
    return {**cases, "erasure": erase(shop, person)["case"]}


def test_afterwards_no_byte_says_who_it_was_and_every_proof_still_holds(
    own_shop: Shop, clock: SkippingClock, scratch: Path, tmp_path: Path
) -> None:
    """Erasure today, by its policy; access, consent and rectification ninety days on, by the configuration."""
    shop, person = own_shop, own_shop.world.people[0]
    add_policy(shop, "at-once", AT_ONCE)
    needles = needles_of(shop, person)
    private = needles | needles_for({"reference": REFERENCE})
    package = shop.folder / "for-the-person.zip"
    cases = life(shop, person, package)
    (key,) = shop.home.signing.glob("*.pub")
    opening, early = shop.folder / "opening.json", shop.folder / "early.json"
    made = shop.run("certificate", cases["erasure"], "-o", str(early), "--opening", str(opening))
    assert made.code == 0
    check_story(shop, cases, package)

    dry = shop.run("purge", "--dry-run", "--json").json
    assert (dry["dry_run"], [one["case"] for one in dry["purged"]]) == (True, [cases["erasure"]])
    assert sum(dry["kept"].values()) == 4
    assert all(why.startswith("kept for P90D after the case was closed (until ") for why in dry["kept"])
    assert details(shop, cases["erasure"]) == "held"

    assert shop.run("purge", "--yes", "--json").json["purged"] == dry["purged"]
    assert {what: details(shop, case) for what, case in cases.items()} == {
        **dict.fromkeys(cases, "held"),
        "erasure": "destroyed",
    }
    check_certificate_after(shop, cases["erasure"], opening)

    clock.skip(91 * DAY)
    last = shop.run("purge", "--yes", "--json").json
    assert {one["case"]: one["package"] for one in last["purged"]} == {
        cases["access"]: str(shop.home.packages / f"{cases['access']}.zip"),
        cases["portability"]: str(package),
        cases["consent"]: None,
        cases["rectification"]: None,
    }
    assert {details(shop, case) for case in cases.values()} == {"destroyed"}
    assert not package.exists()
    late = shop.folder / "late.json"
    assert shop.run("certificate", cases["erasure"], "-o", str(late)).code == 0
    for proof in (early, late):
        assert shop.run("verify", str(proof), "--key", str(key)).code == 0
        assert leaks(proof.read_bytes() + proof.with_suffix(".html").read_bytes(), private) == []
    shown = shop.run("verify", str(early), "--key", str(key), "--opening", str(opening))
    assert (shown.code, shown.stdout.count("the certificate is about that")) == (0, 4)
    assert shop.run("audit", "verify").code == 0
    destroyed = Counter(entry["case"] for entry in said(shop, "details.destroyed"))
    assert destroyed == Counter(cases.values())

    with closing(sqlite3.connect(shop.home.suppression)) as db:
        assert db.execute("SELECT count(*) FROM open_requests").fetchone() == (0,), "not even as marks"
    assert leaks(opening.read_bytes(), needles), "the search would have found them"
    assert found_below(private, shop.home.path, scratch) == {}


def check_story(shop: Shop, cases: dict[str, str], package: Path) -> None:
    """Before: the packages are there, and every case says what it was asked."""
    assert package.exists()
    assert {what: details(shop, case) for what, case in cases.items()} == dict.fromkeys(cases, "held")
    assert shop.run("case", "show", cases["erasure"], "--json").json["reference"] == REFERENCE


def check_certificate_after(shop: Shop, case: str, opening: Path) -> None:
    """No opening any more: refused with one line, before anything is written."""
    before = shop.run("audit", "verify", "--json").json["size"]
    path = shop.folder / "again.json"
    ran = shop.run("certificate", case, "-o", str(path), "--opening", str(shop.folder / "again-opening.json"))
    assert (ran.code, ran.stdout) == (1, "")
    assert "was destroyed, as its purpose had ended" in ran.error
    assert not path.exists()
    assert not (shop.folder / "again-opening.json").exists()
    assert opening.exists()
    assert shop.run("audit", "verify", "--json").json["size"] == before
    shown = shop.run("case", "show", case, "--json").json
    assert (shown["reference"], shown["status"]) == (None, "completed")
    assert shown["outcomes"]


# -- what is not due --------------------------------------------------------------------------------------------------


def test_a_hold_keeps_the_key_until_what_it_kept_is_erased(shop: Shop, clock: SkippingClock) -> None:
    """Somebody must know whose it is: its last day is not enough, `resume` must have erased it. Why is said."""
    case = erase(shop, shop.fresh(), "hold-for-a-month")["case"]
    ever = erase(shop, shop.fresh(), "hold-for-ever")["case"]
    for _ in range(2):
        ran = shop.run("purge", case, ever, "--yes", "--json").json
        assert ran["purged"] == []
        assert sum(why.startswith("records of the person are held until") for why in ran["kept"]) == 1
        assert "a hold without an end keeps records of the person" in ran["kept"]
        clock.skip(33 * DAY)
    assert shop.run("resume").code in (0, 3)
    ran = shop.run("purge", case, ever, "--yes", "--json").json
    assert [one["case"] for one in ran["purged"]] == [case], ran["kept"]
    assert [details(shop, name) for name in (case, ever)] == ["destroyed", "held"]


def test_a_recheck_that_is_still_to_be_made_keeps_the_key(shop: Shop, clock: SkippingClock) -> None:
    add_policy(shop, "look-once", '[after]\nkeep_details = "P0D"\nrecheck = ["P7D"]\n')
    case = erase(shop, shop.fresh(), "look-once")["case"]
    clock.skip(8 * DAY)
    ran = shop.run("purge", case, "--yes", "--json").json
    assert ran["kept"] == {"the recheck P7D after its end is still to be made: `habeas recheck`": 1}
    assert shop.run("recheck", case).code == 0
    assert [one["case"] for one in shop.run("purge", case, "--yes", "--json").json["purged"]] == [case]


@pytest.mark.usefixtures("clock")
def test_a_case_that_is_not_finished_keeps_its_key(shop: Shop) -> None:
    person = shop.fresh()
    shop.servers[0].down = True
    ran = shop.run("--json", "erase", id_of(person), "--policy", "at-once", "--yes")
    assert ran.json["status"] == "incomplete"
    case = ran.json["case"]
    assert shop.run("purge", case, "--yes", "--json").json["kept"] == {"the case is not finished": 1}
    shop.servers[0].down = False
    assert shop.run("resume").code == 0
    assert [one["case"] for one in shop.run("purge", case, "--yes", "--json").json["purged"]] == [case]


# -- asking -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("clock")
def test_nothing_is_destroyed_where_nobody_can_be_asked(shop: Shop) -> None:
    """Exit code 4, one line, no entry; a dry run needs nobody."""
    case = erase(shop, shop.fresh())["case"]
    before = shop.ledger_bytes()
    ran = shop.run("purge", "--json")
    assert ran.code == 4
    assert "add --yes" in ran.error
    dry = shop.run("purge", case, "--dry-run")
    assert (dry.code, "Dry run: nothing was destroyed." in dry.stderr) == (0, True)
    unknown = shop.run("purge", case, "c-unknown", "--yes")
    assert unknown.code == 2
    assert "there is no case c-unknown" in unknown.error
    assert shop.ledger_bytes() == before
    assert details(shop, case) == "held"


@pytest.mark.usefixtures("clock")
def test_what_is_shown_to_people_names_cases_and_reasons_and_nobody(shop: Shop) -> None:
    """A case named twice is one; named again, its end was reached before."""
    person = shop.fresh()
    case, kept = erase(shop, person)["case"], erase(shop, shop.fresh(), "hold-for-ever")["case"]
    ran = shop.run("purge", case, kept, case, "--yes")
    assert case in ran.stdout
    assert "kept: 1 case, a hold without an end keeps records of the person" in ran.stdout
    assert "Destroyed: 1 case key. The ledger says so, and verifies as before." in ran.stdout
    again = shop.run("purge", case, "--yes")
    assert (again.code, again.stdout.strip()) == (0, "Nothing has reached its end.")
    assert len(said(shop, "details.destroyed", case=case)) == 1
    assert leaks((ran.stdout + ran.stderr).encode(), needles_of(shop, person)) == []


# -- keys that are missing --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("clock")
def test_another_key_store_makes_details_unavailable_which_is_not_destroyed(shop: Shop) -> None:
    """A certificate has no opening then; with the right file they are readable again."""
    case = erase(shop, shop.fresh())["case"]
    right = shop.home.keys.read_bytes()
    shop.home.keys.unlink()
    shop.home.keys.with_name("keys.db-journal").unlink(missing_ok=True)
    KeyStore.create(shop.home.keys).close()
    try:
        assert details(shop, case) == "unavailable"
        ran = shop.run("certificate", case, "--opening", str(shop.folder / "unavailable.json"))
        assert ran.code == 1
        assert "not in the key store" in ran.error
    finally:
        shop.home.keys.write_bytes(right)
    assert details(shop, case) == "held"


# -- two at once ------------------------------------------------------------------------------------------------------


HOLDING = """
import sys
from pathlib import Path
from habeas.cases.locks import CaseLocks
assert CaseLocks(Path(sys.argv[1])).take("purge")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.usefixtures("clock")
def test_of_two_purges_at_once_the_second_is_told_to_wait(shop: Shop) -> None:
    """It destroys nothing, and says so in one line; a dry run waits for nobody."""
    case = erase(shop, shop.fresh())["case"]
    before = shop.ledger_bytes()
    command = [sys.executable, "-c", HOLDING, str(shop.home.locks)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        ran = shop.run("purge", case, "--yes")
        dry = shop.run("purge", case, "--dry-run", "--json")
        holder.communicate("")
    assert (ran.code, "another purge is under way" in ran.error) == (1, True)
    assert [one["case"] for one in dry.json["purged"]] == [case]
    assert shop.ledger_bytes() == before
    assert shop.run("purge", case, "--yes").code == 0
    assert len(said(shop, "details.destroyed", case=case)) == 1

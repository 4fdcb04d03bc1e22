"""`habeas access`: everything the vendors hold about the person, nothing of anybody else, in one private file."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Shop

    from habeas.testing.people import Person

pytestmark = pytest.mark.usefixtures("patient")


def contents(path: Path | str) -> dict[str, bytes]:
    """The package's files."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def texts(value: Any) -> set[str]:
    """Every text and number in a JSON value, as text."""
    if isinstance(value, dict):
        return {text for child in value.values() for text in texts(child)}
    if isinstance(value, list):
        return {text for child in value for text in texts(child)}
    return {str(value)}


def seeded(person: Person) -> set[str]:
    """What the shop's vendors were given about somebody; a card's number is nowhere shown whole."""
    return {
        person.customer_id, person.email, person.phone, person.first_name, person.last_name, person.street,
        person.city, person.postal_code, person.country,
    }  # fmt: skip


def vendor_ids(shop: Shop, person: Person) -> set[str]:
    """The vendors' own ids of all records, as the inventory shows them."""
    found = shop.run("--json", "inventory", f"customer_id={person.customer_id}", "--show-ids").json["connections"]
    return {text for part in found for record in part["records"] for text in record["ids"]}


@pytest.mark.parametrize("number", [0, 2, 4, 14, 28, 40])
def test_the_package_holds_everything_seeded_and_nobody_else(number: int, shop: Shop) -> None:
    """Every value of the person and every id of their records is in data.json; no other customer's is anywhere."""
    person = shop.world.people[number]
    ran = shop.run("--json", "access", f"customer_id={person.customer_id}")
    case = ran.json
    assert (ran.code, case["status"]) in ((0, "completed"), (3, "completed")), case
    files = contents(case["package"])
    data = json.loads(files["data.json"])
    found = texts(data)
    whole = "\n".join(found)
    assert {value for value in seeded(person) if value not in whole} == set()
    ids = vendor_ids(shop, person)
    assert ids
    assert {one for one in ids if not any(part in whole for part in (one, one.partition("/")[2] or one))} == set()
    for row in case["outcomes"]:
        assert row["result"] in ("exported", "manual", "absent"), row
    exported = {(row["connection"], row["record"]): row["count"] for row in case["outcomes"] if row["count"]}
    packed = {(p["connection"], r["kind"]): r["count"] for p in data["processors"] for r in p["records"]}
    assert packed == exported
    everything = b"\n".join(files.values()).decode("utf-8", "replace")
    for other in shop.world.people:
        for value in {other.email, other.phone, other.customer_id} - seeded(person):
            assert value not in everything, (number, "names somebody else")


def test_the_package_is_private_whatever_the_umask(shop: Shop, tmp_path: Path) -> None:
    """0600, in the home or where `-o` says; the case and `case show` say where."""
    old = os.umask(0)
    try:
        inside = shop.run("--json", "access", "customer_id=C-100000").json
        target = tmp_path / "ada.zip"
        outside = shop.run("--json", "access", "customer_id=C-100000", "-o", str(target)).json
    finally:
        os.umask(old)
    assert inside["package"] == str(shop.home.packages / f"{inside['case']}.zip")
    assert outside["package"] == str(target)
    for case in (inside, outside):
        assert Path(case["package"]).stat().st_mode & 0o777 == 0o600
        assert shop.run("case", "show", case["case"], "--json").json["package"] == case["package"]
    assert [path.name for path in tmp_path.iterdir()] == ["ada.zip"]
    shown = shop.run("access", "customer_id=C-100000", "-o", str(tmp_path / "shown.zip"))
    assert f"Package: {tmp_path / 'shown.zip'}" in shown.stdout.splitlines()


def test_a_relative_target_is_below_the_working_folder(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for `resume`, which may run elsewhere: what is kept is absolute."""
    monkeypatch.chdir(tmp_path)
    ran = shop.run("access", "customer_id=C-100000", "-o", "here.zip", "--json")
    assert ran.json["package"] == str(tmp_path / "here.zip")
    assert (tmp_path / "here.zip").exists()


def test_a_target_that_cannot_be_is_refused_before_anything_is_sent(shop: Shop, tmp_path: Path) -> None:
    """An existing file, a folder, a folder that does not exist: exit 2."""
    there = tmp_path / "there.zip"
    there.write_text("precious")
    dangling = tmp_path / "link.zip"
    dangling.symlink_to(tmp_path / "target-of-a-link.zip")
    calls, size = shop.calls, shop.ledger_bytes()
    for target in (there, tmp_path, tmp_path / "none" / "a.zip", there / "a.zip", dangling):
        ran = shop.run("access", "customer_id=C-100000", "-o", str(target))
        assert (ran.code, ran.stdout) == (2, ""), target
        assert ran.error
    assert there.read_text() == "precious"
    assert (shop.calls, shop.ledger_bytes()) == (calls, size)


def test_portability_is_a_case_of_its_own_kind(shop: Shop) -> None:
    """Art. 20, in the case and in the package."""
    ran = shop.run("--json", "access", "customer_id=C-100000", "--portability")
    assert ran.json["type"] == "portability"
    data = json.loads(contents(ran.json["package"])["data.json"])
    assert (data["type"], data["case"]) == ("portability", ran.json["case"])


def test_nobody_s_package_says_that_nothing_is_held(shop: Shop) -> None:
    """Absent everywhere it could be searched; the package is there all the same."""
    ran = shop.run("--json", "access", "email=nobody@nowhere.example")
    assert {row["result"] for row in ran.json["outcomes"]} <= {"absent", "manual"}
    data = json.loads(contents(ran.json["package"])["data.json"])
    assert all(processor["records"] == [] for processor in data["processors"])
    assert "nobody@nowhere.example" in texts(data["identifiers"])


def test_access_changes_nothing_even_under_a_hold(shop: Shop) -> None:
    """Reads only."""
    truth, changes = shop.truth(), shop.world.changing_calls()
    shop.run("access", f"customer_id={shop.fresh().customer_id}")
    assert (shop.truth(), shop.world.changing_calls()) == (truth, changes)


def test_a_vendor_that_is_away_is_told_and_fetched_by_resume(shop: Shop) -> None:
    """1 and incomplete, with a package that says what lacks; then 0, with a whole one."""
    person = shop.fresh()
    name, server = next(iter(shop.world.servers.items()))
    server.down = True
    ran = shop.run("--json", "access", f"customer_id={person.customer_id}")
    assert (ran.code, ran.json["status"]) == (1, "incomplete")
    data = json.loads(contents(ran.json["package"])["data.json"])
    assert {p["connection"]: p["status"] for p in data["processors"]}[name] == "failed"
    server.down = False
    again = shop.run("resume", "--json")
    (case,) = again.json["cases"]
    assert (case["case"], case["status"], again.code) == (ran.json["case"], "completed", 0)
    data = json.loads(contents(case["package"])["data.json"])
    assert {p["status"] for p in data["processors"]} == {"exported"}

"""`habeas access`: everything the vendors hold about the person, nothing of anybody else, in one private file."""

from __future__ import annotations

import json
import os
import re
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from jsonschema import Draft202012Validator

from habeas.clock import SystemClock
from habeas.reports.package.labels import moment
from habeas_audit import Ledger

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


PURPOSES = ("marketing_email", "newsletter")


def set_consent(shop: Shop, person: Person, purpose: str, state: str) -> None:
    ran = shop.run("--json", "consent", "set", f"customer_id={person.customer_id}", f"{purpose}={state}", "--yes")
    assert ran.json["status"] == "completed", ran.json


def packed(shop: Shop, person: Person, *options: str) -> tuple[Any, str]:
    """``data.json``, which keeps to the schema beside it, and the page."""
    ran = shop.run("--json", "access", f"customer_id={person.customer_id}", *options)
    files = contents(ran.json["package"])
    data = json.loads(files["data.json"])
    Draft202012Validator(json.loads(files["data.schema.json"])).validate(data)
    return data, files["index.html"].decode()


def test_recorded_consents_are_told_to_whom_they_are_about_until_they_are_erased(shop: Shop) -> None:
    """What counts now and when it was said, in both forms; nobody else's; nothing of it in the ledger."""
    person, other = shop.fresh(), shop.fresh()
    before = datetime.now(UTC)
    set_consent(shop, person, PURPOSES[0], "granted")
    set_consent(shop, other, PURPOSES[1], "granted")
    set_consent(shop, person, PURPOSES[0], "withdrawn")
    data, page = packed(shop, person)
    (told,) = data["consents"]
    assert (told["purpose"], told["state"], told["source"]) == (PURPOSES[0], "withdrawn", "case")
    given, ended, recorded = (datetime.fromisoformat(told[n]) for n in ("granted_at", "withdrawn_at", "recorded_at"))
    assert before <= given < ended <= recorded
    assert told["said_at"] == told["withdrawn_at"]
    assert {"kind": "customer_id", "value": person.customer_id} in told["identifiers"]
    (row,) = re.findall(r'<tr role="row"><th [^>]*>Marketing email .*</tr>', page)
    since, until_then = (moment(at.astimezone(ZoneInfo("Europe/Berlin"))) for at in (ended, given))
    for words in (
        ">Withdrawn<", f'"Since">{since} <', f">before that: given {until_then}<", ", on its own<",
        f"<bdi>{person.customer_id}<",
    ):  # fmt: skip
        assert words in row
    assert PURPOSES[1] not in page[page.index('id="consents"') : page.index('id="left-out"')]
    with Ledger.open(shop.home.ledger, SystemClock().now) as ledger:
        entries = [entry.body for entry in ledger.entries(case_id=data["case"])]
    assert entries
    assert PURPOSES[0].encode() not in b"".join(entries)
    data, page = packed(shop, person, "--portability")
    assert [one["state"] for one in data["consents"]] == ["withdrawn"]
    assert "because you provided it yourself" in page
    assert shop.run("erase", f"customer_id={person.customer_id}", "--yes").code in (0, 3)
    data, page = packed(shop, person)
    assert "consents" not in data
    assert 'id="consents"' not in page
    assert [one["purpose"] for one in packed(shop, other)[0]["consents"]] == [PURPOSES[1]]


def test_a_statement_under_an_address_alone_is_told_as_it_would_be_erased(shop: Shop) -> None:
    """From a file, with the time the file says; somebody with another address hears nothing of it."""
    person, other = shop.fresh(), shop.fresh()
    file = shop.folder / "said.csv"
    file.write_text(f"email,purpose,state,at\n{person.email},{PURPOSES[1]},granted,2026-02-03T22:30:00Z\n")
    assert shop.run("consent", "propagate", str(file), "--yes").code in (0, 3)
    (told,) = packed(shop, person)[0]["consents"]
    assert (told["purpose"], told["said_at"], told["source"]) == (PURPOSES[1], "2026-02-03T22:30:00Z", "file")
    assert (told["state"], told["withdrawn_at"]) == ("granted", None)
    assert "consents" not in packed(shop, other)[0]


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

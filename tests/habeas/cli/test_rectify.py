"""`habeas rectify`: what is wrong is put right where it is held, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Shop

PHONE = "+4930999111"


def results(case: Any, connection: str) -> dict[tuple[str, str], str]:
    """(field, record) → result."""
    return {(r.get("field", ""), r["record"]): r["result"] for r in case["outcomes"] if r["connection"] == connection}


def test_what_is_held_is_corrected_and_read_back(shop: Shop) -> None:
    person = shop.fresh()
    others = [server.app.held_text(p) for server in shop.servers for p in shop.world.people if p is not person]
    who = f"customer_id={person.customer_id}"
    ran = shop.run("--json", "rectify", who, f"phone={PHONE}", "first_name=Zuzanna", "last_name=Corrected", "--yes")
    case = ran.json
    assert (case["type"], case["status"]) == ("rectification", "completed")
    assert ran.code in (0, 3)
    fields = ("phone", "first_name", "last_name")
    assert {results(case, "voucherify")[field, "customer"] for field in fields} == {"updated"}
    assert "updated" in results(case, "cybersource").values()
    for name in ("voucherify", "cybersource"):
        assert "Corrected" in shop.world.servers[name].app.held_text(person)
    assert PHONE in shop.world.servers["voucherify"].app.held_text(person)
    assert others == [server.app.held_text(p) for server in shop.servers for p in shop.world.people if p is not person]
    assert PHONE.encode() not in shop.ledger_bytes()
    again = shop.run("--json", "rectify", who, f"phone={PHONE}", "--yes").json
    assert results(again, "voucherify")["phone", "customer"] == "unchanged"


def test_nobody_is_created_by_a_correction(shop: Shop) -> None:
    nobody = shop.world.people[6]
    case = shop.run("--json", "rectify", f"customer_id={nobody.customer_id}", "name=New Name", "--yes").json
    assert set(results(case, "voucherify").values()) == {"absent"}
    assert shop.world.held(nobody) == {}


def test_the_first_word_names_the_person_and_later_ones_what_is_right(shop: Shop) -> None:
    person = shop.fresh()
    new = "corrected.address@shop-customer.example"
    case = shop.run("--json", "rectify", f"email={person.email}", f"email={new}", "--yes").json
    assert results(case, "voucherify")["email", "customer"] == "updated"
    assert new in shop.world.servers["voucherify"].app.held_text(person)


def test_words_can_come_from_files(shop: Shop) -> None:
    person = shop.fresh()
    who, right = shop.folder / "who.txt", shop.folder / "right.txt"
    who.write_text(f"customer_id={person.customer_id}\n")
    right.write_text("city=Łódź\n")
    files = ["--subject-from", str(who), "--values-from", str(right)]
    case = shop.run("--json", "rectify", *files, "--yes").json
    assert results(case, "voucherify")["city", "customer"] == "updated"
    assert "Łódź" in shop.world.servers["voucherify"].app.held_text(person)


def test_a_vendor_that_is_down_is_failed_and_resume_finishes(shop: Shop) -> None:
    person = shop.fresh()
    shop.world.servers["cybersource"].down = True
    ran = shop.run("--json", "rectify", f"customer_id={person.customer_id}", "last_name=Resumed", "--yes")
    assert (ran.code, ran.json["status"]) == (1, "incomplete")
    shop.world.servers["cybersource"].down = False
    (case,) = shop.run("--json", "resume", ran.json["case"]).json["cases"]
    assert case["status"] == "completed"
    assert "Resumed" in shop.world.servers["cybersource"].app.held_text(person)


def test_a_dry_run_says_what_each_connection_can_do_and_changes_nothing(shop: Shop) -> None:
    before = shop.world.changing_calls()
    who = f"customer_id={shop.fresh().customer_id}"
    ran = shop.run("--json", "rectify", who, "city=Lyon", "birthdate=1990-01-31", "--dry-run")
    assert (ran.code, ran.json["case"], ran.json["dry_run"]) == (0, None, True)
    parts = {part["connection"]: part for part in ran.json["connections"]}
    assert parts["voucherify"]["corrected"] == ["city", "birthdate"]
    assert parts["cybersource"]["unsupported"] == ["birthdate"]
    assert all(part["found"] for part in parts.values())
    assert "city" in shop.run("rectify", who, "city=Lyon", "--dry-run").stdout
    assert shop.world.changing_calls() == before


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "nothing to correct is given"),
        (["nickname=secret"], "kind habeas does not know"),
        (["phone=secret"], "phone given cannot be used"),
        (["country=secret"], "ISO 3166"),
        (["city=secret", "city=other"], "given twice"),
    ],
)
def test_what_cannot_be_right_is_refused_before_anything_is_sent(shop: Shop, words: list[str], why: str) -> None:
    calls = shop.calls
    ran = shop.run("rectify", f"customer_id={shop.world.people[0].customer_id}", *words, "--yes")
    assert ran.code == 2
    assert why in ran.error
    assert "secret" not in ran.error
    assert shop.calls == calls

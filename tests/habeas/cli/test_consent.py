"""`habeas consent`: what the vendors hold, what becomes of a wish, and what is refused before anything is sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from habeas.testing.sandbox import Fault, Reply

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Shop

PURPOSE = "marketing_email"
GOOD = {"updated", "unchanged", "accepted"}


def by_connection(case: Any) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in case["outcomes"]:
        assert row.get("purpose", PURPOSE) == PURPOSE
        found.setdefault(row["connection"], set()).add(row["result"])
    return found


def test_a_withdrawal_is_true_at_every_vendor_that_has_the_purpose(shop: Shop) -> None:
    person = shop.fresh()
    who = f"customer_id={person.customer_id}"
    others = shop.others(person)
    for state in ("granted", "withdrawn"):
        ran = shop.run("--json", "consent", "set", who, f"{PURPOSE}={state}", "--yes")
        case = ran.json
        results = by_connection(case)
        assert (case["type"], case["status"]) == ("consent", "completed")
        assert results["cybersource"] == {"unsupported"}
        for name in set(results) - {"cybersource"}:
            assert results[name] <= GOOD
            if results[name] != {"accepted"}:
                assert shop.world.servers[name].app.consent(person, PURPOSE) is (state == "granted")
        assert ran.code == 3
        shown = shop.run("--json", "consent", "show", who).json
        for part in shown["connections"]:
            (one,) = [p for p in part["purposes"] if p["purpose"] == PURPOSE]
            assert one["state"] in (state, "unreadable")
    assert shop.others(person) == others


def test_again_is_unchanged_and_sends_nothing_that_changes_where_it_can_be_read(shop: Shop) -> None:
    who = f"customer_id={shop.fresh().customer_id}"
    wanted = f"{PURPOSE}=withdrawn"
    shop.run("consent", "set", who, wanted, "--yes")
    before = len(shop.world.servers["talonone"].changing_calls())
    case = shop.run("--json", "consent", "set", who, wanted, "--yes").json
    assert by_connection(case)["talonone"] == {"unchanged"}
    assert len(shop.world.servers["talonone"].changing_calls()) == before


def test_nobody_is_created_by_a_wish(shop: Shop) -> None:
    nobody = shop.world.people[6]
    case = shop.run("--json", "consent", "set", f"customer_id={nobody.customer_id}", f"{PURPOSE}=granted", "--yes").json
    results = by_connection(case)
    assert {name: results[name] for name in ("voucherify", "talonone")} == {
        "voucherify": {"absent"},
        "talonone": {"absent"},
    }
    assert shop.world.held(nobody) == {}


def test_a_vendor_that_is_down_is_failed_and_resume_finishes(shop: Shop) -> None:
    person = shop.fresh()
    shop.world.servers["talonone"].down = True
    wanted = not shop.world.servers["talonone"].app.consent(person, PURPOSE)
    state = f"{PURPOSE}={'granted' if wanted else 'withdrawn'}"
    ran = shop.run("--json", "consent", "set", f"customer_id={person.customer_id}", state, "--yes")
    assert (ran.code, ran.json["status"]) == (1, "incomplete")
    assert by_connection(ran.json)["talonone"] <= {"failed", "unknown"}
    shop.world.servers["talonone"].down = False
    (case,) = shop.run("--json", "resume", ran.json["case"]).json["cases"]
    assert case["status"] == "completed"
    assert by_connection(case)["talonone"] == {"updated"}
    assert shop.world.servers["talonone"].app.consent(person, PURPOSE) is wanted


def test_a_vendor_that_only_says_yes_is_found_out(shop: Shop) -> None:
    person = shop.fresh()
    server = shop.world.servers["talonone"]
    server.fail(Fault("lie", "PUT", times=-1, reply=Reply(200, {})))
    who = f"customer_id={person.customer_id}"
    wanted = not server.app.consent(person, PURPOSE)
    ran = shop.run("--json", "consent", "set", who, f"{PURPOSE}={'granted' if wanted else 'withdrawn'}", "--yes")
    assert by_connection(ran.json)["talonone"] <= {"failed", "unknown"}
    assert ran.code == 1


def test_a_dry_run_and_show_change_nothing_and_open_no_case(shop: Shop) -> None:
    who = f"customer_id={shop.fresh().customer_id}"
    before, cases = shop.world.changing_calls(), shop.run("--json", "case", "list").json
    ran = shop.run("--json", "consent", "set", who, f"{PURPOSE}=granted", "--dry-run")
    assert (ran.code, ran.json["case"], ran.json["dry_run"]) == (0, None, True)
    assert all(p["wanted"] == "granted" for c in ran.json["connections"] for p in c["purposes"])
    ran = shop.run("consent", "show", who, "--purpose", PURPOSE)
    assert ran.code == 0
    assert PURPOSE in ran.stdout
    assert shop.world.changing_calls() == before
    assert shop.run("--json", "case", "list").json == cases


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["marketing_mail=granted"], "a purpose that is not configured"),
        ([f"{PURPOSE}=maybe"], "can be granted or withdrawn"),
        ([f"{PURPOSE}=granted", f"{PURPOSE}=withdrawn"], "given twice"),
        ([], "no consent is given"),
        (["secret"], "no consent is given"),
        (["secret", f"{PURPOSE}=granted"], "KIND=VALUE"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_sent(shop: Shop, words: list[str], why: str) -> None:
    calls = shop.calls
    ran = shop.run("consent", "set", f"customer_id={shop.world.people[0].customer_id}", *words, "--yes")
    assert ran.code == 2
    assert why in ran.error
    assert "secret" not in ran.error
    assert shop.calls == calls


def test_without_a_yes_and_with_nobody_to_ask_nothing_is_sent(shop: Shop) -> None:
    calls = shop.calls
    ran = shop.run("consent", "set", f"customer_id={shop.world.people[0].customer_id}", f"{PURPOSE}=granted")
    assert ran.code == 4
    assert "--yes" in ran.error
    assert shop.calls == calls


def test_an_unknown_purpose_to_show_names_those_that_there_are(shop: Shop) -> None:
    ran = shop.run("consent", "show", f"customer_id={shop.world.people[0].customer_id}", "--purpose", "secret")
    assert ran.code == 2
    assert PURPOSE in ran.error
    assert "secret" not in ran.error


def test_a_mapping_that_changes_before_resume_keeps_its_purpose_open(own_shop: Shop) -> None:
    """Taken out or changed: that purpose fails with the reason, none takes another's place, and put back it goes on."""
    person = own_shop.world.people[0]
    talonone = own_shop.world.servers["talonone"]
    whole = own_shop.config.read_text()
    talonone.down = True
    words = ["marketing_email=withdrawn", "newsletter=withdrawn"]
    ran = own_shop.run("--json", "consent", "set", f"customer_id={person.customer_id}", *words, "--yes")
    talonone.down = False
    assert ran.json["status"] == "incomplete"
    case_id = ran.json["case"]
    (line,) = [n for n in whole.splitlines() if n.startswith("talonone = ") and "ConsentMarketingEmail" in n]
    for other in ("", line.replace("ConsentMarketingEmail", "ConsentProfiling")):
        own_shop.config.write_text(whole.replace(line, other))
        (case,) = own_shop.run("--json", "resume", case_id).json["cases"]
        said = {r["purpose"]: r["result"] for r in case["outcomes"] if r["connection"] == "talonone"}
        assert said == {"marketing_email": "failed", "newsletter": "updated"}
        assert case["status"] == "incomplete"
    assert talonone.app.consent(person, "newsletter") is False
    own_shop.config.write_text(whole)
    (case,) = own_shop.run("--json", "resume", case_id).json["cases"]
    said = {r["purpose"]: r["result"] for r in case["outcomes"] if r["connection"] == "talonone"}
    assert (case["status"], said["marketing_email"]) == ("completed", "updated")
    assert talonone.app.consent(person, "marketing_email") is False


def test_a_connection_that_is_gone_keeps_its_part_open(own_shop: Shop) -> None:
    person = own_shop.world.people[0]
    whole = own_shop.config.read_text()
    own_shop.world.servers["talonone"].down = True
    ran = own_shop.run("--json", "consent", "set", f"customer_id={person.customer_id}", f"{PURPOSE}=granted", "--yes")
    own_shop.world.servers["talonone"].down = False
    parts = re.split(r"(?m)^(?=\[)", whole)
    kept = [p for p in parts if not p.startswith("[connections.talonone")]
    own_shop.config.write_text(
        re.sub(r"(?m)^talonone = .*$\n", "", "".join(kept)).replace("[consent.purposes.newsletter]", "")
    )
    (case,) = own_shop.run("--json", "resume", ran.json["case"]).json["cases"]
    (row,) = [r for r in case["outcomes"] if r["connection"] == "talonone"]
    assert (case["status"], row["result"]) == ("incomplete", "failed")
    assert "no longer configured" in row["reason"]
    own_shop.config.write_text(whole)
    (case,) = own_shop.run("--json", "resume", ran.json["case"]).json["cases"]
    assert case["status"] == "completed"

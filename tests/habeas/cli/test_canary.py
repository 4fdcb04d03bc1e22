"""`habeas canary`: every control tried, nobody left behind, and an alarm for what stops working."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from habeas.changes import Effect
from habeas.engine.verdicts import judge_consents, judge_corrections
from habeas.models import Result
from habeas.testing.people import Person
from habeas.testing.sandbox import Fault, Reply

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Shop

CONTROLS = ["create", "inventory", "export", "consent", "rectify", "erase", "verify"]


def verdicts(result: Any, connection: str) -> dict[str, str]:
    return {c["control"]: c["verdict"] for c in result["controls"] if c["connection"] == connection}


def ghost(shop: Shop, result: Any) -> Person:
    template = shop.world.people[0]
    name = result["reference"]
    return Person(**{**template.__dict__, "customer_id": name, "email": f"{name}@canary.invalid", "phone": "+1202555"})


def test_every_control_is_tried_and_nobody_is_left_behind(shop: Shop) -> None:
    truth = shop.truth()
    ran = shop.run("canary", "--json")
    result = ran.json
    assert (ran.code, result["type"], result["status"], result["alarms"]) == (0, "canary", "completed", [])
    for name in ("voucherify", "talonone"):
        assert verdicts(result, name) == dict.fromkeys(CONTROLS, "worked")
    assert verdicts(result, "cybersource") == dict.fromkeys(CONTROLS, "worked") | {"consent": "unsupported"}
    assert shop.world.held(ghost(shop, result)) == {}
    assert shop.truth() == truth
    entries = shop.run("--json", "audit", "log", "--case", result["case"], "--type", "canary.control").json["entries"]
    assert len(entries) == len(result["controls"])


def test_a_control_that_stops_working_is_an_alarm_until_it_works_again(shop: Shop) -> None:
    shop.run("canary", "talonone")
    server = shop.world.servers["talonone"]
    server.fail(Fault("lie", "DELETE", path="customer_data", times=-1))
    ran = shop.run("canary", "talonone", "--json")
    assert ran.code == 1
    assert verdicts(ran.json, "talonone")["erase"] == "failed"
    assert {"erase", "verify"} >= {alarm["control"] for alarm in ran.json["alarms"]} >= {"erase"}
    assert "ALARM talonone/erase: worked last at 20" in ran.stderr
    server.faults.clear()
    case = ran.json["case"]
    (finished,) = shop.run("--json", "resume", case).json["cases"]
    assert finished["status"] == "completed"
    assert shop.world.held(ghost(shop, ran.json)) == {}
    again = shop.run("canary", "talonone")
    assert again.code == 0
    assert "ALARM" not in again.stderr


def test_a_vendor_that_is_down_fails_its_own_controls_only(shop: Shop) -> None:
    shop.world.servers["voucherify"].down = True
    result = shop.run("canary", "voucherify", "cybersource", "--json").json
    assert verdicts(result, "voucherify")["create"] == "failed"
    assert verdicts(result, "cybersource")["erase"] == "worked"
    assert {c["connection"] for c in result["controls"]} == {"voucherify", "cybersource"}


def test_what_a_refusing_vendor_says_is_not_repeated(shop: Shop) -> None:
    shop.world.servers["voucherify"].fail(Fault("status", times=-1, reply=Reply(400, {"message": "secret"})))
    ran = shop.run("canary", "voucherify")
    assert ran.code == 1
    assert "secret" not in ran.stdout + ran.stderr


def test_an_unknown_connection_names_those_that_there_are(shop: Shop) -> None:
    calls = shop.calls
    ran = shop.run("canary", "secret")
    assert ran.code == 2
    assert "voucherify" in ran.error
    assert "secret" not in ran.error
    assert shop.calls == calls


def test_nobody_is_called_gone_while_the_vendor_cannot_be_asked(shop: Shop) -> None:
    server = shop.world.servers["talonone"]
    server.fail(Fault("lie", "DELETE", path="customer_data", times=-1))
    result = shop.run("canary", "talonone", "--json").json
    server.faults.clear()
    server.down = True
    (case,) = shop.run("--json", "resume", result["case"]).json["cases"]
    assert case["status"] == "incomplete"
    assert "absent" not in {row["result"] for row in case["outcomes"]}
    server.down = False
    assert shop.world.held(ghost(shop, result))
    (case,) = shop.run("--json", "resume", result["case"]).json["cases"]
    assert (case["status"], shop.world.held(ghost(shop, result))) == ("completed", {})


def test_somebody_who_may_be_left_and_cannot_be_found_is_not_passed_over(shop: Shop) -> None:
    """The answer to the creation is lost, and the vendor stays silent for a while."""
    server = shop.world.servers["cybersource"]
    server.fail(Fault("reset_after", "POST", path="customers$"))
    server.fail(Fault("reset_before", times=12))
    ran = shop.run("canary", "cybersource", "--json")
    server.faults.clear()
    assert ran.code != 0
    if shop.world.held(ghost(shop, ran.json)):
        assert ran.json["status"] == "incomplete" or "manual" in {r["result"] for r in ran.json["outcomes"]}
        assert verdicts(ran.json, "cybersource")["verify"] == "failed"
        shop.run("resume", ran.json["case"])


def test_what_the_time_did_not_allow_is_untested_and_no_alarm(shop: Shop) -> None:
    assert shop.run("canary", "talonone").code == 0
    shop.world.servers["talonone"].fail(Fault("hang_before", path="inventory", times=-1))
    ran = shop.run("canary", "talonone", "--max-wait", "1", "--json")
    shop.world.servers["talonone"].release()
    assert ran.json["alarms"] == []
    assert "untested" in verdicts(ran.json, "talonone").values()
    assert ran.code == 1, "the case is not finished"


EFFECT = Effect(0, "thing", 1, Result.UPDATED, "GET /v1/things -> 200")


def effects(*results: str) -> list[Effect]:
    return [replace(EFFECT, index=n, result=Result(r)) for n, r in enumerate(results)]


@pytest.mark.parametrize(
    ("granted", "withdrawn", "verdict"),
    [
        (["updated"], ["updated"], "worked"),
        (["unchanged"], ["updated"], "worked"),
        (["accepted"], ["accepted"], "worked"),
        (["unsupported"], ["unsupported"], "unsupported"),
        (["updated", "unsupported"], ["updated", "unsupported"], "worked"),
        (["updated", "updated"], ["updated", "unchanged"], "failed"),
        (["updated", "failed"], ["updated", "updated"], "failed"),
        (["updated"], ["absent"], "failed"),
        (["manual"], ["manual"], "failed"),
    ],
)
def test_each_purpose_must_have_been_granted_and_withdrawn(
    granted: list[str], withdrawn: list[str], verdict: str
) -> None:
    assert judge_consents(effects(*granted), effects(*withdrawn))[0] == verdict


@pytest.mark.parametrize(
    ("results", "verdict"),
    [
        (["updated"], "worked"),
        (["updated", "unsupported", "absent"], "worked"),
        (["unsupported", "unsupported"], "unsupported"),
        (["updated", "unchanged"], "failed"),
        (["updated", "unknown"], "failed"),
        (["absent"], "failed"),
        (["manual"], "failed"),
    ],
)
def test_each_field_must_have_been_corrected_somewhere(results: list[str], verdict: str) -> None:
    assert judge_corrections(effects(*results))[0] == verdict

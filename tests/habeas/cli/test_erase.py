"""`habeas erase`: what it says is what is true at the vendors, whoever the person is and whatever the vendors do."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from habeas.testing.sandbox import Fault, Reply

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Ran, Shop

    from habeas.testing.people import Person
    from habeas.testing.sandbox import Call, SandboxServer

pytestmark = pytest.mark.usefixtures("patient")

HOLD_ALL = """\
name = "hold-everything"
version = 1
type = "erasure"
regime = "gdpr"
description = "Holds everything: for tests."

[default]
action = "erase"
reason = "The person asked for it."
legal_source = "GDPR Art. 17(1)"

[[rules]]
match.plugin = [PLUGINS]
action = "retain"
reason = "A court has ordered that nothing may be deleted."
legal_basis = "https://w3id.org/dpv/legal/eu/gdpr#A6-1-c"
legal_source = "GDPR Art. 17(3)(e)"
exemption = "https://w3id.org/dpv/legal/eu/gdpr#JustificationA17LegalClaims"
period = "P1Y"
period_starts = "received"
"""


def hold_all(shop: Shop) -> str:
    """A policy under which every record of every vendor is held."""
    path = shop.policies / "hold-everything.toml"
    path.write_text(HOLD_ALL.replace("PLUGINS", ", ".join(f'"{name}"' for name in shop.world.servers)))
    return path.stem


def outcomes(case: Any, connection: str = "") -> Counter[str]:
    """How many outcomes of each result."""
    return Counter(row["result"] for row in case["outcomes"] if connection in ("", row["connection"]))


def check_truth(shop: Shop, person: Person, case: Any) -> None:
    """What is `erased` or `absent` is not at the vendor; what is there is told as something else."""
    for name, server in shop.world.servers.items():
        held = server.app.held(person)
        rows = [row for row in case["outcomes"] if row["connection"] == name]
        assert rows, name
        gone = {row["record"] for row in rows if row["result"] in ("erased", "absent")}
        kept = {row["record"] for row in rows if row["result"] not in ("erased", "absent")}
        assert not (set(held) & gone - kept), (name, held, gone)
        if held:
            assert kept, (name, held)


def check_shown(shop: Shop, case: Any) -> None:
    """`case show` says the same afterwards, besides the ledger."""
    shown = shop.run("case", "show", case["case"], "--json").json
    assert {k: v for k, v in shown.items() if k != "ledger"} == {k: v for k, v in case.items() if k != "ledger"}


def erase(shop: Shop, person: Person, *arguments: str) -> tuple[Ran, Any]:
    """Erases somebody."""
    ran = shop.run("--json", "erase", f"customer_id={person.customer_id}", "--yes", *arguments)
    return ran, ran.json


# -- people -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 14, 21, 28, 35, 42])
def test_a_person_known_everywhere_is_erased_everywhere(number: int, shop: Shop) -> None:
    """Ordinary ids, and ids with +, /, blanks and letters beyond ASCII; nobody else's data is touched."""
    person = shop.world.people[number]
    before, others = shop.world.held(person), shop.others(person)
    assert set(before) == person.held_at
    ran, case = erase(shop, person)
    assert (ran.code, case["status"]) == (0, "completed"), case
    assert shop.world.held(person) == {}
    assert shop.others(person) == others
    for name in shop.world.servers:
        assert set(outcomes(case, name)) == {"erased"}
    check_shown(shop, case)


@pytest.mark.parametrize("number", [18, 27, 36])
def test_where_a_person_is_not_known_it_says_absent(number: int, shop: Shop) -> None:
    """Missing at one vendor: absent there where it can be searched, or a person must look; erased at the others."""
    person = shop.world.people[number]
    (missing,) = set(shop.world.servers) - person.held_at
    others = shop.others(person)
    ran, case = erase(shop, person)
    assert shop.world.held(person) == {}
    assert shop.others(person) == others
    assert set(outcomes(case, missing)) in ({"absent"}, {"manual"})
    assert ran.code == (3 if outcomes(case)["manual"] else 0)
    for name in person.held_at:
        assert set(outcomes(case, name)) == {"erased"}
    check_truth(shop, person, case)


def test_somebody_nobody_knows_is_absent_and_nothing_is_sent_that_changes(shop: Shop) -> None:
    """A person without records, by id; and one without any row in the identity table, by e-mail."""
    changes = shop.world.changing_calls()
    for who in (f"customer_id={shop.world.people[6].customer_id}", "email=nobody@nowhere.example"):
        ran = shop.run("--json", "erase", who, "--yes")
        assert ran.code == (3 if outcomes(ran.json)["manual"] else 0)
        assert set(outcomes(ran.json)) <= {"absent", "manual"}
        assert outcomes(ran.json)["absent"] > 0
        assert ran.json["status"] == "completed"
        assert {row["connection"] for row in ran.json["outcomes"]} == set(shop.world.servers)
    assert shop.world.changing_calls() == changes


def test_one_of_two_people_with_one_address_is_erased_and_the_other_is_not(shop: Shop) -> None:
    """By `customer_id`; a record found only by the shared address belongs to whoever's id it carries."""
    one, other = shop.world.people[2], shop.world.people[3]
    before = shop.world.held(other)
    ran, case = erase(shop, one)
    assert ran.code in (0, 3), case
    assert shop.world.held(other) == before
    check_truth(shop, one, case)


def test_a_shared_card_is_kept_for_the_other_with_the_reason(shop: Shop) -> None:
    """The link to the person is gone, the card number token is retained, the other person's data is untouched."""
    one, other = shop.world.people[4], shop.world.people[5]
    others = shop.others(one)
    ran, case = erase(shop, one)
    assert (ran.code, case["status"]) == (0, "completed"), case
    assert shop.world.held(one) == {}
    assert shop.others(one) == others
    assert shop.world.held(other)
    (kept,) = [row for row in case["outcomes"] if row["result"] == "retained"]
    assert "shared" in kept["reason"]


def test_a_second_erasure_finds_nothing_and_changes_nothing(shop: Shop) -> None:
    """Absent, with evidence; what was erased is not claimed twice."""
    person = shop.fresh()
    assert erase(shop, person)[0].code == 0
    changes = shop.world.changing_calls()
    ran, case = erase(shop, person)
    assert (ran.code, set(outcomes(case))) == (0, {"absent"})
    assert shop.world.changing_calls() == changes


def test_an_erasure_by_email_finds_the_person_behind_it(shop: Shop) -> None:
    """A bare address in other capitals is looked up in the identity table; all of the person's ids are used."""
    person = shop.fresh()
    ran = shop.run("--json", "erase", person.email.upper(), "--yes")
    assert (ran.code, ran.json["status"]) == (0, "completed"), ran.json
    assert shop.world.held(person) == {}


# -- dry run and holds ------------------------------------------------------------------------------------------------


def test_a_dry_run_changes_nothing_and_says_the_same_twice(shop: Shop) -> None:
    """No case, no change, the same digest; a search is a processing, so the ledger knows of it."""
    person = shop.fresh()
    truth, changes = shop.truth(), shop.world.changing_calls()
    cases = shop.run("case", "list", "--json").json
    one, two = (shop.run("--json", "erase", f"customer_id={person.customer_id}", "--dry-run") for _ in range(2))
    assert (one.code, two.code) == (0, 0)
    assert one.json["plan_digest"] == two.json["plan_digest"]
    assert one.json["plan"] == two.json["plan"]
    planned = {p["connection"]: {r["record"] for r in p["records"]} for p in one.json["plan"]}
    looked = shop.run("--json", "inventory", f"customer_id={person.customer_id}").json["connections"]
    for name, server in shop.world.servers.items():
        told = {gap["record"] for part in looked if part["connection"] == name for gap in part["gaps"]}
        known = {k.name for k in shop.registry.infos[name].kinds}
        assert server.app.held(person).keys() & known <= planned[name] | told
    assert (shop.truth(), shop.world.changing_calls()) == (truth, changes)
    assert shop.run("case", "list", "--json").json == cases
    run = one.json["run"]
    entries = shop.run("audit", "log", "--run", run, "--json").json["entries"]
    types = [e["type"] for e in entries if e["type"] != "schema.seen"]
    assert types == ["run.started", "subject.searched", "run.ended", "checkpoint"]
    _, case = erase(shop, person)
    assert case["plan_digest"] == one.json["plan_digest"]


def test_under_a_hold_on_everything_it_refuses_and_changes_nothing(shop: Shop) -> None:
    """Exit 4 with and without `--dry-run`; each record retained, with reason, law and end."""
    policy = hold_all(shop)
    person = shop.fresh()
    truth, changes = shop.truth(), shop.world.changing_calls()
    dry = shop.run("--json", "erase", f"customer_id={person.customer_id}", "--policy", policy, "--dry-run")
    assert dry.code == 4
    assert {record["action"] for part in dry.json["plan"] for record in part["records"]} == {"retain"}
    ran, case = erase(shop, person, "--policy", policy)
    assert (ran.code, case["status"]) == (4, "refused")
    assert set(outcomes(case)) == {"retained"}
    for row in case["outcomes"]:
        assert "court" in row["reason"]
        assert "Art. 17(3)(e)" in row["reason"]
        assert row["until"]
    assert case["notices"] == []
    assert (shop.truth(), shop.world.changing_calls()) == (truth, changes)
    check_shown(shop, case)
    resumed = shop.run("resume", "--json").json["cases"]
    assert case["case"] not in [other["case"] for other in resumed]


def test_a_hold_on_payments_keeps_exactly_those(shop: Shop) -> None:
    """Retained at the vendors as told; the rest is gone."""
    person = shop.fresh()
    before = shop.world.held(person)
    ran, case = erase(shop, person, "--policy", "gdpr-erasure-hold-payments")
    assert (ran.code, case["status"]) == (0, "completed"), case
    kept = {(row["connection"], row["record"]) for row in case["outcomes"] if row["result"] == "retained"}
    after = shop.world.held(person)
    assert kept
    assert {(name, kind) for name, kinds in after.items() for kind in kinds} == kept
    assert all(before[name][kind] == count for name, kinds in after.items() for kind, count in kinds.items())
    assert all(row["until"] for row in case["outcomes"] if row["result"] == "retained")


def test_a_policy_of_the_configured_folder_is_found_by_its_name_and_can_be_the_default(own_shop: Shop) -> None:
    """One that is only given by its path is refused: a case could not be resumed under it."""
    name = hold_all(own_shop)
    elsewhere = own_shop.folder / "elsewhere.toml"
    elsewhere.write_text((own_shop.policies / f"{name}.toml").read_text().replace(name, "elsewhere"))
    calls, size = own_shop.calls, own_shop.ledger_bytes()
    ran = own_shop.run("erase", "customer_id=C-100000", "--yes", "--policy", str(elsewhere))
    assert (ran.code, own_shop.calls, own_shop.ledger_bytes()) == (2, calls, size)
    assert "policy elsewhere is not in the folder of policies; put it there" in ran.error
    own_shop.config.write_text(f'{own_shop.config.read_text()}erasure = "{name}"\n')
    dry = own_shop.run("--json", "erase", "customer_id=C-100000", "--dry-run")
    assert (dry.code, dry.json["policy"]["name"]) == (4, name)
    assert name in [p["name"] for p in own_shop.run("policy", "list", "--json").json["policies"]]
    assert own_shop.run("policy", "show", name).code == 0


@pytest.mark.parametrize("change", ["removed", "changed"])
def test_a_case_is_not_finished_under_another_policy_than_it_was_approved_for(change: str, own_shop: Shop) -> None:
    """What was planned is done; what was not yet searched waits until the policy is what it was."""
    shop, person = own_shop, own_shop.world.people[0]
    policy = shop.policies / "ours.toml"
    text = (
        'name = "ours"\nversion = 1\ntype = "erasure"\nregime = "gdpr"\ndescription = "Ours."\n[default]\n'
        'action = "erase"\nreason = "Asked."\nlegal_source = "GDPR Art. 17(1)"\n'
    )
    policy.write_text(text)
    name, server = list(shop.world.servers.items())[-1]
    server.down = True
    assert erase(shop, person, "--policy", "ours")[0].code == 1
    server.down = False
    if change == "removed":
        policy.unlink()
    else:
        policy.write_text(text.replace("Asked.", "Asked again."))
    ran = shop.run("resume", "--json")
    (case,) = ran.json["cases"]
    assert (ran.code, case["status"], set(outcomes(case, name))) == (1, "incomplete", {"failed"})
    assert "policy" in next(row["reason"] for row in case["outcomes"] if row["connection"] == name)
    assert set(shop.world.held(person)) == {name}
    policy.write_text(text)
    assert shop.run("resume").code == 0
    assert shop.world.held(person) == {}


# -- vendors in trouble -----------------------------------------------------------------------------------------------


def _away(server: SandboxServer) -> None:
    server.down = True


def _answers(status: int, **headers: str) -> Callable[[SandboxServer], None]:
    def apply(server: SandboxServer) -> None:
        server.fail(Fault("status", times=-1, reply=Reply(status, {"message": "no"}, headers)))

    return apply


def _says(body: bytes) -> Callable[[SandboxServer], None]:
    def apply(server: SandboxServer) -> None:
        server.fail(Fault("replace", times=-1, reply=Reply(200, body=body)))

    return apply


TROUBLES: dict[str, Callable[[SandboxServer], None]] = {
    "away": _away,
    "401": _answers(401),
    "500": _answers(500),
    "429 for ages": _answers(429, **{"Retry-After": "1000000000"}),
    "redirect": _answers(302, Location="http://127.0.0.1:9/"),
    "login page": _says(b"<html>Please log in</html>"),
    "empty": _says(b""),
    "list": _says(b"[]"),
    "object": _says(b"{}"),
}


@pytest.mark.parametrize("kind", TROUBLES)
def test_trouble_at_one_vendor_stays_there_and_resume_finishes(kind: str, shop: Shop) -> None:
    """Failed there, never absent, never erased; done at the others; then, with the vendor well again, all of it."""
    person = shop.fresh()
    number = list(TROUBLES).index(kind) % len(shop.servers)
    name, server = list(shop.world.servers)[number], shop.servers[number]
    TROUBLES[kind](server)
    ran, case = erase(shop, person)
    assert (ran.code, case["status"]) == (1, "incomplete"), case
    assert set(outcomes(case, name)) == {"failed"}
    assert all(row["reason"] for row in case["outcomes"] if row["connection"] == name)
    assert set(shop.world.held(person)) == {name}
    for other in set(shop.world.servers) - {name}:
        assert set(outcomes(case, other)) == {"erased"}
    assert f"Case {case['case']} is not finished: `habeas resume` goes on." in ran.stderr
    check_shown(shop, case)
    server.down = False
    server.faults.clear()
    again = shop.run("resume", case["case"], "--json")
    (finished,) = again.json["cases"]
    assert (again.code, finished["status"]) == (0, "completed"), finished
    assert set(outcomes(finished)) == {"erased"}
    assert shop.world.held(person) == {}


CHANGE_FAULTS = {
    "5xx before": Fault("status", times=-1, reply=Reply(503, {"message": "x"})),
    "reset before": Fault("reset_before", times=-1),
    "reset after, once": Fault("reset_after", times=1),
    "5xx after, once": Fault("replace", times=1, reply=Reply(502, body=b"bad gateway")),
    "garbage after, once": Fault("replace", times=1, reply=Reply(200, body=b"\x00\xff")),
}


@pytest.mark.parametrize("kind", CHANGE_FAULTS)
def test_a_change_whose_answer_is_lost_is_read_before_it_is_told(kind: str, shop: Shop) -> None:
    """Whatever happened, what is told is true; resume ends it."""
    person = shop.fresh()
    server = shop.servers[list(CHANGE_FAULTS).index(kind) % len(shop.servers)]
    pattern = CHANGE_FAULTS[kind]
    for method in ("DELETE", "POST"):
        server.fail(Fault(pattern.kind, method, times=pattern.times, reply=pattern.reply))
    ran, case = erase(shop, person)
    check_truth(shop, person, case)
    assert ran.code == (0 if case["status"] == "completed" else 1)
    assert (case["status"] == "completed") == (shop.world.held(person) == {})
    server.faults.clear()
    shop.run("resume")
    shown = shop.run("case", "show", case["case"], "--json").json
    assert (shown["status"], set(outcomes(shown))) == ("completed", {"erased"}), shown
    assert shop.world.held(person) == {}


@pytest.fixture
def liar(shop: Shop, request: pytest.FixtureRequest) -> Iterator[tuple[str, SandboxServer]]:
    """A vendor whose changes happen to a copy of its data, answers and all, while its reads show the truth."""
    name = list(shop.world.servers)[request.param % len(shop.servers)]
    server = shop.world.servers[name]
    shadow = shop.registry.sandbox(name)
    shadow.seed(shop.world.people)
    honest = server.respond

    def respond(call: Call) -> Reply | None:
        if call.method == "GET":
            return honest(call)
        server.calls.append(call)
        return shadow.handle(call)

    server.respond = respond  # type: ignore[method-assign] # a vendor that lies is what is tested
    yield name, server
    server.respond = honest  # type: ignore[method-assign] # as it was


@pytest.mark.parametrize("liar", range(3), indirect=True)
def test_a_vendor_that_says_done_and_keeps_it_is_not_believed(liar: tuple[str, SandboxServer], shop: Shop) -> None:
    """A perfect lie: each change is answered as if it had been made. Failed, never erased."""
    name, _ = liar
    person = shop.fresh()
    held = shop.world.held(person)[name]
    ran, case = erase(shop, person)
    assert (ran.code, case["status"]) == (1, "incomplete")
    assert set(outcomes(case, name)) == {"failed"}, [r for r in case["outcomes"] if r["connection"] == name]
    assert shop.world.held(person) == {name: held}


def test_a_storm_of_429_is_waited_out(shop: Shop) -> None:
    """At every vendor, with and without a number of seconds: then it goes on as if nothing had been."""
    person = shop.fresh()
    for server in shop.servers:
        for skip, after in ((0, "2"), (1, ""), (3, "0")):
            headers = {"Retry-After": after} if after else {}
            server.fail(Fault("status", times=1, skip=skip, reply=Reply(429, {"message": "slow down"}, headers)))
    ran, case = erase(shop, person)
    assert (ran.code, set(outcomes(case))) == (0, {"erased"}), case
    assert shop.world.held(person) == {}


@pytest.mark.parametrize("kind", ["hang_before", "drip"])
def test_no_vendor_can_keep_it_longer_than_max_wait(kind: Any, shop: Shop) -> None:
    """One second and a little: what is not done by then is failed or unknown, and resume goes on."""
    person = shop.fresh()
    name, server = list(shop.world.servers.items())[0 if kind == "drip" else -1]
    server.fail(Fault(kind, times=-1))
    started = time.monotonic()
    ran, case = erase(shop, person, "--max-wait", "1")
    assert time.monotonic() - started < 1 + 2 + 12
    assert (ran.code, case["status"]) == (1, "incomplete")
    assert set(outcomes(case, name)) <= {"failed", "unknown"}
    check_truth(shop, person, case)
    server.faults.clear()
    assert shop.run("resume", case["case"]).code == 0
    assert shop.world.held(person) == {}


def test_all_vendors_away_is_failed_everywhere_and_lost_nowhere(shop: Shop) -> None:
    """The case stays in the register until it is done."""
    person = shop.fresh()
    for server in shop.servers:
        server.down = True
    ran, case = erase(shop, person, "--reference", "kept")
    assert (ran.code, set(outcomes(case))) == (1, {"failed"})
    for server in shop.servers:
        server.down = False
    again = shop.run("resume", "--json")
    assert again.code == 0
    (finished,) = [c for c in again.json["cases"] if c["case"] == case["case"]]
    assert (finished["reference"], finished["status"]) == ("kept", "completed")


def test_a_connection_that_is_no_longer_configured_keeps_its_case_open(own_shop: Shop) -> None:
    """Its part of the plan is not forgotten: failed, with what to do."""
    shop = own_shop
    person = shop.world.people[0]
    name, server = list(shop.world.servers.items())[-1]
    server.fail(Fault("status", "DELETE", times=-1))
    server.fail(Fault("status", "POST", times=-1))
    _, case = erase(shop, person)
    assert case["status"] == "incomplete"
    server.faults.clear()
    whole = shop.config.read_text()
    head, block = whole.split(f"[connections.{name}]\n")
    shop.config.write_text(head)
    ran = shop.run("resume", "--json")
    (still,) = ran.json["cases"]
    assert (ran.code, still["status"]) == (1, "incomplete")
    assert set(outcomes(still, name)) <= {"failed", "unknown"}
    shop.config.write_text(f"{head}[connections.{name}]\n{block}")
    assert shop.run("resume").code == 0
    assert shop.world.held(person) == {}

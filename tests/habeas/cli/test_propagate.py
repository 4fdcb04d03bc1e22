"""`habeas consent propagate`: every vendor holds what people want, nothing is sent in vain, and nobody is created."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.habeas.cli.conftest import run

from habeas.cli.consent_propagate import code_of
from habeas.clock import SystemClock
from habeas.engine.together import digest_of
from habeas.home import Home
from habeas.opening import create_home
from habeas.testing.people import Person
from habeas.testing.sandbox import Fault, Reply
from habeas_audit import Ledger

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Ran, Shop

PURPOSE = "marketing_email"
HEADER = ("email", "customer_id", "purpose", "state", "at")
READABLE = ("voucherify", "talonone")
"""Vendors of which the sandbox shows what they hold."""


def row(person: Person, state: str, day: int = 1, purpose: str = PURPOSE) -> tuple[str, ...]:
    return (person.email, person.customer_id, purpose, state, f"2026-02-{day:02d}T10:00:00Z")


def write(path: Path, rows: Iterable[tuple[str, ...]], header: tuple[str, ...] = HEADER) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def propagate(shop: Shop, rows: Iterable[tuple[str, ...]], *options: str) -> Ran:
    path = write(shop.folder / "consents.csv", rows)
    return shop.run("--json", "consent", "propagate", str(path), "--yes", *options)


def holds(shop: Shop, person: Person, purpose: str = PURPOSE) -> dict[str, bool | None]:
    return {name: shop.world.servers[name].app.consent(person, purpose) for name in READABLE}


def opposite(shop: Shop, person: Person) -> str:
    """What the first readable vendor does not hold."""
    return "withdrawn" if holds(shop, person)["talonone"] else "granted"


def kinds(shop: Shop) -> dict[str, dict[str, set[str]]]:
    """Who is where, and with what: a change leaves its trace in an activity log, but makes no new kind of record."""
    return {who: {name: set(held) for name, held in all_.items()} for who, all_ in shop.truth().items()}


def said(shop: Shop, kind: str) -> list[dict[str, Any]]:
    with Ledger.open(shop.home.ledger, SystemClock().now) as ledger:
        return [entry.data for entry in ledger.entries(types=[kind])]


def test_everybody_is_as_they_want_and_nobody_is_created(own_shop: Shop) -> None:
    people = own_shop.world.people
    own_shop.config.write_text(own_shop.config.read_text().replace("cybersource = {}\n", ""))
    wanted = {p.customer_id: n % 2 == 0 for n, p in enumerate(people)}
    before = kinds(own_shop)
    ran = propagate(own_shop, [row(p, "granted" if wanted[p.customer_id] else "withdrawn") for p in people])
    assert ran.code in (0, 3)
    for person in people:
        for name, given in holds(own_shop, person).items():
            assert given is (wanted[person.customer_id] if name in person.held_at else None)
    assert kinds(own_shop) == before
    summary = ran.json["summary"]
    assert (summary["rows"], summary["recorded"], summary["unreachable"]) == (len(people), len(people), 0)
    assert summary["changed"] == sum(
        row["result"] in ("updated", "accepted") for case in ran.json["cases"] for row in case["outcomes"]
    )
    everything = summary["changed"] + summary["unchanged"] + summary["absent"] + summary["refused"]
    assert everything == 2 * len(people), "each person at each of two vendors, once"
    assert summary["unchanged"] > 0
    assert all(case["type"] == "consent" and case["status"] == "completed" for case in ran.json["cases"])
    assert summary["lag_seconds"]["median"] <= summary["lag_seconds"]["p95"] <= summary["lag_seconds"]["max"]
    (told,) = said(own_shop, "consent.propagated")
    assert told == {key: summary[key] for key in told}
    (batch,) = said(own_shop, "consent.recorded")
    assert (batch["statements"], batch["source"]) == (len(people), "file")
    calls = own_shop.calls
    again = propagate(own_shop, [row(p, "granted" if wanted[p.customer_id] else "withdrawn") for p in people])
    assert (again.code, again.json["cases"], own_shop.calls) == (0, [], calls), "what did not change costs no call"
    assert (again.json["summary"]["known"], again.json["summary"]["recorded"]) == (len(people), 0)


def test_a_vendor_without_consents_is_told_and_costs_nobody_a_case(own_shop: Shop) -> None:
    people = [p for p in own_shop.world.people if len(p.held_at) == 3][:4]
    rows = [row(p, "granted" if holds(own_shop, p)["talonone"] else "withdrawn") for p in people]
    ran = propagate(own_shop, rows)
    acted = {case["case"] for case in ran.json["cases"]}
    assert len(acted) < len(people), "somebody was as wanted wherever a consent is held"
    assert ran.json["summary"]["connections"]["cybersource"] == {PURPOSE: {"unsupported": len(people)}}
    assert not [o for case in ran.json["cases"] for o in case["outcomes"] if o["connection"] == "cybersource"]
    assert ran.code == 3
    assert ran.json["summary"]["refused"] >= len(people)
    again = propagate(own_shop, rows)
    assert (again.code, again.json["cases"]) == (0, [])


@pytest.mark.parametrize(
    ("cases", "summary", "code"),
    [
        (0, {}, 0),
        (0, {"refused": 1, "unreachable": 0}, 3),
        (1, {"refused": 1, "unreachable": 0}, 1),
        (3, {"refused": 1, "unreachable": 2}, 1),
    ],
)
def test_what_is_nobody_s_case_counts_as_well_also_where_resume_finishes_it(
    cases: int, summary: dict[str, int], code: int
) -> None:
    assert code_of(cases, summary) == code


def test_withdrawals_are_sent_before_consents_given(shop: Shop) -> None:
    people = [shop.fresh() for _ in range(3)]
    propagate(shop, [row(p, "granted" if n else "withdrawn", 1) for n, p in enumerate(people)])
    server = shop.world.servers["talonone"]
    before = len(server.changing_calls())
    propagate(shop, [row(p, "withdrawn" if n else "granted", 2) for n, p in enumerate(people)])
    sent = [call for call in server.changing_calls()[before:] if call.method == "PUT"]
    values = [b"true" in call.body for call in sent]
    assert values == sorted(values)
    assert {*values} == {False, True}


def test_order_repeats_and_late_rows_do_not_matter(shop: Shop) -> None:
    person = shop.fresh()
    rows = [
        row(person, "granted", 3),
        row(person, "withdrawn", 9),
        row(person, "granted", 9),
        row(person, "granted", 2),
    ]
    propagate(shop, [*reversed(rows), *rows])
    assert set(holds(shop, person).values()) == {False}
    ran = propagate(shop, [row(person, "granted", 8)])
    assert (ran.json["summary"]["stale"], ran.json["cases"]) == (1, [])
    assert set(holds(shop, person).values()) == {False}
    propagate(shop, [row(person, "granted", 10)])
    assert set(holds(shop, person).values()) == {True}


def test_a_withdrawal_by_hand_is_not_undone_by_an_older_file(shop: Shop) -> None:
    person = shop.fresh()
    propagate(shop, [row(person, "granted", 3)])
    shop.run("consent", "set", f"email={person.email}", f"{PURPOSE}=withdrawn", "--yes")
    ran = propagate(shop, [row(person, "granted", 20), row(person, "granted", 3)])
    assert ran.json["summary"]["stale"] == 2
    assert set(holds(shop, person).values()) == {False}


def test_a_consent_by_hand_that_is_older_than_a_withdrawal_is_refused(shop: Shop) -> None:
    """The web shop's clock is two minutes ahead of ours."""
    person = shop.fresh()
    at = (datetime.now(UTC) + timedelta(minutes=2)).isoformat()
    propagate(shop, [(person.email, person.customer_id, PURPOSE, "withdrawn", at)])
    calls = shop.calls
    ran = shop.run("consent", "set", f"customer_id={person.customer_id}", f"{PURPOSE}=granted", "--yes")
    assert (ran.code, shop.calls) == (4, calls)
    assert "was withdrawn at" in ran.error


def test_an_old_case_that_is_resumed_does_what_is_wanted_now(own_shop: Shop) -> None:
    person, server = own_shop.world.people[0], own_shop.world.servers["talonone"]
    server.down = True
    ran = own_shop.run("--json", "consent", "set", f"customer_id={person.customer_id}", f"{PURPOSE}=granted", "--yes")
    assert (ran.code, ran.json["status"]) == (1, "incomplete")
    soon = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    propagate(own_shop, [(person.email, "", PURPOSE, "withdrawn", soon)])
    server.down = False
    resumed = own_shop.run("--json", "resume").json
    (case,) = [c for c in resumed["cases"] if c["case"] == ran.json["case"]]
    assert case["status"] == "completed"
    (said,) = [r for r in case["outcomes"] if r["connection"] == "talonone"]
    assert "said later: withdrawn" in said["reason"]
    assert set(holds(own_shop, person).values()) == {False}


def test_a_vendor_that_is_down_stops_only_itself_and_resume_goes_on(own_shop: Shop) -> None:
    people = [p for p in own_shop.world.people if len(p.held_at) == 3]
    server = own_shop.world.servers["talonone"]
    server.down = True
    wanted = {p.customer_id: opposite(own_shop, p) == "granted" for p in people}
    ran = propagate(own_shop, [row(p, opposite(own_shop, p)) for p in people])
    assert ran.code == 1
    assert ran.json["summary"]["unreachable"] == len(people)
    assert ran.json["summary"]["connections"]["talonone"] == {PURPOSE: {"unreachable": len(people)}}
    assert all(holds(own_shop, p)["voucherify"] is wanted[p.customer_id] for p in people)
    server.down = False
    resumed = own_shop.run("--json", "resume")
    assert resumed.code in (0, 3)
    assert resumed.json["summary"]["unreachable"] == 0
    assert all(holds(own_shop, p)["talonone"] is wanted[p.customer_id] for p in people)
    assert own_shop.run("--json", "resume").json["cases"] == []


def test_who_was_erased_is_dropped_and_never_written_again(own_shop: Shop) -> None:
    person, other = own_shop.world.people[0], own_shop.world.people[1]
    propagate(own_shop, [row(person, "granted"), row(other, "granted")])
    own_shop.run("erase", f"customer_id={person.customer_id}", "--yes")
    assert own_shop.world.held(person) == {}
    changing = own_shop.world.changing_calls()
    ran = propagate(own_shop, [row(person, "withdrawn", 5), row(other, "granted")])
    assert ran.json["summary"]["erased_rows"] == 1
    assert (ran.json["cases"], own_shop.world.changing_calls()) == ([], changing)
    assert own_shop.world.held(person) == {}
    content = own_shop.home.consents.read_bytes()
    assert person.email.encode() not in content
    assert other.email.encode() not in content, "sealed"


BAD = {
    "purpose is not one that is configured": ("{email}", "{id}", "spam", "granted", "2026-02-01T10:00:00Z"),
    "state is not one of": ("{email}", "{id}", PURPOSE, "maybe", "2026-02-01T10:00:00Z"),
    "at is not a time with its offset": ("{email}", "{id}", PURPOSE, "granted", "2026-02-01"),
    "at is in the future": ("{email}", "{id}", PURPOSE, "granted", "2126-02-01T10:00:00Z"),
    "no identifier is given": ("", "", PURPOSE, "granted", "2026-02-01T10:00:00Z"),
    "the email given cannot be used": ("nobody", "{id}", PURPOSE, "granted", "2026-02-01T10:00:00Z"),
    "3 cells, the header has 5": ("{email}", "{id}", PURPOSE),
    "people in the identity table": ("{shared}", "", PURPOSE, "granted", "2026-02-01T10:00:00Z"),
}


def test_a_file_with_bad_rows_is_refused_whole_and_its_good_rows_can_be_done(own_shop: Shop) -> None:
    person, shared = own_shop.world.people[0], own_shop.world.people[2].email
    names = {"email": person.email, "id": person.customer_id, "shared": shared}
    bad = [tuple(cell.format(**names) for cell in cells) for cells in BAD.values()]
    rows = [row(person, opposite(own_shop, person)), *bad, *[bad[0]] * 20]
    calls, ledger = own_shop.calls, own_shop.ledger_bytes()
    ran = propagate(own_shop, rows)
    assert (ran.code, own_shop.calls, own_shop.ledger_bytes()) == (2, calls, ledger)
    lines = [line for line in ran.stderr.splitlines() if line.startswith("line ")]
    assert len(lines) == 20
    for n, (why, line) in enumerate(zip(BAD, lines, strict=False)):
        assert line.startswith(f"line {n + 3}: ")
        assert why in line
    assert "… and 8 more" in ran.stderr
    for name in names.values():
        assert name not in ran.stderr + ran.stdout
    path = own_shop.folder / "consents.csv"
    assert own_shop.run("consent", "propagate", str(path), "--dry-run").code == 2
    ran = own_shop.run("--json", "consent", "propagate", str(path), "--skip-invalid", "--yes")
    assert (ran.code, ran.json["summary"]["invalid"], ran.json["summary"]["recorded"]) == (3, 28, 1)
    with Path(ran.json["summary"]["invalid_file"]).open(newline="", encoding="utf-8") as file:
        written = list(csv.reader(file))
    assert [r[-2] for r in written[1:4]] == ["3", "4", "5"]
    assert len(written) == 29


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (("email", "purpose", "state"), "no column 'at'"),
        (("purpose", "state", "at"), "no identifier column"),
        (("email", "email", "purpose", "state", "at"), "'email' twice"),
    ],
)
def test_a_file_without_what_is_needed_is_refused(shop: Shop, header: tuple[str, ...], why: str) -> None:
    ran = shop.run("consent", "propagate", str(write(shop.folder / "odd.csv", [], header)), "--yes")
    assert ran.code == 2
    assert why in ran.error


def test_nothing_is_read_where_nobody_can_be_asked_and_a_dry_run_changes_nothing(shop: Shop) -> None:
    path = write(shop.folder / "dry.csv", [row(shop.fresh(), "granted")])
    calls, ledger = shop.calls, shop.ledger_bytes()
    ran = shop.run("consent", "propagate", str(path))
    assert ran.code == 4
    assert "--yes" in ran.error
    ran = shop.run("--json", "consent", "propagate", str(path), "--dry-run")
    assert (ran.code, ran.json["summary"]["new"]) == (0, 1)
    assert (shop.calls, shop.ledger_bytes()) == (calls, ledger)


@pytest.mark.parametrize("option", [["--max-runtime", "soon"], ["--read-back", "sample:0"], ["--read-back", "most"]])
def test_options_that_mean_nothing_are_refused(shop: Shop, option: list[str]) -> None:
    path = write(shop.folder / "options.csv", [row(shop.fresh(), "granted")])
    calls = shop.calls
    ran = shop.run("consent", "propagate", str(path), "--yes", *option)
    assert (ran.code, shop.calls) == (2, calls)


def test_columns_that_mean_nothing_are_named_and_a_connections_own_id_may_name_a_person(shop: Shop) -> None:
    person = shop.fresh()
    cells = (person.customer_id, PURPOSE, "granted", "2026-02-01t10:00:00.5+02:00", "x")
    ran = shop.run(
        "--json", "consent", "propagate", "--yes",
        str(write(shop.folder / "own.csv", [cells], ("talonone", "purpose", "state", "at", "source"))),
    )  # fmt: skip
    assert "leaves alone: source" in ran.stderr
    assert ran.json["summary"]["recorded"] == 1
    assert holds(shop, person)["talonone"] is True


# -- drift ------------------------------------------------------------------------------------------------------------


def drift(shop: Shop, *options: str) -> Ran:
    return shop.run("--json", "consent", "drift", *options)


def elsewhere(shop: Shop, person: Person, state: str) -> None:
    """Somebody changes it at the vendor, by other means than habeas."""
    with HomeOf(shop, "elsewhere") as other:
        ran = other.run("consent", "set", f"customer_id={person.customer_id}", f"{PURPOSE}={state}", "--yes")
        assert ran.code in (0, 3)


class HomeOf:
    """Another home for the same vendors and people."""

    def __init__(self, shop: Shop, name: str) -> None:
        self._shop, self._home = shop, Home(shop.folder / name)

    def __enter__(self) -> HomeOf:
        create_home(self._home, SystemClock())
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._home.path)

    def run(self, *arguments: str) -> Ran:
        return run("--home", str(self._home.path), "--config", str(self._shop.config), *arguments)


def test_drift_is_found_over_everybody_and_repaired(own_shop: Shop) -> None:
    known = [p for p in own_shop.world.people if len(p.held_at) == 3]
    own_shop.config.write_text(own_shop.config.read_text().replace("cybersource = {}\n", ""))
    propagate(own_shop, [row(p, "withdrawn" if n < 4 else "granted") for n, p in enumerate(known)])
    clean = drift(own_shop)
    assert (clean.code, clean.json["summary"]["drift"]["drifted"]) == (0, 0)
    assert clean.json["summary"]["drift"]["people"] == len(known)
    elsewhere(own_shop, known[0], "granted")
    elsewhere(own_shop, known[5], "withdrawn")
    changing = own_shop.world.changing_calls()
    found = drift(own_shop)
    assert (found.code, own_shop.world.changing_calls()) == (1, changing)
    purposes = found.json["summary"]["drift"]["connections"]["talonone"][PURPOSE]
    assert purposes == {"as_wanted": len(known) - 2, "granted_there": 1, "withdrawn_there": 1}
    assert said(own_shop, "consent.compared")[-1] == found.json["summary"]["drift"]
    refused = own_shop.run("consent", "drift", "--repair")
    assert (refused.code, own_shop.world.changing_calls()) == (4, changing)
    part = drift(own_shop, "--repair", "--yes")
    assert (part.code, part.json["summary"]["not_given_again"]) == (1, 2)  # at two vendors
    assert set(holds(own_shop, known[0]).values()) == {False}
    assert set(holds(own_shop, known[5]).values()) == {False}, "they may have withdrawn at the vendor itself"
    assert own_shop.run("consent", "drift", "--grants-too").code == 2
    whole = drift(own_shop, "--repair", "--grants-too", "--yes")
    assert (whole.code, whole.json["summary"]["not_given_again"]) == (0, 0)
    assert len(whole.json["cases"]) == 1
    assert set(holds(own_shop, known[5]).values()) == {True}
    assert drift(own_shop).code == 0


def test_a_sample_of_drift_and_a_vendor_that_cannot_be_read(own_shop: Shop) -> None:
    known = [p for p in own_shop.world.people if len(p.held_at) == 3][:5]
    propagate(own_shop, [row(p, "withdrawn") for p in known])
    own_shop.world.servers["talonone"].down = True
    ran = drift(own_shop, "--sample", "3")
    assert ran.code == 1
    found = ran.json["summary"]["drift"]
    assert (found["people"], found["unreachable"]) == (3, 3)
    assert found["connections"]["voucherify"][PURPOSE] == {"as_wanted": 3}


def test_drift_of_nobody_is_nothing(own_shop: Shop) -> None:
    calls = own_shop.calls
    ran = drift(own_shop)
    assert (ran.code, ran.json["summary"]["drift"]["people"], own_shop.calls) == (0, 0, calls)


# -- calls for many ---------------------------------------------------------------------------------------------------


def calls_for_many(shop: Shop) -> list[Any]:
    paths = ("/v2/customer_profiles", "/v2/customer_audiences", "/v1/customers/bulk/async")
    return [c for s in shop.servers for c in s.changing_calls() if c.path in paths]


def test_many_are_changed_by_few_calls_with_an_intent_that_says_for_whom(own_shop: Shop) -> None:
    known = [p for p in own_shop.world.people if len(p.held_at) == 3]
    ran = propagate(own_shop, [row(p, "granted", purpose="profiling") for p in known])
    assert ran.code in (0, 3)
    assert {call.path for call in calls_for_many(own_shop)} >= {"/v2/customer_profiles", "/v1/customers/bulk/async"}
    with Ledger.open(own_shop.home.ledger, SystemClock().now) as ledger:
        intents = [e for e in ledger.entries(types=["call.intent"]) if not e.case_id]
        answered = {e.data["intent"] for e in ledger.entries(types=["call.outcome"])}
    assert intents
    for intent in intents:
        about = [
            case["case"]
            for case in ran.json["cases"]
            if any(row["connection"] == intent.connection for row in case["outcomes"])
        ]
        assert intent.seq in answered
        assert (intent.data["cases"], intent.data["whose"]) == (len(about), digest_of(about))


def test_a_sample_that_is_not_read_back_is_accepted_and_no_more(own_shop: Shop) -> None:
    own_shop.config.write_text(own_shop.config.read_text().replace("cybersource = {}\n", ""))
    known = [p for p in own_shop.world.people if len(p.held_at) == 3]
    wanted = {p.customer_id: opposite(own_shop, p) == "granted" for p in known}
    ran = propagate(own_shop, [row(p, opposite(own_shop, p)) for p in known], "--read-back", "sample:1")
    results = [r for c in ran.json["cases"] for r in c["outcomes"] if r["connection"] == "talonone"]
    assert {r["result"] for r in results} == {"updated", "accepted"}
    assert all("not among those who were read back" in r["reason"] for r in results if r["result"] == "accepted")
    assert ran.code == 3
    assert all(holds(own_shop, p)["talonone"] is wanted[p.customer_id] for p in known)


def test_a_call_for_many_that_is_refused_leaves_each_person_to_be_asked_alone(own_shop: Shop) -> None:
    known = [p for p in own_shop.world.people if len(p.held_at) == 3]
    own_shop.world.servers["talonone"].fail(
        Fault("status", "PUT", r"/v2/customer_profiles\?", times=-1, reply=Reply(400, {"message": "no"}))
    )
    wanted = {p.customer_id: opposite(own_shop, p) == "granted" for p in known}
    before = kinds(own_shop)
    ran = propagate(own_shop, [row(p, opposite(own_shop, p)) for p in known])
    assert ran.code in (0, 3)
    assert all(holds(own_shop, p)["talonone"] is wanted[p.customer_id] for p in known)
    assert kinds(own_shop) == before


def test_a_call_for_many_whose_answer_is_lost_is_made_good_person_by_person(own_shop: Shop) -> None:
    known = [p for p in own_shop.world.people if len(p.held_at) == 3]
    own_shop.world.servers["voucherify"].fail(Fault("reset_after", "POST", "/v1/customers/bulk/async", times=-1))
    wanted = {p.customer_id: opposite(own_shop, p) == "granted" for p in known}
    ran = propagate(own_shop, [row(p, opposite(own_shop, p)) for p in known])
    assert ran.code in (0, 3)
    assert all(holds(own_shop, p)["voucherify"] is wanted[p.customer_id] for p in known)
    rows = [r for c in ran.json["cases"] for r in c["outcomes"] if r["connection"] == "voucherify"]
    assert {r["result"] for r in rows} <= {"updated", "accepted", "manual"}


def test_the_report_counts_what_was_carried_on_and_compared(own_shop: Shop) -> None:
    known = [p for p in own_shop.world.people if len(p.held_at) == 3]
    summary = propagate(own_shop, [row(p, opposite(own_shop, p)) for p in known]).json["summary"]
    drift(own_shop)
    path, today = own_shop.folder / "report.json", datetime.now(UTC).date()
    days = ["--from", str(today - timedelta(days=1)), "--to", str(today)]
    ran = own_shop.run("report", *days, "--format", "json", "-o", str(path))
    assert ran.code in (0, 3), ran.stderr
    sections = json.loads(path.read_text())["sections"]
    figures = {one["name"]: one["value"] for section in sections for one in section["figures"]}
    assert figures["consent_runs"] == 1
    assert figures["consent_statements[what=file]"] == len(known)
    assert figures["consent_carried"] == len(known) * 3
    assert figures["consent_carried[connection=talonone,result=updated]"] == len(known)
    assert figures["consent_lag_max"] == str(summary["lag_seconds"]["max"])
    assert figures["consent_compared[connection=talonone,result=as_wanted]"] == len(known)

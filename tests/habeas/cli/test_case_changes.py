"""What may become of a case besides being carried out, as a user does it: `habeas case …`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.habeas.cli.ending import DAY, add_policy, id_of, needles_of, said, small_shop, use_clock
from tests.searching import REFERENCE, leaks, needles_for

from habeas.engine.erasure import ErasurePass

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Shop

    from habeas.testing.clock import SkippingClock
    from habeas.testing.people import Person

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
"""A month later is Christmas, on a Friday."""
CHANGES = {
    "extend": ["--because", "complexity"],
    "refuse": ["--ground", "unfounded", "--yes"],
    "cancel": ["--yes"],
    "close": ["--yes"],
    "reopen": ["--because", "mistake"],
    "acknowledge": [],
    "identity": ["--verified", "--method", "login"],
    "clock": ["--stop", "identity"],
}
ACCESS = """
name = "who-access"
version = 1
type = "access"
regime = "gdpr"
description = "For tests."
identity_check = true

[default]
action = "retain"
reason = "A copy is handed over."
legal_basis = "https://w3id.org/dpv/legal/eu/gdpr#A6-1-c"
legal_source = "GDPR Art. 15"
"""


def ask_who(shop: Shop) -> None:
    """Policies under which a case waits until it is known who asked."""
    path = shop.policies / f"{add_policy(shop, 'who')}.toml"
    path.write_text(path.read_text().replace("[default]", "identity_check = true\n\n[default]"))
    (shop.policies / "who-access.toml").write_text(ACCESS)


@pytest.fixture(scope="module")
def _shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    for shop in small_shop(tmp_path_factory, 60):
        ask_who(shop)
        yield shop


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> SkippingClock:
    return use_clock(monkeypatch, NOW)


@pytest.fixture(scope="module")
def standing(_shop: Shop) -> str:
    """A case that waits all the time."""
    return waiting(_shop)


def waiting(shop: Shop, *arguments: str, person: Person | None = None) -> str:
    """A case that waits until it is known who asked: nothing was sent for it."""
    who = id_of(person or shop.fresh())
    ran = shop.run("--json", "erase", who, "--policy", "who", "--yes", "--regime", "gdpr", *arguments)
    assert (ran.code, ran.json["status"]) == (4, "waiting"), ran
    return str(ran.json["case"])


def from_file(shop: Shop, tmp_path: Path, received_at: str, regime: str, policy: str = "who") -> str:
    """A case whose request was received on some other day."""
    path = tmp_path / "requests.csv"
    path.write_text(f"type,customer_id,received_at,regime\nerasure,{shop.fresh().customer_id},{received_at},{regime}\n")
    ran = shop.run("batch", str(path), "--policy", policy, "--yes", "--json")
    assert ran.code in (0, 3, 4), ran
    return str(said(shop, "case.opened")[-1]["case"])


def change(shop: Shop, case: str, what: str, *arguments: str, code: int = 0) -> Any:
    """One of the subcommands; the case's JSON."""
    ran = shop.run("case", what, case, *(arguments or CHANGES[what]), "--json")
    assert ran.code == code, ran
    return ran.json


def check_shown(shop: Shop, case: str, said: Any) -> None:
    """`case show` says the same, with the same head of the ledger: showing writes nothing."""
    assert shop.run("case", "show", case, "--json").json == said


def refused(shop: Shop, *arguments: str, code: int = 4) -> str:
    """The one line of a refusal; nothing was written and nothing sent."""
    before, calls = shop.ledger_bytes(), shop.calls
    ran = shop.run("case", *arguments)
    assert (ran.code, ran.stdout) == (code, ""), ran
    assert (shop.ledger_bytes(), shop.calls) == (before, calls)
    return ran.error


def due_of(shop: Shop, case: str) -> str:
    """Day and time in UTC."""
    return str(shop.run("case", "show", case, "--json").json["due_at"])


def listed(shop: Shop, *cases: str) -> list[Any]:
    """What `case list --due` says of these, in its order."""
    found = shop.run("case", "list", "--due", "--json").json["cases"]
    return [one for one in found if one["case"] in cases]


def half_done(shop: Shop, person: Person) -> str:
    """An erasure that one vendor, which is away, keeps from its end."""
    shop.servers[-1].down = True
    ran = shop.run("--json", "erase", id_of(person), "--yes")
    assert (ran.code, ran.json["status"]) == (1, "incomplete")
    assert "erased" in {row["result"] for row in ran.json["outcomes"]}
    return str(ran.json["case"])


# -- usage ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("extend",),
        ("extend", "--because", "bored"),
        ("extend", "--because", "number", "--told-at", "31.12.2026"),
        ("extend", "--because", "number", "--told-at", "2026-11-25T09:00:00"),
        ("extend", "--because", "number", "--until", "tomorrow"),
        ("refuse", "--yes"),
        ("refuse", "--ground", "mood", "--yes"),
        ("reopen", "--because", "bored"),
        ("acknowledge", "--at", "2027-06-01"),
        ("identity", "--method", "login"),
        ("identity", "--verified"),
        ("identity", "--verified", "--method", "a copy of the passport"),
        ("clock",),
        ("clock", "--start", "--stop", "fee"),
        ("clock", "--stop", "holiday"),
    ],
)
def test_wrong_usage_is_one_line(shop: Shop, standing: str, arguments: tuple[str, ...]) -> None:
    assert refused(shop, arguments[0], standing, *arguments[1:], code=2)


@pytest.mark.parametrize("what", list(CHANGES))
def test_a_case_that_is_not_there_is_said_and_its_name_repeated_only_if_it_is_one(shop: Shop, what: str) -> None:
    assert "there is no case c-01ABC" in refused(shop, what, "c-01ABC", *CHANGES[what], code=2)
    assert "ada" not in refused(shop, what, "ada@example.org", *CHANGES[what], code=2)


def test_nothing_is_done_to_a_case_that_is_closed(shop: Shop) -> None:
    """One that was carried out; one that was refused can be taken up again, and nothing else."""
    done = shop.run("--json", "erase", id_of(shop.fresh()), "--yes").json["case"]
    case = waiting(shop)
    change(shop, case, "refuse")
    for what, arguments in CHANGES.items():
        assert refused(shop, what, done, *arguments)
        if what != "reopen":
            assert refused(shop, what, case, *arguments)


def test_where_nobody_can_be_asked_nothing_is_closed_without_yes(shop: Shop, standing: str) -> None:
    assert "--yes" in refused(shop, "refuse", standing, "--ground", "unfounded")
    assert "--yes" in refused(shop, "cancel", standing)


def test_each_shows_the_case_as_it_is_then(shop: Shop) -> None:
    """As JSON like any other command; as text its status and due date."""
    case = waiting(shop)
    for what in ("extend", "acknowledge", "identity", "refuse", "reopen"):
        check_shown(shop, case, change(shop, case, what))
    ran = shop.run("case", "cancel", case, "--yes")
    assert f"Case {case}: cancelled (withdrawn by the person)" in ran.stdout
    assert "due 2027-02-25" in ran.stdout


# -- refused, cancelled, taken up again -------------------------------------------------------------------------------


def test_a_refusal_stands_in_the_ledger_with_its_ground(shop: Shop) -> None:
    case = waiting(shop)
    assert change(shop, case, "refuse", "--ground", "excessive", "--yes")["status"] == "refused"
    (entry,) = said(shop, "case.closed", case=case)
    assert entry["data"] == {
        "status": "refused", "reason": "the request is manifestly excessive",
        "ground": "https://w3id.org/dpv/legal/eu/gdpr#JustificationA12ManifestlyExcessive",
    }  # fmt: skip


def test_what_the_person_withdraws_is_cancelled_and_resume_leaves_it_alone(shop: Shop) -> None:
    case = waiting(shop)
    assert change(shop, case, "cancel")["status"] == "cancelled"
    calls = shop.calls
    shop.run("resume", case)
    assert shop.calls == calls
    assert shop.run("case", "show", case).code == 4


def test_what_was_taken_up_again_is_carried_out_by_resume(shop: Shop) -> None:
    """By one that is told nothing, as cron runs it; the due date is what it was."""
    person = shop.fresh()
    case = waiting(shop, person=person)
    due = due_of(shop, case)
    change(shop, case, "refuse", "--ground", "identity", "--yes")
    assert change(shop, case, "reopen", "--because", "complaint")["status"] == "waiting"
    assert said(shop, "case.reopened", case=case)[0]["data"] == {"why": "complaint"}
    assert [one["case"] for one in listed(shop, case)] == [case]
    change(shop, case, "identity")
    (done,) = [one for one in shop.run("resume", "--json").json["cases"] if one["case"] == case]
    assert (done["status"], done["due_at"], shop.world.held(person)) == ("completed", due, {})


def test_of_two_about_the_same_only_one_is_open(shop: Shop) -> None:
    """The one that was refused is not taken up while another is open; and once it is, nobody opens another."""
    person = shop.fresh()
    first = waiting(shop, person=person)
    ran = shop.run("erase", id_of(person), "--yes")
    assert (ran.code, first in ran.error) == (4, True)
    change(shop, first, "refuse")
    second = waiting(shop, person=person)
    assert second in refused(shop, "reopen", first, "--because", "mistake")
    change(shop, second, "cancel")
    change(shop, first, "reopen")
    ran = shop.run("plan", id_of(person))
    assert (ran.code, first in ran.error) == (4, True)
    assert waiting(shop, "--again", person=person) not in (first, second)


def test_another_person_and_another_type_are_other_requests(shop: Shop) -> None:
    """Erasure of two people, access of one of them: nothing is in the way of anything."""
    one, two = shop.fresh(), shop.fresh()
    waiting(shop, f"email={one.email}", person=one)
    waiting(shop, person=two)
    assert shop.run("access", id_of(one)).code == 0


def test_once_something_was_sent_a_case_is_finished_and_not_refused(shop: Shop) -> None:
    person = shop.fresh()
    case = half_done(shop, person)
    assert "changed at a vendor already" in refused(shop, "refuse", case, "--ground", "unfounded", "--yes")
    assert "changed at a vendor already" in refused(shop, "cancel", case, "--yes")
    shop.servers[-1].down = False
    assert shop.run("resume", case, "--json").json["cases"][0]["status"] == "completed"
    assert shop.world.held(person) == {}


def test_what_cannot_be_finished_is_handed_to_a_person_and_never_called_erased(shop: Shop) -> None:
    """What was erased stays so; what failed is a person's work: exit 3, then and later."""
    person, away = shop.fresh(), shop.servers[-1]
    before = dict(away.app.held(person))
    case = half_done(shop, person)
    closed = change(shop, case, "close", code=3)
    check_shown(shop, case, closed)
    assert (closed["status"], dict(away.app.held(person))) == ("completed", before)
    results = {(row["connection"] == away.app.name, row["result"]) for row in closed["outcomes"]}
    assert results == {(False, "erased"), (True, "manual")}
    assert all("handed to a person" in r["reason"] for r in closed["outcomes"] if r["result"] == "manual")
    assert shop.run("case", "show", case).code == 3
    assert "is completed" in refused(shop, "close", case, "--yes")


def test_what_was_never_answered_is_handed_over_as_well(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken off before the first outcome: every vendor is a person's work, and nothing counts as done."""
    person = shop.fresh()

    def broken(*_: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(ErasurePass, "_erase_group", broken)
        assert shop.run("erase", id_of(person), "--yes").code == 1
    case = str(said(shop, "case.started")[-1]["case"])
    closed = change(shop, case, "close", code=3)
    assert [(row["connection"], row["result"]) for row in closed["outcomes"]] == [
        (name, "manual") for name in shop.world.servers
    ]
    assert shop.run("case", "show", case).code == 3
    assert shop.world.held(person)


def test_only_what_is_incomplete_is_closed_by_hand(shop: Shop, standing: str) -> None:
    assert "only one that is incomplete" in refused(shop, "close", standing, "--yes")


def test_a_case_is_judged_as_it_stands_when_the_entry_is_written(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """While somebody was asked whether to cancel it, it was carried out: it is not cancelled."""
    person = shop.fresh()
    case = waiting(shop, person=person)

    def meanwhile(*_: object, **__: object) -> bool:
        monkeypatch.undo()
        change(shop, case, "identity")
        assert shop.run("resume", case).code == 0
        return True

    monkeypatch.setattr("habeas.cli.case_changes.confirm", meanwhile)
    assert shop.run("case", "cancel", case, "--yes").code == 4
    assert [entry["data"]["status"] for entry in said(shop, "case.closed", case=case)] == ["completed"]


# -- time -------------------------------------------------------------------------------------------------------------


def test_an_extension_moves_the_due_date_as_the_person_was_told(shop: Shop) -> None:
    case = waiting(shop)
    assert due_of(shop, case) == "2026-12-28T22:59:59Z"
    change(
        shop, case, "extend", "--because", "number", "--told-at", "2026-11-25T10:00:00+01:00", "--until", "2027-01-12"
    )
    (entry,) = said(shop, "case.extended", case=case)
    assert entry["data"] == {
        "due_at": "2027-01-12T22:59:59Z", "told_at": "2026-11-25T09:00:00Z", "reason": "number", "until": "2027-01-12",
        "ground": "https://w3id.org/dpv/legal/eu/gdpr#JustificationA12HighVolume",
    }  # fmt: skip
    assert due_of(shop, case) == "2027-01-12T22:59:59Z"
    assert "extended already" in refused(shop, "extend", case, "--because", "number")
    assert "extended" in shop.run("case", "show", case).stdout


def test_an_extension_is_as_long_as_the_law_allows_and_no_longer(shop: Shop, clock: SkippingClock) -> None:
    case, late = waiting(shop), waiting(shop)
    assert "the last day is 2027-02-25" in refused(shop, "extend", case, "--because", "number", "--until", "2027-02-26")
    assert change(shop, case, "extend")["due_at"] == "2027-02-25T22:59:59Z"
    before = refused(shop, "extend", late, "--because", "number", "--told-at", "2026-11-24")
    assert "before the request came" in before
    clock.skip(34 * DAY)
    assert "told too late" in refused(shop, "extend", late, "--because", "number")
    assert change(shop, late, "extend", "--because", "number", "--told-at", "2026-12-28")["due_at"].startswith(
        "2027-02"
    )


def test_the_clock_of_a_british_case_stands_still_while_the_person_is_asked(
    shop: Shop, standing: str, tmp_path: Path, clock: SkippingClock
) -> None:
    """Stopped on day 2, answered on day 12: a month from there. Gdpr knows no such thing."""
    case = from_file(shop, tmp_path, "2026-11-23", "uk-gdpr")
    change(shop, case, "clock", "--stop", "identity", "--at", "2026-11-25")
    (one,) = listed(shop, case)
    assert (one["clock_stopped"], one["overdue"]) == (True, False)
    assert "stopped already" in refused(shop, "clock", case, "--stop", "fee")
    clock.skip(60 * DAY)
    assert listed(shop, case)[0]["overdue"] is False
    assert change(shop, case, "clock", "--start", "--at", "2026-12-05")["due_at"] == "2027-01-05T22:59:59Z"
    assert listed(shop, case)[0]["overdue"] is True
    assert [entry["data"]["at"] for entry in said(shop, "clock.stopped", "clock.started", case=case)] == [
        "2026-11-24T23:00:00Z", "2026-12-04T23:00:00Z",
    ]  # fmt: skip
    assert "not stopped" in refused(shop, "clock", standing, "--stop", "identity")


def test_the_clock_of_a_british_request_from_before_the_law_is_not_stopped(shop: Shop, tmp_path: Path) -> None:
    case = from_file(shop, tmp_path, "2026-02-04", "uk-gdpr")
    line = refused(shop, "clock", case, "--stop", "identity", "--at", "2026-02-06")
    assert "only for requests received from 2026-02-05 on" in line


def test_california_wants_receipt_confirmed_and_the_list_says_until_when(
    shop: Shop, standing: str, tmp_path: Path
) -> None:
    """Ten business days; Thanksgiving is not among the holidays, since those of a place in California are not set."""
    case = from_file(shop, tmp_path, "2026-11-25", "ccpa")
    (one,) = listed(shop, case)
    assert one["acknowledge_by"] == "2026-12-09T22:59:59Z"
    assert "confirm receipt by 2026-12-09" in shop.run("case", "list", "--due").stdout.replace("\n", " ")
    change(shop, case, "acknowledge", "--at", "2026-11-25T08:30:00Z")
    assert said(shop, "case.acknowledged", case=case)[0]["data"] == {"at": "2026-11-25T08:30:00Z"}
    assert listed(shop, case)[0]["acknowledge_by"] is None
    assert "confirmed already" in refused(shop, "acknowledge", case)
    assert listed(shop, standing)[0]["acknowledge_by"] is None


# -- who asked --------------------------------------------------------------------------------------------------------


def test_until_it_is_known_who_asked_no_vendor_is_asked_anything(shop: Shop) -> None:
    """Not on erase, not on resume, not after a failed check; then resume erases."""
    person, calls = shop.fresh(), shop.calls
    case = waiting(shop, person=person)
    assert shop.run("resume", case).code == 4
    assert change(shop, case, "identity", "--failed", "--method", "document")["status"] == "waiting"
    assert shop.run("resume", case).code == 4
    assert shop.run("plan", "--case", case).code == 4
    assert shop.calls == calls
    assert listed(shop, case)[0]["waits_for"] == "it is not confirmed who asked"
    assert change(shop, case, "identity", "--verified", "--method", "callback")["status"] == "open"
    assert shop.run("resume", case).code == 0
    assert shop.world.held(person) == {}
    assert [entry["data"] for entry in said(shop, "identity.checked", case=case)] == [
        {"result": "failed", "method": "document"}, {"result": "verified", "method": "callback"},
    ]  # fmt: skip


def test_a_batch_waits_for_everybody_of_whom_it_is_not_known(shop: Shop, tmp_path: Path) -> None:
    people, calls = [shop.fresh(), shop.fresh()], shop.calls
    path = tmp_path / "requests.csv"
    path.write_text("type,customer_id\n" + "".join(f"erasure,{p.customer_id}\n" for p in people))
    ran = shop.run("batch", str(path), "--policy", "who", "--yes", "--json")
    assert (ran.code, shop.calls, ran.json["summary"]["skipped"]) == (4, calls, 2)
    one, two = [str(entry["case"]) for entry in said(shop, "case.opened")[-2:]]
    change(shop, two, "identity")
    ran = shop.run("resume", one, two, "--json")
    assert [(case["case"], case["status"]) for case in ran.json["cases"]] == [(two, "completed")]
    assert [bool(shop.world.held(person)) for person in people] == [True, False]


def test_access_waits_as_well_and_has_no_package_before(make_shop: Callable[[int], Shop]) -> None:
    shop = make_shop(12)
    ask_who(shop)
    with shop.config.open("a") as file:
        file.write('access = "who-access"\n')  # under [policies], the last table
    person, calls = shop.fresh(), shop.calls
    ran = shop.run("--json", "access", id_of(person))
    assert ran.code == 4, ran
    assert (ran.json["status"], shop.calls) == ("waiting", calls)
    case = str(ran.json["case"])
    assert list(shop.home.packages.iterdir()) == []
    assert shop.run("access", id_of(person)).code == 4, "the same person, the same type, still open"
    change(shop, case, "identity")
    ran = shop.run("resume", "--json")
    assert (ran.code, ran.json["cases"][0]["status"]) == (0, "completed")
    assert len(list(shop.home.packages.iterdir())) == 1


# -- what burns first -------------------------------------------------------------------------------------------------


def test_the_most_urgent_is_on_top_and_what_is_overdue_is_said(
    make_shop: Callable[[int], Shop], tmp_path: Path, clock: SkippingClock
) -> None:
    """Exit 0 while all is in time, 3 once something is overdue; what is closed is not on the list."""
    shop = make_shop(60)
    ask_who(shop)
    assert shop.run("case", "list", "--due").code == 0
    slow = from_file(shop, tmp_path, "2026-11-25", "ccpa")
    usual = from_file(shop, tmp_path, "2026-11-20", "gdpr")
    quick = from_file(shop, tmp_path, "2026-11-24", "lgpd")
    gone = waiting(shop)
    change(shop, gone, "cancel")
    ran = shop.run("case", "list", "--due", "--json")
    assert [one["case"] for one in ran.json["cases"]] == [quick, usual, slow]
    assert [one["days_left"] for one in ran.json["cases"]] == [14, 26, 45]
    assert ran.code == 0
    clock.skip(15 * DAY)
    ran = shop.run("case", "list", "--due", "--json")
    assert [(one["overdue"], one["days_left"]) for one in ran.json["cases"]] == [(True, -1), (False, 11), (False, 30)]
    assert ran.code == 3
    text = shop.run("case", "list", "--due")
    assert (text.code, text.stdout.count("overdue")) == (3, 1)
    ran = shop.run("case", "list", "--due", "--limit", "1", "--json")
    assert [one["case"] for one in ran.json["cases"]] == [quick]
    change(shop, quick, "cancel")
    assert shop.run("case", "list", "--due").code == 0


def test_tiny_limits_make_a_case_late_before_it_is_overdue(
    make_shop: Callable[[int], Shop], tmp_path: Path, clock: SkippingClock
) -> None:
    """A call an hour: the second of two that are due today will not be done."""
    shop = make_shop(60)
    ask_who(shop)
    cases = [from_file(shop, tmp_path, "2026-11-25", "lgpd") for _ in range(2)]
    clock.skip(14 * DAY)
    assert [one["late"] for one in listed(shop, *cases)] == [False, False]
    text = shop.config.read_text()
    shop.config.write_text(text.replace("requests_per_second = 2000", "requests_per_second = 0.00025"))
    assert [(one["case"], one["late"], one["overdue"]) for one in listed(shop, *cases)] == [
        (cases[0], False, False), (cases[1], True, False),
    ]  # fmt: skip
    ran = shop.run("case", "list", "--due")
    assert ran.code == 3
    assert "late" in ran.stdout


# -- how it was counted -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("received", "due"),
    [
        ("2026-11-25", "2026-12-28"),  # Christmas Day, a second one, a Sunday
        ("2026-02-08", "2026-03-09"),  # a Sunday that is a holiday in Berlin
        ("2026-04-01", "2026-05-04"),  # the first of May, a Friday
        ("2026-01-31", "2026-03-02"),  # no thirty-first; the twenty-eighth is a Saturday
        ("2026-10-05", "2026-11-05"),
    ],
)
def test_the_end_moves_past_weekends_and_berlins_holidays(shop: Shop, tmp_path: Path, received: str, due: str) -> None:
    """And the case says so: which rule, whose holidays, step by step."""
    case = from_file(shop, tmp_path, received, "gdpr")
    assert said(shop, "case.opened", case=case)[0]["data"]["due_rule"] == "gdpr/2+DE-BE"
    shown = " ".join(shop.run("case", "show", case).stdout.split())
    assert f"received {received}, due {due}" in shown
    assert "GDPR Art. 12(3)" in shown
    assert "DE-BE" in shown


def test_holidays_that_nobody_knows_stop_before_anything_is_opened(make_shop: Callable[[int], Shop]) -> None:
    shop = make_shop(12)
    shop.config.write_text(shop.config.read_text().replace('holidays = "DE-BE"', 'holidays = "DE-XX"'))
    before = shop.ledger_bytes()
    for arguments in (["erase", id_of(shop.fresh()), "--yes"], ["plan", id_of(shop.fresh())], ["doctor"]):
        ran = shop.run(*arguments)
        assert (ran.code, ran.stdout, "DE-XX" in ran.error) == (2, "", True)
    assert (shop.ledger_bytes(), shop.calls) == (before, 0)


# -- nobody's data ----------------------------------------------------------------------------------------------------


def test_none_of_this_leaves_personal_data_in_the_ledger(shop: Shop, clock: SkippingClock) -> None:
    person = shop.fresh()
    needles = needles_of(shop, person) | needles_for({"reference": REFERENCE})
    case = waiting(shop, f"email={person.email}", "--reference", REFERENCE, person=person)
    for what in ("extend", "acknowledge", "identity", "refuse", "reopen"):
        change(shop, case, what)
    assert shop.run("plan", "--case", case).code == 0
    shop.run("case", "list", "--due")
    assert shop.run("resume", case).code == 0
    assert leaks(shop.ledger_bytes(), needles) == []

"""What the ledger's entries say of a case."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habeas.cases.view import WHOLE, CaseView, exit_code, view_case
from habeas.models import CaseStatus, CaseType, Result
from habeas_audit import Entry

QUICK = settings(deadline=None, max_examples=60)

OPENED: Mapping[str, Any] = {
    "type": "erasure", "regime": "gdpr", "received_at": "2026-11-21T09:00:00Z", "due_at": "2026-12-21T22:59:59Z",
    "policy": "gdpr-erasure", "policy_digest": "sha256:00",
}  # fmt: skip

Step = tuple[str, Mapping[str, Any]]


def entries(*steps: Step) -> list[Entry]:
    made = []
    for seq, (kind, data) in enumerate(steps, 1):
        rest = {name: value for name, value in data.items() if name != "connection"}
        body = json.dumps({"data": rest}).encode()
        made.append(
            Entry(
                seq, f"2026-11-21T09:00:{seq:02}Z", kind, "c-1", f"r-{seq}", data.get("connection", ""), "", body, b""
            )
        )
    return made


def outcome(result: str, item: str = "0", connection: str = "v", **more: str) -> Step:
    said = {"records": [[item, "customer", 1]], "result": result, **more}
    return "record.outcome", {"connection": connection, "plugin": "p", "outcomes": [said]}


def opened(**more: Any) -> Step:
    return "case.opened", {**OPENED, **more}


def view(*steps: Step) -> CaseView:
    found = view_case(entries(*steps))
    assert found is not None
    return found


def results(found: CaseView) -> dict[tuple[str, str], Result]:
    return {(row.connection, row.item): row.result for row in found.outcomes}


PLAN: Step = ("plan.made", {"digest": "sha256:aa"})
APPROVED: Step = ("case.approved", {"digest": "sha256:aa", "how": "asked"})
STARTED: Step = ("case.started", {})
PAUSED: Step = ("case.paused", {})


def closed(status: str, **more: str) -> Step:
    return "case.closed", {"status": status, **more}


@pytest.mark.parametrize(
    ("steps", "status", "approved"),
    [
        ([opened()], "open", False),
        ([opened(approved=True)], "open", True),
        ([opened(), PLAN], "waiting", False),
        ([opened(approved=True), PLAN], "open", True),
        ([opened(), PLAN, APPROVED], "open", True),
        ([opened(), PLAN, APPROVED, STARTED], "running", True),
        ([opened(approved=True), PLAN, STARTED, outcome("unknown")], "running", True),
        ([opened(approved=True), PLAN, STARTED, outcome("failed"), PAUSED], "incomplete", True),
        ([opened(approved=True), PLAN, STARTED, PAUSED, STARTED], "running", True),
        ([opened(approved=True), PLAN, STARTED, outcome("erased"), closed("completed")], "completed", True),
        ([opened(), PLAN, closed("cancelled")], "cancelled", False),
        ([opened(approved=True), PLAN, STARTED, closed("refused")], "refused", True),
        ([opened(), ("call.intent", {}), ("call.outcome", {}), ("package.written", {})], "open", False),
    ],
)
def test_status_follows_the_entries(steps: list[Step], status: str, approved: bool) -> None:
    found = view(*steps)
    assert found.status is CaseStatus(status)
    assert found.approved is approved
    assert found.run_id == f"r-{len(steps)}"


def test_a_view_says_what_the_case_was_opened_with() -> None:
    found = view(opened(), PLAN, closed("refused", reason="all held"))
    assert (found.case_id, found.type, found.regime, found.opened) == ("c-1", CaseType.ERASURE, "gdpr", 1)
    assert (found.received_at, found.due_at) == (OPENED["received_at"], OPENED["due_at"])
    assert (found.policy, found.policy_digest) == ("gdpr-erasure", "sha256:00")
    assert (found.plan_digest, found.plan_item, found.reason) == ("sha256:aa", "plan/sha256:aa", "all held")


def test_the_latest_plan_counts() -> None:
    assert view(opened(), PLAN, ("plan.made", {"digest": "sha256:" + "b" * 64})).plan_item == "plan/" + "b" * 16


@pytest.mark.parametrize("steps", [[], [STARTED, outcome("erased")]])
def test_what_was_never_opened_is_no_case(steps: list[Step]) -> None:
    assert view_case(entries(*steps)) is None


def test_an_outcome_names_the_entry_that_says_so() -> None:
    row = view(opened(), STARTED, outcome("erased", evidence="GET /x -> 404")).outcomes[0]
    assert row.to_json() == {
        "connection": "v", "plugin": "p", "record": "customer", "count": 1, "result": "erased", "reason": None,
        "until": None, "evidence": "GET /x -> 404", "entry": 3,
    }  # fmt: skip


def test_what_failed_or_is_unknown_may_be_overruled_and_keeps_its_place() -> None:
    found = view(
        opened(), outcome("unknown", "0"), outcome("failed", "1"), outcome("erased", "0"), outcome("manual", "1")
    )
    assert [(row.item, row.result, row.entry) for row in found.outcomes] == [("0", "erased", 4), ("1", "manual", 5)]


@pytest.mark.parametrize("first", [r for r in Result if r.final])
def test_what_is_final_is_never_overruled(first: Result) -> None:
    for later in Result:
        found = view(opened(), outcome(first), outcome(later))
        assert results(found) == {("v", "0"): first}
        assert found.outcomes[0].entry == 2


@pytest.mark.parametrize("whole", ["failed", "unknown", "absent"])
def test_once_records_are_known_what_was_said_of_the_whole_connection_no_longer_counts(whole: str) -> None:
    about_all = outcome(whole, WHOLE)
    for steps in ([about_all, outcome("erased")], [outcome("erased"), about_all], [about_all, outcome("manual", "g0")]):
        assert len(view(opened(), *steps).outcomes) == 1
        assert WHOLE not in {row.item for row in view(opened(), *steps).outcomes}
    other = view(opened(), outcome(whole, WHOLE, "t"), outcome("erased"))
    assert results(other) == {("t", WHOLE): Result(whole), ("v", "0"): Result.ERASED}


def test_nothing_is_left_to_do_where_all_of_a_connections_outcomes_are_final() -> None:
    found = view(opened(), outcome("erased", "0"), outcome("unknown", "1"), outcome("manual", connection="t"))
    assert (found.final("v"), found.final("t"), found.final("nowhere")) == (False, True, False)


OUTCOMES = st.tuples(st.sampled_from("vt"), st.sampled_from(["0", "1", "g0", WHOLE]), st.sampled_from(list(Result)))


def steps_of(rows: Iterable[tuple[str, str, Result]]) -> list[Step]:
    return [outcome(result, item, connection) for connection, item, result in rows]


@QUICK
@given(st.lists(OUTCOMES, max_size=12))
def test_each_record_has_one_outcome_its_first_final_one_or_else_its_last(rows: list[tuple[str, str, Result]]) -> None:
    found = view(opened(), *steps_of(rows))
    said: dict[tuple[str, str], list[Result]] = {}
    for connection, item, result in rows:
        said.setdefault((connection, item), []).append(result)
    detailed = {connection for connection, item in said if item != WHOLE}
    expected = {
        key: next((r for r in all_of_it if r.final), all_of_it[-1])
        for key, all_of_it in said.items()
        if key[1] != WHOLE or key[0] not in detailed
    }
    assert results(found) == expected
    assert len(found.outcomes) == len(expected)


@QUICK
@given(st.lists(OUTCOMES, max_size=8, unique_by=lambda row: row[:2]), st.randoms(use_true_random=False))
def test_the_order_in_which_connections_answer_makes_no_difference(
    rows: list[tuple[str, str, Result]], random: Any
) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    one, other = view(opened(), *steps_of(rows)), view(opened(), *steps_of(shuffled))
    assert results(one) == results(other)
    assert exit_code(one) == exit_code(other)


@QUICK
@given(st.lists(OUTCOMES, max_size=8), st.lists(OUTCOMES, max_size=8))
def test_a_later_pass_never_takes_back_what_an_earlier_one_finished(
    first: list[tuple[str, str, Result]], second: list[tuple[str, str, Result]]
) -> None:
    before = results(view(opened(), *steps_of(first)))
    after = results(view(opened(), *steps_of([*first, *second])))
    for key, result in before.items():
        if result.final and key[1] != WHOLE:
            assert after[key] is result


DONE = ["exported", "updated", "unchanged", "erased", "absent", "retained"]
FOR_A_PERSON = ["accepted", "manual", "unsupported"]
NOT_DONE = ["failed", "unknown"]


@pytest.mark.parametrize(
    ("status", "found", "code"),
    [
        *[("completed", [r], 0) for r in DONE],
        ("completed", [], 0),
        ("completed", DONE, 0),
        *[("completed", ["erased", r], 3) for r in FOR_A_PERSON],
        *[("completed", ["erased", "manual", r], 1) for r in NOT_DONE],
        *[("incomplete", ["erased", r], 1) for r in NOT_DONE],
        ("incomplete", ["erased"], 1),
        ("incomplete", ["manual"], 1),
        ("running", ["erased"], 1),
        ("open", [], 1),
        ("waiting", [], 4),
        ("cancelled", [], 4),
        ("refused", ["retained"], 4),
        ("refused", ["retained", "manual"], 4),
    ],
)
def test_the_exit_code_is_the_contracts(status: str, found: list[str], code: int) -> None:
    case = view(opened(), *[outcome(r, str(n)) for n, r in enumerate(found)], closed(status))
    assert exit_code(case) == code


@QUICK
@given(st.lists(OUTCOMES, max_size=6), st.sampled_from(list(CaseStatus)))
def test_zero_means_done_and_verified_and_nothing_else(rows: list[tuple[str, str, Result]], status: CaseStatus) -> None:
    case = view(opened(), *steps_of(rows), closed(str(status)))
    everything_done = status is CaseStatus.COMPLETED and all(str(row.result) in DONE for row in case.outcomes)
    assert (exit_code(case) == 0) is everything_done


# -- time, identity, approval, holds ----------------------------------------------------------------------------------

ASKED = opened(identity=True, approved=True)


def checked(result: str) -> Step:
    return "identity.checked", {"result": result, "method": "login"}


def plan(name: str) -> Step:
    return "plan.made", {"digest": f"sha256:{name}"}


def approved(name: str, **more: str) -> Step:
    return "case.approved", {"digest": f"sha256:{name}", "how": "asked", **more}


FOR_A_WEEK = {"expires_at": "2026-11-28T23:00:00Z"}
REOPENED: Step = ("case.reopened", {"why": "mistake"})


@pytest.mark.parametrize(
    ("steps", "status", "waits"),
    [
        ([ASKED], "waiting", "it is not confirmed who asked"),
        ([ASKED, checked("failed")], "waiting", "it is not confirmed who asked"),
        ([ASKED, checked("failed"), checked("verified")], "open", ""),
        ([ASKED, checked("verified"), plan("a")], "open", ""),
        ([opened(identity=True), checked("verified")], "open", "nobody has approved its plan"),
        ([opened(identity=True), checked("verified"), plan("a")], "waiting", "nobody has approved its plan"),
        ([opened(), plan("a"), checked("verified")], "waiting", "nobody has approved its plan"),
        ([opened(), plan("a"), checked("failed"), approved("a", **FOR_A_WEEK)], "waiting", "it is not confirmed"),
        ([opened(), plan("a"), approved("a", **FOR_A_WEEK), checked("failed")], "waiting", "it is not confirmed"),
        ([opened(), plan("a"), approved("a"), checked("failed"), checked("verified")], "open", ""),
        ([opened(approved=True), plan("a"), STARTED, checked("verified")], "running", ""),
        ([opened(approved=True), plan("a"), STARTED, PAUSED, checked("verified")], "incomplete", ""),
        ([opened(approved=True), plan("a"), STARTED, PAUSED, checked("failed")], "incomplete", "it is not confirmed"),
        ([opened(), plan("a"), closed("refused"), REOPENED], "waiting", "nobody has approved its plan"),
        ([opened(), closed("cancelled"), REOPENED], "open", "nobody has approved its plan"),
        ([ASKED, closed("refused", reason="x"), REOPENED], "waiting", "it is not confirmed who asked"),
        ([ASKED, closed("refused"), REOPENED, checked("verified")], "open", ""),
        ([opened(approved=True), plan("a"), closed("refused"), REOPENED, STARTED], "running", ""),
        ([opened(approved=True), closed("refused"), REOPENED, closed("cancelled")], "cancelled", ""),
    ],
)
def test_a_case_waits_for_whoever_has_to_say_something(steps: list[Step], status: str, waits: str) -> None:
    found = view(*steps)
    assert found.status is CaseStatus(status)
    assert found.waits_for.startswith(waits)
    assert bool(waits) == bool(found.waits_for)


def test_an_approval_dies_with_its_plan_and_does_not_come_back_with_it() -> None:
    """Even where the plan that comes third is the first one again."""
    first = [opened(), plan("a"), approved("a", **FOR_A_WEEK)]
    assert (view(*first).approved, view(*first).status) == (True, "open")
    for later in ([plan("b")], [plan("b"), plan("a")]):
        assert (view(*first, *later).approved, view(*first, *later).status) == (False, "waiting")
    again = view(*first, plan("b"), approved("b", **FOR_A_WEEK))
    assert (again.approved, again.status) == (True, "open")
    assert again.approval is not None
    assert again.approval.digest == again.plan_digest == "sha256:b"


def test_the_same_plan_made_again_leaves_the_approval_alone() -> None:
    assert view(opened(), plan("a"), approved("a", **FOR_A_WEEK), plan("a")).approved


def test_a_yes_before_any_plan_is_one_to_whatever_is_found() -> None:
    """`erase --yes`; and a yes on the terminal, whose plan is completed by a later pass."""
    for steps in ([opened(approved=True), plan("a"), plan("b")], [opened(), plan("a"), approved("a"), plan("b")]):
        assert (view(*steps).approved, view(*steps).status) == (True, "open")


def test_who_planned_is_the_run_of_the_plan_that_counts() -> None:
    assert view(opened(), plan("a"), approved("a", **FOR_A_WEEK)).planned_in == "r-2"
    assert view(opened(), plan("a"), STARTED, plan("b")).planned_in == "r-4"


CHANGES_OF_TIME: list[Step] = [
    ("case.extended", {"due_at": "2027-02-21T22:59:59Z", "told_at": "2026-11-22T09:00:00Z", "reason": "complexity"}),
    ("case.acknowledged", {"at": "2026-11-23T09:00:00Z"}),
    checked("verified"),
    ("clock.stopped", {"at": "2026-11-24T09:00:00Z", "reason": "fee", "due_at": "2026-12-24T22:59:59Z"}),
]


@QUICK
@given(st.permutations(CHANGES_OF_TIME), st.booleans())
def test_in_any_order_the_latest_due_date_counts_and_nothing_is_forgotten(order: list[Step], goes_on: bool) -> None:
    more: list[Step] = [("clock.started", {"at": "2026-11-26T09:00:00Z", "due_at": "2026-12-26T22:59:59Z"})]
    steps = [*order, *(more if goes_on else [])]
    found = view(ASKED, *steps)
    assert found.due_at == [data["due_at"] for _, data in steps if "due_at" in data][-1]
    assert found.extended is not None
    assert (found.extended.until, found.extended.reason) == ("", "complexity")
    assert (found.acknowledged_at, found.identity, found.status) == ("2026-11-23T09:00:00Z", "verified", "open")
    assert found.stopped is not goes_on
    (pause,) = found.pauses
    assert (pause.start, pause.reason) == ("2026-11-24T09:00:00Z", "fee")
    assert pause.end == ("2026-11-26T09:00:00Z" if goes_on else "")


def test_a_case_of_an_older_ledger_has_none_of_this() -> None:
    found = view(opened(), PLAN)
    assert (found.identity, found.extended, found.pauses, found.holds, found.released) == ("", None, (), (), ())
    assert (found.acknowledge_by, found.acknowledged_at, found.due_rule, found.stopped) == ("", "", "", False)


def placed(connection: str, until: str) -> Step:
    return "hold.placed", {"connection": connection, "record": "card", "until": until}


def test_a_hold_counts_until_a_later_case_has_taken_up_what_it_kept() -> None:
    holds = [placed("v", "2026-11-22"), placed("t", "2027-01-01"), closed("completed")]
    assert view(opened(), *holds).holds == (("v", "2026-11-22"), ("t", "2027-01-01"))
    released: Step = ("hold.released", {"until": "2026-11-22", "case": "c-2"})
    found = view(opened(), *holds, released)
    assert found.holds == (("t", "2027-01-01"),)
    assert found.released == (("2026-11-22", "c-2"),)
    later: Step = ("hold.released", {"until": "2027-03-01", "case": "c-3"})
    assert view(opened(), *holds, released, later).holds == ()

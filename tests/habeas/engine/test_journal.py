"""Every changing call: its intent before, its outcome after, and holes that are closed once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from habeas.cases.keys import KeyStore
from habeas.control import RunControl
from habeas.engine.journal import CaseJournal, close_holes
from habeas.errors import RunEnded, StorageError
from habeas.http.transport import Request
from habeas.testing.clock import SkippingClock
from habeas_audit import Draft, Entry, Ledger, LedgerClosed

HOST = "api.example.com"
PERSON = "canary-ada@example.org"


def delete(customer: str = PERSON, body: object = None) -> Request:
    return Request(
        "DELETE", "/v1/customers/{customerId}", {"customerId": customer}, (("mail", PERSON),), body,
        headers={"Authorization": "canary-token"},
    )  # fmt: skip


class Desk:
    """A ledger, keys and a control in real files, and journals over them."""

    def __init__(self, folder: Path) -> None:
        clock = SkippingClock()
        self.ledger = Ledger.create(folder / "audit.db", clock.now)
        self.keys = KeyStore.create(folder / "keys.db")
        self.keys.new_case_keys(["c-1", "c-2"])
        self.control = RunControl(clock, 60)

    def journal(self, case: str = "c-1", connection: str = "shop", run: str = "r-1") -> CaseJournal:
        earlier = self.ledger.entries(case_id=case, types=["call.intent"])
        return CaseJournal(
            self.ledger, self.keys, self.control, case_id=case, run_id=run, connection=connection, earlier=earlier
        )

    def entries(self, kind: str = "call.intent") -> list[Entry]:
        return list(self.ledger.entries(types=[kind]))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.ledger.close()
    made.keys.close()


def test_an_intent_says_what_is_asked_of_whom_but_not_about_whom(desk: Desk) -> None:
    seq = desk.journal().intent(delete(), HOST)
    (entry,) = desk.entries()
    assert (entry.seq, entry.case_id, entry.run_id, entry.connection) == (seq, "c-1", "r-1", "shop")
    data = entry.data
    assert (data["method"], data["path"], data["host"]) == ("DELETE", "/v1/customers/{customerId}", HOST)
    assert set(data) == {"method", "path", "host", "attempt", "key", "fingerprint"}


def test_an_outcome_names_its_intent(desk: Desk) -> None:
    journal = desk.journal()
    first, second = journal.intent(delete(), HOST), journal.intent(delete("other"), HOST)
    journal.outcome(second, "acknowledged", 204)
    journal.outcome(first, "unknown", 0)
    assert [entry.data for entry in desk.entries("call.outcome")] == [
        {"intent": second, "result": "acknowledged", "status": 204},
        {"intent": first, "result": "unknown", "status": 0},
    ]  # fmt: skip


def test_attempts_at_one_request_are_counted_across_passes_and_have_one_key(desk: Desk) -> None:
    first = desk.journal(run="r-1")
    assert not first.resumed
    first.intent(delete(), HOST)
    first.intent(delete("other"), HOST)
    first.intent(delete(), HOST)
    later = desk.journal(run="r-2")
    assert later.resumed
    later.intent(delete(), HOST)
    found = [(e.data["attempt"], e.data["key"]) for e in desk.entries()]
    assert [attempt for attempt, _ in found] == [1, 1, 2, 3]
    assert found[0][1] == found[2][1] == found[3][1] != found[1][1]


def test_attempts_of_other_cases_and_connections_do_not_count(desk: Desk) -> None:
    desk.journal().intent(delete(), HOST)
    for other in (desk.journal(connection="shop-eu"), desk.journal(case="c-2")):
        assert not other.resumed
        other.intent(delete(), HOST)
    assert [e.data["attempt"] for e in desk.entries()] == [1, 1, 1]
    assert len({e.data["key"] for e in desk.entries()}) == 3


def test_a_key_is_of_the_whole_meaning_of_a_request_and_of_nothing_else(desk: Desk) -> None:
    journal = desk.journal()
    plain = delete()
    different = [
        plain, delete("other"), delete(body={}), delete(body={"a": 1}), delete(body={"a": "1"}), delete(body=[]),
        Request("PUT", plain.template, plain.ids, plain.query), Request("DELETE", plain.template, plain.ids),
        Request("DELETE", "/v2/{customerId}", plain.ids, plain.query),
        Request("DELETE", plain.template, plain.ids, plain.query, form={"a": "1"}),
    ]  # fmt: skip
    same = [delete(body={"b": 2, "a": 1}), delete(body={"a": 1, "b": 2})]
    other_headers = Request("DELETE", plain.template, dict(plain.ids), list(plain.query), headers={"X": "1"})
    for request in (*different, *same, other_headers):
        journal.intent(request, HOST)
    for name in ("key", "fingerprint"):
        marks = [e.data[name] for e in desk.entries()]
        assert len(set(marks[: len(different)])) == len(different)
        assert marks[-3] == marks[-2]
        assert marks[-1] == marks[0]
    assert not {e.data["key"][:16] for e in desk.entries()} & {e.data["fingerprint"] for e in desk.entries()}


def test_a_request_may_hold_any_text(desk: Desk) -> None:
    desk.journal().intent(delete("é\ud800", {"name": "\udcff👩"}), HOST)
    assert len(desk.entries()) == 1


def test_nothing_personal_is_in_any_entry(desk: Desk, tmp_path: Path) -> None:
    journal = desk.journal()
    journal.outcome(journal.intent(delete(body={"email": PERSON}), HOST), "rejected", 500)
    journal.intent(delete(), HOST)
    close_holes(desk.ledger, desk.ledger.entries(case_id="c-1"), "r-2")
    desk.ledger.close()
    assert b"canary" not in (tmp_path / "audit.db").read_bytes()


def test_once_the_cases_key_is_destroyed_nobody_can_say_whom_a_call_was_for(desk: Desk, tmp_path: Path) -> None:
    """Without it the marks cannot be computed again, however well the person is guessed."""
    desk.journal(case="c-1").intent(delete(), HOST)
    desk.journal(case="c-2").intent(delete(), HOST)
    one, other = desk.entries()
    assert one.data["fingerprint"] != other.data["fingerprint"]
    with closing(sqlite3.connect(tmp_path / "keys.db")) as db, db:
        db.execute("DELETE FROM case_keys WHERE case_id = 'c-1'")
    with pytest.raises(StorageError, match="key of case c-1"):
        desk.journal(case="c-1").intent(delete(), HOST)
    assert len(desk.entries()) == 2


def test_a_run_that_is_over_writes_no_intent(desk: Desk) -> None:
    journal = desk.journal()
    desk.control.stop()
    with pytest.raises(RunEnded):
        journal.intent(delete(), HOST)
    assert desk.entries() == []


def test_a_ledger_that_cannot_be_written_lets_nothing_be_sent(desk: Desk) -> None:
    journal = desk.journal()
    desk.ledger.close()
    with pytest.raises(LedgerClosed):
        journal.intent(delete(), HOST)


# -- holes ----------------------------------------------------------------------------------------------------------


def close(desk: Desk, run: str = "r-2") -> int:
    return close_holes(desk.ledger, desk.ledger.entries(case_id="c-1"), run)


def test_each_hole_is_closed_once_as_unknown(desk: Desk) -> None:
    journal, elsewhere = desk.journal(), desk.journal(connection="shop-eu")
    holes = [journal.intent(delete(), HOST), elsewhere.intent(delete(), HOST), journal.intent(delete("other"), HOST)]
    journal.outcome(holes.pop(), "acknowledged", 200)
    assert close(desk) == 2
    found = [e for e in desk.entries("call.outcome") if e.data.get("recovered")]
    assert [e.data for e in found] == [
        {"intent": seq, "result": "unknown", "status": 0, "recovered": True} for seq in holes
    ]
    assert [(e.connection, e.run_id, e.case_id) for e in found] == [("shop", "r-2", "c-1"), ("shop-eu", "r-2", "c-1")]
    size = desk.ledger.head().size
    assert close(desk, "r-3") == 0
    assert desk.ledger.head().size == size


def test_a_case_without_calls_has_no_holes(desk: Desk) -> None:
    desk.ledger.append(Draft("case.started", "c-1"), Draft("record.outcome", "c-1", data={"intent": 1}))
    assert close(desk) == 0


def test_a_hole_in_another_case_is_left_to_it(desk: Desk) -> None:
    desk.journal(case="c-2").intent(delete(), HOST)
    assert close(desk) == 0


@pytest.mark.parametrize("cut", range(7))
def test_after_recovery_every_intent_has_exactly_one_outcome_wherever_it_was_cut(desk: Desk, cut: int) -> None:
    """Passes that die after the n-th entry, each recovered by the next: twice over."""
    for run in ("r-1", "r-2"):
        close(desk, run)
        journal, written = desk.journal(run=run), 0
        for request in (delete(), delete("other"), delete()):
            if written >= cut:
                break
            seq = journal.intent(request, HOST)
            written += 1
            if written >= cut:
                break
            journal.outcome(seq, "acknowledged", 204)
            written += 1
    close(desk, "r-3")
    intents = [e.seq for e in desk.entries()]
    outcomes = [e.data["intent"] for e in desk.entries("call.outcome")]
    assert sorted(outcomes) == intents
    attempts: dict[str, list[int]] = {}
    for entry in desk.entries():
        attempts.setdefault(entry.data["key"], []).append(entry.data["attempt"])
    assert all(counted == list(range(1, len(counted) + 1)) for counted in attempts.values())

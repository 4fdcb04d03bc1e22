"""What people want: the newest statement counts in whatever order statements come, and nobody is left behind."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habeas.cases.consents import Confirmed, ConsentStore, Key, Statement, Verdict
from habeas.cases.consents.people import naming
from habeas.cases.keys import KeyStore
from habeas.changes import ConsentState
from habeas.errors import StorageError
from habeas.models import Identifier, Result, Subject

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
GRANTED, WITHDRAWN = ConsentState.GRANTED, ConsentState.WITHDRAWN
TARGETS = {"mail": ["v", "t"], "profiling": ["t"]}


class House:
    """Keys and stores in one folder, each store with a clock that goes on by a second at each look."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = KeyStore.create(folder / "keys.db")
        self.used = False
        self._numbers = count()

    def store(self, name: str = "") -> ConsentStore:
        seconds = count()
        path = self.folder / f"{name or next(self._numbers)}.db"
        return ConsentStore(
            path, self.keys, lambda: START + timedelta(days=100, seconds=next(seconds)), TARGETS, lambda: self.used
        )


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.keys.close()


@pytest.fixture
def store(house: House) -> Iterator[ConsentStore]:
    store = house.store("consents")
    yield store
    store.close()


def who(number: int, *, address: str = "", alone: bool = False) -> Subject:
    ids = () if alone else (Identifier("customer_id", f"C-{number}"),)
    return Subject((*ids, Identifier("email", address or f"p{number}@shop.example")))


def said(
    number: int, state: ConsentState, minute: int, purpose: str = "mail", *, address: str = "", alone: bool = False
) -> Statement:
    return Statement(who(number, address=address, alone=alone), purpose, state, START + timedelta(minutes=minute))


def accept(store: ConsentStore, *statements: Statement) -> list[Verdict]:
    return store.accept("r-1", "test", statements)[0]


def state(store: ConsentStore, number: int, purpose: str = "mail") -> ConsentState | None:
    wanted = store.wanted(who(number)).get(purpose)
    return None if wanted is None else wanted.state


def everybody_due(store: ConsentStore) -> list[int]:
    return [*dict.fromkeys(p for state in (WITHDRAWN, GRANTED) for p in store.due.people(state, 0, 1000))]


def due(store: ConsentStore) -> set[tuple[str, str, str]]:
    """(purpose, connection, state) of all that is left, of whomever."""
    people = everybody_due(store)
    return {(d.key.purpose, d.key.connection, str(d.state)) for rows in store.due.of(people).values() for d in rows}


def confirm_all(store: ConsentStore, result: Result = Result.UPDATED) -> None:
    people = everybody_due(store)
    rows = [d for part in store.due.of(people).values() for d in part]
    store.due.confirm([Confirmed(d.key, d.state, result, START) for d in rows])


# -- the newest counts ------------------------------------------------------------------------------------------------


def test_a_stale_grant_re_opts_nobody_in(store: ConsentStore) -> None:
    assert accept(store, said(1, WITHDRAWN, 10), said(1, GRANTED, 9)) == [Verdict.RECORDED, Verdict.STALE]
    assert state(store, 1) is WITHDRAWN
    assert accept(store, said(1, GRANTED, 5)) == [Verdict.STALE]
    assert state(store, 1) is WITHDRAWN
    assert accept(store, said(1, GRANTED, 11)) == [Verdict.RECORDED]
    assert state(store, 1) is GRANTED


@pytest.mark.parametrize("order", [(GRANTED, WITHDRAWN), (WITHDRAWN, GRANTED)])
def test_of_two_at_one_time_the_withdrawal_counts(
    store: ConsentStore, order: tuple[ConsentState, ConsentState]
) -> None:
    accept(store, *(said(1, one, 10) for one in order))
    assert state(store, 1) is WITHDRAWN


def test_the_same_again_is_known_and_makes_no_batch(store: ConsentStore) -> None:
    accept(store, said(1, GRANTED, 10))
    verdicts, batch = store.accept("r-2", "test", [said(1, GRANTED, 10)])
    assert (verdicts, batch) == ([Verdict.KNOWN], None)


def test_the_last_grant_is_remembered_through_a_withdrawal(store: ConsentStore) -> None:
    """A record of consent tells when it was given as well as when it ended, also of a grant that came late."""
    accept(store, said(1, GRANTED, 1), said(1, WITHDRAWN, 10), said(1, GRANTED, 4))
    wanted = store.wanted(who(1))["mail"]
    assert wanted.granted_at == START + timedelta(minutes=4)
    assert wanted.withdrawn_at == wanted.at == START + timedelta(minutes=10)


_STATEMENTS = st.lists(
    st.builds(
        said, st.integers(1, 3), st.sampled_from((GRANTED, WITHDRAWN)), st.integers(0, 4),
        st.sampled_from(tuple(TARGETS)), address=st.sampled_from(("", "shared@shop.example")), alone=st.booleans(),
    ),
    max_size=12,
)  # fmt: skip


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Keys for all examples: a store of its own for each is what counts."""
    house = House(tmp_path_factory.mktemp("order"))
    yield house
    house.keys.close()


@settings(max_examples=25, deadline=None)
@given(_STATEMENTS, st.randoms(use_true_random=False), st.integers(1, 5))
def test_any_order_any_parts_and_any_repeats_end_alike(
    orders: House, statements: list[Statement], random: object, size: int
) -> None:
    """People with an id, people known by an address alone, and an address that several have: still one outcome."""
    first, second = orders.store(), orders.store()
    accept(first, *statements)
    shuffled = [*statements, *statements[::2]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for low in range(0, len(shuffled), size):
        accept(second, *shuffled[low : low + size])
    subjects = {one.subject for one in statements}

    def all_of(store: ConsentStore) -> dict[tuple[object, str], object]:
        return {(s, p): (w.state, w.at) for s in subjects for p, w in store.wanted(s).items()}

    assert all_of(first) == all_of(second)
    assert _due_people(first) == _due_people(second)
    for subject in subjects:
        own = [one for one in statements if naming(one.subject) == naming(subject)]
        for purpose in {one.purpose for one in own}:
            at = max(one.at for one in own if one.purpose == purpose)
            last = {one.state for one in own if one.purpose == purpose and one.at == at}
            now = first.wanted(subject)[purpose]
            # Somebody else's withdrawal under a shared address may come on top: never a grant.
            assert now.state is WITHDRAWN or (last == {GRANTED} and now.at == at)
    for store in (first, second):
        store.close()


def _due_people(store: ConsentStore) -> set[tuple[Subject, str, str, str]]:
    people = everybody_due(store)
    subjects = store.due.subjects(people)
    return {
        (Subject(tuple(sorted(subjects[p].identifiers, key=str))), d.key.purpose, d.key.connection, str(d.state))
        for p, rows in store.due.of(people).items()
        for d in rows
    }


# -- people -----------------------------------------------------------------------------------------------------------


def test_a_withdrawal_under_an_address_alone_counts_for_all_who_have_it_and_a_grant_for_none(
    store: ConsentStore,
) -> None:
    shared = "family@shop.example"
    accept(store, said(1, GRANTED, 1, address=shared), said(2, GRANTED, 9, address=shared))
    accept(store, said(0, WITHDRAWN, 5, address=shared, alone=True))
    wanted = {n: store.wanted(who(n))["mail"].state for n in (1, 2)}
    assert wanted == {1: WITHDRAWN, 2: GRANTED}, "the second has granted after it"
    accept(store, said(0, GRANTED, 20, address=shared, alone=True))
    assert state(store, 1) is WITHDRAWN
    accept(store, said(3, GRANTED, 2, address=shared))
    assert state(store, 3) is WITHDRAWN, "also for somebody who turns up with the address later"


def test_addresses_are_compared_as_everywhere_and_an_id_decides(store: ConsentStore) -> None:
    accept(store, said(1, WITHDRAWN, 5, address="A@Shop.Example"))
    assert accept(store, said(1, GRANTED, 4, address="new@shop.example")) == [Verdict.STALE]
    assert store.count() == 1
    (part,) = store.everybody(10)
    ((subject, _),) = part.values()
    assert set(subject.values("email")) == {"A@Shop.Example"}, "what was said last counts, not what came last"
    accept(store, said(1, GRANTED, 6, address="new@shop.example"))
    assert [s.values("email") for p in store.everybody(10) for s, _ in p.values()] == [("new@shop.example",)]
    assert store.wanted(Subject((Identifier("email", "a@shop.example"),))) == {}


def test_who_was_erased_is_taken_out_and_leaves_nothing_readable(store: ConsentStore, house: House) -> None:
    accept(store, *(said(n, GRANTED, 1) for n in range(300)))
    confirm_all(store)
    accept(store, said(7, GRANTED, 3, alone=True))
    assert store.remove(who(7)) == 2
    assert store.remove(who(7)) == 0
    assert (state(store, 7), state(store, 8), store.count()) == (None, GRANTED, 299)
    store.due.confirm([Confirmed(Key(8, "mail", "v"), WITHDRAWN, Result.UPDATED, START)])
    store.scrub()
    content = (house.folder / "consents.db").read_bytes()
    for text in (b"C-7", b"p7@shop", b"C-8", b"p8@shop", b"customer_id"):
        assert text not in content
    with sqlite3.connect(house.folder / "consents.db") as db:
        for table in ("people", "marks", "wanted", "due", "confirmed"):
            found = db.execute(f"SELECT count(*) FROM {table} WHERE person = 8").fetchone()  # noqa: S608
            assert found == (0,), "C-7 was the eighth"
    db.close()


def test_a_person_is_told_all_that_an_erasure_would_take_out_and_nobody_else_s(store: ConsentStore) -> None:
    shared = "family@shop.example"
    store.accept("r-1", "case", [said(1, GRANTED, 1, address=shared), said(2, GRANTED, 2, address=shared)])
    store.accept("r-2", "file", [said(0, GRANTED, 3, address=shared, alone=True), said(1, WITHDRAWN, 4, "profiling")])
    told = store.about(who(1, address=shared))
    assert [(one.purpose, one.state, one.source, [i.kind for i in w.identifiers]) for w, one in told] == [
        ("mail", GRANTED, "case", ["customer_id", "email"]),
        ("profiling", WITHDRAWN, "file", ["customer_id", "email"]),
        ("mail", GRANTED, "file", ["email"]),
    ]
    assert {w.values("customer_id") for w, _ in told} == {("C-1",), ()}
    assert store.about(who(3)) == []
    assert store.remove(who(1, address=shared)) == 2
    assert store.about(who(1, address=shared)) == []
    assert [w.values("customer_id") for w, _ in store.about(who(2, address=shared))] == [("C-2",)]


def test_a_withdrawal_that_somebody_shares_keeps_its_source(store: ConsentStore) -> None:
    """Also where the statement that made them share it says nothing new, and the ledger is told of no batch."""
    shared = "family@shop.example"
    store.accept("r-1", "case", [said(1, GRANTED, 5), said(0, WITHDRAWN, 6, address=shared, alone=True)])
    assert store.accept("r-2", "file", [said(1, GRANTED, 4, address=shared)]) == ([Verdict.STALE], None)
    store.accept("r-3", "case", [said(9, GRANTED, 1)])
    wanted = store.wanted(who(1))["mail"]
    assert (wanted.state, wanted.source) == (WITHDRAWN, "file")
    assert [batch.run_id for batch in store.statements.untold()] == ["r-1", "r-3"]


def test_a_store_that_was_lost_is_not_made_anew(house: House) -> None:
    house.used = True
    store = house.store("lost")
    with pytest.raises(StorageError, match="missing"):
        store.wanted(who(1))
    with pytest.raises(StorageError, match="missing"):
        accept(store, said(1, GRANTED, 1))
    assert not (house.folder / "lost.db").exists()


def test_a_changed_person_is_found_out(store: ConsentStore, house: House) -> None:
    accept(store, said(1, GRANTED, 1), said(2, GRANTED, 1))
    with sqlite3.connect(house.folder / "consents.db") as db:
        db.execute("UPDATE people SET nonce = (SELECT nonce FROM people WHERE person = 2), "
                   "sealed = (SELECT sealed FROM people WHERE person = 2) WHERE person = 1")  # fmt: skip
    db.close()
    with pytest.raises(StorageError, match="changed or is damaged"):
        list(store.everybody(10))


# -- what is due ------------------------------------------------------------------------------------------------------


def test_what_was_confirmed_is_due_again_only_when_somebody_changes_their_mind(store: ConsentStore) -> None:
    accept(store, said(1, GRANTED, 1), said(1, WITHDRAWN, 1, "profiling"))
    assert due(store) == {("mail", "v", "granted"), ("mail", "t", "granted"), ("profiling", "t", "withdrawn")}
    accept(store, said(2, GRANTED, 1))
    assert [store.due.people(one, 0, 100) for one in (WITHDRAWN, GRANTED)] == [[1], [1, 2]]
    assert store.due.people(GRANTED, 1, 100) == [2]
    assert store.due.people(GRANTED, 0, 100, without=["v", "t"]) == []
    confirm_all(store)
    accept(store, said(1, GRANTED, 5))
    assert due(store) == set(), "granted once more: nothing differs"
    accept(store, said(1, WITHDRAWN, 6))
    assert due(store) == {("mail", "v", "withdrawn"), ("mail", "t", "withdrawn")}


def test_a_pass_that_comes_late_cannot_hide_what_was_said_meanwhile(store: ConsentStore) -> None:
    """It wrote a grant while the withdrawal was recorded and made true: then the withdrawal is due again."""
    accept(store, said(1, GRANTED, 1))
    accept(store, said(1, WITHDRAWN, 2))
    store.due.confirm([Confirmed(Key(1, "mail", "v"), WITHDRAWN, Result.UPDATED, START)])
    store.due.confirm([Confirmed(Key(1, "mail", "v"), GRANTED, Result.UPDATED, START)])
    assert ("mail", "v", "withdrawn") in due(store)


def test_what_is_open_is_not_confirmed_and_a_mapping_that_changed_is_asked_again(store: ConsentStore) -> None:
    accept(store, said(1, GRANTED, 1))
    mappings = {("mail", "v"): b"1", ("mail", "t"): b"1"}
    assert store.due.remap(mappings) == 0
    confirm_all(store)
    assert store.due.remap(mappings) == 0
    assert due(store) == set()
    assert store.due.remap({("mail", "v"): b"2"}) == 1
    assert due(store) == {("mail", "v", "granted")}, "what t is called no longer is asked of nobody"


def test_cases_take_care_of_what_is_due_until_they_are_closed(store: ConsentStore) -> None:
    accept(store, said(1, GRANTED, 1))
    store.due.assign({1: "c-1"}, [Key(1, "mail", "v")])
    assert due(store) == {("mail", "t", "granted")}
    store.due.mark_sent([Key(1, "mail", "v")])
    assert store.due.sent("c-1", "v")
    assert not store.due.sent("c-1", "t")
    accept(store, said(1, WITHDRAWN, 2))
    assert store.due.cases() == ["c-1"], "the case that is open goes on with what is wanted now"
    store.due.release(["c-1"])
    assert due(store) == {("mail", "v", "withdrawn"), ("mail", "t", "withdrawn")}
    assert store.due.left() == {("v", "mail"): 1, ("t", "mail"): 1}


# -- proof ------------------------------------------------------------------------------------------------------------


def test_each_statement_opens_its_leaf_in_the_batch_that_the_ledger_commits_to(
    store: ConsentStore, house: House
) -> None:
    statements = [said(n, GRANTED, n) for n in range(1, 5)]
    _, batch = store.accept("r-1", "file", statements)
    assert batch is not None
    assert store.statements.untold() == [batch]
    with sqlite3.connect(house.folder / "consents.db") as db:
        (leaves,) = db.execute("SELECT leaves FROM batches").fetchone()
    db.close()
    assert batch.digest == "sha256:" + sha256(leaves).hexdigest()
    for n, one in enumerate(statements):
        text, salt = store.statements.opening(one)
        assert sha256(salt + text.encode()).digest() == leaves[32 * n : 32 * n + 32]
        assert f"C-{n + 1}" in text
    store.statements.tell([batch])
    assert store.statements.untold() == []


def test_a_batch_that_fails_records_nothing(store: ConsentStore) -> None:
    with pytest.raises(AttributeError):
        store.accept("r-1", "file", [said(1, GRANTED, 1), None])  # type: ignore[list-item]
    assert store.count() == 0
    assert store.statements.untold() == []
    assert accept(store, said(2, GRANTED, 1)) == [Verdict.RECORDED]

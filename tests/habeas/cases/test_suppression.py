"""The suppression list: whoever was erased is found again, by keyed marks that say nothing to anybody else."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.searching import leaks, needles_for

from habeas.cases.keys import KeyStore
from habeas.cases.suppression import SuppressionList
from habeas.errors import KeyUnavailable, StorageError
from habeas.home import Home
from habeas.models import Identifier, Subject
from habeas.opening import create_home, open_suppression_list
from habeas.testing.clock import SkippingClock
from habeas_audit import Draft, Ledger

Start = Callable[..., "subprocess.Popen[str]"]

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def subject(**identifiers: str) -> Subject:
    return Subject(tuple(Identifier(kind, value) for kind, value in identifiers.items()))


ADA = subject(customer_id="C-100042-kanarie", email="Ada.Kanarienvogel@voliere.example", phone="+4915577889912")


@pytest.fixture(scope="session")
def new_list(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("list")
    with closing(KeyStore.create(folder / "keys.db")) as keys:
        SuppressionList.create(folder / "suppression.db", keys).close()
    return folder / "suppression.db"


@pytest.fixture
def suppression(new_list: Path, tmp_path: Path, keys: KeyStore) -> Iterator[SuppressionList]:
    with closing(SuppressionList.open(Path(shutil.copy(new_list, tmp_path)), keys)) as made:
        yield made


def case_of(suppression: SuppressionList, who: Subject) -> str | None:
    found = suppression.find(who)
    return found.case_id if found else None


# -- what it holds ----------------------------------------------------------------------------------------------------


def test_no_file_holds_an_identifier_in_any_form(suppression: SuppressionList, tmp_path: Path) -> None:
    """Neither while somebody is on it nor afterwards; what it holds are case, mark, kind and time."""
    needles = needles_for({i.kind: i.value for i in ADA.identifiers})
    suppression.add("c-1", ADA, NOW)
    with closing(sqlite3.connect(tmp_path / "suppression.db")) as db:
        rows = db.execute("SELECT * FROM suppressed").fetchall()
    assert {(case, len(mark), since) for case, mark, _, since in rows} == {("c-1", 32, "2026-11-21T09:00:00Z")}
    assert {kind for _, _, kind, _ in rows} == {"customer_id", "email", "phone"}
    for _ in range(2):
        files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        assert {"keys.db", "suppression.db"} <= set(files)
        assert {name: leaks(content, needles) for name, content in files.items()} == {name: [] for name in files}
        suppression.remove(["c-1"])


def test_marks_are_of_their_kind_and_of_this_installation(keys: KeyStore, tmp_path: Path) -> None:
    """Whoever has no key can try no address: another installation's mark of the same one is another."""
    with closing(KeyStore.create(tmp_path / "other.db")) as other:
        marks = {
            keys.suppression_mark("email", "a@x.example", make=True),
            keys.suppression_mark("customer_id", "a@x.example"),
            other.suppression_mark("email", "a@x.example", make=True),
            keys.fingerprint(b"email", b"a@x.example"),
        }
    assert {len(mark) for mark in marks} == {32}
    assert len(marks) == 4


def test_what_is_taken_off_is_in_no_file(suppression: SuppressionList, keys: KeyStore, tmp_path: Path) -> None:
    """The marks are overwritten; other people's stay."""
    for n in range(60):
        suppression.add(f"c-{n}", subject(customer_id=f"C-{n}"), NOW)
    marks = {n: keys.suppression_mark("customer_id", f"C-{n}") for n in range(60)}
    suppression.remove(f"c-{n}" for n in range(0, 60, 2))
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert [n for n, mark in marks.items() if mark in content] == list(range(1, 60, 2))
    assert [one.case_id for one in suppression.entries()] == sorted(f"c-{n}" for n in range(1, 60, 2))


# -- who is who -------------------------------------------------------------------------------------------------------

ERASED_WITH_ID = subject(customer_id="C-1", email="ada@x.example", phone="+49301", cybersource="tok-1")
ERASED_BY_EMAIL = subject(email="ada@x.example")
WHO = [
    ("the same id", ERASED_WITH_ID, subject(customer_id="C-1"), True),
    ("the same id with a new address", ERASED_WITH_ID, subject(customer_id="C-1", email="new@x.example"), True),
    ("the same id in other letters", ERASED_WITH_ID, subject(customer_id="c-1"), False),
    ("another id", ERASED_WITH_ID, subject(customer_id="C-2"), False),
    ("another id with that address", ERASED_WITH_ID, subject(customer_id="C-2", email="ada@x.example"), False),
    ("another id with that number", ERASED_WITH_ID, subject(customer_id="C-2", phone="+49301"), False),
    ("the address alone", ERASED_WITH_ID, subject(email="ada@x.example"), True),
    ("the number alone", ERASED_WITH_ID, subject(phone="+49301"), True),
    ("the address in capitals", ERASED_WITH_ID, subject(email="ADA@X.Example"), True),
    ("an address with another accent", ERASED_WITH_ID, subject(email="adá@x.example"), False),
    ("an id of a kind that was not known", ERASED_WITH_ID, subject(voucherify="v-9", email="ada@x.example"), True),
    ("a connection's id", ERASED_WITH_ID, subject(cybersource="tok-1"), True),
    ("a connection's id as another kind", ERASED_WITH_ID, subject(voucherify="tok-1"), False),
    ("another connection's id", ERASED_WITH_ID, subject(cybersource="tok-2", email="ada@x.example"), False),
    ("an id and a foreign one", ERASED_WITH_ID, subject(customer_id="C-1", cybersource="tok-2"), True),
    ("a customer with the address", ERASED_BY_EMAIL, subject(customer_id="C-2", email="ada@x.example"), True),
    ("the same address again", ERASED_BY_EMAIL, subject(email="Ada@x.example"), True),
    ("a customer with another address", ERASED_BY_EMAIL, subject(customer_id="C-2", email="bob@x.example"), False),
    ("an address in place of an id", ERASED_BY_EMAIL, subject(customer_id="ada@x.example"), False),
]  # fmt: skip


@pytest.mark.parametrize(("erased", "who", "same"), [row[1:] for row in WHO], ids=[row[0] for row in WHO])
def test_an_id_says_who_somebody_is_and_an_address_may_be_shared(
    erased: Subject, who: Subject, same: bool, suppression: SuppressionList
) -> None:
    suppression.add("c-1", erased, NOW)
    assert case_of(suppression, who) == ("c-1" if same else None)
    shared = {(i.kind, i.value.lower() if i.kind == "email" else i.value) for i in erased.identifiers} & {
        (i.kind, i.value.lower() if i.kind == "email" else i.value) for i in who.identifiers
    }
    assert [one.case_id for one in suppression.matching(who)] == (["c-1"] if shared else [])


def test_of_two_erased_people_with_one_address_each_is_found_by_their_id(suppression: SuppressionList) -> None:
    """Only the address finds both; what is one's own are the entries of one's own cases."""
    suppression.add("c-1", subject(customer_id="C-1", email="both@x.example"), NOW)
    suppression.add("c-2", subject(customer_id="C-2", email="both@x.example"), NOW)
    suppression.add("c-3", subject(customer_id="C-1", email="both@x.example"), NOW + timedelta(days=1))
    one, other = subject(customer_id="C-1", email="both@x.example"), subject(customer_id="C-2", email="both@x.example")
    assert (case_of(suppression, one), case_of(suppression, other)) == ("c-1", "c-2")
    assert [s.case_id for s in suppression.same(one)] == ["c-1", "c-3"]
    assert [s.case_id for s in suppression.same(other)] == ["c-2"]
    assert {s.case_id for s in suppression.matching(one)} == {"c-1", "c-2", "c-3"}
    assert case_of(suppression, subject(customer_id="C-3", email="both@x.example")) is None


IDS = st.text(min_size=1, max_size=12).filter(lambda t: t == t.strip())
PEOPLE = st.dictionaries(st.sampled_from(["customer_id", "email", "phone", "voucherify"]), IDS, min_size=1).map(
    lambda values: subject(**values)
)


def test_whoever_was_added_is_found_by_any_one_of_their_identifiers(suppression: SuppressionList) -> None:
    """Whatever the identifiers, and whoever else is on the list."""
    number = iter(range(10_000))

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(PEOPLE)
    def check(who: Subject) -> None:
        name = f"c-{next(number)}"
        assert suppression.add(name, who, NOW)
        assert suppression.find(who) is not None
        for identifier in who.identifiers:
            alone = Subject((identifier,))
            assert name in [one.case_id for one in suppression.same(alone)]
            spelled = identifier.value.upper() if identifier.kind == "email" and identifier.value.isascii() else ""
            if spelled:
                assert name in [one.case_id for one in suppression.same(subject(email=spelled))]
        suppression.remove([name])
        assert name not in [one.case_id for one in suppression.matching(who)]

    check()


# -- adding and removing ----------------------------------------------------------------------------------------------


def test_adding_the_second_time_does_nothing_and_says_so(suppression: SuppressionList) -> None:
    assert [suppression.add("c-1", ADA, NOW + timedelta(days=n)) for n in range(2)] == [True, False]
    (one,) = suppression.entries()
    assert (one.since, one.kinds) == ("2026-11-21T09:00:00Z", ("customer_id", "email", "phone"))
    assert "Kanarienvogel" not in repr(one)


def test_lifted_means_that_nothing_is_refused_until_the_next_erasure(suppression: SuppressionList) -> None:
    suppression.add("c-1", ADA, NOW)
    suppression.remove(["c-1", "c-unknown"])
    assert (suppression.find(ADA), list(suppression.entries()), suppression.matching(ADA)) == (None, [], [])
    assert suppression.add("c-1", ADA, NOW)


def test_entries_come_the_earliest_first(suppression: SuppressionList) -> None:
    for n in (2, 0, 1):
        suppression.add(f"c-{n}", subject(customer_id=f"C-{n}"), NOW + timedelta(days=n))
    assert [one.case_id for one in suppression.entries()] == ["c-0", "c-1", "c-2"]


# -- loss -------------------------------------------------------------------------------------------------------------


def test_a_list_that_was_lost_is_not_made_anew_once_somebody_is_on_it(tmp_path: Path) -> None:
    """A home of an older version, which has none, gets one; where the ledger knows of an erasure it was lost."""
    home, clock = Home(tmp_path / "home"), SkippingClock()
    create_home(home, clock)
    home.suppression.unlink()
    with closing(KeyStore.open(home.keys)) as keys, Ledger.open(home.ledger, clock.now) as ledger:
        with closing(open_suppression_list(home, keys, ledger)) as made:
            made.add("c-1", ADA, NOW)
        ledger.append(Draft("suppression.added", "c-1", "r-1", "", "", {"identifiers": 3}))
        with closing(open_suppression_list(home, keys, ledger)) as again:
            assert case_of(again, ADA) == "c-1"
        home.suppression.unlink()
        with pytest.raises(StorageError, match="is missing, but people are on it"):
            open_suppression_list(home, keys, ledger)
    with pytest.raises(StorageError, match="is missing, but people are on it"):
        create_home(home, clock)
    assert not home.suppression.exists()


def test_a_list_whose_key_was_lost_does_not_go_on_with_another(suppression: SuppressionList, tmp_path: Path) -> None:
    """A key store put back from before the first erasure: under a new key nobody would be on the list any more."""
    suppression.add("c-1", ADA, NOW)
    with closing(sqlite3.connect(tmp_path / "keys.db")) as db, db:
        db.execute("DELETE FROM named_keys WHERE name = 'suppression'")
    with (
        closing(KeyStore.open(tmp_path / "keys.db")) as keys,
        closing(SuppressionList.open(tmp_path / "suppression.db", keys)) as orphan,
    ):
        for action in (
            lambda: orphan.find(ADA), lambda: orphan.matching(ADA), lambda: orphan.add("c-2", ADA, NOW),
        ):  # fmt: skip
            with pytest.raises(KeyUnavailable, match="key 'suppression' is not in the key store"):
                action()


def test_asking_an_empty_list_makes_no_key(suppression: SuppressionList, tmp_path: Path) -> None:
    assert (suppression.find(ADA), suppression.matching(ADA)) == (None, [])
    with closing(sqlite3.connect(tmp_path / "keys.db")) as db:
        assert db.execute("SELECT name FROM named_keys").fetchall() == [("installation",)]


def test_damage_and_other_files_are_told(suppression: SuppressionList, keys: KeyStore, tmp_path: Path) -> None:
    suppression.add("c-1", ADA, NOW)
    suppression.close()
    suppression.close()
    with pytest.raises(StorageError):
        suppression.find(ADA)
    with pytest.raises(StorageError, match="not a habeas suppression list"):
        SuppressionList.open(tmp_path / "keys.db", keys)
    with pytest.raises(StorageError, match="is missing"):
        SuppressionList.open(tmp_path / "none.db", keys)
    (tmp_path / "suppression.db").chmod(0o644)
    with pytest.raises(StorageError, match="can be read by others"):
        SuppressionList.open(tmp_path / "suppression.db", keys)


# -- many at once -----------------------------------------------------------------------------------------------------

TWO_PROCESSES = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from habeas.cases.keys import KeyStore
from habeas.cases.suppression import SuppressionList
from habeas.models import Identifier, Subject

folder, name = Path(sys.argv[1]), sys.argv[2]
keys = KeyStore.open(folder / "keys.db")
people = SuppressionList.open(folder / "suppression.db", keys)
print("ready", flush=True)
sys.stdin.readline()
for n in range(12):
    people.add(f"c-{name}-{n}", Subject((Identifier("customer_id", f"{name}-{n}"),)), datetime.now(UTC))
"""


def test_threads_and_processes_share_the_list_and_its_key(
    suppression: SuppressionList, tmp_path: Path, start: Start
) -> None:
    """Nobody is lost, also where two make the list's first mark at the same moment."""
    children = [start(TWO_PROCESSES, tmp_path, name) for name in "ab"]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()

    def work(n: int) -> str | None:
        suppression.add(f"c-t-{n}", subject(customer_id=f"t-{n}"), NOW)
        return case_of(suppression, subject(customer_id=f"t-{n}"))

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(work, range(24))) == [f"c-t-{n}" for n in range(24)]
    for child in children:
        child.communicate()
        assert child.returncode == 0
    everybody = [*(f"{name}-{n}" for name in "ab" for n in range(12)), *(f"t-{n}" for n in range(24))]
    assert [case_of(suppression, subject(customer_id=who)) for who in everybody] == [f"c-{who}" for who in everybody]

"""Opening cases, reading them back, and what a crash in between leaves."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from habeas.cases.keys import KeyStore
from habeas.cases.register import NewCase, Register, Request
from habeas.cases.vault import Vault
from habeas.errors import InputError, StorageError
from habeas.models import CaseStatus, CaseType, Identifier, Subject
from habeas.testing.clock import SkippingClock
from habeas_audit import Draft, Ledger

Start = Callable[..., "subprocess.Popen[str]"]

RECEIVED = datetime(2026, 11, 21, 10, 30, tzinfo=timezone(timedelta(hours=1)))


def asked(n: int = 0, *, approved: bool = True, policy: str = "gdpr-erasure") -> NewCase:
    identifiers = (Identifier("email", f"canary{n}@example.org"), Identifier("customer_id", f"CANARY-{n}"))
    return NewCase(
        CaseType.ERASURE if policy else CaseType.INVENTORY, Request(Subject(identifiers), f"ticket of canary{n}", "o"),
        "gdpr", RECEIVED, RECEIVED + timedelta(days=30), "P1M", policy, "sha256:00" if policy else "", approved,
    )  # fmt: skip


@pytest.fixture
def register(ledger: Ledger, vault: Vault, keys: KeyStore, clock: SkippingClock) -> Register:
    return Register(ledger, vault, keys, clock)


def test_a_case_comes_back_as_it_was_opened(register: Register) -> None:
    (name,) = register.open("r-1", [asked()])
    view = register.view(name)
    assert (view.case_id, view.run_id, view.type) == (name, "r-1", CaseType.ERASURE)
    assert (view.received_at, view.due_at) == ("2026-11-21T09:30:00Z", "2026-12-21T09:30:00Z")
    assert (view.status, view.approved, view.outcomes) == (CaseStatus.OPEN, True, ())
    assert register.request(name) == asked().request


def test_a_case_without_policy_or_approval_has_none(register: Register) -> None:
    (name,) = register.open("r-1", [asked(approved=False, policy="")])
    view = register.view(name)
    assert (view.policy, view.policy_digest, view.approved, view.type) == ("", "", False, CaseType.INVENTORY)


def test_many_cases_are_opened_together_in_order_with_names_of_their_own(register: Register, ledger: Ledger) -> None:
    names = register.open("r-1", [asked(n) for n in range(300)])
    assert len(set(names)) == 300
    assert list(register.cases()) == names
    assert [register.request(name).reference for name in names[::100]] == [
        f"ticket of canary{n}" for n in (0, 100, 200)
    ]
    assert ledger.head().size == 300
    assert register.open("r-2", []) == []
    assert list(register.cases(run_id="r-2")) == []


def test_cases_of_one_run_and_unfinished_ones_can_be_told_apart(register: Register, ledger: Ledger) -> None:
    first, second = register.open("r-1", [asked(1)])[0], register.open("r-2", [asked(2)])[0]
    ledger.append(Draft("case.started", second, "r-3"))
    assert list(register.cases(run_id="r-1")) == [first]
    assert list(register.cases(run_id="r-3")) == []
    assert [(v.case_id, v.status) for v in register.unfinished()] == [(first, "open"), (second, "running")]
    ledger.append(Draft("case.closed", first, "r-3", data={"status": "completed"}))
    assert [v.case_id for v in register.unfinished()] == [second]


def test_a_case_that_is_not_there_is_told(register: Register) -> None:
    with pytest.raises(InputError, match="there is no case c-none"):
        register.view("c-none")
    with pytest.raises(StorageError):
        register.request("c-none")


@pytest.mark.parametrize("name", ["", "ada@x.org", "c-", "c-a\ud800b", "c-\x1b[2J", "c-" + "x" * 5000, "c-1\n", "C-1"])
def test_what_is_no_name_of_a_case_is_not_repeated(register: Register, name: str) -> None:
    with pytest.raises(InputError) as caught:
        register.view(name)
    assert caught.value.message == "there is no case of that name"


def test_the_ledger_knows_the_subject_by_pseudonyms_only(
    register: Register, keys: KeyStore, ledger: Ledger, clock: SkippingClock, tmp_path: Path
) -> None:
    register.open("r-1", [asked(), asked()])
    one, other = ledger.entries(types=["case.opened"])
    assert one.data["subject"] == sorted(
        keys.pseudonym(i.kind, i.value, clock.now()) for i in asked().request.subject.identifiers
    )
    assert one.data["subject"] == other.data["subject"]
    assert one.data["request"] != other.data["request"]
    ledger.close()
    for path in tmp_path.iterdir():
        assert b"canary" not in path.read_bytes().lower()


def test_the_ledger_commits_to_the_sealed_request(register: Register, ledger: Ledger, tmp_path: Path) -> None:
    import hashlib

    (name,) = register.open("r-1", [asked()])
    with closing(sqlite3.connect(tmp_path / "vault.db")) as db:
        nonce, sealed = db.execute("SELECT nonce, sealed FROM items WHERE case_id = ?", (name,)).fetchone()
    (entry,) = ledger.entries(case_id=name)
    assert entry.data["request"] == "sha256:" + hashlib.sha256(nonce + sealed).hexdigest()


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from habeas.cases.keys import KeyStore
from habeas.cases.register import NewCase, Register, Request
from habeas.cases.vault import Vault
from habeas.clock import SystemClock
from habeas.models import CaseType, Identifier, Subject
from habeas_audit import Ledger

home, at = Path(sys.argv[1]), datetime(2026, 11, 21, tzinfo=UTC)
keys = KeyStore.open(home / "keys.db")
vault = Vault.open(home / "vault.db", keys)
ledger = Ledger.open(home / "audit.db", SystemClock().now)

class Cut:
    '''The ledger, behind a wire that is cut before or after the append.'''
    def append(self, *drafts):
        if sys.argv[2] == "after":
            ledger.append(*drafts)
        os.kill(os.getpid(), signal.SIGKILL)

request = Request(Subject((Identifier("email", "ada@x.org"),)), "", "")
case = NewCase(CaseType.ACCESS, request, "gdpr", at, at, "", "", "", True)
Register(Cut(), vault, keys, SystemClock()).open("r-1", [case, case])
"""


@pytest.mark.parametrize(("when", "cases"), [("before", 0), ("after", 2)])
def test_a_crash_between_vault_and_ledger_leaves_no_case_without_its_request(
    register: Register, tmp_path: Path, start: Start, when: str, cases: int
) -> None:
    child = start(KILLED, tmp_path, when)
    child.communicate()
    assert child.returncode == -9
    names = list(register.cases())
    assert len(names) == cases
    assert all(register.request(name).subject.values("email") == ("ada@x.org",) for name in names)
    with closing(sqlite3.connect(tmp_path / "vault.db")) as db:
        assert db.execute("SELECT count(*) FROM items").fetchone() == (2,)
    (name,) = register.open("r-2", [asked()])
    assert register.request(name) == asked().request


def test_a_vault_that_cannot_be_written_opens_no_case(register: Register, vault: Vault, ledger: Ledger) -> None:
    vault.close()
    with pytest.raises(StorageError):
        register.open("r-1", [asked()])
    assert ledger.head().size == 0


def test_a_request_survives_any_text(register: Register) -> None:
    subject = Subject((Identifier("customer_id", "é👩 '\"\\"),))
    case = NewCase(
        CaseType.ACCESS, Request(subject, "\udcff ref", "/tmp/\udcffx"), "gdpr", datetime(2026, 1, 1, tzinfo=UTC),  # noqa: S108
        RECEIVED, "", "", "", False,
    )  # fmt: skip
    (name,) = register.open("r-1", [case])
    assert register.request(name) == case.request

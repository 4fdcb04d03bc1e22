"""The power goes while vault, key store and suppression list are written: what was acknowledged is there, and a key
that was destroyed is in no file of the home any more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.figures import record
from tests.power.machine import Cut, Machine
from tests.power.test_ledger import OFF, some
from tests.power.vfs import SHIPPED, driven

from habeas.cases.keys import KeyStore
from habeas.cases.suppression import SuppressionList
from habeas.cases.vault import Vault
from habeas.errors import HabeasError, KeyDestroyed, StorageError
from habeas.models import Identifier, Subject

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
PERSIST = {"journal_mode = TRUNCATE": "journal_mode = PERSIST", "VACUUM": "SELECT 1"}
CASES = [f"c-{n}" for n in range(6)]
WHO = {case_id: Subject((Identifier("email", f"{case_id}@example.com"),)) for case_id in CASES}


@dataclass
class State:
    """What there is to be found after so many steps."""

    values: dict[tuple[str, str], str] = field(default_factory=dict)
    destroyed: set[str] = field(default_factory=set)
    listed: set[str] = field(default_factory=set)

    def copy(self) -> State:
        return State(dict(self.values), set(self.destroyed), set(self.listed))


@dataclass
class Work:
    """A piece of work on the three files, step by step; each is acknowledged when the program's call returns."""

    machine: Machine
    states: list[State]
    keys: dict[str, bytes]
    """Case → its key, and `suppression/CASE` → the mark: what must be gone once it was destroyed."""


class Stores:
    """The three files, opened by the program."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.keys = stack.enter_context(closing(KeyStore.open(folder / "keys.db")))
        self.vault = stack.enter_context(closing(Vault.open(folder / "vault.db", self.keys)))
        self.listed = stack.enter_context(closing(SuppressionList.open(folder / "suppression.db", self.keys)))


def recorded(folder: Path, words: Mapping[str, str] = SHIPPED) -> Work:
    folder.mkdir(parents=True)
    with closing(KeyStore.create(folder / "keys.db")) as keys:
        Vault.create(folder / "vault.db", keys).close()
        SuppressionList.create(folder / "suppression.db", keys).close()
    work = Work(Machine(folder), [State()], {})
    with driven(work.machine, words), ExitStack() as stack:
        _steps(work, Stores(folder, stack))
    return work


def _steps(work: Work, stores: Stores) -> None:
    state = State()

    def acknowledge() -> None:
        work.machine.acknowledge("step")
        work.states.append(state.copy())
        work.machine.begin("step")

    work.machine.begin("step")
    for case_id in CASES:
        stores.vault.open_cases({case_id: {"who": case_id}})
        state.values[case_id, "request"] = case_id
        work.keys[case_id] = stores.keys.case_key(case_id)
        acknowledge()
    for case_id in CASES[:4]:
        stores.listed.add(case_id, WHO[case_id], NOW)
        state.listed.add(case_id)
        (identifier,) = WHO[case_id].identifiers
        work.keys[f"suppression/{case_id}"] = stores.keys.suppression_mark(identifier.kind, identifier.value)
        acknowledge()
    for n, case_id in enumerate(CASES * 2):
        stores.vault.put(case_id, "plan", {"who": f"{case_id} {n} " + "x" * 600})
        state.values[case_id, "plan"] = f"{case_id} {n} " + "x" * 600
        acknowledge()
    for case_id in CASES[:3]:
        stores.keys.destroy_case_keys([case_id], NOW)
        state.destroyed.add(case_id)
        acknowledge()
        stores.vault.remove([case_id])
        state.values = {key: value for key, value in state.values.items() if key[0] != case_id}
        acknowledge()
        stores.listed.remove([case_id])
        state.listed.discard(case_id)
        state.destroyed.add(f"suppression/{case_id}")
        acknowledge()


def judge(cut: Cut, work: Work, folder: Path) -> str:
    """`kept`, `lost`, `corrupt` or `came back`, as the program as it is finds the files."""
    done = len(cut.acknowledged)
    before, after = work.states[done], work.states[min(done + 1, len(work.states) - 1)]
    cut.put(folder)
    if any(work.keys[name] in content for name in before.destroyed for content in cut.files.values()):
        return "came back"
    try:
        with ExitStack() as stack:
            stores = Stores(folder, stack)
            for case_id in CASES:
                if not _as_it_was(stores, case_id, before, after):
                    return "lost"
            stores.vault.open_cases({"c-after": {"who": "after"}})
            return "kept" if stores.vault.get("c-after", "request") == {"who": "after"} else "lost"
    except HabeasError:
        return "corrupt"


def _as_it_was(stores: Stores, case_id: str, before: State, after: State) -> bool:
    """Each value, key and mark is as it was acknowledged, or as the step under way would have made it."""
    listed = stores.listed.find(WHO[case_id]) is not None
    if listed not in (case_id in before.listed, case_id in after.listed):
        return False
    for name in ("request", "plan"):
        wanted = before.values.get((case_id, name)), after.values.get((case_id, name))
        try:
            found = stores.vault.get(case_id, name)["who"] if stores.vault.has(case_id, name) else None
        except KeyDestroyed:
            if case_id not in after.destroyed:
                return False
            continue
        except StorageError:
            return False
        # A key that was destroyed opens nothing; a value may be there before anybody is told so.
        if case_id in before.destroyed or found not in wanted:
            if case_id in before.destroyed and found is None:
                continue
            return False
    return True


def judged(work: Work, cuts: int, seed: int, folder: Path) -> Counter[str]:
    return Counter(judge(cut, work, folder) for cut in work.machine.cuts(some(work.machine, cuts, seed), seed))


def test_nothing_acknowledged_is_lost_and_no_destroyed_key_comes_back(tmp_path: Path) -> None:
    assert judged(recorded(tmp_path / "home"), 25, 1, tmp_path / "cut") == {"kept": 25}


def test_nor_when_the_power_goes_again_during_recovery(tmp_path: Path) -> None:
    assert judged_twice(recorded(tmp_path / "home"), 8, 3, 2, tmp_path) == {"kept": 24}


def judged_twice(work: Work, first: int, second: int, seed: int, folder: Path) -> Counter[str]:
    found: Counter[str] = Counter()
    for cut in work.machine.cuts(some(work.machine, first, seed), seed):
        again = Machine(cut.put(folder / "first"))
        with driven(again), ExitStack() as stack:
            stores = Stores(again.folder, stack)
            for case_id in CASES:  # reads it, and so rolls back what was cut off
                stores.vault.has(case_id, "plan")
                stores.keys.destroyed_at(case_id)
            list(stores.listed.entries())
        for late in again.cuts(some(again, second, seed + cut.at), seed + cut.at):
            both = replace(late, acknowledged=cut.acknowledged, begun=cut.begun)
            found[judge(both, work, folder / "second")] += 1
    return found


@pytest.mark.parametrize(
    ("words", "fates"), [(OFF, ("lost", "corrupt")), (PERSIST, ("came back",))], ids=["OFF", "PERSIST"]
)
def test_the_controls_fail(words: Mapping[str, str], fates: tuple[str, ...], tmp_path: Path) -> None:
    """Without syncs the files are damaged; in a journal that is kept, a destroyed key is."""
    found = judged(recorded(tmp_path / "home", words), 25, 3, tmp_path / "cut")
    assert sum(found[fate] for fate in fates) > 4


@pytest.mark.faults
def test_a_thousand_cuts(tmp_path: Path) -> None:
    """The same moments and lots each time."""
    found = judged(recorded(tmp_path / "home"), 1000, 10, tmp_path / "cut")
    twice = judged_twice(recorded(tmp_path / "again"), 50, 4, 20, tmp_path)
    controls = {
        name: judged(recorded(tmp_path / name, words), 300, 30, tmp_path / "cut")
        for name, words in (("off", OFF), ("persist", PERSIST))
    }
    record("power", {
        "vault_keys_suppression": {"cuts": found.total(), **found},
        "vault_keys_suppression_cut_again_in_recovery": {"cuts": twice.total(), **twice},
        **{f"vault_keys_suppression_control_{name}": {"cuts": c.total(), **c} for name, c in controls.items()},
    })  # fmt: skip
    assert (found, twice) == ({"kept": 1000}, {"kept": 200})
    assert controls["off"]["kept"] < 150
    assert controls["persist"]["came back"] > 50

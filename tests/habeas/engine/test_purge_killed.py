"""A purge that is killed at any step, or runs beside another, leaves nothing in between."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.habeas.engine.house import DAY, House, package

import habeas.engine.purge
from habeas.cases.keys import KeyStore
from habeas.cases.suppression import SuppressionList
from habeas.cases.vault import Vault
from habeas.engine.purge import carry_out_purge, one_purge
from habeas.engine.tools import suppress as put_on_list
from habeas.errors import StorageError
from habeas.models import CaseType, Identifier, Subject
from habeas_audit import Ledger

# -- killed -----------------------------------------------------------------------------------------------------------


class Kill(BaseException):
    """Ends it where it stands."""


STEPS: tuple[tuple[Any, str], ...] = (
    (KeyStore, "destroy_case_keys"), (KeyStore, "destroy_pseudonyms"), (KeyStore, "_scrub"), (KeyStore, "tell"),
    (Vault, "remove"), (Ledger, "append"), (SuppressionList, "remove"), (habeas.engine.purge, "_destroy_package"),
)  # fmt: skip


def arm(patch: pytest.MonkeyPatch, kill_at: int) -> list[str]:
    """A point before and after each step; at the n-th it ends. Returns the points passed."""
    passed: list[str] = []

    def here(name: str) -> None:
        passed.append(name)
        if len(passed) == kill_at:
            raise Kill

    def around(place: Any, name: str) -> None:
        real = getattr(place, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            here(f"before {name}")
            result = real(*args, **kwargs)
            here(f"after {name}")
            return result

        patch.setattr(place, name, wrapped)

    for place, name in STEPS:
        around(place, name)
    return passed


def full(house: House) -> None:
    """Something of everything that ends, in two steps of cases, and one case that stays."""
    for _ in range(2):
        house.case()
    access = house.case(CaseType.ACCESS, policy="")
    package(house, access, house.home.packages / f"{access}.zip")
    house.clock.skip(400 * DAY)
    house.case(status=None)


def end_of(house: House) -> tuple[Any, ...]:
    """What is left in the end, without names."""
    house.check()
    lifted = [e.data["why"] for e in house.tools.ledger.entries(types=["suppression.lifted"])]
    return (
        len(house.said("details.destroyed")), house.said("pseudonyms.destroyed"), house.tools.keys.epochs(),
        lifted, len(list(house.tools.suppression.entries())), list(house.home.packages.iterdir()),
    )  # fmt: skip


def test_a_kill_at_any_step_is_made_good_by_the_next_purge(
    make: Callable[..., House], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exactly one entry for each thing destroyed, no key that is neither, nothing left over: enumerated."""
    monkeypatch.setattr(habeas.engine.purge, "_TOGETHER", 2)
    first = make("first", details="P0D", pseudonyms="P30D", suppression="P30D")
    full(first)
    first.app.close()
    base = shutil.copytree(first.folder, place / "base")
    first.app = first._open()
    with monkeypatch.context() as patch:
        points = arm(patch, 0)
        first.purge()
    expected = end_of(first)
    assert expected[:4] == (3, ["2026Q4"], ["2027Q4"] if len(expected[2]) == 1 else [], ["retention ended"] * 2)
    assert len(points) > 20
    for kill_at in range(1, len(points) + 1):
        folder = shutil.copytree(base, place / str(kill_at))
        house = House(folder, first.clock, details="P0D", pseudonyms="P30D", suppression="P30D")
        with monkeypatch.context() as patch:
            arm(patch, kill_at)
            with pytest.raises(Kill):
                house.purge()
        house.again()
        house.purge()
        assert end_of(house) == expected, points[kill_at - 1]
        assert house.plan().empty
        house.app.close()
        shutil.rmtree(folder)


def test_what_a_killed_purge_could_not_scrub_the_next_one_does(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deleting alone leaves copies of a key in the file: see the tests of the key store."""
    house.case()
    real, scrubbed = KeyStore._scrub, 0

    def killed(store: KeyStore) -> None:
        raise Kill

    def counted(store: KeyStore) -> None:
        nonlocal scrubbed
        scrubbed += 1
        real(store)

    monkeypatch.setattr(KeyStore, "_scrub", killed)
    with pytest.raises(Kill):
        house.purge()
    monkeypatch.setattr(KeyStore, "_scrub", counted)
    house.again()
    assert (house.purge().ended, scrubbed) == ([], 1)
    house.check()


# -- two at once ------------------------------------------------------------------------------------------------------


def test_a_plan_that_another_purge_has_carried_out_meanwhile_says_nothing_twice(make: Callable[..., House]) -> None:
    house = make(details="P0D", pseudonyms="P30D", suppression="P30D")
    full(house)
    plans = [house.plan(), house.plan()]
    for plan in plans:
        carry_out_purge(house.tools, house.run(), plan)
    assert end_of(house)[:4] == (3, ["2026Q4"], house.tools.keys.epochs(), ["retention ended"] * 2)


HOLDING = """
import sys
from pathlib import Path
from habeas.cases.locks import CaseLocks
from habeas.engine.purge import one_purge
with one_purge(CaseLocks(Path(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_of_two_purges_at_once_the_second_is_told_to_wait(house: House) -> None:
    """Another process holds it, and lets it go when it ends."""
    command = [sys.executable, "-c", HOLDING, str(house.home.locks)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(StorageError, match="another purge is under way"), one_purge(house.app.locks):
            pass
        child.communicate("")
    for _ in range(2):
        with one_purge(house.app.locks):
            pass


def test_a_kill_between_list_and_ledger_still_tells_who_was_put_on_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a list that was lost would be made anew: the ledger would know of nobody on it."""
    subject = Subject((Identifier("customer_id", "C-1"),))
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "append", lambda *_: (_ for _ in ()).throw(Kill()))
        with suppress(Kill):
            put_on_list(house.tools, house.run(), "c-1", subject)
    assert house.tools.suppression.find(subject) is not None
    for _ in range(2):
        put_on_list(house.tools, house.run(), "c-1", subject)
    assert house.said("suppression.added") == ["c-1"]

"""The disk is full, or fails, at any write: no call without its intent on disk, one line that says what to do, nothing
half-written under its name; and once there is space again, `habeas resume` ends with the same outcomes.
"""

from __future__ import annotations

import errno
from collections import Counter
from typing import Any

import pytest
from tests.crash.conftest import Undisturbed, survive
from tests.crash.scenarios import SCENARIOS, Scenario
from tests.figures import record
from tests.storage.conftest import DiskShop

from habeas.clock import SystemClock
from habeas_audit import Ledger

FULL = {"errno": errno.ENOSPC, "kinds": ["create", "grow", "link", "mkdir"], "lasting": True}
"""What takes space. What gives it back goes on working."""
BROKEN = {
    "errno": errno.EIO, "lasting": True,
    "kinds": ["create", "grow", "write", "link", "mkdir", "sync", "syncdir", "truncate", "unlink"],
}  # fmt: skip
ONCE = {**BROKEN, "lasting": False}
ABOUT = ("disk", "space", "resume", "written", "signed", "Input/output")
DISKS = {"full": FULL, "broken": BROKEN, "broken once": ONCE}
STEPS = {"full": 1, "broken": 7, "broken once": 7}
"""Every so-manieth point of the four commands that write all kinds of files; of the others every fifth of those."""


def fail_at_each(
    shop: DiskShop, scenario: Scenario, expected: Any, disk: dict[str, Any], first: int, step: int
) -> Counter[int]:
    """Lets the disk fail at points ``first``, ``first + step``, … until none is reached: how each command ended."""
    ends: Counter[int] = Counter()
    at = first
    while True:
        scenario.begin(shop)
        code, passed, told = scenario.run(shop, disk={**disk, "at": at})
        if passed < at:
            break
        said = shop.said()
        assert code in (0, 1, 3), (at, code, said)
        assert "internal fault" not in said, (at, said)
        if code == 1:
            # One line that says what and what to do; or, where the disk failed once and the rest went on, the cases.
            lines = [line for line in said.splitlines() if line.startswith("habeas: ")]
            assert lines or not disk["lasting"], (at, said)
            assert all(any(word in line for word in ABOUT) for line in lines), (at, lines)
            assert lines or told, (at, said)
        # SQLite rolls back what was cut off when the file is opened again; to look at it alone, `verify` may not.
        Ledger.open(shop.home.ledger, SystemClock().now).close()
        survive(shop, scenario, expected)
        if disk is not BROKEN:  # where nothing can be taken away either
            assert shop.leftovers() == [], at
        ends[code] += 1
        at += step
    assert code in (0, 3)
    assert scenario.state(shop) == expected
    return ends


@pytest.mark.parametrize(("name", "first"), [("erase", 40), ("access", 30)])
def test_a_full_disk_is_made_good(name: str, first: int, disk_shop: DiskShop, undisturbed_disk: Undisturbed) -> None:
    """One point of each: while the ledger is written, and while a package is."""
    scenario = SCENARIOS[name]
    expected, _ = undisturbed_disk(scenario)
    assert fail_at_each(disk_shop, scenario, expected, FULL, first, 1000) == {1: 1}


@pytest.mark.faults
@pytest.mark.parametrize("kind", DISKS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_disk_that_fails_at_any_write_is_made_good(
    name: str, kind: str, disk_shop: DiskShop, undisturbed_disk: Undisturbed
) -> None:
    scenario = SCENARIOS[name]
    expected, _ = undisturbed_disk(scenario)
    step = STEPS[kind] if name in ("erase", "access", "certificate", "purge") else 5 * STEPS[kind]
    ends = fail_at_each(disk_shop, scenario, expected, DISKS[kind], 1, step)
    assert ends[1] > 0
    record("storage", {f"{name}, disk {kind}": {"points": ends.total(), "exit": dict(ends), "resumed": ends.total()}})

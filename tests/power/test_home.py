"""The power goes while `habeas init` makes a home: doing it again makes a home that is whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.figures import record
from tests.power.files import told
from tests.power.machine import Cut, Machine
from tests.power.test_ledger import some
from tests.power.vfs import driven

from habeas.cases.keys import KeyStore
from habeas.clock import SystemClock
from habeas.config import AuditConfig
from habeas.home import Home
from habeas.opening import create_home, open_seal
from habeas_audit import Ledger


def made(folder: Path) -> Machine:
    folder.mkdir()
    machine = Machine(folder)
    with driven(machine), told(machine):
        create_home(Home(folder), SystemClock())
        machine.acknowledge("made")
    return machine


def check(cut: Cut, folder: Path) -> None:
    home = Home(cut.put(folder))
    if cut.acknowledged:
        home.require()
    made = create_home(home, SystemClock())
    assert not (cut.acknowledged and made), "what was acknowledged is there"
    assert create_home(home, SystemClock()) == []
    with Ledger.open(home.ledger, SystemClock().now) as ledger:
        seal = open_seal(home, AuditConfig(), ledger, SystemClock())
        assert seal.verify().ok
        seal.ready()
    KeyStore.open(home.keys).close()


def test_a_home_is_made_in_spite_of_power_cuts(tmp_path: Path) -> None:
    machine = made(tmp_path / "home")
    for cut in machine.cuts(some(machine, 15, 1), 1):
        check(cut, tmp_path / "cut")


@pytest.mark.faults
def test_at_every_moment(tmp_path: Path) -> None:
    """Enumerated, with three lots for each."""
    machine = made(tmp_path / "home")
    end = len(machine.changes)
    for seed in range(3):
        for cut in machine.cuts(range(end + 1), seed):
            check(cut, tmp_path / "cut")
    record("power", {"init": {"cuts": 3 * (end + 1), "whole_after_again": 3 * (end + 1)}})

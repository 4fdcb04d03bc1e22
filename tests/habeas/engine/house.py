"""A home with cases whose vendors have answered already, for what comes after a case."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from habeas.app import App
from habeas.cases.keys import KeyStore
from habeas.cases.locks import CaseLocks
from habeas.cases.register import NewCase, Register, Request
from habeas.cases.suppression import SuppressionList
from habeas.cases.vault import Vault
from habeas.config import Config, Controller, RetentionConfig
from habeas.control import RunControl
from habeas.engine.purge import PurgePlan, carry_out_purge, plan_purge
from habeas.engine.schema import FieldMemory
from habeas.engine.tools import Row, Run, Tools, close_case, write_rows
from habeas.engine.tools import suppress as put_on_list
from habeas.errors import KeyDestroyed
from habeas.home import Home
from habeas.models import CaseStatus, CaseType, Identifier, Result, Subject
from habeas.opening import open_seal
from habeas.registry import Registry
from habeas.reports.package import package_digest
from habeas.testing.clock import SkippingClock
from habeas_audit import Draft, Ledger, verify
from habeas_policies import load

__all__ = ["AT_ONCE", "DAY", "House", "hold", "package"]

AT_ONCE = """
name = "at-once"
version = 1
type = "erasure"
regime = "gdpr"
description = "Keeps nothing."
[default]
action = "erase"
[after]
keep_details = "P0D"
recheck = []
"""
DAY = 86_400.0


class House:
    """A home whose clock can be moved, with cases whose vendors have answered already."""

    def __init__(self, folder: Path, clock: SkippingClock | None = None, **retention: str) -> None:
        self.folder, self.clock = folder, clock or SkippingClock()
        self.home = Home(folder / "home")
        self.retention = RetentionConfig(**retention)
        self.numbers = iter(range(1000))
        self.app = self._open()

    def _open(self) -> App:
        home, clock = self.home, self.clock
        config = Config(
            self.folder / "habeas.toml", Controller("Shop", timezone="Europe/Berlin"), (), policies=self.folder
        )
        keys = KeyStore.open(home.keys)
        vault = Vault.open(home.vault, keys)
        ledger = Ledger.open(home.ledger, clock.now)
        tools = Tools(
            home, ledger, vault, keys, Register(ledger, vault, keys, clock), Registry.load(), {},
            lambda name: load(name, search=[self.folder]), clock, config.controller,
            FieldMemory(ledger, keys, clock), SuppressionList.open(home.suppression, keys),
        )  # fmt: skip
        return App(tools, config, CaseLocks(home.locks), None, open_seal(home, config.audit, ledger, clock))

    def again(self) -> None:
        """As the next process finds it."""
        self.app.close()
        self.app = self._open()

    @property
    def tools(self) -> Tools:
        return self.app.tools

    def run(self) -> Run:
        return Run("r-1", "somebody", RunControl(self.clock), lambda _: None)

    def case(
        self, type_: CaseType = CaseType.ERASURE, *rows: Row, policy: str = "at-once", output: str = "",
        status: CaseStatus | None = CaseStatus.COMPLETED,
    ) -> str:  # fmt: skip
        """One that has its outcomes and is closed; without ``status`` it stays open."""
        n = next(self.numbers)
        subject = Subject((Identifier("customer_id", f"C-{n}-kanarie"), Identifier("email", f"k{n}@voliere.example")))
        now = self.clock.now()
        new = NewCase(
            type_, Request(subject, f"ticket {n}", output), "gdpr", now, now + timedelta(days=30), "gdpr/1",
            policy, load(policy, search=[self.folder]).digest if policy else "", True,
        )  # fmt: skip
        (name,) = self.tools.register.open("r-0", [new])
        if type_ is CaseType.ERASURE:
            put_on_list(self.tools, self.run(), name, subject)
        rows = rows or (Row("customer", "0", 1, Result.ERASED),)
        write_rows(self.tools, self.run(), self.tools.register.view(name), "shop", "vendor", rows)
        if status is not None:
            close_case(self.tools, self.run(), name, status)
        return name

    def plan(self, *case_ids: str) -> PurgePlan:
        return plan_purge(self.tools, self.retention, case_ids or None)

    def purge(self, *case_ids: str) -> PurgePlan:
        plan = self.plan(*case_ids)
        carry_out_purge(self.tools, self.run(), plan)
        return plan

    def said(self, kind: str) -> list[str]:
        """Cases (or quarters) that the ledger names in entries of a type."""
        return sorted(e.case_id or e.data["epoch"] for e in self.tools.ledger.entries(types=[kind]))

    def check(self) -> None:
        """Nothing in between: what the ledger calls destroyed is, once, and verifies."""
        assert verify(self.home.ledger).ok
        assert self.tools.keys.untold() == []
        told = Counter(self.said("details.destroyed"))
        assert set(told.values()) <= {1}
        for name in self.tools.register.cases():
            if name in told:
                with pytest.raises(KeyDestroyed):
                    self.tools.register.request(name)
                assert not self.tools.vault.has(name, "request")
            else:
                assert self.tools.register.request(name).reference


def hold(until: str = "", basis: str = "https://w3id.org/dpv/legal/eu/gdpr#A6-1-c") -> Row:
    return Row("card", "1", 1, Result.RETAINED, "the law", until, legal_basis=basis)


def package(house: House, name: str, path: Path) -> bytes:
    content = b"PK\3\4" + b"personal data of somebody" * 1000
    path.write_bytes(content)
    data = {"digest": package_digest(path), "bytes": path.stat().st_size}
    house.tools.ledger.append(Draft("package.written", name, "r-0", "", "", data))
    return content

"""The erasure pass with vendors of its own: order, isolation, holds, and what a claim of `erased` needs."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pluggy
import pytest
from requests.auth import AuthBase

import habeas
from habeas import hookspecs
from habeas.app import App
from habeas.cases.keys import KeyStore
from habeas.cases.locks import CaseLocks
from habeas.cases.outcomes import outcomes_in
from habeas.cases.register import Register
from habeas.cases.suppression import SuppressionList
from habeas.cases.vault import Vault
from habeas.cases.view import CaseView, exit_code
from habeas.config import Config, ConnectionConfig, Controller
from habeas.control import RunControl
from habeas.engine.links import open_links
from habeas.engine.schema import FieldMemory
from habeas.engine.tools import Tools
from habeas.home import Home
from habeas.http.transport import Request
from habeas.models import CaseType, Identifier, Result, Subject
from habeas.opening import create_home, open_seal
from habeas.registry import Registry
from habeas.testing.clock import SkippingClock
from habeas.testing.sandbox import Call, Reply, SandboxApp, SandboxServer
from habeas_audit import Ledger
from habeas_policies import load

PERSON = Subject((Identifier("customer_id", "C-1"),))
HOLD_CARDS = """
name = "hold-cards"
version = 1
type = "erasure"
regime = "gdpr"
description = "Holds cards."
[default]
action = "erase"
[[rules]]
match.record = "card"
action = "retain"
reason = "a dispute is open"
legal_basis = "https://w3id.org/dpv/legal/eu/gdpr#A6-1-f"
"""


class Shelf(SandboxApp):
    """A vendor of two records per person: a profile, and a card that goes with it."""

    name = "shelf"

    def __init__(self) -> None:
        super().__init__()
        self.records = {"profile": True, "card": True}
        self.lies = False
        self.keeps: set[str] = set()
        """Kinds it says to have deleted and has not."""
        for kind in self.records:
            self.route(
                "GET", f"/{kind}/{{id}}", lambda c: Reply(200 if self.records[c.path.split("/")[1]] else 404, {})
            )
            self.route("DELETE", f"/{kind}/{{id}}", self._delete)

    def _read(self, call: Call) -> Reply:
        return Reply(200 if self.records[call.path.split("/")[1]] else 404, {})

    def _delete(self, call: Call) -> Reply:
        kind = call.path.split("/")[1]
        if not self.lies and kind not in self.keeps:
            self.records[kind] = False
        return Reply(204)

    def settings(self) -> dict[str, str]:
        return {}

    def seed(self, people: Any) -> dict[str, str]:
        return {}

    def held(self, person: Any) -> dict[str, int]:
        return {kind: 1 for kind, there in self.records.items() if there}

    def error(self, status: int, message: str, call: Call) -> Reply:
        return Reply(status, {"message": message})

    def authenticate(self, call: Call) -> Reply | None:
        return None


class NoAuth(AuthBase):
    def __call__(self, request: Any) -> Any:
        return request


Erase = Callable[[Any, habeas.Erasure], tuple[habeas.Outcome, ...]]


def honest(connection: Any, erasure: habeas.Erasure) -> tuple[habeas.Outcome, ...]:
    """Deletes and reads back."""
    outcomes = []
    for item in erasure.items:
        if item.action != "erase":
            continue
        path, ids = f"/{item.record.kind}/{{id}}", {"id": item.record.ids[0]}

        def gone(path: str = path, ids: dict[str, str] = ids) -> bool:
            return bool(connection.api.get(path, ids=ids, ok=(200, 404)).status == 404)

        if not gone():
            connection.api.change(Request("DELETE", path, ids), done=gone)
        answer = connection.api.get(path, ids=ids, ok=(200, 404))
        result = Result.ERASED if answer.status == 404 else Result.FAILED
        outcomes.append(
            habeas.Outcome(item.index, result, answer.evidence, "" if answer.status == 404 else "still there")
        )
    return tuple(outcomes)


def plugin(name: str, erase: Erase = honest, *, order: int = 0) -> types.ModuleType:
    """A vendor plugin as a module of its own."""
    module = types.ModuleType(f"plugin_{name}")

    @habeas.hookimpl
    def describe() -> habeas.PluginInfo:
        def kind(kind_name: str, erased_with: tuple[str, ...]) -> habeas.RecordKind:
            return habeas.RecordKind(kind_name, kind_name, kind_name, (), (), "", erased_with)

        kinds = (kind("profile", ()), kind("card", ("profile",)))
        return habeas.PluginInfo(name, name, "profile", kinds, {"type": "object"}, (), erase_order=order)

    @habeas.hookimpl
    def authenticator(settings: dict[str, object], base_url: str, transport: Any) -> AuthBase:
        return NoAuth()

    @habeas.hookimpl
    def inventory(connection: Any, subject: Subject) -> habeas.Inventory:
        found = [
            habeas.Record(kind, 1, subject.values("customer_id")) for kind in ("profile", "card")
            if connection.api.get(f"/{kind}/{{id}}", ids={"id": "C-1"}, ok=(200, 404)).status == 200
        ]  # fmt: skip
        return habeas.Inventory(tuple(found), evidence="GET /profile/{id} -> 404")

    for hook in (describe, authenticator, inventory):
        setattr(module, hook.__name__, hook)
    module.erase = habeas.hookimpl(erase)  # type: ignore[attr-defined]
    return module


@dataclass
class Bench:
    """An installation over made-up vendors."""

    app: App
    servers: dict[str, SandboxServer]
    shelves: dict[str, Shelf] = field(default_factory=dict)

    def erase(self, policy: str = "gdpr-erasure") -> CaseView:
        control = RunControl(self.app.tools.clock, 90)
        with self.app.run("erase", lambda _: None, control) as run:
            new = self.app.new_case(CaseType.ERASURE, PERSON, policy=policy, approved=True)
            (case_id,) = self.app.tools.register.open(run.run_id, [new])
            view = self.app.work_on(run, case_id)
        assert view is not None
        return view

    def again(self, case_id: str) -> CaseView:
        with self.app.run("resume", lambda _: None, RunControl(self.app.tools.clock, 90)) as run:
            view = self.app.work_on(run, case_id)
        assert view is not None
        return view


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    opened: list[Bench] = []

    def build(*plugins: types.ModuleType) -> Bench:
        clock = SkippingClock()
        home = Home(tmp_path / "home")
        create_home(home, clock)
        (tmp_path / "policies").mkdir()
        (tmp_path / "policies" / "hold-cards.toml").write_text(HOLD_CARDS)
        manager = pluggy.PluginManager(hookspecs.PROJECT)
        manager.add_hookspecs(hookspecs)
        shelves, servers = {}, {}
        for module in plugins:
            name = module.__name__.removeprefix("plugin_")
            manager.register(module, name=name)
            shelves[name] = Shelf()
            servers[name] = SandboxServer(shelves[name]).start()
        registry = Registry.checked(manager)
        connections = tuple(
            ConnectionConfig(name, name, s.base_url, {"attempts": 2, "requests_per_second": 1000}, {})
            for name, s in servers.items()
        )
        config = Config(tmp_path / "habeas.toml", Controller("Shop"), connections, policies=tmp_path / "policies")
        keys = KeyStore.open(home.keys)
        vault = Vault.open(home.vault, keys)
        ledger = Ledger.open(home.ledger, clock.now)
        tools = Tools(
            home, ledger, vault, keys, Register(ledger, vault, keys, clock), registry,
            open_links(config, registry, clock), lambda name: load(name, search=[tmp_path / "policies"]), clock,
            config.controller, FieldMemory(ledger, keys, clock), SuppressionList.open(home.suppression, keys),
        )  # fmt: skip
        seal = open_seal(home, config.audit, ledger, clock)
        opened.append(Bench(App(tools, config, CaseLocks(home.locks), None, seal), servers, shelves))
        return opened[-1]

    yield build
    for made in opened:
        for server in made.servers.values():
            server.stop()
        made.app.close()


def results(view: CaseView) -> dict[tuple[str, str], str]:
    return {(row.connection, row.record): str(row.result) for row in view.outcomes}


def test_money_goes_last(bench: Callable[..., Bench]) -> None:
    """No call at a connection of higher order begins before those of lower order have their outcomes."""
    shop = bench(plugin("bank", order=90), plugin("mail"), plugin("points"))
    view = shop.erase()
    assert exit_code(view) == 0
    entries = list(shop.app.tools.ledger.entries(case_id=view.case_id))
    first_bank = min(e.seq for e in entries if e.type == "call.intent" and e.connection == "bank")
    last_other = max(e.seq for e in entries if e.type == "record.outcome" and e.connection != "bank")
    assert last_other < first_bank


def test_an_intent_is_on_record_before_each_changing_call_and_its_outcome_after(bench: Callable[..., Bench]) -> None:
    """In the ledger, intent and outcome come in pairs, and there are as many as calls the vendor saw."""
    shop = bench(plugin("mail"))
    view = shop.erase()
    entries = [e for e in shop.app.tools.ledger.entries(case_id=view.case_id) if e.type.startswith("call.")]
    assert [e.type for e in entries] == ["call.intent", "call.outcome"] * 2
    assert len(shop.servers["mail"].changing_calls()) == 2
    assert all("C-1" not in e.body.decode() for e in shop.app.tools.ledger.entries())


def test_a_plugin_that_raises_fails_its_connection_and_no_other(bench: Callable[..., Bench]) -> None:
    """Its text, which may hold anything, is not in the outcome."""

    def broken(connection: Any, erasure: habeas.Erasure) -> tuple[habeas.Outcome, ...]:
        raise RuntimeError("C-1 could not be erased")

    shop = bench(plugin("bad", broken), plugin("mail"))
    view = shop.erase()
    assert results(view)["bad", "profile"] == "failed"
    assert results(view)["mail", "profile"] == "erased"
    assert (view.status, exit_code(view)) == ("incomplete", 1)
    assert all("C-1" not in row.reason for row in view.outcomes)


def test_erased_without_reading_back_is_a_fault(bench: Callable[..., Bench]) -> None:
    """A plugin that trusts a 204 cannot get its claim into the ledger."""

    def trusting(connection: Any, erasure: habeas.Erasure) -> tuple[habeas.Outcome, ...]:
        for item in erasure.items:
            connection.api.change(Request("DELETE", f"/{item.record.kind}/{{id}}", {"id": "C-1"}), done=lambda: False)
        return tuple(habeas.Outcome(i.index, Result.ERASED, "DELETE -> 204") for i in erasure.items)

    view = bench(plugin("hasty", trusting)).erase()
    assert set(results(view).values()) == {"failed"}


def test_a_vendor_that_says_204_and_keeps_the_data_is_not_believed(bench: Callable[..., Bench]) -> None:
    """And once it does what it says, a second pass finishes the case with one final outcome per record."""
    shop = bench(plugin("mail"))
    shop.shelves["mail"].lies = True
    view = shop.erase()
    assert set(results(view).values()) == {"failed"}
    shop.shelves["mail"].lies = False
    view = shop.again(view.case_id)
    assert (view.status, set(results(view).values())) == ("completed", {"erased"})
    calls = len(shop.servers["mail"].calls)
    shop.again(view.case_id)
    assert len(shop.servers["mail"].calls) == calls, "a finished case makes no calls"


def test_a_hold_on_a_record_holds_what_would_destroy_it(bench: Callable[..., Bench]) -> None:
    """Everything held is held: the case is refused, and the vendor is only read."""
    shop = bench(plugin("bank"))
    view = shop.erase("hold-cards")
    assert results(view) == {("bank", "profile"): "retained", ("bank", "card"): "retained"}
    assert (view.status, exit_code(view)) == ("refused", 4)
    assert shop.servers["bank"].changing_calls() == []


def test_nothing_held_anywhere_is_absent_and_done(bench: Callable[..., Bench]) -> None:
    """Searched and found nothing, with how we know."""
    shop = bench(plugin("mail"))
    shop.shelves["mail"].records.update(profile=False, card=False)
    view = shop.erase()
    assert [(str(r.result), r.record, r.count, r.evidence) for r in view.outcomes] == [
        ("absent", "profile", 0, "GET /profile/{id} -> 404")
    ]
    assert (view.status, exit_code(view)) == ("completed", 0)


def test_a_connection_that_left_the_configuration_keeps_its_case_open(bench: Callable[..., Bench]) -> None:
    """Its records are planned and cannot be reached any more: failed, with what to do."""
    shop = bench(plugin("mail"), plugin("points"))
    shop.shelves["points"].lies = True
    view = shop.erase()
    del shop.app.tools.links["points"]
    view = shop.again(view.case_id)
    assert view.status == "incomplete"
    assert "no longer configured" in next(r.reason for r in view.outcomes if r.connection == "points")


def test_what_is_final_stays_as_it_was_first_written(bench: Callable[..., Bench]) -> None:
    """One record fails and is erased by a second pass; the other has one final outcome, and keeps its entry."""
    shop = bench(plugin("mail"))
    shop.shelves["mail"].keeps = {"card"}
    first = shop.erase()
    assert results(first) == {("mail", "profile"): "erased", ("mail", "card"): "failed"}
    shop.shelves["mail"].keeps = set()
    second = shop.again(first.case_id)
    assert set(results(second).values()) == {"erased"}
    entry = {row.record: row.entry for row in first.outcomes}["profile"]
    assert {row.record: row.entry for row in second.outcomes}["profile"] == entry
    entries = shop.app.tools.ledger.entries(types=["record.outcome"])
    said = [row["record"] for e in entries for row in outcomes_in(e.data)]
    assert sorted(said) == ["card", "card", "profile"]

"""The made-up person: everything is created, found, and gone again; what cannot be created is said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import habeas_talonone as plugin
from habeas import Action, AuthRejected, Canary, CanaryPerson, Erasure, Identifier, Inventory, PlanItem, Result, Subject
from habeas.connection import Connection
from habeas.testing.connect import MemoryJournal, connect
from habeas.testing.sandbox import Fault, Reply, SandboxServer
from habeas_talonone.sandbox import TalonOneSandbox
from habeas_talonone.sandbox.seed import held

PERSON = CanaryPerson("habeas-canary-1", "canary-1@canary.invalid", "+4930999", "Cana", "Ry")
WHO = PERSON.customer_id
SHOWN = {"profile": 1, "coupon": 1, "referral": 1, "audience": 1}


class Cage:
    """One empty account."""

    def __init__(self, server: SandboxServer) -> None:
        self.server = server
        self.app = server.app = TalonOneSandbox()
        server.calls.clear()
        server.faults.clear()

    def connect(self, *without: str, **settings: Any) -> Connection:
        connection = connect(plugin, self.server, journal=MemoryJournal(), settings=settings)
        for name in without:
            del connection.settings[name]  # type: ignore[attr-defined] # a dict, as `connect` makes it
        return connection

    def find(self, connection: Connection, canary: Canary) -> Inventory:
        kinds = {"customer_id": WHO, "email": PERSON.email, "phone": PERSON.phone}
        ids = (*(Identifier(kind, value) for kind, value in kinds.items()), *canary.identifiers)
        self.subject = Subject(ids)
        return plugin.inventory(connection, self.subject)

    def erase(self, connection: Connection, found: Inventory) -> set[Result]:
        items = tuple(PlanItem(n, record, Action.ERASE) for n, record in enumerate(found.records))
        return {outcome.result for outcome in plugin.erase(connection, Erasure(self.subject, items))}


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(TalonOneSandbox()) as running:
        yield running


@pytest.fixture
def cage(server: SandboxServer) -> Cage:
    return Cage(server)


@pytest.mark.parametrize("searched", [False, True], ids=["without management key", "with management key"])
@pytest.mark.parametrize("after_erase", ["gone", "shell"])
def test_all_that_is_created_is_found_and_gone_after_an_erasure(cage: Cage, searched: bool, after_erase: Any) -> None:
    cage.app.after_erase = after_erase
    shown = SHOWN | ({"session": 1, "event": 1} if searched else {})
    connection = cage.connect(**(cage.app.management_settings() if searched else {}))
    canary = plugin.create_canary(connection, PERSON)
    assert (dict(canary.created), canary.left_out) == (shown, ())
    assert canary.identifiers == (Identifier("talonone", WHO),)
    found = cage.find(connection, canary)
    assert {record.kind: record.count for record in found.records} == shown
    attributes = cage.app.state.profiles[WHO].attributes
    assert attributes == {"Name": "Cana Ry", "Email": PERSON.email}
    assert [event.type for event in cage.app.state.events_of[WHO].values()] == ["habeas_canary"]
    (session,) = cage.app.state.sessions_of[WHO].values()
    assert session.state == "open"
    documents = plugin.export(connection, cage.subject, found).documents
    assert any(WHO.encode() in document.content for document in documents)
    listed_still = searched and after_erase == "shell"
    assert cage.erase(connection, found) == {Result.ERASED} | ({Result.ACCEPTED} if listed_still else set())
    assert held(cage.app.state, WHO) == {}


def test_called_again_it_makes_nothing_twice_and_adds_what_is_missing(cage: Cage) -> None:
    connection = cage.connect(**cage.app.management_settings())
    first = plugin.create_canary(connection, PERSON)
    changes = len(cage.server.changing_calls())
    assert changes == 6
    assert plugin.create_canary(connection, PERSON) == first
    assert len(cage.server.changing_calls()) == changes
    state = cage.app.state
    state.expel(state.audiences[12], WHO)
    del state.profiles[WHO].attributes["Email"]
    assert plugin.create_canary(connection, PERSON) == first
    assert len(cage.server.changing_calls()) == changes + 2
    assert state.profiles[WHO].attributes["Email"] == PERSON.email


def test_what_no_setting_names_is_left_out_and_said(cage: Cage) -> None:
    optional = [name for name in cage.app.settings() if name.startswith("canary_")]
    canary = plugin.create_canary(cage.connect(*optional), PERSON)
    assert dict(canary.created) == {"profile": 1}
    assert len(canary.left_out) == len(optional)
    for name in optional:
        assert any(f"`{name}`" in text for text in canary.left_out)
    assert [call.path.split("/")[2] for call in cage.server.changing_calls()] == [
        "customer_profiles",
        "customer_sessions",
    ]


def test_what_the_vendor_refuses_because_of_a_setting_is_left_out_and_said(cage: Cage) -> None:
    cage.app.known_attributes = {"Email"}
    cage.server.fail(Fault("status", path="/v2/events", reply=Reply(400, json={"message": PERSON.email})))
    wrong = {"canary_coupon": "NONE", "canary_audience": 99, "canary_referral_campaign": 99}
    canary = plugin.create_canary(cage.connect(**wrong), PERSON)
    assert dict(canary.created) == {"profile": 1}
    assert len(canary.left_out) == 5
    assert "attribute Name" in canary.left_out[0]
    assert not any(PERSON.email in text or WHO in text for text in canary.left_out)
    assert cage.app.state.profiles[WHO].attributes == {"Email": PERSON.email}


def test_a_refused_key_creates_nothing_and_is_told(cage: Cage) -> None:
    with pytest.raises(AuthRejected):
        plugin.create_canary(cage.connect(api_key="wrong"), PERSON)
    assert not cage.server.changing_calls()

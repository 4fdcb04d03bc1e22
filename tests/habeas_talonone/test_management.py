"""Sessions, events and friends, which only a Management API key shows; and accounts of several environments."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

import habeas_talonone as plugin
from habeas import (
    Action,
    AuthRejected,
    ConsentChange,
    ConsentState,
    ConsentUpdate,
    Erasure,
    Identifier,
    Inventory,
    Outcome,
    PlanItem,
    Purpose,
    Rejected,
    Result,
    Subject,
)
from habeas.connection import Connection
from habeas.fields import covered
from habeas.testing.connect import MemoryJournal, connect
from habeas.testing.people import Person, seeded_people
from habeas.testing.sandbox import Fault, Reply, SandboxServer
from habeas_talonone import activity
from habeas_talonone.client import calling
from habeas_talonone.sandbox import TalonOneSandbox

PEOPLE = seeded_people(43, ["talonone"])
FIRST = PEOPLE[0]
SHOWN = ("session", "event", "friend")


class Office:
    """One account, with a Management API key."""

    def __init__(self, server: SandboxServer) -> None:
        self.server = server
        self.app = server.app = TalonOneSandbox()
        self.app.seed(PEOPLE)
        server.calls.clear()
        server.faults.clear()
        self.talonone = self.connect()

    def connect(self, **settings: Any) -> Connection:
        both = {**self.app.management_settings(), **settings}
        return connect(plugin, self.server, journal=MemoryJournal(), settings=both)

    def erase(self, person: Person, found: Inventory, *, keep: str = "", resumed: bool = False) -> dict[str, Outcome]:
        items = tuple(
            PlanItem(n, record, Action.RETAIN if record.kind == keep else Action.ERASE)
            for n, record in enumerate(found.records)
        )
        outcomes = plugin.erase(self.talonone, Erasure(of(person), items, resumed))
        return {found.records[outcome.index].kind: outcome for outcome in outcomes}


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(TalonOneSandbox()) as running:
        yield running


@pytest.fixture
def office(server: SandboxServer) -> Office:
    return Office(server)


def of(person: Person) -> Subject:
    return Subject((Identifier("customer_id", person.customer_id), Identifier("email", person.email)))


def counted(found: Inventory) -> dict[str, int]:
    return {record.kind: record.count for record in found.records}


def test_with_a_management_key_everything_is_found_for_everybody(office: Office) -> None:
    for person in (*PEOPLE[:8], *PEOPLE[14::7]):
        found = plugin.inventory(office.talonone, of(person))
        assert counted(found) == office.app.held(person)
        assert found.gaps == ()
        assert all(not record.ids for record in found.records if record.kind == "friend")
    assert "/v1/applications/{applicationId}/events/no_total -> 200" in found.evidence


def test_the_names_of_all_documented_fields_are_covered_and_of_attributes_only_the_vendors_own(office: Office) -> None:
    kinds = {kind.name: kind for kind in plugin.describe().kinds}
    open_names: set[str] = set()
    for person in PEOPLE[:16]:
        for record in plugin.inventory(office.talonone, of(person)).records:
            assert record.fields
            open_names |= {n for n in record.fields if not covered(n, kinds[record.kind].fields)}
            values = (person.customer_id, person.email, person.last_name)
            assert not [name for name in record.fields if any(value in name for value in values)]
    assert {name.partition(".")[0] for name in open_names} == {"attributes"}
    assert {"attributes.Phone", "attributes.Note", "attributes.ShippingName"} <= open_names
    assert not {"attributes.Name"} & open_names


def test_the_export_has_sessions_and_events_and_no_friends_ids(office: Office, monkeypatch: Any) -> None:
    monkeypatch.setattr(calling, "PAGE_SIZE", 2)
    office.app.enlarge(FIRST, 3)
    exported = plugin.export(office.talonone, of(FIRST), plugin.inventory(office.talonone, of(FIRST)))
    rows = {
        kind: [row for d in exported.documents if d.record == kind for row in json.loads(d.content)["data"]]
        for kind in SHOWN
    }
    assert {kind: len(found) for kind, found in rows.items()} == {"session": 5, "event": 4, "friend": 5}
    assert {row["profileintegrationid"] for row in rows["session"]} == {FIRST.customer_id}
    assert not any(row.get(key) for row in rows["friend"] for key in ("friendIntegrationId", "sessionId"))
    omitted = [o.count for d in exported.documents if d.record == "friend" for o in d.omissions]
    assert sum(omitted) == 5
    assert exported.gaps == ()


def test_after_an_erasure_they_are_gone_where_nothing_lists_them_any_more(office: Office) -> None:
    found = plugin.inventory(office.talonone, of(FIRST))
    outcomes = office.erase(FIRST, found)
    assert {outcome.result for outcome in outcomes.values()} == {Result.ERASED}
    assert outcomes["session"].evidence == "GET /v1/applications/{applicationId}/sessions -> 200"
    assert plugin.inventory(office.talonone, of(FIRST)).records == ()
    assert {o.result for o in office.erase(FIRST, found, resumed=True).values()} == {Result.ERASED}
    assert {o.result for o in office.erase(FIRST, found).values()} == {Result.ABSENT}


def test_what_is_still_listed_under_the_id_is_never_called_erased(office: Office) -> None:
    office.app.after_erase = "shell"
    office.talonone = office.connect(sessions_retention_days=30)
    found = plugin.inventory(office.talonone, of(FIRST))
    outcomes = office.erase(FIRST, found)
    for kind in ("session", "event"):
        assert outcomes[kind].result is Result.ACCEPTED
        assert "until its retention" in outcomes[kind].reason
        assert outcomes[kind].until == "2026-12-21"
    assert outcomes["friend"].result is Result.ERASED
    assert office.erase(FIRST, found, resumed=True) == outcomes
    again = plugin.inventory(office.talonone, of(FIRST))
    assert {"session", "event"} <= set(counted(again))
    assert {o.result for o in office.erase(FIRST, again).values()} == {Result.ACCEPTED}


def test_a_kept_profile_keeps_its_sessions(office: Office) -> None:
    outcomes = office.erase(FIRST, plugin.inventory(office.talonone, of(FIRST)), keep="profile")
    assert {outcomes[kind].result for kind in SHOWN} == {Result.MANUAL}
    assert office.app.held(FIRST)["session"] == 2


def test_sessions_that_outlast_their_profile_are_found_and_reported(office: Office) -> None:
    state = office.app.state
    state.drop_profile(state.profiles[FIRST.customer_id])
    found = plugin.inventory(office.talonone, of(FIRST))
    assert set(counted(found)) == {"session", "event"}
    assert {o.result for o in office.erase(FIRST, found).values()} == {Result.MANUAL}, (
        "their attributes are still there"
    )


def test_without_the_key_it_is_said_and_a_key_that_went_proves_nothing(office: Office) -> None:
    found = plugin.inventory(office.talonone, of(FIRST))
    office.talonone = office.connect(management_key="", application_id=())
    assert plugin.inventory(office.talonone, of(FIRST)).gaps == activity.GAPS
    assert all(gap.standing for gap in activity.GAPS)
    outcomes = office.erase(FIRST, found)
    assert {outcomes[kind].result for kind in SHOWN} == {Result.FAILED}
    assert "no key" in outcomes["session"].reason


def test_a_refused_management_key_is_never_absence(office: Office) -> None:
    office.server.fail(Fault("status", path="/v1/applications", reply=Reply(403, json={"message": "no"}), times=-1))
    for hook in (lambda: plugin.inventory(office.talonone, of(FIRST)), lambda: plugin.check(office.talonone)):
        with pytest.raises(AuthRejected):
            hook()


def test_both_keys_are_checked(office: Office) -> None:
    integration, management = plugin.check(office.talonone).split("; ")
    assert integration == "GET /v1/customer_profiles/{integrationId}/inventory -> 404"
    assert management == "GET /v1/applications/{applicationId}/customers -> 200"


def test_every_application_of_the_environment_is_searched(office: Office) -> None:
    both = office.connect(application_id=[42, 43])
    with pytest.raises(Rejected, match="404"):
        plugin.inventory(both, of(FIRST))
    assert [call.path for call in office.server.calls if "sessions" in call.path] == [
        "/v1/applications/42/sessions",
        "/v1/applications/43/sessions",
    ]


def test_live_and_sandbox_accounts_are_worked_on_apart(office: Office, server: SandboxServer) -> None:
    other = TalonOneSandbox()
    other.seed(PEOPLE[:3])
    with SandboxServer(other) as second:
        live = connect(plugin, server, name="talonone-live", journal=MemoryJournal())
        trial = connect(plugin, second, name="talonone-sandbox", journal=MemoryJournal())
        subject = Subject(
            (
                Identifier("customer_id", FIRST.customer_id),
                Identifier("talonone-live", FIRST.customer_id),
                Identifier("talonone-live", PEOPLE[1].customer_id),
                Identifier("talonone-sandbox", PEOPLE[2].customer_id),
            )
        )
        change = ConsentChange(0, Purpose("e", {"attribute": "ConsentMarketingEmail"}), ConsentState.WITHDRAWN)
        counts = []
        for connection in (live, trial):
            (effect,) = plugin.update_consent(connection, ConsentUpdate(subject, (change,), resumed=True))
            assert effect.result is Result.UPDATED
            counts.append(effect.count)
            found = plugin.inventory(connection, subject)
            items = tuple(PlanItem(n, record, Action.ERASE) for n, record in enumerate(found.records))
            outcomes = plugin.erase(connection, Erasure(subject, items))
            assert {outcome.result for outcome in outcomes} == {Result.ERASED}
    assert counts == [2, 1]
    assert [bool(office.app.held(person)) for person in PEOPLE[:3]] == [False, False, True]
    assert [bool(other.held(person)) for person in PEOPLE[:3]] == [True, True, False]

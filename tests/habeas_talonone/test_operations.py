"""Every operation of the client against the sandbox: what is sent, what it does there, and what comes back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import habeas_talonone as plugin
from habeas import BadAnswer, NotSent, OutcomeUnknown, Rejected
from habeas.http.api import Api, cannot_be_read
from habeas.testing.connect import MemoryJournal, connect
from habeas.testing.people import seeded_people
from habeas.testing.sandbox import Fault, Reply, SandboxServer
from habeas_talonone import client, mapping
from habeas_talonone.client import calling
from habeas_talonone.sandbox import TalonOneSandbox
from habeas_talonone.sandbox.seed import WALLET
from habeas_talonone.sandbox.state import State

PEOPLE = seeded_people(16, ["talonone"])
AWKWARD = seeded_people(43, ["talonone"])[14::7]
"""Every sort of awkward id; the first of them is among the people too."""
FIRST, SECOND = PEOPLE[0], PEOPLE[1]
WHO, NEXT = FIRST.customer_id, SECOND.customer_id
POINTS, READERS, REGULARS, FIRST_STEPS, REFERRALS = "1", 11, 12, "21", 6


class Bench:
    """One account behind one server."""

    def __init__(self, server: SandboxServer) -> None:
        self.server = server
        self.app = server.app = TalonOneSandbox()
        self.app.seed([*PEOPLE, *AWKWARD[1:]])
        server.calls.clear()
        server.faults.clear()
        self.api = self.connect()

    @property
    def state(self) -> State:
        return self.app.state

    def connect(self, **settings: Any) -> Api:
        return connect(plugin, self.server, journal=MemoryJournal(), settings=settings).api

    def sent(self) -> tuple[str, dict[str, str], Any]:
        """Method, query and body of the last call."""
        call = self.server.calls[-1]
        return call.method, dict(call.query), call.json() if call.body else None

    def holds(self, who: str = WHO) -> Any:
        """The inventory document."""
        return client.inventory(self.api, who).json()


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(TalonOneSandbox()) as running:
        yield running


@pytest.fixture
def bench(server: SandboxServer) -> Bench:
    return Bench(server)


def never() -> bool:
    raise AssertionError("the answer was seen: nothing has to be looked up")


def unasked(part: object) -> bool:
    del part
    return never()


def data(pages: Iterator[Any]) -> list[Any]:
    return [entry for page in pages for entry in page.json()["data"]]


# -- profiles ----------------------------------------------------------------------------------------------------------


def test_a_profile_update_sets_only_what_is_sent_and_runs_no_rules(bench: Bench) -> None:
    change = client.update_profile(bench.api, WHO, {"Language": "pt", "ConsentProfiling": True}, never)
    assert change.answer is not None
    assert bench.sent()[:2] == ("PUT", {"runRuleEngine": "false"})
    assert len(bench.server.calls[-1].headers["idempotency-key"]) > 20
    attributes = bench.state.profiles[WHO].attributes
    assert (attributes["Language"], attributes["ConsentProfiling"]) == ("pt", True)
    assert (attributes["Email"], mapping.holding(bench.holds(), WHO).attributes) == (FIRST.email, attributes)
    client.update_profile(bench.api, WHO, {"Language": "de"}, never, keyed=False)
    assert "idempotency-key" not in bench.server.calls[-1].headers
    assert bench.state.profiles[WHO].attributes["Language"] == "de"


def test_a_stored_answer_is_given_back_for_a_key_and_nothing_is_written(bench: Bench) -> None:
    for language in ("pt", "de", "pt"):
        client.update_profile(bench.api, WHO, {"Language": language}, never)
    assert bench.state.profiles[WHO].attributes["Language"] == "de"


def test_unknown_attributes_and_unset_values_are_refused(bench: Bench) -> None:
    for attributes in ({"ShoeSize": 42}, {"Language": None}):
        with pytest.raises(Rejected) as caught:
            client.update_profile(bench.api, WHO, attributes, never)
        assert caught.value.status == 400
    assert bench.state.profiles[WHO].attributes["Language"]


def test_a_busy_profile_is_asked_again_and_three_times_at_most(bench: Bench) -> None:
    bench.app.conflicts = 2
    client.update_profile(bench.api, WHO, {"Language": "pt"}, never)
    assert len(bench.server.calls) == 3
    bench.app.conflicts = 9
    with pytest.raises(Rejected) as caught:
        client.update_profile(bench.api, WHO, {"Language": "de"}, never)
    assert caught.value.status == 409
    assert len(bench.server.calls) == 3 + 4


def test_many_profiles_go_a_thousand_to_a_call(bench: Bench) -> None:
    profiles = {f"bulk-{n}": {"Language": "pt"} for n in range(1001)} | {WHO: {"Language": "pt"}}
    changes = client.update_profiles(bench.api, profiles, unasked)
    assert [c.answer.status for c in changes if c.answer] == [204, 204]
    assert [len(call.json()["customerProfiles"]) for call in bench.server.calls] == [1000, 2]
    assert {call.query for call in bench.server.calls} == {(("silent", "yes"),)}
    assert len({call.headers["idempotency-key"] for call in bench.server.calls}) == 2
    assert {bench.state.profiles[name].attributes["Language"] for name in profiles} == {"pt"}
    (told,) = client.update_profiles(bench.api, {WHO: {"Language": "de"}}, unasked, silent=False)
    assert told.answer is not None
    assert told.answer.json()["integrationStates"][0]["customerProfile"]["attributes"]["Language"] == "de"


def test_a_lost_bulk_answer_is_looked_up_with_the_ids_of_that_call(bench: Bench) -> None:
    asked: list[tuple[str, ...]] = []

    def done(ids: Any) -> bool:
        asked.append(ids)
        return all(bench.state.profiles[one].attributes["Language"] == "pt" for one in ids)

    bench.server.fail(Fault("reset_after", method="PUT"))
    (change,) = client.update_profiles(bench.api, {WHO: {"Language": "pt"}, NEXT: {"Language": "pt"}}, done)
    assert change.answer is None
    assert asked == [(WHO, NEXT)]


def test_achievements_are_listed_with_progress_and_told_one_by_one(bench: Bench, monkeypatch: Any) -> None:
    monkeypatch.setattr(calling, "PAGE_SIZE", 1)
    listed = data(client.achievements(bench.api, WHO))
    assert [entry["id"] for entry in listed] == [21, 22]
    rounds = data(client.achievement(bench.api, WHO, "22"))
    assert [one["status"] for one in rounds] == ["completed", "inprogress"]
    assert len(data(client.achievement(bench.api, WHO, FIRST_STEPS))) == 1
    assert [page.status for page in client.achievement(bench.api, "nobody", FIRST_STEPS)] == [404]


def test_awkward_ids_reach_exactly_their_profile_by_every_call(bench: Bench) -> None:
    for person in AWKWARD:
        who = person.customer_id
        client.update_profile(bench.api, who, {"Language": "pt"}, never)
        client.update_session(bench.api, f"{who}/cart", {"profileId": who}, never)
        client.track_event(bench.api, who, "seen", {})
        client.reserve(bench.api, WALLET, [who], unasked)
        client.join_audience(bench.api, REGULARS, who, never)
        client.create_referral(bench.api, REFERRALS, who, never)
        held = mapping.holding(bench.holds(who), who)
        assert held.attributes["Language"] == "pt"
        assert WALLET in [coupon.value for coupon in held.coupons]
        assert str(REGULARS) in held.audiences
        assert held.referrals
        assert client.read_session(bench.api, f"{who}/cart").json()["customerSession"]["profileId"] == who
        client.delete_transactions(bench.api, POINTS, who, never)
        client.leave_audience(bench.api, REGULARS, who, never)
        client.unreserve(bench.api, WALLET, who, never)
        client.delete_data(bench.api, who, never)
        assert client.inventory(bench.api, who).status == 404
    left = {p.customer_id for p in PEOPLE if p.held_at} - {p.customer_id for p in AWKWARD}
    assert set(bench.state.profiles) == left


# -- rewards -----------------------------------------------------------------------------------------------------------


def test_reservations_are_made_listed_and_taken_off(bench: Bench) -> None:
    (change,) = client.reserve(bench.api, WALLET, [WHO, NEXT], unasked)
    assert change.answer is not None
    assert (change.answer.status, change.answer.json()["reservationCounter"]) == (201, 2)
    for who in (WHO, NEXT):
        assert mapping.reservation_names(client.reserved_by(bench.api, WALLET).json(), who)
    client.unreserve(bench.api, WALLET, WHO, never)
    assert bench.sent() == ("DELETE", {}, {"integrationIDs": [WHO]})
    listed = client.reserved_by(bench.api, WALLET).json()
    assert [mapping.reservation_names(listed, who) for who in (WHO, NEXT)] == [False, True]
    for coupon, who in (("NONE", WHO), (WALLET, "nobody")):
        with pytest.raises(Rejected):
            client.reserve(bench.api, coupon, [who], unasked)
    assert "nobody" not in bench.state.profiles


def test_more_than_a_thousand_reservations_go_in_several_calls(bench: Bench) -> None:
    people = [f"r-{n}" for n in range(1001)]
    for one in people:
        bench.state.upsert(one)
    assert len(client.reserve(bench.api, WALLET, people, unasked)) == 2
    assert list(bench.state.coupons[WALLET].reserved) == people


def test_a_referral_is_made_for_an_advocate_who_exists(bench: Bench) -> None:
    change = client.create_referral(bench.api, REFERRALS, NEXT, never, friend=WHO)
    assert change.answer is not None
    made = change.answer.json()
    assert (change.answer.status, made["advocateProfileIntegrationId"]) == (201, NEXT)
    assert made["friendProfileIntegrationId"] == WHO
    assert [referral["id"] for referral in bench.holds(NEXT)["referrals"]] == [made["id"]]
    for campaign, advocate in ((99, WHO), (REFERRALS, "nobody")):
        with pytest.raises(Rejected):
            client.create_referral(bench.api, campaign, advocate, never)


# -- audiences ---------------------------------------------------------------------------------------------------------


def test_audience_changes_go_a_thousand_to_a_call_and_only_adding_creates(bench: Bench) -> None:
    leave: list[Any] = [("delete", WHO, READERS), ("delete", "nobody", READERS)]
    client.change_audiences(bench.api, leave, unasked)
    assert WHO not in bench.state.audiences[READERS].members
    assert "nobody" not in bench.state.profiles
    join: list[Any] = [("add", f"a-{n}", REGULARS) for n in range(1001)]
    assert len(client.change_audiences(bench.api, join, unasked)) == 2
    assert [len(call.json()["data"]) for call in bench.server.calls[-2:]] == [1000, 1]
    assert "a-1000" in bench.state.profiles
    with pytest.raises(Rejected) as caught:
        client.join_audience(bench.api, 99, WHO, never)
    assert caught.value.status == 404


# -- sessions and events -----------------------------------------------------------------------------------------------


def test_a_session_is_written_and_read(bench: Bench) -> None:
    content = {"profileId": WHO, "state": "open", "cartItems": [{"sku": "MUG", "quantity": 2, "price": 3}]}
    change = client.update_session(bench.api, "s/1 ä", content, never)
    assert change.answer is not None
    assert bench.server.calls[-1].headers["idempotency-key"]
    told = client.read_session(bench.api, "s/1 ä").json()
    assert (told["customerSession"]["total"], mapping.session_is_of(told, WHO)) == (6, True)
    assert not mapping.session_is_of(told, NEXT)
    assert client.read_session(bench.api, "none").status == 404
    bench.server.fail(Fault("status", method="GET", reply=Reply(404, body=b"<html>")))
    with pytest.raises(BadAnswer):
        client.read_session(bench.api, "s/1 ä")


def test_an_event_is_recorded_once_whatever_happens_to_the_answer(bench: Bench) -> None:
    bench.server.fail(Fault("reset_after", path="/v2/events"))
    client.track_event(bench.api, WHO, "seen", {"Page": "/"})
    assert [call.path for call in bench.server.calls] == ["/v2/events"] * 2
    seen = [event for event in bench.state.events_of[WHO].values() if event.type == "seen"]
    assert [event.attributes for event in seen] == [{"Page": "/"}]
    loud = client.track_event(bench.api, WHO, "heard", {}, silent=False)
    assert loud.answer is not None
    assert "effects" in loud.answer.json()


# -- V1 ----------------------------------------------------------------------------------------------------------------


def test_the_v1_writes_do_what_they_did_and_create_people(bench: Bench) -> None:
    client.update_profile_v1(bench.api, "old-1", {"Language": "pt"}, never)
    client.update_session_v1(bench.api, "v1", {"profileId": "old-2", "state": "open"}, never)
    client.track_event_v1(bench.api, "old-3", "seen", {}, "v1-events", never)
    assert {"old-1", "old-2", "old-3"} <= set(bench.state.profiles)
    assert bench.state.profiles["old-1"].attributes == {"Language": "pt"}
    assert bench.state.sessions["v1"].profile_id == "old-2"
    assert [event.type for event in bench.state.events_of["old-3"].values()] == ["seen"]


@pytest.mark.parametrize("status", [404, 405, 410])
def test_a_withdrawn_v1_write_is_refused_and_a_lost_event_is_never_sent_twice(bench: Bench, status: Any) -> None:
    bench.server.fail(Fault("reset_after", path="/v1/events"))
    with pytest.raises(OutcomeUnknown):
        client.track_event_v1(bench.api, WHO, "seen", {}, "v1", cannot_be_read)
    assert len(bench.server.calls) == 1
    bench.app.withdrawn = status
    with pytest.raises(Rejected) as caught:
        client.update_profile_v1(bench.api, WHO, {"Language": "pt"}, never)
    assert caught.value.status == status
    client.update_profile(bench.api, WHO, {"Language": "pt"}, never)


# -- loyalty -----------------------------------------------------------------------------------------------------------


def test_points_can_be_deleted_from_one_ledger(bench: Bench) -> None:
    client.delete_transactions(bench.api, POINTS, WHO, never, subledgers=["stars"])
    assert bench.sent()[2] == {"scope": "SelectedSubledgers", "subledgerIds": ["stars"]}
    assert {line.subledger for line in bench.state.ledgers[WHO][1]} == {""}
    assert len(data(client.program_transactions(bench.api, POINTS, WHO))) == len(bench.state.ledgers[WHO][1])
    client.delete_transactions(bench.api, POINTS, WHO, never)
    assert mapping.balance_is_zero(client.program_balances(bench.api, POINTS, WHO).json())
    assert not any(data(client.program_points(bench.api, POINTS, WHO, s)) for s in client.POINTS_STATUSES)


def test_a_card_is_read_and_left(bench: Bench) -> None:
    (card,) = bench.state.cards_of[WHO].values()
    assert mapping.card_names(client.card_balances(bench.api, "2", card.identifier).json(), WHO)
    assert len(data(client.card_transactions(bench.api, "2", card.identifier))) == 2
    assert len(data(client.card_points(bench.api, "2", card.identifier, "active"))) == 2
    client.unlink_card(bench.api, "2", card.identifier, WHO, never)
    assert list(card.profiles) == [NEXT]


def test_a_page_given_twice_is_an_error_whatever_it_promises(bench: Bench, monkeypatch: Any) -> None:
    monkeypatch.setattr(calling, "PAGE_SIZE", 2)
    first = next(client.program_transactions(bench.api, POINTS, WHO))
    bench.server.fail(Fault("lie", path="skip=", reply=Reply(200, body=first.body), times=-1))
    with pytest.raises(BadAnswer, match="repeats itself"):
        list(client.program_transactions(bench.api, POINTS, WHO))


# -- Management API ----------------------------------------------------------------------------------------------------


def test_people_are_found_by_id_and_by_attributes(bench: Bench) -> None:
    api = bench.connect(**bench.app.management_settings())
    shared = PEOPLE[3]
    assert [one["integrationId"] for one in data(client.customers_by_id(api, 42, WHO))] == [WHO]
    assert data(client.customers_by_id(api, 42, WHO.lower())) == []
    for found in (
        data(client.customers_by_attributes(api, 42, {"Email": shared.email})),
        data(client.profiles_by_attributes(api, {"Email": shared.email})),
    ):
        assert [one["integrationId"] for one in found] == [PEOPLE[2].customer_id, PEOPLE[3].customer_id]
    assert data(client.profiles_by_attributes(api, {"Email": shared.email}, sandbox=True)) == []
    assert not any("idempotency-key" in call.headers for call in bench.server.calls)
    assert {call.headers["authorization"] for call in bench.server.calls} == {
        f"ManagementKey-v1 {bench.app.management_key}"
    }


def test_sessions_events_and_friends_come_in_pages_at_the_vendors_pace(bench: Bench, monkeypatch: Any) -> None:
    monkeypatch.setattr(calling, "PAGE_SIZE", 2)
    bench.app.enlarge(FIRST, 4)
    connection = connect(plugin, bench.server, settings=bench.app.management_settings())
    before = connection.clock.monotonic()
    for listed, truth in (
        (client.list_sessions, len(bench.state.sessions_of[WHO])),
        (client.list_events, len(bench.state.events_of[WHO])),
        (client.list_friends, 6),
    ):
        found = data(listed(connection.api, 42, WHO))
        assert len(found) == len({entry.get("id", entry.get("friendIntegrationId")) for entry in found}) == truth
    further = sum("skip=0" not in call.target for call in bench.server.calls)
    assert connection.clock.monotonic() - before > further / 3
    assert [page.status for page in client.list_friends(connection.api, 42, "nobody")] == [404]


def test_a_management_call_without_a_key_is_not_sent(bench: Bench) -> None:
    with pytest.raises(NotSent, match="management_key"):
        list(client.list_sessions(bench.api, 42, WHO))
    wrong = bench.connect(management_key="with blank", application_id=42)
    with pytest.raises(NotSent) as caught:
        list(client.list_sessions(wrong, 42, WHO))
    assert "with blank" not in caught.value.line()
    assert not bench.server.calls


# -- what the sandbox knows and can arrange ----------------------------------------------------------------------------


def test_a_person_is_enlarged_in_every_list_that_comes_in_pages_and_nobody_else(bench: Bench) -> None:
    api = bench.connect(**bench.app.management_settings())
    (card,) = bench.state.cards_of[WHO].values()

    def lengths() -> list[int]:
        lists = [client.achievements(api, WHO), client.program_transactions(api, POINTS, WHO)]
        lists += [client.card_transactions(api, "2", card.identifier)]
        lists += [client.program_points(api, POINTS, WHO, status) for status in client.POINTS_STATUSES]
        lists += [client.card_points(api, "2", card.identifier, status) for status in client.POINTS_STATUSES]
        lists += [listed(api, 42, WHO) for listed in (client.list_sessions, client.list_events, client.list_friends)]
        return [len(data(pages)) for pages in lists]

    before = lengths()
    others = [bench.app.held(person) for person in PEOPLE[1:]]
    assert bench.app.held_text(PEOPLE[6]) == ""
    bench.app.enlarge(FIRST, 5)
    bench.app.enlarge(PEOPLE[6], 5)
    assert [after - begun for after, begun in zip(lengths(), before, strict=True)] == [5, 15, 15, *[5] * 9]
    assert [bench.app.held(person) for person in PEOPLE[1:]] == others
    text = bench.app.held_text(FIRST)
    assert all(value in text for value in (WHO, FIRST.email, FIRST.last_name, FIRST.street, card.identifier))

"""Consents and corrections against the sandbox: only of people who are there, read back, and every result earned."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

import habeas_talonone as plugin
from habeas import (
    AuthRejected,
    ConsentChange,
    ConsentState,
    ConsentUpdate,
    Correction,
    Effect,
    Field,
    HeldState,
    Identifier,
    Purpose,
    Rectification,
    Result,
    Subject,
)
from habeas.connection import Connection
from habeas.testing.connect import MemoryJournal, connect
from habeas.testing.people import Person, seeded_people
from habeas.testing.sandbox import Fault, Reply, SandboxServer
from habeas_talonone.sandbox import TalonOneSandbox

PEOPLE = seeded_people(43, ["talonone"])
FIRST, NEXT, STRANGER = PEOPLE[0], PEOPLE[1], PEOPLE[6]
EMAIL = Purpose("marketing_email", {"attribute": "ConsentMarketingEmail"})
WORDS = Purpose("profiling", {"attribute": "ConsentProfiling", "granted": "yes", "withdrawn": "no"})
NEWS = Purpose("newsletter", {"audience": 11})
BOTH = Purpose("post", {"attribute": "ConsentMarketingPost", "audience": "12"})
GRANTED, WITHDRAWN = ConsentState.GRANTED, ConsentState.WITHDRAWN
READ = "GET /v1/customer_profiles/{integrationId}/inventory -> 200"
WIDE = {"name": "Name", "email": "Email", "phone": "Phone", "birthdate": "BirthDate", "city": "City", "region": "Note"}


class Desk:
    """One account, and the hooks under their shortest names."""

    def __init__(self, server: SandboxServer) -> None:
        self.server = server
        self.app = server.app = TalonOneSandbox()
        self.app.seed(PEOPLE)
        server.calls.clear()
        server.faults.clear()
        self.talonone = self.connect()

    def connect(self, **settings: Any) -> Connection:
        return connect(plugin, self.server, journal=MemoryJournal(), settings=settings)

    def consent(
        self, who: Person | Subject, *wanted: tuple[Purpose, ConsentState], resumed: bool = False
    ) -> tuple[Effect, ...]:
        changes = tuple(ConsentChange(n, purpose, state) for n, (purpose, state) in enumerate(wanted))
        return plugin.update_consent(self.talonone, ConsentUpdate(of(who), changes, resumed))

    def held(self, who: Person | Subject, *purposes: Purpose) -> list[HeldState]:
        return [held.state for held in plugin.read_consent(self.talonone, of(who), purposes)]

    def rectify(
        self,
        who: Person | Subject,
        wanted: Mapping[Field, str],
        *,
        resumed: bool = False,
        settings: Mapping[str, Any] = {},
    ) -> tuple[Effect, ...]:
        corrections = tuple(Correction(n, field, value) for n, (field, value) in enumerate(wanted.items()))
        connection = self.connect(**settings) if settings else self.talonone
        return plugin.rectify(connection, Rectification(of(who), corrections, resumed))

    def attributes(self, person: Person) -> Mapping[str, Any]:
        return self.app.state.profiles[person.customer_id].attributes

    def sent(self) -> list[tuple[str, str]]:
        return [(call.method, call.path.split("/")[2]) for call in self.server.changing_calls()]


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(TalonOneSandbox()) as running:
        yield running


@pytest.fixture
def desk(server: SandboxServer) -> Desk:
    return Desk(server)


def of(who: Person | Subject) -> Subject:
    if isinstance(who, Subject):
        return who
    kinds = {"email": who.email, "customer_id": who.customer_id, "phone": who.phone}
    return Subject(tuple(Identifier(kind, value) for kind, value in kinds.items()))


def results(effects: Iterable[Effect]) -> list[tuple[str, Result]]:
    return [(effect.record, effect.result) for effect in effects]


# -- consent -----------------------------------------------------------------------------------------------------------


def test_each_way_to_hold_a_consent_is_set_and_read_back(desk: Desk) -> None:
    wanted = [(purpose, WITHDRAWN) for purpose in (EMAIL, WORDS, NEWS, BOTH)]
    effects = desk.consent(FIRST, *wanted)
    assert results(effects) == [
        ("profile", Result.UPDATED),
        ("profile", Result.UPDATED),
        ("audience", Result.UPDATED),
        ("profile", Result.UPDATED),
        ("audience", Result.UNCHANGED),
    ]
    assert {(effect.evidence, effect.count, effect.reason) for effect in effects} == {(READ, 1, "")}
    assert [desk.app.consent(FIRST, p.name) for p in (EMAIL, WORDS, NEWS)] == [False] * 3
    assert desk.attributes(FIRST)["ConsentProfiling"] == "no"
    assert desk.held(FIRST, EMAIL, WORDS, NEWS, BOTH) == [HeldState.WITHDRAWN] * 4
    effects = desk.consent(FIRST, *[(purpose, GRANTED) for purpose in (EMAIL, WORDS, NEWS, BOTH)])
    assert {effect.result for effect in effects} == {Result.UPDATED}
    assert [desk.app.consent(FIRST, p.name) for p in (EMAIL, WORDS, NEWS)] == [True] * 3
    assert desk.held(FIRST, EMAIL, WORDS, NEWS, BOTH) == [HeldState.GRANTED] * 4


def test_only_what_is_otherwise_is_sent_and_by_the_documented_calls(desk: Desk) -> None:
    assert results(desk.consent(FIRST, (EMAIL, GRANTED), (NEWS, GRANTED))) == [
        ("profile", Result.UNCHANGED),
        ("audience", Result.UNCHANGED),
    ]
    assert not desk.server.changing_calls()
    assert {e.result for e in desk.consent(FIRST, (EMAIL, GRANTED), (NEWS, GRANTED), resumed=True)} == {Result.UPDATED}
    assert not desk.server.changing_calls()
    desk.consent(FIRST, (EMAIL, WITHDRAWN), (NEWS, WITHDRAWN))
    put, post = desk.server.changing_calls()
    assert (put.method, put.query, put.json()) == (
        "PUT",
        (("runRuleEngine", "false"),),
        {"attributes": {"ConsentMarketingEmail": False}},
    )
    assert put.headers["idempotency-key"]
    member = {"action": "delete", "profileIntegrationId": FIRST.customer_id, "audienceId": 11}
    assert post.json() == {"data": [member]}


def test_nobody_is_created_and_nobody_else_is_touched(desk: Desk) -> None:
    texts = {p.customer_id: desk.app.held_text(p) for p in PEOPLE}
    effects = desk.consent(STRANGER, (EMAIL, GRANTED), (BOTH, GRANTED))
    assert results(effects) == [("profile", Result.ABSENT)] * 2
    assert {(effect.count, effect.evidence[-3:]) for effect in effects} == {(0, "404")}
    assert results(desk.rectify(STRANGER, {Field.NAME: "X", Field.CITY: "Y"})) == [("profile", Result.ABSENT)] * 2
    assert not desk.server.changing_calls()
    assert desk.held(STRANGER, EMAIL, NEWS) == [HeldState.ABSENT] * 2
    for person in (FIRST, *PEOPLE[14::7]):
        desk.consent(person, (EMAIL, WITHDRAWN), (NEWS, WITHDRAWN), (WORDS, GRANTED))
        assert (desk.app.consent(person, EMAIL.name), desk.app.consent(person, NEWS.name)) == (False, False)
        desk.rectify(person, {Field.EMAIL: "right@shop-customer.example"})
        assert desk.attributes(person)["Email"] == "right@shop-customer.example"
        texts[person.customer_id] = desk.app.held_text(person)
    assert texts == {p.customer_id: desk.app.held_text(p) for p in PEOPLE}


def test_an_empty_profile_that_an_erasure_left_is_not_written_to(desk: Desk) -> None:
    desk.app.after_erase = "shell"
    person = replace(STRANGER, orders=0, held_at=frozenset({"talonone"}))
    desk.app.state.upsert(person.customer_id)
    effects = desk.consent(person, (EMAIL, WITHDRAWN)) + desk.rectify(person, {Field.EMAIL: "x@y.example"})
    assert results(effects) == [("profile", Result.ABSENT)] * 2
    assert all("empty profile" in effect.reason for effect in effects)
    assert desk.held(person, EMAIL) == [HeldState.ABSENT]
    assert not desk.server.changing_calls()


def test_all_ids_of_a_person_are_changed_and_the_worst_decides(desk: Desk) -> None:
    both = Subject(tuple(Identifier("talonone", p.customer_id) for p in (FIRST, NEXT, STRANGER)))
    assert desk.held(both, EMAIL) == [HeldState.GRANTED]
    (effect,) = desk.consent(both, (EMAIL, WITHDRAWN))
    assert (effect.result, effect.count) == (Result.UPDATED, 2)
    assert [desk.app.consent(p, EMAIL.name) for p in (FIRST, NEXT, STRANGER)] == [False, False, None]
    desk.consent(FIRST, (EMAIL, GRANTED))
    assert desk.held(both, EMAIL) == [HeldState.MIXED]
    desk.server.fail(Fault("status", method="PUT", reply=Reply(403, json={"message": "no"}), times=-1))
    (effect,) = desk.consent(both, (EMAIL, WITHDRAWN))
    assert (effect.result, effect.count) == (Result.FAILED, 2), "one was right already, the other was refused"
    assert [desk.app.consent(p, EMAIL.name) for p in (FIRST, NEXT)] == [True, False]


def test_what_is_held_is_told_as_it_is(desk: Desk) -> None:
    who = FIRST.customer_id
    assert desk.held(FIRST, EMAIL, WORDS, NEWS, BOTH) == [
        HeldState.GRANTED,
        HeldState.UNSET,
        HeldState.GRANTED,
        HeldState.UNSET,
    ]
    desk.attributes(FIRST)["ConsentMarketingPost"] = True  # type: ignore[index] # the sandbox's own state
    desk.attributes(FIRST)["ConsentProfiling"] = "perhaps"  # type: ignore[index] # the sandbox's own state
    desk.app.state.expel(desk.app.state.audiences[11], who)
    held = plugin.read_consent(desk.talonone, of(FIRST), (WORDS, NEWS, BOTH))
    assert [one.state for one in held] == [HeldState.UNREADABLE, HeldState.WITHDRAWN, HeldState.MIXED]
    assert held[0].reason
    assert "perhaps" not in held[0].reason
    desk.attributes(FIRST)["ConsentMarketingEmail"] = 1  # type: ignore[index] # the sandbox's own state
    assert desk.held(FIRST, EMAIL) == [HeldState.UNREADABLE], "1 is not true"
    desk.talonone = desk.connect(integration_id="phone")
    without = Subject((Identifier("email", FIRST.email),))
    assert desk.held(without, EMAIL) == [HeldState.UNREADABLE]


def test_what_is_not_set_up_at_the_vendor_is_work_for_a_person_and_the_rest_is_done(desk: Desk) -> None:
    nowhere = Purpose("sms", {"attribute": "ConsentBySignal"})
    gone = Purpose("vip", {"audience": 99})
    effects = desk.consent(FIRST, (nowhere, GRANTED), (gone, GRANTED), (gone, WITHDRAWN), (EMAIL, WITHDRAWN))
    assert results(effects) == [
        ("profile", Result.MANUAL),
        ("audience", Result.MANUAL),
        ("audience", Result.UNCHANGED),
        ("profile", Result.UPDATED),
    ]
    assert "`ConsentBySignal`" in effects[0].reason
    assert "Campaign Manager" in effects[0].reason
    assert "`vip`" in effects[1].reason
    assert desk.app.consent(FIRST, EMAIL.name) is False


def test_without_an_id_a_person_looks_it_up(desk: Desk) -> None:
    somebody = Subject((Identifier("email", FIRST.email),))
    effects = desk.consent(somebody, (EMAIL, WITHDRAWN)) + desk.rectify(somebody, {Field.NAME: "X"})
    assert results(effects) == [("profile", Result.MANUAL)] * 2
    assert not desk.server.calls


def test_a_stored_answer_for_an_old_key_does_not_pass_for_a_change(desk: Desk) -> None:
    for state in (WITHDRAWN, GRANTED, WITHDRAWN):
        (effect,) = desk.consent(FIRST, (EMAIL, state))
        assert effect.result is Result.UPDATED
        assert desk.app.consent(FIRST, EMAIL.name) is (state is GRANTED)
    keyed = ["idempotency-key" in call.headers for call in desk.server.changing_calls()]
    assert keyed == [True, True, True, False], "the third has the key of the first, and did nothing"


def test_a_vendor_that_takes_the_call_and_does_nothing_is_found_out(desk: Desk) -> None:
    desk.server.fail(Fault("lie", method="PUT", reply=Reply(200, json={}), times=-1))
    desk.server.fail(Fault("lie", method="POST", reply=Reply(204), times=-1))
    effects = desk.consent(FIRST, (EMAIL, WITHDRAWN), (NEWS, WITHDRAWN))
    assert {effect.result for effect in effects} == {Result.FAILED}
    assert all("reading it back" in effect.reason for effect in effects)
    effects = desk.rectify(FIRST, {Field.EMAIL: "right@shop-customer.example"})
    assert effects[0].result is Result.FAILED


def test_refused_credentials_are_never_absence_and_end_the_sending(desk: Desk) -> None:
    desk.server.fail(Fault("status", method="PUT", reply=Reply(401, json={"message": "no"}), times=-1))
    effects = desk.consent(FIRST, (EMAIL, WITHDRAWN), (WORDS, WITHDRAWN), (NEWS, WITHDRAWN))
    assert {effect.result for effect in effects} == {Result.FAILED}
    assert desk.sent() == [("PUT", "customer_profiles")]
    desk.server.faults.clear()
    desk.server.fail(Fault("status", reply=Reply(403, json={"message": "no"}), times=-1))
    with pytest.raises(AuthRejected):
        desk.consent(FIRST, (EMAIL, WITHDRAWN))
    with pytest.raises(AuthRejected):
        desk.held(FIRST, EMAIL)


def test_a_person_who_goes_meanwhile_is_not_brought_back(desk: Desk) -> None:
    # The write is lost, the person is erased, and then it is asked whether the write has happened.
    desk.server.fail(Fault("reset_before", method="PUT"))
    respond = desk.server.respond

    def erased_meanwhile(call: Any) -> Any:
        reply = respond(call)
        if call.method == "PUT":
            desk.app.state.drop_profile(desk.app.state.profiles[FIRST.customer_id])
        return reply

    desk.server.respond = erased_meanwhile  # type: ignore[method-assign] # taken back below
    try:
        (effect,) = desk.consent(FIRST, (EMAIL, WITHDRAWN))
    finally:
        desk.server.respond = respond  # type: ignore[method-assign] # as it was
    assert effect.result is Result.FAILED
    assert FIRST.customer_id not in desk.app.state.profiles
    assert results(desk.consent(FIRST, (EMAIL, WITHDRAWN), resumed=True)) == [("profile", Result.ABSENT)]


# -- rectification -----------------------------------------------------------------------------------------------------


def test_fields_are_corrected_in_the_attributes_that_are_configured(desk: Desk) -> None:
    wanted = {
        Field.NAME: "Zoë Right",
        Field.EMAIL: "right@shop-customer.example",
        Field.PHONE: "+49301",
        Field.BIRTHDATE: "1981-02-03",
        Field.CITY: FIRST.city,
        Field.REGION: "BY",
        Field.STREET: "Right Lane 1",
    }
    effects = desk.rectify(FIRST, wanted, settings={"rectify_attributes": WIDE})
    of_profile = {list(wanted)[e.index]: e for e in effects if e.record == "profile"}
    assert {field: effect.result for field, effect in of_profile.items()} == {
        Field.NAME: Result.UPDATED,
        Field.EMAIL: Result.UPDATED,
        Field.PHONE: Result.UPDATED,
        Field.BIRTHDATE: Result.UPDATED,
        Field.CITY: Result.UNCHANGED,
        Field.REGION: Result.ABSENT,
        Field.STREET: Result.UNSUPPORTED,
    }
    assert of_profile[Field.REGION].count == 0
    assert "no value" in of_profile[Field.REGION].reason
    assert "rectify_attributes" in of_profile[Field.STREET].reason
    attributes = desk.attributes(FIRST)
    assert (attributes["Name"], attributes["Phone"]) == ("Zoë Right", "+49301")
    assert attributes["BirthDate"] == "1981-02-03T00:00:00Z", "written as the attribute holds dates"
    assert "Note" not in attributes
    again = desk.rectify(FIRST, wanted, settings={"rectify_attributes": WIDE})
    assert {e.result for e in again if e.record == "profile" and e.index < 5} == {Result.UNCHANGED}
    assert desk.rectify(FIRST, wanted, settings={"rectify_attributes": WIDE}, resumed=True)[:2] == effects[:2]


def test_only_the_vendors_own_attributes_are_corrected_unless_others_are_named(desk: Desk) -> None:
    wanted = dict.fromkeys(Field, "1970-01-01")
    effects = [e for e in desk.rectify(FIRST, wanted) if e.record == "profile"]
    assert [e.index for e in effects] == list(range(len(Field)))
    updated = {list(Field)[e.index] for e in effects if e.result is Result.UPDATED}
    assert updated == {Field.NAME, Field.EMAIL}
    assert {e.result for e in effects} == {Result.UPDATED, Result.UNSUPPORTED}
    assert set(plugin.describe().rectifies) == set(Field)


def test_where_copies_may_stay_is_said_with_each_correction(desk: Desk) -> None:
    new = {Field.EMAIL: "right@shop-customer.example"}
    stays = {"coupon": Result.MANUAL, "referral": Result.MANUAL, "giveaway": Result.MANUAL}
    assert dict(results(desk.rectify(FIRST, new))) == {"profile": Result.UPDATED, **stays, "event": Result.UNSUPPORTED}
    management = desk.app.management_settings()
    effects = desk.rectify(FIRST, new, settings=management)
    searched = {"session": Result.UNSUPPORTED, "event": Result.UNSUPPORTED}
    assert dict(results(effects)) == {"profile": Result.UNCHANGED, **stays, **searched}
    assert {e.record: e.count for e in effects} == {"session": 2, "event": 1} | dict.fromkeys(("profile", *stays), 1)
    who = FIRST.customer_id
    for session in desk.app.state.sessions_of[who].values():
        session.clear()
    for event in desk.app.state.events_of[who].values():
        event.attributes = {}
    assert "event" not in dict(results(desk.rectify(FIRST, new, settings=management)))


def test_a_value_the_attribute_cannot_take_is_work_for_a_person(desk: Desk) -> None:
    desk.app.known_attributes = desk.app.known_attributes - {"Email"}
    desk.attributes(FIRST)["Name"] = ["Ada", "Lovelace"]  # type: ignore[index] # the sandbox's own state
    wanted = {Field.EMAIL: "right@shop-customer.example", Field.NAME: "Ada L"}
    email, name = (e for e in desk.rectify(FIRST, wanted) if e.record == "profile")
    assert (email.result, name.result) == (Result.MANUAL, Result.MANUAL)
    assert "refused" in email.reason
    assert "does not hold text" in name.reason


def test_an_id_that_is_itself_the_wrong_address_is_said(desk: Desk) -> None:
    person = replace(STRANGER, customer_id=STRANGER.email, held_at=frozenset({"talonone"}))
    desk.app.seed([person])
    effect = desk.rectify(person, {Field.EMAIL: "right@shop-customer.example"})[0]
    assert (effect.record, effect.result) == ("profile", Result.MANUAL)
    assert "no call changes" in effect.reason
    assert desk.attributes(person)["Email"] == "right@shop-customer.example"
    assert desk.rectify(person, {Field.NAME: "Zoë Right"})[0].result is Result.UPDATED
    phoned = replace(person, customer_id=person.phone, email="other@shop-customer.example")
    desk.app.seed([phoned])
    assert (
        desk.rectify(phoned, {Field.PHONE: "+49301"}, settings={"rectify_attributes": WIDE})[0].result is Result.MANUAL
    )


def test_no_value_and_no_identifier_stands_in_what_is_said(desk: Desk) -> None:
    refused = Reply(400, json={"message": FIRST.email, "errors": [{"details": FIRST.customer_id}]})
    desk.server.fail(Fault("status", method="PUT", reply=refused, times=-1))
    desk.server.fail(Fault("status", method="POST", reply=Reply(409, json={"message": FIRST.email}), times=-1))
    new = {Field.EMAIL: "right@shop-customer.example", Field.NAME: "Zoë Right"}
    said = [*desk.consent(FIRST, (EMAIL, WITHDRAWN), (NEWS, WITHDRAWN)), *desk.rectify(FIRST, new)]
    said += desk.rectify(NEXT, new)
    text = json.dumps([repr(effect) for effect in said], ensure_ascii=False)
    for secret in (FIRST.customer_id, FIRST.email, FIRST.last_name, *new.values(), desk.app.api_key):
        assert secret not in text

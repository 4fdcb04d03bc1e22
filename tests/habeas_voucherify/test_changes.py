"""Consents, corrections and the made-up person against the sandbox: what is said is so, and nobody else is touched."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

import habeas_voucherify as plugin
from habeas import (
    Action,
    BadAnswer,
    CanaryPerson,
    ConsentChange,
    ConsentState,
    ConsentUpdate,
    Correction,
    Effect,
    Erasure,
    Field,
    HeldConsent,
    HeldState,
    Identifier,
    PlanItem,
    Purpose,
    Rectification,
    Result,
    Subject,
)
from habeas.http.transport import Request
from habeas.testing.connect import MemoryJournal, connect
from habeas.testing.people import Person, seeded_people
from habeas.testing.sandbox import Fault, Reply, SandboxServer
from habeas_voucherify import consenting, lookup, rectifying
from habeas_voucherify.sandbox import CONSENT_ID, VoucherifySandbox

_SEEDED = seeded_people(43, ["voucherify"])
PEOPLE = tuple(_SEEDED[n] for n in (0, 1, 2, 3, 14, 21, 28, 35, 42))
FIRST, SECOND, TWIN_A, TWIN_B = PEOPLE[:4]
STRANGER = _SEEDED[6]
ORDINARY = (FIRST, SECOND, *PEOPLE[4:])
"""Whose address is nobody else's, with every awkward customer id."""

BOTH = {"consent": CONSENT_ID, "metadata": "consent_marketing_email"}
FLAG = {"metadata": "consent_marketing_email"}
WORD = {"metadata": "preferences.profiling", "granted": "yes", "withdrawn": "no"}
ENDPOINT = {"consent": CONSENT_ID}
UNSUBSCRIBE = {"unsubscribed": True}
GRANTED, WITHDRAWN = ConsentState.GRANTED, ConsentState.WITHDRAWN

RIGHT = {
    Field.EMAIL: "zoe.right@shop-customer.example",
    Field.PHONE: "+49309988776",
    Field.NAME: "Zoe Right",
    Field.BIRTHDATE: "1971-02-03",
    Field.STREET: "Right Street 7",
    Field.POSTAL_CODE: "99991",
    Field.CITY: "Rightville",
    Field.REGION: "BE",
    Field.COUNTRY: "IE",
}
CUSTOMER_READ = "GET /v1/customers/{customerId} -> 200"

Metadata = dict[str, Any]


class Meanwhile(MemoryJournal):
    """Does something at the vendor just before a change is sent, or just after it was answered."""

    def __init__(self, *, before: Callable[[], None] | None = None, after: Callable[[], None] | None = None) -> None:
        super().__init__()
        self._before, self._after = before, after

    def intent(self, request: Request, host: str) -> int:
        if self._before is not None:
            self._before()
        return super().intent(request, host)

    def outcome(self, intent: int, result: str, status: int) -> None:
        super().outcome(intent, result, status)
        if self._after is not None:
            self._after()


class Desk:
    """A project with people in it, and the three hooks, each asked as the engine asks it."""

    def __init__(self, server: SandboxServer) -> None:
        self.app = VoucherifySandbox()
        self.app.seed(PEOPLE)
        self.server = server
        server.app = self.app
        server.calls.clear()
        server.faults.clear()
        self.journal = MemoryJournal()

    def connection(self, **settings: str) -> Any:
        return connect(plugin, self.server, settings=settings, journal=self.journal)

    def consent(
        self,
        who: Person | Subject,
        *wanted: tuple[Mapping[str, Any], ConsentState],
        resumed: bool = False,
        **settings: str,
    ) -> tuple[Effect, ...]:
        changes = tuple(ConsentChange(n, Purpose(f"p{n}", names), state) for n, (names, state) in enumerate(wanted))
        update = ConsentUpdate(_subject(who), changes, resumed)
        return self.checked(plugin.update_consent(self.connection(**settings), update), len(changes))

    def read(self, who: Person | Subject, *names: Mapping[str, Any], **settings: str) -> tuple[HeldConsent, ...]:
        purposes = tuple(Purpose(f"p{n}", each) for n, each in enumerate(names))
        held = plugin.read_consent(self.connection(**settings), _subject(who), purposes)
        assert [each.purpose for each in held] == [purpose.name for purpose in purposes]
        return tuple(dataclasses.replace(each, purpose="") for each in held)

    def states(self, who: Person | Subject, *names: Mapping[str, Any], **settings: str) -> list[HeldState]:
        return [held.state for held in self.read(who, *names, **settings)]

    def rectify(
        self, who: Person | Subject, right: Mapping[Field, str], *, resumed: bool = False
    ) -> tuple[Effect, ...]:
        corrections = tuple(Correction(n, field, value) for n, (field, value) in enumerate(right.items()))
        wanted = Rectification(_subject(who), corrections, resumed)
        return self.checked(plugin.rectify(self.connection(), wanted), len(corrections))

    def checked(self, effects: Sequence[Effect], count: int) -> tuple[Effect, ...]:
        """At most one for each change and kind, at least one for each change, and nobody is named."""
        named = [(effect.index, effect.record) for effect in effects]
        assert len(set(named)) == len(named)
        assert {index for index, _ in named} == set(range(count))
        text = repr(effects)
        for person in (*PEOPLE, STRANGER):
            for word in (person.customer_id, person.email, person.phone, person.street, person.birthdate):
                assert word not in text
        assert not any(value in text for field, value in RIGHT.items() if field not in (Field.REGION, Field.COUNTRY))
        assert "cust_" not in text
        return tuple(effects)

    def record(self, person: Person) -> Metadata:
        found = self.app.find(person.customer_id)
        assert found is not None
        return found

    def metadata(self, person: Person) -> Metadata:
        found: Metadata = self.record(person)["metadata"]
        return found

    def add(self, cust_id: str, **fields: Any) -> None:
        """One more customer, without events and lists."""
        kept = {k: v for k, v in self.record(FIRST).items() if k not in ("source_id", "referrals", "email")}
        self.app.store({**kept, "summary": None, "id": cust_id, **fields})

    def drop(self, person: Person) -> Callable[[], None]:
        """Deletes a customer, once."""

        def run() -> None:
            found = self.app.find(person.customer_id)
            if found is not None:
                self.app.remove_profile(found)

        return run

    def texts(self, *but: Person) -> list[str]:
        return [self.app.held_text(person) for person in (*PEOPLE, STRANGER) if person not in but]

    def sent(self) -> list[str]:
        return [f"{call.method} {call.path.rpartition('/')[2]}" for call in self.server.changing_calls()]


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(VoucherifySandbox()) as running:
        yield running


@pytest.fixture
def desk(server: SandboxServer) -> Desk:
    return Desk(server)


def _subject(who: Person | Subject) -> Subject:
    if isinstance(who, Subject):
        return who
    return Subject((Identifier("customer_id", who.customer_id), Identifier("email", who.email)))


def by_email(person: Person) -> Subject:
    return Subject((Identifier("email", person.email),))


def results(effects: Sequence[Effect], record: str = "customer") -> list[Result]:
    return [effect.result for effect in effects if effect.record == record]


# -- consents as metadata ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("replaces", [False, True], ids=["merged", "replaced"])
def test_a_flag_is_set_and_read_back_and_nothing_else_changes(desk: Desk, replaces: bool) -> None:
    desk.app.replaces_metadata = replaces
    for person in ORDINARY:
        others, before = desk.texts(person), desk.metadata(person)
        was = before["consent_marketing_email"]
        for state in (GRANTED, WITHDRAWN):
            given = state is GRANTED
            said = desk.consent(person, (FLAG, state), (WORD, state))
            assert results(said) == [Result.UNCHANGED if was is given else Result.UPDATED, Result.UPDATED]
            assert {(effect.count, effect.evidence, effect.reason) for effect in said} == {(1, CUSTOMER_READ, "")}
            assert desk.metadata(person) == {
                **before,
                "consent_marketing_email": given,
                "preferences": {**before["preferences"], "profiling": "yes" if given else "no"},
            }
            assert desk.states(person, FLAG, WORD) == [HeldState(str(state))] * 2
            was = given
        assert desk.texts(person) == others


def test_what_is_as_wanted_is_unchanged_and_nothing_is_sent_but_a_resumed_run_has_changed_it(desk: Desk) -> None:
    assert desk.app.consent(FIRST, "marketing_email") is True
    assert results(desk.consent(FIRST, (FLAG, GRANTED))) == [Result.UNCHANGED]
    assert results(desk.consent(FIRST, (FLAG, GRANTED), resumed=True)) == [Result.UPDATED]
    assert desk.sent() == []


def test_all_flags_of_a_customer_are_written_at_once(desk: Desk) -> None:
    assert results(desk.consent(FIRST, (FLAG, WITHDRAWN), (WORD, GRANTED))) == [Result.UPDATED] * 2
    (call,) = desk.server.changing_calls()
    assert json.loads(call.body).keys() == {"metadata"}


def test_a_path_is_made_where_it_is_missing_and_a_key_with_a_dot_is_found(desk: Desk) -> None:
    deep, dotted, null = {"metadata": "consents.by_mail.news"}, {"metadata": "news.sms"}, {"metadata": "nothing.news"}
    desk.app.store({**desk.record(FIRST), "metadata": {**desk.metadata(FIRST), "news.sms": True, "nothing": None}})
    before = desk.metadata(FIRST)
    assert desk.states(FIRST, deep, dotted, null) == [HeldState.UNSET, HeldState.GRANTED, HeldState.UNSET]
    said = desk.consent(FIRST, (deep, GRANTED), (dotted, WITHDRAWN), (null, GRANTED))
    assert results(said) == [Result.UPDATED] * 3
    made = {"consents": {"by_mail": {"news": True}}, "news.sms": False, "nothing": {"news": True}}
    assert desk.metadata(FIRST) == {**before, **made}


def test_a_path_through_something_else_is_for_a_person_and_the_other_flags_are_set(desk: Desk) -> None:
    through = {"metadata": "acquisition_channel.news"}
    said = desk.consent(FIRST, (through, GRANTED), (FLAG, WITHDRAWN))
    assert results(said) == [Result.MANUAL, Result.UPDATED]
    assert said[0].reason == consenting.BLOCKED
    assert desk.metadata(FIRST)["acquisition_channel"] == "newsletter"


def test_metadata_that_somebody_changes_at_the_same_moment_is_told(desk: Desk) -> None:
    def change() -> None:
        desk.app.store({**desk.record(FIRST), "metadata": {**desk.metadata(FIRST), "acquisition_channel": "shop"}})

    desk.journal = Meanwhile(after=change)
    (said,) = desk.consent(FIRST, (FLAG, WITHDRAWN))
    assert (said.result, said.reason) == (Result.MANUAL, consenting.OTHERS_CHANGED)
    assert desk.app.consent(FIRST, "marketing_email") is False


def test_a_change_that_only_said_so_has_failed_and_a_second_pass_makes_it(desk: Desk) -> None:
    desk.server.fail(Fault("lie", method="PUT", path=r"[^s]$", reply=Reply(200, desk.record(FIRST))))
    (said,) = desk.consent(FIRST, (FLAG, WITHDRAWN))
    assert (said.result, said.evidence) == (Result.FAILED, CUSTOMER_READ)
    assert results(desk.consent(FIRST, (FLAG, WITHDRAWN), resumed=True)) == [Result.UPDATED]


# -- consents by the endpoint ------------------------------------------------------------------------------------------


def test_what_the_endpoint_takes_is_accepted_and_never_more(desk: Desk) -> None:
    desk.app.consents_enabled = True
    before = desk.metadata(FIRST)
    for state in (GRANTED, WITHDRAWN):
        said = desk.consent(FIRST, (BOTH, state))
        assert results(said) == [Result.ACCEPTED]
        assert said[0].evidence == "PUT /v1/customers/{customerId}/consents -> 204"
        assert "dashboard" in said[0].reason
        assert desk.app.consents_given(FIRST) == {CONSENT_ID: state is GRANTED}
        assert desk.app.consent(FIRST, "marketing_email") is (state is GRANTED)
    assert desk.metadata(FIRST) == before
    # The flag is not what decides there: what it says must not be told as what is held.
    assert desk.states(FIRST, BOTH, ENDPOINT, FLAG) == [HeldState.UNREADABLE] * 2 + [HeldState.GRANTED]


def test_unsubscribing_withdraws_and_never_grants(desk: Desk) -> None:
    desk.app.consents_enabled = True
    said = desk.consent(FIRST, (ENDPOINT, GRANTED), (UNSUBSCRIBE, WITHDRAWN))
    assert results(said) == [Result.ACCEPTED] * 2
    # What withdraws everything is sent first, so that the one consent that was given stands.
    assert desk.app.consents_given(FIRST) == {CONSENT_ID: True}
    calls = len(desk.server.changing_calls())
    said = desk.consent(FIRST, (UNSUBSCRIBE, GRANTED), ({**UNSUBSCRIBE, **FLAG}, GRANTED))
    assert results(said) == [Result.UNSUPPORTED] * 2
    assert len(desk.server.changing_calls()) == calls


@pytest.mark.parametrize("status", [404, 405, 410])
def test_where_the_endpoint_is_gone_automatic_goes_on_with_the_flag(desk: Desk, status: Any) -> None:
    desk.app.consents_status = status
    said = desk.consent(FIRST, (BOTH, WITHDRAWN), (ENDPOINT, WITHDRAWN), ({**UNSUBSCRIBE, **WORD}, GRANTED))
    assert results(said) == [Result.UPDATED, Result.UNSUPPORTED, Result.UPDATED]
    assert said[1].evidence == f"PUT /v1/customers/{{customerId}}/consents -> {status}"
    assert said[1].reason == consenting.WITHDRAWN
    assert (desk.app.consent(FIRST, "marketing_email"), desk.app.consent(FIRST, "profiling")) == (False, True)
    assert desk.states(FIRST, BOTH, WORD) == [HeldState.WITHDRAWN, HeldState.GRANTED]
    assert results(desk.consent(SECOND, (BOTH, GRANTED), consent_by="endpoint")) == [Result.UNSUPPORTED]


def test_a_connection_may_keep_consents_in_one_way_only(desk: Desk) -> None:
    desk.app.consents_enabled = True
    assert results(desk.consent(FIRST, (BOTH, WITHDRAWN), consent_by="metadata")) == [Result.UPDATED]
    assert desk.app.consents_given(FIRST) == {}
    assert desk.states(FIRST, BOTH, ENDPOINT, consent_by="metadata") == [HeldState.WITHDRAWN, HeldState.UNREADABLE]
    assert results(desk.consent(FIRST, (ENDPOINT, GRANTED), consent_by="metadata")) == [Result.UNSUPPORTED]
    assert not any("consents" in call.path for call in desk.server.calls)
    assert results(desk.consent(FIRST, (FLAG, GRANTED), consent_by="endpoint")) == [Result.UNSUPPORTED]
    assert desk.states(FIRST, FLAG, consent_by="endpoint") == [HeldState.UNREADABLE]


def test_a_consent_the_project_does_not_know_fails_alone(desk: Desk) -> None:
    desk.app.consents_enabled = True
    said = desk.consent(FIRST, ({"consent": "cnst_unknown"}, GRANTED), (ENDPOINT, GRANTED), (WORD, GRANTED))
    assert results(said) == [Result.FAILED, Result.ACCEPTED, Result.UPDATED]
    assert said[0].reason == "PUT /v1/customers/{customerId}/consents -> 400"


def test_a_404_of_the_endpoint_for_somebody_who_has_just_gone_is_absence(desk: Desk) -> None:
    desk.app.consents_enabled = True
    desk.journal = Meanwhile(before=desk.drop(FIRST))
    assert results(desk.consent(FIRST, (BOTH, GRANTED))) == [Result.ABSENT]
    assert desk.app.find(FIRST.customer_id) is None


def test_where_nobody_can_tell_whether_the_endpoint_is_there_a_consent_has_failed(desk: Desk) -> None:
    down = Reply(503, {"code": 503, "message": "unavailable"})
    desk.server.fail(Fault("status", path="/v1/consents", reply=down, times=-1))
    (said,) = desk.consent(FIRST, ({**UNSUBSCRIBE, **WORD}, GRANTED))
    assert (said.result, said.reason) == (Result.FAILED, "GET /v1/consents -> 503")
    desk.server.faults.clear()
    # The endpoint answers 404, and then the customer cannot be read: one of the two has gone.
    desk.server.fail(Fault("status", method="GET", path=r"/v1/customers/cust_", reply=down, times=-1))
    (said,) = desk.consent(FIRST, (ENDPOINT, GRANTED))
    assert (said.result, said.reason) == (Result.FAILED, "GET /v1/customers/{customerId} -> 503")


# -- who it is ---------------------------------------------------------------------------------------------------------


def test_somebody_unknown_is_absent_and_not_created(desk: Desk) -> None:
    desk.app.consents_enabled = True
    assert results(desk.consent(STRANGER, (BOTH, GRANTED), (FLAG, GRANTED))) == [Result.ABSENT] * 2
    said = desk.rectify(STRANGER, RIGHT)
    assert {(effect.result, effect.count) for effect in said} == {(Result.ABSENT, 0)}
    assert all(effect.evidence for effect in said)
    assert desk.states(STRANGER, BOTH, FLAG) == [HeldState.ABSENT] * 2
    assert desk.app.held(STRANGER) == {}
    assert desk.sent() == []


def test_who_goes_before_the_change_arrives_is_absent_and_not_brought_back(desk: Desk) -> None:
    desk.journal = Meanwhile(before=desk.drop(FIRST))
    assert results(desk.consent(FIRST, (FLAG, WITHDRAWN))) == [Result.ABSENT]
    desk.journal = Meanwhile(before=desk.drop(SECOND))
    assert set(results(desk.rectify(SECOND, RIGHT))) == {Result.ABSENT}
    assert desk.app.find(FIRST.customer_id) is desk.app.find(SECOND.customer_id) is None


def test_of_two_people_with_one_address_the_other_is_left_alone_and_that_is_told_once(desk: Desk) -> None:
    others = desk.texts(TWIN_A)
    said = desk.consent(TWIN_A, (FLAG, WITHDRAWN), (WORD, GRANTED))
    assert (said[0].result, said[0].reason) == (Result.MANUAL, lookup.OTHERS)
    assert said[1].result is Result.UPDATED
    assert desk.app.consent(TWIN_A, "marketing_email") is False
    corrected = desk.rectify(TWIN_A, RIGHT)
    told = [effect for effect in corrected if effect.record == "customer" and effect.result is not Result.UPDATED]
    assert [(effect.index, effect.result, effect.reason) for effect in told] == [(0, Result.MANUAL, lookup.OTHERS)]
    assert desk.record(TWIN_A)["email"] == RIGHT[Field.EMAIL]
    assert desk.texts(TWIN_A) == others


def test_nobody_is_chosen_where_several_or_none_could_be_meant(desk: Desk) -> None:
    phone = Subject((Identifier("phone", FIRST.phone),))
    for who, count in ((by_email(TWIN_A), 2), (phone, 0)):
        said = (*desk.consent(who, (FLAG, WITHDRAWN), (BOTH, WITHDRAWN)), *desk.rectify(who, RIGHT))
        assert {effect.result for effect in said} == {Result.MANUAL}
        held = desk.read(who, FLAG)[0]
        assert (held.state, held.reason) == (HeldState.UNREADABLE, said[0].reason)
        assert count == 0 or said[0].reason == lookup.WHICH_ONE
    assert desk.sent() == []


def test_all_customers_that_are_the_person_are_changed(desk: Desk) -> None:
    desk.add("cust_guest", email=FIRST.email, metadata={})
    assert desk.states(FIRST, FLAG) == [HeldState.MIXED]
    (said,) = desk.consent(FIRST, (FLAG, GRANTED))
    assert (said.result, said.count) == (Result.UPDATED, 2)
    assert desk.app.customers["cust_guest"]["metadata"] == {"consent_marketing_email": True}
    assert {e.count for e in desk.rectify(FIRST, RIGHT) if e.record == "customer"} == {2}
    assert desk.app.customers["cust_guest"]["address"] == desk.record(FIRST)["address"]


def test_a_flag_with_a_value_of_its_own_is_not_guessed(desk: Desk) -> None:
    for odd in ("maybe", 1, {"given": True}):
        desk.app.store({**desk.record(FIRST), "metadata": {"consent_marketing_email": odd}})
        assert desk.read(FIRST, FLAG) == (
            HeldConsent("", HeldState.UNREADABLE, f"{CUSTOMER_READ}; GET /v1/customers -> 200", consenting.ODD_VALUE),
        )


# -- corrections -------------------------------------------------------------------------------------------------------


def test_every_field_is_corrected_for_everybody_and_read_back(desk: Desk) -> None:
    for n, person in enumerate(ORDINARY):
        right = {**RIGHT, Field.EMAIL: f"right{n}@shop-customer.example"}
        others, metadata = desk.texts(person), desk.metadata(person)
        said = desk.rectify(person, right)
        assert results(said) == [Result.UPDATED] * len(right)
        assert {effect.evidence for effect in said if effect.record == "customer"} == {CUSTOMER_READ}
        record = desk.record(person)
        assert (record["email"], record["phone"]) == (right[Field.EMAIL], right[Field.PHONE])
        assert (record["name"], record["birthdate"]) == (right[Field.NAME], right[Field.BIRTHDATE])
        assert record["address"] == {
            "line_1": right[Field.STREET],
            "city": right[Field.CITY],
            "postal_code": right[Field.POSTAL_CODE],
            "country": right[Field.COUNTRY],
            "state": right[Field.REGION],
        }
        assert record["metadata"] == metadata
        assert desk.texts(person) == others
        calls = len(desk.server.changing_calls())
        assert results(desk.rectify(person, right)) == [Result.UNCHANGED] * len(right)
        assert results(desk.rectify(person, right, resumed=True)) == [Result.UPDATED] * len(right)
        assert len(desk.server.changing_calls()) == calls


def test_copies_in_the_past_that_no_call_changes_are_told_with_their_number(desk: Desk) -> None:
    said = desk.rectify(FIRST, {Field.EMAIL: RIGHT[Field.EMAIL], Field.CITY: RIGHT[Field.CITY]})
    kept = {(e.index, e.record): e for e in said if e.record != "customer"}
    assert {effect.result for effect in kept.values()} == {Result.UNSUPPORTED}
    # A redemption's short copy of the customer has an address for e-mail and none to live at.
    assert kept.keys() == {(0, "activity"), (0, "redemption"), (0, "publication"), (1, "activity"), (1, "publication")}
    assert kept[0, "redemption"].count == len(desk.app.redemptions.of(desk.record(FIRST)["id"]))
    assert kept[0, "publication"].reason == rectifying.COPIES.format(what="publications")
    assert desk.rectify(FIRST, {Field.EMAIL: RIGHT[Field.EMAIL]})[1:] == tuple(e for e in said[2:] if e.index == 0)


def test_where_there_are_no_copies_nothing_is_said_of_them(desk: Desk) -> None:
    desk.add("cust_alone", source_id="C-alone", email="alone@shop-customer.example")
    said = desk.rectify(Subject((Identifier("customer_id", "C-alone"),)), RIGHT)
    assert [effect.record for effect in said] == ["customer"] * len(RIGHT)


@pytest.mark.parametrize(
    ("right", "expected"),
    [
        ({Field.FIRST_NAME: "Zoe"}, {Result.MANUAL}),
        ({Field.LAST_NAME: "Right"}, {Result.MANUAL}),
        ({Field.FIRST_NAME: "Zoe", Field.LAST_NAME: "Right"}, {Result.UPDATED}),
        ({Field.NAME: "Zoe Right", Field.FIRST_NAME: "Zoe", Field.LAST_NAME: "Right"}, {Result.UPDATED}),
        ({Field.NAME: "Zoe Right", Field.LAST_NAME: "Wrong"}, {Result.UPDATED, Result.MANUAL}),
    ],
)
def test_a_name_is_one_text_so_that_a_part_of_it_alone_is_for_a_person(
    desk: Desk, right: Mapping[Field, str], expected: set[Result]
) -> None:
    assert set(results(desk.rectify(FIRST, right))) == expected
    corrected = desk.record(FIRST)["name"] == "Zoe Right"
    assert corrected is (Result.UPDATED in expected)


def test_what_a_customer_does_not_hold_is_not_added(desk: Desk) -> None:
    desk.add("cust_guest", email="guest@shop-customer.example", address=None, phone=None, birthdate=None)
    guest = Subject((Identifier("email", "guest@shop-customer.example"),))
    said = desk.rectify(guest, {Field.PHONE: RIGHT[Field.PHONE], Field.CITY: RIGHT[Field.CITY]})
    assert [(effect.result, effect.count, effect.reason) for effect in said] == [
        (Result.ABSENT, 0, rectifying.NOT_HELD)
    ] * 2
    assert desk.sent() == []


def test_how_a_value_is_written_is_no_difference_except_where_the_person_minds(desk: Desk) -> None:
    desk.app.store({**desk.record(FIRST), "phone": "+49 (30) 9988-776", "birthdate": "1971-02-03T00:00:00.000Z"})
    right = {Field.PHONE: RIGHT[Field.PHONE], Field.BIRTHDATE: RIGHT[Field.BIRTHDATE]}
    assert results(desk.rectify(FIRST, right)) == [Result.UNCHANGED] * 2
    assert desk.sent() == []
    assert results(desk.rectify(FIRST, {Field.EMAIL: FIRST.email.upper()})) == [Result.UPDATED]
    assert desk.record(FIRST)["email"] == FIRST.email.upper()


def test_the_older_name_of_the_birthdate_is_corrected_with_it_and_a_second_address_line_is_told(desk: Desk) -> None:
    address = {**desk.record(FIRST)["address"], "line_2": "Back yard"}
    desk.app.store({**desk.record(FIRST), "birthday": FIRST.birthdate, "address": address})
    said = desk.rectify(FIRST, {Field.BIRTHDATE: RIGHT[Field.BIRTHDATE], Field.STREET: RIGHT[Field.STREET]})
    assert results(said) == [Result.UPDATED] * 2
    assert said[1].reason == rectifying.SECOND_LINE
    assert desk.record(FIRST)["birthday"] == desk.record(FIRST)["birthdate"] == RIGHT[Field.BIRTHDATE]
    assert desk.record(FIRST)["address"] == {**address, "line_1": RIGHT[Field.STREET]}


def test_who_was_found_by_an_address_that_is_corrected_by_now_is_found_by_the_right_one(desk: Desk) -> None:
    desk.add("cust_guest", email="old@shop-customer.example")
    guest = Subject((Identifier("email", "old@shop-customer.example"),))
    clean = desk.rectify(guest, RIGHT)
    assert desk.rectify(guest, RIGHT, resumed=True) == clean
    # Somebody else with that address, to whom there would be something left to do, is not the person.
    desk.app.store({**desk.app.customers["cust_guest"], "name": "Somebody Else"})
    before = desk.app.customers["cust_guest"]
    assert set(results(desk.rectify(guest, RIGHT, resumed=True))) == {Result.ABSENT}
    assert desk.app.customers["cust_guest"] == before


def test_a_list_that_cannot_be_read_is_told_and_the_correction_stands(desk: Desk) -> None:
    desk.server.fail(Fault("status", path="/v1/redemptions", reply=Reply(403, {"code": 403, "message": "no"})))
    said = desk.rectify(FIRST, {Field.PHONE: RIGHT[Field.PHONE]})
    by_kind = {effect.record: effect for effect in said}
    assert by_kind["customer"].result is Result.UPDATED
    # After refused credentials nothing more is asked.
    assert by_kind["redemption"].result is by_kind["publication"].result is Result.FAILED
    assert by_kind["redemption"].reason.startswith("GET /v1/redemptions -> 403: credentials refused")
    assert desk.server.calls[-1].path == "/v1/redemptions"


# -- the made-up person ------------------------------------------------------------------------------------------------

CANARY = CanaryPerson("habeas-canary-7", "habeas-canary-7@canary.invalid", "+12025550107", "Habeas", "Canary")
AS_PERSON = dataclasses.replace(FIRST, customer_id=CANARY.customer_id, email=CANARY.email, phone=CANARY.phone)


def test_the_made_up_person_is_created_once_found_changed_and_erased_without_a_trace(desk: Desk) -> None:
    others = desk.texts()
    connection = desk.connection()
    canary = plugin.create_canary(connection, CANARY)
    assert (canary.created, canary.left_out) == ({"customer": 1}, ())
    assert plugin.create_canary(connection, CANARY) == canary
    assert desk.sent() == ["POST customers"]
    record = desk.record(AS_PERSON)
    assert (record["name"], record["email"], record["metadata"]) == ("Habeas Canary", CANARY.email, {})
    who = Subject((*_subject(AS_PERSON).identifiers, Identifier("phone", CANARY.phone), *canary.identifiers))
    found = plugin.inventory(connection, who)
    assert {kind.kind: kind.count for kind in found.records} == desk.app.held(AS_PERSON)
    assert results(desk.consent(who, (BOTH, GRANTED))) == [Result.UPDATED]
    assert results(desk.rectify(who, {Field.NAME: "Habeas Corrected"})) == [Result.UPDATED]
    found = plugin.inventory(connection, who)
    items = tuple(PlanItem(n, record, Action.ERASE) for n, record in enumerate(found.records))
    assert {outcome.result for outcome in plugin.erase(connection, Erasure(who, items))} == {Result.ERASED}
    assert desk.app.held_text(AS_PERSON) == ""
    assert desk.texts() == others


def test_a_made_up_person_whom_the_vendor_only_claims_to_have_created_is_an_error(desk: Desk) -> None:
    desk.server.fail(Fault("lie", method="POST", reply=Reply(200, desk.record(FIRST))))
    with pytest.raises(BadAnswer, match="is not there") as caught:
        plugin.create_canary(desk.connection(), CANARY)
    assert CANARY.customer_id not in caught.value.line()

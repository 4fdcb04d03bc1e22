"""Consents and corrections against the vendor's sandbox: what is said of a record is what the vault holds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jsonschema
import pytest

import habeas_cybersource as plugin
from habeas import (
    ConsentChange,
    ConsentState,
    ConsentUpdate,
    Correction,
    Effect,
    Field,
    HeldState,
    Identifier,
    PluginFault,
    Purpose,
    Rectification,
    Result,
    Subject,
    VendorError,
)
from habeas.errors import RunEnded
from habeas.testing.connect import InterruptedJournal, MemoryJournal, connect
from habeas.testing.people import Person, seeded_people
from habeas.testing.sandbox import Fault, FaultKind, Reply, SandboxServer
from habeas_cybersource.sandbox import CyberSourceSandbox

PEOPLE = seeded_people(15, ["cybersource"])
ADA = PEOPLE[0]
"""One card, one address."""
TWO_CARDS = PEOPLE[3]
"""Two cards, two addresses."""

CUSTOMER = "GET /tms/v2/customers/{customerId}"
INSTRUMENTS = f"{CUSTOMER}/payment-instruments"
ADDRESSES = f"{CUSTOMER}/shipping-addresses"

RIGHT: Mapping[Field, str] = {
    Field.EMAIL: "right@shop-customer.example",
    Field.PHONE: "+4930999",
    Field.FIRST_NAME: "Rhea",
    Field.LAST_NAME: "Wright",
    Field.STREET: "Right Street 1",
    Field.POSTAL_CODE: "10999",
    Field.CITY: "Righton",
    Field.COUNTRY: "NL",
}
NAMES = {
    Field.EMAIL: "email",
    Field.PHONE: "phoneNumber",
    Field.FIRST_NAME: "firstName",
    Field.LAST_NAME: "lastName",
    Field.STREET: "address1",
    Field.POSTAL_CODE: "postalCode",
    Field.CITY: "locality",
    Field.REGION: "administrativeArea",
    Field.COUNTRY: "country",
}


class World:
    """One server whose vault is made anew for each test."""

    def __init__(self, server: SandboxServer) -> None:
        self.server = server
        self.reset()

    def reset(self) -> None:
        self.app = CyberSourceSandbox()
        self.tokens = dict(self.app.seed(PEOPLE))
        self.server.app = self.app
        self.server.calls.clear()
        self.server.faults.clear()
        self.journal = MemoryJournal()

    def rectify(
        self, person: Person, values: Mapping[Field, str] = RIGHT, *, resumed: bool = False, **limits: Any
    ) -> tuple[Effect, ...]:
        subject = Subject((Identifier("cybersource", self.tokens[person.customer_id]),))
        return self.rectify_subject(subject, values, resumed=resumed, **limits)

    def rectify_subject(
        self, subject: Subject, values: Mapping[Field, str] = RIGHT, *, resumed: bool = False, **limits: Any
    ) -> tuple[Effect, ...]:
        corrections = tuple(Correction(n, field, value) for n, (field, value) in enumerate(values.items()))
        connection = connect(plugin, self.server, journal=self.journal, **limits)
        effects = plugin.rectify(connection, Rectification(subject, corrections, resumed))
        # What the core asks of a hook before it believes it.
        assert {e.index for e in effects} == set(range(len(corrections)))
        assert len({(e.index, e.record) for e in effects}) == len(effects)
        for effect in effects:
            if effect.result in (Result.UPDATED, Result.UNCHANGED, Result.ABSENT):
                assert effect.evidence
                assert connection.api.read_since_change
        self.check_clean(subject, values, effects)
        return effects

    def check_clean(self, subject: Subject, values: Mapping[Field, str], effects: Sequence[Effect]) -> None:
        """No identifier and no value, old or right, in what is kept."""
        text = "\n".join(f"{e.reason} {e.evidence}" for e in effects) + repr(self.journal.written)
        people = [p for p in PEOPLE if self.tokens.get(p.customer_id) in subject.values("cybersource")]
        old = {v for p in people for v in (p.email, p.phone, p.street, p.last_name, p.customer_id)}
        for word in {*values.values(), *old, *(i.value for i in subject.identifiers)} - {"NL", "DE"}:
            assert word not in text

    def check_true(self, person: Person, values: Mapping[Field, str], effects: Sequence[Effect]) -> None:
        """What is said to be right is right, in every record of the kind that has the field."""
        for effect in effects:
            if effect.result in (Result.UPDATED, Result.UNCHANGED):
                field, value = list(values.items())[effect.index]
                assert self.values(person, effect.record, NAMES[field]) == {value}

    def values(self, person: Person, kind: str, name: str) -> set[str]:
        held = json.loads(self.app.held_text(person))[kind]
        inside = {"customer": "buyerInformation", "payment_instrument": "billTo", "shipping_address": "shipTo"}[kind]
        return {record[inside][name] for record in held if name in record.get(inside, {})}

    def others(self, person: Person) -> Mapping[str, str]:
        return {p.customer_id: self.app.held_text(p) for p in PEOPLE if p is not person}


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(CyberSourceSandbox()) as server:
        yield server


@pytest.fixture
def world(server: SandboxServer) -> World:
    return World(server)


def told(values: Mapping[Field, str], effects: Sequence[Effect]) -> dict[tuple[Field, str], Result]:
    fields = list(values)
    return {(fields[e.index], e.record): e.result for e in effects}


# -- consent ----------------------------------------------------------------------------------------------------------


def test_no_consent_can_be_changed_or_read_and_nothing_is_sent(world: World) -> None:
    connection = connect(plugin, world.server)
    subject = Subject((Identifier("cybersource", world.tokens[ADA.customer_id]),))
    purposes = tuple(Purpose(name, {}) for name in ("marketing_email", "profiling"))
    changes = tuple(ConsentChange(n, purpose, ConsentState.WITHDRAWN) for n, purpose in enumerate(purposes))
    effects = plugin.update_consent(connection, ConsentUpdate(subject, changes))
    assert [(e.index, e.record, e.count, e.result) for e in effects] == [
        (0, "customer", 0, Result.UNSUPPORTED),
        (1, "customer", 0, Result.UNSUPPORTED),
    ]
    assert "consumerConsentObtained" in effects[0].reason
    held = plugin.read_consent(connection, subject, purposes)
    assert [(h.purpose, h.state) for h in held] == [(p.name, HeldState.UNREADABLE) for p in purposes]
    assert held[0].reason == effects[0].reason
    assert world.server.calls == []
    assert world.app.consent(ADA, "marketing_email") is None


def test_a_purpose_is_mapped_by_an_empty_table_only(world: World) -> None:
    schema = plugin.describe().purpose_schema
    for mapping in world.app.purposes().values():
        jsonschema.validate(mapping, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"consent": "x"}, schema)


# -- rectify ----------------------------------------------------------------------------------------------------------


def test_each_value_is_corrected_wherever_it_stands_for_every_seeded_person(world: World) -> None:
    for person in (p for p in PEOPLE if world.app.name in p.held_at):
        others = world.others(person)
        effects = world.rectify(person)
        result = told(RIGHT, effects)
        # The title is a free text of the shop's: seeded with the name, and left to a person.
        assert {key for key, r in result.items() if r is Result.MANUAL} == {
            (Field.FIRST_NAME, "customer"),
            (Field.LAST_NAME, "customer"),
        }
        assert {r for r in result.values() if r is not Result.MANUAL} == {Result.UPDATED}
        assert {kind for _, kind in result} == {"customer", "payment_instrument", "shipping_address"}
        world.check_true(person, RIGHT, effects)
        text = world.app.held_text(person)
        assert not [old for old in (person.email, person.phone, person.street) if old in text]
        assert world.others(person) == others
        assert told(RIGHT, world.rectify(person)) == {
            key: Result.UNCHANGED if r is Result.UPDATED else r for key, r in result.items()
        }
        assert world.rectify(person, resumed=True) == effects


def test_the_evidence_is_the_read_after_the_last_change(world: World) -> None:
    effects = world.rectify(ADA, {Field.EMAIL: "right@shop-customer.example"})
    assert [(e.record, e.count, e.evidence) for e in effects] == [
        ("customer", 1, f"{CUSTOMER} -> 200"),
        ("payment_instrument", 1, f"{INSTRUMENTS} -> 200"),
        ("shipping_address", 1, f"{ADDRESSES} -> 200"),
    ]
    assert [c.method for c in world.server.calls[-4:]] == ["PATCH", "GET", "GET", "GET"]
    assert len(world.server.calls) == 3 + 2 + 3 + 4 + 3
    patches = world.server.changing_calls()
    assert len(patches) == 3
    assert all(call.headers["if-match"] for call in patches)
    # The person is recognised by the customer and the default card: they go last.
    assert "shipping-addresses" in patches[0].path


def test_what_is_right_already_is_not_written(world: World) -> None:
    values = {Field.EMAIL: ADA.email, Field.CITY: ADA.city}
    assert set(told(values, world.rectify(ADA, values)).values()) == {Result.UNCHANGED}
    assert world.server.changing_calls() == []
    connection = connect(plugin, world.server)
    subject = Subject((Identifier("cybersource", world.tokens[ADA.customer_id]),))
    with pytest.raises(PluginFault):
        plugin.rectify(connection, Rectification(subject, (Correction(0, Field.CITY, "Elsewhere"),)))


def test_a_field_that_no_record_holds_is_absent_and_not_written(world: World) -> None:
    (effect,) = world.rectify(ADA, {Field.REGION: "BE"})
    assert (effect.record, effect.count, effect.result) == ("customer", 0, Result.ABSENT)
    assert effect.evidence == f"{CUSTOMER} -> 200; {INSTRUMENTS} -> 200; {ADDRESSES} -> 200"
    assert effect.reason == "no record of this person holds the field"
    assert world.server.changing_calls() == []


def test_a_person_who_is_not_there_is_absent_and_stays_so(world: World) -> None:
    world.app.vault.drop_customer(world.app.vault.customer(world.tokens[ADA.customer_id]))
    values = {**RIGHT, Field.NAME: "Rhea Wright"}
    effects = world.rectify(ADA, values)
    assert {(e.record, e.count, e.result, e.evidence) for e in effects} == {
        ("customer", 0, Result.ABSENT, f"{CUSTOMER} -> 410")
    }
    never = Subject((Identifier("cybersource", "A" * 32),))
    assert {e.evidence for e in world.rectify_subject(never)} == {f"{CUSTOMER} -> 404"}
    assert world.app.held(ADA) == {}
    assert world.server.changing_calls() == []


def test_without_a_proper_token_a_person_must_look_for_it(world: World) -> None:
    email = {Field.EMAIL: "right@shop-customer.example"}
    (effect,) = world.rectify_subject(Subject((Identifier("email", ADA.email),)), email)
    assert (effect.record, effect.count, effect.result, effect.evidence) == ("customer", 0, Result.MANUAL, "")
    assert "cybersource=TOKEN" in effect.reason
    assert world.server.calls == []
    both = Subject((Identifier("cybersource", world.tokens[ADA.customer_id]), Identifier("cybersource", "A" * 33)))
    assert told(email, world.rectify_subject(both, email)) == {
        (Field.EMAIL, "customer"): Result.MANUAL,
        (Field.EMAIL, "payment_instrument"): Result.UPDATED,
        (Field.EMAIL, "shipping_address"): Result.UPDATED,
    }


def test_a_whole_name_needs_its_parts(world: World) -> None:
    vault = world.app.vault
    vault.change_customer(vault.customer(world.tokens[ADA.customer_id]), {"objectInformation": {"title": ""}})
    (effect,) = world.rectify(ADA, {Field.NAME: "Rhea Wright"})
    assert effect.result is Result.MANUAL
    assert "first_name and last_name" in effect.reason
    values = {Field.NAME: "Rhea Wright", Field.FIRST_NAME: "Rhea", Field.LAST_NAME: "Wright"}
    effects = world.rectify(ADA, values)
    assert told(values, effects)[Field.NAME, "customer"] is Result.ABSENT
    assert {e.result for e in effects[1:]} == {Result.UPDATED}


def test_a_title_that_has_the_right_name_needs_nobody(world: World) -> None:
    vault = world.app.vault
    title = {"objectInformation": {"title": "Ms RHEA  Wright"}}
    vault.change_customer(vault.customer(world.tokens[ADA.customer_id]), title)
    values = {Field.FIRST_NAME: "Rhea", Field.LAST_NAME: "Wright"}
    assert set(told(values, world.rectify(ADA, values)).values()) == {Result.UPDATED}


def test_a_value_that_the_field_cannot_take_is_left_to_a_person(world: World) -> None:
    effects = world.rectify(ADA, {Field.POSTAL_CODE: "12345678901"})
    assert {e.result for e in effects} == {Result.MANUAL}
    assert "shorter" in effects[0].reason
    assert world.server.changing_calls() == []


GIFT = {"firstName": "Gerda", "lastName": "Gift", "address1": "Gift Street 1", "locality": "Giftham", "postalCode": "1"}


def test_what_may_be_somebody_elses_is_left_alone_and_told(world: World) -> None:
    token = world.tokens[ADA.customer_id]
    for contact in ({"email": "gerda@gift.example", "phoneNumber": "+4912345"}, {"email": ADA.email}):
        world.app.vault.add_address(token, {"shipTo": {**GIFT, **contact}})
    values: dict[Field, str] = {k: v for k, v in RIGHT.items() if k is not Field.COUNTRY}
    result = told(values, world.rectify(ADA, values))
    assert {r for (_, kind), r in result.items() if kind == "payment_instrument"} == {Result.UPDATED}
    assert {r for (_, kind), r in result.items() if kind == "shipping_address"} == {Result.MANUAL}
    gifts = list(world.app.vault.customers[token].addresses.values())
    assert gifts[0].body["shipTo"]["address1"] == RIGHT[Field.STREET]
    assert gifts[1].body["shipTo"] == {**GIFT, "email": "gerda@gift.example", "phoneNumber": "+4912345"}
    # Only the e-mail is known to be the person's: the parcel's recipient is not.
    assert gifts[2].body["shipTo"] == {**GIFT, "email": RIGHT[Field.EMAIL]}
    assert told(values, world.rectify(ADA, values, resumed=True)) == result


def test_the_identifiers_of_the_case_make_a_value_known(world: World) -> None:
    token = world.tokens[ADA.customer_id]
    world.app.vault.add_address(token, {"shipTo": {"email": "Old@Shop.example", "phoneNumber": "0049 30 123"}})
    known = (("cybersource", token), ("email", "old@shop.example"), ("phone", "004930123"))
    values = {Field.EMAIL: RIGHT[Field.EMAIL], Field.PHONE: RIGHT[Field.PHONE]}
    effects = world.rectify_subject(Subject(tuple(Identifier(*pair) for pair in known)), values)
    assert {e.result for e in effects} == {Result.UPDATED}
    world.check_true(ADA, values, effects)


def test_without_a_card_the_default_address_says_whose_the_others_are(world: World) -> None:
    vault = world.app.vault
    customer = vault.customer(world.tokens[PEOPLE[1].customer_id])
    for instrument in list(customer.instruments.values()):
        vault.drop_instrument(instrument)
    vault.add_address(customer.id, {"shipTo": GIFT})
    effects = world.rectify(PEOPLE[1], {Field.STREET: "Right Street 1"})
    assert [(e.record, e.count, e.result) for e in effects] == [("shipping_address", 3, Result.MANUAL)]
    streets = [a.body["shipTo"]["address1"] for a in customer.addresses.values()]
    assert streets == ["Right Street 1", "Right Street 1", "Gift Street 1"]


def test_an_address_on_the_card_itself_is_everybodys_and_is_told(world: World) -> None:
    vault = world.app.vault
    (instrument,) = vault.customers[world.tokens[ADA.customer_id]].instruments.values()
    vault.change_identifier(instrument.identifier, {"billTo": {"address1": ADA.street}})
    values = {Field.STREET: "Right Street 1"}
    assert told(values, world.rectify(ADA, values))[Field.STREET, "instrument_identifier"] is Result.MANUAL
    assert instrument.identifier.body["billTo"] == {"address1": ADA.street}
    vault.change_identifier(instrument.identifier, {"billTo": {"address1": "Right Street 1"}})
    again = told(values, world.rectify(ADA, values, resumed=True))
    assert again[Field.STREET, "instrument_identifier"] is Result.UNCHANGED


def test_a_list_is_corrected_to_its_end(world: World) -> None:
    token = world.tokens[ADA.customer_id]
    world.app.enlarge(ADA, 101)
    last = world.app.vault.add_address(token, {"shipTo": {"email": "old@shop.example"}})
    known = Subject((Identifier("cybersource", token), Identifier("email", "old@shop.example")))
    effects = world.rectify_subject(known, {Field.EMAIL: ADA.email})
    assert [(e.record, e.count, e.result) for e in effects] == [
        ("customer", 1, Result.UNCHANGED),
        ("payment_instrument", 102, Result.UNCHANGED),
        ("shipping_address", 103, Result.UPDATED),
    ]
    assert last.body == {"shipTo": {"email": ADA.email}}
    assert len(world.server.changing_calls()) == 1


# -- somebody else at the same moment ---------------------------------------------------------------------------------


def test_a_record_that_somebody_changed_meanwhile_is_read_again_and_tried_once_more(world: World) -> None:
    values = {Field.EMAIL: RIGHT[Field.EMAIL]}
    world.app.meanwhile = 1
    assert set(told(values, world.rectify(TWO_CARDS, values)).values()) == {Result.UPDATED}
    world.reset()
    world.app.meanwhile = 2
    effects = world.rectify(ADA, values)
    # The address was tried twice; what it is recognised by waits for it.
    assert told(values, effects) == {
        (Field.EMAIL, "customer"): Result.FAILED,
        (Field.EMAIL, "payment_instrument"): Result.FAILED,
        (Field.EMAIL, "shipping_address"): Result.FAILED,
    }
    assert "at the same moment, twice" in next(e.reason for e in effects if e.record == "shipping_address")
    assert "not corrected yet" in effects[0].reason
    assert len(world.server.changing_calls()) == 2
    assert {e.result for e in world.rectify(ADA, values, resumed=True)} == {Result.UPDATED}


def test_a_record_that_is_always_refused_does_not_keep_the_others_from_being_corrected(world: World) -> None:
    values = {Field.EMAIL: RIGHT[Field.EMAIL]}
    world.server.fail(Fault("status", method="PATCH", path="shipping", times=-1, reply=Reply(400)))
    assert told(values, world.rectify(ADA, values)) == {
        (Field.EMAIL, "customer"): Result.UPDATED,
        (Field.EMAIL, "payment_instrument"): Result.UPDATED,
        (Field.EMAIL, "shipping_address"): Result.FAILED,
    }


def test_what_the_vendor_only_says_it_has_corrected_is_not_believed(world: World) -> None:
    values = {Field.EMAIL: RIGHT[Field.EMAIL]}
    world.server.fail(Fault("lie", method="PATCH", times=-1, reply=Reply(200, json={})))
    effects = {effect.record: effect for effect in world.rectify(ADA, values)}
    assert {effect.result for effect in effects.values()} == {Result.FAILED}
    assert "still shows another value" in effects["shipping_address"].reason
    # What the address is recognised by is not corrected before it: the next run would not know it again.
    assert "not corrected yet" in effects["payment_instrument"].reason
    assert len(world.server.changing_calls()) == 1
    world.server.faults.clear()
    world.server.fail(Fault("lie", method="PATCH", skip=1, times=-1, reply=Reply(200, json={})))
    assert told(values, world.rectify(ADA, values, resumed=True)) == {
        (Field.EMAIL, "customer"): Result.FAILED,
        (Field.EMAIL, "payment_instrument"): Result.FAILED,
        (Field.EMAIL, "shipping_address"): Result.UPDATED,
    }
    world.server.faults.clear()
    assert {e.result for e in world.rectify(ADA, values, resumed=True)} == {Result.UPDATED}


def test_a_record_that_comes_while_the_others_are_corrected_is_told(world: World) -> None:
    token = world.tokens[ADA.customer_id]
    vault = world.app.vault
    change = vault.change_customer

    def late(record: Any, body: Any) -> None:
        vault.add_address(token, {"shipTo": {"email": ADA.email}})
        change(record, body)

    vault.change_customer = late  # type: ignore[method-assign] # another client of the same vendor
    values = {Field.EMAIL: RIGHT[Field.EMAIL]}
    effects = world.rectify(ADA, values)
    assert told(values, effects)[Field.EMAIL, "shipping_address"] is Result.FAILED
    assert "came while" in effects[-1].reason


def test_a_customer_that_goes_meanwhile_is_absent(world: World) -> None:
    vault = world.app.vault

    def gone(record: Any, body: Any) -> None:
        del body
        vault.drop_customer(record)

    vault.change_customer = gone  # type: ignore[method-assign] # as above
    (effect,) = world.rectify(ADA, {Field.EMAIL: RIGHT[Field.EMAIL]})
    assert (effect.result, effect.evidence) == (Result.ABSENT, f"{CUSTOMER} -> 410")


# -- trouble ----------------------------------------------------------------------------------------------------------

FEW = {Field.EMAIL: RIGHT[Field.EMAIL], Field.CITY: RIGHT[Field.CITY]}


@pytest.mark.parametrize(
    ("kind", "reply"), [("status", Reply(424)), ("hang_after", Reply(0)), ("reset_after", Reply(0))]
)
def test_trouble_at_any_correction_is_told_truthfully_and_mended_by_the_next_run(
    world: World, kind: FaultKind, reply: Reply
) -> None:
    """What the conformance kit (test_kit.py) does not try: this vendor's own status, and silence on a real wire."""
    expected = world.rectify(ADA, FEW)
    limits: dict[str, Any] = {"timeout_seconds": 0.2} if kind.startswith("hang") else {"attempts": 2}
    for skip in range(3):
        world.reset()
        others = world.others(ADA)
        world.server.fail(Fault(kind, method="PATCH", skip=skip, reply=reply))
        effects = world.rectify(ADA, FEW, **limits)
        world.check_true(ADA, FEW, effects)
        assert all(e.result.final or e.reason for e in effects)
        world.server.faults.clear()
        assert world.rectify(ADA, FEW, resumed=True) == expected
        assert world.others(ADA) == others


@pytest.mark.parametrize("reply", [Reply(401), Reply(403), Reply(503), Reply(200, json={"id": "OTHER"}), Reply(302)])
def test_a_vendor_that_cannot_be_read_is_an_error_before_anything_and_no_proof_after_it(
    world: World, reply: Reply
) -> None:
    for skip in range(3):
        world.server.fail(Fault("status", skip=skip, times=-1, reply=reply))
        with pytest.raises(VendorError) as caught:
            world.rectify(ADA, FEW)
        assert world.tokens[ADA.customer_id] not in caught.value.line()
        assert "OTHER" not in caught.value.line()
        assert world.server.changing_calls() == []
        world.server.faults.clear()
        world.server.calls.clear()
    # Three reads, a read and a PATCH of the address, three reads, two more of each, then nothing can be read.
    world.server.fail(Fault("status", method="GET", skip=9, times=-1, reply=reply))
    effects = world.rectify(ADA, {**FEW, Field.REGION: "BE"})
    assert len(world.server.changing_calls()) == 3
    assert {(e.result, e.evidence) for e in effects} == {(Result.FAILED, "")}


def test_a_correction_whose_answer_never_came_is_unknown_where_nothing_can_be_read_after_it(world: World) -> None:
    world.server.fail(Fault("reset_after", method="PATCH", path="shipping", times=-1))
    world.server.fail(Fault("status", method="GET", skip=4, times=-1))
    effects = world.rectify(ADA, FEW, attempts=2)
    assert {e.record: e.result for e in effects} == {
        "customer": Result.FAILED,
        "payment_instrument": Result.FAILED,
        "shipping_address": Result.UNKNOWN,
    }


def test_a_run_that_ends_at_any_journal_line_is_finished_by_the_next(world: World) -> None:
    expected = world.rectify(TWO_CARDS, FEW)
    lines = len(world.journal.written)
    assert lines == 2 * 5
    for line in range(lines):
        world.reset()
        world.journal = InterruptedJournal(line)
        with pytest.raises(RunEnded):
            world.rectify(TWO_CARDS, FEW)
        world.journal = MemoryJournal()
        assert world.rectify(TWO_CARDS, FEW, resumed=True) == expected
        world.check_true(TWO_CARDS, FEW, expected)

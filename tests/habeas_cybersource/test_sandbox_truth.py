"""What the sandbox tells tests and the conformance kit: the truth in full, larger lists, and its public switches."""

from __future__ import annotations

import json

import pytest

import habeas_cybersource as plugin
from habeas import AuthRejected, Identifier, Subject
from habeas.testing.connect import connect
from habeas.testing.people import seeded_people
from habeas.testing.sandbox import SandboxServer
from habeas_cybersource.sandbox import CyberSourceSandbox

PEOPLE = seeded_people(8, ["cybersource"])
ADA, NOWHERE = PEOPLE[0], PEOPLE[6]


@pytest.fixture
def app() -> CyberSourceSandbox:
    app = CyberSourceSandbox()
    app.seed(PEOPLE)
    return app


def test_the_text_has_every_value_and_nothing_where_nothing_is_held(app: CyberSourceSandbox) -> None:
    for person in PEOPLE:
        text = app.held_text(person)
        assert bool(text) is bool(app.held(person)) is (app.name in person.held_at)
        if text:
            assert {kind: len(records) for kind, records in json.loads(text).items()} == app.held(person)
            for value in (person.email, person.phone, person.street, person.first_name, person.customer_id):
                assert value in text
            assert person.card not in text
    customer = next(iter(app.vault.customers.values()))
    app.vault.drop_customer(customer)
    assert app.held_text(ADA) == ""
    assert app.held_text(NOWHERE) == ""


def test_a_person_with_more_records_is_read_over_several_pages(app: CyberSourceSandbox) -> None:
    before, others = app.held(ADA), [app.held_text(person) for person in PEOPLE[1:]]
    app.enlarge(ADA, 130)
    assert {kind: n - before[kind] for kind, n in app.held(ADA).items()} == {
        "customer": 0,
        "payment_instrument": 130,
        "shipping_address": 130,
        "instrument_identifier": 0,
    }
    assert [app.held_text(person) for person in PEOPLE[1:]] == others
    with SandboxServer(app) as server:
        token = next(iter(app.vault.customers))
        found = plugin.inventory(connect(plugin, server), Subject((Identifier(app.name, token),)))
    assert {record.kind: record.count for record in found.records} == app.held(ADA)


def test_nothing_is_ever_said_about_the_one_purpose(app: CyberSourceSandbox) -> None:
    assert app.purposes() == {"marketing_email": {}}
    assert app.consent(ADA, "marketing_email") is None


def test_a_meta_key_signs_as_its_portfolio_only() -> None:
    app = CyberSourceSandbox(portfolio_id="a_portfolio")
    assert app.settings()["portfolio_id"] == "a_portfolio"
    with SandboxServer(app) as server:
        assert plugin.check(connect(plugin, server)).endswith("-> 404")
        for auth, reason in (("jwt", "iss"), ("http_signature", "signature")):
            with pytest.raises(AuthRejected):
                plugin.check(connect(plugin, server, settings={"portfolio_id": "another", "auth": auth}))
            assert app.why_refused == reason

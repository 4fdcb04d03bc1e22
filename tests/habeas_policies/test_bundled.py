"""The policies that come with habeas say what they are meant to say."""

from __future__ import annotations

import tomllib
from datetime import date
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from habeas_policies import Facts, bundled, check, load, regimes, schema

PD = "https://w3id.org/dpv/pd#"
GDPR = "https://w3id.org/dpv/legal/eu/gdpr#"
RECEIVED = date(2026, 3, 5)


def text_of(name: str) -> str:
    return files("habeas_policies").joinpath("bundled", f"{name}.toml").read_text(encoding="utf-8")


def facts(*categories: str, record: str = "anything") -> Facts:
    return Facts("shop", "vendor", record, tuple(PD + c for c in categories), RECEIVED)


def subschemas(node: Any) -> list[dict[str, Any]]:
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    own = [node] if isinstance(node, dict) else []
    return own + [found for child in children for found in subschemas(child)]


def test_the_four_policies_are_listed_in_order() -> None:
    assert bundled() == ("ccpa-delete", "gdpr-access", "gdpr-erasure", "gdpr-erasure-hold-payments")


@pytest.mark.parametrize("name", bundled())
def test_each_bundled_policy_fits_the_schema_and_loads_under_its_name(name: str) -> None:
    Draft202012Validator(schema()).validate(tomllib.loads(text_of(name)))
    assert check(text_of(name), f"{name}.toml") == ()
    policy = load(name)
    assert policy.name == name
    assert policy.digest.startswith("sha256:")
    assert policy.expires is None


@pytest.mark.parametrize("name", bundled())
def test_each_bundled_policy_says_what_must_be_confirmed(name: str) -> None:
    assert "must confirm" in load(name).description


def test_no_two_bundled_policies_have_one_digest() -> None:
    assert len({load(name).digest for name in bundled()}) == len(bundled())


@pytest.mark.parametrize("name", ["gdpr-erasure", "ccpa-delete"])
@pytest.mark.parametrize("category", ["EmailAddress", "PaymentCard", "Transaction", "Tax"])
def test_the_plain_erasure_policies_hold_nothing(name: str, category: str) -> None:
    decision = load(name).evaluate(facts(category), RECEIVED)
    assert (decision.action, decision.until, decision.rule) == ("erase", None, None)
    assert decision.reason


def test_the_access_policy_hands_over_everything_and_erases_nothing() -> None:
    decision = load("gdpr-access").evaluate(facts("Transaction", "EmailAddress"), RECEIVED)
    assert (decision.action, decision.until, decision.exemption) == ("retain", None, "")
    assert decision.legal_basis == GDPR + "A6-1-c"


@pytest.mark.parametrize("category", ["Transaction", "Tax"])
def test_payment_records_are_held_for_eight_years_from_the_end_of_the_year(category: str) -> None:
    decision = load("gdpr-erasure-hold-payments").evaluate(facts(category), RECEIVED)
    assert (decision.action, decision.until, decision.rule) == ("retain", date(2034, 12, 31), 0)
    assert decision.legal_basis == GDPR + "A6-1-c"
    assert decision.exemption == GDPR + "JustificationA17LegallyRequired"
    assert "HGB" in decision.legal_source
    assert "erase" in decision.instructions


@pytest.mark.parametrize(
    "category", ["PaymentCard", "PaymentCardNumber", "PaymentCardExpiry", "BankAccount", "FinancialAccountNumber"]
)
def test_payment_instruments_are_held_for_the_chargeback_period(category: str) -> None:
    decision = load("gdpr-erasure-hold-payments").evaluate(facts(category), RECEIVED)
    assert (decision.action, decision.until, decision.rule) == ("retain", date(2026, 7, 3), 1)
    assert decision.legal_basis == GDPR + "A6-1-f"
    assert decision.exemption == GDPR + "JustificationA17LegalClaims"
    assert "erase" in decision.instructions


def test_the_longer_hold_decides_for_a_record_with_a_card_and_a_transaction() -> None:
    decision = load("gdpr-erasure-hold-payments").evaluate(facts("PaymentCard", "Transaction"), RECEIVED)
    assert decision.until == date(2034, 12, 31)


def test_what_is_no_payment_record_is_erased_under_the_hold_policy() -> None:
    decision = load("gdpr-erasure-hold-payments").evaluate(facts("EmailAddress", "Transactional"), RECEIVED)
    assert (decision.action, decision.rule) == ("erase", None)


def test_the_schema_is_valid_and_explains_every_key() -> None:
    Draft202012Validator.check_schema(schema())
    definitions = {name: part for name, part in schema()["$defs"].items() if name not in ("grounds", "unwanted")}
    named = definitions | definitions["match"]["properties"] | schema()["properties"]
    for name, part in named.items():
        assert "$ref" in part or (part["title"] and part["description"].endswith(".")), name


def test_the_schema_knows_the_regimes_that_have_a_deadline() -> None:
    assert tuple(schema()["properties"]["regime"]["enum"]) == regimes()


def test_the_schema_closes_every_table() -> None:
    tables = [part for part in subschemas(dict(schema())) if part.get("type") == "object"]
    assert len(tables) == 5
    assert all(part["additionalProperties"] is False for part in tables)

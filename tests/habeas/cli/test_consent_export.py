"""`habeas consent export`: records that others can read, from what a person said and what the controller configured."""

from __future__ import annotations

import csv
import json
import re
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft4Validator

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Ran, Shop

FACTS = """
[consent.records]
jurisdiction = "DE"
language = "de"
policy_url = "https://shop.example/privacy"
notice_url = "https://shop.example/notices/v7"
withdraw_url = "https://shop.example/account/consents"
storage_location = "EU"
collection_method = "checkbox in the account page"
retention = "P24M"
service = "Loyalty programme"
personal_data = ["pd:EmailAddress", "pd:PurchasesAndSpendingHabit"]
pii = ["2 - Contact"]

[consent.records.controller]
contact = "DPO"
address = "Musterweg 1, 10115 Berlin"
country = "DE"
email = "dpo@shop.example"
phone = "+4930123456"
url = "https://shop.example"

[consent.records.purposes.marketing_email]
description = "Newsletter and coupons"
dpv_purpose = "dpv:DirectMarketing"
category = ["6 - Marketing"]

[consent.records.purposes.profiling]
description = "Offers that fit"
dpv_purpose = "dpv:Personalisation"
category = ["5 - Personalize Experience"]
consent_type = "explicit"
"""
STANDARDS = Path(__file__).resolve().parents[4] / "shared" / "standards"
"""Other people's schemas and vocabularies: no part of this repository."""
here = pytest.mark.skipif(not STANDARDS.exists(), reason="the standards' own files are not on this machine")


def export(shop: Shop, form: str, who: str, path: Path) -> Ran:
    return shop.run("consent", "export", f"customer_id={who}", "--format", form, "-o", str(path))


def told(shop: Shop, who: str, rows: list[tuple[str, str, str]]) -> None:
    file = shop.folder / "told.csv"
    with file.open("w", newline="") as target:
        csv.writer(target).writerows([("customer_id", "purpose", "state", "at"), *((who, *row) for row in rows)])
    assert shop.run("consent", "propagate", str(file), "--yes").code in (0, 3)


@pytest.fixture
def person(own_shop: Shop) -> str:
    own_shop.config.write_text(own_shop.config.read_text() + FACTS)
    who = own_shop.world.people[0].customer_id
    told(own_shop, who, [
        ("marketing_email", "granted", "2026-02-01T10:02:11Z"),
        ("marketing_email", "withdrawn", "2026-03-02T10:14:00+01:00"),
        ("profiling", "granted", "2026-02-01T10:02:11Z"),
    ])  # fmt: skip
    return who


def test_iso_records_tell_when_each_consent_was_given_and_withdrawn(own_shop: Shop, person: str) -> None:
    calls, path = own_shop.calls, own_shop.folder / "records.json"
    ran = export(own_shop, "iso27560", person, path)
    assert (ran.code, own_shop.calls) == (0, calls), "nothing is sent"
    assert "2 records" in ran.stdout
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    marketing, profiling = json.loads(path.read_text())["@graph"]
    assert [(e["@type"], e["dpv:isIndicatedAtTime"]) for e in marketing["dpv:hasConsentStatus"]] == [
        ("dpv:ConsentGiven", "2026-02-01T10:02:11Z"),
        ("dpv:ConsentWithdrawn", "2026-03-02T09:14:00Z"),
    ]
    (given,) = profiling["dpv:hasConsentStatus"]
    assert given["dpv:hasLegalBasis"] == "dpv:ExplicitlyExpressedConsent"
    for record in (marketing, profiling):
        assert uuid.UUID(record["dct:identifier"]).version == 4
        assert record["dpv:hasDataSubject"]["dct:identifier"] == person
        assert record["dct:conformsTo"].endswith("#record-eu-gdpr")
        (process,) = record["dpv:hasProcess"]
        assert {r["dpv:hasName"] for r in process["dpv:hasRecipient"]} >= {"Voucherify", "Talon.One"}
        assert process["dpv:hasConsentControl"]["@id"] == "https://shop.example/account/consents"
    again = own_shop.folder / "again.json"
    export(own_shop, "iso27560", person, again)
    assert again.read_text() == path.read_text(), "the same consent has the same record"


def test_kantara_receipts_are_of_consents_that_stand(own_shop: Shop, person: str) -> None:
    path = own_shop.folder / "receipts.json"
    assert export(own_shop, "kantara", person, path).code == 0
    (receipt,) = json.loads(path.read_text())
    assert (receipt["version"], receipt["consentTimestamp"]) == ("KI-CR-v1.1.0", 1769940131)
    ((purpose,),) = (service["purposes"] for service in receipt["services"])
    assert (purpose["purpose"], purpose["thirdPartyDisclosure"]) == ("Offers that fit", True)
    assert "Talon.One" in purpose["thirdPartyName"]
    assert (receipt["sensitive"], receipt["spiCat"]) == (False, [])


@here
def test_receipts_fit_kantaras_own_schema(own_shop: Shop, person: str) -> None:
    schema = json.loads((STANDARDS / "kantara" / "kantara-consent-receipt-v1_1-schema.parseable.json").read_text())
    path = own_shop.folder / "receipts.json"
    export(own_shop, "kantara", person, path)
    (receipt,) = json.loads(path.read_text())
    Draft4Validator(schema).validate(receipt)
    assert not Draft4Validator(schema).is_valid({**receipt, "piiControllers": [{}]})


@here
def test_every_term_of_a_record_is_one_of_dpv(own_shop: Shop, person: str) -> None:
    with (STANDARDS / "dpv" / "dpv-2.3-terms.csv").open(newline="") as file:
        known = {f"{row['prefix']}:{row['term']}" for row in csv.DictReader(file)}
    path = own_shop.folder / "records.json"
    export(own_shop, "iso27560", person, path)
    terms = {
        text for text in texts(json.loads(path.read_text())["@graph"]) if re.match(r"(dpv|pd|eu-gdpr):[A-Za-z]", text)
    }
    assert len(terms) > 25
    assert terms <= known


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value


def test_facts_that_are_missing_are_all_named(own_shop: Shop, person: str) -> None:
    text = own_shop.config.read_text()
    own_shop.config.write_text(text.replace('jurisdiction = "DE"\n', "").replace('category = ["6 - Marketing"]\n', ""))
    path = own_shop.folder / "records.json"
    ran = export(own_shop, "iso27560", person, path)
    assert ran.code == 2
    assert "not configured: jurisdiction;" in ran.error
    assert not path.exists()
    own_shop.config.write_text(text.partition("[consent.records]")[0])
    ran = export(own_shop, "kantara", person, path)
    assert ran.code == 2
    for name in ("policy_url", "controller.email", "purposes.profiling.category", "purposes.profiling.pii"):
        assert name in ran.error
    assert "marketing_email" not in ran.error, "withdrawn: there is no receipt of it"


def test_of_somebody_unknown_or_into_a_file_that_is_there_nothing_is_written(own_shop: Shop, person: str) -> None:
    path = own_shop.folder / "records.json"
    ran = export(own_shop, "iso27560", own_shop.world.people[1].customer_id, path)
    assert (ran.code, path.exists()) == (2, False)
    path.write_text("mine")
    assert export(own_shop, "iso27560", person, path).code == 2
    assert path.read_text() == "mine"


def test_records_of_a_purpose_that_is_none_are_refused(own_shop: Shop) -> None:
    own_shop.config.write_text(own_shop.config.read_text() + FACTS.replace("purposes.profiling", "purposes.profling"))
    ran = own_shop.run("consent", "drift")
    assert ran.code == 2
    assert "profling, which is no purpose" in ran.error

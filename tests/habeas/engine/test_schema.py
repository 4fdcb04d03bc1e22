"""Field names are remembered in the ledger once each, over many openings, and never with anything of a person."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from habeas.changes import Purpose
from habeas.engine.links import Link
from habeas.engine.schema import FieldMemory, SeenField, safe_name
from habeas.models import Identifier, Inventory, PluginInfo, Record, RecordKind, Subject
from habeas_audit import Ledger

ADA = Subject((Identifier("email", "ada@x.org"), Identifier("customer_id", "Lovelace")))
KIND = RecordKind("customer", "Customer", "A customer.", (), (), "", fields=("id", "address.*"))
INFO = PluginInfo("shop", "Shop", "customer", (KIND,), {}, ())
AT = datetime(2026, 11, 21, 9, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger.create(tmp_path / "audit.db", lambda: AT)
    yield ledger
    ledger.close()


def found(*names: str) -> Inventory:
    return Inventory((Record("customer", 1, fields=names),))


def seen(memory: FieldMemory, **known: str) -> list[SeenField]:
    purposes = {"news": Purpose("news", {"metadata": "prefs.news"})}
    link = cast(Link, SimpleNamespace(info=INFO, known_fields=known, purposes=purposes))
    return memory.fields({"shop-eu": link})


def test_a_name_is_written_when_it_is_first_seen_and_only_then(ledger: Ledger) -> None:
    memory = FieldMemory(ledger)
    memory.note("r-1", "shop-eu", ADA, found("id", "size"))
    memory.note("r-1", "shop-eu", ADA, found("size", "id"))
    FieldMemory(ledger).note("r-2", "shop-eu", ADA, found("id", "size", "colour"))
    written = [(e.connection, e.data["record"], e.data["fields"]) for e in ledger.entries(types=["schema.seen"])]
    assert written == [("shop-eu", "customer", ["id", "size"]), ("shop-eu", "customer", ["colour"])]
    assert {f.field for f in seen(FieldMemory(ledger))} == {"id", "size", "colour"}


def test_plugin_and_configuration_cover_and_the_rest_is_told(ledger: Ledger) -> None:
    memory = FieldMemory(ledger)
    memory.note("r-1", "shop-eu", ADA, found("id", "address.city", "metadata.size", "metadata.hat.kind", "prefs.news"))
    categories = {f.field: f.category for f in seen(memory, **{"customer.metadata.hat.*": "pd:Clothing"})}
    assert categories == {
        "address.city": "plugin",
        "id": "plugin",
        "metadata.hat.kind": "pd:Clothing",
        "metadata.size": "",
        "prefs.news": "consent to news",
    }


def test_names_that_may_be_data_are_not_written(ledger: Ledger) -> None:
    memory = FieldMemory(ledger)
    names = ("mail.ada@x.count", "friend_of_lovelace", "orders.100042.total", "notes.größe", "a b-c", "list[].x")
    memory.note("r-1", "shop-eu", ADA, found(*names))
    assert {f.field for f in seen(memory)} == {"mail.*.count", "*", "orders.*.total", "notes.*", "a b-c", "list[].x"}
    text = b"".join(entry.body for entry in ledger.entries())
    assert b"ada" not in text
    assert b"ovelace" not in text


def test_a_kind_with_keys_without_end_stops_at_2000(ledger: Ledger) -> None:
    memory = FieldMemory(ledger)
    letters = "abcdefghijklmnop"
    memory.note("r-1", "shop-eu", ADA, found(*map("key_{0[0]}{0[1]}{0[2]}".format, product(letters, repeat=3))))
    memory.note("r-1", "shop-eu", ADA, found("one_more"))
    assert len(seen(memory)) == 2000
    assert all(len(entry.body) < 16_384 for entry in ledger.entries())


@given(st.text(max_size=60), st.text("abc@.123XYZß", min_size=3, max_size=20))
def test_the_persons_values_are_in_no_name(prefix: str, value: str) -> None:
    for step in safe_name(f"{prefix}{value}", [value.casefold()]).split("."):
        assert value.casefold() not in step.casefold()

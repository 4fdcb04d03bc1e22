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

from habeas.cases.keys import KeyStore
from habeas.changes import Purpose
from habeas.engine.links import Link
from habeas.engine.schema import FieldMemory, SeenField, safe_name
from habeas.errors import StorageError
from habeas.models import Identifier, Inventory, PluginInfo, Record, RecordKind, Subject
from habeas.testing.clock import SkippingClock
from habeas_audit import Draft, Ledger

ADA = Subject((Identifier("email", "ada@x.org"), Identifier("customer_id", "Lovelace")))
EVE = Subject((Identifier("email", "eve@x.org"),))
KIND = RecordKind("customer", "Customer", "A customer.", (), (), "", fields=("id", "address.*"))
INFO = PluginInfo("shop", "Shop", "customer", (KIND,), {}, ())
AT = datetime(2026, 11, 21, 9, tzinfo=UTC)


class Memories:
    """A ledger and its keys; each :meth:`open` is a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger.create(folder / "audit.db", lambda: AT)
        KeyStore.create(folder / "keys.db").close()
        self.keys = KeyStore.open(folder / "keys.db")
        self.clock = SkippingClock(AT)

    def open(self) -> FieldMemory:
        return FieldMemory(self.ledger, self.keys, self.clock)

    def written(self) -> bytes:
        return b"".join(entry.body for entry in self.ledger.entries())


@pytest.fixture
def memories(tmp_path: Path) -> Iterator[Memories]:
    opened = Memories(tmp_path)
    yield opened
    opened.ledger.close()
    opened.keys.close()


def link(**known: str) -> Link:
    purposes = {"news": Purpose("news", {"metadata": "prefs.news"})}
    return cast(Link, SimpleNamespace(name="shop-eu", info=INFO, known_fields=known, purposes=purposes))


def found(*names: str) -> Inventory:
    return Inventory((Record("customer", 1, fields=names),))


def seen(memory: FieldMemory, **known: str) -> list[SeenField]:
    return memory.fields({"shop-eu": link(**known)})


def test_a_covered_name_is_written_when_it_is_first_seen_and_only_then(memories: Memories) -> None:
    memory = memories.open()
    memory.note("r-1", link(), ADA, found("id", "address.city"))
    memory.note("r-1", link(), EVE, found("address.city", "id"))
    memories.open().note("r-2", link(), ADA, found("id", "address.zip"))
    written = [(e.connection, e.data) for e in memories.ledger.entries(types=["schema.seen"])]
    assert written == [
        ("shop-eu", {"record": "customer", "fields": ["address.city", "id"]}),
        ("shop-eu", {"record": "customer", "fields": ["address.zip"]}),
    ]
    assert {f.field for f in seen(memories.open())} == {"id", "address.city", "address.zip"}


def test_a_name_nobody_covers_is_written_once_a_second_person_has_it(memories: Memories) -> None:
    links = {"shop-eu": link()}
    for _ in range(2):
        memories.open().note("r-1", link(), ADA, found("friend_Berta_Schmidt", "metadata.size"))
    assert seen(memories.open()) == []
    assert memories.open().unnamed(links) == 2
    assert b"Berta" not in memories.written()
    assert b"size" not in memories.written()
    memories.open().note("r-2", link(), EVE, found("metadata.size"))
    assert [f.field for f in seen(memories.open())] == ["metadata.size"]
    assert memories.open().unnamed(links) == 1
    size = memories.ledger.head().size
    memories.open().note("r-3", link(), ADA, found("friend_Berta_Schmidt", "metadata.size"))
    assert memories.ledger.head().size == size, "in the long run it costs nothing"


def test_plugin_and_configuration_cover_and_the_rest_is_told(memories: Memories) -> None:
    memory = memories.open()
    known = {"customer.metadata.hat.*": "pd:Clothing"}
    for who in (ADA, EVE):
        names = ("id", "address.city", "metadata.size", "metadata.hat.kind", "prefs.news")
        memory.note("r-1", link(**known), who, found(*names))
    assert {f.field: f.category for f in seen(memory, **known)} == {
        "address.city": "plugin",
        "id": "plugin",
        "metadata.hat.kind": "pd:Clothing",
        "metadata.size": "",
        "prefs.news": "consent to news",
    }


def test_names_that_may_be_data_are_not_written(memories: Memories) -> None:
    memory = memories.open()
    names = ("mail.ada@x.count", "friend_of_lovelace", "orders.100042.total", "notes.größe", "a b-c", "list[].x")
    for who in (ADA, EVE):
        memory.note("r-1", link(), who, found(*names))
    assert {f.field for f in seen(memory)} == {"mail.*.count", "orders.*.total", "notes.*", "a b-c", "list[].x"}
    assert b"ada@x" not in memories.written()
    assert b"ovelace" not in memories.written()


def test_a_kind_with_keys_without_end_stops_at_2000_and_says_so(memories: Memories) -> None:
    letters = "abcdefghijklmnop"
    many = found(*map("key_{0[0]}{0[1]}{0[2]}".format, product(letters, repeat=3)))
    for who in (ADA, EVE):
        memories.open().note("r-1", link(), who, many)
    memories.open().note("r-1", link(), ADA, found("one_more"))
    memory, links = memories.open(), {"shop-eu": link()}
    assert len(seen(memory)) + memory.unnamed(links) <= 2000
    assert memory.full(links) == ["shop-eu customer"]
    assert all(len(entry.body) < 16_384 for entry in memories.ledger.entries())


def test_an_entry_that_is_not_ours_is_a_damaged_ledger(memories: Memories) -> None:
    memories.ledger.append(Draft("schema.seen", "", "r-1", "shop-eu", "", {"record": "customer", "once": ["x"]}))
    with pytest.raises(StorageError, match="not as habeas writes it"):
        seen(memories.open())


@given(st.text(max_size=60), st.text("abc@.123XYZß", min_size=3, max_size=20))
def test_the_persons_values_are_in_no_name(prefix: str, value: str) -> None:
    for step in safe_name(f"{prefix}{value}", [value.casefold()]).split("."):
        assert value.casefold() not in step.casefold()

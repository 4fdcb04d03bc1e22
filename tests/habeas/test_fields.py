"""Names of fields, never values; and which names a declared one covers."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from habeas.fields import covered, field_names

DOCUMENT = {
    "id": "cust_1",
    "address": {"city": "Berlin", "zip": None},
    "cards": [{"number": "4111"}, {"number": "4222", "owner": {"name": "Ada"}}],
    "tags": ["a", "b"],
    "notes": [],
    "programs": {"17": {"points": 3}, "18": {"points": 4, "tier": "gold"}},
}


def test_nested_fields_lists_and_empty_ones_are_named() -> None:
    assert field_names(DOCUMENT, keyed=["programs"]) == (
        "address.city",
        "address.zip",
        "cards[].number",
        "cards[].owner.name",
        "id",
        "notes",
        "programs.*.points",
        "programs.*.tier",
        "tags",
    )


def test_what_is_no_object_has_no_fields() -> None:
    assert field_names("Ada") == field_names([]) == field_names(None) == field_names({}) == ()


def test_a_key_that_reads_as_a_path_is_no_name() -> None:
    assert field_names({"by": {"ada@x.org": 1, "a[0]": 2}}) == ("by.*",)


def test_a_wild_document_ends_at_2000_names() -> None:
    assert len(field_names({f"k{n}": n for n in range(5000)})) == 2000


def test_a_pattern_covers_what_is_below_it_and_nothing_beside_it() -> None:
    known = ["address.*", "id"]
    assert covered("address.city", known)
    assert covered("address.geo.lat", known)
    assert covered("address", known)
    assert covered("id", known)
    assert not covered("addresses", known)
    assert not covered("id.x", known)
    assert not covered("email", known)


values = st.text(min_size=12, max_size=20).map(lambda text: f"<{text}>")
documents = st.recursive(
    values | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcdef"), inner, max_size=4),
    max_leaves=20,
)


@given(documents)
def test_no_value_is_ever_a_name(document: Any) -> None:
    for name in field_names(document):
        assert set(name) <= set("abcdef.[]*")
        assert "<" not in name

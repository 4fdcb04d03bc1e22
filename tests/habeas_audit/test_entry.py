"""Drafts are checked before anything is written; bodies are canonical and say where they belong."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from habeas_audit import Draft, InvalidDraft
from habeas_audit.canonical import MAX_BYTES, MAX_DEPTH, MAX_INTEGER
from habeas_audit.entry import MAX_TEXT, framed, timestamp

AT = "2025-01-31T12:00:00.000000Z"
AT_BYTES = AT.encode()
PRINTABLE = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=12)
NAMES = st.text("abcXYZ019._:@-", max_size=12)
DRAFTS = st.builds(
    Draft,
    type=st.from_regex(r"[a-z][a-z0-9_-]{0,5}(\.[a-z0-9_-]{1,5}){0,2}", fullmatch=True),
    case_id=NAMES,
    run_id=NAMES,
    connection=NAMES,
    actor=PRINTABLE,
    data=st.dictionaries(PRINTABLE, st.integers(-5, 5) | PRINTABLE | st.lists(st.booleans(), max_size=2), max_size=3),
)


@settings(max_examples=60)
@given(DRAFTS, st.integers(1, MAX_INTEGER))
def test_a_body_is_the_rfc_8785_form_of_its_fields_without_the_empty_ones(draft: Draft, seq: int) -> None:
    fields: dict[str, Any] = {
        "v": 1,
        "log": "f00d",
        "seq": seq,
        "at": AT,
        "type": draft.type,
        "case": draft.case_id,
        "run": draft.run_id,
        "connection": draft.connection,
        "actor": draft.actor,
        "data": draft.data,
    }
    body = framed(draft, "f00d").body(AT_BYTES, seq)
    assert body == rfc8785.dumps({key: value for key, value in fields.items() if value not in ("", {})})


@pytest.mark.parametrize(
    "type_", ["", "Call", "call.", ".call", "call..intent", "call intent", "call\n", "ä", "x" * 201, 7]
)
def test_a_type_is_dotted_lower_case_words(type_: Any) -> None:
    with pytest.raises(InvalidDraft, match="type"):
        framed(Draft(type_), "f00d")


@pytest.mark.parametrize("field", ["case_id", "run_id", "connection", "actor"])
@pytest.mark.parametrize("value", ["a\nb", "a\x00", "\ud800", "\u202e", "x" * (MAX_TEXT + 1), None, 7, ["a"]])
def test_the_other_columns_are_short_printable_text(field: str, value: Any) -> None:
    with pytest.raises(InvalidDraft):
        framed(dataclasses.replace(Draft("a"), **{field: value}), "f00d")


@pytest.mark.parametrize("field", ["case_id", "run_id", "connection"])
@pytest.mark.parametrize("value", ["a b", 'a"', "a\\", "a,b", "ä", "a/b"])
def test_case_run_and_connection_are_names(field: str, value: Any) -> None:
    """In a body they stand between quotes, and the file's columns are cut out of it there."""
    with pytest.raises(InvalidDraft, match="name"):
        framed(dataclasses.replace(Draft("a"), **{field: value}), "f00d")


def test_data_is_an_object() -> None:
    not_an_object: Any = [1]
    with pytest.raises(InvalidDraft, match="object"):
        framed(Draft("a", data=not_an_object), "f00d")


def test_the_whole_body_keeps_to_16_kib_and_to_32_levels_whatever_its_sequence() -> None:
    room = MAX_BYTES - len(framed(Draft("a", data={"x": ""}), "f00d").body(AT_BYTES, MAX_INTEGER))
    largest = framed(Draft("a", data={"x": "y" * room}), "f00d")
    assert len(largest.body(AT_BYTES, MAX_INTEGER)) == MAX_BYTES
    with pytest.raises(InvalidDraft, match="bytes"):
        framed(Draft("a", data={"x": "y" * (room + 1)}), "f00d")
    deep: Any = {}
    for _ in range(MAX_DEPTH - 2):
        deep = {"x": deep}
    framed(Draft("a", data=deep), "f00d")
    with pytest.raises(InvalidDraft, match="deep"):
        framed(Draft("a", data={"x": deep}), "f00d")


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2025, 1, 31, 12, tzinfo=UTC), AT),
        (
            datetime(2025, 1, 31, 13, 30, 0, 7, tzinfo=timezone(timedelta(hours=1, minutes=30))),
            "2025-01-31T12:00:00.000007Z",
        ),
        (datetime(1, 1, 2, tzinfo=UTC), "0001-01-02T00:00:00.000000Z"),
    ],
)
def test_times_are_utc_with_microseconds(moment: datetime, text: str) -> None:
    assert timestamp(moment) == text


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        timestamp(datetime(2025, 1, 31))  # noqa: DTZ001 - the point


def test_drafts_are_frozen() -> None:
    draft = Draft("a")
    with pytest.raises(dataclasses.FrozenInstanceError):
        draft.type = "b"  # type: ignore[misc]  # the point
    assert json.loads(framed(draft, "f00d").body(AT_BYTES, 1)) == {
        "at": AT,
        "log": "f00d",
        "seq": 1,
        "type": "a",
        "v": 1,
    }

"""Canonical JSON: one spelling, and only what has one."""

from __future__ import annotations

import json
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import msgspec
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from habeas_audit import InvalidDraft
from habeas_audit.canonical import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_INTEGER,
    astral,
    canonical,
    is_canonical,
    plain_objects,
    quoted,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ASCII = st.text(st.characters(max_codepoint=127), max_size=10)
SCALAR = st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | TEXT


def trees(keys: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.recursive(
        SCALAR, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
    )


@settings(max_examples=60)
@given(trees(ASCII))
def test_with_ascii_keys_it_is_what_the_standard_library_writes_sorted_and_tight(value: Any) -> None:
    assert canonical(value) == json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@settings(max_examples=60)
@given(trees(TEXT))
def test_it_is_what_the_rfc_8785_library_writes_and_it_knows_its_own(value: Any) -> None:
    data = canonical(value)
    assert data == rfc8785.dumps(value)
    assert is_canonical(data)
    assert json.loads(data) == value


@settings(max_examples=60)
@given(trees(TEXT), st.data())
def test_any_other_spelling_of_a_value_is_not_canonical(value: Any, data: st.DataObject) -> None:
    loose = json.dumps(value, ensure_ascii=data.draw(st.booleans()), separators=(", ", ": ")).encode()
    assert is_canonical(loose) == (loose == canonical(value))


@settings(max_examples=60)
@given(st.binary(max_size=30))
def test_is_canonical_answers_for_any_bytes(data: bytes) -> None:
    if is_canonical(data):
        assert canonical(json.loads(data)) == data


@settings(max_examples=60)
@given(TEXT)
def test_quoted_is_canonical_text(text: str) -> None:
    assert quoted(text) == canonical(text)


def comes_back(data: bytes) -> bool:
    """Whether msgspec reads these bytes as an object of ours and writes them again unchanged."""
    try:
        value = msgspec.json.decode(data, type=plain_objects(6))
        return msgspec.json.encode(value, order="deterministic") == data and not astral(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False


@settings(max_examples=200)
@given(trees(TEXT), st.data())
def test_what_comes_back_unchanged_is_canonical_and_few_that_are_do_not(value: Any, data: st.DataObject) -> None:
    whole = canonical({"a": value})
    shallow = max(whole.count(b"["), whole.count(b"{")) < 3  # surely
    assert comes_back(whole) or astral(whole) or not shallow
    broken = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(
            st.sampled_from(b'0159-+.eE"\\u,:{}[] \n\x7f\xf0\xed')
        )
    if comes_back(bytes(broken)):
        assert is_canonical(bytes(broken))
        assert rfc8785.dumps(json.loads(broken)) == broken


@pytest.mark.parametrize("code", [*range(0xA1), 0x2028, 0xD7FF, 0xD800, 0xDBFF, 0xDC00, 0xDFFF, 0xE000, 0xFFFF])
def test_of_all_spellings_of_a_character_only_the_canonical_one_comes_back(code: int) -> None:
    raw = chr(code).encode(errors="surrogatepass")
    short = [b"\\" + letter for letter in (b'"', b"\\", b"/", b"b", b"f", b"n", b"r", b"t")]
    for spelled in (raw, b"\\u%04x" % code, b"\\u%04X" % code, *short):
        data = b'{"%b":"%b"}' % (spelled, spelled)
        assert comes_back(data) == is_canonical(data)


@pytest.mark.parametrize(
    "number",
    [b"0", b"-1", b"9007199254740991", b"-9007199254740991", b"9007199254740992", b"-9007199254740992", b"-0", b"01",
     b"18446744073709551616", b"9223372036854775808", b"1.0", b"1.5", b"0.1", b"1e2", b"1E2", b"1e22", b"NaN", b"+1",
     b"Infinity", b"9" * 400],
)  # fmt: skip
def test_of_numbers_only_our_integers_come_back(number: bytes) -> None:
    for data in (b'{"a":%b}' % number, b'{"a":[%b,{"b":%b}]}' % (number, number)):
        assert comes_back(data) == is_canonical(data)


def test_keys_stand_in_the_order_of_their_utf_16_units() -> None:
    # RFC 8785 section 3.2.3: U+1F600 begins with the unit D83D, which is before FB33, though its code point is after.
    assert canonical({"\ufb33": 1, "\U0001f600": 2}) == '{"\U0001f600":2,"\ufb33":1}'.encode()


@pytest.mark.parametrize(
    "data",
    [
        b'{"\xef\xac\xb3":1,"\xf0\x9f\x98\x80":2}',
        b'{"b":1,"a":2}',
        b'{"a":1,"a":1}',
        b'{"a":1.0}',
        b'{"a":1e5}',
        b'{"a":-0}',
        b'{"a":NaN}',
        b'{"a":9007199254740992}',
        b'{"a":"\\u0041"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\\/"}',
        b' {"a":1}',
        b'{"a":1}\n',
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":"\xff"}',
        b"[" * 5000 + b"]" * 5000,
        b"1" * 5000,
        b"",
    ],
)
def test_not_canonical(data: bytes) -> None:
    assert not is_canonical(data)
    assert not comes_back(data)


def _nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_digits_in_text_are_not_a_long_number() -> None:
    assert is_canonical(b'{"a":"12345678901234567890"}')
    assert is_canonical(b'{"a":9007199254740991}')


class _Word(StrEnum):
    ONE = "one"


@pytest.mark.parametrize(
    ("value", "data"),
    [
        ((1, (2,)), b"[1,[2]]"),
        (MappingProxyType({"b": 1, "a": MappingProxyType({})}), b'{"a":{},"b":1}'),
        (_Word.ONE, b'"one"'),
        (True, b"true"),
        ('\x00\x1f\x7f"\\/\u2028', b'"\\u0000\\u001f\x7f\\"\\\\/\xe2\x80\xa8"'),
    ],
)
def test_spelling(value: Any, data: bytes) -> None:
    assert canonical(value) == data


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (1.0, "float"),
        ({"a": [float("nan")]}, "float"),
        ({1: "secret"}, "key"),
        ({None: 1, "a": 2}, "key"),
        (b"secret", "bytes"),
        ({"a": {1, 2}}, "set"),
        (2**53, "integer"),
        (-(2**53), "integer"),
        ("secret\ud800", "surrogate"),
        ({"\udfff": "secret"}, "surrogate"),
        ("secret" * MAX_BYTES, "bytes"),
        ([0] * (MAX_BYTES + 1), "bytes"),
        (_nested(MAX_DEPTH + 1), "deep"),
    ],
)
def test_what_has_no_one_spelling_is_refused_without_being_repeated(value: Any, word: str) -> None:
    with pytest.raises(InvalidDraft, match=word) as refusal:
        canonical(value)
    assert "secret" not in str(refusal.value)


def test_the_limits_themselves_are_allowed() -> None:
    assert len(canonical("x" * (MAX_BYTES - 2))) == MAX_BYTES
    assert canonical(_nested(MAX_DEPTH)) == b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert canonical([MAX_INTEGER, -MAX_INTEGER]) == b"[9007199254740991,-9007199254740991]"


def test_a_small_structure_that_unfolds_without_end_is_refused_at_once() -> None:
    value: Any = "x"
    for _ in range(MAX_DEPTH - 1):
        value = [value] * 10
    with pytest.raises(InvalidDraft):
        canonical(value)
    value = []
    value.append(value)
    with pytest.raises(InvalidDraft):
        canonical(value)

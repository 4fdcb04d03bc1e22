"""JSON from outside: what the standard library lets through and we do not."""

from __future__ import annotations

import json
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from habeas.errors import BadAnswer
from habeas.http.decode import MAX_DEPTH, decode_json
from habeas.models import Json

CANARY = "canary-5f2e@example.org"
WHOLE_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WHOLE_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WHOLE_TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES, st.booleans())
def test_a_sound_value_comes_back_as_it_was_escaped_or_not(value: Json, escaped: bool) -> None:
    assert decode_json(json.dumps(value, ensure_ascii=escaped).encode("utf-8")) == value


@given(st.binary() | st.text('{}[]",:\\ud8ef0129.eE+-naflstrNIy ').map(str.encode))
def test_whatever_the_bytes_it_is_a_writable_value_or_a_bad_answer(body: bytes) -> None:
    try:
        value = decode_json(body)
    except BadAnswer:
        return
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")


TRAPS = {
    "empty": b"",
    "blank": b"  ",
    "html": b"<html>Please log in</html>",
    "duplicate keys": b'{"id": 1, "id": 2}',
    "duplicate keys written differently": b'{"id": 1, "\\u0069d": 2}',
    "duplicate keys deep inside": b'{"a": [{"b": {"c": 1, "c": 1}}]}',
    "NaN": b'{"a": NaN}',
    "Infinity": b"[Infinity]",
    "minus Infinity": b"[-Infinity]",
    "a float that overflows": b"[1e999]",
    "a float that overflows downwards": b"[-1e999]",
    "an integer of 5000 digits": b"9" * 5000,
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "UTF-16 without mark": '{"a": 1}'.encode("utf-16-le"),
    "UTF-32": '{"a": 1}'.encode("utf-32"),
    "Latin-1": '{"a": "é"}'.encode("latin-1"),
    "surrogate bytes": b'{"a": "\xed\xa0\x80"}',
    "an overlong slash": b'{"a": "\xc0\xaf"}',
    "a lone high surrogate": b'{"a": "\\ud800"}',
    "a lone low surrogate": b'{"a": "x\\uDC00y"}',
    "surrogates in the wrong order": b'["\\udc00\\ud800"]',
    "a lone surrogate as a key": b'{"\\ud83d": 1}',
    "trailing data": b"{} {}",
    "a trailing comma": b"[1,]",
    "a comment": b"{} // nothing",
    "single quotes": b"{'a': 1}",
    "a control character in text": b'{"a": "\n"}',
    "a leading zero": b"[01]",
    "a cut-off object": b'{"a": ',
    "100000 lists in each other": b"[" * 100_000 + b"]" * 100_000,
    "100000 objects in each other": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "one level too deep": b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
}


@pytest.mark.parametrize("body", TRAPS.values(), ids=TRAPS.keys())
def test_a_trap_is_a_bad_answer(body: bytes) -> None:
    with pytest.raises(BadAnswer, match=r"^the answer is not the JSON it should be$"):
        decode_json(body)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, None),
        (b'{"a": -0}', {"a": 0}),
        (b'{"a": "\\ud83d\\ude00"}', {"a": "😀"}),
        (b'{"a": "\\\\ud800"}', {"a": "\\ud800"}),
        (b'{"a": "\\u0000"}', {"a": "\0"}),
        (b'{"__proto__": {"__class__": 1}}', {"__proto__": {"__class__": 1}}),
        (b" 12 ", 12),
        (str(2**63).encode(), 2**63),
    ],
)
def test_what_only_looks_dangerous_is_decoded(body: bytes, value: Json) -> None:
    decoded = decode_json(body)
    assert value is None or decoded == value


@pytest.mark.parametrize(
    "body",
    [f'{{"email": "{CANARY}"', f'{{"{CANARY}": 1, "{CANARY}": 2}}', f'["{CANARY}", NaN]', f'["{CANARY}\\ud800"]'],
)
def test_the_error_shows_nothing_of_the_body(body: str) -> None:
    with pytest.raises(BadAnswer) as caught:
        decode_json(body.encode())
    assert CANARY not in "".join(traceback.format_exception(caught.value)) + repr(caught.value)

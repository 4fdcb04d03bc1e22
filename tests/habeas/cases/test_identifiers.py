"""Identifiers as people and attackers give them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habeas.cases.identifiers import check_identifier, fold, parse_identifier
from habeas.errors import InputError
from habeas.models import Identifier

QUICK = settings(deadline=None, max_examples=60)

CONNECTIONS = {"voucherify-eu": None}

# What cannot stand for one segment of a path, or cannot be seen.
NEVER = [
    "", " ", ".", "..", "../", "../../etc/passwd", "a\\..\\b", "\uff0e", "\u2024\u2024", "\uff0e\uff0e", " .. ",
    "a\r\nX:1", "a\n", "\0", "a\0b", "a\tb", "\x85", "\x1b[2J", "\ud800", "x\udcffy", "a" * 1001, "a" * 1_000_000,
    "e\u0301" * 10_000, " a", "a ", "\u2028a", "a\u3000", "\u200a..",
]  # fmt: skip

# What looks dangerous and is an ordinary id once it is percent-encoded: taken as it is, never changed.
STRANGE = [
    "...", "..%2f", "%2e%2e", "%252e%252e", "%2F", "%00", "a%0d%0aX:1", "a/b", "a\\b", "a?b", "a#b", "a;b", "//evil",
    "\\\\evil", "http://evil", "@evil:80", "a&b=c", "a=b", "{id}", "{{7*7}}", "${x}", "<id>", "%s", "%n", "None",
    "null", "true", "-1", "0", "1e5", "0x10", "*", "?", "[a]", "'OR 1=1--", '";drop', "`id`", "$(id)", "é", "e\u0301",
    "👩\u200d👩\u200d👧", "a\u202eb", "a\u200bb", "\ufeffa", "a\uff0fb", "a\u2028b", "CON", "aux.txt", str(2**53),
    str(2**63), "a" * 1000, "=1+1", "+1", "@SUM(A1)", "<script>", "javascript:", "\u212a",
]  # fmt: skip

BAD_EMAILS = [
    "ada", "@x.io", "ada@", "@", "a@b@x.io", '"a@b"@x.io', '"quo ted"@x.io', "a@x.io\nBcc:b@y", "a@x.io,b@y.io",
    "a@x.io;b@y.io", "<a@x.io>", "Ada <a@x.io>", "a@x.io b", "a\u00a0b@x.io", "a\u200b@x.io", "a\u202e@x.io",
    "\ufeffa@x.io", "a@x\u2028.io", "a" * 320 + "@x.io", "=cmd|'/c calc'!A0@x.io", "mail\uff0fto",
]  # fmt: skip

GOOD_EMAILS = [
    "a+b@x.io", "A@X.io", "a@[127.0.0.1]", "é@x.io", "a@bücher.example", "a@xn--bcher-kva.example",
    "\u0430@x.io", "İ@x.io", "a@x.io.", "o'brien@x.io", "=1+1@x.io", "a" * 64 + "@" + "b" * 255,
]  # fmt: skip


def refusal(kind: str, value: str) -> str:
    with pytest.raises(InputError) as caught:
        check_identifier(kind, value)
    assert caught.value.exit_code == 2
    assert caught.value.__cause__ is None
    return caught.value.line()


@pytest.mark.parametrize("value", NEVER, ids=ascii)
@pytest.mark.parametrize("kind", ["customer_id", "email", "phone", "voucherify-eu"])
def test_what_cannot_be_an_identifier_is_refused_without_being_repeated(kind: str, value: str) -> None:
    line = refusal(kind, value)
    assert kind in line
    if len(value.strip(" .")) > 2:
        assert value.strip() not in line


@pytest.mark.parametrize("value", STRANGE, ids=ascii)
def test_a_strange_id_is_taken_exactly_as_it_is(value: str) -> None:
    assert check_identifier("customer_id", value) == Identifier("customer_id", value)
    assert check_identifier("voucherify-eu", value).value == value


@pytest.mark.parametrize("value", BAD_EMAILS, ids=ascii)
def test_what_is_not_one_email_address_is_refused(value: str) -> None:
    assert value not in refusal("email", value)


@pytest.mark.parametrize("value", GOOD_EMAILS, ids=ascii)
def test_an_email_address_is_taken_exactly_as_it_is(value: str) -> None:
    assert check_identifier("email", value).value == value


@pytest.mark.parametrize(
    "value", ["call me", "+", "()", "+49x30", "\u00b2\u00b3", "\u0660\u0661", "\uff14\uff19"], ids=ascii
)
def test_what_is_not_a_phone_number_is_refused(value: str) -> None:
    assert value == "+" or value not in refusal("phone", value)


@pytest.mark.parametrize("value", ["+49 30 123456", "(030) 123-456", "030/123.456", "1"])
def test_a_phone_number_is_taken_exactly_as_it_is(value: str) -> None:
    assert check_identifier("phone", value).value == value


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("ada@example.org", "email", "ada@example.org"),
        ("email=ada@example.org", "email", "ada@example.org"),
        ("email=a=b@example.org", "email", "a=b@example.org"),
        ("customer_id=ada@example.org", "customer_id", "ada@example.org"),
        ("customer_id==", "customer_id", "="),
        ("phone=+49 30 1", "phone", "+49 30 1"),
        ("voucherify-eu=cust_1", "voucherify-eu", "cust_1"),
    ],
)
def test_an_identifier_is_kind_and_value_or_a_bare_email_address(text: str, kind: str, value: str) -> None:
    assert parse_identifier(text, CONNECTIONS) == Identifier(kind, value)


@pytest.mark.parametrize(
    "text", ["ada", "", "name=ada", "Email=ada@example.org", "=ada", " email=a@x.io", "talonone=secret-id", "a=b@x.io"]
)
def test_an_unknown_kind_is_refused_with_the_kinds_there_are(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_identifier(text, CONNECTIONS)
    line = caught.value.line()
    assert "customer_id, email, phone, voucherify-eu" in line
    assert not text or text not in line
    assert "ada" not in line
    assert "secret-id" not in line


@QUICK
@given(st.text())
def test_parsing_takes_the_value_whole_or_refuses_it(text: str) -> None:
    try:
        identifier = parse_identifier(f"customer_id={text}", ())
    except InputError:
        return
    assert identifier.value == text


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Ada@Example.ORG", "ada@example.org", True),
        ("İ@x.io", "i̇@x.io", False),
        ("\u212a@x.io", "k@x.io", False),
        ("straße@x.io", "STRASSE@x.io", False),
        ("É@x.io", "é@x.io", False),
        ("e\u0301@x.io", "é@x.io", False),
        ("\uff41@x.io", "a@x.io", False),
        ("\u0430@x.io", "a@x.io", False),
        ("bücher", "BÜCHER", False),
    ],
)
def test_emails_are_told_apart_by_everything_but_the_case_of_ascii_letters(one: str, other: str, same: bool) -> None:
    assert (fold("email", one) == fold("email", other)) is same


@QUICK
@given(st.text())
def test_identifiers_that_are_no_emails_are_compared_exactly(value: str) -> None:
    assert fold("customer_id", value) == value
    assert fold("phone", value) == value
    assert fold("email", fold("email", value)) == fold("email", value)


def test_an_identifier_shows_its_kind_only() -> None:
    assert repr(check_identifier("email", "ada@example.org")) == "Identifier(email=…)"

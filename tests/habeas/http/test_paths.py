"""Ids in paths: each arrives as the one segment that decodes to it, or nothing is sent."""

from __future__ import annotations

import unicodedata
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from habeas.errors import NotSent
from habeas.http.paths import MAX_ID_LENGTH, fill, unsafe_reason
from habeas.http.transport import Request, Transport
from habeas.models import Limits
from habeas.testing.clock import SkippingClock
from habeas.testing.sandbox import SandboxServer

CUSTOMER = "/v1/customers/{customerId}"

REFUSED = [
    "", " ", ".", "..", " .. ", "../", "../../etc/passwd", "a/../b", "a/..", "./a", "..\\b", "/", "//",
    "\uff0e", "\uff0e\uff0e", "\uff0e\uff0e\uff0f", "a\uff0f\uff0e\uff0e", "\u2024", "\u2024\u2024", "\u2025",
    "\n", "\r", "\0", "\t", "a\r\nX: 1", "\u0085", "\u2028", "\u3000", "\x7f", "\ud800", "a\udcffb",
    "x" * (MAX_ID_LENGTH + 1), "1" + "0" * 4300, "x" * 10_000, "x" * 1_000_000,
]  # fmt: skip

ACCEPTED = [
    "...", "....", ".a", "a.", "..a", "a..b", "..%2f", "%2e%2e", "%252e%252e", "%2F", "%00", "a%0d%0aX:1", "a/b",
    "a\\b", "a?b", "a#b", "a;b", "//evil", "\\\\evil", "http://evil", "@evil:80", "a&b=c", "a=b", "{id}",
    "{customerId}", "{{7*7}}", "${x}", "<id>", "%s", "%n", "None", "null", "true", "-1", "0", "1e5", "0x10", "*", "?",
    "[a]", "'OR 1=1--", '";drop', "`id`", "$(id)", "; newline", "a+b", "a b", " a ", "~", "!$'()*,;=:@",
    "a\u2028b", "\u202e", "\u200b", "\ufeff", "a\uff0fb",
    "x" + "\u0301" * 999, "\u00e9", "e\u0301", "👩‍👩‍👧", "\U0001d4b3", "\U0010ffff",
    "a", "x" * 512, "ö" * MAX_ID_LENGTH, "CON", "aux.txt", str(2**53), str(2**63),
    "a+b@x.io", '"quo ted"@x.io', "a@[127.0.0.1]", "é@x.io", "a@bücher.example", "İ@x.io", "=cmd|'/c calc'!A0@x.io",
]  # fmt: skip


def arrives(server: SandboxServer, value: str) -> None:
    """Sends it and looks at what came: one segment, that decodes to the id, and a vendor that understands it."""
    transport = Transport(server.base_url, Limits(), SkippingClock())
    answer = transport.send(Request("GET", CUSTOMER, {"customerId": value}))
    call = server.calls[-1]
    assert call.target == call.path
    *before, segment = call.path.split("/")
    assert before == ["", "v1", "customers"]
    assert unquote(segment, errors="strict") == value
    assert answer.json() == {"id": value}


@pytest.mark.parametrize("value", ACCEPTED, ids=ascii)
def test_an_accepted_id_arrives_as_one_segment(server: SandboxServer, value: str) -> None:
    arrives(server, value)


@pytest.mark.parametrize("value", REFUSED, ids=lambda value: ascii(value)[:40])
def test_a_refused_id_is_never_sent(server: SandboxServer, value: str) -> None:
    transport = Transport(server.base_url, Limits(), SkippingClock())
    with pytest.raises(NotSent, match=r"customerId cannot be put into /v1/customers/{customerId}: it "):
        transport.send(Request("GET", CUSTOMER, {"customerId": value}))
    assert server.calls == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(
    st.text(st.characters(exclude_categories=[]), max_size=30) | st.text("./\\%2eEfF5cC;?#\uff0e\uff0f \n", max_size=12)
)
@example("..;")
@example("%2e%2e%2f")
def test_any_id_arrives_as_it_is_or_not_at_all(server: SandboxServer, value: str) -> None:
    server.calls.clear()
    try:
        arrives(server, value)
    except NotSent:
        assert server.calls == []
        assert unsafe_reason(value)


@given(st.text())
def test_no_accepted_id_has_a_dot_segment_even_after_decoding_and_normalising(value: str) -> None:
    if not unsafe_reason(value):
        folded = unicodedata.normalize("NFKC", unquote(fill("/{id}", {"id": value})))
        assert not {".", ".."} & set(folded.replace("\\", "/").split("/"))


def test_each_placeholder_is_filled_and_a_filled_one_is_not_read_again() -> None:
    assert fill("/a/{x}/b/{y_2}", {"x": "{y_2}", "y_2": "1", "unused": "?"}) == "/a/%7By_2%7D/b/1"


def test_a_missing_id_is_a_fault_of_the_caller() -> None:
    with pytest.raises(KeyError):
        fill(CUSTOMER, {"customer": "1"})


@pytest.mark.parametrize("base", ["/gateway", "/gateway/", "/a/b"])
def test_a_base_url_with_a_path_stays_in_front(server: SandboxServer, base: str) -> None:
    transport = Transport(server.base_url + base, Limits(), SkippingClock())
    transport.send(Request("GET", CUSTOMER, {"customerId": "a/b"}, (("q", "x&y=z"),)))
    assert server.calls[-1].target == base.rstrip("/") + "/v1/customers/a%2Fb?q=x%26y%3Dz"


def test_a_base_url_that_the_client_would_rewrite_sends_nothing(server: SandboxServer) -> None:
    transport = Transport(server.base_url + "/a/../b", Limits(), SkippingClock())
    with pytest.raises(NotSent, match="the path would be changed"):
        transport.send(Request("GET", CUSTOMER, {"customerId": "1"}))
    assert server.calls == []

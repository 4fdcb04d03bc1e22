"""What comes from people, files and vendors who mean harm, or whose software is broken: one list for all tests here.

Each value stands for a trick; what must become of it is said where it is used.
"""

from __future__ import annotations

import gzip
import json
import unicodedata

from habeas.http.decode import MAX_DEPTH

__all__ = ["ANSWERS", "CELLS", "EMAILS", "FORMULA_STARTS", "IDS", "STEERING", "TIMES", "TLS_URLS", "URLS"]

IDS = (
    "", " ", ".", "..", "...", "../", "../../etc/passwd", "a/../b", "..%2f", "%2e%2e", "%252e%252e", "%2F", "%00",
    "a%0d%0aX:1", "a/b", "a\\b", "..\\b", "a?b", "a#b", "a;b", "//evil", "\\\\evil", "http://evil", "@evil:80",
    "a&b=c", "a=b", "{id}", "{customerId}", "{{7*7}}", "${x}", "<id>", "%s", "%n", "%", "%zz", "None", "null", "true",
    "-1", "0", "1e5", "0x10", "*", "?", "[a]", "[bold]a[/]", ":smile:", "'OR 1=1--", '";drop', "`id`", "$(id)", ";",
    "a\nb", "a\rb", "a\r\nX-Evil: 1", "a\x00b", "a\tb", "a\u2028b", "a\u0085b", "\u202ea", "\u200b", "\ufeff",
    "\uff0e\uff0e", "\uff0f", "a\uff0f\uff0e\uff0e\uff0fb", "\u2024", "\u2024\u2024", "e" + "\u0301" * 400,
    "e" + "\u0301" * 10_000, unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é"), "👩‍👩‍👧",
    "x", "x" * 512, "x" * 1000, "x" * 1001, "x" * 10_000, " x", "x ", "CON", "aux.txt", "n" * 256, str(2**53),
    str(2**63), "1" + "0" * 4300, "\x1b[2J", "\x1b]8;;http://evil\x07x", "=1+1", "+1", "@SUM(A1)", "__proto__",
)  # fmt: skip
"""As a customer's id, or a vendor's."""

EMAILS = (
    "a+b@x.example", "A@X.example", '"quo ted"@x.example', "a@[127.0.0.1]", "é@x.example", "a@bücher.example",
    "a@xn--bcher-kva.example", "\u0430@x.example", "İ@x.example", "a@x.example\nBcc:b@y", "a@x.example,b@y.example",
    "a@@x.example", "a@x@y.example", "a" * 320 + "@x.example", "a@x.example.", "=cmd|'/c calc'!A0@x.example",
    "a@x.example?to=b", "a@x.example\x00", "\u202ea@x.example", "a@x.example\u200b", "../@x.example", "%2e@x.example",
)  # fmt: skip

CELLS = (
    "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "|cmd", "=cmd|'/c calc'!A0", "\uff1d1+1",
    "<script>alert(1)</script>",
    "</title>", '"><img src=x onerror=alert(1)>', "javascript:alert(1)", "data:text/html,x", "\x1b[2J",
    "\x1b]8;;http://evil\x07x\x1b]8;;\x07", "\x9b2J", "x\nhabeas: completed", "\u202egpj.exe", "\u2066x", "\x00",
    "{{7*7}}{% raw %}", "[bold red]x[/]", "[link=http://evil]x[/link]", "y" * 10_000,
)  # fmt: skip
"""What a vendor, or a file, may hold where text is meant."""

FORMULA_STARTS = "=+-@\t\r\uff1d\uff0b\uff0d\uff20"
STEERING = "\x00\x07\x08\x1b\x7f\x85\x9b\u202a\u202b\u202d\u202e\u2066\u2067\u2068"
"""Characters that steer a terminal, or turn text around."""

URLS = (
    "http://api.vendor.example", "file:///etc/passwd", "gopher://127.0.0.1", "ftp://vendor.example", "//vendor.example",
    "https://user:pass@vendor.example", "https://user@vendor.example", "https://vendor.example@evil.example",
    "http://169.254.169.254", "http://metadata.google.internal", "http://[::ffff:10.0.0.1]", "http://10.0.0.1",
    "http://127.1", "http://2130706433", "http://0x7f000001", "http://0177.0.0.1", "http://0.0.0.0", "http://[::]",
    "http://localhost.evil.example", "http://127.0.0.1.evil.example", "http://127.0.0.1@evil.example",
    "http://127.0.0.1#@evil.example", "http://127.0.0.1\\@evil.example", "https://vendor.example:0",
    "https://vendor.example:65536", "https://vendor.example:-1", "https://vendor.example:1e3", "https://vendor.example:",
    "https://vendor.example\r\nX: 1", "https://vendor.example/\r\nX: 1", "https://ven%64or.example",
    "https://vendor%2eexample", "https://vendor.example/%2e%2e", "https://vendor.example/..", "https://vendor.example/./a",
    "https://vendor.example?x=1", "https://vendor.example/#x", "https://", "https:///x", "https://vendor .example",
    "https://v\u0435ndor.example", "https://vendor\u3002example", "https://\uff41.example", "javascript:alert(1)", "",
    "https://vendor.example.", "https://.vendor.example", "https://[::1", "https://[v1.x]", "\x00https://vendor.example",
)  # fmt: skip
"""As a base URL: none may be taken, and nothing be sent. Plain http is for loopback, written as such."""
TLS_URLS = ("https://169.254.169.254", "https://127.0.0.1", "https://[::1]", "https://vendor.example:65535/a/b")
"""What is taken: a server proves with its certificate who it is."""

TIMES = (
    "", "now", "2026-02-29", "2026-02-30T00:00:00Z", "2026-13-01", "2026-06-30T23:59:60Z", "9999-12-31", "-1",
    "0000-01-01", "2026-11-20T25:00:00Z", "2026-11-20T10:00:00+25:00", "1e9", "2026-11-20T10:00:00Z; DROP",
    "\uff12\uff10\uff12\uff16-11-20", "2026-11-20T10:00:00Z\n", "99999-01-01T00:00:00Z", "10000-01-01",
)  # fmt: skip
"""As a time that lies in the past: none is one (some are no time, the others are to come)."""

_DEEP = MAX_DEPTH + 1
ANSWERS: dict[str, tuple[bytes, dict[str, str]]] = {
    "100000 lists": (b"[" * 100_000 + b"]" * 100_000, {}),
    "100000 objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, {}),
    "one level too deep": (b'{"id":' + b"[" * _DEEP + b"]" * _DEEP + b"}", {}),
    "a million keys": (json.dumps({"data": {f"k{n}": n for n in range(1_000_000)}}).encode(), {}),
    "duplicate keys": (b'{"id": "a", "id": "b", "customers": [], "customers": [1], "total": 0, "total": 1}', {}),
    "NaN": (b'{"total": NaN, "customers": []}', {}),
    "an endless number": (b'{"total": ' + b"9" * 5000 + b"}", {}),
    "an overflowing number": (b'{"total": 1e999, "customers": []}', {}),
    "half a character": (b'{"id": "\\ud800", "name": "\\udc00"}', {}),
    "a byte order mark": (b"\xef\xbb\xbf{}", {}),
    "UTF-16": ('{"total": 0}'.encode("utf-16"), {"Content-Type": "application/json; charset=utf-16"}),
    "Latin-1 that says UTF-8": ('{"name": "é"}'.encode("latin-1"), {"Content-Type": "application/json; charset=utf-8"}),
    "HTML": (b"<html><script>alert(1)</script></html>", {"Content-Type": "text/html"}),
    "nothing": (b"", {}),
    "null": (b"null", {}),
    "a text": (b'"customers"', {}),
    "a number": (b"7", {}),
    "true": (b"true", {}),
    "an empty list": (b"[]", {}),
    "an empty object": (b"{}", {}),
    "lists of nothing": (b"[null, null, [], {}, 0]", {}),
    "prototypes": (b'{"__proto__": {"id": 1}, "__class__": "os", "constructor": {}, "\\u0000": 1}', {}),
    "trailing data": (b"{} {}", {}),
    "a bomb": (gzip.compress(b" " * (64 * 1024 * 1024), 1), {"Content-Encoding": "gzip"}),
    "no gzip": (b"{}", {"Content-Encoding": "gzip"}),
    "an unknown coding": (b"\x00\x01", {"Content-Encoding": "rot13"}),
    "wrong types everywhere": (
        b'{"id": [], "customers": {}, "total": "x", "data": 7, "hasMore": [], "_embedded": 1, "next": {}}',
        {},
    ),
}  # fmt: skip
"""What a vendor may send instead of an answer, with its headers: name → body, headers."""

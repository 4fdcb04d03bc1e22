"""What a vendor may do wrong at a call, each by name: once, or whenever that operation is asked for from then on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Literal

from tests.faults.stage import Place

from habeas.testing.sandbox import Fault, Reply

__all__ = ["KINDS", "Kind"]

_MESSAGE = {"code": 500, "message": "trouble", "error": "trouble", "key": "trouble"}
_HTML = {"Content-Type": "text/html"}
_PAGE = Reply(200, headers=_HTML, body=b"<!doctype html><title>Sign in</title><p>Please sign in.")
_GATEWAY = Reply(502, headers=_HTML, body=b"<html><h1>502 Bad Gateway</h1></html>")
_DONE = ("DONE", "COMPLETED", "SUCCEEDED")
_LARGE = 50 * 1000 * 1000
_SKEW = timedelta(days=400)
_WAIT = 2
"""Seconds. The clock jumps ahead by them, for the other vendors too, whose timeouts must not be met by that."""


@dataclass(frozen=True)
class Kind:
    """One way to misbehave."""

    name: str
    make: Callable[[Place, str], Fault]
    """The fault at a place; it is given the address of a host that nobody has business with."""
    extent: Literal["call", "operation", "vendor"] = "call"
    """That call only; or, until the vendor is healed, each call from then on: of its operation, or of the vendor."""
    where: Callable[[Place], bool] = lambda _: True
    hasty: bool = False
    """Whether the client needs a short timeout for it."""
    passes: bool = False
    """Whether a single run gets over it: the end is that of a run which nothing disturbed."""
    lies: bool = False
    """Whether it answers a change with something final that is not so: habeas may then leave it to a person."""

    def fault(self, place: Place, elsewhere: str) -> Fault:
        """The fault, put where it belongs."""
        made = self.make(place, elsewhere)
        if self.extent != "operation":
            return replace(made, skip=place.number, times=1 if self.extent == "call" else -1)
        path = re.sub(r"\\\{[^}]+\\\}", "[^/?]+", re.escape(place.operation.partition(" ")[2]))
        return replace(made, method=place.method, path=rf"^{path}/?(\?|$)", times=-1)

    def places(self, places: Iterator[Place]) -> Iterator[Place]:
        """Where it can begin: at each call; where it is about an operation, at the first call of it."""
        seen = set()
        for place in places:
            if self.where(place) and not (self.extent == "operation" and (place.vendor, place.operation) in seen):
                seen.add((place.vendor, place.operation))
                yield place


def _said(kind: str, status: int, headers: Mapping[str, str] | None = None) -> Callable[[Place, str], Fault]:
    return lambda _, __: Fault(kind, reply=Reply(status, {**_MESSAGE, "code": status}, headers or {}))  # type: ignore[arg-type]


def _plain(kind: str, reply: Reply | None = None) -> Callable[[Place, str], Fault]:
    return lambda _, __: Fault(kind, reply=reply)  # type: ignore[arg-type]


def _garbled(garble: Callable[[bytes], bytes]) -> Callable[[Place, str], Fault]:
    return lambda _, __: Fault("garble", garble=garble)


def _limited_by_date(_: Place, __: str) -> Fault:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=_WAIT), usegmt=True)
    return Fault("status", reply=Reply(429, _MESSAGE, {"Retry-After": until}))


def _limited_by_a_wrong_clock(_: Place, __: str) -> Fault:
    """Two seconds, said by a clock that is 400 days ahead."""
    now = datetime.now(UTC) + _SKEW
    headers = {"Date": format_datetime(now, usegmt=True)}
    headers["Retry-After"] = format_datetime(now + timedelta(seconds=_WAIT), usegmt=True)
    return Fault("status", reply=Reply(429, _MESSAGE, headers))


def _limited_as_documented(place: Place, _: str) -> Fault:
    """Voucherify says when in a header of its own; the other two say nothing."""
    at = str(int(datetime.now(UTC).timestamp()) + _WAIT)
    headers = {"X-Rate-Limit-Retry": at, "X-Rate-Limit-Type": "api_calls"} if place.vendor == "voucherify" else {}
    return Fault("status", reply=Reply(429, _MESSAGE, headers))


def _elsewhere(_: Place, url: str) -> Fault:
    return Fault("status", reply=Reply(307, headers={"Location": f"{url}/v1/customers/1"}))


# -- bodies -----------------------------------------------------------------------------------------------------------


def _half(body: bytes) -> bytes:
    return body[: len(body) // 2]


def _twice(body: bytes) -> bytes:
    """The first name of the outermost object twice, with another value the first time."""
    document = _object(body)
    name = json.dumps(next(iter(document), "id"))
    return b"{" + f"{name}: null, {name}: {json.dumps(next(iter(document.values()), 1))}".encode() + b"}"


def _not_a_number(body: bytes) -> bytes:
    inner = json.dumps(_object(body))[1:-1]
    return f'{{"trouble": NaN{", " if inner else ""}{inner}}}'.encode()


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {"data": document}


def _never_done(body: bytes) -> bytes:
    """A job that is always under way."""
    document = _object(body)
    return json.dumps(document | {"status": "IN_PROGRESS"}).encode() if document.get("status") in _DONE else body


def _goes_on(body: bytes) -> bytes:
    """A list that says there is more, whatever it has shown, in the words of each vendor."""
    document = _object(body)
    if "hasMore" in document:
        document["hasMore"] = True
    if "has_more" in document:
        document |= {"has_more": True, "total": 10**6}
    if "_links" in document:
        link = document["_links"].get("self", {"href": "/tms/v2/customers"})
        document |= {"_links": {**document["_links"], "next": link}, "total": 10**6}
    return json.dumps(document).encode()


def _is_list(place: Place) -> bool:
    document = _object(place.body) if place.body else {}
    return not place.changes and (bool({"hasMore", "has_more"} & set(document)) or "offset" in document)


def _says_done(place: Place) -> bool:
    return _never_done(place.body) != place.body


def _has_body(place: Place) -> bool:
    return bool(place.body)


def _changes(place: Place) -> bool:
    return place.changes


KINDS: tuple[Kind, ...] = (
    Kind("429, Retry-After in seconds", _said("status", 429, {"Retry-After": str(_WAIT)}), passes=True),
    Kind("429, Retry-After as a date", _limited_by_date, passes=True),
    Kind("429, Retry-After by a clock 400 days ahead", _limited_by_a_wrong_clock, passes=True),
    Kind("429, as the vendor documents it", _limited_as_documented, passes=True),
    Kind("429, Retry-After a thousand million seconds", _said("status", 429, {"Retry-After": "1000000000"})),
    Kind("429 on and on", _said("status", 429), extent="operation"),
    Kind("500 before it acts", _said("status", 500)),
    Kind("500 on and on", _said("status", 500), extent="operation"),
    Kind("502 after it acted", _plain("replace", _GATEWAY)),
    Kind("503 before it acts", _said("status", 503)),
    Kind("503 after it acted, on and on", _said("replace", 503), extent="operation"),
    Kind("silence before it acts", _plain("hang_before"), hasty=True),
    Kind("silence after it acted", _plain("hang_after"), hasty=True),
    Kind("silence after it acted, on and on", _plain("hang_after"), extent="operation", hasty=True),
    Kind("connection reset before it acts", _plain("reset_before")),
    Kind("connection reset after it acted", _plain("reset_after")),
    Kind("connection reset in the answer", _plain("cut"), where=_has_body),
    Kind("connection reset after it acted, on and on", _plain("reset_after"), extent="operation"),
    Kind("the vendor goes away", _plain("reset_before"), extent="vendor"),
    Kind("slow drip", _plain("drip"), where=_has_body, hasty=True),
    Kind("truncated JSON", _garbled(_half), where=_has_body),
    Kind("truncated JSON, on and on", _garbled(_half), where=_has_body, extent="operation"),
    Kind("malformed JSON", _garbled(lambda _: b'{"id": ,}'), where=_has_body),
    Kind("duplicate keys", _garbled(_twice), where=_has_body),
    Kind("NaN", _garbled(_not_a_number), where=_has_body),
    Kind("a web page with 200", _plain("replace", _PAGE)),
    Kind("a web page with 200, on and on", _plain("replace", _PAGE), extent="operation"),
    Kind("a body of 50 MB", _garbled(lambda body: body + b" " * _LARGE), where=_has_body),
    Kind("redirect to another host", _elsewhere),
    Kind("redirect to another host, on and on", _elsewhere, extent="operation"),
    Kind("401 once", _said("status", 401)),
    Kind("401 on and on", _said("status", 401), extent="operation"),
    Kind("403 once", _said("status", 403)),
    Kind("403 on and on", _said("status", 403), extent="operation"),
    Kind("404 to a change, nothing done", _said("lie", 404), where=_changes, lies=True),
    Kind("410 to a change, nothing done", _said("lie", 410), where=_changes, lies=True),
    Kind("204 and nothing done", _plain("lie"), where=_changes, lies=True),
    Kind("204 and nothing done, on and on", _plain("lie"), where=_changes, extent="operation", lies=True),
    Kind("404 to a change, on and on", _said("lie", 404), where=_changes, extent="operation", lies=True),
    Kind("a job that never ends", _garbled(_never_done), where=_says_done, extent="operation"),
    Kind("pages that never end", _garbled(_goes_on), where=_is_list, extent="operation"),
)

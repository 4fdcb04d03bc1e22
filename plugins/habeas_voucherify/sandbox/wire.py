"""How the vendor's HTTP looks from outside: query parameters, bodies, times, errors and pages.

Shapes from the vendor's OpenAPI document (schemas ``Error``, ``BadRequest``, ``ErrorResponse``) and its pages on
errors, limits and listing. Nothing here knows any state.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias

from habeas.testing.sandbox import Call, Reply

__all__ = [
    "MAX_BODY",
    "Check",
    "Json",
    "Problem",
    "Request",
    "any_of",
    "boolean",
    "cursor_page",
    "form_body",
    "hex_id",
    "invalid_payload",
    "json_body",
    "media_type",
    "moment",
    "not_found",
    "number",
    "page_of",
    "parse_query",
    "stamp",
    "text",
]

Json: TypeAlias = dict[str, Any]
"""A JSON object. Once it has been answered or stored it is never changed, only replaced: the server writes an answer
out after the lock is released."""

MAX_BODY = 10_485_760
"""Bytes a bulk call or an imported file may have; above it the answer is 413."""

Check: TypeAlias = Callable[[str], Any]
"""Reads one query parameter's text; raises ``ValueError`` whose text says what was expected."""


@dataclass(eq=False)
class Problem(Exception):
    """An answer that is not a success. The id asked for is repeated in ``details``, as the vendor does."""

    status: int
    key: str
    message: str
    details: str = ""
    resource_id: str = ""
    resource_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def reply(self, request_id: str) -> Reply:
        """The vendor's ``Error`` body; 413 has a shape of its own."""
        if self.status == 413:
            body: Json = {"statusCode": 413, "error": self.key, "message": self.message}
            return Reply(413, body, self.headers)
        body = {"code": self.status, "key": self.key, "message": self.message, "request_id": request_id}
        for name in ("details", "resource_id", "resource_type"):
            if getattr(self, name):
                body[name] = getattr(self, name)
        return Reply(self.status, body, self.headers)


@dataclass(frozen=True)
class Request:
    """A call whose query was checked. ``query`` holds one value per name, ``filters`` the pairs of ``filters[…]``."""

    call: Call
    query: Mapping[str, Any]
    filters: Sequence[tuple[str, str]] = ()

    def path(self, name: str) -> str:
        """A decoded path placeholder."""
        return self.call.params[name]


def not_found(kind: str, wanted: str) -> Problem:
    """404 for a resource, naming the id that was asked for."""
    return Problem(404, "not_found", "Resource not found", f"Cannot find {kind} with id {wanted}", wanted, kind)


def invalid_payload(details: str) -> Problem:
    """400 for a body."""
    return Problem(400, "invalid_payload", "Invalid payload", details)


# -- times and ids ----------------------------------------------------------------------------------------------------


def stamp(seconds: float) -> str:
    """Unix seconds as the vendor writes times: UTC, milliseconds, ``Z``. Sorts as text."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def hex_id(prefix: str, *parts: object) -> str:
    """A stable made-up id of 18 hexadecimal digits."""
    return prefix + hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()[:18]


# -- query parameters -------------------------------------------------------------------------------------------------


def text(value: str) -> str:
    """Any text."""
    return value


def moment(value: str) -> str:
    """An ISO 8601 date or date-time; comes back in the form of :func:`stamp`."""
    try:
        when = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("cannot be recognized as a ISO-8601 compliant date") from None
    return stamp((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())


def boolean(value: str) -> bool:
    """``true`` or ``false``."""
    if value not in ("true", "false"):
        raise ValueError("should be boolean")
    return value == "true"


def number(low: int, high: int) -> Check:
    """A whole number within bounds, both included."""

    def check(value: str) -> int:
        if not re.fullmatch(r"-?\d{1,9}", value, re.ASCII):
            raise ValueError("should be integer")
        if not low <= int(value) <= high:
            raise ValueError(f"should be >= {low} and <= {high}")
        return int(value)

    return check


def any_of(*allowed: str) -> Check:
    """One of some words."""

    def check(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"should be equal to one of the allowed values [ {', '.join(allowed)} ]")
        return value

    return check


def _bad_query(details: str) -> Problem:
    return Problem(400, "invalid_query_params", "Invalid query params", details)


def parse_query(call: Call, spec: Mapping[str, Check], repeatable: Sequence[str] = ()) -> Request:
    """Checks every query parameter; an unknown, repeated or malformed one is a 400.

    A name in ``repeatable`` gives a list. ``filters`` in ``spec`` admits ``filters[…]`` (collected, not read here). The
    vendor's pages write ranges both as ``created_at[before]`` and ``[created_at][before]``: both are taken.
    """
    query: dict[str, Any] = {}
    filters: list[tuple[str, str]] = []
    for raw, value in call.query:
        name = re.sub(r"^\[(\w+)\]", r"\1", raw)
        if name.startswith("filters[") and "filters" in spec:
            filters.append((name, value))
            continue
        if name not in spec or name == "filters":
            raise _bad_query(f"Unknown query parameter .{name}")
        try:
            read = spec[name](value)
        except ValueError as error:
            if name == "page" and value.isdecimal() and value != "0":
                raise Problem(400, "page_over_limit", "Listing resource above this page is not supported") from None
            raise _bad_query(f"Property .{name} {error}") from None
        if name in repeatable:
            query.setdefault(name, []).append(read)
        elif name in query:
            raise _bad_query(f"Property .{name} was given more than once")
        else:
            query[name] = read
    return Request(call, query, tuple(filters))


# -- bodies -----------------------------------------------------------------------------------------------------------


def media_type(call: Call, wanted: str) -> None:
    """415 unless the body is declared as ``wanted``."""
    given = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != wanted:
        raise Problem(415, "unsupported_media_type", "Unsupported Media Type", f"Expected {wanted}")


def _no_number(name: str) -> float:
    raise ValueError(name)


def json_body(call: Call, kind: type, *, limit: int | None = None) -> Any:
    """The JSON body, of type ``kind`` (``dict`` or ``list``); 413 above ``limit`` bytes, 415 or 400 otherwise."""
    if limit is not None and len(call.body) > limit:
        message = f"Payload content length greater than maximum allowed: {limit}"
        raise Problem(413, "Request Entity Too Large", message)
    media_type(call, "application/json")
    try:
        body = json.loads(call.body.decode("utf-8"), parse_constant=_no_number)
        if b"\\u" in call.body:  # an escape may name half a character, which no answer could repeat
            json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise invalid_payload("The payload is not valid JSON") from None
    if not isinstance(body, kind):
        raise invalid_payload(f"Payload should be {'array' if kind is list else 'object'}")
    return body


def form_body(call: Call, parse: Callable[[str], Sequence[tuple[str, str]]]) -> dict[str, str]:
    """The fields of a form body; 415 for another type, 400 for bytes that are no text."""
    media_type(call, "application/x-www-form-urlencoded")
    try:
        return dict(parse(call.body.decode("ascii")))
    except UnicodeDecodeError:
        raise invalid_payload("The payload is not a form") from None


def page_of(rows: Sequence[Json], query: Mapping[str, Any]) -> Sequence[Json]:
    """The part of ``rows`` that ``page`` and ``limit`` ask for (10 a page unless told)."""
    limit: int = query.get("limit", 10)
    start = (query.get("page", 1) - 1) * limit
    return rows[start : start + limit]


def cursor_page(rows: Sequence[Json], query: Mapping[str, Any]) -> Json:
    """One page after ``starting_after_id``: ``data``, ``has_more`` and, while true, ``more_starting_after``."""
    start = 0
    if after := query.get("starting_after_id"):
        start = next((n + 1 for n, row in enumerate(rows) if row["id"] == after), -1)
        if start < 0:
            raise _bad_query(f"Property .starting_after_id refers to an unknown object {after}")
    end = start + query.get("limit", 10)
    body: Json = {"data": list(rows[start:end]), "has_more": end < len(rows)}
    if body["has_more"]:
        body["more_starting_after"] = rows[end - 1]["id"]
    return body

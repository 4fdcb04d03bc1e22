"""What an operation accepts, and how an arriving request is held against it: anything undocumented is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from habeas.testing.sandbox import Call, Reply

__all__ = [
    "Check",
    "Param",
    "Refused",
    "Request",
    "between",
    "flag",
    "items",
    "mapping",
    "moment",
    "number",
    "obj",
    "ordered",
    "page",
    "text",
    "when",
    "whole",
]

T = TypeVar("T")

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?)?")


class Refused(Exception):
    """The vendor's refusal of one request; carries the answer, never the values that were sent."""

    def __init__(self, status: int, title: str, details: str = "", source: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {title}")
        self.status = status
        self.title = title
        self.problems = [(details or title, dict(source or {"pointer": "/"}))]

    def reply(self) -> Reply:
        """The answer in the shape ``ErrorResponseWithStatus``."""
        errors = [{"title": self.title, "details": details, "source": source} for details, source in self.problems]
        return Reply(self.status, {"message": self.title, "errors": errors, "StatusCode": self.status})


def moment(value: str) -> float:
    """Seconds since the epoch of an RFC 3339 timestamp or date (midnight UTC). Raises ``ValueError``."""
    if not _RFC3339.fullmatch(value):
        raise ValueError("not an RFC 3339 timestamp")
    parsed = datetime.fromisoformat(value)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


# -- bodies -----------------------------------------------------------------------------------------------------------

Check = Callable[[object, str], Iterator[tuple[str, str]]]
"""Takes a value and its JSON pointer; yields (details, pointer) for each fault."""


def text(
    low: int = 0, high: int | None = None, choices: Sequence[str] = (), pattern: str = "", time: bool = False
) -> Check:
    """A string, with the limits its schema gives."""

    def check(value: object, at: str) -> Iterator[tuple[str, str]]:
        if not isinstance(value, str):
            yield "must be a string", at
        elif len(value) < low or (high is not None and len(value) > high):
            yield "has a length out of range", at
        elif choices and value not in choices:
            yield "is not one of the allowed values", at
        elif pattern and not re.fullmatch(pattern, value):
            yield "has the wrong form", at
        elif time and not _is_time(value):
            yield "must be an RFC 3339 timestamp", at

    return check


def _is_time(value: str) -> bool:
    try:
        moment(value)
    except ValueError:
        return False
    return "T" in value


def number(low: float | None = None, high: float | None = None, integer: bool = False) -> Check:
    """A number; a boolean is none."""
    kinds = (int,) if integer else (int, float)

    def check(value: object, at: str) -> Iterator[tuple[str, str]]:
        if isinstance(value, bool) or not isinstance(value, kinds):
            yield f"must be {'an integer' if integer else 'a number'}", at
        elif (low is not None and value < low) or (high is not None and value > high):
            yield "is out of range", at

    return check


def flag() -> Check:
    """A boolean."""

    def check(value: object, at: str) -> Iterator[tuple[str, str]]:
        if not isinstance(value, bool):
            yield "must be a boolean", at

    return check


def items(item: Check, high: int | None = None, unique: bool = False) -> Check:
    """An array of such items."""

    def check(value: object, at: str) -> Iterator[tuple[str, str]]:
        if not isinstance(value, list):
            yield "must be an array", at
            return
        if high is not None and len(value) > high:
            yield f"must not have more than {high} items", at
        if unique and len({json.dumps(entry, sort_keys=True) for entry in value}) != len(value):
            yield "must not repeat items", at
        for n, entry in enumerate(value):
            yield from item(entry, f"{at}/{n}")

    return check


def mapping(item: Check | None = None) -> Check:
    """An object with free keys."""

    def check(value: object, at: str) -> Iterator[tuple[str, str]]:
        if not isinstance(value, dict):
            yield "must be an object", at
        elif item is not None:
            for name, entry in value.items():
                yield from item(entry, f"{at}/{_escaped(name)}")

    return check


def obj(fields: Mapping[str, Check], required: Sequence[str] = ()) -> Check:
    """An object with these fields and no others."""

    def check(value: object, at: str) -> Iterator[tuple[str, str]]:
        if not isinstance(value, dict):
            yield "must be an object", at
            return
        for name in required:
            if name not in value:
                yield "is required", f"{at}/{name}"
        for name, entry in value.items():
            if name in fields:
                yield from fields[name](entry, f"{at}/{name}")
            else:
                yield "is not a known field", f"{at}/{_escaped(name)}"

    return check


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


# -- query parameters -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Param:
    """One query parameter. ``list`` is written with commas, ``repeat`` once per value, the rest at most once."""

    kind: Literal["text", "flag", "int", "time", "list", "repeat"] = "text"
    default: Any = None
    choices: tuple[str, ...] = ()
    low: int | None = None
    high: int | None = None
    """Of an ``int``; of a ``text`` the least and the greatest length."""
    required: bool = False

    def read(self, values: Sequence[str]) -> Any:
        """The typed value. Raises ``ValueError`` with what is wrong."""
        if self.kind in ("list", "repeat"):
            many = [part for value in values for part in (value.split(",") if self.kind == "list" else [value])]
            if self.choices and not set(many) <= set(self.choices):
                raise ValueError("is not one of the allowed values")
            return many
        if len(values) > 1:
            raise ValueError("must be given once")
        return self._one(values[0])

    def _one(self, value: str) -> Any:
        if self.choices and value not in self.choices:
            raise ValueError("is not one of the allowed values")
        if self.kind == "flag":
            if value not in ("true", "false"):
                raise ValueError("must be true or false")
            return value == "true"
        if self.kind == "time":
            # The vendor's Python client writes `+0000`, without the colon that RFC 3339 asks for.
            return moment(re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", value) if "T" in value else value)
        if self.kind == "int" and not re.fullmatch(r"-?[0-9]{1,15}", value):
            raise ValueError("must be an integer")
        size = int(value) if self.kind == "int" else len(value)
        if (self.low is not None and size < self.low) or (self.high is not None and size > self.high):
            raise ValueError("is out of range")
        return size if self.kind == "int" else value


def when(name: str, required: bool = False) -> dict[str, Param]:
    """A timestamp parameter."""
    return {name: Param("time", required=required)}


@dataclass(frozen=True)
class Request:
    """A request that passed: typed path values, typed query values with their defaults, the checked body."""

    path: Mapping[str, Any]
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None


_WHOLE_PATHS = frozenset(
    {"audienceId", "loyaltyProgramId", "achievementId", "applicationId", "campaignId", "customerId", "sessionId"}
)
_LENGTHS = {"integrationId": (1, 1000), "loyaltyCardId": (4, 108)}


def read_path(params: Mapping[str, str]) -> dict[str, Any]:
    """Path values, numbers where the vendor has numbers. Raises :class:`Refused` (400)."""
    path: dict[str, Any] = {}
    for name, value in params.items():
        low, high = _LENGTHS.get(name, (1, 10_000))
        if name in _WHOLE_PATHS and not re.fullmatch(r"[0-9]{1,15}", value):
            raise Refused(400, "Invalid path parameter", "must be an integer", {"parameter": name})
        if not low <= len(value) <= high:
            raise Refused(400, "Invalid path parameter", "has a length out of range", {"parameter": name})
        path[name] = int(value) if name in _WHOLE_PATHS else value
    return path


def read_query(call: Call, known: Mapping[str, Param]) -> dict[str, Any]:
    """Query values. Raises :class:`Refused` (400) for unknown, repeated, missing or malformed ones."""
    sent: dict[str, list[str]] = {}
    for name, value in call.query:
        sent.setdefault(name, []).append(value)
    query: dict[str, Any] = {name: param.default for name, param in known.items()}
    for name, param in known.items():
        if param.required and name not in sent:
            raise Refused(400, "Missing query parameter", "is required", {"parameter": name})
    for name, values in sent.items():
        if name not in known:
            raise Refused(400, "Unknown query parameter", "is not a known parameter", {"parameter": name})
        try:
            query[name] = known[name].read(values)
        except ValueError as wrong:
            raise Refused(400, "Invalid query parameter", str(wrong), {"parameter": name}) from None
    return query


def read_body(call: Call, check: Check | None) -> Any:
    """The body as JSON that passed ``check``. Raises :class:`Refused` (400)."""
    if check is None:
        if call.body:
            raise Refused(400, "Unexpected body", "this operation takes no body")
        return None
    if not call.headers.get("content-type", "application/json").startswith("application/json"):
        raise Refused(400, "Invalid body", "the body must be sent as application/json")
    try:
        body = json.loads(call.body.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Refused(400, "Invalid body", "the body is not valid JSON", {"pointer": "/"}) from None
    problems = list(check(body, ""))
    if problems:
        refused = Refused(400, "Invalid body")
        refused.problems = [(details, {"pointer": at or "/"}) for details, at in problems]
        raise refused
    return body


def _no_constant(name: str) -> float:
    raise ValueError(name)


# -- pages ------------------------------------------------------------------------------------------------------------


def whole(low: int | None = None, high: int | None = None, default: int | None = None) -> Param:
    """An integer parameter."""
    return Param("int", default, low=low, high=high)


def page(rows: Sequence[T], query: Mapping[str, Any], view: Callable[[T], Mapping[str, Any]]) -> dict[str, Any]:
    """One page by ``pageSize`` and ``skip``, in the order of ``sort`` where the operation has it.

    Carries ``totalResultSize`` in place of ``hasMore`` where ``withTotalResultSize`` is true.
    """
    low, size = query["skip"], query["pageSize"]
    if query.get("sort"):
        data = ordered([view(row) for row in rows], query["sort"])[low : low + size]
    else:
        data = [view(row) for row in rows[low : low + size]]
    if query.get("withTotalResultSize"):
        return {"totalResultSize": len(rows), "data": data}
    return {"hasMore": low + size < len(rows), "data": data}


def ordered(rows: Sequence[Mapping[str, Any]], sort: str) -> list[Mapping[str, Any]]:
    """The rows by one field, ``-field`` for descending. Raises :class:`Refused` (400) where rows have no such field."""
    name = sort.removeprefix("-")
    if not all(isinstance(row.get(name), (str, int, float)) for row in rows):
        raise Refused(400, "Invalid query parameter", "cannot sort by this field", {"parameter": "sort"})
    return sorted(rows, key=lambda row: row[name], reverse=sort.startswith("-"))


def between(value: float, query: Mapping[str, Any], name: str = "created") -> bool:
    """Whether a moment lies within ``<name>Before`` and ``<name>After``."""
    before, after = query[f"{name}Before"], query[f"{name}After"]
    return (before is None or value < before) and (after is None or value > after)

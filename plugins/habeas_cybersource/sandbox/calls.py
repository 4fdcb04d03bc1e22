"""What a call says, checked: body, query, path."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from habeas.testing.sandbox import Call
from habeas_cybersource.sandbox.refused import Refused

__all__ = ["CONTENT_TYPE", "bins_wanted", "check_path", "check_query", "number", "read_body"]

CONTENT_TYPE = "application/json;charset=utf-8"
"""Of requests and answers alike."""


def read_body(call: Call) -> Any:
    """The body, a JSON object. Raises :class:`Refused` (400) for anything else, and for a wrong content type."""
    given = call.headers.get("content-type")
    if given is None:
        raise Refused(400, "Content-Type is missing.", "missingHeaders", ["Content-Type"], "header")
    if given.replace(" ", "").lower() not in ("application/json", CONTENT_TYPE):
        raise Refused(400, "Content-Type is wrong.", "invalidHeaders", ["Content-Type"], "header")
    try:
        body = json.loads(call.body.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Refused(400, "The body is not JSON.") from None
    if not isinstance(body, dict):
        raise Refused(400, "The body is not an object.")
    return body


def _no_constant(name: str) -> float:
    raise ValueError(name)


def check_query(call: Call, allowed: Collection[str]) -> None:
    """Raises :class:`Refused` (400) for a query parameter that is unknown, wrong or given twice."""
    names = [name for name, _ in call.query]
    wrong = {name for name in names if name not in allowed or names.count(name) > 1}
    # In any case of letters: the vendor's Python client writes `True`.
    if call.first("retrieveBinDetails", "true").lower() not in ("true", "false"):
        wrong.add("retrieveBinDetails")
    if wrong:
        raise Refused(400, "Unknown or wrong query parameters.", "invalidFields", sorted(wrong), "query")


def check_path(call: Call) -> None:
    """Raises :class:`Refused` (400) for a token that is too long to be one."""
    wrong = [name for name, token in call.params.items() if len(token) > 32]
    if wrong:
        raise Refused(400, "A token has 1 to 32 characters.", "invalidFields", wrong, "path")


def bins_wanted(call: Call) -> bool:
    """Whether the call asks for what the first digits of a card tell."""
    return call.first("retrieveBinDetails").lower() == "true"


def number(call: Call, name: str, default: int, least: int, most: int | None) -> int:
    """A whole number from the query. Raises :class:`Refused` (400) outside of its range."""
    text = call.first(name, str(default))
    # Nine digits keep int() cheap and are far beyond every list.
    found = int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else -1
    if found < least or (most is not None and found > most):
        raise Refused(400, f"{name} is out of range.", "invalidFields", [name], "query")
    return found

"""Searching bytes for a person, in every form in which they could stand there without being seen at once."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import quote, quote_plus

from habeas.testing.people import Person

__all__ = [
    "REFERENCE",
    "RIGHT",
    "Needles",
    "canary",
    "everything_logged_to",
    "forms",
    "leaks",
    "needles_for",
    "values_of",
]

REFERENCE = "Ticket-of-Kanarienvogel-77"
RIGHT = {"last_name": "Goldammerich", "phone": "+4915599009911", "city": "Ammernhausen4711"}
"""What is right about somebody: personal data as well."""


def canary(n: int, template: Person) -> Person:
    """Somebody whose every value can be recognised."""
    return replace(
        template,
        customer_id=f"KND+zq7x/{n}4711",
        email=f"Zilpzalp{n}.Kanarienvogel@Voliere-{n}.example",
        phone=f"+4915577{n}88{n}9123",
        first_name=f"Zilpzalpine{n}",
        last_name=f"Kanarienvögel{n}",
        street=f"Volierenstraße {n}4711",
        city=f"Vogelsdörfchen{n}",
        postal_code=f"{n}9Z4711",
        birthdate=f"190{n}-02-03",
        card=f"411111{n}477112233",
        orders=2,
    )


def forms(value: str) -> Iterator[tuple[str, bytes, bool]]:
    """How a value could stand somewhere without being seen at once, and whether capitals matter then."""
    raw = value.encode()
    yield "as it is", raw, False
    yield "percent-encoded", quote(value, safe="").encode(), False
    yield "as a form field", quote_plus(value).encode(), False
    yield "escaped in JSON", json.dumps(value)[1:-1].encode(), False
    yield "in UTF-16", value.encode("utf-16-le"), False
    yield "in hex", raw.hex().encode(), False
    for spelling in {raw, value.lower().encode()}:
        for name in ("md5", "sha1", "sha256"):
            digest = hashlib.new(name, spelling, usedforsecurity=False)
            yield f"as {name} in hex", digest.hexdigest().encode(), False
            yield f"as {name}", digest.digest(), True
            yield f"as {name} in base64", base64.b64encode(digest.digest()).rstrip(b"="), True
        for shift in range(3):
            inner = base64.b64encode(b"\0" * shift + spelling)[(shift * 8 + 5) // 6 : len(spelling) * 8 // 6]
            yield "in base64", inner, True
            yield "in base64 for URLs", inner.replace(b"+", b"-").replace(b"/", b"_"), True


Needles = dict[tuple[bytes, bool], str]


def needles_for(values: dict[str, str]) -> Needles:
    """Every form of every value that is long enough to be no accident."""
    return {
        (form if exact else form.lower(), exact): f"{what}, {how}"
        for what, value in values.items()
        for how, form, exact in forms(value)
        if len(form) >= 8
    }


def leaks(haystack: bytes, needles: Needles) -> list[str]:
    """What of whom is in there, and how."""
    lowered = haystack.lower()
    return [what for (needle, exact), what in needles.items() if needle in (haystack if exact else lowered)]


def values_of(person: Person) -> dict[str, str]:
    """What is known of somebody, by what it is, and may be found nowhere."""
    fields = ("customer_id", "email", "phone", "first_name", "last_name", "street", "city", "birthdate", "card")
    return {field: getattr(person, field) for field in fields} | {"local part": person.email.partition("@")[0]}


@contextlib.contextmanager
def everything_logged_to(text: io.StringIO) -> Iterator[None]:
    """Every log line that gets out when everything is logged, as the most talkative formatter would write it."""
    handler = logging.StreamHandler(text)
    handler.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s %(args)s %(exc_info)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)

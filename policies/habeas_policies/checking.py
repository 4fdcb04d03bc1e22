"""From TOML text to a policy, or to everything that is wrong with it."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import date, time
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from habeas_policies.errors import Problem, shown
from habeas_policies.fits import fits
from habeas_policies.period import Period
from habeas_policies.policy import After, Match, Policy, Rule, Ruling

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

__all__ = ["MAX_BYTES", "check", "one_line", "read", "schema", "too_large"]

MAX_BYTES = 1024 * 1024
"""No policy needs more, and a parser should not be given more."""

_MOST_YEARS = 100
_ENOUGH = 20
"""Unknown keys reported per table."""
_NOT_BLANK = r"\S"
"""The schema's pattern for free text."""
_MANY_LINES = ("description",)
_KINDS = {
    "string": "a text",
    "array": "a list",
    "object": "a table",
    "integer": "a whole number",
    "boolean": "true or false",
}

_Document = dict[str, Any]


@cache
def schema() -> Mapping[str, Any]:
    """The JSON Schema of a policy (draft 2020-12), as published in ``policy.schema.json``."""
    text = files("habeas_policies").joinpath("policy.schema.json").read_text(encoding="utf-8")
    loaded: Mapping[str, Any] = json.loads(text)
    return loaded


@cache
def _validator() -> Draft202012Validator:
    from jsonschema import Draft202012Validator, FormatChecker  # slow to load, and most policies need no explanation

    return Draft202012Validator(schema(), format_checker=FormatChecker(["date"]))


@cache
def _descriptions() -> Mapping[str, str]:
    """What each key is for, by its name: a name means the same wherever it stands."""
    definitions = schema()["$defs"]
    groups = (definitions, definitions["match"]["properties"], schema()["properties"])
    described = {key: part for group in groups for key, part in group.items() if "description" in part}
    return {key: _as_clause(part["description"]) for key, part in described.items()}


def _as_clause(sentence: str) -> str:
    start = sentence[0] if sentence[1].isupper() else sentence[0].lower()
    return start + sentence[1:].rstrip(".")


def check(text: str, source: str) -> tuple[Problem, ...]:
    """Everything that is wrong with a policy's text, in the order of its JSON paths; empty if it can be used.

    ``source`` is what problems call the text, usually a file name. Whether the policy has expired is not asked here:
    that depends on the day, see :meth:`Policy.require_current`.
    """
    found = read(text, source)
    return () if isinstance(found, Policy) else found


def read(text: str, source: str) -> Policy | tuple[Problem, ...]:
    """The policy, or every problem (at least one)."""
    source = one_line(source)
    try:
        document = _parse(text, source)
        if isinstance(document, Problem):
            return (document,)
        problems = _form(document, source)
    except RecursionError:
        return (Problem(source, "$", "the file is nested too deeply", "a policy needs three levels at most"),)
    if problems:
        return problems
    policy = _build(document)
    return tuple(_unreachable(policy, source)) or policy


def _form(document: _Document, source: str) -> tuple[Problem, ...]:
    """What is wrong with single values, one problem per place."""
    found = [*_texts(document, "$", source), *_against_schema(document, source)]
    found = found or list(_periods(document, source))
    return tuple(sorted({p.path: p for p in reversed(found)}.values(), key=lambda p: _natural(p.path)))


def too_large(source: str) -> Problem:
    """What is said of a file of more than :data:`MAX_BYTES`."""
    return Problem(source, "$", "the file is larger than 1 MiB", "split it into smaller policies")


def _parse(text: str, source: str) -> _Document | Problem:
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        return too_large(source)
    try:
        document = tomllib.loads(text.removeprefix("\ufeff"))
    except ValueError as broken:  # also what tomllib lets through from int() and datetime
        where = re.search(r"\((at [a-z0-9, ]+)\)$", str(broken))
        return Problem(
            source, "$", f"this is not TOML ({where[1] if where else 'a value'})", "correct the syntax there"
        )
    expires = document.get("expires")
    if isinstance(expires, date | time):  # a TOML date; the schema refuses what has a time of day
        document["expires"] = expires.isoformat()
    return document


def _texts(value: object, path: str, source: str) -> Iterator[Problem]:
    """A text that spans lines, or hides characters, would not be what it looks like in a plan or a report."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, _member(path, key), source)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, f"{path}[{index}]", source)
    elif isinstance(value, str):
        allowed = "\n\t" if path.rpartition(".")[2] in _MANY_LINES else ""
        if not all(_visible(character) or character in allowed for character in value):
            yield Problem(source, path, "holds a line break or an invisible character", "write plain text on one line")


def _visible(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _against_schema(document: _Document, source: str) -> Iterator[Problem]:
    if fits(document, schema()):
        return
    for error in _validator().iter_errors(document):
        for path, message, advice in _explain(error):
            yield Problem(source, path, message, advice)


def _explain(error: ValidationError) -> Iterator[tuple[str, str, str]]:
    """One or more (path, message, advice) for one finding. Never the value: it may be anything."""
    path = _path(error)
    rule: Any = error.validator_value
    given: Any = error.instance
    expected = f"expected: {purpose}" if (purpose := _purpose(error)) else ""
    match error.validator:
        case "additionalProperties":
            table: Any = error.schema
            yield from _unknown(path, set(given), sorted(table["properties"]))
        case "required" | "dependentRequired":
            wanted = rule if error.validator == "required" else [n for key in rule if key in given for n in rule[key]]
            for name in wanted:
                if name not in given:
                    yield _member(path, name), "is missing", f"add it: {_descriptions()[name]}"
        case "type":
            kinds = [rule] if isinstance(rule, str) else rule
            yield path, f"must be {' or '.join(_KINDS[kind] for kind in kinds)}", expected
        case "enum":
            yield path, f"must be one of: {', '.join(rule)}", expected
        case "not":
            yield path, "does not belong here", f"remove it: {purpose}"
        case "pattern" if rule == _NOT_BLANK:
            yield path, "is empty", expected
        case other:
            yield path, _PLAINLY[str(other)].format(rule), expected


def _unknown(path: str, given: set[str], known: list[str]) -> Iterator[tuple[str, str, str]]:
    for name in sorted(given - set(known))[:_ENOUGH]:
        close = difflib.get_close_matches(name, known, n=1)
        advice = f"write `{close[0]}`" if close else f"remove it; known keys here: {', '.join(known)}"
        yield _member(path, name), "is not a known key", advice


def _purpose(error: ValidationError) -> str:
    """What the schema says of the key that the finding is about, or whose list it stands in."""
    keys = [step for step in error.absolute_path if isinstance(step, str)]
    return _descriptions().get(keys[-1], "") if keys else ""


_PLAINLY = {
    "pattern": "is not written as it must be",
    "format": "is not a day of the calendar",
    "maxLength": "is longer than {} characters",
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "minItems": "is an empty list",
    "maxItems": "has more than {} entries",
    "minProperties": "is empty, and would fit every record",
    "uniqueItems": "names something twice",
}
"""Every other keyword that the schema uses. A test compares."""


def _periods(document: _Document, source: str) -> Iterator[Problem]:
    for index, text in enumerate(document.get("after", {}).get("recheck", ())):
        if Period.parse(text) == Period(0, 0):
            path = f"$.after.recheck[{index}]"
            yield Problem(source, path, "is no time at all", "the case itself has just read the vendors back")
    for index, rule in enumerate(document.get("rules", ())):
        if "period" in rule:
            period, path = Period.parse(rule["period"]), f"$.rules[{index}].period"
            if period == Period(0, 0):
                yield Problem(source, path, "is no time at all", "write how long the hold lasts, or remove the rule")
            elif period.months / 12 + period.days / 365.25 > _MOST_YEARS:
                yield Problem(source, path, "is longer than 100 years", "leave it out for a hold without an end date")


def _unreachable(policy: Policy, source: str) -> Iterator[Problem]:
    """A rule that can never decide is a hold that its author believes in, and that does not hold."""
    for later, rule in enumerate(policy.rules):
        for earlier, first in enumerate(policy.rules[:later]):
            if first.ruling.period is None and first.match.covers(rule.match):
                path = f"$.rules[{later}]"
                message = f"can never decide: rule {earlier} fits all of its records first"
                yield Problem(source, path, message, "put the narrower rule first, or remove this one")
                break


def _build(document: _Document) -> Policy:
    """A document that fits the schema, as values."""
    return Policy(
        name=document["name"],
        version=int(document["version"]),  # JSON Schema counts 2.0 as an integer
        type=document["type"],
        regime=document["regime"],
        description=document["description"],
        default=_ruling(document["default"]),
        rules=tuple(Rule(_match(rule["match"]), _ruling(rule)) for rule in document.get("rules", ())),
        expires=date.fromisoformat(document["expires"]) if "expires" in document else None,
        after=_after(document.get("after", {})),
        identity_check=document.get("identity_check", False),
    )


def _after(table: _Document) -> After:
    return After(
        recheck=tuple(Period.parse(text) for text in table["recheck"]) if "recheck" in table else None,
        keep_details=Period.parse(table["keep_details"]) if "keep_details" in table else None,
    )


def _match(table: _Document) -> Match:
    return Match(**{key: (names,) if isinstance(names, str) else tuple(names) for key, names in table.items()})


def _ruling(table: _Document) -> Ruling:
    fields = {key: value for key, value in table.items() if key != "match"}
    if "period" in fields:
        fields["period"] = Period.parse(fields["period"])
    return Ruling(**fields)


def _path(error: ValidationError) -> str:
    path = "$"
    for step in error.absolute_path:
        path = f"{path}[{step}]" if isinstance(step, int) else _member(path, step)
    return path


def _member(path: str, key: str) -> str:
    return f"{path}.{key}" if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", key) else f"{path}.{shown(key)}"


def _natural(path: str) -> list[tuple[int, str]]:
    """Sorts ``rules[10]`` after ``rules[9]``."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path)]


def one_line(text: str) -> str:
    """A file name as it may be printed: one line of at most 200 characters, invisible ones replaced."""
    return "".join(character if _visible(character) else "?" for character in text[:200])

"""Whatever is wrong with a policy is said in one line: file, place, what to do."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from habeas_policies import check, schema
from habeas_policies.checking import _PLAINLY, MAX_BYTES

VALID = """\
name = "shop"
version = 1
type = "erasure"
regime = "gdpr"
description = "A policy."

[default]
action = "erase"

[[rules]]
match.category = "https://w3id.org/dpv/pd#Tax"
action = "retain"
reason = "The law asks for it."
legal_basis = "https://w3id.org/dpv/legal/eu/gdpr#A6-1-c"
period = "P8Y"
period_starts = "received"
"""

PERIOD_HELP = (
    "for a rule with `retain` in an erasure policy: how long, as an ISO 8601 duration of years, months, weeks or days: "
    "`P8Y`, `P120D`"
)
STARTS_HELP = (
    "given together with `period`: `received` (the day of the request) or `end_of_calendar_year` (of that year)"
)
BASIS_HELP = "IRI of the ground for processing: `https://w3id.org/dpv/legal/eu/gdpr#A6-1-c`"
EXPIRES_HELP = "last day on which the policy may be used, as a date: `expires = 2027-12-31`"
INSTRUCTIONS_HELP = "for `manual`: what the person must do, and where. For `retain`: what happens when the hold ends"
RECORD_HELP = "one record kind or a list of them, as the plugin names it: `payment_instrument`"
EXEMPTION_HELP = (
    "for `retain` in an erasure policy: IRI of the exemption from erasure, "
    "`https://w3id.org/dpv/legal/eu/gdpr#JustificationA17LegallyRequired`"
)
CATEGORY = 'match.category = "https://w3id.org/dpv/pd#Tax"'

NEGATIVE = [
    # unknown keys
    ("[default]\n", "[default]\nacton = 1\n", "$.default.acton: is not a known key; write `action`"),
    (
        "version = 1",
        "version = 1\ncolour = 1",
        (
            "$.colour: is not a known key; remove it; known keys here: "
            "after, default, description, expires, identity_check, name, regime, rules, type, version"
        ),
    ),
    ("match.category", "match.kategory", "$.rules[0].match.kategory: is not a known key; write `category`"),
    (
        "version = 1",
        'version = 1\n"ada@example.org" = 1',
        (
            "$.(not shown: not a plain word): is not a known key; remove it; known keys here: "
            "after, default, description, expires, identity_check, name, regime, rules, type, version"
        ),
    ),
    # wrong types
    (
        "version = 1",
        'version = "1"',
        "$.version: must be a whole number; expected: a whole number from 1, raised with every change",
    ),
    (
        "version = 1",
        "version = true",
        "$.version: must be a whole number; expected: a whole number from 1, raised with every change",
    ),
    (
        CATEGORY,
        "match.record = [7]",
        f"$.rules[0].match.record[0]: must be a text; expected: {RECORD_HELP}",
    ),
    (CATEGORY, "match.record = 7", f"$.rules[0].match.record: must be a text or a list; expected: {RECORD_HELP}"),
    # values
    (
        'type = "erasure"',
        'type = "delete"',
        "$.type: must be one of: erasure, access; expected: what the person asked for",
    ),
    (
        'regime = "gdpr"',
        'regime = "mars"',
        (
            "$.regime: must be one of: ccpa, fadp, gdpr, lgpd, quebec-law25, ucpa, uk-gdpr; "
            "expected: the law the request is made under, by the name that its deadline has"
        ),
    ),
    (
        "version = 1",
        "version = 0",
        "$.version: must be at least 1; expected: a whole number from 1, raised with every change",
    ),
    (
        "version = 1",
        "version = 1e30",
        "$.version: must be at most 1000000000; expected: a whole number from 1, raised with every change",
    ),
    (
        'name = "shop"',
        'name = "../shop"',
        (
            "$.name: is not written as it must be; expected: lower-case words joined by hyphens, as in the "
            "file's name: `shop-erasure` in `shop-erasure.toml`"
        ),
    ),
    (
        'description = "A policy."',
        'description = " "',
        (
            "$.description: is empty; expected: what the policy does, and what a data protection officer must confirm "
            "before using it"
        ),
    ),
    (
        "The law asks for it.",
        "x" * 501,
        "$.rules[0].reason: is longer than 500 characters; expected: why, in one sentence that the person may be told",
    ),
    (
        "The law asks for it.",
        "one\\ntwo",
        "$.rules[0].reason: holds a line break or an invisible character; write plain text on one line",
    ),
    (
        "The law asks for it.",
        "drow\u202e",
        "$.rules[0].reason: holds a line break or an invisible character; write plain text on one line",
    ),
    (
        '"https://w3id.org/dpv/pd#Tax"',
        '"pd:Tax"',
        (
            "$.rules[0].match.category: is not written as it must be; expected: one IRI of a DPV category or a list of "
            "them, compared exactly: `https://w3id.org/dpv/pd#Transaction`"
        ),
    ),
    (CATEGORY, "match.record = []", f"$.rules[0].match.record: is an empty list; expected: {RECORD_HELP}"),
    (
        CATEGORY,
        'match.record = ["card", "card"]',
        f"$.rules[0].match.record: names something twice; expected: {RECORD_HELP}",
    ),
    (
        CATEGORY,
        f"match.record = {[f'r{n}' for n in range(101)]}",
        f"$.rules[0].match.record: has more than 100 entries; expected: {RECORD_HELP}",
    ),
    (
        CATEGORY,
        "match = {}",
        (
            "$.rules[0].match: is empty, and would fit every record; expected: which records: `record`, `category`, "
            "`plugin` and `connection`, at least one; all given must fit, and each may list any-of"
        ),
    ),
    # a hold needs its grounds
    (
        'reason = "The law asks for it."\n',
        "",
        "$.rules[0].reason: is missing; add it: why, in one sentence that the person may be told",
    ),
    (
        'legal_basis = "https://w3id.org/dpv/legal/eu/gdpr#A6-1-c"\n',
        "",
        f"$.rules[0].legal_basis: is missing; add it: {BASIS_HELP}",
    ),
    (
        'action = "erase"',
        'action = "retain"\nreason = "Because."',
        f"$.default.legal_basis: is missing; add it: {BASIS_HELP}",
    ),
    # periods
    (
        '"P8Y"',
        '"8 years"',
        f"$.rules[0].period: is not written as it must be; expected: {PERIOD_HELP}",
    ),
    ('"P8Y"', '"PT8H"', f"$.rules[0].period: is not written as it must be; expected: {PERIOD_HELP}"),
    ('"P8Y"', '"P"', f"$.rules[0].period: is not written as it must be; expected: {PERIOD_HELP}"),
    ('"P8Y"', '"P0D"', "$.rules[0].period: is no time at all; write how long the hold lasts, or remove the rule"),
    (
        '"P8Y"',
        '"P101Y"',
        "$.rules[0].period: is longer than 100 years; leave it out for a hold without an end date",
    ),
    (
        '"P8Y"',
        '"P9999Y99999D"',
        "$.rules[0].period: is longer than 100 years; leave it out for a hold without an end date",
    ),
    (
        '"received"',
        '"whenever"',
        f"$.rules[0].period_starts: must be one of: received, end_of_calendar_year; expected: {STARTS_HELP}",
    ),
    ('period_starts = "received"\n', "", f"$.rules[0].period_starts: is missing; add it: {STARTS_HELP}"),
    ('period = "P8Y"\n', "", f"$.rules[0].period: is missing; add it: {PERIOD_HELP}"),
    # what does not go together
    (
        "[default]\n",
        '[default]\nexemption = "https://example.org/x"\n',
        f"$.default.exemption: does not belong here; remove it: {EXEMPTION_HELP}",
    ),
    (
        "[default]\n",
        '[default]\ninstructions = "x"\n',
        f"$.default.instructions: does not belong here; remove it: {INSTRUCTIONS_HELP}",
    ),
    (
        'action = "erase"',
        'action = "manual"\nreason = "Because."',
        f"$.default.instructions: is missing; add it: {INSTRUCTIONS_HELP}",
    ),
    (
        'action = "erase"',
        'action = "retain"\nreason = "x"\nlegal_basis = "https://example.org/x"\nperiod = "P1Y"',
        f"$.default.period: does not belong here; remove it: {PERIOD_HELP}",
    ),
    # dates
    (
        "version = 1",
        "version = 1\nexpires = 2027-01-01T00:00:00",
        f"$.expires: is not written as it must be; expected: {EXPIRES_HELP}",
    ),
    (
        "version = 1",
        'version = 1\nexpires = "2027-02-29"',
        f"$.expires: is not a day of the calendar; expected: {EXPIRES_HELP}",
    ),
    ("version = 1", "version = 1\nexpires = 20270101", f"$.expires: must be a text; expected: {EXPIRES_HELP}"),
    # the file itself
    ("version = 1", "version == 1", "$: this is not TOML (at line 2, column 10); correct the syntax there"),
    ("version = 1", "version = 1\nversion = 1", "$: this is not TOML (at line 3, column 12); correct the syntax there"),
    ("version = 1", f"version = {'1' * 5000}", "$: this is not TOML (a value); correct the syntax there"),
    (
        "version = 1",
        f"version = {'[' * 5000}",
        "$: the file is nested too deeply; a policy needs three levels at most",
    ),
    ("version = 1", f"{'a.' * 1500}a = 1", "$: the file is nested too deeply; a policy needs three levels at most"),
    ("A policy.", "x" * MAX_BYTES, "$: the file is larger than 1 MiB; split it into smaller policies"),
    ("A policy.", "ä" * (MAX_BYTES // 2), "$: the file is larger than 1 MiB; split it into smaller policies"),
]


@pytest.mark.parametrize(("old", "new", "line"), NEGATIVE, ids=[line[:60] for _, _, line in NEGATIVE])
def test_one_mistake_is_one_line(old: str, new: str, line: str) -> None:
    assert VALID.count(old) == 1
    assert [problem.line() for problem in check(VALID.replace(old, new), "shop.toml")] == [f"shop.toml: {line}"]


def test_the_text_that_the_mistakes_are_made_in_is_valid() -> None:
    assert check(VALID, "shop.toml") == ()


def test_a_byte_order_mark_and_windows_line_ends_are_no_mistake() -> None:
    assert check("\ufeff" + VALID.replace("\n", "\r\n"), "shop.toml") == ()


def test_an_empty_file_is_no_policy() -> None:
    assert [problem.path for problem in check("", "empty.toml")] == [
        "$.default",
        "$.description",
        "$.name",
        "$.regime",
        "$.type",
        "$.version",
    ]


def test_all_mistakes_are_named_at_once_in_the_order_of_their_places() -> None:
    rules = "\n".join(f'[[rules]]\nmatch.record = "r{n}"\naction = "keep"' for n in range(11))
    text = VALID[: VALID.index("[[rules]]")].replace("version = 1", "version = 0") + rules
    assert [problem.path for problem in check(text, "x")] == [
        *(f"$.rules[{n}].action" for n in range(11)),
        "$.version",
    ]


def test_a_flood_of_unknown_keys_is_cut_short() -> None:
    assert len(check("".join(f"x{n} = 1\n" for n in range(1000)) + VALID, "x")) == 20


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ('action = "erase"', 'action = "erase"', "$.default.action"),
        ('period = "P8Y"', 'period = "P8Y"', "$.rules[0].period"),
        ('reason = "The', 'exemption = "https://example.org/x"\nreason = "The', "$.rules[0].exemption"),
    ],
)
def test_an_access_policy_neither_erases_nor_holds(old: str, new: str, path: str) -> None:
    text = VALID.replace('type = "erasure"', 'type = "access"').replace(old, new)
    assert path in [problem.path for problem in check(text, "x")]


def test_a_rule_that_can_never_decide_is_refused() -> None:
    rules = '[[rules]]\nmatch.record = ["a", "b"]\naction = "erase"\n[[rules]]\nmatch = {record = "b", plugin = "p"}\n'
    text = VALID[: VALID.index("[[rules]]")] + rules + 'action = "erase"\n'
    assert [problem.line() for problem in check(text, "x")] == [
        (
            "x: $.rules[1]: can never decide: rule 0 fits all of its records first; "
            "put the narrower rule first, or remove this one"
        )
    ]


def test_a_rule_after_a_hold_that_ends_can_still_decide() -> None:
    after = f'[[rules]]\n{CATEGORY}\naction = "manual"\nreason = "The hold is over."\ninstructions = "Look."\n'
    assert check(VALID + after, "x") == ()


def test_the_name_of_a_file_is_printed_on_one_line() -> None:
    assert check("=", "a\nb\u202ec.toml")[0].source == "a?b?c.toml"


def test_every_keyword_of_the_schema_has_its_words() -> None:
    def keywords(node: Any) -> set[str]:
        children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        own = set(node) if isinstance(node, dict) else set()
        return own.union(*(keywords(child) for child in children))

    silent = {"$ref", "properties", "items", "allOf", "if", "const"}
    with_own_words = {"additionalProperties", "required", "dependentRequired", "type", "enum", "not"}
    used = keywords(dict(schema())) & set(Draft202012Validator.VALIDATORS)
    assert used - silent - with_own_words == set(_PLAINLY)


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


DOCUMENT: dict[str, Any] = {
    "name": "shop",
    "version": 1,
    "type": "erasure",
    "regime": "gdpr",
    "description": "A policy.",
    "expires": "2030-01-01",
    "default": {"action": "erase", "reason": "Asked for."},
    "rules": [{"match": {"record": ["a"]}, "action": "manual", "reason": "x", "instructions": "y"}],
}
KEYS = st.sampled_from(["action", "match", "rules", "period", "record", "expires", "exemption", "ada@example.org", ""])
VALUES = st.recursive(
    st.booleans()
    | st.integers(-5, 5)
    | st.floats(-2, 2)
    | st.sampled_from(["", "erase", "retain", "manual", "P1Y", "a b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
PLACES = st.sampled_from([(), ("default",), ("rules", 0), ("rules", 0, "match")])


@settings(max_examples=150, deadline=None)
@given(place=PLACES, key=KEYS, value=VALUES)
def test_no_value_at_any_place_breaks_the_check_or_shows_itself(place: tuple[Any, ...], key: str, value: Any) -> None:
    document = copy.deepcopy(DOCUMENT)
    table: Any = document
    for step in place:
        table = table[step]
    table[key] = value
    for problem in check("\n".join(f"{json.dumps(k)} = {toml(v)}" for k, v in document.items()), "x.toml"):
        assert problem.line().startswith("x.toml: $")
        assert problem.line().isprintable()
        assert "ada@example.org" not in problem.line()
        assert problem.advice

"""Evaluation: the first rule that fits decides, for every record, the same way each time."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from habeas_policies import Decision, Facts, Match, Period, Policy, PolicyExpired, PolicyProblem, Rule, Ruling, check
from habeas_policies.checking import read

BASIS = "https://w3id.org/dpv/legal/eu/gdpr#A6-1-c"
NAMES = {
    "record": ["customer", "card"],
    "category": ["https://w3id.org/dpv/pd#Tax", "https://w3id.org/dpv/pd#Name"],
    "plugin": ["voucherify", "cybersource"],
    "connection": ["eu", "us"],
}
"""What rules may name. Facts may also hold names that no rule has."""
PERIODS = {"P1Y": "P12M", "P14D": "P2W", "P18M": "P1Y6M", "P120D": "P17W1D"}
"""Two spellings each of one meaning."""
DAYS = st.dates(date(2020, 1, 1), date(2040, 12, 31))

Document = dict[str, Any]

any_of = {key: st.lists(st.sampled_from(names), min_size=1, unique=True) for key, names in NAMES.items()}
matches = st.fixed_dictionaries({}, optional=any_of).filter(bool)
erase = st.just({"action": "erase"})
manual = st.fixed_dictionaries(
    {"action": st.just("manual"), "reason": st.sampled_from(["Why?", "§ 1 “ä”"]), "instructions": st.just("Look.")}
)
retain = st.fixed_dictionaries(
    {
        "action": st.just("retain"),
        "reason": st.sampled_from(["Law.", 'A "quoted\\" law.']),
        "legal_basis": st.just(BASIS),
    }
)
holds = st.builds(
    lambda rule, period, starts: rule | {"period": period, "period_starts": starts},
    retain,
    st.sampled_from([*PERIODS, *PERIODS.values()]),
    st.sampled_from(["received", "end_of_calendar_year"]),
)
rules = st.builds(lambda match, ruling: {"match": match, **ruling}, matches, erase | manual | retain | holds)
all_documents: st.SearchStrategy[Document] = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["shop", "shop-2"]),
        "version": st.integers(1, 2),
        "type": st.just("erasure"),
        "regime": st.just("gdpr"),
        "description": st.just("A policy."),
        "default": erase | manual | retain,
        "rules": st.lists(rules, max_size=4),
    },
    optional={"expires": st.just(date(2050, 12, 31))},
)
facts = st.builds(
    Facts,
    connection=st.sampled_from([*NAMES["connection"], "other"]),
    plugin=st.sampled_from([*NAMES["plugin"], "other"]),
    record=st.sampled_from([*NAMES["record"], "other"]),
    categories=st.lists(st.sampled_from([*NAMES["category"], "other"]), unique=True).map(tuple),
    received=DAYS,
)


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return value.isoformat() if isinstance(value, date) else json.dumps(value, ensure_ascii=False)


def rendered(document: Document) -> str:
    return "\n".join(f"{key} = {toml(value)}" for key, value in document.items())


def parsed(document: Document) -> Policy:
    policy = read(rendered(document), "x.toml")
    assert isinstance(policy, Policy), policy
    return policy


def fits(match: Document, known: Facts) -> bool:
    held = {"record": {known.record}, "plugin": {known.plugin}, "connection": {known.connection}}
    held["category"] = set(known.categories)
    return all(held[key] & set(names) for key, names in match.items())


def every_fact() -> list[Facts]:
    categories = [*NAMES["category"], "other"]
    subsets = [c for n in range(len(categories) + 1) for c in itertools.combinations(categories, n)]
    axes = ([*NAMES["connection"], "other"], [*NAMES["plugin"], "other"], [*NAMES["record"], "other"], subsets)
    return [Facts(*values, received=date(2026, 1, 1)) for values in itertools.product(*axes)]


EVERY_FACT = every_fact()


def shadowed(document: Document) -> list[int]:
    """Rules that an earlier rule without an end leaves nothing to, found by trying every record there can be."""
    reach = [{n for n, known in enumerate(EVERY_FACT) if fits(rule["match"], known)} for rule in document["rules"]]
    openended = ["period" not in rule for rule in document["rules"]]
    return [
        later
        for later in range(len(reach))
        if any(openended[earlier] and reach[later] <= reach[earlier] for earlier in range(later))
    ]


@st.composite
def documents(draw: st.DrawFn) -> Document:
    document = draw(all_documents)
    hidden = shadowed(document)
    document["rules"] = [rule for n, rule in enumerate(document["rules"]) if n not in hidden]
    return document


def decided(document: Document, known: Facts, on: date) -> tuple[str, int | None]:
    """Action and rule, from the document alone."""
    lengths = {"P1Y": (12, 0), "P14D": (0, 14), "P18M": (18, 0), "P120D": (0, 120)}
    spelled = lengths | {PERIODS[period]: length for period, length in lengths.items()}
    for index, rule in enumerate(document["rules"]):
        if not fits(rule["match"], known):
            continue
        if "period" in rule:
            months, days = spelled[rule["period"]]
            start = known.received
            if rule["period_starts"] == "end_of_calendar_year":
                start = date(start.year, 12, 31)
            if on > Period(months, days).after(start):
                continue
        return rule["action"], index
    return document["default"]["action"], None


@settings(max_examples=60, deadline=None)
@given(document=all_documents)
def test_exactly_the_rules_that_can_never_decide_are_refused(document: Document) -> None:
    found = [problem.path for problem in check(rendered(document), "x")]
    assert found == [f"$.rules[{index}]" for index in shadowed(document)]


@settings(max_examples=150, deadline=None)
@given(document=documents(), known=facts, later=st.integers(0, 800))
def test_the_first_rule_that_fits_decides(document: Document, known: Facts, later: int) -> None:
    on = known.received + timedelta(days=later)
    decision = parsed(document).evaluate(known, on)
    assert (decision.action, decision.rule) == decided(document, known, on)
    assert decision.until is None or decision.until >= on
    assert decision.action != "retain" or (decision.reason and decision.legal_basis)
    assert decision.action != "manual" or (decision.reason and decision.instructions)


@settings(max_examples=60, deadline=None)
@given(document=documents(), known=facts, on=DAYS)
def test_every_record_gets_the_same_decision_each_time(document: Document, known: Facts, on: date) -> None:
    decision = parsed(document).evaluate(known, on)
    assert isinstance(decision, Decision)
    assert decision == parsed(document).evaluate(dataclasses.replace(known), on)


def respelled(document: Document, shuffle: st.DataObject) -> Document:
    """The same meaning in other words: order of keys and names, one name or a list of one, spelling of periods."""

    def shuffled(table: Document) -> Document:
        return {key: table[key] for key in shuffle.draw(st.permutations(list(table)))}

    def names(listed: list[str]) -> list[str] | str:
        order = shuffle.draw(st.permutations(listed))
        return order[0] if len(order) == 1 and shuffle.draw(st.booleans()) else order

    changed = []
    for rule in document["rules"]:
        match = shuffled({key: names(listed) for key, listed in rule["match"].items()})
        period = {"period": PERIODS.get(rule["period"], rule["period"])} if "period" in rule else {}
        changed.append(shuffled(rule | {"match": match} | period))
    return shuffled(document | {"rules": changed, "default": shuffled(document["default"])})


@settings(max_examples=60, deadline=None)
@given(document=documents(), known=facts, shuffle=st.data())
def test_other_words_for_one_meaning_are_one_digest_and_one_decision(
    document: Document, known: Facts, shuffle: st.DataObject
) -> None:
    policy, other = parsed(document), parsed(respelled(document, shuffle))
    assert policy.digest == other.digest
    assert policy.evaluate(known, known.received) == other.evaluate(known, known.received)


def meaning(document: Document) -> str:
    canonical = {spelling: period for period, spelling in PERIODS.items()}
    rules = [
        rule
        | {"match": {key: sorted(names) for key, names in rule["match"].items()}}
        | ({"period": canonical.get(rule["period"], rule["period"])} if "period" in rule else {})
        for rule in document["rules"]
    ]
    return json.dumps(document | {"rules": rules}, sort_keys=True, default=str)


@settings(max_examples=100, deadline=None)
@given(one=documents(), two=documents())
def test_a_digest_differs_exactly_where_the_meaning_does(one: Document, two: Document) -> None:
    assert (parsed(one).digest == parsed(two).digest) == (meaning(one) == meaning(two))


RULING = Ruling(
    action="retain",
    reason="Law.",
    legal_basis=BASIS,
    legal_source="HGB",
    exemption="https://example.org/x",
    period=Period(96, 0),
    period_starts="received",
    instructions="Erase then.",
)
POLICY = Policy(
    name="shop",
    version=1,
    type="erasure",
    regime="gdpr",
    description="A policy.",
    default=Ruling(action="erase"),
    rules=(
        Rule(Match(record=("card", "bank")), RULING),
        Rule(Match(plugin=("cybersource",)), Ruling(action="manual", reason="x", instructions="y")),
    ),
    expires=date(2030, 1, 1),
)


def with_rule(**changes: Any) -> Policy:
    first = dataclasses.replace(POLICY.rules[0], ruling=dataclasses.replace(RULING, **changes))
    return dataclasses.replace(POLICY, rules=(first, POLICY.rules[1]))


@pytest.mark.parametrize(
    "other",
    [
        dataclasses.replace(POLICY, name="store"),
        dataclasses.replace(POLICY, version=2),
        dataclasses.replace(POLICY, type="access"),
        dataclasses.replace(POLICY, regime="ccpa"),
        dataclasses.replace(POLICY, description="A policy!"),
        dataclasses.replace(POLICY, default=Ruling(action="erase", reason="x")),
        dataclasses.replace(POLICY, expires=date(2030, 1, 2)),
        dataclasses.replace(POLICY, expires=None),
        dataclasses.replace(POLICY, rules=POLICY.rules[:1]),
        dataclasses.replace(POLICY, rules=POLICY.rules[::-1]),
        dataclasses.replace(POLICY, rules=(Rule(Match(record=("card",)), RULING), POLICY.rules[1])),
        dataclasses.replace(POLICY, rules=(Rule(Match(category=("card", "bank")), RULING), POLICY.rules[1])),
        with_rule(action="manual"),
        with_rule(reason="Law!"),
        with_rule(legal_basis="https://example.org/y"),
        with_rule(legal_source="AO"),
        with_rule(exemption=""),
        with_rule(period=Period(0, 96)),
        with_rule(period=None),
        with_rule(period_starts="end_of_calendar_year"),
        with_rule(instructions=""),
    ],
)
def test_every_field_is_in_the_digest(other: Policy) -> None:
    assert other.digest != POLICY.digest


def test_the_digest_is_sha_256_over_these_bytes() -> None:
    canonical = (
        '{"default":{"action":"erase"},"description":"A policy.","expires":"2030-01-01","name":"shop","regime":"gdpr",'
        '"rules":[{"action":"retain","exemption":"https://example.org/x","instructions":"Erase then.",'
        '"legal_basis":"https://w3id.org/dpv/legal/eu/gdpr#A6-1-c","legal_source":"HGB",'
        '"match":{"record":["bank","card"]},"period":"P96M","period_starts":"received","reason":"Law."},'
        '{"action":"manual","instructions":"y","match":{"plugin":["cybersource"]},"reason":"x"}],'
        '"type":"erasure","version":1}'
    )
    assert POLICY.digest == "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def test_comments_and_a_version_written_with_a_point_are_no_other_meaning() -> None:
    document: Document = {"name": "shop", "version": 1, "type": "erasure", "regime": "gdpr", "description": "A policy."}
    text = rendered(document)
    plain, other = text + '\ndefault = {action = "erase"}', f'# why\n{text}\n[default]\naction = "erase" # all of it'
    digests = {read(t, "x").digest for t in (plain, other, plain.replace("= 1", "= 1.0"))}  # type: ignore[union-attr] # a tuple of problems has no digest, and fails here
    assert len(digests) == 1
    assert isinstance(parsed(document | {"version": 1.0, "default": {"action": "erase"}}).version, int)


def card(received: date) -> Facts:
    return Facts("eu", "cybersource", "card", (), received)


@pytest.mark.parametrize(
    ("received", "starts", "period", "until"),
    [
        (date(2026, 3, 5), "received", "P120D", date(2026, 7, 3)),
        (date(2026, 3, 5), "end_of_calendar_year", "P8Y", date(2034, 12, 31)),
        (date(2026, 12, 31), "end_of_calendar_year", "P8Y", date(2034, 12, 31)),
        (date(2027, 1, 1), "end_of_calendar_year", "P8Y", date(2035, 12, 31)),
        (date(2028, 2, 29), "received", "P1Y", date(2029, 2, 28)),
        (date(2028, 2, 29), "received", "P4Y", date(2032, 2, 29)),
        (date(2026, 1, 31), "received", "P1M1D", date(2026, 3, 1)),
        (date(9999, 1, 1), "received", "P8Y", date.max),
    ],
)
def test_a_hold_ends_on_that_day(received: date, starts: Any, period: str, until: date) -> None:
    policy = dataclasses.replace(with_rule(period=Period.parse(period), period_starts=starts), expires=None)
    assert policy.evaluate(card(received), received).until == until


def test_a_hold_lasts_through_its_last_day_and_then_the_next_rule_decides() -> None:
    policy = dataclasses.replace(with_rule(period=Period.parse("P120D")), expires=None)
    known = card(date(2026, 3, 5))
    assert policy.evaluate(known, date(2026, 7, 3)).rule == 0
    assert policy.evaluate(known, date(2026, 7, 4)).rule == 1
    assert policy.evaluate(dataclasses.replace(known, plugin="other"), date(2026, 7, 4)).action == "erase"


def test_a_hold_without_a_period_has_no_end() -> None:
    decision = with_rule(period=None).evaluate(card(date(2026, 3, 5)), date(2029, 1, 1))
    assert (decision.action, decision.until) == ("retain", None)


@pytest.mark.parametrize(
    "category", ["https://w3id.org/dpv/pd#Taxes", "https://w3id.org/dpv/pd", "HTTPS://w3id.org/dpv/pd#Tax"]
)
def test_a_category_is_compared_exactly(category: str) -> None:
    match = Match(category=("https://w3id.org/dpv/pd#Tax",))
    assert not match.fits(Facts("c", "p", "r", (category,), date(2026, 1, 1)))


def test_a_policy_is_refused_after_its_last_day() -> None:
    POLICY.require_current(date(2030, 1, 1))
    assert POLICY.evaluate(card(date(2029, 12, 31)), date(2030, 1, 1)).rule == 0
    for refused in (POLICY.require_current, lambda on: POLICY.evaluate(card(date(2029, 12, 31)), on)):
        with pytest.raises(PolicyExpired) as raised:
            refused(date(2030, 1, 2))
        assert isinstance(raised.value, PolicyProblem)
        assert raised.value.line() == (
            "policy shop expired on 2030-01-01; have it reviewed, then set a later `expires` and a new `version`"
        )


def test_an_instant_is_not_taken_for_a_day() -> None:
    instant = datetime(2026, 3, 5, tzinfo=UTC)
    with pytest.raises(TypeError, match="received must be a date"):
        card(instant)
    with pytest.raises(TypeError, match="on must be a date"):
        POLICY.evaluate(card(date(2026, 3, 5)), instant)


@settings(max_examples=100, deadline=None)
@given(months=st.integers(0, 1200), days=st.integers(0, 9999))
def test_a_period_reads_back_as_it_was_written(months: int, days: int) -> None:
    assume(days or months)
    assert Period.parse(str(Period(months, days))) == Period(months, days)


@pytest.mark.parametrize(
    "text", ["", "P", "8Y", "P8", "PT1H", "P1YT1H", "P-1Y", "P1.5Y", "P1D1Y", "p1y", "P1Y\n", "P٣Y"]
)
def test_what_is_no_period_of_days_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an ISO 8601 duration"):
        Period.parse(text)

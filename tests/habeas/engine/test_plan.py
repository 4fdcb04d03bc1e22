"""Inventory and policy make a plan: one decision per record, and a hold reaches whatever would break it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habeas.engine.plan import ConnectionPlan, Notice, Plan, notices_for, plan_connection
from habeas.models import (
    Action,
    Gap,
    Inventory,
    Json,
    NoticeRule,
    PlanItem,
    PluginInfo,
    Record,
    RecordKind,
    Result,
)  # fmt: skip
from habeas_policies import Match, Period, Policy, PolicyProblem, Rule, Ruling

QUICK = settings(deadline=None, max_examples=60)

RECEIVED, TODAY = date(2026, 11, 20), date(2026, 11, 21)
ERASE = Ruling("erase", reason="Withdrawn.")


def kind(name: str, *erased_with: str) -> RecordKind:
    return RecordKind(name, f"The {name.upper()}", "", (f"dpv:{name}",), (), "", erased_with)


def plugin(*kinds: RecordKind, notices: tuple[NoticeRule, ...] = ()) -> PluginInfo:
    return PluginInfo("acme", "Acme", kinds[0].name, kinds, {}, (), notices)


def policy(default: Ruling = ERASE, **rulings: Ruling) -> Policy:
    rules = tuple(Rule(Match(record=(name,)), ruling) for name, ruling in rulings.items())
    return Policy("p", 1, "erasure", "gdpr", "", default, rules)


def hold(years: int = 0, reason: str = "Tax law") -> Ruling:
    return Ruling("retain", reason=reason, legal_basis="art6-1-c", period=Period.parse(f"P{years}Y") if years else None)


def plan(info: PluginInfo, rules: Policy, *kinds: str, gaps: tuple[Gap, ...] = (), **settings: Json) -> ConnectionPlan:
    inventory = Inventory(tuple(Record(name, 1, (f"id-{n}",)) for n, name in enumerate(kinds)), gaps, "GET /x -> 200")
    return plan_connection("acme-eu", info, inventory, rules, received=RECEIVED, today=TODAY, settings=settings)


def actions(made: ConnectionPlan) -> list[str]:
    return [str(item.action) for item in made.items]


CHAIN = plugin(kind("profile"), kind("account", "profile"), kind("invoice", "account"), kind("note"))


def test_each_record_has_the_policys_decision_in_the_order_found() -> None:
    made = plan(CHAIN, policy(note=hold(6)), "note", "profile", "note")
    assert [(i.index, i.record.kind, i.action) for i in made.items] == [
        (0, "note", "retain"), (1, "profile", "erase"), (2, "note", "retain"),
    ]  # fmt: skip
    assert (made.items[0].until, made.items[0].legal_basis) == ("2032-11-20", "art6-1-c")
    assert (made.items[1].until, made.items[1].legal_basis, made.items[1].reason) == ("", "", "Withdrawn")
    assert (made.connection, made.plugin, made.evidence, made.searched) == ("acme-eu", "acme", "GET /x -> 200", True)


def test_a_hold_holds_what_would_destroy_it_and_what_would_destroy_that() -> None:
    made = plan(CHAIN, policy(invoice=hold(10)), "profile", "account", "invoice", "note")
    assert actions(made) == ["retain", "retain", "retain", "erase"]
    for item in made.items[:2]:
        assert item.reason == "erasing it would destroy the the invoice that is kept: Tax law"
        assert (item.until, item.legal_basis) == ("2036-11-20", "art6-1-c")


def test_a_hold_reaches_further_than_the_records_in_between_that_were_not_found() -> None:
    assert actions(plan(CHAIN, policy(invoice=hold()), "profile", "invoice")) == ["retain", "retain"]


def test_a_hold_does_not_reach_down() -> None:
    assert actions(plan(CHAIN, policy(profile=hold()), "profile", "account", "invoice")) == ["retain", "erase", "erase"]


@pytest.mark.parametrize("order", [("a", "b", "c"), ("c", "b", "a"), ("b", "a", "c")])
def test_of_several_holds_the_longest_counts_whatever_the_order(order: tuple[str, ...]) -> None:
    info = plugin(kind("main"), kind("a", "main"), kind("b", "main"), kind("c", "main"))
    manual = Ruling("manual", reason="Look", instructions="at it")

    def held(**rulings: Ruling) -> PlanItem:
        return plan(info, policy(**rulings), "main", *order).items[0]

    assert held(a=hold(3), b=hold(10), c=hold(6)).until == "2036-11-20"
    unending = held(a=hold(3), b=hold(10), c=hold(reason="Lawsuit"))
    assert (unending.until, unending.reason) == ("", "erasing it would destroy the the c that is kept: Lawsuit")
    assert held(a=manual, b=hold(3), c=manual).action is Action.RETAIN
    by_hand = held(a=manual, b=ERASE, c=ERASE)
    assert by_hand.action is Action.MANUAL
    assert by_hand.reason == "erasing it would destroy the the a that waits for a person: Look; at it"


def test_kinds_that_destroy_each_other_are_held_together() -> None:
    info = plugin(kind("a", "b"), kind("b", "a", "b"), kind("c"))
    assert actions(plan(info, policy(a=hold()), "a", "b", "c", "a")) == ["retain", "retain", "erase", "retain"]


def test_a_manual_decision_says_why_and_what_to_do() -> None:
    ruling = Ruling("manual", reason="A dispute is open.", legal_source="§ 147 AO", instructions="Ask the lawyer. ")
    (item,) = plan(CHAIN, policy(ruling), "note").items
    assert (item.action, item.reason) == (Action.MANUAL, "A dispute is open; § 147 AO; Ask the lawyer")


def test_a_hold_that_has_ended_holds_nothing() -> None:
    made = plan_connection(
        "acme-eu", CHAIN, Inventory((Record("note", 1),)), policy(note=hold(1)),
        received=date(2020, 1, 1), today=TODAY, settings={},
    )  # fmt: skip
    assert actions(made) == ["erase"]


def test_an_expired_policy_plans_nothing() -> None:
    with pytest.raises(PolicyProblem, match="expired"):
        plan(CHAIN, replace(policy(), expires=date(2026, 11, 20)), "note")


def test_gaps_that_everybody_has_are_no_work_of_this_case() -> None:
    work = Gap("note", Result.MANUAL, "look there", 2)
    assert plan(CHAIN, policy(), gaps=(replace(work, standing=True), work)).gaps == (work,)


# -- notices --------------------------------------------------------------------------------------------------------


NOTICES = (
    NoticeRule("API logs", days=90),
    NoticeRule("Backups", months=3, setting="backup_months"),
    NoticeRule("Sessions", days=30, setting="session_days"),
    NoticeRule("Statistics"),
    NoticeRule("Contract", setting="contract_days"),
)
LOUD = plugin(*CHAIN.kinds, notices=NOTICES)


def test_a_notice_has_the_day_on_which_it_ends() -> None:
    assert notices_for("acme-eu", LOUD, TODAY, {}) == (
        Notice("acme-eu", "API logs", "2027-02-19"),
        Notice("acme-eu", "Backups", "2027-02-21"),
        Notice("acme-eu", "Sessions", "2026-12-21"),
        Notice("acme-eu", "Statistics", ""),
        Notice("acme-eu", "Contract", ""),
    )


def test_a_setting_says_how_long_in_the_rules_own_unit() -> None:
    settings = {"backup_months": 1, "session_days": 1, "contract_days": 10}
    ends = [notice.until for notice in notices_for("acme-eu", LOUD, date(2027, 1, 31), settings)]
    assert ends == ["2027-05-01", "2027-02-28", "2027-02-01", "", "2027-02-10"]


def test_notices_come_with_an_erasure_and_not_without() -> None:
    assert len(plan(LOUD, policy(note=hold()), "note", "profile").notices) == len(NOTICES)
    assert plan(LOUD, policy(hold()), "note", "profile").notices == ()
    assert plan(LOUD, policy()).notices == ()


# -- the whole plan -------------------------------------------------------------------------------------------------


def test_all_is_held_only_where_something_is_held_and_nothing_is_left_to_do() -> None:
    held = plan(CHAIN, policy(hold()), "note")
    mixed = plan(CHAIN, policy(note=hold()), "note", "profile")
    by_hand = plan(CHAIN, policy(Ruling("manual", reason="r", instructions="i")), "note")
    nothing = plan(CHAIN, policy())
    assert Plan("p", (held, nothing)).all_held()
    assert not any(Plan("p", parts).all_held() for parts in [(), (nothing,), (mixed,), (held, by_hand), (held, mixed)])


def test_a_plan_is_complete_where_every_connection_was_searched() -> None:
    good, bad = ConnectionPlan("a", "acme"), ConnectionPlan("b", "acme", problem="no answer in time")
    assert Plan("p", (good,)).complete
    assert not Plan("p", (good, bad)).complete
    assert Plan("p", (good, bad)).of("b") is bad
    assert Plan("p", (good, bad)).of("c") is None


# -- properties -----------------------------------------------------------------------------------------------------


NAMES = ["k0", "k1", "k2", "k3", "k4"]
RULINGS = st.sampled_from(
    [ERASE, ERASE, hold(), hold(3), hold(10), Ruling("manual", reason="Look", instructions="at it")]
)


@st.composite
def situations(draw: st.DrawFn) -> tuple[PluginInfo, Policy, list[str]]:
    kinds = [kind(name, *draw(st.lists(st.sampled_from(NAMES), max_size=2))) for name in NAMES]
    rulings = {name: draw(RULINGS) for name in NAMES}
    return plugin(*kinds, notices=NOTICES), policy(**rulings), draw(st.lists(st.sampled_from(NAMES), max_size=8))


def closure(info: PluginInfo, name: str) -> set[str]:
    """Kinds whose erasure destroys this one, told naively."""
    found = {name}
    for _ in NAMES:
        found |= {other for known in found for other in info.kind(known).erased_with}
    return found - {name} | ({name} & {o for known in found for o in info.kind(known).erased_with})


@QUICK
@given(situations())
def test_every_record_gets_exactly_one_decision(situation: tuple[PluginInfo, Policy, list[str]]) -> None:
    info, rules, kinds = situation
    made = plan(info, rules, *kinds)
    assert [(i.index, i.record.kind, i.record.ids) for i in made.items] == [
        (n, name, (f"id-{n}",)) for n, name in enumerate(kinds)
    ]
    assert all(item.reason for item in made.items)


@QUICK
@given(situations())
def test_nothing_is_erased_that_would_destroy_what_stays(situation: tuple[PluginInfo, Policy, list[str]]) -> None:
    info, rules, kinds = situation
    made = plan(info, rules, *kinds)
    staying = {item.record.kind for item in made.items if item.action is not Action.ERASE}
    going = {item.record.kind for item in made.items if item.action is Action.ERASE}
    for name in staying:
        assert not closure(info, name) & going


@QUICK
@given(situations())
def test_nothing_is_held_without_a_ground_and_no_shorter_than_it_lasts(
    situation: tuple[PluginInfo, Policy, list[str]],
) -> None:
    info, rules, kinds = situation
    free = plugin(*(replace(k, erased_with=()) for k in info.kinds))
    own, made = plan(free, rules, *kinds), plan(info, rules, *kinds)
    for before, after in zip(own.items, made.items, strict=True):
        if before.action is not Action.ERASE:
            assert after == before
            continue
        grounds = [
            i for i in own.items if i.action is not Action.ERASE and after.record.kind in closure(info, i.record.kind)
        ]
        assert (after.action is not Action.ERASE) == bool(grounds)
        ends = [i.until or "9999" for i in grounds if i.action is Action.RETAIN]
        if ends:
            assert (after.action, after.until or "9999") == (Action.RETAIN, max(ends))


TEXT = st.text(max_size=5)
JSON: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
RECORDS = st.builds(
    Record, TEXT, st.integers(0), st.lists(TEXT, max_size=2).map(tuple), st.dictionaries(TEXT, JSON, max_size=2)
)
ITEMS = st.builds(PlanItem, st.integers(0), RECORDS, st.sampled_from(Action), TEXT, TEXT, TEXT)
GAPS = st.builds(Gap, TEXT, st.sampled_from([Result.MANUAL, Result.UNSUPPORTED]), TEXT, st.integers(0))


@st.composite
def connection_plans(draw: st.DrawFn) -> ConnectionPlan:
    name = draw(TEXT)
    notices = draw(st.lists(st.builds(Notice, st.just(name), TEXT, TEXT), max_size=2))
    items, gaps = draw(st.lists(ITEMS, max_size=2)), draw(st.lists(GAPS, max_size=2))
    return ConnectionPlan(name, draw(TEXT), tuple(items), tuple(gaps), tuple(notices), draw(TEXT), draw(TEXT))


@QUICK
@given(TEXT, st.lists(connection_plans(), max_size=2))
def test_a_plan_comes_back_from_json_exactly(name: str, parts: list[ConnectionPlan]) -> None:
    made = Plan(name, tuple(parts))
    text = json.dumps(made.to_json())
    assert Plan.from_json(json.loads(text)) == made
    assert json.dumps(Plan.from_json(json.loads(text)).to_json()) == text


def test_a_plan_shows_no_vendor_id() -> None:
    record = Record("note", 1, ("cust_secret",), {"mail": "ada@x.org"})
    made = Plan("p", (ConnectionPlan("a", "acme", (PlanItem(0, record, Action.ERASE),)),))
    assert "secret" not in repr(made)
    assert "ada" not in repr(made)

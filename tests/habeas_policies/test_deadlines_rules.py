"""The table of rules: complete, cited, and never edited once it was released."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, datetime

import pytest

from habeas_policies import Period, PolicyProblem, due, due_under, extend, regimes
from habeas_policies.rules import Rule, pick, rules

RECEIVED = datetime.fromisoformat("2026-01-01T12:00:00+00:00")
NAMES = [f"{rule.regime}/{rule.version}" for rule in rules()]

NEEDS_HOLIDAYS = (
    "version 2 of the deadline of uk-gdpr cannot be counted without holidays of its own; "
    "name a country or a region of: GB"
)

RELEASED = {
    "gdpr/1": "sha256:42f3d6e8a853dbc15adf71ce2a7da25651112941211973a13e257913d38a1665",
    "gdpr/2": "sha256:944891db6fb493192fe9bc3a7d9dd57200cd41d13e9206dfacb26a11b1bbc3a0",
    "uk-gdpr/1": "sha256:4a3e03cc7339a4f69268c9fb5ed7ea0b3cc6a58ebb44769738503ee7750d1a6f",
    "uk-gdpr/2": "sha256:cded33c1988e88898b56c0a1677a1afcdb45b3094e90304077669ca6c802dd52",
    "ccpa/1": "sha256:535607f2d7d0defc5e2a8f32ef3dd48900d8abcae744349075bb4acd832d37f7",
    "ccpa-opt-out/1": "sha256:cbdb64ecc72f7d11d4ef234c26c299c948a1f9717dfd7fc66ae02c02ac5ba6a8",
    "ucpa/1": "sha256:c9a4835346fced96621ab132df4b500ac92dda99f55651582320c91995a5a80b",
    "lgpd/1": "sha256:e1c4e57d854dd3475319d7b45aa99bdcec11455927e2d9c5918703934b88aa07",
    "quebec-law25/1": "sha256:d1feec77b78f48c88335c5dbc510dcbc123c465816cfd2a475d6a62ab4f0f63f",
    "fadp/1": "sha256:72b75fb40c00f86160229fb27f5a419030d775817163fe3f3c76e86b769cedc9",
    "us-va/1": "sha256:0ebe92bc596b5673d43aa00bc52c7917f39d8d39f08ee850673a166bb4a25db7",
    "us-co/1": "sha256:fc6b99b735f988e7c20d7e0ab6fac6aba307669470ec6d098aa7b139de7a77f7",
    "us-ct/1": "sha256:356eef8df8ad5147c4c3895bae6e85120e6d69b05ac2a40d7b00f729c26f451a",
    "us-tx/1": "sha256:fccf8d8e28ebdce6cfae03e24e4e0b71e18ff148e7244f911ee0950df2258af6",
    "us-or/1": "sha256:975d52cb0d1a99d7212ab4bec43119bc3d4d998c1d8e5679033ac6e630bba2ca",
    "us-mt/1": "sha256:83a81bb2a1367d5b6ff680975d5f8c17cbd136b1c6f8dee9315288a1e0c68592",
    "us-de/1": "sha256:320608e82562ca665bb0cb2625a68c98478efde795879d5a1523af908a603f34",
    "us-nh/1": "sha256:a882801c7878c8bedf2a6d153d2347fd912de5ca8fd51f6be00607882d693467",
    "us-nj/1": "sha256:9f7e37a03c976a1063b7b0500a9531ceb114b05ee47bb2781da022f78cd74b9c",
    "us-ne/1": "sha256:83d66a7f4db7f2a9f0c46951e21da8e1bb779d3f5a8c6bf16e0f2da9271f721e",
    "us-tn/1": "sha256:fee0eec722a8a148603089f28cb95731d4ad7a716e2b937e883603bd6b9d8c72",
    "us-mn/1": "sha256:aef16d569961e634a97f7c36983d0a0ad46d1705231c54cf772da05b9e2e23c9",
    "us-md/1": "sha256:231bc8bb0037fc7475ba8f2d44b14cb5c42e3e76d6eb1d51a3268c6cb13064ac",
    "us-in/1": "sha256:ca58ae417a3b2eda071ffc2b4b8b875011c6360de409d3ac8a5f483235f99ee0",
    "us-ky/1": "sha256:3d99f9df2bb7655d6a17c955ca1600be186f4b567637bd0555d2eefa9a4d40b7",
    "us-ri/1": "sha256:9cc43087b0c9243b3abcd9c381a0ff2c46718fe03fbd8bb22ae22ac9237d2ec1",
    "us-ia/1": "sha256:aa62fe8b7fc8564cebbf693d3bbed3232371c1e2ef2a66154e2992210c9bc61f",
    "us-fl/1": "sha256:ed0694fee30cd90c7714057b884a738452b59c2904010350e305cf22ac6b2ee9",
    "pipeda/1": "sha256:55f8abd0056a55be8d085b681a82212108d4d1a0151f8201a6b433b8b4637027",
}
"""A released rule may not change: a case that names it must get the same date for ever. Add a version instead."""

# What the laws are said to give, from 1 January 2026: last day, latest day of an extension.
FIGURES = [
    ("gdpr", "2026-02-01", "2026-04-01"),
    ("uk-gdpr", "2026-02-01", "2026-04-01"),
    ("ccpa", "2026-02-15", "2026-04-01"),
    ("ccpa-opt-out", "2026-01-22", None),
    ("ucpa", "2026-02-15", "2026-04-01"),
    ("lgpd", "2026-01-16", None),
    ("quebec-law25", "2026-01-31", None),
    ("us-ia", "2026-04-01", "2026-05-16"),
    ("us-fl", "2026-02-15", "2026-03-02"),
    ("pipeda", "2026-01-31", "2026-03-02"),
    *((f"us-{state}", "2026-02-15", "2026-04-01") for state in (
        "va", "co", "ct", "tx", "or", "mt", "de", "nh", "nj", "ne", "tn", "mn", "md", "in", "ky", "ri",
    )),
]  # fmt: skip


def test_a_released_rule_is_never_edited() -> None:
    assert {f"{rule.regime}/{rule.version}": rule.digest for rule in rules()} == RELEASED


def test_versions_are_counted_from_one_and_none_is_there_twice() -> None:
    assert len(set(NAMES)) == len(NAMES)
    for regime in regimes(every=True):
        numbers = sorted(rule.version for rule in rules() if rule.regime == regime)
        assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("rule", rules(), ids=NAMES)
def test_every_rule_is_cited_and_complete(rule: Rule) -> None:
    assert rule.title
    assert rule.covers.endswith(".")
    assert rule.source
    assert rule.period != Period(0, 0)
    for part in (rule.moves, rule.extension, rule.acknowledge, rule.refusal, rule.pause):
        assert part is None or part.source
    if rule.moves or rule.business or rule.acknowledge:
        assert rule.places
    if rule.business:
        assert (rule.period.months, rule.extension) == (0, None)
    if rule.pause:
        assert set(rule.pause.effects) <= {"identity", "fee", "clarification"}
        assert set(rule.pause.effects.values()) <= {"restart", "skip"}


@pytest.mark.parametrize(("regime", "last", "latest"), FIGURES, ids=[row[0] for row in FIGURES])
def test_each_law_has_these_figures(regime: str, last: str, latest: str | None) -> None:
    deadline = due(regime, RECEIVED, "UTC")
    assert deadline.last_day == date.fromisoformat(last)
    assert (deadline.extension and deadline.extension.last_day) == (date.fromisoformat(latest) if latest else None)


def test_every_law_but_one_has_its_figures_here() -> None:
    """Switzerland fixes no length of an extension: its own test."""
    assert {row[0] for row in FIGURES} == set(regimes(every=True)) - {"fadp"}


def test_what_was_not_read_in_a_source_says_so_in_every_line() -> None:
    deadline = extend(due("us-va", RECEIVED, "UTC"), RECEIVED)
    assert not deadline.confirmed
    assert all(line.endswith(" NOT CONFIRMED: check the law's text") for line in deadline.explanation)
    assert {rule.regime for rule in rules() if not rule.confirmed} == {
        name for name in regimes(every=True) if name.startswith("us-") or name == "pipeda"
    }


@pytest.mark.parametrize("regime", [*regimes(), "ccpa-opt-out"])
def test_what_was_read_in_a_source_is_confirmed(regime: str) -> None:
    assert due(regime, RECEIVED, "UTC").confirmed


def test_when_a_refusal_must_be_told_under_uk_law_is_not_confirmed() -> None:
    """It is not what the deadline rests on, so only its own line says so."""
    lines = due("uk-gdpr", RECEIVED, "UTC").explanation
    assert [line.split()[1] for line in lines if "NOT CONFIRMED" in line] == ["refusal"]


def test_a_refusal_is_due_by_the_end_of_the_first_period_whatever_is_extended() -> None:
    deadline = extend(due("gdpr", RECEIVED, "UTC"), RECEIVED)
    assert deadline.refuse_by is not None
    assert deadline.refuse_by.date() == date(2026, 2, 1)
    assert due("ccpa", RECEIVED, "UTC").refuse_by is None


def test_an_explanation_tells_each_step_with_its_source() -> None:
    received = datetime.fromisoformat("2026-01-31T12:00:00+01:00")
    deadline = due("gdpr", received, "Europe/Berlin", holidays="DE-BE")
    source = "[GDPR Art. 12(3), counted by Reg. (EEC, Euratom) 1182/71 Art. 3]"
    lines = list(deadline.explanation)
    assert lines.pop(2).startswith("Saturday 2026-02-28 is not a working day (DE-BE, holidays ")
    assert lines == [
        f"received on Saturday 2026-01-31 in Europe/Berlin; that day is not counted {source}",
        f"1 month from 2026-01-31: until Saturday 2026-02-28, because that month has no day 31 {source}",
        "a refusal must be told by Monday 2026-03-02, whatever is extended or paused [GDPR Art. 12(4)]",
        (
            "may be extended to Thursday 2026-04-30 at most if the person is told why by Monday 2026-03-02 "
            "[GDPR Art. 12(3)]"
        ),
    ]
    assert [step.name for step in deadline.steps] == ["receipt", "period", "move", "refusal", "extension"]


@pytest.mark.parametrize(
    ("regime", "holidays", "rule_id"),
    [
        ("gdpr", "", "gdpr/1"),
        ("gdpr", "DE-BE", "gdpr/2+DE-BE"),
        ("gdpr", "US-CA", "gdpr/1"),
        ("uk-gdpr", "GB-ENG", "uk-gdpr/2+GB-ENG"),
        ("uk-gdpr", "DE-BE", "uk-gdpr/1"),
        ("ccpa", "US-CA", "ccpa/1+US-CA"),
        ("ccpa", "US-NY", "ccpa/1"),
        ("fadp", "CH-ZH", "fadp/1"),
    ],
)
def test_a_rule_is_named_so_that_it_can_be_counted_again(regime: str, holidays: str, rule_id: str) -> None:
    deadline = due(regime, RECEIVED, "UTC", holidays=holidays)
    assert deadline.rule_id == rule_id
    again = due_under(rule_id, RECEIVED, "UTC")
    assert (again.due, again.rule_id, again.acknowledge_by) == (deadline.due, rule_id, deadline.acknowledge_by)


def test_an_old_version_can_be_asked_for_and_does_not_move() -> None:
    received = datetime.fromisoformat("2026-01-31T12:00:00+00:00")
    first = due("gdpr", received, "UTC", version=1, holidays="DE-BE")
    assert (first.last_day, first.rule_id) == (date(2026, 2, 28), "gdpr/1")
    assert any("leaves the end where it is" in line for line in first.explanation)


@pytest.mark.parametrize(
    ("rule_id", "line"),
    [
        ("gdpr", "'gdpr' does not name a rule; write it like gdpr/1 or gdpr/2+DE-BE"),
        ("ada@example.org", "(not shown: not a plain word) does not name a rule; write it like gdpr/1 or gdpr/2+DE-BE"),
        ("gdpr/9", "there is no version 9 of the deadline of gdpr; known: 1, 2"),
        ("gdpr/2+DE-ZZ", "holidays of region 'DE-ZZ' are not known; known regions of DE: BB, BE, BW, BY, HB, HE, "),
        (
            "uk-gdpr/2",
            NEEDS_HOLIDAYS,
        ),
        (
            "uk-gdpr/2+DE",
            NEEDS_HOLIDAYS,
        ),
    ],
)
def test_what_names_no_rule_is_refused(rule_id: str, line: str) -> None:
    with pytest.raises(PolicyProblem) as raised:
        due_under(rule_id, RECEIVED, "UTC")
    assert raised.value.line().startswith(line)


def test_without_a_version_the_newest_that_can_be_used_is_used() -> None:
    assert pick("gdpr", None, "").version == 1
    assert pick("gdpr", None, "FR").version == 2


def test_no_library_of_holidays_is_loaded_unless_holidays_were_named() -> None:
    code = (
        "import sys, datetime, habeas_policies as h\n"
        "now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)\n"
        "[h.due(regime, now, 'UTC') for regime in h.regimes(every=True)]\n"
        "assert 'holidays' not in sys.modules\n"
        "h.due('gdpr', now, 'UTC', holidays='DE')\n"
        "assert 'holidays' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

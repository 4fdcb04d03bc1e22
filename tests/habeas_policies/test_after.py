"""The [after] table: what a policy says of the time after a case, and what it leaves to the configuration."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from habeas_policies import After, Period, Policy, bundled, check, load
from habeas_policies.checking import read

HEAD = 'name = "shop"\nversion = 1\ntype = "erasure"\nregime = "gdpr"\ndescription = "A policy."\n'
DEFAULT = '[default]\naction = "erase"\nreason = "Asked for."\nlegal_source = "GDPR Art. 17(1)(b)"\n'
RULE = """[[rules]]
match.category = ["https://w3id.org/dpv/pd#Tax", "https://w3id.org/dpv/pd#Transaction"]
action = "retain"
reason = "The law asks for it."
legal_basis = "https://w3id.org/dpv/legal/eu/gdpr#A6-1-c"
period = "P8Y"
period_starts = "received"
"""
RELEASED = HEAD + "expires = 2027-12-31\n" + DEFAULT + RULE


def policy(text: str) -> Policy:
    found = read(text, "shop.toml")
    assert isinstance(found, Policy), found
    return found


def after(table: str) -> str:
    return f"{HEAD}{DEFAULT}[after]\n{table}\n{RULE}"


def problems(text: str) -> list[str]:
    return [f"{problem.path}: {problem.message}" for problem in check(text, "shop.toml")]


# -- what is read -----------------------------------------------------------------------------------------------------

VALID = [
    ("", After()),
    ("recheck = []", After(recheck=())),
    ('recheck = ["P7D"]', After(recheck=(Period(0, 7),))),
    ('recheck = ["P1M", "P1W"]', After(recheck=(Period(1, 0), Period(0, 7)))),
    ('keep_details = "P0D"', After(keep_details=Period(0, 0))),
    ('keep_details = "P90D"', After(keep_details=Period(0, 90))),
    ('recheck = ["P1Y"]\nkeep_details = "P2Y6M"', After((Period(12, 0),), Period(30, 0))),
]


@pytest.mark.parametrize(("table", "expected"), VALID)
def test_what_it_says_is_what_is_read(table: str, expected: After) -> None:
    assert policy(after(table)).after == expected


def test_a_policy_without_the_table_leaves_all_to_the_configuration() -> None:
    assert policy(RELEASED).after == After() == After(None, None)


def test_an_access_policy_may_have_it_as_well() -> None:
    text = after('keep_details = "P30D"').replace('"erasure"', '"access"').replace('"erase"', '"retain"')
    text = text[: text.index("[[rules]]")].replace(
        'legal_source = "GDPR Art. 17(1)(b)"', 'legal_basis = "https://x.example#A6"'
    )
    assert policy(text).after == After(keep_details=Period(0, 30))


INVALID = [
    ("rechek = []", "$.after.rechek: is not a known key"),
    ('keep = "P1D"', "$.after.keep: is not a known key"),
    ('recheck = ["P0D"]', "$.after.recheck[0]: is no time at all"),
    ('recheck = ["P7D", "P0M"]', "$.after.recheck[1]: is no time at all"),
    ('recheck = ["P7D", "P7D"]', "$.after.recheck: names something twice"),
    ('recheck = "P7D"', "$.after.recheck: must be a list"),
    ("recheck = [7]", "$.after.recheck[0]: must be a text"),
    ('recheck = ["7 days"]', "$.after.recheck[0]: is not written as it must be"),
    ('recheck = ["PT1H"]', "$.after.recheck[0]: is not written as it must be"),
    ('recheck = ["P"]', "$.after.recheck[0]: is not written as it must be"),
    ("keep_details = 90", "$.after.keep_details: must be a text"),
    ('keep_details = ""', "$.after.keep_details: is not written as it must be"),
    ('keep_details = "-P1D"', "$.after.keep_details: is not written as it must be"),
    ("recheck = [" + ", ".join(f'"P{n}D"' for n in range(1, 22)) + "]", "$.after.recheck: has more than 20 entries"),
]


@pytest.mark.parametrize(("table", "says"), INVALID)
def test_what_is_wrong_with_it_is_said_with_its_place(table: str, says: str) -> None:
    (problem,) = problems(after(table))
    assert problem.startswith(says)


def test_a_close_name_is_proposed() -> None:
    (problem,) = check(after("rechek = []"), "shop.toml")
    assert "write `recheck`" in problem.advice


def test_it_is_a_table() -> None:
    assert problems(HEAD + "after = 1\n" + DEFAULT) == ["$.after: must be a table"]


# -- digests ----------------------------------------------------------------------------------------------------------

PINNED = {
    ("ccpa-delete", 1): "sha256:86710929b50580cf65482077c47d1060c78815c6acd22d9276add2f0a57214ee",
    ("gdpr-access", 1): "sha256:37bf531f5a2662f669d4001eda80f57888f90365e3545cddc412a871c34411ba",
    ("gdpr-erasure", 1): "sha256:346364a100d66845831c745902bc67cfb8be209173e79d85b1d95fe96b1cf12e",
    ("gdpr-erasure-hold-payments", 1): "sha256:34ea3a7db047b2470d76eefd03a0ec1d24c2551b79380dc01c895a1ae973b0d7",
}
"""As they were before there was such a table: cases that are open name them."""


def test_policies_of_before_keep_their_digests() -> None:
    """A bundled one whose text was changed since has a higher version."""
    latest: dict[str, int] = {}
    for name, version in PINNED:
        latest[name] = max(version, latest.get(name, 0))
    for name in bundled():
        found = load(name)
        assert found.version >= latest[name]
        if (name, found.version) in PINNED:
            assert found.digest == PINNED[name, found.version]
    assert policy(RELEASED).digest == "sha256:986ca1beeb8c9f17bb36becd150b7e445a49aeebcb1b8d08aa5fb15f46270c6b"


def test_a_table_that_says_nothing_changes_nothing() -> None:
    assert policy(after("")).digest == policy(HEAD + DEFAULT + RULE).digest


def test_what_it_says_is_part_of_what_is_approved() -> None:
    """`recheck = []` is not the same as nothing said; another spelling of a period is the same."""
    tables = ["", "recheck = []", 'recheck = ["P7D"]', 'recheck = ["P7D", "P30D"]', 'keep_details = "P0D"',
              'keep_details = "P7D"', 'recheck = ["P7D"]\nkeep_details = "P7D"']  # fmt: skip
    assert len({policy(after(table)).digest for table in tables}) == len(tables)
    same = ['recheck = ["P7D"]\nkeep_details = "P12M"', 'keep_details = "P1Y"\nrecheck = ["P1W"]']
    assert len({policy(after(table)).digest for table in same}) == 1


PERIODS = st.builds(Period, st.integers(0, 9999), st.integers(0, 99_999))


@given(st.none() | st.lists(PERIODS.filter(lambda p: p != Period(0, 0)), max_size=4, unique=True), st.none() | PERIODS)
def test_whatever_is_written_comes_back(recheck: list[Period] | None, keep: Period | None) -> None:
    lines: list[Any] = []
    if recheck is not None:
        lines.append("recheck = [" + ", ".join(f'"{period}"' for period in recheck) + "]")
    if keep is not None:
        lines.append(f'keep_details = "{keep}"')
    found = policy(after("\n".join(lines))).after
    assert found == After(None if recheck is None else tuple(recheck), keep)
    assert set(found.meaning()) == {line.split(" ")[0] for line in lines}

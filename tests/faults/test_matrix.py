"""Every call of an erasure, access, rectification and consent run, at every vendor, with everything that can go wrong.

`make faults` plays all of it; `make test` one play of each kind.
"""

from __future__ import annotations

from collections import Counter

import pytest
from tests.faults.judge import Verdict, play
from tests.faults.kinds import KINDS, Kind
from tests.faults.stage import COMMANDS, Place, Stage, Undisturbed
from tests.figures import record

VENDORS = ("cybersource", "talonone", "voucherify")
IMPOSSIBLE = {"a job that never ends": {"access", "rectify", "consent"}, "pages that never end": {"consent"}}
"""Commands that make no call at which it could happen."""


def places_of(kind: Kind, clean: Undisturbed, vendor: str) -> list[Place]:
    return [place for place in kind.places(iter(clean.places)) if place.vendor == vendor]


@pytest.mark.faults
@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_at_every_call(name: str, vendor: str, kind: Kind, stage: Stage, clean: Undisturbed) -> None:
    """True, bounded, discreet, and finished by resume."""
    searched = stage.searched
    verdicts = {place: play(stage, name, clean, kind, place) for place in places_of(kind, clean, vendor)}
    problems = {f"{p.number} {p.operation}": v.problems for p, v in verdicts.items() if v.problems}
    leaks = sum(problem.startswith(("home/", "stdout", "stderr")) for v in verdicts.values() for problem in v.problems)
    if verdicts:
        record("vendors", {f"{name} | {kind.name} | {vendor}": row_of(list(verdicts.values()))})
    record("searched", {f"{name} | {kind.name} | {vendor}": {"bytes": stage.searched - searched, "leaks": leaks}})
    assert problems == {}


def row_of(verdicts: list[Verdict]) -> dict[str, object]:
    """What the table says of the plays of one kind."""
    return {
        "calls": len(verdicts),
        "codes": dict(sorted(Counter(str(v.code) for v in verdicts).items())),
        "results": sorted({result for v in verdicts for result in v.results.split(", ") if result}),
        "resumed": sum(v.resumed for v in verdicts),
    }


def test_no_kind_is_without_a_place(stage: Stage) -> None:
    """A fault that can happen nowhere would be a row of the table that tests nothing."""
    for kind in KINDS:
        for name in set(COMMANDS) - IMPOSSIBLE.get(kind.name, set()) - ({"access"} if kind.lies else set()):
            assert any(places_of(kind, stage.undisturbed(name), vendor) for vendor in VENDORS), (kind.name, name)


@pytest.mark.parametrize("number", range(len(KINDS)), ids=[kind.name for kind in KINDS])
def test_at_one_call(number: int, stage: Stage) -> None:
    """One play of each kind: command, vendor and call move on from kind to kind."""
    kind = KINDS[number]
    plays = [
        (name, place)
        for n in range(len(COMMANDS))
        for name in [list(COMMANDS)[(n + number) % len(COMMANDS)]]
        for place in places_of(kind, stage.undisturbed(name), VENDORS[number % len(VENDORS)])
    ] or [(name, p) for name in COMMANDS for v in VENDORS for p in places_of(kind, stage.undisturbed(name), v)]
    name, place = plays[number % min(7, len(plays))]
    verdict = play(stage, name, stage.undisturbed(name), kind, place)
    assert verdict.problems == [], (name, place.vendor, place.operation)

"""What must be true of a command that was disturbed, and of the case once the vendor has recovered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.faults.kinds import Kind
from tests.faults.stage import Place, Played, Stage, Undisturbed, rows_of

__all__ = ["Verdict", "play"]

LONGEST = 90.0
"""Seconds a command about one person may take, whatever vendors do (DESIGN section 6)."""
_REAL_LONGEST = 30.0
"""The same by the machine's clock, where waiting takes no time: room for a busy machine, not for a loop."""
_SETTLED = {"erased", "absent", "exported", "updated", "unchanged", "retained", "accepted", "manual", "unsupported"}


@dataclass
class Verdict:
    """What became of one play."""

    code: int
    """Exit code of the disturbed command."""
    results: str
    """What the disturbed vendor's records came to, each once."""
    resumed: bool
    """Whether `habeas resume` had anything to do."""
    calls: int
    """Calls the disturbed vendor saw."""
    problems: list[str] = field(default_factory=list)


def play(stage: Stage, name: str, clean: Undisturbed, kind: Kind, place: Place) -> Verdict:
    """Plays a command with one thing going wrong, then heals the vendor and resumes, and judges both."""
    stage.afresh()
    others = stage.others()
    server = stage.vendors[place.vendor]
    server.fail(kind.fault(place, stage.elsewhere.url))
    played = stage.run(*stage.command(name), config=stage.hasty if kind.hasty else None)
    server.release()
    calls = len(server.calls)
    problems = _said_well(played)
    if problems:
        return Verdict(played.code, "", False, calls, problems)
    case = played.json
    if "outcomes" not in case:
        return Verdict(played.code, "", False, calls, [f"no case: {case}"])
    problems += _true(stage, clean, case, place) + _bounded(clean, played, place, calls)
    if kind.passes and (played.code, rows_of(case)) != (clean.code, clean.rows):
        problems.append("a single run does not get over it")
    problems += stage.ledger_problems()
    stage.heal()
    server._released.clear()
    resumed = stage.run("resume")
    problems += _said_well(resumed) + _finished(stage, clean, case, resumed, loosely=kind.lies)
    if stage.others() != others:
        problems.append("somebody else's data was changed")
    if stage.elsewhere.calls:
        problems.append(f"another host was asked: {stage.elsewhere.calls[0].splitlines()[0]}")
    problems += stage.ledger_problems() + stage.leaks(played, resumed)
    results = ", ".join(sorted({row["result"] for row in case["outcomes"] if row["connection"] == place.vendor}))
    return Verdict(played.code, results, case["status"] == "incomplete", calls, problems)


def _said_well(played: Played) -> list[str]:
    problems = []
    if "Traceback" in played.stderr or "internal fault" in played.stderr:
        problems.append(f"a fault of our own: {played.stderr[-300:]}")
    if played.code not in (0, 1, 3, 4):
        problems.append(f"exit code {played.code}: {played.stderr[-300:]}")
    return problems


def _bounded(clean: Undisturbed, played: Played, place: Place, calls: int) -> list[str]:
    problems = []
    if played.slept > LONGEST + 1:
        problems.append(f"it would have waited {played.slept:.0f} s")
    if played.took > _REAL_LONGEST:
        problems.append(f"it took {played.took:.0f} s")
    most = 3 * sum(p.vendor == place.vendor for p in clean.places) + 200
    if calls > most:
        problems.append(f"{calls} calls were made, and {most} are the most that may be")
    return problems


def _true(stage: Stage, clean: Undisturbed, case: Any, place: Place) -> list[str]:
    """Nothing is claimed that is not so at the vendor; other vendors end as if nothing had been."""
    problems = []
    rows, truth, package = rows_of(case), stage.truth(), stage.package(case)
    settled = all(row["result"] in _SETTLED for row in case["outcomes"])
    if case["status"] == "completed" and not settled:
        problems.append("completed with an outcome that is none")
    if settled and case["status"] != "completed":
        problems.append(f"{case['status']}, and every outcome is settled")
    for vendor, expected in clean.rows.items():
        mine = rows.get(vendor, [])
        if vendor != place.vendor and mine != expected and case["type"] != "erasure":
            problems.append(f"{vendor} ends otherwise than without the trouble elsewhere: {mine}")
        if mine == expected and truth[vendor] != clean.truth[vendor]:
            problems.append(f"{vendor} is said to be as it should, and is not")
        theirs = {n for n in clean.package if n.startswith(f"processors/{vendor}/")}
        if mine == expected and any(package.get(n) != clean.package[n] for n in theirs):
            problems.append(f"{vendor} is said to be exported, and its documents are not the same")
    held = stage.world.held(stage.person).get(place.vendor, {})
    rows_held = [r for r in case["outcomes"] if r["connection"] == place.vendor and held.get(r["record"])]
    # An absence with a reason is one field's: the record is there.
    untrue = [r for r in rows_held if r["result"] == "erased" or (r["result"] == "absent" and not r["reason"])]
    return problems + [f"{row['record']} is said to be {row['result']}, and is held" for row in untrue]


def _finished(stage: Stage, clean: Undisturbed, case: Any, resumed: Played, *, loosely: bool) -> list[str]:
    """The same end as that of a run that nothing disturbed; and once it is there, nothing more is sent.

    ``loosely``: what should have been changed may be left to a person instead.
    """
    if case["status"] == "incomplete":
        (case,) = resumed.json["cases"] or (case,)
        if resumed.code != clean.code and not (loosely and resumed.code == 3):
            return [f"resume ends with {resumed.code}: {rows_of(case)} {_reasons(case)}"]
    problems = []
    if case["status"] != "completed":
        problems.append(f"{case['status']} after resume: {rows_of(case)}")
    rows, truth = rows_of(case), stage.truth()
    for vendor, expected in clean.rows.items():
        mine = rows.get(vendor, [])
        if loosely and _left_to_a_person(mine, expected):
            continue
        if mine != expected:
            problems.append(f"{vendor} ends with {sorted(set(mine) ^ set(expected))} otherwise")
        if truth[vendor] != clean.truth[vendor]:
            problems.append(f"{vendor} does not hold what it should")
    package = stage.package(case)
    if package != clean.package:
        problems.append(f"the package differs: {sorted(set(package) ^ set(clean.package))}")
    before = sum(len(server.calls) for server in stage.vendors.values())
    again = stage.run("resume")
    if again.json.get("cases") != [] or sum(len(server.calls) for server in stage.vendors.values()) != before:
        problems.append("a finished case is asked about again")
    return problems


def _left_to_a_person(mine: Sequence[tuple[str, ...]], expected: Sequence[tuple[str, ...]]) -> bool:
    """Whether the only difference is that something updated is now ``manual`` or ``accepted``."""
    missing, more = [row for row in expected if row not in mine], [row for row in mine if row not in expected]
    return (
        bool(more)
        and [row[:3] for row in missing] == [row[:3] for row in more]
        and {row[4] for row in missing} == {"updated"}
        and {row[4] for row in more} <= {"manual", "accepted"}
    )


def _reasons(case: Any) -> list[str]:
    return [row["reason"] for row in case["outcomes"] if row["result"] in ("failed", "unknown")]

"""What the controls of a canary run show, judged. Pure, but for the earlier runs that :func:`alarms` reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from habeas.changes import Effect
from habeas.engine.tools import Row, Tools
from habeas.models import Inventory, Outcome, PlanItem, Result

__all__ = [
    "CONTROLS",
    "Alarm",
    "Control",
    "Verdict",
    "alarms",
    "judge_consents",
    "judge_corrections",
    "rows_of_erasure",
    "rows_of_gaps",
]

CONTROLS = ("create", "inventory", "export", "consent", "rectify", "erase", "verify")
"""What a canary run tries at each connection, in this order."""
_DONE = (Result.UPDATED, Result.UNCHANGED, Result.ACCEPTED)
_WORST = (
    Result.FAILED, Result.UNKNOWN, Result.MANUAL, Result.UNSUPPORTED, Result.ACCEPTED, Result.RETAINED, Result.ERASED,
    Result.ABSENT,
)  # fmt: skip


class Verdict(StrEnum):
    """What a control showed."""

    WORKED = "worked"
    FAILED = "failed"
    UNSUPPORTED = "unsupported"
    """The plugin or the vendor offers no way."""
    UNTESTED = "untested"
    """Nothing to test it on, or the run was stopped before."""


@dataclass(frozen=True)
class Control:
    """One control at one connection."""

    connection: str
    control: str
    verdict: Verdict
    detail: str = ""
    """How we know, or what went wrong: safe text."""


@dataclass(frozen=True)
class Alarm:
    """A control that worked before and does not now."""

    connection: str
    control: str
    worked_at: str
    """RFC 3339: when it last worked."""
    detail: str


def alarms(tools: Tools, controls: Iterable[Control], case_id: str) -> list[Alarm]:
    """Those controls that worked in an earlier run, when last, and do not work in this one."""
    wrong = [c for c in controls if c.verdict in (Verdict.FAILED, Verdict.UNSUPPORTED)]
    worked: dict[tuple[str, str], str] = {}
    if not wrong:
        return []
    for entry in tools.ledger.entries(types=["canary.control"]):
        if entry.case_id != case_id and entry.data["verdict"] == Verdict.WORKED:
            worked[entry.connection, entry.data["control"]] = entry.at
    return [
        Alarm(c.connection, c.control, worked[c.connection, c.control], c.detail)
        for c in wrong
        if (c.connection, c.control) in worked
    ]


def judge_consents(granted: Iterable[Effect], withdrawn: Iterable[Effect]) -> tuple[Verdict, str]:
    """Pure. Each purpose must have been granted and then withdrawn, as far as the vendor can do that at all."""
    first, last = tuple(granted), tuple(withdrawn)
    bad = [e for e in (*first, *last) if e.result not in _DONE and e.result is not Result.UNSUPPORTED]
    if bad:
        return Verdict.FAILED, _say(bad[0])
    good = [e for e in last if e.result in _DONE]
    if not good:
        return Verdict.UNSUPPORTED, _say(last[0])
    if any(e.result is Result.UNCHANGED for e in good):
        return Verdict.FAILED, "a consent just given was found withdrawn already"
    return Verdict.WORKED, _say(good[0])


def judge_corrections(effects: Iterable[Effect]) -> tuple[Verdict, str]:
    """Pure. Each field that can be corrected here must have been, in at least one kind of record."""
    by_index: dict[int, list[Effect]] = {}
    for effect in effects:
        by_index.setdefault(effect.index, []).append(effect)
    updated = []
    for found in by_index.values():
        good = [e for e in found if e.result is Result.UPDATED]
        wrong = [e for e in found if e.result in (Result.FAILED, Result.UNKNOWN, Result.UNCHANGED)]
        if wrong and (not good or wrong[0].result is not Result.UNCHANGED):
            return Verdict.FAILED, _say(wrong[0])
        updated += good
    if updated:
        return Verdict.WORKED, _say(updated[0])
    rest = [effect for found in by_index.values() for effect in found]
    only_unsupported = all(e.result is Result.UNSUPPORTED for e in rest)
    return Verdict.UNSUPPORTED if only_unsupported else Verdict.FAILED, _say(rest[0])


def _say(effect: Effect) -> str:
    return "; ".join(part for part in (str(effect.result), effect.reason, effect.evidence) if part)


def rows_of_erasure(items: Iterable[PlanItem], outcomes: Iterable[Outcome]) -> list[Row]:
    """One row for each kind: the worst of its outcomes."""
    by_index = {outcome.index: outcome for outcome in outcomes}
    kinds: dict[str, list[tuple[PlanItem, Outcome]]] = {}
    for item in items:
        kinds.setdefault(item.record.kind, []).append((item, by_index[item.index]))
    rows = []
    for kind, pairs in kinds.items():
        worst = min((outcome for _, outcome in pairs), key=lambda o: _WORST.index(o.result))
        count = sum(item.record.count for item, _ in pairs)
        rows.append(Row(kind, kind, count, worst.result, worst.reason, worst.until, worst.evidence))
    return rows


def rows_of_gaps(found: Inventory, name: str) -> list[Row]:
    """What could not be searched for a made-up person of that name: a person must look for them."""
    gaps = [gap for gap in found.gaps if not gap.standing]
    return [Row(g.kind, f"g.{g.kind}", g.count, g.result, reason=f"look for {name}: {g.reason}") for g in gaps]

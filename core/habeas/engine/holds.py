"""Holds that have ended: what was kept for a time is erased when the time is over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from habeas.cases.view import CaseView
from habeas.engine.tools import Run, Tools
from habeas_audit import Draft

__all__ = ["ended_holds", "note_release"]


def ended_holds(tools: Tools) -> Iterator[CaseView]:
    """Closed cases of which something was held, and its last day has passed. Looks at each hold, not at each case.

    Not those that another goes on with which itself holds something still: its hold counts from a later day.
    """
    today = tools.local_date(tools.clock.now()).isoformat()
    ended: dict[str, None] = {}
    running: dict[str, None] = {}
    for entry in tools.ledger.entries(types=["hold.placed"]):
        (running if entry.data["until"] >= today else ended)[entry.case_id] = None
    views = [tools.register.view(case_id) for case_id in ended]
    views = [view for view in views if view.closed and any(until < today for _, until in view.holds)]
    kept = _followed(tools, running) if views else set()
    for view in views:
        if view.case_id not in kept and not tools.keys.destroyed_at(view.case_id):
            yield view


def _followed(tools: Tools, case_ids: Iterable[str]) -> set[str]:
    """All cases that these go on with, directly or through others."""
    found: set[str] = set()
    waiting = list(case_ids)
    while waiting:
        opened = next(iter(tools.ledger.entries(case_id=waiting.pop(), types=["case.opened"])), None)
        follows = "" if opened is None else str(opened.data.get("follows", ""))
        if follows and follows not in found:
            found.add(follows)
            waiting.append(follows)
    return found


def note_release(tools: Tools, run: Run, view: CaseView, case_id: str) -> None:
    """Writes that a hold's time is over, and which case erases what it kept."""
    yesterday = tools.local_date(tools.clock.now()) - timedelta(days=1)
    data = {"until": yesterday.isoformat(), "case": case_id}
    tools.ledger.append(Draft("hold.released", view.case_id, run.run_id, "", "", data))

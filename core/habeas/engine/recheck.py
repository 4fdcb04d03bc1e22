"""Whether people who were erased are still gone: vendors restore backups, other systems write to them. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from habeas.cases.retention import due_rechecks
from habeas.cases.view import CaseView
from habeas.engine.events import NobodyKnown, Rechecked
from habeas.engine.links import Link
from habeas.engine.purge import after_of
from habeas.engine.tools import ConnectionTrouble, Run, Tools, counted, search, side_by_side
from habeas.errors import KeyDestroyed, StorageError
from habeas.models import CaseStatus, CaseType, Inventory, Result
from habeas_audit import Draft
from habeas_policies import Period

__all__ = ["Wanted", "recheck_case", "wanted_rechecks"]

_GONE = (Result.ERASED, Result.ABSENT)


@dataclass(frozen=True)
class Wanted:
    """An erased person who is to be looked up again."""

    view: CaseView
    periods: tuple[Period, ...]
    """Which of the policy's rechecks this is; empty where somebody asked."""


def wanted_rechecks(tools: Tools, *, everyone: bool, case_ids: Sequence[str]) -> Iterator[Wanted]:
    """Who is to be looked up: the cases named, or everyone erased, or those whose day has come."""
    zone, today = tools.controller.timezone, tools.local_date(tools.clock.now())
    for case_id in case_ids or tools.register.cases():
        view = tools.register.view(case_id)
        if view.type is not CaseType.ERASURE or view.status is not CaseStatus.COMPLETED:
            continue
        periods = due_rechecks(view, after_of(tools, view), zone, today)
        if periods or everyone or case_ids:
            yield Wanted(view, periods)


def recheck_case(tools: Tools, run: Run, wanted: Wanted, connections: Collection[str]) -> Rechecked | NobodyKnown:
    """Searches again at these connections (all, where none is named), and writes down what that showed."""
    view = wanted.view
    try:
        subject = tools.register.request(view.case_id).subject
    except KeyDestroyed:
        return NobodyKnown(view.case_id)
    except StorageError:
        # A key store put back from a copy still has the key; what it opened is gone.
        if not view.details_destroyed_at:
            raise
        return NobodyKnown(view.case_id)
    links = [link for name, link in tools.links.items() if not connections or name in connections]
    results = side_by_side(links, lambda link: search(tools, run, link, subject), run.control)
    back: dict[str, dict[str, int]] = {}
    gone: dict[str, str] = {}
    problems: dict[str, str] = {}
    for link, result in zip(links, results, strict=True):
        if isinstance(result, ConnectionTrouble):
            problems[link.name] = result.text
        elif kinds := _returned(view, link, result):
            back[link.name] = kinds
        else:
            gone[link.name] = result.evidence or "searched, nothing there that should be gone"
    problems |= dict.fromkeys(_unasked(view, tools, connections), "it is no longer configured")
    rechecked = Rechecked(view, back, gone, problems)
    # A look at some connections only is not the one that a policy asks for.
    periods = [] if connections else [str(period) for period in wanted.periods]
    data = {"periods": periods, "connections": rechecked.to_json()}
    tools.ledger.append(Draft("case.rechecked", view.case_id, run.run_id, "", "", data))
    return rechecked


def _unasked(view: CaseView, tools: Tools, connections: Collection[str]) -> list[str]:
    names = dict.fromkeys(row.connection for row in view.outcomes)
    return [name for name in names if name not in tools.links and (not connections or name in connections)]


def _returned(view: CaseView, link: Link, found: Inventory) -> dict[str, int]:
    """Kinds with more records than the case has left there. What it never claimed to be gone is not back."""
    rows = [row for row in view.outcomes if row.connection == link.name]
    left: dict[str, int] = {}
    for row in rows:
        if row.result not in _GONE:
            left[row.record] = left.get(row.record, 0) + max(row.count, 1)
    return {kind: n - left.get(kind, 0) for kind, n in counted(found).items() if n > left.get(kind, 0)}

"""What people decide about a case by hand, and when they can expect it to be done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from habeas.app import WITH_POLICY, App
from habeas.cases import forecast as dates
from habeas.cases.view import WHOLE, CaseView
from habeas.control import RunControl
from habeas.engine.pace import capacities, usual_changes
from habeas.engine.plan import Plan
from habeas.engine.tools import Row, begin, close_case, write_rows
from habeas.errors import RefusedError
from habeas.models import CaseStatus, Json, Result
from habeas_audit import Draft

__all__ = ["close_by_hand", "forecast", "note", "take_up"]

_MAX_REASON = 2048
"""Characters of a reason that are kept."""


def forecast(app: App, views: Sequence[CaseView]) -> Sequence[dates.Forecast]:
    """When each of these would be done at the vendors' limits and quotas, judged by the last cases' changing calls."""
    dated = [(view.case_id, datetime.fromisoformat(view.due_at)) for view in views]
    changes = usual_changes(app.tools.ledger)
    return dates.forecast(dated, changes, capacities(app.tools.links), app.tools.clock.now())


def note(app: App, case_id: str, entry: str, data: Callable[[CaseView], Mapping[str, Json]], command: str
) -> CaseView:  # fmt: skip
    """Writes an entry about a case, in a run of its own. ``data`` judges the case while it is held."""
    with app.run(command, lambda _: None, RunControl(app.tools.clock)) as run, app.hold(case_id):
        content = data(app.tools.register.view(case_id))
        app.tools.ledger.append(Draft(entry, case_id, run.run_id, "", "", content))
    return app.tools.register.view(case_id)


def take_up(app: App, view: CaseView) -> None:
    """Before a closed case is reopened. Raises :class:`RefusedError` where another has taken its place."""
    if view.type in WITH_POLICY:
        found = app.tools.register.duplicate(view.type, app.tools.register.request(view.case_id).subject)
        if found is not None and found.case_id != view.case_id:
            raise RefusedError(
                f"case {found.case_id} ({found.status}) is about the same, and open", advice="go on with that one"
            )
    app.tools.register.take_up(view)


def close_by_hand(app: App, case_id: str) -> CaseView:
    """Hands what failed, or was never answered, to a person, and closes the case."""
    with app.run("case close", lambda _: None, RunControl(app.tools.clock)) as run, app.hold(case_id):
        if app.tools.register.view(case_id).closed:
            raise RefusedError(f"case {case_id} was closed in the meantime")
        view = begin(app.tools, run, case_id)
        for row in view.outcomes:
            if not row.result.final:
                reason = f"handed to a person, since it could not be finished: {row.reason}"[:_MAX_REASON]
                left = Row(row.record, row.item, row.count, Result.MANUAL, reason, "", "", row.purpose, row.field)
                write_rows(app.tools, run, view, row.connection, row.plugin, [left])
        answered = {row.connection for row in view.outcomes}
        for name, (plugin, record) in _asked(app, view).items():
            if name not in answered:
                never = Row(record, WHOLE, 0, Result.MANUAL, "handed to a person, since it was never answered")
                write_rows(app.tools, run, view, name, plugin, [never])
        close_case(app.tools, run, case_id, CaseStatus.COMPLETED, "what was left was handed to a person")
    return app.tools.register.view(case_id)


def _asked(app: App, view: CaseView) -> dict[str, tuple[str, str]]:
    """Connection → plugin and main kind of record, of all that a case has to ask."""
    kept = app.tools.register.request(view.case_id).details.get("connections")
    if kept is not None:
        return {name: (one["plugin"], one["record"]) for name, one in kept.items()}
    found = {link.name: (link.info.name, link.info.main_kind) for link in app.tools.links.values()}
    if view.plan_item:
        for part in Plan.from_json(app.tools.vault.get(view.case_id, view.plan_item)).connections:
            found.setdefault(part.connection, (part.plugin, part.plugin))
    return found

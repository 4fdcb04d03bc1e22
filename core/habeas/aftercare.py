"""What follows once a case is closed: its certificate, second looks, ends of holds, and ends of suppression."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from habeas import __version__
from habeas.app import App
from habeas.cases.register import NewCase
from habeas.cases.view import CaseView
from habeas.engine.events import CaseRechecked, Event, NobodyKnown, Rechecked
from habeas.engine.holds import ended_holds, note_release
from habeas.engine.recheck import Wanted, recheck_case, wanted_rechecks
from habeas.engine.runner import run_cases
from habeas.engine.timekeeping import clock_doubt
from habeas.engine.tools import Run
from habeas.errors import PolicyError, StorageError
from habeas.models import CaseType, Json
from habeas.reports.certificate.build import Issuer, build_certificate
from habeas_audit import Draft
from habeas_policies import PolicyProblem

__all__ = ["certificate", "erase_again", "issue_certificate", "lift_suppression", "recheck", "release_holds"]


def issue_certificate(app: App, run: Run, case_id: str) -> Issuer:
    """Writes that a certificate of a case is made, as its last entry; it is built once the run is sealed."""
    view = app.seen(case_id)
    notices = tuple((n.connection, n.text, n.until) for n in app.record(view).notices)
    controller = app.config.controller
    issuer = Issuer(controller.name, controller.contact, f"habeas {__version__}", notices)
    count = sum(1 for _ in app.tools.ledger.entries(case_id=case_id))
    data = {"entries": count, "issuer": issuer.digest}
    app.tools.ledger.append(Draft("certificate.issued", case_id, run.run_id, "", "", data))
    return issuer


def certificate(app: App, case_id: str, issuer: Issuer) -> Json:
    """The certificate that was issued last. Raises :class:`StorageError` where the ledger could not be signed."""
    signed = app.seal.newest()
    entries = list(app.tools.ledger.entries(case_id=case_id))
    last = max(n for n, entry in enumerate(entries) if entry.type == "certificate.issued")
    if signed is None or app.seal.problem or entries[last].seq > signed.head.size:
        why = app.seal.problem or "the ledger was not signed"
        raise StorageError(f"there is nothing to prove the case with: {why}", advice="run it again once that is so")
    with app.tools.ledger.proofs() as proofs:
        return build_certificate(issuer, entries[: last + 1], proofs, signed, app.seal.public_keys())


def lift_suppression(app: App, run: Run, case_ids: Sequence[str], why: str) -> None:
    """Takes people off the suppression list, once the ledger says why."""
    drafts = [Draft("suppression.lifted", case_id, run.run_id, "", "", {"why": why}) for case_id in case_ids]
    app.tools.ledger.append(*drafts)
    app.tools.suppression.remove(case_ids)


def recheck(
    app: App, run: Run, *, everyone: bool, case_ids: Sequence[str], connections: Collection[str]
) -> Iterator[Rechecked | NobodyKnown]:
    """Looks up erased people again, several at a time; see :mod:`habeas.engine.recheck`."""
    wanted: dict[str, Wanted] = {}

    def names() -> Iterator[str]:
        for one in wanted_rechecks(app.tools, everyone=everyone, case_ids=case_ids):
            wanted[one.view.case_id] = one
            yield one.view.case_id

    def work(case_id: str, emit: Callable[[Event], None]) -> None:
        here = Run(run.run_id, run.actor, run.control, emit)
        emit(CaseRechecked(recheck_case(app.tools, here, wanted.pop(case_id), connections)))

    events = run_cases(names(), work, locks=app.locks, control=run.control, workers=app.workers)
    return (event.result for event in events if isinstance(event, CaseRechecked))


def erase_again(app: App, run: Run, view: CaseView) -> CaseView:
    """A new erasure that goes on with one whose person came back: the request for it still stands."""
    return app.carry_out(run, _following(app, view))


def _following(app: App, view: CaseView) -> NewCase:
    """A case that goes on with an erasure, approved as that one was; whose identity was checked then."""
    request = app.tools.register.request(view.case_id)
    new = app.new_case(
        CaseType.ERASURE, request.subject, policy=view.policy, regime=view.regime, reference=request.reference,
        approved=True, follows=view.case_id,
    )  # fmt: skip
    return replace(new, identity=False)


def release_holds(app: App, run: Run) -> tuple[list[str], list[str]]:
    """Opens an erasure for everything whose hold has ended: the cases, and why others could not be opened.

    They are judged by the day of the first request: a hold counts from there, and does not begin anew.
    """
    opened: dict[str, str] = {}
    problems = []
    ended = list(ended_holds(app.tools))
    doubt = clock_doubt(app.tools.ledger, app.tools.clock) if ended else ""
    if doubt:
        return [], [f"{doubt}: no hold is ended by it. Set it right; if it is right, add --trust-clock"]
    # The newest first: what goes on with an older case, and holds what that one held, ends both holds.
    for view in reversed(ended):
        try:
            case_id = opened.get(view.case_id) or _released_into(app, run, view)
        except (PolicyError, PolicyProblem, StorageError) as problem:
            problems.append(f"the hold of case {view.case_id} has ended, but: {problem}")
            continue
        note_release(app.tools, run, view, case_id)
        opened[view.case_id] = case_id
        if view.follows:
            opened[view.follows] = case_id
    return list(dict.fromkeys(opened.values())), problems


def _released_into(app: App, run: Run, view: CaseView) -> str:
    new = replace(_following(app, view), received_at=datetime.fromisoformat(view.received_at))
    with app.opening():
        begun = app.tools.register.duplicate(new.type, new.request.subject)
        if begun is not None and begun.follows == view.case_id:
            return begun.case_id  # whoever opened it was killed before they could say so
        return app.tools.register.open(run.run_id, [new])[0]

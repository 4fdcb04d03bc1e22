"""A canary run: a made-up person is created, looked up, exported, asked for consent, corrected, erased and read back.

It is a case like any other: what it sends is in the ledger before it is sent, and a run that is killed is cleaned up by
``habeas resume``. What each control showed is written as ``canary.control``, so that the next run can tell what has
stopped working.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from habeas.cases.view import CaseView
from habeas.changes import CanaryPerson, ConsentChange, ConsentState, ConsentUpdate, Correction, Effect, Rectification
from habeas.connection import Connection
from habeas.control import RunControl
from habeas.engine.events import ConnectionFinished
from habeas.engine.journal import CaseJournal
from habeas.engine.links import Link
from habeas.engine.tools import (
    ConnectionTrouble,
    Row,
    Run,
    Tools,
    asked,
    attempt,
    begin,
    close_case,
    conclude,
    counted,
    journal_for,
    search,
    side_by_side,
    unconfigured,
    write_rows,
)
from habeas.engine.verdicts import (
    CONTROLS,
    Control,
    Verdict,
    judge_consents,
    judge_corrections,
    rows_of_erasure,
    rows_of_gaps,
)
from habeas.errors import RunEnded
from habeas.models import (
    Action,
    CaseStatus,
    Erasure,
    Field,
    Identifier,
    Inventory,
    Json,
    Outcome,
    PlanItem,
    Result,
    Subject,
)
from habeas_audit import Draft

__all__ = ["CanaryPass", "canary_details", "new_person"]

T = TypeVar("T")


_RIGHT = {
    Field.NAME: "Corrected Made-Up",
    Field.FIRST_NAME: "Corrected",
    Field.LAST_NAME: "Made-Up",
    Field.PHONE: "+12025550199",
}
"""What the made-up person's data are corrected to: all different from before. The number is kept for fiction."""
_STAYS = (Result.ACCEPTED, Result.RETAINED)
_FOR_A_PERSON = (Result.MANUAL, Result.UNSUPPORTED)


def new_person(name: str, draw: Callable[[int], int], domain: str) -> CanaryPerson:
    """A made-up person named after the run; ``draw(n)`` gives a number below ``n``.

    The number is from the block kept for fiction in North America (555-0100 to 555-0199).
    """
    customer_id = f"habeas-canary-{name.lower()}"
    return CanaryPerson(customer_id, f"{customer_id}@{domain}", f"+120255501{draw(99):02d}", "Habeas", "Canary")


def canary_details(person: CanaryPerson, links: Iterable[Link]) -> dict[str, Json]:
    """What a canary case's request keeps."""
    return {
        "person": [person.customer_id, person.email, person.phone, person.first_name, person.last_name],
        "connections": asked(links),
    }


@dataclass
class _Trial:
    """What is known of the made-up person at one connection, and what the controls have shown so far."""

    link: Link
    control: RunControl
    journal: CaseJournal
    subject: Subject
    resumed: bool
    """Whether an earlier pass has tried to change something here."""
    controls: list[Control] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    verified: str = ""
    """Evidence of the search that found nothing any more; empty before."""

    def connection(self) -> Connection:
        """A new one for each control, so that a read of an earlier one proves nothing for the next."""
        return self.link.connection(self.control, self.journal)


class CanaryPass:
    """One pass over one canary case. The case's lock is held by the caller."""

    def __init__(self, tools: Tools, run: Run, case_id: str) -> None:
        self._tools, self._run, self.case_id = tools, run, case_id
        request = tools.register.request(case_id)
        self._person = CanaryPerson(*request.details["person"])
        self._asked: Mapping[str, Json] = request.details["connections"]
        self._subject = request.subject
        self.controls: tuple[Control, ...] = ()
        """What :meth:`execute` has shown."""

    def execute(self) -> CaseView:
        """Tries every control at every connection, and removes what it created."""
        return self._pass(self._try_all)

    def clean_up(self) -> CaseView:
        """Removes what an interrupted pass has left. One that never began is cancelled."""
        if self._tools.ledger.last(self.case_id, ["case.started"]) is None:
            reason = "it was stopped before anything was created"
            close_case(self._tools, self._run, self.case_id, CaseStatus.CANCELLED, reason)
            return self._tools.register.view(self.case_id)
        return self._pass(self._remove)

    def _pass(self, work: Callable[[Link], _Trial]) -> CaseView:
        tools = self._tools
        view = begin(tools, self._run, self.case_id)
        left = [name for name in self._asked if not view.final(name)]
        links = [tools.links[name] for name in left if name in tools.links]
        for name in set(left) - {link.name for link in links}:
            kept = self._asked[name]
            row = Row(kept["record"], kept["record"], 0, Result.FAILED, reason=unconfigured(name).line())
            write_rows(tools, self._run, view, name, kept["plugin"], [row])
        for link, result in zip(links, side_by_side(links, work, self._run.control), strict=True):
            if isinstance(result, ConnectionTrouble):
                rows = [Row(link.info.main_kind, link.info.main_kind, 1, result.result, reason=result.text)]
            else:
                self.controls += tuple(result.controls)
                self._write_controls(result.controls)
                rows = result.rows + (_gone(result, view) if result.verified else [])
            counts = write_rows(tools, self._run, view, link.name, link.info.name, rows)
            self._run.emit(ConnectionFinished(self.case_id, link.name, counts))
        return conclude(tools, self._run, self.case_id, self._asked)

    def _write_controls(self, controls: Iterable[Control]) -> None:
        drafts = [
            Draft("canary.control", self.case_id, self._run.run_id, c.connection, "",
                  {"control": c.control, "verdict": str(c.verdict)} | ({"detail": c.detail} if c.detail else {}))
            for c in controls
        ]  # fmt: skip
        if drafts:
            self._tools.ledger.append(*drafts)

    # -- one connection ---------------------------------------------------------------------------------------------

    def _begin(self, link: Link) -> _Trial:
        journal = journal_for(self._tools, self._run, self.case_id, link.name)
        name = f"canary/{link.name}"
        known = self._tools.vault.get(self.case_id, name) if self._tools.vault.has(self.case_id, name) else []
        trial = _Trial(link, self._run.control, journal, self._subject, journal.resumed)
        _add(trial, (Identifier(link.name, value) for value in known))
        return trial

    def _try_all(self, link: Link) -> _Trial:
        trial = self._begin(link)
        if not self._tools.registry.implements(link.info.name, "create_canary"):
            reason = f"the plugin for {link.info.title} cannot create a made-up person"
            trial.controls += [Control(link.name, name, Verdict.UNSUPPORTED, reason) for name in CONTROLS]
            trial.rows.append(Row(link.info.main_kind, link.info.main_kind, 0, Result.UNSUPPORTED, reason=reason))
            return trial
        created = self._step(trial, "create", lambda: self._create(trial))
        if created is None:
            trial.controls += [_untested(link, name) for name in ("inventory", "export", "consent", "rectify")]
            self._find_again(trial)
        else:
            self._step(trial, "inventory", lambda: self._look(trial, created))
            self._step(trial, "export", lambda: self._export(trial))
            self._step(trial, "consent", lambda: self._consent(trial))
            self._step(trial, "rectify", lambda: self._rectify(trial))
        # Whatever went wrong before: what may have been created must go.
        self._step(trial, "erase", lambda: self._erase(trial))
        self._step(trial, "verify", lambda: self._verify(trial))
        return trial

    def _remove(self, link: Link) -> _Trial:
        trial = self._begin(link)
        kind = link.info.main_kind
        if not trial.resumed:
            trial.rows.append(Row(kind, kind, 0, Result.UNCHANGED, reason="nothing was created"))
            return trial
        self._find_again(trial)
        for task in (self._erase, self._verify):
            result = attempt(lambda task=task: task(trial))  # type: ignore[misc] # bound at once
            if isinstance(result, ConnectionTrouble):
                _add_row(trial, Row(kind, kind, 1, result.result, reason=result.text))
        return trial

    def _find_again(self, trial: _Trial) -> None:
        """Where something may have been created and its id is not known: creating only adds what is missing."""
        name = f"canary/{trial.link.name}"
        if trial.journal.resumed and not self._tools.vault.has(self.case_id, name):
            attempt(lambda: self._create(trial))

    def _step(self, trial: _Trial, name: str, task: Callable[[], tuple[T, Verdict, str]]) -> T | None:
        """Runs one control, and keeps what it showed. None where it did not work."""
        kind = trial.link.info.main_kind
        try:
            self._run.control.check()
            result = attempt(task)
        except RunEnded as ended:
            result = ConnectionTrouble(Result.FAILED, ended.line())
        if not isinstance(result, ConnectionTrouble):
            value, verdict, detail = result
            trial.controls.append(Control(trial.link.name, name, verdict, detail))
            return value if verdict is Verdict.WORKED else None
        over = self._run.control.stopped.is_set() or self._run.control.remaining() <= 0
        verdict = Verdict.UNTESTED if over else Verdict.FAILED
        trial.controls.append(Control(trial.link.name, name, verdict, result.text))
        if name in ("erase", "verify"):
            _add_row(trial, Row(kind, kind, 1, result.result, reason=result.text))
        return None

    # -- the controls -----------------------------------------------------------------------------------------------

    def _create(self, trial: _Trial) -> tuple[Mapping[str, int], Verdict, str]:
        canary = self._tools.registry.create_canary(trial.link.info.name, trial.connection(), self._person)
        name = f"canary/{trial.link.name}"
        self._tools.vault.put(self.case_id, name, [i.value for i in canary.identifiers])
        _add(trial, canary.identifiers)
        made = ", ".join(f"{n} {kind}" for kind, n in canary.created.items())
        return canary.created, Verdict.WORKED, "; ".join((f"created {made}", *canary.left_out))

    def _look(self, trial: _Trial, created: Mapping[str, int]) -> tuple[None, Verdict, str]:
        found = self._search(trial)
        missing = [kind for kind, n in created.items() if counted(found).get(kind, 0) < n]
        if missing:
            return None, Verdict.FAILED, f"not found although it was created: {', '.join(missing)}"
        return None, Verdict.WORKED, found.evidence

    def _search(self, trial: _Trial) -> Inventory:
        return search(self._tools, self._run, trial.link, trial.subject)

    def _export(self, trial: _Trial) -> tuple[None, Verdict, str]:
        export = self._tools.registry.export(
            trial.link.info.name, trial.connection(), trial.subject, self._search(trial)
        )
        mark = self._person.customer_id.encode()
        if not any(mark in document.content for document in export.documents):
            return None, Verdict.FAILED, "the made-up person is not in what was exported"
        return None, Verdict.WORKED, f"{len(export.documents)} documents"

    def _consent(self, trial: _Trial) -> tuple[None, Verdict, str]:
        link = trial.link
        if not link.purposes:
            return None, Verdict.UNTESTED, "no purpose has a mapping here"
        if not self._tools.registry.implements(link.info.name, "update_consent"):
            return None, Verdict.UNSUPPORTED, "the plugin has no way to change a consent"
        seen: list[tuple[Effect, ...]] = []
        for state in (ConsentState.GRANTED, ConsentState.WITHDRAWN):
            changes = tuple(ConsentChange(n, purpose, state) for n, purpose in enumerate(link.purposes.values()))
            update = ConsentUpdate(trial.subject, changes)
            seen.append(self._tools.registry.update_consent(link.info.name, trial.connection(), update))
        return None, *judge_consents(*seen)

    def _rectify(self, trial: _Trial) -> tuple[None, Verdict, str]:
        link = trial.link
        right = {name: value for name, value in _RIGHT.items() if name in link.info.rectifies}
        if not right or not self._tools.registry.implements(link.info.name, "rectify"):
            return None, Verdict.UNSUPPORTED, "the plugin has no way to correct a name or a phone number"
        corrections = tuple(Correction(n, name, value) for n, (name, value) in enumerate(right.items()))
        wanted = Rectification(trial.subject, corrections)
        return None, *judge_corrections(self._tools.registry.rectify(link.info.name, trial.connection(), wanted))

    def _erase(self, trial: _Trial) -> tuple[None, Verdict, str]:
        found = self._search(trial)
        items = tuple(PlanItem(n, record, Action.ERASE) for n, record in enumerate(found.records))
        erasure = Erasure(trial.subject, items, resumed=trial.resumed)
        outcomes: tuple[Outcome, ...] = ()
        if items:
            outcomes = self._tools.registry.erase(trial.link.info.name, trial.connection(), erasure)
        trial.rows = rows_of_erasure(items, outcomes) + rows_of_gaps(found, self._person.customer_id)
        bad = [o for o in outcomes if o.result in (Result.FAILED, Result.UNKNOWN)]
        if bad:
            return None, Verdict.FAILED, bad[0].reason or str(bad[0].result)
        if not items and not trial.resumed:
            return None, Verdict.FAILED, "nothing was found to erase"
        left = sorted({row.record for row in trial.rows if row.result in _FOR_A_PERSON})
        if left:
            return None, Verdict.WORKED, f"left to a person: {', '.join(left)}"
        # No row: nothing had been made yet when the first pass was killed.
        return None, Verdict.WORKED, trial.rows[0].evidence if trial.rows else found.evidence

    def _verify(self, trial: _Trial) -> tuple[None, Verdict, str]:
        found = self._search(trial)
        said = {row.record for row in trial.rows if row.result in (*_STAYS, *_FOR_A_PERSON)}
        left = sorted(set(counted(found)) - said)
        if left:
            trial.rows = [row for row in trial.rows if row.record not in left]
            counts = counted(found)
            trial.rows += [Row(k, k, counts[k], Result.FAILED, "it is there again, or still") for k in left]
            return None, Verdict.FAILED, f"still there: {', '.join(left)}"
        gaps = rows_of_gaps(found, self._person.customer_id)
        if gaps:
            for row in gaps:
                _add_row(trial, row)
            return None, Verdict.FAILED, f"could not be searched: {', '.join(row.record for row in gaps)}"
        trial.verified = found.evidence or "inventory"
        if not trial.rows:
            kind = trial.link.info.main_kind
            trial.rows.append(Row(kind, kind, 0, Result.ABSENT, evidence=trial.verified))
        return None, Verdict.WORKED, trial.verified


def _add(trial: _Trial, identifiers: Iterable[Identifier]) -> None:
    trial.subject = Subject((*trial.subject.identifiers, *identifiers))


def _untested(link: Link, name: str) -> Control:
    return Control(link.name, name, Verdict.UNTESTED, "an earlier step did not work, or the run was stopped")


def _gone(trial: _Trial, view: CaseView) -> list[Row]:
    """What an earlier pass left open, and the last search of this one no longer found."""
    named = {row.item for row in trial.rows}
    return [
        Row(row.record, row.item, 0, Result.ABSENT, evidence=trial.verified)
        for row in view.outcomes
        if row.connection == trial.link.name and not row.result.final and row.item not in named
    ]


def _add_row(trial: _Trial, row: Row) -> None:
    """In place of what was said of the same item before."""
    trial.rows = [other for other in trial.rows if other.item != row.item] + [row]

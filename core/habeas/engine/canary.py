"""A canary run: a made-up person is created, looked up, exported, asked for consent, corrected, erased and read back.

It is a case like any other: what it sends is in the ledger before it is sent, and a run that is killed is cleaned up by
``habeas resume``. What each control showed is written as ``canary.control``, so that the next run can tell what has
stopped working.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeVar

from habeas.cases.view import CaseView
from habeas.changes import CanaryPerson, ConsentChange, ConsentState, ConsentUpdate, Correction, Effect, Rectification
from habeas.connection import Connection
from habeas.engine.events import ConnectionFinished
from habeas.engine.journal import close_holes
from habeas.engine.links import Link
from habeas.engine.tools import (
    ConnectionTrouble,
    Row,
    Run,
    Tools,
    attempt,
    conclude,
    journal_for,
    search,
    side_by_side,
    write_rows,
)
from habeas.models import Action, Erasure, Field, Identifier, Inventory, Json, Outcome, PlanItem, Result, Subject
from habeas_audit import Draft

__all__ = ["CONTROLS", "Alarm", "CanaryPass", "Control", "Verdict", "alarms", "canary_details", "new_person"]

T = TypeVar("T")

CONTROLS = ("create", "inventory", "export", "consent", "rectify", "erase", "verify")
"""What a canary run tries at each connection, in this order."""

_RIGHT = {
    Field.NAME: "Habeas Corrected",
    Field.FIRST_NAME: "Habeas",
    Field.LAST_NAME: "Corrected",
    Field.PHONE: "+12025550199",
}
"""What the made-up person's data are corrected to; the number is one of those kept for fiction."""
_STAYS = (Result.ACCEPTED, Result.RETAINED)
_WORST = (Result.FAILED, Result.UNKNOWN, Result.MANUAL, Result.ACCEPTED, Result.RETAINED, Result.ERASED, Result.ABSENT)


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
        "connections": {link.name: link.info.name for link in links},
    }


def alarms(tools: Tools, controls: Iterable[Control], case_id: str) -> list[Alarm]:
    """Those controls that worked in an earlier run, when last, and do not work in this one."""
    worked: dict[tuple[str, str], str] = {}
    for entry in tools.ledger.entries(types=["canary.control"]):
        if entry.case_id != case_id and entry.data["verdict"] == Verdict.WORKED:
            worked[entry.connection, entry.data["control"]] = entry.at
    return [
        Alarm(c.connection, c.control, worked[c.connection, c.control], c.detail)
        for c in controls
        if c.verdict in (Verdict.FAILED, Verdict.UNSUPPORTED) and (c.connection, c.control) in worked
    ]


@dataclass
class _Shown:
    """What one connection has shown so far."""

    controls: list[Control] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)


@dataclass
class _Trial(_Shown):
    """The same, with the made-up person as far as it is known there."""

    link: Link = field(kw_only=True)
    connection: Connection = field(kw_only=True)
    subject: Subject = field(kw_only=True)
    resumed: bool = field(kw_only=True)


class CanaryPass:
    """One pass over one canary case. The case's lock is held by the caller."""

    def __init__(self, tools: Tools, run: Run, case_id: str) -> None:
        self._tools, self._run, self.case_id = tools, run, case_id
        request = tools.register.request(case_id)
        self._person = CanaryPerson(*request.details["person"])
        self._plugins: Mapping[str, str] = request.details["connections"]
        self._subject = request.subject
        self.controls: tuple[Control, ...] = ()
        """What the last :meth:`execute` showed; empty for one that only cleaned up."""

    def execute(self) -> CaseView:
        """Tries every control, or, where an earlier pass was interrupted, removes what it left."""
        ledger, tools = self._tools.ledger, self._tools
        begun = ledger.last(self.case_id, ["case.started"]) is not None
        ledger.append(Draft("case.started", self.case_id, self._run.run_id))
        close_holes(ledger, ledger.entries(case_id=self.case_id), self._run.run_id)
        view = tools.register.view(self.case_id)
        links = [tools.links[name] for name in self._plugins if name in tools.links and not view.final(name)]
        results = side_by_side(links, self._clean_up if begun else self._try_all, self._run.control)
        for link, result in zip(links, results, strict=True):
            shown = _trouble(link, result) if isinstance(result, ConnectionTrouble) else result
            self.controls += tuple(shown.controls)
            rows = shown.rows + _gone(shown.rows, view, link.name)
            self._write_controls(shown.controls)
            counts = write_rows(tools, self._run, view, link.name, link.info.name, rows)
            self._run.emit(ConnectionFinished(self.case_id, link.name, counts))
        return conclude(tools, self._run, self.case_id, self._plugins)

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
        connection = link.connection(self._run.control, journal)
        trial = _Trial(link=link, connection=connection, subject=self._subject, resumed=journal.resumed)
        _add(trial, (Identifier(link.name, value) for value in known))
        return trial

    def _try_all(self, link: Link) -> _Trial:
        trial = self._begin(link)
        if not self._tools.registry.implements(link.info.name, "create_canary"):
            reason = f"the plugin for {link.info.title} cannot create a made-up person"
            trial.controls += [Control(link.name, name, Verdict.UNSUPPORTED, reason) for name in CONTROLS]
            trial.rows.append(Row(link.info.main_kind, "created", 0, Result.UNSUPPORTED, reason=reason))
            return trial
        created = self._step(trial, "create", lambda: self._create(trial))
        if created is not None:
            self._step(trial, "inventory", lambda: self._look(trial, created))
            self._step(trial, "export", lambda: self._export(trial))
            self._step(trial, "consent", lambda: self._consent(trial))
            self._step(trial, "rectify", lambda: self._rectify(trial))
        else:
            trial.controls += [_untested(link, name) for name in ("inventory", "export", "consent", "rectify")]
        # Whatever went wrong before: what may have been created must go.
        self._step(trial, "erase", lambda: self._erase(trial))
        self._step(trial, "verify", lambda: self._verify(trial))
        return trial

    def _clean_up(self, link: Link) -> _Trial:
        trial = self._begin(link)
        if not trial.resumed:
            trial.rows.append(Row(link.info.main_kind, "created", 0, Result.UNCHANGED, reason="nothing was created"))
            return trial
        if not self._tools.vault.has(self.case_id, f"canary/{link.name}"):
            # What it was given as an id is not known: creating again finds it, since that only adds what is missing.
            attempt(lambda: self._create(trial))
        for task in (self._erase, self._verify):
            result = attempt(lambda task=task: task(trial))  # type: ignore[misc] # bound at once
            if isinstance(result, ConnectionTrouble):
                trial.rows.append(Row(link.info.main_kind, "created", 1, result.result, reason=result.text))
        return trial

    def _step(self, trial: _Trial, name: str, task: Callable[[], tuple[T, Verdict, str]]) -> T | None:
        """Runs one control, and keeps what it showed. None where it did not work."""
        result = attempt(task)
        if not isinstance(result, ConnectionTrouble):
            value, verdict, detail = result
            trial.controls.append(Control(trial.link.name, name, verdict, detail))
            return value if verdict is Verdict.WORKED else None
        if self._run.control.stopped.is_set():
            trial.controls.append(_untested(trial.link, name))
        else:
            trial.controls.append(Control(trial.link.name, name, Verdict.FAILED, result.text))
        if name in ("erase", "verify"):
            trial.rows.append(Row(trial.link.info.main_kind, "created", 1, result.result, reason=result.text))
        return None

    # -- the controls -----------------------------------------------------------------------------------------------

    def _create(self, trial: _Trial) -> tuple[Mapping[str, int], Verdict, str]:
        canary = self._tools.registry.create_canary(trial.link.info.name, trial.connection, self._person)
        name = f"canary/{trial.link.name}"
        self._tools.vault.put(self.case_id, name, [i.value for i in canary.identifiers])
        _add(trial, canary.identifiers)
        made = ", ".join(f"{n} {kind}" for kind, n in canary.created.items())
        return canary.created, Verdict.WORKED, "; ".join((f"created {made}", *canary.left_out))

    def _look(self, trial: _Trial, created: Mapping[str, int]) -> tuple[None, Verdict, str]:
        found = search(self._tools, self._run, trial.link, trial.subject)
        missing = [kind for kind, n in created.items() if _count(found).get(kind, 0) < n]
        if missing:
            return None, Verdict.FAILED, f"not found although it was created: {', '.join(missing)}"
        return None, Verdict.WORKED, found.evidence

    def _export(self, trial: _Trial) -> tuple[None, Verdict, str]:
        plugin = trial.link.info.name
        found = search(self._tools, self._run, trial.link, trial.subject)
        export = self._tools.registry.export(plugin, trial.connection, trial.subject, found)
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
        last: tuple[Effect, ...] = ()
        for state in (ConsentState.GRANTED, ConsentState.WITHDRAWN):
            changes = tuple(ConsentChange(n, purpose, state) for n, purpose in enumerate(link.purposes.values()))
            update = ConsentUpdate(trial.subject, changes)
            last = self._tools.registry.update_consent(link.info.name, trial.connection, update)
            bad = [e for e in last if e.result not in (Result.UPDATED, Result.UNCHANGED, Result.ACCEPTED)]
            if bad:
                return None, _verdict_of(bad), _say(bad[0])
        if all(effect.result is Result.UNCHANGED for effect in last):
            return None, Verdict.FAILED, "a consent just given was found withdrawn already"
        return None, Verdict.WORKED, _say(last[0])

    def _rectify(self, trial: _Trial) -> tuple[None, Verdict, str]:
        link = trial.link
        right = {name: value for name, value in _RIGHT.items() if name in link.info.rectifies}
        if not right or not self._tools.registry.implements(link.info.name, "rectify"):
            return None, Verdict.UNSUPPORTED, "the plugin has no way to correct a name or a phone number"
        corrections = tuple(Correction(n, name, value) for n, (name, value) in enumerate(right.items()))
        wanted = Rectification(trial.subject, corrections)
        effects = self._tools.registry.rectify(link.info.name, trial.connection, wanted)
        bad = [e for e in effects if e.result in (Result.FAILED, Result.UNKNOWN)]
        if bad:
            return None, Verdict.FAILED, _say(bad[0])
        good = [e for e in effects if e.result is Result.UPDATED]
        if not good:
            return None, _verdict_of(effects), _say(effects[0])
        return None, Verdict.WORKED, _say(good[0])

    def _erase(self, trial: _Trial) -> tuple[None, Verdict, str]:
        found = search(self._tools, self._run, trial.link, trial.subject)
        items = tuple(PlanItem(n, record, Action.ERASE) for n, record in enumerate(found.records))
        erasure = Erasure(trial.subject, items, resumed=trial.resumed)
        plugin = trial.link.info.name
        outcomes = self._tools.registry.erase(plugin, trial.connection, erasure) if items else ()
        trial.rows = _rows(items, outcomes) + _rows_of_gaps(found)
        bad = [o for o in outcomes if o.result not in (Result.ERASED, Result.ABSENT, *_STAYS)]
        if bad:
            return None, Verdict.FAILED, bad[0].reason or str(bad[0].result)
        if not items:
            return None, Verdict.FAILED, "nothing was found to erase"
        return None, Verdict.WORKED, outcomes[0].evidence

    def _verify(self, trial: _Trial) -> tuple[None, Verdict, str]:
        found = search(self._tools, self._run, trial.link, trial.subject)
        stays = {row.record for row in trial.rows if row.result in _STAYS}
        left = sorted(set(_count(found)) - stays)
        if left:
            trial.rows = [
                replace(row, result=Result.FAILED, reason="it is there again, or still") if row.record in left else row
                for row in trial.rows
            ]
            return None, Verdict.FAILED, f"still there: {', '.join(left)}"
        if not trial.rows:
            trial.rows.append(
                Row(trial.link.info.main_kind, "created", 0, Result.ABSENT, evidence=found.evidence or "inventory")
            )
        return None, Verdict.WORKED, found.evidence or "inventory: nothing held"


def _add(trial: _Trial, identifiers: Iterable[Identifier]) -> None:
    trial.subject = Subject((*trial.subject.identifiers, *identifiers))


def _count(found: Inventory) -> dict[str, int]:
    counts: dict[str, int] = {}
    for record in found.records:
        counts[record.kind] = counts.get(record.kind, 0) + record.count
    return counts


def _untested(link: Link, name: str) -> Control:
    return Control(link.name, name, Verdict.UNTESTED, "an earlier step did not work, or the run was stopped")


def _trouble(link: Link, trouble: ConnectionTrouble) -> _Shown:
    """What is left to say of a connection that did not come back at all."""
    row = Row(link.info.main_kind, "created", 1, trouble.result, reason=trouble.text)
    return _Shown([Control(link.name, "create", Verdict.FAILED, trouble.text)], [row])


def _verdict_of(effects: Iterable[Effect]) -> Verdict:
    """Unsupported only where nothing worse is among them."""
    return Verdict.UNSUPPORTED if all(e.result is Result.UNSUPPORTED for e in effects) else Verdict.FAILED


def _say(effect: Effect) -> str:
    return "; ".join(part for part in (str(effect.result), effect.reason, effect.evidence) if part)


# -- rows -----------------------------------------------------------------------------------------------------------


def _rows(items: Iterable[PlanItem], outcomes: Iterable[Outcome]) -> list[Row]:
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


def _rows_of_gaps(found: Inventory) -> list[Row]:
    gaps = [gap for gap in found.gaps if not gap.standing]
    return [Row(g.kind, f"g.{g.kind}", g.count, g.result, reason=g.reason) for g in gaps]


def _gone(rows: Iterable[Row], view: CaseView, connection: str) -> list[Row]:
    """What an earlier pass could not erase and this one no longer finds."""
    named = {row.item for row in rows}
    evidence = next((row.evidence for row in rows if row.evidence), "inventory")
    return [
        Row(row.record, row.item, 0, Result.ABSENT, evidence=evidence)
        for row in view.outcomes
        if row.connection == connection and not row.result.final and row.item not in named
    ]

"""The hooks that do something about a person, each as a job that can be disturbed, repeated, and proven true or not.

A job prepares itself on an undisturbed line, runs on any line, and knows three things: what is untrue of what it was
told, what it must say in the end, and what may still be left to do.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from habeas.changes import ConsentChange, ConsentState, ConsentUpdate, Correction, Effect, Purpose, Rectification
from habeas.connection import Connection
from habeas.models import Erasure, Export, Field, Inventory, Outcome, PlanItem, Result, Subject
from habeas.testing.kit.bench import Bench, Scene
from habeas.testing.kit.words import new_values, old_values, shows
from habeas.testing.people import Person

__all__ = ["ConsentJob", "EraseJob", "ExportJob", "InventoryJob", "Job", "RectifyJob", "jobs", "purposes_of"]

_RECORD, _GAP = "record ", "gap "
_GONE = (Result.ERASED, Result.ABSENT)
_TRUE_NOW = (Result.UPDATED, Result.UNCHANGED)

Said = tuple[tuple[str, str], ...]
"""What a job was told, without what may differ between two honest runs: (what, result)."""


class Job(ABC):
    """One hook's work about the first person of a scene."""

    hook: str
    changes = True
    """Whether it may change anything, and so gets a journal and a second pass."""

    def __init__(self, scene: Scene, person: Person | None = None) -> None:
        self.scene = scene
        self.person: Person = person or scene.people[0]
        self.subject: Subject = scene.subject(self.person)
        self.found: Inventory | None = None
        """What was found of the person, where the hook is given it."""
        self.result: Any = None
        """What the hook returned last."""

    @abstractmethod
    def run(self, connection: Connection, *, resumed: bool = False) -> Said:
        """Calls the hook. Raises what the registry raises."""

    @abstractmethod
    def untrue(self, said: Said, clean: Said | None = None) -> str:
        """What is untrue of what was said last, by the sandbox's truth or an undisturbed run's; empty where nothing."""

    def unfinished(self) -> bool:
        """Whether the last result leaves something for a second pass."""
        return any(not part.result.final for part in self.result)

    def left(self) -> str:
        """What the last result leaves for a second pass, in the plugin's own words; empty where nothing."""
        for part in self.result:
            if not part.result.final:
                return f"'{part.result}' ({part.reason or 'no reason is given'})"
        return ""

    def truth(self) -> object:
        """What the vendor really holds that this job is about."""
        return self.scene.held(self.person)

    def spoken(self) -> str:
        """All text that the last result would put into logs, ledger and reports."""
        return repr(self.result)


class InventoryJob(Job):
    """``inventory``: what is found, or an error; never less."""

    hook = "inventory"
    changes = False

    def run(self, connection: Connection, *, resumed: bool = False) -> Said:
        del resumed
        found: Inventory = self.scene.bench.registry.inventory(self.scene.bench.name, connection, self.subject)
        self.result = found
        return (
            *sorted((f"{_RECORD}{r.kind}", f"{r.count}, {len(r.ids)} ids") for r in found.records),
            *sorted((f"{_GAP}{g.kind}", f"{g.result} {g.count}") for g in found.gaps),
        )

    def untrue(self, said: Said, clean: Said | None = None) -> str:
        return _less(clean or said, said)

    def unfinished(self) -> bool:
        return False


class ExportJob(Job):
    """``export``: every document, or an error; never fewer."""

    hook = "export"
    changes = False
    loosely = False
    """Whether documents are compared by name only: a vendor's odd values are handed over as they are."""

    def __init__(self, scene: Scene, person: Person | None = None) -> None:
        super().__init__(scene, person)
        self.found = self._inventory = scene.found(self.person)

    def run(self, connection: Connection, *, resumed: bool = False) -> Said:
        del resumed
        export: Export = self.scene.bench.registry.export(
            self.scene.bench.name, connection, self.subject, self._inventory
        )
        self.result = export
        return (
            *sorted((f"{_RECORD}{d.record}", f"{d.name} {len(d.content)}") for d in export.documents),
            *sorted((f"{_GAP}{g.kind}", f"{g.result} {g.count}") for g in export.gaps),
        )

    def untrue(self, said: Said, clean: Said | None = None) -> str:
        clean = clean or said
        return _less(_names(clean), _names(said)) if self.loosely else _less(clean, said)

    def unfinished(self) -> bool:
        return False


class EraseJob(Job):
    """``erase``: what is called gone is gone."""

    hook = "erase"

    def __init__(
        self,
        scene: Scene,
        person: Person | None = None,
        *,
        keep: Iterable[str] = (),
        found: Inventory | None = None,
        subject: Subject | None = None,
    ) -> None:
        super().__init__(scene, person)
        self.subject = subject or self.subject
        self.found = planned = scene.found(self.person) if found is None else found
        self.items: tuple[PlanItem, ...] = scene.plan(planned, keep)

    def run(self, connection: Connection, *, resumed: bool = False) -> Said:
        """What became of each item of the plan."""
        erasure = Erasure(self.subject, self.items, resumed)
        outcomes = self.scene.bench.registry.erase(self.scene.bench.name, connection, erasure)
        self.result = tuple(sorted(outcomes, key=lambda outcome: outcome.index))
        return tuple((f"{o.index} {self.kind(o)}", str(o.result)) for o in self.result)

    def untrue(self, said: Said, clean: Said | None = None) -> str:
        del said, clean
        held = self.scene.held(self.person)
        outcomes = {outcome.index: outcome for outcome in self.result}
        left: Counter[str] = Counter()
        for item in self.items:
            outcome = outcomes.get(item.index)
            if outcome is None or outcome.result not in _GONE:
                left[item.record.kind] += item.record.count
        for outcome in self.result:
            kind = self.kind(outcome)
            if outcome.result in _GONE and held.get(kind, 0) > left[kind]:
                return f"it calls the {kind} '{outcome.result}', and the vendor still holds it"
        return ""

    def kind(self, outcome: Outcome) -> str:
        """The record kind an outcome is about."""
        return self.items[outcome.index].record.kind


class ConsentJob(Job):
    """``update_consent``: what is called as wanted is as wanted."""

    hook = "update_consent"

    def __init__(self, scene: Scene, person: Person | None = None, *, state: ConsentState | None = None) -> None:
        super().__init__(scene, person)
        self.purposes = purposes_of(scene)
        # Otherwise than it is: a change that has nothing to do shows nothing.
        self.states = tuple(state or self._other(purpose) for purpose in self.purposes)

    def _other(self, purpose: Purpose) -> ConsentState:
        given = self.scene.app.consent(self.person, purpose.name)
        return ConsentState.WITHDRAWN if given else ConsentState.GRANTED

    def run(self, connection: Connection, *, resumed: bool = False) -> Said:
        changes = tuple(
            ConsentChange(n, purpose, state)
            for n, (purpose, state) in enumerate(zip(self.purposes, self.states, strict=True))
        )
        update = ConsentUpdate(self.subject, changes, resumed)
        effects = self.scene.bench.registry.update_consent(self.scene.bench.name, connection, update)
        self.result = effects
        return _effects_said(effects)

    def untrue(self, said: Said, clean: Said | None = None) -> str:
        del said, clean
        for effect in self.result:
            purpose, state = self.purposes[effect.index], self.states[effect.index]
            given = self.scene.app.consent(self.person, purpose.name)
            if effect.result in _TRUE_NOW and given is not (state is ConsentState.GRANTED):
                return f"it calls the consent for {purpose.name} '{effect.result}', and the vendor holds otherwise"
            main = self.scene.bench.info.main_kind
            if effect.result is Result.ABSENT and effect.record == main and main in self.scene.held(self.person):
                return "it calls the person absent, and the vendor holds them"
        return ""

    def truth(self) -> object:
        """What the person has said."""
        return self.scene.consents(self.person)


class RectifyJob(Job):
    """``rectify``: what is called right is right."""

    hook = "rectify"

    def __init__(self, scene: Scene, person: Person | None = None, *, fields: Sequence[Field] | None = None) -> None:
        super().__init__(scene, person)
        wanted = scene.bench.info.rectifies if fields is None else fields
        # An address of their own for each: some vendors let two people have the same, others refuse it.
        values = new_values(scene.people.index(self.person))
        self.corrections = tuple(Correction(n, field, values[field]) for n, field in enumerate(wanted))

    def run(self, connection: Connection, *, resumed: bool = False) -> Said:
        rectification = Rectification(self.subject, self.corrections, resumed)
        effects = self.scene.bench.registry.rectify(self.scene.bench.name, connection, rectification)
        self.result = effects
        return _effects_said(effects)

    def untrue(self, said: Said, clean: Said | None = None) -> str:
        del said, clean
        text = self.text()
        for effect in self.result:
            correction = self.corrections[effect.index]
            if effect.result in _TRUE_NOW and not shows(text, correction.field, correction.value):
                return f"it calls the {correction.field} '{effect.result}', and the vendor does not hold the new value"
        for correction in self.corrections:
            results = {effect.result for effect in self.result if effect.index == correction.index}
            old = old_values(self.person).get(correction.field, "")
            if results == {Result.ABSENT} and old and shows(text, correction.field, old):
                return f"it calls the {correction.field} absent, and the vendor holds the old value"
        return ""

    def truth(self) -> object:
        """Which of the new values are there."""
        text = self.text()
        return [shows(text, correction.field, correction.value) for correction in self.corrections]

    def text(self) -> str:
        """All that the vendor holds about the person, whatever it is by now."""
        return self.scene.app.held_text(self.person)


def purposes_of(scene: Scene) -> tuple[Purpose, ...]:
    """The sandbox's purposes, in the order of their names."""
    return tuple(Purpose(name, mapping) for name, mapping in sorted(scene.app.purposes().items()))


def jobs(bench: Bench) -> dict[str, type[Job]]:
    """The jobs that this plugin can be given, by hook; the erasure last, so that one person can go through all."""
    every: tuple[type[Job], ...] = (InventoryJob, ExportJob, ConsentJob, RectifyJob, EraseJob)
    return {job.hook: job for job in every if bench.has(job.hook)}


def _effects_said(effects: Sequence[Effect]) -> Said:
    return tuple(sorted((f"{effect.index} {effect.record}", str(effect.result)) for effect in effects))


def _names(said: Said) -> Said:
    return tuple((what, name.partition(" ")[0]) for what, name in said)


def _less(clean: Said, said: Said) -> str:
    """What an undisturbed run found and this one did not, unless a gap of its own says so."""
    told = {what.removeprefix(_GAP) for what, _ in set(said) - set(clean) if what.startswith(_GAP)}
    missing = {what.removeprefix(_RECORD) for what, _ in Counter(clean) - Counter(said) if what.startswith(_RECORD)}
    if missing - told:
        return f"it returned without all of the {min(missing - told)}, and did not say so"
    return ""

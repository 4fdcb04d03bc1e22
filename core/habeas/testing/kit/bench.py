"""Where a check works: the plugin in a registry of its own, its sandbox with people in it, and what became of them."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pluggy

from habeas import hookspecs
from habeas.connection import Connection
from habeas.control import RunControl
from habeas.errors import ConfigError
from habeas.foreign import EndOfTrial
from habeas.http.transport import Request
from habeas.models import Action, Export, Identifier, Inventory, PlanItem, PluginInfo, Record, Subject
from habeas.registry import Registry
from habeas.testing.clock import SkippingClock
from habeas.testing.connect import MemoryJournal
from habeas.testing.kit.line import MOST_CALLS, AttentiveApi, CountedLimiter, Line, Script, undisturbed
from habeas.testing.kit.verdict import Broken
from habeas.testing.kit.words import without, words_about
from habeas.testing.people import Person, seeded_people
from habeas.testing.sandbox import SandboxApp, SandboxServer

__all__ = ["Bench", "Diary", "Killed", "Scene", "registry_of", "with_destroyers"]

_NOWHERE = "http://127.0.0.1:1"
"""The address of a sandbox that is not served: who sends there by other ways than ours reaches nobody."""
_SECONDS = 90.0
"""How long one run may take, by the clock that skips: as long as any command about one person."""


class Killed(EndOfTrial):
    """The process dies here. Nothing that a plugin may catch."""


class StillClock(SkippingClock):
    """A clock that only waiting moves, so that a busy machine changes nothing."""

    def monotonic(self) -> float:
        """Seconds waited."""
        return self.slept


class Diary(MemoryJournal):
    """A journal that knows when a change is under way, and can end the process at a chosen moment."""

    def __init__(self, *, die_before: int = -1, die_after: int = -1) -> None:
        super().__init__()
        self.names: list[str] = []
        self._die_before, self._die_after = die_before, die_after
        self._dead = False
        self._own = threading.local()

    def changing(self) -> bool:
        """Whether this thread is between an intent and its outcome."""
        return bool(getattr(self._own, "open", False))

    def intent(self, request: Request, host: str) -> int:
        """Writes it; with ``die_before`` the process ends at this intent, nothing sent."""
        number = super().intent(request, host)
        self.names.append(request.name)
        if self._dead or len(self.names) - 1 == self._die_before:
            self._dead = True
            raise Killed
        self._own.open = True
        return number

    def outcome(self, intent: int, result: str, status: int) -> None:
        """Writes it; with ``die_after`` the process ends before, the vendor having answered."""
        self._own.open = False
        if self._dead or len(self.names) - 1 == self._die_after:
            self._dead = True
            raise Killed
        super().outcome(intent, result, status)


def registry_of(plugin: object) -> Registry:
    """A registry that holds one plugin, by the name it gives itself.

    Raises :class:`~habeas.errors.ConfigError` or :class:`~habeas.errors.PluginFault` where habeas would not load it.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(plugin, name="plugin")
        info = manager.hook.describe()
        name = str(info.name)
        manager.unregister(name="plugin")
        manager.register(plugin, name=name)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - foreign code; what it raises is what is wrong with it
        raise ConfigError(
            f"the plugin cannot be registered, or describe failed ({type(error).__name__})",
            advice="check each hook's name and arguments against habeas.hookspecs, and describe",
        ) from None
    return Registry.checked(manager)


class Bench:
    """What one check has to work with."""

    def __init__(self, plugin: object, settings: Mapping[str, Any], limits: Mapping[str, Any]) -> None:
        self.plugin = plugin
        self.registry = registry_of(plugin)
        (self.name,) = self.registry.infos
        self.info: PluginInfo = self.registry.info(self.name)
        self.settings = dict(settings)
        self.limits = dict(limits)
        self.calls = 0
        self.latest: Scene | None = None
        """Where a connection was made last."""
        self.known: dict[tuple[str, str], Inventory] = {}
        """Inventories by customer id and by all that is held under it."""

    def has(self, hook: str) -> bool:
        """Whether the plugin implements a hook."""
        return self.registry.implements(self.name, hook)

    def sandbox(self) -> SandboxApp:
        """A fresh sandbox, nobody in it."""
        return self.registry.sandbox(self.name)

    def people(self, *numbers: int) -> tuple[Person, ...]:
        """Seeded people by number, each as the vendor knows them."""
        everybody = seeded_people(max(numbers) + 1, [self.name])
        return tuple(everybody[n] for n in numbers)

    def awkward(self) -> Person:
        """An ordinary person, but for a quotation mark and a backslash in the customer id."""
        (person,) = self.people(7)
        return dataclasses.replace(person, customer_id=f'{person.customer_id}"\\7')

    @contextmanager
    def scene(self, people: Sequence[Person] | None = None, *, served: bool = False) -> Iterator[Scene]:
        """A fresh sandbox with people in it (two, unless others are named), over loopback where ``served``."""
        scene = Scene(self, self.people(0, 1) if people is None else people, served=served)
        try:
            yield scene
        finally:
            scene.close()
            scene.check_sandbox()


class Scene:
    """One sandbox with people, and every line that leads to it."""

    def __init__(self, bench: Bench, people: Sequence[Person], *, served: bool) -> None:
        self.bench = bench
        self.people = tuple(people)
        self.app = bench.sandbox()
        self._ids = dict(self.app.seed(self.people))
        self.server = SandboxServer(self.app).start() if served else None
        self.lines: list[Line] = []
        self.diaries: list[Diary] = []
        self.clock = SkippingClock() if served else StillClock()

    def close(self) -> None:
        """Stops serving, and counts what was sent."""
        if self.server is not None:
            self.server.stop()
        self.bench.calls += sum(len(line.sent) for line in self.lines)

    def check_sandbox(self) -> None:
        """Raises :class:`Broken` where a handler of the sandbox raised: to the plugin that was a dropped connection."""
        errors = [error for line in self.lines for error in line.broken]
        errors += self.server.errors if self.server is not None else []
        if errors:
            raise Broken(
                f"The sandbox itself raised {type(errors[0]).__name__} while it answered a call: repair its handler."
            )

    def subject(self, person: Person) -> Subject:
        """The person, with every identifier that the shop has."""
        own = self._ids.get(person.customer_id)
        named = [Identifier(self.bench.name, own)] if own else []
        return Subject(
            (
                Identifier("customer_id", person.customer_id),
                *named,
                Identifier("email", person.email),
                Identifier("phone", person.phone),
            )
        )

    def connection(
        self,
        diary: Diary | None = None,
        *,
        script: Script = undisturbed,
        most: int = MOST_CALLS,
        settings: Mapping[str, Any] | None = None,
        **limits: Any,
    ) -> Connection:
        """A new connection: without a diary it can only read.

        ``settings`` and ``limits`` override the sandbox's and the plugin's own.
        """
        (connection,) = self.connections([diary], script=script, most=most, settings=settings, **limits)
        return connection

    def connections(
        self,
        diaries: Sequence[Diary | None],
        *,
        script: Script = undisturbed,
        most: int = MOST_CALLS,
        settings: Mapping[str, Any] | None = None,
        **limits: Any,
    ) -> list[Connection]:
        """One new connection for each of several cases, as in a run: one line, one limit, one credentials object."""
        bench, clock = self.bench, self.clock
        bench.latest = self
        merged = {**self.app.settings(), **bench.settings, **(settings or {})}
        limit = dataclasses.replace(bench.info.limits, **{"requests_per_second": 10_000.0, **bench.limits, **limits})
        base_url = self.server.base_url if self.server is not None else _NOWHERE
        kept = [diary for diary in diaries if diary is not None]
        line = Line(
            self.app,
            base_url,
            limit,
            clock,
            loopback=self.server is not None,
            script=script,
            most=most,
            changing=lambda: any(diary.changing() for diary in kept),
        )
        self.lines.append(line)
        self.diaries += kept
        line.opening = True
        auth = bench.registry.authenticator(bench.name, settings=merged, base_url=base_url, transport=line)
        line.opening = False
        limiter = CountedLimiter(limit, clock, line)
        # Everybody's waiting moves the one clock: what is short for all together is enough for each.
        seconds = _SECONDS * len(diaries)
        return [
            Connection(bench.name, merged, AttentiveApi(line, auth, limiter, RunControl(clock, seconds), diary), clock)
            for diary in diaries
        ]

    @property
    def line(self) -> Line:
        """The line of the connection made last."""
        return self.lines[-1]

    # -- hooks ------------------------------------------------------------------------------------------------------

    def found(self, person: Person) -> Inventory:
        """What the plugin finds, undisturbed; asked once for what is held alike in many scenes."""
        key = (person.customer_id, self.app.held_text(person))
        if key not in self.bench.known:
            self.bench.known[key] = self.inventory(person)
        return self.bench.known[key]

    def inventory(self, person: Person, connection: Connection | None = None) -> Inventory:
        """What the plugin finds about a person."""
        return self.bench.registry.inventory(self.bench.name, connection or self.connection(), self.subject(person))

    def export(self, person: Person, found: Inventory, connection: Connection | None = None) -> Export:
        """What the plugin hands over."""
        return self.bench.registry.export(self.bench.name, connection or self.connection(), self.subject(person), found)

    def plan(self, found: Inventory, keep: Iterable[str] = ()) -> tuple[PlanItem, ...]:
        """Everything is to go but the kinds to ``keep``, and what would take those with it."""
        kept = with_destroyers(self.bench.info, keep)
        return tuple(
            PlanItem(n, _kept_between_runs(record), Action.RETAIN if record.kind in kept else Action.ERASE)
            for n, record in enumerate(found.records)
        )

    # -- truth ------------------------------------------------------------------------------------------------------

    def held(self, person: Person) -> dict[str, int]:
        """Record kind → how many the vendor really holds."""
        return dict(self.app.held(person))

    def everything(self) -> list[str]:
        """All that is really held, person by person."""
        return [self.app.held_text(person) for person in self.people]

    def truth(self, *others: Person) -> list[tuple[Mapping[str, int], str, Mapping[str, bool | None]]]:
        """What is really held, in full and counted, and what was said about each purpose: everybody, and others too."""
        return [
            (self.held(person), self.app.held_text(person), self.consents(person)) for person in (*self.people, *others)
        ]

    def consents(self, person: Person) -> dict[str, bool | None]:
        """Purpose → what the person has really said about it."""
        purposes = self.app.purposes() if self.bench.has("update_consent") else {}
        return {name: self.app.consent(person, name) for name in purposes}

    def beside(self, person: Person) -> list[str]:
        """All that is really held about the others."""
        others = [other for other in self.people if other is not person]
        return [f"{sorted(self.held(other).items())}\n{self.app.held_text(other)}" for other in others]

    def touched(self, person: Person, before: Sequence[str]) -> bool:
        """Whether anything about the others is not as it was, apart from what names this person in it."""
        others = [other for other in self.people if other is not person]
        return any(
            was != now and _apart_from(person, other, was) != _apart_from(person, other, now)
            for other, was, now in zip(others, before, self.beside(person), strict=True)
        )


def _apart_from(person: Person, other: Person, held: str) -> tuple[str, str]:
    counts, _, text = held.partition("\n")
    return counts, without(text, set(words_about(person)) - set(words_about(other)))


def _kept_between_runs(record: Record) -> Record:
    """A record as it comes back from the vault: by way of JSON, without the names of its fields."""
    return Record(record.kind, record.count, tuple(record.ids), json.loads(json.dumps(dict(record.data))))


def with_destroyers(info: PluginInfo, kinds: Iterable[str]) -> set[str]:
    """The kinds, and all whose erasure would destroy one of them: as a plan holds them."""
    waiting, held = list(kinds), set(kinds)
    while waiting:
        for other in info.kind(waiting.pop()).erased_with:
            if other not in held:
                held.add(other)
                waiting.append(other)
    return held

"""Finds plugins by entry point, and calls one connection's hook at a time, with pluggy's wrappers kept."""

from __future__ import annotations

import copy
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy

from habeas import hookspecs
from habeas.changes import (
    Canary,
    CanaryPerson,
    ConsentUpdate,
    Effect,
    HeldConsent,
    HeldState,
    Purpose,
    Rectification,
)
from habeas.connection import Connection
from habeas.errors import ConfigError, PluginFault, RunEnded, StorageError, Suppressed, VendorError
from habeas.foreign import EndOfTrial, foreign_code, within
from habeas.models import (
    Action,
    Document,
    Erasure,
    Export,
    Field,
    Gap,
    Identifier,
    Inventory,
    Omission,
    Outcome,
    PluginInfo,
    Record,
    RecordKind,
    Result,
    Subject,
)
from habeas.returned import check_count, check_gaps, check_parts, check_record, check_texts
from habeas_audit import LedgerError

__all__ = ["Registry"]

if TYPE_CHECKING:
    from habeas.testing.sandbox import SandboxApp

T = TypeVar("T")

_START_SECONDS = 60.0
"""How long a plugin may take to be imported, to describe itself, and to make its credentials object."""
_COPIED = ("settings", "subject", "update", "updates", "purposes", "rectification")
"""Arguments that other connections or cases are given too, and in which something can be changed."""
_PASSING = (VendorError, PluginFault, RunEnded, Suppressed, StorageError, LedgerError)
"""What may come out of a hook as it is: the vendor's trouble, and what our own journal raises under a plugin's call."""

_READ_BACK = (Result.UPDATED, Result.UNCHANGED, Result.ABSENT)
_EFFECTS = (*_READ_BACK, Result.ACCEPTED, Result.MANUAL, Result.UNSUPPORTED, Result.FAILED, Result.UNKNOWN)
"""What may become of a consent or a correction."""


class Registry:
    """All installed plugins. A plugin without ``describe`` is no vendor: its hook wrappers go around every call."""

    def __init__(self, manager: pluggy.PluginManager, entries: Collection[EntryPoint] = ()) -> None:
        """``entries``: where the plugins were found."""
        self._manager, self._entries = manager, entries
        self._callers: dict[tuple[str, str], pluggy.HookCaller] = {}
        plugins = [name for name, plugin in manager.list_name_plugin() if plugin is not None]
        vendors = [name for name in plugins if self.implements(name, "describe")]
        self._vendors = frozenset(vendors)
        for name in set(plugins) - self._vendors:
            self._check_wrapper(name)
        self.infos: Mapping[str, PluginInfo] = {name: self._describe(name) for name in sorted(vendors)}

    @classmethod
    def load(cls) -> Registry:
        """The plugins that entry points in group ``habeas`` name.

        Raises :class:`ConfigError` for a plugin that cannot be imported or has a hook that does not exist.
        """
        manager = pluggy.PluginManager(hookspecs.PROJECT)
        manager.add_hookspecs(hookspecs)
        entries = sorted(entry_points(group=hookspecs.PROJECT), key=lambda e: e.name)
        for entry in entries:
            try:
                manager.register(within(_START_SECONDS, lambda entry=entry: _load(entry)), name=entry.name)  # type: ignore[misc]
            except BaseException as error:
                if _our_interrupt(error):
                    raise
                raise ConfigError(
                    f"plugin {entry.name} cannot be loaded ({type(error).__name__})",
                    advice=f"uninstall or repair {entry.value}",
                ) from None
        return cls.checked(manager, entries)

    @classmethod
    def checked(cls, manager: pluggy.PluginManager, entries: Collection[EntryPoint] = ()) -> Registry:
        """A registry over plugins that are registered already. A misspelt hook is an error, not silence."""
        try:
            manager.check_pending()
        except pluggy.PluginValidationError as error:
            name = manager.get_name(error.plugin) or "?"
            raise ConfigError(f"plugin {name} has a hook habeas does not know", advice="check its spelling") from None
        return cls(manager, entries)

    @cached_property
    def packages(self) -> Mapping[str, str]:
        """Each plugin, also one that only wraps others, and the package and version that it was installed from."""
        named = cache(lambda package: f"{package.name} {package.version}")  # most come from one
        return {entry.name: named(entry.dist) if entry.dist is not None else "" for entry in self._entries}

    def info(self, plugin: str) -> PluginInfo:
        """Raises :class:`ConfigError` naming the installed plugins."""
        if plugin not in self.infos:
            known = ", ".join(self.infos) or "none"
            raise ConfigError(f"there is no plugin '{plugin}'", advice=f"installed: {known}")
        return self.infos[plugin]

    def implements(self, plugin: str, hook: str) -> bool:
        """Whether a plugin has a hook of its own; a wrapper around other plugins' hooks is none."""
        wanted = self._manager.get_plugin(plugin)
        caller: pluggy.HookCaller = getattr(self._manager.hook, hook)
        return any(i.plugin is wanted and not (i.wrapper or i.hookwrapper) for i in caller.get_hookimpls())

    # -- hooks ------------------------------------------------------------------------------------------------------

    def authenticator(self, plugin: str, **arguments: object) -> Any:
        """The plugin's credentials object. Raises :class:`ConfigError` where the plugin cannot use its settings."""
        from requests.auth import AuthBase

        return self._start(plugin, "authenticator", AuthBase, arguments, may_raise=ConfigError)

    def check(self, plugin: str, connection: Connection) -> str:
        """Evidence of one harmless authenticated call."""
        return self._call(plugin, "check", str, {"connection": connection})

    def inventory(self, plugin: str, connection: Connection, subject: Subject) -> Inventory:
        """What the connection holds; kinds outside the plugin's list are a fault."""
        found = self._call(plugin, "inventory", Inventory, {"connection": connection, "subject": subject})
        with _border(plugin, "inventory"):
            check_parts(plugin, "inventory", found.records, Record)
            check_parts(plugin, "inventory", found.gaps, Gap)
            self._check_kinds(plugin, "inventory", [r.kind for r in found.records] + [g.kind for g in found.gaps])
            for record in found.records:
                check_record(plugin, record)
            check_gaps(plugin, "inventory", found.gaps)
            check_texts(plugin, "inventory", found.evidence)
        return found

    def export(self, plugin: str, connection: Connection, subject: Subject, inventory: Inventory) -> Export:
        """Everything the connection holds."""
        arguments = {"connection": connection, "subject": subject, "inventory": inventory}
        export = self._call(plugin, "export", Export, arguments)
        with _border(plugin, "export"):
            check_parts(plugin, "export", export.documents, Document)
            check_parts(plugin, "export", export.gaps, Gap)
            self._check_kinds(plugin, "export", [d.record for d in export.documents] + [g.kind for g in export.gaps])
            if not all(isinstance(document.content, bytes) for document in export.documents):
                raise PluginFault(f"plugin {plugin}: export returned a document whose content is not bytes")
            check_gaps(plugin, "export", export.gaps)
            check_texts(plugin, "export", export.evidence)
            for document in export.documents:
                check_texts(plugin, "export", document.name, document.media_type, document.source)
                check_parts(plugin, "export", document.omissions, Omission)
                for omission in document.omissions:
                    check_texts(plugin, "export", omission.what, omission.why)
                    check_count(plugin, "export", omission.count)
        return export

    def erase(self, plugin: str, connection: Connection, erasure: Erasure) -> tuple[Outcome, ...]:
        """One outcome for each item that was to be erased, and a read behind every ``erased`` and ``absent``."""
        outcomes = self._call(plugin, "erase", tuple, {"connection": connection, "erasure": erasure})
        wanted = sorted(item.index for item in erasure.items if item.action is Action.ERASE)
        with _border(plugin, "erase"):
            check_parts(plugin, "erase", outcomes, Outcome)
            if sorted(o.index for o in outcomes) != wanted:
                raise PluginFault(f"plugin {plugin}: erase did not return exactly one outcome per item")
            # Plain text that equals a result would slip past the next check and into the ledger.
            if not all(isinstance(o.result, Result) for o in outcomes):
                raise PluginFault(f"plugin {plugin}: erase returned an outcome whose result is not a Result")
            for outcome in outcomes:
                check_texts(plugin, "erase", outcome.evidence, outcome.reason, outcome.until)
                read = connection.api.read_since_change and outcome.evidence
                if outcome.result in (Result.ERASED, Result.ABSENT) and not read:
                    raise PluginFault(
                        f"plugin {plugin}: erase claims '{outcome.result}' without having read the vendor back"
                    )
        return outcomes

    def update_consent(self, plugin: str, connection: Connection, update: ConsentUpdate) -> tuple[Effect, ...]:
        """The effects of each consent change, and a read behind everything that claims to be so."""
        effects = self._call(plugin, "update_consent", tuple, {"connection": connection, "update": update})
        self._check_effects(plugin, "update_consent", connection, effects, {c.index for c in update.changes})
        return effects

    def update_consents(
        self, plugin: str, connection: Connection, updates: tuple[ConsentUpdate, ...]
    ) -> tuple[tuple[Effect, ...], ...]:
        """The effects for each person, or none for who must be asked for alone."""
        several = self._call(plugin, "update_consents", tuple, {"connection": connection, "updates": updates})
        with _border(plugin, "update_consents"):
            check_parts(plugin, "update_consents", several, tuple)
            if len(several) != len(updates):
                raise PluginFault(f"plugin {plugin}: update_consents did not return one answer for each person")
        for update, effects in zip(updates, several, strict=True):
            if effects:
                indexes = {c.index for c in update.changes}
                self._check_effects(plugin, "update_consents", connection, effects, indexes)
        return several

    def rectify(self, plugin: str, connection: Connection, rectification: Rectification) -> tuple[Effect, ...]:
        """The effects of each correction, and a read behind everything that claims to be so."""
        effects = self._call(plugin, "rectify", tuple, {"connection": connection, "rectification": rectification})
        self._check_effects(plugin, "rectify", connection, effects, {c.index for c in rectification.corrections})
        return effects

    def read_consent(
        self, plugin: str, connection: Connection, subject: Subject, purposes: tuple[Purpose, ...]
    ) -> tuple[HeldConsent, ...]:
        """What the vendor holds about each purpose, in the purposes' order."""
        arguments = {"connection": connection, "subject": subject, "purposes": purposes}
        held = self._call(plugin, "read_consent", tuple, arguments)
        with _border(plugin, "read_consent"):
            check_parts(plugin, "read_consent", held, HeldConsent)
            if [h.purpose for h in held] != [p.name for p in purposes]:
                raise PluginFault(f"plugin {plugin}: read_consent did not return one answer for each purpose")
            if not all(isinstance(h.state, HeldState) for h in held):
                raise PluginFault(f"plugin {plugin}: read_consent returned a state that is not a HeldState")
            check_texts(plugin, "read_consent", *(text for h in held for text in (h.evidence, h.reason)))
        return held

    def create_canary(self, plugin: str, connection: Connection, person: CanaryPerson) -> Canary:
        """A made-up person at the vendor; kinds outside the plugin's list are a fault."""
        canary = self._call(plugin, "create_canary", Canary, {"connection": connection, "person": person})
        with _border(plugin, "create_canary"):
            check_parts(plugin, "create_canary", canary.identifiers, Identifier)
            check_parts(plugin, "create_canary", canary.left_out, str)
            check_texts(plugin, "create_canary", *canary.left_out, *(i.value for i in canary.identifiers))
            if not isinstance(canary.created, Mapping):
                raise PluginFault(f"plugin {plugin}: create_canary returned something else than counts by kind")
            self._check_kinds(plugin, "create_canary", list(canary.created))
            for count in canary.created.values():
                check_count(plugin, "create_canary", count)
            if any(i.kind != connection.name for i in canary.identifiers):
                raise PluginFault(f"plugin {plugin}: create_canary returned an identifier that is not the connection's")
        return canary

    def _check_effects(
        self, plugin: str, hook: str, connection: Connection, effects: tuple[Effect, ...], wanted: set[int]
    ) -> None:
        with _border(plugin, hook):
            check_parts(plugin, hook, effects, Effect)
            self._check_kinds(plugin, hook, [effect.record for effect in effects])
            named = [(effect.index, effect.record) for effect in effects]
            if {index for index, _ in named} != wanted or len(set(named)) != len(named):
                raise PluginFault(
                    f"plugin {plugin}: {hook} did not return one effect for each change and kind of record"
                )
            for effect in effects:
                check_count(plugin, hook, effect.count)
                check_texts(plugin, hook, effect.evidence, effect.reason, effect.until)
                # Plain text that equals a result is not one: it would slip past the next check and into the ledger.
                if not any(effect.result is possible for possible in _EFFECTS):
                    raise PluginFault(f"plugin {plugin}: {hook} returned a result that a change cannot have")
                read = connection.api.read_since_change and effect.evidence
                if effect.result in _READ_BACK and not read:
                    raise PluginFault(
                        f"plugin {plugin}: {hook} claims '{effect.result}' without having read the vendor back"
                    )

    def sandbox(self, plugin: str) -> SandboxApp:
        """A fresh sandbox of the vendor."""
        from habeas.testing.sandbox import SandboxApp

        app = self._call(plugin, "sandbox", object, {})
        if not isinstance(app, SandboxApp):
            raise PluginFault(f"plugin {plugin}: sandbox returned {type(app).__name__}, not SandboxApp")
        return app

    # -- how a hook is called ---------------------------------------------------------------------------------------

    def _call(
        self,
        plugin: str,
        hook: str,
        kind: type[T],
        arguments: Mapping[str, object],
        *,
        may_raise: type[Exception] | tuple[()] = (),
    ) -> T:
        """Calls one plugin's hook, with the wrappers of those that are no vendors around it.

        What could be changed in what it is given is its own copy: no other vendor's plugin gets to see it.
        """
        with _border(plugin, hook, may_raise):
            own = {k: copy.deepcopy(v) if k in _COPIED else v for k, v in arguments.items()}
            result = self._caller(plugin, hook)(**own)
        if not isinstance(result, kind):
            raise PluginFault(f"plugin {plugin}: {hook} returned {type(result).__name__}, not {kind.__name__}")
        return result

    def _start(
        self,
        plugin: str,
        hook: str,
        kind: type[T],
        arguments: Mapping[str, object],
        *,
        may_raise: type[Exception] | tuple[()] = (),
    ) -> T:
        """As :meth:`_call`, for hooks that are called before there is a run whose end would bound them."""
        try:
            return within(_START_SECONDS, lambda: self._call(plugin, hook, kind, arguments, may_raise=may_raise))
        except TimeoutError:
            raise PluginFault(f"plugin {plugin}: {hook} did not come back in {_START_SECONDS:.0f} s") from None

    def _caller(self, plugin: str, hook: str) -> pluggy.HookCaller:
        key = (plugin, hook)
        if key not in self._callers:
            others = [self._manager.get_plugin(name) for name in self._vendors if name != plugin]
            self._callers[key] = self._manager.subset_hook_caller(hook, remove_plugins=others)
        return self._callers[key]

    def _describe(self, plugin: str) -> PluginInfo:
        info = self._start(plugin, "describe", PluginInfo, {})
        with _border(plugin, "describe"):
            check_parts(plugin, "describe", info.kinds, RecordKind)
            names = [kind.name for kind in info.kinds]
            check_parts(plugin, "describe", info.rectifies, Field)
            check_parts(plugin, "describe", info.secret_files, str)
            for kind in info.kinds:
                check_parts(plugin, "describe", kind.fields, str)
            schemas: tuple[object, ...] = (info.purpose_schema, info.settings_schema)
            if not all(isinstance(schema, Mapping) for schema in schemas):
                raise PluginFault(f"plugin {plugin}: describe gives a schema that is no object")
            if info.name != plugin or len(set(names)) != len(names) or info.main_kind not in names:
                raise PluginFault(
                    f"plugin {plugin}: describe does not fit its entry point, or its record kinds are not unique"
                )
            unknown = {other for kind in info.kinds for other in kind.erased_with} - set(names)
            if unknown:
                raise PluginFault(
                    f"plugin {plugin}: erased_with names kinds that are not declared: {', '.join(sorted(unknown))}"
                )
        return info

    def _check_wrapper(self, plugin: str) -> None:
        """A plugin that is no vendor may go around the vendors' hooks, never answer in their place."""
        for caller in self._manager.get_hookcallers(self._manager.get_plugin(plugin)) or ():
            if self.implements(plugin, caller.name):
                raise ConfigError(
                    f"plugin {plugin} has the hook {caller.name} but no describe: it would answer for every vendor",
                    advice="make it a wrapper, or describe the vendor",
                )

    def _check_kinds(self, plugin: str, hook: str, kinds: list[str]) -> None:
        declared = {kind.name for kind in self.infos[plugin].kinds}
        for kind in kinds:
            if kind not in declared:
                raise PluginFault(f"plugin {plugin}: {hook} returned a record kind that is not declared")


@contextmanager
def _border(plugin: str, hook: str, may_raise: type[Exception] | tuple[()] = ()) -> Iterator[None]:
    """Turns whatever foreign code raises that it may not into a :class:`PluginFault` without detail.

    The detail is left out on purpose: a foreign exception's text may hold an identifier.
    """
    try:
        with foreign_code():
            yield
    except _PASSING:
        raise
    except BaseException as error:
        if isinstance(error, (may_raise, EndOfTrial)) or _our_interrupt(error):
            raise
        raise PluginFault(f"plugin {plugin}: {hook} raised {type(error).__name__}") from None


def _our_interrupt(error: BaseException) -> bool:
    """Whether it may be a Ctrl-C, which only the main thread gets. Elsewhere it is something that a plugin raised."""
    return isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread()


def _load(entry: EntryPoint) -> object:
    with foreign_code():
        return entry.load()

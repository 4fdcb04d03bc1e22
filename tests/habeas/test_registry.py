"""The border to plugins: one is called at a time, and whatever it does wrong is a fault with its name on it."""

from __future__ import annotations

import dataclasses
import json
import tomllib
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pluggy
import pytest
from requests.auth import AuthBase

import habeas
from habeas import hookspecs, models
from habeas.clock import SystemClock
from habeas.connection import Connection
from habeas.control import RunControl
from habeas.errors import (
    ConfigError,
    HabeasError,
    InputError,
    NoAnswer,
    OutcomeUnknown,
    PluginFault,
    PolicyError,
    RefusedError,
    Rejected,
    RunEnded,
    StorageError,
)
from habeas.http.api import Api
from habeas.http.limits import Limiter
from habeas.http.transport import Request, Transport
from habeas.models import (
    Action,
    Document,
    Erasure,
    Export,
    Gap,
    Identifier,
    Inventory,
    Limits,
    Outcome,
    PlanItem,
    PluginInfo,
    Record,
    RecordKind,
    Result,
    Subject,
)
from habeas.registry import Registry
from habeas.testing.clock import SkippingClock
from habeas.testing.connect import MemoryJournal
from habeas.testing.people import Person
from habeas.testing.sandbox import Call, Reply, SandboxApp, SandboxServer
from habeas_audit import LedgerError

ROOT = Path(__file__).parents[2]
CANARY = "canary-5f2e@example.org"
SUBJECT = Subject((Identifier("email", CANARY),))
NOTHING = Inventory((), evidence="GET /v1/things -> 404")
ITEMS = tuple(PlanItem(n, Record("thing", 1), action) for n, action in enumerate([Action.ERASE, Action.RETAIN]))
READ = "GET /v1/things -> 404"

loose: Any = models
"""The models without their types: what a plugin that nobody has checked may make of them."""


def kind(name: str, erased_with: tuple[str, ...] = ()) -> RecordKind:
    return RecordKind(name, name.title(), "", (), (), "", erased_with)


def info(name: str = "one", **changes: Any) -> PluginInfo:
    whole = PluginInfo(name, name.title(), "thing", (kind("thing"), kind("card")), {}, ())
    return dataclasses.replace(whole, **changes)


class Vendor:
    """A plugin whose hooks give what they are told to give: a value, or an exception that is raised."""

    def __init__(self, name: str = "one", /, **gives: Any) -> None:
        self.name = name
        self.gives = {"describe": info(name), **gives}
        self.called: list[str] = []

    def _give(self, hook: str) -> Any:
        self.called.append(hook)
        value = self.gives[hook]
        if isinstance(value, BaseException):
            raise value
        return value() if callable(value) else value

    @habeas.hookimpl
    def describe(self) -> Any:
        return self._give("describe")

    @habeas.hookimpl
    def authenticator(self, settings: object, base_url: str) -> Any:
        return self._give("authenticator")

    @habeas.hookimpl
    def check(self, connection: Connection) -> Any:
        return self._give("check")

    @habeas.hookimpl
    def inventory(self, connection: Connection, subject: Subject) -> Any:
        return self._give("inventory")

    @habeas.hookimpl
    def export(self, connection: Connection) -> Any:
        return self._give("export")

    @habeas.hookimpl
    def erase(self, connection: Connection, erasure: Erasure) -> Any:
        return self._give("erase")

    @habeas.hookimpl
    def sandbox(self) -> Any:
        return self._give("sandbox")


def registry_of(*vendors: Any) -> Registry:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    for vendor in vendors:
        manager.register(vendor, name=getattr(vendor, "name", None))
    return Registry.checked(manager)


class Things(SandboxApp):
    """Holds nothing, and says so."""

    name = "one"

    def __init__(self) -> None:
        super().__init__()
        self.route("GET", "/v1/things", lambda _: Reply(404, {}))
        self.route("DELETE", "/v1/things", lambda _: Reply(204))

    def settings(self) -> Mapping[str, str]:
        return {}

    def seed(self, people: Iterable[Person]) -> Mapping[str, str]:
        return {}

    def held(self, person: Person) -> Mapping[str, int]:
        return {}

    def error(self, status: int, message: str, call: Call) -> Reply:
        return Reply(status, {})

    def authenticate(self, call: Call) -> Reply | None:
        return None


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(Things()) as running:
        yield running


class Open(AuthBase):
    def __call__(self, r: Any) -> Any:
        return r


@pytest.fixture
def connection(server: SandboxServer) -> Connection:
    clock = SkippingClock()
    transport = Transport(server.base_url, Limits(), clock)
    api = Api(transport, Open(), Limiter(Limits(), clock), RunControl(clock), MemoryJournal())
    return Connection("one-eu", {}, api, clock)


# -- finding plugins ---------------------------------------------------------------------------------------------------


def test_every_folder_under_plugins_is_an_entry_point_and_every_entry_point_a_folder() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        declared = tomllib.load(file)["project"]["entry-points"]["habeas"]
    folders = {path.name for path in (ROOT / "plugins").iterdir() if (path / "__init__.py").exists()}
    assert declared == {folder.removeprefix("habeas_"): folder for folder in folders}
    installed = {entry.name: entry.value for entry in entry_points(group="habeas") if entry.value in folders}
    assert installed == declared, "entry points have changed: install the project again"


def test_installed_plugins_are_loaded_under_their_entry_points_names() -> None:
    registry = Registry.load()
    assert {"cybersource", "talonone", "voucherify"} <= set(registry.infos)
    assert list(registry.infos) == sorted(registry.infos)
    for name in ("cybersource", "talonone", "voucherify"):
        assert registry.info(name).name == name
        assert registry.sandbox(name).name == name
        for hook in ("describe", "authenticator", "check", "inventory", "export", "erase", "sandbox"):
            assert registry.implements(name, hook)


def test_an_unknown_plugin_is_refused_with_the_names_of_those_that_are_there() -> None:
    with pytest.raises(ConfigError) as caught:
        registry_of(Vendor("one"), Vendor("two")).info("three")
    assert caught.value.line() == "there is no plugin 'three'; installed: one, two"
    with pytest.raises(ConfigError, match="there is no plugin"):
        registry_of().info("three")


def install(folder: Path, distribution: str, code: str, name: str = "three") -> None:
    """A distribution as pip would leave it: a module, and metadata with an entry point that names it."""
    (folder / f"habeas_{distribution}.py").write_text(f"import habeas\n{code}\n")
    metadata = folder / f"{distribution}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[habeas]\n{name} = habeas_{distribution}\n")


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (f"raise ImportError({CANARY!r})", "ImportError"),
        (f"raise SystemExit({CANARY!r})", "SystemExit"),
        (f"{CANARY!r} / 0", "TypeError"),
        (f"this is no Python: {CANARY}", "SyntaxError"),
        ("@habeas.hookimpl\ndef inventory(connection, person): ...", "PluginValidationError"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_is_named_without_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, name: str
) -> None:
    install(tmp_path, f"broken_{name.lower()}", code)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError) as caught:
        Registry.load()
    assert caught.value.line() == (
        f"plugin three cannot be loaded ({name}); uninstall or repair habeas_broken_{name.lower()}"
    )
    assert CANARY not in shown(caught.value)


def test_a_foreign_plugin_of_a_name_that_is_taken_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "usurper", "", name="voucherify")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match="plugin voucherify cannot be loaded"):
        Registry.load()


def test_a_misspelt_hook_is_an_error_not_silence() -> None:
    class Misspelt(Vendor):
        @habeas.hookimpl
        def erasee(self) -> None:
            """Nobody would ever call this."""

    with pytest.raises(ConfigError, match="plugin one has a hook habeas does not know"):
        registry_of(Misspelt())


# -- describe ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("described", "complaint"),
    [
        (info("other"), "does not fit its entry point"),
        (info(main_kind="unknown"), "does not fit its entry point"),
        (info(kinds=()), "does not fit its entry point"),
        (info(kinds=(kind("thing"), kind("thing"))), "record kinds are not unique"),
        (info(kinds=(kind("thing", ("ghost", "spook")),)), "kinds that are not declared: ghost, spook"),
        (info(kinds=[kind("thing")]), "something else than a tuple of RecordKind"),
        (info(kinds=("thing",)), "something else than a tuple of RecordKind"),
        (info(kinds=None), "something else than a tuple of RecordKind"),
        (info(kinds=(loose.RecordKind("thing", "", "", (), (), "", None),)), "describe raised TypeError"),
        (None, "describe returned NoneType, not PluginInfo"),
        ({"name": "one"}, "describe returned dict, not PluginInfo"),
        (KeyError(CANARY), "describe raised KeyError"),
    ],
)
def test_a_plugin_that_describes_itself_wrongly_is_refused(described: Any, complaint: str) -> None:
    with pytest.raises(PluginFault, match=f"^plugin one: .*{complaint}") as caught:
        registry_of(Vendor(describe=described))
    assert CANARY not in shown(caught.value)


# -- who is called -----------------------------------------------------------------------------------------------------


def test_one_vendor_is_called_and_no_other(connection: Connection) -> None:
    vendors = [Vendor(name, inventory=NOTHING, check=name) for name in ("one", "two", "three")]
    registry = registry_of(*vendors)
    for vendor in vendors:
        vendor.called.clear()
    assert registry.inventory("two", connection, SUBJECT) == NOTHING
    assert registry.check("three", connection) == "three"
    assert [vendor.called for vendor in vendors] == [[], ["inventory"], ["check"]]


def test_a_hook_a_vendor_does_not_have_is_not_answered_by_another(connection: Connection) -> None:
    class Poor:
        name = "poor"

        @habeas.hookimpl
        def describe(self) -> PluginInfo:
            return info("poor")

    other = Vendor("one", inventory=NOTHING)
    registry = registry_of(Poor(), other)
    other.called.clear()
    with pytest.raises(PluginFault, match=r"^plugin poor: inventory returned NoneType, not Inventory$"):
        registry.inventory("poor", connection, SUBJECT)
    assert other.called == []
    assert registry.implements("one", "inventory")
    assert not registry.implements("poor", "inventory")


class Watcher:
    """No vendor: goes around every vendor's hooks, in the new way of pluggy and in the old one."""

    name = "watcher"

    def __init__(self) -> None:
        self.seen: list[str] = []

    @habeas.hookimpl(wrapper=True)
    def inventory(self, connection: Connection) -> Generator[None, Inventory, Inventory]:
        self.seen.append(f"before {connection.name}")
        found = yield
        self.seen.append(f"after {connection.name}")
        return found

    @habeas.hookimpl(hookwrapper=True)
    def check(self, connection: Connection) -> Generator[None, Any, None]:
        self.seen.append(f"before {connection.name}")
        yield
        self.seen.append(f"after {connection.name}")

    @habeas.hookimpl(wrapper=True)
    def describe(self) -> Generator[None, PluginInfo, PluginInfo]:
        return (yield)


@pytest.mark.parametrize("first", [True, False])
def test_a_wrapper_goes_around_the_one_vendor_that_is_called(connection: Connection, first: bool) -> None:
    watcher = Watcher()
    vendors = [Vendor("one", inventory=NOTHING, check="ok"), Vendor("two", inventory=NOTHING)]
    registry = registry_of(*([watcher, *vendors] if first else [*vendors, watcher]))
    assert set(registry.infos) == {"one", "two"}
    assert registry.inventory("one", connection, SUBJECT) == NOTHING
    assert registry.check("one", connection) == "ok"
    assert watcher.seen == ["before one-eu", "after one-eu"] * 2
    assert "inventory" not in vendors[1].called


def test_the_wrapper_of_another_vendor_stays_with_that_vendor(connection: Connection) -> None:
    class Nosy(Vendor):
        @habeas.hookimpl(wrapper=True)
        def inventory(self, connection: Connection, subject: Subject) -> Generator[None, Inventory, Inventory]:
            self.called.append("looked")
            return (yield)

    nosy = Nosy("nosy")
    registry = registry_of(nosy, Vendor("one", inventory=NOTHING))
    nosy.called.clear()
    registry.inventory("one", connection, SUBJECT)
    assert nosy.called == []


def test_a_plugin_that_is_no_vendor_may_not_answer_in_a_vendors_place() -> None:
    class Impostor:
        name = "impostor"

        @habeas.hookimpl
        def inventory(self) -> Inventory:
            return NOTHING

    with pytest.raises(ConfigError, match="plugin impostor has the hook inventory but no describe"):
        registry_of(Vendor(), Impostor())


@pytest.mark.parametrize("spoilt", [None, [], "text", ZeroDivisionError(CANARY)])
def test_a_wrapper_that_spoils_the_result_is_noticed(connection: Connection, spoilt: Any) -> None:
    class Spoiler:
        name = "spoiler"

        @habeas.hookimpl(wrapper=True)
        def inventory(self) -> Generator[None, Inventory, Any]:
            yield
            if isinstance(spoilt, Exception):
                raise spoilt
            return spoilt

    registry = registry_of(Vendor(inventory=NOTHING), Spoiler())
    with pytest.raises(PluginFault) as caught:
        registry.inventory("one", connection, SUBJECT)
    assert CANARY not in shown(caught.value)


# -- what a hook raises ------------------------------------------------------------------------------------------------


class Leaky(Exception):
    """Shows what it holds in every way an exception can."""

    def __str__(self) -> str:
        return CANARY


def chained() -> None:
    try:
        raise KeyError(CANARY)
    except KeyError as error:
        raise Leaky(CANARY) from error


def grouped() -> None:
    raise ExceptionGroup(CANARY, [ValueError(CANARY)])


def calls(registry: Registry, connection: Connection) -> dict[str, Callable[[], Any]]:
    return {
        "authenticator": lambda: registry.authenticator("one", settings={}, base_url="", transport=None),
        "check": lambda: registry.check("one", connection),
        "inventory": lambda: registry.inventory("one", connection, SUBJECT),
        "export": lambda: registry.export("one", connection, SUBJECT, NOTHING),
        "erase": lambda: registry.erase("one", connection, Erasure(SUBJECT, ITEMS)),
        "sandbox": lambda: registry.sandbox("one"),
    }


HOOKS = ["authenticator", "check", "inventory", "export", "erase", "sandbox"]


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize(
    ("given", "name"),
    [
        (KeyError(CANARY), "KeyError"),
        (UnicodeEncodeError("ascii", CANARY, 0, 1, CANARY), "UnicodeEncodeError"),
        (StopIteration(CANARY), "RuntimeError|StopIteration"),
        (RecursionError(CANARY), "RecursionError"),
        (SystemExit(CANARY), "SystemExit"),
        (chained, "Leaky"),
        (grouped, "ExceptionGroup"),
        # Ours, but not a plugin's to raise: they would end the run of everybody.
        (RefusedError(CANARY), "RefusedError"),
        (InputError(CANARY), "InputError"),
        (PolicyError(CANARY), "PolicyError"),
        (HabeasError(CANARY), "HabeasError"),
    ],
)
def test_what_a_hook_may_not_raise_is_a_fault_that_tells_its_type_only(
    connection: Connection, hook: str, given: Any, name: str
) -> None:
    registry = registry_of(Vendor(**{hook: given}))
    with pytest.raises(PluginFault, match=f"^plugin one: {hook} raised ({name})$") as caught:
        calls(registry, connection)[hook]()
    assert CANARY not in shown(caught.value)


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize(
    "error",
    [
        NoAnswer("GET /v1/things: no answer in time"),
        Rejected("GET /v1/things -> 400", status=400),
        OutcomeUnknown("DELETE /v1/things: the connection was dropped"),
        PluginFault("a changing call where only reading is allowed"),
        RunEnded("over"),
        StorageError("the disk is full"),
        LedgerError("another process holds the ledger"),
    ],
)
def test_the_vendors_trouble_and_what_our_own_journal_raises_pass_as_they_are(
    connection: Connection, hook: str, error: BaseException
) -> None:
    registry = registry_of(Vendor(**{hook: error}))
    with pytest.raises(type(error)) as caught:
        calls(registry, connection)[hook]()
    assert caught.value is error


@pytest.mark.parametrize("hook", HOOKS)
def test_only_in_the_main_thread_an_interrupt_is_somebody_s(connection: Connection, hook: str) -> None:
    """Ctrl-C comes there and nowhere else: in any other thread, where most hooks are called, a plugin has raised it."""
    registry = registry_of(Vendor(**{hook: KeyboardInterrupt()}))
    if hook != "authenticator":  # which has a thread of its own
        with pytest.raises(KeyboardInterrupt):
            calls(registry, connection)[hook]()
    with ThreadPoolExecutor(1) as elsewhere:
        fault = elsewhere.submit(calls(registry, connection)[hook]).exception(10)
    assert isinstance(fault, PluginFault)
    assert fault.line() == f"plugin one: {hook} raised KeyboardInterrupt"


@pytest.mark.parametrize("hook", HOOKS)
def test_only_the_authenticator_may_complain_about_the_configuration(connection: Connection, hook: str) -> None:
    registry = registry_of(Vendor(**{hook: ConfigError("shared_secret is not base64")}))
    expected = ConfigError if hook == "authenticator" else PluginFault
    with pytest.raises(expected):
        calls(registry, connection)[hook]()


# -- what a hook returns -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("given", [None, [], {}, 0, object(), [NOTHING], True])
def test_anything_but_our_type_is_a_fault(connection: Connection, hook: str, given: Any) -> None:
    registry = registry_of(Vendor(**{hook: lambda: given}))
    with pytest.raises(PluginFault, match=f"^plugin one: {hook} returned {type(given).__name__}, not "):
        calls(registry, connection)[hook]()


def deep() -> Mapping[str, Any]:
    nested: dict[str, Any] = {}
    for _ in range(100_000):
        nested = {"a": nested}
    return nested


@pytest.mark.parametrize(
    ("found", "complaint"),
    [
        (loose.Inventory((loose.Record("ghost", 1),)), "record kind that is not declared"),
        (loose.Inventory((), (loose.Gap("ghost", Result.MANUAL, "ask"),)), "record kind that is not declared"),
        (loose.Inventory((loose.Record([], 1),)), "raised TypeError"),
        (loose.Inventory((loose.Record("thing", 0),)), "counts nothing"),
        (loose.Inventory((loose.Record("thing", -1),)), "counts nothing"),
        (loose.Inventory((loose.Record("thing", True),)), "counts nothing"),
        (loose.Inventory((loose.Record("thing", 1.5),)), "counts nothing"),
        (loose.Inventory((loose.Record("thing", "1"),)), "counts nothing"),
        (loose.Inventory((loose.Record("thing", None),)), "counts nothing"),
        (loose.Inventory([loose.Record("thing", 1)]), "something else than a tuple of Record"),
        (loose.Inventory(({"kind": "thing"},)), "something else than a tuple of Record"),
        (loose.Inventory(None), "something else than a tuple of Record"),
        (loose.Inventory((), None), "something else than a tuple of Gap"),
        (loose.Inventory((loose.Record("thing", 1, ids=None),)), "ids or data are not JSON"),
        (loose.Inventory((loose.Record("thing", 1, ids=(b"x",)),)), "ids or data are not JSON"),
        (loose.Inventory((loose.Record("thing", 1, data=None),)), "ids or data are not JSON"),
        (loose.Inventory((loose.Record("thing", 1, data={"at": SystemClock()}),)), "ids or data are not JSON"),
        (loose.Inventory((loose.Record("thing", 1, data={"score": float("nan")}),)), "ids or data are not JSON"),
        (loose.Inventory((loose.Record("thing", 1, data=deep()),)), "ids or data are not JSON"),
    ],
)  # fmt: skip
def test_an_inventory_that_breaks_the_contract_is_a_fault(connection: Connection, found: Any, complaint: str) -> None:
    registry = registry_of(Vendor(inventory=found))
    with pytest.raises(PluginFault, match=f"^plugin one: inventory .*{complaint}$"):
        registry.inventory("one", connection, SUBJECT)


def test_a_sound_inventory_and_export_come_through_unchanged(connection: Connection) -> None:
    found = Inventory((Record("thing", 2, ("a", "b"), {"n": [1, None]}),), (Gap("card", Result.MANUAL, "ask"),), READ)
    export = Export((Document("thing", "thing.json", b"{}"),), (Gap("card", Result.UNSUPPORTED, "no way"),), READ)
    registry = registry_of(Vendor(inventory=found, export=export))
    assert registry.inventory("one", connection, SUBJECT) is found
    assert registry.export("one", connection, SUBJECT, found) is export


@pytest.mark.parametrize(
    ("export", "complaint"),
    [
        (loose.Export((loose.Document("ghost", "g.json", b""),)), "record kind that is not declared"),
        (loose.Export((), (loose.Gap("ghost", Result.MANUAL, "ask"),)), "record kind that is not declared"),
        (loose.Export([]), "something else than a tuple of Document"),
        (loose.Export((b"{}",)), "something else than a tuple of Document"),
        (loose.Export((), {}), "something else than a tuple of Gap"),
        (loose.Export((loose.Document("thing", "thing.json", "{}"),)), "content is not bytes"),
        (loose.Export((loose.Document("thing", "thing.json", None),)), "content is not bytes"),
    ],
)  # fmt: skip
def test_an_export_that_breaks_the_contract_is_a_fault(connection: Connection, export: Any, complaint: str) -> None:
    registry = registry_of(Vendor(export=export))
    with pytest.raises(PluginFault, match=f"^plugin one: export .*{complaint}$"):
        registry.export("one", connection, SUBJECT, NOTHING)


# -- erase -------------------------------------------------------------------------------------------------------------


def erased(connection: Connection, *outcomes: Any, items: tuple[PlanItem, ...] = ITEMS) -> tuple[Outcome, ...]:
    registry = registry_of(Vendor(erase=lambda: outcomes))
    return registry.erase("one", connection, Erasure(SUBJECT, items))


def read(connection: Connection) -> None:
    connection.api.get("/v1/things", ok=(404,))


def change(connection: Connection) -> None:
    connection.api.change(Request("DELETE", "/v1/things"), done=lambda: False)


FAILED = Outcome(0, Result.FAILED, "")


@pytest.mark.parametrize(
    "outcomes",
    [
        (),
        (FAILED, FAILED),
        (FAILED, Outcome(1, Result.RETAINED, "")),
        (Outcome(1, Result.FAILED, ""),),
        (Outcome(7, Result.FAILED, ""),),
    ],
)
def test_each_item_to_erase_has_exactly_one_outcome(connection: Connection, outcomes: tuple[Outcome, ...]) -> None:
    with pytest.raises(PluginFault, match=r"^plugin one: erase did not return exactly one outcome per item$"):
        erased(connection, *outcomes)


@pytest.mark.parametrize(
    ("outcome", "complaint"),
    [
        (None, "something else than a tuple of Outcome"),
        ({"index": 0}, "something else than a tuple of Outcome"),
        (loose.Outcome("0", Result.FAILED, ""), "exactly one outcome per item"),
        (loose.Outcome(0, "erased", READ), "result is not a Result"),
        (loose.Outcome(0, "done", READ), "result is not a Result"),
    ],
)
def test_an_outcome_that_is_none_is_a_fault(connection: Connection, outcome: Any, complaint: str) -> None:
    read(connection)
    with pytest.raises(PluginFault, match=complaint):
        erased(connection, outcome)


@pytest.mark.parametrize("result", [Result.ERASED, Result.ABSENT])
def test_gone_is_believed_only_after_a_read_that_followed_the_last_change(
    connection: Connection, result: Result
) -> None:
    claim = Outcome(0, result, READ)
    with pytest.raises(PluginFault, match=f"claims '{result}' without having read the vendor back"):
        erased(connection, claim)
    read(connection)
    assert erased(connection, claim) == (claim,)
    change(connection)
    with pytest.raises(PluginFault, match="without having read"):
        erased(connection, claim)
    read(connection)
    assert erased(connection, claim) == (claim,)
    with pytest.raises(PluginFault, match="without having read"):
        erased(connection, Outcome(0, result, ""))


@pytest.mark.parametrize("result", [Result.FAILED, Result.UNKNOWN, Result.MANUAL, Result.ACCEPTED, Result.UNSUPPORTED])
def test_what_claims_nothing_needs_no_read(connection: Connection, result: Result) -> None:
    assert erased(connection, Outcome(0, result, ""))[0].result is result


def test_outcomes_may_come_in_any_order(connection: Connection) -> None:
    items = tuple(PlanItem(n, Record("thing", 1), Action.ERASE) for n in range(3))
    outcomes = [Outcome(n, Result.FAILED, "") for n in (2, 0, 1)]
    assert erased(connection, *outcomes, items=items) == tuple(outcomes)


def test_a_change_in_a_read_only_hook_is_a_fault_and_changes_nothing(server: SandboxServer) -> None:
    clock = SkippingClock()
    api = Api(Transport(server.base_url, Limits(), clock), Open(), Limiter(Limits(), clock), RunControl(clock))
    read_only = Connection("one-eu", {}, api, clock)
    server.calls.clear()
    registry = registry_of(Vendor(inventory=lambda: change(read_only)))
    with pytest.raises(PluginFault, match="a changing call where only reading is allowed"):
        registry.inventory("one", read_only, SUBJECT)
    assert server.calls == []


def shown(error: BaseException) -> str:
    """All that anything could print of an error."""
    return "".join(traceback.format_exception(error)) + repr(error) + str(error) + json.dumps(vars(error))

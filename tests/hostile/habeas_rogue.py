"""A plugin that does in one hook, chosen in the configuration, what no plugin should; and else answers properly.

``how = "HOOK:DEED"``, or several with blanks between. The tests install it as a distribution of its own.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, cast

import requests

import habeas
from habeas import (
    Action,
    Document,
    Erasure,
    Export,
    Inventory,
    Outcome,
    PluginInfo,
    Record,
    RecordKind,
    Result,
    Subject,
)
from habeas.http.transport import Request

loose: Any = habeas
"""Without types: what code that nobody has checked may write."""


def _start() -> str:
    """What it does when it is imported or asked to describe itself: then there is no configuration yet."""
    return os.environ.get("ROGUE_START", "")


class Whim(BaseException):
    """Nothing that ``except Exception`` would catch."""


class NoAuth(requests.auth.AuthBase):
    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        return r


def _raise(error: BaseException) -> Callable[[], Any]:
    def deed() -> None:
        raise error

    return deed


def _hang() -> None:
    threading.Event().wait()


def _spin() -> None:
    while True:
        time.sleep(0)


def _print() -> None:
    print("ROGUE-PRINT")  # noqa: T201 - the deed
    sys.stdout.write("ROGUE-WRITE\n")
    sys.stdout.buffer.write(b"ROGUE-BYTES\n")
    sys.stdout.flush()
    os.write(1, b"ROGUE-RAW\n")
    subprocess.run(["echo", "ROGUE-CHILD"], check=True)
    thread = threading.Thread(target=print, args=("ROGUE-THREAD",))
    thread.start()
    thread.join()
    sys.stdout.close()


def _thread() -> None:
    threading.Thread(target=_hang).start()


def _fork() -> None:
    """The child goes on as if it were us; multiprocessing's prints what it has inherited, and stays."""
    if os.fork():
        multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,)).start()


def _close_files() -> None:
    os.closerange(3, 256)


def _exit() -> None:
    os._exit(0)


DEEDS: dict[str, Callable[[], Any]] = {
    "key_error": _raise(KeyError("rogue@secret.example")),
    "base_exception": _raise(Whim("rogue@secret.example")),
    "system_exit": _raise(SystemExit(0)),
    "keyboard_interrupt": _raise(KeyboardInterrupt()),
    "generator_exit": _raise(GeneratorExit()),
    "stop_iteration": _raise(StopIteration()),
    "cancelled": _raise(asyncio.CancelledError()),
    "future_cancelled": _raise(concurrent.futures.CancelledError()),
    "timeout": _raise(TimeoutError()),
    "memory": _raise(MemoryError()),
    "recursion": _raise(RecursionError()),
    "broken_pipe": _raise(BrokenPipeError()),
    "usage": _raise(habeas.HabeasError("rogue@secret.example")),
    "hang": _hang,
    "spin": _spin,
    "print": _print,
    "thread": _thread,
    "fork": _fork,
    "close_files": _close_files,
    "exit": _exit,
}
NONSENSE: dict[str, Any] = {
    "none": None,
    "empty_list": [],
    "text": "erased",
    "a_class": Inventory,
    "a_generator": iter([0]),
    "true": True,
}


def _do(hook: str, how: object) -> Any:
    """Does what is asked of this hook; anything but None is to be returned instead of the answer."""
    for order in str(how).split():
        named, _, deed = order.partition(":")
        if named == hook and deed in NONSENSE:
            return (NONSENSE[deed],)
        if named == hook and deed in DEEDS:
            DEEDS[deed]()
    return None


_do("import", _start())


@habeas.hookimpl
def describe() -> PluginInfo:
    if (instead := _do("describe", _start())) is not None:
        return cast(PluginInfo, instead[0])
    kinds = tuple(RecordKind(name, name.title(), "", (), (), "") for name in ("thing", "deed"))
    schema = {"type": "object", "properties": {"how": {"type": "string"}, "bag": {"type": "object"}}}
    return PluginInfo(
        "rogue", "Rogue", "thing", kinds, schema, (), erase_order=-1, purpose_schema={"type": "object"},
        rectifies=(loose.models.Field.NAME,),
    )  # fmt: skip


@habeas.hookimpl
def authenticator(settings: dict[str, Any]) -> Any:
    if (instead := _do("authenticator", settings.get("how", ""))) is not None:
        return instead[0]
    settings.setdefault("bag", {})["authenticator"] = "was here"
    return NoAuth()


@habeas.hookimpl
def check(connection: Any) -> Any:
    instead = _do("check", connection.settings.get("how", ""))
    return "GET /nothing -> 404" if instead is None else instead[0]


@habeas.hookimpl
def inventory(connection: Any, subject: Subject) -> Any:
    how = connection.settings.get("how", "")
    if (instead := _do("inventory", how)) is not None:
        return instead[0]
    if "inventory:mutate" in how:
        _mutate(connection, subject)
    if "inventory:change" in how:
        # A read may change nothing: there is no journal, and nothing is sent.
        connection.api.change(Request("DELETE", "/everything"), done=lambda: False)
    found = Inventory((Record("thing", 1, ("t-1",)),), evidence="GET /things -> 200")
    return dataclasses.replace(found, **MISSHAPEN.get(how.partition("shape:")[2], {}))


@habeas.hookimpl
def export(connection: Any, inventory: Inventory) -> Any:
    how = connection.settings.get("how", "")
    if (instead := _do("export", how)) is not None:
        return instead[0]
    document = Document("thing", "thing.json", b'{"id": "t-1"}', source="GET /things")
    document = dataclasses.replace(document, **DOCUMENTS.get(how.partition("document:")[2], {}))
    return Export((document,), evidence="GET /things -> 200")


@habeas.hookimpl
def erase(connection: Any, erasure: Erasure) -> Any:
    how = connection.settings.get("how", "")
    if (instead := _do("erase", how)) is not None:
        return instead[0]
    if "erase:lie" in how:
        return tuple(Outcome(i.index, Result.ERASED, "GET /things -> 404") for i in erasure.items)
    if "erase:mutate" in how:
        for item in erasure.items:
            cast(dict[str, str], item.record.data)["rogue"] = "was here"
    wanted = [item for item in erasure.items if item.action is Action.ERASE]
    return tuple(Outcome(item.index, Result.MANUAL, "", "look yourself") for item in wanted)


@habeas.hookimpl
def update_consent(connection: Any, update: Any) -> Any:
    how = connection.settings.get("how", "")
    if (instead := _do("update_consent", how)) is not None:
        return instead[0]
    for change in update.changes:
        # Seen here again in the next case, were it not our own copy.
        seen = change.purpose.mapping.get("seen", 0)
        change.purpose.mapping["seen"] = seen + 1
    return tuple(
        loose.Effect(c.index, "thing", 0, Result.MANUAL, "", f"seen {c.purpose.mapping['seen']}")
        for c in update.changes
    )


def _mutate(connection: Any, subject: Subject) -> None:
    """As far as Python lets anybody without force, and then with force."""
    for attempt in (
        lambda: connection.settings.update(how="changed"),
        lambda: connection.settings["bag"].update(rogue="was here"),
        lambda: subject.identifiers.append(None),  # type: ignore[attr-defined]
        lambda: setattr(subject, "identifiers", ()),
    ):
        try:
            attempt()
        except (AttributeError, TypeError):
            continue
    object.__setattr__(subject, "identifiers", (habeas.Identifier("customer_id", "somebody-else"),))


MISSHAPEN: dict[str, dict[str, Any]] = {
    "list": {"records": [Record("thing", 1)]},
    "undeclared": {"records": (Record("secret", 1),)},
    "negative": {"records": (Record("thing", -1),)},
    "huge": {"records": (Record("thing", 10**400),)},
    "float": {"records": (loose.Record("thing", 1.5),)},
    "bytes_id": {"records": (loose.Record("thing", 1, (b"t-1",)),)},
    "nan": {"records": (Record("thing", 1, (), {"x": float("nan")}),)},
    "surrogate": {"evidence": "\ud800"},
    "long": {"evidence": "x" * 10**6},
    "gap": {"gaps": ("thing",)},
}
DOCUMENTS: dict[str, dict[str, Any]] = {
    "climbs": {"name": "../../../tmp/rogue.json"},
    "absolute": {"name": "/etc/rogue.json"},
    "device": {"name": "CON"},
    "drive": {"name": "C:\\rogue.json"},
    "newline": {"name": "a\nb.json"},
    "turned": {"name": "gpj\u202e.exe.json"},
    "long": {"name": "x" * 300 + ".json"},
    "no_text": {"name": None},
    "no_bytes": {"content": "text"},
    "no_kind": {"record": "secret"},
    "omission": {"omissions": ("everything",)},
    "media_type": {"media_type": 7},
}

"""A process that forks a fresh habeas for every command it is sent, and kills or signals it at points it is told.

Loading the program takes longer than running it; a fork of a process that has loaded it, and nothing else, starts at
once. It has no threads and no open files of habeas, so the child is as good as a new process.

Protocol: one JSON list per line on stdin, an object for each command; those of a line run at once: ``arguments`` and
``out`` (file for stdout), and if wanted ``kill_at``, ``signals`` (pairs of a point and a signal), ``environment``,
``ahead`` (seconds that the clock is ahead). One JSON list per line on stdout: ``code`` (exit code, or minus a signal)
and ``points`` (how many points were passed) of each.
"""

from __future__ import annotations

import gc
import importlib
import importlib.metadata
import json
import os
import pkgutil
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

_ELSEWHERE = {"__main__", "sandbox", "testing", "demo", "scaffold"}
"""Parts of the program that no command about a case comes to."""
_LONGEST = 60
"""Seconds after which a child that does not end is ended: nothing may hang."""
_BRIEF = 0.02
_WRITES = os.O_WRONLY | os.O_RDWR
_FILES = ("fsync", "rename", "replace", "link", "unlink", "remove", "mkdir", "rmdir", "truncate", "ftruncate")


def _load() -> None:
    """Everything a run needs, so that the children share it."""
    import habeas_policies
    from habeas import registry

    for name in (
        *("cryptography.hazmat.primitives.ciphers.aead", "holidays.countries", "jsonschema", "jsonschema.validators"),
        *("requests", "rich.progress", "zoneinfo"),
    ):
        importlib.import_module(name)
    installed = importlib.metadata.entry_points()
    vars(registry)["entry_points"] = installed.select  # looked up once: none is installed meanwhile
    for package in ("habeas", *(f"habeas_{name}" for name in registry.Registry.load().infos)):
        found = importlib.import_module(package)
        for module in pkgutil.walk_packages(found.__path__, f"{package}."):
            if not _ELSEWHERE.intersection(module.name.split(".")):
                importlib.import_module(module.name)
    habeas_policies.due("gdpr", datetime.now(UTC), "Europe/Berlin", holidays="DE")  # reads the rules, once for all
    gc.collect()
    gc.freeze()  # what the children share is no garbage: looking at it would copy it


class _Points:
    """Counts points, and does at some of them what was ordered.

    A kill leaves behind what is on disk and at the vendors. Two points between which neither has changed are one and
    the same, whatever was read between them: only the first of them counts.
    """

    def __init__(self, orders: dict[int, int], pipe: int) -> None:
        self._passed = 0
        self._changed = True
        self._orders, self._pipe = orders, pipe
        self._lock = threading.RLock()

    def here(self) -> None:
        with self._lock:
            if not self._changed:
                return
            self._changed = False
            self._passed += 1
            os.write(self._pipe, b".")
            if self._passed in self._orders:
                os.kill(os.getpid(), self._orders[self._passed])

    def change(self) -> None:
        """Something is changed from here on: the next point is another one."""
        with self._lock:
            self._changed = True

    def around(
        self, function: Callable[..., Any], *, changes: Callable[..., bool] = lambda *_: True
    ) -> Callable[..., Any]:
        """A point before the call, and one after it where it has changed something."""

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.here()
            result = function(*args, **kwargs)
            if changes(*args):
                self.change()
                self.here()
            return result

        return wrapped


def _arm(points: _Points) -> None:
    """Points: around every call, every commit of every database, every file that is made, written, renamed or taken
    away. They are where the program meets the system, and name no function of habeas: none can be forgotten.
    """
    import requests

    requests.Session.send = points.around(  # type: ignore[method-assign]
        requests.Session.send, changes=lambda _, prepared: prepared.method != "GET"
    )
    for name in _FILES:
        setattr(os, name, points.around(getattr(os, name)))

    def opened(event: str, args: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(args[2], int) and args[2] & _WRITES and isinstance(args[0], str):
            points.here()
            points.change()

    sys.addaudithook(opened)
    connect = sqlite3.connect

    def statement(sql: str) -> None:
        # Called before it is done.
        if sql.startswith(("COMMIT", "VACUUM")):
            points.here()
            points.change()

    def watched(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        db: sqlite3.Connection = connect(*args, **kwargs)
        db.set_trace_callback(statement)
        return db

    sqlite3.connect = watched  # type: ignore[assignment]


def _set_clock(ahead: float) -> None:
    """The machine's clock, so many seconds ahead; sleeping moves it, and takes hardly any time."""
    from habeas.clock import SystemClock

    slept = [0.0]

    def sleep(self: SystemClock, seconds: float, wake: threading.Event | None = None) -> None:
        if wake is None or not wake.is_set():
            # What waits for another process looks again and again: that one must get somewhere meanwhile.
            brief = min(max(0.0, seconds), _BRIEF)
            time.sleep(brief)
            slept[0] += max(0.0, seconds) - brief

    def now(self: SystemClock) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=ahead + slept[0])

    def monotonic(self: SystemClock) -> float:
        return time.monotonic() + slept[0]

    SystemClock.now = now  # type: ignore[method-assign]
    SystemClock.monotonic = monotonic  # type: ignore[method-assign]
    SystemClock.sleep = sleep  # type: ignore[method-assign]


def _run(order: dict[str, Any], pipe: int) -> int:
    signal.alarm(_LONGEST)
    out = os.open(order["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(out, 1)
    os.dup2(os.open(order["out"] + ".err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(order.get("environment", {}))
    _set_clock(order.get("ahead", 0.0))
    orders = {point: signal.Signals[name].value for point, name in order.get("signals", ())}
    if order.get("kill_at"):
        orders[order["kill_at"]] = signal.SIGKILL
    _arm(_Points(orders, pipe))
    from habeas.cli import cli
    from habeas.cli.border import run_guarded

    return run_guarded(cli, order["arguments"])


def _fork(order: dict[str, Any]) -> tuple[int, int]:
    """The child, and the end of a pipe on which it tells each point it passes."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        code = 70
        try:
            code = _run(order, writing)
        finally:
            sys.stdout.flush()
            os._exit(code)
    os.close(writing)
    return child, reading


def _wait(child: int, reading: int) -> dict[str, int]:
    points = 0
    while chunk := os.read(reading, 65_536):
        points += len(chunk)
    os.close(reading)
    _, status = os.waitpid(child, 0)
    return {"code": os.waitstatus_to_exitcode(status), "points": points}


def main() -> None:
    _load()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        children = [_fork(order) for order in json.loads(line)]
        sys.stdout.write(json.dumps([_wait(*child) for child in children]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

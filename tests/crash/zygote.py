"""A process that forks a fresh habeas for every command it is sent, and kills it at the n-th point it is told.

Loading the program takes longer than running it; a fork of a process that has loaded it, and nothing else, starts at
once. It has no threads and no open files of habeas, so the child is as good as a new process.

Protocol: one JSON object per line on stdin (``arguments``, ``kill_at``: 0 for never, ``out``: file for stdout), one
JSON object per line on stdout (``code``: exit code or -9, ``points``: how many points were passed).
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import pkgutil
import signal
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

_ELSEWHERE = {"__main__", "sandbox", "testing", "demo", "scaffold"}
"""Parts of the program that no command about a case comes to."""


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


class _Points:
    """Counts points, and dies at one of them.

    A kill leaves behind what is on disk and at the vendors. Two points between which neither has changed are one and
    the same, whatever was read between them: only the first of them counts.
    """

    def __init__(self, kill_at: int, pipe: int) -> None:
        self._passed = 0
        self._changed = True
        self._kill_at, self._pipe = kill_at, pipe
        self._lock = threading.Lock()

    def here(self) -> None:
        with self._lock:
            if not self._changed:
                return
            self._changed = False
            self._passed += 1
            os.write(self._pipe, b".")
            if self._passed == self._kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(
        self, function: Callable[..., Any], *, changes: Callable[..., bool] = lambda *_: True
    ) -> Callable[..., Any]:
        """A point before the call, and one after it where it has changed something."""

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.here()
            result = function(*args, **kwargs)
            if changes(*args):
                with self._lock:
                    self._changed = True
                self.here()
            return result

        return wrapped


def _arm(points: _Points) -> None:
    """Points: around every commit of the ledger, every write of vault, keys and lists, every checkpoint, every call."""
    import requests

    from habeas.cases.keys import KeyStore
    from habeas.cases.suppression import SuppressionList
    from habeas.cases.vault import Vault
    from habeas_audit import mirror
    from habeas_audit.commit import GroupCommit

    GroupCommit.commit = points.around(GroupCommit.commit)  # type: ignore[method-assign]
    Vault._write = points.around(Vault._write)  # type: ignore[method-assign]
    KeyStore.new_case_keys = points.around(KeyStore.new_case_keys)  # type: ignore[method-assign]
    SuppressionList.add = points.around(SuppressionList.add)  # type: ignore[method-assign]
    mirror.write = points.around(mirror.write)
    requests.Session.send = points.around(  # type: ignore[method-assign]
        requests.Session.send, changes=lambda _, prepared: prepared.method != "GET"
    )


def _run(order: dict[str, Any], pipe: int) -> int:
    out = os.open(order["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(out, 1)
    os.dup2(os.open(order["out"] + ".err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    _arm(_Points(order["kill_at"], pipe))
    from habeas.cli import cli
    from habeas.cli.border import run_guarded

    return run_guarded(cli, order["arguments"])


def main() -> None:
    _load()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        order = json.loads(line)
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
        points = 0
        while chunk := os.read(reading, 65_536):
            points += len(chunk)
        os.close(reading)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(json.dumps({"code": os.waitstatus_to_exitcode(status), "points": points}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

"""A plugin's hooks against a sandbox, without the orchestrator around them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from habeas.clock import Clock
from habeas.connection import Connection
from habeas.control import RunControl
from habeas.errors import RunEnded
from habeas.http.api import Api
from habeas.http.limits import Limiter
from habeas.http.transport import Request, Transport
from habeas.testing.clock import SkippingClock
from habeas.testing.sandbox import SandboxServer

__all__ = ["InterruptedJournal", "MemoryJournal", "connect"]


@dataclass(frozen=True)
class Written:
    """One journal line."""

    kind: str
    name: str
    number: int
    result: str = ""
    status: int = 0


class MemoryJournal:
    """Keeps intents and outcomes in a list, in order. Set ``closed`` to refuse further calls, as a fenced run does."""

    def __init__(self) -> None:
        self.written: list[Written] = []
        self.closed = False
        self._lock = threading.Lock()

    def key(self, request: Request) -> str:
        """The same for the same request, whoever asks."""
        parts = [request.name, sorted(request.ids.items()), list(request.query), request.json, request.form]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]

    def intent(self, request: Request, host: str) -> int:
        del host
        with self._lock:
            if self.closed:
                raise RunEnded("closed")
            number = len(self.written) + 1
            self.written.append(Written("intent", request.name, number))
            return number

    def outcome(self, intent: int, result: str, status: int) -> None:
        with self._lock:
            name = self.written[intent - 1].name
            self.written.append(Written("outcome", name, intent, result, status))


class InterruptedJournal(MemoryJournal):
    """Ends the run in place of its ``line``-th line, counted from 0, with an exception of type ``how``.

    One call after another, lines are intents and outcomes in turn: an even one ends the run before a call is sent, an
    odd one after it was answered and before anybody has written what came of it.
    """

    def __init__(self, line: int, how: type[BaseException] = RunEnded) -> None:
        super().__init__()
        self._left, self._how = line, how

    def intent(self, request: Request, host: str) -> int:
        self._count()
        return super().intent(request, host)

    def outcome(self, intent: int, result: str, status: int) -> None:
        self._count()
        super().outcome(intent, result, status)

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise self._how("interrupted")


def connect(
    plugin: Any,
    server: SandboxServer,
    *,
    name: str = "",
    settings: Mapping[str, Any] | None = None,
    journal: MemoryJournal | None = None,
    clock: Clock | None = None,
    max_seconds: float = 90.0,
    **limits: Any,
) -> Connection:
    """A connection of ``plugin`` (the module with the hooks) to a running sandbox.

    ``settings`` are added to the sandbox's own; ``limits`` override fields of the plugin's :class:`~habeas.Limits`
    (the rate is high unless given). Without a journal the connection can only read.
    """
    clock = clock or SkippingClock()
    info = plugin.describe()
    merged = {**server.app.settings(), **(settings or {})}
    limit = dataclasses.replace(info.limits, **{"requests_per_second": 10_000.0, **limits})
    transport = Transport(server.base_url, limit, clock)
    auth = plugin.authenticator(settings=merged, base_url=server.base_url, transport=transport)
    api = Api(transport, auth, Limiter(limit, clock), RunControl(clock, max_seconds), journal, draw=lambda: 0.5)
    return Connection(name or info.name, merged, api, clock)

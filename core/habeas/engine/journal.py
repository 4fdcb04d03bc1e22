"""Every changing call of a case: its intent in the ledger before it is sent, its outcome after."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from habeas.cases.keys import KeyStore
from habeas.control import RunControl
from habeas.http.transport import Request
from habeas.models import Json
from habeas_audit import Draft, Entry, Ledger

__all__ = ["CaseJournal", "LedgerJournal", "close_holes", "meaning"]


class LedgerJournal(ABC):
    """Intents and outcomes of one connection in the ledger; what names a call is for others to say."""

    def __init__(
        self, ledger: Ledger, control: RunControl, guard: Callable[[], None], *, case_id: str, run_id: str,
        connection: str, more: Mapping[str, Json] = MappingProxyType({}),
    ) -> None:  # fmt: skip
        """``guard`` is asked before each intent, and raises where nothing may be sent; ``more`` is in each intent."""
        self._ledger, self._control, self._guard, self._more = ledger, control, guard, more
        self._case_id, self._run_id, self._connection = case_id, run_id, connection
        self._attempts: dict[str, int] = {}

    @abstractmethod
    def key(self, request: Request) -> str:
        """Names the change: the same for the same request."""

    @abstractmethod
    def fingerprint(self, request: Request) -> str:
        """Tells two requests under one key apart, nothing else."""

    def intent(self, request: Request, host: str) -> int:
        """Writes the intent; nothing may be sent before this returns."""
        self._control.check()
        self._guard()
        key = self.key(request)
        self._attempts[key] = self._attempts.get(key, 0) + 1
        said = {
            "method": request.method,
            "path": request.template,
            "host": host,
            "attempt": self._attempts[key],
            "key": key,
            "fingerprint": self.fingerprint(request),
        }
        return self._append("call.intent", {**said, **self._more}).seq

    def outcome(self, intent: int, result: str, status: int) -> None:
        """Writes what became of it."""
        self._append("call.outcome", {"intent": intent, "result": result, "status": status})

    def _append(self, kind: str, data: dict[str, Json]) -> Entry:
        (entry,) = self._ledger.append(Draft(kind, self._case_id, self._run_id, self._connection, "", data))
        return entry


class CaseJournal(LedgerJournal):
    """The journal of one case at one connection.

    A call is named by ``key``: the same for every attempt at the same request, so that attempts can be counted across
    crashes while the ledger says nothing about whom they were for; once the case's key is destroyed, to nobody at all.
    """

    def __init__(
        self, ledger: Ledger, keys: KeyStore, control: RunControl, *, case_id: str, run_id: str, connection: str,
        earlier: Iterable[Entry] = (), guard: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        super().__init__(ledger, control, guard, case_id=case_id, run_id=run_id, connection=connection)
        self._keys = keys
        for entry in earlier:
            if entry.type == "call.intent" and entry.connection == connection:
                data = entry.data
                self._attempts[data["key"]] = max(self._attempts.get(data["key"], 0), data["attempt"])

    @property
    def resumed(self) -> bool:
        """Whether an earlier pass has tried to change something here."""
        return bool(self._attempts)

    def key(self, request: Request) -> str:
        """Names the change within this case and connection."""
        return self._mac(b"call", self._connection.encode(), request)

    def fingerprint(self, request: Request) -> str:
        # 64 bits of the MAC are enough.
        return self._mac(b"request", b"", request)[:16]

    def _mac(self, purpose: bytes, place: bytes, request: Request) -> str:
        parts = (purpose, place, request.name.encode(), meaning(request))
        return self._keys.case_fingerprint(self._case_id, *parts).hex()[:32]


def close_holes(ledger: Ledger, entries: Iterable[Entry], run_id: str) -> int:
    """Gives each intent without an outcome the only true one: unknown. Returns how many there were.

    A process died between the two, so nobody knows whether the call was made; the vendor is read before it is repeated.
    """
    open_intents: dict[int, Entry] = {}
    for entry in entries:
        if entry.type == "call.intent":
            open_intents[entry.seq] = entry
        elif entry.type == "call.outcome":
            open_intents.pop(entry.data["intent"], None)
    drafts = [
        Draft("call.outcome", e.case_id, run_id, e.connection, "",
              {"intent": e.seq, "result": "unknown", "status": 0, "recovered": True})
        for e in open_intents.values()
    ]  # fmt: skip
    if drafts:
        ledger.append(*drafts)
    return len(drafts)


def meaning(request: Request) -> bytes:
    """All that is in a request and can differ from that of another."""
    upload = hashlib.sha256(request.upload.content).hexdigest() if request.upload else None
    parts = [sorted(request.ids.items()), list(map(list, request.query)), request.json, request.form]
    return json.dumps([*parts, upload] if upload else parts, sort_keys=True).encode()

"""One call for several people: what is asked, under which journal, and what is written of it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Sequence

from habeas.control import RunControl
from habeas.engine.journal import close_holes, meaning
from habeas.http.transport import Request
from habeas_audit import Draft, Ledger

__all__ = ["GroupJournal", "close_group_holes"]


class GroupJournal:
    """The journal of calls that are about several cases at once: an intent says how many, and which by a digest.

    The digest is SHA-256 over the cases' names, sorted, with a line break after each: whoever holds the ledger can
    tell for which cases a call was made, by trying. Its key is forgotten with the run: an interrupted call is never
    repeated for all, but made good for each person, who is read first.
    """

    def __init__(
        self, ledger: Ledger, control: RunControl, *, run_id: str, connection: str, case_ids: Sequence[str],
        guard: Callable[[], None],
    ) -> None:  # fmt: skip
        """``guard`` is asked before each intent, and raises where nothing may be sent."""
        self._ledger, self._control, self._guard = ledger, control, guard
        self._run_id, self._connection = run_id, connection
        self._cases = {"cases": len(case_ids), "whose": digest_of(case_ids)}
        self._secret = secrets.token_bytes(32)
        self._attempts: dict[str, int] = {}

    def key(self, request: Request) -> str:
        """Names the change within this call."""
        return self._mac(b"call", request)

    def intent(self, request: Request, host: str) -> int:
        """Writes the intent; nothing may be sent before this returns."""
        self._control.check()
        self._guard()
        key = self.key(request)
        self._attempts[key] = self._attempts.get(key, 0) + 1
        data = {
            "method": request.method, "path": request.template, "host": host, "attempt": self._attempts[key],
            "key": key, "fingerprint": self._mac(b"request", request)[:16], **self._cases,
        }  # fmt: skip
        (entry,) = self._ledger.append(Draft("call.intent", "", self._run_id, self._connection, "", data))
        return entry.seq

    def outcome(self, intent: int, result: str, status: int) -> None:
        """Writes what became of it."""
        data = {"intent": intent, "result": result, "status": status}
        self._ledger.append(Draft("call.outcome", "", self._run_id, self._connection, "", data))

    def _mac(self, purpose: bytes, request: Request) -> str:
        text = b"\0".join((purpose, request.name.encode(), meaning(request)))
        return hashlib.blake2b(text, key=self._secret, digest_size=16).hexdigest()


def digest_of(case_ids: Iterable[str]) -> str:
    """What an intent says of the cases it is about."""
    return "sha256:" + hashlib.sha256("".join(f"{name}\n" for name in sorted(case_ids)).encode()).hexdigest()


def close_group_holes(ledger: Ledger, run_id: str) -> int:
    """Gives calls for several people that an interrupted run left without an outcome theirs: unknown."""
    return close_holes(ledger, ledger.entries(case_id="", types=["call.intent", "call.outcome"]), run_id)

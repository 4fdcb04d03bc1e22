"""One call for several people: what is asked, under which journal, and what is written of it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Sequence

from habeas.control import RunControl
from habeas.engine.journal import LedgerJournal, close_holes, meaning
from habeas.http.transport import Request
from habeas_audit import Ledger

__all__ = ["GroupJournal", "close_group_holes"]


class GroupJournal(LedgerJournal):
    """The journal of calls that are about several cases at once: an intent says how many, and which by a digest.

    The digest is SHA-256 over the cases' names, sorted, with a line break after each: whoever holds the ledger can
    tell for which cases a call was made, by trying. Its key is forgotten with the run: an interrupted call is never
    repeated for all, but made good for each person, who is read first.
    """

    def __init__(
        self, ledger: Ledger, control: RunControl, *, run_id: str, connection: str, case_ids: Sequence[str],
        guard: Callable[[], None],
    ) -> None:  # fmt: skip
        whose = {"cases": len(case_ids), "whose": digest_of(case_ids)}
        super().__init__(ledger, control, guard, case_id="", run_id=run_id, connection=connection, more=whose)
        self._secret = secrets.token_bytes(32)

    def key(self, request: Request) -> str:
        """Names the change within this call."""
        return self._mac(b"call", request)

    def fingerprint(self, request: Request) -> str:
        return self._mac(b"request", request)[:16]

    def _mac(self, purpose: bytes, request: Request) -> str:
        text = b"\0".join((purpose, request.name.encode(), meaning(request)))
        return hashlib.blake2b(text, key=self._secret, digest_size=16).hexdigest()


def digest_of(case_ids: Iterable[str]) -> str:
    """What an intent says of the cases it is about."""
    return "sha256:" + hashlib.sha256("".join(f"{name}\n" for name in sorted(case_ids)).encode()).hexdigest()


def close_group_holes(ledger: Ledger, run_id: str) -> int:
    """Gives calls for several people that an interrupted run left without an outcome theirs: unknown."""
    return close_holes(ledger, ledger.entries(case_id="", types=["call.intent", "call.outcome"]), run_id)

"""What a certificate says, made of a case's ledger entries and of nothing else. Pure.

Whoever has the entries can make it again and compare: what is written for people is never what is trusted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from habeas.cases.view import CaseView, OutcomeRow, view_case
from habeas.models import CaseStatus, Json, Result
from habeas_audit import Entry, ProofInvalid

__all__ = ["FORMAT", "ISSUED", "State", "statement_of"]

FORMAT: Final = "habeas-certificate-1"
ISSUED: Final = "certificate.issued"
"""The entry that says a certificate was made: of how many entries, and by whom."""

_FOR_A_PERSON: Final = (Result.MANUAL, Result.ACCEPTED, Result.UNSUPPORTED)
_EVIDENCE: Final[Mapping[Result, str]] = {
    Result.ERASED: "read back from the vendor, and gone",
    Result.ABSENT: "searched at the vendor, nothing there",
    Result.UPDATED: "read back from the vendor, as wanted",
    Result.UNCHANGED: "read at the vendor, as wanted",
    Result.EXPORTED: "fetched from the vendor",
    Result.RETAINED: "kept, and not touched",
    Result.ACCEPTED: "acknowledged by the vendor, and not read back: that is less than done",
    Result.MANUAL: "left to a person",
    Result.UNSUPPORTED: "the vendor offers no way",
    Result.FAILED: "not done",
    Result.UNKNOWN: "sent, and never answered: nobody knows yet",
}
"""How each outcome is known, in words."""


class State(StrEnum):
    """What a whole case comes to. Only the first means that nothing is left."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    """Done as far as habeas can; something is left to a person, to a vendor, or cannot be done."""
    UNFINISHED = "unfinished"
    REFUSED = "refused"
    CANCELLED = "cancelled"


def statement_of(entries: Sequence[Entry]) -> dict[str, Json]:
    """The statement about the one case that the entries, in their order, are of.

    Raises :class:`~habeas_audit.ProofInvalid` where they are of no case, or not as habeas writes them.
    """
    try:
        view = view_case(entries)
        if view is None:
            raise ProofInvalid("the entries do not begin a case")
        return _statement(view, entries)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, ProofInvalid):
            raise
        raise ProofInvalid("the entries are not as habeas writes those of a case") from None


def _statement(view: CaseView, entries: Sequence[Entry]) -> dict[str, Json]:
    at = {entry.seq: entry.at for entry in entries}
    return {
        "case": view.case_id,
        "type": str(view.type),
        "state": str(_state(view)),
        "reason": view.reason or None,
        "regime": view.regime,
        "received_at": view.received_at,
        "due_at": view.due_at,
        "opened_at": view.opened_at,
        "closed_at": view.closed_at or None,
        "follows": view.follows or None,
        "policy": {"name": view.policy, "digest": view.policy_digest} if view.policy else None,
        "ground": view.ground or None,
        "person": list(view.person),
        "outcomes": [_outcome(row, at[row.entry]) for row in view.outcomes],
        "calls": _calls(entries),
        "rechecks": [
            {"at": r.at, "periods": list(r.periods), "back": list(r.back), "not_searched": list(r.unread)}
            for r in view.rechecks
        ],
        "details_destroyed_at": view.details_destroyed_at or None,
        "entries": [entry.seq for entry in entries],
    }


def _state(view: CaseView) -> State:
    if view.status is CaseStatus.REFUSED:
        return State.REFUSED
    if view.status is CaseStatus.CANCELLED:
        return State.CANCELLED
    results = {row.result for row in view.outcomes}
    if view.status is not CaseStatus.COMPLETED or results & {Result.FAILED, Result.UNKNOWN} or not results:
        return State.UNFINISHED
    back = view.rechecks[-1].back if view.rechecks else ()
    held = Result.RETAINED in results
    return State.PARTIAL if back or held or results & set(_FOR_A_PERSON) else State.COMPLETE


def _outcome(row: OutcomeRow, at: str) -> Json:
    return row.to_json() | {"at": at, "known_by": _EVIDENCE[row.result], "legal_basis": row.legal_basis or None}


def _calls(entries: Sequence[Entry]) -> Json:
    """Connection → how many changing calls were sent, and what came of them; ``open`` where nobody knows yet."""
    sent = {entry.seq: entry.connection for entry in entries if entry.type == "call.intent"}
    results = {entry.data["intent"]: entry.data["result"] for entry in entries if entry.type == "call.outcome"}
    counts: dict[str, Counter[str]] = {}
    for seq, connection in sent.items():
        counts.setdefault(connection, Counter())[str(results.get(seq, "open"))] += 1
    return {connection: dict(sorted(found.items())) for connection, found in sorted(counts.items())}

"""What may become of a case between its opening and its end, besides being carried out.

Pure: a case's view and what somebody wants go in, the data of an entry comes out, or a refusal that says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from habeas.cases.view import CaseView
from habeas.clock import rfc3339
from habeas.errors import RefusedError
from habeas.models import CaseStatus, CaseType, Json
from habeas_policies import Deadline, Pause, PauseReason, PolicyProblem, due_under, extend

__all__ = [
    "EXTENSION_REASONS",
    "GROUNDS",
    "IDENTITY_METHODS",
    "PAUSE_REASONS",
    "REOPEN_REASONS",
    "Ground",
    "acknowledgement",
    "cancellation",
    "clock_start",
    "clock_stop",
    "deadline_of",
    "extension",
    "identity_check",
    "refusal",
    "reopening",
]

_GDPR: Final = "https://w3id.org/dpv/legal/eu/gdpr#"


@dataclass(frozen=True)
class Ground:
    """Why a request is refused: in words, and as an IRI of the Data Privacy Vocabulary."""

    text: str
    iri: str


GROUNDS: Final[Mapping[str, Ground]] = {
    "identity": Ground("it could not be confirmed who asked", f"{_GDPR}JustificationA12IdentityFailure"),
    "unfounded": Ground("the request is manifestly unfounded", f"{_GDPR}JustificationA12ManifestlyUnfounded"),
    "excessive": Ground("the request is manifestly excessive", f"{_GDPR}JustificationA12ManifestlyExcessive"),
    "legal-duty": Ground("the law asks for the data to be kept", f"{_GDPR}JustificationA17LegallyRequired"),
    "legal-claims": Ground("the data are needed for legal claims", f"{_GDPR}JustificationA17LegalClaims"),
    "expression": Ground("freedom of expression and information", f"{_GDPR}JustificationA17FreedomOfExpression"),
    "public-interest": Ground("a task in the public interest", f"{_GDPR}JustificationA17PublicInterest"),
    "public-health": Ground("public health", f"{_GDPR}JustificationA17PublicHealth"),
    "archiving": Ground("archiving, research or statistics", f"{_GDPR}JustificationA17Archiving"),
    "other": Ground("another ground, told to the person in writing", ""),
}
"""Art. 12(5), 12(6) and 17(3) GDPR, in DPV's terms."""

EXTENSION_REASONS: Final[Mapping[str, str]] = {
    "complexity": f"{_GDPR}JustificationA12Complexity",
    "number": f"{_GDPR}JustificationA12HighVolume",
}
"""Art. 12(3) GDPR: the complexity and number of the requests."""

PAUSE_REASONS: Final[tuple[PauseReason, ...]] = ("identity", "fee", "clarification")
IDENTITY_METHODS: Final = ("login", "email-loop", "callback", "document", "in-person", "agent", "other")
"""How it was confirmed who asked; never the document itself (EDPB 01/2022: a copy is deleted after the check)."""
REOPEN_REASONS: Final = ("mistake", "complaint", "new-facts")


def deadline_of(view: CaseView, zone: str, as_of: datetime | None = None) -> Deadline:
    """The case's deadline, counted again under the rule it was opened under: for explaining and changing it.

    What counts is the date that is stored (``view.due_at``): holidays may have been learnt of since. Raises
    :class:`RefusedError` where the rule cannot be used any more.
    """
    return _counted(view, zone, _pauses(view), as_of)


def _counted(view: CaseView, zone: str, pauses: Sequence[Pause], as_of: datetime | None = None) -> Deadline:
    with _refused_by_law():
        deadline = due_under(view.due_rule, _instant(view.received_at), zone, pauses=pauses, as_of=as_of)
        if view.extended is not None:
            until = date.fromisoformat(view.extended.until) if view.extended.until else None
            if until is not None and until <= deadline.last_day:
                # The clock stood still for so long after it that the first period ends no earlier.
                return replace(deadline, extended=True, extension=None)
            deadline = extend(deadline, _instant(view.extended.told_at), until=until)
    return deadline


def refusal(view: CaseView, ground: str, *, sent: bool) -> dict[str, Json]:
    """Closes a case without having carried it out. Raises :class:`RefusedError` where something was changed already."""
    _require_open(view)
    _require_unsent(sent, "refused")
    chosen = GROUNDS[ground]
    data: dict[str, Json] = {"status": str(CaseStatus.REFUSED), "reason": chosen.text}
    return data | ({"ground": chosen.iri} if chosen.iri else {})


def cancellation(view: CaseView, *, sent: bool) -> dict[str, Json]:
    """Closes a case that the person has withdrawn."""
    _require_open(view)
    _require_unsent(sent, "cancelled")
    return {"status": str(CaseStatus.CANCELLED), "reason": "withdrawn by the person"}


def reopening(view: CaseView, why: str) -> dict[str, Json]:
    """Takes a case up again that was refused or cancelled."""
    if view.status not in (CaseStatus.REFUSED, CaseStatus.CANCELLED):
        raise RefusedError(
            f"case {view.case_id} is {view.status}: only one that was refused or cancelled is taken up again",
            advice="for an erased person who came back: `habeas recheck CASE --erase`",
        )
    if view.details_destroyed_at:
        raise RefusedError(f"nobody knows any more who case {view.case_id} was about", advice="open another one")
    return {"why": why}


def extension(
    view: CaseView, zone: str, told_at: datetime, until: date | None, reason: str
) -> dict[str, Json]:  # fmt: skip
    """Extends the period, as the person was told. Raises :class:`RefusedError` where the law does not allow it."""
    _require_open(view)
    with _refused_by_law():
        deadline = extend(deadline_of(view, zone), told_at, until=until)
    data: dict[str, Json] = {
        "due_at": rfc3339(deadline.due),
        "told_at": rfc3339(told_at),
        "reason": reason,
        "ground": EXTENSION_REASONS[reason],
    }
    return data | ({"until": until.isoformat()} if until is not None else {})


def clock_stop(view: CaseView, zone: str, reason: PauseReason, at: datetime) -> dict[str, Json]:
    """Stops the clock while the person is asked something; refused where the law knows no pause."""
    _require_open(view)
    if view.stopped:
        raise RefusedError("the clock is stopped already", advice="start it with `habeas case clock CASE --start`")
    if at < _instant(view.received_at):
        raise RefusedError("the clock cannot be stopped before the request was received")
    if reason == "clarification" and view.type is not CaseType.ACCESS:
        # UK GDPR Art. 12A: further information to identify what a request under Art. 15 is about.
        raise RefusedError("the clock is stopped for the clarification of an access request only")
    deadline = _counted(view, zone, (*_pauses(view), Pause(at, None, reason)), at)
    if at > deadline_of(view, zone).due:
        raise RefusedError("the period was over by then", advice="answer at once")
    # The earliest that it can be: it moves until the answer comes.
    return {"reason": reason, "at": rfc3339(at), "due_at": rfc3339(deadline.due)}


def clock_start(view: CaseView, zone: str, at: datetime) -> dict[str, Json]:
    """Starts the clock again, and says by when the request is due now."""
    _require_open(view)
    if not view.stopped:
        raise RefusedError("the clock is not stopped")
    *earlier, last = _pauses(view)
    if at < last.start:
        raise RefusedError("the answer cannot have come before the question")
    deadline = _counted(view, zone, (*earlier, replace(last, end=at)))
    return {"at": rfc3339(at), "due_at": rfc3339(deadline.due)}


def acknowledgement(view: CaseView, at: datetime) -> dict[str, Json]:
    """That the person was told their request has arrived."""
    _require_open(view)
    if view.acknowledged_at:
        raise RefusedError(f"receipt was confirmed already, at {view.acknowledged_at}")
    if at < _instant(view.received_at):
        raise RefusedError("receipt cannot be confirmed before the request came", advice="check its time")
    return {"at": rfc3339(at)}


def identity_check(view: CaseView, *, verified: bool, method: str) -> dict[str, Json]:
    """Whether it is known who asked, and how."""
    _require_open(view)
    return {"result": "verified" if verified else "failed", "method": method}


def _pauses(view: CaseView) -> tuple[Pause, ...]:
    return tuple(Pause(_instant(one.start), _instant(one.end) if one.end else None, one.reason) for one in view.pauses)


def _require_open(view: CaseView) -> None:
    if view.closed:
        raise RefusedError(f"case {view.case_id} is {view.status}", advice="nothing more can become of it")


def _require_unsent(sent: bool, what: str) -> None:
    if sent:
        raise RefusedError(
            f"something was changed at a vendor already, so the case cannot be {what}",
            advice="`habeas resume` finishes it; what is left can be handed to a person with `habeas case close`",
        )


class _refused_by_law:  # noqa: N801 - used like a function
    """What the law does not allow is refused, with its reason."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, PolicyProblem):
            raise RefusedError(str(error), advice=error.advice) from None


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)

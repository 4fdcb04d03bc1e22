"""How a person's record is brought to a wanted state: each step only where it is needed, then everything read back.

Consents and corrections are both lists of such steps. Before the first of them the inventory has shown that the person
is there, since almost every write creates a missing profile; and a step whose answer was lost is not repeated where
the profile has gone meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from habeas import AuthRejected, BadAnswer, Effect, OutcomeUnknown, Rejected, Result, VendorError
from habeas.http.api import Api
from habeas_talonone.client import Done
from habeas_talonone.lookup import Look, look
from habeas_talonone.mapping import Holding

__all__ = ["EMPTY", "NOT_SO", "Finding", "Step", "effects_of", "look_at_all", "perform"]

EMPTY = "Talon.One has only an empty profile under the person's id, as an erasure leaves it: nothing is written to it."
NOT_SO = "Talon.One took the call, but reading it back still shows otherwise: run `habeas resume`."
GONE = "The profile has disappeared since it was looked up: run `habeas resume`."

_WORST_FIRST = (
    Result.FAILED,
    Result.UNKNOWN,
    Result.MANUAL,
    Result.UNSUPPORTED,
    Result.ACCEPTED,
    Result.UPDATED,
    Result.UNCHANGED,
    Result.ABSENT,
)


@dataclass(frozen=True, repr=False)
class Step:
    """One thing that is to be so under one ``integrationId``."""

    index: int
    """The change or correction it belongs to."""
    kind: str
    integration_id: str
    right: Callable[[Holding], bool]
    """Whether a reading shows it to be so."""
    send: Callable[[Done, bool], object]
    """Makes it so. The second argument: with an idempotency key, where one is offered."""
    refusals: Mapping[int, str] = field(default_factory=dict)
    """What a person must do where the vendor refuses with this status."""
    keyed: bool = False
    """Whether an idempotency key is offered at all."""
    by_hand: str = ""
    """What is left to a person even when it is so."""


@dataclass(frozen=True)
class Finding:
    """What became of one step."""

    index: int
    kind: str
    result: Result
    evidence: str
    reason: str = ""


def look_at_all(api: Api, ids: Iterable[str]) -> dict[str, Look]:
    """A reading under each id. Raises :class:`~habeas.VendorError`: nothing has been changed yet."""
    return {integration_id: look(api, integration_id) for integration_id in ids}


def perform(api: Api, before: Mapping[str, Look], steps: Sequence[Step], *, resumed: bool) -> list[Finding]:
    """Takes the steps that are needed, and reads back. One finding for each.

    ``updated`` is what was otherwise, or may have been before an interruption. Raises no :class:`~habeas.VendorError`.
    """
    work = _Work(api, steps, before)
    needed = [n for n in range(len(steps)) if not work.is_right(n)]
    for n in needed:
        work.take(n, keyed=True)
    if needed:
        work.read_back()
    # For a key used before, the vendor gives back a stored answer and writes nothing, whatever was written since.
    stored = [n for n in needed if steps[n].keyed and work.took_no_effect(n)]
    for n in stored:
        work.take(n, keyed=False)
    if stored:
        work.read_back()
    return [work.finding(n, changed=resumed or n in needed) for n in range(len(steps))]


class _Work:
    """One call of a hook. Steps are named by their place."""

    def __init__(self, api: Api, steps: Sequence[Step], before: Mapping[str, Look]) -> None:
        self._api = api
        self._steps = steps
        self._now = before
        self._unread: VendorError | None = None
        self._trouble: dict[int, VendorError] = {}
        self._refused: AuthRejected | None = None
        """Set once the credentials are refused: asking on could lock the key."""

    def is_right(self, n: int) -> bool:
        held = self._now[self._steps[n].integration_id].held
        return held is not None and self._steps[n].right(held)

    def took_no_effect(self, n: int) -> bool:
        """Whether a call was answered well, the person is still there, and yet it is not so."""
        if self._unread is not None or n in self._trouble:
            return False
        return self._now[self._steps[n].integration_id].held is not None and not self.is_right(n)

    def take(self, n: int, *, keyed: bool) -> None:
        if self._refused is not None:
            self._trouble[n] = self._refused
            return
        step = self._steps[n]
        try:
            step.send(lambda: self._done(step), keyed)
        except VendorError as error:
            self._trouble[n] = error
            if isinstance(error, AuthRejected):
                self._refused = error

    def read_back(self) -> None:
        try:
            self._now = look_at_all(self._api, self._now)
        except VendorError as error:
            self._unread = error

    def finding(self, n: int, *, changed: bool) -> Finding:
        step, trouble = self._steps[n], self._trouble.get(n)
        if self._unread is not None:
            lost = trouble if isinstance(trouble, OutcomeUnknown) else None
            result = Result.FAILED if lost is None else Result.UNKNOWN
            return Finding(step.index, step.kind, result, "", (lost or self._unread).line())
        now = self._now[step.integration_id]
        if now.held is None:
            return Finding(step.index, step.kind, Result.FAILED, now.evidence, GONE)
        if not step.right(now.held):
            result, reason = _why(step, trouble)
            return Finding(step.index, step.kind, result, now.evidence, reason)
        if step.by_hand:
            return Finding(step.index, step.kind, Result.MANUAL, now.evidence, step.by_hand)
        return Finding(step.index, step.kind, Result.UPDATED if changed else Result.UNCHANGED, now.evidence)

    def _done(self, step: Step) -> bool:
        held = look(self._api, step.integration_id).held
        if held is None:
            # To repeat the call would create the profile anew.
            raise BadAnswer("the profile is no longer there")
        return step.right(held)


def _why(step: Step, trouble: VendorError | None) -> tuple[Result, str]:
    """Why something is not as wanted, though the vendor was read."""
    if trouble is None:
        return Result.FAILED, NOT_SO
    if isinstance(trouble, OutcomeUnknown):
        return Result.UNKNOWN, trouble.line()
    if isinstance(trouble, Rejected) and trouble.status in step.refusals:
        return Result.MANUAL, step.refusals[trouble.status]
    return Result.FAILED, trouble.line()


def effects_of(findings: Iterable[Finding]) -> list[Effect]:
    """One effect for each index and kind: the worst decides, all readings are its evidence."""
    groups: dict[tuple[int, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.index, finding.kind), []).append(finding)
    return [_effect(group) for group in groups.values()]


def _effect(group: list[Finding]) -> Effect:
    decides = min(group, key=lambda finding: _WORST_FIRST.index(finding.result))
    count = sum(finding.result is not Result.ABSENT for finding in group)
    evidence = "; ".join(dict.fromkeys(finding.evidence for finding in group if finding.evidence))
    return Effect(decides.index, decides.kind, count, decides.result, evidence, decides.reason)

"""What both changes need, consents and corrections: asking until credentials are refused, and the worst of results."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from habeas import AuthRejected, Effect, OutcomeUnknown, Result, VendorError
from habeas_voucherify import kinds
from habeas_voucherify.lookup import Found

__all__ = ["STILL_OTHER", "Said", "Step", "effect_of", "trouble"]

T = TypeVar("T")

STILL_OTHER = "Voucherify took the change, but reading it back still shows another value: run `habeas resume`."

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


@dataclass(frozen=True)
class Said:
    """What became of one change at one customer. ``absent``: the customer has gone, or holds no such field."""

    result: Result
    evidence: str = ""
    reason: str = ""


class Step:
    """Takes steps at the vendor, one after the other. One customer's trouble does not keep the others from theirs."""

    def __init__(self) -> None:
        self._refused: AuthRejected | None = None
        """Set once the credentials are refused: asking on could lock the key."""

    def take(self, step: Callable[[], T]) -> T | VendorError:
        """What the step returns, or the error that ended it. :class:`~habeas.errors.RunEnded` passes."""
        if self._refused is not None:
            return self._refused
        try:
            return step()
        except VendorError as error:
            if isinstance(error, AuthRejected):
                self._refused = error
            return error


def trouble(sent: VendorError | None, read: VendorError | None = None) -> Said:
    """What is said where a change or the read-back after it failed; ``unknown`` where nobody saw what came of it."""
    for error in (sent, read):
        if isinstance(error, OutcomeUnknown):
            return Said(Result.UNKNOWN, "", error.line())
    error = sent or read
    return Said(Result.FAILED, "", STILL_OTHER if error is None else error.line())


def effect_of(index: int, said: Iterable[Said], found: Found, *, tells: bool) -> Effect:
    """The worst of what became of one change at all customers that are the person.

    Who was left alone is told once, by the change that ``tells``; by each of them where nobody is the person.
    """
    ours = tuple(said)
    left_alone = found.gaps if tells or not found.customers else ()
    every = (*ours, *(Said(Result.MANUAL, found.evidence, gap.reason) for gap in left_alone))
    if not every:
        return Effect(index, kinds.CUSTOMER, 0, Result.ABSENT, found.evidence)
    result = min((one.result for one in every), key=_WORST_FIRST.index)
    worst = [one for one in every if one.result is result]
    count = sum(one.result is not Result.ABSENT for one in ours)
    evidence = "; ".join(dict.fromkeys(one.evidence for one in worst if one.evidence))
    reason = " ".join(dict.fromkeys(one.reason for one in worst if one.reason))
    return Effect(index, kinds.CUSTOMER, count, result, evidence, reason)

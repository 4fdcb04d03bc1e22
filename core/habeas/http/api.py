"""What a plugin speaks through: reads that are retried, and changes that are journalled before and after.

A plugin cannot change anything at a vendor behind the ledger's back: the only way to send is here.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from requests.auth import AuthBase

from habeas.control import RunControl
from habeas.errors import (
    AuthRejected,
    BadAnswer,
    NoAnswer,
    NotSent,
    OutcomeUnknown,
    PluginFault,
    RateLimited,
    Rejected,
    RunEnded,
    VendorError,
)
from habeas.http.decisions import Decision, Event, decide, event_of
from habeas.http.limits import Limiter
from habeas.http.retry import LONGEST_WAIT, backoff, retry_after
from habeas.http.transport import Answer, Request, Transport

__all__ = ["Api", "Change", "Journal"]


class Journal(Protocol):
    """Where changing calls are written down. Both methods return only when the entry is on disk."""

    def intent(self, request: Request, host: str) -> int:
        """Before an attempt. Returns the number its outcome names. Raises where nothing may be sent."""

    def outcome(self, intent: int, result: str, status: int) -> None:
        """After it: ``acknowledged``, ``rejected``, ``not_sent`` or ``unknown``; status 0 where there was none."""


@dataclass(frozen=True)
class Change:
    """A change that is done: by this call, or (``answer`` None) by an earlier one whose answer was lost."""

    answer: Answer | None


class Api:
    """One connection's vendor, for one case. Reads only, unless a journal is given."""

    def __init__(
        self,
        transport: Transport,
        auth: AuthBase,
        limiter: Limiter,
        control: RunControl,
        journal: Journal | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._transport = transport
        self._auth = auth
        self._limiter = limiter
        self._control = control
        self._journal = journal
        self._draw = draw
        self.changes = 0
        """How many changing attempts were made."""
        self.read_since_change = False
        """True where the vendor was read after the last change: without it nothing counts as erased."""

    def get(
        self,
        template: str,
        *,
        ids: Mapping[str, str] | None = None,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        ok: Collection[int] = (200,),
    ) -> Answer:
        """A read. Returns an answer whose status is in ``ok``; raises :class:`VendorError` otherwise."""
        return self.read(Request("GET", template, ids or {}, query, headers=headers or {}), ok=ok)

    def read(self, request: Request, *, ok: Collection[int] = (200,)) -> Answer:
        """A read by any method (some searches are POSTs). The caller vouches that it changes nothing."""
        answer = self._attempts(request, ok, (), changes=False)
        self.read_since_change = True
        return answer

    def change(
        self,
        request: Request,
        *,
        ok: Collection[int] = (200, 201, 204),
        done: Callable[[], bool],
        conflicts: Collection[int] = (),
    ) -> Change:
        """A call that changes something, written to the ledger before and after each attempt.

        ``done`` reads the vendor and says whether the change has happened; it is asked when an answer was lost, before
        anything is repeated. ``conflicts`` are statuses with which this vendor says "not now, nothing done".
        Raises :class:`OutcomeUnknown` where even the read could not tell.
        """
        if self._journal is None:
            raise PluginFault(f"{request.name}: a changing call outside of an erasure")
        for _ in range(self._transport.limits.attempts):
            try:
                return Change(self._attempts(request, ok, conflicts, changes=True))
            except OutcomeUnknown as unknown:
                try:
                    if done():
                        return Change(None)
                    self._pause(backoff(2, self._draw()), unknown)
                except (VendorError, RunEnded):
                    # Whatever stops us here, what we know of the call is still that we do not know.
                    raise unknown from None
        raise OutcomeUnknown(f"{request.name}: sent several times, never answered, not done yet")

    # -- attempts ---------------------------------------------------------------------------------------------------

    def _attempts(self, request: Request, ok: Collection[int], conflicts: Collection[int], *, changes: bool) -> Answer:
        renewed = False
        attempt = 0
        while True:
            attempt += 1
            event, answer, error = self._attempt(request, ok, conflicts, changes=changes)
            decision = decide(event, changes=changes)
            if decision is Decision.DONE and answer is not None:
                return answer
            problem = error or _problem(event, request, answer)
            if decision is Decision.SETTLE:
                raise OutcomeUnknown(problem.message)
            if decision is Decision.RENEW and not renewed and self._renew():
                renewed = True
                continue
            if decision is not Decision.AGAIN or attempt >= self._transport.limits.attempts:
                raise problem
            self._wait(event, attempt, answer, problem)

    def _attempt(
        self, request: Request, ok: Collection[int], conflicts: Collection[int], *, changes: bool
    ) -> tuple[Event, Answer | None, VendorError | None]:
        self._control.check()
        with self._limiter.slot(self._control.stopped):
            self._control.check()
            intent = self._intend(request) if changes else 0
            answer: Answer | None = None
            error: VendorError | None = None
            try:
                answer = self._transport.send(request, auth=self._auth, seconds=self._control.remaining())
                event = event_of(answer.status, expected=ok, conflicts=conflicts)
            except NotSent as not_sent:
                event, error = Event.NOT_SENT, not_sent
            except (NoAnswer, BadAnswer) as lost:
                event, error = Event.NO_ANSWER, lost
            if changes:
                self._record(intent, event, answer)
        return event, answer, error

    def _intend(self, request: Request) -> int:
        assert self._journal is not None  # noqa: S101 - `change` has checked it
        self.changes += 1
        self.read_since_change = False
        return self._journal.intent(request, self._transport.host)

    def _record(self, intent: int, event: Event, answer: Answer | None) -> None:
        assert self._journal is not None  # noqa: S101 - `change` has checked it
        result = {
            Event.EXPECTED: "acknowledged",
            Event.NOT_SENT: "not_sent",
            Event.NO_ANSWER: "unknown",
            Event.SERVER: "unknown",
        }.get(event, "rejected")
        self._journal.outcome(intent, result, 0 if answer is None else answer.status)

    def _renew(self) -> bool:
        renew = getattr(self._auth, "renew", None)
        return bool(renew()) if callable(renew) else False

    def _wait(self, event: Event, attempt: int, answer: Answer | None, problem: VendorError) -> None:
        seconds = backoff(attempt, self._draw())
        if event is Event.LIMITED and answer is not None:
            asked = retry_after(answer.headers.get("retry-after"), self._control.clock.now())
            if asked is not None:
                seconds = max(asked, seconds if asked == 0 else 0.0)
            if seconds > LONGEST_WAIT:
                raise problem
            # The vendor means the account, not this call: everybody waits.
            self._limiter.pause(seconds)
        self._pause(seconds, problem)

    def _pause(self, seconds: float, problem: VendorError) -> None:
        """Waits, or gives up at once where the run would end first."""
        if seconds >= self._control.remaining():
            raise problem
        self._control.sleep(seconds)


def _problem(event: Event, request: Request, answer: Answer | None) -> VendorError:
    status = 0 if answer is None else answer.status
    text = f"{request.name} -> {status}"
    if event is Event.LIMITED:
        return RateLimited(f"{text}: too many calls", status=status, advice="run `habeas resume` later")
    if event is Event.REDIRECT:
        return BadAnswer(f"{text}: redirects are not followed", advice="check base_url")
    if status in (401, 403):
        return AuthRejected(f"{text}: credentials refused", status=status, advice="check the connection's credentials")
    return Rejected(text, status=status)

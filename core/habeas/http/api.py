"""What a plugin speaks through: reads that are retried, and changes that are journalled before and after.

A plugin cannot change anything at a vendor behind the ledger's back: the only way to send is here.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
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
from habeas.http.breaker import Breaker
from habeas.http.decisions import Decision, Event, decide, event_of
from habeas.http.limits import Limiter
from habeas.http.retry import LONGEST_WAIT, asked_to_wait, backoff
from habeas.http.transport import Answer, Prepared, Request, Transport

__all__ = ["Api", "Change", "Journal", "cannot_be_read"]


_Ending = tuple[Event, Answer | None, VendorError | None]
_WRITTEN = {
    Event.EXPECTED: "acknowledged",
    Event.NOT_SENT: "not_sent",
    Event.NO_ANSWER: "unknown",
    Event.SERVER: "unknown",
    Event.UNUSABLE: "unknown",
}
_LONGEST_PAUSE = 3600.0
"""Seconds. However long a vendor wants to be left alone, it is asked again after this time."""


class Journal(Protocol):
    """Where changing calls are written down. ``intent`` and ``outcome`` return only when the entry is on disk."""

    def key(self, request: Request) -> str:
        """Names a change: the same for the same request, also in a later process; tells nothing of what is in it."""

    def intent(self, request: Request, host: str) -> int:
        """Before an attempt. Returns the number its outcome names. Raises where nothing may be sent."""

    def outcome(self, intent: int, result: str, status: int) -> None:
        """After it: ``acknowledged``, ``rejected``, ``not_sent`` or ``unknown``; status 0 where there was none."""


def cannot_be_read() -> bool:
    """The ``done`` of a change that the vendor gives no way to look up: a lost answer stays unknown, never repeated."""
    raise NoAnswer("the vendor offers no way to see whether it has happened")


@dataclass(frozen=True)
class Change:
    """A change that is done: by this call, or (``answer`` None) by an earlier one whose answer was lost."""

    answer: Answer | None


@dataclass
class _Tries:
    """How often one call may still be tried, and what has become of it so far."""

    left: int
    made: int = 0
    renewed: bool = False
    lost: OutcomeUnknown | None = None


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
        breaker: Breaker | None = None,
    ) -> None:
        """``breaker`` is the connection's, shared by all its cases; without one, the vendor is asked come what may."""
        self._transport = transport
        self._auth = auth
        self._limiter = limiter
        self._control = control
        self._journal = journal
        self._draw = draw
        self._breaker = breaker
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
        """A read by GET, HEAD or POST (some searches are POSTs). The caller vouches that it changes nothing.

        The other methods change something by their meaning (RFC 9110, section 9.3): a :class:`~habeas.PluginFault`.
        """
        if request.method not in ("GET", "HEAD", "POST"):
            raise PluginFault(f"{request.name}: sent as a read; what changes something goes through change()")
        answer = self._attempts(request, ok, (), _Tries(self._transport.limits.attempts), changes=False)
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
            raise PluginFault(f"{request.name}: a changing call where only reading is allowed")
        if request.idempotency_header:
            key = {request.idempotency_header: self._journal.key(request)}
            request = replace(request, headers={**request.headers, **key})
        tries = _Tries(self._transport.limits.attempts)
        while True:
            try:
                return Change(self._attempts(request, ok, conflicts, tries, changes=True))
            except OutcomeUnknown as unknown:
                tries.lost = unknown
                if self._happened(done, tries, unknown):
                    return Change(None)
            except RunEnded:
                if tries.lost is not None:
                    raise tries.lost from None
                raise

    def pause(self, seconds: float) -> None:
        """Waits before the vendor is asked again whether something has finished.

        Raises :class:`~habeas.errors.RunEnded` when the run is stopped, at once where it would end first.
        """
        self._control.sleep(seconds)

    def _happened(self, done: Callable[[], bool], tries: _Tries, unknown: OutcomeUnknown) -> bool:
        """Whether a call whose answer was lost has done its work; False: it may be repeated, and the wait is over."""
        try:
            if done():
                return True
            if tries.left:
                self._pause(backoff(tries.made, self._draw()), unknown)
                return False
        except (VendorError, RunEnded):
            # Whatever stops us here, what we know of the call is still that we do not know.
            raise unknown from None
        raise OutcomeUnknown(f"{unknown.message}; tried {tries.made} times, not done yet")

    # -- attempts ---------------------------------------------------------------------------------------------------

    def _attempts(
        self, request: Request, ok: Collection[int], conflicts: Collection[int], tries: _Tries, *, changes: bool
    ) -> Answer:
        prepared = self._transport.prepare(request)
        while True:
            if self._breaker is not None:
                self._control.check()
                self._breaker.check(request.name)
            event, answer, error = self._attempt(prepared, ok, conflicts, tries, changes=changes)
            if self._breaker is not None:
                self._breaker.note(event, 0 if answer is None else answer.status)
            decision = decide(event, changes=changes)
            if decision is Decision.DONE and answer is not None:
                return answer
            problem = error or _problem(event, request, answer)
            if decision is Decision.SETTLE:
                raise OutcomeUnknown(problem.message)
            if decision is Decision.RENEW and not tries.renewed and self._renew():
                # Refused before it was looked at: the one attempt that is not counted.
                tries.renewed = True
                tries.left += 1
                continue
            if decision is not Decision.AGAIN or not tries.left:
                raise problem
            self._wait(event, tries.made, answer, problem)

    def _attempt(
        self, prepared: Prepared, ok: Collection[int], conflicts: Collection[int], tries: _Tries, *, changes: bool
    ) -> _Ending:
        with self._limiter.slot(self._control):
            tries.left -= 1
            tries.made += 1
            try:
                signed = self._transport.sign(prepared, self._auth)
            except (NotSent, NoAnswer) as error:
                # Credentials may cost a call of their own; of this one nothing was sent, and nothing is written down.
                return Event.NOT_SENT, None, error
            return self._change_once(signed, ok, conflicts) if changes else self._send(signed, ok, conflicts)

    def _change_once(self, signed: Prepared, ok: Collection[int], conflicts: Collection[int]) -> _Ending:
        assert self._journal is not None  # noqa: S101 - `change` has checked it
        self.changes += 1
        self.read_since_change = False
        intent = self._journal.intent(signed.request, self._transport.host)
        # What is true of a call whose end nobody saw, should anything at all come in between.
        event, answer, error = Event.NO_ANSWER, None, None
        try:
            event, answer, error = self._send(signed, ok, conflicts)
        finally:
            status = 0 if answer is None else answer.status
            self._journal.outcome(intent, _WRITTEN.get(event, "rejected"), status)
        return event, answer, error

    def _send(self, signed: Prepared, ok: Collection[int], conflicts: Collection[int]) -> _Ending:
        try:
            with self._control.waiting():
                answer = self._transport.deliver(signed, seconds=self._control.remaining())
        except NotSent as error:
            return Event.NOT_SENT, None, error
        except NoAnswer as error:
            return Event.NO_ANSWER, None, error
        except BadAnswer as error:
            return Event.UNUSABLE, None, error
        return event_of(answer.status, expected=ok, conflicts=conflicts), answer, None

    def _renew(self) -> bool:
        renew = getattr(self._auth, "renew", None)
        return bool(renew()) if callable(renew) else False

    def _wait(self, event: Event, attempt: int, answer: Answer | None, problem: VendorError) -> None:
        seconds = backoff(attempt, self._draw())
        if event is Event.LIMITED and answer is not None:
            header = self._transport.limits.reset_header
            asked = asked_to_wait(answer.headers, self._control.clock.now(), header)
            seconds = asked or seconds
            # The vendor means the account, not this call: everybody waits.
            self._limiter.pause(min(seconds, _LONGEST_PAUSE))
            if seconds > LONGEST_WAIT:
                raise problem
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
    if event is Event.UNUSABLE:
        return BadAnswer(f"{text}: not an answer this call can have")
    if event is Event.REDIRECT:
        return BadAnswer(f"{text}: redirects are not followed", advice="check base_url")
    if status in (401, 403):
        return AuthRejected(f"{text}: credentials refused", status=status, advice="check the connection's credentials")
    return Rejected(text, status=status)

"""What is done about each way a call can end: one table, read top to bottom.

===================  =======================  ====================================================
what happened        a read                   a call that may change something
===================  =======================  ====================================================
expected status      done                     done
not sent             again                    again (nothing reached the vendor)
429                  wait, again              wait, again (refused before acting)
conflict listed      again                    again (Talon.One 409: the vendor has not acted)
no answer            again                    unknown: read, then again only if not done
5xx, 408             again                    unknown: a 5xx never proves that nothing was done
another 2xx,         bad answer               unknown: the vendor may have done it
or too large
401                  renew once, again        renew once, again (refused before acting)
403, other 4xx       rejected                 rejected
3xx                  bad answer               bad answer: redirects are never followed
===================  =======================  ====================================================
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum

__all__ = ["Decision", "Event", "decide", "event_of"]


class Event(Enum):
    """How one attempt ended."""

    EXPECTED = "expected status"
    NOT_SENT = "not sent"
    NO_ANSWER = "no answer"
    LIMITED = "429"
    CONFLICT = "conflict"
    SERVER = "5xx"
    UNUSABLE = "another 2xx, or too large"
    UNAUTHENTICATED = "401"
    REFUSED = "4xx"
    REDIRECT = "3xx"


class Decision(Enum):
    """What the caller does next."""

    DONE = "done"
    AGAIN = "again"
    SETTLE = "unknown: read before anything is repeated"
    RENEW = "renew credentials once, then again"
    REJECT = "reject"
    BAD = "bad answer"


_READ = {
    Event.EXPECTED: Decision.DONE,
    Event.NOT_SENT: Decision.AGAIN,
    Event.NO_ANSWER: Decision.AGAIN,
    Event.LIMITED: Decision.AGAIN,
    Event.CONFLICT: Decision.AGAIN,
    Event.SERVER: Decision.AGAIN,
    Event.UNUSABLE: Decision.BAD,
    Event.UNAUTHENTICATED: Decision.RENEW,
    Event.REFUSED: Decision.REJECT,
    Event.REDIRECT: Decision.BAD,
}
_CHANGE = _READ | dict.fromkeys((Event.NO_ANSWER, Event.SERVER, Event.UNUSABLE), Decision.SETTLE)


def event_of(status: int, *, expected: Collection[int], conflicts: Collection[int]) -> Event:
    """The event a status stands for."""
    if status in expected:
        return Event.EXPECTED
    if status == 429:
        return Event.LIMITED
    if status in conflicts:
        return Event.CONFLICT
    if status >= 500 or status == 408:
        return Event.SERVER
    if status == 401:
        return Event.UNAUTHENTICATED
    if 200 <= status < 300:
        return Event.UNUSABLE
    if 300 <= status < 400:
        return Event.REDIRECT
    return Event.REFUSED


def decide(event: Event, *, changes: bool) -> Decision:
    """The table above."""
    return (_CHANGE if changes else _READ)[event]

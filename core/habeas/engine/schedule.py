"""Which cases a run still begins: while there is time, and while their calls fit into the vendors' quotas."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from habeas.cases.view import CaseView
from habeas.control import RunControl
from habeas.engine.links import Link
from habeas.engine.pace import Ahead, Pace
from habeas.engine.tools import Tools

__all__ = ["Schedule"]

_LOOK_SECONDS = 0.2
"""How often a worker that waits looks whether the run has ended."""
_SPARE = 1.5
"""Cases differ: more is kept than they take on average, since one that runs out of calls has to search anew later."""


class Schedule:
    """Of one run; shared by its workers."""

    def __init__(self, tools: Tools, control: RunControl, max_seconds: float | None = None) -> None:
        """``max_seconds``: after so long no case is begun any more; those in hand are finished."""
        self.control = control
        self._tools, self._links = tools, list(tools.links.values())
        self._pace = Pace(tools.links, tools.ledger)
        self._changed = threading.Condition()
        self._until = None if max_seconds is None else tools.clock.monotonic() + max_seconds
        self.begun = 0
        """How many cases were begun, each once."""
        self.short: set[str] = set()
        """Connections into whose quota a case did not fit."""
        self.again = False
        """Whether cases are passed over that were begun before."""

    # -- asked by the runner ----------------------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Whether nothing more is begun, whatever it is."""
        return self.control.stopped.is_set() or self.seconds_left() <= 0

    def enter(self, case_id: str) -> bool:
        """Whether a case is begun now. May wait for those in hand, whose calls were reckoned generously."""
        with self._changed:
            while not self.over:
                short = self._short(self._needed(case_id))
                if not short:
                    self._pace.in_hand += 1
                    self.begun += not self.again
                    return True
                if not self._pace.in_hand:
                    self.short |= short
                    return False
                self._changed.wait(_LOOK_SECONDS)
            return False

    def leave(self) -> None:
        """A case that was begun is done with, for now."""
        with self._changed:
            self._pace.in_hand -= 1
            self._pace.finished += 1
            self._changed.notify_all()

    def wait_until_idle(self) -> None:
        """Until no case is in hand, or nothing more is to be begun."""
        with self._changed:
            while self._pace.in_hand and not self.over:
                self._changed.wait(_LOOK_SECONDS)

    def _needed(self, case_id: str) -> Sequence[Link]:
        """The connections with a quota that a case has still to ask. It is looked up only where one may be short."""
        metered = [link for link in self._links if link.meter is not None]
        if not self._short(metered):
            return ()
        view = self._tools.register.view(case_id)
        return [link for link in metered if not view.final(link.name)]

    def _short(self, links: Sequence[Link]) -> set[str]:
        """Connections whose quota is too small for one more case beside those in hand.

        A case that takes more than a whole period has is begun as long as anything is left, or it never would be.
        """
        short = set()
        for link in links:
            assert link.meter is not None  # noqa: S101 - only those are asked about
            one = self._pace.calls(link.name)
            if any(left < self._wanted(one, quota.calls) for quota, left in link.meter.left()):
                short.add(link.name)
        return short

    def _wanted(self, one: float, period: int) -> float:
        wanted = _SPARE * one * (self._pace.in_hand + 1)
        if self._pace.in_hand or wanted <= period:
            return max(1.0, wanted)
        return one if one <= period else 1.0

    # -- told to whoever watches ------------------------------------------------------------------------------------

    def seconds_left(self) -> float:
        """Until nothing more is begun; infinite where nobody said."""
        return float("inf") if self._until is None else self._until - self._tools.clock.monotonic()

    def ahead(self, cases: int) -> Ahead | None:
        """When so many more cases could be done at the vendors' limits and quotas, and which vendor decides."""
        with self._changed:
            return self._pace.ahead(cases, self._tools.clock.now())

    @property
    def ended_by(self) -> Literal["", "stopped", "max-runtime", "quota"]:
        """Why cases were left that could have been begun; empty where none were."""
        if self.control.stopped.is_set():
            return "stopped"
        if self.seconds_left() <= 0:
            return "max-runtime"
        return "quota" if self.short else ""

    def goes_on_at(self) -> tuple[list[str], datetime] | None:
        """The connections whose quota is too small for another case, and when it no longer is; None: there is none."""
        now = self._tools.clock.now()
        again: dict[str, datetime] = {}
        with self._changed:
            for link in self._links:
                for quota, left in link.meter.left() if link.meter is not None else ():
                    wanted = self._wanted(self._pace.calls(link.name), quota.calls) if link.name in self.short else 1
                    if left < wanted:
                        again[link.name] = max(again.get(link.name, now), quota.begins(now))
        return (list(again), max(again.values())) if again else None

    # -- vendors that were left alone -------------------------------------------------------------------------------

    def trouble(self) -> dict[str, int]:
        """Connection → how often it was left alone so far."""
        return {link.name: link.left_alone for link in self._links}

    def worth_another_look(self, view: CaseView, before: dict[str, int]) -> bool:
        """Whether a case lacks nothing but vendors that were left alone at some time since ``before``."""
        left = {row.connection for row in view.outcomes if not row.result.final}
        now = self.trouble()
        return bool(left) and not view.closed and all(now.get(name, 0) > before.get(name, 0) for name in left)

    def pause(self, before: dict[str, int]) -> tuple[list[str], float]:
        """The connections that were left alone since ``before``, and the seconds until all are asked again."""
        waiting = [link for link in self._links if link.left_alone > before[link.name]]
        return [link.name for link in waiting], max((link.asked_again_in() for link in waiting), default=0.0)

"""One operation of the vendor's API as a row: method, path, what answers it, which query parameters it knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from habeas.testing.sandbox import Call, Reply
from habeas_voucherify.sandbox.state import Project
from habeas_voucherify.sandbox.wire import Check, Problem, Request, parse_query

__all__ = ["Handler", "Route"]

Handler: TypeAlias = Callable[[Project, Request], Reply]


@dataclass(frozen=True)
class Route:
    """An operation."""

    method: str
    template: str
    handler: Handler
    query: Mapping[str, Check] = field(default_factory=dict)
    repeatable: Sequence[str] = ()

    def answer(self, project: Project, call: Call) -> Reply:
        """Checks the query, runs the handler, and turns a :class:`Problem` into the vendor's error body."""
        try:
            return self.handler(project, parse_query(call, self.query, self.repeatable))
        except Problem as problem:
            return problem.reply(project.request_id())

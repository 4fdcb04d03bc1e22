"""What a hook is given to speak with: it works as long as its task, and while it is used the task is not idle."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from habeas.control import RunControl
from habeas.engine.links import Link
from habeas.errors import RunEnded
from habeas.http.transport import Request
from habeas.models import Limits
from habeas.registry import Registry
from habeas.testing.clock import SkippingClock
from habeas.testing.sandbox import Call, Reply, SandboxServer

READ = Request("GET", "/v1/customer_profiles/{integrationId}/inventory", {"integrationId": "C-1"})


class Desk:
    """A link to a sandbox; ``meanwhile`` is called while it has a call in hand."""

    def __init__(self, server: SandboxServer, clock: SkippingClock) -> None:
        registry, app = Registry.load(), server.app
        limits = Limits(requests_per_second=10_000)
        self.link = Link(
            "shop", registry.info(app.name), app.settings(), server.base_url, limits, registry, clock
        )  # fmt: skip
        self.run = RunControl(clock, 90)
        self.meanwhile: Callable[[], object] = lambda: None
        respond = server.respond

        def watched(call: Call) -> Reply | None:
            self.meanwhile()
            return respond(call)

        server.respond = watched  # type: ignore[method-assign] # somebody looks while it is asked


def test_nothing_is_read_by_what_was_given_to_a_task_that_was_left_behind() -> None:
    with SandboxServer(Registry.load().sandbox("talonone")) as server:
        desk = Desk(server, SkippingClock(datetime(2026, 11, 30, tzinfo=UTC)))
        task = desk.run.task()
        with task.doing():
            api = desk.link.connection(desk.run).api
            api.read(READ, ok=(200, 404))
        calls = len(server.calls)
        with pytest.raises(RunEnded):
            api.read(READ, ok=(200, 404))
        assert (len(server.calls), calls) == (1, 1)
        desk.link.connection(desk.run).api.read(READ, ok=(200, 404))
        desk.link.crew.close()


def test_a_task_that_waits_for_an_answer_is_not_idle() -> None:
    """However long the vendor takes: that is the vendor's doing, and has a limit of its own."""
    with SandboxServer(Registry.load().sandbox("talonone")) as server:
        desk = Desk(server, SkippingClock(datetime(2026, 11, 30, tzinfo=UTC)))
        task = desk.run.task()
        idle: list[float] = []
        desk.meanwhile = lambda: idle.append(task.idle())
        with task.doing():
            desk.link.connection(desk.run).api.read(READ, ok=(200, 404))
        assert idle == [0.0]
        desk.link.crew.close()

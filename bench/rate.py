"""How much of a configured rate is used, against a vendor that enforces it: `python -m bench.rate [SECONDS]`.

A loopback vendor counts what arrives in every window of one second and answers 429 to what is over the limit. Eight
threads ask it through the connection's own limiter, as fast as they are let.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Iterable, Mapping

from bench.figures import Figure, keep

from habeas.clock import SystemClock
from habeas.control import RunControl
from habeas.errors import RunEnded, VendorError
from habeas.http.api import Api
from habeas.http.limits import Limiter
from habeas.http.transport import Transport
from habeas.models import Limits
from habeas.testing.people import Person
from habeas.testing.sandbox import Call, Reply, SandboxApp, SandboxServer

RATE = 50
THREADS = 8


class Strict(SandboxApp):
    """A vendor that takes so many calls in any window of one second, and refuses the rest."""

    name = "strict"

    def __init__(self) -> None:
        super().__init__(time.monotonic)
        self.arrived: list[float] = []
        self.refused = 0
        self.route("GET", "/v1/ping", self._ping)

    def _ping(self, _: Call) -> Reply:
        now = self.clock()
        if len(self.arrived) - bisect_left(self.arrived, now - 1.0) >= RATE:
            self.refused += 1
            return Reply(429, {}, {"Retry-After": "1"})
        self.arrived.append(now)
        return Reply(200, {})

    def settings(self) -> Mapping[str, str]:
        return {}

    def seed(self, _: Iterable[Person]) -> Mapping[str, str]:
        return {}

    def held(self, _: Person) -> Mapping[str, int]:
        return {}

    def error(self, status: int, message: str, _: Call) -> Reply:
        return Reply(status, {"message": message})

    def authenticate(self, _: Call) -> Reply | None:
        return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seconds", nargs="?", type=float, default=60.0)
    chosen = parser.parse_args()
    app, clock = Strict(), SystemClock()
    limits = Limits(requests_per_second=RATE, concurrency=THREADS)
    with SandboxServer(app) as server:
        limiter, transport = Limiter(limits, clock), Transport(server.base_url, limits, clock)
        control = RunControl(clock, chosen.seconds)
        began = time.monotonic()

        def ask() -> None:
            api = Api(transport, lambda request: request, limiter, control)  # type: ignore[arg-type] # signs nothing
            while True:
                try:
                    api.get("/v1/ping")
                except (RunEnded, VendorError):
                    return

        threads = [threading.Thread(target=ask) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.monotonic() - began
    used = len(app.arrived) / (RATE * took)
    most = max(n - bisect_left(app.arrived, at - 1.0) + 1 for n, at in enumerate(app.arrived))
    return keep(
        "rate",
        Figure("of the configured rate used", 100 * used, 97, "at least", " %",
               f"{len(app.arrived)} calls in {took:.0f} s at {RATE} a second"),
        Figure("calls in the fullest window of a second", most, RATE, "at most", "", "as the vendor counts"),
        Figure("answers of 429", app.refused, 0, "at most"),
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())

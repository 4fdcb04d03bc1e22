"""A vendor small enough to see through: customers that are there until they are deleted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import pytest

from habeas.testing.people import Person
from habeas.testing.sandbox import Call, Reply, SandboxApp, SandboxServer


class Shop(SandboxApp):
    """Every customer exists until it is deleted, and says with which id it was asked for."""

    name = "shop"

    def __init__(self) -> None:
        super().__init__()
        self.deleted: set[str] = set()
        self.route("GET", "/v1/customers/{customerId}", self._get)
        self.route("DELETE", "/v1/customers/{customerId}", self._delete)
        self.route("POST", "/v1/search", lambda call: Reply(200, {"found": call.body.decode()}))

    def settings(self) -> Mapping[str, str]:
        return {}

    def seed(self, people: Iterable[Person]) -> Mapping[str, str]:
        return {}

    def held(self, person: Person) -> Mapping[str, int]:
        return {}

    def error(self, status: int, message: str, call: Call) -> Reply:
        return Reply(status, {"message": message})

    def authenticate(self, call: Call) -> Reply | None:
        return None

    def _get(self, call: Call) -> Reply:
        customer = call.params["customerId"]
        return Reply(404, {}) if customer in self.deleted else Reply(200, {"id": customer})

    def _delete(self, call: Call) -> Reply:
        customer = call.params["customerId"]
        if customer in self.deleted:
            return Reply(404, {})
        self.deleted.add(customer)
        return Reply(204)


@pytest.fixture(scope="module")
def running() -> Iterator[SandboxServer]:
    with SandboxServer(Shop()) as server:
        yield server


@pytest.fixture
def alone() -> Iterator[SandboxServer]:
    """A vendor for one test, whose last call may arrive late."""
    with SandboxServer(Shop()) as server:
        yield server


@pytest.fixture
def server(running: SandboxServer) -> SandboxServer:
    """The vendor as on its first day."""
    running.app = Shop()
    running.calls.clear()
    running.faults.clear()
    return running

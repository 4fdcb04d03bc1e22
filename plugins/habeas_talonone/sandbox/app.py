"""The sandbox itself: keys, routing, what holds for every call; and the switches a test may turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Literal

from habeas.testing.people import Person
from habeas.testing.sandbox import Call, Reply, SandboxApp, token
from habeas_talonone.sandbox import audiences, cards, legacy, loyalty, management, profiles, reports, rewards, sessions
from habeas_talonone.sandbox.entities import APPLICATION
from habeas_talonone.sandbox.intake import Refused, Request, read_body, read_path, read_query
from habeas_talonone.sandbox.operations import Operation
from habeas_talonone.sandbox.seed import WALLET, held, open_account, seed
from habeas_talonone.sandbox.state import Access, State
from habeas_talonone.sandbox.truth import PURPOSES, consent, enlarge, held_text

__all__ = ["TalonOneSandbox"]

_ROOMS = (profiles, sessions, rewards, audiences, loyalty, cards, management, reports, legacy)
_DAY = 86_400.0


class TalonOneSandbox(SandboxApp):
    """A Talon.One deployment with one live Application. Unknown paths, parameters, fields and attributes are refused.

    ``conflicts``: how many of the next Integration API writes are answered 409, as when more than three parallel
    requests meet at one profile (Integration API, "Managing parallel requests"). ``after_erase``: what is left of an
    erased profile, which the vendor's pages tell in two ways. ``withdrawn``: the status that the V1 writes are answered
    with, which the vendor's documents no longer have; 0 while they still work.
    """

    name = "talonone"

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        super().__init__(clock)
        self.api_key = token("integration-", "talonone")
        self.management_key = token("management-", "talonone")
        self.conflicts = 0
        self.withdrawn: Literal[0, 404, 405, 410] = 0
        self.state = State(clock)
        self._stored: dict[tuple[str, str, str], tuple[float, Reply]] = {}
        open_account(self.state)
        self.operations = tuple(operation for room in _ROOMS for operation in room.OPERATIONS)
        """Every operation of the vendor's documents that this product has a use for."""
        for operation in self.operations:
            self.route(operation.method, operation.path, partial(self._serve, operation))

    @property
    def after_erase(self) -> Literal["gone", "shell"]:
        """``gone``: the profile is 404 after an erase; ``shell``: it stays, with its integration id and no more."""
        return self.state.after_erase

    @after_erase.setter
    def after_erase(self, value: Literal["gone", "shell"]) -> None:
        self.state.after_erase = value

    @property
    def known_attributes(self) -> set[str]:
        """The attributes that exist in the account; a write with any other is refused."""
        return self.state.known_attributes

    @known_attributes.setter
    def known_attributes(self, value: Iterable[str]) -> None:
        self.state.known_attributes = set(value)

    def settings(self) -> Mapping[str, str]:
        """The Integration API key and what a canary needs; :meth:`management_settings` are apart."""
        return {
            "api_key": self.api_key,
            "canary_event": "habeas_canary",
            "canary_coupon": WALLET,
            "canary_referral_campaign": "6",
            "canary_audience": "12",
        }

    def management_settings(self) -> Mapping[str, str]:
        """What a connection needs besides for the Management API, which many merchants have no key for."""
        return {"management_key": self.management_key, "application_id": str(APPLICATION)}

    def more_credentials(self) -> Mapping[str, str | bytes]:
        """The Management API's."""
        return self.management_settings()

    def seed(self, people: Iterable[Person]) -> Mapping[str, str]:
        """Fills the account; everybody is found by ``integrationId`` = customer id."""
        seed(self.state, [person for person in people if self.name in person.held_at])
        return {}

    def held(self, person: Person) -> Mapping[str, int]:
        """See :func:`habeas_talonone.sandbox.seed.held`."""
        return held(self.state, person.customer_id)

    def purposes(self) -> Mapping[str, Mapping[str, Any]]:
        """See :data:`habeas_talonone.sandbox.truth.PURPOSES`."""
        return PURPOSES

    def consent(self, person: Person, purpose: str) -> bool | None:
        """See :func:`habeas_talonone.sandbox.truth.consent`."""
        with self.lock:
            return consent(self.state, person.customer_id, purpose)

    def held_text(self, person: Person) -> str:
        """See :func:`habeas_talonone.sandbox.truth.held_text`."""
        with self.lock:
            return held_text(self.state, person.customer_id)

    def enlarge(self, person: Person, count: int) -> None:
        """See :func:`habeas_talonone.sandbox.truth.enlarge`."""
        with self.lock:
            enlarge(self.state, person.customer_id, count)

    def error(self, status: int, message: str, call: Call) -> Reply:
        """``ErrorResponseWithStatus``."""
        del call
        return Refused(status, message).reply()

    def authenticate(self, call: Call) -> Reply | None:
        """Any valid key gets past here; whether it is of the right kind is the operation's to say."""
        sent = call.headers.get("authorization", "")
        if sent in (f"ApiKey-v1 {self.api_key}", f"ManagementKey-v1 {self.management_key}"):
            return None
        return self.error(401, "Unauthorized - Invalid API key", call)

    def _serve(self, operation: Operation, call: Call) -> Reply:
        try:
            reply = self._perform(operation, call)
        except Refused as refused:
            reply = refused.reply()
        if operation.api == "integration":
            self.state.access.append(Access(self.state.next_id(), self.state.now(), call, reply))
        return reply

    def _perform(self, operation: Operation, call: Call) -> Reply:
        scheme = "ApiKey-v1 " if operation.api == "integration" else "ManagementKey-v1 "
        if not call.headers["authorization"].startswith(scheme):
            raise Refused(401, "Unauthorized - Invalid API key")
        request = Request(read_path(call.params), read_query(call, operation.query), read_body(call, operation.body))
        if request.path.get("applicationId", APPLICATION) != APPLICATION:
            raise Refused(404, "Not found", "the Application does not exist")
        if self.withdrawn and operation in legacy.OPERATIONS:
            raise Refused(self.withdrawn, "Gone", "the endpoint was withdrawn")
        if self.conflicts > 0 and operation.changes:
            self.conflicts -= 1
            raise Refused(409, "Too many requests are updating this profile at the same time")
        key = call.headers.get("idempotency-key") if operation.idempotent else None
        if key is None:
            return operation.handler(self.state, request)
        return self._once(key, operation, call, request)

    def _once(self, key: str, operation: Operation, call: Call, request: Request) -> Reply:
        """The stored answer where this key was used within 24 hours (Integration API); refusals are not stored."""
        if not 0 < len(key) <= 255:
            raise Refused(400, "Invalid Idempotency-Key", "must have 1 to 255 characters")
        slot, now = (call.method, call.path, key), self.state.now()
        stored = self._stored.get(slot)
        if stored is not None and now - stored[0] < _DAY:
            return stored[1]
        reply = operation.handler(self.state, request)
        self._stored[slot] = (now, reply)
        return reply

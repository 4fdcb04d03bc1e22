"""A Voucherify project on loopback, written from the vendor's documents: all 35 operations, with state, and strict.

It shares no code with the plugin's client. What the documents leave open is a switch on :class:`VoucherifySandbox`
(see ``state.Project``), so that a client can be shown to stand either way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from habeas.testing.people import Person
from habeas.testing.sandbox import Call, Reply
from habeas_voucherify.sandbox.activity import ACTIVITY_ROUTES
from habeas_voucherify.sandbox.bulk import BULK_ROUTES
from habeas_voucherify.sandbox.consents import CONSENT_ID, CONSENT_ROUTES
from habeas_voucherify.sandbox.customers import CUSTOMER_ROUTES
from habeas_voucherify.sandbox.exports import EXPORT_ROUTES
from habeas_voucherify.sandbox.loyalty import LOYALTY_ROUTES
from habeas_voucherify.sandbox.oauth import Grants
from habeas_voucherify.sandbox.routing import Route
from habeas_voucherify.sandbox.rows import ROW_ROUTES
from habeas_voucherify.sandbox.seeding import seed_person
from habeas_voucherify.sandbox.state import Project
from habeas_voucherify.sandbox.truth import PURPOSES, consent, enlarge, held_text
from habeas_voucherify.sandbox.wire import Problem

__all__ = ["CONSENT_ID", "VoucherifySandbox"]

_MINUTE = 60.0
_ANNOUNCED = 2000
"""Calls a minute in the vendor's Organization plan; announced where no limit is enforced."""

_SLASHED = {("POST", "/v1/customers"), ("GET", "/v1/vouchers")}
"""Collections that the vendor's Python client up to 2.2.2 addresses with a slash at the end."""

_KEYS = {404: "not_found", 405: "method_not_allowed"}


class VoucherifySandbox(Project):
    """The vendor. Every switch and credential is an attribute; see ``state.Project``."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        super().__init__(clock)
        self._grants = Grants()
        self._window_from = 0.0
        self._window_calls = 0
        grants = (
            Route("POST", "/v1/oauth/token", self._grants.generate),
            Route("POST", "/v1/oauth/introspect", self._grants.introspect),
            Route("POST", "/v1/oauth/token/revoke", self._grants.revoke),
        )
        for route in (
            *BULK_ROUTES,
            *CUSTOMER_ROUTES,
            *ACTIVITY_ROUTES,
            *ROW_ROUTES,
            *EXPORT_ROUTES,
            *LOYALTY_ROUTES,
            *CONSENT_ROUTES,
            *grants,
        ):
            self.route(route.method, route.template, partial(route.answer, self))
            if (route.method, route.template) in _SLASHED:
                self.route(route.method, f"{route.template}/", partial(route.answer, self))

    def settings(self) -> Mapping[str, str]:
        """The API key pair. For OAuth use ``client_id`` and ``client_secret`` instead."""
        return {"app_id": self.app_id, "app_token": self.app_token}

    def more_credentials(self) -> Mapping[str, str | bytes]:
        """The pair to ask for OAuth tokens with."""
        return {"client_id": self.client_id, "client_secret": self.client_secret}

    def serve_withdrawn(self) -> None:
        """The consents endpoint of projects from before September 2024."""
        self.consents_enabled = True

    def seed(self, people: Iterable[Person]) -> Mapping[str, str]:
        """Creates those this vendor knows. Nobody needs the vendor's id: ``source_id`` is the shop's customer id."""
        with self.lock:
            for number, person in enumerate(people):
                if self.name in person.held_at and person.customer_id not in self.by_source:
                    seed_person(self, person, number)
        return {}

    def purposes(self) -> Mapping[str, Mapping[str, Any]]:
        """See :data:`habeas_voucherify.sandbox.truth.PURPOSES`."""
        return PURPOSES

    def consent(self, person: Person, purpose: str) -> bool | None:
        """See :func:`habeas_voucherify.sandbox.truth.consent`."""
        with self.lock:
            return consent(self, person, purpose)

    def held_text(self, person: Person) -> str:
        """See :func:`habeas_voucherify.sandbox.truth.held_text`."""
        with self.lock:
            self.settle()
            return held_text(self, person)

    def enlarge(self, person: Person, count: int) -> None:
        """See :func:`habeas_voucherify.sandbox.truth.enlarge`."""
        with self.lock:
            enlarge(self, person, count)

    def error(self, status: int, message: str, call: Call) -> Reply:
        """An error in the vendor's shape."""
        details = f"Cannot {call.method} {call.path}" if status in _KEYS else ""
        return Problem(status, _KEYS.get(status, "error"), message, details).reply(self.request_id())

    def handle(self, call: Call) -> Reply:
        """Ends the asynchronous work that is due, then answers."""
        with self.lock:
            self.settle()
            return super().handle(call)

    # -- credentials and limits ---------------------------------------------------------------------------------------

    def authenticate(self, call: Call) -> Reply | None:
        """401 without good credentials; 429 where a limit is enforced and used up."""
        refusal = self._grants.refusal(self, call)
        if refusal is not None:
            return refusal.reply(self.request_id())
        return self._counted(call)

    def _counted(self, call: Call) -> Reply | None:
        now = self.clock()
        if now >= self._window_from + _MINUTE:
            self._window_from, self._window_calls = now, 0
        limit = self.calls_per_minute
        if limit is None or self._window_calls < limit:
            self._window_calls += 1
            return None
        bulk = call.path.endswith("/async") or call.path.endswith("/importCSV")
        headers = {
            "Retry-After": str(max(1, round(self._window_from + _MINUTE - now))),
            "X-Rate-Limit-Type": "bulk_api_calls" if bulk else "api_calls",
        }
        message = "Too many requests hit the API too quickly."
        if bulk:
            return Reply(429, {"code": "429", "message": message}, headers)
        return Problem(429, "too_many_requests", message, headers=headers).reply(self.request_id())

    def finish(self, call: Call, reply: Reply) -> Reply:
        """Puts the rate-limit headers on every answer. ``X-Rate-Limit-Retry``: Unix time of the next allowed call."""
        del call
        limit = self.calls_per_minute if self.calls_per_minute is not None else _ANNOUNCED
        left = max(0, limit - self._window_calls)
        retry = self.clock() if left else self._window_from + _MINUTE
        headers = {
            "X-Rate-Limit-Limit": str(limit),
            "X-Rate-Limit-Remaining": str(left),
            "X-Rate-Limit-Retry": str(-int(-retry // 1)),
        }
        return Reply(reply.status, reply.json, {**reply.headers, **headers}, reply.body)

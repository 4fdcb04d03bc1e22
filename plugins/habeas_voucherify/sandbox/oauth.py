"""OAuth 2.0 client credentials, and who may call what.

The token endpoint takes an API key pair in ``X-App-Id`` and ``X-App-Token`` and a form body. A token lives 900 seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from urllib.parse import parse_qsl

from habeas.testing.sandbox import Call, Reply, token
from habeas_voucherify.sandbox.state import Project
from habeas_voucherify.sandbox.wire import Json, Problem, Request, form_body

__all__ = ["TOKEN_SECONDS", "Grants"]

TOKEN_SECONDS = 900

_SCOPES = {
    "api", "client_api", "promotions", "client_promotions", "campaigns", "client_publish", "exports",
    "publications", "client_validate", "validations", "client_validations", "qualifications",
    "client_qualifications", "client_redeem", "redemptions", "client_redemptions", "vouchers",
    "client_vouchers", "customers", "client_customers", "orders", "products", "skus", "validation-rules",
    "validation-rules-assignments", "segments", "events", "client_events", "rewards", "assets", "task-results",
    "loyalties", "client_consents", "consents", "async-actions", "product-collections", "categories",
    "metadata-schemas", "locations", "referrals", "trash-bin", "templates",
}  # fmt: skip
"""Every scope the vendor's OpenAPI document names."""


@dataclass(frozen=True)
class _Grant:
    """A token that was given out."""

    token: str
    client_id: str
    scope: str
    expires_at: int
    """Unix seconds."""

    def covers(self, path: str) -> bool:
        """Whether its scope reaches a path: ``api`` everything, else the word after ``/v1/``; v2 asks for none."""
        scopes = self.scope.split()
        return path.startswith("/v2/") or "api" in scopes or any(part in scopes for part in path.split("/")[2:3])

    def view(self, now: float) -> Json:
        """The token as the vendor describes it."""
        return {
            "access_token": self.token,
            "client_id": self.client_id,
            "expires_at": self.expires_at,
            "expires_in": max(0, ceil(self.expires_at - now)),
            "scope": self.scope,
            "token_type": "Bearer",
        }


class Grants:
    """The tokens given out, and the check of a call's credentials."""

    def __init__(self) -> None:
        self._given: dict[str, _Grant] = {}

    def refusal(self, project: Project, call: Call) -> Problem | None:
        """Why this call's credentials are no good; None where they are."""
        if call.path.startswith("/reports/"):
            return None  # as a signed link: the token in the query is the credential
        if call.path.startswith("/client/"):
            return _refused_pair(
                call, "x-client-application-id", "x-client-token", (project.client_application_id, project.client_token)
            )
        own = (project.app_id, project.app_token)
        if call.path.startswith("/v1/oauth/"):
            return _refused_pair(call, "x-app-id", "x-app-token", own, (project.client_id, project.client_secret))
        if "authorization" in call.headers:
            return self._refused_bearer(project, call)
        return _refused_pair(call, "x-app-id", "x-app-token", own)

    def _refused_bearer(self, project: Project, call: Call) -> Problem | None:
        kind, _, value = call.headers["authorization"].partition(" ")
        grant = self._given.get(value)
        if kind.lower() != "bearer" or grant is None or project.clock() >= grant.expires_at:
            return _unauthorized("Invalid or expired access token")
        return None if grant.covers(call.path) else _unauthorized("The access token's scope does not cover this call")

    # -- operations ---------------------------------------------------------------------------------------------------

    def generate(self, project: Project, request: Request) -> Reply:
        """A new token for ``grant_type=client_credentials`` and scopes split by blanks."""
        form = form_body(request.call, parse_qsl)
        if form.get("grant_type") != "client_credentials":
            raise Problem(400, "invalid_grant_type", "Invalid grant_type")
        scopes = form.get("scope", "").split()
        if not scopes:
            raise Problem(400, "missing_parameters", "Missing parameters")
        if unknown := [scope for scope in scopes if scope not in _SCOPES]:
            raise Problem(400, "invalid_scope", f"Invalid scope: {','.join(unknown)}")
        now = project.clock()
        self._given = {value: grant for value, grant in self._given.items() if grant.expires_at > now}
        grant = _Grant(
            token=token("", "access", project.serial()),
            client_id=request.call.headers["x-app-id"],
            scope=" ".join(scopes),
            expires_at=int(now) + TOKEN_SECONDS,
        )
        self._given[grant.token] = grant
        return Reply(200, grant.view(now))

    def introspect(self, project: Project, request: Request) -> Reply:
        """What a token is. For one that is unknown the schema's required fields are there, but empty.

        The vendor's own example is ``{"active": false}`` alone, which its schema does not allow.
        """
        value = _access_token(request)
        grant = self._given.get(value) or _Grant(value, "", "", 0)
        now = project.clock()
        return Reply(200, {**grant.view(now), "active": now < grant.expires_at})

    def revoke(self, project: Project, request: Request) -> Reply:
        """Ends a token: 204, or 404 with an empty body where it was unknown or over."""
        grant = self._given.pop(_access_token(request), None)
        return Reply(204 if grant is not None and project.clock() < grant.expires_at else 404)


def _access_token(request: Request) -> str:
    value = form_body(request.call, parse_qsl).get("access_token", "")
    if not value:
        raise Problem(400, "missing_parameters", "Missing parameters")
    return value


def _refused_pair(call: Call, id_name: str, key_name: str, *pairs: tuple[str, str]) -> Problem | None:
    if (call.headers.get(id_name, ""), call.headers.get(key_name, "")) in pairs:
        return None
    return _unauthorized("Check your credentials")


def _unauthorized(details: str) -> Problem:
    return Problem(401, "unauthorized", "Unauthorized", details)

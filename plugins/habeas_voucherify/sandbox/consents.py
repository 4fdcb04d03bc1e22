"""The consents endpoints, withdrawn from the vendor's specification in 2024-09: gone unless the project enables them.

They list what consents exist, never what a person gave.
"""

from __future__ import annotations

from habeas.testing.sandbox import Reply
from habeas_voucherify.sandbox.routing import Route
from habeas_voucherify.sandbox.state import Project
from habeas_voucherify.sandbox.wire import Json, Problem, Request, invalid_payload, json_body

__all__ = ["CONSENT_ID", "CONSENT_ROUTES"]

CONSENT_ID = "cnst_6jQ5XcUOLnj5L7ImQAdBsJ1I"
"""The one consent this project defines: marketing e-mail."""

_GONE = {
    404: ("not_found", "Resource not found"),
    405: ("method_not_allowed", "Method not allowed"),
    410: ("gone", "Gone"),
}
_SINCE = "2024-01-15T09:00:00.000Z"


def _enabled(project: Project) -> None:
    if not project.consents_enabled:
        raise Problem(project.consents_status, *_GONE[project.consents_status])


def _list(project: Project, request: Request) -> Reply:
    _enabled(project)
    if request.call.path.startswith("/client/") and not request.call.headers.get("origin"):
        raise Problem(400, "missing_origin_header", "Origin header is missing")
    group = {
        "id": "cnstgr_marketing",
        "name": "Marketing",
        "description": "What the shop may send",
        "consents": [CONSENT_ID],
        "created_at": _SINCE,
        "updated_at": _SINCE,
        "object": "consent_group",
    }
    consent = {
        "id": CONSENT_ID,
        "name": "Marketing e-mail",
        "description": "News and offers by e-mail",
        "category": "EMAIL",
        "created_at": _SINCE,
        "updated_at": _SINCE,
        "object": "consent",
    }
    return Reply(200, {"groups": _listed(group), "consents": _listed(consent)})


def _listed(row: Json) -> Json:
    return {"object": "list", "data_ref": "data", "data": [row], "total": 1}


def _update(project: Project, request: Request) -> Reply:
    """``{"cnst_…": true}`` or ``{"unsubscribed": true}``, which withdraws all. 204; 400 when empty or unknown."""
    _enabled(project)
    record = project.customer(request.path("customerId"))
    body = json_body(request.call, dict) if request.call.body else {}
    if not body:
        raise invalid_payload("The payload cannot be empty")
    for name, given in body.items():
        if not isinstance(given, bool):
            raise invalid_payload(f"Property .{name} should be boolean")
        if name not in (CONSENT_ID, "unsubscribed"):
            raise invalid_payload(f"Unknown consent {name}")
    state = dict(project.consents.get(record["id"], {}))
    if CONSENT_ID in body:
        state[CONSENT_ID] = body[CONSENT_ID]
    if body.get("unsubscribed"):
        state[CONSENT_ID] = False
    project.consents[record["id"]] = state
    return Reply(204)


CONSENT_ROUTES = (
    Route("GET", "/v1/consents", _list),
    Route("PUT", "/v1/customers/{customerId}/consents", _update),
    Route("GET", "/client/v1/consents", _list),
    Route("PUT", "/client/v1/customers/{customerId}/consents", _update),
)

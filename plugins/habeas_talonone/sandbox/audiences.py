"""Audiences: made and filled through the Integration API, read through the Management API."""

from __future__ import annotations

from habeas.testing.sandbox import Reply
from habeas_talonone.sandbox.entities import APPLICATION, Audience
from habeas_talonone.sandbox.intake import Param, Refused, Request, flag, items, number, obj, page, text
from habeas_talonone.sandbox.operations import INTEGRATION_ID, SORTED, Operation, flags
from habeas_talonone.sandbox.state import State

__all__ = ["OPERATIONS"]


def _audience(state: State, number_: int) -> Audience:
    found = state.audiences.get(number_)
    if found is None:
        raise Refused(404, "Not found", "the audience does not exist")
    return found


def create(state: State, request: Request) -> Reply:
    """Create audience; 409 where the third party's id is taken for this integration."""
    body, now = request.body, state.now()
    key = (body.get("integration"), body.get("integrationId"))
    if key[1] is not None and any((a.integration, a.integration_id) == key for a in state.audiences.values()):
        raise Refused(409, "Conflict", "an audience with this id already exists", {"pointer": "/integrationId"})
    audience = Audience(
        state.next_id(),
        body["name"],
        now,
        body.get("sandbox", False),
        body.get("description", ""),
        body.get("integration"),
        body.get("integrationId"),
        body.get("createdIn3rdParty"),
        body.get("lastUpdate"),
        body.get("subscribedApplicationsIds", [APPLICATION]),
    )
    state.audiences[audience.id] = audience
    return Reply(201, audience.json())


def update(state: State, request: Request) -> Reply:
    """Update audience name."""
    audience = _audience(state, request.path["audienceId"])
    audience.name = request.body["name"]
    audience.applications = request.body.get("subscribedApplicationsIds", audience.applications)
    return Reply(200, audience.json())


def delete(state: State, request: Request) -> Reply:
    """Delete audience, memberships included."""
    empty(state, request)
    del state.audiences[request.path["audienceId"]]
    return Reply(204)


def empty(state: State, request: Request) -> Reply:
    """Delete audience memberships: of everybody."""
    audience = _audience(state, request.path["audienceId"])
    for who in list(audience.members):
        state.expel(audience, who)
    return Reply(204)


def change_members(state: State, request: Request) -> Reply:
    """Update profile audiences: ``add`` creates a missing profile, ``delete`` does not. The text calls it "remove"."""
    changes = request.body["data"]
    for change in changes:
        _audience(state, change["audienceId"])
    for change in changes:
        audience, who = state.audiences[change["audienceId"]], change["profileIntegrationId"]
        if change["action"] == "add":
            state.upsert(who)
            state.enrol(audience, who)
        else:
            state.expel(audience, who)
    return Reply(204)


def list_audiences(state: State, request: Request) -> Reply:
    """List audiences of the account."""
    return Reply(200, page(list(state.audiences.values()), request.query, Audience.json))


def list_members(state: State, request: Request) -> Reply:
    """List audience members; someone erased shows as a bare id while the membership lasts."""
    members = _audience(state, request.path["audienceId"]).members
    asked = request.query["profileQuery"]
    rows = [state.listed(who) for who in members if asked is None or asked in who]
    return Reply(200, page(rows, request.query, state.profile_json))


_WHOLE = number(integer=True)

OPERATIONS = (
    Operation(
        "POST",
        "/v2/audiences",
        create,
        body=obj(
            {
                "name": text(1),
                "sandbox": flag(),
                "description": text(),
                "subscribedApplicationsIds": items(_WHOLE, unique=True),
                "integration": text(),
                "integrationId": INTEGRATION_ID,
                "createdIn3rdParty": flag(),
                "lastUpdate": text(time=True),
            },
            required=("name",),
        ),
    ),
    Operation("DELETE", "/v2/audiences/{audienceId}", delete),
    Operation(
        "PUT",
        "/v2/audiences/{audienceId}",
        update,
        body=obj(
            {"name": text(1), "subscribedApplicationsIds": items(_WHOLE, unique=True)},
            required=("name",),
        ),
    ),
    Operation("DELETE", "/v2/audiences/{audienceId}/memberships", empty),
    Operation(
        "POST",
        "/v2/customer_audiences",
        change_members,
        body=obj(
            {
                "data": items(
                    obj(
                        {
                            "action": text(choices=("add", "delete")),
                            "profileIntegrationId": INTEGRATION_ID,
                            "audienceId": _WHOLE,
                        },
                        required=("action", "profileIntegrationId", "audienceId"),
                    ),
                    1000,
                )
            },
            required=("data",),
        ),
    ),
    Operation("GET", "/v1/audiences", list_audiences, SORTED | flags("withTotalResultSize"), api="management"),
    Operation(
        "GET",
        "/v1/audiences/{audienceId}/memberships",
        list_members,
        SORTED | {"profileQuery": Param()},
        api="management",
    ),
)

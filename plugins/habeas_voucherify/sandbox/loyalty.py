"""Loyalty programs, version 2: a customer's memberships, and one member of one program."""

from __future__ import annotations

from habeas.testing.sandbox import Reply
from habeas_voucherify.sandbox.routing import Route
from habeas_voucherify.sandbox.state import Project
from habeas_voucherify.sandbox.wire import Json, Problem, Request, any_of, hex_id, not_found

__all__ = ["LOYALTY_ROUTES", "PROGRAM"]

PROGRAM: Json = {
    "id": hex_id("lprg_", "club"),
    "name": "Shop Club",
    "status": "ACTIVE",
    "metadata": {},
    "object": "program",
}
"""The one program of this project."""


def _resolve(project: Project, wanted: str, by: str) -> Json:
    """The customer meant by ``identification_type``: a source id is no ``cust_…`` id here. Raises 404."""
    cust_id = wanted
    if by == "customer_source_id":
        cust_id = project.by_source.get(wanted, "")
    elif by == "member_id":
        member = project.members.all.get(wanted)
        cust_id = member["member"]["customer_id"] if member is not None else ""
    found = project.customers.get(cust_id)
    if found is None:
        raise not_found("member" if by == "member_id" else "customer", wanted)
    return found


def _memberships(project: Project, request: Request) -> Reply:
    record = _resolve(project, request.path("customerId"), request.query.get("identification_type", "customer_id"))
    memberships = [
        {"member": row["member"], "program": PROGRAM, "cards": row["cards"], "object": "membership"}
        for row in project.members.of(record["id"])
        if row["member"]["status"] != "DELETED"
    ]
    customer = {"id": record["id"], "source_id": record.get("source_id"), "object": "customer"}
    return Reply(200, {"customer": customer, "memberships": memberships, "object": "memberships_result"})


def _member_row(project: Project, request: Request) -> Json:
    wanted = request.path("memberId")
    row = project.members.all.get(wanted)
    if row is None or row["member"]["program_id"] != request.path("programId"):
        raise not_found("member", wanted)
    return row


def _member(project: Project, request: Request) -> Reply:
    row = _member_row(project, request)
    return Reply(200, {**row["member"], "cards": row["cards"]})


def _delete(project: Project, request: Request) -> Reply:
    """The cards go, the member stays as ``DELETED``; deleting it again is an invalid change of state."""
    row = _member_row(project, request)
    if row["member"]["status"] == "DELETED":
        raise Problem(409, "conflict", "Conflict", "The member is deleted", row["id"], "member")
    member = {**row["member"], "status": "DELETED", "updated_at": project.now()}
    project.members.all[row["id"]] = {**row, "member": member, "cards": []}
    return Reply(200, member)


_MEMBER = "/v2/loyalties/programs/{programId}/members/{memberId}"

LOYALTY_ROUTES = (
    Route(
        "GET",
        "/v2/loyalties/memberships/{customerId}",
        _memberships,
        {"identification_type": any_of("customer_id", "customer_source_id", "member_id")},
    ),
    Route("GET", _MEMBER, _member),
    Route("DELETE", _MEMBER, _delete),
)

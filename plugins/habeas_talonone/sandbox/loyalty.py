"""Loyalty by profile: balances, transactions, points, joining, and the wipe of a person's ledger."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from habeas.testing.sandbox import Reply
from habeas_talonone.sandbox.entities import Profile, stamp
from habeas_talonone.sandbox.intake import Param, Refused, Request, items, obj, ordered, page, text, when, whole
from habeas_talonone.sandbox.ledger import Program, Transaction, balance, by_subledger, unused
from habeas_talonone.sandbox.operations import PAGING, Operation, flags
from habeas_talonone.sandbox.state import State

__all__ = ["LEDGER", "OPERATIONS", "POINTS", "balances", "filtered", "points_page", "program"]

Json = dict[str, Any]


def program(state: State, request: Request, card_based: bool, missing: int = 404) -> Program:
    """The program of the path. Raises :class:`Refused`: ``missing`` where there is none, 400 for the other kind."""
    found = state.programs.get(request.path["loyaltyProgramId"])
    if found is None:
        raise Refused(missing, "Not found", "the loyalty program does not exist", {"parameter": "loyaltyProgramId"})
    if found.card_based != card_based:
        raise Refused(400, "Wrong kind of loyalty program", "", {"parameter": "loyaltyProgramId"})
    return found


def _ledger(state: State, request: Request) -> tuple[Program, Profile, list[Transaction]]:
    found = program(state, request, card_based=False)
    profile = state.profile(request.path["integrationId"])
    return found, profile, state.ledgers.get(profile.integration_id, {}).get(found.id, [])


def balances(lines: Iterable[Transaction], at: float, only: Sequence[str] | None, of: Program | None = None) -> Json:
    """``LoyaltyBalances``; with a program also where its tiers stand."""
    ledgers = by_subledger(lines)
    rows = {}
    for name, entries in ledgers.items():
        if only is None or name in only:
            total = balance(entries, at)
            rows[name] = total.json() | (of.standing(total.active, projected=False) if of else {})
    body: Json = {"balance": rows.pop("")} if "" in rows else {}
    return body | {"subledgerBalances": rows}


def profile_balances(state: State, request: Request) -> Reply:
    """Get loyalty balances, at ``endDate`` or now."""
    found, _, lines = _ledger(state, request)
    query = request.query
    at = state.now() if query["endDate"] is None else query["endDate"]
    only = None if query["subledgerId"] is None else [query["subledgerId"]]
    body = balances(lines, at, only, found if query["includeTiers"] else None)
    if query["includeProjectedTier"] and "balance" in body:
        body["balance"] |= found.standing(body["balance"]["activePoints"], projected=True)
    return Reply(200, body)


def filtered(lines: Iterable[Transaction], query: Any) -> list[Transaction]:
    """The transactions that pass the filters, newest first: without paging one sees the last 50."""
    if query["awaitsActivation"] is False:
        raise Refused(400, "Invalid query parameter", "only true is possible", {"parameter": "awaitsActivation"})
    asked = query["subledgerId"]
    only = [asked] if isinstance(asked, str) else asked
    rows = [
        line
        for line in lines
        if (only is None or line.subledger in only)
        and query["loyaltyTransactionType"] in (None, line.origin)
        and (query["startDate"] is None or line.created >= query["startDate"])
        and (query["endDate"] is None or line.created <= query["endDate"])
        and (query["customerSessionIDs"] is None or line.session in query["customerSessionIDs"])
        and (query["transactionUUIDs"] is None or line.uuid in query["transactionUUIDs"])
        # Points that wait for an action are not sold here: nothing awaits activation.
        and query["awaitsActivation"] is None
    ]
    return sorted(rows, key=lambda line: (line.created, line.id), reverse=True)


def transactions(state: State, request: Request) -> Reply:
    """List loyalty transactions, newest first, 50 a page unless asked otherwise."""
    _, _, lines = _ledger(state, request)
    return Reply(200, page(filtered(lines, request.query), request.query, Transaction.json))


def points_page(lines: Sequence[Transaction], query: Any, now: float) -> Json:
    """One page of the points still unused with this status."""
    only, sort = query["subledgerId"], query["sort"]
    rows = [
        line.points(amount)
        for line, amount in unused(lines, query["status"], now)
        if (only is None or line.subledger in only)
        and (query["customerSessionIDs"] is None or line.session in query["customerSessionIDs"])
        and (query["transactionUUIDs"] is None or line.uuid in query["transactionUUIDs"])
    ]
    low, size = query["skip"], query["pageSize"]
    data = ordered(rows, sort) if sort else rows
    return {"hasMore": low + size < len(rows), "data": list(data[low : low + size])}


def points(state: State, request: Request) -> Reply:
    """List unused points of one status: active unless asked otherwise."""
    _, _, lines = _ledger(state, request)
    return Reply(200, points_page(lines, request.query, state.now()))


def wipe(state: State, request: Request) -> Reply:
    """Delete transactions: of all ledgers, or of the named ones (``""`` is the main one). Membership stays."""
    found, profile, lines = _ledger(state, request)
    scope, named = request.body["scope"], request.body.get("subledgerIds")
    if scope == "SelectedSubledgers" and not named:
        raise Refused(400, "Invalid body", "is required with this scope", {"pointer": "/subledgerIds"})
    left = [] if scope == "AllSubledgers" else [line for line in lines if line.subledger not in named]
    if left:
        state.ledgers[profile.integration_id][found.id] = left
    else:
        state.ledgers[profile.integration_id].pop(found.id, None)
    return Reply(204)


def join(state: State, request: Request) -> Reply:
    """Join loyalty program: creates a missing profile; who is in already is refused. Answers an empty 200."""
    found, who = program(state, request, card_based=False), request.path["integrationId"]
    if found.id in state.joined.get(who, {}):
        raise Refused(400, "Already joined", "the profile is in this loyalty program")
    state.upsert(who)
    state.joined[who][found.id] = state.now()
    return Reply(200)


def list_programs(state: State, request: Request) -> Reply:
    """List loyalty programs of the account."""
    del request
    rows = [one.json() for one in state.programs.values()]
    return Reply(200, {"totalResultSize": len(rows), "data": rows})


def get_program(state: State, request: Request) -> Reply:
    """Get loyalty program."""
    found = state.programs.get(request.path["loyaltyProgramId"])
    if found is None:
        raise Refused(404, "Not found", "the loyalty program does not exist")
    return Reply(200, found.json())


_COLUMNS = (
    "customerprofileid", "customersessionid", "rulesetid", "rulename", "programid", "type", "name", "subledgerid",
    "startdate", "expirydate", "id", "created", "amount", "archived", "campaignid", "flags", "transactionuuid",
    "validityduration",
)  # fmt: skip


def export_log(state: State, request: Request) -> Reply:
    """Export customer's transaction logs, a CSV file."""
    found, profile, lines = _ledger(state, request)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for line in lines:
        if request.query["rangeStart"] <= line.created <= request.query["rangeEnd"]:
            writer.writerow(
                (
                    profile.integration_id, line.session or "", "", "", found.id, line.type, line.name, line.subledger,
                    line.starts, line.expires, line.id, stamp(line.created), f"{line.amount:.2f}", "false", "", "",
                    line.uuid, "",
                )
            )  # fmt: skip
    return Reply(200, headers={"Content-Type": "application/csv"}, body=out.getvalue().encode())


_PAGE = PAGING | {"pageSize": whole(1, 1000, 50)}
_LISTS = {"customerSessionIDs": Param("repeat"), "transactionUUIDs": Param("repeat")}
LEDGER = (
    _PAGE
    | _LISTS
    | when("startDate")
    | when("endDate")
    | {
        "loyaltyTransactionType": Param(choices=("manual", "session", "import")),
        "awaitsActivation": Param("flag"),
        "subledgerId": Param(),
    }
)
"""Filters of a list of transactions."""
POINTS = (
    _PAGE
    | _LISTS
    | {
        "status": Param(default="active", choices=("active", "pending", "expired")),
        "subledgerId": Param("repeat"),
        "sort": Param(choices=("startDate", "expiryDate", "-startDate", "-expiryDate")),
    }
)
"""Filters of a list of points."""
_BALANCES = when("endDate") | flags("includeTiers", "includeProjectedTier") | {"subledgerId": Param()}
_PROFILE = "/v1/loyalty_programs/{loyaltyProgramId}/profile/{integrationId}"

OPERATIONS = (
    Operation("GET", _PROFILE + "/balances", profile_balances, _BALANCES),
    Operation("GET", _PROFILE + "/transactions", transactions, LEDGER),
    Operation("GET", _PROFILE + "/points", points, POINTS),
    Operation(
        "POST",
        _PROFILE + "/delete_transactions",
        wipe,
        body=obj(
            {
                "scope": text(choices=("AllSubledgers", "SelectedSubledgers")),
                "subledgerIds": lambda value, at: iter(()) if value is None else items(text())(value, at),
            },
            required=("scope",),
        ),
    ),
    Operation("POST", _PROFILE + "/join", join),
    Operation("GET", "/v1/loyalty_programs", list_programs, api="management"),
    Operation("GET", "/v1/loyalty_programs/{loyaltyProgramId}", get_program, api="management"),
    Operation(
        "GET",
        _PROFILE + "/export_log",
        export_log,
        when("rangeStart", required=True)
        | when("rangeEnd", required=True)
        | {"dateFormat": Param(choices=("excel", "ISO8601"))},
        api="management",
    ),
    Operation("GET", _PROFILE + "/ledger_balances", profile_balances, _BALANCES, api="management"),
    Operation("GET", _PROFILE + "/ledger_transactions", transactions, LEDGER, api="management"),
)

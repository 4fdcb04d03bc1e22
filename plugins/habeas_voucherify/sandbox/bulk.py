"""Asynchronous actions: bulk update, bulk metadata, CSV import, and what became of them.

All three create a customer for an unknown source id; no event and no webhook tells of it.
"""

from __future__ import annotations

import csv
import email.parser
import email.policy
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from habeas.testing.sandbox import Call, Reply, token
from habeas_voucherify.sandbox.customers import checked_fields, upsert, wrong_dates
from habeas_voucherify.sandbox.routing import Route
from habeas_voucherify.sandbox.state import Project
from habeas_voucherify.sandbox.wire import (
    MAX_BODY,
    Json,
    Problem,
    Request,
    hex_id,
    invalid_payload,
    json_body,
    media_type,
    moment,
    not_found,
    number,
    stamp,
    text,
)

__all__ = ["BULK_ROUTES"]

_REPORT_LIFE = 7 * 24 * 3600
"""Seconds a report can be fetched (the vendor gives a time, not a rule)."""


@dataclass
class _Row:
    """One customer of a bulk call, and what became of it."""

    source_id: str
    fields: Json
    cust_id: str = ""
    """From the column ``Id`` of a file; the source id finds the customer where this one does not."""
    found: bool = False
    updated: bool = False
    error: str = ""


@dataclass
class _Action:
    """An asynchronous action."""

    id: str
    kind: str
    request_id: str
    created: float
    host: str
    rows: list[_Row]
    failed: list[Json] = field(default_factory=list)
    finished: float | None = None

    def view(self, project: Project, *, with_result: bool) -> Json:
        """The vendor's answer. ``DONE`` alone is no success: ``operation_status`` and the counts say that."""
        body: Json = {
            "id": self.id,
            "type": self.kind,
            "status": "DONE",
            "operation_status": "UNKNOWN",
            "created_at": stamp(self.created),
            "updated_at": stamp(self.finished if self.finished is not None else self.created),
            "request_id": self.request_id,
            "progress": 100,
            "object": "async_action",
        }
        if self.finished is None:
            passed = (project.clock() - self.created) / project.async_seconds if project.async_seconds else 0.0
            waiting = (
                {"status": "ENQUEUED", "progress": 0} if passed < 0.5 else {"status": "IN_PROGRESS", "progress": 50}
            )
            return {**body, **waiting}
        good = sum(row.updated for row in self.rows)
        body["operation_status"] = "SUCCESS" if good or not self.rows else "FAILED"
        body["processing_time"] = int((self.finished - self.created) * 1000)
        if with_result:
            body["result"] = self._result(good)
        return body

    def _result(self, good: int) -> Json:
        bad = len(self.rows) - good
        if self.kind == "CUSTOMERS.IMPORT_CSV":
            failed = [
                {"source_id": row.source_id, "row": n, "reason": row.error}
                for n, row in enumerate(self.rows, start=1)
                if row.error
            ]
            message = f"{good} customer(s) imported successfully, {bad} failed."
            return {"message": message, "failed": failed, "done_count": good, "failed_count": bad}
        errors = [
            {"message": "Invalid payload", "details": row.error, "key": "invalid_payload", "source_id": row.source_id}
            for row in self.rows
            if row.error
        ]
        if self.kind == "CUSTOMERS.METADATA_UPDATE":
            errors = [{k: v for k, v in error.items() if k != "source_id"} for error in errors]
        return {
            "done_count": good,
            "failed_count": bad,
            "reports": [f"http://{self.host}/reports/{self.id}?token={_report_token(self.id)}"],
            "reports_available_till": stamp((self.finished or self.created) + _REPORT_LIFE),
            "errors": errors,
        }


def _report_token(action_id: str) -> str:
    return token("", action_id, "report")


def _start(project: Project, call: Call, kind: str, rows: list[_Row], work: Callable[[_Row], bool]) -> Reply:
    most = project.most_bulk_records
    if most is not None and len(rows) > most and kind != "CUSTOMERS.IMPORT_CSV":
        raise invalid_payload(f"Payload should NOT have more than {most} items")
    action = _Action(
        id=hex_id("aa_", project.serial()),
        kind=kind,
        request_id=project.request_id(),
        created=project.clock(),
        host=call.headers.get("host", "localhost"),
        rows=rows,
    )
    project.actions[action.id] = action
    project.later(partial(_run, project, action, work))
    return Reply(202, {"async_action_id": action.id})


def _run(project: Project, action: _Action, work: Callable[[_Row], bool]) -> None:
    for row in action.rows:
        row.error = row.error or _row_error(project, row)
        if not row.error:
            row.found, row.updated = work(row), True
    action.finished = project.clock()


def _row_error(project: Project, row: _Row) -> str:
    if row.source_id in project.refused_source_ids:
        return "Property .metadata does not fit the metadata schema"
    named = row.source_id or row.cust_id in project.customers
    return wrong_dates(row.fields) if named else "Property .source_id should NOT be empty"


def _upsert_row(project: Project, whole: bool, row: _Row) -> bool:
    wanted = row.cust_id if row.cust_id in project.customers else project.by_source.get(row.source_id, "")
    return upsert(project, wanted, row.source_id, row.fields, whole=whole)[1]


def _bulk(project: Project, request: Request) -> Reply:
    rows = []
    for item in json_body(request.call, list, limit=MAX_BODY):
        if not isinstance(item, dict) or not isinstance(item.get("source_id"), str):
            raise invalid_payload("Property .source_id should be string")
        rows.append(_Row(item["source_id"], checked_fields(item)))
    if not rows:
        raise invalid_payload("Payload should NOT have fewer than 1 items")
    return _start(project, request.call, "CUSTOMERS.BULK_UPDATE", rows, partial(_upsert_row, project, False))


def _metadata(project: Project, request: Request) -> Reply:
    body = json_body(request.call, dict, limit=MAX_BODY)
    wanted, metadata = body.get("source_ids"), body.get("metadata")
    if not isinstance(wanted, list) or not wanted or not all(isinstance(s, str) for s in wanted):
        raise invalid_payload("Property .source_ids should be array of strings")
    if not isinstance(metadata, dict):
        raise invalid_payload("Property .metadata should be object")
    rows = [_Row(source_id, {"metadata": metadata}) for source_id in wanted]
    return _start(project, request.call, "CUSTOMERS.METADATA_UPDATE", rows, partial(_upsert_row, project, False))


# -- CSV import -------------------------------------------------------------------------------------------------------

_COLUMNS = ("name", "description", "email", "phone", "birthday", "birthdate")


def _csv_file(call: Call) -> str:
    """The text of the multipart field ``file``; 413, 415 or 400 otherwise."""
    if len(call.body) > MAX_BODY:
        message = f"Payload content length greater than maximum allowed: {MAX_BODY}"
        raise Problem(413, "Request Entity Too Large", message)
    media_type(call, "multipart/form-data")
    head = f"Content-Type: {call.headers['content-type']}\r\n\r\n".encode()
    message_ = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + call.body)
    for part in message_.iter_parts() if message_.is_multipart() else ():
        if part.get_param("name", header="content-disposition") == "file":
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes):
                try:
                    return payload.decode("utf-8-sig")
                except UnicodeDecodeError:
                    raise invalid_payload("The file is not UTF-8") from None
    raise invalid_payload("Property .file is required")


def _csv_row(cells: Mapping[str, str]) -> _Row:
    """A line: known columns are fields, ``address_…`` the address, all others metadata. Empty cells are nothing."""
    given = {name.strip().lower(): value for name, value in cells.items() if value}
    fields: Json = {name: given.pop(name) for name in _COLUMNS if name in given}
    source_id = given.pop("source_id", "")
    address = {name[8:]: given.pop(name) for name in tuple(given) if name.startswith("address_")}
    cust_id = given.pop("id", "")
    return _Row(source_id, {**fields, "address": address or None, "metadata": given}, cust_id)


def _import_csv(project: Project, request: Request) -> Reply:
    reader = csv.DictReader(io.StringIO(_csv_file(request.call)), restkey="", restval="")
    if "source_id" not in [(name or "").strip().lower() for name in reader.fieldnames or ()]:
        raise invalid_payload("The file has no column source_id")
    rows = [_csv_row({k: v for k, v in cells.items() if k}) for cells in reader]
    return _start(project, request.call, "CUSTOMERS.IMPORT_CSV", rows, partial(_upsert_row, project, True))


# -- reading ----------------------------------------------------------------------------------------------------------


def _list(project: Project, request: Request) -> Reply:
    limit: int = request.query.get("limit", 10)
    found: Sequence[_Action] = [*reversed(project.actions.values())]
    if end := request.query.get("end_date"):
        found = [a for a in found if stamp(a.created) <= end]
    views = [action.view(project, with_result=False) for action in found[:limit]]
    return Reply(
        200,
        {
            "object": "list",
            "data_ref": "async_actions",
            "async_actions": views,
            "has_more": len(found) > limit,
        },
    )


def _get(project: Project, request: Request) -> Reply:
    return Reply(200, _found(project, request.path("asyncActionId")).view(project, with_result=True))


def _found(project: Project, wanted: str) -> _Action:
    action: _Action | None = project.actions.get(wanted)
    if action is None:
        raise not_found("async_action", wanted)
    return action


def _report(project: Project, request: Request) -> Reply:
    """The report file. Where the vendor serves it is not documented; the URL in ``reports`` leads here.

    Columns ``found`` (false: was created) and ``updated``, as the vendor's description of the bulk calls says.
    """
    action = _found(project, request.path("asyncActionId"))
    if request.query.get("token") != _report_token(action.id) or action.finished is None:
        raise Problem(401, "unauthorized", "Unauthorized")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("source_id", "found", "updated"))
    writer.writerows((row.source_id, str(row.found).lower(), str(row.updated).lower()) for row in action.rows)
    return Reply(200, headers={"Content-Type": "text/csv; charset=utf-8"}, body=out.getvalue().encode())


BULK_ROUTES = (
    Route("POST", "/v1/customers/bulk/async", _bulk),
    Route("POST", "/v1/customers/metadata/async", _metadata),
    Route("POST", "/v1/customers/importCSV", _import_csv),
    Route("GET", "/v1/async-actions", _list, {"limit": number(1, 100), "end_date": moment}),
    Route("GET", "/v1/async-actions/{asyncActionId}", _get),
    Route("GET", "/reports/{asyncActionId}", _report, {"token": text}),
)

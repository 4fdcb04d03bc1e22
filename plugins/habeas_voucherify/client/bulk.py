"""Many customers at once: bulk update, bulk metadata, CSV import, and the asynchronous actions they start.

All three create whoever they do not find, without a webhook or an event: they take only customers that the caller has
just proven to be there, and never somebody who was erased. They are idempotent by nature (the same values are set
again), so a call that ends in :class:`~habeas.OutcomeUnknown` may be made again after the customers have been read.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from habeas import BadAnswer, NotSent, VendorError
from habeas.connection import Connection
from habeas.http.api import cannot_be_read
from habeas.http.transport import Answer, Request, Upload
from habeas.models import Json
from habeas_voucherify import jobs, mapping
from habeas_voucherify.client import calls
from habeas_voucherify.client.calls import Listed, get, headers, listed, read_as
from habeas_voucherify.jobs import Action, Report, Row

__all__ = [
    "Finished",
    "Row",
    "async_action",
    "async_actions",
    "import_csv",
    "update_in_bulk",
    "update_metadata_in_bulk",
]

MOST_BYTES = 10_485_760
"""What one call or file may hold (10 MB); above it the answer is 413."""
MOST_RECORDS = 100
"""Records in one call of versions before August 2024."""

BULK = "/v1/customers/bulk/async"
METADATA = "/v1/customers/metadata/async"
IMPORT = "/v1/customers/importCSV"
ACTIONS = "/v1/async-actions"
ACTION = "/v1/async-actions/{asyncActionId}"

_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds between two looks at an action; the last one repeats. The vendor recommends none."""


@dataclass(frozen=True, repr=False)
class Finished:
    """What became of one call, after its action has ended."""

    succeeded: bool
    """Done, its operation a success, and not one row failed."""
    done_count: int | None
    """None where the vendor does not say."""
    failed_count: int | None
    rows: tuple[Row, ...]
    """Each row that a report or the answer names, by ``source_id``. Personal data."""
    unread_reports: int
    """Reports that the API's own host does not give: no credentials of ours are sent to another one."""
    evidence: str


def update_in_bulk(connection: Connection, records: Sequence[Mapping[str, Json]]) -> tuple[Finished, ...]:
    """Updates customers, each named by its ``source_id``, in as few calls as the connection's ``bulk_version`` allows.

    Only customers that a read has just shown: whoever is not found is created. Fields that are not given stay. One
    result for each call, in order. Raises :class:`~habeas.VendorError`, :class:`~habeas.NotSent` for a record that is
    larger than a call may be, and :class:`~habeas.errors.RunEnded` where an action takes longer than the run.
    """
    parts = _parts(connection, [dict(record) for record in records], 0)
    return tuple(_run(connection, Request("POST", BULK, json=part, headers=headers(connection))) for part in parts)


def update_metadata_in_bulk(
    connection: Connection, source_ids: Sequence[str], metadata: Mapping[str, Json]
) -> tuple[Finished, ...]:
    """Gives several customers the same metadata. Who may be named, results and errors: :func:`update_in_bulk`."""
    frame = len(_written({"source_ids": [], "metadata": dict(metadata)}))
    parts = _parts(connection, list(source_ids), frame)
    bodies = ({"source_ids": part, "metadata": dict(metadata)} for part in parts)
    return tuple(_run(connection, Request("POST", METADATA, json=b, headers=headers(connection))) for b in bodies)


def import_csv(connection: Connection, rows: Sequence[Mapping[str, str]]) -> Finished:
    """Imports customers from a file; a row's keys are the vendor's column names, ``Source_id`` among them.

    Replaces whole profiles: what a row does not have is lost. The vendor keeps the file with its API logs. Columns it
    does not know become metadata. Who may be named, results and errors: :func:`update_in_bulk`.
    """
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, tuple(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    content = file.getvalue().encode("utf-8")
    if len(content) > MOST_BYTES:
        raise _too_large(IMPORT)
    upload = Upload("file", "customers.csv", content, "text/csv")
    return _run(connection, Request("POST", IMPORT, upload=upload, headers=headers(connection)))


# -- asynchronous actions ----------------------------------------------------------------------------------------------


def async_action(connection: Connection, action_id: str) -> Answer:
    """One action as it is now, with its result: 200, or 404."""
    return get(connection, ACTION, {"asyncActionId": action_id})


def async_actions(connection: Connection, until: str = "") -> Iterator[Listed]:
    """All actions, newest first, without their results; those begun by ``until`` (RFC 3339) where that is given.

    The list has no cursor: each page is asked for up to the time of the last action, and who was on the page before is
    left out. Raises :class:`~habeas.BadAnswer` where more actions share one time than a page holds.
    """
    cursor, seen = until, frozenset[str]()
    while True:
        end = (("end_date", cursor),) if cursor else ()
        page = listed(
            get(connection, ACTIONS, query=(("limit", f"{calls.PAGE_SIZE}"), *end), ok=(200,)), "async_actions"
        )
        ids = page.read(mapping.ids)
        fresh = tuple(row for row, name in zip(page.rows, ids, strict=True) if name not in seen)
        yield Listed(page.answer, fresh)
        if not read_as(page.answer, mapping.has_more):
            return
        if not fresh:
            raise BadAnswer(f"{page.answer.evidence}: the list goes on, and gives nothing new")
        seen = frozenset(ids)
        cursor = page.read(lambda rows: mapping.created_at(rows[-1]))


def _run(connection: Connection, request: Request) -> Finished:
    change = connection.api.change(request, ok=(202,), done=cannot_be_read)
    assert change.answer is not None  # noqa: S101 - what cannot be read is never called done
    answer, action = _ended(connection, read_as(change.answer, jobs.action_id))
    reported, unread = _reported(connection, action)
    named = {row.source_id for row in reported}
    # A report has all rows; the reason why one failed stands only in the answer.
    rows = (*reported, *(row for row in action.rows if row.error or row.source_id not in named))
    return Finished(action.succeeded, action.done_count, action.failed_count, rows, unread, answer.evidence)


def _ended(connection: Connection, action_id: str) -> tuple[Answer, Action]:
    """Waits for the end of an action. Raises :class:`~habeas.errors.RunEnded` where the run ends first."""
    looks = 0
    while True:
        answer = get(connection, ACTION, {"asyncActionId": action_id}, ok=(200,))
        action = read_as(answer, jobs.action)
        if action.ended:
            return answer, action
        connection.api.pause(_PAUSES[min(looks, len(_PAUSES) - 1)])
        looks += 1


def _reported(connection: Connection, action: Action) -> tuple[tuple[Row, ...], int]:
    """The rows of all reports that can be fetched, and how many reports cannot: the action has ended all the same."""
    rows: tuple[Row, ...] = ()
    unread = 0
    for url in action.reports:
        try:
            rows += _fetched(connection, jobs.report_of(url))
        except VendorError:
            unread += 1
    return rows, unread


def _fetched(connection: Connection, report: Report) -> tuple[Row, ...]:
    ids = {f"part{n}": part for n, part in enumerate(report.segments, start=1)}
    template = "".join(f"/{{{name}}}" for name in ids)
    # Where it lies is not documented. The API made its token, so the API may see it again.
    answer = connection.api.get(template, ids=ids, query=report.query, headers=headers(connection))
    return jobs.rows_of_report(answer.body)


# -- sizes -------------------------------------------------------------------------------------------------------------


def _parts(connection: Connection, entries: Sequence[Json], frame: int) -> Iterator[list[Json]]:
    """The entries in parts, each as large as a call may be. ``frame``: bytes of what stands around them."""
    by_number = connection.settings.get("bulk_version", "10-mb") == "100-records"
    part: list[Json] = []
    size = frame + 2
    for entry in entries:
        more = len(_written(entry)) + 1
        if frame + 2 + more > MOST_BYTES:
            raise _too_large(BULK)
        if part and (size + more > MOST_BYTES or (by_number and len(part) >= MOST_RECORDS)):
            yield part
            part, size = [], frame + 2
        part.append(entry)
        size += more
    if part:
        yield part


def _written(entry: Json) -> bytes:
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _too_large(path: str) -> NotSent:
    return NotSent(f"POST {path}: larger than the {MOST_BYTES} bytes that one call may have")

"""What became of an asynchronous action: the vendor's answer, read. Pure.

Source: schema ``AsyncActionGetResponseBody`` of the vendor's OpenAPI document of August 2026, and its descriptions of
the bulk calls. ``DONE`` alone is no success: ``operation_status`` and ``failed_count`` say that. What became of each
row stands in a report file (columns ``found`` and ``updated``), in older versions in the answer itself.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from habeas import BadAnswer
from habeas.models import Json

__all__ = ["Action", "Report", "Row", "action", "action_id", "report_of", "rows_of_report"]

_WAITING = ("ENQUEUED", "IN_PROGRESS")
_ENDED = ("DONE", "FAILED")


@dataclass(frozen=True, repr=False)
class Row:
    """What became of one row. ``found`` False: the customer was not there, and was created. None: not said."""

    source_id: str
    found: bool | None = None
    updated: bool | None = None
    error: str = ""
    """The vendor's word for what was wrong (``invalid_payload``); its message may hold values, and is left out."""


@dataclass(frozen=True, repr=False)
class Report:
    """Where a report lies, less its host."""

    segments: tuple[str, ...]
    query: tuple[tuple[str, str], ...]


@dataclass(frozen=True, repr=False)
class Action:
    """An asynchronous action, as far as it has come."""

    ended: bool
    succeeded: bool
    """Done, its operation a success, and not one row failed. False where the vendor does not say all of that."""
    done_count: int | None
    failed_count: int | None
    rows: tuple[Row, ...]
    """Those that the answer names: failed ones, and in older versions all."""
    reports: tuple[str, ...]


def action_id(document: Json) -> str:
    """The id in the answer to a call that starts an action (schemas ``…BulkResponseBody``)."""
    found = document.get("async_action_id") if isinstance(document, dict) else None
    if not isinstance(found, str) or not found:
        raise BadAnswer("`async_action_id` is missing")
    return found


def action(document: Json) -> Action:
    """One asynchronous action. Raises :class:`~habeas.BadAnswer`."""
    status = document.get("status") if isinstance(document, dict) else None
    if status not in (*_WAITING, *_ENDED):
        raise BadAnswer("the action's `status` is none of the documented ones")
    found = document.get("result")
    result: dict[str, Json] = found if isinstance(found, dict) else {}
    rows = (*_objects(found), *_objects(result.get("rows")), *_objects(result.get("customers")))
    failed = (*_objects(result.get("errors")), *_objects(result.get("failed")))
    done_count, failed_count = _count(result.get("done_count")), _count(result.get("failed_count"))
    reports = result.get("reports")
    good = status == "DONE" and document.get("operation_status") == "SUCCESS" and failed_count == 0 and not failed
    return Action(
        status in _ENDED,
        good,
        done_count,
        failed_count,
        (*map(_row, rows), *map(_failed_row, failed)),
        tuple(r for r in reports if isinstance(r, str)) if isinstance(reports, list) else (),
    )


def report_of(url: str) -> Report:
    """Where a report lies. Raises :class:`~habeas.BadAnswer`."""
    try:
        parts = urlsplit(url)
        query = tuple(parse_qsl(parts.query, keep_blank_values=True))
    except ValueError:
        raise BadAnswer("a report's address is none") from None
    return Report(tuple(unquote(part) for part in parts.path.split("/") if part), query)


def rows_of_report(content: bytes) -> tuple[Row, ...]:
    """The rows of a report file. Raises :class:`~habeas.BadAnswer`."""
    try:
        lines = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error):
        raise BadAnswer("the report is no CSV file") from None
    if lines and not {"source_id", "found", "updated"} <= lines[0].keys():
        raise BadAnswer("the report has not the documented columns")
    return tuple(_row(line) for line in lines)


def _row(row: Mapping[str, Json]) -> Row:
    return Row(_text(row.get("source_id")), _flag(row.get("found")), _flag(row.get("updated")))


def _failed_row(row: Mapping[str, Json]) -> Row:
    return Row(_text(row.get("source_id")), None, False, _text(row.get("key")) or _text(row.get("code")) or "failed")


def _objects(value: Json) -> Iterable[Mapping[str, Json]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _flag(value: Json) -> bool | None:
    return {"true": True, "false": False}.get(str(value).lower())


def _count(value: Json) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""

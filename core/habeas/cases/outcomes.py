"""How outcomes stand in ``record.outcome`` entries: those of one connection that are written together, in one entry.

``{"plugin": …, "outcomes": [{"result": …, "evidence": …, "records": [[item, kind, count], …]}, …]}``: records that
follow one another and share result, evidence and reason share what says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from habeas.models import Json, Result

__all__ = ["Row", "outcome_data", "outcomes_in"]

_ROOM = 10_000
"""Characters of outcomes in one entry, of which the ledger takes 16 KiB."""


@dataclass(frozen=True)
class Row:
    """One outcome on its way into the ledger."""

    record: str
    item: str
    count: int
    result: Result
    reason: str = ""
    until: str = ""
    evidence: str = ""
    purpose: str = ""
    field: str = ""
    legal_basis: str = ""
    """Of a policy's hold."""

    def shared(self) -> dict[str, Json]:
        """What it may share with others; what is empty is left out."""
        texts = {
            "reason": self.reason,
            "until": self.until,
            "evidence": self.evidence,
            "purpose": self.purpose,
            "field": self.field,
            "legal_basis": self.legal_basis,
        }
        return {"result": str(self.result), **{name: text for name, text in texts.items() if text}}


def outcome_data(plugin: str, rows: Iterable[Row]) -> Iterator[dict[str, Json]]:
    """The data of the entries, mostly one, that say these outcomes; in their order, so that only neighbours share."""
    groups: list[dict[str, Json]] = []
    last: dict[str, Json] = {}
    room = _ROOM
    for row in rows:
        shared = row.shared()
        room -= 40 + len(row.record) + (0 if shared == last else 80 + sum(len(t.encode()) for t in shared.values()))
        if room < 0 and groups:
            yield {"plugin": plugin, "outcomes": groups}
            groups, last, room = [], {}, _ROOM
        if shared != last:
            groups.append({**shared, "records": []})
        groups[-1]["records"].append([row.item, row.record, row.count])
        last = shared
    if groups:
        yield {"plugin": plugin, "outcomes": groups}


def outcomes_in(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Each outcome that an entry says, by itself: ``plugin``, ``record``, ``item``, ``count``, ``result`` and the rest.

    Raises KeyError, TypeError, ValueError or AttributeError for data that are not of such an entry.
    """
    for group in data["outcomes"]:
        said = {name: value for name, value in group.items() if name != "records"}
        for item, record, count in group["records"]:
            yield {"plugin": data["plugin"], "record": record, "item": item, "count": count, **said}

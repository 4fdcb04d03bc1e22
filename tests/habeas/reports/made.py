"""Ledger entries made by hand, for reports."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any

from hypothesis import strategies as st

from habeas.models import PluginInfo, RecordKind
from habeas.reports.compliance import Made, Period, Report, System, make_report, utc_text
from habeas_audit import EXPORT, Entry, origin_of
from habeas_audit.tree import leaf_hash, root

LOG = "00112233445566778899aabbccddeeff"
BASIS = "https://w3id.org/dpv/legal/eu/gdpr#A6-1-c"


class Book:
    """Entries in the order in which they are added. A time is ``10-05`` (day, noon UTC) or ``10-05T22:30:00``."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def add(self, at: str, kind: str, case: str = "", connection: str = "", /, *, run: str = "r-1", **data: Any) -> int:
        seq, at = len(self.entries) + 1, moment(at)
        value = {"at": at, "case": case, "connection": connection, "data": data, "log": LOG, "run": run, "seq": seq,
                 "type": kind, "v": 1}  # fmt: skip
        body = json.dumps({k: v for k, v in value.items() if v}, separators=(",", ":"), ensure_ascii=False).encode()
        self.entries.append(Entry(seq, at, kind, case, run, connection, "", body, leaf_hash(body)))
        return seq

    def open(self, at: str, case: str, kind: str = "erasure", *, received: str = "", due: str = "", **data: Any) -> int:
        plain: dict[str, Any] = {"regime": "gdpr", "due_rule": "gdpr/1", "subject": ["2026Q4:ab12"], "approved": True}
        plain |= data
        received = moment(received or at)[:19] + "Z"
        return self.add(at, "case.opened", case, type=kind, received_at=received,
                        due_at=moment(due)[:19] + "Z" if due else "2026-12-31T22:59:59Z", **plain)  # fmt: skip

    def outcome(
        self, at: str, case: str, result: str, *, where: str = "shop-a", item: str = "0", record: str = "customer",
        count: int = 1, **data: Any,
    ) -> int:  # fmt: skip
        said = {"records": [[item, record, count]], "result": result, **data}
        return self.add(at, "record.outcome", case, where, plugin="a", outcomes=[said])

    def close(self, at: str, case: str, status: str = "completed", **data: Any) -> int:
        return self.add(at, "case.closed", case, status=status, **data)

    def export(self) -> Iterator[str]:
        """The lines of an export, without checkpoints."""
        head = "sha256:" + root(e.leaf_hash for e in self.entries).hex()
        size = len(self.entries)
        yield json.dumps(
            {"format": EXPORT, "log": LOG, "origin": origin_of(LOG), "size": size, "root": head, "keys": []}
        )
        for e in self.entries:
            yield json.dumps({"seq": e.seq, "leaf": f"sha256:{e.leaf_hash.hex()}", "body": e.body.decode()})
        yield json.dumps({"end": True, "entries": size, "checkpoints": 0})


def moment(text: str) -> str:
    if text.startswith("20"):
        return text if len(text) > 20 else text.removesuffix("Z") + ".000000Z"
    return f"2026-{text}{'' if 'T' in text else 'T12:00:00'}.000000Z"


NOW = datetime(2027, 1, 10, 12, tzinfo=UTC)
OCTOBER = (date(2026, 10, 1), date(2026, 10, 31))

KIND = RecordKind("customer", "Customer", "Who buys.", ("https://w3id.org/dpv/pd#EmailAddress",),
                  ("https://w3id.org/dpv#DirectMarketing",), "until erased")  # fmt: skip
PLUGIN = PluginInfo("a", "Acme", "customer", (KIND,), {}, ())


def report_of(
    entries: Sequence[Entry] | Iterator[Entry], days: tuple[date, date] = OCTOBER, zone: str = "Europe/Berlin",
    now: datetime = NOW, **more: Any,
) -> Report:  # fmt: skip
    controller = {"name": "Shop & <Söhne>", "contact": "", "regime": "gdpr", "timezone": zone, "holidays": ""}
    made = Made(controller, utc_text(now), "habeas 0", LOG, origin_of(LOG), [System("shop-a", PLUGIN, {}, {})], **more)
    return make_report(entries, Period.of(*days, zone, now), made)


def values(report: Report) -> dict[str, Any]:
    return {name: figure.value for name, figure in report.figures.items()}


def table(report: Report, name: str) -> list[dict[str, Any]]:
    (found,) = [t for section in report.sections for t in section.tables if t.name == name]
    return [dict(zip([c.name for c in found.columns], row, strict=True)) for row in found.rows]


# -- any requests ------------------------------------------------------------------------------------------------------

RESULTS = ["erased", "absent", "retained", "manual", "accepted", "unsupported"]


@st.composite
def lives(draw: st.DrawFn) -> list[tuple[str, str, dict[str, Any]]]:
    """One request as (time, kind of entry, data), from August to November."""
    days = sorted(draw(st.lists(st.integers(0, 119), min_size=2, max_size=6)))
    at = [f"2026-{8 + d // 30:02}-{d % 30 + 1:02}T10:00:00.000000Z" for d in days]
    kind, regime = draw(st.sampled_from(["erasure", "access", "canary"])), draw(st.sampled_from(["gdpr", "ccpa"]))
    parts: list[tuple[str, str, dict[str, Any]]] = [(at[0], "open", {"kind": kind, "regime": regime})]
    for number, when in enumerate(at[1:]):
        if number % 2:
            parts.append((when, "reopen", {}))
            continue
        for item in range(draw(st.integers(0, 2))):
            where, result = draw(st.sampled_from(["shop-a", "shop-b"])), draw(st.sampled_from(RESULTS))
            parts.append((when, "outcome", {"where": where, "item": str(item), "result": result}))
        parts.append((when, "close", {"status": draw(st.sampled_from(["completed", "refused", "cancelled"]))}))
    return parts


def book_of(requests: list[list[tuple[str, str, dict[str, Any]]]], order: list[int]) -> Book:
    book = Book()
    parts = [(when, n, kind, data) for n in order for when, kind, data in requests[n]]
    for when, n, kind, data in sorted(parts, key=lambda part: part[0]):
        match kind:
            case "open":
                book.open(when, f"c-{n}", data["kind"], regime=data["regime"])
            case "outcome":
                book.outcome(when, f"c-{n}", **data)
            case "close":
                book.close(when, f"c-{n}", **data)
            case _:
                book.add(when, "case.reopened", f"c-{n}", why="mistake")
    return book

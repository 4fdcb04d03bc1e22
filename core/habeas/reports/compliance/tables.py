"""Tables that follow from the ledger's entries alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from habeas.models import CaseStatus, Result
from habeas.reports.compliance.arithmetic import ranges
from habeas.reports.compliance.casefile import DONE, Case, Row
from habeas.reports.compliance.closing import NO_BASIS, held_until_day
from habeas.reports.compliance.fold import Fold
from habeas.reports.compliance.period import Period, instant, utc_text
from habeas.reports.compliance.shapes import Cell, Column, Table

__all__ = ["holds_table", "overdue_table", "register_table"]

_REGISTER: Final = (
    Column("case", "Request"),
    Column("subject", "Person, as keyed pseudonyms"),
    Column("type", "Type"),
    Column("regime", "Law"),
    Column("received", "Received"),
    Column("acknowledged", "Receipt confirmed"),
    Column("identity", "Identity"),
    Column("due", "Due"),
    Column("extended_to", "Extended or moved to"),
    Column("extended_why", "Why"),
    Column("answered", "Closed"),
    Column("days", "Days", numeric=True),
    Column("status", "Status"),
    Column("ground", "Ground, or what it waits for"),
    Column("entries", "Entries"),
)


def register_table(fold: Fold) -> Table:
    """One row per request that the period is concerned with."""
    rows = tuple(_register_row(case, fold.period) for case in fold.register())
    caption = "Requests received or closed in the period, open at its end, or taken up again in it"
    return Table("register", caption, _REGISTER, rows, "ledger", "There was no request.")


def _register_row(case: Case, period: Period) -> tuple[Cell, ...]:
    received, closed = period.day(case.received), instant(case.closed_at) if case.closed else None
    told = case.acknowledged
    behind = [case.opened, *case.dues, case.closed, *case.reopened, *(seq for seq, _, _ in case.identity)]
    behind += [told[0]] if told else []
    behind += [seq for pause in case.pauses for seq in pause.seqs]
    return (
        case.id,
        " ".join(case.subject),
        case.type,
        case.regime,
        received.isoformat(),
        _day(period, told[1]) if told else None,
        "; ".join(f"{result} ({method})" if method else result for _, result, method in case.identity) or None,
        _day(period, case.first_due),
        _day(period, case.due) if case.dues else None,
        "; ".join(dict.fromkeys(reason for _, reason in case.extended)) or None,
        _day(period, closed) if closed else None,
        max(0, (period.day(closed) - received).days) if closed else None,
        _status(case, period),
        _ground(case),
        ranges(filter(None, behind)),
    )


def _day(period: Period, at: datetime) -> str:
    return period.day(at).isoformat()


def _status(case: Case, period: Period) -> str:
    if not case.closed:
        return "open, overdue" if _overdue(case, period) else "open"
    late = instant(case.closed_at).replace(microsecond=0) > case.due
    status = case.kept
    if status == CaseStatus.COMPLETED:
        status = f"{status}, in part" if case.partly else f"{status}, in whole"
    return f"{status}, late" if late and case.kept != CaseStatus.CANCELLED else status


def _overdue(case: Case, period: Period) -> bool:
    return not case.closed and not case.stopped and utc_text(case.due) < period.as_of


def _ground(case: Case) -> str | None:
    if not case.closed:
        return case.state
    if case.kept != CaseStatus.COMPLETED:
        return " ".join(filter(None, (case.reason, case.ground))) or None
    left = (row for row in case.in_force() if row.result not in DONE)
    grounds = (row.basis or NO_BASIS if row.result == Result.RETAINED else row.result for row in left)
    return "; ".join(dict.fromkeys(grounds)) or None


_OVERDUE: Final = (
    Column("case", "Request"), Column("type", "Type"), Column("regime", "Law"), Column("received", "Received"),
    Column("due", "Due"), Column("late", "Days late", numeric=True), Column("why", "It waits for"),
    Column("entries", "Entries"),
)  # fmt: skip


def overdue_table(fold: Fold) -> Table:
    """The requests that were late and open at the end, the latest first."""
    period = fold.period
    end = period.day(instant(period.as_of))
    cases = sorted((case for case in fold.cases.values() if _overdue(case, period)), key=lambda c: (c.due, c.opened))
    rows = tuple(
        (
            case.id, case.type, case.regime, _day(period, case.received), _day(period, case.due),
            (end - period.day(case.due)).days, case.state, ranges((case.opened, *case.dues)),
        )
        for case in cases
    )  # fmt: skip
    return Table("overdue", "Open past their due date", _OVERDUE, rows, "ledger", "No request was open past its date.")


# -- holds ------------------------------------------------------------------------------------------------------------

_HOLDS: Final = (
    Column("connection", "Where"), Column("record", "Kind of record"), Column("reason", "Why it is kept"),
    Column("basis", "Legal basis"), Column("new", "New", numeric=True), Column("held", "Held", numeric=True),
    Column("released", "Released", numeric=True), Column("overdue", "Overdue", numeric=True),
    Column("first_until", "First ends"), Column("last_until", "Last ends"), Column("entries", "Entries"),
)  # fmt: skip


@dataclass
class _Hold:
    new: int = 0
    held: int = 0
    released: int = 0
    overdue: int = 0
    until: set[str] = field(default_factory=set)
    entries: list[int] = field(default_factory=list)


def holds_table(fold: Fold) -> Table:
    """What is kept, by rule: its reason and legal basis, at each connection and of each kind."""
    found: dict[tuple[str, str, str, str], _Hold] = {}
    start, end = fold.period.start, held_until_day(fold.period)
    for case in fold.cases.values():
        released = {row: (seq, at) for row, seq, at in case.released}
        for row in case.held():
            if row in released and released[row][1] < start:
                continue
            hold = found.setdefault((row.connection, row.record, row.reason, row.basis), _Hold())
            _add(hold, row, released.get(row), end)
    rows = tuple(
        (
            connection, record, reason or None, basis or None, hold.new, hold.held, hold.released, hold.overdue,
            min(hold.until, default=None), max(hold.until, default=None), ranges(hold.entries),
        )
        for (connection, record, reason, basis), hold in sorted(found.items())
    )  # fmt: skip
    return Table("holds", "What is kept, and why", _HOLDS, rows, "ledger", "Nothing was kept.")


def _add(hold: _Hold, row: Row, released: tuple[int, str] | None, end: date) -> None:
    hold.entries.append(row.seq)
    hold.new += row.inside
    if released is not None:
        hold.released += 1
        hold.entries.append(released[0])
        return
    hold.held += 1
    if row.until:
        hold.until.add(row.until)
        hold.overdue += date.fromisoformat(row.until) < end

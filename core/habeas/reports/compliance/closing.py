"""What one request adds to the figures, once all its entries were read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final

from habeas.models import CaseStatus, CaseType, Result
from habeas.reports.compliance.casefile import ANSWERED, DONE, Case, Row
from habeas.reports.compliance.period import Period, instant, utc_text
from habeas.reports.compliance.tally import Tally

__all__ = ["BINS", "CCPA", "CCPA_REQUESTS", "NO_BASIS", "count_case"]

CCPA: Final = "ccpa"
CCPA_REQUESTS: Final[Mapping[str, str]] = {
    CaseType.ERASURE: "delete",
    CaseType.RECTIFICATION: "correct",
    CaseType.ACCESS: "know",
    CaseType.PORTABILITY: "know",
}
"""Types of cases in the words of the California Consumer Privacy Act."""
NO_BASIS: Final = "none stated"
BINS: Final = (
    ("0-3", 3), ("4-7", 7), ("8-14", 14), ("15-21", 21), ("22-30", 30), ("31-45", 45), ("46-90", 90),
    ("over 90", 10**9),
)  # fmt: skip
"""How days are shown as a distribution: name, and the last day in it."""
_UNIQUE: Final = re.compile(r"c-[0-9A-Z]{26}|[0-9]{4}-[0-9]{2}-[0-9]{2}")
"""What makes the same reason another text in each case."""
_OPEN: Final = (Result.FAILED, Result.UNKNOWN)
_FOR_A_PERSON: Final = (Result.MANUAL, Result.UNSUPPORTED, Result.ACCEPTED)
_PACKAGED: Final = (CaseType.ACCESS, CaseType.PORTABILITY)


def count_case(case: Case, period: Period, tally: Tally) -> None:
    """Adds a request to every figure that it belongs to."""
    _Counting(case, period, tally).count()


class _Counting:
    def __init__(self, case: Case, period: Period, tally: Tally) -> None:
        self._case, self._period, self._tally = case, period, tally
        self._about = {"type": case.type, "regime": case.regime}
        self._start = period.start
        self._received = utc_text(case.received) >= self._start
        self._closed = bool(case.closed) and case.closed_at >= self._start
        self._ccpa = CCPA_REQUESTS.get(case.type, "") if case.regime == CCPA else ""

    def count(self) -> None:
        case, tally = self._case, self._tally
        if self._received:
            tally.add("received", (case.opened,), **self._about)
            self._count_ccpa("ccpa_received", (case.opened,))
            self._count_acknowledged()
        elif not case.closed_before:
            tally.add("open_start", (case.opened,), **self._about)
        if case.closed_before and case.reopened:
            tally.add("reopened", case.reopened, **self._about)
        if self._received or self._closed or case.reopened or not case.closed:
            tally.add("registered", (case.opened,))
        if self._closed:
            self._count_closed()
        elif not case.closed:
            self._count_open()
        self._count_held()

    def _count_ccpa(self, family: str, seqs: Sequence[int], **more: str) -> None:
        if self._ccpa:
            self._tally.add(family, seqs, request=self._ccpa, **more)

    def _count_acknowledged(self) -> None:
        case, tally = self._case, self._tally
        told = case.acknowledged
        if told:
            tally.add("acknowledged", (case.opened, told[0]))
        if case.acknowledge_by:
            tally.add("acknowledge_due", (case.opened,))
            if told and told[1].replace(microsecond=0) <= instant(case.acknowledge_by):
                tally.add("acknowledged_on_time", (case.opened, told[0]))

    def _count_open(self) -> None:
        case, tally = self._case, self._tally
        tally.add("open_end", (case.opened,), **self._about, state=case.state)
        if utc_text(case.due) < self._period.as_of and not case.stopped:
            tally.add("overdue_end", (case.opened, *case.dues), **self._about)
        for row in case.in_force():
            if row.result in _OPEN:
                tally.add("unfinished", (row.seq,), connection=row.connection, result=row.result)

    # -- closed -----------------------------------------------------------------------------------------------------

    def _count_closed(self) -> None:
        case, tally = self._case, self._tally
        tally.add("closed", (case.closed,), **self._about, status=case.kept)
        rows = case.in_force()
        if case.kept in ANSWERED:
            self._count_answered()
        match case.kept:
            case CaseStatus.COMPLETED:
                self._count_completed(rows)
            case CaseStatus.REFUSED:
                ground = case.ground or _UNIQUE.sub("…", case.reason) or NO_BASIS
                tally.add("refused", (case.closed,), **self._about, ground=ground)
                self._count_ccpa("ccpa_denied", (case.closed,), ground=ground)
            case _:
                tally.add("withdrawn", (case.closed,), reason=case.reason or NO_BASIS)
                self._count_ccpa("ccpa_withdrawn", (case.closed,))
        for row in rows:
            self._count_row(row)

    def _count_answered(self) -> None:
        case, tally, period = self._case, self._tally, self._period
        closed = instant(case.closed_at)
        day = period.day(closed)
        days = max(0, (day - period.day(case.received)).days)
        about = self._about | {"month": f"{day:%Y-%m}"}
        tally.add("answered", case.answer_entries, **about)
        if closed.replace(microsecond=0) <= case.due:
            tally.add("on_time", case.answer_entries, **about)
        for family in ("days_median", "days_p95", "days_max", "days_mean"):
            tally.add_days(family, days, about)
        label = next(name for name, last in BINS if days <= last)
        tally.add("answered_within", (case.opened, case.closed), days=label)
        if self._ccpa:
            for family in ("ccpa_days_mean", "ccpa_days_median"):
                tally.add_days(family, days, {"request": self._ccpa})
        if case.extended:
            tally.add("extended", [case.closed, *(seq for seq, _ in case.extended)], **self._about)
        if case.pauses:
            tally.add("paused", [case.closed, *(seq for pause in case.pauses for seq in pause.seqs)])
            for pause in case.pauses:
                stood = (period.day(pause.end or closed) - period.day(pause.start)).days
                tally.add_amount("paused_days", pause.seqs, max(0, stood), {"reason": pause.reason})

    def _count_completed(self, rows: Sequence[Row]) -> None:
        case, tally = self._case, self._tally
        others = [row for row in rows if row.result not in DONE]
        seqs = (case.closed, *(row.seq for row in others))
        tally.add("partial" if others else "whole", seqs, **self._about)
        self._count_ccpa("ccpa_complied", (case.closed,))
        if not others:
            self._count_ccpa("ccpa_whole", (case.closed,))
        grounds: dict[str, list[int]] = {}
        for row in others:
            ground = (row.basis or NO_BASIS) if row.result == Result.RETAINED else row.result
            grounds.setdefault(ground, []).append(row.seq)
        for ground, behind in grounds.items():
            tally.add("partial_ground", (case.closed, *behind), ground=ground)
        if case.type == CaseType.ERASURE:
            tally.add("erasures", (case.closed,))
            if case.verified:
                tally.add("rechecked", (case.closed, case.verified))

    def _count_row(self, row: Row) -> None:
        tally, seqs = self._tally, (row.seq,)
        about = {"connection": row.connection, "result": row.result}
        tally.add("outcomes", seqs, **about)
        tally.add_amount("records", seqs, row.number, about)
        if row.result in DONE:
            tally.add("verified", seqs, connection=row.connection)
        if row.result == Result.ERASED:
            tally.add("read_back" if row.evidence else "not_read_back", seqs, connection=row.connection)
        if row.result in _FOR_A_PERSON:
            tally.add("for_a_person", seqs, **about)
        if self._case.type == CaseType.CONSENT:
            tally.add("consent", seqs, purpose=row.purpose, result=row.result)
        if self._case.type in _PACKAGED:
            tally.add("access_outcomes", seqs, result=row.result)

    # -- holds ------------------------------------------------------------------------------------------------------

    def _count_held(self) -> None:
        held = self._case.held()
        if not held:
            return
        tally, end = self._tally, held_until_day(self._period)
        released = {row: (seq, at) for row, seq, at in self._case.released}
        for row in held:
            basis = {"basis": row.basis or NO_BASIS}
            if row.inside:
                tally.add("held", (row.seq,), **basis)
            if row in released:
                seq, at = released[row]
                if at >= self._start:
                    tally.add("released", (row.seq, seq), **basis)
                continue
            tally.add("held_end", (row.seq,), **basis)
            if not row.until:
                tally.add("held_endless", (row.seq,), **basis)
            elif date.fromisoformat(row.until) < end:
                tally.add("held_overdue", (row.seq,), **basis)


def held_until_day(period: Period) -> date:
    """The day of the report's end: the first that is not in it, or the one on which it was made."""
    return period.day(datetime.fromisoformat(period.as_of))

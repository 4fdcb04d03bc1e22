"""What is kept of one request while a ledger is read: where it stands, its dates, its outcomes in force."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from sys import intern
from typing import Final, NamedTuple

from habeas.models import CaseStatus, CaseType, Json, Result
from habeas.reports.compliance.lines import Line
from habeas.reports.compliance.period import instant

__all__ = ["ANSWERED", "DONE", "Case", "Pause", "Row"]

ANSWERED: Final = (CaseStatus.COMPLETED, CaseStatus.REFUSED)
"""How a request can end with an answer to the person; ``cancelled`` is a withdrawal."""
_WHOLE: Final = "c"
"""Item of an outcome about a connection as a whole, see :mod:`habeas.cases.view`."""
_FINAL: Final = frozenset(result for result in Result if result.final)
DONE: Final = frozenset((Result.ERASED, Result.ABSENT, Result.UPDATED, Result.UNCHANGED, Result.EXPORTED))
"""Read at the vendor, and as wanted."""


class Row(NamedTuple):
    """One outcome."""

    seq: int
    inside: bool
    """Whether it was written in the period."""
    connection: str
    item: str
    record: str
    number: int
    result: str
    reason: str
    until: str
    basis: str
    purpose: str
    evidence: bool
    """Whether it says how it is known."""


class Pause(NamedTuple):
    """A time during which the clock stood still. ``end``: None while it does."""

    reason: str
    start: datetime
    end: datetime | None
    seqs: tuple[int, ...]


class Case:
    """One request. Entries are given in their order; those written after the report's end are not given at all."""

    __slots__ = (
        "acknowledge_by", "acknowledged", "closed", "closed_at", "closed_before", "due", "dues", "extended",
        "first_due", "ground", "id", "identity", "kept", "opened", "pauses", "reason", "received", "regime",
        "released", "reopened", "rows", "subject", "type", "verified", "waiting",
    )  # fmt: skip

    def __init__(self, line: Line) -> None:
        data = line.data
        self.id, self.opened = line.case_id, line.seq
        self.type, self.regime = intern(data["type"]), intern(data["regime"])
        self.subject: tuple[str, ...] = tuple(data.get("subject", ()))
        # Nothing was received after it was registered: a clock or a typing mistake says so.
        self.received = min(instant(data["received_at"]), instant(line.at))
        self.first_due = self.due = instant(data["due_at"])
        self.dues: tuple[int, ...] = ()
        """Entries that have moved the due date."""
        self.acknowledge_by: str = data.get("acknowledge_by", "")
        self.acknowledged: tuple[int, datetime] | None = None
        self.identity: tuple[tuple[int, str, str], ...] = ()
        """(entry, result, method) of each check."""
        self.extended: tuple[tuple[int, str], ...] = ()
        """(entry, reason)."""
        self.pauses: tuple[Pause, ...] = ()
        needs_yes = self.type == CaseType.ERASURE and not data.get("approved")
        self.waiting = "identity" if data.get("identity") else "approval" if needs_yes else ""
        """What it waits for, or how far it came, while it is open."""
        self.closed = 0
        """The closing that stands; 0 while it is open."""
        self.closed_at, self.kept = "", "open"
        self.closed_before = False
        """Whether it was closed when the period began."""
        self.reason = self.ground = ""
        self.reopened: tuple[int, ...] = ()
        """Entries that took it up again in the period."""
        self.verified = 0
        """The first recheck that found everything gone."""
        self.released: tuple[tuple[Row, int, str], ...] = ()
        """(outcome that held it, entry that released it, its time)."""
        self.rows: dict[tuple[str, str], Row] | tuple[Row, ...] = {}

    @property
    def status(self) -> str:
        """``completed``, ``refused`` or ``cancelled``; while it is open, ``open``."""
        return self.kept if self.closed else "open"

    @property
    def stopped(self) -> bool:
        """Whether its clock stands still."""
        return bool(self.pauses) and self.pauses[-1].end is None

    @property
    def state(self) -> str:
        """What an open request waits for."""
        if self.stopped:
            return f"clock stopped: {self.pauses[-1].reason}"
        return self.waiting or "ready"

    # -- entries ----------------------------------------------------------------------------------------------------

    def close(self, line: Line, start: str) -> None:
        data = line.data
        self.closed, self.closed_at = line.seq, line.at
        self.closed_before = self.closed_before or line.at < start
        self.kept = intern(str(CaseStatus(data["status"])))
        self.reason, self.ground = intern(data.get("reason", "")), intern(data.get("ground", ""))
        # Nothing is overruled any more: a tuple takes half the memory.
        self.rows = self.in_force()

    def reopen(self, line: Line, start: str) -> None:
        self.closed, self.closed_at, self.kept, self.reason, self.ground = 0, "", "open", "", ""
        self.waiting = ""
        if line.at < start:
            self.closed_before = False
        else:
            self.reopened += (line.seq,)

    def outcome(self, line: Line, data: dict[str, Json], inside: bool) -> None:
        """One that the entry says. A later pass may overrule what is not final; what is final stays."""
        key = (intern(line.connection), intern(data["item"]))
        if isinstance(self.rows, tuple):
            self.rows = {(row.connection, row.item): row for row in self.rows}
        old = self.rows.get(key)
        if old is None or old.result not in _FINAL:
            reason, until, basis, purpose = (
                intern(str(data.get(name, ""))) for name in ("reason", "until", "legal_basis", "purpose")
            )
            result = intern(str(Result(data["result"])))
            self.rows[key] = Row(
                line.seq, inside, *key, intern(data["record"]), int(data["count"]), result, reason, until, basis,
                purpose, bool(data.get("evidence")),
            )  # fmt: skip

    def acknowledge(self, line: Line) -> None:
        self.acknowledged = self.acknowledged or (line.seq, instant(line.data["at"]))

    def move_due(self, line: Line) -> None:
        if "due_at" in line.data:
            self.due, self.dues = instant(line.data["due_at"]), (*self.dues, line.seq)

    def stop_clock(self, line: Line) -> None:
        self.pauses += (Pause(intern(line.data["reason"]), instant(line.data["at"]), None, (line.seq,)),)

    def start_clock(self, line: Line) -> None:
        *earlier, last = self.pauses
        self.pauses = (*earlier, Pause(last.reason, last.start, instant(line.data["at"]), (*last.seqs, line.seq)))
        self.move_due(line)

    def release(self, line: Line) -> None:
        """Connection, ``record`` and ``until`` say which of its holds, as far as the entry has them."""
        data, connection = line.data, line.connection
        gone = {row for row, _, _ in self.released}
        for row in self.held():
            if row in gone or connection not in ("", row.connection):
                continue
            if data.get("record", row.record) != row.record:
                continue
            # A hold without an end is not over on any day.
            if "until" in data and not "" < row.until <= str(data["until"]):
                continue
            self.released += ((row, line.seq, line.at),)

    # -- outcomes ---------------------------------------------------------------------------------------------------

    def in_force(self) -> tuple[Row, ...]:
        """Once a connection's records are known one by one, what was said of it as a whole no longer counts."""
        rows: Iterable[Row] = self.rows.values() if isinstance(self.rows, dict) else self.rows
        rows = tuple(rows)
        detailed = {row.connection for row in rows if row.item != _WHOLE}
        return tuple(row for row in rows if row.item != _WHOLE or row.connection not in detailed)

    def held(self) -> list[Row]:
        """What is kept."""
        return [row for row in self.in_force() if row.result == Result.RETAINED]

    def forget(self) -> None:
        """Closed before the period: only what is kept can still matter, unless it is taken up again."""
        if self.kept == CaseStatus.COMPLETED:
            self.rows = tuple(self.held())

    @property
    def partly(self) -> bool:
        """Whether something is left: see the figure ``partial``."""
        return any(row.result not in DONE for row in self.in_force())

    @property
    def answer_entries(self) -> tuple[int, ...]:
        """What its time to an answer rests on."""
        return (self.opened, *self.dues, self.closed)

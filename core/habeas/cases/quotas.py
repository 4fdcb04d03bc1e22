"""How many calls a vendor's contract allows in a day or a month, counted over all processes of a home.

A call is counted on disk before it is sent, so that a crash can only have counted too many. Calls are set aside a few
at a time, fewer the less there are left; what was not used is given back when the process ends in good order.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from habeas.cases.files import create_database, open_database
from habeas.clock import Clock, rfc3339
from habeas.errors import QuotaSpent, StorageError
from habeas.models import Limits

__all__ = ["Meter", "Quota", "Quotas", "quotas_of", "told"]

_VERSIONS = (
    """
CREATE TABLE calls (
  connection TEXT NOT NULL,
  unit TEXT NOT NULL,
  began TEXT NOT NULL,
  counted INTEGER NOT NULL CHECK (counted >= 0),
  PRIMARY KEY (connection, unit)
) STRICT, WITHOUT ROWID;
""",
)
_APPLICATION_ID = 0x68627131  # "hbq1"
_TOGETHER = 64
"""Calls that are set aside in one write, at most; and at most this part of what is left:"""
_PART = 100
_LAST_DAY = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Quota:
    """So many calls in each day, or in each month that begins on a certain day."""

    calls: int
    unit: Literal["day", "month"]
    starts_on: int = 1
    zone: str = "UTC"

    def began(self, at: datetime) -> datetime:
        """When the period began in which an instant lies."""
        try:
            return self._start(at, 0)
        except (OverflowError, ValueError):
            return at  # the calendar's first or last day: a clock that is out of its mind must not end a run

    def begins(self, at: datetime, periods: int = 1) -> datetime:
        """When the period begins that comes so many after the one in which an instant lies."""
        try:
            return self._start(at, periods)
        except (OverflowError, ValueError):
            return _LAST_DAY  # no calendar goes on that far

    def _start(self, at: datetime, periods: int) -> datetime:
        zone = ZoneInfo(self.zone)
        day = at.astimezone(zone).date()
        if self.unit == "day":
            day += timedelta(days=periods)
        else:
            months = day.year * 12 + day.month - 1 - (day.day < self.starts_on) + periods
            day = date(months // 12, months % 12 + 1, self.starts_on)
        return datetime.combine(day, time(), zone).astimezone(UTC)


def quotas_of(limits: Limits) -> tuple[Quota, ...]:
    """The quotas that a connection's limits name."""
    found: list[Quota] = []
    if limits.calls_per_day is not None:
        found.append(Quota(limits.calls_per_day, "day", 1, limits.quota_timezone))
    if limits.calls_per_month is not None:
        found.append(Quota(limits.calls_per_month, "month", limits.month_starts_on, limits.quota_timezone))
    return tuple(found)


class Quotas:
    """The counter of a home: a file that is made once a connection has a quota. Holds no personal data."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path, self._clock = path, clock
        self._db: sqlite3.Connection | None = None
        self._lock = threading.Lock()
        self._meters: list[Meter] = []

    def meter(self, connection: str, limits: Limits) -> Meter | None:
        """Counts a connection's calls; ``None`` where it has no quota. Raises :class:`StorageError`."""
        quotas = quotas_of(limits)
        if not quotas:
            return None
        self._open()
        meter = Meter(self, connection, quotas, self._clock)
        self._meters.append(meter)
        return meter

    def close(self) -> None:
        """Gives back what was not used, and closes the file."""
        for meter in self._meters:
            with suppress(StorageError):  # then it stays counted
                meter.give_back()
        with self._lock:
            if self._db is not None:
                self._db.close()

    def counted(self, connection: str, quotas: Sequence[Quota], at: datetime) -> list[int]:
        """How many calls each quota's present period has seen, those that are set aside included."""
        with self._lock:
            return self._counted(connection, quotas, at)

    def set_aside(self, connection: str, quotas: Sequence[Quota], at: datetime) -> int:
        """Counts some calls, durably; returns how many, 0 where a quota is spent."""
        with self._lock, _writing(self._path, self._database) as db:
            counted = self._counted(connection, quotas, at)
            left = min(quota.calls - n for quota, n in zip(quotas, counted, strict=True))
            calls = max(0, min(_TOGETHER, max(1, left // _PART), left))
            if calls:
                rows = [
                    (connection, quota.unit, rfc3339(quota.began(at)), n + calls)
                    for quota, n in zip(quotas, counted, strict=True)
                ]
                db.executemany("REPLACE INTO calls VALUES (?, ?, ?, ?)", rows)
            return calls

    def take_back(self, connection: str, quotas: Sequence[Quota], began: Sequence[str], calls: int) -> None:
        """Uncounts calls that were not made, of the periods that began then."""
        with self._lock, _writing(self._path, self._database) as db:
            db.executemany(
                "UPDATE calls SET counted = max(0, counted - ?) WHERE connection = ? AND unit = ? AND began = ?",
                [(calls, connection, quota.unit, start) for quota, start in zip(quotas, began, strict=True)],
            )

    def _counted(self, connection: str, quotas: Sequence[Quota], at: datetime) -> list[int]:
        try:
            rows = self._database.execute(
                "SELECT unit, began, counted FROM calls WHERE connection = ?", (connection,)
            ).fetchall()
        except sqlite3.Error as error:
            raise _unusable(self._path, str(error)) from None
        found = {unit: (began, counted) for unit, began, counted in rows}
        return [
            found[quota.unit][1] if found.get(quota.unit, ("", 0))[0] == rfc3339(quota.began(at)) else 0
            for quota in quotas
        ]

    @property
    def _database(self) -> sqlite3.Connection:
        if self._db is None:
            raise StorageError("the counter of calls is not open")
        return self._db

    def _open(self) -> None:
        if self._db is not None:
            return
        if not self._path.exists():
            # Another process may make it at this very moment: then it is opened as that one made it.
            with suppress(StorageError):
                create_database(self._path, _VERSIONS, _APPLICATION_ID).close()
        try:
            self._db = open_database(self._path, _VERSIONS, _APPLICATION_ID, "counter of calls")
        except StorageError as error:
            raise _unusable(self._path, error.message) from None


class Meter:
    """Counts one connection's calls for this process. Safe to use from many threads."""

    def __init__(self, store: Quotas, connection: str, quotas: Sequence[Quota], clock: Clock) -> None:
        self._store, self._connection, self._clock = store, connection, clock
        self.quotas = quotas
        self._lock = threading.Lock()
        self._aside = 0
        self._since = _LAST_DAY
        self._until = _LAST_DAY
        """The calls set aside are of the periods between the two."""

    def take(self) -> None:
        """Counts a call that is about to be sent. Raises :class:`~habeas.errors.QuotaSpent`."""
        with self._lock:
            now = self._clock.now()
            if not (self._aside and self._since <= now < self._until):
                # What was set aside in a period that is over stays counted there.
                self._aside = self._store.set_aside(self._connection, self.quotas, now)
                self._since = max(quota.began(now) for quota in self.quotas)
                self._until = min(quota.begins(now) for quota in self.quotas)
            if not self._aside:
                spent = self._spent(now)
                each = " and ".join(f"{quota.calls} a {quota.unit}" for quota in spent or self.quotas)
                raise QuotaSpent(
                    f"not sent: its calls are used up ({each}); there are more from {told(self._again(now))}",
                    advice="run `habeas resume` then",
                )
            self._aside -= 1

    def left(self) -> tuple[tuple[Quota, int], ...]:
        """Each quota, and how many calls of its present period this process could still make."""
        with self._lock:
            now = self._clock.now()
            aside = self._aside if self._since <= now < self._until else 0
            counted = self._store.counted(self._connection, self.quotas, now)
            return tuple(
                (quota, max(0, quota.calls - n) + aside) for quota, n in zip(self.quotas, counted, strict=True)
            )

    def give_back(self) -> None:
        """Uncounts what was set aside and not used."""
        with self._lock:
            aside, self._aside = self._aside, 0
            if aside:
                began = [rfc3339(quota.began(self._since)) for quota in self.quotas]
                self._store.take_back(self._connection, self.quotas, began, aside)

    def _spent(self, now: datetime) -> list[Quota]:
        counted = self._store.counted(self._connection, self.quotas, now)
        return [quota for quota, n in zip(self.quotas, counted, strict=True) if n >= quota.calls]

    def _again(self, now: datetime) -> datetime:
        return max(quota.begins(now) for quota in self._spent(now) or self.quotas)


def told(at: datetime) -> str:
    """An instant as people are told it: ``2026-12-01 00:00 UTC``."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


@contextmanager
def _writing(path: Path, db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """One write, alone among all processes, durable at its end. Raises :class:`StorageError`."""
    try:
        db.execute("BEGIN IMMEDIATE")
        with db:
            yield db
    except sqlite3.Error as error:
        raise _unusable(path, str(error)) from None


def _unusable(path: Path, why: str) -> StorageError:
    return StorageError(
        f"the counter of calls {path} cannot be used: {why}",
        advice="check disk and owner; moved away, it begins anew, and calls made today no longer count",
    )

"""A ledger in a fresh folder, and a clock that ticks by itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from habeas_audit import Ledger

Clock = Callable[[], datetime]
Tamper = Callable[..., None]


@pytest.fixture
def clock() -> Clock:
    ticks = count()
    start = datetime(2025, 1, 31, 12, tzinfo=UTC)
    return lambda: start + timedelta(milliseconds=next(ticks))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.db"


@pytest.fixture
def ledger(path: Path, clock: Clock) -> Iterator[Ledger]:
    with Ledger.create(path, clock) as made:
        yield made


@pytest.fixture
def tamper(path: Path) -> Tamper:
    """Run SQL on the file as someone who owns the machine would: with the guards taken off, and put back."""

    def run(*statements: str, keep_guards: bool = False) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            guards = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
            db.execute("BEGIN IMMEDIATE")
            if not keep_guards:
                for name, _ in guards:
                    db.execute(f"DROP TRIGGER {name}")
            for statement in statements:
                db.execute(statement)
            if not keep_guards:
                for _, sql in guards:
                    db.execute(sql)
            db.execute("COMMIT")

    return run

"""How a ledger file comes to the present schema: named steps, never edited, each atomic with its record."""

from __future__ import annotations

import sqlite3
from typing import Final

from sqlite_utils import Database, Migrations

from habeas_audit.schema import APPLICATION_ID, OBJECTS

MIGRATIONS: Final = Migrations("habeas_audit")


@MIGRATIONS()
def create_ledger(db: Database) -> None:
    """Version 3, the first that was released."""
    for sql in OBJECTS.values():
        db.conn.execute(sql)
    db.conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.conn.execute("PRAGMA user_version = 3")


def apply(connection: sqlite3.Connection) -> None:
    """Apply what is pending, whole or not at all; does nothing to a file that is up to date.

    The caller holds a transaction begun with `BEGIN IMMEDIATE`, in which each step is a savepoint: sqlite-utils' own
    `BEGIN` would take the write lock late and fail when two processes migrate at once.
    """
    if not connection.in_transaction:
        raise ValueError("migrations run inside the caller's transaction")
    # Plugins of sqlite-utils that happen to be installed have no business in an evidence file.
    MIGRATIONS.apply(Database(connection, execute_plugins=False))

"""The ledger's tables as they stand in the file, and whether a file has them.

The triggers guard against mistakes, not against people: whoever may write the file may drop them. What people did to
the rows is found by the tree. `INSERT OR REPLACE` fires no delete trigger, so insert triggers name the one next row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

APPLICATION_ID: Final = 0x68626C31
"""`hbl1`, at offset 68 of the file (https://sqlite.org/fileformat2.html#application_id)."""
USER_VERSION: Final = 2
"""Raised by each migration; a file with a higher one comes from a newer program."""

_TABLES: Final = {
    "entries": """CREATE TABLE entries(
  seq INTEGER PRIMARY KEY CHECK (seq > 0),
  at TEXT NOT NULL,
  type TEXT NOT NULL,
  case_id TEXT NOT NULL,
  run_id TEXT NOT NULL,
  connection TEXT NOT NULL,
  actor TEXT NOT NULL,
  body BLOB NOT NULL,
  leaf_hash BLOB NOT NULL CHECK (length(leaf_hash) = 32)
) STRICT""",
    "nodes": """CREATE TABLE nodes(
  level INTEGER NOT NULL CHECK (level > 0),
  idx INTEGER NOT NULL CHECK (idx >= 0),
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (level, idx)
) STRICT, WITHOUT ROWID""",
    "head": """CREATE TABLE head(
  size INTEGER NOT NULL CHECK (size >= 0),
  root BLOB NOT NULL CHECK (length(root) = 32)
) STRICT""",
    "log": """CREATE TABLE log(
  log_id TEXT NOT NULL,
  created_at TEXT NOT NULL
) STRICT""",
}

# SQLite adds the rowid, here `seq`, to every index row: (case_id) is (case_id, seq).
_INDICES: Final = {
    "entries_case": "CREATE INDEX entries_case ON entries(case_id) WHERE case_id <> ''",
    "entries_run": "CREATE INDEX entries_run ON entries(run_id) WHERE run_id <> ''",
    "entries_type": "CREATE INDEX entries_type ON entries(type)",
}


def _refuse(name: str, event: str, text: str, when: str = "") -> tuple[str, str]:
    condition = f" WHEN {when}" if when else ""
    return name, f"CREATE TRIGGER {name} BEFORE {event}{condition} BEGIN SELECT RAISE(ABORT, '{text}'); END"


def _keep(table: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return (
        _refuse(f"{table}_no_update", f"UPDATE ON {table}", f"{table} are never changed"),
        _refuse(f"{table}_no_delete", f"DELETE ON {table}", f"{table} are never deleted"),
    )


_TRIGGERS: Final = dict(
    [
        *_keep("entries"),
        _refuse(
            "entries_next_only",
            "INSERT ON entries",
            "an entry takes the next sequence number",
            "NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM entries)",
        ),
        *_keep("nodes"),
        _refuse(
            "nodes_next_only",
            "INSERT ON nodes",
            "a node takes the next index of its level",
            "NEW.idx IS NOT (SELECT coalesce(max(idx), -1) + 1 FROM nodes WHERE level = NEW.level)",
        ),
        _refuse(
            "head_grows",
            "UPDATE ON head",
            "the head grows with the entries",
            "NEW.size <= OLD.size OR NEW.size IS NOT (SELECT max(seq) FROM entries)",
        ),
        _refuse("head_no_delete", "DELETE ON head", "the head is never deleted"),
        _refuse("head_once", "INSERT ON head", "there is one head", "EXISTS (SELECT 1 FROM head)"),
        _refuse("log_no_update", "UPDATE ON log", "the name of the log is never changed"),
        _refuse("log_no_delete", "DELETE ON log", "the name of the log is never deleted"),
        _refuse("log_once", "INSERT ON log", "there is one log", "EXISTS (SELECT 1 FROM log)"),
    ]
)

VERSION_1: Final[Mapping[str, str]] = MappingProxyType({**_TABLES, **_INDICES, **_TRIGGERS})
"""Name → SQL text, in the order they are made. Frozen: the first migration is made of it."""

_CHECKPOINT_TABLES: Final = {
    "checkpoints": """CREATE TABLE checkpoints(
  size INTEGER PRIMARY KEY CHECK (size > 0),
  note TEXT NOT NULL
) STRICT""",
    "timestamps": """CREATE TABLE timestamps(
  size INTEGER PRIMARY KEY,
  token BLOB NOT NULL
) STRICT""",
}
_CHECKPOINT_TRIGGERS: Final = dict(
    [
        *_keep("checkpoints"),
        _refuse(
            "checkpoints_grow",
            "INSERT ON checkpoints",
            "a checkpoint is over more entries than the last, and over entries that are there",
            "NEW.size <= (SELECT coalesce(max(size), 0) FROM checkpoints) OR NEW.size > (SELECT size FROM head)",
        ),
        *_keep("timestamps"),
        _refuse(
            "timestamps_once",
            "INSERT ON timestamps",
            "a checkpoint has one timestamp",
            "EXISTS (SELECT 1 FROM timestamps WHERE size = NEW.size) "
            "OR NOT EXISTS (SELECT 1 FROM checkpoints WHERE size = NEW.size)",
        ),
    ]
)

VERSION_2: Final[Mapping[str, str]] = MappingProxyType({**_CHECKPOINT_TABLES, **_CHECKPOINT_TRIGGERS})
"""What the second migration adds: signed tree heads, and times that others have sworn to. Frozen as well."""
OBJECTS: Final[Mapping[str, str]] = MappingProxyType({**VERSION_1, **VERSION_2})
"""Name → SQL text as `sqlite_schema` keeps it, for a file of the present version: all migrations together."""


def objects_of(version: int) -> Mapping[str, str]:
    """The same for a file of that version: a copy of an older one can be verified without being migrated."""
    return VERSION_1 if version == 1 else OBJECTS


def problems(db: sqlite3.Connection) -> Iterator[str]:
    """One line for each table, index or trigger that is missing or changed, and for each trigger that is not ours.

    Tables and indices that others added are not looked at: they change nothing in ours.
    """
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if not 0 < version <= USER_VERSION:
        yield "the file states a version that no program has given it"
    if _text(db.execute("PRAGMA journal_mode").fetchone()[0]) == "wal":
        yield "somebody has put the file into WAL mode: what is beside it may belong to it"
    wanted = objects_of(version)
    found = {
        _text(name): (_text(kind), _text(sql))
        for name, kind, sql in db.execute("SELECT name, type, sql FROM sqlite_schema")
    }
    for name, sql in wanted.items():
        kind = sql.split(maxsplit=2)[1].lower()
        if name not in found:
            yield f"the {kind} {name} is missing"
        elif found[name] != (kind, sql):
            yield f"the {kind} {name} is not as it was made"
    foreign = sum(kind == "trigger" and name not in wanted for name, (kind, _) in found.items())
    if foreign:
        yield f"triggers that are not the ledger's own: {foreign}"


def _text(value: object) -> str:
    # The verifier reads text as bytes, since a damaged file may hold text that is not UTF-8.
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)

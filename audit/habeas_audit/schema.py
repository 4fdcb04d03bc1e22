"""The ledger's tables as they stand in the file, and whether a file has them.

The triggers guard against mistakes, not against people: whoever may write the file may drop them. What people did to
the rows is found by the tree. `INSERT OR REPLACE` fires no delete trigger, so insert triggers name the one next row.

An entry is stored once, as its body: the columns that repeat it are computed when they are read. Nothing is indexed by
them, since SQLite would parse every body whenever it checks an index; `cases`, `case_entries` and `kinds` are kept by
us instead, and held against the bodies by `verify`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from habeas_audit.tree import STORED_LEVELS

APPLICATION_ID: Final = 0x68626C31
"""`hbl1`, at offset 68 of the file (https://sqlite.org/fileformat2.html#application_id)."""
USER_VERSION: Final = 3
"""Raised by each migration; a file with a higher one comes from a newer program."""
OLDEST_VERSION: Final = 3
"""Files of versions before it were never released."""
PAGE_SIZE: Final = 16384
"""Bytes. Entries are some hundred bytes long: of pages of 8 KiB a twentieth is left over. Larger ones cost no more to
commit, where waiting for the disk is what a commit costs."""

MANY: Final = frozenset(
    ("call.intent", "call.outcome", "record.outcome", "plan.made", "case.started", "case.paused", "case.closed")
)
"""Types of which every case has some: `kinds` does not list them, and they are looked for under their case."""


MAX_NAME: Final = 64
"""Longest type, case, run or connection, characters: so far from its ends a body is looked at for them."""
_RUN_LENGTH: Final = 17
"""How long the names of runs are that habeas gives."""


def _blob(text: str) -> str:
    return f"x'{text.encode().hex()}'"


def _up_to_quote(place: str) -> str:
    """The name that begins at that place of the body."""
    behind = f"substr(body, {place}, {MAX_NAME + 1})"
    return f"CAST(substr({behind}, 1, instr({behind}, {_blob(chr(34))}) - 1) AS TEXT)"


def _word_before(place: str, letters: str) -> str:
    """The name that ends so many bytes before the end of the body."""
    text = f"CAST(substr(body, -({place}) - {MAX_NAME}, {MAX_NAME}) AS TEXT)"
    return f"substr({text}, length(rtrim({text}, '{letters}')) + 1)"


# The columns that repeat a body. It is canonical, so each part stands where its neighbours say, and no quote stands
# inside a text without a backslash before it. They are computed whenever an entry is written, so this has to be quick:
# letters stand in the order of their frequency, and a run with a name as long as habeas gives them is looked for first.
# SQLite 3.40 refuses its own JSON functions where `trusted_schema` is off. They have no type, since SQLite would
# compute them whenever it checks the file, to see whether they keep to it. Of a body that somebody changed they may say
# anything; they never raise an error.
def _columns() -> Iterator[str]:
    at_key, end = '"at":"', '","v":1}'
    lower, digits, others = "eacltnor.dpusimhykgvwbfjqxz_-", "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ:@"
    at = f"instr(body, {_blob(at_key)})"
    behind_run = len('","seq":') + len(',"type":"') + len(end)
    run_end = f"{behind_run} + length(seq) + length(type)"
    behind_case = f"{at} + 33 + iif(case_id = '', 0, 10 + length(case_id))"
    actor = f"CAST(substr(body, 11, {at} - 13) AS TEXT)"
    plain = f"""replace(replace(replace({actor}, '\\\\', char(1)), '\\"', '"'), char(1), '\\')"""

    def where(place: str, opening: str, value: str, otherwise: str = "''") -> str:
        return f"iif(substr(body, {place}, {len(opening)}) = {_blob(opening)}, {value}, {otherwise})"

    def run_of(length: str, value: str, otherwise: str) -> str:
        return where(f"-({run_end}) - {length} - 7", '"run":"', value, otherwise)

    usual = f"CAST(substr(body, -({run_end}) - {_RUN_LENGTH}, {_RUN_LENGTH}) AS TEXT)"
    any_run = _word_before(run_end, digits + others + lower)
    other_run = where(f"-({run_end}) - 23", '"log":"', "''", run_of(f"length({any_run})", any_run, "''"))
    columns = {
        "at": f"CAST(substr(body, {at} + 6, 27) AS TEXT)",
        "type": _word_before(str(len(end)), lower + digits),
        "case_id": where(f"{at} + 33", '","case":"', _up_to_quote(f"{at} + 43")),
        "run_id": run_of(str(_RUN_LENGTH), usual, other_run),
        "connection": where(behind_case, '","connection":"', _up_to_quote(f"{behind_case} + 16")),
        "actor": where("1", '{"actor":"', plain),
    }
    for name, value in columns.items():
        yield f"{name} ANY GENERATED ALWAYS AS ({value}) VIRTUAL"


_SEPARATOR: Final = ",\n  "
_TABLES: Final = {
    "entries": f"""CREATE TABLE entries(
  seq INTEGER PRIMARY KEY CHECK (seq > 0),
  {_SEPARATOR.join(_columns())},
  body BLOB NOT NULL,
  leaf_hash BLOB NOT NULL CHECK (length(leaf_hash) = 32)
) STRICT""",
    "cases": """CREATE TABLE cases(
  case_id TEXT NOT NULL PRIMARY KEY,
  first INTEGER NOT NULL
) STRICT, WITHOUT ROWID""",
    "case_entries": """CREATE TABLE case_entries(
  first INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (first, seq)
) STRICT, WITHOUT ROWID""",
    "kinds": """CREATE TABLE kinds(
  type TEXT NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (type, seq)
) STRICT, WITHOUT ROWID""",
    "nodes": f"""CREATE TABLE nodes(
  level INTEGER NOT NULL CHECK (level > 0 AND level % {STORED_LEVELS} = 0),
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
    "checkpoints": """CREATE TABLE checkpoints(
  size INTEGER PRIMARY KEY CHECK (size > 0),
  note TEXT NOT NULL
) STRICT""",
    "timestamps": """CREATE TABLE timestamps(
  size INTEGER PRIMARY KEY,
  token BLOB NOT NULL
) STRICT""",
}


def _refuse(name: str, event: str, text: str, when: str = "", moment: str = "BEFORE") -> tuple[str, str]:
    condition = f" WHEN {when}" if when else ""
    return name, f"CREATE TRIGGER {name} {moment} {event}{condition} BEGIN SELECT RAISE(ABORT, '{text}'); END"


def _keep(table: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return (
        _refuse(f"{table}_no_update", f"UPDATE ON {table}", f"{table} are never changed"),
        _refuse(f"{table}_no_delete", f"DELETE ON {table}", f"{table} are never deleted"),
    )


_TRIGGERS: Final = dict(
    [
        *_keep("entries"),
        # After it, since a trigger before it would compute all columns once more. Entries that are committed, which the
        # head counts, are not replaced; and none is left out.
        _refuse(
            "entries_next_only",
            "INSERT ON entries",
            "an entry takes the next sequence number",
            "NEW.seq <= (SELECT size FROM head) "
            "OR NEW.seq > 1 AND NOT EXISTS (SELECT 1 FROM entries WHERE seq = NEW.seq - 1)",
            "AFTER",
        ),
        *_keep("cases"),
        _refuse(
            "cases_once",
            "INSERT ON cases",
            "a case begins once",
            "EXISTS (SELECT 1 FROM cases WHERE case_id = NEW.case_id)",
        ),
        *_keep("case_entries"),
        *_keep("kinds"),
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

OBJECTS: Final[Mapping[str, str]] = MappingProxyType({**_TABLES, **_TRIGGERS})
"""Name → SQL text as `sqlite_schema` keeps it, in the order they are made. Frozen: the first migration makes them."""


def problems(db: sqlite3.Connection) -> Iterator[str]:
    """One line for each table, index or trigger that is missing or changed, and for each trigger that is not ours.

    Tables and indices that others added are not looked at: they change nothing in ours.
    """
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version != USER_VERSION:
        yield "the file states a version that no program has given it"
    if _text(db.execute("PRAGMA journal_mode").fetchone()[0]) == "wal":
        yield "somebody has put the file into WAL mode: what is beside it may belong to it"
    found = {
        _text(name): (_text(kind), _text(sql))
        for name, kind, sql in db.execute("SELECT name, type, sql FROM sqlite_schema")
    }
    for name, sql in OBJECTS.items():
        kind = sql.split(maxsplit=2)[1].lower()
        if name not in found:
            yield f"the {kind} {name} is missing"
        elif found[name] != (kind, sql):
            yield f"the {kind} {name} is not as it was made"
    foreign = sum(kind == "trigger" and name not in OBJECTS for name, (kind, _) in found.items())
    if foreign:
        yield f"triggers that are not the ledger's own: {foreign}"


def _text(value: object) -> str:
    # The verifier reads text as bytes, since a damaged file may hold text that is not UTF-8.
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)

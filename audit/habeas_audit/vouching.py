"""What the second process does while a large file is verified: it vouches for whole chunks; see `verify._Helper`."""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from habeas_audit.connection import connect
from habeas_audit.indexprint import IndexPrint
from habeas_audit.rowcheck import RowCheck, agree, hashes_of, read_rows
from habeas_audit.tree import STORED_LEVELS, roots_at, rows


def vouch() -> None:
    """What the helper does: read its order, and write a line on the tables, and one for each chunk it vouches for."""
    order = json.load(sys.stdin)
    levels = order["levels"]
    with closing(connect(Path(order["path"]), "verify", order["busy"])) as db:
        db.text_factory = bytes
        log_id = db.execute("SELECT log_id FROM log").fetchone()[0].decode()
        last = db.execute("SELECT max(seq) FROM entries").fetchone()[0]
        tables = IndexPrint(order["z"])
        tables.take_tables(db, last)
        _say({"last": last, "led": tables.value})
        # Not the first one, where there may be rows with numbers below 1.
        for index in range((last >> levels) - 1, 0, -1):
            led = IndexPrint(order["z"])
            tree = _well(db, RowCheck(log_id, led), index << levels, levels)
            if tree is not None:
                marks = {mark: root.hex() for mark, root in roots_at(tree, index << levels, order["marks"]).items()}
                _say([index, log_id, tree[-1][0].hex(), marks, led.value])


def _say(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def _well(db: sqlite3.Connection, check: RowCheck, start: int, levels: int) -> list[list[bytes]] | None:
    """The subtrees of so many levels over the entries from `start` on, if nothing is missing or wrong there."""
    size = 1 << levels
    read = read_rows(db, start, start + size, size)
    if [row[0] for row in read] != list(range(start + 1, start + size + 1)):
        return None
    hashes = hashes_of(read)
    if check.suspects(read, hashes):
        return None
    computed = rows(hashes)
    for level in range(STORED_LEVELS, len(computed), STORED_LEVELS):
        if not agree(db, level, start >> level, computed[level]):
            return None
    return computed

"""Whether a stored row is as it was written: quickly for many rows, exactly for one that is not; stored nodes."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Sequence
from hashlib import sha256
from operator import attrgetter
from typing import Final, Literal

import msgspec

from habeas_audit.canonical import DECODER, MAX_BYTES, astral, canonical, is_canonical, plain_objects
from habeas_audit.entry import VERSION
from habeas_audit.indexprint import IndexPrint

Row = tuple[int, bytes, bytes]
"""What is stored of an entry: seq, body, leaf_hash. The other columns are computed from the body."""

_SELECT: Final = "SELECT seq, body, leaf_hash FROM entries WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
_AT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_AT_ZEROS: Final = b"0000-00-00T00:00:00.000000Z"
_ZEROS: Final = bytes.maketrans(b"123456789", b"0" * 9)
_DEPTH: Final = 6
"""Containers inside one another, in data that are checked quickly; the program itself writes three."""

_BODY: Final = msgspec.defstruct(
    "_BODY",
    [  # in RFC 8785 order; what has a default is left out where it is empty
        ("actor", str, ""),
        ("at", str),
        ("case", str, ""),
        ("connection", str, ""),
        ("data", plain_objects(_DEPTH), msgspec.field(default_factory=dict)),
        ("log", str),
        ("run", str, ""),
        ("seq", int),
        ("type", str),
        ("v", Literal[VERSION]),
    ],
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    gc=False,
)
_read: Final = msgspec.json.Decoder(_BODY).decode_lines
_write: Final = msgspec.json.Encoder(order="deterministic").encode_lines
_seq_of: Final = attrgetter("seq")
_at_of: Final = attrgetter("at")
_log_of: Final = attrgetter("log")
_place_of: Final = attrgetter("seq", "case", "type")
_BATCH: Final = 64
"""Rows that are read and written in one go; of more, the processor's cache does not hold what is made of them."""


def read_rows(db: sqlite3.Connection, after: int, last: int, limit: int) -> list[Row]:
    """At most so many rows with `after < seq <= last`, in one short read transaction."""
    return db.execute(_SELECT, (after, last, limit)).fetchall()


def hashes_of(rows: Sequence[Row]) -> list[bytes]:
    """Leaf hashes computed from the bodies."""
    return [sha256(b"\x00" + row[1]).digest() for row in rows]


def agree(db: sqlite3.Connection, level: int, first: int, computed: Sequence[bytes]) -> bool:
    """Whether the stored hashes of that level, from this index on, are those computed."""
    # The index is not read: as a key it is there once, so that as many as can be in the range are all of them.
    stored = db.execute(
        "SELECT hash FROM nodes WHERE level = ? AND idx >= ? AND idx < ? ORDER BY idx",
        (level, first, first + len(computed)),
    )
    return [hash_ for (hash_,) in stored] == computed


class RowCheck:
    """Checks rows of one log."""

    def __init__(self, log_id: str, index: IndexPrint | None = None) -> None:
        """`index` takes up what leads to each row that is as it was written."""
        self._log_id, self._index = log_id, index

    def suspects(self, rows: Sequence[Row], hashes: Sequence[bytes]) -> list[int]:
        """Indices of the rows that are not as they were written; `hashes` are the leaf hashes of their bodies."""
        found: list[int] = []
        for start in range(0, len(rows), _BATCH):
            batch = rows[start : start + _BATCH]
            found += [start + index for index in self._suspects(batch, hashes[start : start + _BATCH])]
        return found

    def _suspects(self, rows: Sequence[Row], hashes: Sequence[bytes]) -> list[int]:
        if self._all_well(rows, hashes):
            return []
        if len(rows) == 1:
            return [] if rows[0][2] == hashes[0] and self._exactly(rows[0]) else [0]
        half = len(rows) // 2
        later = self._suspects(rows[half:], hashes[half:])
        return self._suspects(rows[:half], hashes[:half]) + [half + index for index in later]

    def _all_well(self, rows: Sequence[Row], hashes: Sequence[bytes]) -> bool:
        """Whether each row is surely as it was written; False also where only `_exactly` can tell.

        Bodies are read into the shape of an entry and written again, one a line. What is written breaks no line inside
        an entry, so the whole comes back unchanged, in as many lines as there are rows, only if each body would: that
        proves their form.
        """
        bodies = [row[1] for row in rows]
        text = b"\n".join((*bodies, b""))
        try:
            said = _read(text)
            well = (
                len(said) == len(rows)
                and _write(said) == text
                and list(map(_seq_of, said)) == [row[0] for row in rows]
                and set(map(_log_of, said)) == {self._log_id}
                and [row[2] for row in rows] == list(hashes)
                and max(map(len, bodies)) <= MAX_BYTES
                and _all_times(list(map(_at_of, said)))
                and not astral(text)
            )
            if well and self._index is not None:
                self._index.take(map(_place_of, said))
            return well
        except (msgspec.MsgspecError, ValueError, TypeError, RecursionError):
            return False

    def _exactly(self, row: Row) -> bool:
        """Whether the body is what is written for this place and what it says."""
        seq, body, _ = row
        try:
            value = DECODER.decode(body.decode())
            optional = {key: value.get(key, "") for key in ("actor", "case", "connection", "run")}
            data = value.get("data", {})
            fields = {"at": value["at"], "log": self._log_id, "seq": seq, "type": value["type"], "v": VERSION}
            fields |= {key: said for key, said in (*optional.items(), ("data", data)) if said}
            well = (
                isinstance(data, dict)
                and all(isinstance(said, str) for said in (*optional.values(), value["type"]))
                and _AT.fullmatch(value["at"]) is not None
                and canonical(fields, depth=len(body)) == body
            )
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
            return False
        if well and self._index is not None:
            self._index.take([(seq, optional["case"], value["type"])])
        return well

    def problems(self, row: Row) -> list[tuple[str, str]]:
        """(kind, text) for each thing wrong with a row; no text repeats what the row holds."""
        seq, body = row[0], row[1]
        found: list[tuple[str, str]] = []
        if sha256(b"\x00" + body).digest() != row[2]:
            found.append(("leaf", f"entry {seq}: its bytes are not those that were hashed"))
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            return [*found, ("canonical", f"entry {seq}: its body is not a JSON object")]
        if not is_canonical(body) or len(body) > MAX_BYTES:
            found.append(("canonical", f"entry {seq}: its body is not in canonical form"))
        if value.get("log") != self._log_id:
            found.append(("log", f"entry {seq}: its body belongs to another log"))
        if value.get("seq") != seq:
            found.append(("seq", f"entry {seq}: its body was written for another place"))
        return found or [("shape", f"entry {seq}: its body has not the shape of version {VERSION}")]


def _all_times(times: Sequence[str]) -> bool:
    """Whether each is spelled as a time is. That breaks no line, so all together fit only if each does."""
    return "\n".join(times).encode().translate(_ZEROS) == b"\n".join([_AT_ZEROS] * len(times))

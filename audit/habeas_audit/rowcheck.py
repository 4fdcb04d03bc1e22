"""Whether a stored row agrees with its own body: quickly for many rows, exactly for one that does not."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

from habeas_audit.canonical import DECODER, ENCODER, MAX_BYTES, is_canonical, needs_no_library
from habeas_audit.entry import VERSION, ending, opening, origin, place

Row = tuple[int, bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes]
"""A row of `entries` read with text as bytes: seq, at, type, case_id, run_id, connection, actor, body, leaf_hash."""

_AT: Final = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_DATA: Final = b',"data":'
_COLUMNS: Final = (("at", 1), ("type", 2), ("case", 3), ("run", 4), ("connection", 5), ("actor", 6))
"""Key in the body and place in the row of what the row repeats."""


class RowCheck:
    """Checks rows of one log."""

    def __init__(self, log_id: str, nonce: str) -> None:
        """`nonce`: 32 or more random hex digits that whoever wrote the file could not know."""
        self._log_id = log_id
        self._nonce = nonce
        self._between = f',"{nonce}",'.encode()

    def suspects(self, rows: Sequence[Row], hashes: Sequence[bytes]) -> list[int]:
        """Indices of the rows that need `problems`; `hashes` are the leaf hashes computed from their bodies.

        The columns are put together to what the body must begin and end with; what remains between is the data. All
        data of a chunk is then parsed and rewritten in one go, a nonce between each two, at half the cost of doing it
        row by row: the whole comes back unchanged, with the nonces where they were put, only if each part would.
        """
        suspects: list[int] = []
        places: list[int] = []
        parts: list[bytes] = []
        for index, row in enumerate(rows):
            part = self._data_of(row) if row[8] == hashes[index] else None
            if part is None:
                suspects.append(index)
            elif part:
                places.append(index)
                parts.append(part)
        if parts and not self._all_canonical(parts):
            suspects += [index for index, part in zip(places, parts, strict=True) if not is_canonical(part)]
        return sorted(suspects)

    def _data_of(self, row: Row) -> bytes | None:
        """The bytes of the body's data, empty if it has none; None if the rest of it is not what the columns say."""
        at, body = row[1], row[7]
        try:
            before_at, after_at, before_seq, after_seq = _pieces(self._log_id, *row[2:7])
            before = before_at + at + after_at
            after = b"%b%d%b" % (before_seq, row[0], after_seq)
        except (ValueError, TypeError, AttributeError):
            return None
        end = len(body) - len(after)
        # Where the body is shorter than both together, they overlap.
        if not (
            len(before) <= end
            and len(body) <= MAX_BYTES
            and body.startswith(before)
            and body.endswith(after)
            and _AT.fullmatch(at)
        ):
            return None
        part = body[len(before) : end]
        # Empty data is left out, so what stands here is an object with something in it.
        if part and not part.startswith(_DATA + b'{"'):
            return None
        return part[len(_DATA) :]

    def _all_canonical(self, parts: list[bytes]) -> bool:
        text = b"[%b]" % self._between.join(parts)
        try:
            value = DECODER.decode(text.decode())
            return (
                needs_no_library(text)
                and len(value) == 2 * len(parts) - 1
                and all(item == self._nonce for item in value[1::2])
                and ENCODER.encode(value).encode() == text
            )
        except (ValueError, RecursionError):
            return False

    def problems(self, row: Row) -> list[tuple[str, str]]:
        """(kind, text) for each thing wrong with a row; no text repeats what the row holds."""
        seq, body = row[0], row[7]
        found: list[tuple[str, str]] = []
        if sha256(b"\x00" + body).digest() != row[8]:
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
        for key, place_ in _COLUMNS:
            if _encoded(value.get(key, "")) != row[place_]:
                found.append(("column", f"entry {seq}: the column for {key} is not what its body says"))
        return found or [("shape", f"entry {seq}: its body has not the shape of version {VERSION}")]


@lru_cache(maxsize=4096)
def _pieces(log_id: str, type_: bytes, case_id: bytes, run_id: bytes, connection: bytes, actor: bytes) -> list[bytes]:
    """What stands in a body before and after the time, and before and after the sequence number."""
    return [
        opening(actor.decode()) + b'"',
        b'"' + place(case_id.decode(), connection.decode()),
        origin(log_id, run_id.decode()),
        ending(type_.decode()),
    ]


def _encoded(value: Any) -> bytes | None:
    try:
        return value.encode() if isinstance(value, str) else None
    except UnicodeEncodeError:
        return None

"""Ledger entries as the figures take them: from the ledger itself, or from the lines of an export. The source is all
one: both give the bytes that were hashed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from habeas.errors import InputError
from habeas.models import Json
from habeas_audit import EXPORT, Entry
from habeas_audit.tree import Frontier, leaf_hash

__all__ = ["Evidence", "Line", "from_export", "from_ledger"]

_decode = msgspec.json.decode


class Line(NamedTuple):
    """One entry."""

    seq: int
    at: str
    """RFC 3339, UTC, microseconds: texts compare as the instants do."""
    type: str
    case_id: str
    run_id: str
    connection: str
    data: dict[str, Json]


class Evidence:
    """The tree over the entries that were passed on: what a report rests on."""

    def __init__(self) -> None:
        self._frontier = Frontier()
        self.first = self.last = b""
        self.log = ""
        """The log's name, where an export says it."""

    def add(self, body: bytes) -> None:
        """The next entry's bytes."""
        self.last = leaf_hash(body)
        self.first = self.first or self.last
        self._frontier.append(self.last)

    @property
    def size(self) -> int:
        return self._frontier.size

    @property
    def root(self) -> str:
        """RFC 6962, as ``sha256:`` and hex digits."""
        return f"sha256:{self._frontier.root().hex()}"


def from_ledger(entries: Iterable[Entry], evidence: Evidence) -> Iterator[Line]:
    """The ledger's own entries, all of them from the first."""
    for entry in entries:
        evidence.add(entry.body)
        yield _line(entry.body, entry.seq)


def from_export(lines: Iterable[str], evidence: Evidence, size: int) -> Iterator[Line]:
    """The first ``size`` entries of an export. That it is whole and agrees with itself,
    :func:`habeas_audit.verify_export` says. Raises :class:`InputError` for lines that are none of an export.
    """
    for text in lines:
        try:
            value = _decode(text)
            if "seq" in value:
                if evidence.size >= size:
                    return
                body = value["body"].encode()
                evidence.add(body)
                if value["seq"] != evidence.size:
                    raise InputError("entries are missing in the export", advice="`habeas verify` says which")
                yield _line(body, value["seq"])
            elif "format" in value:
                if value["format"] != EXPORT:
                    raise InputError("the file is no export of a ledger", advice="`habeas audit export` makes one")
                evidence.log = value["log"]
        except (msgspec.DecodeError, AttributeError, TypeError, KeyError, UnicodeError):
            raise InputError("the file is no export of a ledger", advice="`habeas audit export` makes one") from None


def _line(body: bytes, seq: int) -> Line:
    value = _decode(body)
    case_id, run_id, connection = (value.get(name, "") for name in ("case", "run", "connection"))
    return Line(seq, value["at"], value["type"], case_id, run_id, connection, value.get("data", {}))

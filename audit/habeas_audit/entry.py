"""An entry before it is recorded (`Draft`), after (`Entry`), and the bytes between them (`Frame`).

The body, whose keys stand in RFC 8785 order, with empty fields left out:
`{"actor":…,"at":…,"case":…,"connection":…,"data":{…},"log":…,"run":…,"seq":1,"type":…,"v":1}`.
Log id and sequence are inside, so that a body proves its own place and fits no other log.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple, cast

import msgspec

from habeas_audit.canonical import MAX_BYTES, MAX_DEPTH, MAX_INTEGER, canonical, quoted
from habeas_audit.errors import InvalidDraft, LedgerDamaged
from habeas_audit.schema import MAX_NAME

VERSION: Final = 1
MAX_TEXT: Final = 200
"""Longest actor, characters."""

_NAME: Final = re.compile(r"[A-Za-z0-9._:@-]*")
_TYPE: Final = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)*")
# Room for the longest sequence, so that whether a draft fits never depends on when it is appended.
_VARIABLE_BYTES: Final = len('"2025-01-31T12:00:00.000000Z"') + len(str(MAX_INTEGER))


@dataclass(frozen=True)
class Draft:
    """What a caller wants recorded. The ledger checks it when it is appended."""

    type: str
    """Dotted lower-case words: `call.intent`."""
    case_id: str = ""
    run_id: str = ""
    connection: str = ""
    """These three are names of at most 64 letters, digits and `._:@-`; empty means that it does not apply."""
    actor: str = ""
    """Who: printable text of at most 200 characters."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """JSON: text, integers, true, false, null, lists and objects. Never personal data: nothing here can be erased."""


class Entry(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One recorded entry, as its row says. A struct, since hundreds are made for each case."""

    seq: int
    """Position, from 1."""
    at: str
    """When it was recorded: RFC 3339, UTC, microseconds. The order is `seq`; clocks may go back."""
    type: str
    case_id: str
    run_id: str
    connection: str
    actor: str
    body: bytes
    """The exact RFC 8785 bytes that the tree holds."""
    leaf_hash: bytes
    """RFC 6962: SHA-256(0x00 || body)."""
    _data: dict[str, Any] | None = None

    @property
    def data(self) -> dict[str, Any]:
        """The draft's data, as the body has them; LedgerDamaged if it has none. The same object at each access."""
        if self._data is None:
            msgspec.structs.force_setattr(self, "_data", _decoded(_READ_DATA, self.seq, self.body).data)
        return cast(dict[str, Any], self._data)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entry) and self._stored() == other._stored()

    def __hash__(self) -> int:
        return hash(self._stored())

    def _stored(self) -> tuple[object, ...]:
        return msgspec.structs.astuple(self)[:-1]


_DATA: Final[Any] = ("data", dict[str, Any], msgspec.field(default_factory=dict))
_TEXTS: Final[Any] = [("at", str), ("type", str), *((name, str, "") for name in ("actor", "case", "connection", "run"))]
# What a body says, as far as an entry has a field for it.
_READ: Final[Any] = msgspec.json.Decoder(msgspec.defstruct("_Said", [*_TEXTS, _DATA], gc=False))
_READ_DATA: Final[Any] = msgspec.json.Decoder(msgspec.defstruct("_Said", [_DATA], gc=False))


def _decoded(decoder: Any, seq: int, body: bytes) -> Any:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError):
        raise LedgerDamaged(f"entry {seq} of the ledger cannot be read; verify it") from None


def entry_of(seq: int, body: bytes, leaf: bytes) -> Entry:
    """The entry that is stored as these. Raises LedgerDamaged where the body is not that of an entry."""
    said = _decoded(_READ, seq, body)
    return Entry(seq, said.at, said.type, said.case, said.run, said.connection, said.actor, body, leaf, said.data)


class Frame(NamedTuple):
    """A body in three pieces around what is known only when it is written: time and sequence."""

    before_at: bytes
    before_seq: bytes
    after_seq: bytes

    def body(self, at: bytes, seq: int) -> bytes:
        """The whole body. `at` comes from `timestamp`, so nothing in it needs escaping."""
        return b'%b"%b"%b%d%b' % (self.before_at, at, self.before_seq, seq, self.after_seq)


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds, always 27 characters; ValueError if the moment has no time zone."""
    if moment.tzinfo is None:
        raise ValueError("the clock must give a time with its time zone")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def framed(draft: Draft, log_id: str) -> Frame:
    """Check a draft and prepare its bytes; InvalidDraft says what is wrong with it, without its values."""
    try:
        pieces = _pieces(draft.type, draft.case_id, draft.run_id, draft.connection, draft.actor, log_id)
    except TypeError:  # not even hashable
        raise InvalidDraft("an entry's type, case, run, connection and actor are text") from None
    data = draft.data
    if type(data) is not dict and not isinstance(data, Mapping):
        raise InvalidDraft("an entry's data is an object")
    before_at, place, origin, ending, size = pieces
    between = b'%b,"data":%b%b' % (place, canonical(data, depth=MAX_DEPTH - 1), origin) if data else place + origin
    size += len(between)
    if size > MAX_BYTES:
        raise InvalidDraft(f"an entry takes {size} bytes; {MAX_BYTES} are allowed")
    return Frame(before_at, between, ending)


# The texts of one case or run come again and again, and every append waits for what is done here.
@lru_cache(maxsize=4096, typed=True)
def _pieces(
    type_: str, case_id: str, run_id: str, connection: str, actor: str, log_id: str
) -> tuple[bytes, bytes, bytes, bytes, int]:
    """The body up to the time's opening quote, from there to its data, from there to its number, and behind that.

    The last is how many bytes the body has beside its data, and beside what stands between time and number.
    """
    _check_texts(type_, case_id, run_id, connection, actor)
    opening = (b'{"actor":%b,"at":' % quoted(actor)) if actor else b'{"at":'
    place = b',"case":' + quoted(case_id) if case_id else b""
    if connection:
        place += b',"connection":' + quoted(connection)
    origin = b',"log":%b%b,"seq":' % (quoted(log_id), b',"run":' + quoted(run_id) if run_id else b"")
    ending = b',"type":%b,"v":%d}' % (quoted(type_), VERSION)
    return opening, place, origin, ending, len(opening) + len(ending) + _VARIABLE_BYTES


def _check_texts(type_: object, *others: object) -> None:
    if not isinstance(type_, str) or len(type_) > MAX_NAME or not _TYPE.fullmatch(type_):
        raise InvalidDraft("an entry's type is dotted lower-case words, such as call.intent")
    for name, text in zip(("case_id", "run_id", "connection", "actor"), others, strict=True):
        if not isinstance(text, str) or len(text) > MAX_TEXT or not text.isprintable():
            raise InvalidDraft(f"an entry's {name} is printable text of at most {MAX_TEXT} characters")
        if name != "actor" and not (len(text) <= MAX_NAME and _NAME.fullmatch(text)):
            raise InvalidDraft(f"an entry's {name} is a name: at most {MAX_NAME} letters, digits and ._:@-")

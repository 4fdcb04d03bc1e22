"""The vendors' field names, remembered in the ledger as they are first seen: never a value."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from habeas.cases.keys import KeyStore
from habeas.clock import Clock
from habeas.engine.links import Link
from habeas.errors import StorageError
from habeas.fields import covered
from habeas.models import Inventory, Subject
from habeas_audit import Draft, Entry, Ledger

__all__ = ["FieldMemory", "SeenField", "safe_name"]

_STEP = re.compile(r"\*|[A-Za-z_$][A-Za-z0-9_$ -]{0,63}(?:\[\])*|\[\]")
_MANY_DIGITS = re.compile(r"[0-9]{5}")
_MOST = 2000
"""Names remembered of one kind of record: keys that are data, not names, must not fill the ledger."""


@dataclass(frozen=True)
class SeenField:
    """One field of one kind of record at one connection."""

    connection: str
    record: str
    field: str
    first_seen: str
    """RFC 3339."""
    category: str
    """What covers it: ``plugin``, what the configuration names (a category, a consent), or empty: nothing does."""


class FieldMemory:
    """Which field names were seen before. Reads the ledger once, when it is first needed.

    A name that no data category covers is written only when a second person has it: a key of somebody's metadata may
    be somebody's name. Until then the ledger holds keyed digests, of the name and of who had it.
    """

    def __init__(self, ledger: Ledger, keys: KeyStore, clock: Clock) -> None:
        self._ledger, self._keys, self._clock = ledger, keys, clock
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, str], _Seen] | None = None

    def note(self, run_id: str, link: Link, subject: Subject, inventory: Inventory) -> None:
        """Writes down the names that are new. Names that look like data, or hold the person's own, become ``*``."""
        values = [i.value.casefold() for i in subject.identifiers]
        found: dict[str, set[str]] = {}
        for record in inventory.records:
            found.setdefault(record.kind, set()).update(record.fields)
        with self._lock:
            known = self._known()
            for kind, names in found.items():
                self._note(run_id, link, kind, names, known.setdefault((link.name, kind), _Seen()), subject, values)

    def _note(
        self, run_id: str, link: Link, kind: str, names: set[str], seen: _Seen, subject: Subject, values: list[str]
    ) -> None:
        fresh: list[str] = []
        once: dict[str, str] = {}
        for name in sorted(names - seen.named.keys()):
            if name not in seen.uncovered and _category(link, kind, name):
                fresh.append(name)
                continue
            if len(seen.uncovered) < _MOST:
                seen.uncovered.add(name)
            safe = safe_name(name, values)
            if safe in seen.named:
                continue
            digest, person = self._digest(safe), self._who_had(safe, subject)
            earlier = seen.once.get(digest, "")
            if earlier and earlier != person:
                fresh.append(safe)
            elif not earlier:
                once[digest] = person
        room = max(0, _MOST - len(seen.named) - len(seen.once))
        self._write(run_id, link.name, kind, list(dict.fromkeys(fresh))[:room], dict(list(once.items())[:room]), seen)

    def _digest(self, name: str) -> str:
        return self._keys.fingerprint(b"field", name.encode()).hex()[:16]

    def _who_had(self, name: str, subject: Subject) -> str:
        """The person, for this name only: that two names were one person's cannot be told from their digests."""
        who = sorted(f"{i.kind}={i.value}" for i in subject.identifiers)
        pseudonym = self._keys.pseudonym("subject", "\n".join(who), self._clock.now())
        return self._keys.fingerprint(b"had", name.encode(), pseudonym.encode()).hex()[:16]

    def _write(
        self, run_id: str, connection: str, kind: str, fresh: list[str], once: dict[str, str], seen: _Seen
    ) -> None:
        # An entry holds at most 16 KiB.
        parts = [("fields", part) for part in _chunks(fresh)]
        parts += [("once", part) for part in _chunks([f"{digest} {person}" for digest, person in once.items()])]
        drafts = [
            Draft("schema.seen", "", run_id, connection, "", {"record": kind, what: part}) for what, part in parts
        ]
        if drafts:
            for entry in self._ledger.append(*drafts):
                seen.take(entry)
            self._forget_digests(seen)

    def _known(self) -> dict[tuple[str, str], _Seen]:
        if self._seen is None:
            found: dict[tuple[str, str], _Seen] = {}
            for entry in self._ledger.entries(types=["schema.seen"]):
                try:
                    found.setdefault((entry.connection, entry.data["record"]), _Seen()).take(entry)
                except (KeyError, TypeError, ValueError, AttributeError):
                    text = f"entry {entry.seq} of the ledger is not as habeas writes it"
                    raise StorageError(text, advice="run `habeas audit verify`") from None
            for seen in found.values():
                self._forget_digests(seen)
            self._seen = found
        return self._seen

    def _forget_digests(self, seen: _Seen) -> None:
        """What has a name by now needs no digest."""
        for digest in [self._digest(name) for name in seen.named] if seen.once else ():
            seen.once.pop(digest, None)

    def fields(self, links: Mapping[str, Link]) -> list[SeenField]:
        """All that were seen at these connections and have a name, with what covers them.

        Raises :class:`~habeas.errors.StorageError` for a damaged ledger.
        """
        with self._lock:
            seen = {key: dict(known.named) for key, known in self._known().items()}
        return [
            SeenField(connection, kind, name, at, _category(links[connection], kind, name))
            for (connection, kind), names in sorted(seen.items())
            if connection in links
            for name, at in sorted(names.items())
        ]

    def unnamed(self, links: Mapping[str, Link]) -> int:
        """How many more were seen at one person only, so that they have no name yet."""
        with self._lock:
            return sum(len(known.once) for (connection, _), known in self._known().items() if connection in links)

    def full(self, links: Mapping[str, Link]) -> list[str]:
        """Kinds of records with so many names that no further one is remembered, as ``CONNECTION KIND``."""
        with self._lock:
            return [
                f"{connection} {kind}"
                for (connection, kind), known in self._known().items()
                if connection in links and len(known.named) + len(known.once) >= _MOST
            ]


@dataclass
class _Seen:
    """What was seen of one kind of record."""

    named: dict[str, str] = field(default_factory=dict)
    """Name → when it was first written."""
    once: dict[str, str] = field(default_factory=dict)
    """Digest of a name → digest of who had it."""
    uncovered: set[str] = field(default_factory=set)
    """Names that no category covers: looked up once a run. In memory only."""

    def take(self, entry: Entry) -> None:
        """Adds one entry's."""
        for name in entry.data.get("fields", ()):
            self.named.setdefault(name, entry.at)
        for pair in entry.data.get("once", ()):
            digest, person = pair.split(" ")
            self.once.setdefault(digest, person)


def _chunks(texts: list[str]) -> Iterator[list[str]]:
    """In parts of about 8 kB."""
    part: list[str] = []
    for text in texts:
        if part and sum(map(len, part)) + 4 * len(part) + len(text) > 8000:
            yield part
            part = []
        part.append(text)
    if part:
        yield part


def _category(link: Link, kind: str, name: str) -> str:
    for pattern, category in link.known_fields.items():
        if covered(f"{kind}.{name}", [pattern]):
            return category
    for purpose in link.purposes.values():
        if any(isinstance(value, str) and f".{name}".endswith(f".{value}") for value in purpose.mapping.values()):
            return f"consent to {purpose.name}"
    known = next((k.fields for k in link.info.kinds if k.name == kind), ())
    return "plugin" if covered(name, known) else ""


def safe_name(name: str, values: Iterable[str]) -> str:
    """The name with every step that may be data written ``*``: odd characters, five digits, the person's own values."""
    steps = name.split(".")
    return ".".join("*" if _is_data(step, values) else step for step in steps)[:1000]


def _is_data(step: str, values: Iterable[str]) -> bool:
    folded = step.casefold().rstrip("[]")
    return (
        _STEP.fullmatch(step) is None
        or _MANY_DIGITS.search(step) is not None
        or any(len(value) > 2 and value in folded for value in values)
    )

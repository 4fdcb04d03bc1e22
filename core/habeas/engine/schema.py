"""The vendors' field names, remembered in the ledger as they are first seen: never a value."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from habeas.engine.links import Link
from habeas.fields import covered
from habeas.models import Inventory, Subject
from habeas_audit import Draft, Ledger

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
    """Which field names were seen before. Reads the ledger once, when it is first needed."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, str], dict[str, str]] | None = None

    def note(self, run_id: str, connection: str, subject: Subject, inventory: Inventory) -> None:
        """Writes down the names that are new. Names that look like data, or hold the person's own, become ``*``."""
        values = [i.value.casefold() for i in subject.identifiers]
        found: dict[str, set[str]] = {}
        for record in inventory.records:
            names = found.setdefault(record.kind, set())
            names.update(safe_name(name, values) for name in record.fields)
        with self._lock:
            seen = self._known()
            for kind, names in found.items():
                known = seen.setdefault((connection, kind), {})
                fresh = sorted(names - set(known))[: max(0, _MOST - len(known))]
                if fresh:
                    self._write(run_id, connection, kind, fresh, known)

    def _write(self, run_id: str, connection: str, kind: str, fresh: list[str], known: dict[str, str]) -> None:
        # An entry holds at most 16 KiB, a name at most about 1 KiB of it.
        drafts = []
        while fresh:
            size = n = 0
            while n < len(fresh) and size + len(fresh[n]) < 8000:
                size += len(fresh[n]) + 4
                n += 1
            part, fresh = fresh[: max(1, n)], fresh[max(1, n) :]
            drafts.append(Draft("schema.seen", "", run_id, connection, "", {"record": kind, "fields": part}))
        for entry in self._ledger.append(*drafts):
            known.update(dict.fromkeys(entry.data["fields"], entry.at))

    def _known(self) -> dict[tuple[str, str], dict[str, str]]:
        if self._seen is None:
            self._seen = {}
            for entry in self._ledger.entries(types=["schema.seen"]):
                known = self._seen.setdefault((entry.connection, entry.data["record"]), {})
                for name in entry.data["fields"]:
                    known.setdefault(name, entry.at)
        return self._seen

    def fields(self, links: Mapping[str, Link]) -> list[SeenField]:
        """All that was ever seen at these connections, with what covers it."""
        with self._lock:
            seen = {key: dict(names) for key, names in self._known().items()}
        return [
            SeenField(connection, kind, name, at, _category(links[connection], kind, name))
            for (connection, kind), names in sorted(seen.items())
            if connection in links
            for name, at in sorted(names.items())
        ]


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

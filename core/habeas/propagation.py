"""Consents as desired state: taking in a file, and making every connection hold what people want."""

from __future__ import annotations

import gc
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from habeas.app import App
from habeas.cases.consents import Wanted
from habeas.cases.consents.file import Checked, ConsentFile
from habeas.cases.consents.people import naming
from habeas.cases.register import NewCase
from habeas.changes import ConsentState
from habeas.engine.drift import Drift
from habeas.engine.propagate import Propagation
from habeas.engine.schedule import Schedule
from habeas.engine.tools import Run
from habeas.engine.wanted import mappings_of, record
from habeas.errors import InputError, StorageError
from habeas.models import CaseType, Identifier, Json, Subject
from habeas_audit import Draft

__all__ = [
    "Busy",
    "TakenIn",
    "alone",
    "consent_records",
    "finish",
    "half_read",
    "is_something_due",
    "mappings",
    "note_drift",
    "open_file",
    "propagation",
    "reading_much",
    "take_in",
]

_TOGETHER = 2000
"""Statements recorded in one commit."""
_UNINDEXED = 3
"""Lookups in a CSV of people before an index of it is worth while."""


class Busy(StorageError):
    """Another process propagates consents in this home."""


@dataclass(frozen=True)
class TakenIn:
    """What became of a file's rows."""

    rows: int
    recorded: int
    """Statements that count now."""
    known: int
    """Recorded before, by an earlier run or further up in the file."""
    stale: int
    """A newer statement counts."""
    erased: int
    """About people on the suppression list: not recorded."""
    invalid: int

    def to_json(self) -> dict[str, Json]:
        """For the ledger and the command's summary."""
        return {
            "rows": self.rows, "recorded": self.recorded, "known": self.known, "stale": self.stale,
            "erased_rows": self.erased, "invalid": self.invalid,
        }  # fmt: skip


@contextmanager
def reading_much() -> Iterator[None]:
    """While many small things are made that are no garbage: what is there already is not looked through for any."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def open_file(app: App, path: Path) -> ConsentFile:
    """A file of consents, not read yet."""
    if not app.config.purposes:
        raise InputError("no purpose is configured", advice="name one under [consent.purposes] in habeas.toml")
    assert app.tools.consents is not None  # noqa: S101 - an opened installation keeps what is wanted
    key = app.tools.consents.row_key()
    return ConsentFile(
        path, connections=tuple(app.tools.links), purposes=app.config.purposes, resolve=_resolver(app),
        now=app.tools.clock.now(), key=key, said=app.tools.consents.said(),
    )  # fmt: skip


def _resolver(app: App) -> Callable[[Sequence[Identifier]], Subject]:
    calls = itertools.count()

    def resolve(given: Sequence[Identifier]) -> Subject:
        if next(calls) == _UNINDEXED and hasattr(app.identity, "build_index"):
            app.identity.build_index()  # type: ignore[union-attr] # a CSV table has one
        return app.resolve(given)

    return resolve


def take_in(app: App, run: Run, file: ConsentFile, checked: Checked) -> TakenIn:
    """Records all that a checked file says and is new. Stopped in the middle, the rest is taken in the next time."""
    counts: Counter[str] = Counter()
    mark = "hmac-sha256:" + app.tools.keys.fingerprint(b"consents", checked.digest).hex()
    app.tools.ledger.append(Draft("consent.reading", "", run.run_id, "", run.actor, {"file": mark}))
    statements = file.statements()
    while part := list(itertools.islice(statements, _TOGETHER)):
        run.control.check()
        nobody = app.tools.suppression.empty()
        allowed = part if nobody else [one for one in part if app.tools.suppression.find(one.subject) is None]
        counts["erased"] += len(part) - len(allowed)
        counts.update(map(str, record(app.tools, run, "file", allowed)))
    taken = TakenIn(
        checked.rows, counts["recorded"], checked.known + counts["known"], counts["stale"], counts["erased"],
        checked.bad,
    )  # fmt: skip
    app.tools.ledger.append(Draft("consent.file", "", run.run_id, "", run.actor, {"file": mark, **taken.to_json()}))
    return taken


@contextmanager
def alone(app: App) -> Iterator[None]:
    """One propagation of a home at a time. Raises :class:`Busy` where another is under way."""
    if not app.locks.take("consents"):
        raise Busy("consents are being propagated by another process", advice="wait for it")
    try:
        yield
    finally:
        app.locks.release("consents")


def propagation(
    app: App, run: Run, schedule: Schedule, sample: float, advance: Callable[[int], None] = lambda _: None
) -> Propagation:
    """The work that is left, in order; the lock is held by the caller. Sends nothing yet.

    ``sample``: part of the people to read back after a call for many. ``advance`` is told how many needed no case.
    """

    def new_case(subject: Subject, details: Mapping[str, Json]) -> NewCase:
        return app.new_case(CaseType.CONSENT, subject, details=details, approved=True)

    work = Propagation(app.tools, run, app.locks, new_case, schedule, sample, advance=advance)
    work.prepare()
    return work


def half_read(app: App) -> list[str]:
    """Runs that were cut off while they took in a file: what it had still to say is in that file, and nowhere else.

    Not those whose file was taken in whole by a later run.
    """
    begun: dict[str, str] = {}
    for entry in app.tools.ledger.entries(types=["consent.reading", "consent.file"]):
        if entry.type == "consent.reading":
            begun[entry.data["file"]] = entry.run_id
        else:
            begun.pop(entry.data["file"], None)
    return list(begun.values())


def note_drift(app: App, run: Run, drift: Drift) -> dict[str, Json]:
    """Writes what a comparison has found into the ledger, and returns it."""
    found = drift.to_json()
    app.tools.ledger.append(Draft("consent.compared", "", run.run_id, "", run.actor, found))
    return found


def finish(app: App, run: Run, work: Propagation) -> dict[str, Json]:
    """Writes what came of a propagation into the ledger, and returns it."""
    summary = work.summary()
    app.tools.ledger.append(Draft("consent.propagated", "", run.run_id, "", "", summary))
    return summary


def consent_records(app: App, subject: Subject, form: str) -> tuple[Json, int]:
    """A document with what a person wants, and how many records are in it.

    Raises :class:`~habeas.errors.ConfigError` naming the facts that are missing.
    """
    from habeas.reports.consents import FORMATS, Consent, Facts, Recipient

    store = app.tools.consents
    wanted = store.wanted(subject) if store is not None else {}
    person = naming(subject)[0].value
    consents = [
        Consent(_record_id(app, subject, one), person, name, one.granted_at, one.withdrawn_at,
                one.state is ConsentState.GRANTED)
        for name, one in wanted.items()
    ]  # fmt: skip
    links = app.tools.links.values()
    recipients = {name: [Recipient(link.info.title) for link in links if name in link.purposes] for name in wanted}
    facts = Facts(app.config.controller.name, app.config.controller.regime, app.config.consent.records, recipients)
    document = FORMATS[form](facts, consents) if consents else None
    if document is None:
        return None, 0
    return document, len(document if isinstance(document, list) else document["@graph"])


def _record_id(app: App, subject: Subject, wanted: Wanted) -> str:
    """A UUID of version 4 in form, the same for the same consent; whoever has it learns nothing from it."""
    first = wanted.granted_at or wanted.withdrawn_at
    text = json.dumps([naming(subject)[0].value, wanted.purpose, str(first)])
    digest = app.tools.keys.fingerprint(b"consent record", text.encode())
    return str(UUID(bytes=digest[:16], version=4))


def mappings(app: App) -> Mapping[tuple[str, str], bytes]:
    """(purpose, connection) → a digest of what the purpose is called there."""
    return mappings_of(app.tools.links)


def is_something_due(app: App) -> bool:
    """Whether a propagation has something left to do."""
    return app.tools.consents is not None and app.tools.consents.due.count() > 0

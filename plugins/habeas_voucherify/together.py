"""Consents of many people at once: metadata flags, by a bulk update of customers that were just read.

The bulk update is asynchronous and creates whoever it does not find (``found`` is false in its report). So everybody is
read first, within this very call, and only customers that are there are named, by the source id that they have. All of
a customer's metadata is written back with the flags changed, as for one person: whether metadata is merged or replaced
is not documented, neither here nor for ``metadata/async``, which for that reason is not used: it takes one set of
metadata for everybody, and where it replaces, the rest of each customer's would be lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from habeas import ConsentChange, ConsentUpdate, Effect, Result
from habeas.connection import Connection
from habeas.models import Json
from habeas_voucherify import consenting, flags, kinds, lookup, mapping
from habeas_voucherify.changing import STILL_OTHER, Said, effect_of
from habeas_voucherify.client.bulk import Row, update_in_bulk
from habeas_voucherify.flags import Flag
from habeas_voucherify.lookup import Found

__all__ = ["update"]

SAMPLED = "changed by a call for many people that Voucherify took; this person was not among those who were read back"
CREATED = (
    "Somebody deleted this customer at the very moment in which it was changed, and Voucherify has made it anew: erase"
    " it again, or restore it in the Voucherify dashboard."
)


@dataclass(frozen=True, repr=False)
class _Person:
    """Somebody who is one customer, and whose consents are all flags."""

    update: ConsentUpdate
    found: Found
    id: str
    source_id: str
    metadata: Mapping[str, Json]
    """As it was read."""

    @property
    def missing(self) -> tuple[ConsentChange, ...]:
        """Changes that are not as wanted yet."""
        return tuple(c for c in self.update.changes if not consenting.is_set(self.metadata, c))

    @property
    def record(self) -> dict[str, Json]:
        """What the bulk update takes."""
        pairs = [(Flag.of(c.purpose.mapping), c.state) for c in self.missing]
        return {"source_id": self.source_id, "metadata": flags.with_flags(self.metadata, pairs)}


def update(connection: Connection, updates: Sequence[ConsentUpdate]) -> tuple[tuple[Effect, ...], ...]:
    """One answer for each person; none for who is several customers, has no source id, or needs another call.

    Raises :class:`~habeas.VendorError` where a look-up or the call failed.
    """
    by_flag = consenting.only_flags(connection, [change for one in updates for change in one.changes])
    answers: dict[int, tuple[Effect, ...]] = {}
    people: dict[int, _Person] = {}
    for n, one in enumerate(updates):
        if all(change.purpose.name in by_flag for change in one.changes):
            found = lookup.who(connection, one.subject)
            if not found.customers and not found.gaps:
                answers[n] = tuple(effect_of(c.index, (), found, tells=False) for c in one.changes)
            elif (person := _person(one, found)) is not None:
                people[n] = person
    named = Counter(person.source_id for person in people.values())
    people = {n: person for n, person in people.items() if named[person.source_id] == 1}
    rows = _send(connection, [person.record for person in people.values() if person.missing])
    for n, person in people.items():
        answers[n] = _answer(connection, person, rows.get(person.source_id))
    return tuple(answers.get(n, ()) for n in range(len(updates)))


def _person(update: ConsentUpdate, found: Found) -> _Person | None:
    if len(found.customers) != 1 or found.gaps or not found.customers[0].source_id:
        return None
    (customer,) = found.customers
    metadata = mapping.metadata(found.documents[customer.id])
    if any(flags.blocked(metadata, Flag.of(c.purpose.mapping)) for c in update.changes):
        return None
    return _Person(update, found, customer.id, customer.source_id, metadata)


def _send(connection: Connection, records: Sequence[Mapping[str, Json]]) -> dict[str, Row]:
    """What became of each, by source id, as far as the vendor says."""
    if not records:
        return {}
    return {row.source_id: row for part in update_in_bulk(connection, records) for row in part.rows if row.source_id}


def _answer(connection: Connection, person: _Person, row: Row | None) -> tuple[Effect, ...]:
    missing = person.missing
    if row is not None and row.found is False:
        said = dict.fromkeys(_indexes(person.update.changes), Said(Result.MANUAL, person.found.evidence, CREATED))
    elif missing and not person.update.read_back and row is not None and row.updated:
        said = {c.index: _said(person, c, person.metadata, person.found.evidence) for c in person.update.changes}
        said |= dict.fromkeys(_indexes(missing), Said(Result.ACCEPTED, "", SAMPLED))
    else:
        said = _read_back(connection, person) if missing else {
            c.index: _said(person, c, person.metadata, person.found.evidence) for c in person.update.changes
        }  # fmt: skip
    return tuple(_effect(index, one) for index, one in said.items())


def _read_back(connection: Connection, person: _Person) -> dict[int, Said]:
    answer, metadata = consenting.read_customer(connection, person.id)
    if answer.status == 404:
        return dict.fromkeys(_indexes(person.update.changes), Said(Result.ABSENT, answer.evidence))
    touched = [Flag.of(change.purpose.mapping) for change in person.missing]
    said = {c.index: _said(person, c, metadata, answer.evidence) for c in person.update.changes}
    if flags.others(person.metadata, touched) != flags.others(metadata, touched):
        others = Said(Result.MANUAL, answer.evidence, consenting.OTHERS_CHANGED)
        said |= {c.index: others for c in person.missing if consenting.is_set(metadata, c)}
    return said


def _said(person: _Person, change: ConsentChange, metadata: Mapping[str, Json], evidence: str) -> Said:
    if not consenting.is_set(metadata, change):
        return Said(Result.FAILED, evidence, STILL_OTHER)
    ours = person.update.resumed or change in person.missing
    return Said(Result.UPDATED if ours else Result.UNCHANGED, evidence)


def _effect(index: int, said: Said) -> Effect:
    return Effect(
        index, kinds.CUSTOMER, int(said.result is not Result.ABSENT), said.result, said.evidence, said.reason
    )  # fmt: skip


def _indexes(changes: Iterable[ConsentChange]) -> list[int]:
    return [change.index for change in changes]

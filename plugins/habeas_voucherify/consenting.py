"""Consents: by the endpoint that older projects have, or as a flag in the customer's metadata.

The endpoint (``PUT /v1/customers/{customerId}/consents``) was taken out of the vendor's documents in September 2024 and
answers 404, 405 or 410 where it is gone. No call ever showed what it holds: what it takes is ``accepted``. A flag is
set by reading the metadata, changing one key, writing all of it back (merge or replace is not documented), and reading
it again. Which of the two: the connection's setting ``consent_by``.

Nothing is sent for a customer that was not read in the same call, though neither call creates one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from habeas import (
    ConsentChange,
    ConsentState,
    ConsentUpdate,
    Effect,
    HeldConsent,
    HeldState,
    Purpose,
    Result,
    Subject,
    VendorError,
)
from habeas.connection import Connection
from habeas.http.transport import Answer
from habeas.models import Json
from habeas_voucherify import client, flags, lookup, mapping
from habeas_voucherify.changing import Said, Step, effect_of, trouble
from habeas_voucherify.flags import Flag

__all__ = ["OTHERS_CHANGED", "is_set", "only_flags", "read", "read_customer", "update"]

UNSUBSCRIBED = "unsubscribed"
TAKEN = (
    "Voucherify took the consent, but no call shows what it holds: look at the customer's page in the Voucherify"
    " dashboard, under marketing permissions."
)
NOT_SHOWN = (
    "Voucherify keeps this consent where no call shows it: look at the customer's page in the Voucherify dashboard,"
    " under marketing permissions."
)
WITHDRAWN = (
    "Voucherify has withdrawn its consents endpoint, and the purpose names no metadata flag: add `metadata` to the"
    " purpose's mapping, or let the person use the preference centre that their profile links to."
)
NO_ENDPOINT = "The connection keeps consents by the endpoint, and the purpose names no consent of Voucherify's."
NO_FLAG = "The connection keeps consents as metadata, and the purpose names no metadata flag."
ONE_WAY = (
    "The purpose is mapped to Voucherify's `unsubscribed`, which only withdraws: give consent again on the customer's"
    " page in the Voucherify dashboard."
)
BLOCKED = (
    "The flag cannot be set: the metadata holds something else than an object where the path to the flag leads through."
    " Correct the purpose's mapping or the customer's metadata."
)
OTHERS_CHANGED = (
    "The consent is as wanted, but other metadata of the customer is not as it was just before: somebody else changed"
    " it at the same moment. Compare it in the Voucherify dashboard."
)
ODD_VALUE = "The metadata flag holds neither of the two values that the purpose's mapping names."


# -- reading -----------------------------------------------------------------------------------------------------------


def read(connection: Connection, subject: Subject, purposes: tuple[Purpose, ...]) -> tuple[HeldConsent, ...]:
    """What the metadata flags say; ``unreadable`` for what only the endpoint holds.

    Raises :class:`~habeas.VendorError`.
    """
    found = lookup.who(connection, subject)
    endpoint = _Endpoint(connection)
    reason = " ".join(dict.fromkeys(gap.reason for gap in found.gaps))
    if not found.customers:
        # Whoever was left alone may be the person: that is not absence.
        state = HeldState.UNREADABLE if reason else HeldState.ABSENT
        return tuple(HeldConsent(purpose.name, state, found.evidence, reason) for purpose in purposes)
    metadata = [mapping.metadata(document) for document in found.documents.values()]
    return tuple(_held(connection, purpose, metadata, endpoint, found.evidence, reason) for purpose in purposes)


def _held(
    connection: Connection,
    purpose: Purpose,
    metadata: Sequence[Mapping[str, Json]],
    endpoint: _Endpoint,
    evidence: str,
    reason: str,
) -> HeldConsent:
    by, names = connection.settings.get("consent_by", "automatic"), purpose.mapping
    by_endpoint = by == "endpoint" or (by == "automatic" and _named(names) != "" and endpoint.answers())
    if by_endpoint or "metadata" not in names:
        why = NO_FLAG if by == "metadata" else NOT_SHOWN if _named(names) else NO_ENDPOINT
        return HeldConsent(purpose.name, HeldState.UNREADABLE, evidence, why)
    flag = Flag.of(names)
    states = {flags.held(each, flag) for each in metadata}
    if HeldState.UNREADABLE in states:
        return HeldConsent(purpose.name, HeldState.UNREADABLE, evidence, ODD_VALUE)
    state = states.pop() if len(states) == 1 else HeldState.MIXED
    return HeldConsent(purpose.name, state, evidence, reason)


class _Endpoint:
    """Whether the project still has the consents endpoints. Asked once, and only where it matters."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._answers: bool | None = None

    def answers(self) -> bool:
        """Reads the list of consents that the project defines. Raises :class:`~habeas.VendorError`."""
        if self._answers is None:
            self._answers = client.consents(self._connection).status not in client.WITHDRAWN
        return self._answers

    def withdrawn(self) -> None:
        """A call has shown it."""
        self._answers = False

    @property
    def known_gone(self) -> bool:
        """Whether it need not be tried again."""
        return self._answers is False


# -- changing ----------------------------------------------------------------------------------------------------------


def update(connection: Connection, wanted: ConsentUpdate) -> tuple[Effect, ...]:
    """One effect for each change, the worst over all customers that are the person.

    Raises :class:`~habeas.VendorError` where the person could not be looked for.
    """
    found = lookup.who(connection, wanted.subject)
    before = connection.api.changes
    step, endpoint = Step(), _Endpoint(connection)
    customers = [
        _Customer(connection, wanted, name, mapping.metadata(document), found.evidence, step, endpoint)
        for name, document in found.documents.items()
    ]
    for customer in customers:
        customer.change()
    # A resumed run reads again in any case, and so says the same as one that was not disturbed.
    if wanted.resumed or connection.api.changes != before:
        for customer in customers:
            customer.read_back()
    return tuple(
        effect_of(change.index, (customer.said_of(change) for customer in customers), found, tells=n == 0)
        for n, change in enumerate(wanted.changes)
    )


@dataclass
class _Customer:
    """One customer: how it was, what was done, how it is."""

    connection: Connection
    wanted: ConsentUpdate
    id: str
    metadata: Mapping[str, Json]
    """As read last."""
    evidence: str
    """Of that read."""
    step: Step
    endpoint: _Endpoint
    settled: dict[int, Said] = field(default_factory=dict)
    """Changes of which no read will tell more."""
    flagged: tuple[ConsentChange, ...] = ()
    """Changes that are metadata flags."""
    missing: tuple[ConsentChange, ...] = ()
    """Those that were not as wanted."""
    problem: VendorError | None = None
    """Why the flags could not be written."""
    gone: bool = False

    def change(self) -> None:
        """Sends what has to be sent: what withdraws everything first, so that single consents come after it."""
        flagged = []
        for change in sorted(self.wanted.changes, key=lambda c: UNSUBSCRIBED not in c.purpose.mapping):
            if self.gone or self._by_endpoint(change):
                continue
            flagged.append(change)
        self.flagged = tuple(flagged)
        if not self.gone:
            self._write_flags()

    # -- by the endpoint --------------------------------------------------------------------------------------------

    def _by_endpoint(self, change: ConsentChange) -> bool:
        """Whether the change is settled: at the endpoint, or because there is no way. False: it is a flag."""
        by, names = self.connection.settings.get("consent_by", "automatic"), change.purpose.mapping
        name = "" if by == "metadata" else _named(names)
        has_flag = "metadata" in names and by != "endpoint"
        if not name:
            if not has_flag:
                self.settled[change.index] = Said(Result.UNSUPPORTED, "", NO_FLAG if by == "metadata" else NO_ENDPOINT)
            return not has_flag
        if self.endpoint.known_gone and has_flag:
            return False
        if name == UNSUBSCRIBED and change.state is ConsentState.GRANTED:
            return self._cannot_grant(change, has_flag=has_flag)
        return self._send(change, name, has_flag=has_flag)

    def _cannot_grant(self, change: ConsentChange, *, has_flag: bool) -> bool:
        """A flag may say so only where nothing that was unsubscribed by the endpoint stands against it."""
        answers = self.step.take(self.endpoint.answers) if has_flag else True
        if isinstance(answers, VendorError):
            self.settled[change.index] = trouble(answers)
        elif answers:
            self.settled[change.index] = Said(Result.UNSUPPORTED, "", ONE_WAY)
        return change.index in self.settled

    def _send(self, change: ConsentChange, name: str, *, has_flag: bool) -> bool:
        given = name == UNSUBSCRIBED or change.state is ConsentState.GRANTED
        sent = self.step.take(lambda: client.set_consent(self.connection, self.id, name, given=given))
        if isinstance(sent, VendorError):
            self.settled[change.index] = trouble(sent)
            return True
        assert sent.answer is not None  # noqa: S101 - what cannot be read is never called done
        if sent.answer.status not in client.WITHDRAWN:
            self.settled[change.index] = Said(Result.ACCEPTED, sent.answer.evidence, TAKEN)
            return True
        # A 404 can be the endpoint's, or that of a customer who has just gone.
        unread = self._look()
        if unread is not None:
            self.settled[change.index] = trouble(unread)
        if unread is not None or self.gone:
            return True
        self.endpoint.withdrawn()
        if not has_flag:
            self.settled[change.index] = Said(Result.UNSUPPORTED, sent.answer.evidence, WITHDRAWN)
        return not has_flag

    def _look(self) -> VendorError | None:
        """Reads the customer. The error where that is not possible."""
        seen = self.step.take(lambda: read_customer(self.connection, self.id))
        if isinstance(seen, VendorError):
            return seen
        answer, self.metadata = seen
        self.evidence, self.gone = answer.evidence, answer.status == 404
        return None

    # -- as metadata ------------------------------------------------------------------------------------------------

    def _write_flags(self) -> None:
        for change in self.flagged:
            if flags.blocked(self.metadata, Flag.of(change.purpose.mapping)):
                self.settled[change.index] = Said(Result.MANUAL, self.evidence, BLOCKED)
        self.flagged = tuple(c for c in self.flagged if c.index not in self.settled)
        self.missing = tuple(c for c in self.flagged if not is_set(self.metadata, c))
        if self.missing:
            pairs = [(Flag.of(c.purpose.mapping), c.state) for c in self.missing]
            body = {"metadata": flags.with_flags(self.metadata, pairs)}
            sent = self.step.take(lambda: client.update_customer(self.connection, self.id, body, self._all_set))
            self.problem = sent if isinstance(sent, VendorError) else None

    def _all_set(self) -> bool:
        answer, metadata = read_customer(self.connection, self.id)
        return answer.status == 404 or all(is_set(metadata, change) for change in self.missing)

    def read_back(self) -> None:
        """Reads the flags again, after the last change."""
        if not self.flagged and not self.gone:
            return
        before = self.metadata
        unread = self._look()
        if unread is not None:
            self.settled |= {change.index: trouble(self.problem, unread) for change in self.flagged}
        elif self.missing and not self.gone:
            touched = [Flag.of(change.purpose.mapping) for change in self.missing]
            if flags.others(before, touched) != flags.others(self.metadata, touched):
                said = Said(Result.MANUAL, self.evidence, OTHERS_CHANGED)
                self.settled |= {c.index: said for c in self.missing if is_set(self.metadata, c)}

    # -- what became of it ------------------------------------------------------------------------------------------

    def said_of(self, change: ConsentChange) -> Said:
        """What became of one change here, by the last read."""
        if change.index in self.settled:
            return self.settled[change.index]
        if self.gone:
            return Said(Result.ABSENT, self.evidence)
        if not is_set(self.metadata, change):
            said = trouble(self.problem)
            return Said(said.result, self.evidence, said.reason)
        ours = self.wanted.resumed or change in self.missing
        return Said(Result.UPDATED if ours else Result.UNCHANGED, self.evidence)


def _named(names: Mapping[str, Json]) -> str:
    """What the endpoint is told, empty where the purpose has no name there."""
    return UNSUBSCRIBED if names.get(UNSUBSCRIBED) else str(names.get("consent", ""))


def only_flags(connection: Connection, changes: Sequence[ConsentChange]) -> frozenset[str]:
    """The purposes among them that are metadata flags and nothing else. Raises :class:`~habeas.VendorError`."""
    by, endpoint = connection.settings.get("consent_by", "automatic"), _Endpoint(connection)
    mappings = {change.purpose.name: change.purpose.mapping for change in changes}
    return frozenset(
        name
        for name, names in mappings.items()
        if "metadata" in names
        and by != "endpoint"
        and (by == "metadata" or not _named(names) or not endpoint.answers())
    )


def is_set(metadata: Mapping[str, Json], change: ConsentChange) -> bool:
    """Whether a flag says what the person wants."""
    return flags.is_set(metadata, Flag.of(change.purpose.mapping), change.state)


def read_customer(connection: Connection, customer_id: str) -> tuple[Answer, dict[str, Json]]:
    """A customer's metadata; none where it is gone (404)."""
    answer = client.customer(connection, customer_id)
    return answer, {} if answer.status == 404 else client.read_as(answer, mapping.metadata)

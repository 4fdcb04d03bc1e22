"""A policy and its evaluation: values in, a decision out, no clock, file or network."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Literal

import rfc8785

from habeas_policies.errors import PolicyExpired
from habeas_policies.period import Period

__all__ = ["Action", "After", "Decision", "Facts", "Match", "Policy", "PolicyType", "Rule", "Ruling", "Starts"]

Action = Literal["erase", "retain", "manual"]
PolicyType = Literal["erasure", "access"]
Starts = Literal["received", "end_of_calendar_year"]

_Plain = dict[str, "str | list[str]"]


def _day(value: date, what: str) -> date:
    """A ``datetime`` is a ``date`` to the type checker, but which day it falls on depends on a time zone."""
    if isinstance(value, datetime):
        raise TypeError(f"{what} must be a date in the controller's time zone, not an instant")
    return value


@dataclass(frozen=True)
class Facts:
    """What a policy may know of a record. Nothing in it names a person."""

    connection: str
    plugin: str
    record: str
    """Record kind."""
    categories: tuple[str, ...]
    """DPV categories of personal data (IRIs)."""
    received: date
    """The day the request came in, in the controller's time zone."""

    def __post_init__(self) -> None:
        _day(self.received, "received")


@dataclass(frozen=True)
class Decision:
    """What to do with a record, and why. Text fields are empty where the policy says nothing."""

    action: Action
    reason: str
    legal_basis: str
    """IRI, usually GDPR Art. 6(1) in DPV terms."""
    legal_source: str
    """The law or contract, as people cite it."""
    exemption: str
    """IRI of the exemption from erasure, GDPR Art. 17(3) in DPV terms."""
    until: date | None
    """Last day of the hold; ``None`` where it has no end date or nothing is held."""
    rule: int | None
    """Which of the policy's rules decided, counted from 0; ``None`` is its default."""
    instructions: str = ""
    """``manual``: what a person must do, and where. ``retain``: what happens when the hold ends."""


@dataclass(frozen=True)
class Match:
    """Which records a rule is about. An empty field asks for nothing; all others must hold; a field lists any-of."""

    record: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    plugin: tuple[str, ...] = ()
    connection: tuple[str, ...] = ()

    def _fields(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return (
            ("record", self.record),
            ("category", self.category),
            ("plugin", self.plugin),
            ("connection", self.connection),
        )

    def fits(self, facts: Facts) -> bool:
        """Whether the record is one of those. Names and IRIs are compared exactly, never by prefix or parent."""
        held = ((facts.record,), facts.categories, (facts.plugin,), (facts.connection,))
        return all(
            not wanted or not set(wanted).isdisjoint(have)
            for (_, wanted), have in zip(self._fields(), held, strict=True)
        )

    def covers(self, other: Match) -> bool:
        """Whether every record that ``other`` fits is one that this fits."""
        return all(
            not mine or (theirs and set(theirs) <= set(mine))
            for (_, mine), (_, theirs) in zip(self._fields(), other._fields(), strict=True)
        )

    def meaning(self) -> dict[str, list[str]]:
        """Without what makes no difference: the order of names, one name or a list of one."""
        return {name: sorted(wanted) for name, wanted in self._fields() if wanted}


@dataclass(frozen=True)
class Ruling:
    """What is to happen to a record, and on which ground."""

    action: Action
    reason: str = ""
    legal_basis: str = ""
    legal_source: str = ""
    exemption: str = ""
    period: Period | None = None
    """How long a hold lasts; ``None`` where it has no end date."""
    period_starts: Starts = "received"
    instructions: str = ""

    def until(self, received: date) -> date | None:
        """Last day of the hold for a request of that day.

        The start of the duty itself (an invoice date, a transaction) is not among the facts, so the period is counted
        from the receipt of the request: never earlier than the duty ends for anything dated up to that day.
        """
        if self.period is None:
            return None
        start = date(received.year, 12, 31) if self.period_starts == "end_of_calendar_year" else received
        try:
            return self.period.after(start)
        except OverflowError:
            return date.max  # held, whatever year someone typed

    def meaning(self) -> _Plain:
        """The fields that say something; a period in its one canonical spelling."""
        fields: dict[str, str] = {
            "action": self.action,
            "reason": self.reason,
            "legal_basis": self.legal_basis,
            "legal_source": self.legal_source,
            "exemption": self.exemption,
            "instructions": self.instructions,
        }
        if self.period is not None:
            fields |= {"period": str(self.period), "period_starts": self.period_starts}
        return {name: value for name, value in fields.items() if value}


@dataclass(frozen=True)
class Rule:
    """A ruling for the records that ``match`` fits."""

    match: Match
    ruling: Ruling


@dataclass(frozen=True)
class After:
    """What happens once a case is closed. A field that is ``None`` leaves it to the configuration."""

    recheck: tuple[Period, ...] | None = None
    """When erased people are looked up again, counted from the case's end; empty: never."""
    keep_details: Period | None = None
    """How long the key to what was asked and planned is kept, counted from the case's end."""

    def meaning(self) -> dict[str, str | list[str]]:
        """The fields that say something."""
        said: dict[str, str | list[str]] = {}
        if self.recheck is not None:
            said["recheck"] = [str(period) for period in self.recheck]
        if self.keep_details is not None:
            said["keep_details"] = str(self.keep_details)
        return said


@dataclass(frozen=True)
class Policy:
    """What to do with each kind of record, and why. Rules in order, then the default."""

    name: str
    version: int
    type: PolicyType
    """``erasure``: the action is what becomes of a record. ``access``: ``retain`` hands over a copy and leaves the
    record as it is, ``manual`` has a person look first, and nothing is ever erased."""
    regime: str
    """Which law, as :func:`habeas_policies.regimes` names them."""
    description: str
    default: Ruling
    rules: tuple[Rule, ...] = ()
    expires: date | None = None
    """Last day on which it may be used."""
    after: After = After()
    identity_check: bool = False
    """Whether a case waits until it is confirmed who asked (Art. 12(6) GDPR: where there is reasonable doubt)."""

    @cached_property
    def digest(self) -> str:
        """``sha256:`` + hex over the RFC 8785 form of the policy's meaning.

        Comments, the order of keys and of names in a match, and the spelling of a period make no difference. Texts do:
        they are what a person approves, and what the subject is told.
        """
        meaning: dict[str, object] = {
            "name": self.name,
            "version": self.version,
            "type": self.type,
            "regime": self.regime,
            "description": self.description,
            "default": self.default.meaning(),
            "rules": [{"match": rule.match.meaning(), **rule.ruling.meaning()} for rule in self.rules],
        }
        if self.expires is not None:
            meaning["expires"] = self.expires.isoformat()
        if self.after.meaning():
            meaning["after"] = self.after.meaning()
        if self.identity_check:
            meaning["identity_check"] = True
        return "sha256:" + hashlib.sha256(rfc8785.dumps(meaning)).hexdigest()  # type: ignore[arg-type] # its alias of JSON is invariant

    def require_current(self, on: date) -> None:
        """Raises :class:`PolicyExpired` if ``on`` is after the last day on which the policy may be used."""
        if self.expires is not None and _day(on, "on") > self.expires:
            raise PolicyExpired(
                f"policy {self.name} expired on {self.expires.isoformat()}",
                advice="have it reviewed, then set a later `expires` and a new `version`",
            )

    def evaluate(self, facts: Facts, on: date) -> Decision:
        """What to do with the record on the day ``on`` (in the controller's time zone): the first rule that fits wins.

        A hold that ended before ``on`` does not fit any more, so later rules or the default decide: what no longer has
        a ground to be kept is not kept (GDPR Art. 5(1)(e)). Raises :class:`PolicyExpired`, and nothing else.
        """
        self.require_current(_day(on, "on"))
        for index, rule in enumerate(self.rules):
            until = rule.ruling.until(facts.received)
            if rule.match.fits(facts) and (until is None or on <= until):
                return _decision(rule.ruling, until, index)
        return _decision(self.default, self.default.until(facts.received), None)


def _decision(ruling: Ruling, until: date | None, rule: int | None) -> Decision:
    return Decision(
        action=ruling.action,
        reason=ruling.reason,
        legal_basis=ruling.legal_basis,
        legal_source=ruling.legal_source,
        exemption=ruling.exemption,
        until=until,
        rule=rule,
        instructions=ruling.instructions,
    )

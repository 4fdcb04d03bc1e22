"""Loyalty as arithmetic: transactions, what they add up to, the points still unused, and cards that carry them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from habeas_talonone.sandbox.entities import ACCOUNT, APPLICATION, given, stamp
from habeas_talonone.sandbox.intake import moment

__all__ = ["Balance", "Card", "Program", "Tier", "Transaction", "balance", "by_subledger", "unused"]

Json = dict[str, Any]


@dataclass(frozen=True)
class Transaction:
    """One line of a ledger. ``subledger`` is empty for the main ledger."""

    id: int
    uuid: str
    created: float
    program: int
    type: str
    """``addition`` or ``subtraction``."""
    name: str
    amount: float
    subledger: str = ""
    starts: str = "immediate"
    """``immediate`` or a timestamp."""
    expires: str = "unlimited"
    """``unlimited`` or a timestamp."""
    session: str | None = None

    @property
    def origin(self) -> str:
        """``session`` or ``manual``, what ``loyaltyTransactionType`` filters by."""
        return "session" if self.session else "manual"

    def status(self, at: float) -> str:
        """``pending``, ``expired`` or ``active`` at a moment."""
        if self.starts != "immediate" and moment(self.starts) > at:
            return "pending"
        return "expired" if self.expires != "unlimited" and moment(self.expires) <= at else "active"

    def json(self) -> Json:
        """``LedgerTransactionLogEntryIntegrationAPI``."""
        return self.points(self.amount) | {"type": self.type}

    def points(self, amount: float) -> Json:
        """``LedgerPointsEntryIntegrationAPI`` with what is left of it."""
        return given(customerSessionId=self.session) | {
            "id": self.id,
            "transactionUUID": self.uuid,
            "created": stamp(self.created),
            "programId": self.program,
            "name": self.name,
            "startDate": self.starts,
            "expiryDate": self.expires,
            "subledgerId": self.subledger,
            "amount": amount,
        }


@dataclass(frozen=True)
class Balance:
    """What a ledger adds up to."""

    active: float = 0
    pending: float = 0
    spent: float = 0
    expired: float = 0
    negative: float = 0

    def json(self) -> Json:
        """``LoyaltyBalance``."""
        return {
            "activePoints": self.active,
            "pendingPoints": self.pending,
            "spentPoints": self.spent,
            "expiredPoints": self.expired,
            "negativePoints": self.negative,
        }

    def info(self) -> Json:
        """``LedgerInfo``."""
        return {
            "currentBalance": self.active,
            "pendingBalance": self.pending,
            "negativeBalance": self.negative,
            "expiredBalance": self.expired,
            "spentBalance": self.spent,
            "tentativeCurrentBalance": self.active,
            "tentativePendingBalance": self.pending,
            "tentativeNegativeBalance": self.negative,
        }


def balance(transactions: Iterable[Transaction], at: float) -> Balance:
    """The sums of one ledger at a moment; more spent than active is a negative balance."""
    sums = {"active": 0.0, "pending": 0.0, "expired": 0.0, "spent": 0.0}
    for entry in transactions:
        sums["spent" if entry.type == "subtraction" else entry.status(at)] += entry.amount
    left = sums["active"] - sums["spent"]
    return Balance(max(left, 0), sums["pending"], sums["spent"], sums["expired"], max(-left, 0))


def unused(transactions: Sequence[Transaction], status: str, at: float) -> list[tuple[Transaction, float]]:
    """The additions of this status with what is left of each; the oldest active points are spent first."""
    spent: dict[str, float] = {}
    for entry in transactions:
        if entry.type == "subtraction":
            spent[entry.subledger] = spent.get(entry.subledger, 0) + entry.amount
    left: list[tuple[Transaction, float]] = []
    for entry in transactions:
        if entry.type != "addition" or entry.status(at) != status:
            continue
        taken = min(spent.get(entry.subledger, 0), entry.amount) if status == "active" else 0
        spent[entry.subledger] = spent.get(entry.subledger, 0) - taken
        if entry.amount > taken:
            left.append((entry, entry.amount - taken))
    return left


def by_subledger(transactions: Iterable[Transaction]) -> dict[str, list[Transaction]]:
    """The transactions of each ledger; the main one, ``""``, is always there."""
    ledgers: dict[str, list[Transaction]] = {"": []}
    for entry in transactions:
        ledgers.setdefault(entry.subledger, []).append(entry)
    return ledgers


@dataclass(frozen=True)
class Tier:
    """A level of a program, reached with so many active points."""

    id: int
    name: str
    points: int


@dataclass(frozen=True)
class Program:
    """A loyalty program, by points on the profile or by cards."""

    id: int
    name: str
    title: str
    created: float
    card_based: bool
    users_per_card: int
    tiers: tuple[Tier, ...] = ()

    def json(self) -> Json:
        """``LoyaltyProgram``."""
        return {
            "id": self.id,
            "created": stamp(self.created),
            "accountID": ACCOUNT,
            "name": self.name,
            "title": self.title,
            "description": self.title,
            "subscribedApplications": [APPLICATION],
            "defaultValidity": "unlimited",
            "defaultPending": "immediate",
            "allowSubledger": True,
            "usersPerCardLimit": self.users_per_card,
            "sandbox": False,
            "timezone": "Europe/Berlin",
            "cardBased": self.card_based,
            "tiers": [self._tier(tier) for tier in self.tiers],
        }

    def _tier(self, tier: Tier) -> Json:
        return {
            "id": tier.id,
            "created": stamp(self.created),
            "programID": self.id,
            "name": tier.name,
            "minPoints": tier.points,
        }

    def standing(self, active: float, projected: bool) -> Json:
        """The tier that so many points give, and the way to the next; nothing where there are no tiers."""
        reached = [tier for tier in self.tiers if tier.points <= active]
        ahead = [tier for tier in self.tiers if tier.points > active]
        standing: Json = {}
        if reached:
            standing["currentTier"] = {"id": reached[-1].id, "name": reached[-1].name}
        if ahead:
            standing |= {"pointsToNextTier": ahead[0].points - active, "nextTierName": ahead[0].name}
        if projected and reached:
            standing["projectedTier"] = {
                "projectedActivePoints": active,
                "stayInTierPoints": 0,
                "projectedTierName": reached[-1].name,
            }
        return standing


@dataclass
class Card:
    """A loyalty card; ``profiles`` maps integration ids to when they were linked."""

    id: int
    program: Program
    identifier: str
    created: float
    status: str = "active"
    profiles: dict[str, float] = field(default_factory=dict)
    transactions: list[Transaction] = field(default_factory=list)

    def registrations(self) -> list[Json]:
        """``LoyaltyCardProfileRegistration`` of everybody on the card."""
        return [{"integrationId": one, "timestamp": stamp(at)} for one, at in self.profiles.items()]

    def json(self, now: float) -> Json:
        """``LoyaltyCard``: names everybody on it."""
        ledgers = by_subledger(self.transactions)
        main = ledgers.pop("")
        return {
            "id": self.id,
            "created": stamp(self.created),
            "programID": self.program.id,
            "programName": self.program.name,
            "programTitle": self.program.title,
            "identifier": self.identifier,
            "usersPerCardLimit": self.program.users_per_card,
            "status": self.status,
            "profiles": self.registrations(),
            "ledger": balance(main, now).info(),
            "subledgers": {name: balance(entries, now).info() for name, entries in ledgers.items()},
        }

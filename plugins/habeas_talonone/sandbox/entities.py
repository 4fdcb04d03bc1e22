"""What the vendor holds, one class per thing; each tells its JSON. Times are seconds since the epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

__all__ = [
    "ACCOUNT",
    "APPLICATION",
    "Achievement",
    "Audience",
    "Coupon",
    "Giveaway",
    "Profile",
    "Progress",
    "Referral",
    "given",
    "stamp",
]

ACCOUNT = 31
APPLICATION = 42

Json = dict[str, Any]


@lru_cache(maxsize=4096)
def stamp(seconds: float) -> str:
    """RFC 3339 in UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def given(**values: Any) -> Json:
    """Only the fields that have a value: the vendor leaves the others out."""
    return {name: value for name, value in values.items() if value is not None}


@dataclass
class Profile:
    """A customer profile; ``erased`` marks the shell that some deployments may leave behind."""

    id: int
    integration_id: str
    created: float
    attributes: Json = field(default_factory=dict)
    last_activity: float = 0.0
    erased: bool = False


@dataclass
class Coupon:
    """A coupon; ``reserved`` and ``used`` by integration id."""

    id: int
    value: str
    campaign: int
    created: float
    attributes: Json = field(default_factory=dict)
    recipient: str | None = None
    batch: str = ""
    shared: bool = True
    """May be reserved for many; False: a personal code."""
    implicit: bool = False
    """Visible to everybody without a reservation."""
    usage_limit: int = 0
    """0: unlimited."""
    starts: float | None = None
    expires: float | None = None
    reserved: dict[str, float] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=dict)

    @property
    def usage(self) -> int:
        """Redemptions by anybody."""
        return sum(self.used.values())

    def usable(self, now: float) -> bool:
        """Whether it can be redeemed."""
        return self.validity(now) == "validNow" and not (self.usage_limit and self.usage >= self.usage_limit)

    def validity(self, now: float) -> str:
        """``validNow``, ``validFuture`` or ``expired``."""
        if self.expires is not None and self.expires <= now:
            return "expired"
        return "validFuture" if self.starts is not None and self.starts > now else "validNow"

    def json(self) -> Json:
        """``Coupon``."""
        return given(
            recipientIntegrationId=self.recipient,
            startDate=None if self.starts is None else stamp(self.starts),
            expiryDate=None if self.expires is None else stamp(self.expires),
        ) | {
            "id": self.id,
            "created": stamp(self.created),
            "campaignId": self.campaign,
            "value": self.value,
            "usageLimit": self.usage_limit,
            "usageCounter": self.usage,
            "reservationCounter": len(self.reserved),
            "attributes": dict(self.attributes),
            "reservation": self.shared,
            "batchId": self.batch,
            "isReservationMandatory": False,
            "implicitlyReserved": self.implicit,
        }

    def held_by(self, integration_id: str, now: float) -> Json:
        """``InventoryCoupon``: the coupon as one profile sees it."""
        used = self.used.get(integration_id, 0)
        states = {"expired": "expired", "validFuture": "pending", "validNow": "active"}
        spent = used or (self.usage_limit and self.usage >= self.usage_limit)
        return self.json() | {
            "profileRedemptionCount": used,
            "state": "used" if spent else states[self.validity(now)],
        }


@dataclass
class Referral:
    """A referral code. ``referred``: friend's integration id, session, when."""

    id: int
    code: str
    campaign: int
    created: float
    advocate: str
    friend: str | None = None
    attributes: Json = field(default_factory=dict)
    usage_limit: int = 0
    starts: str | None = None
    expires: str | None = None
    referred: list[tuple[str, str, float]] = field(default_factory=list)

    def json(self) -> Json:
        """``Referral``."""
        return given(startDate=self.starts, expiryDate=self.expires, friendProfileIntegrationId=self.friend) | {
            "id": self.id,
            "created": stamp(self.created),
            "campaignId": self.campaign,
            "advocateProfileIntegrationId": self.advocate,
            "attributes": dict(self.attributes),
            "usageLimit": self.usage_limit,
            "code": self.code,
            "usageCounter": len(self.referred),
        }

    def in_inventory(self) -> Json:
        """``InventoryReferral``: names the friends who came."""
        return self.json() | {"referredCustomers": [friend for friend, _, _ in self.referred]}


@dataclass
class Giveaway:
    """A code out of a pool, awarded to a profile; None once it no longer leads to one."""

    id: int
    code: str
    pool: int
    created: float
    profile: Profile | None
    attributes: Json = field(default_factory=dict)

    def json(self) -> Json:
        """``Giveaway``."""
        owner = (
            {}
            if self.profile is None
            else {"profileIntegrationId": self.profile.integration_id} | {"profileId": self.profile.id}
        )
        return owner | {
            "id": self.id,
            "created": stamp(self.created),
            "code": self.code,
            "poolId": self.pool,
            "attributes": dict(self.attributes),
            "used": True,
        }


@dataclass
class Progress:
    """One round of a person's progress in an achievement."""

    status: str
    progress: int
    started: float
    completed: float | None = None

    def json(self) -> Json:
        """``AchievementProgress``."""
        done = None if self.completed is None else stamp(self.completed)
        return given(completionDate=done) | {
            "status": self.status,
            "progress": self.progress,
            "startDate": stamp(self.started),
        }


@dataclass(frozen=True)
class Achievement:
    """An achievement as a campaign defines it."""

    id: int
    name: str
    title: str
    campaign: int
    target: int
    created: float

    def json(self, current: Progress | None) -> Json:
        """``AchievementStatusEntry``."""
        return given(currentProgress=current.json() if current else None) | {
            "id": self.id,
            "created": stamp(self.created),
            "name": self.name,
            "title": self.title,
            "description": self.title,
            "target": self.target,
            "recurrencePolicy": "on_completion",
            "activationPolicy": "user_action",
            "allowRollbackAfterCompletion": False,
            "campaignId": self.campaign,
            "status": "active",
        }

    def with_progress(self, current: Progress) -> Json:
        """``AchievementProgressWithDefinition``."""
        return current.json() | {
            "achievementId": self.id,
            "name": self.name,
            "title": self.title,
            "description": self.title,
            "campaignId": self.campaign,
            "target": self.target,
            "achievementRecurrencePolicy": "on_completion",
            "achievementActivationPolicy": "user_action",
            "achievementAllowRollbackAfterCompletion": False,
        }

    def in_answer(self, current: Progress | None) -> Json:
        """``CustomerAchievement``, as answers to writes list it."""
        entry = self.json(current)
        for name in ("created", "campaignId", "status"):
            del entry[name]
        return entry | {"isCappedByTarget": True}


@dataclass
class Audience:
    """A segment of profiles; members by integration id."""

    id: int
    name: str
    created: float
    sandbox: bool = False
    description: str = ""
    integration: str | None = None
    integration_id: str | None = None
    third_party: bool | None = None
    last_update: str | None = None
    applications: list[int] = field(default_factory=list)
    members: dict[str, None] = field(default_factory=dict)

    def json(self) -> Json:
        """``Audience``."""
        return given(
            integration=self.integration,
            integrationId=self.integration_id,
            createdIn3rdParty=self.third_party,
            lastUpdate=self.last_update,
        ) | {
            "id": self.id,
            "created": stamp(self.created),
            "accountId": ACCOUNT,
            "name": self.name,
            "sandbox": self.sandbox,
            "description": self.description,
            "subscribedApplicationsIds": list(self.applications),
        }

"""What people do: sessions and events. Each tells its JSON; times are seconds since the epoch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from habeas_talonone.sandbox.entities import APPLICATION, Profile, given, stamp

__all__ = ["Event", "Session"]

Json = dict[str, Any]


def _money(amounts: Iterable[float]) -> float:
    return round(float(sum(amounts)), 2)


@dataclass
class Session:
    """A customer session. ``profile_id`` is the integration id; empty for an anonymous one."""

    id: int
    integration_id: str
    created: float
    profile_id: str = ""
    state: str = "open"
    cart_items: list[Json] = field(default_factory=list)
    attributes: Json = field(default_factory=dict)
    coupon_codes: list[str] = field(default_factory=list)
    referral_code: str = ""
    store: str | None = None
    loyalty_cards: list[str] = field(default_factory=list)
    identifiers: list[str] = field(default_factory=list)
    additional_costs: Json = field(default_factory=dict)
    experiments: list[Json] = field(default_factory=list)
    first: bool = True
    updates: int = 0
    updated: float = 0.0

    @property
    def goods(self) -> float:
        """Sum of the cart's items."""
        return _money(item.get("price", 0) * item["quantity"] for item in self.cart_items)

    @property
    def item_costs(self) -> float:
        """Sum of the costs added to single items."""
        return _money(cost["price"] for item in self.cart_items for cost in item.get("additionalCosts", {}).values())

    @property
    def costs(self) -> float:
        """Sum of all added costs."""
        return _money(cost["price"] for cost in self.additional_costs.values()) + self.item_costs

    @property
    def total(self) -> float:
        """What the session is worth before discounts."""
        return round(self.goods + self.costs, 2)

    def names_someone(self) -> bool:
        """Whether attributes (its own or its items') are left."""
        return bool(self.attributes) or any(item.get("attributes") for item in self.cart_items)

    def clear(self) -> None:
        """Removes the session's attributes, the items' included."""
        self.attributes = {}
        for item in self.cart_items:
            item.pop("attributes", None)

    def json(self) -> Json:
        """``CustomerSessionV2``."""
        return given(storeIntegrationId=self.store) | {
            "id": self.id,
            "created": stamp(self.created),
            "integrationId": self.integration_id,
            "applicationId": APPLICATION,
            "profileId": self.profile_id,
            "couponCodes": list(self.coupon_codes),
            "coupon": self.coupon_codes[0] if self.coupon_codes else "",
            "referralCode": self.referral_code,
            "referral": self.referral_code,
            "loyaltyCards": list(self.loyalty_cards),
            "state": self.state,
            "cartItems": [dict(item) for item in self.cart_items],
            "experimentVariantAllocations": list(self.experiments),
            "additionalCosts": dict(self.additional_costs),
            "identifiers": list(self.identifiers),
            "attributes": dict(self.attributes),
            "firstSession": self.first,
            "updateCount": self.updates,
            "total": self.total,
            "cartItemTotal": self.goods,
            "additionalCostTotal": self.costs,
            "cartItemAdditionalCostTotal": self.item_costs,
            "updated": stamp(self.updated),
        }

    def row(self, profile: Profile | None) -> Json:
        """``ApplicationSession``, as the Management API lists it."""
        return given(storeIntegrationId=self.store, profileId=profile.id if profile else None) | {
            "id": self.id,
            "created": stamp(self.created),
            "integrationId": self.integration_id,
            "applicationId": APPLICATION,
            "profileintegrationid": self.profile_id,
            "coupon": self.coupon_codes[0] if self.coupon_codes else "",
            "referral": self.referral_code,
            "state": self.state,
            "cartItems": [dict(item) for item in self.cart_items],
            "discounts": {},
            "totalDiscounts": 0,
            "total": self.total,
            "attributes": dict(self.attributes),
        }


@dataclass
class Event:
    """An event. ``integration_id`` is its own (advanced events only), ``profile_id`` the person's."""

    id: int
    type: str
    created: float
    profile_id: str = ""
    attributes: Json = field(default_factory=dict)
    session: str = ""
    store: str | None = None
    integration_id: str | None = None

    def json(self) -> Json:
        """``Event``."""
        return given(storeIntegrationId=self.store, integrationId=self.integration_id) | {
            "id": self.id,
            "created": stamp(self.created),
            "applicationId": APPLICATION,
            "profileId": self.profile_id,
            "type": self.type,
            "attributes": dict(self.attributes),
            "sessionId": self.session,
            "effects": [],
            "ledgerEntries": [],
        }

    def advanced(self) -> Json:
        """``EventV3``."""
        common = self.json()
        for name in ("sessionId", "ledgerEntries"):
            del common[name]
        return common | given(connectedSessionId=self.session or None)

    def row(self, profile: Profile | None, session: Session | None) -> Json:
        """``ApplicationEvent``, as the Management API lists it."""
        return given(
            storeIntegrationId=self.store,
            integrationId=self.integration_id,
            profileId=profile.id if profile else None,
            sessionId=session.id if session else None,
        ) | {
            "id": self.id,
            "created": stamp(self.created),
            "applicationId": APPLICATION,
            "type": self.type,
            "attributes": dict(self.attributes),
            "effects": [],
        }

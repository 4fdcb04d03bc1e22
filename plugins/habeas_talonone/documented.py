"""The names of the fields that Talon.One documents, by kind of record, as its answers to an inventory write them.

From the schemas of the vendor's Integration API document (the answer of the inventory and what it holds) and of its
Management API document (``ApplicationSession``, ``ApplicationEvent``, ``ApplicationReferee``), August 2026. Attributes
are the merchant's: of them only those are covered that the documents name in their examples. Each other one, and each
name of an additional cost, is for a person to look at.
"""

from __future__ import annotations

from collections.abc import Mapping

from habeas_talonone.naming import (
    ACHIEVEMENT,
    AUDIENCE,
    CARD,
    COUPON,
    EVENT,
    FRIEND,
    GIVEAWAY,
    PROFILE,
    PROGRAM,
    REFERRAL,
    SESSION,
)

__all__ = ["FIELDS"]

_LEDGER = (
    "currentBalance", "currentTier.downgradePolicy", "currentTier.expiryDate", "currentTier.id", "currentTier.name",
    "currentTier.startDate", "expiredBalance", "negativeBalance", "nextTierName", "pendingBalance", "pointsToNextTier",
    "spentBalance", "tentativeCurrentBalance", "tentativeNegativeBalance", "tentativePendingBalance",
)  # fmt: skip


def _ledgers(*places: str) -> tuple[str, ...]:
    return (*places, *(f"{place}.{name}" for place in places for name in _LEDGER))


FIELDS: Mapping[str, tuple[str, ...]] = {
    PROFILE: (
        "accountId", "attributes", "attributes.Email", "attributes.Name", "audienceMemberships", "closedSessions",
        "created", "id", "integrationId", "lastActivity", "loyaltyMemberships", "loyaltyMemberships[].joined",
        "loyaltyMemberships[].loyaltyProgramId", "sandbox", "totalSales",
    ),
    REFERRAL: (
        "advocateProfileIntegrationId", "attributes", "batchId", "campaignId", "code", "created", "expiryDate",
        "friendProfileIntegrationId", "id", "importId", "referredCustomers", "startDate", "usageCounter", "usageLimit",
    ),
    COUPON: (
        "attributes", "batchId", "campaignId", "created", "discountCounter", "discountLimit", "discountRemainder",
        "expiryDate", "id", "implicitlyReserved", "importId", "isReservationMandatory", "limits", "limits[].action",
        "limits[].entities", "limits[].limit", "limits[].period", "profileRedemptionCount", "recipientIntegrationId",
        "referralId", "reservation", "reservationCounter", "reservationLimit", "startDate", "state", "usageCounter",
        "usageLimit", "value",
    ),
    PROGRAM: ("id", "joinDate", "name", "title", "subLedgers", *_ledgers("ledger", "subLedgers.*")),
    CARD: (
        "batchId", "blockReason", "created", "id", "identifier", "modified", "newCardIdentifier", "oldCardIdentifier",
        "profiles", "profiles[].integrationId", "profiles[].timestamp", "programID", "programName", "programTitle",
        "status", "subledgers", "usersPerCardLimit", *_ledgers("ledger", "subledgers.*"),
    ),
    GIVEAWAY: (
        "attributes", "code", "created", "endDate", "id", "importId", "poolId", "profileId", "profileIntegrationId",
        "startDate", "used",
    ),
    ACHIEVEMENT: (
        "achievementActivationPolicy", "achievementAllowRollbackAfterCompletion", "achievementEndDate",
        "achievementFixedStartDate", "achievementId", "achievementRecurrencePolicy", "campaignId", "completionDate",
        "description", "endDate", "name", "progress", "startDate", "status", "target", "title",
    ),
    AUDIENCE: ("id", "name"),
    SESSION: (
        "applicationId", "attributes", "cartItems", "cartItems[].additionalCosts",
        "cartItems[].adjustmentEffectiveFrom", "cartItems[].adjustmentEffectiveUntil",
        "cartItems[].adjustmentReferenceId", "cartItems[].attributes", "cartItems[].catalogItemID",
        "cartItems[].category", "cartItems[].height", "cartItems[].length", "cartItems[].name", "cartItems[].position",
        "cartItems[].price", "cartItems[].prices.*", "cartItems[].product.*", "cartItems[].quantity",
        "cartItems[].remainingQuantity", "cartItems[].returnedQuantity", "cartItems[].selectedPriceType",
        "cartItems[].sku", "cartItems[].weight", "cartItems[].width", "coupon", "created", "discounts", "discounts.*",
        "id", "integrationId", "profileId", "profileintegrationid", "referral", "state", "storeIntegrationId", "total",
        "totalDiscounts",
    ),
    EVENT: (
        "applicationId", "attributes", "created", "effects", "effects[].*", "id", "integrationId", "profileId",
        "ruleFailureReasons", "ruleFailureReasons[].*", "sessionId", "storeId", "storeIntegrationId", "type",
    ),
    FRIEND: ("advocateIntegrationId", "applicationId", "code", "created", "friendIntegrationId", "sessionId"),
}  # fmt: skip
"""Record kind → names. Objects whose keys are data (programs, ledgers, discounts, prices) have them written ``*``."""

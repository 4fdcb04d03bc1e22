"""The names of the vendor's fields that the declared categories cover, by kind of record. Pure data.

From the vendor's OpenAPI document of August 2026. What the shop fills itself (``metadata`` of everything,
``attributes`` of products) is covered as a field and not below: each new key in it is something to look at.

Imports nothing that is slow to start.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["COVERED", "KEYED"]


def _in(place: str, *names: str) -> tuple[str, ...]:
    """A thing that stands in another, and the names in it. The place itself is seen where nothing stands in it."""
    return (place.removesuffix("[]"), *(f"{place}.{name}" for name in names))


def _each(places: Iterable[str], names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for place in places for name in _in(place, *names))


_TIMES = ("created_at", "updated_at")
_PERIOD = ("start_date", "expiration_date", "validity_timeframe.*", "validity_day_of_week", "validity_hours.*")
_THING = ("id", "object", "metadata", *_TIMES)

_CUSTOMER = (
    *_THING,
    *("source_id", "name", "description", "email", "phone", "birthday", "birthdate", "address.*"),
    *("summary.*", "loyalty.*", "referrals.*", "assets.*", "system_metadata"),
)
_VOUCHER = (
    *_THING,
    *_PERIOD,
    *(
        "code",
        "campaign",
        "campaign_id",
        "category",
        "category_id",
        "categories",
        "categories[].*",
        "type",
        "discount.*",
    ),
    *("gift.*", "loyalty_card.*", "active", "additional_info", "is_referral_code", "holder_id", "referrer_id"),
    *("redemption.*", "publish.*", "assets.*", "validation_rules_assignments.*"),
    *_in("holder", *_CUSTOMER),
)
_SKU = (*_THING, "source_id", "name", "price", "override", "sku", "image_url", "product_id", "currency", "attributes")
_PRODUCT = (*_SKU, *_in("skus", "object", "data_ref", "total", *_in("data[]", *_SKU)))
_ITEM = (
    *(
        "id",
        "object",
        "source_id",
        "related_object",
        "product_id",
        "sku_id",
        "quantity",
        "initial_quantity",
        "metadata",
    ),
    *("applied_quantity", "applied_quantity_amount", "discount_quantity", "applied_discount_quantity", "price"),
    *("amount", "initial_amount", "discount_amount", "applied_discount_amount", "subtotal_amount"),
    *("application_details", "application_details[].*"),
    *_in("product", *_PRODUCT),
    *_in("sku", *_SKU),
)
_ORDER = (
    *_THING,
    *("source_id", "status", "amount", "initial_amount", "discount_amount", "total_discount_amount", "total_amount"),
    *("applied_discount_amount", "total_applied_discount_amount", "items_discount_amount"),
    *("items_applied_discount_amount", "customer_id", "referrer_id", "customer.*", "referrer.*", "redemptions.*"),
    *_in("items[]", *_ITEM),
)
_CAMPAIGN = (
    *_THING,
    *_PERIOD,
    *("name", "campaign_type", "type", "active", "auto_join", "join_once", "is_referral_code", "description"),
    *("category", "category_id", "categories", "categories[].*", "voucher.*", "referral_program.*"),
)
_TIER = (
    *_THING,
    *_PERIOD,
    *("name", "banner", "active", "hierarchy", "promotion_id", "campaign_id", "category_id", "action.*", "campaign.*"),
    *("categories", "categories[].*", "summary.*", "validation_rule_assignments.*"),
)
_LOYALTY_TIER = (
    *_THING,
    *("name", "campaign_id", "config.*", "expiration.*", "points.*", "earning_rules.*", "rewards.*"),
)
_REWARD = (
    *_THING,
    *("name", "type", "assignment_id", "loyalty_tier_id", "parameters.*"),
    *_in("product", *_PRODUCT),
    *_in("sku", *_SKU),
    *_in("customer", *_CUSTOMER),
    *_in("voucher", *_VOUCHER),
)
_REDEMPTION = (
    *_THING,
    *("date", "customer_id", "tracking_id", "amount", "result", "status", "reason", "failure_code", "failure_message"),
    *("redemption", "parent_redemption_id", "related_object_type", "related_object_id", "related_object_parent_id"),
    *("channel", "channel.*", "channel_id", "channel_type", "campaign_name", "gift.*", "loyalty_card.*", "session.*"),
    "related_redemptions.*",
    *_in("customer", *_CUSTOMER),
    *_each(("order", "previous_order"), _ORDER),
    *_in("voucher", *_VOUCHER),
    *_in("promotion_tier", *_TIER),
    *_in("reward", *_REWARD),
)
_PUBLICATION = (
    *_THING,
    *("customer_id", "tracking_id", "channel", "source_id", "result", "failure_code", "failure_message", "vouchers_id"),
    *("vouchers", "metadata.distribution_id", "metadata.source_id", "metadata.source_type"),
    *_in("customer", *_CUSTOMER),
    *_in("voucher", *_VOUCHER),
)
_CUSTOM_EVENT = (
    *_THING,
    *("type", "category", "entity_id", "group_id", "loyalty.*", "referral.*"),
    *_in("customer", *_CUSTOMER),
)
_HOLDER = (
    *_CUSTOMER,
    *("campaign_id", "campaign_type", "customer_id", "holder_role", "publication_id", "redeemable_id"),
    *("redeemable_object", "voucher_type"),
)
_EARNING_RULE = (
    *_THING,
    *_PERIOD,
    *("active", "automation_id", "event", "custom_event.*", "expiration_rules.*", "loyalty.*", "loyalty_tier.*"),
    *("pending_points.*", "segment.*", "source.*", "validation_rule_id"),
)
_TRANSACTION = (
    *_THING,
    *("type", "source", "source_id", "reason", "campaign_id", "voucher_id", "related_transaction_id"),
    *_in("details", *(f"{name}.*" for name in ("balance", "custom_event", "earning_rule", "event", "event_schema"))),
    *(f"details.{name}.*" for name in ("holder_loyalty_tier", "loyalty_tier", "order", "redemption", "rollback")),
    *(f"details.{name}.*" for name in ("pending_points", "reward", "segment")),
    *_each(("details.source_voucher", "details.destination_voucher"), _VOUCHER),
)
_WHAT = (
    *("balance.*", "buckets", "buckets[].*", "created_at", "customer_event.*", "distribution.*", "event_schema.*"),
    *("expiration_date", "failed_at", "pending_points", "pending_points.*", "points", "promotion_stack.*"),
    *("recovered_at", "referral_tier", "referral_tier.*", "reward_assignment.*", "reward_redemption.*", "segment.*"),
    *("sent_at", "source", "source.*", "unconfirmed_customer.*", "validation.*", "voucher_pending_points_balance.*"),
    *_in("campaign", *_CAMPAIGN),
    *_in("customer", *_CUSTOMER),
    *_each(("custom_event", "event"), _CUSTOM_EVENT),
    *_each(("holder", "referrer"), _HOLDER),
    *_each(("loyalty_tier", "loyalty_tier_from", "loyalty_tier_to"), _LOYALTY_TIER),
    *_in("loyalty", *_in("campaign", *_CAMPAIGN), *_in("voucher", *_VOUCHER)),
    *_in("referral", *_in("campaign", *_CAMPAIGN), *_in("voucher", *_VOUCHER), *_in("referrer", *_HOLDER)),
    *_in("earning_rule", *_EARNING_RULE),
    *_in("order", *_ORDER),
    *_in("promotion_tier", *_TIER),
    *_in("publication", *_PUBLICATION),
    *_each(("redemption", "redemption_rollback"), _REDEMPTION),
    *_in("reward", *_REWARD),
    *_in("transaction", *_TRANSACTION),
    *_each(("voucher", "source_voucher", "destination_voucher"), _VOUCHER),
)
_ACTIVITY = (
    *("id", "type", "created_at", "group_id", "category", "data"),
    *_in("data.event_source", "channel", "api_key.*", "user.*"),
    *_in("data.data", *_WHAT),
)
_MEMBERSHIP = (
    "object",
    *_in("member", *_THING, "customer_id", "program_id", "status"),
    *_in("program", *_THING, "name", "status"),
    *("cards", "cards[].*"),
)
_REDEEMABLE = (
    *("id", "created_at", "redeemable_id", "redeemable_object", "customer_id", "holder_role", "campaign_id"),
    *("campaign_type", "voucher_type"),
    *_in("redeemable", "type", "status", *_in("voucher", *_VOUCHER)),
)

COVERED: Mapping[str, tuple[str, ...]] = {
    "customer": _CUSTOMER,
    "activity": _ACTIVITY,
    "segment": ("id", "name", "object"),
    "redeemable": _REDEEMABLE,
    "redemption": _REDEMPTION,
    "publication": _PUBLICATION,
    "voucher": _VOUCHER,
    "order": _ORDER,
    "loyalty_member": _MEMBERSHIP,
}

_CAMPAIGNS, _REDEMPTIONS, _RULES = "loyalty.campaigns", "redemptions", ("earning_rules", "rewards")

KEYED: Mapping[str, tuple[str, ...]] = {
    "customer": (_CAMPAIGNS,),
    "publication": (f"customer.{_CAMPAIGNS}",),
    "order": (_REDEMPTIONS,),
    "redemption": (f"order.{_REDEMPTIONS}", f"previous_order.{_REDEMPTIONS}"),
    "activity": (
        f"data.data.customer.{_CAMPAIGNS}",
        f"data.data.publication.customer.{_CAMPAIGNS}",
        f"data.data.order.{_REDEMPTIONS}",
        f"data.data.redemption.order.{_REDEMPTIONS}",
        f"data.data.redemption.previous_order.{_REDEMPTIONS}",
        *(f"data.data.loyalty_tier{which}.{rules}" for which in ("", "_from", "_to") for rules in _RULES),
    ),
}
"""Objects whose keys are data: campaigns by their name, redemptions and rules by their id."""

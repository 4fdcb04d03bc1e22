"""What Talon.One can hold about a person, as its two APIs show it, and what it keeps for a while anyway."""

from __future__ import annotations

from habeas import Field, Limits, NoticeRule, PluginInfo, RecordKind
from habeas_talonone.documented import FIELDS
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
from habeas_talonone.settings import PURPOSE_SCHEMA, SESSIONS_DAYS, settings_schema

__all__ = ["INFO"]

_DPV = "https://w3id.org/dpv#"
_PD = "https://w3id.org/dpv/pd#"

_CUSTOMER = (_DPV + "CustomerRelationshipManagement", _DPV + "Personalisation")
_REWARD = (_DPV + "PersonalisedBenefits", _DPV + "Marketing")

_KINDS = (
    RecordKind(
        name=PROFILE,
        fields=FIELDS[PROFILE],
        title="Customer profile",
        description="Your profile: the id the shop gave you, the details it keeps about you, and what you spent.",
        categories=(
            _PD + "IndividualProfile",
            _PD + "Identifying",
            _PD + "Contact",
            _PD + "PurchasesAndSpendingHabit",
        ),
        purposes=_CUSTOMER,
        retention="until the shop has it erased",
    ),
    RecordKind(
        name=REFERRAL,
        fields=FIELDS[REFERRAL],
        title="Referral code",
        description="A code you can give to friends, and how often it was used.",
        categories=(_PD + "Identifier", _PD + "SocialNetwork"),
        purposes=_REWARD,
        retention="until the shop deletes the code or its campaign",
        # A referral has attributes of its own and refers to the profile: erasing customer data empties them.
        erased_with=(PROFILE,),
    ),
    RecordKind(
        name=COUPON,
        fields=FIELDS[COUPON],
        title="Coupon",
        description="A voucher code that is reserved for you, or that you have used.",
        categories=(_PD + "Identifier", _PD + "PurchasesAndSpendingHabit"),
        purposes=_REWARD,
        retention="until the shop deletes the coupon or its campaign",
        # As with referrals: a coupon has attributes of its own and refers to the profile.
        erased_with=(PROFILE,),
    ),
    RecordKind(
        name=PROGRAM,
        fields=FIELDS[PROGRAM],
        title="Loyalty points",
        description="Your points in one loyalty program, and how you earned and spent them.",
        categories=(_PD + "PurchasesAndSpendingHabit", _PD + "Transactional"),
        purposes=_REWARD,
        retention="until the shop deletes the points or the program",
    ),
    RecordKind(
        name=CARD,
        fields=FIELDS[CARD],
        title="Loyalty card",
        description="A loyalty card that is linked to you, and its points.",
        categories=(_PD + "Identifier", _PD + "PurchasesAndSpendingHabit", _PD + "Transactional"),
        purposes=_REWARD,
        retention="until the shop deletes the card or its program",
    ),
    RecordKind(
        name=GIVEAWAY,
        fields=FIELDS[GIVEAWAY],
        title="Giveaway",
        description="A gift code that was given to you.",
        categories=(_PD + "Identifier",),
        purposes=_REWARD,
        retention="until the shop deletes the giveaway pool",
        erased_with=(PROFILE,),
    ),
    RecordKind(
        name=ACHIEVEMENT,
        fields=FIELDS[ACHIEVEMENT],
        title="Achievement",
        description="How far you have come towards a goal the shop has set.",
        categories=(_PD + "Behavioural",),
        purposes=_REWARD,
        retention="until the shop deletes the achievement or its campaign",
        erased_with=(PROFILE,),
    ),
    RecordKind(
        name=AUDIENCE,
        fields=FIELDS[AUDIENCE],
        title="Audience",
        description="A group of customers that the shop has put you into.",
        categories=(_PD + "GroupProfile",),
        purposes=(_DPV + "DirectMarketing", _DPV + "Personalisation"),
        retention="until the shop takes you out of the group or deletes it",
        erased_with=(PROFILE,),
    ),
    RecordKind(
        name=SESSION,
        fields=FIELDS[SESSION],
        title="Shopping session",
        description="A visit to the shop: what was in the basket, what it cost, and the codes used.",
        categories=(_PD + "Identifier", _PD + "PurchasesAndSpendingHabit", _PD + "Transactional"),
        purposes=_REWARD,
        retention="until Talon.One's general retention ends",
        # "Entities that reference this customer profile" are emptied with it.
        erased_with=(PROFILE,),
    ),
    RecordKind(
        name=EVENT,
        fields=FIELDS[EVENT],
        title="Event",
        description="Something you did in the shop, as the shop reported it.",
        categories=(_PD + "Behavioural",),
        purposes=_REWARD,
        retention="until Talon.One's general retention ends",
        erased_with=(PROFILE,),
    ),
    RecordKind(
        name=FRIEND,
        fields=FIELDS[FRIEND],
        title="Friend you referred",
        description="That somebody came to the shop with a code of yours, and when.",
        categories=(_PD + "SocialNetwork",),
        purposes=_REWARD,
        retention="until the shop deletes the code or its campaign",
        erased_with=(PROFILE,),
    ),
)


def _notice(text: str, days: int, setting: str) -> NoticeRule:
    how_long = (
        f"The contract with Talon.One decides how long: `{setting}` of the connection overrides the usual number."
    )
    return NoticeRule(f"{text} {how_long}", days=days, setting=setting)


_NOTICES = (
    _notice(
        "Sessions and events, which no call deletes, stay at Talon.One under the person's id until its general"
        " retention ends.",
        SESSIONS_DAYS,
        "sessions_retention_days",
    ),
    _notice("The audit log of the Talon.One account may name the person.", 90, "audit_retention_days"),
    _notice("Logs of calls to Talon.One, with the ids in them, stay for a while.", 40, "logs_retention_days"),
    _notice("Logs of webhooks that Talon.One sent stay for a while.", 30, "webhooks_retention_days"),
    _notice("Processing logs of customer sessions stay for a while.", 14, "session_logs_retention_days"),
    _notice("Talon.One's backups can restore an earlier state for a while.", 7, "backups_retention_days"),
)


INFO = PluginInfo(
    name="talonone",
    title="Talon.One",
    main_kind=PROFILE,
    kinds=_KINDS,
    settings_schema=settings_schema(_NOTICES),
    secrets=("api_key", "management_key"),
    notices=_NOTICES,
    # No number is published for the Integration API. More than three calls at once on one profile are refused (409),
    # but a person is worked on one call at a time.
    limits=Limits(requests_per_second=20.0, concurrency=4),
    erase_order=10,
    purpose_schema=PURPOSE_SCHEMA,
    rectifies=tuple(Field),
)
"""The plugin's description.

Retention numbers: the higher of the two sets that the vendor's page on data retention has shown (the other: 30, 90, 7,
7, 7 days), so that a notice does not end too early; backups: seven days of point-in-time recovery, same page.

``erased_with`` names the profile for the kinds whose documents have ``attributes`` and refer to it ("delete all
attributes on the customer profile and on entities that reference this customer profile", description of
``DELETE /v1/customer_data/{integrationId}``), and for what lives in the profile itself. The points of programs and
cards have no attributes and are not named there: holding them does not hold the profile.
"""

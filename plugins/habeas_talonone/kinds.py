"""What Talon.One can hold about a person, as its Integration API shows it, and what it keeps for a while anyway."""

from __future__ import annotations

from collections.abc import Mapping

from habeas import Limits, NoticeRule, PluginInfo, RecordKind
from habeas.models import Json

__all__ = [
    "ACHIEVEMENT",
    "AUDIENCE",
    "CARD",
    "COUPON",
    "GIVEAWAY",
    "ID_KINDS",
    "INFO",
    "PROFILE",
    "PROGRAM",
    "REFERRAL",
]

PROFILE = "profile"
REFERRAL = "referral"
COUPON = "coupon"
PROGRAM = "loyalty_program"
CARD = "loyalty_card"
GIVEAWAY = "giveaway"
ACHIEVEMENT = "achievement"
AUDIENCE = "audience"

ID_KINDS = ("customer_id", "email", "phone")
"""What a merchant may use as ``integrationId``; the first is the default."""

_DPV = "https://w3id.org/dpv#"
_PD = "https://w3id.org/dpv/pd#"

_CUSTOMER = (_DPV + "CustomerRelationshipManagement", _DPV + "Personalisation")
_REWARD = (_DPV + "PersonalisedBenefits", _DPV + "Marketing")

_KINDS = (
    RecordKind(
        name=PROFILE,
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
        title="Loyalty points",
        description="Your points in one loyalty program, and how you earned and spent them.",
        categories=(_PD + "PurchasesAndSpendingHabit", _PD + "Transactional"),
        purposes=_REWARD,
        retention="until the shop deletes the points or the program",
    ),
    RecordKind(
        name=CARD,
        title="Loyalty card",
        description="A loyalty card that is linked to you, and its points.",
        categories=(_PD + "Identifier", _PD + "PurchasesAndSpendingHabit", _PD + "Transactional"),
        purposes=_REWARD,
        retention="until the shop deletes the card or its program",
    ),
    RecordKind(
        name=GIVEAWAY,
        title="Giveaway",
        description="A gift code that was given to you.",
        categories=(_PD + "Identifier",),
        purposes=_REWARD,
        retention="until the shop deletes the giveaway pool",
        erased_with=(PROFILE,),
    ),
    RecordKind(
        name=ACHIEVEMENT,
        title="Achievement",
        description="How far you have come towards a goal the shop has set.",
        categories=(_PD + "Behavioural",),
        purposes=_REWARD,
        retention="until the shop deletes the achievement or its campaign",
        erased_with=(PROFILE,),
    ),
    RecordKind(
        name=AUDIENCE,
        title="Audience",
        description="A group of customers that the shop has put you into.",
        categories=(_PD + "GroupProfile",),
        purposes=(_DPV + "DirectMarketing", _DPV + "Personalisation"),
        retention="until the shop takes you out of the group or deletes it",
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
        "Sessions and events, which the Integration API can neither list nor delete, stay at Talon.One under the"
        " person's id until its general retention ends.",
        120,
        "sessions_retention_days",
    ),
    _notice("The audit log of the Talon.One account may name the person.", 90, "audit_retention_days"),
    _notice("Logs of calls to Talon.One, with the ids in them, stay for a while.", 40, "logs_retention_days"),
    _notice("Logs of webhooks that Talon.One sent stay for a while.", 30, "webhooks_retention_days"),
    _notice("Processing logs of customer sessions stay for a while.", 14, "session_logs_retention_days"),
    _notice("Talon.One's backups can restore an earlier state for a while.", 7, "backups_retention_days"),
)


def _schema() -> Mapping[str, Json]:
    days = {
        rule.setting: {
            "type": "integer",
            "minimum": 0,
            "maximum": 3650,
            "description": f"Days. Default {rule.days}: one of the vendor's published numbers, not your contract's.",
        }
        for rule in _NOTICES
    }
    return {
        "type": "object",
        "properties": {
            "api_key": {
                "type": "string",
                "minLength": 1,
                "description": "Integration API key. It belongs to one Application, and so to live or to sandbox data.",
            },
            "integration_id": {
                "enum": list(ID_KINDS),
                "default": ID_KINDS[0],
                "description": "What your shop sends as integrationId, where the identity table has no column for it.",
            },
            **days,
        },
        "required": ["api_key"],
        "additionalProperties": False,
    }


INFO = PluginInfo(
    name="talonone",
    title="Talon.One",
    main_kind=PROFILE,
    kinds=_KINDS,
    settings_schema=_schema(),
    secrets=("api_key",),
    notices=_NOTICES,
    # No number is published for the Integration API. More than three calls at once on one profile are refused (409),
    # but a person is worked on one call at a time.
    limits=Limits(requests_per_second=20.0, concurrency=4),
    erase_order=10,
)
"""The plugin's description.

Retention numbers: the higher of the two sets that the vendor's page on data retention has shown (the other: 30, 90, 7,
7, 7 days), so that a notice does not end too early; backups: seven days of point-in-time recovery, same page.

``erased_with`` names the profile for the kinds whose documents have ``attributes`` and refer to it ("delete all
attributes on the customer profile and on entities that reference this customer profile", description of
``DELETE /v1/customer_data/{integrationId}``), and for what lives in the profile itself. The points of programs and
cards have no attributes and are not named there: holding them does not hold the profile.
"""

"""What Voucherify can hold about a person, as its API shows it, and what it keeps for a while anyway.

Imports nothing that is slow to start.
"""

from __future__ import annotations

from habeas import Field, Limits, NoticeRule, PluginInfo, RecordKind
from habeas_voucherify.names import COVERED

__all__ = [
    "ACTIVITY",
    "API_VERSION",
    "CUSTOMER",
    "INFO",
    "LOYALTY_MEMBER",
    "ORDER",
    "PUBLICATION",
    "REDEEMABLE",
    "REDEMPTION",
    "SEGMENT",
    "VOUCHER",
]

CUSTOMER = "customer"
ACTIVITY = "activity"
SEGMENT = "segment"
REDEEMABLE = "redeemable"
REDEMPTION = "redemption"
PUBLICATION = "publication"
VOUCHER = "voucher"
ORDER = "order"
LOYALTY_MEMBER = "loyalty_member"

API_VERSION = "v2018-08-01"
"""The vendor's current dated version, sent as ``X-Voucherify-API-Version`` unless the settings say otherwise."""

_DPV = "https://w3id.org/dpv#"
_PD = "https://w3id.org/dpv/pd#"


def _pd(*names: str) -> tuple[str, ...]:
    return tuple(_PD + name for name in names)


def _dpv(*names: str) -> tuple[str, ...]:
    return tuple(_DPV + name for name in names)


_REWARDS = _dpv("PersonalisedBenefits", "Marketing")
_UNTIL_ERASED = "until the shop has the customer erased"
_UNTIL_DELETED = "until the shop deletes the voucher or its campaign"

_KINDS = (
    RecordKind(
        name=CUSTOMER,
        title="Customer profile",
        description="Your profile: the id the shop gave you, your contact details, and totals of what you spent.",
        categories=_pd("UID", "Name", "Contact", "BirthDate", "PurchasesAndSpendingHabit"),
        purposes=_dpv("CustomerRelationshipManagement", "Personalisation"),
        retention=_UNTIL_ERASED,
        fields=COVERED[CUSTOMER],
    ),
    RecordKind(
        name=ACTIVITY,
        title="Activity",
        description="What you did in the shop and what the shop's promotions did for you, event by event.",
        categories=_pd("Behavioural", "PurchasesAndSpendingHabit"),
        purposes=_dpv("Personalisation", "Marketing"),
        retention=_UNTIL_ERASED,
        erased_with=(CUSTOMER,),
        fields=COVERED[ACTIVITY],
    ),
    RecordKind(
        name=SEGMENT,
        title="Segment",
        description="A group of customers that the shop's rules have put you into.",
        categories=_pd("GroupProfile"),
        purposes=_dpv("DirectMarketing", "Personalisation"),
        retention="until the rule no longer fits you, or the shop has the customer erased",
        erased_with=(CUSTOMER,),
        fields=COVERED[SEGMENT],
    ),
    RecordKind(
        name=REDEEMABLE,
        title="Redeemable",
        description="An offer that you can use: a voucher, gift card or loyalty card that is assigned to you.",
        categories=_pd("Identifier"),
        purposes=_REWARDS,
        retention=_UNTIL_DELETED,
        erased_with=(CUSTOMER,),
        fields=COVERED[REDEEMABLE],
    ),
    RecordKind(
        name=REDEMPTION,
        title="Redemption",
        description="One use of a voucher or promotion by you, with the order it was used for.",
        categories=_pd("Identifier", "PurchasesAndSpendingHabit"),
        purposes=_REWARDS,
        retention=_UNTIL_DELETED,
        erased_with=(CUSTOMER,),
        fields=COVERED[REDEMPTION],
    ),
    RecordKind(
        name=PUBLICATION,
        title="Publication",
        description="One time that the shop gave you a voucher code, with your details as they were then.",
        categories=_pd("Identifier", "Name", "Contact"),
        purposes=_REWARDS,
        retention=_UNTIL_DELETED,
        erased_with=(CUSTOMER,),
        fields=COVERED[PUBLICATION],
    ),
    RecordKind(
        name=VOUCHER,
        title="Voucher",
        description="A voucher, gift card or loyalty card whose holder you are.",
        categories=_pd("Identifier", "PurchasesAndSpendingHabit"),
        purposes=_REWARDS,
        retention=_UNTIL_DELETED,
        erased_with=(CUSTOMER,),
        fields=COVERED[VOUCHER],
    ),
    RecordKind(
        name=ORDER,
        title="Order",
        description="An order of yours, as the shop sent it to work out your discounts.",
        categories=_pd("Purchase", "PurchasesAndSpendingHabit"),
        purposes=_dpv("PersonalisedBenefits", "CustomerOrderManagement"),
        retention=_UNTIL_ERASED,
        erased_with=(CUSTOMER,),
        fields=COVERED[ORDER],
    ),
    RecordKind(
        name=LOYALTY_MEMBER,
        title="Loyalty membership",
        description="Your membership in a loyalty program, with your card and your points.",
        categories=_pd("Identifier", "PurchasesAndSpendingHabit"),
        purposes=_REWARDS,
        retention="until the shop ends the membership or deletes the program",
        erased_with=(CUSTOMER,),
        fields=COVERED[LOYALTY_MEMBER],
    ),
)

_TEXT = {"type": "string", "minLength": 1}
_KEY_PAIR = ["app_id", "app_token"]
_OAUTH = ["client_id", "client_secret"]

_SETTINGS = {
    "type": "object",
    "properties": {
        "app_id": {**_TEXT, "description": "Application ID of a server-side API key. With app_token."},
        "app_token": {**_TEXT, "description": "Secret key of a server-side API key. With app_id."},
        "client_id": {**_TEXT, "description": "Application ID to ask for OAuth tokens with. With client_secret."},
        "client_secret": {**_TEXT, "description": "Secret key to ask for OAuth tokens with. With client_id."},
        "oauth_scope": {
            **_TEXT,
            "default": "api",
            "description": "Scopes of the OAuth token, separated by blanks.",
        },
        "api_version": {
            "type": "string",
            "pattern": r"^(v\d{4}-\d{2}-\d{2})?$",
            "default": API_VERSION,
            "description": "Sent as X-Voucherify-API-Version. Empty: the project's own version.",
        },
        "log_retention_months": {
            "type": "integer",
            "minimum": 0,
            "maximum": 120,
            "default": 6,
            "description": "How long Voucherify keeps its API logs: 6 months, or 12 on dedicated hosts.",
        },
        "consent_by": {
            "enum": ["automatic", "endpoint", "metadata"],
            "default": "automatic",
            "description": "Where consents are kept: by Voucherify's consents endpoint, which newer projects do not"
            " have; as flags in the customer's metadata; or automatic: by the endpoint, and as flags where it is gone.",
        },
        "activity": {
            "enum": ["activity", "activities"],
            "default": "activity",
            "description": "Which list of a customer's activity the project has: activities is the older one.",
        },
        "bulk_version": {
            "enum": ["10-mb", "100-records"],
            "default": "10-mb",
            "description": "How much a bulk call may hold: 10 MB, or 100 records in projects from before August 2024.",
        },
    },
    # Exactly one of the two pairs. Not `oneOf`: so the message names the setting that is missing.
    "if": {"anyOf": [{"required": [name]} for name in _OAUTH]},
    "then": {"required": _OAUTH, "not": {"anyOf": [{"required": [name]} for name in _KEY_PAIR]}},
    "else": {"required": _KEY_PAIR},
    "additionalProperties": False,
}

_PURPOSE = {
    "type": "object",
    "properties": {
        "consent": {
            "type": "string",
            "pattern": "^cnst_[A-Za-z0-9]+$",
            "description": "Id of the consent at Voucherify (cnst_…), for projects that have the consents endpoint.",
        },
        "unsubscribed": {
            "const": True,
            "description": "True: withdrawing unsubscribes the customer from everything. In place of consent.",
        },
        "metadata": {
            **_TEXT,
            "description": "Key of the flag in the customer's metadata; with dots where objects lie inside each other.",
        },
        "granted": {**_TEXT, "description": "What the flag holds for a consent that was given. Default: true."},
        "withdrawn": {**_TEXT, "description": "What it holds for one that was withdrawn. Default: false."},
    },
    "anyOf": [{"required": ["consent"]}, {"required": ["unsubscribed"]}, {"required": ["metadata"]}],
    "not": {"required": ["consent", "unsubscribed"]},
    "dependentRequired": {"granted": ["metadata", "withdrawn"], "withdrawn": ["metadata", "granted"]},
    "additionalProperties": False,
}

_RECTIFIES = (
    Field.EMAIL,
    Field.PHONE,
    Field.NAME,
    Field.FIRST_NAME,
    Field.LAST_NAME,
    Field.BIRTHDATE,
    Field.STREET,
    Field.POSTAL_CODE,
    Field.CITY,
    Field.REGION,
    Field.COUNTRY,
)

_NOTICES = (
    NoticeRule(
        "Voucherify's API logs keep the calls about the person, with the data in them, for a while; files that were"
        " imported as CSV are kept with them. The contract with Voucherify decides how long: six months on shared"
        " hosts, twelve on dedicated ones; `log_retention_months` in the configuration says it.",
        months=6,
        setting="log_retention_months",
    ),
    NoticeRule(
        "What Voucherify sent on before to webhooks, e-mail services and other integrations stays with those who"
        " received it, as long as they keep it."
    ),
)

INFO = PluginInfo(
    name="voucherify",
    title="Voucherify",
    main_kind=CUSTOMER,
    kinds=_KINDS,
    settings_schema=_SETTINGS,
    secrets=("app_id", "app_token", "client_id", "client_secret"),
    notices=_NOTICES,
    # The plan decides what is allowed: 2,000 calls a minute (Organization), 100 (Business), 100 an hour (sandbox). 20 a
    # second stays at 60 % of the first and leaves the rest to the shop. On Business 1.6 a second would be safe, but no
    # default can know the plan; there the vendor answers 429 with the seconds to wait, all threads wait, and nothing
    # that was refused has been done. Who has that plan sets `requests_per_second = 1.2` before running batches.
    limits=Limits(requests_per_second=20.0, concurrency=4, reset_header="X-Rate-Limit-Retry"),
    erase_order=0,
    purpose_schema=_PURPOSE,
    rectifies=_RECTIFIES,
)
"""The plugin's description.

``erased_with`` names the customer for every other kind. Events, segments and orders are counted in the answer to a
permanent deletion; whether redemptions, publications, vouchers and memberships go or lose the customer's name is not
documented, so a hold on any of them holds the customer too.

An order's category is ``Purchase``, not ``Transaction``: what the shop sends here to have discounts worked out is no
accounting voucher, nor a payment.
"""

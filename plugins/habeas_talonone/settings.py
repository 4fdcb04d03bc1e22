"""What can be configured: the connection's settings, and what a purpose is called here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from habeas import Field, NoticeRule
from habeas.models import Json

__all__ = [
    "BUILT_IN",
    "ID_KINDS",
    "PURPOSE_SCHEMA",
    "SESSIONS_DAYS",
    "applications",
    "attribute_names",
    "retention_days",
    "settings_schema",
    "whole_number",
]

ID_KINDS = ("customer_id", "email", "phone")
"""What a merchant may use as ``integrationId``; the first is the default."""

BUILT_IN: Mapping[Field, str] = {Field.NAME: "Name", Field.EMAIL: "Email"}
"""The profile attributes that the vendor's documents name for what habeas can correct; a merchant may have others."""

SESSIONS_DAYS = 120
"""The higher of the two numbers that the vendor's page on data retention has shown."""

_NUMBER = {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "^[0-9]{1,15}$"}]}
_ATTRIBUTE = {"type": "string", "minLength": 1}

PURPOSE_SCHEMA: Mapping[str, Json] = {
    "type": "object",
    "description": "Where Talon.One holds the consent: in an attribute of the profile, in an audience, or in both.",
    "properties": {
        "attribute": {
            **_ATTRIBUTE,
            "description": "Attribute of the customer profile, as the Campaign Manager names it: true is granted, false"
            " withdrawn, unless `granted` and `withdrawn` say otherwise. It must exist in the account.",
        },
        "granted": {**_ATTRIBUTE, "description": "What the attribute holds where it is text: for a consent given."},
        "withdrawn": {**_ATTRIBUTE, "description": "What it holds for a consent withdrawn."},
        "audience": {
            **_NUMBER,
            "description": "Number of the audience that is asked for this purpose: who consents is in it.",
        },
    },
    "anyOf": [{"required": ["attribute"]}, {"required": ["audience"]}],
    "dependentRequired": {"granted": ["attribute", "withdrawn"], "withdrawn": ["attribute", "granted"]},
    "additionalProperties": False,
}


def settings_schema(notices: Sequence[NoticeRule]) -> Mapping[str, Json]:
    """JSON Schema of a connection's own settings."""
    return {
        "type": "object",
        "properties": {**_KEYS, **_RECTIFY, **_CANARY, **{rule.setting: _days(rule) for rule in notices}},
        "required": ["api_key"],
        "dependentRequired": {"management_key": ["application_id"]},
        "additionalProperties": False,
    }


def applications(settings: Mapping[str, Json]) -> tuple[int, ...]:
    """The Applications that are searched for sessions, events and friends; none without a Management API key."""
    if not settings.get("management_key"):
        return ()
    value = settings.get("application_id", ())
    return tuple(dict.fromkeys(int(one) for one in (value if isinstance(value, list | tuple) else (value,))))


def attribute_names(settings: Mapping[str, Json]) -> Mapping[Field, str]:
    """Which attribute of a profile holds each field that can be corrected."""
    configured = settings.get("rectify_attributes")
    return BUILT_IN if configured is None else {Field(name): str(attribute) for name, attribute in configured.items()}


def retention_days(settings: Mapping[str, Json]) -> int:
    """How long sessions and events stay at the vendor: what the contract says, or else the vendor's usual number."""
    return int(settings.get("sessions_retention_days", SESSIONS_DAYS))


def whole_number(settings: Mapping[str, Json], name: str) -> int | None:
    """A setting that is a number, or text of digits; None where it is missing."""
    value = settings.get(name)
    return None if value is None else int(value)


def _days(rule: NoticeRule) -> Mapping[str, Json]:
    return {
        "type": "integer",
        "minimum": 0,
        "maximum": 3650,
        "description": f"Days. Default {rule.days}: one of the vendor's published numbers, not your contract's.",
    }


_KEYS: Mapping[str, Json] = {
    "api_key": {
        "type": "string",
        "minLength": 1,
        "description": "Integration API key. It belongs to one Application, and so to live or to sandbox data.",
    },
    "management_key": {
        "type": "string",
        "minLength": 1,
        "description": "Management API key. With it sessions, events and referred friends are found and handed over.",
    },
    "application_id": {
        "anyOf": [*_NUMBER["anyOf"], {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1}],
        "description": "Number of the Application whose sessions and events are searched, or a list of them: all"
        " Applications of the key's environment (live or sandbox) that customers use.",
    },
    "integration_id": {
        "enum": list(ID_KINDS),
        "default": ID_KINDS[0],
        "description": "What your shop sends as integrationId, where the identity table has no column for it.",
    },
}
_RECTIFY: Mapping[str, Json] = {
    "rectify_attributes": {
        "type": "object",
        "properties": {
            field.value: {**_ATTRIBUTE, "description": f"Attribute of the profile that holds the {field.value}."}
            for field in Field
        },
        "additionalProperties": False,
        "default": {field.value: attribute for field, attribute in BUILT_IN.items()},
        "description": "Which attribute of the profile holds each field that can be corrected, as text.",
    },
}
_CANARY: Mapping[str, Json] = {
    "canary_event": {
        "type": "string",
        "minLength": 1,
        "description": "Type of the event that a canary run tracks. No rule should answer to it.",
    },
    "canary_coupon": {
        "type": "string",
        "minLength": 1,
        "description": "Code of a coupon that a canary run reserves: one that may be reserved for many.",
    },
    "canary_referral_campaign": {
        **_NUMBER,
        "description": "Number of the campaign in which a canary run makes a referral code.",
    },
    "canary_audience": {**_NUMBER, "description": "Number of the audience that a canary run puts its person into."},
}

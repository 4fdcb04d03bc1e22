"""What the plugin says of itself."""

from __future__ import annotations

from habeas import Field, PluginInfo, RecordKind

CUSTOMER, ORDER = "customer", "order"

_DPV = "https://w3id.org/dpv#"
_PD = "https://w3id.org/dpv/pd#"

INFO = PluginInfo(
    name="tiny",
    title="Tiny",
    main_kind=CUSTOMER,
    kinds=(
        RecordKind(
            CUSTOMER,
            "Customer profile",
            "Who you are and how to reach you.",
            categories=(f"{_PD}Name", f"{_PD}EmailAddress", f"{_PD}TelephoneNumber", f"{_PD}PhysicalAddress"),
            purposes=(f"{_DPV}CustomerManagement",),
            retention="Until the shop deletes it.",
            fields=("id", "email", "phone", "name", "street", "marketing"),
        ),
        RecordKind(
            ORDER,
            "Order",
            "What you bought.",
            categories=(f"{_PD}Transactional",),
            purposes=(f"{_DPV}ServiceProvision",),
            retention="Until the shop deletes it.",
            fields=("id", "total"),
        ),
    ),
    settings_schema={
        "type": "object",
        "properties": {"api_key": {"type": "string", "minLength": 1}},
        "required": ["api_key"],
        "additionalProperties": False,
    },
    secrets=("api_key",),
    purpose_schema={
        "type": "object",
        "properties": {"flag": {"enum": ["marketing"]}},
        "required": ["flag"],
        "additionalProperties": False,
    },
    rectifies=(Field.EMAIL, Field.PHONE, Field.NAME, Field.STREET),
)

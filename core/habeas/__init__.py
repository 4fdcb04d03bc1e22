"""habeas: answers a person's data request at every vendor, and proves each step.

This is the public surface for plugin authors: the hook marker, the models and the errors.
"""

from __future__ import annotations

from habeas.changes import (
    Canary,
    CanaryPerson,
    ConsentChange,
    ConsentState,
    ConsentUpdate,
    Correction,
    Effect,
    HeldConsent,
    HeldState,
    Purpose,
    Rectification,
)
from habeas.errors import (
    AuthRejected,
    BadAnswer,
    HabeasError,
    NoAnswer,
    NotSent,
    OutcomeUnknown,
    PluginFault,
    RateLimited,
    Rejected,
    VendorError,
)
from habeas.fields import field_names
from habeas.hookspecs import hookimpl
from habeas.models import (
    Action,
    Document,
    Erasure,
    Export,
    Field,
    Gap,
    Identifier,
    Inventory,
    Limits,
    NoticeRule,
    Omission,
    Outcome,
    PlanItem,
    PluginInfo,
    Record,
    RecordKind,
    Result,
    Subject,
)

__version__ = "0.1.0"

__all__ = [
    "Action",
    "AuthRejected",
    "BadAnswer",
    "Canary",
    "CanaryPerson",
    "ConsentChange",
    "ConsentState",
    "ConsentUpdate",
    "Correction",
    "Document",
    "Effect",
    "Erasure",
    "Export",
    "Field",
    "Gap",
    "HabeasError",
    "HeldConsent",
    "HeldState",
    "Identifier",
    "Inventory",
    "Limits",
    "NoAnswer",
    "NotSent",
    "NoticeRule",
    "Omission",
    "Outcome",
    "OutcomeUnknown",
    "PlanItem",
    "PluginFault",
    "PluginInfo",
    "Purpose",
    "RateLimited",
    "Record",
    "RecordKind",
    "Rectification",
    "Rejected",
    "Result",
    "Subject",
    "VendorError",
    "__version__",
    "field_names",
    "hookimpl",
]

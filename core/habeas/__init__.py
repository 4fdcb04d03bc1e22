"""habeas: answers a person's data request at every vendor, and proves each step.

This is the public surface for plugin authors: the hook marker, the models and the errors.
"""

from __future__ import annotations

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
from habeas.hookspecs import hookimpl
from habeas.models import (
    Action,
    Document,
    Erasure,
    Export,
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
    "Document",
    "Erasure",
    "Export",
    "Gap",
    "HabeasError",
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
    "RateLimited",
    "Record",
    "RecordKind",
    "Rejected",
    "Result",
    "Subject",
    "VendorError",
    "__version__",
    "hookimpl",
]

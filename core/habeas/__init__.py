"""habeas: answers a person's data request at every vendor, and proves each step.

This is the public surface for plugin authors: the hook marker, the models and the errors.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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

_MODULES = ("changes", "errors", "fields", "hookspecs", "models")


def __getattr__(name: str) -> object:
    """Loads what is asked for when it is: the models alone take longer than `habeas --help` may."""
    if name in __all__:
        for module in _MODULES:
            found = vars(import_module(f"habeas.{module}")).get(name)
            if found is not None:
                globals()[name] = found
                return found
    raise AttributeError(f"module 'habeas' has no attribute {name!r}")

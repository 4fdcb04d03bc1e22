"""habeas.toml: read once, checked whole, secrets only as references."""

from __future__ import annotations

from habeas.config.load import (
    ApprovalConfig,
    AuditConfig,
    Config,
    ConnectionConfig,
    ConsentConfig,
    Controller,
    IdentityConfig,
    RetentionConfig,
    load_config,
)
from habeas.config.secrets import resolve_secret

__all__ = [
    "ApprovalConfig",
    "AuditConfig",
    "Config",
    "ConnectionConfig",
    "ConsentConfig",
    "Controller",
    "IdentityConfig",
    "RetentionConfig",
    "load_config",
    "resolve_secret",
]

"""habeas.toml: read once, checked whole, secrets only as references."""

from __future__ import annotations

from habeas.config.load import Config, ConnectionConfig, Controller, IdentityConfig, load_config
from habeas.config.secrets import resolve_secret

__all__ = ["Config", "ConnectionConfig", "Controller", "IdentityConfig", "load_config", "resolve_secret"]

"""From TOML text to frozen configuration, with errors that say where."""

from __future__ import annotations

import ipaddress
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from habeas.errors import ConfigError
from habeas.models import Json

__all__ = ["Config", "ConnectionConfig", "Controller", "IdentityConfig", "load_config", "schema_problems"]

_MAX_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Controller:
    """Who answers the requests."""

    name: str
    regime: str = "gdpr"
    timezone: str = "UTC"
    holidays: str = ""
    contact: str = ""


@dataclass(frozen=True)
class IdentityConfig:
    """Where the identity table is. Exactly one of ``csv`` and ``sqlite`` is set."""

    csv: Path | None = None
    sqlite: Path | None = None
    query: str = ""


@dataclass(frozen=True, repr=False)
class ConnectionConfig:
    """One account at a vendor, secrets still as references."""

    name: str
    plugin: str
    base_url: str
    limits: Mapping[str, float]
    settings: Mapping[str, Json]

    def __repr__(self) -> str:
        return f"ConnectionConfig({self.name}, plugin={self.plugin})"


@dataclass(frozen=True)
class Config:
    """A whole habeas.toml. ``path`` is its file; relative paths in it start at its folder."""

    path: Path
    controller: Controller
    connections: tuple[ConnectionConfig, ...]
    identity: IdentityConfig | None = None
    policies: Path | None = None
    default_policy: Mapping[str, str] = field(default_factory=dict)
    max_wait_seconds: float = 90.0


def load_config(path: Path) -> Config:
    """Reads and checks a file. Raises :class:`ConfigError`: one line, with the place in the file."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read ({error.strerror})", advice="run `habeas init`, or use --config"
        ) from None
    if len(raw) > _MAX_BYTES:
        raise ConfigError(f"{path} is larger than {_MAX_BYTES} bytes")
    try:
        table = tomllib.loads(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} is not TOML: {str(error) or 'nested too deep'}") from None
    for problem in schema_problems(table, _schema()):
        raise ConfigError(f"{path}: {problem}", advice="see docs/configuration.md")
    return _config(path, table)


def schema_problems(value: Json, schema: Mapping[str, Json]) -> Iterable[str]:
    """What is wrong with a value, one line each, without quoting values (they may be secrets)."""
    from jsonschema import Draft202012Validator

    for error in sorted(Draft202012Validator(schema).iter_errors(value), key=lambda e: list(map(str, e.absolute_path))):
        where = ".".join(str(part) for part in error.absolute_path)
        yield f"{where or 'the file'} {_say(error.validator, error.validator_value, error.instance, error.schema)}"


def _say(rule: object, wanted: Json, found: Json, schema: Json) -> str:
    if rule == "required" and isinstance(found, dict):
        return f"lacks {', '.join(name for name in wanted if name not in found)}"
    if rule == "additionalProperties" and isinstance(found, dict):
        known = sorted(schema.get("properties", {}))
        unknown = sorted(set(found) - set(known))
        return f"has unknown settings: {', '.join(unknown)} (known: {', '.join(known)})"
    if rule == "type":
        return f"must be a {wanted if isinstance(wanted, str) else ' or '.join(wanted)}"
    if rule == "enum":
        return f"must be one of {', '.join(map(str, wanted))}"
    if rule == "oneOf":
        return "needs either csv, or sqlite and query"
    if rule == "propertyNames":
        return "has a name that is not lower-case letters, digits, - and _"
    return f"breaks the rule {rule} = {wanted}"


@cache
def _schema() -> Mapping[str, Json]:
    schema: Mapping[str, Json] = json.loads(files("habeas.config").joinpath("config.schema.json").read_text("utf-8"))
    return schema


def _config(path: Path, table: Mapping[str, Json]) -> Config:
    folder = path.parent
    controller = Controller(**table["controller"])
    try:
        ZoneInfo(controller.timezone)
    except (KeyError, ValueError, OSError):
        raise ConfigError(
            f"{path}: controller.timezone is not a known time zone", advice="write Europe/Berlin"
        ) from None
    identity = table.get("identity")
    policies = table.get("policies", {})
    return Config(
        path=path,
        controller=controller,
        connections=tuple(_connection(path, name, c) for name, c in table["connections"].items()),
        identity=None
        if identity is None
        else IdentityConfig(
            csv=folder / identity["csv"] if "csv" in identity else None,
            sqlite=folder / identity["sqlite"] if "sqlite" in identity else None,
            query=identity.get("query", ""),
        ),
        policies=folder / policies["folder"] if "folder" in policies else None,
        default_policy={kind: policies[kind] for kind in ("erasure", "access") if kind in policies},
        max_wait_seconds=float(table.get("run", {}).get("max_wait_seconds", 90)),
    )


def _connection(path: Path, name: str, table: Mapping[str, Json]) -> ConnectionConfig:
    if name in ("email", "phone", "customer_id"):
        raise ConfigError(f"{path}: a connection cannot be called {name}: that is an identifier kind")
    _check_url(f"{path}: connections.{name}.base_url", table["base_url"])
    settings = {k: v for k, v in table.items() if k not in ("plugin", "base_url", "limits")}
    return ConnectionConfig(name, table["plugin"], table["base_url"], table.get("limits", {}), settings)


def _check_url(where: str, url: str) -> None:
    """https, or http on loopback (sandboxes); no credentials, query or fragment."""
    try:
        parts = urlsplit(url)
        port_ok = parts.port is None or 0 < parts.port < 65536
    except ValueError:
        raise ConfigError(f"{where} is not a URL") from None
    if not parts.hostname or not port_ok or not parts.hostname.isascii():
        raise ConfigError(f"{where} is not a URL", advice="write https://host")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError(f"{where} may hold no user, password, query or fragment")
    if parts.scheme == "https" or (parts.scheme == "http" and _loopback(parts.hostname)):
        return
    raise ConfigError(f"{where} must be https", advice="plain http is for sandboxes on 127.0.0.1 only")


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

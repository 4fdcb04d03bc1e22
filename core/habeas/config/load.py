"""From TOML text to frozen configuration, with errors that say where."""

from __future__ import annotations

import ipaddress
import json
import math
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

from habeas.errors import ConfigError
from habeas.models import Field, Json
from habeas_policies import fits

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
    "schema_problems",
]

_MAX_BYTES = 1024 * 1024
_RESERVED = ("email", "phone", "customer_id", "type", "received_at", "regime", "reference", *map(str, Field))
"""Words that already mean something where identifiers, purposes and corrections are given."""
_A_TYPE = {
    "string": "text", "number": "a number", "integer": "a whole number", "boolean": "true or false",
    "object": "a table", "array": "a list",
}  # fmt: skip
"""JSON Schema's types in TOML's words."""
_URL = re.compile(
    r"(?P<scheme>(?i:https?))://"
    r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)*/?"
)


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


@dataclass(frozen=True)
class AuditConfig:
    """Who signs the ledger, and where else its checkpoints go. Empty: not configured."""

    signing_key: str = ""
    """``keyring:SERVICE``; empty: files in the home."""
    mirror: Path | None = None
    timestamp_authority: str = ""
    timestamp_roots: Path | None = None


@dataclass(frozen=True)
class ApprovalConfig:
    """Who may say yes to a plan, and how large one may be."""

    required: bool = False
    valid: str = "P7D"
    """ISO 8601 duration."""
    people: Mapping[str, str] = field(default_factory=dict)
    """Name → public key. Empty: the operating system's users."""
    most_people: int | None = None
    """Of one batch; ``None``: no limit."""
    most_records: int | None = None
    """Of one person; ``None``: no limit."""


@dataclass(frozen=True)
class RetentionConfig:
    """When what is kept about people ends: ISO 8601 durations."""

    details: str = "P90D"
    """Counted from a case's end: the key of its vault."""
    pseudonyms: str = "P3Y"
    """Counted from the end of a quarter: the key of its pseudonyms."""
    suppression: str = ""
    """Counted from an erasure: a place on the suppression list; empty: until somebody lifts it."""


@dataclass(frozen=True)
class ConsentConfig:
    """How consents of many people are sent."""

    read_back: str = "full"
    """``full``, or ``sample:PERCENT``."""
    records: Mapping[str, Json] = field(default_factory=dict)
    """What records of consent tell of the controller and its purposes."""


@dataclass(frozen=True, repr=False)
class ConnectionConfig:
    """One account at a vendor, secrets still as references."""

    name: str
    plugin: str
    base_url: str
    limits: Mapping[str, float]
    settings: Mapping[str, Json]
    fields: Mapping[str, str] = field(default_factory=dict)
    """Fields of the vendor that the plugin does not know, and what they are: ``customer.metadata.size``, a category."""
    quota_timezone: str = "UTC"
    """Whose midnight begins the day of a quota among the limits."""

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
    purposes: Mapping[str, Mapping[str, Mapping[str, Json]]] = field(default_factory=dict)
    """Purpose → connection → what it is called there."""
    canary_domain: str = "canary.invalid"
    """Where the made-up people of canary runs have their e-mail addresses."""
    audit: AuditConfig = AuditConfig()
    retention: RetentionConfig = RetentionConfig()
    approvals: ApprovalConfig = ApprovalConfig()
    consent: ConsentConfig = ConsentConfig()


def load_config(path: Path) -> Config:
    """Reads and checks a file. Raises :class:`ConfigError`: one line, with the place in the file."""
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read ({error.strerror})", advice="run `habeas init`, or use --config"
        ) from None
    if len(raw) > _MAX_BYTES:
        raise ConfigError(f"{path} is larger than {_MAX_BYTES} bytes")
    try:
        table = tomllib.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None
    except (ValueError, RecursionError):
        raise ConfigError(f"{path} is not TOML: a number too long, or nested too deep") from None
    for problem in (*schema_problems(table, _schema()), *_strange_values(table)):
        raise ConfigError(f"{path}: {problem}", advice="see docs/configuration.md")
    return _config(path, table)


def schema_problems(value: Json, schema: Mapping[str, Json]) -> Iterable[str]:
    """What is wrong with a value, one line each, without quoting values (they may be secrets)."""
    if fits(value, schema):
        return
    from jsonschema import Draft202012Validator  # slow to load, and most files need no explanation

    for error in sorted(Draft202012Validator(schema).iter_errors(value), key=lambda e: list(map(str, e.absolute_path))):
        where = ".".join(str(part) for part in error.absolute_path)
        # What is wrong with a name is reported under the rule for names, as if it were a value.
        rule = "propertyNames" if "propertyNames" in error.absolute_schema_path else error.validator
        yield f"{where or 'the file'} {_say(rule, error.validator_value, error.instance, error.schema)}"


def _strange_values(value: Json, where: str = "") -> Iterator[str]:
    """What TOML allows and no setting can mean: ``nan`` (within every bound), ``inf``, a byte 0 in a path."""
    if isinstance(value, float) and not math.isfinite(value):
        yield f"{where} must be a finite number"
    elif isinstance(value, str) and "\0" in value:
        yield f"{where} may not hold the character 0"
    elif isinstance(value, list | dict):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _strange_values(inner, f"{where}.{name}".lstrip("."))


def _say(rule: object, wanted: Json, found: Json, schema: Json) -> str:
    if rule == "required" and isinstance(found, dict):
        return f"lacks {', '.join(name for name in wanted if name not in found)}"
    if rule == "additionalProperties" and isinstance(found, dict):
        known = sorted(schema.get("properties", {}))
        unknown = sorted(set(found) - set(known))
        return f"has unknown settings: {', '.join(unknown)} (known: {', '.join(known)})"
    if rule == "type":
        return "must be " + " or ".join(
            _A_TYPE.get(name, name) for name in ([wanted] if isinstance(wanted, str) else wanted)
        )
    if rule == "dependentRequired" and isinstance(found, dict):
        return (
            f"needs {' and '.join(sorted({n for k, v in wanted.items() if k in found for n in v if n not in found}))}"
        )
    if rule == "pattern" and "P(?=" in str(wanted):
        return "must be a duration such as P90D, P6M or P3Y"
    if rule == "enum":
        return f"must be one of {', '.join(map(str, wanted))}"
    if rule == "oneOf" and all(isinstance(one, dict) and set(one) == {"required"} for one in wanted):
        return "needs exactly one of: " + "; ".join(" and ".join(one["required"]) for one in wanted)
    if rule == "propertyNames":
        return "has a name that is not lower-case letters, digits, - and _"
    return f"breaks the rule {rule} = {wanted}"


@cache
def _schema() -> Mapping[str, Json]:
    schema: Mapping[str, Json] = json.loads(files("habeas.config").joinpath("config.schema.json").read_text("utf-8"))
    return schema


def _config(path: Path, table: Mapping[str, Json]) -> Config:
    folder = path.parent
    controller = _controller(path, table["controller"])
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
        purposes=_purposes(path, table),
        canary_domain=table.get("canary", {}).get("domain", "canary.invalid"),
        audit=_audit(path, table.get("audit", {})),
        retention=RetentionConfig(**table.get("retention", {})),
        approvals=ApprovalConfig(**table.get("approvals", {})),
        consent=_consent(path, table.get("consent", {})),
    )


def _audit(path: Path, table: Mapping[str, Json]) -> AuditConfig:
    authority = table.get("timestamp_authority", "")
    if authority:
        _check_url(f"{path}: audit.timestamp_authority", authority)
    return AuditConfig(
        signing_key=table.get("signing_key", ""),
        mirror=path.parent / table["mirror"] if "mirror" in table else None,
        timestamp_authority=authority,
        timestamp_roots=path.parent / table["timestamp_roots"] if "timestamp_roots" in table else None,
    )


def _controller(path: Path, table: Mapping[str, Json]) -> Controller:
    controller = Controller(**table)
    _check_zone(f"{path}: controller.timezone", controller.timezone)
    return controller


def _check_zone(where: str, zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise ConfigError(f"{where} is not a known time zone", advice="write Europe/Berlin") from None


def _consent(path: Path, table: Mapping[str, Json]) -> ConsentConfig:
    records: Mapping[str, Json] = table.get("records", {})
    unknown = sorted(set(records.get("purposes", {})) - set(table.get("purposes", {})))
    if unknown:
        raise ConfigError(
            f"{path}: consent.records.purposes names {', '.join(unknown)}, which is no purpose",
            advice="name purposes under [consent.purposes]",
        )
    return ConsentConfig(table.get("read_back", "full"), records)


def _purposes(path: Path, table: Mapping[str, Json]) -> Mapping[str, Mapping[str, Mapping[str, Json]]]:
    purposes: Mapping[str, Mapping[str, Mapping[str, Json]]] = table.get("consent", {}).get("purposes", {})
    for name, mappings in purposes.items():
        if name in (*_RESERVED, *table["connections"]):
            raise ConfigError(
                f"{path}: consent.purposes.{name} has the name of an identifier", advice="call the purpose otherwise"
            )
        unknown = sorted(set(mappings) - set(table["connections"]))
        if unknown:
            raise ConfigError(
                f"{path}: consent.purposes.{name} names {', '.join(unknown)}, which is no connection",
                advice=f"connections: {', '.join(table['connections'])}",
            )
    return purposes


def _connection(path: Path, name: str, table: Mapping[str, Json]) -> ConnectionConfig:
    if name in _RESERVED:
        raise ConfigError(
            f"{path}: a connection cannot be called {name}: identifiers and columns of request files are",
            advice="call it by its vendor",
        )
    _check_url(f"{path}: connections.{name}.base_url", table["base_url"])
    settings = {k: v for k, v in table.items() if k not in ("plugin", "base_url", "limits", "fields")}
    limits, fields = dict(table.get("limits", {})), table.get("fields", {})
    zone = limits.pop("quota_timezone", "UTC")
    _check_zone(f"{path}: connections.{name}.limits.quota_timezone", zone)
    return ConnectionConfig(name, table["plugin"], table["base_url"], limits, settings, fields, zone)


def _check_url(where: str, url: str) -> None:
    """https, or http on loopback (sandboxes): host, port and plain path segments, no credentials, query or fragment.

    One grammar of our own: URL parsers differ in what they strip (line breaks), fold (``..``) or take for a user name.
    """
    if any(c in url for c in "@?#"):
        raise ConfigError(f"{where} may hold no user, password, query or fragment")
    match = _URL.fullmatch(url)
    if match is None or not 0 < int(match["port"] or 443) < 65536:
        raise ConfigError(f"{where} is not a URL", advice="write https://host or https://host/path")
    if match["scheme"].lower() == "http" and not _loopback(match["host"].strip("[]").lower()):
        raise ConfigError(f"{where} must be https", advice="plain http is for sandboxes on 127.0.0.1 only")


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

"""A link: one configured connection, opened: settings checked, secrets resolved, limits shared by all its threads."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from habeas.cases.quotas import Meter, Quotas
from habeas.changes import Purpose
from habeas.clock import Clock
from habeas.config.load import ConnectionConfig, schema_problems
from habeas.config.secrets import resolve_secret, resolve_secret_file
from habeas.connection import Connection
from habeas.control import RunControl
from habeas.engine.crew import Crew
from habeas.errors import ConfigError
from habeas.http.api import Api, Journal
from habeas.http.breaker import Breaker
from habeas.http.limits import Limiter
from habeas.http.transport import Transport
from habeas.models import Json, Limits, PluginInfo

if TYPE_CHECKING:
    from habeas.config import Config
    from habeas.registry import Registry

__all__ = ["Link", "open_links"]


class Link:
    """What all cases share at one connection."""

    def __init__(
        self, name: str, info: PluginInfo, settings: Mapping[str, Json], base_url: str, limits: Limits,
        registry: Registry, clock: Clock, *, purposes: Mapping[str, Purpose] = MappingProxyType({}),
        known_fields: Mapping[str, str] = MappingProxyType({}), meter: Meter | None = None,
    ) -> None:  # fmt: skip
        self.name, self.info, self.limits = name, info, limits
        self.purposes = purposes
        """By name: those that have a mapping here."""
        self.known_fields = known_fields
        """``RECORD.FIELD`` → what the configuration says it is."""
        # Hooks see it from many threads: nobody may change it for the others.
        self.settings = MappingProxyType(dict(settings))
        self.base_url = base_url
        self._clock = clock
        self._transport = Transport(base_url, limits, clock)
        self.meter = meter
        """Counts calls against a quota; None where the connection has none."""
        self._limiter = Limiter(limits, clock, meter)
        self._breaker = Breaker(limits, clock)
        self._auth = registry.authenticator(
            info.name, settings=dict(settings), base_url=base_url, transport=self._transport
        )
        self.crew = Crew(f"habeas-{name}", limits.concurrency)

    @property
    def calls(self) -> int:
        """How many calls were sent to the vendor since it was opened."""
        return self._limiter.started

    @property
    def left_alone(self) -> int:
        """How often the vendor was left alone for a while, because it did not answer or had asked for it."""
        return self._breaker.openings + self._limiter.long_pauses

    def asked_again_in(self) -> float:
        """Seconds for which it is left alone now; 0: it is asked as usual."""
        return max(self._breaker.pause_left(), self._limiter.pause_left())

    def connection(self, control: RunControl, journal: Journal | None = None) -> Connection:
        """The connection as hooks see it; without a journal it can only read."""
        api = Api(self._transport, self._auth, self._limiter, control.here, journal, breaker=self._breaker)
        # Inside a list or a table of it something could be changed, for all cases: each has its own.
        return Connection(self.name, MappingProxyType(copy.deepcopy(dict(self.settings))), api, self._clock)


def open_links(config: Config, registry: Registry, clock: Clock, quotas: Quotas | None = None) -> dict[str, Link]:
    """All configured connections, in configured order. Raises :class:`ConfigError` before anything is sent.

    ``quotas`` counts the calls of those that have a quota; without it they are not counted.
    """
    links = {}
    for connection in config.connections:
        info = registry.info(connection.plugin)
        where = f"{config.path}: connections.{connection.name}"
        settings = _settings(config, connection, info, where)
        unknown = {name.partition(".")[0] for name in connection.fields} - {kind.name for kind in info.kinds}
        if unknown:
            raise ConfigError(
                f"{where}.fields: {', '.join(sorted(unknown))} is no kind of record there",
                advice=f"write RECORD.FIELD; records: {', '.join(kind.name for kind in info.kinds)}",
            )
        limits = dataclasses.replace(
            info.limits, **connection.limits, quota_timezone=connection.quota_timezone  # type: ignore[arg-type] # the schema has typed them
        )  # fmt: skip
        links[connection.name] = Link(
            connection.name, info, settings, connection.base_url, limits, registry, clock,
            purposes=_purposes(config, connection.name, info), known_fields=connection.fields,
            meter=None if quotas is None else quotas.meter(connection.name, limits),
        )  # fmt: skip
    return links


def _purposes(config: Config, connection: str, info: PluginInfo) -> Mapping[str, Purpose]:
    purposes = {}
    for name, mappings in config.purposes.items():
        if connection not in mappings:
            continue
        where = f"{config.path}: consent.purposes.{name}.{connection}"
        if not info.purpose_schema:
            raise ConfigError(f"{where}: plugin {info.name} knows no purposes", advice="take the mapping out")
        for problem in schema_problems(mappings[connection], info.purpose_schema):
            raise ConfigError(f"{where}: {problem}", advice="see `habeas plugin list --json`, purpose")
        purposes[name] = Purpose(name, mappings[connection])
    return purposes


def _settings(config: Config, connection: ConnectionConfig, info: PluginInfo, where: str) -> Mapping[str, Json]:
    settings = dict(connection.settings)
    for problem in schema_problems(settings, info.settings_schema):
        raise ConfigError(f"{where}: {problem}", advice=f"see `habeas plugin list` and the docs of {info.name}")
    for name in info.secrets:
        if name in settings:
            settings[name] = resolve_secret(settings[name], f"{where}.{name}", folder=config.path.parent)
    for name in info.secret_files:
        if name in settings:
            settings[name] = resolve_secret_file(settings[name], f"{where}.{name}", folder=config.path.parent)
    return settings

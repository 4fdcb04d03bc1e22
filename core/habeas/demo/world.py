"""A made-up shop: sandbox vendors on loopback, seeded people, and the files a real shop would have."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from habeas.home import private_folder, write_private
from habeas.registry import Registry
from habeas.testing.people import Person, seeded_people
from habeas.testing.sandbox import SandboxServer

__all__ = ["World"]


_CONTROLLER = """\
[controller]
name = "Example Shop GmbH"
regime = "gdpr"
timezone = "Europe/Berlin"
holidays = "DE-BE"
contact = "privacy@shop.example"
"""


class World:
    """Every installed vendor that has a sandbox, serving the same seeded people."""

    def __init__(
        self, registry: Registry, servers: Mapping[str, SandboxServer], people: Sequence[Person],
        tokens: Mapping[str, Mapping[str, str]],
    ) -> None:  # fmt: skip
        self._registry, self._tokens = registry, tokens
        self.servers, self.people = servers, people

    @classmethod
    def start(cls, registry: Registry, count: int, *, port: int = 0, latency: float = 0.0) -> World:
        """Seeds ``count`` people and serves each vendor; from ``port`` upwards, or on free ports."""
        names = [name for name in registry.infos if registry.implements(name, "sandbox")]
        people = seeded_people(count, names)
        servers, tokens = {}, {}
        for number, name in enumerate(names):
            app = registry.sandbox(name)
            tokens[name] = dict(app.seed(people))
            servers[name] = SandboxServer(app, port + number if port else 0, latency=latency)
        for server in servers.values():
            server.start()
        return cls(registry, servers, people, tokens)

    def stop(self) -> None:
        """Stops serving."""
        for server in self.servers.values():
            server.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def held(self, person: Person) -> dict[str, Mapping[str, int]]:
        """The truth: what each vendor still holds about somebody; vendors that hold nothing are left out."""
        truth = {name: server.app.held(person) for name, server in self.servers.items()}
        return {name: counts for name, counts in truth.items() if counts}

    def changing_calls(self) -> int:
        """How many calls that were not plain reads have reached the vendors."""
        return sum(len(server.changing_calls()) for server in self.servers.values())

    # -- the shop's files -------------------------------------------------------------------------------------------

    def write_setup(self, folder: Path) -> Path:
        """``habeas.toml``, ``customers.csv`` and the sandboxes' secrets (0600). Returns the configuration's path."""
        private_folder(folder / "secrets")
        write_private(folder / "customers.csv", self.identity_csv().encode())
        blocks = [_CONTROLLER, '[identity]\ncsv = "customers.csv"\n']
        for name, server in self.servers.items():
            blocks.append(self._connection(folder, name, server))
        blocks.append(self._purposes())
        path = folder / "habeas.toml"
        write_private(path, "\n".join(blocks).encode())
        return path

    def _connection(self, folder: Path, name: str, server: SandboxServer) -> str:
        secrets = self._registry.infos[name].secrets
        lines = [f"[connections.{name}]", f'plugin = "{name}"', f'base_url = "{server.base_url}"']
        for setting, value in server.app.settings().items():
            written = value
            if setting in secrets:
                write_private(folder / "secrets" / f"{name}.{setting}", value.encode())
                written = f"file:secrets/{name}.{setting}"
            lines.append(f"{setting} = {json.dumps(written)}")
        limits = ["requests_per_second = 2000", "concurrency = 8", "attempts = 3", "timeout_seconds = 5"]
        return "\n".join([*lines, "", f"[connections.{name}.limits]", *limits, ""])

    def _purposes(self) -> str:
        """What each purpose is called at each vendor."""
        purposes: dict[str, list[str]] = {}
        for name, server in self.servers.items():
            if not self._registry.infos[name].purpose_schema:
                continue
            for purpose, mapping in server.app.purposes().items():
                inner = ", ".join(f"{key} = {json.dumps(value)}" for key, value in mapping.items())
                purposes.setdefault(purpose, []).append(f"{name} = {{ {inner} }}" if inner else f"{name} = {{}}")
        return "\n".join(
            "\n".join((f"[consent.purposes.{purpose}]", *lines, "")) for purpose, lines in purposes.items()
        )

    def identity_csv(self) -> str:
        """One row per person; a column for each vendor whose records only its own ids can find."""
        columns = [name for name, tokens in self._tokens.items() if tokens]
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(["email", "phone", "customer_id", *columns])
        for person in self.people:
            ids = [self._tokens[name].get(person.customer_id, "") for name in columns]
            writer.writerow([person.email, person.phone, person.customer_id, *ids])
        return text.getvalue()

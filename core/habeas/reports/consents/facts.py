"""What a record of consent needs and only the controller knows: from ``[consent.records]`` of the configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from habeas.errors import ConfigError
from habeas.models import Json

__all__ = ["Consent", "Facts", "Recipient"]


@dataclass(frozen=True, repr=False)
class Consent:
    """What one person has said about one purpose. Personal data."""

    record_id: str
    """A UUID, the same at each export."""
    person: str
    """What the shop calls them."""
    purpose: str
    granted_at: datetime | None
    withdrawn_at: datetime | None
    granted: bool
    """Whether the consent stands."""


@dataclass(frozen=True)
class Recipient:
    """A connection that is told of the consent."""

    name: str
    """What the vendor is called, for people."""


@dataclass(frozen=True)
class Facts:
    """The controller's facts; what is asked for and missing is noted, and told all at once."""

    controller: str
    regime: str
    table: Mapping[str, Json]
    """``[consent.records]``."""
    recipients: Mapping[str, Sequence[Recipient]]
    """Purpose → who is told."""

    def require(self, names: Sequence[str], purposes: Sequence[str], of_purpose: Sequence[str]) -> None:
        """Raises :class:`ConfigError` naming all that is missing: dotted names, and names in each purpose's table."""
        missing = [name for name in names if self.get(name) is None]
        for purpose in purposes:
            missing += [f"purposes.{purpose}.{name}" for name in of_purpose if self.of(purpose, name) is None]
        if missing:
            raise ConfigError(
                f"a consent record needs facts that are not configured: {', '.join(missing)}",
                advice="name them under [consent.records] in habeas.toml",
            )

    def get(self, name: str) -> Json:
        """``controller.email``; None where it is not configured."""
        value: Json = self.table
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value

    def of(self, purpose: str, name: str) -> Json:
        """A fact of one purpose, or of all of them where it has none of its own."""
        own = self.get(f"purposes.{purpose}.{name}")
        return self.get(name) if own is None else own

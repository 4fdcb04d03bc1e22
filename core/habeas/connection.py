"""One configured account at a vendor, as a plugin's hooks see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from habeas.clock import Clock
from habeas.http.api import Api
from habeas.models import Json

__all__ = ["Connection"]


@dataclass(frozen=True, repr=False)
class Connection:
    """What a hook works with. ``settings`` are the plugin's own, validated, secrets resolved."""

    name: str
    settings: Mapping[str, Json]
    api: Api
    clock: Clock

    def __repr__(self) -> str:
        return f"Connection({self.name})"

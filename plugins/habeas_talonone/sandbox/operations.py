"""One row of the vendor's documents, and the pieces that many rows share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from habeas.testing.sandbox import Reply
from habeas_talonone.sandbox.intake import Check, Param, Refused, Request, items, mapping, number, text, whole
from habeas_talonone.sandbox.state import State

__all__ = [
    "ATTRIBUTES",
    "CAMPAIGN_IDS",
    "DRY",
    "INTEGRATION_ID",
    "PAGING",
    "SILENT",
    "SORTED",
    "Operation",
    "check_attributes",
    "flags",
]

Handler = Callable[[State, Request], Reply]


@dataclass(frozen=True)
class Operation:
    """Where an operation is, whose key opens it, what it accepts, and who answers."""

    method: str
    path: str
    handler: Handler
    query: Mapping[str, Param] = field(default_factory=dict)
    body: Check | None = None
    """None: the operation takes no body; otherwise one is required."""
    api: Literal["integration", "management"] = "integration"
    idempotent: bool = False
    """Whether the ``Idempotency-Key`` header is offered (Integration API, 2026-08)."""

    @property
    def changes(self) -> bool:
        """Whether it can run into another write to the same profile."""
        return self.api == "integration" and self.method != "GET"


def flags(*names: str) -> dict[str, Param]:
    """Boolean parameters, false unless sent."""
    return {name: Param("flag", default=False) for name in names}


PAGING = {"pageSize": whole(1, 1000, 1000), "skip": whole(0, None, 0)}
SORTED = PAGING | {"sort": Param(low=1)}
DRY = flags("dry")
SILENT = {"silent": Param(default="yes", choices=("yes", "no"))}

ATTRIBUTES = mapping()
CAMPAIGN_IDS = items(number(integer=True))
INTEGRATION_ID = text(1, 1000)


def check_attributes(state: State, attributes: Mapping[str, Any], at: str) -> None:
    """An attribute must have been created in the account before; else 400 with ``source.pointer``.

    A null is refused as well: whether it unsets an attribute is not documented, so nobody may rely on it.
    """
    for name, value in attributes.items():
        pointer = {"pointer": f"{at}/{name.replace('~', '~0').replace('/', '~1')}"}
        if name not in state.known_attributes:
            raise Refused(400, "Invalid attribute", "the attribute does not exist in the account", pointer)
        if not _is_value(value):
            raise Refused(400, "Invalid attribute", "the value has a type no attribute can have", pointer)


def _is_value(value: object) -> bool:
    many: Iterable[object] = value if isinstance(value, list) else [value]
    return all(isinstance(one, (str, bool, int, float)) for one in many)

"""What each figure counts. The definitions are data: ``figures.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

__all__ = ["FAMILIES", "RULES", "Family"]


@dataclass(frozen=True)
class Family:
    """Figures that count the same thing: all of it, and cut by what it is about."""

    name: str
    section: str
    """The section's id."""
    title: str
    unit: str
    definition: str
    """How to count it again, in words."""
    cuts: tuple[tuple[str, ...], ...]
    """By what it is counted; the empty cut counts all of it."""


def _family(row: dict[str, Any]) -> Family:
    cuts = tuple(tuple(cut) for cut in row.get("by", ()))
    total = ((),) if row.get("total", True) else ()
    return Family(row["name"], row["section"], row["title"], row.get("unit", ""), row["counts"], (*total, *cuts))


_TABLE: Final = tomllib.loads(files("habeas.reports.compliance").joinpath("figures.toml").read_text(encoding="utf-8"))
RULES: Final[tuple[str, ...]] = tuple(_TABLE["rules"])
"""How everything is counted. The report states them, filled in."""
FAMILIES: Final = {row["name"]: _family(row) for row in _TABLE["figures"]}

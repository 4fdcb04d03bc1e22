"""One check and what it found, as `habeas doctor` shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding"]


@dataclass(frozen=True)
class Finding:
    """One check and what it found."""

    check: str
    state: Literal["ok", "warning", "failed"]
    detail: str

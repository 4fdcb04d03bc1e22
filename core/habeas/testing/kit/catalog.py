"""All checks, in the order in which they are best mended."""

from __future__ import annotations

from habeas.testing.kit import (
    canaries,
    changing,
    crowd,
    describing,
    erasing,
    faults,
    journalled,
    paging,
    reading,
    sending,
    standing,
    together,
)
from habeas.testing.kit.verdict import Check

__all__ = ["CHECKS"]

CHECKS: tuple[Check, ...] = (
    *describing.CHECKS,
    *standing.CHECKS,
    *reading.CHECKS,
    *paging.CHECKS,
    *sending.CHECKS,
    *journalled.CHECKS,
    *erasing.CHECKS,
    *changing.CHECKS,
    *together.CHECKS,
    *canaries.CHECKS,
    *crowd.CHECKS,
    *faults.CHECKS,
)

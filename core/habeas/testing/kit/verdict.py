"""What a check says, and how it says that a rule is broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from habeas.testing.kit.bench import Bench

__all__ = ["Broken", "Check", "Verdict"]


class Broken(Exception):
    """A rule is broken. The text says what is wrong, at which call, and what to do."""


@dataclass(frozen=True)
class Verdict:
    """What one check found."""

    check: str
    """The check's name: ``erase-true``."""
    title: str
    """The rule, in a sentence."""
    ok: bool
    problem: str
    """What is wrong, at which call, and what to do; empty where all is well. No identifier of anybody."""
    calls: int
    """How many requests the check made the plugin send."""


@dataclass(frozen=True)
class Check:
    """One rule and the code that tries it. ``run`` raises :class:`Broken`."""

    name: str
    title: str
    run: Callable[[Bench], None]
    needs: tuple[str, ...] = ()
    """Optional hooks: a plugin without one of these is not asked."""

"""Makes broken plugins of the good one: a module with all of its hooks but those that are given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from tests.habeas.testing.kit import habeas_tiny

from habeas import hookimpl

__all__ = ["Mutant", "broken"]


@dataclass(frozen=True)
class Mutant:
    """A plugin that breaks one rule, the check that must say so, and words of what it must say."""

    check: str
    says: str
    plugin: ModuleType


def broken(check: str, says: str, /, **hooks: Callable[..., Any]) -> Mutant:
    """The good plugin with other hooks."""
    module = ModuleType("habeas_broken")
    for name, value in vars(habeas_tiny).items():
        if hasattr(value, "habeas_impl"):
            setattr(module, name, value)
    for name, hook in hooks.items():
        setattr(module, name, hookimpl(lambda made=hook: made()) if isinstance(hook, type) else hookimpl(hook))
    return Mutant(check, says, module)

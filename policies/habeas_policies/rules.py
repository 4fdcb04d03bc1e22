"""The table of deadline rules, as values. Data: ``deadlines.toml``, ``deadlines-unconfirmed.toml``."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import rfc8785

from habeas_policies.errors import PolicyProblem, shown
from habeas_policies.period import Period

__all__ = [
    "Acknowledgement",
    "Effect",
    "ExtensionRule",
    "Moves",
    "PauseReason",
    "PauseRule",
    "Refusal",
    "Rule",
    "pick",
    "regimes",
    "rules",
]

Effect = Literal["restart", "skip"]
PauseReason = Literal["identity", "fee", "clarification"]
"""What the controller waits for: who the person is, a fee or share of the costs, or what the request is about."""

_FILES = ("deadlines.toml", "deadlines-unconfirmed.toml")


@dataclass(frozen=True)
class _Cited:
    source: str
    """The law or guidance, as people cite it."""
    confirmed: bool
    """Whether it was read in a source. Otherwise it is general knowledge, which must be checked."""


@dataclass(frozen=True)
class Moves(_Cited):
    """The end moves to the next working day when it is none itself."""


@dataclass(frozen=True)
class ExtensionRule(_Cited):
    """By how much the period may be extended. Both empty: the controller announces a day."""

    total: Period | None = None
    """From the start of the clock to the latest end."""
    further: Period | None = None
    """What is added to the first period, as the law says it."""


@dataclass(frozen=True)
class Acknowledgement(_Cited):
    """Within how many business days from receipt it must be confirmed."""

    days: int


@dataclass(frozen=True)
class Refusal(_Cited):
    """Within what from receipt a refusal must be told."""

    period: Period


@dataclass(frozen=True)
class PauseRule(_Cited):
    """What stops the clock, and how it is counted then."""

    effects: Mapping[str, Effect]
    """By :data:`PauseReason`."""
    since: date
    """Requests received before that day are not paused."""
    at_most: int | None
    """Days after the question at which a pause ends, answered or not."""


@dataclass(frozen=True)
class Rule(_Cited):
    """One version of one law's clock. What is ``None`` the law, as far as it was read, does not have."""

    regime: str
    version: int
    title: str
    covers: str
    period: Period
    business: bool
    """The period's days are business days."""
    right_under: str
    """The regime whose law this is, if it is the clock of one right under it; else empty."""
    places: tuple[str, ...]
    """Whose holidays count."""
    moves: Moves | None
    extension: ExtensionRule | None
    acknowledge: Acknowledgement | None
    refusal: Refusal | None
    pause: PauseRule | None
    digest: str
    """``sha256:`` + hex over the RFC 8785 form of the table it was read from."""

    def counts(self, holidays: str) -> bool:
        """Whether the holidays of that country or region are this law's."""
        return bool({holidays, holidays.partition("-")[0]} & set(self.places))


@cache
def rules() -> tuple[Rule, ...]:
    """Every version of every rule."""
    texts = (files("habeas_policies").joinpath(name).read_text(encoding="utf-8") for name in _FILES)
    return tuple(_rule(row) for text in texts for row in tomllib.loads(text)["rules"])


def _rule(row: dict[str, Any]) -> Rule:
    digest = "sha256:" + hashlib.sha256(rfc8785.dumps(row)).hexdigest()
    extension, refusal = row.get("extension"), row.get("refusal")
    if extension:
        extension = extension | {key: Period.parse(extension[key]) for key in ("total", "further") if key in extension}
    return Rule(
        regime=row["regime"],
        version=row["version"],
        title=row["title"],
        covers=row["covers"],
        period=Period.parse(row["period"]),
        business=row.get("business", False),
        source=row["source"],
        confirmed=row["confirmed"],
        right_under=row.get("right_under", ""),
        places=tuple(row.get("places", ())),
        moves=Moves(**row["moves"]) if "moves" in row else None,
        extension=ExtensionRule(**extension) if extension else None,
        acknowledge=Acknowledgement(**row["acknowledge"]) if "acknowledge" in row else None,
        refusal=Refusal(**refusal | {"period": Period.parse(refusal["period"])}) if refusal else None,
        pause=_pause(row["pause"]) if "pause" in row else None,
        digest=digest,
    )


def _pause(table: dict[str, Any]) -> PauseRule:
    others = ("since", "at_most", "source", "confirmed")
    return PauseRule(
        effects={reason: effect for reason, effect in table.items() if reason not in others},
        since=date.fromisoformat(table["since"]) if "since" in table else date.min,
        at_most=table.get("at_most"),
        source=table["source"],
        confirmed=table["confirmed"],
    )


def regimes(*, every: bool = False) -> tuple[str, ...]:
    """Laws whose response period was read in a source, sorted: those that a policy can name.

    With ``every`` also clocks of single rights (``ccpa-opt-out``) and laws whose figures are not confirmed (``us-va``).
    """
    return tuple(sorted({rule.regime for rule in rules() if every or (rule.confirmed and not rule.right_under)}))


def pick(regime: str, version: int | None, holidays: str) -> Rule:
    """The rule of that version, or the newest one that can be used with these holidays (empty: none).

    Raises :class:`PolicyProblem` for an unknown regime or version, and for one that moves ends without its holidays.
    """
    versions = {rule.version: rule for rule in rules() if rule.regime == regime}
    if not versions:
        known = ", ".join(regimes(every=True))
        raise PolicyProblem(f"there is no deadline for regime {shown(regime)}", advice=f"known: {known}")
    if version is None:
        return versions[max(number for number, rule in versions.items() if not rule.moves or rule.counts(holidays))]
    if version not in versions:
        known = ", ".join(str(number) for number in sorted(versions))
        raise PolicyProblem(f"there is no version {version} of the deadline of {regime}", advice=f"known: {known}")
    rule = versions[version]
    if rule.moves and not rule.counts(holidays):
        raise PolicyProblem(
            f"version {version} of the deadline of {regime} cannot be counted without holidays of its own",
            advice=f"name a country or a region of: {', '.join(rule.places)}",
        )
    return rule

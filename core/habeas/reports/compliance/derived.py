"""Figures that are computed of others: percentages, medians and the like; and all figures of a report in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from habeas.models import Result
from habeas.reports.compliance.arithmetic import mean, median, percent, percentile
from habeas.reports.compliance.families import FAMILIES
from habeas.reports.compliance.lines import Evidence
from habeas.reports.compliance.tally import Figure, Key, Tally

__all__ = ["all_figures"]

_PERCENT: Final = {"on_time_percent": ("on_time", "answered"), "extended_percent": ("extended", "answered"),
                   "rechecked_percent": ("rechecked", "erasures")}  # fmt: skip
"""Family → (part, whole), of the same cut."""
_DAYS: Final[dict[str, Callable[[dict[int, int]], int | str | None]]] = {
    "days_median": median,
    "days_mean": mean,
    "days_p95": lambda counts: percentile(counts, 95),
    "days_max": lambda counts: max(counts, default=None),
    "ccpa_days_mean": mean,
    "ccpa_days_median": median,
}
_CCPA_ANSWERED: Final = ("ccpa_complied", "ccpa_denied")


def all_figures(tally: Tally, evidence: Evidence) -> Iterator[Figure]:
    """Every figure, family by family."""
    for name in FAMILIES:
        yield from _family(name, tally, evidence)


def _family(name: str, tally: Tally, evidence: Evidence) -> Iterator[Figure]:
    if name in _PERCENT:
        part, whole = _PERCENT[name]
        for key in _keys(name, tally, whole):
            value = percent(tally.value(part, key), tally.value(whole, key))
            yield Figure(name, key, value, tally.entries((part, key), (whole, key)))
    elif name in _DAYS:
        yield from _durations(name, tally)
    elif name == "identity_failed_percent":
        failed: Key = (("result", "failed"),)
        yield Figure(name, (), percent(tally.value("identity", failed), tally.value("identity")),
                     tally.entries(("identity", ())))  # fmt: skip
    elif name == "verified_percent":
        for key in _keys(name, tally, "outcomes"):
            kept = tally.value("outcomes", (*key, ("result", str(Result.RETAINED))))
            value = percent(tally.value("verified", key), tally.value("outcomes", key) - kept)
            yield Figure(name, key, value, tally.entries(("outcomes", key)))
    elif name.startswith("ledger_"):
        yield _of_the_ledger(name, evidence)
    else:
        yield from tally.figures(name)


def _keys(name: str, tally: Tally, whole: str) -> list[Key]:
    cuts = set(FAMILIES[name].cuts)
    return [key for key in tally.keys(whole) if tuple(part for part, _ in key) in cuts]


def _durations(name: str, tally: Tally) -> Iterator[Figure]:
    if name.startswith("ccpa_"):
        for key in _keys(name, tally, "ccpa_received"):
            entries = tally.entries(*((family, key) for family in _CCPA_ANSWERED))
            yield Figure(name, key, _DAYS[name](tally.days(name, key)), entries)
        return
    for key in _keys(name, tally, "answered"):
        yield Figure(name, key, _DAYS[name](tally.days(name, key)), tally.entries(("answered", key)))


def _of_the_ledger(name: str, evidence: Evidence) -> Figure:
    size = evidence.size
    everything = f"1-{size}" if size > 1 else "1" if size else ""
    match name:
        case "ledger_entries":
            return Figure(name, (), size, everything)
        case "ledger_first":
            return Figure(name, (), f"sha256:{evidence.first.hex()}" if size else None, "1" if size else "")
        case "ledger_last":
            return Figure(name, (), f"sha256:{evidence.last.hex()}" if size else None, str(size) if size else "")
        case _:
            return Figure(name, (), evidence.root, everything)

"""Counting: each figure's value, and the numbers of the entries behind it, as they come."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from habeas.models import Json
from habeas.reports.compliance.arithmetic import ranges
from habeas.reports.compliance.families import FAMILIES

__all__ = ["Figure", "Key", "Tally", "figure_name"]

Key = tuple[tuple[str, str], ...]
"""What a figure is cut to: ``(("type", "erasure"),)``; empty for all of it."""


@dataclass(frozen=True)
class Figure:
    """One figure of a report."""

    family: str
    key: Key
    value: int | str | None
    """None: there was nothing to compute it of."""
    entries: str
    """Sequence numbers of the entries behind it: ``41-45,57``."""

    @property
    def name(self) -> str:
        return figure_name(self.family, self.key)

    def to_json(self) -> dict[str, Json]:
        family = FAMILIES[self.family]
        return {
            "name": self.name,
            "family": self.family,
            "title": family.title,
            "of": dict(self.key),
            "value": self.value,
            "unit": family.unit,
            "entries": self.entries,
        }


def figure_name(family: str, key: Key) -> str:
    """``closed`` or ``closed[type=erasure,regime=gdpr]``."""
    return f"{family}[{','.join(f'{name}={value}' for name, value in key)}]" if key else family


class _Count:
    __slots__ = ("entries", "value")

    def __init__(self) -> None:
        self.value, self.entries = 0, array("Q")


class Tally:
    """All that was counted. Its memory: eight bytes for each entry behind a figure."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, Key], _Count] = {}
        self._days: dict[tuple[str, Key], Counter[int]] = {}
        self._texts: dict[tuple[str, Key], tuple[str, int]] = {}
        self._found: dict[tuple[str, Key], tuple[_Count, ...]] = {}
        for family in FAMILIES.values():
            if () in family.cuts:
                self._counts[family.name, ()] = _Count()

    def add(self, family: str, seqs: Iterable[int], **about: str) -> None:
        """Counts one into every cut of the family that ``about`` has the values for."""
        self.add_amount(family, seqs, 1, about)

    def add_amount(self, family: str, seqs: Iterable[int], amount: int, about: Mapping[str, str]) -> None:
        """Counts so many."""
        seqs = tuple(seqs)
        for count in self._targets(family, tuple(about.items())):
            count.value += amount
            count.entries.extend(seqs)

    def _targets(self, family: str, about: Key) -> tuple[_Count, ...]:
        """The cuts that it counts into. Found once: the same few come for every entry."""
        found = self._found.get((family, about))
        if found is None:
            given = dict(about)
            keys = (
                tuple((name, given[name]) for name in cut)
                for cut in FAMILIES[family].cuts
                if all(name in given for name in cut)
            )
            found = tuple(self._counts.setdefault((family, key), _Count()) for key in keys)
            self._found[family, about] = found
        return found

    def add_days(self, family: str, days: int, about: Mapping[str, str]) -> None:
        """A duration, for the figures that are medians and the like."""
        for cut in FAMILIES[family].cuts:
            if all(name in about for name in cut):
                key = tuple((name, about[name]) for name in cut)
                self._days.setdefault((family, key), Counter())[days] += 1

    def say(self, family: str, seq: int, text: str, **about: str) -> None:
        """A text in place of a number; the last one stands."""
        self._texts[family, tuple(about.items())] = (text, seq)

    def seed(self, family: str, **about: str) -> None:
        """A figure that is there even if nothing is counted."""
        self._counts.setdefault((family, tuple(about.items())), _Count())

    def value(self, family: str, key: Key = ()) -> int:
        """0 where nothing was counted."""
        count = self._counts.get((family, key))
        return count.value if count else 0

    def days(self, family: str, key: Key) -> Counter[int]:
        return self._days.get((family, key), Counter())

    def keys(self, family: str) -> Iterator[Key]:
        """What the family was cut to, sorted."""
        return iter(sorted(key for name, key in self._counts if name == family))

    def entries(self, *counted: tuple[str, Key]) -> str:
        """The entries behind these counts, together."""
        numbers = array("Q")
        for one in counted:
            if one in self._counts:
                numbers.extend(self._counts[one].entries)
        return ranges(numbers)

    def figures(self, family: str) -> list[Figure]:
        """The family's counts and texts as figures."""
        said = [
            Figure(name, key, text, str(seq))
            for (name, key), (text, seq) in sorted(self._texts.items())
            if name == family
        ]
        return said + [
            Figure(family, key, self.value(family, key), self.entries((family, key))) for key in self.keys(family)
        ]

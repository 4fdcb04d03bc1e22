"""Charts as data: bars in percent of their width, so that one drawing fits a phone, a screen and paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from habeas.models import Result
from habeas.reports.compliance.closing import BINS
from habeas.reports.compliance.tally import Figure, figure_name

__all__ = ["Bar", "Chart", "Part", "by_type_chart", "days_chart", "outcomes_chart"]

_ROW, _BAR, _HEAD, _GAP = 22, 14, 20, 14
"""Heights, in pixels."""
_LABEL: Final = 27
"""Percent of the width that a bar's name has."""
_KINDS: Final[Mapping[str, tuple[str, tuple[Result, ...]]]] = {
    "done": (
        "read at the vendor, as wanted",
        (Result.ERASED, Result.ABSENT, Result.UPDATED, Result.UNCHANGED, Result.EXPORTED),
    ),
    "kept": ("kept on a ground", (Result.RETAINED,)),
    "left": ("left to a person, or only acknowledged", (Result.MANUAL, Result.UNSUPPORTED, Result.ACCEPTED)),
    "bad": ("failed or unknown", (Result.FAILED, Result.UNKNOWN)),
}


@dataclass(frozen=True)
class Part:
    """One piece of a bar: start and width in percent of the drawing."""

    kind: str
    x: str
    width: str
    value: int


@dataclass(frozen=True)
class Bar:
    """One bar, or with no parts a heading."""

    label: str
    y: int
    parts: tuple[Part, ...] = ()
    value: int | None = None

    @property
    def text_y(self) -> int:
        return self.y + _BAR - 3

    @property
    def heading(self) -> bool:
        return self.value is None


@dataclass(frozen=True)
class Chart:
    """A drawing with what it says in words."""

    id: str
    title: str
    description: str
    bars: tuple[Bar, ...]
    height: int
    legend: tuple[tuple[str, str], ...] = ()
    """(kind, what it stands for)."""
    bar_height: int = _BAR
    label_width: int = _LABEL


Figures = Mapping[str, Figure]


def _value(figures: Figures, family: str, **of: str) -> int:
    figure = figures.get(figure_name(family, tuple(of.items())))
    return figure.value if figure and isinstance(figure.value, int) else 0


def _part(kind: str, start: int, value: int, most: int) -> Part:
    # From the names' width to a tenth before the end, where the number stands.
    scale = 100 - _LABEL - 10
    return Part(kind, f"{_LABEL + scale * start / most:.2f}%", f"{scale * value / most:.2f}%", value)


def by_type_chart(figures: Figures, types: Sequence[tuple[str, str]]) -> Chart | None:
    """Received, closed and open at the end, for each type of request. ``types``: (type, its name)."""
    measures = (("received", "received", "Received"), ("closed", "done", "Closed"), ("open_end", "left", "Open"))
    most = max((_value(figures, family, type=t) for t, _ in types for family, _, _ in measures), default=0)
    if not most:
        return None
    bars: list[Bar] = []
    y, said = 0, []
    for name, label in types:
        bars.append(Bar(label, y))
        y += _HEAD
        values = []
        for family, kind, title in measures:
            value = _value(figures, family, type=name)
            bars.append(Bar(title, y, (_part(kind, 0, value, most),) if value else (), value))
            values.append(f"{value:,} {title.lower()}")
            y += _ROW
        y += _GAP
        said.append(f"{label}: {', '.join(values)}")
    return Chart("chart-types", "Requests by type", ". ".join(said) + ".", tuple(bars), y - _GAP)


def days_chart(figures: Figures) -> Chart | None:
    """How many requests were answered within how many days."""
    counts = [(name, _value(figures, "answered_within", days=name)) for name, _ in BINS]
    most = max(value for _, value in counts)
    if not most:
        return None
    bars = tuple(
        Bar(f"{name} days", n * _ROW, (_part("received", 0, value, most),) if value else (), value)
        for n, (name, value) in enumerate(counts)
    )
    said = ", ".join(f"{value:,} within {name} days" for name, value in counts if value)
    return Chart("chart-days", "Days to the answer", f"Requests answered: {said}.", bars, len(bars) * _ROW)


def outcomes_chart(figures: Figures, connections: Sequence[str]) -> Chart | None:
    """What became of records at each connection: each bar is all of them."""
    bars, said, seen = [], [], set()
    for number, connection in enumerate(connections):
        total = _value(figures, "outcomes", connection=connection)
        start, parts, words = 0, [], []
        for kind, (title, results) in _KINDS.items():
            value = sum(_value(figures, "outcomes", connection=connection, result=str(result)) for result in results)
            if value:
                parts.append(_part(kind, start, value, total))
                words.append(f"{value:,} {title}")
                seen.add(kind)
            start += value
        bars.append(Bar(connection, number * (_ROW + 6), tuple(parts), total))
        said.append(f"{connection}: {', '.join(words)}")
    if not seen:
        return None
    legend = tuple((kind, title) for kind, (title, _) in _KINDS.items() if kind in seen)
    height = len(bars) * (_ROW + 6)
    return Chart("chart-outcomes", "Outcomes per processor", ". ".join(said) + ".", tuple(bars), height, legend)

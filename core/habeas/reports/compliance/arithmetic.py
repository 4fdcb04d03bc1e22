"""Exact arithmetic of figures, and sequence numbers written as ranges. No floats: a report is compared as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

__all__ = ["decimal", "in_ranges", "mean", "median", "percent", "percentile", "ranges", "shortened"]


def ranges(numbers: Iterable[int]) -> str:
    """``41-45,57``: each number once, in order."""
    parts: list[str] = []
    first = last = -1
    for number in sorted(set(numbers)):
        if number == last + 1 and first >= 0:
            last = number
            continue
        if first >= 0:
            parts.append(_range(first, last))
        first = last = number
    if first >= 0:
        parts.append(_range(first, last))
    return ",".join(parts)


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def in_ranges(text: str) -> Iterator[int]:
    """The numbers that :func:`ranges` has written."""
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def shortened(text: str, most: int) -> str:
    """At most so many characters of ranges, cut between two, and how many numbers were left out."""
    if len(text) <= most:
        return text
    cut = text.rfind(",", 0, most)
    shown = text[: max(cut, 0)]
    left = sum(1 for _ in in_ranges(text[len(shown) :].lstrip(",")))
    return f"{shown} and {left:,} more" if shown else f"{left:,} entries"


def decimal(numerator: int, denominator: int) -> str:
    """The quotient with one digit behind the point; halves are rounded up."""
    tenths = (20 * numerator + denominator) // (2 * denominator)
    return f"{tenths // 10}.{tenths % 10}"


def percent(part: int, whole: int) -> str | None:
    """``97.4``; None of nothing. 100.0 only where it is all, 0.0 only where it is nothing."""
    if not whole:
        return None
    tenths = (2000 * part + whole) // (2 * whole)
    if part < whole:
        tenths = min(tenths, 999)
    if part > 0:
        tenths = max(tenths, 1)
    return f"{tenths // 10}.{tenths % 10}"


def mean(counts: Mapping[int, int]) -> str | None:
    """Of values with how often each comes."""
    whole = sum(counts.values())
    return decimal(sum(value * times for value, times in counts.items()), whole) if whole else None


def median(counts: Mapping[int, int]) -> str | None:
    """The middle value, or half the sum of the two in the middle."""
    whole = sum(counts.values())
    if not whole:
        return None
    return decimal(_nth(counts, (whole + 1) // 2) + _nth(counts, whole // 2 + 1), 2)


def percentile(counts: Mapping[int, int], percentage: int) -> int | None:
    """By nearest rank: the smallest value that so many percent of all values do not exceed."""
    whole = sum(counts.values())
    return _nth(counts, -(-percentage * whole // 100)) if whole else None


def _nth(counts: Mapping[int, int], rank: int) -> int:
    seen = 0
    for value in sorted(counts):
        seen += counts[value]
        if seen >= rank:
            return value
    raise ValueError("there are not so many values")

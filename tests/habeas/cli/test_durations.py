"""Times as people write and read them."""

from __future__ import annotations

import pytest

from habeas.cli.durations import in_words, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90m", 5400), ("6h", 21600), ("1h30m", 5400), ("2d", 172800), ("1d2h3m4s", 93784), ("45s", 45)],
)
def test_a_time_is_units_from_the_largest_down(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "0s", "5", "h", "1m1h", "1h1h", "1.5h", " 1h", "1h\n", "\u0663h", "-1h"])
def test_anything_else_is_none(text: str) -> None:
    assert seconds_of(text) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 s"), (89, "89 s"), (90, "2 min"), (3000, "50 min"), (5400, "1 h 30 min"), (7200, "2 h"),
        (172_700, "47 h 58 min"), (172_800, "2 days"), (180_000, "2 days 2 h"),
    ],
)  # fmt: skip
def test_time_left_is_told_in_two_units_at_most(seconds: float, words: str) -> None:
    assert in_words(seconds) == words

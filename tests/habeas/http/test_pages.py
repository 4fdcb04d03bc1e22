"""Paging ends, whatever the vendor says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from habeas.errors import BadAnswer, NoAnswer
from habeas.http.pages import Page, walk


def chain(cursors: list[str]) -> dict[str, Page[str]]:
    """Pages whose content is their own cursor, each naming the next."""
    return {here: Page(here, after) for here, after in zip(cursors, [*cursors[1:], ""], strict=True)}


@given(st.lists(st.text(min_size=1), min_size=1, unique=True))
def test_every_page_is_given_once_and_in_order(cursors: list[str]) -> None:
    assert list(walk(cursors[0], chain(cursors).__getitem__)) == cursors


@given(st.lists(st.text(min_size=1), min_size=1, unique=True), st.data())
def test_a_page_named_twice_is_an_error_after_each_page_was_given_once(cursors: list[str], data: st.DataObject) -> None:
    pages = chain(cursors)
    pages[cursors[-1]] = Page(cursors[-1], data.draw(st.sampled_from(cursors)))
    walking = walk(cursors[0], pages.__getitem__)
    assert [next(walking) for _ in cursors] == cursors
    with pytest.raises(BadAnswer, match="repeats itself"):
        next(walking)


def test_paging_without_end_stops_at_the_cap() -> None:
    asked: list[str] = []

    def fetch(cursor: str) -> Page[int]:
        asked.append(cursor)
        return Page(len(asked), str(len(asked)))

    with pytest.raises(BadAnswer):
        list(walk("0", fetch, max_pages=7))
    assert len(asked) == 7


def test_the_next_page_is_fetched_only_when_it_is_wanted() -> None:
    asked: list[str] = []

    def fetch(cursor: str) -> Page[str]:
        asked.append(cursor)
        return Page(cursor, "b" if cursor == "a" else "")

    pages = walk("a", fetch)
    assert next(pages) == "a"
    assert asked == ["a"]


def test_trouble_on_a_page_is_not_taken_for_the_end() -> None:
    def fetch(cursor: str) -> Page[str]:
        if cursor == "b":
            raise NoAnswer("GET /v1/list: no answer in time")
        return Page(cursor, "b")

    with pytest.raises(NoAnswer):
        list(walk("a", fetch))


def test_a_page_does_not_show_what_is_on_it() -> None:
    assert repr(Page({"email": "canary@example.org"}, "canary")) == "Page(…)"

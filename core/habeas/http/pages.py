"""Paging that ends: a cap on pages, and a page seen twice is an error, not a loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from habeas.errors import BadAnswer

__all__ = ["Page", "walk"]

T = TypeVar("T")
MAX_PAGES = 10_000


@dataclass(frozen=True, repr=False)
class Page(Generic[T]):
    """One page: its content, and what names the next one; empty for the last."""

    content: T
    next: str

    def __repr__(self) -> str:
        return "Page(…)"


def walk(first: str, fetch: Callable[[str], Page[T]], *, max_pages: int = MAX_PAGES) -> Iterator[T]:
    """The content of all pages, in order. ``fetch`` takes a cursor, an offset or a page number as text.

    Raises :class:`~habeas.errors.BadAnswer` where the vendor names a page it has given already, or never ends.
    """
    seen: set[str] = set()
    cursor = first
    while True:
        if cursor in seen or len(seen) >= max_pages:
            raise BadAnswer("the vendor's paging repeats itself or does not end")
        seen.add(cursor)
        page = fetch(cursor)
        yield page.content
        if not page.next:
            return
        cursor = page.next

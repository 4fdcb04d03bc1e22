"""How Voucherify is asked: headers, its own kind of 404, and its three ways of paging."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from habeas import BadAnswer
from habeas.connection import Connection
from habeas.http.pages import Page, walk
from habeas.http.transport import Answer
from habeas.models import Json
from habeas_voucherify import mapping
from habeas_voucherify.kinds import API_VERSION

__all__ = [
    "PAGE_SIZE",
    "Done",
    "List",
    "Listed",
    "Numbered",
    "by_cursor",
    "by_last_id",
    "get",
    "headers",
    "listed",
    "numbered",
    "read_as",
]

PAGE_SIZE = 100
"""Entries: the most a list gives."""

Done = Callable[[], bool]
T = TypeVar("T")


@dataclass(frozen=True, repr=False)
class Listed:
    """One page of a list, as received and as read. A 404 for the list has no rows."""

    answer: Answer
    rows: tuple[dict[str, Json], ...]

    def read(self, reading: Callable[[tuple[dict[str, Json], ...]], T]) -> T:
        """What a function of ``mapping`` makes of the rows; its :class:`~habeas.BadAnswer` gets the call's name."""
        return _named(self.answer, lambda: reading(self.rows))


@dataclass(frozen=True, repr=False)
class Numbered:
    """A list that is paged by number, as far as its pages reach."""

    pages: tuple[Listed, ...]
    beyond: int
    """How many more entries it has than its pages reach; at least so many where it does not say."""

    def read(self, reading: Callable[[tuple[dict[str, Json], ...]], Sequence[T]]) -> tuple[T, ...]:
        """What :meth:`Listed.read` gives for each page, in one."""
        return tuple(item for page in self.pages for item in page.read(reading))


@dataclass(frozen=True)
class List:
    """A list that is paged by number."""

    path: str
    name: str
    """Where its entries stand in the answer."""
    last_page: int
    """The highest page number the vendor takes."""


def read_as(answer: Answer, reading: Callable[[Json], T]) -> T:
    """What a function of ``mapping`` makes of an answer's JSON; its :class:`~habeas.BadAnswer` gets the call's name."""
    document = answer.json()
    return _named(answer, lambda: reading(document))


def _named(answer: Answer, reading: Callable[[], T]) -> T:
    try:
        return reading()
    except BadAnswer as bad:
        raise BadAnswer(f"{answer.evidence}: {bad.message}") from None


def headers(connection: Connection) -> Mapping[str, str]:
    """The version of the API that the answers are to have."""
    version = str(connection.settings.get("api_version", API_VERSION))
    return {"X-Voucherify-API-Version": version} if version else {}


def get(
    connection: Connection,
    template: str,
    ids: Mapping[str, str] | None = None,
    query: Sequence[tuple[str, str]] = (),
    ok: Sequence[int] = (200, 404),
) -> Answer:
    """A read. A 404 that is not in the shape of Voucherify's own error says nothing of what is held."""
    answer = connection.api.get(template, ids=ids, query=query, headers=headers(connection), ok=ok)
    if answer.status == 404 and not mapping.is_not_found(answer.json()):
        raise BadAnswer(f"{answer.evidence}: this is not Voucherify's own answer", advice="check base_url")
    return answer


def listed(answer: Answer, name: str) -> Listed:
    """The page that an answer is. Raises :class:`~habeas.BadAnswer`."""
    return Listed(answer, read_as(answer, lambda document: mapping.rows(document, name)))


def by_cursor(
    connection: Connection, template: str, customer_id: str, query: Sequence[tuple[str, str]]
) -> Iterator[Listed]:
    """All pages of a list that names an entry to go on after. 404: one page with that status."""

    def fetch(cursor: str) -> Page[Listed]:
        start = (("starting_after_id", cursor),) if cursor else ()
        # A list that vanishes half-way would pass for a complete one: only its first page may be missing.
        ok = (200,) if cursor else (200, 404)
        answer = get(connection, template, {"customerId": customer_id}, (*query, ("limit", f"{PAGE_SIZE}"), *start), ok)
        if answer.status == 404:
            return Page(Listed(answer, ()), "")
        return Page(listed(answer, "data"), read_as(answer, mapping.cursor))

    return walk("", fetch)


def by_last_id(
    connection: Connection, template: str, customer_id: str, query: Sequence[tuple[str, str]]
) -> Iterator[Listed]:
    """All pages of a list that names no entry to go on after, only a ``total``. 404: one page with that status.

    What that total counts is not documented, so a full page is followed by another one whatever it says.
    """
    seen: set[str] = set()

    def fetch(cursor: str) -> Page[Listed]:
        start = (("starting_after_id", cursor),) if cursor else ()
        ok = (200,) if cursor else (200, 404)
        answer = get(connection, template, {"customerId": customer_id}, (*query, ("limit", f"{PAGE_SIZE}"), *start), ok)
        if answer.status == 404:
            return Page(Listed(answer, ()), "")
        page = listed(answer, "data")
        ids = page.read(mapping.ids)
        more = len(seen) + len(ids) < (read_as(answer, mapping.total) or 0)
        if not seen.isdisjoint(ids) or (more and not ids):
            raise BadAnswer(f"{answer.evidence}: the list changed while it was read", advice="try again")
        seen.update(ids)
        return Page(page, ids[-1] if more or len(ids) >= PAGE_SIZE else "")

    return walk("", fetch)


def numbered(
    connection: Connection, wanted: List, query: Sequence[tuple[str, str]], order: str = "created_at"
) -> Numbered:
    """All pages of a list that is paged by number, as far as the vendor lets pages be counted."""
    pages: list[Listed] = []
    seen: set[str] = set()
    count = left = 0
    for number in range(1, wanted.last_page + 1):
        # Oldest first, unless told: what is added meanwhile comes at the end and moves nothing to another page.
        paging = (("order", order), ("limit", f"{PAGE_SIZE}"), ("page", f"{number}"))
        page = listed(get(connection, wanted.path, query=(*query, *paging), ok=(200,)), wanted.name)
        pages.append(page)
        count += len(page.rows)
        total = read_as(page.answer, mapping.total)
        left = total - count if total is not None else len(page.rows) // PAGE_SIZE
        ids = {row["id"] for row in page.rows if isinstance(row.get("id"), str)}
        if ids & seen or (left > 0 and not page.rows):
            raise BadAnswer(f"{page.answer.evidence}: the list changed while it was read", advice="try again")
        if left <= 0:
            return Numbered(tuple(pages), 0)
        seen |= ids
    return Numbered(tuple(pages), left)

"""How the calls are made: what counts as an answer, pages, batches, and the header of an idempotent write."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from habeas import BadAnswer
from habeas.http.api import Api, Change
from habeas.http.pages import Page, walk
from habeas.http.transport import Answer, Request
from habeas.models import Json
from habeas_talonone import mapping

__all__ = [
    "BATCH",
    "IDEMPOTENCY",
    "PAGE_SIZE",
    "Done",
    "by_flag",
    "by_total",
    "change",
    "chunks",
    "get",
    "own_answer",
    "pages",
    "read_as",
]

PAGE_SIZE = 500
"""Items. The vendor allows 1000; half of it keeps an answer far below the size limit."""
BATCH = 1000
"""Profiles, reservations or audience changes in one call: the vendor's limit."""
IDEMPOTENCY = "Idempotency-Key"
"""Offered for both profile writes, the session write and the V2 event. The vendor gives back a stored answer for 24
hours, without doing anything again."""

_BUSY = (409,)
"""More than three calls at once on one profile or session: refused before anything is done."""

Done = Callable[[], bool]
T = TypeVar("T")


def change(api: Api, request: Request, done: Done, *, ok: Sequence[int] = (200, 201, 204)) -> Change:
    """A changing call; 409 is asked again, one call at a time."""
    return api.change(request, ok=ok, done=done, conflicts=_BUSY)


def get(api: Api, template: str, ids: dict[str, str], query: Sequence[tuple[str, str]] = ()) -> Answer:
    """A read with the Integration API key: 200, or Talon.One's own 404."""
    return own_answer(api.get(template, ids=ids, query=query, ok=(200, 404)))


def own_answer(answer: Answer) -> Answer:
    """The answer, unless it refuses and is not Talon.One's. Raises :class:`~habeas.BadAnswer`."""
    if answer.status >= 400 and not mapping.is_refusal(answer.json()):
        raise BadAnswer(f"{answer.evidence}: this is not Talon.One's own answer", advice="check base_url")
    return answer


def read_as(answer: Answer, reading: Callable[[Json], T]) -> T:
    """What a function of ``mapping`` makes of an answer's JSON; its :class:`~habeas.BadAnswer` gets the call's name."""
    document = answer.json()
    try:
        return reading(document)
    except BadAnswer as bad:
        raise BadAnswer(f"{answer.evidence}: {bad.message}") from None


def chunks(entries: Sequence[T]) -> Iterator[Sequence[T]]:
    """So many as one call takes, in order."""
    return (entries[low : low + BATCH] for low in range(0, len(entries), BATCH))


def by_flag(document: Json, skip: int, size: int) -> bool:
    """Whether a page with ``hasMore`` is followed by another."""
    del skip, size
    return mapping.more(document)


def by_total(document: Json, skip: int, size: int) -> bool:
    """Whether a page with ``totalResultSize`` is followed by another."""
    return skip + size < mapping.total(document)


def pages(
    fetch: Callable[[Sequence[tuple[str, str]]], Answer], goes_on: Callable[[Json, int, int], bool]
) -> Iterator[Answer]:
    """All pages by ``pageSize`` and ``skip``; ``fetch`` takes these two. 404: one answer with that status.

    Raises :class:`~habeas.BadAnswer` where a page is one that was given before, or the pages do not end.
    """
    seen: set[bytes] = set()

    def one(skip: str) -> Page[Answer]:
        answer = fetch((("pageSize", str(PAGE_SIZE)), ("skip", skip)))
        if answer.status == 404:
            return Page(answer, "")
        size = len(read_as(answer, lambda document: mapping.items(document, "data", required=True)))
        # An empty page that promises more names itself as the next one, which `walk` refuses.
        follows = read_as(answer, lambda document: goes_on(document, int(skip), size))
        digest = hashlib.sha256(answer.body).digest()
        if digest in seen:
            raise BadAnswer(f"{answer.evidence}: the vendor's paging repeats itself")
        seen.add(digest)
        return Page(answer, str(int(skip) + size) if follows else "")

    return walk("0", one)

"""How every TMS call is made: profile header, conditions, paging.

Source: TMS API reference as in the vendor's Python client of 2026-05-16. A token that was deleted answers 410, one that
never existed (in this vault) 404: both are answers to a read here, not errors.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from habeas import BadAnswer, Rejected
from habeas.connection import Connection
from habeas.http.api import Change
from habeas.http.pages import Page, walk
from habeas.http.transport import Answer, Request
from habeas.models import Json
from habeas_cybersource import mapping

__all__ = ["GONE", "amend", "create", "pages", "read", "remove"]

GONE = (404, 410)
"""Statuses that say a token is not there: 410 for one that was deleted, 404 for one that this vault does not know."""

_PAGE = 100
"""Entries asked for at a time: the most a TMS list gives."""
_PROFILE_UNKNOWN = 424
_CHANGED_MEANWHILE = 412


def read(
    connection: Connection,
    template: str,
    ids: Mapping[str, str],
    query: Sequence[tuple[str, str]] = (),
    gone: Sequence[int] = GONE,
) -> Answer:
    """200, or one of ``gone``. Raises :class:`~habeas.VendorError` for anything else."""
    answer = connection.api.get(
        template, ids=ids, query=query, headers=_profile(connection), ok=(200, *gone, _PROFILE_UNKNOWN)
    )
    if answer.status == _PROFILE_UNKNOWN:
        raise _profile_unknown(answer.evidence)
    # A web page with status 404, from a wrong base_url, says nothing about a token.
    if answer.status in GONE and answer.body and not mapping.is_refusal(answer.json()):
        raise BadAnswer(f"{answer.evidence}: this is not the vendor's own answer", advice="check base_url")
    return answer


def remove(connection: Connection, template: str, ids: Mapping[str, str], done: Callable[[], bool]) -> None:
    """Deletes one token."""
    # 410: gone before this call; the read-back says the same either way.
    _change(connection, Request("DELETE", template, ids, headers=_profile(connection)), (204, 410), done)


def create(
    connection: Connection,
    template: str,
    ids: Mapping[str, str],
    body: Json,
    *,
    done: Callable[[], bool],
    ok: Collection[int] = (201,),
) -> Change:
    """Posts one new token (or an enrolment). The vendor takes no idempotency key."""
    request = Request("POST", template, ids, json=body, headers=_profile(connection))
    return _change(connection, request, ok, done)


def amend(
    connection: Connection,
    template: str,
    ids: Mapping[str, str],
    look: Callable[[], Answer],
    wanted: Callable[[Json], Json],
) -> None:
    """Changes one token if nobody else does so at the same time (``if-match``).

    ``look`` reads the token; ``wanted`` makes the body of the PATCH from what it shows, empty where nothing is left to
    change. A token that is gone is left alone. Where somebody was quicker (412), it is read again and tried once more;
    the second 412 is raised as :class:`~habeas.Rejected`.
    """

    def body_now(answer: Answer) -> Json:
        return {} if answer.status in GONE else wanted(answer.json())

    for again in (True, False):
        answer = look()
        body = body_now(answer)
        if not body:
            return
        etag = answer.headers.get("etag")
        headers = {**_profile(connection), **({"if-match": etag} if etag else {})}
        request = Request("PATCH", template, ids, json=body, headers=headers)
        try:
            _change(connection, request, (200,), lambda: not body_now(look()))
        except Rejected as refused:
            if refused.status == _CHANGED_MEANWHILE and again:
                continue
            raise
        return


def pages(
    connection: Connection, template: str, ids: Mapping[str, str], embedded: str
) -> Iterator[tuple[Answer, Sequence[mapping.Listed]]]:
    """All pages of a list, by offset, as received and as read. One answer without entries where the list is gone."""
    seen: set[str] = set()

    def fetch(cursor: str) -> Page[tuple[Answer, Sequence[mapping.Listed]]]:
        offset = int(cursor)
        query = (("offset", cursor), ("limit", str(_PAGE)))
        # A list that vanishes half-way would pass for a complete one: only its first page may be missing.
        answer = read(connection, template, ids, query, gone=() if offset else GONE)
        if answer.status in GONE:
            return Page((answer, ()), "")
        page = mapping.parse_page(answer.json(), embedded, offset, answer.evidence)
        fresh = {entry.id for entry in page.entries} - seen
        if len(fresh) < len(page.entries):
            # Something came or went between two pages, so that another entry may have been passed over.
            raise BadAnswer(f"{answer.evidence}: the list changed while it was read", advice="try again")
        seen.update(fresh)
        after = offset + len(page.entries)
        return Page((answer, page.entries), str(after) if after < page.total else "")

    return walk("0", fetch)


def _change(connection: Connection, request: Request, ok: Collection[int], done: Callable[[], bool]) -> Change:
    try:
        return connection.api.change(request, ok=ok, done=done)
    except Rejected as refused:
        if refused.status == _PROFILE_UNKNOWN:
            raise _profile_unknown(refused.message) from None
        raise


def _profile(connection: Connection) -> Mapping[str, str]:
    profile = connection.settings.get("profile_id")
    return {"profile-id": profile} if profile else {}


def _profile_unknown(evidence: str) -> Rejected:
    return Rejected(f"{evidence}: the vault profile is not known", status=_PROFILE_UNKNOWN, advice="check profile_id")

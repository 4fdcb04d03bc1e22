"""The Management API: searches for people, and their sessions, events and friends. Reads only.

It takes a key of its own, and three calls a second for each operation: the pages of one list are asked for at that
pace. All lists here come in pages; 200 is the only answer the vendor documents.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from habeas.http.api import Api
from habeas.http.transport import Answer, Request
from habeas.models import Json
from habeas_talonone.auth import MANAGEMENT
from habeas_talonone.client.calling import by_flag, own_answer, pages

__all__ = [
    "customers_by_attributes",
    "customers_by_id",
    "list_events",
    "list_friends",
    "list_sessions",
    "profiles_by_attributes",
]

_APPLICATION = "/v1/applications/{applicationId}"
_PACE = 0.34
"""Seconds between two calls of one operation."""


def customers_by_id(api: Api, application: int, integration_id: str) -> Iterator[Answer]:
    """The customer of one Application with exactly this ``integrationId``: one, or none."""
    query = (("integrationId", integration_id),)
    return _pages(api, Request("GET", _APPLICATION + "/customers", _ids(application), query, headers=MANAGEMENT))


def customers_by_attributes(api: Api, application: int, attributes: Mapping[str, Json]) -> Iterator[Answer]:
    """The customers of one Application who have all these attributes, such as an e-mail address."""
    body = {"attributes": dict(attributes)}
    template = _APPLICATION + "/customer_search"
    return _pages(api, Request("POST", template, _ids(application), json=body, headers=MANAGEMENT))


def profiles_by_attributes(api: Api, attributes: Mapping[str, Json], *, sandbox: bool = False) -> Iterator[Answer]:
    """The profiles of all live Applications, or of all sandbox ones, that have all these attributes."""
    query = (("sandbox", "true" if sandbox else "false"),)
    body = {"attributes": dict(attributes)}
    request = Request("POST", "/v1/customer_search/no_total", query=query, json=body, headers=MANAGEMENT)
    return _pages(api, request)


def list_sessions(api: Api, application: int, integration_id: str) -> Iterator[Answer]:
    """The sessions of one person in one Application; archived ones are not among them."""
    query = (("profile", integration_id),)
    return _pages(api, Request("GET", _APPLICATION + "/sessions", _ids(application), query, headers=MANAGEMENT))


def list_events(api: Api, application: int, integration_id: str) -> Iterator[Answer]:
    """The events of one person in one Application."""
    query = (("profile", integration_id),)
    return _pages(api, Request("GET", _APPLICATION + "/events/no_total", _ids(application), query, headers=MANAGEMENT))


def list_friends(api: Api, application: int, integration_id: str) -> Iterator[Answer]:
    """Whom one person has referred in one Application: other people. 404, where the profile is not there, is taken."""
    ids = _ids(application) | {"integrationId": integration_id}
    template = _APPLICATION + "/profile/{integrationId}/friends"
    return _pages(api, Request("GET", template, ids, headers=MANAGEMENT), ok=(200, 404))


def _ids(application: int) -> dict[str, str]:
    return {"applicationId": str(application)}


def _pages(api: Api, request: Request, *, ok: Sequence[int] = (200,)) -> Iterator[Answer]:
    def fetch(page: Sequence[tuple[str, str]]) -> Answer:
        if page[-1] != ("skip", "0"):
            api.pause(_PACE)
        query = (*request.query, *page)
        asked = Request(request.method, request.template, request.ids, query, request.json, headers=request.headers)
        return own_answer(api.read(asked, ok=ok))

    return pages(fetch, by_flag)

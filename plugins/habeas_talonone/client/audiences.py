"""Who is in which audience."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

from habeas.http.api import Api, Change
from habeas.http.transport import Request
from habeas.models import Json
from habeas_talonone.client.calling import Done, change, chunks

__all__ = ["AudienceChange", "change_audiences", "join_audience", "leave_audience"]

AudienceChange = tuple[Literal["add", "delete"], str, int]
"""What to do, whose ``integrationId``, and the audience. The vendor's text says "remove", the value is ``delete``."""


def change_audiences(
    api: Api, changes: Sequence[AudienceChange], done: Callable[[Sequence[AudienceChange]], bool]
) -> list[Change]:
    """Adds people to audiences, **creating the profiles that are missing**, and takes people out of them.

    Calls of up to 1000 entries; ``done`` is asked with those of one call. An audience that does not exist is 404 and
    :class:`~habeas.Rejected`.
    """
    return [change(api, _request(part), partial(done, part)) for part in chunks(changes)]


def join_audience(api: Api, audience: int, integration_id: str, done: Done) -> Change:
    """Puts one person into an audience, **creating the profile where it is missing**."""
    return change(api, _request([("add", integration_id, audience)]), done)


def leave_audience(
    api: Api, audience: int, integration_id: str, done: Done, *, ok: Sequence[int] = (200, 204)
) -> Change:
    """Takes one person out of an audience; creates nobody. 404: the audience does not exist."""
    return change(api, _request([("delete", integration_id, audience)]), done, ok=ok)


def _request(changes: Sequence[AudienceChange]) -> Request:
    entries: list[Json] = [
        {"action": action, "profileIntegrationId": integration_id, "audienceId": audience}
        for action, integration_id, audience in changes
    ]
    return Request("POST", "/v2/customer_audiences", json={"data": entries})

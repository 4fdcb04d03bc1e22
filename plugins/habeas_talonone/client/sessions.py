"""Customer sessions and events: every write creates the profile it names."""

from __future__ import annotations

from collections.abc import Mapping

from habeas.http.api import Api, Change
from habeas.http.transport import Answer, Request
from habeas.models import Json
from habeas_talonone.client.calling import IDEMPOTENCY, Done, change, own_answer

__all__ = ["read_session", "track_event", "track_event_v1", "update_session", "update_session_v1"]

_SESSION = "/v2/customer_sessions/{customerSessionId}"


def update_session(api: Api, session: str, content: Mapping[str, Json], done: Done) -> Change:
    """Writes a session (V2, ``NewCustomerSessionV2``): creates it, and **the profile that ``profileId`` names**.

    The vendor runs the rule engine on it: a session may earn and spend whatever the campaigns say.
    """
    request = Request(
        "PUT",
        _SESSION,
        {"customerSessionId": session},
        json={"customerSession": dict(content)},
        idempotency_header=IDEMPOTENCY,
    )
    return change(api, request, done)


def read_session(api: Api, session: str) -> Answer:
    """One session: 200, or what stands for "no such session".

    The vendor documents no 404 here, only 400 beside 401: both are taken.
    """
    return own_answer(api.get(_SESSION, ids={"customerSessionId": session}, ok=(200, 400, 404)))


def track_event(
    api: Api, integration_id: str, event_type: str, attributes: Mapping[str, Json], *, silent: bool = True
) -> Change:
    """Records an event (V2), **creating the profile where it is missing**. 204, or 200 with effects unless ``silent``.

    No read of the Integration API shows it. The idempotency key makes it safe to send again after a lost answer.
    """
    request = Request(
        "POST",
        "/v2/events",
        query=(("silent", "yes" if silent else "no"),),
        json={"profileId": integration_id, "type": event_type, "attributes": dict(attributes)},
        idempotency_header=IDEMPOTENCY,
    )
    return change(api, request, lambda: False)


def update_session_v1(api: Api, session: str, content: Mapping[str, Json], done: Done) -> Change:
    """Writes a session by the V1 operation (``NewCustomerSession``), **creating the profile**. For old accounts only.

    Withdrawn: the vendor's documents have not had it since 2022.
    """
    template = "/v1/customer_sessions/{customerSessionId}"
    return change(api, Request("PUT", template, {"customerSessionId": session}, json=dict(content)), done)


def track_event_v1(
    api: Api, integration_id: str, event_type: str, attributes: Mapping[str, Json], session: str, done: Done
) -> Change:
    """Records an event by the V1 operation, **creating the profile and the session**. For old accounts only.

    Withdrawn: the vendor's documents have not had it since 2023. It takes no idempotency key: give
    :func:`~habeas.http.api.cannot_be_read` as ``done`` where no Management API key can look for it.
    """
    body = {"profileId": integration_id, "type": event_type, "attributes": dict(attributes), "sessionId": session}
    return change(api, Request("POST", "/v1/events", json=body), done)

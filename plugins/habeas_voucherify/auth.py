"""Credentials: a pair of keys in two headers, or an OAuth token that is asked for with such a pair.

Source: the vendor's page on authentication, and ``POST /v1/oauth/token`` in its OpenAPI document of August 2026. A
token lives 900 seconds; at most 1000 may exist in a project, so one is shared by all threads and asked for once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from requests import PreparedRequest
from requests.auth import AuthBase

from habeas import AuthRejected, BadAnswer, NoAnswer, NotSent, VendorError
from habeas.http.transport import Answer, Request, Transport
from habeas_voucherify import mapping

__all__ = ["MARGIN", "KeyPairAuth", "OAuth", "from_settings"]

MARGIN = 60.0
"""Seconds before its end at which a token is no longer used: a call that waits must not outlive it."""

_TOKEN_PATH = "/v1/oauth/token"  # noqa: S105 - a path
_TOKEN_CALL = f"POST {_TOKEN_PATH}"
_TOKEN_SECONDS = 10.0
"""Time for the token call, which happens within the time of another call."""


class KeyPairAuth(AuthBase):
    """``X-App-Id`` and ``X-App-Token``. Keys do not renew themselves: a 401 is final."""

    def __init__(self, app_id: str, app_token: str) -> None:
        self._app_id = app_id
        self._app_token = app_token

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        """Raises :class:`~habeas.NotSent` where a key cannot stand in a header; the message does not show it."""
        for value in (self._app_id, self._app_token):
            if not _is_header_text(value):
                raise NotSent("an API key has characters that no API key has", advice="check the connection's secrets")
        r.headers["X-App-Id"] = self._app_id
        r.headers["X-App-Token"] = self._app_token
        return r

    def __repr__(self) -> str:
        return "KeyPairAuth(…)"


@dataclass(frozen=True, repr=False)
class _Token:
    value: str
    good_until: float
    """By the authenticator's clock, margin taken off."""


class OAuth(AuthBase):
    """``Authorization: Bearer …``, from a token that all threads of the connection share.

    ``now`` gives seconds that only go forward.
    """

    def __init__(
        self, keys: KeyPairAuth, scope: str, transport: Transport, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._keys = keys
        self._scope = scope
        self._transport = transport
        self._now = now
        self._lock = threading.Lock()
        self._token: _Token | None = None
        self._mine = threading.local()

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        """Raises :class:`~habeas.AuthRejected` where no token is given, :class:`~habeas.NotSent` where none came."""
        with self._lock:
            if self._token is None or self._now() >= self._token.good_until:
                self._token = self._fetch()
            token = self._token
        self._mine.token = token
        r.headers["Authorization"] = f"Bearer {token.value}"
        return r

    def renew(self) -> bool:
        """Drops the token this thread used last, unless another thread has already replaced it."""
        with self._lock:
            if self._token is getattr(self._mine, "token", None):
                self._token = None
        return True

    def _fetch(self) -> _Token:
        asked_at = self._now()
        form = {"grant_type": "client_credentials", "scope": self._scope}
        try:
            answer = self._transport.send(
                Request("POST", _TOKEN_PATH, form=form), auth=self._keys, seconds=_TOKEN_SECONDS
            )
            if answer.status != 200:
                raise _refusal(answer)
            value, seconds = mapping.access_token(answer.json())
        except (NoAnswer, BadAnswer) as lost:
            # Whatever became of the token call, the call it was for has not been sent.
            raise NotSent(f"no OAuth token: {lost.message}") from None
        if not _is_header_text(value):
            raise NotSent(f"no OAuth token: {answer.evidence}: it cannot stand in a header", advice="check base_url")
        return _Token(value, asked_at + seconds - MARGIN)

    def __repr__(self) -> str:
        return "OAuth(…)"


def from_settings(settings: Mapping[str, object], transport: Transport) -> AuthBase:
    """The credentials of one connection, whose settings have been checked against the plugin's schema."""
    if "client_id" not in settings:
        return KeyPairAuth(str(settings["app_id"]), str(settings["app_token"]))
    keys = KeyPairAuth(str(settings["client_id"]), str(settings["client_secret"]))
    return OAuth(keys, str(settings.get("oauth_scope") or "api"), transport)


def _refusal(answer: Answer) -> VendorError:
    """Why there is no token. A refusal for good is not tried again; trouble on the vendor's side is."""
    if answer.status == 429 or answer.status >= 500:
        return NotSent(f"no OAuth token: {answer.evidence}", advice="run `habeas resume` later")
    if 300 <= answer.status < 400:
        return NotSent(f"no OAuth token: {answer.evidence}: redirects are not followed", advice="check base_url")
    return AuthRejected(
        f"{_TOKEN_CALL} -> {answer.status}: no OAuth token is given for these credentials",
        status=answer.status,
        advice="check client_id, client_secret and oauth_scope",
    )


def _is_header_text(value: str) -> bool:
    return bool(value) and all("!" <= c <= "~" for c in value)

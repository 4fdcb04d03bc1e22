"""Credentials of the Integration API: an API key in the ``Authorization`` header."""

from __future__ import annotations

from requests import PreparedRequest
from requests.auth import AuthBase

from habeas import NotSent

__all__ = ["ApiKeyAuth"]


class ApiKeyAuth(AuthBase):
    """``Authorization: ApiKey-v1 <key>`` (security scheme ``api_key_v1`` of the Integration API).

    A key does not renew itself: it is made in the Campaign Manager for one Application, and expires on a set date.
    """

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        """Raises :class:`~habeas.NotSent` where the key cannot stand in a header; the message does not show it."""
        if not self._key or not all("!" <= c <= "~" for c in self._key):
            raise NotSent("the API key has characters that no API key has", advice="check the setting `api_key`")
        r.headers["Authorization"] = f"ApiKey-v1 {self._key}"
        return r

    def __repr__(self) -> str:
        return "ApiKeyAuth(…)"

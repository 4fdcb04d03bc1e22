"""Credentials of both APIs: a key in the ``Authorization`` header."""

from __future__ import annotations

from collections.abc import Mapping

from requests import PreparedRequest
from requests.auth import AuthBase

from habeas import NotSent

__all__ = ["MANAGEMENT", "KeyAuth"]

_MANAGEMENT = "ManagementKey-v1"

MANAGEMENT: Mapping[str, str] = {"Authorization": _MANAGEMENT}
"""Header of a request that is for the Management API: the scheme alone, to which :class:`KeyAuth` adds the key."""


class KeyAuth(AuthBase):
    """``Authorization: ApiKey-v1 <key>`` (security scheme ``api_key_v1`` of the Integration API), or
    ``ManagementKey-v1 <key>`` (scheme ``management_key`` of the Management API) where the request asks for it.

    Keys do not renew themselves: they are made in the Campaign Manager, an API key for one Application, a management
    key for chosen endpoints, and expire on a set date.
    """

    def __init__(self, key: str, management_key: str = "") -> None:
        self._key = key
        self._management_key = management_key

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        """Raises :class:`~habeas.NotSent` where the key cannot stand in a header; the message does not show it."""
        if r.headers.get("Authorization", "").startswith(_MANAGEMENT):
            scheme, key, setting = _MANAGEMENT, self._management_key, "management_key"
        else:
            scheme, key, setting = "ApiKey-v1", self._key, "api_key"
        if not key or not all("!" <= c <= "~" for c in key):
            raise NotSent(
                f"the key `{setting}` is empty or has characters that no key has",
                advice=f"check the setting `{setting}`",
            )
        r.headers["Authorization"] = f"{scheme} {key}"
        return r

    def __repr__(self) -> str:
        return "KeyAuth(…)"

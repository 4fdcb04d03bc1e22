"""JWT version 2 with a shared secret: one signed token for each attempt.

Source: CyberSource REST clients for Python (release 0.0.80, ``Token.py``) and Node, and the vendor's page on JSON Web
Tokens. Where these disagree (case of the method, name of the digest claim, query in the path) the connection's settings
decide; the defaults are those of the newest Python client.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from jwt import PyJWS
from jwt.algorithms import HMACAlgorithm
from requests import PreparedRequest
from requests.auth import AuthBase

from habeas.errors import ConfigError

__all__ = ["LIFETIME", "JwtAuth", "JwtKey", "from_settings"]

LIFETIME = 120
"""Seconds from ``iat`` to ``exp``: the most the vendor accepts."""

_DEFAULT_PORTS = {"http": 80, "https": 443}


class _VendorsKey(HMACAlgorithm):
    """HMAC with the secret as the vendor issues it: its length is not ours to judge."""

    def check_key_length(self, key: bytes) -> str | None:
        del key
        return None


def _signer() -> PyJWS:
    signer = PyJWS(algorithms=[])
    signer.register_algorithm("HS256", _VendorsKey(HMACAlgorithm.SHA256))
    signer.register_algorithm("HS384", _VendorsKey(HMACAlgorithm.SHA384))
    signer.register_algorithm("HS512", _VendorsKey(HMACAlgorithm.SHA512))
    return signer


_SIGNER = _signer()


@dataclass(frozen=True, repr=False)
class JwtKey:
    """A shared-secret key and the way its tokens are written."""

    merchant_id: str
    key_id: str
    secret: bytes
    algorithm: str = "HS256"
    """``HS256``, ``HS384`` or ``HS512``."""
    method_case: Literal["upper", "lower"] = "upper"
    digest_claim: Literal["digestAlgorithm", "digest-algorithm"] = "digestAlgorithm"
    path_query: Literal["keep", "cut"] = "keep"


class JwtAuth(AuthBase):
    """Puts ``Authorization: Bearer …`` on a complete request. Called once for each attempt: no token is used twice."""

    def __init__(
        self,
        key: JwtKey,
        now: Callable[[], float] = time.time,
        new_id: Callable[[], uuid.UUID] = uuid.uuid4,
    ) -> None:
        self._key = key
        self._now = now
        self._new_id = new_id

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        r.headers["Authorization"] = f"Bearer {self._token(r)}"
        return r

    def _token(self, request: PreparedRequest) -> str:
        # Sorted and compact, as the header is: one request, clock and id give one token, to the byte.
        claims = json.dumps(self._claims(request), sort_keys=True, separators=(",", ":")).encode("utf-8")
        return _SIGNER.encode(claims, self._key.secret, self._key.algorithm, headers={"kid": self._key.key_id})

    def _claims(self, request: PreparedRequest) -> dict[str, str | int]:
        issued = int(self._now())
        method = (request.method or "").upper()
        path = request.path_url
        claims: dict[str, str | int] = {
            "iat": issued,
            "exp": issued + LIFETIME,
            "iss": self._key.merchant_id,
            "jti": str(self._new_id()),
            "request-host": _host(request),
            "request-method": method.lower() if self._key.method_case == "lower" else method,
            "request-resource-path": path.partition("?")[0] if self._key.path_query == "cut" else path,
            "v-c-jwt-version": "2",
            "v-c-merchant-id": self._key.merchant_id,
        }
        body = _body(request)
        if body:
            claims["digest"] = base64.b64encode(hashlib.sha256(body).digest()).decode("ascii")
            claims[self._key.digest_claim] = "SHA-256"
        return claims


def from_settings(settings: Mapping[str, object]) -> JwtAuth:
    """The signer of one connection. Raises :class:`~habeas.errors.ConfigError` where the secret cannot be used."""
    return JwtAuth(
        JwtKey(
            merchant_id=str(settings["merchant_id"]),
            key_id=str(settings["key_id"]),
            secret=_secret(str(settings["shared_secret"])),
            algorithm=str(settings.get("jwt_algorithm", "HS256")),
            method_case="lower" if settings.get("jwt_method_case") == "lower" else "upper",
            digest_claim=(
                "digest-algorithm" if settings.get("jwt_digest_claim") == "digest-algorithm" else "digestAlgorithm"
            ),
            path_query="cut" if settings.get("jwt_path_query") == "cut" else "keep",
        )
    )


def _secret(text: str) -> bytes:
    try:
        secret = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not secret:
        # Raised outside of the except: the decoder's error, which may show the secret, is not chained.
        raise ConfigError(
            "shared_secret is not base64",
            advice="copy the shared secret as the Business Center shows it when it is made",
        )
    return secret


def _host(request: PreparedRequest) -> str:
    """The Host header as the HTTP client will write it: with the port where that is not the scheme's own."""
    given = request.headers.get("Host")
    if given:
        return given
    url = urlsplit(request.url or "")
    host = url.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    if url.port is None or url.port == _DEFAULT_PORTS.get(url.scheme):
        return host
    return f"{host}:{url.port}"


def _body(request: PreparedRequest) -> bytes:
    body = request.body or b""
    return body.encode("utf-8") if isinstance(body, str) else body

"""JWT version 2: one signed token for each attempt, with a shared secret or an RSA key.

Source: CyberSource REST clients for Python (release 0.0.80, ``Token.py``) and Node, and the vendor's page on JSON Web
Tokens. Where these disagree (case of the method, name of the digest claim, query in the path) the connection's settings
decide; the defaults are those of the newest Python client.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from jwt import PyJWS
from jwt.algorithms import HMACAlgorithm, RSAAlgorithm, RSAPSSAlgorithm
from requests import PreparedRequest
from requests.auth import AuthBase

from habeas_cybersource.auth.wire import body_of, digest, host_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

__all__ = ["LIFETIME", "JwtAuth", "JwtKey"]

LIFETIME = 120
"""Seconds from ``iat`` to ``exp``: the most the vendor accepts."""


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
    for size, hashed in (("256", RSAAlgorithm.SHA256), ("384", RSAAlgorithm.SHA384), ("512", RSAAlgorithm.SHA512)):
        signer.register_algorithm(f"RS{size}", RSAAlgorithm(hashed))
        signer.register_algorithm(f"PS{size}", RSAPSSAlgorithm(hashed))
    return signer


_SIGNER = _signer()


@dataclass(frozen=True, repr=False)
class JwtKey:
    """A key and the way its tokens are written."""

    merchant_id: str
    key_id: str
    """``kid``: the shared-secret key's id, or the serialNumber in the subject of the RSA key's certificate."""
    secret: bytes | RSAPrivateKey
    algorithm: str = "HS256"
    """``HS256``, ``HS384``, ``HS512`` with a shared secret; ``RS`` or ``PS`` with 256, 384, 512 with an RSA key."""
    portfolio_id: str = ""
    """With a meta key: the portfolio that issues the token for the merchant."""
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
            "iss": self._key.portfolio_id or self._key.merchant_id,
            "jti": str(self._new_id()),
            "request-host": host_of(request),
            "request-method": method.lower() if self._key.method_case == "lower" else method,
            "request-resource-path": path.partition("?")[0] if self._key.path_query == "cut" else path,
            "v-c-jwt-version": "2",
            "v-c-merchant-id": self._key.merchant_id,
        }
        body = body_of(request)
        if body:
            claims["digest"] = digest(body)
            claims[self._key.digest_claim] = "SHA-256"
        return claims

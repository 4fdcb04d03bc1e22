"""Who may come in: JWT v2 (shared secret or certificate) and HTTP Signature, checked as the vendor describes them.

Nothing here comes from a JWT library: a client that uses one is thereby checked against a second implementation.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections import deque
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import NameOID

from habeas.testing.sandbox import Call

__all__ = ["Gate"]

_TOLERANCE = 300
"""Seconds a client's clock may differ. The vendor does not publish the figure; this one is ours."""
_LIFETIME = 120
"""Seconds from ``iat`` to ``exp`` at most (vendor, JWT v2)."""
_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_SHARED = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}
_HASHES: Mapping[str, hashes.HashAlgorithm] = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
_CERTIFIED = frozenset(f"{family}{size}" for family in ("RS", "PS") for size in _HASHES)


class Gate:
    """The credentials of one merchant and the tokens seen so far."""

    def __init__(self, merchant_id: str, key_id: str, secret: bytes, portfolio_id: str = "") -> None:
        self._merchant_id = merchant_id
        # With a meta key the portfolio signs, for the merchant that the request names beside it.
        self._signer = portfolio_id or merchant_id
        self._key_id = key_id
        self._secret = secret
        self._certified: dict[str, RSAPublicKey] = {}
        self._seen: set[str] = set()
        self._expiring: deque[tuple[int, str]] = deque()

    def trust(self, certificate_pem: bytes) -> None:
        """Accepts JWTs signed with this certificate's RSA key.

        Their ``kid`` is the ``serialNumber`` attribute of the certificate's subject, not the X.509 serial number.
        Raises ``ValueError`` for a certificate without that attribute or with another kind of key.
        """
        certificate = x509.load_pem_x509_certificate(certificate_pem)
        names = certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
        key = certificate.public_key()
        if not names or not isinstance(key, RSAPublicKey):
            raise ValueError("an RSA certificate with a serialNumber in its subject is needed")
        self._certified[str(names[0].value)] = key

    def refusal(self, call: Call, now: float) -> str:
        """Why this call is not let in, without any of its values; empty where it is. ``now`` in Unix seconds."""
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        if scheme:
            return self._jwt(token.strip(), call, now) if scheme.lower() == "bearer" else "scheme is not Bearer"
        if "signature" in call.headers:
            return self._http_signature(call, now)
        return "no credentials"

    # -- JWT v2 ---------------------------------------------------------------------------------------------------

    def _jwt(self, token: str, call: Call, now: float) -> str:
        parts = _COMPACT.fullmatch(token)
        if parts is None:
            return "not a compact JWS"
        try:
            header, claims = _object(parts[1]), _object(parts[2])
            signature = _decoded(parts[3])
        except (ValueError, RecursionError):
            return "not a compact JWS"
        signed = token[: parts.end(2)].encode()
        return (
            self._key_refusal(header, signed, signature)
            or self._time_refusal(claims, now)
            or self._claim_refusal(claims, call)
            or self._replay_refusal(claims, now)
        )

    def _key_refusal(self, header: Mapping[str, Any], signed: bytes, signature: bytes) -> str:
        algorithm, kid = header.get("alg"), header.get("kid")
        if header.get("typ") != "JWT":
            return "typ"
        if not isinstance(algorithm, str) or not isinstance(kid, str):
            return "alg or kid"
        # The family of the algorithm picks the key, so a certificate's public key can never serve as a shared secret.
        if algorithm in _SHARED:
            if kid != self._key_id:
                return "kid"
            expected = hmac.digest(self._secret, signed, _SHARED[algorithm])
            return "" if hmac.compare_digest(expected, signature) else "signature"
        if algorithm in _CERTIFIED:
            key = self._certified.get(kid)
            return "kid" if key is None else _rsa_refusal(key, algorithm, signed, signature)
        return "alg"

    def _time_refusal(self, claims: Mapping[str, Any], now: float) -> str:
        issued, expires = claims.get("iat"), claims.get("exp")
        if type(issued) is not int or type(expires) is not int or not 0 < expires - issued <= _LIFETIME:
            return "iat or exp"
        if issued > now + _TOLERANCE:
            return "iat is in the future"
        return "expired" if expires < now - _TOLERANCE else ""

    def _claim_refusal(self, claims: Mapping[str, Any], call: Call) -> str:
        if claims.get("iss") != self._signer:
            return "iss"
        if claims.get("v-c-merchant-id") != self._merchant_id:
            return "v-c-merchant-id"
        if claims.get("v-c-jwt-version") != "2":
            return "v-c-jwt-version"
        if claims.get("request-host") != call.headers.get("host"):
            return "request-host"
        # Upper case from one of the vendor's clients, lower case from its pages and another client.
        if str(claims.get("request-method")).upper() != call.method:
            return "request-method"
        # The vendor's clients of different months disagree whether the query belongs to the claim.
        if claims.get("request-resource-path") not in (call.target, call.path):
            return "request-resource-path"
        if call.body or "digest" in claims:
            # `digest-algorithm` is what one of the vendor's clients writes, `digestAlgorithm` the others.
            if claims.get("digestAlgorithm", claims.get("digest-algorithm")) != "SHA-256":
                return "digestAlgorithm"
            if claims.get("digest") != _digest(call.body):
                return "digest"
        return ""

    def _replay_refusal(self, claims: Mapping[str, Any], now: float) -> str:
        jti = claims.get("jti")
        if not isinstance(jti, str) or _UUID.fullmatch(jti) is None:
            return "jti"
        # A jti need not be remembered longer than its token could be used.
        while self._expiring and self._expiring[0][0] < now - _TOLERANCE:
            self._seen.discard(self._expiring.popleft()[1])
        if (jti := jti.lower()) in self._seen:
            return "jti was seen before"
        self._seen.add(jti)
        self._expiring.append((claims["exp"], jti))
        return ""

    # -- HTTP Signature -------------------------------------------------------------------------------------------

    def _http_signature(self, call: Call, now: float) -> str:
        given = dict(_PARAMETER.findall(call.headers["signature"]))
        if given.keys() != {"keyid", "algorithm", "headers", "signature"}:
            return "Signature header"
        if given["keyid"] != self._key_id:
            return "keyid"
        if given["algorithm"] != "HmacSHA256":
            return "algorithm"
        if call.headers.get("v-c-merchant-id") != self._merchant_id:
            return "v-c-merchant-id"
        names = given["headers"].split(" ")
        clock = "v-c-date" if "v-c-date" in names else "date"
        needed = ["host", clock, "request-target", "v-c-merchant-id"]
        if call.method in ("POST", "PUT", "PATCH"):
            needed.append("digest")
            if call.headers.get("digest") != f"SHA-256={_digest(call.body)}":
                return "digest"
        if sorted(names) != sorted(needed):
            return "signed headers"
        if not _near(call.headers.get(clock, ""), now):
            return "date"
        target = f"{call.method.lower()} {call.target}"
        values = {**call.headers, "request-target": target, "v-c-merchant-id": self._signer}
        text = "\n".join(f"{name}: {values.get(name, '')}" for name in names)
        expected = base64.b64encode(hmac.digest(self._secret, text.encode(), "sha256"))
        return "" if hmac.compare_digest(expected, given["signature"].encode()) else "signature"


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _object(part: str) -> dict[str, Any]:
    value = json.loads(_decoded(part))
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _digest(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


def _near(http_date: str, now: float) -> bool:
    if not http_date.endswith(" GMT"):
        return False
    try:
        return abs(parsedate_to_datetime(http_date).timestamp() - now) <= _TOLERANCE
    except ValueError:
        return False


def _rsa_refusal(key: RSAPublicKey, algorithm: str, signed: bytes, signature: bytes) -> str:
    digest = _HASHES[algorithm[2:]]
    scheme = (
        padding.PKCS1v15()
        if algorithm.startswith("RS")
        else padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size)
    )
    try:
        key.verify(signature, signed, scheme, digest)
    except InvalidSignature:
        return "signature"
    return ""

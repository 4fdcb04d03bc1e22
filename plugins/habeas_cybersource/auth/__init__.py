"""Credentials for each attempt: JWT version 2, signed with a shared secret or with a P12 file's key, or HTTP Signature.

``auth`` in the connection's settings chooses. The vendor switches HTTP Signature off (by September 2026, or March 2027:
its pages differ), so it is for those who cannot change in time.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import TYPE_CHECKING

from habeas.errors import ConfigError
from habeas_cybersource.auth.signature import SignatureAuth, SignatureKey
from habeas_cybersource.auth.tokens import LIFETIME, JwtAuth, JwtKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from requests.auth import AuthBase

__all__ = ["LIFETIME", "JwtAuth", "JwtKey", "SignatureAuth", "SignatureKey", "from_settings"]


def from_settings(settings: Mapping[str, object]) -> AuthBase:
    """The signer of one connection.

    Raises :class:`~habeas.errors.ConfigError` where the secret or the P12 file cannot be used.
    """
    if settings.get("auth") == "http_signature":
        return SignatureAuth(
            SignatureKey(
                merchant_id=str(settings["merchant_id"]),
                key_id=str(settings["key_id"]),
                secret=_secret(str(settings["shared_secret"])),
                portfolio_id=str(settings.get("portfolio_id", "")),
                date_header="v-c-date" if settings.get("signature_date") == "v-c-date" else "date",
            )
        )
    return JwtAuth(_p12_key(settings) if settings.get("auth") == "jwt_p12" else _shared_key(settings))


def _shared_key(settings: Mapping[str, object]) -> JwtKey:
    return _jwt_key(settings, str(settings["key_id"]), _secret(str(settings["shared_secret"])), "HS256")


def _p12_key(settings: Mapping[str, object]) -> JwtKey:
    from habeas_cybersource.auth.p12 import read_p12

    opened = read_p12(str(settings["p12"]), str(settings["p12_password"]))
    return _jwt_key(settings, opened.key_id, opened.key, "RS256")


def _jwt_key(settings: Mapping[str, object], key_id: str, secret: bytes | RSAPrivateKey, usual: str) -> JwtKey:
    return JwtKey(
        merchant_id=str(settings["merchant_id"]),
        key_id=key_id,
        secret=secret,
        algorithm=str(settings.get("jwt_algorithm", usual)),
        portfolio_id=str(settings.get("portfolio_id", "")),
        method_case="lower" if settings.get("jwt_method_case") == "lower" else "upper",
        digest_claim="digest-algorithm"
        if settings.get("jwt_digest_claim") == "digest-algorithm"
        else "digestAlgorithm",
        path_query="cut" if settings.get("jwt_path_query") == "cut" else "keep",
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

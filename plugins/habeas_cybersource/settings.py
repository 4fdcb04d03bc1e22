"""The JSON Schemas of a connection's settings and of a purpose. Data only."""

from __future__ import annotations

from collections.abc import Mapping

from habeas.models import Json

__all__ = ["PURPOSE", "SETTINGS"]

_TEXT = {"type": "string", "minLength": 1}


def _by_auth(auth: str, needed: list[str], algorithms: list[str]) -> Mapping[str, Json]:
    """What one way to sign needs. Without ``auth``, ``jwt`` is meant."""
    given = {"properties": {"auth": {"const": auth}}} | ({} if auth == "jwt" else {"required": ["auth"]})
    return {"if": given, "then": {"required": needed, "properties": {"jwt_algorithm": {"enum": algorithms}}}}


_HMAC = ["HS256", "HS384", "HS512"]
_RSA = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]

SETTINGS: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        "merchant_id": {**_TEXT, "description": "CyberSource merchant id: the one whose vault is meant"},
        "portfolio_id": {**_TEXT, "description": "with a meta key: the portfolio that the key belongs to"},
        "auth": {
            "enum": ["jwt", "jwt_p12", "http_signature"],
            "default": "jwt",
            "description": "jwt: token signed with a shared secret; jwt_p12: with the key of a P12 file; "
            "http_signature: the older form with a shared secret, which the vendor is switching off",
        },
        "key_id": {**_TEXT, "description": "jwt, http_signature: id of the shared-secret key (a UUID)"},
        "shared_secret": {
            **_TEXT,
            "description": "jwt, http_signature: the shared secret, base64 as the Business Center shows it",
        },
        "p12": {
            "type": "string",
            "pattern": "^file:.+",
            "description": "jwt_p12: the P12 file, as file:PATH",
        },
        "p12_password": {**_TEXT, "description": "jwt_p12: the password of the P12 file"},
        "profile_id": {
            "type": "string",
            "minLength": 36,
            "maxLength": 36,
            "description": "TMS vault profile, where the account has several",
        },
        "jwt_algorithm": {
            "enum": [*_HMAC, *_RSA],
            "description": f"jwt: {', '.join(_HMAC)} (default HS256); jwt_p12: {', '.join(_RSA)} (default RS256)",
        },
        "jwt_method_case": {
            "enum": ["upper", "lower"],
            "default": "upper",
            "description": "how the method is written in the token; the vendor's own clients disagree",
        },
        "jwt_digest_claim": {
            "enum": ["digestAlgorithm", "digest-algorithm"],
            "default": "digestAlgorithm",
            "description": "name of the claim that names the digest; the vendor's own clients disagree",
        },
        "jwt_path_query": {
            "enum": ["keep", "cut"],
            "default": "keep",
            "description": "whether the path in the token has its query; the vendor's own clients disagree",
        },
        "signature_date": {
            "enum": ["date", "v-c-date"],
            "default": "date",
            "description": "http_signature: the header that is signed; the vendor's clients and guide disagree",
        },
        "canary_card": {
            "type": "string",
            "pattern": "^[0-9]{12,19}$",
            "default": "4111111111111111",
            "description": "test card number that `habeas canary` saves for its made-up person; never a real card",
        },
    },
    "required": ["merchant_id"],
    "allOf": [
        _by_auth("jwt", ["key_id", "shared_secret"], _HMAC),
        _by_auth("http_signature", ["key_id", "shared_secret"], [*_HMAC, *_RSA]),
        _by_auth("jwt_p12", ["p12", "p12_password"], _RSA),
    ],
    "additionalProperties": False,
}

PURPOSE: Mapping[str, Json] = {
    "type": "object",
    "description": "Empty: TMS holds no consent to marketing. A purpose mapped to {} is reported as unsupported here.",
    "properties": {},
    "additionalProperties": False,
}

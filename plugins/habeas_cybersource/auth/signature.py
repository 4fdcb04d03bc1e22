"""HTTP Signature with a shared secret: the form that the vendor is leaving for JSON Web Tokens.

Source: CyberSource REST client for Python (release 0.0.80, ``GetSignatureParameter``) and the vendor's page on HTTP
messages. The clients sign the header ``Date``, the page signs ``v-c-date``: the connection's settings decide.
"""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Literal

from requests import PreparedRequest
from requests.auth import AuthBase

from habeas_cybersource.auth.wire import body_of, digest, host_of

__all__ = ["SignatureAuth", "SignatureKey"]

_WITH_DIGEST = ("POST", "PUT", "PATCH")


@dataclass(frozen=True, repr=False)
class SignatureKey:
    """A shared-secret key and the way its signatures are written."""

    merchant_id: str
    key_id: str
    secret: bytes
    portfolio_id: str = ""
    """With a meta key: signed in the merchant's place, while the header names the merchant."""
    date_header: Literal["date", "v-c-date"] = "date"


class SignatureAuth(AuthBase):
    """Puts ``Signature`` and the headers it covers on a complete request, with the time of the attempt."""

    def __init__(self, key: SignatureKey, now: Callable[[], float] = time.time) -> None:
        self._key = key
        self._now = now

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        key, method = self._key, (r.method or "").upper()
        r.headers[key.date_header] = formatdate(int(self._now()), usegmt=True)
        r.headers["v-c-merchant-id"] = key.merchant_id
        signed = {
            "host": host_of(r),
            key.date_header: r.headers[key.date_header],
            "request-target": f"{method.lower()} {r.path_url}",
        }
        if method in _WITH_DIGEST:
            r.headers["Digest"] = signed["digest"] = f"SHA-256={digest(body_of(r))}"
        signed["v-c-merchant-id"] = key.portfolio_id or key.merchant_id
        text = "\n".join(f"{name}: {value}" for name, value in signed.items())
        signature = base64.b64encode(hmac.digest(key.secret, text.encode("utf-8"), "sha256")).decode("ascii")
        r.headers["Signature"] = (
            f'keyid="{key.key_id}", algorithm="HmacSHA256", headers="{" ".join(signed)}", signature="{signature}"'
        )
        return r

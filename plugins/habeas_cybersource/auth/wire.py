"""What signatures say of a request as it goes over the wire."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import urlsplit

from requests import PreparedRequest

__all__ = ["body_of", "digest", "host_of"]

_DEFAULT_PORTS = {"http": 80, "https": 443}


def host_of(request: PreparedRequest) -> str:
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


def body_of(request: PreparedRequest) -> bytes:
    """The body's bytes; empty for none."""
    body = request.body or b""
    return body.encode("utf-8") if isinstance(body, str) else body


def digest(body: bytes) -> str:
    """SHA-256, base64."""
    return base64.b64encode(hashlib.sha256(body).digest()).decode("ascii")

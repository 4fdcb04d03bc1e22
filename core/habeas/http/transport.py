"""One attempt at one request: bounded in time and size, no redirects, no proxies or .netrc from the environment."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import requests
import urllib3
from requests.auth import AuthBase

from habeas.clock import Clock
from habeas.errors import BadAnswer, NoAnswer, NotSent
from habeas.http.decode import decode_json
from habeas.http.paths import fill
from habeas.models import Json, Limits

__all__ = ["Answer", "Request", "Transport"]

_CHUNK = 16 * 1024
_CONNECT_SECONDS = 10.0


@dataclass(frozen=True, repr=False)
class Request:
    """One request, by template: the only form in which it may be named in logs and ledger."""

    method: str
    template: str
    ids: Mapping[str, str] = field(default_factory=dict)
    query: Sequence[tuple[str, str]] = ()
    json: Json | None = None
    """Body; None is no body."""
    form: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """``DELETE /v1/customers/{customerId}``."""
        return f"{self.method} {self.template}"

    def __repr__(self) -> str:
        return f"Request({self.name})"


@dataclass(frozen=True, repr=False)
class Answer:
    """A whole answer."""

    request: Request
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    def json(self) -> Json:
        """The decoded body. Raises :class:`~habeas.errors.BadAnswer`."""
        try:
            return decode_json(self.body)
        except BadAnswer as bad:
            raise BadAnswer(f"{self.evidence}: {bad.message}") from None

    @property
    def evidence(self) -> str:
        """``GET /v1/customers/{customerId} -> 404``."""
        return f"{self.request.name} -> {self.status}"

    def __repr__(self) -> str:
        return f"Answer({self.evidence})"


class Transport:
    """Sends single attempts to one host. Safe to share: each thread has its own session and so its own connections."""

    def __init__(self, base_url: str, limits: Limits, clock: Clock) -> None:
        self.base_url = base_url.rstrip("/")
        self.host = urlsplit(base_url).netloc
        self.limits = limits
        self._clock = clock
        self._local = threading.local()

    def send(self, request: Request, *, auth: AuthBase | None = None, seconds: float | None = None) -> Answer:
        """One attempt, in at most ``seconds`` (default: the connection's timeout).

        Raises :class:`NotSent` (nothing reached the vendor), :class:`NoAnswer` (it may have), :class:`BadAnswer`
        (an answer over the size limit).
        """
        budget = self.limits.timeout_seconds if seconds is None else min(seconds, self.limits.timeout_seconds)
        deadline = self._clock.monotonic() + budget
        prepared = self._prepare(request, auth)
        try:
            response = self._session().send(
                prepared,
                stream=True,
                allow_redirects=False,
                verify=True,
                timeout=(min(budget, _CONNECT_SECONDS), budget),
            )
        except requests.RequestException as error:
            raise _translate(error, request) from None
        try:
            return Answer(
                request,
                response.status_code,
                {k.lower(): v for k, v in response.headers.items()},
                self._read(response, request, deadline),
            )
        finally:
            response.close()

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            session.trust_env = False
            session.headers.update({"Accept": "application/json", "Accept-Encoding": "identity"})
            session.headers["User-Agent"] = "habeas"
            # One connection a thread: the adapter's own retries stay at 0, ours are journalled.
            session.mount("https://", requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=1, max_retries=0))
            session.mount("http://", requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=1, max_retries=0))
            self._local.session = session
        return session

    def _prepare(self, request: Request, auth: AuthBase | None) -> requests.PreparedRequest:
        path = fill(request.template, request.ids)
        body: bytes | None = None
        headers = dict(request.headers)
        if request.json is not None:
            body = json.dumps(request.json, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
            headers.setdefault("Content-Type", "application/json;charset=utf-8")
        try:
            prepared = self._session().prepare_request(
                requests.Request(
                    request.method,
                    self.base_url + path,
                    params=list(request.query) or None,
                    data=body if body is not None else request.form,
                    headers=headers,
                    auth=auth,
                )
            )
        except (requests.RequestException, UnicodeError):
            raise NotSent(f"{request.name}: the request cannot be written", advice="check the identifier") from None
        sent = urlsplit(prepared.url or "").path
        if sent != urlsplit(self.base_url).path + path:
            raise NotSent(f"{request.name}: the path would be changed on the way", advice="check the identifier")
        return prepared

    def _read(self, response: requests.Response, request: Request, deadline: float) -> bytes:
        chunks: list[bytes] = []
        size = 0
        raw: urllib3.HTTPResponse = response.raw
        try:
            while True:
                chunk = raw.read1(_CHUNK, decode_content=True)
                if not chunk:
                    break
                chunks.append(chunk)
                size += len(chunk)
                if size > self.limits.max_answer_bytes:
                    raise BadAnswer(f"{request.name}: the answer is larger than {self.limits.max_answer_bytes} bytes")
                if self._clock.monotonic() > deadline:
                    raise NoAnswer(f"{request.name}: the answer was not complete in time")
        except (urllib3.exceptions.HTTPError, OSError):
            raise NoAnswer(f"{request.name}: the answer was cut off") from None
        length = response.headers.get("Content-Length", "")
        if length.isdigit() and "content-encoding" not in response.headers and size < int(length):
            raise NoAnswer(f"{request.name}: the answer was cut off")
        return b"".join(chunks)


def _translate(error: requests.RequestException, request: Request) -> NotSent | NoAnswer:
    """requests' messages hold whole URLs: ours hold the template and the kind of trouble."""
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    if isinstance(error, requests.exceptions.SSLError) and _certificate_refused(reason):
        return NotSent(f"{request.name}: the server's certificate was not accepted", advice="check base_url")
    if isinstance(error, requests.ConnectTimeout) or isinstance(reason, urllib3.exceptions.ConnectTimeoutError):
        return NotSent(f"{request.name}: no connection in time")
    if isinstance(reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.NameResolutionError):
        return NotSent(f"{request.name}: no connection")
    if isinstance(error, requests.Timeout):
        return NoAnswer(f"{request.name}: no answer in time")
    if isinstance(error, requests.ConnectionError):
        return NoAnswer(f"{request.name}: the connection was dropped")
    return NoAnswer(f"{request.name}: no usable answer ({type(error).__name__})")


def _certificate_refused(reason: object) -> bool:
    """True only for a handshake that ended at the certificate; other TLS trouble can come after the request."""
    inner = reason.args[0] if isinstance(reason, urllib3.exceptions.SSLError) and reason.args else reason
    return isinstance(inner, ssl.SSLCertVerificationError)

"""One attempt at one request: bounded in time and size, no redirects, no proxies or .netrc from the environment."""

from __future__ import annotations

import hashlib
import json
import re
import ssl
import threading
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode, urlsplit

import requests
import urllib3
from requests.auth import AuthBase
from requests.hooks import default_hooks
from requests.structures import CaseInsensitiveDict

from habeas.clock import Clock
from habeas.errors import BadAnswer, NoAnswer, NotSent
from habeas.http.decode import decode_json
from habeas.http.paths import fill
from habeas.http.session import HEADERS, open_session
from habeas.models import Json, Limits

__all__ = ["Answer", "Prepared", "Request", "Transport", "Upload"]

_CHUNK = 16 * 1024
_NO_HEADER = re.compile(r"[\r\n\0]|[^\x00-\xff]").search
_CONNECT_SECONDS = 10.0


@dataclass(frozen=True, repr=False)
class Upload:
    """One file of a form. ``file_name`` and ``field`` are ours, never the person's."""

    field: str
    file_name: str
    content: bytes
    media_type: str

    def __repr__(self) -> str:
        return f"Upload({self.file_name}, {len(self.content)} bytes)"


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
    upload: Upload | None = None
    """A file, sent as ``multipart/form-data`` (RFC 7578); None is no file."""
    idempotency_header: str = ""
    """Name of the header in which the vendor takes an idempotency key; empty where it takes none. The key is the
    journal's: the same for every attempt at the same change within a case, also after a crash."""

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


@dataclass(frozen=True, repr=False)
class Prepared:
    """A request as it would go over the wire."""

    request: Request
    http: requests.PreparedRequest

    def __repr__(self) -> str:
        return f"Prepared({self.request.name})"


class Transport:
    """Sends single attempts to one host. Safe to share: each thread has its own session and so its own connections."""

    def __init__(self, base_url: str, limits: Limits, clock: Clock) -> None:
        self.base_url = base_url.rstrip("/")
        self.host = urlsplit(base_url).netloc.rpartition("@")[2]
        self._folds = any(part in (".", "..") for part in urlsplit(base_url).path.split("/"))
        self.limits = limits
        self._clock = clock
        self._local = threading.local()

    def send(self, request: Request, *, auth: AuthBase | None = None, seconds: float | None = None) -> Answer:
        """One attempt, in at most ``seconds`` (default: the connection's timeout).

        Raises what :meth:`prepare`, :meth:`sign` and :meth:`deliver` raise.
        """
        return self.deliver(self.sign(self.prepare(request), auth), seconds=seconds)

    def prepare(self, request: Request) -> Prepared:
        """Writes a request. Raises :class:`NotSent` where no attempt could ever send it, such as for a bad id.

        The parts are put together here, not by ``requests``: it would parse the URL and put it together anew, which may
        change a path, and takes a fifth of a call's time.
        """
        if self._folds:
            raise NotSent(f"{request.name}: the path would be changed on the way", advice="check base_url")
        url = self.base_url + fill(request.template, request.ids)
        http = requests.PreparedRequest()
        http.method = request.method
        http.hooks = default_hooks()
        http.headers = CaseInsensitiveDict({**HEADERS, **request.headers})
        try:
            http.url = f"{url}?{urlencode(request.query)}" if request.query else url
            http.body = _body(request, http.headers)
        except (TypeError, ValueError):
            raise _unwritable(request) from None
        http.prepare_content_length(http.body)
        return Prepared(request, http)

    def sign(self, prepared: Prepared, auth: AuthBase | None) -> Prepared:
        """The same with credentials, which may cost a call of their own and raise what that call raises.

        Raises :class:`NotSent` where they cannot stand in a header.
        """
        http = prepared.http.copy()
        try:
            if auth is not None:
                http.prepare_auth(auth)
        except (requests.RequestException, UnicodeError):
            raise _unwritable(prepared.request) from None
        if not all(_is_header(value) for value in http.headers.values()):
            raise _unwritable(prepared.request)
        return replace(prepared, http=http)

    def deliver(self, prepared: Prepared, *, seconds: float | None = None) -> Answer:
        """One attempt at a signed request, from connecting to the last byte in at most ``seconds``.

        Raises :class:`NotSent` (nothing reached the vendor), :class:`NoAnswer` (it may have), :class:`BadAnswer`
        (an answer over the size limit).
        """
        request = prepared.request
        budget = self.limits.timeout_seconds if seconds is None else min(seconds, self.limits.timeout_seconds)
        if budget <= 0:
            raise NotSent(f"{request.name}: no time was left to send it")
        self._local.deadline = self._clock.monotonic() + budget
        try:
            response = self._session().send(
                prepared.http,
                stream=True,
                allow_redirects=False,
                verify=True,
                timeout=(min(budget, _CONNECT_SECONDS), budget),
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise _translate(error, request) from None
        try:
            headers = {k.lower(): v for k, v in response.headers.items()}
            return Answer(request, response.status_code, headers, self._read(response.raw, request))
        finally:
            response.close()

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = open_session(self._remaining)
        return session

    def _remaining(self) -> float:
        """Seconds left for the attempt that this thread is making."""
        deadline: float = self._local.deadline
        return deadline - self._clock.monotonic()

    def _read(self, raw: urllib3.HTTPResponse, request: Request) -> bytes:
        """The body, decoded and counted as it comes."""
        body = bytearray()
        try:
            while chunk := raw.read1(_CHUNK, decode_content=True):
                body += chunk
                if len(body) > self.limits.max_answer_bytes:
                    raise BadAnswer(f"{request.name}: the answer is larger than {self.limits.max_answer_bytes} bytes")
        except urllib3.exceptions.ReadTimeoutError:
            raise NoAnswer(f"{request.name}: the answer was not complete in time") from None
        except (urllib3.exceptions.HTTPError, OSError):
            raise NoAnswer(f"{request.name}: the answer was cut off") from None
        return bytes(body)


def _body(request: Request, headers: MutableMapping[str, str]) -> bytes | None:
    """The body's bytes, its kind set in ``headers``. Raises ``ValueError`` or ``TypeError`` for what is not JSON."""
    if request.json is not None:
        headers.setdefault("Content-Type", "application/json;charset=utf-8")
        return json.dumps(request.json, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")
    if request.form is not None:
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        return urlencode(request.form).encode("ascii")
    if request.upload is not None:
        body, headers["Content-Type"] = _multipart(request.upload)
        return body
    return None


def _multipart(upload: Upload) -> tuple[bytes, str]:
    """One part. The boundary is made of the content, so that equal requests are equal to the byte."""
    boundary = hashlib.sha256(upload.content).hexdigest()
    part = (upload.field, (upload.file_name, upload.content, upload.media_type))
    return urllib3.encode_multipart_formdata([part], boundary)


def _is_header(value: object) -> bool:
    """Whether http.client will write it: else it raises, and shows the value, when the call is under way."""
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    return isinstance(value, str) and _NO_HEADER(value) is None


def _unwritable(request: Request) -> NotSent:
    return NotSent(f"{request.name}: the request cannot be written", advice="check the identifier and the credentials")


def _translate(error: Exception, request: Request) -> NotSent | NoAnswer:
    """requests' messages hold whole URLs: ours hold the template and the kind of trouble."""
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    if isinstance(error, requests.exceptions.SSLError) and _certificate_refused(reason):
        return NotSent(f"{request.name}: the server's certificate was not accepted", advice="check base_url")
    # urllib3 counts a refused connection among the late ones.
    if isinstance(reason, urllib3.exceptions.NewConnectionError):
        return NotSent(f"{request.name}: no connection")
    if isinstance(reason, urllib3.exceptions.ConnectTimeoutError):
        return NotSent(f"{request.name}: no connection in time")
    if isinstance(error, requests.Timeout):
        return NoAnswer(f"{request.name}: no answer in time")
    if isinstance(error, requests.ConnectionError):
        return NoAnswer(f"{request.name}: the connection was dropped")
    return NoAnswer(f"{request.name}: no usable answer ({type(error).__name__})")


def _certificate_refused(reason: object) -> bool:
    """True only for a handshake that ended at the certificate; other TLS trouble can come after the request."""
    inner = reason.args[0] if isinstance(reason, urllib3.exceptions.SSLError) and reason.args else reason
    return isinstance(inner, ssl.SSLCertVerificationError)

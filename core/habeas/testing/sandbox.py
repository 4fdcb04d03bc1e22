"""What every sandbox vendor stands on: strict routing, a loopback server, a request log, and faults on demand.

A sandbox is a :class:`SandboxApp` with routes and state of its own, written from the vendor's documents. It never
imports the plugin's client. :class:`SandboxServer` serves it on 127.0.0.1 and can be told to misbehave.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote

from habeas.testing.people import Person

__all__ = ["Call", "Fault", "Reply", "SandboxApp", "SandboxServer", "token"]


@dataclass(frozen=True)
class Call:
    """One request as it arrived."""

    method: str
    target: str
    """Path and query exactly as sent."""
    path: str
    """Path exactly as sent, still percent-encoded."""
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    params: Mapping[str, str] = field(default_factory=dict)
    """Decoded path placeholders of the route that matched."""
    template: str = ""

    def first(self, name: str, default: str = "") -> str:
        """First value of a query parameter."""
        return next((v for k, v in self.query if k == name), default)

    def json(self) -> Any:
        """The body as JSON; raises ``ValueError`` where it is none."""
        return json.loads(self.body.decode("utf-8"))


@dataclass(frozen=True)
class Reply:
    """What the vendor answers: ``json`` unless ``body`` is given; ``None`` for both is an empty body."""

    status: int
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None

    def encoded(self) -> bytes:
        """The body's bytes."""
        if self.body is not None:
            return self.body
        return b"" if self.json is None else json.dumps(self.json, ensure_ascii=False).encode()


FaultKind = Literal[
    "status", "reset_before", "reset_after", "hang_before", "hang_after", "lie", "replace", "garble", "cut", "drip"
]


_UNAVAILABLE = Reply(503, {"message": "unavailable"})
_HOW = "x-how-it-is-sent"
"""A header that is not sent: it tells the server how to send the body."""


@dataclass
class Fault:
    """One misbehaviour. ``before`` and ``after`` say whether the vendor acts on the request first.

    ``status`` answers ``reply`` without acting; ``lie`` answers ``reply`` (default 204) without acting;
    ``replace`` acts, then answers ``reply``; ``garble`` acts, then answers what ``garble`` makes of the body; ``cut``
    acts, then drops the connection in the middle of the body; ``reset_*`` drops it without a word; ``hang_*`` keeps it
    silent until the server stops or :meth:`SandboxServer.release` is called; ``drip`` acts, then sends one byte at a
    time, and the rest at once when released.
    """

    kind: FaultKind
    method: str = ""
    """Empty: any."""
    path: str = ""
    """Regular expression searched in the raw target; empty: any."""
    times: int = 1
    """How often; -1 for ever."""
    skip: int = 0
    """How many matching calls pass first."""
    reply: Reply | None = None
    """What is answered; None is 503, and 204 for a ``lie``."""
    garble: Callable[[bytes], bytes] = field(default=lambda body: body[: len(body) // 2])
    """The body as it is to be sent; unless given, its first half, as if that were all."""

    def matches(self, call: Call) -> bool:
        """Whether this call is one to fail; counts it."""
        if self.times == 0 or (self.method and self.method != call.method) or not re.search(self.path, call.target):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times > 0:
            self.times -= 1
        return True


Handler = Callable[[Call], Reply]


class SandboxApp(ABC):
    """A vendor's HTTP API over state in memory. Handlers run under one lock: one request at a time sees the state."""

    name: str
    """The plugin's name."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self._routes: list[tuple[str, str, re.Pattern[str], Handler]] = []

    # -- what a vendor's sandbox writes ---------------------------------------------------------------------------

    @abstractmethod
    def settings(self) -> Mapping[str, str]:
        """Connection settings a client needs besides ``base_url``, secrets in clear (they are worth nothing)."""

    def more_credentials(self) -> Mapping[str, str | bytes]:
        """What else opens this sandbox (another key, a key store as bytes): for trying other clients on it."""
        return {}

    def serve_withdrawn(self) -> None:  # noqa: B027 - most vendors have withdrawn nothing
        """Serves also what the vendor has withdrawn but older clients still call; otherwise it answers as today."""

    @abstractmethod
    def seed(self, people: Iterable[Person]) -> Mapping[str, str]:
        """Creates what this vendor would hold about those with ``self.name in person.held_at``.

        Returns, for the people whose record can only be found by the vendor's own id, customer_id → that id.
        """

    @abstractmethod
    def held(self, person: Person) -> Mapping[str, int]:
        """The truth, for tests and the demo: record kind → how many still name this person. Empty: nothing."""

    @abstractmethod
    def error(self, status: int, message: str, call: Call) -> Reply:
        """An error in the vendor's own shape (404 for a path, 405, 401 …)."""

    @abstractmethod
    def authenticate(self, call: Call) -> Reply | None:
        """The answer to a call without proper credentials, or None where they are good."""

    def finish(self, call: Call, reply: Reply) -> Reply:
        """Adds what the vendor puts on every answer (headers)."""
        del call
        return reply

    # -- what consents, corrections and `habeas plugin check` need to know ----------------------------------------

    def purposes(self) -> Mapping[str, Mapping[str, Any]]:
        """Purposes as this vendor calls them: name → mapping, as ``[consent.purposes]`` has it. Empty: none."""
        return {}

    def consent(self, person: Person, purpose: str) -> bool | None:
        """The truth about one of :meth:`purposes`: granted, withdrawn, or never said (None)."""
        raise NotImplementedError

    def held_text(self, person: Person) -> str:
        """The truth, in full: all that is held about a person, as text in which every value can be found."""
        raise NotImplementedError

    def enlarge(self, person: Person, count: int) -> None:
        """Gives a person ``count`` more records of each kind that the vendor lists page by page."""
        raise NotImplementedError

    # -- routing --------------------------------------------------------------------------------------------------

    def route(self, method: str, template: str, handler: Handler) -> None:
        """Serves ``template`` (``/v1/customers/{customerId}``); a placeholder is one path segment, decoded once."""
        pattern = "".join(
            f"(?P<{part[1:-1]}>[^/]+)" if part.startswith("{") else re.escape(part)
            for part in re.split(r"(\{[^}]+\})", template)
        )
        self._routes.append((method, template, re.compile(pattern), handler))

    def operation(self, call: Call) -> str:
        """What a call asks for, as the documents name it: ``GET /v1/customers/{customerId}``; empty: nothing there."""
        for method, template, pattern, _ in self._routes:
            if method == call.method and pattern.fullmatch(call.path):
                return f"{method} {template}"
        return ""

    def handle(self, call: Call) -> Reply:
        """Authenticates, routes and answers one call."""
        with self.lock:
            return self.finish(call, self._answer(call))

    def _answer(self, call: Call) -> Reply:
        refused = self.authenticate(call)
        if refused is not None:
            return refused
        allowed: list[str] = []
        for method, template, pattern, handler in self._routes:
            match = pattern.fullmatch(call.path)
            if match is None:
                continue
            if method != call.method:
                allowed.append(method)
                continue
            params = {name: unquote(value) for name, value in match.groupdict().items()}
            return handler(
                Call(call.method, call.target, call.path, call.query, call.headers, call.body, params, template)
            )
        if allowed:
            return self.error(405, "Method not allowed", call)
        return self.error(404, "Resource not found", call)


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class SandboxServer:
    """Serves one sandbox on loopback. Use as a context manager, or ``start`` and ``stop``."""

    def __init__(self, app: SandboxApp, port: int = 0, *, latency: float = 0.0) -> None:
        self.app = app
        self.calls: list[Call] = []
        """Every request that arrived, in order."""
        self.faults: list[Fault] = []
        self.latency = latency
        self.down = False
        """True: connections are closed without an answer."""
        self.errors: list[Exception] = []
        """What the sandbox's own handlers raised: to the client it looks like a dropped connection."""
        self._matching = threading.Lock()
        self._released = threading.Event()
        self._server = _Quiet(("127.0.0.1", port), _handler(self))
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name=f"sandbox-{app.name}", daemon=True
        )

    @property
    def base_url(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> SandboxServer:
        """Begins to serve."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stops serving and lets hanging calls go."""
        self.release()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)

    def release(self) -> None:
        """Ends every hanging call."""
        self._released.set()

    def fail(self, fault: Fault) -> Fault:
        """Adds a fault; the first that matches a call decides it."""
        self.faults.append(fault)
        return fault

    def changing_calls(self) -> Sequence[Call]:
        """The calls that were not plain reads."""
        return [c for c in self.calls if c.method not in ("GET", "HEAD")]

    def __enter__(self) -> SandboxServer:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.stop()
        if self.errors and kind is None:
            raise AssertionError("the sandbox itself broke") from self.errors[0]

    def respond(self, call: Call) -> Reply | None:
        """The answer to one call, faults included; None means: drop the connection."""
        self.calls.append(call)
        if self.latency:
            time.sleep(self.latency)
        if self.down:
            return None
        with self._matching:
            fault = next((f for f in self.faults if f.matches(call)), None)
        try:
            return self.app.handle(call) if fault is None else self._misbehave(fault, call)
        except Exception as error:
            self.errors.append(error)
            raise

    def _misbehave(self, fault: Fault, call: Call) -> Reply | None:
        said = fault.reply or Reply(204) if fault.kind == "lie" else fault.reply or _UNAVAILABLE
        if fault.kind in ("status", "lie"):
            return said
        if fault.kind in ("reset_after", "hang_after", "replace", "garble", "cut", "drip"):
            reply = self.app.handle(call)
            if fault.kind in ("cut", "drip"):
                return Reply(reply.status, headers={**reply.headers, _HOW: fault.kind}, body=reply.encoded())
            if fault.kind == "garble":
                return Reply(reply.status, headers=reply.headers, body=fault.garble(reply.encoded()))
            if fault.kind == "replace":
                return said
        if fault.kind.startswith("hang"):
            self._released.wait(timeout=60)
        return None

    def drip(self, write: Callable[[bytes], None], body: bytes) -> None:
        """Sends a body one byte every 50 ms, and once released the rest of it."""
        for n in range(len(body)):
            write(body[n : n + 1])
            if self._released.wait(timeout=0.05):
                write(body[n + 1 :])
                return


def _handler(server: SandboxServer) -> type[BaseHTTPRequestHandler]:  # noqa: C901 - one class, several small methods
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def _serve(self) -> None:
            body = self._body()
            # Not self.path: the standard library drops slashes from its beginning.
            target = self.requestline.split()[1]
            path, _, query = target.partition("?")
            call = Call(
                method=self.command,
                target=target,
                path=path,
                query=tuple(parse_qsl(query, keep_blank_values=True)),
                headers={k.lower(): v for k, v in self.headers.items()},
                body=body,
            )
            reply = server.respond(call)
            if reply is None:
                self._drop()
                return
            self._send(reply)

        def _drop(self) -> None:
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                length = int(self.headers.get("Content-Length") or 0)
                return self.rfile.read(length) if length else b""
            # RFC 9112, section 7.1: our own client never sends one, other clients may.
            body = b""
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return body

        def _send(self, reply: Reply) -> None:
            body = reply.encoded()
            headers = {k: v for k, v in reply.headers.items() if k != _HOW}
            self.send_response_only(reply.status)
            if not any(k.lower() == "date" for k in headers):
                self.send_header("Date", self.date_time_string())
            if body and not any(k.lower() == "content-type" for k in headers):
                self.send_header("Content-Type", "application/json; charset=utf-8")
            for name, value in headers.items():
                self.send_header(name, value)
            if reply.status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "HEAD" or reply.status == 204:
                return
            how = reply.headers.get(_HOW)
            if how == "drip":
                server.drip(self._write, body)
            elif how == "cut":
                self._write(body[: len(body) // 2])
                self._drop()
            else:
                self.wfile.write(body)

        def _write(self, chunk: bytes) -> None:
            self.wfile.write(chunk)
            self.wfile.flush()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _serve  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
            """The request log is ``server.calls``; nothing is printed."""

    return Handler


def token(prefix: str, *parts: object) -> str:
    """A stable made-up id: the same for the same parts, so that a sandbox is the same each time."""
    digest = hashlib.sha256("|".join(map(str, parts)).encode()).digest()
    return prefix + base64.b32encode(digest).decode().rstrip("=").lower()[:24]

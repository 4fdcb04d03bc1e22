"""One attempt against servers that do everything wrong: bounded, not led astray, and clear about what it knows."""

from __future__ import annotations

import datetime
import gzip
import ipaddress
import logging
import socket
import ssl
import struct
import threading
import time
import traceback
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from requests import PreparedRequest
from requests.auth import AuthBase

from habeas.errors import BadAnswer, NoAnswer, NotSent, VendorError
from habeas.http.transport import Answer, Request, Transport
from habeas.models import Limits
from habeas.testing.clock import SkippingClock
from habeas.testing.sandbox import Fault, Reply, SandboxServer

CANARY = "canary-5f2e"
GET = Request("GET", "/v1/customers/{customerId}", {"customerId": CANARY}, (("q", CANARY),))
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
GZIP = OK + b"Content-Encoding: gzip\r\n"
DEFLATE = OK + b"Content-Encoding: deflate\r\n"

Script = Callable[[socket.socket], None]


class Key(AuthBase):
    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        r.headers["Authorization"] = CANARY
        r.headers["X-Api-Key"] = CANARY
        return r


class WildServer:
    """Answers each request with whatever bytes its script writes, then closes the connection."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self._script, self._tls = script, tls
        self.requests: list[bytes] = []
        self._open: list[socket.socket] = []
        self.ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        scheme = "http" if tls is None else "https"
        self.base_url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> WildServer:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        # A listener that is only closed would leave its accept() waiting.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=5)

    @property
    def connections(self) -> int:
        return len(self._open)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            thread.start()
            self._threads.append(thread)

    def _serve(self, plain: socket.socket) -> None:
        with plain:
            plain.settimeout(5)
            try:
                if self._tls is None:
                    self._answer(plain)
                else:
                    with self._tls.wrap_socket(plain, server_side=True) as secure:
                        self._answer(secure)
            except OSError:
                return

    def _answer(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            more = connection.recv(65536)
            if not more:
                return
            head += more
        self.requests.append(head)
        self._script(connection)

    def drip(self, connection: socket.socket, data: bytes) -> None:
        """A byte every 20 ms, for ever."""
        while True:
            for n in range(len(data)):
                connection.sendall(data[n : n + 1])
                if self.ended.wait(0.02):
                    return


def says(*parts: bytes) -> Script:
    return lambda connection: connection.sendall(b"".join(parts))


def transport(base_url: str, **limits: float) -> Transport:
    return Transport(base_url, Limits(**limits), SkippingClock())  # type: ignore[arg-type] # numbers of either kind


def attempt(script: Script, **limits: float) -> Answer:
    with WildServer(script) as server:
        return transport(server.base_url, **limits).send(GET, auth=Key())


def failure(script: Script, **limits: float) -> VendorError:
    """The error one attempt ends in. It shows nothing that was sent or received."""
    with pytest.raises(VendorError) as caught:
        attempt(script, **limits)
    error = caught.value
    assert CANARY not in "".join(traceback.format_exception(error)) + repr(error) + error.line() + repr(vars(error))
    return error


# -- redirects ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
def test_a_redirect_is_an_answer_and_its_target_never_hears_of_it(
    server: SandboxServer, alone: SandboxServer, status: int, method: str
) -> None:
    location = {"Location": f"{alone.base_url}/v1/customers/x"}
    server.fail(Fault("status", reply=Reply(status, {"id": 1}, headers=location)))
    answer = transport(server.base_url).send(Request(method, "/v1/search", json={"email": CANARY}), auth=Key())
    assert (answer.status, answer.json()) == (status, {"id": 1})
    assert (len(server.calls), alone.calls) == (1, [])


@pytest.mark.parametrize("location", [b"http://[bad", b"//", b"http://a..b/", b"\xff\xfe", b"x" * 60_000, b""])
def test_a_location_is_not_even_looked_at(location: bytes) -> None:
    head = b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n"
    assert attempt(says(head)).status == 302


def test_the_body_of_a_redirect_is_as_bounded_as_any() -> None:
    head = b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Encoding: gzip\r\n\r\n"
    error = failure(says(head, gzip.compress(bytes(32 << 20))), max_answer_bytes=1 << 20)
    assert isinstance(error, BadAnswer)


# -- size --------------------------------------------------------------------------------------------------------------


def test_an_answer_of_exactly_the_limit_is_whole() -> None:
    body = b"x" * 1024
    assert attempt(says(OK, b"Content-Length: 1024\r\n\r\n", body), max_answer_bytes=1024).body == body


@pytest.mark.parametrize("length", [b"Content-Length: 1025\r\n", b"Content-Length: 99999999999\r\n", b""])
def test_an_answer_over_the_limit_is_refused(length: bytes) -> None:
    error = failure(says(OK, length, b"\r\n", b"x" * 1025), max_answer_bytes=1024)
    assert isinstance(error, BadAnswer)
    assert error.message == "GET /v1/customers/{customerId}: the answer is larger than 1024 bytes"


def test_an_answer_without_end_is_refused() -> None:
    def endless(connection: socket.socket) -> None:
        connection.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")

    assert isinstance(failure(endless, max_answer_bytes=1 << 20), BadAnswer)


@pytest.mark.parametrize("layers", [1, 2])
def test_a_compressed_bomb_is_counted_as_it_unfolds(layers: int) -> None:
    bomb = gzip.compress(bytes(64 << 20))
    for _ in range(layers - 1):
        bomb = gzip.compress(bomb)
    assert len(bomb) < 100_000
    head = b"Content-Encoding: " + b", ".join([b"gzip"] * layers) + b"\r\n\r\n"
    tracemalloc.start()
    try:
        error = failure(says(OK, head, bomb), max_answer_bytes=1 << 20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(error, BadAnswer)
    assert peak < 16 << 20


def test_identity_is_asked_for_and_gzip_is_understood_all_the_same() -> None:
    with WildServer(says(GZIP, b"\r\n", gzip.compress(b'{"id": 1}'))) as server:
        assert transport(server.base_url).send(GET).json() == {"id": 1}
        assert b"\r\nAccept-Encoding: identity\r\n" in server.requests[0]


# -- time --------------------------------------------------------------------------------------------------------------

DRIPS = {
    "status line": (b"", b"HTTP/1.1 200 OK"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
    "one header": (b"HTTP/1.1 200 OK\r\nX-A: ", b"b"),
    "provisional answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": (OK + b"Content-Length: 100000\r\n\r\n", b"x"),
    "body up to its end": (OK + b"\r\n", b"x"),
    "chunks": (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "size of a chunk": (OK + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x"),
    "trailers": (OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-A: b\r\n"),
    "gzip that holds nothing": (GZIP + b"\r\n\x1f\x8b\x08\x08\0\0\0\0\0\x03", b"n"),
}


@pytest.mark.parametrize(("first", "then"), DRIPS.values(), ids=DRIPS.keys())
def test_a_byte_now_and_then_does_not_keep_an_attempt_alive(first: bytes, then: bytes) -> None:
    server: WildServer

    def script(connection: socket.socket) -> None:
        connection.sendall(first)
        server.drip(connection, then)

    with WildServer(script) as server:
        began = time.monotonic()
        with pytest.raises(NoAnswer):
            transport(server.base_url).send(GET, seconds=0.12)
        assert 0.1 < time.monotonic() - began < 5


def test_the_sandbox_drips_and_the_total_deadline_ends_it(alone: SandboxServer) -> None:
    alone.fail(Fault("drip"))
    began = time.monotonic()
    with pytest.raises(NoAnswer, match="the answer was not complete in time"):
        transport(alone.base_url, timeout_seconds=0.15).send(GET)
    assert time.monotonic() - began < 5


def test_silence_ends_at_the_deadline(alone: SandboxServer) -> None:
    alone.fail(Fault("hang_before"))
    began = time.monotonic()
    with pytest.raises(NoAnswer, match="no answer in time"):
        transport(alone.base_url).send(GET, seconds=0.1)
    assert time.monotonic() - began < 5


def test_a_deadline_passed_by_the_clock_ends_an_answer_between_two_reads() -> None:
    clock = SkippingClock()

    def script(connection: socket.socket) -> None:
        connection.sendall(OK + b"Content-Length: 2\r\n\r\n")
        clock.skip(21)
        connection.sendall(b"{")

    with WildServer(script) as server, pytest.raises(NoAnswer):
        Transport(server.base_url, Limits(timeout_seconds=20), clock).send(GET)


def test_the_next_attempt_has_its_own_time(server: SandboxServer) -> None:
    clock = SkippingClock()
    sender = Transport(server.base_url, Limits(timeout_seconds=20), clock)
    for _ in range(3):
        assert sender.send(GET).status == 200
        clock.skip(100)


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_without_time_nothing_is_sent(server: SandboxServer, seconds: float) -> None:
    with pytest.raises(NotSent, match="no time was left"):
        transport(server.base_url).send(GET, seconds=seconds)
    assert server.calls == []


# -- broken answers ----------------------------------------------------------------------------------------------------

BROKEN = {
    "nothing": b"",
    "half a status line": b"HTTP/1.1 2",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "a bad status": b"HTTP/1.1 abc OK\r\n\r\n",
    "half of the body": OK + b"Content-Length: 100\r\n\r\n{",
    "no body": OK + b"Content-Length: 100\r\n\r\n",
    "half a chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
    "no last chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
    "a bad chunk size": OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n",
    "gzip that is none": GZIP + b"Content-Length: 11\r\n\r\n" + CANARY.encode(),
    "half of a deflated body": DEFLATE + b"Content-Length: 9\r\n\r\n" + zlib.compress(b"{}")[:5],
    "too many headers": b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 1000 + b"\r\n",
    "an endless header": b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 100_000 + b"\r\n\r\n",
    "a header with the id": b"HTTP/1.1 " + CANARY.encode() + b"\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_answer_is_no_answer(answer: bytes) -> None:
    assert isinstance(failure(says(answer)), NoAnswer)


@pytest.mark.parametrize("before", [b"", OK, OK + b"Content-Length: 100\r\n\r\n{"])
def test_a_reset_is_no_answer(before: bytes) -> None:
    def reset(connection: socket.socket) -> None:
        connection.sendall(before)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    assert isinstance(failure(reset), NoAnswer)


def test_bytes_beyond_the_length_do_not_become_the_next_answer() -> None:
    def too_much(connection: socket.socket) -> None:
        while True:
            connection.sendall(OK + b"Content-Length: 2\r\n\r\n{}HTTP/1.1 204 No Content\r\n\r\n")
            if not connection.recv(65536):
                return

    with WildServer(too_much) as server:
        sender = transport(server.base_url)
        assert [sender.send(GET).status for _ in range(3)] == [200, 200, 200]


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_an_answer_that_has_no_body_by_nature_is_whole(method: str, status: int) -> None:
    with WildServer(says(b"HTTP/1.1 %d X\r\nContent-Length: 10\r\n\r\n" % status)) as server:
        answer = transport(server.base_url).send(Request(method, "/v1/customers"))
    assert (answer.status, answer.body) == (status, b"")


def test_no_log_line_shows_the_url_whatever_is_wrong(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        attempt(says(b"HTTP/1.1 200 OK\r\nno colon here\r\nX-A: b\r\nContent-Length: 0\r\n\r\n"))
        failure(says(b""))
    assert CANARY not in caplog.text


# -- not sent ----------------------------------------------------------------------------------------------------------


def test_a_refused_connection_is_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NotSent, match=r": no connection$"):
        transport(f"http://127.0.0.1:{port}").send(GET)


def test_a_connection_that_is_never_taken_is_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
        try:
            with pytest.raises(NotSent, match="no connection in time"):
                transport(f"http://127.0.0.1:{port}").send(GET, seconds=0.1)
        finally:
            for client in waiting:
                client.close()


LONE = f"{CANARY}\ud800"


@pytest.mark.parametrize(
    "request_",
    [
        Request("POST", "/v1/search", json={"email": LONE}),
        Request("POST", "/v1/search", json={"score": float("nan")}),
        Request("POST", "/v1/search", form={"email": LONE}),
        Request("GET", "/v1/search", query=(("email", LONE),)),
        Request("GET", "/v1/search", headers={"X-Id": f"{CANARY}\r\nX-Evil: 1"}),
        Request("GET", "/v1/search", headers={"X-Id": f"{CANARY}Łódź"}),
        Request("GET", "/v1/search", headers={"X-Id": f"{CANARY}\0"}),
    ],
    ids=["body", "number", "form", "query", "header lines", "header letters", "header NUL"],
)
def test_what_cannot_be_written_is_not_sent(server: SandboxServer, request_: Request) -> None:
    with pytest.raises(NotSent, match="the request cannot be written") as caught:
        transport(server.base_url).send(request_)
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert server.calls == []


@pytest.mark.parametrize("secret", [f"{CANARY}\n", f"{CANARY}\r\nX: 1", f"{CANARY}ł", f"{CANARY}\0"])
def test_credentials_that_cannot_stand_in_a_header_are_not_sent(server: SandboxServer, secret: str) -> None:
    class Broken(AuthBase):
        def __call__(self, r: PreparedRequest) -> PreparedRequest:
            r.headers["Authorization"] = secret
            return r

    with pytest.raises(NotSent, match="the request cannot be written") as caught:
        transport(server.base_url).send(GET, auth=Broken())
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert server.calls == []


# -- TLS ---------------------------------------------------------------------------------------------------------------


def certificate(folder: Path, name: x509.GeneralName) -> Path:
    """A self-signed certificate and its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sandbox")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


@contextmanager
def secure_server(pem: Path, script: Script) -> Iterator[WildServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with WildServer(script, context) as server:
        yield server


LOOPBACK = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))


def test_a_certificate_nobody_vouches_for_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    with secure_server(certificate(tmp_path, LOOPBACK), says(OK, b"\r\n{}")) as server:
        with pytest.raises(NotSent, match="the server's certificate was not accepted"):
            transport(server.base_url).send(GET, auth=Key())
        assert server.requests == []


def test_a_trusted_certificate_for_another_host_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = certificate(tmp_path, x509.DNSName("api.example.org"))
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(pem))
    with secure_server(pem, says(OK, b"\r\n{}")) as server:
        with pytest.raises(NotSent, match="the server's certificate was not accepted"):
            transport(server.base_url).send(GET, auth=Key())
        assert server.requests == []


def test_over_tls_an_answer_is_read_and_dripping_is_bounded_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = certificate(tmp_path, LOOPBACK)
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(pem))
    with secure_server(pem, says(OK, b"Content-Length: 2\r\n\r\n{}")) as server:
        assert transport(server.base_url).send(GET).json() == {}

    def script(connection: socket.socket) -> None:
        server.drip(connection, b"HTTP/1.1 200 OK")

    with secure_server(pem, script) as server:
        began = time.monotonic()
        with pytest.raises(NoAnswer):
            transport(server.base_url).send(GET, seconds=0.12)
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("script", [says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), says(b"")])
def test_a_server_that_speaks_no_tls_gets_nothing(script: Script) -> None:
    with WildServer(script) as server:
        with pytest.raises(VendorError):
            transport(server.base_url.replace("http:", "https:"), timeout_seconds=0.2).send(GET, auth=Key())
        assert server.requests == []


# -- the environment and the session -----------------------------------------------------------------------------------


def test_proxies_netrc_and_bundles_of_the_environment_are_ignored(
    server: SandboxServer, alone: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login {CANARY} password {CANARY}\ndefault login {CANARY} password {CANARY}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, alone.base_url)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(tmp_path / "nothing here"))
    assert transport(server.base_url).send(GET).status == 200
    assert alone.calls == []
    assert "authorization" not in server.calls[0].headers


def test_a_vendor_cannot_plant_a_cookie(server: SandboxServer) -> None:
    server.fail(Fault("replace", times=-1, reply=Reply(200, {}, headers={"Set-Cookie": f"id={CANARY}; Path=/"})))
    sender = transport(server.base_url)
    for _ in range(2):
        sender.send(GET)
    assert all("cookie" not in call.headers for call in server.calls)


def test_a_thread_keeps_its_connection_and_each_thread_has_its_own() -> None:
    def twice(connection: socket.socket) -> None:
        answer = OK + b"Content-Length: 2\r\n\r\n{}"
        connection.sendall(answer)
        while connection.recv(65536):
            connection.sendall(answer)

    with WildServer(twice) as server:
        sender = transport(server.base_url)
        statuses: list[int] = []

        def work() -> None:
            for _ in range(3):
                statuses.append(sender.send(GET).status)  # noqa: PERF401 - three calls, one after the other

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (statuses, server.connections) == ([200] * 6, 2)


def test_the_host_for_the_ledger_has_no_credentials_in_it() -> None:
    assert transport(f"https://user:{CANARY}@api.example.org:8443/base/").host == "api.example.org:8443"


def test_nothing_shows_what_it_carries(server: SandboxServer) -> None:
    sender = transport(server.base_url)
    answer = sender.send(GET)
    prepared = sender.sign(sender.prepare(GET), Key())
    assert [repr(GET), repr(answer), repr(prepared)] == [
        "Request(GET /v1/customers/{customerId})",
        "Answer(GET /v1/customers/{customerId} -> 200)",
        "Prepared(GET /v1/customers/{customerId})",
    ]


def test_signing_leaves_the_request_as_it_was(server: SandboxServer) -> None:
    sender = transport(server.base_url)
    prepared = sender.prepare(GET)
    sender.sign(prepared, Key())
    sender.deliver(prepared)
    assert "authorization" not in server.calls[0].headers


def test_bodies_arrive_as_they_were_given(server: SandboxServer) -> None:
    sender = transport(server.base_url)
    sender.send(Request("POST", "/v1/search", json={"email": "größe@example.org"}))
    sender.send(Request("POST", "/v1/search", form={"a b": "c&d"}))
    json_call, form_call = server.calls
    assert json_call.body == '{"email":"größe@example.org"}'.encode()
    assert json_call.headers["content-type"] == "application/json;charset=utf-8"
    assert form_call.body == b"a+b=c%26d"
    assert form_call.headers["content-type"] == "application/x-www-form-urlencoded"

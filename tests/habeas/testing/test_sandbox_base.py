"""The sandbox server under the vendors' sandboxes: it answers, it misbehaves as told, and it hides nothing."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from requests.auth import AuthBase

import habeas
from habeas.errors import RunEnded
from habeas.http.transport import Request, Transport
from habeas.models import Json
from habeas.testing.clock import SkippingClock
from habeas.testing.connect import MemoryJournal
from habeas.testing.people import Person
from habeas.testing.sandbox import Call, Fault, FaultKind, Reply, SandboxApp, SandboxServer, token


class Counter(SandboxApp):
    """Counts what it has acted on."""

    name = "counter"

    def __init__(self) -> None:
        super().__init__()
        self.acted = 0
        self.route("GET", "/v1/things/{thingId}", self._thing)
        self.route("DELETE", "/v1/things/{thingId}", self._thing)
        self.route("GET", "/v1/things/{thingId}/parts/{partId}", self._thing)
        self.route("POST", "/v1/broken", self._broken)

    def settings(self) -> Mapping[str, str]:
        return {"key": "k"}

    def seed(self, people: Iterable[Person]) -> Mapping[str, str]:
        return {}

    def held(self, person: Person) -> Mapping[str, int]:
        return {}

    def error(self, status: int, message: str, call: Call) -> Reply:
        return Reply(status, {"message": message, "method": call.method})

    def authenticate(self, call: Call) -> Reply | None:
        return None if call.headers.get("x-key") == "k" else Reply(401, {"message": "no key"})

    def finish(self, call: Call, reply: Reply) -> Reply:
        return Reply(reply.status, reply.json, {**reply.headers, "X-Request": call.method}, reply.body)

    def _thing(self, call: Call) -> Reply:
        self.acted += 1
        return Reply(200, {"params": dict(call.params), "template": call.template, "q": call.first("q", "none")})

    def _broken(self, call: Call) -> Reply:
        return Reply(200, call.json())


@pytest.fixture(scope="module")
def running() -> Iterator[SandboxServer]:
    with SandboxServer(Counter()) as server:
        yield server


@pytest.fixture
def server(running: SandboxServer) -> SandboxServer:
    running.app = Counter()
    running.calls.clear()
    running.faults.clear()
    return running


def acted(server: SandboxServer) -> int:
    assert isinstance(server.app, Counter)
    return server.app.acted


def ask(
    server: SandboxServer, target: str, method: str = "GET", body: bytes | None = None, *, key: str = "k",
    timeout: float = 5,
) -> tuple[int, dict[str, str], bytes]:  # fmt: skip
    """One request by a client that has nothing in common with ours."""
    address = urlsplit(server.base_url).netloc
    with closing(http.client.HTTPConnection(address, timeout=timeout)) as connection:
        connection.request(method, target, body, {"X-Key": key})
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()


# -- routing -----------------------------------------------------------------------------------------------------------


def test_a_call_is_routed_by_method_and_template_and_logged_as_it_came(server: SandboxServer) -> None:
    status, headers, body = ask(server, "/v1/things/a%2Fb/parts/%C3%B6?q=1&q=2&r=")
    assert (status, headers["x-request"]) == (200, "GET")
    assert headers["content-type"] == "application/json; charset=utf-8"
    assert json.loads(body) == {
        "params": {"thingId": "a/b", "partId": "ö"}, "template": "/v1/things/{thingId}/parts/{partId}", "q": "1",
    }  # fmt: skip
    (call,) = server.calls
    assert call.target == "/v1/things/a%2Fb/parts/%C3%B6?q=1&q=2&r="
    assert call.query == (("q", "1"), ("q", "2"), ("r", ""))
    assert server.changing_calls() == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_an_encoded_segment_is_decoded_once(server: SandboxServer, value: str) -> None:
    _, _, body = ask(server, f"/v1/things/{quote(value, safe='')}")
    assert json.loads(body)["params"] == {"thingId": value}


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/v1/things", 404),
        ("GET", "/v1/things/", 404),
        ("GET", "/v1/things/a/b", 404),
        ("GET", "/v2/things/a", 404),
        ("GET", "//v1/things/a", 404),
        ("PUT", "/v1/things/a", 405),
        ("POST", "/v1/things/a", 405),
    ],
)
def test_what_no_route_fits_is_an_error_in_the_vendors_shape(
    server: SandboxServer, method: str, target: str, status: int
) -> None:
    got, _, body = ask(server, target, method)
    assert (got, json.loads(body)["method"]) == (status, method)
    assert acted(server) == 0


def test_credentials_come_before_everything(server: SandboxServer) -> None:
    assert ask(server, "/v1/no/such/path", key="wrong")[0] == 401
    assert ask(server, "/v1/things/a", "DELETE", key="wrong")[0] == 401
    assert acted(server) == 0


# -- faults ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status", "actions"),
    [
        ("status", 503, 0),
        ("lie", 204, 0),
        ("replace", 502, 1),
        ("reset_before", 0, 0),
        ("reset_after", 0, 1),
        ("hang_before", 0, 0),
        ("hang_after", 0, 1),
    ],
)
def test_a_fault_acts_before_or_not_at_all_as_it_is_named(
    server: SandboxServer, kind: FaultKind, status: int, actions: int
) -> None:
    fault = server.fail(Fault(kind, reply=Reply(status or 503)))
    if status:
        assert ask(server, "/v1/things/a", "DELETE")[0] == status
    else:
        with pytest.raises((OSError, http.client.HTTPException)):
            ask(server, "/v1/things/a", "DELETE", timeout=0.1 if "hang" in kind else 5)
    assert (acted(server), fault.times) == (actions, 0)
    assert ask(server, "/v1/things/a")[0] == 200


def test_a_drip_gives_a_byte_now_and_then_and_the_rest_at_release() -> None:
    with SandboxServer(Counter()) as server:
        server.fail(Fault("drip"))
        with pytest.raises(TimeoutError):
            ask(server, "/v1/things/a", timeout=0.03)
        server.fail(Fault("drip"))
        threading.Timer(0.12, server.release).start()
        assert json.loads(ask(server, "/v1/things/a")[2])["params"] == {"thingId": "a"}
        assert acted(server) == 2


def test_a_fault_hits_the_calls_it_names_after_those_it_lets_pass(server: SandboxServer) -> None:
    server.fail(Fault("status", "DELETE", r"things/b$", times=2, skip=1))
    wanted = [("GET", "b", 200), ("DELETE", "a", 200), ("DELETE", "b", 200), ("DELETE", "b", 503), ("DELETE", "b", 503)]
    for method, thing, status in [*wanted, ("DELETE", "b", 200)]:
        assert ask(server, f"/v1/things/{thing}", method)[0] == status


def test_a_fault_for_ever_does_not_end(server: SandboxServer) -> None:
    server.fail(Fault("status", times=-1))
    assert [ask(server, "/v1/things/a")[0] for _ in range(5)] == [503] * 5


def test_a_fault_is_counted_right_by_many_threads_at_once(server: SandboxServer) -> None:
    fault = server.fail(Fault("status", times=20))
    statuses: list[int] = []

    def work() -> None:
        for _ in range(10):
            statuses.append(ask(server, "/v1/things/a")[0])  # noqa: PERF401 - one call after the other

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (statuses.count(503), statuses.count(200), fault.times) == (20, 20, 0)


def test_a_vendor_that_is_down_closes_every_connection_without_acting(server: SandboxServer) -> None:
    server.down = True
    try:
        with pytest.raises((OSError, http.client.HTTPException)):
            ask(server, "/v1/things/a", "DELETE")
    finally:
        server.down = False
    assert acted(server) == 0


def test_stopping_lets_a_hanging_call_go() -> None:
    with SandboxServer(Counter()) as server:
        server.fail(Fault("hang_before"))
        threading.Timer(0.05, server.release).start()
        with pytest.raises((OSError, http.client.HTTPException)):
            ask(server, "/v1/things/a")


def test_a_sandbox_that_breaks_is_not_taken_for_a_dropped_connection() -> None:
    server = SandboxServer(Counter()).start()
    with pytest.raises((OSError, http.client.HTTPException)):
        ask(server, "/v1/broken", "POST", b"no JSON")
    with pytest.raises(AssertionError, match="the sandbox itself broke") as caught:
        server.__exit__(None)
    assert isinstance(caught.value.__cause__, ValueError)


def test_what_the_test_itself_raises_comes_first() -> None:
    server = SandboxServer(Counter())
    server.errors.append(ValueError())
    with pytest.raises(ZeroDivisionError), server:
        _ = 1 / 0


# -- the rest of the kit -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "body"),
    [
        (Reply(200), b""),
        (Reply(200, {"a": "ö"}), '{"a": "ö"}'.encode()),
        (Reply(200, []), b"[]"),
        (Reply(200, {"a": 1}, body=b"other"), b"other"),
        (Reply(200, body=b""), b""),
    ],
)
def test_a_reply_is_its_json_unless_it_has_a_body(reply: Reply, body: bytes) -> None:
    assert reply.encoded() == body


def test_a_token_is_the_same_for_the_same_parts_and_no_other() -> None:
    assert token("cust_", "a", 1) == token("cust_", "a", 1)
    assert len({token("cust_", *parts) for parts in [("a",), ("a", 1), ("b",), (1, "a")]}) == 4
    assert token("cust_", "a").startswith("cust_")


def test_a_skipping_clock_takes_no_time_and_counts_it_all() -> None:
    clock = SkippingClock()
    before, began = clock.now(), clock.monotonic()
    clock.sleep(3600)
    clock.skip(1)
    clock.sleep(-5)
    stopped = threading.Event()
    stopped.set()
    clock.sleep(3600, stopped)
    assert clock.slept == 3601
    assert 3601 <= clock.monotonic() - began < 3700
    assert 3601 <= (clock.now() - before).total_seconds() < 3700


def test_a_skipping_clock_loses_no_sleep_of_many_threads() -> None:
    clock = SkippingClock()

    def work() -> None:
        for _ in range(200):
            clock.sleep(0.5)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.slept == 400


def test_a_memory_journal_keeps_the_order_and_refuses_when_closed() -> None:
    journal = MemoryJournal()
    request = Request("DELETE", "/v1/things/{thingId}", {"thingId": "canary"})
    first, second = journal.intent(request, "h"), journal.intent(request, "h")
    journal.outcome(second, "acknowledged", 204)
    journal.outcome(first, "unknown", 0)
    assert [(w.kind, w.number, w.result) for w in journal.written] == [
        ("intent", 1, ""), ("intent", 2, ""), ("outcome", 2, "acknowledged"), ("outcome", 1, "unknown"),
    ]  # fmt: skip
    assert "canary" not in repr(journal.written)
    journal.closed = True
    with pytest.raises(RunEnded):
        journal.intent(request, "h")


def test_connect_gives_a_plugin_the_sandbox_settings_and_limits(server: SandboxServer) -> None:
    from habeas.testing.connect import connect

    class KeyAuth(AuthBase):
        def __init__(self, key: str) -> None:
            self.key = key

        def __call__(self, r: Json) -> Json:
            r.headers["X-Key"] = self.key
            return r

    class Plugin:
        @staticmethod
        def describe() -> habeas.PluginInfo:
            return habeas.PluginInfo("counter", "Counter", "thing", (), {}, ())

        @staticmethod
        def authenticator(settings: Mapping[str, str], base_url: str, transport: object) -> KeyAuth:
            assert base_url == server.base_url
            assert isinstance(transport, Transport)
            return KeyAuth(settings["key"])

    connection = connect(Plugin, server, settings={"extra": 1}, attempts=1)
    assert (connection.name, dict(connection.settings)) == ("counter", {"key": "k", "extra": 1})
    assert connection.api.get("/v1/things/{id}", ids={"id": "1"}).status == 200
    server.fail(Fault("status", times=-1))
    with pytest.raises(habeas.Rejected):
        connection.api.get("/v1/things/{id}", ids={"id": "1"})
    assert len(server.calls) == 2
    assert "k" not in repr(connection).removeprefix("Connection(")


def test_a_body_in_chunks_arrives_whole(server: SandboxServer) -> None:
    """Our own client sends none; other clients may (RFC 9112, section 7.1)."""
    body = json.dumps({"name": "Größe " * 500}).encode()
    with closing(http.client.HTTPConnection(urlsplit(server.base_url).netloc, timeout=10)) as connection:
        for _ in range(2):
            parts = iter([body[:10], body[10:3000], body[3000:]])
            connection.request("POST", "/v1/broken", body=parts, headers={"x-key": "k"}, encode_chunked=True)
            answer = connection.getresponse()
            assert (answer.status, json.loads(answer.read())) == (200, json.loads(body))
    assert [call.body for call in server.calls] == [body, body]

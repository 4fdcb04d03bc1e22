"""Keys in headers; OAuth tokens asked for once, shared by all threads, renewed in time and after a 401."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests

import habeas_voucherify as plugin
from habeas import AuthRejected, Identifier, Limits, NotSent, Subject, VendorError
from habeas.http.transport import Transport
from habeas.testing.clock import SkippingClock
from habeas.testing.connect import connect
from habeas.testing.people import seeded_people
from habeas.testing.sandbox import Fault, Reply, SandboxServer
from habeas_voucherify.auth import MARGIN, KeyPairAuth, OAuth, from_settings
from habeas_voucherify.sandbox import VoucherifySandbox

FIRST = seeded_people(1, ["voucherify"])[0]
SUBJECT = Subject((Identifier("customer_id", FIRST.customer_id), Identifier("email", FIRST.email)))


class Time:
    """Seconds that pass when told; for the vendor and for us."""

    def __init__(self) -> None:
        self.now = 1_780_000_000.0

    def __call__(self) -> float:
        return self.now


class Vendor:
    """A sandbox, and an authenticator that asks it for tokens."""

    def __init__(self, server: SandboxServer) -> None:
        self.time = Time()
        self.app = VoucherifySandbox(self.time)
        self.app.seed([FIRST])
        self.server = server
        server.app = self.app
        server.calls.clear()
        server.faults.clear()
        self.transport = Transport(server.base_url, Limits(timeout_seconds=5.0), SkippingClock())
        self.auth = OAuth(KeyPairAuth(self.app.client_id, self.app.client_secret), "api", self.transport, now=self.time)

    def bearer(self) -> str:
        prepared = requests.Request("GET", self.server.base_url + "/v1/customers", auth=self.auth).prepare()
        return prepared.headers["Authorization"]

    def asked(self) -> int:
        return sum(call.path == "/v1/oauth/token" for call in self.server.calls)

    def oauth_settings(self, **more: str) -> dict[str, Any]:
        return {"client_id": self.app.client_id, "client_secret": self.app.client_secret, **more}


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(VoucherifySandbox()) as running:
        yield running


@pytest.fixture
def vendor(server: SandboxServer) -> Vendor:
    return Vendor(server)


def test_a_pair_of_keys_goes_into_two_headers() -> None:
    prepared = requests.Request("GET", "https://api.example/x", auth=KeyPairAuth("id-1", "key-1")).prepare()
    assert (prepared.headers["X-App-Id"], prepared.headers["X-App-Token"]) == ("id-1", "key-1")
    assert "Authorization" not in prepared.headers


@pytest.mark.parametrize("key", ["", "key\n", "schlüssel", "a key"])
def test_a_key_that_cannot_stand_in_a_header_is_not_sent_and_not_shown(key: str) -> None:
    with pytest.raises(NotSent) as caught:
        requests.Request("GET", "https://api.example/x", auth=KeyPairAuth("id-1", key)).prepare()
    assert "id-1" not in caught.value.line()
    assert not key or key not in caught.value.line()


def test_credentials_are_not_in_a_repr(vendor: Vendor) -> None:
    vendor.bearer()
    assert repr(KeyPairAuth("id-1", "key-1")) == "KeyPairAuth(…)"
    assert repr(vendor.auth) == "OAuth(…)"


def test_a_refused_pair_of_keys_is_not_tried_twice(vendor: Vendor) -> None:
    connection = connect(plugin, vendor.server, settings={"app_token": "wrong"})
    with pytest.raises(AuthRejected):
        plugin.check(connection)
    assert len(vendor.server.calls) == 1


def test_the_token_call_is_as_documented(vendor: Vendor) -> None:
    vendor.bearer()
    call = vendor.server.calls[0]
    assert (call.method, call.target) == ("POST", "/v1/oauth/token")
    assert call.headers["content-type"] == "application/x-www-form-urlencoded"
    assert call.body == b"grant_type=client_credentials&scope=api"
    assert call.headers["x-app-id"] == vendor.app.client_id
    assert call.headers["x-app-token"] == vendor.app.client_secret
    assert "authorization" not in call.headers


def test_settings_decide_between_keys_and_oauth_and_name_the_scopes(vendor: Vendor) -> None:
    assert isinstance(from_settings({"app_id": "a", "app_token": "b"}, vendor.transport), KeyPairAuth)
    auth = from_settings(vendor.oauth_settings(oauth_scope="customers orders"), vendor.transport)
    assert isinstance(auth, OAuth)
    requests.Request("GET", vendor.server.base_url, auth=auth).prepare()
    assert vendor.server.calls[0].body == b"grant_type=client_credentials&scope=customers+orders"


def test_the_hooks_work_with_oauth_and_one_token(vendor: Vendor) -> None:
    connection = connect(plugin, vendor.server, settings=vendor.oauth_settings())
    assert plugin.inventory(connection, SUBJECT).records
    assert vendor.asked() == 1
    assert not any("x-app-id" in call.headers for call in vendor.server.calls[1:])


def test_a_token_is_used_until_a_minute_before_its_end(vendor: Vendor) -> None:
    first = vendor.bearer()
    vendor.time.now += 900 - MARGIN - 1
    assert vendor.bearer() == first
    vendor.time.now += 1
    assert vendor.bearer() != first
    assert vendor.asked() == 2


def test_a_token_that_lives_shorter_than_the_margin_is_still_used_once(vendor: Vendor) -> None:
    short = {"access_token": "short", "expires_in": 5, "token_type": "Bearer"}
    vendor.server.fail(Fault("lie", path="oauth", reply=Reply(200, short), times=-1))
    assert [vendor.bearer(), vendor.bearer()] == ["Bearer short", "Bearer short"]
    assert vendor.asked() == 2


def test_many_threads_ask_for_one_token(vendor: Vendor) -> None:
    vendor.server.latency = 0.02
    start, found = threading.Barrier(8), []

    def ask() -> None:
        start.wait()
        found.append(vendor.bearer())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    vendor.server.latency = 0.0
    assert len(found) == 8
    assert len(set(found)) == 1
    assert vendor.asked() == 1


def test_after_a_401_the_token_is_renewed_once(vendor: Vendor) -> None:
    connection = connect(plugin, vendor.server, settings=vendor.oauth_settings())
    plugin.check(connection)
    vendor.time.now += 901  # over for the vendor, not by our own clock
    assert plugin.check(connection) == "GET /v1/customers -> 200"
    assert vendor.asked() == 2
    vendor.server.fail(Fault("status", path="customers", reply=Reply(401, {"code": 401, "message": "no"}), times=-1))
    with pytest.raises(AuthRejected):
        plugin.check(connection)
    assert vendor.asked() == 3


def test_renewing_leaves_a_token_alone_that_another_thread_has_just_fetched(vendor: Vendor) -> None:
    vendor.bearer()

    def other() -> None:
        assert vendor.auth.renew()
        vendor.bearer()

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert vendor.asked() == 1, "a thread that has not used the token does not drop it"
    assert vendor.auth.renew()
    thread = threading.Thread(target=vendor.bearer)
    thread.start()
    thread.join()
    assert vendor.auth.renew()
    vendor.bearer()
    assert vendor.asked() == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_token_that_is_refused_is_refused_credentials(vendor: Vendor, status: int) -> None:
    quoting = {"code": status, "message": f"{vendor.app.client_id} {vendor.app.client_secret}"}
    vendor.server.fail(Fault("status", path="oauth", reply=Reply(status, quoting), times=-1))
    connection = connect(plugin, vendor.server, settings=vendor.oauth_settings())
    with pytest.raises(AuthRejected) as caught:
        plugin.check(connection)
    assert caught.value.status == status
    assert caught.value.message.startswith(f"POST /v1/oauth/token -> {status}")
    _is_silent(vendor, caught.value)
    assert vendor.asked() == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", path="oauth", reply=Reply(500, {"message": "x"}), times=-1),
        Fault("status", path="oauth", reply=Reply(429, {"code": 429, "message": "slow"}), times=-1),
        Fault("status", path="oauth", reply=Reply(302, {}, {"Location": "/elsewhere"}), times=-1),
        Fault("reset_after", path="oauth", times=-1),
        Fault("lie", path="oauth", reply=Reply(200, {"token_type": "Bearer"}), times=-1),
        Fault("lie", path="oauth", reply=Reply(200, {"access_token": "x", "expires_in": "soon"}), times=-1),
        Fault("lie", path="oauth", reply=Reply(200, {"access_token": "a\nb", "expires_in": 900}), times=-1),
        Fault("lie", path="oauth", reply=Reply(200, body=b"{garbage"), times=-1),
    ],
    ids=["500", "429", "redirect", "dropped", "no token", "odd life", "newline", "garbage"],
)
def test_without_a_token_nothing_is_sent(vendor: Vendor, fault: Fault) -> None:
    vendor.server.fail(fault)
    connection = connect(plugin, vendor.server, settings=vendor.oauth_settings())
    with pytest.raises(NotSent) as caught:
        plugin.check(connection)
    _is_silent(vendor, caught.value)
    assert vendor.asked() == len(vendor.server.calls)
    vendor.server.faults.clear()
    assert plugin.check(connection) == "GET /v1/customers -> 200"


def test_a_token_that_comes_at_the_second_attempt_is_enough(vendor: Vendor) -> None:
    vendor.server.fail(Fault("reset_before", path="oauth"))
    connection = connect(plugin, vendor.server, settings=vendor.oauth_settings())
    assert plugin.check(connection) == "GET /v1/customers -> 200"


def _is_silent(vendor: Vendor, error: VendorError) -> None:
    for secret in (vendor.app.client_id, vendor.app.client_secret):
        assert secret not in error.line()

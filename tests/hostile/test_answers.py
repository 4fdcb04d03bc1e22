"""Vendors that send anything at all, over HTTP, through the real plugins and the whole program."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from tests.hostile.catalogue import ANSWERS
from tests.hostile.conftest import by_connection

from habeas.testing.sandbox import Fault, Reply

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Ran, Shop

VENDORS = ("voucherify", "talonone", "cybersource")
QUICK = ("100000 lists", "duplicate keys", "a bomb", "wrong types everywhere", "half a character", "an empty object")
"""Those that `make test` tries at every vendor at once; `make faults` tries all, one vendor at a time."""


@pytest.fixture(autouse=True)
def _hurried(patient: None) -> None:
    """Waiting takes no time."""


def sound(ran: Ran) -> None:
    """However it ended: in words of ours."""
    assert ran.code in (0, 1, 3), ran.stderr
    assert "Traceback" not in ran.stderr
    assert "internal fault" not in ran.stderr


def spoil(shop: Shop, vendors: tuple[str, ...], trick: str) -> None:
    """Every answer of these vendors to every read is this, from now on."""
    body, headers = ANSWERS[trick]
    for name in vendors:
        shop.world.servers[name].fail(Fault("status", times=-1, reply=Reply(200, body=body, headers=headers)))


def heal(shop: Shop) -> None:
    for server in shop.servers:
        server.faults.clear()


@pytest.mark.parametrize("trick", QUICK)
def test_an_answer_that_is_none_is_never_taken_for_absence(shop: Shop, trick: str) -> None:
    """Not found is what a vendor says, not what cannot be read; and it is found again once the vendor is well."""
    person = shop.world.people[0]
    spoil(shop, VENDORS, trick)
    ran = shop.run("inventory", f"customer_id={person.customer_id}", "--json")
    sound(ran)
    found = by_connection(ran.json)
    assert ran.code == 1
    assert [found[name][0]["searched"] for name in VENDORS] == [False, False, False], found
    assert not any(re.search(r"[\x00-\x08\x0b-\x1f]|script|\\ud800", row["problem"]) for (row,) in found.values())


@pytest.mark.faults
@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("trick", sorted(ANSWERS))
def test_one_vendor_s_nonsense_costs_no_other_vendor_anything(shop: Shop, vendor: str, trick: str) -> None:
    """An erasure: the others are erased, this one failed or unknown, and `resume` finishes when it is well again."""
    person = shop.fresh()
    spoil(shop, (vendor,), trick)
    ran = shop.run("erase", f"customer_id={person.customer_id}", "--yes", "--json")
    sound(ran)
    found = by_connection(ran.json)
    for name in VENDORS:
        results = {row["result"] for row in found[name]}
        if name == vendor:
            assert results & {"failed", "unknown"}, (trick, found[name])
            assert "erased" not in results
            assert "absent" not in results
        else:
            assert not results & {"failed", "unknown"}, (trick, found[name])
    assert (ran.code, ran.json["status"]) == (1, "incomplete")
    heal(shop)
    ran = shop.run("resume", ran.json["case"], "--json")
    assert ran.json["cases"][0]["status"] == "completed"
    assert shop.world.held(person) == {}


@pytest.mark.parametrize("trick", [*QUICK[:1], *(pytest.param(t, marks=pytest.mark.faults) for t in sorted(ANSWERS))])
def test_an_answer_to_a_change_that_is_none_ends_in_what_is_read_back(shop: Shop, trick: str) -> None:
    """The vendor has acted, and answers nonsense: what counts is the read after it."""
    person = shop.fresh()
    body, headers = ANSWERS[trick]
    for server in shop.servers:
        for method in ("DELETE", "PUT", "PATCH"):
            server.fail(Fault("replace", method, times=-1, reply=Reply(200, body=body, headers=headers)))
    ran = shop.run("erase", f"customer_id={person.customer_id}", "--yes", "--json")
    sound(ran)
    held = shop.world.held(person)
    for name, rows in by_connection(ran.json).items():
        for row in rows:
            if row["result"] == "erased":
                assert row["record"] not in held.get(name, {}), (trick, row)
    heal(shop)
    if ran.json["status"] == "incomplete":
        shop.run("resume", ran.json["case"])
    assert shop.world.held(person) == {}


# -- answers that never end --------------------------------------------------------------------------------------------

ENDLESS = {
    "chunks without end": (b"Transfer-Encoding: chunked\r\n\r\n", b"400\r\n" + b" " * 1024 + b"\r\n", 20_000),
    "chunks cut off": (b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\n[1,2,\r\n", 1),
    "a chunk of a negative size": (b"Transfer-Encoding: chunked\r\n\r\n", b"-1\r\n{}\r\n", 1),
    "less than it says": (b"Content-Length: 500\r\n\r\n", b"{}", 1),
    "no length": (b"\r\n", b" " * 65_536, 400),
    "headers without end": (b"", b"X-A: " + b"b" * 1000 + b"\r\n", 5_000),
}


class Endless:
    """A server that answers every request with the same bytes, again and again."""

    def __init__(self, head: bytes, piece: bytes, times: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._said = (head, piece, times)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        head, piece, times = self._said
        with connection:
            try:
                connection.settimeout(5)
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + head)
                for _ in range(times):
                    connection.sendall(piece)
            except OSError:
                return

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def endless(request: pytest.FixtureRequest) -> Iterator[Endless]:
    server = Endless(*ENDLESS[request.param])
    yield server
    server.close()


@pytest.mark.parametrize(
    "endless",
    ["chunks without end", *(pytest.param(name, marks=pytest.mark.faults) for name in ENDLESS)],
    indirect=True,
)
def test_an_answer_without_end_fails_its_connection_and_no_other(shop: Shop, endless: Endless) -> None:
    whole = shop.config.read_text()
    url = shop.world.servers["voucherify"].base_url
    try:
        shop.config.write_text(whole.replace(url, f"http://127.0.0.1:{endless.port}"))
        ran = shop.run("inventory", f"customer_id={shop.world.people[0].customer_id}", "--json")
    finally:
        shop.config.write_text(whole)
    sound(ran)
    found: dict[str, Any] = by_connection(ran.json)
    assert {name: row["searched"] for name, (row,) in found.items()} == {
        "voucherify": False, "talonone": True, "cybersource": True,
    }  # fmt: skip

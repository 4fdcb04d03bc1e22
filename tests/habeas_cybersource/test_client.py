"""One function for each operation of the vendor: what it sends changes the vault, what it returns is what is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import habeas_cybersource as plugin
from habeas import AuthRejected, BadAnswer, OutcomeUnknown, Rejected
from habeas.connection import Connection
from habeas.models import Json
from habeas.testing.connect import MemoryJournal, connect
from habeas.testing.sandbox import Fault, Reply, SandboxServer
from habeas_cybersource import client
from habeas_cybersource.sandbox import CyberSourceSandbox

INSTRUMENT = client.PARTS["payment_instrument"]
ADDRESS = client.PARTS["shipping_address"]
CARD = {"card": {"number": "4111111111111111"}}
OTHER_CARD = {"card": {"number": "5555555555554444"}}


class World:
    """A fresh vault behind a server, and a connection that may change it."""

    def __init__(self, server: SandboxServer) -> None:
        self.server = server
        self.app = CyberSourceSandbox()
        self.vault = self.app.vault
        server.app = self.app
        server.calls.clear()
        server.faults.clear()
        self.journal = MemoryJournal()
        self.connection: Connection = connect(plugin, server, journal=self.journal)

    def sent(self) -> list[str]:
        """The changing calls since the last look, and what came of each."""
        lines = [f"{w.name} {w.result}" for w in self.journal.written if w.kind == "outcome"]
        self.journal.written.clear()
        return lines


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(CyberSourceSandbox()) as server:
        yield server


@pytest.fixture
def world(server: SandboxServer) -> World:
    return World(server)


def never() -> bool:
    return False


def setting(path: str, value: Json) -> Callable[[Json], Json]:
    """What makes ``path`` (``billTo.email``) the value, empty where it is so already."""
    outer, _, inner = path.partition(".")

    def wanted(document: Json) -> Json:
        return {} if document.get(outer, {}).get(inner) == value else {outer: {inner: value}}

    return wanted


def test_a_customer_is_created_read_changed_and_deleted(world: World) -> None:
    c = world.connection
    token = client.create_customer(c, {"buyerInformation": {"merchantCustomerID": "C-1", "email": "a@x.example"}})
    assert world.vault.customers[token].body["buyerInformation"]["email"] == "a@x.example"
    client.amend_customer(c, token, setting("buyerInformation.email", "b@x.example"))
    assert world.vault.customers[token].body["buyerInformation"] == {
        "merchantCustomerID": "C-1",
        "email": "b@x.example",
    }
    assert client.get_customer(c, token).json()["buyerInformation"]["email"] == "b@x.example"
    client.amend_customer(c, token, setting("buyerInformation.email", "b@x.example"))
    client.delete_customer(c, token)
    assert client.get_customer(c, token).status == 410
    client.amend_customer(c, token, setting("buyerInformation.email", "c@x.example"))
    assert world.sent() == [
        "POST /tms/v2/customers acknowledged",
        "PATCH /tms/v2/customers/{customerId} acknowledged",
        "DELETE /tms/v2/customers/{customerId} acknowledged",
    ]


@pytest.mark.parametrize("part", [INSTRUMENT, ADDRESS])
def test_what_hangs_on_a_customer_is_created_listed_changed_and_deleted_the_default_last(
    world: World, part: client.Part
) -> None:
    c = world.connection
    customer = client.create_customer(c, {})
    card = {"instrumentIdentifier": {"id": client.create_identifier(c, CARD)}} if part is INSTRUMENT else {}
    inside = "billTo" if part is INSTRUMENT else "shipTo"
    first, second = (
        client.create_part(c, part, customer, {**card, inside: {"firstName": name}}, done=never) for name in "AB"
    )
    assert [(e.id, e.default) for e in client.list_part(c, part, customer)] == [(first, True), (second, False)]
    client.amend_part(c, part, customer, second, setting(f"{inside}.firstName", "Bea"))
    assert client.get_part(c, part, customer, second).json()[inside] == {"firstName": "Bea"}
    with pytest.raises(Rejected, match="409"):
        client.delete_part(c, part, customer, first)
    world.sent()
    client.make_default(c, part, customer, second)
    client.make_default(c, part, customer, second)
    client.delete_part(c, part, customer, first)
    one = f"{part.path}/{{{part.placeholder}}}"
    assert world.sent() == [f"PATCH {one} acknowledged", f"DELETE {one} acknowledged"]
    assert [(e.id, e.default) for e in client.list_part(c, part, customer)] == [(second, True)]
    client.delete_part(c, part, customer, second)
    assert client.get_part(c, part, customer, second).status == 410
    assert client.list_part(c, part, customer) == ()


def test_a_card_number_has_one_token_which_is_read_changed_enrolled_and_deleted(world: World) -> None:
    c = world.connection
    token = client.create_identifier(c, CARD)
    assert client.create_identifier(c, CARD) == token
    assert client.get_identifier(c, token).json()["card"]["number"] == "411111XXXXXX1111"
    client.amend_identifier(c, token, setting("card.expirationYear", "2031"))
    assert world.vault.identifiers[token].body["card"]["expirationYear"] == "2031"
    client.enrol_identifier(c, token, {"type": "enrollable card"})
    assert "tokenizedCard" in world.vault.identifiers[token].body
    client.enrol_identifier(c, token, {"type": "enrollable card"})
    instrument = client.create_instrument(c, {"instrumentIdentifier": {"id": token}})
    assert client.identifier_users(c, token)[1] == {instrument}
    with pytest.raises(Rejected, match="409"):
        client.delete_identifier(c, token)
    world.vault.leave_orphans = True
    client.delete_instrument(c, instrument)
    client.delete_identifier(c, token)
    assert client.get_identifier(c, token).status == 410


def test_an_instrument_of_no_customer_is_created_read_changed_and_deleted(world: World) -> None:
    c = world.connection
    token = client.create_instrument(
        c, {"_embedded": {"instrumentIdentifier": OTHER_CARD}, "billTo": {"email": "a@x.y"}}
    )
    client.amend_instrument(c, token, setting("billTo.email", "b@x.y"))
    shown = client.get_instrument(c, token).json()
    assert shown["billTo"] == {"email": "b@x.y"}
    assert "default" not in shown
    client.delete_instrument(c, token)
    assert client.get_instrument(c, token).status == 410
    assert client.get_identifier(c, shown["instrumentIdentifier"]["id"]).status == 410


def test_the_users_of_a_card_are_read_to_the_end(world: World) -> None:
    token = client.create_identifier(world.connection, CARD)
    made = {world.vault.add_instrument("", {"instrumentIdentifier": {"id": token}}).id for _ in range(101)}
    evidence, users = client.identifier_users(world.connection, token)
    assert users == made
    assert evidence.endswith("/paymentinstruments -> 200")
    assert [call.first("offset") for call in world.server.calls if call.query] == ["0", "100"]


# -- conditions -------------------------------------------------------------------------------------------------------


def test_a_change_is_sent_for_the_version_that_was_read_and_anew_after_somebody_elses(world: World) -> None:
    c = world.connection
    token = client.create_customer(c, {})
    for beaten in range(2):
        world.sent()
        world.app.meanwhile = beaten
        client.amend_customer(c, token, setting("buyerInformation.email", f"{beaten}@x.example"))
        results = ["rejected"] * beaten + ["acknowledged"]
        assert world.sent() == [f"PATCH /tms/v2/customers/{{customerId}} {result}" for result in results]
    etags = [call.headers["if-match"] for call in world.server.changing_calls()[1:]]
    assert len(set(etags)) == len(etags) == 3
    world.app.meanwhile = 2
    with pytest.raises(Rejected, match="412"):
        client.amend_customer(c, token, setting("buyerInformation.email", "never@x.example"))
    assert world.vault.customers[token].body["buyerInformation"] == {"email": "1@x.example"}


def test_an_answer_without_a_version_is_changed_without_a_condition(world: World) -> None:
    token = client.create_customer(world.connection, {})
    world.server.fail(Fault("status", method="GET", reply=Reply(200, json={"id": token})))
    client.amend_customer(world.connection, token, setting("buyerInformation.email", "a@x.example"))
    assert "if-match" not in world.server.changing_calls()[-1].headers
    assert world.vault.customers[token].body["buyerInformation"] == {"email": "a@x.example"}


def test_the_profile_goes_with_every_change_and_a_wrong_one_is_named(world: World) -> None:
    profile = min(world.app.profiles)
    right = connect(plugin, world.server, settings={"profile_id": profile}, journal=world.journal)
    token = client.create_customer(right, {})
    client.amend_customer(right, token, setting("buyerInformation.email", "a@x.example"))
    client.delete_customer(right, token)
    assert {call.headers["profile-id"] for call in world.server.calls} == {profile}
    wrong = connect(plugin, world.server, settings={"profile_id": "0" * 36}, journal=world.journal)
    calls: list[Callable[[], Any]] = [
        lambda: client.create_customer(wrong, {}),
        lambda: client.delete_identifier(wrong, token),
    ]
    for call in calls:
        with pytest.raises(Rejected, match="424: the vault profile is not known") as caught:
            call()
        assert caught.value.advice == "check profile_id"
    world.app.forbidden_profiles = {"0" * 36}
    with pytest.raises(AuthRejected):
        client.create_customer(wrong, {})


@pytest.mark.parametrize("reply", [Reply(413), Reply(400), Reply(409), Reply(405)])
def test_a_change_that_is_refused_is_sent_once(world: World, reply: Reply) -> None:
    world.server.fail(Fault("status", method="POST", times=-1, reply=reply))
    with pytest.raises(Rejected, match=str(reply.status)):
        client.create_customer(world.connection, {})
    assert len(world.server.calls) == 1


# -- answers that were lost -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reply", [Reply(201, json={}), Reply(201, json={"id": "x" * 33}), Reply(201, body=b"\xff")])
def test_a_new_token_that_the_answer_does_not_name_is_unknown(world: World, reply: Reply) -> None:
    world.server.fail(Fault("replace", method="POST", reply=reply))
    with pytest.raises(OutcomeUnknown, match="does not name the new token"):
        client.create_customer(world.connection, {})


def test_what_only_the_answer_could_name_is_never_sent_twice(world: World) -> None:
    world.server.fail(Fault("reset_after", method="POST", times=-1))
    with pytest.raises(OutcomeUnknown):
        client.create_customer(world.connection, {})
    with pytest.raises(OutcomeUnknown):
        client.create_instrument(world.connection, {"_embedded": {"instrumentIdentifier": CARD}})
    assert len(world.server.changing_calls()) == 2
    assert len(world.vault.customers) == len(world.vault.instruments) == 1


def test_what_can_be_looked_up_is_found_done_or_sent_again(world: World) -> None:
    c = world.connection
    customer = client.create_customer(c, {})
    world.server.fail(Fault("reset_after", method="POST", times=1))
    # The same number has the same token: safe to send twice.
    card = client.create_identifier(c, CARD)
    world.server.fail(Fault("reset_after", method="POST", path="enrollment"))
    client.enrol_identifier(c, card, {"type": "enrollable card"})
    world.server.fail(Fault("reset_after", method="POST", path="shipping"))

    def there() -> bool:
        return bool(client.list_part(c, ADDRESS, customer))

    assert client.create_part(c, ADDRESS, customer, {"shipTo": {}}, done=there) == ""
    world.server.fail(Fault("reset_before", method="PATCH"))
    client.amend_customer(c, customer, setting("buyerInformation.email", "a@x.example"))
    assert [(call.method, call.path.rpartition("/")[2]) for call in world.server.changing_calls()] == [
        ("POST", "customers"),
        ("POST", "instrumentidentifiers"),
        ("POST", "instrumentidentifiers"),
        ("POST", "enrollment"),
        ("POST", "shipping-addresses"),
        ("PATCH", customer),
        ("PATCH", customer),
    ]


def test_an_answer_about_another_token_is_never_written_back(world: World) -> None:
    c = world.connection
    customer = client.create_customer(c, {})
    token = client.create_part(c, ADDRESS, customer, {"shipTo": {"email": "a@x.example"}}, done=never)
    other = Reply(200, json={"id": "OTHER", "shipTo": {"email": "b@x.example"}})
    world.server.fail(Fault("status", method="GET", times=-1, reply=other))
    with pytest.raises(BadAnswer):
        client.amend_part(c, ADDRESS, customer, token, setting("shipTo.email", "c@x.example"))
    assert "PATCH" not in {call.method for call in world.server.calls}

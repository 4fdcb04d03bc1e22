"""The made-up person of a canary run: created with all that the vendor lets us create, found, and gone again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import habeas_cybersource as plugin
from habeas import (
    Action,
    Canary,
    CanaryPerson,
    Erasure,
    Identifier,
    OutcomeUnknown,
    PlanItem,
    PluginFault,
    Result,
    Subject,
    VendorError,
)
from habeas.errors import RunEnded
from habeas.testing.connect import InterruptedJournal, MemoryJournal, connect
from habeas.testing.people import seeded_people
from habeas.testing.sandbox import Fault, FaultKind, Reply, SandboxServer
from habeas_cybersource.sandbox import CyberSourceSandbox

PERSON = CanaryPerson("habeas-canary-r-1", "habeas-canary-r-1@canary.invalid", "+12025550117", "Habeas", "Canary")
ONE_OF_EACH = {"customer": 1, "payment_instrument": 1, "shipping_address": 1, "instrument_identifier": 1}
CALLS = [
    "POST /tms/v2/customers",
    "POST /tms/v1/instrumentidentifiers",
    "POST /tms/v2/customers/{customerId}/payment-instruments",
    "POST /tms/v2/customers/{customerId}/shipping-addresses",
]


class World:
    """One server whose vault is made anew for each trial."""

    def __init__(self, server: SandboxServer) -> None:
        self.server = server
        self.reset()

    def reset(self) -> None:
        self.app = CyberSourceSandbox()
        self.people = seeded_people(3, ["cybersource"])
        self.app.seed(self.people)
        self.seeded = [self.app.held_text(person) for person in self.people]
        self.server.app = self.app
        self.server.calls.clear()
        self.server.faults.clear()
        self.journal = MemoryJournal()

    def create(self, **more: Any) -> Canary:
        return plugin.create_canary(connect(plugin, self.server, journal=self.journal, **more), PERSON)

    def try_to_create(self, **more: Any) -> VendorError | None:
        try:
            self.create(**more)
        except VendorError as error:
            return error
        return None

    def made(self) -> list[str]:
        """Names of the changing calls, as the journal has them."""
        return [w.name for w in self.journal.written if w.kind == "intent"]

    def customers(self) -> int:
        """How many customers of the made-up person's there are."""
        bodies = [c.body.get("buyerInformation", {}) for c in self.app.vault.customers.values()]
        return [b.get("merchantCustomerID") for b in bodies].count(PERSON.customer_id)

    def check_found_and_erased(self, canary: Canary) -> None:
        connection = connect(plugin, self.server, journal=self.journal)
        known = Subject((*canary.identifiers, Identifier("email", PERSON.email)))
        found = plugin.inventory(connection, known)
        assert found.gaps == ()
        assert {record.kind: record.count for record in found.records} == canary.created == ONE_OF_EACH
        items = tuple(PlanItem(n, record, Action.ERASE) for n, record in enumerate(found.records))
        assert {o.result for o in plugin.erase(connection, Erasure(known, items))} == {Result.ERASED}
        assert plugin.inventory(connection, known).records == ()
        assert [self.app.held_text(person) for person in self.people] == self.seeded


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(CyberSourceSandbox()) as server:
        yield server


@pytest.fixture
def world(server: SandboxServer) -> World:
    return World(server)


def test_one_of_each_is_created_found_and_gone_after_an_erasure(world: World) -> None:
    canary = world.create()
    assert world.made() == CALLS
    assert canary.left_out == ()
    assert [i.kind for i in canary.identifiers] == ["cybersource"]
    (token,) = [i.value for i in canary.identifiers]
    body = world.app.vault.customers[token].body
    assert body == {"buyerInformation": {"merchantCustomerID": PERSON.customer_id, "email": PERSON.email}}
    (instrument,) = world.app.vault.customers[token].instruments.values()
    assert instrument.identifier.body["card"]["number"] == "411111XXXXXX1111"
    assert instrument.body["card"] == {"expirationMonth": "12", "expirationYear": "2029"}
    world.check_found_and_erased(canary)
    assert world.customers() == 0
    assert world.app.vault.accounts.keys().isdisjoint({"card|4111111111111111"})


def test_called_again_it_makes_nothing_twice_and_adds_what_is_missing(world: World) -> None:
    canary = world.create()
    vault = world.app.vault
    customer = vault.customers[canary.identifiers[0].value]
    (address,) = customer.addresses.values()
    vault.drop_address(address)
    world.journal = MemoryJournal()
    assert world.create() == canary
    assert world.made() == [CALLS[3]]
    assert world.customers() == 1
    world.check_found_and_erased(canary)


def test_others_may_have_the_test_card_too(world: World) -> None:
    vault = world.app.vault
    card = {"_embedded": {"instrumentIdentifier": {"card": {"number": "5555555555554444"}}}}
    other = vault.add_instrument("", {**card, "billTo": {"email": PERSON.email}})
    canary = world.create(settings={"canary_card": "5555555555554444"})
    (instrument,) = vault.customers[canary.identifiers[0].value].instruments.values()
    assert instrument.identifier is other.identifier


@pytest.mark.parametrize("status", [400, 409])
def test_a_vendor_that_lets_nobody_choose_a_token_gives_one_of_its_own(world: World, status: int) -> None:
    world.server.fail(Fault("status", method="POST", path="/tms/v2/customers$", reply=Reply(status)))
    canary = world.create()
    assert world.made() == [CALLS[0], *CALLS]
    assert world.customers() == 1
    world.check_found_and_erased(canary)


def test_a_person_who_was_erased_is_made_anew_under_another_token(world: World) -> None:
    tokens = set()
    for _ in range(4):
        canary = world.create()
        tokens.add(canary.identifiers[0].value)
        world.check_found_and_erased(canary)
    assert len(tokens) == 4


def test_a_customer_that_only_the_answer_could_name_is_never_sent_twice(world: World) -> None:
    """The vendor gave it another token than the one asked for, and the answer was lost."""
    add = world.app.vault.add_customer
    world.app.vault.add_customer = lambda body: add({k: v for k, v in body.items() if k != "id"})  # type: ignore[method-assign] # a stubborn vendor
    world.server.fail(Fault("reset_after", method="POST"))
    error = world.try_to_create()
    assert isinstance(error, OutcomeUnknown)
    assert world.made() == CALLS[:1]
    assert world.customers() == 1


def test_without_a_journal_nothing_is_created(world: World) -> None:
    with pytest.raises(PluginFault):
        plugin.create_canary(connect(plugin, world.server), PERSON)
    assert world.customers() == 0


TROUBLE: tuple[tuple[FaultKind, Reply, int], ...] = (
    ("status", Reply(500), 1),
    ("status", Reply(429, headers={"Retry-After": "1"}), 1),
    ("status", Reply(403), 1),
    ("status", Reply(424), 1),
    ("reset_before", Reply(0), 1),
    ("reset_after", Reply(0), 1),
    ("hang_after", Reply(0), 1),
    ("replace", Reply(503), -1),
    ("replace", Reply(201, json={"id": ""}), 1),
)


@pytest.mark.parametrize(("kind", "reply", "times"), TROUBLE)
def test_trouble_at_any_creation_leaves_nothing_or_what_the_next_run_completes(
    world: World, kind: FaultKind, reply: Reply, times: int
) -> None:
    limits: dict[str, Any] = {"timeout_seconds": 0.2} if kind.startswith("hang") else {"attempts": 2}
    for n in range(len(CALLS)):
        world.reset()
        world.server.fail(Fault(kind, method="POST", skip=n, times=times, reply=reply))
        error = world.try_to_create(**limits)
        # Made and complete, or deleted again; but for one whose answer was no answer.
        assert world.customers() == (1 if error is None else 0) or (n == 0 and isinstance(error, OutcomeUnknown))
        told = f"{error and error.line()} {world.journal.written}"
        assert not [
            w for w in (PERSON.customer_id, PERSON.email, PERSON.phone, *world.app.vault.customers) if w in told
        ]
        world.server.faults.clear()
        canary = world.create()
        assert world.customers() == 1
        world.check_found_and_erased(canary)


def test_a_new_customer_that_cannot_be_completed_is_deleted_again_where_that_is_possible(world: World) -> None:
    world.server.fail(Fault("status", method="POST", path="shipping-addresses", reply=Reply(403)))
    assert "403" in str(world.try_to_create())
    assert world.made()[-1] == "DELETE /tms/v2/customers/{customerId}"
    assert world.customers() == 0
    for fault in (("POST", "shipping-addresses"), ("DELETE", "customers")):
        world.server.fail(Fault("status", method=fault[0], path=fault[1], reply=Reply(403)))
    assert "shipping-addresses -> 403" in str(world.try_to_create())
    assert world.customers() == 1
    # It is found again by the token that follows from the person.
    world.check_found_and_erased(world.create())
    assert world.customers() == 0


class Killed(BaseException):
    """The process is gone: nothing catches this."""


@pytest.mark.parametrize("how", [Killed, RunEnded])
def test_a_creation_that_ends_at_any_journal_line_is_completed_by_the_next(
    world: World, how: type[BaseException]
) -> None:
    for line in range(2 * len(CALLS)):
        world.reset()
        world.journal = InterruptedJournal(line, how)
        with pytest.raises(how):
            world.create()
        world.journal = MemoryJournal()
        canary = world.create()
        assert world.customers() == 1
        world.check_found_and_erased(canary)

"""From the identifiers given to one person, or to a refusal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habeas.cases.identifiers import fold
from habeas.cases.identity import resolve
from habeas.errors import InputError
from habeas.models import Identifier, Subject

QUICK = settings(deadline=None, max_examples=60)

Row = Mapping[str, str]


class Rows:
    """An identity table in memory."""

    def __init__(self, *rows: Row) -> None:
        self._rows = rows

    def find(self, kind: str, value: str) -> Iterator[Row]:
        return (row for row in self._rows if kind in row and fold(kind, row[kind]) == fold(kind, value))


ADA = {"email": "ada@x.org", "phone": "+49 1", "customer_id": "C-1", "voucherify": "cust_1"}
BOB = {"email": "bob@x.org", "customer_id": "C-2", "voucherify": "cust_2"}
EVE = {"email": "family@x.org", "phone": "+49 9", "customer_id": "C-3"}
FAY = {"email": "family@x.org", "phone": "+49 9", "customer_id": "C-4"}
OLD = {"email": "ada.old@x.org", "customer_id": "C-1"}
NOBODY = {"email": "guest@x.org", "phone": "+49 7"}
TABLE = Rows(ADA, BOB, EVE, FAY, OLD, NOBODY)


def of(**identifiers: str) -> list[Identifier]:
    return [Identifier(kind, value) for kind, value in identifiers.items()]


def resolved(**identifiers: str) -> dict[str, tuple[str, ...]]:
    subject = resolve(of(**identifiers), TABLE)
    return {kind: subject.values(kind) for kind in dict.fromkeys(i.kind for i in subject.identifiers)}


def refusal(given: list[Identifier]) -> str:
    with pytest.raises(InputError) as caught:
        resolve(given, TABLE)
    line = caught.value.line()
    assert all(i.value not in line for i in given)
    assert caught.value.exit_code == 2
    return line


@pytest.mark.parametrize(
    "given",
    [
        {"email": "ada@x.org"},
        {"phone": "+49 1"},
        {"customer_id": "C-1"},
        {"voucherify": "cust_1"},
        {"customer_id": "C-1", "email": "ada.old@x.org", "phone": "+49 1", "voucherify": "cust_1"},
    ],
    ids="+".join,
)
def test_any_identifier_of_a_person_leads_to_all_that_its_rows_say(given: dict[str, str]) -> None:
    found = resolved(**given)
    assert found["customer_id"] == ("C-1",)
    assert "ada@x.org" in found["email"]
    assert found["voucherify"] == ("cust_1",)


def test_a_customer_in_two_rows_is_one_person_with_two_addresses() -> None:
    assert set(resolved(customer_id="C-1")["email"]) == {"ada@x.org", "ada.old@x.org"}


def test_what_was_given_stands_first_and_each_identifier_once() -> None:
    assert resolved(email="ADA@x.org", customer_id="C-1")["email"] == ("ADA@x.org", "ada@x.org", "ada.old@x.org")
    twice = [*of(customer_id="C-1"), *of(customer_id="C-1")]
    assert resolve(twice, TABLE) == resolve(twice[:1], TABLE)


def test_a_shared_email_or_phone_asks_for_a_customer_id() -> None:
    for shared in (of(email="family@x.org"), of(phone="+49 9"), of(email="family@x.org", phone="+49 9")):
        line = refusal(shared)
        assert line.startswith("2 people")
        assert "customer_id" in line


def test_a_shared_email_with_a_customer_id_is_that_customer() -> None:
    assert resolved(email="family@x.org", customer_id="C-4") == {
        "email": ("family@x.org",), "customer_id": ("C-4",), "phone": ("+49 9",),
    }  # fmt: skip


@pytest.mark.parametrize(
    "given",
    [
        {"email": "ada@x.org", "phone": "+49 7"},
        {"email": "ada@x.org", "customer_id": "C-2"},
        {"phone": "+49 1", "voucherify": "cust_2"},
        {"customer_id": "C-1", "voucherify": "cust_2"},
        {"customer_id": "C-9", "voucherify": "cust_2"},
        {"customer_id": "C-9", "email": "ada@x.org"},
        {"voucherify": "cust_9", "email": "ada@x.org"},
        {"customer_id": "C-9", "phone": "+49 9"},
    ],
    ids=lambda g: "+".join(g.values()),
)
def test_identifiers_of_different_people_are_refused(given: dict[str, str]) -> None:
    assert "people" in (line := refusal(of(**given))) or "given" in line


def test_two_customer_ids_are_two_people_unless_the_table_knows_neither() -> None:
    refusal([Identifier("customer_id", "C-1"), Identifier("customer_id", "C-2")])
    refusal([Identifier("customer_id", "C-1"), Identifier("customer_id", "C-9")])
    unknown = [Identifier("customer_id", "C-8"), Identifier("customer_id", "C-9")]
    assert resolve(unknown, TABLE) == Subject(tuple(unknown))


def test_a_vendor_id_two_customers_have_is_refused() -> None:
    table = Rows({"customer_id": "C-1", "voucherify": "v"}, {"customer_id": "C-2", "voucherify": "v"})
    with pytest.raises(InputError, match="2 people"):
        resolve(of(voucherify="v"), table)


def test_people_the_table_does_not_know_are_taken_as_given() -> None:
    assert resolved(email="new@x.org", customer_id="C-9") == {"email": ("new@x.org",), "customer_id": ("C-9",)}
    assert resolved(email="new@x.org") == {"email": ("new@x.org",)}


def test_an_address_the_table_does_not_know_goes_with_a_customer_it_knows() -> None:
    assert resolved(email="newest@x.org", customer_id="C-2")["email"] == ("newest@x.org", "bob@x.org")


def test_a_person_without_customer_id_is_known_by_the_row() -> None:
    assert resolved(email="guest@x.org") == {"email": ("guest@x.org",), "phone": ("+49 7",)}
    table = Rows(NOBODY, dict(NOBODY), {"email": "guest@x.org", "voucherify": "cust_7"})
    with pytest.raises(InputError, match="2 people"):
        resolve(of(email="guest@x.org"), table)


def test_without_a_table_identifiers_stand_for_themselves() -> None:
    given = of(email="family@x.org", customer_id="C-1")
    assert resolve([*given, *given], None) == Subject(tuple(given))


@pytest.mark.parametrize("table", [None, TABLE], ids=["no table", "table"])
def test_nobody_named_is_refused(table: Rows | None) -> None:
    with pytest.raises(InputError, match="no identifier"):
        resolve([], table)


CELLS = st.dictionaries(
    st.sampled_from(["email", "phone", "customer_id", "voucherify"]), st.sampled_from("abc"), min_size=1
)


@QUICK
@given(st.lists(CELLS, max_size=5), CELLS)
def test_whoever_is_found_is_one_person_whatever_the_order(rows: list[Row], given: Row) -> None:
    def outcome(table: list[Row], identifiers: list[Identifier]) -> frozenset[Identifier] | None:
        try:
            return frozenset(resolve(identifiers, Rows(*table)).identifiers)
        except InputError:
            return None

    subject = outcome(rows, of(**given))
    shuffled = sorted(rows, key=lambda row: repr(row)[::-1])
    assert outcome(shuffled, of(**given)[::-1]) == subject
    if subject is not None:
        customers = {i.value for i in subject if i.kind == "customer_id"}
        assert len(customers) <= 1
        # Nobody else's strong identifiers came along.
        others = [row for row in rows if "customer_id" in row and row["customer_id"] not in customers]
        if customers and "customer_id" not in given:
            for kind in given:
                assert kind != "voucherify" or not any(row.get(kind) == given[kind] for row in others)

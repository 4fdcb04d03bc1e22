"""Requests that are open: the same person asking for the same thing is found, and nobody else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.habeas.cases.test_suppression import ADA, new_list, subject
from tests.searching import leaks, needles_for

from habeas.cases.duplicates import OpenRequests
from habeas.cases.keys import KeyStore

__all__ = ["new_list"]  # a fixture


@pytest.fixture
def requests(new_list: Path, tmp_path: Path, keys: KeyStore) -> Iterator[OpenRequests]:
    with closing(OpenRequests.open(Path(shutil.copy(new_list, tmp_path)), keys)) as made:
        yield made


def test_by_any_identifier_however_it_is_written(requests: OpenRequests) -> None:
    requests.add([("c-1", "erasure", ADA)])
    for who in (
        ADA,
        subject(customer_id="C-100042-kanarie"),
        subject(email="ada.kanarienvogel@VOLIERE.example"),
        subject(phone="+4915577889912"),
    ):
        assert requests.find("erasure", who) == ["c-1"]


def test_another_type_is_another_request(requests: OpenRequests) -> None:
    requests.add([("c-1", "erasure", ADA), ("c-2", "access", ADA)])
    assert requests.find("erasure", ADA) == ["c-1"]
    assert requests.find("access", ADA) == ["c-2"]
    assert requests.find("portability", ADA) == []


@pytest.mark.parametrize(
    ("known", "asks", "same"),
    [
        (subject(customer_id="1", email="a@x.example"), subject(customer_id="2", email="a@x.example"), False),
        (subject(customer_id="1", email="a@x.example"), subject(email="a@x.example"), True),
        (subject(email="a@x.example"), subject(customer_id="2", email="a@x.example"), True),
        (subject(customer_id="1", phone="+4930123456"), subject(voucherify="v-9", phone="+4930123456"), True),
        (subject(customer_id="1"), subject(customer_id="2"), False),
        (subject(customer_id="1"), subject(email="1"), False),
    ],
)
def test_a_household_with_one_address_is_two_people(
    requests: OpenRequests, known: object, asks: object, same: bool
) -> None:
    """An address counts only where not both have an id of the same kind: those would say the same if they were one."""
    requests.add([("c-1", "erasure", known)])  # type: ignore[list-item] # subjects, as the parameters above
    assert requests.find("erasure", asks) == (["c-1"] if same else [])  # type: ignore[arg-type] # likewise


def test_several_are_all_found_and_each_is_taken_out_by_itself(requests: OpenRequests) -> None:
    requests.add([("c-1", "erasure", ADA), ("c-2", "erasure", ADA)])
    assert sorted(requests.find("erasure", ADA)) == ["c-1", "c-2"]
    requests.remove(["c-1", "c-unknown"])
    assert requests.find("erasure", ADA) == ["c-2"]
    requests.remove([])
    requests.remove(["c-2"])
    assert requests.find("erasure", ADA) == []


def test_adding_a_request_twice_changes_nothing(requests: OpenRequests) -> None:
    for _ in range(2):
        requests.add([("c-1", "erasure", ADA)])
    assert requests.find("erasure", ADA) == ["c-1"]


def test_the_file_says_nothing_about_anybody(requests: OpenRequests, tmp_path: Path) -> None:
    """Keyed marks; and of two people's same address under different types, two different ones."""
    requests.add([("c-1", "erasure", ADA), ("c-2", "access", ADA)])
    needles = needles_for({identifier.kind: identifier.value for identifier in ADA.identifiers})
    for path in tmp_path.glob("suppression.db*"):
        assert leaks(path.read_bytes(), needles) == []

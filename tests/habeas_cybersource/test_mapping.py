"""The vendor's JSON into our shapes, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from habeas import BadAnswer
from habeas_cybersource.mapping import Listed, check_token, has_bill_to, parse_page, without_bill_to

WHERE = "GET /tms/v2/customers/{customerId}/payment-instruments -> 200"
NAME = "paymentInstruments"


def page(*entries: Any, total: Any = None, **more: Any) -> dict[str, Any]:
    return {
        "offset": 0,
        "total": len(entries) if total is None else total,
        "_embedded": {NAME: list(entries)},
        **more,
    }


def shown(listed: Listed) -> tuple[str, bool, str]:
    return listed.id, listed.default, listed.identifier


def test_an_entry_gives_its_token_whether_it_is_the_default_and_the_card_behind_it() -> None:
    found = parse_page(
        page({"id": "A", "default": True, "instrumentIdentifier": {"id": "card"}}, {"id": "B", "default": False}),
        NAME,
        0,
        WHERE,
    )
    assert [shown(entry) for entry in found.entries] == [("A", True, "card"), ("B", False, "")]
    assert found.total == 2


def test_the_card_may_be_embedded_only() -> None:
    entry = {"id": "A", "_embedded": {"instrumentIdentifier": {"id": "card"}}}
    assert parse_page(page(entry), NAME, 0, WHERE).entries[0].identifier == "card"


def test_an_empty_list_may_leave_out_what_it_embeds() -> None:
    assert parse_page({"total": 0}, NAME, 0, WHERE).entries == ()


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "text",
        {},
        {"total": "2"},
        {"total": True},
        {"total": -1},
        page({"id": "A"}, total=1, offset=20),
        page(total=1),
        {"total": 1, "_embedded": []},
        {"total": 1, "_embedded": {NAME: {"id": "A"}}},
        page("A"),
        page({}),
        page({"id": ""}),
        page({"id": 7}),
        page({"id": "A" * 33}),
        page({"id": "A", "_embedded": 1}),
        page({"id": "A", "instrumentIdentifier": "card"}),
        page({"id": "A", "instrumentIdentifier": {"id": ""}}),
    ],
)
def test_a_page_that_is_not_as_documented_is_a_bad_answer(value: Any) -> None:
    with pytest.raises(BadAnswer) as caught:
        parse_page(value, NAME, 0, WHERE)
    assert caught.value.message.startswith(WHERE + ": ")


def test_a_list_that_ends_before_its_total_is_a_bad_answer() -> None:
    with pytest.raises(BadAnswer, match="ends before its total"):
        parse_page({"total": 130, "offset": 100, "_embedded": {NAME: []}}, NAME, 100, WHERE)


def test_an_answer_about_another_token_is_a_bad_answer_that_names_neither() -> None:
    check_token({"id": "abc1"}, "ABC1", WHERE)
    wrong: tuple[Any, ...] = ({"id": "OTHER"}, {}, {"id": None}, [])
    for value in wrong:
        with pytest.raises(BadAnswer) as caught:
            check_token(value, "ABC1", WHERE)
        assert "ABC1" not in caught.value.line()
        assert "OTHER" not in caught.value.line()


def test_only_the_address_on_a_shared_card_is_taken_out() -> None:
    card = {"id": "card", "billTo": {"email": "somebody"}, "card": {"number": "411111XXXXXX1111"}}
    own = {"id": "A", "billTo": {"email": "mine"}, "_embedded": {"instrumentIdentifier": card}}
    assert has_bill_to(card)
    assert not has_bill_to({"id": "card"})
    assert without_bill_to({"list": [own]}, {"other"}) == ({"list": [own]}, 0)
    kept, taken = without_bill_to({"list": [own], "n": 1}, {"card"})
    assert taken == 1
    assert kept["list"][0]["billTo"] == {"email": "mine"}
    assert kept["list"][0]["_embedded"]["instrumentIdentifier"] == {
        "id": "card",
        "card": {"number": "411111XXXXXX1111"},
    }


def test_no_repr_shows_a_token() -> None:
    assert "TOKEN" not in repr(Listed("TOKEN", False, ""))
    assert "TOKEN" not in repr(parse_page(page({"id": "TOKEN"}), NAME, 0, WHERE))

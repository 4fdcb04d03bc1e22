"""Voucherify's JSON into shapes, and other people out of it: what is taken, what is refused, what is left out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habeas import BadAnswer
from habeas_voucherify import mapping
from habeas_voucherify.filters import Own, without_others
from habeas_voucherify.mapping import Customer, Member

OWN = Own(frozenset({"cust_me", "cust_me2"}), frozenset({"C-1"}), frozenset({"me@shop.example"}))
OTHER = {"id": "cust_other", "name": "Bob", "email": "bob@shop.example", "source_id": "C-2", "object": "customer"}
ME = {"id": "cust_me", "name": "Ada", "email": "me@shop.example", "source_id": "C-1", "object": "customer"}


# -- reading -----------------------------------------------------------------------------------------------------------


def test_a_customer_needs_an_id_and_nothing_else() -> None:
    assert mapping.customer({"id": "cust_1"}) == Customer("cust_1", "", "", 0)
    full = {"id": "cust_1", "source_id": "C-1", "email": "a@b.example", "summary": {"orders": {"total_count": 4}}}
    assert mapping.customer(full) == Customer("cust_1", "C-1", "a@b.example", 4)
    assert mapping.customer({"id": "cust_1", "source_id": None, "summary": None}).source_id == ""


@pytest.mark.parametrize("document", [None, [], "x", {}, {"id": ""}, {"id": 7}, {"id": "c", "source_id": 7}])
def test_a_customer_of_another_shape_is_refused(document: Any) -> None:
    with pytest.raises(BadAnswer):
        mapping.customer(document)


def test_an_answer_is_about_the_customer_that_was_asked_for_by_either_id() -> None:
    for wanted in ("cust_me", "C-1", "c-1"):
        assert mapping.about(ME, wanted).id == "cust_me"
    with pytest.raises(BadAnswer):
        mapping.about(ME, "C-2")


def test_ids_and_addresses_are_the_same_in_any_case_and_unicode_form() -> None:
    assert mapping.same_text("Ada@Shop.example ", "ada@shop.EXAMPLE")
    assert mapping.same_text("größe-1", "gro\u0308ße-1")
    assert not mapping.same_text("ada@shop.example", "ada@shop.example.org")


@pytest.mark.parametrize(
    ("document", "own"),
    [
        ({"code": 404, "key": "not_found", "message": "Resource not found", "details": "x"}, True),
        ({"code": 404, "message": "Resource not found"}, True),
        ({"code": 404, "key": "project_not_found", "message": "x"}, False),
        ({"error": "x"}, False),
        ({}, False),
        ("Not Found", False),
        (None, False),
    ],
)
def test_only_voucherifys_own_not_found_is_one(document: Any, own: bool) -> None:
    assert mapping.is_not_found(document) is own


def test_the_last_page_has_no_cursor_and_any_other_must_have_one() -> None:
    assert mapping.cursor({"has_more": False, "more_starting_after": "x"}) == ""
    assert mapping.cursor({"has_more": True, "more_starting_after": "x"}) == "x"
    wrong: list[dict[str, Any]] = [
        {},
        {"has_more": True},
        {"has_more": "yes"},
        {"has_more": True, "more_starting_after": 1},
    ]
    for document in wrong:
        with pytest.raises(BadAnswer):
            mapping.cursor(document)


def test_a_total_may_be_missing_but_not_be_anything_else() -> None:
    assert (mapping.total({"total": 3}), mapping.total({})) == (3, None)
    wrong: list[Any] = [{"total": -1}, {"total": "3"}, {"total": True}, []]
    for document in wrong:
        with pytest.raises(BadAnswer):
            mapping.total(document)


@pytest.mark.parametrize("document", [{}, {"data": None}, {"data": {}}, {"data": ["x"]}, [], None])
def test_rows_are_a_list_of_objects(document: Any) -> None:
    with pytest.raises(BadAnswer):
        mapping.rows(document, "data")


def _event(kind: str, **data: Any) -> dict[str, Any]:
    return {"id": "ev_1", "type": kind, "data": {"data": data}}


def test_orders_are_taken_from_order_events_once_and_only_the_customers_own() -> None:
    events = [
        _event("customer.order.created", customer=ME, order={"id": "ord_1", "customer_id": "cust_me"}),
        _event("customer.order.paid", customer=ME, order={"id": "ord_1", "customer_id": "cust_me"}),
        _event("customer.order.paid", order={"id": "ord_2"}),
        _event("customer.order.paid", order={"id": "ord_friend", "customer_id": "cust_other"}),
        _event("customer.order.paid", order={"id": "ord_friend", "customer": {"id": "cust_other"}}),
        _event("customer.order.paid", customer=OTHER, order={"id": "ord_friend"}),
        _event("customer.custom_event", customer=ME, order={"id": "ord_no"}),
        _event("customer.order.paid", customer=ME, order=None),
    ]
    assert mapping.order_ids(events, "cust_me") == ("ord_1", "ord_2")


def test_orders_of_redemptions_are_taken_unless_somebody_else_redeemed() -> None:
    rows: list[dict[str, Any]] = [
        {"id": "r_1", "customer_id": "cust_me", "order": {"id": "ord_1"}},
        {"id": "r_2", "customer_id": "cust_other", "order": {"id": "ord_2"}},
        {"id": "r_3", "customer_id": "cust_me", "order": None},
    ]
    assert mapping.redeemed_orders(rows, "cust_me") == ("ord_1",)
    assert mapping.ids(mapping.own_rows(rows, "cust_me")) == ("r_1", "r_3")


@pytest.mark.parametrize(
    ("publication", "codes"),
    [
        ({"voucher": {"code": "A"}}, ("A",)),
        ({"vouchers": ["A", "B"]}, ("A", "B")),
        ({"voucher": {"code": "A"}, "vouchers": ["A"]}, ("A",)),
        ({"result": "FAILURE", "vouchers_id": []}, ()),
    ],
)
def test_a_publication_has_one_code_several_or_none(publication: dict[str, Any], codes: tuple[str, ...]) -> None:
    assert mapping.codes(publication) == codes


def test_members_say_whether_they_are_deleted() -> None:
    member = {"id": "lmbr_1", "program_id": "lprg_1", "status": "ACTIVE"}
    document = {"memberships": [{"member": member}, {"member": {**member, "id": "lmbr_2", "status": "DELETED"}}]}
    assert mapping.memberships(document) == (Member("lmbr_1", "lprg_1", False), Member("lmbr_2", "lprg_1", True))
    with pytest.raises(BadAnswer):
        mapping.member({"id": "lmbr_1", "program_id": "lprg_1"})


def test_a_token_without_a_life_lives_as_long_as_documented() -> None:
    assert mapping.access_token({"access_token": "t"}) == ("t", 900)


# -- naming ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ({"customer_id": "cust_me"}, True),
        ({"voucher": {"holder": {"id": "cust_me"}}}, True),
        ([{"deep": [{"x": "cust_me"}]}], True),
        ({"metadata": {"mail": "ME@shop.example"}}, True),
        ({"customer": {"object": "customer", "source_id": "C-1"}}, True),
        ({"tracking_id": "C-1"}, True),
        ({"product": {"source_id": "C-1"}}, False),
        ({"customer_id": None, "customer": None, "tracking_id": None}, False),
        ({"customer_id": "cust_other"}, False),
        ({"text": "about cust_me and others"}, False),
    ],
)
def test_a_document_names_a_customer_by_id_address_or_source_id(document: Any, named: bool) -> None:
    assert mapping.names(document, {"cust_me"}, {"C-1", ""}, {"me@shop.example"}) is named


def test_no_name_is_never_found() -> None:
    assert not mapping.names({"tracking_id": "", "object": "customer", "source_id": ""}, (), {""}, ())


# -- other people ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "kept", "count"),
    [
        ({"customer": ME, "x": 1}, {"customer": ME, "x": 1}, 0),
        ({"customer": OTHER, "x": 1}, {"x": 1}, 1),
        ({"voucher": {"code": "A", "holder_id": "cust_other"}}, {"voucher": {"code": "A"}}, 1),
        ({"voucher": {"code": "A", "holder_id": "cust_me2"}}, {"voucher": {"code": "A", "holder_id": "cust_me2"}}, 0),
        ({"voucher": {"code": "A", "holder": OTHER}}, {"voucher": {"code": "A"}}, 1),
        ({"referral": {"code": "A", "referrer_id": "cust_other", "referrer": OTHER}}, {"referral": {"code": "A"}}, 2),
        ({"data": {"order": {"id": "ord_1", "customer_id": "cust_other"}}}, {"data": {}}, 1),
        ({"data": [{"id": "r_1", "customer_id": "cust_other"}, {"id": "r_2"}]}, {"data": [{"id": "r_2"}]}, 1),
        ({"holder": {"id": "rh_1", "customer_id": "cust_me"}}, {"holder": {"id": "rh_1", "customer_id": "cust_me"}}, 0),
        ({"holder": {"id": "rh_1", "customer_id": "cust_other"}}, {}, 1),
        ({"metadata": {"friend": "cust_other", "friends": ["cust_other", "x"]}}, {"metadata": {"friends": ["x"]}}, 2),
        ({"somebody": {"id": "cust_other", "name": "Bob"}}, {}, 1),
        ({"customer": {"source_id": "C-2", "name": "Bob"}}, {}, 1),
        ({"customer": {"email": "ME@shop.example"}}, {"customer": {"email": "ME@shop.example"}}, 0),
        ({"customer": {"email": "bob@shop.example"}}, {}, 1),
        ({"unconfirmed_customer": {"id": "ucust_1"}}, {"unconfirmed_customer": {"id": "ucust_1"}}, 0),
        ({"customer": {"object": "customer"}}, {"customer": {"object": "customer"}}, 0),
        ({"customer_id": None, "holder_id": ""}, {"customer_id": None, "holder_id": ""}, 0),
        ({"product": {"source_id": "C-2", "user": "x"}}, {"product": {"source_id": "C-2", "user": "x"}}, 0),
    ],
)
def test_what_is_about_other_customers_is_left_out(document: Any, kept: Any, count: int) -> None:
    found = without_others(document, OWN)
    assert found.document == kept
    assert [omission.count for omission in found.omissions] == ([count] if count else [])


def test_users_of_the_shops_account_are_left_out_of_events() -> None:
    event = {"event_source": {"channel": "USER_PORTAL", "user": {"id": "user_1"}}, "customer": ME}
    found = without_others(event, OWN)
    assert found.document == {"event_source": {"channel": "USER_PORTAL"}, "customer": ME}
    assert [omission.what for omission in found.omissions] == ["ids of users of the shop's Voucherify account"]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["cust_me", "cust_other"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "customer", "customer_id", "holder", "object", "data", "user", "channel", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=60)
@given(_JSON)
def test_nobody_elses_id_survives_below_the_top_and_cleaning_twice_changes_nothing(document: Any) -> None:
    found = without_others({"top": document}, OWN)
    assert "cust_other" not in json.dumps(found.document)
    assert without_others(found.document, OWN).document == found.document


@settings(max_examples=60)
@given(_JSON)
def test_without_omissions_a_document_is_unchanged(document: Any) -> None:
    found = without_others(document, OWN)
    assert found.omissions or found.document == document


@settings(max_examples=60)
@given(_JSON)
def test_any_json_is_read_or_refused_in_safe_words(document: Any) -> None:
    for reading in (mapping.customer, mapping.customers, mapping.cursor, mapping.memberships, mapping.access_token):
        message = _refusal(reading, document)
        assert "cust_" not in message


def _refusal(reading: Callable[[Any], object], document: Any) -> str:
    try:
        reading(document)
    except BadAnswer as bad:
        return bad.message
    return ""

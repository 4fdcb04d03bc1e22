"""Talon.One's JSON into our shapes: what counts as held, and what is no answer at all."""

from __future__ import annotations

from typing import Any

import pytest

from habeas import BadAnswer, Omission
from habeas_talonone import filters, mapping

WHO = "shop/17+größe"


def inventory(**parts: Any) -> dict[str, Any]:
    profile = {"id": 1, "integrationId": WHO, "attributes": {}, "closedSessions": 0, "totalSales": 0}
    return {"profile": profile | parts.pop("profile", {}), **parts}


def found(**parts: Any) -> dict[str, tuple[str, ...]]:
    held = mapping.holding(inventory(**parts), WHO)
    return {record.kind: record.ids for record in mapping.records(held, held.programs)}


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"loyalty": None, "referrals": None, "coupons": None, "giveaways": None, "achievements": None},
        {"loyalty": {"programs": {}, "cards": []}, "referrals": [], "coupons": []},
        {"coupons": [{"value": "EVERYONE", "implicitlyReserved": True}]},
        {"achievements": [{"achievementId": 3, "status": "not_started", "progress": 0}]},
        {"profile": {"attributes": None, "audienceMemberships": None}},
        {"profile": {"attributes": {"Email": None}}},
    ],
)
def test_an_empty_profile_holds_nothing(parts: dict[str, Any]) -> None:
    assert found(**parts) == {}


@pytest.mark.parametrize(
    ("parts", "kind", "ids"),
    [
        ({"profile": {"attributes": {"Email": "x"}}}, "profile", (WHO,)),
        ({"profile": {"closedSessions": 1}}, "profile", (WHO,)),
        ({"profile": {"totalSales": 0.01}}, "profile", (WHO,)),
        ({"profile": {"audienceMemberships": [{"id": 7, "name": "n"}]}}, "audience", ("7",)),
        ({"referrals": [{"id": 4, "code": "c"}]}, "referral", ("4",)),
        ({"giveaways": [{"id": 5}]}, "giveaway", ("5",)),
        ({"achievements": [{"achievementId": 3, "status": "expired", "progress": 0}]}, "achievement", ("3",)),
        ({"achievements": [{"achievementId": 3, "status": "not_started", "progress": 2}]}, "achievement", ("3",)),
        ({"loyalty": {"programs": {"9": {"id": 9}}}}, "loyalty_program", ("9",)),
        ({"loyalty": {"cards": [{"programID": 2, "identifier": "a%2F@b"}]}}, "loyalty_card", ("2/a%2F@b",)),
        ({"coupons": [{"value": "MINE"}]}, "coupon", ("MINE",)),
        ({"coupons": [{"value": "MINE", "implicitlyReserved": False}]}, "coupon", ("MINE",)),
        (
            {"coupons": [{"value": "MINE", "implicitlyReserved": True, "recipientIntegrationId": WHO}]},
            "coupon",
            ("MINE",),
        ),
    ],
)
def test_each_thing_that_refers_to_the_person_is_found(parts: dict[str, Any], kind: str, ids: tuple[str, ...]) -> None:
    records = found(**parts)
    assert records["profile"] == (WHO,)
    assert records[kind] == ids
    assert set(records) <= {"profile", kind}


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"profile": None},
        {"profile": {}},
        {"profile": {"integrationId": "somebody-else"}},
        {"profile": {"integrationId": WHO.upper()}},
        inventory(profile={"attributes": []}),
        inventory(profile={"closedSessions": "3"}),
        inventory(profile={"totalSales": True}),
        inventory(profile={"audienceMemberships": [{"id": "7"}]}),
        inventory(profile={"audienceMemberships": [{"id": True}]}),
        inventory(referrals={}),
        inventory(referrals=["secret-code"]),
        inventory(coupons=[{"value": ""}]),
        inventory(coupons=[{"id": 1}]),
        inventory(loyalty=[]),
        inventory(loyalty={"programs": {"secret": 5}}),
        inventory(loyalty={"cards": [{"programID": 2}]}),
        inventory(achievements=[{"achievementId": 1, "progress": 0}]),
    ],
)
def test_a_document_of_another_shape_is_refused_without_quoting_it(document: Any) -> None:
    with pytest.raises(BadAnswer) as caught:
        mapping.holding(document, WHO)
    assert not any(word in caught.value.line() for word in ("secret", WHO, "somebody"))


def test_a_balance_is_zero_only_where_every_sort_of_points_in_every_ledger_is() -> None:
    assert mapping.balance_is_zero({})
    assert mapping.balance_is_zero({"balance": {"activePoints": 0.0}, "subledgerBalances": {"s": {}}})
    for sort in ("activePoints", "pendingPoints", "spentPoints", "expiredPoints", "negativePoints"):
        assert not mapping.balance_is_zero({"balance": {sort: 0.5}})
        assert not mapping.balance_is_zero({"subledgerBalances": {"s": {sort: -1}}})
    with pytest.raises(BadAnswer):
        mapping.balance_is_zero({"subledgerBalances": {"secret": 3}})


def test_a_list_of_reservations_that_is_not_whole_proves_nothing() -> None:
    other = {"integrationId": "somebody"}
    assert mapping.reservation_names({"totalResultSize": 2, "data": [other, {"integrationId": WHO}]}, WHO)
    assert not mapping.reservation_names({"totalResultSize": 1, "data": [other]}, WHO)
    with pytest.raises(BadAnswer):
        mapping.reservation_names({"totalResultSize": 2, "data": [other]}, WHO)
    with pytest.raises(BadAnswer):
        mapping.reservation_names({"totalResultSize": 0}, WHO)


def test_card_ids_survive_the_way_into_a_reference_and_back() -> None:
    assert mapping.split_card_ref(mapping.card_ref("5", "a%2F@b+c._-")) == ("5", "a%2F@b+c._-")


def test_other_people_are_taken_out_of_an_inventory_and_counted() -> None:
    document = inventory(
        loyalty={
            "programs": {},
            "cards": [
                {"identifier": "c1", "profiles": [{"integrationId": WHO}, {"integrationId": "other"}]},
                {"identifier": "c2", "profiles": [{"integrationId": "second-own"}]},
            ],
        },
        referrals=[
            {"id": 1, "friendProfileIntegrationId": "friend", "referredCustomers": ["friend", "another", "second-own"]},
            {"id": 2, "friendProfileIntegrationId": "", "referredCustomers": None},
        ],
        coupons=[{"value": "A", "recipientIntegrationId": WHO}, {"value": "B", "recipientIntegrationId": "other"}],
    )
    kept = filters.inventory(document, {WHO, "second-own"})
    assert kept.document["loyalty"]["cards"][0]["profiles"] == [{"integrationId": WHO}]
    assert kept.document["loyalty"]["cards"][1] == document["loyalty"]["cards"][1]
    assert kept.document["referrals"] == [
        {"id": 1, "referredCustomers": ["second-own"]},
        {"id": 2, "friendProfileIntegrationId": "", "referredCustomers": None},
    ]
    assert kept.document["coupons"] == [{"value": "A", "recipientIntegrationId": WHO}, {"value": "B"}]
    assert [omission.count for omission in kept.omissions] == [1, 3, 1]
    assert document["referrals"][0]["friendProfileIntegrationId"] == "friend", "the original is not changed"


def test_a_document_about_nobody_else_stays_the_same_object() -> None:
    document = inventory(loyalty={"programs": {}, "cards": [{"profiles": [{"integrationId": WHO}]}]}, referrals=[])
    assert filters.inventory(document, {WHO}) == filters.Filtered(document, ())
    assert filters.inventory(document, {WHO}).document is document
    page = {"hasMore": False, "data": [{"id": 1, "customerProfileID": WHO}, {"id": 2}]}
    assert filters.card_points(page, {WHO}).document is page


def test_on_a_shared_card_other_peoples_points_and_all_sessions_are_left_out() -> None:
    page: dict[str, Any] = {
        "hasMore": True,
        "data": [
            {"id": 1, "customerProfileID": WHO, "customerSessionId": "s1"},
            {"id": 2, "customerProfileID": "other", "customerSessionId": "s2"},
        ],
    }
    points = filters.card_points(page, {WHO})
    assert points.document == {"hasMore": True, "data": [page["data"][0]]}
    assert [o.count for o in points.omissions] == [1]
    transactions = filters.card_transactions(page, {WHO})
    assert [entry["id"] for entry in transactions.document["data"]] == [1, 2]
    assert not any("customerSessionId" in entry for entry in transactions.document["data"])
    assert [(o.what, o.count) for o in transactions.omissions] == [("ids of sessions", 2)]
    told: tuple[Omission, ...] = (*points.omissions, *transactions.omissions)
    assert all("15(4)" in omission.why for omission in told)


@pytest.mark.parametrize(
    "entry",
    [5, {}, {"id": "7"}, {"id": True}, {"id": 7, "attributes": ["secret"]}, {"id": 7, "cartItems": {}}],
)
def test_a_row_of_another_shape_is_refused_without_quoting_it(entry: Any) -> None:
    with pytest.raises(BadAnswer) as caught:
        mapping.rows({"data": [entry]})
    assert "secret" not in caught.value.line()


def test_rows_are_described_by_their_own_attributes_or_their_items() -> None:
    bare = {"id": 1, "attributes": {"Page": None}, "cartItems": [{"sku": "x", "attributes": {}}], "discounts": {"A": 1}}
    item = {"id": 2, "cartItems": [{"sku": "x", "attributes": {"Engraving": "for Ada"}}]}
    rows = mapping.rows({"data": [bare, item, {"friendIntegrationId": "somebody"}]})
    assert [(row.id, row.described) for row in rows] == [("1", False), ("2", True), ("", False)]
    assert "discounts.*" in rows[0].fields
    assert "cartItems[].attributes.Engraving" in rows[1].fields


def test_notes_count_only_where_they_are_text_and_the_persons() -> None:
    held = mapping.holding(
        inventory(
            coupons=[
                {"value": "A", "attributes": {"Note": "for Ada"}},
                {"value": "B", "attributes": {"Number": 5, "Empty": "", "None": None}},
                {"value": "C", "attributes": {"Note": "for all"}, "implicitlyReserved": True},
            ],
            referrals=[{"id": 1, "attributes": {"Names": ["Ada"]}}],
        ),
        WHO,
    )
    assert held.noted == {"coupon": 1, "referral": 1, "giveaway": 0}
    assert "attributes.Note" in held.fields["coupon"]
    assert held.fields["referral"] == ("attributes.Names", "id")

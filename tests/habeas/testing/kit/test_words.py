"""What may stand in a text, and what two people share."""

from __future__ import annotations

import dataclasses
import json

from habeas import Field, Inventory, Record
from habeas.testing.kit.words import identifiers_in, masked, new_values, shows, stands_in, without, words_about
from habeas.testing.people import seeded_people

ADA = seeded_people(1, ["tiny"])[0]


def test_a_word_is_found_as_a_whole_and_not_within_another() -> None:
    assert identifiers_in("it was Ada's", ["Ada"])
    assert not identifiers_in("Adaptation of Canada", ["Ada"])
    assert identifiers_in("GET /v1/customers/a+b@shop.example -> 404", ["a+b@shop.example"])
    assert not identifiers_in("anything", [])


def test_a_long_word_is_found_where_it_is_glued_to_other_text() -> None:
    assert identifiers_in("customerC-100000x", ["C-100000"])
    assert not stands_in("customerC-100000x", "C-100000")


def test_words_are_taken_out_of_a_text_the_longest_first() -> None:
    assert masked("no Ada Lovelace, no Ada", ["Ada", "Ada Lovelace"]) == "no …, no …"


def test_nobody_is_given_the_address_or_number_of_another() -> None:
    values = [new_values(number) for number in range(13)]
    assert all(len({one[field] for one in values}) == len(values) for field in (Field.EMAIL, Field.PHONE))


def test_short_ids_and_empty_parts_of_a_person_are_no_words() -> None:
    person = dataclasses.replace(ADA, street="", card="")
    words = words_about(person, Inventory((Record("customer", 1, ("12", "cust_12345")),)))
    assert "cust_12345" in words
    assert not {"", "12"} & set(words)


def test_of_what_is_held_about_somebody_all_objects_that_name_another_are_left_out() -> None:
    card = {"card": 7, "profiles": [{"id": "C-1", "since": 1}, {"id": "C-2", "since": 2}], "names": ["C-1", "C-2"]}
    kept = {"card": 7, "profiles": [{"id": "C-2", "since": 2}], "names": ["C-2"]}
    assert json.loads(without(json.dumps(card), ["C-1"])) == kept
    assert json.loads(without(json.dumps({"by": {"C-1": {"points": 3}}, "of": "C-2"}), ["C-1"])) == {
        "by": None,
        "of": "C-2",
    }
    assert without("card 7 of C-1\ncard 7 of C-2", ["C-1"]) == "card 7 of C-2"


def test_a_name_may_be_held_in_parts_and_a_number_without_its_plus() -> None:
    assert shows('{"first": "Ada", "last": "Quist"}', Field.NAME, "Ada Quist")
    assert not shows('{"first": "Ada"}', Field.NAME, "Ada Quist")
    assert shows("493012345", Field.PHONE, "+493012345")
    assert not shows("10115", Field.POSTAL_CODE, "1011")

"""What must never stand in a text, and the made-up values that corrections use."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from habeas.models import Field, Inventory, Json
from habeas.testing.people import Person

__all__ = [
    "NEW_VALUES",
    "identifiers_in",
    "masked",
    "new_values",
    "old_values",
    "shows",
    "stands_in",
    "without",
    "words_about",
]

NEW_VALUES: Mapping[Field, str] = {
    Field.EMAIL: "zdenka.corrected@shop-customer.example",
    Field.PHONE: "+493099887766",
    Field.NAME: "Zdenka Corrected",
    Field.FIRST_NAME: "Zdenka",
    Field.LAST_NAME: "Corrected",
    Field.BIRTHDATE: "1963-07-19",
    Field.STREET: "Corrected Lane 987",
    Field.POSTAL_CODE: "98765",
    Field.CITY: "Correctedburg",
    Field.REGION: "BY",
    Field.COUNTRY: "IE",
}
"""What a rectification asks for. The names agree, since one vendor keeps a whole name and another its parts."""


def new_values(number: int) -> Mapping[Field, str]:
    """The same for each of several people, but an e-mail address and a phone number that nobody else has."""
    return {
        **NEW_VALUES,
        Field.EMAIL: NEW_VALUES[Field.EMAIL].replace("@", f".{number}@" if number else "@"),
        Field.PHONE: NEW_VALUES[Field.PHONE][:-2] + f"{66 + number:02d}",
    }


def old_values(person: Person) -> Mapping[Field, str]:
    """What a vendor may hold of a person before a rectification; a country is too short to be told from other text."""
    return {
        Field.EMAIL: person.email,
        Field.PHONE: person.phone,
        Field.NAME: f"{person.first_name} {person.last_name}",
        Field.FIRST_NAME: person.first_name,
        Field.LAST_NAME: person.last_name,
        Field.BIRTHDATE: person.birthdate,
        Field.STREET: person.street,
        Field.POSTAL_CODE: person.postal_code,
        Field.CITY: person.city,
    }


_SHORTEST_ID = 5
"""Characters. A shorter id, such as the number of a program, says nothing and stands anywhere by chance."""
_SHORTEST_PART = 6
"""Characters. A shorter value can be part of any word: it is looked for as a whole word only."""


def words_about(person: Person, inventory: Inventory | None = None) -> tuple[str, ...]:
    """The person's identifiers and name, and the vendor's ids of their records."""
    ids = () if inventory is None else [i for r in inventory.records for i in r.ids]
    own = (
        person.customer_id,
        person.email,
        person.phone,
        person.first_name,
        person.last_name,
        person.street,
        person.card,
        person.birthdate,
    )
    return (*(word for word in own if word), *(i for i in ids if len(i) >= _SHORTEST_ID))


def identifiers_in(text: str, words: Iterable[str]) -> bool:
    """Whether one of the words is told by a text: a long one also where it is glued to other text."""
    return any(word in text and (len(word) >= _SHORTEST_PART or stands_in(text, word)) for word in words)


def stands_in(text: str, word: str) -> bool:
    """Whether a word stands in a text, not as a part of a longer word."""
    return word in text and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None


def masked(text: str, words: Iterable[str]) -> str:
    """The text with each of the words taken out."""
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, "…")
    return text


def without(text: str, words: Iterable[str]) -> str:
    """What is held about somebody, as JSON, less every object that names somebody else by one of the words.

    Two people can share a record, such as a loyalty card that lists both: when one is erased, their entry goes from it.
    """
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in sorted(words)) or r"(?!)")
    try:
        document = json.loads(text)
    except ValueError:
        return "\n".join(line for line in text.splitlines() if not pattern.search(line))
    return json.dumps(_pruned(document, pattern), sort_keys=True)


def _pruned(value: Json, pattern: re.Pattern[str]) -> Json:
    if isinstance(value, str):
        return None if pattern.search(value) else value
    if isinstance(value, list):
        return [kept for kept in (_pruned(inner, pattern) for inner in value) if kept is not None]
    if isinstance(value, dict):
        if any(pattern.search(part) for pair in value.items() for part in pair if isinstance(part, str)):
            return None
        return {name: _pruned(inner, pattern) for name, inner in value.items()}
    return value


def shows(text: str, field: Field, value: str) -> bool:
    """Whether a value stands in what a vendor holds; a whole name also in parts, a number also without its ``+``."""
    if field is Field.NAME:
        return all(stands_in(text, part) for part in value.split())
    if field is Field.PHONE:
        return value.lstrip("+") in text
    return stands_in(text, value)

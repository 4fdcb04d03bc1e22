"""People who do not exist, the same ones each time, with every awkwardness real customers bring."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Person", "seeded_people"]

_FIRST = (
    "Ada", "Björn", "Chloé", "Dmitri", "Elif", "Françoise", "Grzegorz", "Hanna", "Iñigo", "Jürgen",
    "Katarína", "Łukasz", "Maëlle", "Niamh", "Óscar", "Petra", "Quentin", "Renée", "Søren", "Zoë",
)  # fmt: skip
_LAST = (
    "Almeida", "Brandão", "Çelik", "D'Angelo", "Eriksson", "Fernández", "Großmann", "Hansen", "Ionescu", "Jansen",
    "Kovács", "Lefèvre", "Müller", "Nowak", "O'Brien", "Petrov", "Quist", "Rossi", "Šimić", "Weiß",
)  # fmt: skip
_CITIES = (("Berlin", "10115", "DE"), ("Wien", "1010", "AT"), ("Lyon", "69001", "FR"), ("Porto", "4000-001", "PT"))
_AWKWARD = ("{n}+club", "shop/{n}", "cust {n}", "größe-{n}", "Łódź {n}/a+b")
"""Customer ids with `+`, `/`, blanks and non-ASCII letters: each must survive the way into a path and back."""


@dataclass(frozen=True, repr=False)
class Person:
    """One customer of the example shop, as its own customer database knows them."""

    customer_id: str
    email: str
    phone: str
    first_name: str
    last_name: str
    birthdate: str
    """ISO date."""
    street: str
    city: str
    postal_code: str
    country: str
    """ISO 3166-1 alpha-2."""
    card: str
    """Payment card number (from the test ranges). Two people with the same number share a card."""
    card_expiry: str
    """``MM/YYYY``."""
    orders: int
    held_at: frozenset[str]
    """Names of the plugins whose vendor knows this person."""

    def __repr__(self) -> str:
        return "Person(…)"


def seeded_people(count: int, plugins: Sequence[str], seed: int = 20_261_121) -> tuple[Person, ...]:
    """``count`` people, the same for the same arguments.

    Number 0 is an ordinary customer known to every vendor. From ten people on: numbers 2 and 3 share one e-mail address
    (a household), 4 and 5 share one payment card, and number 6 is unknown to every vendor. Further on, every seventh
    person has an awkward customer id and every ninth is missing at one vendor.
    """
    rng = random.Random(seed)  # noqa: S311 - made-up people, not secrets
    people: list[Person] = []
    for n in range(count):
        first, last = rng.choice(_FIRST), rng.choice(_LAST)
        city, postal_code, country = rng.choice(_CITIES)
        held = set(plugins)
        if n == 6:
            held.clear()
        elif n >= 10 and n % 9 == 0 and plugins:
            held.discard(plugins[(n // 9) % len(plugins)])
        email = f"person{n:05d}.{_ascii(last)}@shop-customer.example"
        card = f"4{rng.randrange(10**14):014d}"
        card += _luhn_digit(card)
        if n == 3:
            email = people[2].email
        if n == 5:
            card = people[4].card
        awkward = n >= 10 and n % 7 == 0
        people.append(
            Person(
                customer_id=_AWKWARD[(n // 7) % len(_AWKWARD)].format(n=n) if awkward else f"C-{100_000 + n}",
                email=email,
                phone=f"+4930{1_000_000 + n * 37:07d}",
                first_name=first,
                last_name=last,
                birthdate=f"{rng.randrange(1950, 2006)}-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}",
                street=f"{rng.choice(('Lindenallee', 'Rue Verte', 'Hauptstraße'))} {rng.randrange(1, 200)}",
                city=city,
                postal_code=postal_code,
                country=country,
                card=card,
                card_expiry=f"{rng.randrange(1, 13):02d}/{rng.randrange(2028, 2032)}",
                orders=rng.randrange(0, 4) if n else 3,
                held_at=frozenset(held),
            )
        )
    return tuple(people)


def _ascii(name: str) -> str:
    return "".join(c for c in name.lower() if c.isascii() and c.isalpha()) or "x"


def _luhn_digit(number: str) -> str:
    total = 0
    for position, digit in enumerate(reversed(number)):
        value = int(digit) * (2 if position % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)

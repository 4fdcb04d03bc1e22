"""What the tests of the time after a case share: small shops, a clock that can be moved, and a search for a person."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.habeas.cli.conftest import open_shop
from tests.searching import RIGHT, Needles, leaks, needles_for

from habeas.testing.clock import SkippingClock
from habeas.testing.people import Person

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Shop

__all__ = [
    "AT_ONCE",
    "DAY",
    "HOLD",
    "add_policy",
    "found_below",
    "id_of",
    "needles_of",
    "said",
    "small_shop",
    "use_clock",
]

DAY = 86_400.0
_POLICY = """
name = "{name}"
version = 1
type = "erasure"
regime = "gdpr"
description = "For tests."

[default]
action = "erase"
reason = "The person asked for it."
legal_source = "GDPR Art. 17(1)(b)"
"""
AT_ONCE = """
[after]
keep_details = "P0D"
recheck = []
"""
HOLD = """
[[rules]]
match.plugin = "cybersource"
action = "retain"
reason = "The law asks for it."
legal_basis = "https://w3id.org/dpv/legal/eu/gdpr#A6-1-c"
legal_source = "§ 147 AO"
exemption = "https://w3id.org/dpv/legal/eu/gdpr#JustificationA17LegallyRequired"
"""
"""What CyberSource holds is kept; for how long, whoever uses it adds."""


def small_shop(factory: pytest.TempPathFactory, people: int = 24) -> Iterator[Shop]:
    """A shop for one module, with a policy that keeps nothing; whoever has the fewest records is given out first."""
    shop = open_shop(factory.mktemp("shop"), people)
    shop._ordinary = iter(sorted(shop._ordinary, key=lambda person: person.orders))
    add_policy(shop, "at-once", AT_ONCE)
    yield shop
    shop.world.stop()


def add_policy(shop: Shop, name: str, more: str = "") -> str:
    """An erasure policy in the shop's folder."""
    (shop.policies / f"{name}.toml").write_text(_POLICY.format(name=name) + more)
    return name


def use_clock(monkeypatch: pytest.MonkeyPatch, start: datetime | None = None) -> SkippingClock:
    """The clock of every command in this process; it can be moved."""
    clock = SkippingClock(start or datetime.now(UTC))
    monkeypatch.setattr("habeas.app.SystemClock", lambda: clock)
    return clock


def id_of(person: Person) -> str:
    return f"customer_id={person.customer_id}"


def said(shop: Shop, *kinds: str, case: str = "") -> list[dict[str, Any]]:
    """The ledger's entries of these types, oldest first."""
    typed = [word for kind in kinds for word in ("--type", kind)]
    entries: list[dict[str, Any]] = shop.run("audit", "log", "--limit", "100000", "--json", *typed).json["entries"]
    return [entry for entry in entries if entry["type"] in kinds and case in ("", entry["case"])]


def needles_of(shop: Shop, *people: Person) -> Needles:
    """All forms of all that is known about people: the shop's own values, corrections, and the vendors' ids."""
    values = {f"right {field}": value for field, value in RIGHT.items()}
    for n, person in enumerate(people):
        for field in ("customer_id", "email", "phone", "street", "birthdate", "card", "last_name"):
            values[f"{field} {n}"] = getattr(person, field)
        values[f"local part {n}"] = person.email.partition("@")[0]
        for part in shop.run("--json", "inventory", id_of(person), "--show-ids").json["connections"]:
            for record in part["records"]:
                own = [i for i in record["ids"] if len(i) > 9]
                values |= {f"{part['connection']} {record['record']} {n}.{k}": i for k, i in enumerate(own)}
    return needles_for(values)


def found_below(needles: Needles, *folders: Path) -> dict[str, list[str]]:
    """File → what of whom is in there; files without anything are left out, their names are searched too."""
    found: dict[str, list[str]] = {}
    for folder in folders:
        for path in folder.rglob("*"):
            content = path.read_bytes() if path.is_file() else b""
            what = leaks(str(path.relative_to(folder)).encode() + b"\n" + content, needles)
            if what:
                found[str(path)] = what
    return found

"""What a case claims against what the vendors hold, for many people and for each way a vendor may behave.

The documents leave open what some vendors do; the sandboxes can do either. Whichever it is: no record that a vendor
still holds may be called `erased` or `absent`, and nobody else's data may change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from habeas.app import App
from habeas.cases.view import CaseView
from habeas.clock import SystemClock
from habeas.control import RunControl
from habeas.demo.world import World
from habeas.engine.events import CaseFinished
from habeas.home import Home
from habeas.models import CaseType, Identifier, Result
from habeas.opening import create_home
from habeas.registry import Registry
from habeas.testing.people import Person

PEOPLE = 44


def as_seeded(world: World) -> None:
    """Everything erasing should take is taken."""


def something_stays(world: World) -> None:
    """Each vendor keeps what its documents leave open.

    Voucherify keeps redemptions, publications and vouchers that name the person (its documents do not say); Talon.One
    answers for an erased profile with an empty shell (today's text speaks of attributes only); CyberSource leaves card
    tokens that no instrument uses any more.
    """
    world.servers["voucherify"].app.keeps_rows_after_deletion = True  # type: ignore[attr-defined]
    world.servers["talonone"].app.after_erase = "shell"  # type: ignore[attr-defined]
    world.servers["cybersource"].app.vault.leave_orphans = True  # type: ignore[attr-defined]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def erase_many(folder: Path, world: World, people: list[Person]) -> list[CaseView]:
    config = world.write_setup(folder)
    create_home(Home(folder / "home"), SystemClock())
    with App.open(Home(folder / "home"), config) as app:
        control = RunControl(app.tools.clock)
        with app.run("batch", lambda _: None, control) as run:
            new = [
                app.new_case(CaseType.ERASURE, app.resolve([Identifier("customer_id", p.customer_id)]), approved=True)
                for p in people
            ]
            names = app.tools.register.open(run.run_id, new)
            views = {e.view.case_id: e.view for e in app.run_all(run, names) if isinstance(e, CaseFinished)}
    return [views[name] for name in names]


def claims(view: CaseView) -> Iterator[tuple[str, str, Result]]:
    for row in view.outcomes:
        yield row.connection, row.record, row.result


@pytest.mark.parametrize("behaviour", [as_seeded, something_stays])
def test_nothing_a_vendor_still_holds_is_called_gone(behaviour: Callable[[World], None], folder: Path) -> None:
    """For half the people, including every awkward one; the other half must be as before."""
    with World.start(Registry.load(), PEOPLE) as world:
        behaviour(world)
        chosen = [p for n, p in enumerate(world.people) if n % 2 == 0 or n < 8]
        others = [p for p in world.people if p not in chosen]
        before = {p.customer_id: world.held(p) for p in others}
        for person, view in zip(chosen, erase_many(folder, world, chosen), strict=True):
            _check(world, person, view)
        assert {p.customer_id: world.held(p) for p in others} == before


def _check(world: World, person: Person, view: CaseView) -> None:
    by_kind: dict[tuple[str, str], list[Result]] = {}
    for connection, record, result in claims(view):
        by_kind.setdefault((connection, record), []).append(result)
    assert {connection for connection, _ in by_kind} == set(world.servers), "every vendor is answered for"
    for connection, kinds in world.held(person).items():
        for kind in kinds:
            said = by_kind.get((connection, kind), [])
            assert said, f"{connection} still holds a {kind} that the case does not mention"
            assert any(r not in (Result.ERASED, Result.ABSENT) for r in said), f"{connection} {kind} is said to be gone"
    assert view.status == "completed", [r for r in view.outcomes if not r.result.final]


def test_everything_is_gone_where_the_vendors_do_what_they_say(folder: Path) -> None:
    """And it is said: for ordinary people nothing but `erased`, for those unknown somewhere `absent` or `manual`."""
    with World.start(Registry.load(), 12) as world:
        ordinary = world.people[0]
        (view,) = erase_many(folder, world, [ordinary])
        assert {str(result) for _, _, result in claims(view)} == {"erased"}
        assert world.held(ordinary) == {}


def test_a_shared_card_stays_with_the_other_person(folder: Path) -> None:
    """Its token is retained with the reason; the other person's data is whole."""
    with World.start(Registry.load(), 12) as world:
        one, other = world.people[4], world.people[5]
        before = world.held(other)
        (view,) = erase_many(folder, world, [one])
        kept = [row for row in view.outcomes if row.result is Result.RETAINED]
        assert [(row.connection, row.record) for row in kept] == [("cybersource", "instrument_identifier")]
        assert "shared" in kept[0].reason
        assert world.held(other) == before
        assert world.held(one) == {}


def test_people_who_share_an_address_are_told_apart_by_their_id(folder: Path) -> None:
    """The one is erased; the other's record is left alone and reported for a person to look at."""
    with World.start(Registry.load(), 12) as world:
        one, other = world.people[2], world.people[3]
        before = world.held(other)
        (view,) = erase_many(folder, world, [one])
        assert world.held(one) == {}
        assert world.held(other) == before
        manual: list[Any] = [row for row in view.outcomes if row.result is Result.MANUAL]
        assert [(row.connection, row.record, row.count) for row in manual] == [("voucherify", "customer", 1)]

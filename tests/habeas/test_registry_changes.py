"""What the registry lets through of consent, rectification and canary hooks, and what is a fault of the plugin."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pluggy
import pytest

import habeas
from habeas import (
    Canary,
    CanaryPerson,
    ConsentChange,
    ConsentState,
    ConsentUpdate,
    Correction,
    Effect,
    Field,
    HeldConsent,
    HeldState,
    Identifier,
    PluginFault,
    PluginInfo,
    Purpose,
    RecordKind,
    Rectification,
    Result,
    Subject,
    hookspecs,
)
from habeas.connection import Connection
from habeas.registry import Registry

ADA = Subject((Identifier("email", "ada@x.org"),))
NEWS = Purpose("news", {})
UPDATE = ConsentUpdate(ADA, tuple(ConsentChange(n, NEWS, ConsentState.GRANTED) for n in range(2)))
RIGHT = Rectification(ADA, tuple(Correction(n, Field.CITY, "Lyon") for n in range(2)))
GOOD = (
    Effect(0, "thing", 1, Result.UPDATED, "GET /v1/things -> 200"),
    Effect(1, "thing", 1, Result.ACCEPTED, ""),
    Effect(1, "card", 0, Result.ABSENT, "GET /v1/cards -> 404"),
)


def connection(*, read: bool = True) -> Connection:
    """As the registry sees one after the hook: its name, and whether a read followed the last change."""
    return cast(Connection, SimpleNamespace(name="shop", api=SimpleNamespace(read_since_change=read)))


class Vendor:
    """Gives back what it is told to."""

    def __init__(self, gives: Any) -> None:
        self.gives = gives

    @habeas.hookimpl
    def describe(self) -> PluginInfo:
        kinds = tuple(RecordKind(name, name.title(), "", (), (), "") for name in ("thing", "card"))
        return PluginInfo("one", "One", "thing", kinds, {}, ())

    @habeas.hookimpl
    def update_consent(self) -> Any:
        return self.gives

    @habeas.hookimpl
    def update_consents(self) -> Any:
        return self.gives

    @habeas.hookimpl
    def rectify(self) -> Any:
        return self.gives

    @habeas.hookimpl
    def read_consent(self) -> Any:
        return self.gives

    @habeas.hookimpl
    def create_canary(self) -> Any:
        return self.gives


def registry(gives: Any) -> Registry:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(Vendor(gives), name="one")
    return Registry.checked(manager)


def test_good_effects_come_through_as_they_are() -> None:
    plugins = registry(GOOD)
    assert plugins.update_consent("one", connection(), UPDATE) == GOOD
    assert plugins.rectify("one", connection(), RIGHT) == GOOD


@pytest.mark.parametrize(
    ("effects", "read", "why"),
    [
        (list(GOOD), True, "returned list, not tuple"),
        (GOOD[:1], True, "one effect for each change"),
        ((*GOOD, GOOD[0]), True, "one effect for each change"),
        ((*GOOD, replace(GOOD[0], index=2)), True, "one effect for each change"),
        ((*GOOD, replace(GOOD[0], record="secret")), True, "not declared"),
        ((*GOOD[:1], "secret"), True, "tuple of Effect"),
        ((replace(GOOD[0], result=Result.ERASED), *GOOD[1:]), True, "a change cannot have"),
        ((replace(GOOD[0], result=cast(Result, "updated")), *GOOD[1:]), True, "a change cannot have"),
        (GOOD, False, "without having read the vendor back"),
        ((replace(GOOD[0], evidence=""), *GOOD[1:]), True, "without having read the vendor back"),
        ((replace(GOOD[0], result=Result.UNCHANGED, evidence=""), *GOOD[1:]), True, "without having read"),
        (None, True, "returned NoneType"),
        *(
            ((replace(GOOD[0], **cast(Any, {name: value})), *GOOD[1:]), True, why)
            for name, value, why in (
                ("count", -1, "no number of records"),
                ("count", True, "no number of records"),
                ("count", 2**60, "no number of records"),
                ("count", 1.5, "no number of records"),
                ("reason", 5, "short text"),
                ("reason", "secret" * 4000, "short text"),
                ("reason", "secret\ud800", "short text"),
                ("evidence", 7, "short text"),
                ("until", None, "short text"),
            )
        ),
    ],
)
def test_effects_that_do_not_fit_are_the_plugins_fault(effects: Any, read: bool, why: str) -> None:
    for hook, argument in (("update_consent", UPDATE), ("rectify", RIGHT)):
        with pytest.raises(PluginFault) as fault:
            getattr(registry(effects), hook)("one", connection(read=read), argument)
        assert why in fault.value.line()
        assert "secret" not in fault.value.line()


def test_what_needs_no_read_comes_through_without_one() -> None:
    accepted = tuple(Effect(n, "thing", 1, Result.ACCEPTED, "") for n in range(2))
    assert registry(accepted).update_consent("one", connection(read=False), UPDATE) == accepted


HELD = HeldConsent("news", HeldState.UNSET, "GET /v1/things -> 200")


@pytest.mark.parametrize(
    "held", [(), (HELD, HELD), (replace(HELD, purpose="other"),), (replace(HELD, state=cast(HeldState, "unset")),)]
)
def test_one_held_consent_for_each_purpose(held: Any) -> None:
    assert registry((HELD,)).read_consent("one", connection(), ADA, (NEWS,)) == (HELD,)
    with pytest.raises(PluginFault):
        registry(held).read_consent("one", connection(), ADA, (NEWS,))


PERSON = CanaryPerson("habeas-canary-1", "habeas-canary-1@canary.invalid", "+12025550101", "Habeas", "Canary")


def test_a_canary_names_declared_kinds_and_its_own_connections_ids() -> None:
    good = Canary((Identifier("shop", "t-1"),), {"thing": 1}, ("no card: canary_card is not set",))
    assert registry(good).create_canary("one", connection(), PERSON) == good
    for bad in (
        replace(good, created={"secret": 1}),
        replace(good, identifiers=(Identifier("email", "secret"),)),
        replace(good, created=["secret"]),  # type: ignore[arg-type] # and this
        replace(good, created={"thing": "secret"}),  # type: ignore[dict-item] # and this
        replace(good, left_out=("secret" * 4000,)),
        replace(good, left_out=(1,)),  # type: ignore[arg-type] # what a plugin that nobody has checked may give
        None,
    ):
        with pytest.raises(PluginFault) as fault:
            registry(bad).create_canary("one", connection(), PERSON)
        assert "secret" not in fault.value.line()


def test_effects_of_several_people_come_through_as_they_are_and_some_may_have_none() -> None:
    several = (GOOD, (), GOOD)
    assert registry(several).update_consents("one", connection(), (UPDATE,) * 3) == several


@pytest.mark.parametrize(
    ("several", "read", "why"),
    [
        ((GOOD,), True, "one answer for each person"),
        ([GOOD, ()], True, "returned list, not tuple"),
        ((GOOD, None), True, "tuple of tuple"),
        ((GOOD, GOOD[:1]), True, "one effect for each change"),
        (((), GOOD), False, "without having read the vendor back"),
    ],
)
def test_effects_of_several_people_are_held_to_the_same_rules(several: Any, read: bool, why: str) -> None:
    with pytest.raises(PluginFault, match=why) as caught:
        registry(several).update_consents("one", connection(read=read), (UPDATE,) * 2)
    assert "secret" not in str(caught.value)

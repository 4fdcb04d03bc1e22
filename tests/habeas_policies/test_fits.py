"""What is judged quickly is judged as the library judges it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from habeas.registry import Registry
from habeas_policies import bundled, fits, schema

CONFIG = json.loads(files("habeas.config").joinpath("config.schema.json").read_text("utf-8"))
TEMPLATE = tomllib.loads(files("habeas.config").joinpath("template.toml").read_text("utf-8"))
POLICIES = [
    tomllib.loads(path.read_text("utf-8"))
    for path in Path(str(files("habeas_policies"))).rglob("*.toml")
    if path.stem in bundled()
]
ODD = st.sampled_from(
    [None, True, False, 0, 1, -1, 10**6, 0.5, 1.0, float("nan"), "", "x", "2026-11-30", "2026-02-31", [], ["x", "x"],
     [1], {}, {"x": 1}, "gdpr", "env:NAME", "P30D"]
)  # fmt: skip


def judged(value: Any, wanted: dict[str, Any]) -> bool:
    return not any(Draft202012Validator(wanted, format_checker=FormatChecker(["date"])).iter_errors(value))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inner:
        yield from places(one, (*path, name))


def changed(value: Any, path: tuple[Any, ...], put: Any) -> Any:
    if not path:
        return put
    copy = dict(value) if isinstance(value, dict) else list(value)
    if len(path) == 1 and put is ...:
        del copy[path[0]]
    else:
        copy[path[0]] = changed(value[path[0]], path[1:], put)
    return copy


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: str(policy["name"]))
def test_bundled_policies_fit_and_nothing_is_loaded_for_them(policy: dict[str, Any]) -> None:
    assert fits(policy, schema()) is judged(policy, dict(schema())) is True


def test_the_configuration_that_is_written_fits() -> None:
    assert fits(TEMPLATE, CONFIG) is judged(TEMPLATE, CONFIG) is True


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_whatever_is_changed_in_them_is_judged_alike(data: st.DataObject) -> None:
    value, wanted = data.draw(st.sampled_from([(TEMPLATE, CONFIG), *((p, dict(schema())) for p in POLICIES)]))
    for _ in range(data.draw(st.integers(1, 2))):
        path = data.draw(st.sampled_from([p for p in places(value) if p]))
        value = changed(value, path, data.draw(ODD | st.just(...)))
    if data.draw(st.booleans()):
        value = {**value, data.draw(st.sampled_from(["x", "rules", "consent", "extends", "after"])): data.draw(ODD)}
    assert fits(value, wanted) in (judged(value, wanted), None)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_settings_and_purposes_of_plugins_are_judged_alike(data: st.DataObject) -> None:
    schemas = [s for info in Registry.load().infos.values() for s in (info.settings_schema, info.purpose_schema) if s]
    wanted = dict(data.draw(st.sampled_from(schemas)))
    names = st.sampled_from([*wanted.get("properties", {}), "another"])
    value = data.draw(st.dictionaries(names, ODD, max_size=6) | ODD)
    assert fits(value, wanted) in (judged(value, wanted), None)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ({"a": 1}, {"unheardOf": True}),
        (1.0, {"type": "integer"}),
        ("x", {"format": "email"}),
        ([[1]], {"enum": [[[1]]]}),
        (1, {"$ref": "https://example.com/s"}),
        ([{}], {"uniqueItems": True}),
        (float("nan"), {"minimum": 0}),
    ],
)
def test_what_cannot_be_told_is_said_to_be_so(value: Any, wanted: dict[str, Any]) -> None:
    assert fits(value, wanted) is None

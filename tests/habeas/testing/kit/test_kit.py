"""The kit bites: a plugin that keeps every rule passes every check, and each broken one fails its own."""

from __future__ import annotations

import importlib
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from tests.habeas.testing.kit import (
    habeas_tiny,
    mutants_faults,
    mutants_honesty,
    mutants_reading,
    mutants_writing,
)
from tests.habeas.testing.kit.broken import Mutant, broken
from tests.habeas.testing.kit.habeas_tiny.kinds import INFO

from habeas import Inventory, Subject
from habeas.connection import Connection
from habeas.errors import ConfigError, InputError, PluginFault
from habeas.testing.kit import CHECKS, PluginContract, check_plugin, installed_plugin

MUTANTS = (*mutants_reading.MUTANTS, *mutants_writing.MUTANTS, *mutants_faults.MUTANTS, *mutants_honesty.MUTANTS)


class TestTiny(PluginContract):
    """The good plugin, by the class that authors use."""

    plugin = habeas_tiny


@pytest.mark.parametrize("mutant", MUTANTS, ids=[f"{m.check}: {m.says}" for m in MUTANTS])
def test_a_broken_plugin_fails_its_check_and_is_told_why(mutant: Mutant) -> None:
    (verdict,) = check_plugin(mutant.plugin, only=[mutant.check])
    assert not verdict.ok
    assert mutant.says in verdict.problem


def test_every_check_has_a_broken_plugin() -> None:
    assert {mutant.check for mutant in MUTANTS} == {check.name for check in CHECKS}


def test_the_class_has_one_test_for_each_check_and_none_for_a_hook_that_is_missing() -> None:
    def names(contract: type) -> set[str]:
        return {name for name in dir(contract) if name.startswith("test_")}

    reader = ModuleType("habeas_reader")
    for name in ("describe", "authenticator", "check", "inventory", "export", "erase", "sandbox"):
        setattr(reader, name, getattr(habeas_tiny, name))
    contract = type("TestReader", (PluginContract,), {"plugin": reader})
    assert names(TestTiny) == {"test_" + check.name.replace("-", "_") for check in CHECKS}
    assert names(TestTiny) - names(contract) == {
        "test_" + check.name.replace("-", "_") for check in CHECKS if check.needs
    }
    assert not names(PluginContract)
    failing = contract().test_purposes_and_fields
    with pytest.raises(AssertionError, match="purposes-and-fields: purpose_schema and update_consent"):
        failing()


@pytest.mark.parametrize(
    ("line", "says"),
    [("import requests", "loads requests"), ("raise SystemExit(1)", "cannot be imported")],
    ids=["an HTTP library", "a module that ends the process"],
)
def test_what_a_module_loads_is_seen_in_a_process_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, says: str
) -> None:
    folder = tmp_path / "habeas_heavy"
    shutil.copytree(Path(str(habeas_tiny.__file__)).parent, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("habeas_heavy")
    init = folder / "__init__.py"
    init.write_text(init.read_text().replace("import habeas\n", f"import habeas\n{line}\n", 1))
    (verdict,) = check_plugin(module, only=["describe-light"])
    for name in [name for name in sys.modules if name.partition(".")[0] == "habeas_heavy"]:
        del sys.modules[name]
    assert says in verdict.problem


def test_a_check_that_does_not_exist_is_refused_before_anything_is_tried() -> None:
    with pytest.raises(InputError, match="no check 'spelling'"):
        check_plugin(habeas_tiny, only=["spelling"])
    with pytest.raises(InputError, match="about the hook rectify, which plugin tiny does not have"):
        check_plugin(_without("rectify"), only=["rectify-true"])
    assert not [v for v in check_plugin(_without("create_canary"), only=["kinds-complete"]) if not v.ok]


def test_a_plugin_that_habeas_would_not_load_is_refused_before_anything_is_tried() -> None:
    with pytest.raises(ConfigError, match="cannot be registered, or describe failed"):
        check_plugin(ModuleType("habeas_empty"))
    with pytest.raises(ConfigError, match="no sandbox hook"):
        check_plugin(_without("sandbox"))
    with pytest.raises(ConfigError, match="has a hook habeas does not know"):
        check_plugin(broken("", "", erasee=lambda: ()).plugin)
    with pytest.raises(PluginFault, match="describe"):
        check_plugin(broken("", "", describe=lambda: replace(INFO, rectifies=("email",))).plugin)  # type: ignore[arg-type] # what is wrong
    with pytest.raises(PluginFault, match="describe returned"):
        check_plugin(broken("", "", describe=lambda: SimpleNamespace(name="tiny")).plugin)


def test_a_vendor_may_refuse_an_address_that_somebody_else_has() -> None:
    plugin = broken("", "", sandbox=mutants_honesty.OnlyOnce).plugin
    verdicts = list(check_plugin(plugin, only=["rectify-true", "many-at-once"]))
    assert [verdict.problem for verdict in verdicts] == ["", ""]


def test_a_problem_names_the_line_that_raised_and_what_the_sandbox_answered() -> None:
    (mutant,) = (m for m in MUTANTS if m.says == "export raised KeyError")
    mutant.plugin.__file__ = mutants_reading.__file__
    (verdict,) = check_plugin(mutant.plugin, only=[mutant.check])
    assert "The plugin raised KeyError at mutants_reading.py:" in verdict.problem

    def asking(connection: Connection, subject: Subject) -> Inventory:
        connection.api.get("/customers/{customerId}/cards", ids={"customerId": subject.values("customer_id")[0]})
        return Inventory(())

    (verdict,) = check_plugin(broken("", "", inventory=asking).plugin, only=["inventory-true"])
    assert "cards -> 404. Nothing was disturbed" in verdict.problem
    assert verdict.problem.endswith('The sandbox answered: {"error": "Resource not found"}')


def _without(hook: str) -> ModuleType:
    plugin = broken("", "").plugin
    delattr(plugin, hook)
    return plugin


def test_what_the_sandbox_breaks_is_not_laid_at_the_hooks_door() -> None:
    def failing(*_: object) -> str:
        raise LookupError("Ada")

    class Odd(habeas_tiny.sandbox().__class__):  # type: ignore[misc] # a class made at run time
        held_text = failing

    class Worse(Odd):
        list_orders = failing

    (verdict,) = check_plugin(broken("", "", sandbox=Odd).plugin, only=["absent-is-absent"])
    assert "raised LookupError: failing, line" in verdict.problem
    assert "Ada" not in verdict.problem
    (verdict,) = check_plugin(broken("", "", sandbox=Worse).plugin, only=["inventory-true"])
    assert "The sandbox itself raised" in verdict.problem


def test_an_installed_plugin_is_found_by_its_entry_point() -> None:
    assert installed_plugin("voucherify").__name__ == "habeas_voucherify"
    with pytest.raises(ConfigError, match="no plugin 'acme'"):
        installed_plugin("acme")

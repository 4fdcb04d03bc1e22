"""How the checks are run: one by one for `habeas plugin check`, or as one pytest test each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import entry_points
from types import MappingProxyType, ModuleType
from typing import Any

from habeas.errors import ConfigError, HabeasError, InputError
from habeas.hookspecs import PROJECT
from habeas.testing.kit.bench import Bench
from habeas.testing.kit.catalog import CHECKS
from habeas.testing.kit.line import Runaway
from habeas.testing.kit.verdict import Broken, Check, Verdict
from habeas.testing.kit.whence import answered, raised_at

__all__ = ["PluginContract", "check_plugin", "installed_plugin"]


def check_plugin(
    plugin: object,
    *,
    only: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    limits: Mapping[str, Any] | None = None,
) -> Iterator[Verdict]:
    """One verdict for each check, as they come; those of hooks that the plugin does not have are left out.

    ``plugin`` is the module with the hooks; ``only`` names checks. ``settings`` are added to those of the plugin's own
    sandbox, ``limits`` override fields of its :class:`~habeas.Limits`. Raises, before the first verdict,
    :class:`~habeas.errors.InputError` for a check that does not exist or is about a hook that the plugin does not
    have, and :class:`~habeas.errors.ConfigError` or :class:`~habeas.errors.PluginFault` for a plugin that cannot be
    registered or has no sandbox.
    """
    unknown = sorted(set(only) - {check.name for check in CHECKS})
    if unknown:
        names = ", ".join(check.name for check in CHECKS)
        raise InputError(f"there is no check '{unknown[0]}'", advice=f"there are: {names}")
    bench = _open(plugin, settings, limits)
    wanted = [check for check in CHECKS if not only or check.name in only]
    missing = [(check, hook) for check in wanted for hook in check.needs if not bench.has(hook)]
    if only and missing:
        check, hook = missing[0]
        raise InputError(
            f"the check '{check.name}' is about the hook {hook}, which plugin {bench.name} does not have",
            advice="leave it out, or write the hook",
        )
    left_out = [check for check, _ in missing]
    return (_verdict(check, plugin, settings, limits) for check in wanted if check not in left_out)


def installed_plugin(name: str) -> ModuleType:
    """The module that an entry point in group ``habeas`` names.

    Raises :class:`~habeas.errors.ConfigError` where there is none, or where it cannot be imported.
    """
    found = {entry.name: entry for entry in entry_points(group=PROJECT)}
    if name not in found:
        raise ConfigError(f"there is no plugin '{name}'", advice=f"installed: {', '.join(sorted(found)) or 'none'}")
    try:
        plugin: ModuleType = found[name].load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a foreign module raises must name it
        raise ConfigError(
            f"plugin {name} cannot be loaded ({type(error).__name__})",
            advice=f"uninstall or repair {found[name].value}",
        ) from None
    return plugin


class PluginContract:
    """The checks as tests: make a subclass whose name begins with ``Test`` in a test module, and pytest finds them.

    ::

        class TestAcme(PluginContract):
            plugin = habeas_acme

    A check of a hook that the plugin does not have makes no test, so that nothing counts as passed that was not tried.
    """

    plugin: object
    """The module with the hooks."""
    settings: Mapping[str, Any] = MappingProxyType({})
    """Added to the sandbox's own settings."""
    limits: Mapping[str, Any] = MappingProxyType({})
    """Fields of :class:`~habeas.Limits` to be tried with other values than the plugin's."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        plugin = getattr(cls, "plugin", None)
        if plugin is None:
            return
        bench = _open(plugin, cls.settings, cls.limits)
        for check in CHECKS:
            if all(bench.has(hook) for hook in check.needs):
                setattr(cls, "test_" + check.name.replace("-", "_"), _test(check))


def _test(check: Check) -> Callable[[PluginContract], None]:
    def test(self: PluginContract) -> None:
        verdict = _verdict(check, self.plugin, self.settings, self.limits)
        if not verdict.ok:
            raise AssertionError(f"{verdict.check}: {verdict.problem}")

    test.__doc__ = check.title
    return test


def _open(plugin: object, settings: Mapping[str, Any] | None, limits: Mapping[str, Any] | None) -> Bench:
    bench = Bench(plugin, settings or {}, limits or {})
    if not bench.has("sandbox"):
        raise ConfigError(
            f"plugin {bench.name} has no sandbox hook",
            advice="the checks need one: write it from the vendor's documents",
        )
    return bench


def _verdict(
    check: Check, plugin: object, settings: Mapping[str, Any] | None, limits: Mapping[str, Any] | None
) -> Verdict:
    bench = _open(plugin, settings, limits)
    problem = ""
    try:
        check.run(bench)
    except Broken as broken:
        problem = _explained(str(broken), broken, bench)
    except HabeasError as error:
        problem = _explained(
            f"{_sentence(error.line())} Nothing was disturbed when this was raised: the plugin must manage it.",
            error,
            bench,
        )
    except Runaway:
        problem = "There was no end to the calls though nothing was disturbed: every loop needs one."
    except Exception as error:  # noqa: BLE001 - the sandbox is foreign code too, and its fault must not end the list
        problem = f"The sandbox, or the plugin's description, raised {type(error).__name__}: {_where(error)}."
    return Verdict(check.name, check.title, not problem, problem, bench.calls)


def _explained(problem: str, error: Exception, bench: Bench) -> str:
    """The problem, and where it began."""
    place, answer = raised_at(error, bench.plugin), answered(bench, problem)
    return (
        problem
        + (f" The plugin raised {place}." if place else "")
        + (f" The sandbox answered: {answer}" if answer else "")
    )


def _sentence(line: str) -> str:
    return line[:1].upper() + line[1:] + ("" if line.endswith(".") else ".")


def _where(error: Exception) -> str:
    """Function and line of the innermost frame: enough to find it, and no value."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return f"{frame.tb_frame.f_code.co_name}, line {frame.tb_lineno}" if frame is not None else "nowhere"

"""``habeas doctor``."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

import click
from rich.markup import escape

from habeas.cli.context import Settings, json_option, pass_settings
from habeas.errors import HabeasError
from habeas.safekeeping.finding import Finding

if TYPE_CHECKING:
    from habeas.app import App
    from habeas.clock import Clock
    from habeas.config import Config
    from habeas.safekeeping.repair import Repair

__all__ = ["command"]

_LOW_DISK_BYTES = 200 * 1024 * 1024


@click.command("doctor", epilog="Examples: habeas doctor --json  ·  habeas doctor --schema")
@click.option("--schema", is_flag=True, help="Show the vendors' fields that no data category covers; sends nothing.")
@click.option("--repair", is_flag=True, help="Put right what can be, first; never what the ledger says.")
@json_option
@pass_settings
def command(settings: Settings, schema: bool, repair: bool) -> int:
    """Check configuration, keys, databases, clock, disk, and make one harmless authenticated call per connection.

    With --schema: the names of the fields that searches have seen at the vendors so far (never values), and which of
    them no data category covers. Such a field is new, or the merchant's own: say what it is under
    [connections.NAME.fields]. Exit code 3 where there is one.

    With --repair: closes files that are open to others, destroys what killed processes left, makes folders,
    checkpoints, public keys, indexes and the suppression list again where ledger or vault say what was in them, and
    destroys again what an older copy has brought back. Each repair is an entry in the ledger. The ledger itself is
    never repaired: where it is damaged, nothing else is touched.
    """
    if schema:
        return _schema(settings)
    output = settings.output
    done = _repair(settings) if repair else []
    findings = list(_examine(settings))
    if settings.as_json:
        repaired = {"repaired": [one.__dict__ for one in done]} if repair else {}
        output.json({"ok": not _failed(findings), **repaired, "checks": [f.__dict__ for f in findings]})
    else:
        for one in done:
            output.show(f"repaired: {one.text}", "green")
        if repair and not done:
            output.show("There was nothing to repair.")
        styles = {"ok": "green", "warning": "yellow", "failed": "bold red"}
        rows = [[f.check, f"[{styles[f.state]}]{f.state}[/]", escape(f.detail)] for f in findings]
        output.table(["check", "state", "detail"], rows)
    return 1 if _failed(findings) else 0


def _schema(settings: Settings) -> int:
    output = settings.output
    with settings.open_app() as app:
        memory, links = app.tools.fields, app.tools.links
        fields = memory.fields(links)
        uncovered = [field for field in fields if not field.category]
        unnamed, full = memory.unnamed(links), memory.full(links)
        if settings.as_json:
            listed = [f.__dict__ | {"category": f.category or None} for f in fields]
            output.json({"ok": not uncovered, "fields": listed, "unnamed": unnamed, "full": full})
            return 3 if uncovered else 0
        if uncovered:
            rows = [[f.connection, f.record, escape(f.field), app.local_day(f.first_seen)] for f in uncovered]
            output.table(["connection", "record", "field", "first seen"], rows, "Fields that no data category covers")
        if not fields:
            output.show("No field was seen yet: search for somebody first, with `habeas inventory`.")
        else:
            output.show(f"{len(fields)} fields seen so far, {len(uncovered) or 'none'} of them not covered.")
        if unnamed:
            output.show(f"{unnamed} more were seen at one person only: they are named once a second person has them.")
        for kind in full:
            output.show(f"{kind}: too many fields; no further one is remembered.")
    return 3 if uncovered else 0


def _fields(app: App) -> Finding:
    uncovered = sum(not field.category for field in app.tools.fields.fields(app.tools.links))
    if uncovered:
        text = f"{uncovered} fields that no data category covers; see `habeas doctor --schema`"
        return Finding("vendors' fields", "warning", text)
    return Finding("vendors' fields", "ok", "none is known that no data category covers")


def _failed(findings: list[Finding]) -> bool:
    return any(f.state == "failed" for f in findings)


def _repair(settings: Settings) -> list[Repair]:
    from habeas.clock import SystemClock
    from habeas.opening import actor
    from habeas.safekeeping.repair import repair_home

    done, settings.problem = repair_home(settings.home, settings.audit_config(), SystemClock(), actor())
    return done


def _examine(settings: Settings) -> Iterator[Finding]:
    from habeas.clock import SystemClock
    from habeas.config import load_config
    from habeas.safekeeping.examine import examine_home

    config, clock = load_config(settings.config_path), SystemClock()
    settings.home.require()
    _require_holidays(config, clock)
    yield Finding("configuration", "ok", f"{config.path}, {len(config.connections)} connections")
    of_files = list(examine_home(settings.home, config.audit, clock))
    yield from of_files
    if _failed(of_files):
        yield Finding("all the rest", "warning", "not checked, as long as the files are not in order")
        return
    with settings.open_app() as app:
        yield _try("policies", lambda: _policies(app))
        try:
            yield _fields(app)
        except HabeasError as error:
            yield Finding("vendors' fields", "failed", error.line())
        yield _sqlite()
        yield _clock(app)
        yield _disk(app)
        yield from _connections(app)


def _require_holidays(config: Config, clock: Clock) -> None:
    """Raises :class:`ConfigError` where no case could be opened, since nobody knows the holidays that count."""
    from habeas.errors import ConfigError
    from habeas_policies import PolicyProblem, due

    controller = config.controller
    try:
        due(controller.regime, clock.now(), controller.timezone, holidays=controller.holidays)
    except PolicyProblem as problem:
        raise ConfigError(f"{config.path}: {problem}", advice=problem.advice) from None


def _try(name: str, check: Callable[[], str]) -> Finding:
    from habeas_policies import PolicyProblem

    try:
        return Finding(name, "ok", check())
    except HabeasError as error:
        return Finding(name, "failed", error.line())
    except PolicyProblem as problem:
        return Finding(name, "failed", str(problem))


def _policies(app: App) -> str:
    from habeas.models import CaseType

    regime = app.config.controller.regime
    names = [app.policy_for(t, regime).name for t in (CaseType.ERASURE, CaseType.ACCESS)]
    return f"{', '.join(names)} under {regime}"


def _sqlite() -> Finding:
    return Finding("SQLite", "ok", f"{sqlite3.sqlite_version}, rollback journal (safe with every version)")


def _clock(app: App) -> Finding:
    now = app.tools.clock.now()
    last = app.tools.ledger.last()
    if last is not None and datetime.fromisoformat(last.at) - now > timedelta(minutes=5):
        return Finding("clock", "failed", f"it says {now:%Y-%m-%d %H:%M} UTC, before the last ledger entry; set it")
    return Finding("clock", "ok", f"{now:%Y-%m-%d %H:%M} UTC")


def _disk(app: App) -> Finding:
    free = shutil.disk_usage(app.tools.home.path).free
    state: Literal["ok", "warning"] = "ok" if free > _LOW_DISK_BYTES else "warning"
    return Finding("disk", state, f"{free // (1024 * 1024)} MB free")


def _connections(app: App) -> Iterator[Finding]:
    from habeas.control import RunControl
    from habeas.engine.tools import ConnectionTrouble, side_by_side

    control = RunControl(app.tools.clock, app.config.max_wait_seconds)
    links = list(app.tools.links.values())
    results = side_by_side(links, lambda k: app.tools.registry.check(k.info.name, k.connection(control)), control)
    for link, result in zip(links, results, strict=True):
        if isinstance(result, ConnectionTrouble):
            yield Finding(link.name, "failed", result.text)
        else:
            yield Finding(link.name, "ok", f"{link.base_url}: {result}")

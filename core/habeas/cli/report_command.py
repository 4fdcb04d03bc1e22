"""``habeas report``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO
from zoneinfo import ZoneInfo

import click

from habeas import __version__
from habeas.cli.context import Settings, json_option, pass_settings
from habeas.errors import InputError

if TYPE_CHECKING:
    from habeas.config import Config
    from habeas.models import Json
    from habeas.reports.compliance import Period, Recomputed, Report, System
    from habeas_audit import VerifierKey

__all__ = ["command"]

_FORMATS = ("html", "json", "csv")
_MOST_CHARACTERS = 1 << 29
"""Of a report that is read back."""


@click.command(
    "report",
    epilog="Examples: habeas report  ·  habeas report --from 2026-10-01 --to 2026-12-31 -o q4.html  ·  "
    "habeas report --from 2026-01-01 --to 2026-12-31 --format json -o 2026.json  ·  "
    "habeas report --check 2026.json --export ledger.jsonl --key shop.pub",
)
@click.option("--from", "first", metavar="DAY", help="First day, as 2026-10-01. [default: of the last whole month]")
@click.option("--to", "last", metavar="DAY", help="Last day, included. [default: of the last whole month]")
@click.option(
    "--format", "form", type=click.Choice(_FORMATS), help="[default: as -o ends, else html]",
)  # fmt: skip
@click.option(
    "-o", "--output", "path", type=click.Path(path_type=Path, dir_okay=False),
    help="The file; never overwritten. CSV: the register goes beside it. [default: HOME/reports/FROM_TO-SIZE.FORMAT]",
)  # fmt: skip
@click.option("--no-verify", is_flag=True, help="Do not verify the ledger first; the report says so.")
@click.option(
    "--since-report", "earlier", type=click.Path(path_type=Path, dir_okay=False),
    help="An earlier report (JSON) to say the differences from.",
)  # fmt: skip
@click.option(
    "--check", "checked", type=click.Path(path_type=Path, dir_okay=False),
    help="Compute this report (JSON) again instead, from --export alone; needs no home.",
)  # fmt: skip
@click.option(
    "--export", type=click.Path(path_type=Path, dir_okay=False), help="What `habeas audit export` wrote, for --check.",
)  # fmt: skip
@click.option(
    "--key", "keys", multiple=True, metavar="KEY",
    help="Public key that must have signed the ledger: its line, or a file with it.",
)  # fmt: skip
@json_option
@pass_settings
def command(
    settings: Settings, first: str | None, last: str | None, form: str | None, path: Path | None, no_verify: bool,
    earlier: Path | None, checked: Path | None, export: Path | None, keys: tuple[str, ...],
) -> int:  # fmt: skip
    """Make the compliance audit report of a period: requests, times, outcomes at each vendor, holds, integrity.

    Every figure names the ledger's entries behind it and follows from `habeas audit export` alone. HTML is for reading
    and printing, JSON for checking (--check), CSV for a spreadsheet. Nobody is named. Exit code 1: the ledger is not as
    it was signed, or a figure that was checked is another one.
    """
    from habeas.cli.trust import read_keys

    trusted = read_keys(keys)
    if checked is not None or export is not None:
        if checked is None or export is None:
            raise InputError(
                "--check and --export go together", advice="give the report and the export it follows from"
            )
        if first or last or form or path or earlier or no_verify:
            raise InputError("--check takes --export and --key only", advice="leave out the others")
        return _check(settings, checked, export, trusted)
    form = _form(form, path)
    config, period, now = _period(settings, first, last)
    before = None if earlier is None else _read(earlier)
    report = _make(settings, config, period, now, verify=not no_verify, trusted=trusted, earlier=before)
    size = report.evidence["size"]
    if path is None:
        path = settings.home.reports / f"{period.first}_{period.last}-{size}.{form}"
    written = _write(report, form, path, make_folder=path.parent == settings.home.reports)
    return _tell(settings, report, form, written)


def _form(form: str | None, path: Path | None) -> str:
    if form is not None:
        return form
    ending = path.suffix.removeprefix(".").lower() if path is not None else ""
    return ending if ending in _FORMATS else "html"


def _period(settings: Settings, first: str | None, last: str | None) -> tuple[Config, Period, str]:
    from habeas.clock import SystemClock
    from habeas.config import load_config
    from habeas.reports.compliance import Period, last_month, parse_date, utc_text

    config = load_config(settings.config_path)
    if (first is None) != (last is None):
        raise InputError("--from and --to go together", advice="give both, or neither for the last whole month")
    now, zone = SystemClock().now(), config.controller.timezone
    if first is None or last is None:
        days = last_month(now.astimezone(ZoneInfo(zone)).date())
    else:
        days = (parse_date(first, "--from"), parse_date(last, "--to"))
    return config, Period.of(*days, zone, now), utc_text(now)


def _make(
    settings: Settings, config: Config, period: Period, now: str, *, verify: bool, trusted: tuple[VerifierKey, ...],
    earlier: dict[str, Json] | None,
) -> Report:  # fmt: skip
    from habeas.reports.compliance import Made, make_report

    controller = config.controller
    settings.home.require()
    # A ledger that is not the one that was signed is reported on as such, or refused where nobody looks.
    with settings.open_ledger(behind=verify) as (ledger, seal):
        made = Made(
            controller={
                "name": controller.name,
                "contact": controller.contact,
                "regime": controller.regime,
                "timezone": controller.timezone,
                "holidays": controller.holidays,
            },
            generated_at=now,
            generator=f"habeas {__version__}",
            log=ledger.log_id,
            origin=ledger.origin,
            systems=_systems(config),
            checkpoint=seal.newest(),
            verified=seal.verify(trusted) if verify else None,
            earlier=earlier,
        )
        return make_report(ledger.entries(), period, made)


def _systems(config: Config) -> list[System]:
    from habeas.registry import Registry
    from habeas.reports.compliance import System

    registry = Registry.load()
    return [System(one.name, registry.info(one.plugin), one.limits, one.settings) for one in config.connections]


def _write(report: Report, form: str, path: Path, *, make_folder: bool) -> list[Path]:
    from habeas.cli.trust import refuse_taken, write_results
    from habeas.home import private_folder
    from habeas.reports.compliance import figures_csv, register_csv, report_html

    if make_folder:
        private_folder(path.parent)
    contents: dict[Path, bytes]
    match form:
        case "html":
            contents = {path: report_html(report)}
        case "json":
            contents = {path: (json.dumps(report.to_json(), indent=1) + "\n").encode()}
        case _:
            register = path.with_name(f"{path.stem}-register{path.suffix or '.csv'}")
            contents = {path: figures_csv(report), register: register_csv(report)}
    refuse_taken(*contents)
    write_results(contents)
    return list(contents)


def _tell(settings: Settings, report: Report, form: str, written: list[Path]) -> int:
    output, evidence, period = settings.output, report.evidence, report.period
    ok = evidence["verified"] is not False
    if settings.as_json:
        output.json(
            {
                "ok": ok,
                "file": str(written[0]),
                "files": [str(path) for path in written],
                "format": form,
                "from": str(period.first),
                "to": str(period.last),
                "figures": len(report.figures),
                "verified": evidence["verified"],
                "ledger": {"size": evidence["size"], "root": evidence["root"]},
            }
        )
        return 0 if ok else 1
    figures = report.figures
    numbers = ", ".join(f"{figures[name].value} {what}" for name, what in _TOLD)
    output.show(f"{period.first} to {period.last} ({period.zone}): {numbers}", "bold")
    output.show(f"{len(figures)} figures over {evidence['size']} entries in {' and '.join(map(str, written))}")
    if not period.over:
        output.say(f"The period is not over: the report says how things stood at {period.as_of}.")
    if not ok:
        output.say("The ledger is not as it was written and signed: the report says so. See `habeas audit verify`.")
    return 0 if ok else 1


_TOLD = (
    ("received", "received"), ("closed", "closed"), ("open_end", "open"), ("overdue_end", "overdue"),
)  # fmt: skip


# -- checking ---------------------------------------------------------------------------------------------------------


def _read(path: Path) -> dict[str, Json]:
    from habeas.reports.compliance import read_report

    with _opened(path) as file:
        text = file.read(_MOST_CHARACTERS + 1)
    if len(text) > _MOST_CHARACTERS:
        raise InputError(f"{path} is larger than a report can be")
    return read_report(text, path.name)


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            yield file
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text") from None


def _check(settings: Settings, path: Path, export: Path, trusted: tuple[VerifierKey, ...]) -> int:
    from habeas.reports.compliance import recompute
    from habeas_audit import ProofInvalid, verify_export

    report = _read(path)
    try:
        with _opened(export) as file:
            found = verify_export(_lines(file), trusted)
    except ProofInvalid as problem:
        return _tell_check(settings, [f"{export}: {problem}"], None, ())
    with _opened(export) as file:
        result = recompute(report, _lines(file))
    signers = tuple(key.key_id.hex() for key in found.signers)
    return _tell_check(settings, list(result.differences), result, signers)


def _lines(file: TextIO) -> Iterator[str]:
    from habeas_audit import MAX_LINE

    while line := file.readline(MAX_LINE):
        yield line


def _tell_check(settings: Settings, wrong: list[str], result: Recomputed | None, signers: tuple[str, ...]) -> int:
    output = settings.output
    if settings.as_json:
        output.json(
            {
                "ok": not wrong,
                "figures": result.figures if result else 0,
                "tables": result.tables if result else 0,
                "differences": wrong,
                "not_recomputed": list(result.left_out) if result else [],
                "keys": list(signers),
            }
        )
        return 1 if wrong else 0
    for line in wrong:
        output.show(f"NOT {line}", "bold red")
    if result is None:
        output.say("The export does not hold: nothing was computed of it.")
        return 1
    if not wrong:
        by = f", signed by key {', '.join(signers)}" if signers else ", which nobody has signed"
        output.show(f"ok  the export is whole{by}", "green")
        output.show(f"ok  {result.figures} figures and {result.tables} tables are what its entries give", "green")
    output.say(f"Not in the ledger, so not computed again: {'; '.join(result.left_out)}.")
    return 1 if wrong else 0

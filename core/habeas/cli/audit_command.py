"""``habeas audit``."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import click

from habeas.cli.context import Settings, json_option, pass_settings

__all__ = ["command"]


@click.group("audit")
def command() -> None:
    """The ledger: append-only, tamper-evident, without personal data."""


@command.command("log", epilog="Example: habeas audit log --case c-01J… --json")
@click.option("--case", "case_id", default=None, help="Only entries of this case.")
@click.option("--run", "run_id", default=None, help="Only entries of this run.")
@click.option("--type", "types", multiple=True, help="Only entries of this type; may be repeated.")
@click.option("--after", type=click.IntRange(min=0), default=0, help="Only entries after this number.")
@click.option("--limit", type=click.IntRange(min=1), default=None, help="At most so many.")
@json_option
@pass_settings
def log(
    settings: Settings, case_id: str | None, run_id: str | None, types: tuple[str, ...], after: int, limit: int | None
) -> int:
    """Show entries, oldest first."""
    from habeas.app import head_json, ledger_only
    from habeas.clock import SystemClock

    output = settings.output
    with ledger_only(settings.home, SystemClock()) as ledger:
        entries = ledger.entries(case_id=case_id, run_id=run_id, types=types or None, after=after, limit=limit)
        if settings.as_json:
            separator = ""
            click.echo('{"entries": [', nl=False)
            for entry in entries:
                value = {
                    "seq": entry.seq, "at": entry.at, "type": entry.type, "case": entry.case_id or None,
                    "run": entry.run_id or None, "connection": entry.connection or None, "actor": entry.actor or None,
                    "data": entry.data, "leaf_hash": f"sha256:{entry.leaf_hash.hex()}",
                }  # fmt: skip
                click.echo(separator + json.dumps(value), nl=False)
                separator = ",\n"
            click.echo(f'], "ledger": {json.dumps(head_json(ledger.head()))}}}')
            return 0
        for entry in entries:
            details = " ".join(f"{name}={_short(value)}" for name, value in entry.data.items())
            where = " ".join(part for part in (entry.case_id or entry.run_id, entry.connection) if part)
            output.show(f"{entry.seq:>7}  {entry.at[:19]}Z  {entry.type:<15} {where}  {details}")
        head = ledger.head()
        output.show(f"{head.size} entries, root {head.root_text}", "dim")
    return 0


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text if len(text) <= 60 else text[:57] + "…"


@command.command("verify", epilog="Examples: habeas audit verify  ·  habeas audit verify --file copy-of-audit.db")
@click.option("--file", "path", type=click.Path(path_type=Path, dir_okay=False), help="Another ledger file.")
@json_option
@pass_settings
def verify_ledger(settings: Settings, path: Path | None) -> int:
    """Re-hash every stored byte and say what was changed, removed, inserted or moved.

    Trusts nothing that is stored besides the entries' bytes. It cannot see that the newest entries were cut off, or
    that all was rewritten: for that, compare the root with one you kept elsewhere.
    """
    from habeas.clock import SystemClock
    from habeas.errors import ConfigError
    from habeas_audit import Ledger, LedgerError, verify

    output = settings.output
    if path is None:
        settings.home.require()
        path = settings.home.ledger
        # A process that was killed while it wrote left a journal: opening rolls it back, reading alone may not.
        with suppress(LedgerError):
            Ledger.open(path, SystemClock().now).close()
    elif not path.exists():
        raise ConfigError(f"{path} does not exist")
    result = verify(path)
    if settings.as_json:
        output.json(
            {
                "ok": result.ok,
                "size": result.size,
                "root": result.root_text,
                "findings": [{"kind": f.kind, "seq": f.seq, "text": f.text} for f in result.findings],
            }
        )
    else:
        for finding in result.findings:
            where = f"entry {finding.seq}: " if finding.seq is not None else ""
            output.show(f"{where}{finding.text}", "bold red")
        if result.ok:
            output.show(f"{result.size} entries, all as they were written; root {result.root_text}", "green")
        else:
            output.say(f"{len(result.findings)} findings: the ledger is not as it was written. Keep this file.")
    return 0 if result.ok else 1

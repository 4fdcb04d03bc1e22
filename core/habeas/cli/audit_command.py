"""``habeas audit``."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from habeas.cli.audit_keys import acknowledge, rotate_key, show_key
from habeas.cli.audit_proofs import checkpoint, export, prove
from habeas.cli.context import Settings, json_option, pass_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from habeas.models import Json
    from habeas_audit import Evidence, VerifierKey, Witness

__all__ = ["command"]


@click.group("audit")
def command() -> None:
    """The ledger: append-only, tamper-evident, without personal data."""


for _command in (checkpoint, prove, export, show_key, rotate_key, acknowledge):
    command.add_command(_command)


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
    from habeas.clock import SystemClock
    from habeas.opening import head_json, ledger_only

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


@command.command(
    "verify",
    epilog="Examples: habeas audit verify  ·  habeas audit verify --against of-may.note --key example.pub  ·  "
    "habeas audit verify --file copy-of-audit.db --key example.pub",
)
@click.option("--file", "path", type=click.Path(path_type=Path, dir_okay=False), help="Another ledger file.")
@click.option(
    "--against", multiple=True, type=click.Path(path_type=Path, dir_okay=False),
    help="A checkpoint that was kept elsewhere; may be repeated.",
)  # fmt: skip
@click.option(
    "--key", "keys", multiple=True, metavar="KEY",
    help="Public key that must have signed: its line, or a file with it. [default: the home's own]",
)  # fmt: skip
@json_option
@pass_settings
def verify_ledger(settings: Settings, path: Path | None, against: tuple[Path, ...], keys: tuple[str, ...]) -> int:
    """Re-hash every stored byte, hold it against every checkpoint, and say what is not as it was signed.

    Names entries that were changed, removed, inserted or moved; a file that was rewritten, cut off, or is an older
    copy; checkpoints of another log, or signed by nobody who is trusted. Trusts nothing that is stored besides the
    entries' bytes. What somebody changed who may write the whole home shows only against a checkpoint that was kept
    elsewhere: --against.
    """
    from habeas.cli.trust import read_keys
    from habeas.errors import ConfigError
    from habeas_audit import verify_evidence

    if path is not None and not path.exists():
        raise ConfigError(f"{path} does not exist")
    trusted, witnesses = read_keys(keys), _given(against)
    if path is None:
        settings.home.require()
        path = settings.home.ledger
        trusted = trusted or _home_keys(settings)
        witnesses += _kept(settings)
    with _progress(settings) as progress:
        found = verify_evidence(path, witnesses=witnesses, trusted=trusted, progress=progress)
    _show(settings, found)
    return 0 if found.ok else 1


def _given(paths: tuple[Path, ...]) -> list[Witness]:
    from habeas.errors import InputError
    from habeas_audit import ProofInvalid, Witness, read_checkpoint

    try:
        return [Witness(path.name, read_checkpoint(path)) for path in paths]
    except ProofInvalid as problem:
        raise InputError(str(problem), advice="--against takes a checkpoint, as HOME/checkpoints holds them") from None


def _home_keys(settings: Settings) -> tuple[VerifierKey, ...]:
    from habeas.evidence.signing import known_keys

    return known_keys(settings.home.signing)


def _kept(settings: Settings) -> list[Witness]:
    """The home's checkpoints outside the database, but for those that somebody has taken note of being behind."""
    from habeas.clock import SystemClock
    from habeas.evidence.seal import witnesses_in
    from habeas.opening import mirrors_of
    from habeas_audit import Ledger, LedgerError, acknowledged

    known: set[str] = set()
    # A process that was killed while it wrote left a journal: opening rolls it back, reading alone may not.
    with suppress(LedgerError), Ledger.open(settings.home.ledger, SystemClock().now) as ledger:
        known = acknowledged(ledger)
    if known:
        settings.output.say(
            f"{len(known)} checkpoints contradict this ledger, and somebody has taken note of that: "
            "`habeas audit log --type ledger.acknowledged`"
        )
    return witnesses_in(mirrors_of(settings.home, settings.audit_config()), known)


class _progress:  # noqa: N801 - used like a function
    """A line on a terminal that says how far it is."""

    def __init__(self, settings: Settings) -> None:
        self._console = settings.output.stderr
        self._shown = False

    def __enter__(self) -> Callable[[int, int], None]:
        return self._tell

    def __exit__(self, *_: object) -> None:
        if self._shown:
            self._console.print("\r\x1b[K", end="")

    def _tell(self, done: int, of: int) -> None:
        if self._console.is_terminal and of > 50_000:
            self._shown = True
            self._console.print(f"\r{done:,} of {of:,} entries", end="")


def _show(settings: Settings, found: Evidence) -> None:
    output, result, signed = settings.output, found.verification, found.signed
    if settings.as_json:
        said: Json = None
        if signed is not None:
            ids = [key.key_id.hex() for key in found.signers]
            said = {"size": signed.head.size, "keys": ids, "pinned": found.pinned}
        output.json(
            {
                "ok": found.ok,
                "size": result.size,
                "root": result.root_text,
                "signed": said,
                "unsigned": found.unsigned,
                "checkpoints": found.agreeing,
                "findings": [{"kind": f.kind, "seq": f.seq, "text": f.text} for f in found.findings],
            }
        )
        return
    for finding in found.findings:
        named = finding.seq is None or f"entry {finding.seq}" in finding.text
        output.show(f"{finding.kind}: {'' if named else f'entry {finding.seq}: '}{finding.text}", "bold red")
    if not found.ok:
        from habeas.safekeeping.examine import provable

        output.say(
            f"{len(found.findings)} findings: the ledger is not as it was written and signed. {provable(found)}. "
            "Keep this file, and restore a backup."
        )
        return
    output.show(f"{result.size} entries, all as they were written; root {result.root_text}", "green")
    if signed is None:
        output.show("Nothing in it is signed yet.", "yellow")
        return
    keys = ", ".join(key.key_id.hex() for key in found.signers)
    text = f"signed up to entry {signed.head.size} by key {keys}; agrees with {found.agreeing} checkpoints"
    output.show(text + (f"; {found.unsigned} entries after that are not signed yet" if found.unsigned else ""), "green")
    if not found.pinned:
        output.say("The key is the one that the file itself names: give --key to hold it against one you trust.")

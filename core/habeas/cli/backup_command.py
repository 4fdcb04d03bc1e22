"""``habeas backup``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from habeas.cli.context import Settings, json_option, pass_settings

if TYPE_CHECKING:
    from habeas.cli.output import Output
    from habeas.safekeeping.backup import Backup, Progress

__all__ = ["command"]

_LINE_EVERY_SECONDS = 5.0


@click.command(
    "backup", epilog="Example: habeas backup -o /mnt/backups/monday --keys /mnt/vault/monday-keys.db"
)  # fmt: skip
@click.option(
    "-o", "--output", "folder", type=click.Path(path_type=Path),
    help="A folder that is not there yet. [default: HOME/backups/TIME]",
)  # fmt: skip
@click.option(
    "--keys", type=click.Path(path_type=Path),
    help="Copy the key store to this file, too: to a place that not everybody reaches who reaches the backup.",
)  # fmt: skip
@json_option
@pass_settings
def command(settings: Settings, folder: Path | None, keys: Path | None) -> int:
    """Copy ledger, vault, lists, checkpoints, public keys and habeas.toml, while habeas is in use; verify the copy.

    The key store is not in it: a backup that holds it opens what it keeps, and a key that is destroyed later lives on
    there. But without its keys a home cannot be restored, so copy them elsewhere with --keys, and keep those copies no
    longer than you mean to. Nor are the private key that signs the ledger, packages, certificates and reports in it.
    `habeas restore` makes a home of it again.
    """
    from habeas.clock import SystemClock
    from habeas.opening import actor
    from habeas.safekeeping.backup import make_backup

    clock = SystemClock()
    folder = folder or settings.home.path / "backups" / f"{clock.now():%Y%m%dT%H%M%SZ}"
    config = settings.config_path if settings.config_path.exists() else None
    with settings.open_ledger() as (ledger, seal), _progress(settings.output) as progress:
        made = make_backup(
            settings.home, config, ledger, seal, folder, keys, clock=clock, actor=actor(), progress=progress
        )
    _show(settings, made)
    return 0


@contextmanager
def _progress(output: Output) -> Iterator[Progress]:
    """A line now and then: most backups are done before there is anything to say."""
    last = time.monotonic()

    def tell(what: str, done: int, of: int) -> None:
        nonlocal last
        if time.monotonic() - last >= _LINE_EVERY_SECONDS:
            last = time.monotonic()
            output.say(f"  {what}: {done} of {of} pages")

    yield tell


def _show(settings: Settings, made: Backup) -> None:
    output, manifest = settings.output, made.manifest
    if settings.as_json:
        output.json(
            {
                "folder": str(made.folder),
                "keys": str(made.keys) if made.keys else None,
                "manifest": manifest.digest,
                "files": len(manifest.files),
                "bytes": sum(part.bytes for part in manifest.files),
                "ledger": {"size": manifest.size, "root": manifest.root},
            }
        )
        return
    size = sum(part.bytes for part in manifest.files)
    output.show(f"{made.folder}: {len(manifest.files)} files, {max(1, size // 1024)} kB; manifest {manifest.digest}")
    output.show(f"Its ledger verifies: {manifest.size} entries, root {manifest.root}", "green")
    if made.keys is not None:
        output.show(f"{made.keys} opens it: keep it elsewhere, and destroy it when its time is over.")
    else:
        output.say("The keys are not in it, and without them nothing of it can be read: copy them with --keys FILE.")

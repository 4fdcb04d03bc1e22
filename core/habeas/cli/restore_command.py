"""``habeas restore``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from habeas.cli.context import Settings, json_option, pass_settings

if TYPE_CHECKING:
    from habeas.safekeeping.restore import Restored

__all__ = ["command"]


@click.command(
    "restore", epilog="Example: habeas --home ./home restore /mnt/backups/monday --keys /mnt/vault/monday-keys.db"
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--keys", type=click.Path(path_type=Path), required=True, help="The key store that was copied with the backup."
)
@click.option(
    "--key", "trusted", multiple=True, metavar="KEY",
    help="Public key that must have signed: its line, or a file with it. [default: those in the backup]",
)  # fmt: skip
@json_option
@pass_settings
def command(settings: Settings, folder: Path, keys: Path, trusted: tuple[str, ...]) -> int:
    """Make a new home of a backup: verified first, whole or not at all, never over a home that is there.

    What was done after the backup is not in it, and the ledger says so from then on: an entry names the backup, and a
    new key signs. Keys that the ledger says are destroyed are destroyed again. What to do next is printed. Exit code 3:
    a mirror has newer checkpoints.
    """
    from habeas.cli.trust import read_keys
    from habeas.clock import SystemClock
    from habeas.opening import actor
    from habeas.safekeeping.restore import restore_backup

    given = settings.config_option is not None or Path("habeas.toml").exists()
    config = settings.config_path if given else None
    restored = restore_backup(
        folder, keys, settings.home, config, read_keys(trusted), clock=SystemClock(), actor=actor()
    )
    settings.problem = restored.problem
    _show(settings, restored)
    return 3 if restored.behind else 0


def _show(settings: Settings, restored: Restored) -> None:
    output, manifest = settings.output, restored.manifest
    if settings.as_json:
        output.json(
            {
                "home": str(settings.home.path),
                "made_at": manifest.made_at,
                "manifest": manifest.digest,
                "ledger": {"size": manifest.size, "root": manifest.root},
                "behind": restored.behind,
                "keys_destroyed_again": restored.destroyed_again,
                "left_out": restored.left_out,
                "next": _next(restored),
            }
        )
        return
    output.show(f"{settings.home.path} is as it was at {manifest.made_at}: {manifest.size} entries, all verified")
    if restored.destroyed_again:
        output.show(f"{restored.destroyed_again} keys that the ledger says are destroyed were destroyed again.")
    if restored.left_out:
        output.show(f"{restored.left_out} requests were being registered at that moment: they are not part of it.")
    output.show("What was done after that, nobody here knows. Next:")
    for number, line in enumerate(_next(restored), 1):
        output.show(f"  {number}. {line}")


def _next(restored: Restored) -> list[str]:
    lines = []
    if restored.behind:
        lines.append(
            f"a mirror has a checkpoint over {restored.behind} entries: look for a newer backup; if there is none, "
            "`habeas audit acknowledge`"
        )
    return [
        *lines,
        "put checkpoints that were kept elsewhere into HOME/checkpoints: `habeas audit verify` says what is missing",
        "`habeas doctor`: secrets, paths and files that habeas.toml names",
        "`habeas resume`: asks the vendors what is true of the cases that were open, and finishes them",
        "enter again what came in after the backup, erasures first: their people are not on the suppression list",
        "`habeas recheck --all`: who was erased before, and is back at a vendor",
        "`habeas purge`: keys whose purpose ended in the meantime",
    ]

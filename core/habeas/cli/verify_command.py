"""``habeas verify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from habeas.cli.context import Settings, json_option, pass_settings

if TYPE_CHECKING:
    from habeas.evidence.offline import Verified

__all__ = ["command"]


@click.command(
    "verify",
    epilog="Examples: habeas verify certificate.json --key shop.pub  ·  "
    "habeas verify certificate.json --opening opening.json  ·  habeas verify ledger.jsonl --key shop.pub",
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--key", "keys", multiple=True, metavar="KEY",
    help="Public key that you trust: its line, or a file with it. Without it, the key in the file is taken.",
)  # fmt: skip
@click.option(
    "--opening", type=click.Path(path_type=Path, dir_okay=False), help="Show that a certificate is about this person."
)
@click.option(
    "--timestamp-roots", type=click.Path(path_type=Path, dir_okay=False),
    help="PEM file with the roots of the authority that stamped the checkpoint.",
)  # fmt: skip
@json_option
@pass_settings
def command(
    settings: Settings, file: Path, keys: tuple[str, ...], opening: Path | None, timestamp_roots: Path | None
) -> int:
    """Check a certificate, a proof, a checkpoint or an export, offline: no home, no configuration, no network.

    Without --key it shows only that the file agrees with itself: anybody can sign with a key of their own. Get the
    controller's key from another place than the file. Exit code 1: something in it does not hold.
    """
    from habeas.cli.trust import read_keys
    from habeas.evidence.offline import verify_file

    found = verify_file(file, read_keys(keys), opening=opening, timestamp_roots=timestamp_roots)
    _show(settings, found)
    return 0 if found.ok else 1


def _show(settings: Settings, found: Verified) -> None:
    output = settings.output
    if settings.as_json:
        output.json(
            {
                "ok": found.ok,
                "kind": found.kind,
                "pinned": found.pinned,
                "keys": list(found.keys),
                "facts": found.facts,
                "checks": [{"what": c.what, "ok": c.ok, "detail": c.detail or None} for c in found.checks],
            }
        )
        return
    for check in found.checks:
        detail = f": {check.detail}" if check.detail else ""
        output.show(f"{'ok ' if check.ok else 'NOT'} {check.what}{detail}", "green" if check.ok else "bold red")
    for name, value in found.facts.items():
        if value:
            output.show(f"    {name}: {value}", "dim")
    if not found.ok:
        output.say(f"The {found.kind} does not hold. Do not rely on anything in it.")
    elif not found.pinned:
        output.say(
            f"It agrees with itself. Whether {', '.join(found.keys) or 'its key'} is the controller's key nobody has "
            "vouched for: give --key with the one you got from them."
        )

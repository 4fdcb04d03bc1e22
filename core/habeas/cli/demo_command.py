"""``habeas demo``."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from habeas.cli.context import Settings, json_option, pass_settings

__all__ = ["command"]


@click.command("demo", epilog="Example: habeas demo --in ./demo")
@click.option(
    "--in",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="A new folder for its files. [a temporary one]",
)
@click.option(
    "--people", "count", type=click.IntRange(20, 10_000), default=200, show_default=True, help="Seeded people."
)
@json_option
@pass_settings
def command(settings: Settings, folder: Path | None, count: int) -> int:
    """See the whole story on sandbox vendors: search, hand over, erase, hold, fail, resume, prove.

    Every step is a real run of a real command against sandboxes on this machine. Ends non-zero if anything in the story
    did not hold. Its files stay, and it says where.
    """
    from habeas.demo.story import tell
    from habeas.errors import InputError

    if folder is not None and folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty", advice="name a new folder")
    place = folder or Path(tempfile.mkdtemp(prefix="habeas-demo-"))
    return tell(place.absolute(), count, settings.output)

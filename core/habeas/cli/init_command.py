"""``habeas init``."""

from __future__ import annotations

import click

from habeas.cli.context import Settings, json_option, pass_settings
from habeas.errors import InputError

__all__ = ["command"]


@click.command("init", epilog="Example: habeas --home ./privacy --config ./privacy/habeas.toml init")
@click.option(
    "--signing-key", default="", metavar="keyring:SERVICE",
    help="Keep the key that signs the ledger in the system's keyring, not in the home.",
)  # fmt: skip
@json_option
@pass_settings
def command(settings: Settings, signing_key: str) -> int:
    """Make a home with keys (0600) and databases, and a commented habeas.toml. Never overwrites.

    Among the keys is the one that signs the ledger after every run. Copy its public half, HOME/signing/*.pub, to where
    whoever may write this home cannot change it.
    """
    from importlib.resources import files

    from habeas.clock import SystemClock
    from habeas.home import private_folder, write_private
    from habeas.opening import create_home

    output = settings.output
    config = settings.config_option or settings.config_path
    if config.exists():
        said = settings.audit_config().signing_key
        if signing_key and signing_key != said:
            raise InputError(
                f"{config} names another place for the signing key", advice=f'write signing_key = "{signing_key}" there'
            )
        signing_key = said
    made = [str(settings.home.path / name) for name in create_home(settings.home, SystemClock(), signing_key)]
    if not config.exists():
        private_folder(config.absolute().parent)
        text = files("habeas.config").joinpath("template.toml").read_text("utf-8")
        if signing_key:
            text += f'\n[audit]\nsigning_key = "{signing_key}"\n'
        write_private(config, text.encode())
        made.append(str(config))
    if settings.as_json:
        output.json({"home": str(settings.home.path), "config": str(config), "made": made})
        return 0
    for path in made:
        output.show(f"made {path}")
    if not made:
        output.show(f"{settings.home.path} and {config} are there already; nothing was changed")
    output.say(f"Next: fill in {config}, set the secrets it names, and run `habeas doctor`.")
    return 0

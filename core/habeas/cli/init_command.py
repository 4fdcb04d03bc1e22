"""``habeas init``."""

from __future__ import annotations

import click

from habeas.cli.context import Settings, json_option, pass_settings

__all__ = ["command"]


@click.command("init", epilog="Example: habeas --home ./privacy --config ./privacy/habeas.toml init")
@json_option
@pass_settings
def command(settings: Settings) -> int:
    """Make a home with keys (0600) and databases, and a commented habeas.toml. Never overwrites."""
    from importlib.resources import files

    from habeas.app import create_home
    from habeas.clock import SystemClock
    from habeas.home import private_folder, write_private

    output = settings.output
    made = [str(settings.home.path / name) for name in create_home(settings.home, SystemClock())]
    config = settings.config_option or settings.config_path
    if not config.exists():
        private_folder(config.absolute().parent)
        write_private(config, files("habeas.config").joinpath("template.toml").read_bytes())
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

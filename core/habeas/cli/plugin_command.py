"""``habeas plugin``."""

from __future__ import annotations

import click
from rich.markup import escape

from habeas.cli.context import Settings, json_option, pass_settings

__all__ = ["command"]


@click.group("plugin")
def command() -> None:
    """Installed plugins."""


@command.command("list", epilog="Example: habeas plugin list --json")
@json_option
@pass_settings
def list_plugins(settings: Settings) -> int:
    """List plugins with the kinds of records they know: a closed list per plugin."""
    from habeas.registry import Registry

    output = settings.output
    infos = Registry.load().infos
    if settings.as_json:
        output.json(
            {
                "plugins": [
                    {
                        "name": info.name,
                        "title": info.title,
                        "main_record": info.main_kind,
                        "settings": info.settings_schema,
                        "secrets": list(info.secrets),
                        "records": [
                            {
                                "record": kind.name,
                                "title": kind.title,
                                "description": kind.description,
                                "categories": list(kind.categories),
                                "purposes": list(kind.purposes),
                                "retention": kind.retention,
                                "erased_with": list(kind.erased_with),
                            }
                            for kind in info.kinds
                        ],
                    }
                    for info in infos.values()
                ]
            }
        )
        return 0
    for info in infos.values():
        rows = [
            [kind.name, escape(kind.description), ", ".join(c.rsplit("#", 1)[-1] for c in kind.categories)]
            for kind in info.kinds
        ]
        output.table(["record", "what it is", "data categories (DPV)"], rows, f"{info.name}: {info.title}")
    return 0

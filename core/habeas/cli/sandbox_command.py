"""``habeas sandbox``."""

from __future__ import annotations

import base64
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from habeas.cli.context import Settings, json_option, pass_settings
from habeas.models import Json

if TYPE_CHECKING:
    from habeas.cli.output import Output
    from habeas.demo.world import World
    from habeas.testing.sandbox import SandboxServer

__all__ = ["command"]


@click.command("sandbox", epilog="Example: habeas sandbox --port 9100 --setup ./playground")
@click.option(
    "--port", type=click.IntRange(1, 65_000), help="First port; each vendor takes the next. [default: free ones]"
)
@click.option(
    "--people", "count", type=click.IntRange(0, 100_000), default=200, show_default=True, help="Seeded people."
)
@click.option(
    "--setup",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write a habeas.toml, customers.csv and secrets for these sandboxes into a new folder.",
)
@click.option("--legacy", is_flag=True, help="Serve also what vendors have withdrawn, for older clients.")
@json_option
@pass_settings
def command(settings: Settings, port: int | None, count: int, setup: Path | None, legacy: bool) -> int:
    """Serve the vendors' sandboxes on loopback until interrupted; print base URLs and test credentials.

    They speak the vendors' documented HTTP and keep what they are sent, so that any client can be tried on them, the
    vendors' own too. A P12 file of CyberSource's is written by --setup.
    """
    from habeas.demo.world import World
    from habeas.errors import InputError
    from habeas.registry import Registry

    output = settings.output
    if setup is not None and (setup / "habeas.toml").exists():
        raise InputError(f"{setup} has a habeas.toml already", advice="name a new folder")
    stop = threading.Event()
    before = {s: signal.signal(s, lambda *_: stop.set()) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        world = World.start(Registry.load(), count, port=port or 0)
    except OSError as error:
        raise InputError(f"a sandbox cannot listen from port {port} on ({error.strerror})") from None
    try:
        with world:
            if legacy:
                for server in world.servers.values():
                    server.app.serve_withdrawn()
            config = _write(world, setup) if setup is not None else None
            if settings.as_json:
                output.json(_json(world, config))
            else:
                _show(world, config, output)
            output.stdout.file.flush()
            output.say("Serving on 127.0.0.1; Ctrl-C ends it.")
            stop.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0


def _write(world: World, folder: Path) -> Path:
    from habeas.home import write_private

    config = world.write_setup(folder)
    for name, server in world.servers.items():
        for credential, content in server.app.more_credentials().items():
            if isinstance(content, bytes):
                write_private(folder / "secrets" / f"{name}.{credential}", content)
    return config


def _json(world: World, config: Path | None) -> Json:
    sandboxes = {
        name: {"base_url": server.base_url, "settings": dict(server.app.settings()), "more": _more(server)}
        for name, server in world.servers.items()
    }
    return {"sandboxes": sandboxes, "people": len(world.people), "config": str(config) if config else None}


def _more(server: SandboxServer) -> dict[str, str]:
    """Credentials besides those of the configuration; bytes as base64."""
    more = server.app.more_credentials()
    return {n: v if isinstance(v, str) else base64.b64encode(v).decode("ascii") for n, v in more.items()}


def _show(world: World, config: Path | None, output: Output) -> None:
    for name, server in world.servers.items():
        output.show(f"{name}: {server.base_url}", "bold")
        for setting, value in server.app.settings().items():
            output.show(f"  {setting} = {value}")
        for setting, credential in server.app.more_credentials().items():
            shown = credential if isinstance(credential, str) else "(a file: see --setup, and --json)"
            output.show(f"  {setting} = {shown}", "dim")
    if config is not None:
        options = f"--home {config.parent} --config {config}"
        output.show(f"try: habeas {options} init, then: habeas {options} inventory customer_id=C-100000")

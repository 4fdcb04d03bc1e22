"""The sandboxes in a process of their own, so that what they need is not counted as ours."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

__all__ = ["Vendors"]


class Vendors:
    """Sandboxes that serve ``people`` people, each answer ``latency`` seconds late; a context manager.

    ``config`` is the configuration for them, in ``folder``.
    """

    def __init__(self, folder: Path, people: int, *, latency: float = 0.0, concurrency: int = 4) -> None:
        self.folder = folder
        arguments = [str(folder), str(people), str(latency), str(concurrency)]
        self._process = subprocess.Popen(
            [sys.executable, __file__, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        self.config = Path(told["config"])
        self.customers: list[str] = told["customers"]
        """Customer ids of those whom every vendor knows."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


def _serve(folder: Path, people: int, latency: float, concurrency: int) -> None:
    from habeas.demo.world import World
    from habeas.registry import Registry

    with World.start(Registry.load(), people, latency=latency) as world:
        config = world.write_setup(folder)
        text = config.read_text().replace("concurrency = 8", f"concurrency = {concurrency}")
        config.write_text(text.replace("requests_per_second = 2000", "requests_per_second = 10000"))
        known = [p.customer_id for p in world.people if len(p.held_at) == len(world.servers)]
        print(json.dumps({"config": str(config), "customers": known}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))

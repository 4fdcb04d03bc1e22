"""The real program, on a disk that fails at the n-th change, over vendors in this process."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.crash.conftest import Shop, Undisturbed, Zygote
from tests.crash.scenarios import Scenario


class FailingDisks(Zygote):
    """The forking process; see child.py."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("child.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._read() == "ready\n"


class DiskShop(Shop):
    """A shop whose disk can fail."""

    def order(self, *arguments: str, disk: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        said = {"at": 0, "errno": 0, "kinds": [], "lasting": False, **(disk or {}), "home": str(self.home.path)}
        environment = {**more.pop("environment", {}), "HABEAS_TEST_DISK": json.dumps(said)}
        return super().order(*arguments, environment=environment, **more)

    def leftovers(self) -> list[str]:
        """Files that were begun and never got their name."""
        return sorted(p.name for p in self.home.path.rglob(".*") if p.is_file())


@pytest.fixture(scope="session")
def disk_shop() -> Iterator[DiskShop]:
    zygote = FailingDisks()
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        opened = DiskShop(Path(folder), zygote)
        yield opened
        opened.world.stop()
    zygote.close()


@pytest.fixture(scope="session")
def undisturbed_disk(disk_shop: DiskShop) -> Undisturbed:
    """Scenario → what is in the end where no disk fails."""

    @functools.cache
    def run(scenario: Scenario) -> tuple[Any, int]:
        scenario.begin(disk_shop)
        code, _, told = scenario.run(disk_shop)
        assert code in (0, 3), disk_shop.said()
        assert told is not None
        disk_shop.check_ledger()
        return scenario.state(disk_shop), 0

    return run

"""The real program, on a disk that fails at the n-th change, over vendors in this process."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.crash.conftest import Shop, Undisturbed, Zygote, undisturbed_in


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
    with tempfile.TemporaryDirectory() as folder:
        opened = DiskShop(Path(folder), zygote)
        yield opened
        opened.world.stop()
    zygote.close()


@pytest.fixture(scope="session")
def undisturbed_disk(disk_shop: DiskShop) -> Undisturbed:
    """Scenario → what is in the end where no disk fails."""
    return undisturbed_in(disk_shop)

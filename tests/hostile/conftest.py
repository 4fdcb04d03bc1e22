"""A shop with one more connection, whose plugin misbehaves as it is told."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.habeas.cli import conftest as cli
from tests.habeas.cli.conftest import Ran, Shop, open_shop

from habeas.testing.clock import SkippingClock

shop = cli.shop  # over our own `_shop`
PEOPLE = 240
"""Enough that each of the many cases of `make faults` has somebody of its own."""
HERE = Path(__file__).parent


def install_rogue(folder: Path) -> Path:
    """A folder for ``sys.path`` with the rogue plugin in it, as pip would leave it."""
    site = folder / "site"
    metadata = site / "habeas_rogue-1.0.dist-info"
    metadata.mkdir(parents=True)
    shutil.copy(HERE / "habeas_rogue.py", site)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: habeas-rogue\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[habeas]\nrogue = habeas_rogue\n")
    return site


class RogueShop:
    """The shop, and how its rogue behaves."""

    def __init__(self, shop: Shop, site: Path) -> None:
        self.shop, self.site = shop, site
        self._orderly = shop.config.read_text()
        self.be("")

    def be(self, how: str, more: str = "") -> None:
        """From now on the plugin does this."""
        block = f'[connections.rogue]\nplugin = "rogue"\nbase_url = "https://rogue.invalid"\nhow = "{how}"\nbag = {{}}'
        text = re.sub(r"^(talonone = \{.*)$", r"\1\nrogue = { name = 'x' }", self._orderly, count=1, flags=re.MULTILINE)
        self.shop.config.write_text(f"{text}\n{block}\n{more}")

    def run(self, *arguments: str) -> Ran:
        """A command in this process."""
        return self.shop.run(*arguments)

    def process(self, *arguments: str, **environment: str) -> Ran:
        """A command as a process of its own."""
        from tests.habeas.cli.conftest import clean_environment

        child = self.shop.start(*arguments, env=clean_environment(PYTHONPATH=str(self.site), **environment))
        stdout, stderr = child.communicate(timeout=60)
        return Ran(child.returncode, stdout, stderr)


def by_connection(document: Any) -> dict[str, Any]:
    """The outcomes or findings of a command's JSON, by connection."""
    found: dict[str, Any] = {}
    for row in document.get("outcomes") or document["connections"]:
        found.setdefault(row["connection"], []).append(row)
    return found


@pytest.fixture(scope="module")
def _rogue_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RogueShop]:
    folder = tmp_path_factory.mktemp("rogue")
    site = install_rogue(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        shop = open_shop(folder / "shop", PEOPLE)
        yield RogueShop(shop, site)
        shop.world.stop()


@pytest.fixture
def rogue(_rogue_shop: RogueShop) -> Iterator[RogueShop]:
    """The shop with the rogue; it behaves again after each test."""
    yield _rogue_shop
    _rogue_shop.be("")


@pytest.fixture(scope="module")
def _shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    shop = open_shop(tmp_path_factory.mktemp("shop"), PEOPLE)
    yield shop
    shop.world.stop()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting takes no time in this process."""
    monkeypatch.setattr("habeas.app.SystemClock", lambda: SkippingClock(datetime.now(UTC)))

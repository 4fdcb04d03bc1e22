"""Houses: homes with cases whose vendors have answered already."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.habeas.engine.house import AT_ONCE, House

from habeas.home import Home
from habeas.opening import create_home
from habeas.testing.clock import SkippingClock


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pristine")
    create_home(Home(folder / "home"), SkippingClock())
    (folder / "at-once.toml").write_text(AT_ONCE)
    return folder


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that is gone after the test."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture
def make(pristine: Path, place: Path) -> Iterator[Callable[..., House]]:
    made: list[House] = []

    def build(name: str = "shop", **retention: str) -> House:
        shutil.copytree(pristine, place / name)
        made.append(House(place / name, None, **retention))
        return made[-1]

    yield build
    for house in made:
        house.app.close()


@pytest.fixture
def house(make: Callable[..., House]) -> House:
    return make()

"""One stage for each test process."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.faults.stage import Stage, Undisturbed


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """One for all tests of this process."""
    with tempfile.TemporaryDirectory() as folder:
        opened = Stage(Path(folder))
        opened.undisturbed = functools.cache(opened.undisturbed)  # type: ignore[method-assign] # the same each time
        yield opened
        opened.stop()


@pytest.fixture
def clean(stage: Stage, request: pytest.FixtureRequest) -> Undisturbed:
    """How the command of the test's ``name`` ends when nothing is in its way."""
    return stage.undisturbed(request.getfixturevalue("name"))

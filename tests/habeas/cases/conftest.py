"""A key store, a vault and a ledger in real files, and a way to run a piece of Python in another process."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from habeas.cases.keys import KeyStore
from habeas.cases.vault import Vault
from habeas.testing.clock import SkippingClock
from habeas_audit import Ledger

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home as it is when it is new. Making one waits for the disk some forty times; copying does not."""
    folder = tmp_path_factory.mktemp("fresh")
    with closing(KeyStore.create(folder / "keys.db")) as keys:
        Vault.create(folder / "vault.db", keys).close()
    Ledger.create(folder / "audit.db", SkippingClock().now).close()
    return folder


@pytest.fixture
def keys(fresh: Path, tmp_path: Path) -> Iterator[KeyStore]:
    with closing(KeyStore.open(Path(shutil.copy(fresh / "keys.db", tmp_path)))) as store:
        yield store


@pytest.fixture
def vault(fresh: Path, tmp_path: Path, keys: KeyStore) -> Iterator[Vault]:
    with closing(Vault.open(Path(shutil.copy(fresh / "vault.db", tmp_path)), keys)) as made:
        yield made


@pytest.fixture
def clock() -> SkippingClock:
    return SkippingClock()


@pytest.fixture
def ledger(fresh: Path, tmp_path: Path, clock: SkippingClock) -> Iterator[Ledger]:
    with Ledger.open(shutil.copy(fresh / "audit.db", tmp_path), clock.now) as made:
        yield made


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts Python on a piece of code with arguments; ended, if it still runs, when the test is over."""
    with ExitStack() as running:

        def begin(code: str, *arguments: object) -> subprocess.Popen[str]:
            command = [sys.executable, "-c", code, *map(str, arguments)]
            child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            running.enter_context(child)
            running.callback(child.kill)
            return child

        yield begin

"""Guards for every test: no socket beyond loopback, no real sleep, no leftovers from the machine's environment.

And thrift: what was collected is not searched for garbage again and again, and nothing is compiled twice.
"""

from __future__ import annotations

import gc
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

_connect = socket.socket.connect


def _loopback_only(self: socket.socket, address: Any) -> None:
    if self.family != socket.AF_UNIX and not str(address[0]).startswith(("127.", "::1", "localhost")):
        raise AssertionError(f"a test tried to reach {address[0]}")
    _connect(self, address)


@pytest.fixture(autouse=True)
def _stay_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", _loopback_only)
    for name in ("HABEAS_HOME", "HABEAS_CONFIG", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


def pytest_configure(config: pytest.Config) -> None:
    """Where Python may keep no bytecode beside the sources, the many processes of a run keep it in pytest's cache."""
    gc.disable()
    cache = getattr(config, "cache", None)  # not there with -p no:cacheprovider
    if sys.dont_write_bytecode and cache is not None:
        sys.dont_write_bytecode = False  # xdist would hand it on to its workers
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(cache.mkdir("bytecode"))
        sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"]


def pytest_collection_finish() -> None:
    """Thousands of tests live to the end: they are no garbage, and need not be looked at to know."""
    gc.freeze()
    gc.enable()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Tests against the vendors' own documents exist only where those lie beside the checkout: absent is not passed."""
    documents = Path(__file__).resolve().parents[2] / "shared" / "vendors"
    if not documents.exists():
        terminalreporter.write_line(
            "NOT RUN: requests and sandbox answers against the vendors' OpenAPI files, which are not on this machine."
        )

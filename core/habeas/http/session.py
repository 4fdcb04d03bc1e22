"""A ``requests.Session`` that a vendor cannot hold up, lead elsewhere or make remember anything."""

from __future__ import annotations

import http.client
import io
import logging
import socket
from collections.abc import Callable
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter

__all__ = ["HEADERS", "open_session"]

HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "habeas"}
"""On every request. `Connection` is left out: keeping it open is what HTTP/1.1 does."""

# urllib3 logs whole URLs, some of them as warnings, which Python prints even where nobody has set up logging. A level
# can be set anew by whoever debugs something; a filter stays.
for _module in ("connection", "connectionpool", "poolmanager", "response", "util.retry"):
    logging.getLogger(f"urllib3.{_module}").addFilter(lambda _: False)


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """None, ever: told not to follow, requests would still parse the Location and read the body without a limit."""
        del resp
        return None


def open_session(remaining: Callable[[], float]) -> requests.Session:
    """A session for one thread: one connection kept open, no retries, nothing from the environment, no cookies.

    ``remaining`` gives the seconds left for the attempt in hand; no read from the socket outlasts them.
    """
    session = _Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("https://", "http://"):
        session.mount(scheme, _bounded_adapter(remaining))
    return session


class _Adapter(HTTPAdapter):
    """Looks for its pool of connections once per origin: taking the URL apart anew is a tenth of a call's time."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._pools: dict[tuple[object, ...], Any] = {}

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        scheme, _, host = (request.url or "").split("/", 3)[:3]
        key = (scheme, host, verify, cert)
        pool = None if proxies else self._pools.get(key)
        if pool is None:
            pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
            if not proxies:
                self._pools[key] = pool
        return pool

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:
        """Path and query, as they were put together by us; never a proxy's whole URL."""
        if proxies:
            return super().request_url(request, proxies)
        path = (request.url or "").split("/", 3)[3:]
        return "/" + path[0] if path else "/"


def _bounded_adapter(remaining: Callable[[], float]) -> HTTPAdapter:
    """An adapter whose connections read an answer through :class:`_BoundedReader`, from its status line on."""

    class Response(http.client.HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
            super().__init__(sock, *args, **kwargs)
            self.fp = io.BufferedReader(_BoundedReader(self.fp.detach(), sock, remaining))

    class PlainConnection(urllib3.connection.HTTPConnection):
        response_class = Response

    class SecureConnection(urllib3.connection.HTTPSConnection):
        response_class = Response

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = PlainConnection

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = SecureConnection

    # The adapter's own retries stay at 0: ours are journalled.
    adapter = _Adapter(pool_connections=1, pool_maxsize=1, max_retries=0)
    adapter.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
    return adapter


class _BoundedReader(io.RawIOBase):
    """Reads a socket, each time for no longer than what is left of the attempt.

    A socket's own timeout starts anew with each read: a vendor that sends a byte now and then would never meet it,
    neither in the headers nor within a chunk or a compressed body, where no chunk comes out that could be counted.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, remaining: Callable[[], float]) -> None:
        self._raw = raw
        self._socket = sock
        self._remaining = remaining

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._remaining()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        read: int | None = self._raw.readinto(buffer)
        return read

    def close(self) -> None:
        self._raw.close()
        super().close()

"""Pooled connections that tell whose request it is which socket it is about to wait on.

A deadline that another thread keeps can only end what it knows. `transport` and `llm.line` keep theirs so.
"""

import os
import socket
import threading
from typing import Any, Protocol

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class Waiter(Protocol):
    """Who keeps the time of a request. Raises TimeoutError when it is over already."""

    def watch(self, used: socket.socket) -> None: ...


_here = threading.local()


def tell(waiter: Waiter) -> None:
    """Have this thread's requests tell `waiter`, until another is named."""
    _here.waiter = waiter


class _PlainConnection(HTTPConnection):
    def getresponse(self) -> Any:
        _here.waiter.watch(self.sock)
        return super().getresponse()


class _TlsConnection(HTTPSConnection):
    def getresponse(self) -> Any:
        _here.waiter.watch(self.sock)
        return super().getresponse()


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Adapter(HTTPAdapter):
    """An adapter whose connections are ours, directly and through a proxy."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}
        return manager


class Connections:
    """One process's connections: an adapter for all threads (urllib3's pools are thread-safe)."""

    def __init__(self, hosts: int, each: int) -> None:
        self._hosts, self._each = hosts, each
        self.open()
        os.register_at_fork(after_in_child=self.open)

    def open(self) -> None:
        """Begin anew; a forked child must not speak on its parent's connections."""
        self.adapter = _Adapter(pool_connections=self._hosts, pool_maxsize=self._each)

    def new_session(self) -> requests.Session:
        """Give a Session on these connections; its cookies and settings are not for two threads."""
        session = requests.Session()
        session.mount("https://", self.adapter)
        session.mount("http://", self.adapter)
        session.headers["User-Agent"] = "balcao"
        return session

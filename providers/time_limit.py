"""The end of a request: a socket's own time-out begins anew with each byte, so a server that drips one now
and then would hold a thread for ever. Called by `transport` and `wires.guarded_fetch`.
"""

import contextlib
import os
import socket
import threading
from typing import Self


class TimeLimit:
    """A context for one request. When its time is over it ends the connection under whoever waits on it."""

    def __init__(self, secs: float) -> None:
        self.is_over = False
        self._lock = threading.Lock()
        self._handle: socket.socket | None = None
        self._timer = threading.Timer(secs, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._timer.cancel()
        with self._lock:
            self._close()

    def watch(self, used: socket.socket) -> None:
        """Take the connection's socket. Raises TimeoutError when the time is over already."""
        with self._lock:
            if self.is_over:
                raise TimeoutError
            self._close()
            # A handle of our own: TLS takes the socket's away from it.
            self._handle = socket.socket(fileno=os.dup(used.fileno()))

    def _end(self) -> None:
        with self._lock:
            self.is_over = True
            if self._handle is not None:
                with contextlib.suppress(OSError):  # it has ended by itself
                    self._handle.shutdown(socket.SHUT_RDWR)

    def _close(self) -> None:
        if self._handle is not None:
            self._handle.close()
            self._handle = None

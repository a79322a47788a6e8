"""The server: pages on this machine's own address, and on no other."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from modalprism.errors import InputError
from modalprism.serve.application import make_app

ADDRESS: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8765
_MOST_CONNECTIONS: Final = 500  # more get 503; a process may have 1,024 files open
_PATIENCE: Final = 2  # seconds that pages on their way have when the server ends
CHECK_SECONDS: Final = 10.0
"""Seconds between two checks of a connection."""
LEAST_BYTES: Final = 10 * 1024
"""Bytes that a client must read between two checks: 1 KiB a second."""


class ImpatientProtocol(H11Protocol):
    """HTTP/1.1 that closes connections whose clients send or read a byte now and then.

    A few hundred such clients (slowloris) would hold every connection that a process may have. A
    connection is closed where it was the client's turn at two checks in a row, and in between no
    request became whole and fewer than `LEAST_BYTES` of the answer were read.
    """

    _turn: tuple[object, int] | None = None
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Start the timer."""
        super().connection_made(transport)
        self._check()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        super().connection_lost(exc)
        if self._timer is not None:
            self._timer.cancel()

    def _check(self) -> None:
        turn = self._clients_turn()
        if turn is not None and self._turn is not None:
            request, unread = self._turn
            if turn[0] is request and turn[1] > unread - LEAST_BYTES:
                self.transport.abort()
                return
        self._turn = turn
        self._timer = self.loop.call_later(CHECK_SECONDS, self._check)

    def _clients_turn(self) -> tuple[object, int] | None:
        """Return the last request and the unread bytes of its answer; None on the server's turn."""
        unread = self.transport.get_write_buffer_size()
        answering = self.cycle is not None and not self.cycle.response_complete
        return None if answering and not unread else (self.cycle, unread)


def serve(root: str | Path, port: int = DEFAULT_PORT, *, started: Callable[[str], None]) -> None:
    """Show the runs of a folder until Ctrl-C.

    Parameters
    ----------
    root : path-like
        The folder of runs.
    port : int
        Port at 127.0.0.1; 0 takes a free one.
    started : callable
        Called with the address once the server listens.

    Raises
    ------
    InputError
        If the folder is missing, or the port cannot be used.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root} is not a folder; name the folder that holds your runs")
    with _listening(port) as listener:
        port = listener.getsockname()[1]
        config = uvicorn.Config(
            make_app(root, port, read_ahead=True),
            access_log=False,
            http=ImpatientProtocol,
            limit_concurrency=_MOST_CONNECTIONS,
            lifespan="off",
            log_level="error",
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=_PATIENCE,
            ws="none",
        )
        started(f"http://{ADDRESS}:{port}/")
        try:
            uvicorn.Server(config).run(sockets=[listener])
        except KeyboardInterrupt:
            # Uvicorn has ended in order, and hands on the signal that ended it.
            return


def _listening(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # Without, a port is busy for a minute after the server before this one.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((ADDRESS, port))
        listener.listen(_MOST_CONNECTIONS)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise InputError(
                f"port {port} is busy: something, perhaps another modalprism serve, listens there; "
                "give another port",
                parameter="port",
            ) from error
        raise InputError(
            f"port {port} cannot be had: {error.strerror}; give another port", parameter="port"
        ) from error
    return listener

"""Connections that are closed when their client makes no progress."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

SECONDS: Final = 10.0
"""Seconds between two checks of a connection."""
LEAST_BYTES: Final = 10 * 1024
"""Bytes that a client must read between two checks: 1 KiB a second."""


class ImpatientProtocol(H11Protocol):
    """HTTP/1.1 that closes connections whose clients send or read a byte now and then.

    A few hundred such clients (slowloris) would hold every connection that a process may have. A
    connection is closed where it was the client's turn at two looks in a row, and in between no
    request became whole and fewer than `LEAST_BYTES` of the answer were read.
    """

    _turn: tuple[object, int] | None = None
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Start the timer."""
        super().connection_made(transport)
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        super().connection_lost(exc)
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        turn = self._clients_turn()
        if turn is not None and self._turn is not None:
            request, unread = self._turn
            if turn[0] is request and turn[1] > unread - LEAST_BYTES:
                self.transport.abort()
                return
        self._turn = turn
        self._timer = self.loop.call_later(SECONDS, self._look)

    def _clients_turn(self) -> tuple[object, int] | None:
        """Return the last request and the unread bytes of its answer; None on the server's turn."""
        unread = self.transport.get_write_buffer_size()
        answering = self.cycle is not None and not self.cycle.response_complete
        return None if answering and not unread else (self.cycle, unread)

"""Answers that threads make, few at a time, and only while a client waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

View = Callable[[Request], Response]
_CLIENT_CLOSED = 499  # as nginx logs it; the client does not read the answer


class Answers:
    """One lane of answers: requests for the same address that wait together share one answer.

    An answer is begun after all requests that share it have come, so each shows the current state.
    An answer whose clients have all gone before it begins is never made.

    Parameters
    ----------
    at_once : int
        Number of threads.
    """

    def __init__(self, at_once: int) -> None:
        self._seats = asyncio.Semaphore(at_once)
        self._waiting: dict[str, _Answer] = {}

    def by(self, view: View) -> Callable[[Request], Awaitable[Response]]:
        """Return an endpoint whose answers `view` makes."""

        async def endpoint(request: Request) -> Response:
            address = str(request.url)
            answer = self._waiting.get(address)
            if answer is None:
                answer = self._waiting[address] = _Answer()
                answer.task = asyncio.create_task(self._made(address, answer, view, request))
                answer.task.add_done_callback(_retrieve_error)
            return await answer.for_client(request)

        return endpoint

    async def _made(self, address: str, answer: _Answer, view: View, request: Request) -> Response:
        async with self._seats:
            del self._waiting[address]  # who comes from now on gets a newer one
            if not answer.clients:
                return Response(status_code=_CLIENT_CLOSED)
            return await asyncio.to_thread(view, request)


class _Answer:
    """An answer that is made once, and the number of clients that wait for it."""

    task: asyncio.Task[Response]

    def __init__(self) -> None:
        self.clients = 0

    async def for_client(self, request: Request) -> Response:
        self.clients += 1
        gone = asyncio.create_task(_disconnected(request))
        try:
            await asyncio.wait({self.task, gone}, return_when=asyncio.FIRST_COMPLETED)
            return self.task.result() if self.task.done() else Response(status_code=_CLIENT_CLOSED)
        finally:
            self.clients -= 1
            gone.cancel()


async def _disconnected(request: Request) -> None:
    """Return when the client has closed its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _retrieve_error(task: asyncio.Task[Response]) -> None:
    """Retrieve an error that no client waits for any more, so that asyncio does not log it."""
    if not task.cancelled():
        task.exception()
